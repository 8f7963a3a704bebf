/**
 * Which blocks of a recording are live: from the recording's name of a block to a slot of ours.
 *
 * Slots are small integers, used again last in, first out. Names that are numbers are in a hash table with open addressing
 * (a Map of numbers above 2^31 boxes every key, which costs three times as much); names that are text are in a Map.
 */
import type { BlockId } from "../event.js";

const FIRST_CELLS = 1024;

export class LiveTable {
  #cells = FIRST_CELLS;
  /** Per cell: high, low, slot + 1; 0 where empty. */
  #high = new Uint32Array(FIRST_CELLS);
  #low = new Uint32Array(FIRST_CELLS);
  #slot = new Uint32Array(FIRST_CELLS);
  #numbers = 0;
  readonly #texts = new Map<string, number>();
  readonly #empty: number[] = [];
  #slots = 0;

  /** Blocks that are live. */
  get size(): number {
    return this.#numbers + this.#texts.size;
  }

  /** Slots that were ever used. */
  get slots(): number {
    return this.#slots;
  }

  /** The slot of a live block, or -1. */
  slotOf(id: BlockId): number {
    if (id.text !== undefined) return this.#texts.get(id.text) ?? -1;
    return (this.#slot[this.#cellOf(id.high, id.low)] as number) - 1;
  }

  /** A slot for a block that is not live. */
  add(id: BlockId): number {
    const slot = this.#empty.pop() ?? this.#slots++;
    if (id.text !== undefined) {
      this.#texts.set(id.text, slot);
      return slot;
    }
    if (2 * ++this.#numbers > this.#cells) this.#grow();
    const cell = this.#cellOf(id.high, id.low);
    this.#high[cell] = id.high;
    this.#low[cell] = id.low;
    this.#slot[cell] = slot + 1;
    return slot;
  }

  /** Forget the name of a live block; its slot stays taken until `release`. */
  remove(id: BlockId): void {
    if (id.text !== undefined) {
      this.#texts.delete(id.text);
      return;
    }
    this.#numbers--;
    const mask = this.#cells - 1;
    let hole = this.#cellOf(id.high, id.low);
    // What lies behind the hole and could not be found past it moves up.
    for (let at = (hole + 1) & mask; this.#slot[at] !== 0; at = (at + 1) & mask) {
      const home = this.#hash(this.#high[at] as number, this.#low[at] as number);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      this.#high[hole] = this.#high[at] as number;
      this.#low[hole] = this.#low[at] as number;
      this.#slot[hole] = this.#slot[at] as number;
      hole = at;
    }
    this.#slot[hole] = 0;
  }

  /** The slot may be used again. */
  release(slot: number): void {
    this.#empty.push(slot);
  }

  /** Every slot that is taken. */
  liveSlots(): number[] {
    const found = [...this.#texts.values()];
    for (const slot of this.#slot) if (slot !== 0) found.push(slot - 1);
    return found.sort((a, b) => a - b);
  }

  #hash(high: number, low: number): number {
    const mixed = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
    return (mixed ^ (mixed >>> 15)) & (this.#cells - 1);
  }

  /** Where this name is, or the empty cell where it would go. */
  #cellOf(high: number, low: number): number {
    const mask = this.#cells - 1;
    let at = this.#hash(high, low);
    while (this.#slot[at] !== 0 && (this.#low[at] !== low || this.#high[at] !== high)) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const high = this.#high;
    const low = this.#low;
    const slot = this.#slot;
    this.#cells *= 2;
    this.#high = new Uint32Array(this.#cells);
    this.#low = new Uint32Array(this.#cells);
    this.#slot = new Uint32Array(this.#cells);
    for (let i = 0; i < slot.length; i++) {
      if (slot[i] === 0) continue;
      const cell = this.#cellOf(high[i] as number, low[i] as number);
      this.#high[cell] = high[i] as number;
      this.#low[cell] = low[i] as number;
      this.#slot[cell] = slot[i] as number;
    }
  }
}
