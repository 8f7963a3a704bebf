/**
 * The tag: what NDIS keeps with a block in the core, 32 bits.
 *
 *   31                                  2   1   0
 *   +-----------------------------------+---+---+
 *   | number of the adapter (from 1)    | P | C |   C: the Cached flag. P: a block of the 6.20 pair.
 *   +-----------------------------------+---+---+
 *
 * The core compares it at free, so that one call proves owner, cached flag and length together. Numbers are never used
 * twice, so a block of a removed adapter cannot pass for one of its successor (misuse F07).
 */

export const TAG_CACHED = 1;
export const TAG_PROVIDER = 2;
/** Adapters that one machine can ever have: 2^30 - 1. */
export const ADAPTER_LIMIT: number = 2 ** 30 - 1;

export function tagOf(adapter: number, cached: boolean): number {
  return ((adapter << 2) | (cached ? TAG_CACHED : 0)) >>> 0;
}

export function adapterOfTag(tag: number): number {
  return tag >>> 2;
}

export function cachedOfTag(tag: number): boolean {
  return (tag & TAG_CACHED) !== 0;
}
