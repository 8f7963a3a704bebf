/**
 * Snapshots: the whole state of a core as bytes.
 *
 *   0      4        8         16        24                 536
 *   +------+--------+---------+---------+------------------+-------------------------------+
 *   | NSHS | version| length  | checksum| header of memory | memory from IMAGE on          |
 *   +------+--------+---------+---------+------------------+-------------------------------+
 *                    f64 bytes  2 x u32   512 bytes
 *
 * The request ring and the report are no state and stay out. The checksum covers every other byte; it finds damage by
 * accident and proves nothing against intent, because whoever changes a snapshot can repair it. So no field is believed:
 *
 *   what opening wrote                 compared word by word with what it wrote here: a snapshot fits only a core that was
 *                                      opened with the same options
 *   scratch, reserved words            not taken over
 *   sizes of the mapping tables        have to add up to the length of the snapshot
 *   everything else                    is taken over, and `verify` compares each word with what follows from the length tags
 *                                      and the mappings (its steps are in proportion to frames and mappings); the caller
 *                                      calls `undo` where that finds anything
 *
 * What is left to choose for whoever writes a snapshot is the state itself: which blocks are live, with which tags.
 */
import { ShmemError } from "../errors.js";
import { Layout as L } from "../generated/layout.js";
import type { CoreViews } from "./views.js";
import { WASM_PAGE } from "./wasm.js";

const MAGIC = 0x5348534e; // NSHS, little-endian
const VERSION = 2;
const PREFIX = 24;

/** One past the last byte of memory that holds state. */
function stateEnd(word: (offset: number) => number): number {
  return word(L.H_INDEX_BASE) + word(L.H_MAP_CAPACITY) * L.INDEX_RECORD;
}

/** Copy the state of a core. */
export function packSnapshot(views: CoreViews): Uint8Array {
  const end = stateEnd((offset) => views.word(offset));
  const bytes = new Uint8Array(PREFIX + L.HEADER_SIZE + end - L.IMAGE);
  bytes.set(views.u8.subarray(L.HEADER, L.HEADER + L.HEADER_SIZE), PREFIX);
  bytes.set(views.u8.subarray(L.IMAGE, end), PREFIX + L.HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, VERSION, true);
  view.setFloat64(8, bytes.length, true);
  const [a, b] = checksum(view);
  view.setUint32(16, a, true);
  view.setUint32(20, b, true);
  return bytes;
}

/** Put the state of a snapshot in place, and return what puts the old one back. `BAD_SNAPSHOT`, with nothing changed. */
export function unpackSnapshot(views: CoreViews, snapshot: Uint8Array): () => void {
  if (!(snapshot instanceof Uint8Array)) return refuse(0, "it is no Uint8Array");
  const bytes = snapshot.slice(); // the caller's may be shared, and change under our eyes
  const view = new DataView(bytes.buffer);
  if (bytes.length < PREFIX + L.HEADER_SIZE) return refuse(bytes.length, "it is shorter than its header");
  if (view.getUint32(0, true) !== MAGIC) return refuse(0, "it does not begin with NSHS");
  if (view.getUint32(4, true) !== VERSION) return refuse(4, `its version is not ${VERSION}`);
  if (view.getFloat64(8, true) !== bytes.length) return refuse(8, "its length is not the one it states");
  const [a, b] = checksum(view);
  if (view.getUint32(16, true) !== a || view.getUint32(20, true) !== b)
    return refuse(16, "its checksum does not match");
  const word = (offset: number): number => view.getUint32(placeOf(offset), true);
  checkGeometry(views, word, bytes.length);
  keepScratch(views, view);

  const old = packSnapshot(views);
  grow(views, stateEnd(word));
  putSnapshot(views, bytes);
  return () => putSnapshot(views, old);
}

/** Put the state of a snapshot in place, unchecked: it fits, and memory is large enough. */
export function putSnapshot(views: CoreViews, snapshot: Uint8Array): void {
  const pages = views.u8.length / WASM_PAGE;
  const before = stateEnd((offset) => views.word(offset));
  const rest = snapshot.subarray(PREFIX + L.HEADER_SIZE);
  views.u8.set(snapshot.subarray(PREFIX, PREFIX + L.HEADER_SIZE), L.HEADER);
  views.u8.set(rest, L.IMAGE);
  views.u8.fill(0, L.IMAGE + rest.length, before); // nothing, where the new end is the higher one
  views.u32[L.H_MEMORY_PAGES >>> 2] = pages;
}

/** Ranges of memory in which a snapshot must have what opening wrote here: `from` inclusive, `to` exclusive. */
function* constantRanges(views: CoreViews): Generator<readonly [from: number, to: number, what: string]> {
  const options = "it is of a core opened with other options";
  const zones = "it is of a core opened with other zones";
  yield [L.HEADER, L.H_MAP_CAPACITY, options];
  yield [L.H_WITHHELD_FRAMES, L.H_WITHHELD_FRAMES + 4, options];
  yield [L.H_GEOMETRY, L.H_GEOMETRY + 4, zones];
  yield [L.W_HEADROOM_LIMIT + 4, L.CACHE_STACKS + L.S_TOP, options];
  yield [L.CACHE_STACKS, L.CACHE_STACKS + L.STACK_SIZE, zones];
  for (let number = 1; number < L.STACK_COUNT; number++) {
    const stack = L.CACHE_STACKS + number * L.STACK_SIZE;
    yield [stack + L.S_BASE, stack + L.S_FRAMES, zones];
  }
  for (let i = 0; i < views.word(L.H_ZONE_COUNT); i++) {
    const zone = L.ZONES + i * L.ZONE_SIZE;
    yield [zone, zone + L.Z_FREE, zones];
  }
}

/** What opening wrote must be equal, and the sizes must agree with each other. */
function checkGeometry(views: CoreViews, word: (offset: number) => number, length: number): void {
  for (const [from, to, what] of constantRanges(views))
    for (let offset = from; offset < to; offset += 4)
      if (word(offset) !== views.word(offset)) refuse(placeOf(offset), what);
  const capacity = word(L.H_MAP_CAPACITY);
  const index = word(L.H_MAP_BASE) + capacity * L.MAP_RECORD;
  if (
    capacity > L.MAP_LIMIT ||
    word(L.H_MAP_COUNT) > capacity ||
    word(L.H_INDEX_BASE) !== index ||
    placeOf(stateEnd(word)) !== length
  )
    refuse(placeOf(L.H_MAP_CAPACITY), "its tables do not end where it ends");
}

/** Where a word of memory lies in a snapshot. */
function placeOf(offset: number): number {
  return offset < L.IMAGE ? PREFIX + offset - L.HEADER : PREFIX + L.HEADER_SIZE + offset - L.IMAGE;
}

/** Replace in a snapshot what is not taken over by what stands here now. */
function keepScratch(views: CoreViews, view: DataView): void {
  const failures = view.getFloat64(placeOf(L.H_FAILURES), true);
  if (!Number.isSafeInteger(failures) || failures < 0)
    refuse(placeOf(L.H_FAILURES), "its count of failures is no count");
  for (let offset = L.H_MEMORY_PAGES; offset < L.HEADER + L.HEADER_SIZE; offset += 4)
    view.setUint32(placeOf(offset), views.word(offset), true);
  view.setFloat64(placeOf(L.H_FAILURES), failures, true);
}

function grow(views: CoreViews, bytes: number): void {
  try {
    views.grow(bytes);
  } catch (cause) {
    throw new ShmemError("BAD_SNAPSHOT", `it needs ${bytes} bytes of memory, which the engine refuses`, {
      value: bytes,
      unit: "bytes",
      cause,
    });
  }
}

function refuse(offset: number, reason: string): never {
  throw new ShmemError("BAD_SNAPSHOT", reason, { value: offset, unit: "offset" });
}

/** Two lanes over all bytes but the checksum's own eight. Any single changed byte changes it: each step is invertible. */
function checksum(view: DataView): [number, number] {
  let a = 0x243f6a88;
  let b = 0x85a308d3;
  const step = (word: number): void => {
    a = Math.imul(a ^ word, 0x9e3779b1);
    a = (a << 13) | (a >>> 19);
    b = Math.imul((b + word) ^ a, 0x85ebca77);
    b = (b << 15) | (b >>> 17);
  };
  const end = view.byteLength;
  for (let at = 0; at + 4 <= end; at += 4) if (at !== 16 && at !== 20) step(view.getUint32(at, true));
  for (let at = end - (end % 4); at < end; at++) step(view.getUint8(at));
  return [a >>> 0, b >>> 0];
}
