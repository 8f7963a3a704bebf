/**
 * Replayers: something that does a workload's operations, and what they left behind.
 *
 *     where    the loop is         per operation
 *     wasm     beside the allocator, in its language     a call that the compiler may inline
 *     js       in JavaScript                             one call across the boundary
 *
 * Both loops are the same: a slot that is full is freed, a failed allocation leaves its slot empty.
 */
import { FREE, hashWords, SLOT, type Workload } from "../workloads/index.js";

/** The least that an allocator must offer to be measured from JavaScript. */
export interface Allocator {
  /** The address of a block of so many bytes, or 0 when out of memory. */
  allocate(lengthBytes: number): number;
  /** Give a block back. `lengthBytes` is that of its allocation. Throws, or not, as it likes. */
  free(address: number, lengthBytes: number): unknown;
}

/** An allocator and the loop that drives it. */
export interface Replayer {
  /** Do operations `from` to `to`. Returns how many allocations failed. */
  replay(from: number, to: number): number;
  /** Allocate and free `pairs` times. Returns a number that depends on every step. */
  lifo(bytes: number, pairs: number): number;
  /** Free whatever the slots hold. */
  clear(): void;
  /** Which slots are full, how long their blocks are and where. */
  slots(): Slots;
}

/** A copy of the slots. */
export interface Slots {
  /** Addresses, 0 for an empty slot. */
  readonly at: Float64Array;
  readonly bytes: Uint32Array;
}

/** Over anything that can allocate and free, one call per operation. */
export class JsReplayer implements Replayer {
  readonly #allocator: Allocator;
  readonly #ops: Uint32Array;
  readonly #at: Float64Array;
  readonly #bytes: Uint32Array;

  constructor(allocator: Allocator, workload: Workload) {
    this.#allocator = allocator;
    this.#ops = workload.ops;
    this.#at = new Float64Array(workload.slots);
    this.#bytes = new Uint32Array(workload.slots);
  }

  replay(from: number, to: number): number {
    const allocator = this.#allocator;
    const ops = this.#ops;
    const at = this.#at;
    const bytes = this.#bytes;
    let failures = 0;
    for (let i = 2 * from; i < 2 * to; i += 2) {
      const word = ops[i] as number;
      const slot = word & SLOT;
      if ((word & FREE) !== 0) {
        const address = at[slot] as number;
        if (address !== 0) {
          allocator.free(address, bytes[slot] as number);
          at[slot] = 0;
        }
      } else {
        const length = ops[i + 1] as number;
        const address = allocator.allocate(length);
        at[slot] = address;
        bytes[slot] = length;
        if (address === 0) failures += 1;
      }
    }
    return failures;
  }

  lifo(bytes: number, pairs: number): number {
    const allocator = this.#allocator;
    let sum = 0;
    for (let i = 0; i < pairs; i += 1) {
      const address = allocator.allocate(bytes);
      sum += address;
      allocator.free(address, bytes);
    }
    return sum;
  }

  clear(): void {
    for (let slot = 0; slot < this.#at.length; slot += 1) {
      const address = this.#at[slot] as number;
      if (address !== 0) this.#allocator.free(address, this.#bytes[slot] as number);
      this.#at[slot] = 0;
    }
  }

  slots(): Slots {
    return { at: this.#at.slice(), bytes: this.#bytes.slice() };
  }
}

/** What a replay left, for comparing subjects: which slots are full and with how many bytes, not where. */
export function outcomeOf({ at, bytes }: Slots): string {
  return hashWords(bytes.map((length, slot) => (at[slot] === 0 ? 0 : length)));
}

/**
 * The same with the places, in bytes from `origin`: equal for two allocators that decide alike, even if one speaks of
 * frames and the other of addresses.
 */
export function placementOf({ at, bytes }: Slots, origin: number, unitBytes: number): string {
  const words = new Uint32Array(2 * at.length);
  for (const [slot, address] of at.entries()) {
    if (address === 0) continue;
    words[2 * slot] = (address - origin) * unitBytes;
    words[2 * slot + 1] = bytes[slot] as number;
  }
  return hashWords(words);
}
