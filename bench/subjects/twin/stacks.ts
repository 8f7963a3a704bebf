/**
 * Stacks of ready blocks, and the codes of live ones: what assembly/codes.ts and the stacks of assembly/ready.ts keep.
 *
 *   row of a stack, 32 numbers    [ top | f1 | f2 | ... | f24 | base | shift | frames | wanted | . | . | . ]
 *   codes                         [ one entry a page ........ | one entry a frame ........................ ]
 *
 * The purpose is the core's: what the size of a block decides stands beside its stack, and neither way through is a branch
 * on sizes. A stack holds frame numbers, which are never 0. Top is 0 on an empty stack, and a row's first entry is read in
 * its place: it holds the top itself, 0. Row 0, for sizes that are not kept, is always full and its last entry is 0.
 *
 * An entry of `codes` is a number of 32 bits for frames of any size, where the core has 16 for small ones.
 */
import { PAGE_FRAMES, PAGE_SHIFT } from "./frames.js";

/** The rows: 0, then 1 to 63 frames, then 1 to 64 whole pages, then those for any size. */
export const STACKS = 160;
const FIRST_HOT = 128;
export const ROW_SHIFT = 5;
/** The last entry that a stack has room for. */
export const FULL = 24;
/** Add it to a shifted frame number to get the entry of `codes`. */
export const BASE = 25;
export const SHIFT = 26;
export const FRAMES = 27;
/** Of a stack for any size: the size that last asked and had none. */
const WANTED = 28;

/** The largest block that can be kept ready. */
const KEYED_FRAMES = 4096;
const HOT_HASH = 0x9e3779b1;
const HOT_SHIFT = 27;

/** A live block's code is its length and this; what is less is a mark. */
export const CODE_BIAS = 8;
const MARK_FREED = 2;
const MARK_READY = 4;
export const MARK_READY_FREED = 5;

/** The frames of the blocks on a stack of a fixed size. */
function framesOfStack(stack: number): number {
  return stack < PAGE_FRAMES ? stack : (stack - PAGE_FRAMES + 1) << PAGE_SHIFT;
}

export class Stacks {
  readonly rows: Int32Array = new Int32Array(STACKS << ROW_SHIFT);
  readonly codes: Int32Array;
  /** From a number of frames less one to its row; 0 where there is none, and behind the largest size. */
  readonly #keys: Uint16Array = new Uint16Array(KEYED_FRAMES + 1);
  /** Where the entry of frame number 0 would be, and that of its page. */
  readonly #frameBase: number;
  readonly #pageBase: number;

  /** For frame numbers from `first`, a multiple of a page's, on. */
  constructor(first: number, count: number) {
    const pages = Math.ceil(count / PAGE_FRAMES);
    this.codes = new Int32Array(pages + count);
    this.#pageBase = -(first >> PAGE_SHIFT);
    this.#frameBase = pages - first;
    this.rows[0] = FULL;
    for (let stack = 1; stack < STACKS; stack += 1) {
      const paged = stack >= PAGE_FRAMES;
      const row = stack << ROW_SHIFT;
      this.rows[row + BASE] = paged ? this.#pageBase : this.#frameBase;
      this.rows[row + SHIFT] = paged ? PAGE_SHIFT : 0;
      if (stack < FIRST_HOT) this.#dedicate(row, framesOfStack(stack));
    }
  }

  /** Where the stack for blocks of so many frames begins in `rows`. */
  rowOf(count: number): number {
    return this.#keys[count <= KEYED_FRAMES ? count - 1 : KEYED_FRAMES] as number;
  }

  #dedicate(row: number, count: number): void {
    const before = this.rows[row + FRAMES] as number;
    if (before !== 0) this.#keys[before - 1] = 0;
    this.rows[row + FRAMES] = count;
    this.#keys[count - 1] = row;
  }

  /**
   * A size without a stack was asked for. The row whose last block has to be given back before this size can have it,
   * or 0.
   */
  want(count: number): number {
    const row = (FIRST_HOT + (Math.imul(count, HOT_HASH) >>> HOT_SHIFT)) << ROW_SHIFT;
    if (this.rows[row + WANTED] !== count) this.rows[row + WANTED] = count;
    else if (this.rows[row] === 0) this.#dedicate(row, count);
    else return row;
    return 0;
  }

  /** Put a frame number on a stack, which has room. */
  push(row: number, number: number): void {
    const top = (this.rows[row] as number) + 1;
    this.rows[row] = top;
    this.rows[row + top] = number;
  }

  /** Take the last frame number off a stack, or 0. */
  pop(row: number): number {
    const top = this.rows[row] as number;
    const number = this.rows[row + top] as number;
    if (number !== 0) this.rows[row] = top - 1;
    return number;
  }

  /** Blocks on all stacks. */
  size(): number {
    let blocks = 0;
    for (let stack = 1; stack < STACKS; stack += 1) blocks += this.rows[stack << ROW_SHIFT] as number;
    return blocks;
  }

  // ---- codes -------------------------------------------------------------------------------------------------------

  #entryOf(number: number, count: number): number {
    return count < PAGE_FRAMES ? number + this.#frameBase : (number >> PAGE_SHIFT) + this.#pageBase;
  }

  /** Does a live block of this length, which is `count` frames, start here? */
  isLive(number: number, count: number, lengthBytes: number): boolean {
    if (count >= PAGE_FRAMES && (number & (PAGE_FRAMES - 1)) !== 0) return false;
    return this.codes[this.#entryOf(number, count)] === ((lengthBytes + CODE_BIAS) | 0);
  }

  setLive(number: number, count: number, lengthBytes: number): void {
    this.codes[this.#entryOf(number, count)] = lengthBytes + CODE_BIAS;
  }

  setFreed(number: number, count: number): void {
    this.codes[this.#entryOf(number, count)] = MARK_FREED;
  }

  /** Mark a ready block that was just taken from what is merged. */
  setReady(number: number, count: number): void {
    this.#exchange(number, count, MARK_FREED, MARK_READY_FREED, MARK_READY);
  }

  /** Take the mark of a ready block back. */
  setRetired(number: number, count: number): void {
    this.#exchange(number, count, MARK_READY_FREED, MARK_FREED, 0);
  }

  #exchange(number: number, count: number, from: number, to: number, otherwise: number): void {
    const entry = this.#entryOf(number, count);
    this.codes[entry] = this.codes[entry] === from ? to : otherwise;
  }
}
