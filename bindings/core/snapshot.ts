/**
 * Snapshots: the whole state of a core as bytes.
 *
 *   0      4        8         16        24                 280
 *   +------+--------+---------+---------+------------------+-------------------------------+
 *   | NSHS | version| length  | checksum| header of memory | memory from the keys on       |
 *   +------+--------+---------+---------+------------------+-------------------------------+
 *                    f64 bytes  2 x u32   256 bytes
 *
 * The request ring and the report are no state and stay out. The checksum covers every other byte. A snapshot fits only a
 * core that was opened with the same options, because everything that opening wrote must be equal. The bytes are taken
 * over only after all of that holds; the caller then has `verify` walk them and calls `undo` if it finds anything.
 */
import { ShmemError } from "../errors.js";
import { Layout as L } from "../generated/layout.js";
import type { CoreViews } from "./views.js";
import { WASM_PAGE } from "./wasm.js";

const MAGIC = 0x5348534e; // NSHS, little-endian
const VERSION = 1;
const PREFIX = 24;

/** One past the last byte of memory that holds state. */
function stateEnd(word: (offset: number) => number): number {
  return word(L.H_INDEX_BASE) + word(L.H_MAP_CAPACITY) * L.INDEX_RECORD;
}

/** Copy the state of a core. */
export function packSnapshot(views: CoreViews): Uint8Array {
  const end = stateEnd((offset) => views.word(offset));
  const bytes = new Uint8Array(PREFIX + L.HEADER_SIZE + end - L.SIZE_CLASSES);
  bytes.set(views.u8.subarray(L.HEADER, L.HEADER + L.HEADER_SIZE), PREFIX);
  bytes.set(views.u8.subarray(L.SIZE_CLASSES, end), PREFIX + L.HEADER_SIZE);
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
  const word = (offset: number): number =>
    view.getUint32(
      offset < L.SIZE_CLASSES ? PREFIX + offset - L.HEADER : PREFIX + L.HEADER_SIZE + offset - L.SIZE_CLASSES,
      true,
    );
  checkGeometry(views, word, bytes.length);

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
  views.u8.set(rest, L.SIZE_CLASSES);
  views.u8.fill(0, L.SIZE_CLASSES + rest.length, before); // nothing, where the new end is the higher one
  views.u32[L.H_MEMORY_PAGES >>> 2] = pages;
}

/** Everything that opening wrote once must be equal, and the sizes must agree with each other. */
function checkGeometry(views: CoreViews, word: (offset: number) => number, length: number): void {
  const same = [L.H_FRAME_SHIFT, L.H_FLAGS, L.H_ZONE_COUNT, L.H_MAP_BASE, L.H_LENGTH_TAG_SHIFT, L.H_SCATTER_BASE];
  for (const offset of [L.HEADER, L.HEADER + 4, ...same, L.H_SCATTER_BASE + 4]) {
    if (word(offset) !== views.word(offset))
      refuse(PREFIX + offset - L.HEADER, "it is of a core opened with other options");
  }
  const zonesEnd = L.ZONES + views.word(L.H_ZONE_COUNT) * L.ZONE_SIZE;
  for (let offset = L.ZONES; offset < zonesEnd; offset += 4) {
    const field = (offset - L.ZONES) % L.ZONE_SIZE;
    if (
      field < L.Z_CLASS_COUNTS &&
      field !== L.Z_AVAILABLE &&
      field !== L.Z_FREE &&
      word(offset) !== views.word(offset)
    )
      refuse(PREFIX + L.HEADER_SIZE + offset - L.SIZE_CLASSES, "it is of a core opened with other zones");
  }
  const index = word(L.H_MAP_BASE) + word(L.H_MAP_CAPACITY) * L.MAP_RECORD;
  if (word(L.H_INDEX_BASE) !== index || PREFIX + L.HEADER_SIZE + stateEnd(word) - L.SIZE_CLASSES !== length)
    refuse(PREFIX + L.H_MAP_CAPACITY - L.HEADER, "its tables do not end where it ends");
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
