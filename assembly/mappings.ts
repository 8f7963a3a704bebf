/**
 * Mappings: virtual ranges that are no window of a zone.
 *
 * Two kinds of run share one table: the pieces of a scattered block (frames of a zone gathered under one virtual range)
 * and the runs of a foreign range (memory that the host owns: a NET_BUFFER's pages, guest memory). A contiguous
 * block needs no entry, because a window is congruent to its zone and the live length says how far the answer holds.
 *
 *   by virtual address   { virtual | physical | bytes | owner | owner bytes | kind | tag }   sorted, 48 bytes each
 *   by physical address  { physical | bytes | virtual }                                      sorted, 24 bytes each
 *
 *   virtual   ..|  owner A  |.....|  owner B           |..
 *               run  run run       run          run
 *                 \    \   \______________________/____
 *   physical  ...[ ]..[    ]..........[          ]..[  ]
 *
 * Both lists hold the same runs (the rule of the index in verify.ts), so both directions are a binary search. A change moves what lies
 * behind it: registering costs time in proportion to the runs there are, which are few next to the lookups.
 *
 * The tables are the last thing in memory and double when they are full; a refused growth is out of memory and has
 * changed nothing. Addresses are f64: integers below 2^52, exact.
 */
import {
  H_FRAME_SHIFT, H_INDEX_BASE, H_MAP_BASE, H_MAP_CAPACITY, H_MAP_COUNT, H_MEMORY_PAGES, H_SCATTER_BASE, INDEX_RECORD, I_BYTES, I_PHYSICAL, I_VIRTUAL, MAP_LIMIT,
  MAP_RECORD, M_BYTES, M_OWNER, M_OWNER_BYTES, M_KIND, M_PHYSICAL, M_TAG, M_VIRTUAL, Z_BASE, Z_FIRST,
} from "./layout";

export function record(i: u32): usize {
  return <usize>(load<u32>(H_MAP_BASE) + i * MAP_RECORD);
}

export function indexRecord(i: u32): usize {
  return <usize>(load<u32>(H_INDEX_BASE) + i * INDEX_RECORD);
}

/** How many records start at or below a virtual address. */
function countTo(virtual: f64): u32 {
  let low: u32 = 0;
  let high = load<u32>(H_MAP_COUNT);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<f64>(record(middle), M_VIRTUAL) <= virtual) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many index records start at or below a physical address. */
function indexCountTo(physical: f64): u32 {
  let low: u32 = 0;
  let high = load<u32>(H_MAP_COUNT);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<f64>(indexRecord(middle), I_PHYSICAL) <= physical) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The record whose run holds a virtual address, or 0. */
export function mappingAt(virtual: f64): usize {
  const count = countTo(virtual);
  if (count == 0) return 0;
  const at = record(count - 1);
  return virtual < load<f64>(at, M_VIRTUAL) + load<f64>(at, M_BYTES) ? at : 0;
}

/** The index record whose run holds a physical address, or 0. */
export function mappingAtPhysical(physical: f64): usize {
  const count = indexCountTo(physical);
  if (count == 0) return 0;
  const at = indexRecord(count - 1);
  return physical < load<f64>(at, I_PHYSICAL) + load<f64>(at, I_BYTES) ? at : 0;
}

/** The record that meets [virtual, virtual + bytes), or 0. */
export function meeting(virtual: f64, bytes: f64): usize {
  const count = countTo(virtual + bytes - 1);
  if (count == 0) return 0;
  const at = record(count - 1);
  return load<f64>(at, M_VIRTUAL) + load<f64>(at, M_BYTES) > virtual ? at : 0;
}

/** The index record that meets [physical, physical + bytes), or 0. */
export function meetingPhysical(physical: f64, bytes: f64): usize {
  const count = indexCountTo(physical + bytes - 1);
  if (count == 0) return 0;
  const at = indexRecord(count - 1);
  return load<f64>(at, I_PHYSICAL) + load<f64>(at, I_BYTES) > physical ? at : 0;
}

/** Frames of the piece that starts at a frame. */
export function pieceFrames(zone: usize, frame: u32): u32 {
  const shift = load<u32>(H_FRAME_SHIFT);
  const at = mappingAtPhysical(load<f64>(zone, Z_BASE) + <f64>(<u64>(frame - load<u32>(zone, Z_FIRST)) << shift));
  assert(at != 0);
  return at == 0 ? 0 : <u32>(<u64>load<f64>(at, I_BYTES) >> shift);
}

/** Make room for `more` records. False when memory or the limit refuses; then nothing has changed. */
export function reserve(more: u32): bool {
  const count = load<u32>(H_MAP_COUNT);
  let capacity = load<u32>(H_MAP_CAPACITY);
  if (count + more <= capacity) return true;
  if (count + more > MAP_LIMIT) return false;
  while (capacity < count + more) capacity <<= 1;
  const base = load<u32>(H_MAP_BASE);
  const index = <u64>base + <u64>capacity * MAP_RECORD;
  const pages = (index + <u64>capacity * INDEX_RECORD + 0xffff) >> 16;
  if (pages > 0x10000) return false;
  const missing = <i32>pages - <i32>memory.size();
  if (missing > 0 && memory.grow(missing) < 0) return false;
  const old = load<u32>(H_INDEX_BASE);
  memory.copy(<usize>index, <usize>old, <usize>(count * INDEX_RECORD));
  // What was index and is room for records now reads as zero, as the rest of the room does.
  const stale = min(<u32>index, old + count * INDEX_RECORD) - old;
  memory.fill(<usize>old, 0, <usize>stale);
  store<u32>(H_INDEX_BASE, <u32>index);
  store<u32>(H_MAP_CAPACITY, capacity);
  store<u32>(H_MEMORY_PAGES, <u32>memory.size());
  return true;
}

/** Add a run. Room was reserved; it meets no other in either space. */
export function insert(virtual: f64, physical: f64, bytes: f64, owner: f64, ownerBytes: f64, kind: u32, tag: u32): void {
  const count = load<u32>(H_MAP_COUNT);
  assert(count < load<u32>(H_MAP_CAPACITY));
  const i = countTo(virtual);
  const at = record(i);
  memory.copy(at + MAP_RECORD, at, <usize>((count - i) * MAP_RECORD));
  store<f64>(at, virtual, M_VIRTUAL);
  store<f64>(at, physical, M_PHYSICAL);
  store<f64>(at, bytes, M_BYTES);
  store<f64>(at, owner, M_OWNER);
  store<f64>(at, ownerBytes, M_OWNER_BYTES);
  store<u32>(at, kind, M_KIND);
  store<u32>(at, tag, M_TAG);
  const k = indexCountTo(physical);
  const entry = indexRecord(k);
  memory.copy(entry + INDEX_RECORD, entry, <usize>((count - k) * INDEX_RECORD));
  store<f64>(entry, physical, I_PHYSICAL);
  store<f64>(entry, bytes, I_BYTES);
  store<f64>(entry, virtual, I_VIRTUAL);
  store<u32>(H_MAP_COUNT, count + 1);
}

/** Take a run out; what it leaves behind the tables' ends is cleared. */
export function removeRecord(at: usize): void {
  const count = load<u32>(H_MAP_COUNT);
  const entry = mappingAtPhysical(load<f64>(at, M_PHYSICAL));
  const last = record(count - 1);
  memory.copy(at, at + MAP_RECORD, last - at);
  memory.fill(last, 0, MAP_RECORD);
  const lastEntry = indexRecord(count - 1);
  memory.copy(entry, entry + INDEX_RECORD, lastEntry - entry);
  memory.fill(lastEntry, 0, INDEX_RECORD);
  store<u32>(H_MAP_COUNT, count - 1);
}

/** Remove every run of the owner that starts at a virtual address. */
export function unmapOwner(owner: f64): void {
  const at = mappingAt(owner);
  // The runs of a owner follow each other, so the record that moves up is the next of the owner, if any is left.
  while (at != 0 && at < record(load<u32>(H_MAP_COUNT)) && load<f64>(at, M_OWNER) == owner) removeRecord(at);
}

/** The first virtual range of `bytes` for a scattered block, with a frame unmapped on each side; 0 when none is left. */
export function scatterGap(bytes: f64): f64 {
  const shift = load<u32>(H_FRAME_SHIFT);
  const frame = <f64>(1 << shift);
  const count = load<u32>(H_MAP_COUNT);
  let from = load<f64>(H_SCATTER_BASE);
  for (let i: u32 = 0; i < count; ++i) {
    const at = record(i);
    const start = load<f64>(at, M_VIRTUAL);
    const end = start + load<f64>(at, M_BYTES);
    if (end + frame <= from) continue;
    if (from + bytes + frame <= start) break;
    const behind = Math.ceil(end / frame) * frame + frame;
    if (behind > from) from = behind;
  }
  return from + bytes <= 4503599627370496.0 ? from : 0;
}
