/**
 * Trees of bits: for each class the set of its pages, lowest first. As assembly/tree.ts, with words of 32 bits.
 *
 * Pages count from 0 here. A level's words lie one after the other in `#words`, each tree's leaves first.
 */
import { ctz } from "./bits.js";

const CLASSES = 32;
const LEVELS = 7;

export class Trees {
  /** Bit c is set when class c has a member. */
  available = 0;
  /** How many members each class has. */
  readonly counts: Int32Array = new Int32Array(CLASSES);
  readonly #words: Int32Array;
  /** Where each level of each tree begins: `cls * LEVELS + level`. */
  readonly #starts: Int32Array = new Int32Array(CLASSES * LEVELS);
  readonly #depths: Int32Array = new Int32Array(CLASSES);
  readonly #scales: Int32Array = new Int32Array(CLASSES);

  /** For a zone of `pages` pages; class `pageClass` is one whole page. */
  constructor(pages: number, topClass: number, pageClass: number) {
    let at = 0;
    for (let cls = 0; cls <= topClass; cls += 1) {
      const scale = cls > pageClass ? cls - pageClass : 0;
      this.#scales[cls] = scale;
      let bits = ((pages - 1) >> scale) + 1;
      let level = 0;
      do {
        this.#starts[cls * LEVELS + level] = at;
        bits = ((bits - 1) >> 5) + 1;
        at += bits;
        level += 1;
      } while (bits > 1);
      this.#depths[cls] = level;
    }
    this.#words = new Int32Array(at);
  }

  has(cls: number, page: number): boolean {
    const index = page >> (this.#scales[cls] as number);
    const word = this.#words[(this.#starts[cls * LEVELS] as number) + (index >> 5)] as number;
    return ((word >>> (index & 31)) & 1) !== 0;
  }

  add(cls: number, page: number): void {
    (this.counts[cls] as number) += 1;
    const words = this.#words;
    const depth = this.#depths[cls] as number;
    let index = page >> (this.#scales[cls] as number);
    for (let level = 0; level < depth; level += 1) {
      const at = (this.#starts[cls * LEVELS + level] as number) + (index >> 5);
      const word = words[at] as number;
      words[at] = word | (1 << (index & 31));
      if (word !== 0) return;
      index >>= 5;
    }
    this.available |= 1 << cls;
  }

  remove(cls: number, page: number): void {
    (this.counts[cls] as number) -= 1;
    const words = this.#words;
    const depth = this.#depths[cls] as number;
    let index = page >> (this.#scales[cls] as number);
    for (let level = 0; level < depth; level += 1) {
      const at = (this.#starts[cls * LEVELS + level] as number) + (index >> 5);
      const word = (words[at] as number) & ~(1 << (index & 31));
      words[at] = word;
      if (word !== 0) return;
      index >>= 5;
    }
    this.available &= ~(1 << cls);
  }

  /** The first page of the lowest member; the class has one. */
  lowest(cls: number): number {
    return this.#descend(cls, this.#depths[cls] as number, 0);
  }

  /** From a word of one level (the top has one) down to the lowest leaf below it. */
  #descend(cls: number, from: number, start: number): number {
    let index = start;
    for (let level = from - 1; level >= 0; level -= 1) {
      index = (index << 5) + ctz(this.#words[(this.#starts[cls * LEVELS + level] as number) + index] as number);
    }
    return index << (this.#scales[cls] as number);
  }

  /** The first page of the lowest member at or above `page`, or -1. */
  next(cls: number, page: number): number {
    const scale = this.#scales[cls] as number;
    const depth = this.#depths[cls] as number;
    let index = (page + (1 << scale) - 1) >> scale;
    for (let level = 0; level < depth; level += 1) {
      const start = this.#starts[cls * LEVELS + level] as number;
      const end = level + 1 < depth ? (this.#starts[cls * LEVELS + level + 1] as number) : start + 1;
      if (start + (index >> 5) >= end) return -1;
      const word = (this.#words[start + (index >> 5)] as number) & (-1 << (index & 31));
      if (word !== 0) return this.#descend(cls, level, ((index >> 5) << 5) + ctz(word));
      index = (index >> 5) + 1;
    }
    return -1;
  }
}
