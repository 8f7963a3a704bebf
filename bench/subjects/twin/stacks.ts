/**
 * Stacks of ready blocks, and the codes of live ones: what assembly/codes.ts and the stacks of assembly/ready.ts keep.
 *
 *   row of key k, 32 numbers    [ top | f1 | f2 | ... | f25 | base | shift | flip | bias | frames | mark ]
 *   codes                       [ one entry a page ........ | one entry a frame ........................ ]
 *
 * The layout is the core's, and so is its purpose: what the size of a block decides stands beside its stack, and neither
 * way through is a branch on sizes. A stack holds frame numbers, which are never 0. Top is 0 on an empty stack, so that
 * the last entry reads as 0; row 0, for sizes that are never kept, is always full and its last entry is 0.
 */
import { PAGE_FRAMES, PAGE_SHIFT } from "./frames.js";

/** The keys: 0, then 1 to 63 frames, then 1 to 64 whole pages. */
export const STACKS = 128;
export const ROW_SHIFT = 5;
/** The last entry that a stack has room for. */
export const FULL = 25;
/** Add it to a shifted frame number to get the entry of `codes`. */
export const BASE = 26;
export const SHIFT = 27;
/** code = (length ^ flip) + bias, in 32 bits. */
export const FLIP = 28;
export const BIAS = 29;
export const FRAMES = 30;
/** What `codes` says of a ready block that was handed out before. */
export const MARK = 31;

/** The largest block that can be kept ready. */
const KEYED_FRAMES = 4096;

// In the entries of frames, as 16 or 32 bits of these; in the entries of pages, negated. No code is any of them.
const MARK_FREED = -2;
const MARK_READY = -4;
const MARK_READY_FREED = -5;
/** A live block that has no key; its length is kept apart. */
const PAGE_LONG = 6;

/** The frames of the blocks on a stack. */
export function framesOfKey(key: number): number {
  return key < PAGE_FRAMES ? key : (key - PAGE_FRAMES + 1) << PAGE_SHIFT;
}

export class Stacks {
  readonly rows: Int32Array = new Int32Array(STACKS << ROW_SHIFT);
  readonly codes: Uint16Array | Int32Array;
  readonly #keys: Uint8Array = new Uint8Array(KEYED_FRAMES + 2);
  /** Where the entry of frame number 0 would be, and that of its page. */
  readonly #frameBase: number;
  readonly #pageBase: number;
  readonly #mask: number;
  readonly #longLengths: Uint32Array;

  /** For frame numbers from `first`, a multiple of a page's, on. */
  constructor(first: number, count: number, frameSize: number) {
    const pages = Math.ceil(count / PAGE_FRAMES);
    const narrow = frameSize < 1024;
    this.codes = narrow ? new Uint16Array(pages + count) : new Int32Array(pages + count);
    this.#mask = narrow ? 0xffff : -1;
    this.#pageBase = -(first >> PAGE_SHIFT);
    this.#frameBase = pages - first;
    this.#longLengths = new Uint32Array(pages);
    this.rows[0] = FULL;
    for (let key = 1; key < STACKS; key += 1) {
      const frames = framesOfKey(key);
      const paged = frames >= PAGE_FRAMES;
      const row = key << ROW_SHIFT;
      this.#keys[frames] = key;
      this.rows[row + BASE] = paged ? this.#pageBase : this.#frameBase;
      this.rows[row + SHIFT] = paged ? PAGE_SHIFT : 0;
      this.rows[row + FRAMES] = frames;
      this.rows[row + MARK] = this.#markFor(frames, MARK_READY_FREED);
      if (narrow && paged) {
        // pages * frameSize + slack, which fits 16 bits, is (bytes / 64 + bytes) - length; -length is (length ^ -1) + 1.
        const bytes = frames * frameSize;
        this.rows[row + FLIP] = -1;
        this.rows[row + BIAS] = bytes / PAGE_FRAMES + bytes + 1;
      }
    }
  }

  /** Where the stack for blocks of so many frames begins in `rows`. */
  rowOf(count: number): number {
    return (this.#keys[count <= KEYED_FRAMES ? count : KEYED_FRAMES + 1] as number) << ROW_SHIFT;
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
    for (let key = 1; key < STACKS; key += 1) blocks += this.rows[key << ROW_SHIFT] as number;
    return blocks;
  }

  // ---- codes -------------------------------------------------------------------------------------------------------

  #entryOf(number: number, count: number): number {
    return count < PAGE_FRAMES ? number + this.#frameBase : (number >> PAGE_SHIFT) + this.#pageBase;
  }

  #markFor(count: number, mark: number): number {
    return count < PAGE_FRAMES ? mark & this.#mask : -mark;
  }

  #codeOf(row: number, lengthBytes: number): number {
    if (row === 0) return PAGE_LONG;
    return ((lengthBytes ^ (this.rows[row + FLIP] as number)) + (this.rows[row + BIAS] as number)) | 0;
  }

  /** Does a live block of this length, which is `count` frames, start here? */
  isLive(number: number, count: number, lengthBytes: number): boolean {
    if (count >= PAGE_FRAMES && (number & (PAGE_FRAMES - 1)) !== 0) return false;
    const row = this.rowOf(count);
    const entry = this.#entryOf(number, count);
    if (this.codes[entry] !== this.#codeOf(row, lengthBytes)) return false;
    return row !== 0 || this.#longLengths[entry] === lengthBytes;
  }

  setLive(number: number, count: number, lengthBytes: number): void {
    const row = this.rowOf(count);
    const entry = this.#entryOf(number, count);
    this.codes[entry] = this.#codeOf(row, lengthBytes);
    if (row === 0) this.#longLengths[entry] = lengthBytes;
  }

  setFreed(number: number, count: number): void {
    this.codes[this.#entryOf(number, count)] = this.#markFor(count, MARK_FREED);
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
    this.codes[entry] = this.#markFor(count, this.codes[entry] === this.#markFor(count, from) ? to : otherwise);
  }
}
