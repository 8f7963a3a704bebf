/**
 * Opening: lay out memory for the zones, and give every frame back once.
 *
 * The host calls `openCore`, then `openZone` for each zone in declared order, then `openMemory`. Nothing is filled: memory is
 * zero when it is new, and zero is the initial state of every array, because a run of whole groups is two lengths and one bit.
 * So opening touches what it must and not what it manages; 64 GiB of 4 KiB frames open like 64 MiB.
 *
 *   frame numbers of a zone   origin (multiple of the span)
 *                             |<--- skew --->|<------------- count ------------->|
 *                             0              first                               end        2^span
 *
 * The span is the least power of two that holds skew and count; skew is the zone's physical frame number modulo the
 * power of two at or above its count, or modulo a group's frames where that is more. So a number is a multiple of 2^k, k
 * up to the order of that power (Z_SPAN_ORDER), where its address is.
 */
import {
  BITMAP_SHIFT, FLAG_TAGS, GROUP_CLASS, GROUP_FRAMES, GROUP_SHIFT, H_FIRST_ZONE, H_FLAGS, H_FRAME_SHIFT, H_GEOMETRY, H_INDEX_BASE, H_LENGTH_TAG_SHIFT, H_MAGIC, H_MAP_BASE,
  H_MAP_CAPACITY, H_MEMORY_PAGES, H_NEXT_FRAME, H_SCATTER_BASE, H_TOTAL_FRAMES, H_VERSION, H_WORKER_COUNT, H_ZONE_COUNT, INDEX_RECORD, MAGIC, MAP_INITIAL, MAP_RECORD, NO_MEMORY,
  OK, RUN_SHIFT, TOO_MANY_FRAMES, TOO_MUCH_METADATA, TREE_COUNT, TREE_LEVELS, VERSION, ZONES, ZONE_SIZE, Z_ARRAYS, Z_ARRAYS_END, Z_BASE, Z_COUNT, Z_END, Z_FIRST, Z_FREE,
  Z_FREE_BITMAPS, Z_GROUP_END, Z_GROUP_FIRST, Z_GROUP_LENGTH_TAGS, Z_HEADS, Z_LENGTH_TAGS, Z_LEVELS, Z_NEXT, Z_NODE, Z_RUN_LENGTHS, Z_SPAN_ORDER, Z_STRIDES, Z_TAGS,
  Z_TREE_DEPTH, Z_TREE_TOP, Z_WHOLE_END, Z_WHOLE_FIRST, Z_WINDOW, zoneRecord,
} from "./layout";
import { lowBits, openAlignedStarts, orderOf } from "./bits";
import { addRun, rewrite } from "./frames";
import { geometry } from "./geometry";
import { count, openCache } from "./cache";
import { Frame, Zone } from "./units";

/** Begin. `frameShift` 6 to 20, `zoneCount` 1 to 64. OK, or NO_MEMORY. */
export function openCore(frameShift: u32, zoneCount: u32, flags: u32, scatterBase: f64): u32 {
  if (!room(<u64>(ZONES + zoneCount * ZONE_SIZE))) return NO_MEMORY;
  store<u32>(H_MAGIC, MAGIC);
  store<u32>(H_VERSION, VERSION);
  store<u32>(H_WORKER_COUNT, 1);
  store<u32>(H_FRAME_SHIFT, frameShift);
  store<u32>(H_FLAGS, flags);
  store<u32>(H_LENGTH_TAG_SHIFT, frameShift >= 10 ? 2 : 1);
  store<f64>(H_SCATTER_BASE, scatterBase);
  store<u32>(H_NEXT_FRAME, GROUP_FRAMES); // group 0 is in no zone
  openAlignedStarts();
  return OK;
}

/** Describe the next zone. OK, or TOO_MANY_FRAMES. */
export function openZone(base: f64, size: f64, node: u32, window: f64): u32 {
  const shift = load<u32>(H_FRAME_SHIFT);
  const frames = <u64>size >> shift;
  if (frames > 0x80000000) return TOO_MANY_FRAMES;
  const count = <u32>frames;
  const congruence = max(GROUP_CLASS, orderOf(count));
  const skew = <u32>((<u64>base >> shift) & (((<u64>1) << congruence) - 1));
  const spanOrder = orderOf(max(GROUP_FRAMES, skew + count));
  const span = (<u64>1) << spanOrder;
  const origin = (<u64>load<u32>(H_NEXT_FRAME) + span - 1) & ~(span - 1);
  if (origin + span > 0xffffffc0) return TOO_MANY_FRAMES;
  store<u32>(H_NEXT_FRAME, <u32>(origin + span));

  const index = load<u32>(H_ZONE_COUNT);
  const zone = zoneRecord(index);
  store<u32>(H_ZONE_COUNT, index + 1);
  const first = <u32>origin + skew;
  const end = first + count;
  store<f64>(zone, base, Z_BASE);
  store<f64>(zone, window, Z_WINDOW);
  store<u32>(zone, first, Z_FIRST);
  store<u32>(zone, count, Z_COUNT);
  store<u32>(zone, end, Z_END);
  store<u32>(zone, node, Z_NODE);
  store<u32>(zone, congruence, Z_SPAN_ORDER);
  store<u32>(zone, first >> GROUP_SHIFT, Z_GROUP_FIRST);
  store<u32>(zone, ((end - 1) >> GROUP_SHIFT) + 1, Z_GROUP_END);
  const wholeFirst = (first + GROUP_FRAMES - 1) >> GROUP_SHIFT;
  const wholeEnd = end >> GROUP_SHIFT;
  store<u32>(zone, wholeFirst, Z_WHOLE_FIRST);
  store<u32>(zone, wholeEnd, Z_WHOLE_END);
  let depth: u32 = 1;
  while (depth * 6 < spanOrder - GROUP_SHIFT) ++depth;
  assert(depth <= TREE_LEVELS);
  store<u32>(zone, depth, Z_TREE_DEPTH);

  // Into the chain, which runs from the highest base down.
  let link: usize = H_FIRST_ZONE;
  while (load<u32>(link) != 0 && load<f64>(<usize>load<u32>(link), Z_BASE) > base) link = <usize>load<u32>(link) + Z_NEXT;
  store<u32>(zone, load<u32>(link), Z_NEXT);
  store<u32>(link, <u32>zone);
  return OK;
}

/** Bytes of linear memory that the zones described so far need. */
export function metadataBytes(): f64 {
  return <f64>layOut(false);
}

/** Get the memory, point the zones at their arrays and make every frame free. OK, TOO_MUCH_METADATA or NO_MEMORY. */
export function openMemory(): u32 {
  const total = layOut(false);
  if (total > 0x100000000) return TOO_MUCH_METADATA;
  if (!room(total)) return NO_MEMORY;
  layOut(true);
  openCache();
  const zones = load<u32>(H_ZONE_COUNT);
  for (let i: u32 = 0; i < zones; ++i) {
    const zone = zoneRecord(i);
    const frames = load<u32>(zone, Z_COUNT);
    freeAll(zone);
    store<u32>(zone, frames, Z_FREE);
    store<u32>(H_TOTAL_FRAMES, load<u32>(H_TOTAL_FRAMES) + frames);
  }
  store<u32>(H_GEOMETRY, geometry());
  for (let i: u32 = 0; i < zones; ++i) count(zoneRecord(i), 0, 0);
  return OK;
}

/** Make every frame of a new zone free: its whole groups are one run, the frames before and behind them are split groups. */
function freeAll(zone: Zone): void {
  const first = load<u32>(zone, Z_FIRST);
  const end = load<u32>(zone, Z_END);
  const wholeFirst = load<u32>(zone, Z_WHOLE_FIRST);
  const wholeEnd = load<u32>(zone, Z_WHOLE_END);
  if (wholeFirst < wholeEnd) addRun(zone, wholeFirst, wholeEnd - wholeFirst);
  const firstGroup = first >> GROUP_SHIFT;
  const lastGroup = (end - 1) >> GROUP_SHIFT;
  if (firstGroup < wholeFirst) {
    const below = min(end, wholeFirst << GROUP_SHIFT) - first;
    rewrite(zone, firstGroup, 0, lowBits(below) << first);
  }
  if (lastGroup >= wholeEnd && lastGroup != (firstGroup < wholeFirst ? firstGroup : 0)) rewrite(zone, lastGroup, 0, lowBits(end & (GROUP_FRAMES - 1)));
}

/** Make sure that linear memory has `bytes`. */
function room(bytes: u64): bool {
  const groups = (bytes + 0xffff) >> 16;
  const missing = <i64>groups - <i64>memory.size();
  if (missing > 0 && memory.grow(<i32>missing) < 0) return false;
  store<u32>(H_MEMORY_PAGES, <u32>memory.size());
  return true;
}

/** Walk the arrays of all zones; with `write`, point the records at them. Returns where the memory ends. */
function layOut(write: bool): u64 {
  const zones = load<u32>(H_ZONE_COUNT);
  let at = <u64>(ZONES + zones * ZONE_SIZE);
  for (let i: u32 = 0; i < zones; ++i) at = layOutZone(zoneRecord(i), at, write);
  if (write) {
    store<u32>(H_MAP_BASE, <u32>at);
    store<u32>(H_MAP_CAPACITY, MAP_INITIAL);
    store<u32>(H_INDEX_BASE, <u32>at + MAP_INITIAL * MAP_RECORD);
  }
  return at + MAP_INITIAL * (MAP_RECORD + INDEX_RECORD);
}

/** The arrays of one zone, from `at` on. Returns where they end. */
function layOutZone(zone: Zone, at: u64, write: bool): u64 {
  const groupFirst = load<u32>(zone, Z_GROUP_FIRST);
  const groups = load<u32>(zone, Z_GROUP_END) - groupFirst;
  const frames = <u64>groups << GROUP_SHIFT;
  const tagShift = load<u32>(H_LENGTH_TAG_SHIFT);
  const start = at;
  const bitmaps = <u32>at - (groupFirst << BITMAP_SHIFT);
  at += <u64>groups << BITMAP_SHIFT;
  // One entry more at each end: the run length there is 0 for ever, so that merging needs to know no end.
  const runs = <u32>at - ((groupFirst - 1) << RUN_SHIFT);
  at += <u64>(groups + 2) << RUN_SHIFT;
  at = layOutTrees(zone, at, write);
  const lengthTags = <u32>at - (groupFirst << (GROUP_SHIFT + tagShift));
  at += frames << tagShift;
  const tags = <u32>at - (groupFirst << (GROUP_SHIFT + 2));
  const keepsTags = (load<u32>(H_FLAGS) & FLAG_TAGS) != 0;
  if (keepsTags) at += frames << 2;
  if (!write) return at;
  store<u32>(zone, bitmaps, Z_FREE_BITMAPS);
  store<u32>(zone, bitmaps + 8, Z_HEADS);
  store<u32>(zone, runs, Z_RUN_LENGTHS);
  store<u32>(zone, runs + 4, Z_GROUP_LENGTH_TAGS);
  store<u32>(zone, lengthTags, Z_LENGTH_TAGS);
  store<u32>(zone, keepsTags ? tags : 0, Z_TAGS);
  store<u32>(zone, <u32>start, Z_ARRAYS);
  store<u32>(zone, <u32>at, Z_ARRAYS_END);
  return at;
}

/** The levels of all trees, the leaves of all trees first. Returns where they end. */
function layOutTrees(zone: Zone, at: u64, write: bool): u64 {
  const depth = load<u32>(zone, Z_TREE_DEPTH);
  let first = load<u32>(zone, Z_GROUP_FIRST);
  let last = load<u32>(zone, Z_GROUP_END) - 1;
  for (let level: u32 = 0; level < depth; ++level) {
    first >>= 6;
    last >>= 6;
    const stride = (last - first + 1) << 3;
    if (write) {
      store<u32>(zone + (level << 2), <u32>at - (first << 3), Z_LEVELS);
      store<u32>(zone + (level << 2), stride, Z_STRIDES);
    }
    at += <u64>stride * TREE_COUNT;
  }
  if (write) store<u32>(zone, first, Z_TREE_TOP);
  return at;
}
