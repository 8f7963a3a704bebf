/**
 * Runs of set bits in a u64: the word of a page, one bit per frame, 1 = free.
 *
 * Folding a word onto itself shifted by s leaves a bit where a run of s more begins; five folds tell everything about
 * aligned runs in 64 frames. Shifts in Wasm are modulo 64, so each function states the range it is good for.
 */

/** The lowest `count` bits, 1 to 63. (0 would give none, 64 would give none too: not asked for.) */
// @ts-ignore: decorator
@inline
export function lowBits(count: u32): u64 {
  assert(count >= 1 && count <= 63);
  return ((<u64>1) << count) - 1;
}

/** Bits 0, 2^order, 2 * 2^order, ...: where aligned runs may start. Order 0 to 6; 6 gives bit 0 alone. */
// @ts-ignore: decorator
@inline
export function starts(order: u32): u64 {
  assert(order <= 6);
  // 64 ones taken in steps of 2^order is the all-ones word divided by 2^(2^order) - 1.
  return order == 6 ? 1 : u64.MAX_VALUE / (((<u64>1) << (1 << order)) - 1);
}

/** A bit where a run of at least `count` free frames starts; `count` 1 to 63. */
export function runsOf(word: u64, count: u32): u64 {
  assert(count >= 1 && count <= 63);
  let length: u32 = 1; // each bit of word now stands for a run of `length`
  while (length << 1 <= count) {
    word &= word >> length;
    length <<= 1;
  }
  // count - length < length, so the two runs together cover count without a gap.
  return word & (word >> (count - length));
}

/** The class of a split page: log2 of the longest aligned power-of-two run, 0 to 5. The word is neither 0 nor all ones. */
export function classOf(word: u64): u32 {
  assert(word != 0 && word != u64.MAX_VALUE);
  word &= (word >> 1) & 0x5555555555555555;
  if (word == 0) return 0;
  word &= (word >> 2) & 0x1111111111111111;
  if (word == 0) return 1;
  word &= (word >> 4) & 0x0101010101010101;
  if (word == 0) return 2;
  word &= (word >> 8) & 0x0001000100010001;
  if (word == 0) return 3;
  word &= word >> 16;
  return (word & 0x0000000100000001) == 0 ? 4 : 5;
}

/** log2, rounded up: the order of the power of two that holds `count` frames. count at least 1. */
// @ts-ignore: decorator
@inline
export function orderOf(count: u32): u32 {
  assert(count != 0);
  return count == 1 ? 0 : 32 - clz(count - 1);
}

/** log2, rounded down. count at least 1. */
// @ts-ignore: decorator
@inline
export function floorOrder(count: u32): u32 {
  assert(count != 0);
  return 31 - clz(count);
}
