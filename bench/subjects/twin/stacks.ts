/**
 * Stacks of cached blocks, and the length tags of live ones: what assembly/length-tags.ts and the stacks of assembly/cache.ts
 * keep.
 *
 *   row of a stack, 64 numbers    [ top | f1 | f2 | ... | f56 | base | shift | frames | candidate | . | . | . ]
 *   tags                          [ one entry a group .......... | one entry a frame ........................ ]
 *
 * The purpose is the core's: what the size of a block decides stands beside its stack, and neither way through is a branch
 * on sizes. A stack holds frame numbers, which are never 0. Top is 0 on an empty stack, and a row's first entry is read in
 * its place: it holds the top itself, 0. Row 0, for sizes that are not cached, is always full and its last entry is 0.
 *
 * An entry of `tags` is a number of 32 bits for frames of any size, where the core has 16 for small ones.
 */
import { GROUP_FRAMES, GROUP_SHIFT } from "./frames.js";

/** The rows: 0, then 1 to 63 frames, then 1 to 64 whole groups, then those for any size. */
export const STACKS = 160;
const FIRST_ADAPTIVE = 128;
export const ROW_SHIFT = 6;
/** The last entry that a stack has room for. */
export const FULL = 56;
/** Add it to a shifted frame number to get the entry of `tags`. */
export const BASE = 57;
export const SHIFT = 58;
export const FRAMES = 59;
/** How often a size asked and had no stack: times << 16 | frames. */
const CANDIDATE = 60;

/** The largest block that can be kept ready. */
const CACHE_MAX_FRAMES = 4096;
const ADAPTIVE_HASH = 0x9e3779b1;
const ADAPTIVE_SHIFT = 27;

/** A live block's code is its length and this; what is less is a mark. */
export const LENGTH_TAG_BIAS = 8;
const SENTINEL_FREED = 2;
const SENTINEL_CACHED = 4;
export const SENTINEL_CACHED_FREED = 5;

/** At which slow request a size is given its stack. */
const ASSIGN_AFTER = 4;

/** The stack that a size may have. */
function stackFor(count: number): number {
  if (count < GROUP_FRAMES) return count;
  if (count % GROUP_FRAMES === 0) return GROUP_FRAMES - 1 + (count >> GROUP_SHIFT);
  return FIRST_ADAPTIVE + (Math.imul(count, ADAPTIVE_HASH) >>> ADAPTIVE_SHIFT);
}

export class Stacks {
  readonly rows: Int32Array = new Int32Array(STACKS << ROW_SHIFT);
  readonly tags: Int32Array;
  /** From a number of frames less one to its row; 0 where there is none, and behind the largest size. */
  readonly #sizeClasses: Uint16Array = new Uint16Array(CACHE_MAX_FRAMES + 1);
  /** Where the entry of frame number 0 would be, and that of its page. */
  readonly #frameBase: number;
  readonly #groupBase: number;

  /** For frame numbers from `first`, a multiple of a page's, on. */
  constructor(first: number, count: number) {
    const groups = Math.ceil(count / GROUP_FRAMES);
    this.tags = new Int32Array(groups + count);
    this.#groupBase = -(first >> GROUP_SHIFT);
    this.#frameBase = groups - first;
    this.rows[0] = FULL;
    for (let stack = 1; stack < STACKS; stack += 1) {
      const whole = stack >= GROUP_FRAMES;
      const row = stack << ROW_SHIFT;
      this.rows[row + BASE] = whole ? this.#groupBase : this.#frameBase;
      this.rows[row + SHIFT] = whole ? GROUP_SHIFT : 0;
    }
  }

  /** Where the stack for blocks of so many frames begins in `rows`. */
  rowOf(count: number): number {
    return this.#sizeClasses[count <= CACHE_MAX_FRAMES ? count - 1 : CACHE_MAX_FRAMES] as number;
  }

  #assign(row: number, count: number): void {
    const before = this.rows[row + FRAMES] as number;
    if (before !== 0) this.#sizeClasses[before - 1] = 0;
    this.rows[row + FRAMES] = count;
    this.#sizeClasses[count - 1] = row;
  }

  /**
   * A size without a stack was asked for and served. The row whose last block has to be given back before this size can
   * have it, or 0.
   */
  noteUncachedSize(count: number): number {
    const row = stackFor(count) << ROW_SHIFT;
    const candidate = this.rows[row + CANDIDATE] as number;
    const times = (candidate & 0xffff) === count ? (candidate >> 16) + 1 : 1;
    if (times < ASSIGN_AFTER) this.rows[row + CANDIDATE] = (times << 16) | count;
    else if (this.rows[row] === 0) this.#assign(row, count);
    else return row;
    return 0;
  }

  /** Put a frame number on a stack, which has room. */
  push(row: number, number: number): void {
    const top = (this.rows[row] as number) + 1;
    this.rows[row + top] = number;
    this.rows[row] = top;
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

  // ---- tags -------------------------------------------------------------------------------------------------------

  #entryOf(number: number, count: number): number {
    return count < GROUP_FRAMES ? number + this.#frameBase : (number >> GROUP_SHIFT) + this.#groupBase;
  }

  /** Does a live block of this length, which is `count` frames, start here? */
  isLive(number: number, count: number, lengthBytes: number): boolean {
    if (count >= GROUP_FRAMES && (number & (GROUP_FRAMES - 1)) !== 0) return false;
    return this.tags[this.#entryOf(number, count)] === ((lengthBytes + LENGTH_TAG_BIAS) | 0);
  }

  setLive(number: number, count: number, lengthBytes: number): void {
    this.tags[this.#entryOf(number, count)] = lengthBytes + LENGTH_TAG_BIAS;
  }

  setFreed(number: number, count: number): void {
    this.tags[this.#entryOf(number, count)] = SENTINEL_FREED;
  }

  /** Mark a cached block that was just taken from what is merged. */
  setCached(number: number, count: number): void {
    this.#exchange(number, count, SENTINEL_FREED, SENTINEL_CACHED_FREED, SENTINEL_CACHED);
  }

  /** Take the mark of a cached block back. */
  setRetired(number: number, count: number): void {
    this.#exchange(number, count, SENTINEL_CACHED_FREED, SENTINEL_FREED, 0);
  }

  #exchange(number: number, count: number, from: number, to: number, otherwise: number): void {
    const entry = this.#entryOf(number, count);
    this.tags[entry] = this.tags[entry] === from ? to : otherwise;
  }
}
