/**
 * Class trees: for each class the set of its groups, lowest first. As assembly/class-trees.ts, with words of 32 bits.
 *
 * Groups count from 0 here. A level's words lie one after the other in `#words`, each tree's leaves first; all trees have one
 * shape. Behind the classes stands the tree of the groups where larger blocks start.
 */
import { ctz } from "./bits.js";

const CLASSES = 64;
/** Of the groups where a block of 64 frames and more starts. */
export const BLOCK_TREE: number = CLASSES;
const LEVELS = 7;

export class Trees {
  /** Bit c is set when class c has a member: classes 0 to 31, and 32 to 63. */
  availableLow = 0;
  availableHigh = 0;
  /** The frames that the members of each class promise. */
  readonly promised: Int32Array = new Int32Array(CLASSES);
  readonly #words: Int32Array;
  /** Where each level of tree 0 begins; the trees follow each other `#stride` apart. */
  readonly #starts: Int32Array = new Int32Array(LEVELS + 1);
  readonly #depth: number;
  readonly #stride: number;

  constructor(groups: number) {
    let at = 0;
    let bits = groups;
    let level = 0;
    do {
      this.#starts[level] = at;
      bits = ((bits - 1) >> 5) + 1;
      at += bits;
      level += 1;
    } while (bits > 1);
    this.#starts[level] = at;
    this.#depth = level;
    this.#stride = at;
    this.#words = new Int32Array(at * (CLASSES + 1));
  }

  /** The lowest class at or above `least` that has a member, or 64. */
  classFrom(least: number): number {
    if (least < 32) {
      const low = this.availableLow & (-1 << least);
      if (low !== 0) return ctz(low);
      return 32 + ctz(this.availableHigh);
    }
    return least >= CLASSES ? CLASSES : 32 + ctz(this.availableHigh & (-1 << (least - 32)));
  }

  isAvailable(cls: number): boolean {
    return (((cls < 32 ? this.availableLow : this.availableHigh) >>> (cls & 31)) & 1) !== 0;
  }

  /** Make a group a member of a class that promises so many frames of it. */
  add(cls: number, group: number, frames: number): void {
    (this.promised[cls] as number) += frames;
    if (!this.addLeaf(cls, group)) return;
    if (cls < 32) this.availableLow |= 1 << cls;
    else this.availableHigh |= 1 << (cls - 32);
  }

  /** Set the bit of a group. Was the tree empty? */
  addLeaf(cls: number, group: number): boolean {
    const words = this.#words;
    const tree = cls * this.#stride;
    let index = group;
    for (let level = 0; level < this.#depth; level += 1) {
      const at = tree + (this.#starts[level] as number) + (index >> 5);
      const word = words[at] as number;
      words[at] = word | (1 << (index & 31));
      if (word !== 0) return false;
      index >>= 5;
    }
    return true;
  }

  remove(cls: number, group: number, frames: number): void {
    (this.promised[cls] as number) -= frames;
    if (!this.removeLeaf(cls, group)) return;
    if (cls < 32) this.availableLow &= ~(1 << cls);
    else this.availableHigh &= ~(1 << (cls - 32));
  }

  /** Clear the bit of a group. Is the tree empty? */
  removeLeaf(cls: number, group: number): boolean {
    const words = this.#words;
    const tree = cls * this.#stride;
    let index = group;
    for (let level = 0; level < this.#depth; level += 1) {
      const at = tree + (this.#starts[level] as number) + (index >> 5);
      const word = (words[at] as number) & ~(1 << (index & 31));
      words[at] = word;
      if (word !== 0) return false;
      index >>= 5;
    }
    return true;
  }

  /** The lowest member; the class has one. */
  lowest(cls: number): number {
    return this.#descend(cls, this.#depth, 0);
  }

  /** From a word of one level (the top has one) down to the lowest leaf below it. */
  #descend(cls: number, from: number, start: number): number {
    const tree = cls * this.#stride;
    let index = start;
    for (let level = from - 1; level >= 0; level -= 1)
      index = (index << 5) + ctz(this.#words[tree + (this.#starts[level] as number) + index] as number);
    return index;
  }

  /** The lowest member at or above a group, or -1. */
  next(cls: number, group: number): number {
    const tree = cls * this.#stride;
    let index = group;
    for (let level = 0; level < this.#depth; level += 1) {
      const at = (this.#starts[level] as number) + (index >> 5);
      if (at >= (this.#starts[level + 1] as number)) return -1;
      const word = (this.#words[tree + at] as number) & (-1 << (index & 31));
      if (word !== 0) return this.#descend(cls, level, ((index >> 5) << 5) + ctz(word));
      index = (index >> 5) + 1;
    }
    return -1;
  }
}
