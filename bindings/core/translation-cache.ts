/**
 * Translation cache: which byte of the first zone lies in a live block, answered from here without a call.
 *
 * A block starts on a multiple of the power of two at or above its frames, so whoever guesses that power knows where the
 * block that holds a frame would start; and the code there (assembly/length-tags.ts) tells whether one does, and how far it goes.
 *
 *     frame       1011 0110
 *     entry            0111      a block of 5 to 8 frames held it when the core was asked last
 *     start       1011 0000      codes[start] is a length of more than 0110 frames: a live block holds the frame
 *
 * An entry is never believed: the code is read every time, in the core's memory, and what it proves is true whatever the entry
 * was. So nothing has to be told when blocks come and go. An entry that proves nothing means that the core has to be asked.
 *
 *     entries one byte for each frame modulo 65,536: the frames of a block less one, rounded up to 2^k - 1, k <= 6
 *
 * Blocks of 64 frames and more, other zones, and what lies above the first 4 GiB of the first zone are not cached:
 * there the core is asked every time.
 */
import { Layout as L } from "../generated/layout.js";
import { type FirstZone, GROUP_FRAMES } from "./first-zone.js";

const CACHE_ENTRIES = 65_536;

/**
 * Above 0 only where a live block holds the byte at a virtual address of the first zone: so many bytes of its requested
 * length come from there on, those of the same frame that lie before the address counted in. Else it proves nothing.
 */
export function probe(zone: FirstZone, address: number): number {
  const ahead = address - zone.pageWindow;
  const byte = ahead >>> 0;
  const frame = byte >>> zone.frameShift;
  if (byte !== ahead || frame >= zone.span) return 0;
  const inside = frame & (zone.cache[frame & zone.cacheMask] as number);
  const at = (zone.codes + frame - inside) | 0;
  const { views, codeShift } = zone;
  // What lies outside a view reads as 0 here, and is no code.
  const code = ((codeShift === 2 ? views.u32[at] : views.u16[at]) as number) | 0;
  return code - (inside << zone.frameShift) - L.LENGTH_TAG_BIAS;
}

/** The same by asking the core, and caching its answer. False where it finds none, and where `address` is none. */
export function refill(zone: FirstZone, address: number): boolean {
  const frame = Math.floor((address - zone.pageWindow) * zone.inverse);
  if (!(frame >= 0 && frame < zone.span && Number.isInteger(address))) return false;
  if (zone.wasm.holder(zone.pageFirst + frame) !== 1) return false;
  // Made at the first refill: a core that never translates pays for no table.
  if (zone.cacheMask === 0) {
    zone.cache = new Uint8Array(CACHE_ENTRIES);
    zone.cacheMask = CACHE_ENTRIES - 1;
  }
  // Of a large block the entry proves nothing; no more than 63, it stays inside the page of the frame.
  const frames = zone.views.word(L.H_FOUND_FRAMES);
  zone.cache[frame & zone.cacheMask] = (2 ** (32 - Math.clz32(frames - 1)) - 1) & (GROUP_FRAMES - 1);
  return true;
}
