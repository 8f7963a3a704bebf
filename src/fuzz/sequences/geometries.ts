/**
 * The cores that sequences are played on: small, because small zones fill up, split, merge and run out within a few
 * operations, and chosen so that each boundary of the allocator lies in one of them.
 */
import type { CoreOptions } from "../../../bindings/index.js";
import { GEOMETRY_COUNT } from "./sequence.js";

/** A core to open, and why. */
export interface Geometry {
  readonly name: string;
  readonly options: CoreOptions;
}

/** In the order of the geometry byte. Never reordered: corpora name them by index. */
export const GEOMETRIES: readonly Geometry[] = [
  {
    name: "1024 frames, 16 pages of the allocator",
    options: { zones: [{ base: 0x400000, size: 1024 * 64 }], frameSize: 64, arena: null },
  },
  {
    name: "64 frames, exactly one page of the allocator",
    options: { zones: [{ base: 0x40000, size: 64 * 64 }], frameSize: 64, arena: null, tags: true },
  },
  {
    name: "200 frames at an odd base: partial pages at both ends",
    options: { zones: [{ base: 0x1040, size: 200 * 64 }], frameSize: 64, arena: null },
  },
  {
    name: "two zones, two nodes, one above 4 GiB",
    options: {
      zones: [
        { base: 0x5000, size: 70 * 64 },
        { base: 2 ** 32, size: 131 * 64, node: 1 },
      ],
      frameSize: 64,
      arena: null,
      tags: true,
    },
  },
  {
    name: "three zones of odd sizes",
    options: {
      zones: [
        // Frames 300 to 332: an alignment of 128 frames is wider than the zone, and 320 is none of its multiples.
        { base: 300 * 256, size: 33 * 256 },
        { base: 0x80000, size: 65 * 256, node: 1 },
        { base: 0x200000, size: 128 * 256 },
      ],
      frameSize: 256,
      arena: null,
      tags: true,
    },
  },
  {
    name: "48 frames of 4 KiB",
    options: { zones: [{ base: 0x100000, size: 48 * 4096 }], arena: null, tags: true },
  },
  {
    name: "130 frames of 4 KiB across the 4 GiB line",
    options: { zones: [{ base: 2 ** 32 - 65 * 4096, size: 130 * 4096 }], arena: null },
  },
  {
    name: "one frame, and 300 frames of 2 KiB",
    options: {
      zones: [
        { base: 0x800, size: 0x800 },
        { base: 0x100000, size: 300 * 2048, node: 1 },
      ],
      frameSize: 2048,
      arena: null,
      tags: true,
    },
  },
];

/** The geometry of a byte. */
export function geometryOf(index: number): Geometry {
  return GEOMETRIES[index % GEOMETRY_COUNT] as Geometry;
}
