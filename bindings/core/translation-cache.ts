/**
 * Translation cache: which byte of the first zone lies in a live block, answered from here without a call.
 *
 * A block of fewer than 64 frames lies inside one group of 64. So whoever guesses how many frames before a frame its block
 * starts needs one look at the length tag there (assembly/length-tags.ts), which tells whether a block starts and how far it goes.
 *
 *     frame       ...110       entry 3: when the core was asked last, the block of this frame started 3 frames before it
 *     start       ...011       the length tag there is of more than 3 frames: a live block holds the frame
 *
 * An entry is never believed: the length tag is read every time, in the core's memory, and what it proves is true whatever
 * the entry was. So nothing has to be told when blocks come and go. An entry that proves nothing means that the core has to
 * be asked.
 *
 *     entries     one byte for each frame modulo 65,536: the frame less the first frame of its block, 0 to 63
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
  const inside = zone.cache[frame & zone.cacheMask] as number;
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
  // Of a block of 64 frames and more the entry proves nothing: no length tag of a frame stands where it starts.
  const inside = zone.pageFirst + frame - zone.views.word(L.H_FOUND_HEAD);
  zone.cache[frame & zone.cacheMask] = inside < GROUP_FRAMES ? inside : 0;
  return true;
}
