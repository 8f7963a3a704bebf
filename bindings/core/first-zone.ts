/**
 * The first zone: what the hot paths need of a core and of its first zone, in one flat record.
 *
 * Most cores have one zone, and every path that a program takes often looks here first. The record is made by one object
 * literal on purpose: an engine then knows of each field that it holds a small integer, or a double, and reads it without
 * a test. A class would declare its fields first and fill them later, and each read would ask what is there.
 */
import { Layout as L } from "../generated/layout.js";
import type { CoreState, ZoneInfo } from "./state.js";
import type { CoreViews } from "./views.js";
import type { CoreExports } from "./wasm.js";

/** Frames of a page of the core: the codes of blocks with fewer stand at their first frame. */
export const GROUP_FRAMES = 64;

export interface FirstZone {
  readonly wasm: CoreExports;
  readonly views: CoreViews;
  readonly frameSize: number;
  readonly frameShift: number;
  /** 1 / frameSize. */
  readonly inverse: number;
  /** First virtual byte, first frame number and number of frames of the zone. */
  readonly window: number;
  readonly first: number;
  readonly count: number;
  /** What takes a virtual address of the zone to the physical one. */
  readonly toPhysical: number;
  /** What takes it to the byte's place in the arena. */
  readonly toArena: number;
  /** Virtual address of the zone's first page; the frames of it that lie before the zone never hold a block. */
  readonly pageWindow: number;
  /** Frames from there to the end of the zone. */
  readonly span: number;
  /** Index of the code of that page's first frame, in the view of the codes' width. */
  readonly codes: number;
  /** log2 of the bytes of a code: 1 or 2. */
  readonly codeShift: number;
  /** Number of that page's first frame. */
  readonly pageFirst: number;
  /** See translation-cache.ts. */
  cache: Uint8Array;
  cacheMask: number;
}

export function firstZoneOf(state: CoreState): FirstZone {
  const { wasm, views, frameSize, inverse } = state;
  const { window, base, first, count, arenaOffset } = state.zones[0] as ZoneInfo;
  const codeShift = views.word(L.H_LENGTH_TAG_SHIFT);
  const before = first % GROUP_FRAMES;
  return {
    wasm,
    views,
    frameSize,
    frameShift: views.word(L.H_FRAME_SHIFT),
    inverse,
    window,
    first,
    count,
    toPhysical: base - window,
    toArena: arenaOffset - window,
    pageWindow: window - before * frameSize,
    span: before + count,
    // The pointer is biased, modulo 2^32, by the number of the zone's first page.
    codes: (views.word(L.ZONES + L.Z_LENGTH_TAGS) + ((first - before) << codeShift)) >>> codeShift,
    codeShift,
    pageFirst: first - before,
    cache: new Uint8Array(1),
    cacheMask: 0,
  };
}
