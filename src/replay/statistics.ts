/**
 * What a replay counts as it goes: its own count of live blocks and bytes, histograms of sizes and lifetimes, and the state of
 * the memory at about 240 moments.
 *
 * The counts do not come from the reader of the recording: they are made from what was allocated and freed here, so that
 * the two can be compared.
 */

/** A histogram by powers of two: bucket k counts what is from 2^k to below 2^(k+1). */
export type PowerHistogram = readonly number[];

/** The memory at one moment. Bytes. */
export interface Moment {
  /** Operations done. */
  readonly operation: number;
  /** Bytes asked for and live. */
  readonly payloadBytes: number;
  /** Whole frames that hold them. */
  readonly heldBytes: number;
  readonly freeBytes: number;
  /** The longest block that could be allocated now. */
  readonly largestFreeBytes: number;
  /** From the beginning of the zone to the highest byte of any block so far. */
  readonly highWaterBytes: number;
}

const BUCKETS = 54;
const MOST_MOMENTS = 480;

export function bucketOf(value: number): number {
  if (value < 2 ** 31) return value < 1 ? 0 : 31 - Math.clz32(value);
  return 31 + bucketOf(Math.floor(value / 2 ** 31));
}

/** Cut the empty end off. */
function trimmed(counts: Float64Array): number[] {
  let length = counts.length;
  while (length > 0 && counts[length - 1] === 0) length--;
  return [...counts.subarray(0, length)];
}

const FIRST_SLOTS = 1024;

export class Statistics {
  readonly #sizes = new Float64Array(BUCKETS);
  readonly #lifetimes = new Float64Array(BUCKETS);
  /** Per slot: bytes held, 0 for none; operation at which it was allocated. */
  #held = new Float64Array(FIRST_SLOTS);
  #born = new Float64Array(FIRST_SLOTS);
  readonly #moments: Moment[] = [];
  #every = 64;
  operations = 0;
  liveBlocks = 0;
  liveBytes = 0;
  peakLiveBytes = 0;
  peakBlocks = 0;
  allocations = 0;

  /** A block was allocated. `moves`: the free of the one that it replaces follows, and the peak is counted behind that. */
  allocated(slot: number, bytes: number, moves: boolean): void {
    if (slot >= this.#held.length) this.#grow(slot);
    this.operations++;
    this.allocations++;
    this.#held[slot] = bytes;
    this.#born[slot] = this.operations;
    this.liveBlocks++;
    this.liveBytes += bytes;
    const bucket = bucketOf(bytes);
    this.#sizes[bucket] = (this.#sizes[bucket] as number) + 1;
    if (!moves) this.#peak();
  }

  /** A block was freed. */
  freed(slot: number): void {
    this.operations++;
    const bytes = this.bytesOf(slot);
    const bucket = bucketOf(this.operations - (this.#born[slot] as number));
    this.#lifetimes[bucket] = (this.#lifetimes[bucket] as number) + 1;
    this.#held[slot] = 0;
    this.liveBlocks--;
    this.liveBytes -= bytes;
    this.#peak();
  }

  /** An operation that changed nothing: an allocation that failed, the free of a block that was never there. */
  nothing(): void {
    this.operations++;
  }

  /** Bytes in a slot, 0 for none. */
  bytesOf(slot: number): number {
    return this.#held[slot] ?? 0;
  }

  #peak(): void {
    if (this.liveBytes > this.peakLiveBytes) this.peakLiveBytes = this.liveBytes;
    if (this.liveBlocks > this.peakBlocks) this.peakBlocks = this.liveBlocks;
  }

  #grow(slot: number): void {
    let length = this.#held.length;
    while (length <= slot) length *= 2;
    const held = new Float64Array(length);
    held.set(this.#held);
    this.#held = held;
    const born = new Float64Array(length);
    born.set(this.#born);
    this.#born = born;
  }

  /** Is it time to look at the memory? */
  get isDue(): boolean {
    return this.operations % this.#every === 0;
  }

  /** Keep a moment; when there are too many, every second one goes, and they are kept half as often from then on. */
  keep(moment: Moment): void {
    this.#moments.push(moment);
    if (this.#moments.length < MOST_MOMENTS) return;
    const kept = this.#moments.filter((_, i) => i % 2 === 1);
    this.#moments.length = 0;
    this.#moments.push(...kept);
    this.#every *= 2;
  }

  get moments(): readonly Moment[] {
    return [...this.#moments];
  }

  /** Allocations by length in bytes. */
  get sizes(): PowerHistogram {
    return trimmed(this.#sizes);
  }

  /** Freed blocks by how many operations they lived. */
  get lifetimes(): PowerHistogram {
    return trimmed(this.#lifetimes);
  }
}
