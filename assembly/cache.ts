/**
 * Cached blocks: what was freed, kept whole for the next request of the same size.
 *
 *   a record, 128 bytes   +-----+------+--------+------+-------+--------+--------+------+----+----+----+-- ... --+
 *                         | top | base | rotate | mask | inner | frames | wanted | none | f1 | f2 | f3 |         |
 *                         +--+--+------+--------+------+-------+--------+--------+------+----+----+----+-- ... --+
 *                            └──────────── address of the last entry ────────────────────────────┘
 *
 * An allocation pops, a free pushes; neither looks at words or trees. On an empty stack the top is the address of `none`,
 * which is 0: "empty" and "take" are one load. A record is aligned to its size, so the top alone says that it is full.
 * Stack 0, for sizes that have no stack, is always full and its last entry is 0: it neither gives nor takes.
 *
 * Beside the entries stands all that the size decides about lengthTags (length-tags.ts), so that the quick paths have no branch on
 * sizes.
 *
 * Hot sizes. Sizes of 1 to 63 frames and of 1 to 64 whole groups have a stack each. Of the other sizes up to 64 groups there
 * are thousands, and a driver uses a few: a size that is asked for twice, with no other asking for the same stack in
 * between, is given it.
 *
 * Only blocks of the highest zone are kept, because plain requests go there first. A cached block is marked where it
 * starts; for free bitmaps and class trees it is taken, for every question it is free.
 *
 * How much is kept. Blocks that are not merged are what makes requests fail in a full arena. Two rules, looked at
 * whenever free bitmaps and class trees change: the cached frames are at most a share of the free ones; and while the runs as large as
 * a recent request are scarce, caching is off: nothing is kept, and every slow operation gives one cached block back.
 * Before a request fails in the highest zone, it is tried as if all of them were given back.
 *
 * Accounting. `taken` counts frames that free bitmaps and class trees do not show, `below` how many frames fewer than at the peak are
 * live, so that one number serves both quick paths: an allocation compares it with 0, a free with a limit.
 *
 *     live = peak - below        cached = taken - live        cached + frames <= limit   <=>   below + frames <= below limit
 */
import {
  FIRST_ADAPTIVE, H_SLOW_COUNT, H_HEADROOM_LIMIT, H_PEAK_HEADROOM, H_BLOCKS, H_LENGTH_TAG_SHIFT, H_EVICT_STACK, H_FIRST_ZONE, H_FRAME_SHIFT, H_CACHED_ORIGIN, H_CACHED_SPAN, H_PEAK_FRAMES, H_CACHE_LIMIT, H_RECENT_ORDER,
  H_RECENT_ORDER_NEXT, H_TAKEN_FRAMES, CACHE_MAX_FRAMES, SIZE_CLASSES, SENTINEL_FREED, SENTINEL_CACHED, SENTINEL_CACHED_FREED, GROUP_FRAMES, GROUP_SHIFT, CACHE_STACKS, STACK_COUNT, STACK_FULL,
  STACK_SHIFT, S_BASE, S_FRAMES, S_INNER, S_MASK, S_NONE, S_ROTATE, S_TOP, S_CANDIDATE, Z_CLASS_COUNTS, Z_LENGTH_TAGS, Z_COUNT, Z_END, Z_FREE, Z_GROUP_LENGTH_TAGS,
  Z_GROUP_FIRST, Z_TOP_CLASS,
} from "./layout";
import { tagOrSentinelAt, lengthTagAddress, setTagOrSentinel } from "./length-tags";
import { give, takeRange } from "./frames";
import { resort, step } from "./steps";

/** At most a half of the free frames is cached. */
const SHARE_SHIFT: u32 = 1;
/** Low watermark: caching stops when the runs as large as a recent request hold less than so many 256ths of all frames ... */
const LOW_WATERMARK: u32 = 5;
/** ... and starts again when they hold so many. */
const HIGH_WATERMARK: u32 = 8;
/** "Recent": the last 64 to 128 slow allocations. */
const RECENT_WINDOW_MASK: u32 = 127;
/** Which of the 32 hot stacks a size may have: the top five bits of a multiple. */
const ADAPTIVE_HASH: u32 = 0x9e3779b1;
const ADAPTIVE_SHIFT: u32 = 27;
/** The watermarks are looked at every eighth time that frames are taken or given. */
const WATERMARK_INTERVAL_MASK: u32 = 7;

/** The zone whose blocks are cached: the one with the highest base, where plain requests go first. */
// @ts-ignore: decorator
@inline
function cachedZone(): usize {
  return <usize>load<u32>(H_FIRST_ZONE);
}

// @ts-ignore: decorator
@inline
export function stackOf(number: u32): usize {
  return <usize>(CACHE_STACKS + (number << STACK_SHIFT));
}

/** The stack of sizes that have none. */
// @ts-ignore: decorator
@inline
export function emptyStack(): usize {
  return <usize>CACHE_STACKS;
}

/** The frames of the blocks on a stack of a fixed size, 1 to 127. */
function framesOfFixedStack(number: u32): u32 {
  return number < GROUP_FRAMES ? number : (number - GROUP_FRAMES + 1) << GROUP_SHIFT;
}

/** Write what the sizes decide; once, when the zones' arrays are laid out. */
export function openCache(): void {
  const zone = cachedZone();
  const groupFirst = load<u32>(zone, Z_GROUP_FIRST);
  store<u32>(H_CACHED_ORIGIN, groupFirst << GROUP_SHIFT);
  store<u32>(H_CACHED_SPAN, load<u32>(zone, Z_END) - (groupFirst << GROUP_SHIFT));
  for (let i: u32 = 0; i < CACHE_MAX_FRAMES; ++i) store<u16>(SIZE_CLASSES + (i << 1), <u16>emptyStack());
  store<u32>(emptyStack(), <u32>emptyStack() + STACK_FULL, S_TOP);
  store<u32>(emptyStack(), -1, S_INNER); // no frame starts a block of these sizes, as far as the quick free knows
  const lengthTagShift = load<u32>(H_LENGTH_TAG_SHIFT);
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    const groups = number >= GROUP_FRAMES;
    store<u32>(stack, <u32>stack + S_NONE, S_TOP);
    store<u32>(stack, groups ? load<u32>(zone, Z_GROUP_LENGTH_TAGS) + (groupFirst << 2) : load<u32>(zone, Z_LENGTH_TAGS) + (groupFirst << (GROUP_SHIFT + lengthTagShift)), S_BASE);
    store<u32>(stack, groups ? 32 - (GROUP_SHIFT - 2) : lengthTagShift, S_ROTATE);
    store<u32>(stack, !groups && lengthTagShift == 1 ? 0xffff : -1, S_MASK);
    store<u32>(stack, groups ? GROUP_FRAMES - 1 : 0, S_INNER);
    // Of the largest size there are lengths whose length tags wrap (length-tags.ts), where a frame is of the largest too.
    const wraps = <u64>framesOfFixedStack(number) << load<u32>(H_FRAME_SHIFT) > 0xffffffff;
    if (number < FIRST_ADAPTIVE && !wraps) assignStack(stack, framesOfFixedStack(number));
  }
}

/** Give an empty stack to a size. */
function assignStack(stack: usize, count: u32): void {
  const before = load<u32>(stack, S_FRAMES);
  if (before != 0) store<u16>(SIZE_CLASSES + ((before - 1) << 1), <u16>emptyStack());
  store<u32>(stack, count, S_FRAMES);
  store<u16>(SIZE_CLASSES + ((count - 1) << 1), <u16>stack);
}

/** A size without a stack was asked for: of 65 to 4095 frames. */
export function noteUncachedSize(count: u32): void {
  const stack = stackOf(FIRST_ADAPTIVE + ((count * ADAPTIVE_HASH) >> ADAPTIVE_SHIFT));
  if (load<u32>(stack, S_CANDIDATE) != count) store<u32>(stack, count, S_CANDIDATE);
  else if (isEmpty(stack)) assignStack(stack, count);
  else evictLast(stack);
}

function isEmpty(stack: usize): bool {
  return load<u32>(stack, S_TOP) == <u32>stack + S_NONE;
}

/** Take the last cached block off a stack. Its first frame, or 0. */
function pop(stack: usize): u32 {
  const top = load<u32>(stack, S_TOP);
  const frame = load<u32>(<usize>top);
  if (frame != 0) store<u32>(stack, top - 4, S_TOP);
  return frame;
}

/** Put a block on its stack, which has room. */
function push(stack: usize, frame: u32): void {
  const top = load<u32>(stack, S_TOP) + 4;
  assert(hasRoom(top - 4));
  store<u32>(stack, top, S_TOP);
  store<u32>(<usize>top, frame);
}

/** Is there room above an entry? */
// @ts-ignore: decorator
@inline
export function hasRoom(top: u32): bool {
  return (top & ((1 << STACK_SHIFT) - 1)) != STACK_FULL;
}

// ---- how much is kept ------------------------------------------------------------------------------------------------

/**
 * Count frames that leave (or, negative, join) the free bitmaps and class trees of a zone, and frames that go live (or, negative, no
 * longer are); then look at the two rules.
 */
export function count(zone: usize, taken: i32, live: i32): void {
  store<u32>(zone, load<u32>(zone, Z_FREE) - taken, Z_FREE);
  store<u32>(H_TAKEN_FRAMES, load<u32>(H_TAKEN_FRAMES) + taken);
  let below = <i32>load<u32>(H_PEAK_HEADROOM) - live;
  if (below < 0) {
    store<u32>(H_PEAK_FRAMES, load<u32>(H_PEAK_FRAMES) - below);
    below = 0;
  }
  store<u32>(H_PEAK_HEADROOM, below);
  if (zone == cachedZone()) {
    const age = load<u32>(H_SLOW_COUNT) + 1;
    store<u32>(H_SLOW_COUNT, age);
    if ((age & WATERMARK_INTERVAL_MASK) == 0) checkWatermarks(age);
    else if (load<u32>(H_CACHE_LIMIT) != 0) store<u32>(H_CACHE_LIMIT, cacheShare());
  }
  setHeadroomLimit();
}

/** The most frames that may be cached while caching is on; never 0, which would mean that it is shut. */
// @ts-ignore: decorator
@inline
function cacheShare(): u32 {
  return (load<u32>(cachedZone(), Z_FREE) >> SHARE_SHIFT) | 1;
}

function checkWatermarks(age: u32): void {
  const least = (load<u32>(cachedZone(), Z_COUNT) >> 8) * (load<u32>(H_CACHE_LIMIT) == 0 ? HIGH_WATERMARK : LOW_WATERMARK);
  store<u32>(H_CACHE_LIMIT, framesInRecentRuns() < least ? 0 : cacheShare());
  if ((age & RECENT_WINDOW_MASK) == 0) {
    store<u32>(H_RECENT_ORDER, load<u32>(H_RECENT_ORDER_NEXT));
    store<u32>(H_RECENT_ORDER_NEXT, 0);
  }
}

/** Free frames in runs as large as a recent request. */
function framesInRecentRuns(): u32 {
  const zone = cachedZone();
  const top = load<u32>(zone, Z_TOP_CLASS);
  let frames: u32 = 0;
  for (let cls = load<u32>(H_RECENT_ORDER); cls <= top; ++cls) {
    step();
    frames += load<u32>(zone + Z_CLASS_COUNTS + (cls << 2)) << cls;
  }
  return frames;
}

/** Remember the order of a request that found nothing cached. */
export function noteOrder(order: u32): void {
  if (order > load<u32>(H_RECENT_ORDER)) store<u32>(H_RECENT_ORDER, order);
  if (order > load<u32>(H_RECENT_ORDER_NEXT)) store<u32>(H_RECENT_ORDER_NEXT, order);
}

// ---- the state -------------------------------------------------------------------------------------------------------

/** Frames of live blocks and pieces. */
export function liveFrames(): u32 {
  return load<u32>(H_PEAK_FRAMES) - load<u32>(H_PEAK_HEADROOM);
}

export function cachedFrames(): u32 {
  return load<u32>(H_TAKEN_FRAMES) - liveFrames();
}

/** More frames are live than ever before. */
export function raisePeak(more: u32): void {
  store<u32>(H_PEAK_HEADROOM, 0);
  store<u32>(H_PEAK_FRAMES, load<u32>(H_PEAK_FRAMES) + more);
  setHeadroomLimit();
}

/** What was live for a moment only never was: the peak was `peak`. */
export function forgetPeak(peak: u32): void {
  const raised = load<u32>(H_PEAK_FRAMES) - peak;
  store<u32>(H_PEAK_FRAMES, peak);
  store<u32>(H_PEAK_HEADROOM, load<u32>(H_PEAK_HEADROOM) - raised);
  setHeadroomLimit();
}

/** After any change of the limit, the peak or what is taken. */
function setHeadroomLimit(): void {
  const sum = load<u32>(H_CACHE_LIMIT) + load<u32>(H_PEAK_FRAMES);
  const taken = load<u32>(H_TAKEN_FRAMES);
  store<u32>(H_HEADROOM_LIMIT, sum > taken ? sum - taken : 0);
}

// ---- giving back -----------------------------------------------------------------------------------------------------

/** A block that was just popped, and whose frames are back, is cached no longer. */
function dropCached(frame: u32, count: u32): void {
  const zone = cachedZone();
  setTagOrSentinel(zone, frame, count, tagOrSentinelAt(zone, frame, count) == SENTINEL_CACHED_FREED ? SENTINEL_FREED : 0);
  store<u32>(H_BLOCKS, load<u32>(H_BLOCKS) - 1);
  store<u32>(zone, load<u32>(zone, Z_FREE) + count, Z_FREE);
  store<u32>(H_TAKEN_FRAMES, load<u32>(H_TAKEN_FRAMES) - count);
}

/** Give the last cached block of a stack back. False when it is empty. */
function evictLast(stack: usize): bool {
  const frame = pop(stack);
  if (frame == 0) return false;
  give(cachedZone(), frame, load<u32>(stack, S_FRAMES));
  dropCached(frame, load<u32>(stack, S_FRAMES));
  setHeadroomLimit();
  return true;
}

/** While caching is off: give one cached block back. The stacks take turns, a few are looked at. */
export function evictOne(): void {
  if (load<u32>(H_CACHE_LIMIT) != 0 || cachedFrames() == 0) return;
  let number = load<u32>(H_EVICT_STACK);
  for (let looked = 0; looked < 16; ++looked) {
    step();
    number = number <= 1 ? STACK_COUNT - 1 : number - 1;
    if (evictLast(stackOf(number))) {
      ++number; // this stack may have more
      break;
    }
  }
  store<u32>(H_EVICT_STACK, number);
}

/** Give every cached block back. */
export function flush(): void {
  spill(false);
  dropAllCached();
}

/** After `spill`: what was spilled stays where it is, and nothing is cached. */
export function dropAllCached(): void {
  if (cachedFrames() == 0) return;
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    step();
    for (let frame = pop(stack); frame != 0; frame = pop(stack)) {
      step();
      dropCached(frame, load<u32>(stack, S_FRAMES));
    }
  }
  store<u32>(H_CACHE_LIMIT, cacheShare());
  setHeadroomLimit();
}

/** Cache a block that was just taken and was never handed out. Its stack has room; the caller counts it. */
export function cacheFresh(stack: usize, frame: u32): void {
  const at = lengthTagAddress(stack, frame - load<u32>(H_CACHED_ORIGIN));
  // What stands there is nothing or SENTINEL_FREED, and what is above may be its neighbour's.
  store<u32>(at, load<u32>(at) + ((load<u32>(at) & load<u32>(stack, S_MASK)) == 0 ? SENTINEL_CACHED : SENTINEL_CACHED_FREED - SENTINEL_FREED));
  push(stack, frame);
}

/** May so many frames more be cached? */
// @ts-ignore: decorator
@inline
export function mayCache(count: u32): bool {
  return cachedFrames() + count <= load<u32>(H_CACHE_LIMIT);
}

// ---- asking ----------------------------------------------------------------------------------------------------------

/** Blocks cached. */
export function cachedBlocks(): u32 {
  let blocks: u32 = 0;
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    blocks += (load<u32>(stack, S_TOP) - (<u32>stack + S_NONE)) >> 2;
  }
  return blocks;
}

/**
 * Give the frames of all cached blocks back for a moment, or take the same frames again (`back`), so that a question about
 * free frames is answered, or a request tried, as if nothing were kept. Free frames are described in one way only, so the
 * second undoes the first to the bit.
 */
export function spill(back: bool): void {
  if (cachedFrames() == 0) return;
  resort();
  const zone = cachedZone();
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    const count = load<u32>(stack, S_FRAMES);
    step();
    for (let at = load<u32>(stack, S_TOP); at != <u32>stack + S_NONE; at -= 4) {
      step();
      if (back) takeRange(zone, load<u32>(<usize>at), count);
      else give(zone, load<u32>(<usize>at), count);
    }
  }
}
