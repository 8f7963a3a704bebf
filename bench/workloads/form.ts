/**
 * The form of a workload: a sequence of allocations and frees, the same on every machine.
 *
 * An operation is two u32 words:
 *
 *     word 0   slot, with bit 30 set for a free          word 1   bytes (0 for a free)
 *
 * A slot holds one block. A failed allocation leaves its slot empty; the free of an empty slot does nothing and still
 * counts as an operation, so that every subject is charged for the same number of them.
 *
 *     0 ......... pre ................... end ......... total
 *       fill          the timed part          empty again
 *
 * `hashWords` over the operations names a workload: two benches that print the same hash replayed the same sequence.
 */

/** Bit 30 of word 0: this operation is a free. */
export const FREE: number = 0x40000000;
/** The bits of word 0 that are the slot. */
export const SLOT: number = 0x3fffffff;
export const MIB: number = 2 ** 20;

/** A sequence of operations and what it wants to run on. */
export interface Workload {
  readonly name: string;
  /** Two words per operation, see the head of this file. */
  readonly ops: Uint32Array;
  /** Operations before this one fill. */
  readonly pre: number;
  /** Operations from `pre` to here are timed. */
  readonly end: number;
  /** How many operations there are; those from `end` on free what is left. */
  readonly total: number;
  /** How many slots the operations name. */
  readonly slots: number;
  /** Bytes of arena. */
  readonly arenaBytes: number;
  /** Bytes in a frame, for the subjects that have frames. */
  readonly frameSize: number;
  /**
   * Set when the timed part is `pairs` times the same two operations on an empty arena. It is then run as a plain loop
   * without reading operations, because the reading would cost as much as the allocator.
   */
  readonly loop?: { readonly bytes: number; readonly pairs: number };
}

/** FNV-1a over the bytes of the words, little-endian, as 8 hex digits. */
export function hashWords(words: Iterable<number>): string {
  let h = 0x811c9dc5;
  for (const w of words) {
    for (let shift = 0; shift < 32; shift += 8) h = Math.imul(h ^ ((w >>> shift) & 255), 0x01000193) >>> 0;
  }
  return h.toString(16).padStart(8, "0");
}
