/**
 * Runs of set bits in a page's word, in two halves of 32 bits: what assembly/bits.ts does with one u64.
 *
 * A function cannot return two numbers without making an object, so those that would leave the upper half in `hi`.
 */

/** The upper half of what the last call returned; the lower half is its value. */
export let hi = 0;

/** Index of the lowest set bit; 32 for 0. */
export function ctz(word: number): number {
  return word === 0 ? 32 : 31 - Math.clz32(word & -word);
}

/** log2, rounded up. */
export function orderOf(count: number): number {
  return count === 1 ? 0 : 32 - Math.clz32(count - 1);
}

/** log2, rounded down. */
export function floorOrder(count: number): number {
  return 31 - Math.clz32(count);
}

/** The word shifted right, 0 to 63. */
function shiftRight(low: number, high: number, by: number): number {
  if (by === 0) {
    hi = high;
    return low;
  }
  if (by >= 32) {
    hi = 0;
    return high >>> (by - 32);
  }
  hi = high >>> by;
  return (low >>> by) | (high << (32 - by));
}

/** The word shifted left, 0 to 63. */
export function shiftLeft(low: number, high: number, by: number): number {
  if (by === 0) {
    hi = high;
    return low;
  }
  if (by >= 32) {
    hi = low << (by - 32);
    return 0;
  }
  hi = (high << by) | (low >>> (32 - by));
  return low << by;
}

/** The lowest `count` bits, 1 to 63. */
export function lowBits(count: number): number {
  if (count >= 32) {
    hi = count === 32 ? 0 : (1 << (count - 32)) - 1;
    return -1;
  }
  hi = 0;
  return (1 << count) - 1;
}

/** Where aligned runs of 2^order may start, for each half: orders 0 to 6. */
export const STARTS_LOW: Int32Array = Int32Array.of(-1, 0x55555555, 0x11111111, 0x01010101, 0x00010001, 1, 1);
export const STARTS_HIGH: Int32Array = Int32Array.of(-1, 0x55555555, 0x11111111, 0x01010101, 0x00010001, 1, 0);

/** A bit where a run of at least `count` set bits starts; 1 to 63. */
export function runsOf(low: number, high: number, count: number): number {
  let length = 1;
  let l = low;
  let h = high;
  while (length << 1 <= count) {
    l &= shiftRight(l, h, length);
    h &= hi;
    length <<= 1;
  }
  l &= shiftRight(l, h, count - length);
  hi &= h;
  return l;
}

/** log2 of the longest aligned power-of-two run in 32 bits, 0 to 5; the word is not 0. */
function classOfHalf(word: number): number {
  if (word === -1) return 5;
  let w = word & (word >>> 1) & 0x55555555;
  if (w === 0) return 0;
  w &= (w >>> 2) & 0x11111111;
  if (w === 0) return 1;
  w &= (w >>> 4) & 0x01010101;
  if (w === 0) return 2;
  w &= (w >>> 8) & 0x00010001;
  return w === 0 ? 3 : 4;
}

/** The class of a split page. The word is neither 0 nor all ones. */
export function classOf(low: number, high: number): number {
  if (low === 0) return classOfHalf(high);
  if (high === 0) return classOfHalf(low);
  return Math.max(classOfHalf(low), classOfHalf(high));
}

/** The largest power of two that divides `count`, as an order, 6 at most. */
export function naturalOrder(count: number): number {
  return ctz(count | 64);
}

/** The class of a run of so many groups. */
export function runClass(groups: number): number {
  const shift = Math.max(29 - Math.clz32(groups), 0);
  return Math.min(5 + 4 * shift + (groups >> shift), 63);
}

/** The least class all of whose runs have so many groups; 64 where none promises it. */
export function sureClass(groups: number): number {
  const shift = Math.max(29 - Math.clz32(groups), 0);
  return Math.min(5 + 4 * shift + ((groups + (1 << shift) - 1) >> shift), 64);
}
