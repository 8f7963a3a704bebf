/**
 * Events to operations: names become slots, and what cannot have happened is found.
 *
 * What is held is a few words for each live block, whatever the length of the recording. No block is ever freed that the
 * recording did not allocate. In lenient reading
 *
 *     a free of a block that is not live                       is skipped
 *     an allocation of a name that is live                     frees the old block first (its free was missed): invented
 *     a reallocation of a block that is not live               is an allocation: mended
 *     a reallocation to a name that is live                    frees that block first: invented
 *
 * and strict reading refuses each of them.
 */
import { ALLOCATE, type BlockId, type EventSink, FREE, type RecordedEvent } from "../event.js";
import { badTrace, type Notes } from "../notes.js";
import { LiveTable } from "./live-table.js";

/** Takes operations. Slots name blocks; a slot is used again after its free. */
export interface OperationSink {
  /** `bytes` is at least 1: an allocation of nothing is a block too. `alignment`: a power of two, or 0. */
  allocate(slot: number, bytes: number, alignment: number, event: RecordedEvent): void;
  /** `event` is the one that freed it, which may be a reallocation. */
  free(slot: number, event: RecordedEvent): void;
}

/** What a recording implies, counted while it is read. */
export interface SequenceFacts {
  readonly allocations: number;
  readonly frees: number;
  readonly reallocations: number;
  /** Calls that changed nothing: frees of NULL, allocations that failed. */
  readonly ignored: number;
  /** Most payload bytes live at once; the two blocks of a reallocation do not count together. */
  readonly peakBytes: number;
  /** Most blocks live at once. */
  readonly peakBlocks: number;
  /** Bytes of the longest block. */
  readonly longestBytes: number;
  /** Blocks that are never freed, and their bytes. */
  readonly leftLive: number;
  readonly leftBytes: number;
}

/** A block that was never freed. */
export interface LeftBlock {
  readonly slot: number;
  readonly bytes: number;
  /** Number of its operation, from 1. */
  readonly operation: number;
  readonly line: number;
  readonly owner: string;
}

export interface SequenceLimits {
  /** More operations than this are `BAD_TRACE`. */
  readonly mostOperations: number;
}

const FIRST_SLOTS = 1024;

export class Sequencer implements EventSink {
  readonly #notes: Notes;
  readonly #out: OperationSink;
  readonly #most: number;
  readonly #live = new LiveTable();
  #bytesOf = new Float64Array(FIRST_SLOTS);
  #operationOf = new Float64Array(FIRST_SLOTS);
  #lineOf = new Float64Array(FIRST_SLOTS);
  readonly #ownerOf: string[] = [];
  #line = 1;
  #bytes = 0;
  #operations = 0;
  #allocations = 0;
  #frees = 0;
  #reallocations = 0;
  #ignored = 0;
  #peakBytes = 0;
  #peakBlocks = 0;
  #longestBytes = 0;

  constructor(out: OperationSink, notes: Notes, limits: SequenceLimits) {
    this.#out = out;
    this.#notes = notes;
    this.#most = limits.mostOperations;
  }

  /** Slots that were ever used: a bound for those who keep something for each. */
  get slots(): number {
    return this.#live.slots;
  }

  ignore(): void {
    this.#ignored++;
  }

  take(event: RecordedEvent): void {
    this.#line = event.line;
    if (this.#operations >= this.#most) badTrace({ line: event.line, column: 1 }, `more than ${this.#most} operations`);
    if (event.kind === ALLOCATE) this.#allocate(event);
    else if (event.kind === FREE) this.#free(event);
    else this.#reallocate(event);
  }

  #note(kind: "skipped" | "mended" | "invented", why: string, id: BlockId): void {
    this.#notes.add(kind, why, { line: this.#line, column: 1 }, this.#notes.strict ? id.toString() : undefined);
  }

  #allocate(event: RecordedEvent): void {
    const old = this.#live.slotOf(event.id);
    if (old >= 0) {
      this.#note("invented", "a free of a block whose name is allocated again", event.id);
      this.#end(event.id, old, event);
      this.#frees++;
    }
    this.#allocations++;
    this.#begin(event.id, event);
    this.#count();
  }

  #free(event: RecordedEvent): void {
    const slot = this.#live.slotOf(event.id);
    if (slot < 0) {
      this.#note("skipped", "a free of an id that is not live", event.id);
      return;
    }
    this.#frees++;
    this.#end(event.id, slot, event);
  }

  /** The new block is there before the old one goes, as where the bytes are copied. */
  #reallocate(event: RecordedEvent): void {
    const { id, to } = event;
    const old = this.#live.slotOf(id);
    if (old < 0) {
      this.#note("mended", "a reallocation of an id that is not live", id);
      this.#allocations++;
      const other = this.#live.slotOf(to);
      if (other >= 0) {
        this.#end(to, other, event);
        this.#frees++;
      }
      this.#begin(to, event);
      this.#count();
      return;
    }
    this.#live.remove(id);
    const other = this.#live.slotOf(to);
    if (other >= 0) {
      this.#note("invented", "a free of a block whose name is allocated again", to);
      this.#end(to, other, event);
      this.#frees++;
    }
    this.#reallocations++;
    this.#begin(to, event);
    this.#release(old, event);
    this.#count();
  }

  #begin(id: BlockId, event: RecordedEvent): void {
    const length = Math.max(1, event.bytes);
    const slot = this.#live.add(id);
    if (slot >= this.#bytesOf.length) this.#grow();
    this.#bytesOf[slot] = length;
    this.#operationOf[slot] = ++this.#operations;
    this.#lineOf[slot] = event.line;
    this.#ownerOf[slot] = event.owner;
    this.#bytes += length;
    if (length > this.#longestBytes) this.#longestBytes = length;
    this.#out.allocate(slot, length, event.alignment, event);
  }

  #end(id: BlockId, slot: number, event: RecordedEvent): void {
    this.#live.remove(id);
    this.#release(slot, event);
  }

  #release(slot: number, event: RecordedEvent): void {
    this.#operations++;
    this.#bytes -= this.#bytesOf[slot] as number;
    this.#live.release(slot);
    this.#out.free(slot, event);
  }

  #count(): void {
    if (this.#bytes > this.#peakBytes) this.#peakBytes = this.#bytes;
    if (this.#live.size > this.#peakBlocks) this.#peakBlocks = this.#live.size;
  }

  #grow(): void {
    const double = (old: Float64Array): Float64Array<ArrayBuffer> => {
      const more = new Float64Array(2 * old.length);
      more.set(old);
      return more;
    };
    this.#bytesOf = double(this.#bytesOf);
    this.#operationOf = double(this.#operationOf);
    this.#lineOf = double(this.#lineOf);
  }

  /** What was counted; `BAD_TRACE` where nothing happened at all. */
  finish(): SequenceFacts {
    if (this.#operations === 0) badTrace({ line: this.#line, column: 1 }, "no operations");
    return {
      allocations: this.#allocations,
      frees: this.#frees,
      reallocations: this.#reallocations,
      ignored: this.#ignored,
      peakBytes: this.#peakBytes,
      peakBlocks: this.#peakBlocks,
      longestBytes: this.#longestBytes,
      leftLive: this.#live.size,
      leftBytes: this.#bytes,
    };
  }

  /** The blocks that were never freed, in the order of their slots; at most `most` of them. */
  leftBlocks(most: number): readonly LeftBlock[] {
    return this.#live
      .liveSlots()
      .slice(0, most)
      .map((slot) => ({
        slot,
        bytes: this.#bytesOf[slot] as number,
        operation: this.#operationOf[slot] as number,
        line: this.#lineOf[slot] as number,
        owner: this.#ownerOf[slot] ?? "",
      }));
  }
}
