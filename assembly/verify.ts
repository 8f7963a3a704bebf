/**
 * verify: walk everything, believe nothing, name what is wrong.
 *
 * Each rule is an equation or a plain sentence; its number is its place in this list and in layout.ts.
 *
 *    1 geometry    what opening wrote once is as it was written
 *    2 partition   each frame of a zone is free or taken, never both; no frame outside it is either
 *    3 counts      free + taken + withheld = total, per zone and in all; blocks counted = live and cached ones; headroom = peak -
 *                  live; both limits of the cache are what follows from these
 *    4 bitmaps     a bitmap is never all ones: a group that is all free belongs to a run
 *    5 classes     a split group is in the tree of its class, which is that of its longest aligned stretch; a run in that of its length
 *    6 runs        a run lies in the zone, has its length at both ends and 0 between, and its bitmaps are 0
 *    7 merging     no two runs touch
 *    8 trees       a bit above is set exactly when the word below is not 0; nothing else is a member; what a class promises is
 *                  what its members hold; the mask says which classes have any
 *    9 blocks      a block lies in its zone, inside one group or from the start of one on, aligned as its frames demand, and overlaps
 *                  no other
 *   10 lengths     an entry per frame is a length of 1 to 63 frames or a sentinel; one per group, of 64 and more
 *   11 tags        a frame where no live block starts has the tag 0
 *   12 mappings    runs ascend and are disjoint; the runs of a group follow each other and add up; none meets a window
 *   13 index       the same runs, ascending and disjoint in physical memory; foreign ones meet no zone
 *   14 pieces      every run of a scattered block has its sentinel in its zone, every such sentinel belongs to such a run
 *   15 cache       every entry of a stack is a block with the sentinel of that stack, every such sentinel belongs to an entry;
 *                  every size leads to the stack of that size, or to none
 *   16 heads       heads are exactly the starts of blocks, pieces and cached blocks
 *
 * Free is counted from bitmaps and runs, taken from the length tags: two structures that never read each other, so damage to
 * either shows as a frame that is both or neither. Every other word of the image is compared with what follows from these
 * two, so that there is nothing left to believe. Geometry is looked at first, because all pointers stem from it; when it
 * fails nothing else is believed or walked. Writes the report and the sums behind it. Cost: in proportion to the frames.
 */
import {
  BLOCK_TREE, CACHE_MAX_FRAMES, CACHE_STACKS, CLASS_LIMIT, FIRST_ADAPTIVE, GROUP_CLASS, GROUP_FRAMES, GROUP_SHIFT, HEADER, HEADER_SIZE, H_BLOCKS, H_CACHE_LIMIT, H_EVICT_STACK, H_FIRST_ZONE, H_FRAME_SHIFT,
  H_GEOMETRY, H_INDEX_BASE, H_LOCK, H_LOCK_OWNER, H_MAGIC, H_MAP_BASE, H_MAP_CAPACITY, H_MAP_COUNT, H_MEMORY_PAGES, H_PEAK_FRAMES, H_RECENT_ORDER, H_RECENT_ORDER_NEXT,
  H_TAKEN_FRAMES, H_TOTAL_FRAMES, H_VERSION, H_WITHHELD_FRAMES, H_WORKER_COUNT, H_ZONE_COUNT, INDEX_RECORD, I_BYTES, I_PHYSICAL, I_VIRTUAL, KIND_FOREIGN, KIND_SCATTERED,
  LENGTH_TAG_BIAS, MAGIC, MAP_INITIAL, MAP_LIMIT, MAP_RECORD, M_BYTES, M_KIND, M_OWNER, M_OWNER_BYTES, M_PHYSICAL, M_TAG, M_VIRTUAL, REPORT, REPORT_CAPACITY, REPORT_SIZE,
  RULE_BITMAPS, RULE_BLOCKS, RULE_CACHE, RULE_CLASSES, RULE_COUNTS, RULE_GEOMETRY, RULE_HEADS, RULE_INDEX, RULE_LENGTHS, RULE_MAPPINGS, RULE_MERGING, RULE_PARTITION,
  RULE_PIECES, RULE_RUNS, RULE_TAGS, RULE_TREES, SENTINEL_FREED, SIZE_CLASSES, STACK_COUNT, STACK_FULL, STACK_SHIFT, S_CANDIDATE, S_ENTRIES, S_FRAMES, S_NONE, S_TOP, TREE_COUNT, U32,
  VERSION, W_HEADROOM_LIMIT, W_PEAK_HEADROOM, Z_AVAILABLE, Z_BASE, Z_CLASS_FRAMES, Z_COUNT, Z_END, Z_FIRST, Z_FREE, Z_GROUP_END, Z_GROUP_FIRST, Z_TAGS, Z_TREE_DEPTH,
  Z_WHOLE_END, Z_WHOLE_FIRST, Z_WINDOW, zoneRecord,
} from "./layout";
import { classOf, lowBits, naturalOrder, runClass } from "./bits";
import { tagAt } from "./blocks";
import { cacheShare, cachedZone, emptyStack, framesOfFixedStack, liveFrames, stackOf } from "./cache";
import { framesFor, groupLengthAt, groupLengthTagAt, isCached, isPiece, lengthTagAt, smallLengthAt, stackOfSentinel, tagOrSentinelAt } from "./length-tags";
import { geometry } from "./geometry";
import { headsOf } from "./heads";
import { indexRecord, mappingAtPhysical, record } from "./mappings";
import { physicalOf, zoneAt } from "./allocate";
import { has, wordAt } from "./class-trees";
import { freeBitmap, runLength } from "./frames";
import { Class, Frame, Group, Stack, Zone } from "./units";

/** What a walk over the zones adds up, in the spare bytes behind the report. */
const SUMS: u32 = REPORT + REPORT_CAPACITY * 8;
const S_FINDINGS: u32 = SUMS;
const S_FREE: u32 = SUMS + 4;
const S_TAKEN: u32 = SUMS + 8;
const S_BLOCKS: u32 = SUMS + 12;
const S_PIECES: u32 = SUMS + 16;
const S_CACHED: u32 = SUMS + 20;
const S_CACHED_BLOCKS: u32 = SUMS + 24;
/** Entries of the stacks. */
const S_CACHE_ENTRIES: u32 = SUMS + 28;
/** Of the zone that is walked: how many members each tree should have, u32 each. */
const S_MEMBERS: u32 = SUMS + 32;

function count(at: u32, more: u32): void {
  store<u32>(at, load<u32>(at) + more);
}

/** Report a broken rule at a frame number (0: no frame). */
function broken(rule: u32, frame: Frame): void {
  const findings = load<u32>(S_FINDINGS);
  if (findings < REPORT_CAPACITY) {
    store<u32>(REPORT + (findings << 3), rule);
    store<u32>(REPORT + (findings << 3) + 4, frame);
  }
  store<u32>(S_FINDINGS, findings + 1);
}

/** How many findings there are; the first REPORT_CAPACITY of them are in the report. */
export function verify(): u32 {
  memory.fill(REPORT, 0, REPORT_SIZE);
  if (!geometryHolds()) {
    broken(RULE_GEOMETRY, 0);
    return 1;
  }
  verifyMappings();
  if (load<u32>(S_FINDINGS) != 0) return load<u32>(S_FINDINGS); // pieces are looked up there
  verifyCache();
  if (load<u32>(S_FINDINGS) != 0) return load<u32>(S_FINDINGS); // so are the sizes of cached blocks
  const zones = load<u32>(H_ZONE_COUNT);
  for (let i: u32 = 0; i < zones; ++i) verifyZone(zoneRecord(i));
  verifyCounts();
  return load<u32>(S_FINDINGS);
}

function geometryHolds(): bool {
  if (load<u32>(H_MAGIC) != MAGIC || load<u32>(H_VERSION) != VERSION || load<u32>(H_ZONE_COUNT) > 64) return false;
  if (geometry() != load<u32>(H_GEOMETRY)) return false;
  const capacity = load<u32>(H_MAP_CAPACITY);
  const index = <u64>load<u32>(H_MAP_BASE) + <u64>capacity * MAP_RECORD;
  return (
    capacity >= MAP_INITIAL &&
    capacity <= MAP_LIMIT &&
    (capacity & (capacity - 1)) == 0 &&
    load<u32>(H_MAP_COUNT) <= capacity &&
    <u64>load<u32>(H_INDEX_BASE) == index &&
    index + <u64>capacity * INDEX_RECORD <= <u64>load<u32>(H_MEMORY_PAGES) << 16 &&
    load<u32>(H_MEMORY_PAGES) <= <u32>memory.size() &&
    load<u32>(H_LOCK) == 0 && load<u32>(H_LOCK_OWNER) == 0 && load<u32>(H_WORKER_COUNT) == 1 &&
    isUnused(H_WORKER_COUNT + U32, HEADER + HEADER_SIZE)
  );
}

/** Are the words from `from` to `end` 0, as those are that nothing uses? */
function isUnused(from: u32, end: u32): bool {
  for (let at = from; at < end; at += U32) if (load<u32>(at) != 0) return false;
  return true;
}

function verifyCounts(): void {
  const total = load<u32>(H_TOTAL_FRAMES);
  const taken = load<u32>(S_TAKEN);
  const peak = load<u32>(H_PEAK_FRAMES);
  const limit = load<u32>(H_CACHE_LIMIT);
  if (
    load<u32>(H_TAKEN_FRAMES) != taken ||
    load<u32>(S_FREE) + taken + load<u32>(H_WITHHELD_FRAMES) != total ||
    load<u32>(H_BLOCKS) != load<u32>(S_BLOCKS) + load<u32>(S_CACHED_BLOCKS) ||
    peak > total ||
    load<u32>(W_PEAK_HEADROOM) > peak ||
    liveFrames() != taken - load<u32>(S_CACHED) ||
    (limit != 0 && limit != cacheShare()) ||
    load<u32>(W_HEADROOM_LIMIT) != max<i32>(0, limit + peak - taken) ||
    load<u32>(H_RECENT_ORDER) > 32 ||
    load<u32>(H_RECENT_ORDER_NEXT) > 32
  )
    broken(RULE_COUNTS, 0);
  // Each entry has a sentinel of its own, so as many of one as of the other means that no sentinel is left over.
  if (load<u32>(S_CACHED_BLOCKS) != load<u32>(S_CACHE_ENTRIES)) broken(RULE_CACHE, 0);
}

// ---- a zone ----------------------------------------------------------------------------------------------------------

function verifyZone(zone: Zone): void {
  const first = load<u32>(zone, Z_FIRST);
  const end = load<u32>(zone, Z_END);
  const groupEnd = load<u32>(zone, Z_GROUP_END);
  const freeBefore = load<u32>(S_FREE);
  memory.fill(S_MEMBERS, 0, TREE_COUNT * 4);
  let coveredTo: Frame = 0; // frames below this number are held by a block of 64 frames and more
  let runEnd: Group = 0; // groups below this number are in a run
  if (!edgeIsZero(zone, load<u32>(zone, Z_GROUP_FIRST) - 1) || !edgeIsZero(zone, groupEnd)) broken(RULE_RUNS, first);
  for (let group = load<u32>(zone, Z_GROUP_FIRST); group < groupEnd; ++group) {
    const base = group << GROUP_SHIFT;
    const inside = upTo(end - base) & ~below(first, base);

    // Taken, from the length tags.
    let taken = coveredTo > base ? upTo(coveredTo - base) : 0;
    const large = verifyLarge(zone, group, taken != 0, end);
    if (large != 0) {
      coveredTo = base + large;
      taken = upTo(large);
    }
    taken = verifySmall(zone, group, taken, inside);

    // Free, from the bitmap and the runs.
    const bitmap = freeBitmap(zone, group);
    const length = runLength(zone, group);
    let cls: Class = CLASS_LIMIT;
    let free = bitmap;
    if (group < runEnd) {
      free = u64.MAX_VALUE;
      const last = group + 1 == runEnd;
      if (bitmap != 0 || (last ? length == 0 || runLength(zone, group + 1 - length) != length : length != 0)) broken(RULE_RUNS, base);
    } else if (length != 0) {
      free = u64.MAX_VALUE;
      if (group == runEnd) broken(RULE_MERGING, base);
      if (bitmap != 0 || group < load<u32>(zone, Z_WHOLE_FIRST) || length > load<u32>(zone, Z_WHOLE_END) - group || runLength(zone, group + length - 1) != length) broken(RULE_RUNS, base);
      else {
        runEnd = group + length;
        cls = runClass(length);
      }
    } else if (bitmap != 0 && bitmap != u64.MAX_VALUE) cls = classOf(bitmap);
    if (bitmap == u64.MAX_VALUE) broken(RULE_BITMAPS, base);
    verifyClasses(zone, group, cls);

    if ((taken & free) != 0 || (taken | free) != inside) broken(RULE_PARTITION, base + <u32>ctz((taken & free) | ((taken | free) ^ inside)));
    count(S_TAKEN, <u32>popcnt(taken));
    count(S_FREE, <u32>popcnt(free));
  }
  if (load<u32>(S_FREE) - freeBefore != load<u32>(zone, Z_FREE)) broken(RULE_COUNTS, first);
  for (let cls: Class = 0; cls < TREE_COUNT; ++cls) verifyTree(zone, cls);
}

/** Is a group in the tree of its class, if it has one, and in no other tree of split groups? (Of runs, members are counted.) */
function verifyClasses(zone: Zone, group: Group, own: Class): void {
  if (own != CLASS_LIMIT) {
    count(S_MEMBERS + (own << 2), 1);
    if (!has(zone, own, group)) broken(RULE_CLASSES, group << GROUP_SHIFT);
  }
  for (let cls: Class = 0; cls < GROUP_CLASS; ++cls) if (cls != own && has(zone, cls, group)) broken(RULE_CLASSES, group << GROUP_SHIFT);
}

/** Is the entry before the first group, or behind the last, as opening left it? */
function edgeIsZero(zone: Zone, group: Group): bool {
  return runLength(zone, group) == 0 && groupLengthTagAt(zone, group) == 0;
}

/** The lowest `frames` bits; all of them from 64 on. */
function upTo(frames: u32): u64 {
  return frames >= GROUP_FRAMES ? u64.MAX_VALUE : frames == 0 ? 0 : lowBits(frames);
}

/** The bits of a group at `base` whose frames lie below `first`. */
function below(first: Frame, base: Frame): u64 {
  return first > base ? upTo(first - base) : 0;
}

/** The frames of what starts here and has this entry in place of none: a block, a piece or a cached block. 0 for nothing. */
function framesFrom(zone: Zone, frame: Frame, entry: u32, lengthBytes: u32): u32 {
  if (lengthBytes != 0) {
    count(S_BLOCKS, 1);
    return framesFor(lengthBytes);
  }
  if (isPiece(entry)) {
    count(S_PIECES, 1);
    return pieceAt(zone, frame);
  }
  if (isCached(entry)) {
    const frames = load<u32>(stackOfSentinel(entry), S_FRAMES);
    if (zone != cachedZone()) broken(RULE_CACHE, frame);
    count(S_CACHED_BLOCKS, 1);
    count(S_CACHED, frames);
    return frames;
  }
  if (entry != 0 && entry != SENTINEL_FREED) broken(RULE_LENGTHS, frame);
  return 0;
}

/** The frames of the block, piece or cached block of 64 frames and more that starts at a group, 0 when none does. */
function verifyLarge(zone: Zone, group: Group, covered: bool, end: Frame): u32 {
  const entry = groupLengthTagAt(zone, group);
  const lengthBytes = groupLengthAt(zone, group);
  const base = group << GROUP_SHIFT;
  const frames = framesFrom(zone, base, entry, lengthBytes);
  const starts = has(zone, BLOCK_TREE, group);
  if (starts) count(S_MEMBERS + (BLOCK_TREE << 2), 1);
  if (starts != (frames != 0)) broken(RULE_HEADS, base);
  if (lengthBytes == 0 && load<u32>(zone, Z_TAGS) != 0 && smallLengthAt(zone, base) == 0 && tagAt(zone, base) != 0) broken(RULE_TAGS, base);
  if (frames == 0) return 0;
  if (frames < GROUP_FRAMES) {
    broken(isCached(entry) ? RULE_CACHE : RULE_LENGTHS, base);
    return 0;
  }
  if (covered || base < load<u32>(zone, Z_FIRST) || frames > end - base) broken(RULE_BLOCKS, base);
  return min(frames, end - base);
}

/** Adds the blocks, pieces and cached blocks of fewer than 64 frames of a group to what is taken in it. */
function verifySmall(zone: Zone, group: Group, taken: u64, inside: u64): u64 {
  const base = group << GROUP_SHIFT;
  const tags = load<u32>(zone, Z_TAGS) != 0;
  let heads: u64 = 0;
  for (let i: u32 = 0; i < GROUP_FRAMES; ++i) {
    const entry = lengthTagAt(zone, base + i);
    const lengthBytes = smallLengthAt(zone, base + i);
    // The first frame of a group may start a block of 64 frames and more, and then has its tag: see verifyLarge.
    if (tags && lengthBytes == 0 && i != 0 && tagAt(zone, base + i) != 0) broken(RULE_TAGS, base + i);
    if (entry == LENGTH_TAG_BIAS) broken(RULE_LENGTHS, base + i);
    if (entry == 0) continue;
    const frames = framesFrom(zone, base + i, entry, lengthBytes);
    if (frames == 0) {
      if (((inside >> i) & 1) == 0) broken(RULE_LENGTHS, base + i);
      continue;
    }
    heads |= (<u64>1) << i;
    if (frames >= GROUP_FRAMES) {
      broken(isCached(entry) ? RULE_CACHE : RULE_LENGTHS, base + i);
      continue;
    }
    if (i & ((1 << naturalOrder(frames)) - 1)) broken(RULE_BLOCKS, base + i);
    const bits = lowBits(frames) << i;
    if (i + frames > GROUP_FRAMES || (bits & taken) != 0 || (bits & ~inside) != 0) broken(RULE_BLOCKS, base + i);
    taken |= bits;
  }
  if (heads != headsOf(zone, group)) broken(RULE_HEADS, base + <u32>ctz(heads ^ headsOf(zone, group)));
  return taken;
}

/** The frames of the piece that the mappings know at a frame, 0 when they know none. */
function pieceAt(zone: Zone, frame: Frame): u32 {
  const physical = physicalOf(zone, frame);
  const at = mappingAtPhysical(physical);
  if (at == 0 || load<f64>(at, I_PHYSICAL) != physical) {
    broken(RULE_PIECES, frame);
    return 0;
  }
  return <u32>(<u64>load<f64>(at, I_BYTES) >> load<u32>(H_FRAME_SHIFT));
}

/** Each level against the one below, the lowest against the members that were counted, the highest against the zone's mask. */
function verifyTree(zone: Zone, cls: Class): void {
  const depth = load<u32>(zone, Z_TREE_DEPTH);
  const firstFrame = load<u32>(zone, Z_FIRST);
  let first = load<u32>(zone, Z_GROUP_FIRST);
  let last = load<u32>(zone, Z_GROUP_END) - 1;
  let members: u32 = 0;
  let frames: u32 = 0;
  for (let level: u32 = 0; level < depth; ++level) {
    for (let i = first >> 6; i <= last >> 6; ++i) {
      const word = load<u64>(wordAt(zone, cls, level, i << 6));
      if (level == 0) {
        members += <u32>popcnt(word);
        if (cls >= GROUP_CLASS && cls < CLASS_LIMIT) frames += framesOfRuns(zone, i, word);
      }
      let outside: u64 = 0;
      if (i == first >> 6 && (first & 63) != 0) outside |= lowBits(first & 63);
      if (i == last >> 6 && (last & 63) != 63) outside |= ~lowBits((last & 63) + 1);
      if ((word & outside) != 0) broken(RULE_TREES, firstFrame);
      let above = word != 0;
      if (level + 1 < depth) above = ((load<u64>(wordAt(zone, cls, level + 1, i)) >> i) & 1) != 0;
      else if (cls < CLASS_LIMIT) above = ((load<u64>(zone, Z_AVAILABLE) >> cls) & 1) != 0;
      if ((word != 0) != above) broken(RULE_TREES, firstFrame);
    }
    first >>= 6;
    last >>= 6;
  }
  if (members != load<u32>(S_MEMBERS + (cls << 2))) broken(RULE_TREES, firstFrame);
  if (cls < GROUP_CLASS) frames = members << cls;
  if (cls < CLASS_LIMIT && frames != load<u32>(zone + (cls << 2), Z_CLASS_FRAMES)) broken(RULE_TREES, firstFrame);
}

/** The frames of the runs that start where a leaf word has bits. */
function framesOfRuns(zone: Zone, index: u32, word: u64): u32 {
  let frames: u32 = 0;
  for (; word != 0; word &= word - 1) {
    const group = (index << 6) + <u32>ctz(word);
    // A bit outside the zone is a finding of its own; nothing is looked up there.
    if (group >= load<u32>(zone, Z_GROUP_FIRST) && group < load<u32>(zone, Z_GROUP_END)) frames += runLength(zone, group) << GROUP_SHIFT;
  }
  return frames;
}

// ---- cached blocks -----------------------------------------------------------------------------------------------------

/** The stacks and the table of sizes. That there is no other cached block is counted in the walk over the zones. */
function verifyCache(): void {
  if (!sizeClassesAgree() || load<u32>(H_EVICT_STACK) > STACK_COUNT || load<u32>(emptyStack(), S_FRAMES) != 0) {
    broken(RULE_CACHE, 0);
    return;
  }
  const zone = cachedZone();
  let cached: u32 = 0;
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    const top = load<u32>(stack, S_TOP);
    const frames = load<u32>(stack, S_FRAMES);
    const wrongSize = (number < FIRST_ADAPTIVE && frames != 0 && frames != framesOfFixedStack(number)) || <u64>frames << load<u32>(H_FRAME_SHIFT) > 0xffffffff;
    if (top - (<u32>stack + S_NONE) > STACK_FULL - S_NONE || (top & 3) != 0 || load<u32>(stack, S_NONE) != 0 || wrongSize) {
      broken(RULE_CACHE, 0);
      return;
    }
    for (let at = <u32>stack + S_ENTRIES; at <= top; at += 4) {
      const frame = load<u32>(<usize>at);
      if (!isEntry(zone, stack, frame, frames) || isRepeated(at, <u32>stack + S_ENTRIES)) {
        broken(RULE_CACHE, frame);
        return;
      }
      ++cached;
    }
  }
  store<u32>(S_CACHE_ENTRIES, cached);
}

/** Does a cached block of a stack start at a frame of the zone? */
function isEntry(zone: Zone, stack: Stack, frame: Frame, frames: u32): bool {
  if (frames == 0 || frame - load<u32>(zone, Z_FIRST) >= load<u32>(zone, Z_COUNT)) return false;
  if (frames >= GROUP_FRAMES && (frame & (GROUP_FRAMES - 1)) != 0) return false;
  const entry = tagOrSentinelAt(zone, frame, frames);
  return isCached(entry) && stackOfSentinel(entry) == stack && tagAt(zone, frame) == 0;
}

/** Does an entry stand below itself again? */
function isRepeated(at: u32, from: u32): bool {
  for (let other = from; other < at; other += 4) if (load<u32>(<usize>other) == load<u32>(<usize>at)) return true;
  return false;
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
