/**
 * verify: walk everything, believe nothing, name what is wrong.
 *
 * Each rule is an equation or a plain sentence; its number is its place in this list and in layout.ts.
 *
 *    1 geometry    what opening wrote once is as it was written
 *    2 partition   each frame of a zone is free or live, never both; no frame outside it is either
 *    3 counts      free + taken + withheld = total, per zone and in all; blocks counted = live and cached ones; below the peak
 *                  by what is counted, and so far from the limit
 *    4 bitmaps     a word is never all ones: a group that is all free belongs to a run
 *    5 classes     a group is in the tree of class c exactly when its word's longest aligned run is 2^c
 *    6 runs        a run lies in the zone, its words are 0, and no other run starts inside it
 *    7 buddies     no two runs that could be one
 *    8 trees       a bit above is set exactly when the word below is not 0; nothing is set outside the zone; members are
 *                  counted
 *    9 blocks      a live block lies in its zone, starts where its length demands, and overlaps no other
 *   10 lengths     an entry of `lengthTags` is a length of 1 to 63 frames or a sentinel; of `groupLengthTags`, of 64 and more
 *   11 tags        a frame where no live block starts has the tag 0
 *   12 mappings    runs ascend and are disjoint; the runs of a owner follow each other and add up; none meets a window
 *   13 index       the same runs, ascending and disjoint in physical memory; foreign ones meet no zone
 *   14 pieces      every run of a scattered block is marked in its zone, every sentinel belongs to such a run
 *   15 cache       every entry of a stack is marked as cached, every such sentinel belongs to an entry; every size leads to the
 *                  stack of that size, or to none
 *
 * Free is counted from the free bitmaps and class trees, taken from the length tags: two structures that never read each other, so damage
 * to either shows as a frame that is both or neither. For the walk, cached blocks are given length tags as if they were live
 * (a length one or two bytes short of their frames, which tells those that were never handed out), and their sentinels again
 * after it. Geometry is looked at first, because all pointers stem from it; when it fails nothing else is believed or walked. When it returns, nothing but the report differs
 * from before; a trap inside the walk can leave such tags behind. Cost: in proportion to the frames.
 */
import {
  LENGTH_TAG_BIAS, FIRST_ADAPTIVE, H_HEADROOM_LIMIT, H_PEAK_HEADROOM, H_BLOCKS, H_EVICT_STACK, H_FIRST_ZONE, H_FRAME_SHIFT, H_GEOMETRY, H_INDEX_BASE, H_MAGIC, H_MAP_BASE, H_MAP_CAPACITY, H_MAP_COUNT,
  H_MEMORY_PAGES, H_PEAK_FRAMES, H_CACHE_LIMIT, H_TAKEN_FRAMES, H_TOTAL_FRAMES, H_VERSION, H_WITHHELD_FRAMES, H_ZONE_COUNT, INDEX_RECORD, I_BYTES, I_PHYSICAL, I_VIRTUAL,
  CACHE_MAX_FRAMES, SIZE_CLASSES, KIND_FOREIGN, KIND_SCATTERED, MAGIC, MAP_LIMIT, MAP_RECORD, SENTINEL_CACHED, SENTINEL_CACHED_FREED, M_BYTES, M_OWNER, M_OWNER_BYTES, M_KIND, M_PHYSICAL, M_TAG,
  M_VIRTUAL, GROUP_CLASS, GROUP_FRAMES, GROUP_SHIFT, REPORT, REPORT_CAPACITY, RULE_BLOCKS, RULE_BUDDIES, RULE_CLASSES, RULE_COUNTS, RULE_GEOMETRY, RULE_INDEX, RULE_LENGTHS,
  RULE_MAPPINGS, RULE_PARTITION, RULE_PIECES, RULE_CACHE, RULE_RUNS, RULE_TAGS, RULE_TREES, RULE_BITMAPS, CACHE_STACKS, STACK_COUNT, STACK_FULL, STACK_SHIFT, S_ENTRIES, S_FRAMES,
  S_NONE, S_TOP, VERSION, zoneRecord, Z_AVAILABLE, Z_BASE, Z_CLASS_COUNTS, Z_COUNT, Z_DEPTH, Z_END, Z_FIRST, Z_FREE, Z_GROUP_END, Z_GROUP_FIRST, Z_TAGS, Z_TOP_CLASS,
  Z_WHOLE_END, Z_WHOLE_FIRST, Z_WINDOW,
} from "./layout";
import { classOf, lowBits, orderOf } from "./bits";
import { tagAt } from "./blocks";
import { lengthTagAt, tagOrSentinelAt, framesFor, isPiece, groupLengthTagAt, groupLengthAt, setTagOrSentinel, smallLengthAt, writeLengthTag } from "./length-tags";
import { liveFrames, emptyStack, stackOf } from "./cache";
import { geometry } from "./digest";
import { indexRecord, mappingAtPhysical, record } from "./mappings";
import { physicalOf, zoneAt } from "./allocate";
import { has, scaleOf, treeOf } from "./class-trees";
import { freeBitmap } from "./frames";

/** What a walk over the zones adds up, in the spare bytes behind the report. */
const SUMS: u32 = REPORT + REPORT_CAPACITY * 8;
const S_FINDINGS: u32 = SUMS;
const S_FREE: u32 = SUMS + 4;
const S_LIVE: u32 = SUMS + 8;
const S_BLOCKS: u32 = SUMS + 12;
const S_PIECES: u32 = SUMS + 16;
const S_CACHED: u32 = SUMS + 20;
/** How many cached blocks have length tags as if they were live. */
const S_DISGUISED: u32 = SUMS + 24;

function count(at: u32, more: u32): void {
  store<u32>(at, load<u32>(at) + more);
}

/** Report a broken rule at a frame number (0: no frame). */
function broken(rule: u32, frame: u32): void {
  const findings = load<u32>(S_FINDINGS);
  if (findings < REPORT_CAPACITY) {
    store<u32>(REPORT + (findings << 3), rule);
    store<u32>(REPORT + (findings << 3) + 4, frame);
  }
  store<u32>(S_FINDINGS, findings + 1);
}

/** How many findings there are; the first REPORT_CAPACITY of them are in the report. */
export function verify(): u32 {
  memory.fill(REPORT, 0, REPORT_CAPACITY * 8 + 28);
  if (!geometryHolds()) {
    broken(RULE_GEOMETRY, 0);
    return 1;
  }
  verifyMappings();
  if (load<u32>(S_FINDINGS) != 0) return load<u32>(S_FINDINGS); // pieces are looked up there
  if (disguiseCached(false)) {
    const zones = load<u32>(H_ZONE_COUNT);
    for (let i: u32 = 0; i < zones; ++i) verifyZone(zoneRecord(i));
    verifyCounts();
  }
  if (load<u32>(S_DISGUISED) != 0) disguiseCached(true);
  return load<u32>(S_FINDINGS);
}

function geometryHolds(): bool {
  if (load<u32>(H_MAGIC) != MAGIC || load<u32>(H_VERSION) != VERSION || load<u32>(H_ZONE_COUNT) > 64) return false;
  if (geometry() != load<u32>(H_GEOMETRY)) return false;
  const capacity = load<u32>(H_MAP_CAPACITY);
  const index = <u64>load<u32>(H_MAP_BASE) + <u64>capacity * MAP_RECORD;
  return (
    capacity <= MAP_LIMIT &&
    load<u32>(H_MAP_COUNT) <= capacity &&
    <u64>load<u32>(H_INDEX_BASE) == index &&
    index + <u64>capacity * INDEX_RECORD <= <u64>load<u32>(H_MEMORY_PAGES) << 16 &&
    load<u32>(H_MEMORY_PAGES) <= <u32>memory.size()
  );
}

function verifyCounts(): void {
  const total = load<u32>(H_TOTAL_FRAMES);
  const taken = load<u32>(S_LIVE);
  let frames: u32 = 0;
  const zones = load<u32>(H_ZONE_COUNT);
  for (let i: u32 = 0; i < zones; ++i) frames += load<u32>(zoneRecord(i), Z_COUNT);
  const peak = load<u32>(H_PEAK_FRAMES);
  if (
    total != frames ||
    load<u32>(H_TAKEN_FRAMES) != taken ||
    load<u32>(S_FREE) + taken + load<u32>(H_WITHHELD_FRAMES) != total ||
    load<u32>(H_BLOCKS) != load<u32>(S_BLOCKS) ||
    peak > total ||
    load<u32>(H_PEAK_HEADROOM) > peak ||
    liveFrames() != taken - load<u32>(S_CACHED) ||
    load<u32>(H_HEADROOM_LIMIT) != max<i32>(0, load<u32>(H_CACHE_LIMIT) + peak - taken)
  )
    broken(RULE_COUNTS, 0);
}

// ---- a zone ----------------------------------------------------------------------------------------------------------

function verifyZone(zone: usize): void {
  const first = load<u32>(zone, Z_FIRST);
  const end = load<u32>(zone, Z_END);
  const freeBefore = load<u32>(S_FREE);
  let coveredTo: u32 = 0; // frames below this number are held by a block of 64 frames and more
  let runEnd: u32 = 0; // groups below this number are in a run of free groups
  for (let group = load<u32>(zone, Z_GROUP_FIRST); group < load<u32>(zone, Z_GROUP_END); ++group) {
    const base = group << GROUP_SHIFT;
    const inside = upTo(end - base) & ~below(first, base);

    // Live, from the lengths.
    let live = coveredTo > base ? upTo(coveredTo - base) : 0;
    const large = verifyLarge(zone, group, live != 0, end);
    if (large != 0) {
      coveredTo = base + large;
      live = upTo(large);
    }
    live = verifySmall(zone, group, live, inside);

    // Free, from the word and the trees.
    const word = freeBitmap(zone, group);
    if (word == u64.MAX_VALUE) broken(RULE_BITMAPS, base);
    let free = word;
    const run = runsAt(zone, group);
    if (group < runEnd) {
      if (word != 0 || run != 0) broken(RULE_RUNS, base);
      free = u64.MAX_VALUE;
    } else if (run != 0) {
      const cls = GROUP_CLASS + <u32>ctz(run);
      const groups: u32 = 1 << (cls - GROUP_CLASS);
      if (word != 0 || popcnt(run) != 1 || group < load<u32>(zone, Z_WHOLE_FIRST) || group + groups > load<u32>(zone, Z_WHOLE_END)) broken(RULE_RUNS, base);
      else {
        runEnd = group + groups;
        if (hasBuddy(zone, cls, group, groups)) broken(RULE_BUDDIES, base);
      }
      free = u64.MAX_VALUE;
    }
    verifyClasses(zone, group, word);

    if ((live & free) != 0 || (live | free) != inside) broken(RULE_PARTITION, base + <u32>ctz((live & free) | ((live | free) ^ inside)));
    count(S_LIVE, <u32>popcnt(live));
    count(S_FREE, <u32>popcnt(free));
  }
  if (load<u32>(S_FREE) - freeBefore != load<u32>(zone, Z_FREE)) broken(RULE_COUNTS, first);
  for (let cls: u32 = 0; cls <= load<u32>(zone, Z_TOP_CLASS); ++cls) verifyTree(zone, cls);
  for (let cls = load<u32>(zone, Z_TOP_CLASS) + 1; cls < 32; ++cls) {
    if (((load<u32>(zone, Z_AVAILABLE) >> cls) & 1) != 0 || load<u32>(zone + Z_CLASS_COUNTS + (cls << 2)) != 0) broken(RULE_TREES, first);
  }
}

/** The lowest `frames` bits; all of them from 64 on. */
function upTo(frames: u32): u64 {
  return frames >= GROUP_FRAMES ? u64.MAX_VALUE : frames == 0 ? 0 : lowBits(frames);
}

/** The bits of a group at `base` whose frames lie below `first`. */
function below(first: u32, base: u32): u64 {
  return first > base ? upTo(first - base) : 0;
}

/** The frames of the block or piece of 64 frames and more that starts at a group, 0 when none does. */
function verifyLarge(zone: usize, group: u32, covered: bool, end: u32): u32 {
  const code = groupLengthTagAt(zone, group);
  const lengthBytes = groupLengthAt(zone, group);
  const base = group << GROUP_SHIFT;
  let frames: u32;
  if (lengthBytes != 0) {
    frames = framesFor(lengthBytes);
    count(S_BLOCKS, 1);
    if (base & ((1 << orderOf(frames)) - 1)) broken(RULE_BLOCKS, base);
  } else if (isPiece(code)) {
    frames = pieceAt(zone, base);
    count(S_PIECES, 1);
  } else {
    if (isCachedSentinel(code)) broken(RULE_CACHE, base);
    else if (code > SENTINEL_CACHED_FREED) broken(RULE_LENGTHS, base);
    if (load<u32>(zone, Z_TAGS) != 0 && smallLengthAt(zone, base) == 0 && tagAt(zone, base) != 0) broken(RULE_TAGS, base);
    return 0;
  }
  if (frames < GROUP_FRAMES) {
    broken(RULE_LENGTHS, base);
    return 0;
  }
  if (covered || frames > end - base) broken(RULE_BLOCKS, base);
  return min(frames, end - base);
}

/** Adds the blocks and pieces of fewer than 64 frames of a group to what is live in it. */
function verifySmall(zone: usize, group: u32, live: u64, inside: u64): u64 {
  const base = group << GROUP_SHIFT;
  const tags = load<u32>(zone, Z_TAGS) != 0;
  for (let i: u32 = 0; i < GROUP_FRAMES; ++i) {
    const code = lengthTagAt(zone, base + i);
    const block = code > LENGTH_TAG_BIAS;
    if (!block && !isPiece(code)) {
      if (isCachedSentinel(code)) broken(RULE_CACHE, base + i);
      else if (code > SENTINEL_CACHED_FREED) broken(RULE_LENGTHS, base + i);
      // The first frame of a group may start a block of 64 frames and more, and then has its tag: see verifyLarge.
      if (tags && i != 0 && tagAt(zone, base + i) != 0) broken(RULE_TAGS, base + i);
      continue;
    }
    const frames = block ? framesFor(code - LENGTH_TAG_BIAS) : pieceAt(zone, base + i);
    count(block ? S_BLOCKS : S_PIECES, 1);
    if (frames == 0 || frames >= GROUP_FRAMES) {
      broken(RULE_LENGTHS, base + i);
      continue;
    }
    if (block && i & ((1 << orderOf(frames)) - 1)) broken(RULE_BLOCKS, base + i);
    if (!block && tags && tagAt(zone, base + i) != 0) broken(RULE_TAGS, base + i);
    const bits = lowBits(frames) << i;
    if (i + frames > GROUP_FRAMES || (bits & live) != 0 || (bits & ~inside) != 0) broken(RULE_BLOCKS, base + i);
    live |= bits;
  }
  return live;
}

/** The frames of the piece that the mappings know at a frame, 0 when they know none. */
function pieceAt(zone: usize, frame: u32): u32 {
  const physical = physicalOf(zone, frame);
  const at = mappingAtPhysical(physical);
  if (at == 0 || load<f64>(at, I_PHYSICAL) != physical) {
    broken(RULE_PIECES, frame);
    return 0;
  }
  return <u32>(<u64>load<f64>(at, I_BYTES) >> load<u32>(H_FRAME_SHIFT));
}

/** The classes of runs that start at a group, bit 0 for one group. */
function runsAt(zone: usize, group: u32): u32 {
  let run: u32 = 0;
  for (let cls = GROUP_CLASS; cls <= load<u32>(zone, Z_TOP_CLASS) && (group & ((1 << (cls - GROUP_CLASS)) - 1)) == 0; ++cls) {
    if (has(zone, cls, group)) run |= 1 << (cls - GROUP_CLASS);
  }
  return run;
}

function hasBuddy(zone: usize, cls: u32, group: u32, groups: u32): bool {
  const buddy = group ^ groups;
  return cls < load<u32>(zone, Z_TOP_CLASS) && buddy >= load<u32>(zone, Z_WHOLE_FIRST) && buddy + groups <= load<u32>(zone, Z_WHOLE_END) && has(zone, cls, buddy);
}

function verifyClasses(zone: usize, group: u32, word: u64): void {
  const split = word != 0 && word != u64.MAX_VALUE;
  for (let cls: u32 = 0; cls < GROUP_CLASS; ++cls) {
    if (has(zone, cls, group) != (split && classOf(word) == cls)) broken(RULE_CLASSES, group << GROUP_SHIFT);
  }
}

/** Each level against the one below, the lowest against the zone's ends, the highest against the zone's mask. */
function verifyTree(zone: usize, cls: u32): void {
  const tree = treeOf(zone, cls);
  const depth = load<u32>(zone, Z_DEPTH);
  const scale = scaleOf(cls);
  const firstFrame = load<u32>(zone, Z_FIRST);
  let first = load<u32>(zone, Z_GROUP_FIRST) >> scale;
  let last = (load<u32>(zone, Z_GROUP_END) - 1) >> scale;
  let members: u32 = 0;
  for (let level: u32 = 0; level < depth; ++level) {
    const base = load<u32>(tree + (level << 2));
    for (let i = first >> 6; i <= last >> 6; ++i) {
      const word = load<u64>(<usize>(base + (i << 3)));
      if (level == 0) members += <u32>popcnt(word);
      let outside: u64 = 0;
      if (i == first >> 6 && (first & 63) != 0) outside |= lowBits(first & 63);
      if (i == last >> 6 && (last & 63) != 63) outside |= ~lowBits((last & 63) + 1);
      if ((word & outside) != 0) broken(RULE_TREES, firstFrame);
      const above =
        level + 1 == depth
          ? (load<u32>(zone, Z_AVAILABLE) >> cls) & 1
          : <u32>((load<u64>(<usize>(load<u32>(tree + ((level + 1) << 2)) + ((i >> 6) << 3))) >> i) & 1);
      if ((word != 0) != (above != 0)) broken(RULE_TREES, firstFrame);
    }
    first >>= 6;
    last >>= 6;
  }
  if (members != load<u32>(zone + Z_CLASS_COUNTS + (cls << 2))) broken(RULE_TREES, firstFrame);
}

// ---- cached blocks ----------------------------------------------------------------------------------------------------

function isCachedSentinel(entry: u32): bool {
  return entry == SENTINEL_CACHED || entry == SENTINEL_CACHED_FREED;
}

/**
 * Give every cached block a length tag as if it were live; or (`back`) give as many of them as were given one their sentinels again.
 * False, with a finding, at the first entry that is wrong.
 */
function disguiseCached(back: bool): bool {
  const zone = <usize>load<u32>(H_FIRST_ZONE);
  if (!back && (!sizeClassesAgree() || load<u32>(H_EVICT_STACK) > STACK_COUNT)) return wrongCache(0);
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    const frames = load<u32>(stack, S_FRAMES);
    const top = load<u32>(stack, S_TOP);
    if (top - (<u32>stack + S_NONE) > STACK_FULL - S_NONE || (top & 3) != 0 || load<u32>(stack, S_NONE) != 0) return wrongCache(0);
    for (let at = <u32>stack + S_ENTRIES; at <= top; at += 4) {
      if (back && load<u32>(S_DISGUISED) == 0) return true;
      const frame = load<u32>(<usize>at);
      if (!(back ? unmask(zone, frame, frames) : disguise(zone, frame, frames))) return wrongCache(frame);
    }
  }
  return true;
}

/** Does every size lead to the stack of that size or to none, and every stack with a size is led to? */
function sizeClassesAgree(): bool {
  let led: u32 = 0;
  for (let i: u32 = 0; i < CACHE_MAX_FRAMES; ++i) {
    const stack = <u32>load<u16>(SIZE_CLASSES + (i << 1));
    if (stack == <u32>emptyStack()) continue;
    const offset = stack - CACHE_STACKS;
    if (offset >= STACK_COUNT << STACK_SHIFT || (offset & ((1 << STACK_SHIFT) - 1)) != 0 || load<u32>(<usize>stack, S_FRAMES) != i + 1) return false;
    if (offset >> STACK_SHIFT >= FIRST_ADAPTIVE && i < GROUP_FRAMES) return false;
    ++led;
  }
  for (let number: u32 = 1; number < STACK_COUNT; ++number) led -= u32(load<u32>(stackOf(number), S_FRAMES) != 0);
  return led == 0;
}

function disguise(zone: usize, frame: u32, frames: u32): bool {
  if (frames == 0 || frame - load<u32>(zone, Z_FIRST) >= load<u32>(zone, Z_COUNT) || (frame & ((1 << orderOf(frames)) - 1)) != 0) return false;
  const entry = tagOrSentinelAt(zone, frame, frames);
  if (!isCachedSentinel(entry)) return false;
  writeLengthTag(zone, frame, frames, (frames << load<u32>(H_FRAME_SHIFT)) - (entry == SENTINEL_CACHED ? 1 : 2));
  count(S_CACHED, frames);
  count(S_DISGUISED, 1);
  return tagAt(zone, frame) == 0;
}

function unmask(zone: usize, frame: u32, frames: u32): bool {
  // What is added to a length to make a length tag is even.
  const odd = (tagOrSentinelAt(zone, frame, frames) & 1) != 0;
  setTagOrSentinel(zone, frame, frames, odd ? SENTINEL_CACHED : SENTINEL_CACHED_FREED);
  count(S_DISGUISED, -1);
  return true;
}

function wrongCache(frame: u32): bool {
  broken(RULE_CACHE, frame);
  return false;
}

// ---- mappings --------------------------------------------------------------------------------------------------------

function verifyMappings(): void {
  const records = load<u32>(H_MAP_COUNT);
  let end: f64 = 1; // of the run before
  let ownerEnd: f64 = 0; // where the owner that is being read must end; 0 between owners
  for (let i: u32 = 0; i < records; ++i) {
    const at = record(i);
    const virtual = load<f64>(at, M_VIRTUAL);
    const bytes = load<f64>(at, M_BYTES);
    const owner = load<f64>(at, M_OWNER);
    const kind = load<u32>(at, M_KIND);
    if (!isWhole(virtual) || !isWhole(bytes) || bytes < 1 || virtual < end || (kind != KIND_SCATTERED && kind != KIND_FOREIGN)) {
      broken(RULE_MAPPINGS, 0);
      return;
    }
    const alignedStarts = owner == virtual;
    if (alignedStarts) {
      if (ownerEnd != 0 && end != ownerEnd) broken(RULE_MAPPINGS, 0);
      ownerEnd = virtual + lengthOfOwner(at);
      if (kind == KIND_SCATTERED) count(S_BLOCKS, 1);
      else if (load<u32>(at, M_TAG) != 0) broken(RULE_MAPPINGS, 0);
    } else {
      const before = at - MAP_RECORD;
      if (
        i == 0 || virtual != end || owner != load<f64>(before, M_OWNER) || kind != load<u32>(before, M_KIND) ||
        load<u32>(at, M_TAG) != load<u32>(before, M_TAG) || load<f64>(at, M_OWNER_BYTES) != load<f64>(before, M_OWNER_BYTES)
      )
        broken(RULE_MAPPINGS, 0);
    }
    end = virtual + bytes;
    if (meetsWindow(virtual, bytes)) broken(RULE_MAPPINGS, 0);
    verifyRun(at, kind);
  }
  if (ownerEnd != 0 && end != ownerEnd) broken(RULE_MAPPINGS, 0);
  verifyIndex(records);
  verifySpare(record(records), <usize>load<u32>(H_INDEX_BASE));
  verifySpare(indexRecord(records), indexRecord(load<u32>(H_MAP_CAPACITY)));
}

function isWhole(value: f64): bool {
  return value >= 0 && value < 4503599627370496.0 && Math.floor(value) == value;
}

/** The bytes that the runs of a owner must add up to. */
function lengthOfOwner(at: usize): f64 {
  const bytes = load<f64>(at, M_OWNER_BYTES);
  if (load<u32>(at, M_KIND) == KIND_FOREIGN) return bytes;
  if (!isWhole(bytes) || bytes < 1 || bytes > 4294967295.0) return 0;
  return <f64>(<u64>framesFor(<u32>bytes) << load<u32>(H_FRAME_SHIFT));
}

function meetsWindow(virtual: f64, bytes: f64): bool {
  const zones = load<u32>(H_ZONE_COUNT);
  for (let i: u32 = 0; i < zones; ++i) {
    const zone = zoneRecord(i);
    const start = load<f64>(zone, Z_WINDOW);
    const size = <f64>(<u64>load<u32>(zone, Z_COUNT) << load<u32>(H_FRAME_SHIFT));
    if (virtual < start + size && start < virtual + bytes) return true;
  }
  return false;
}

/** A scattered run lies in a zone and is marked there; a foreign one meets no zone. Both are in the index. */
function verifyRun(at: usize, kind: u32): void {
  const physical = load<f64>(at, M_PHYSICAL);
  const bytes = load<f64>(at, M_BYTES);
  const entry = mappingAtPhysical(physical);
  if (entry == 0 || load<f64>(entry, I_PHYSICAL) != physical || load<f64>(entry, I_BYTES) != bytes || load<f64>(entry, I_VIRTUAL) != load<f64>(at, M_VIRTUAL))
    broken(RULE_INDEX, 0);
  const zone = zoneAt(physical);
  if (kind == KIND_FOREIGN) {
    for (let i: u32 = 0; i < load<u32>(H_ZONE_COUNT); ++i) {
      const other = zoneRecord(i);
      const base = load<f64>(other, Z_BASE);
      if (physical < base + <f64>(<u64>load<u32>(other, Z_COUNT) << load<u32>(H_FRAME_SHIFT)) && base < physical + bytes) broken(RULE_INDEX, 0);
    }
    return;
  }
  count(S_PIECES, -1); // the walk over the zones counts the sentinels up again
  if (zone == 0) {
    broken(RULE_PIECES, 0);
    return;
  }
  const shift = load<u32>(H_FRAME_SHIFT);
  const frame = load<u32>(zone, Z_FIRST) + <u32>(<u64>(physical - load<f64>(zone, Z_BASE)) >> shift);
  const frames = <u32>(<u64>bytes >> shift);
  const marked = (frames < GROUP_FRAMES || (frame & (GROUP_FRAMES - 1)) == 0) && isPiece(tagOrSentinelAt(zone, frame, frames));
  if (physicalOf(zone, frame) != physical || <f64>(<u64>frames << shift) != bytes || frame + frames > load<u32>(zone, Z_END) || !marked) broken(RULE_PIECES, frame);
}

function verifyIndex(records: u32): void {
  let end: f64 = 0;
  for (let i: u32 = 0; i < records; ++i) {
    const at = indexRecord(i);
    const physical = load<f64>(at, I_PHYSICAL);
    if (!isWhole(physical) || physical < end) broken(RULE_INDEX, 0);
    end = physical + load<f64>(at, I_BYTES);
  }
}

/** Room behind a table holds zeros. */
function verifySpare(from: usize, to: usize): void {
  for (let at = from; at < to; at += 8) {
    if (load<u64>(at) != 0) {
      broken(RULE_INDEX, 0);
      return;
    }
  }
}
