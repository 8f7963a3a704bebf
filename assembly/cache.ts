/**
 * Size-class cache: what was freed, kept whole for the next request of the same size.
 *
 *   a record, 256 bytes   +-----+------+--------+------+-------+--------+-----------+------+----+----+-- ... --+-----+
 *                         | top | base | rotate | mask | inner | frames | candidate | none | f1 | f2 |         | f56 |
 *                         +--+--+------+--------+------+-------+--------+-----------+------+----+----+-- ... --+-----+
 *                            └──────────── address of the last entry ───────────────────────────┘
 *
 * An allocation pops, a free pushes; neither looks at bitmaps or trees. On an empty stack the top is the address of `none`,
 * which is 0: "empty" and "take" are one load. A record is aligned to its size, so the top alone says that it is full.
 * Stack 0, for sizes that have no stack, is always full and its last entry is 0: it neither gives nor takes.
 *
 * Beside the entries stands all that the size decides about length tags (length-tags.ts), so that the quick paths have no
 * branch on sizes. In both, the store of the length tag is what decides; the stack's top is stored after it, so a core that
 * stops between the two could be put right from the length tags alone.
 *
 * Only blocks of the highest zone are cached, because plain requests go there first. A sentinel stands where a cached block
 * starts; for bitmaps and trees it is taken, for every question it is free.
 *
 * Which sizes. There is a stack for each of 1 to 63 frames and of 1 to 64 whole groups. Of the other sizes up to 64 groups there
 * are thousands, and a driver uses a few: they share 32 stacks. A size is given its stack at its ASSIGN_AFTER-th slow request.
 *
 * How much. Blocks that are not merged are what makes requests fail in a full arena. So the cached frames have a limit
 * (`cacheShare`), and there are two watermarks: while the free stretches as large as a recent request are scarce, nothing is
 * cached, and every slow operation evicts one block. Before a request fails in the highest zone, it is tried as if nothing
 * were cached. A zone of fewer than 256 frames is too small for a watermark to act: its least frames round to 0.
 *
 * Accounting. `taken` counts frames that bitmaps and trees do not show, the *headroom* is how many frames fewer than at the
 * peak are live. So one number serves both quick paths: an allocation compares it with 0, a free with a limit.
 *
 *   live = peak - headroom      cached = taken - live      cached + frames <= limit   <=>   headroom + frames <= headroom limit
 */
import {
  CACHE_MAX_FRAMES, CACHE_STACKS, FIRST_ADAPTIVE, GROUP_FRAMES, GROUP_SHIFT, H_BLOCKS, H_CACHED_ORIGIN, H_CACHED_SPAN, H_CACHE_LIMIT, H_EVICT_STACK, H_FIRST_ZONE,
  H_FRAME_SHIFT, H_LENGTH_TAG_SHIFT, H_PEAK_FRAMES, H_RECENT_ORDER, H_RECENT_ORDER_NEXT, H_SLOW_COUNT, H_TAKEN_FRAMES, RUN_SHIFT, SIZE_CLASSES, STACK_COUNT, STACK_FULL,
  STACK_SHIFT, S_BASE, S_CANDIDATE, S_FRAMES, S_INNER, S_MASK, S_NONE, S_ROTATE, S_TOP, W_HEADROOM_LIMIT, W_PEAK_HEADROOM, Z_AVAILABLE, Z_CLASS_FRAMES, Z_COUNT, Z_END,
  Z_FREE, Z_GROUP_FIRST, Z_GROUP_LENGTH_TAGS, Z_LENGTH_TAGS,
} from "./layout";
import { runClass } from "./bits";
import { cachedSentinel, setTagOrSentinel, stackForFrames, tagOrSentinelAt, withoutBlock } from "./length-tags";
import { addHead, removeHead } from "./heads";
import { give, takeRange } from "./frames";
import { resort, step } from "./steps";
import { Frame, Order, Stack, Zone } from "./units";

/** At most a half of the free frames is cached: the rest stays mergeable. An eighth saves space and doubled the time of page90. */
const SHARE_OF_FREE: u32 = 1;
/**
 * And at most an eighth of the peak, a 1024th of the zone and a group. Without this, recordings of programs needed 1.29 times
 * their peak instead of 1.26, in the experiment that this structure comes from. No other share was measured.
 */
const SHARE_OF_PEAK: u32 = 3;
const SHARE_OF_ZONE: u32 = 10;
/** Low watermark: caching stops when the stretches as large as a recent request hold less than so many
 * 256ths of all frames. 2 % is from the experiment that this cache comes from: deferred blocks are
 * what fails allocations at high load, and thresholds on occupancy did not prevent it. Not measured anew for groups and runs. */
const LOW_WATERMARK: u32 = 5;
/** ... and starts again when they hold so many. Between the two it stays as it is, so that it does not flap. */
const HIGH_WATERMARK: u32 = 8;
/** "Recent": the last 128 to 256 slow operations. */
const RECENT_WINDOW_MASK: u32 = 127;
/** The watermarks are looked at every eighth time that frames are taken or given. */
const WATERMARK_INTERVAL_MASK: u32 = 7;
/**
 * At which slow request a size is given its stack: at the first, recordings of programs needed 1.26 times their peak in the
 * same experiment, at the fourth 1.23.
 */
const ASSIGN_AFTER: u32 = 4;
/** Which of the 32 adaptive stacks a size may have: the top five bits of a multiple. */
const ADAPTIVE_HASH: u32 = 0x9e3779b1;
const ADAPTIVE_SHIFT: u32 = 27;
/** An eviction looks at so many stacks at most. */
const EVICT_LOOKS: u32 = 16;

/** The zone whose blocks are cached: the one with the highest base, where plain requests go first. */
// @ts-ignore: decorator
@inline
export function cachedZone(): Zone {
  return <Zone>load<u32>(H_FIRST_ZONE);
}

// @ts-ignore: decorator
@inline
export function stackOf(number: u32): Stack {
  return <Stack>(CACHE_STACKS + (number << STACK_SHIFT));
}

/** The stack of sizes that have none. */
// @ts-ignore: decorator
@inline
export function emptyStack(): Stack {
  return <Stack>CACHE_STACKS;
}

/** The frames of the blocks on a stack of a fixed size, 1 to 127. */
export function framesOfFixedStack(number: u32): u32 {
  return number < GROUP_FRAMES ? number : (number - GROUP_FRAMES + 1) << GROUP_SHIFT;
}

/** The number of the stack that a size may have. */
function stackNumberFor(count: u32): u32 {
  if (count < GROUP_FRAMES) return count;
  if ((count & (GROUP_FRAMES - 1)) == 0) return GROUP_FRAMES - 1 + (count >> GROUP_SHIFT);
  return FIRST_ADAPTIVE + ((count * ADAPTIVE_HASH) >> ADAPTIVE_SHIFT);
}

/** Write what the sizes decide; once, when the zones' arrays are laid out. */
export function openCache(): void {
  const zone = cachedZone();
  const origin = load<u32>(zone, Z_GROUP_FIRST) << GROUP_SHIFT;
  const tagShift = load<u32>(H_LENGTH_TAG_SHIFT);
  store<u32>(H_CACHED_ORIGIN, origin);
  store<u32>(H_CACHED_SPAN, load<u32>(zone, Z_END) - origin);
  for (let i: u32 = 0; i < CACHE_MAX_FRAMES; ++i) store<u16>(SIZE_CLASSES + (i << 1), <u16>emptyStack());
  store<u32>(emptyStack(), <u32>emptyStack() + STACK_FULL, S_TOP);
  store<u32>(emptyStack(), -1, S_INNER); // no frame starts a block of these sizes, as far as the quick free knows
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    const small = number < GROUP_FRAMES;
    store<u32>(stack, <u32>stack + S_NONE, S_TOP);
    store<u32>(stack, small ? load<u32>(zone, Z_LENGTH_TAGS) + (origin << tagShift) : load<u32>(zone, Z_GROUP_LENGTH_TAGS) + ((origin >> GROUP_SHIFT) << RUN_SHIFT), S_BASE);
    store<u32>(stack, small ? tagShift : 32 - (GROUP_SHIFT - RUN_SHIFT), S_ROTATE);
    store<u32>(stack, small && tagShift == 1 ? 0xffff : -1, S_MASK);
    store<u32>(stack, small ? 0 : GROUP_FRAMES - 1, S_INNER);
  }
}

/** Give an empty stack to a size. */
function assignStack(stack: Stack, count: u32): void {
  const before = load<u32>(stack, S_FRAMES);
  if (before != 0) store<u16>(SIZE_CLASSES + ((before - 1) << 1), <u16>emptyStack());
  store<u32>(stack, count, S_FRAMES);
  store<u16>(SIZE_CLASSES + ((count - 1) << 1), <u16>stack);
}

/** A size without a stack, of up to CACHE_MAX_FRAMES, was asked for and served. */
export function noteUncachedSize(count: u32): void {
  // Of the largest frames the largest size has length tags that wrap, which the quick paths must not meet.
  if (<u64>count << load<u32>(H_FRAME_SHIFT) > 0xffffffff) return;
  const stack = stackOf(stackNumberFor(count));
  const candidate = load<u32>(stack, S_CANDIDATE);
  const times = (candidate & 0xffff) == count ? (candidate >> 16) + 1 : 1;
  if (times < ASSIGN_AFTER) store<u32>(stack, (times << 16) | count, S_CANDIDATE);
  else if (isEmpty(stack)) assignStack(stack, count);
  else evictLast(stack);
}

function isEmpty(stack: Stack): bool {
  return load<u32>(stack, S_TOP) == <u32>stack + S_NONE;
}

/** Take the last cached block off a stack. Its first frame, or 0. */
function pop(stack: Stack): Frame {
  const top = load<u32>(stack, S_TOP);
  const frame = load<u32>(<usize>top);
  if (frame != 0) store<u32>(stack, top - 4, S_TOP);
  return frame;
}

/** Put a block on its stack, which has room. */
export function push(stack: Stack, frame: Frame): void {
  const top = load<u32>(stack, S_TOP) + 4;
  assert(hasRoom(top - 4));
  store<u32>(<usize>top, frame);
  store<u32>(stack, top, S_TOP);
}

/** Is there room above an entry? */
// @ts-ignore: decorator
@inline
export function hasRoom(top: u32): bool {
  return (top & ((1 << STACK_SHIFT) - 1)) != STACK_FULL;
}

/** For how many more blocks there is room. */
export function roomOf(stack: Stack): u32 {
  return (<u32>stack + STACK_FULL - load<u32>(stack, S_TOP)) >> 2;
}

// ---- how much is cached ------------------------------------------------------------------------------------------------

/**
 * Count frames that leave (or, negative, join) the bitmaps and trees of a zone, and frames that go live (or, negative, no
 * longer are); then look at limit and watermarks.
 */
export function count(zone: Zone, taken: i32, live: i32): void {
  store<u32>(zone, load<u32>(zone, Z_FREE) - taken, Z_FREE);
  store<u32>(H_TAKEN_FRAMES, load<u32>(H_TAKEN_FRAMES) + taken);
  let headroom = <i32>load<u32>(W_PEAK_HEADROOM) - live;
  if (headroom < 0) {
    store<u32>(H_PEAK_FRAMES, load<u32>(H_PEAK_FRAMES) - headroom);
    headroom = 0;
  }
  store<u32>(W_PEAK_HEADROOM, headroom);
  if (zone == cachedZone()) {
    const slow = load<u32>(H_SLOW_COUNT) + 1;
    store<u32>(H_SLOW_COUNT, slow);
    if ((slow & WATERMARK_INTERVAL_MASK) == 0) checkWatermarks(slow);
  }
  setLimits();
}

/** The most frames that may be cached while caching is on; never 0, which would mean that it is off. */
// @ts-ignore: decorator
@inline
export function cacheShare(): u32 {
  const zone = cachedZone();
  const most = (load<u32>(H_PEAK_FRAMES) >> SHARE_OF_PEAK) + (load<u32>(zone, Z_COUNT) >> SHARE_OF_ZONE) + GROUP_FRAMES;
  return min(load<u32>(zone, Z_FREE) >> SHARE_OF_FREE, most) | 1;
}

function checkWatermarks(slow: u32): void {
  const least = (load<u32>(cachedZone(), Z_COUNT) >> 8) * (load<u32>(H_CACHE_LIMIT) == 0 ? HIGH_WATERMARK : LOW_WATERMARK);
  store<u32>(H_CACHE_LIMIT, u32(framesForRecentOrder() >= least));
  if ((slow & RECENT_WINDOW_MASK) == 0) {
    store<u32>(H_RECENT_ORDER, load<u32>(H_RECENT_ORDER_NEXT));
    store<u32>(H_RECENT_ORDER_NEXT, 0);
  }
}

/** Free frames in stretches as large as a recent request. */
function framesForRecentOrder(): u32 {
  const zone = cachedZone();
  const order = load<u32>(H_RECENT_ORDER);
  const least = order < GROUP_SHIFT ? order : runClass(1 << (order - GROUP_SHIFT));
  let frames: u32 = 0;
  for (let classes = load<u64>(zone, Z_AVAILABLE) & (u64.MAX_VALUE << least); classes != 0; classes &= classes - 1) {
    step();
    frames += load<u32>(zone + (<u32>ctz(classes) << 2), Z_CLASS_FRAMES);
  }
  return frames;
}

/** Remember the order of a request that found nothing cached. */
export function noteOrder(order: Order): void {
  if (order > load<u32>(H_RECENT_ORDER)) store<u32>(H_RECENT_ORDER, order);
  if (order > load<u32>(H_RECENT_ORDER_NEXT)) store<u32>(H_RECENT_ORDER_NEXT, order);
}

// ---- accounting --------------------------------------------------------------------------------------------------------

/** Frames of live blocks and pieces. */
export function liveFrames(): u32 {
  return load<u32>(H_PEAK_FRAMES) - load<u32>(W_PEAK_HEADROOM);
}

export function cachedFrames(): u32 {
  return load<u32>(H_TAKEN_FRAMES) - liveFrames();
}

/** More frames are live than ever before. */
export function raisePeak(more: u32): void {
  store<u32>(W_PEAK_HEADROOM, 0);
  store<u32>(H_PEAK_FRAMES, load<u32>(H_PEAK_FRAMES) + more);
  setLimits();
}

/** What was live for a moment only never was: the peak was `peak`. */
export function forgetPeak(peak: u32): void {
  const raised = load<u32>(H_PEAK_FRAMES) - peak;
  store<u32>(H_PEAK_FRAMES, peak);
  store<u32>(W_PEAK_HEADROOM, load<u32>(W_PEAK_HEADROOM) - raised);
  setLimits();
}

/** After any change of what is free, taken or the peak: both limits follow from them, and from whether caching is on. */
export function setLimits(): void {
  const limit: u32 = load<u32>(H_CACHE_LIMIT) == 0 ? 0 : cacheShare();
  store<u32>(H_CACHE_LIMIT, limit);
  const sum = limit + load<u32>(H_PEAK_FRAMES);
  const taken = load<u32>(H_TAKEN_FRAMES);
  store<u32>(W_HEADROOM_LIMIT, sum > taken ? sum - taken : 0);
}

/** May so many frames more be cached? */
// @ts-ignore: decorator
@inline
export function mayCache(frames: u32): bool {
  return cachedFrames() + frames <= load<u32>(H_CACHE_LIMIT);
}

// ---- filling and evicting ----------------------------------------------------------------------------------------------

/** Cache a block that was just taken and was never handed out. Its stack has room; the caller counts it. */
export function cacheFresh(stack: Stack, frame: Frame, frames: u32): void {
  const zone = cachedZone();
  const freed = withoutBlock(tagOrSentinelAt(zone, frame, frames)) != 0;
  addHead(zone, frame, frames);
  setTagOrSentinel(zone, frame, frames, cachedSentinel(stack) - u32(!freed));
  push(stack, frame);
}

/** A block that was just popped, and whose frames are back, is cached no longer. */
function dropCached(frame: Frame, count: u32): void {
  const zone = cachedZone();
  setTagOrSentinel(zone, frame, count, withoutBlock(tagOrSentinelAt(zone, frame, count)));
  removeHead(zone, frame, count);
  store<u32>(H_BLOCKS, load<u32>(H_BLOCKS) - 1);
  store<u32>(zone, load<u32>(zone, Z_FREE) + count, Z_FREE);
  store<u32>(H_TAKEN_FRAMES, load<u32>(H_TAKEN_FRAMES) - count);
}

/** Give the last cached block of a stack back. False when it is empty. */
function evictLast(stack: Stack): bool {
  const frame = pop(stack);
  if (frame == 0) return false;
  give(cachedZone(), frame, load<u32>(stack, S_FRAMES));
  dropCached(frame, load<u32>(stack, S_FRAMES));
  setLimits();
  return true;
}

/** While caching is off: give one cached block back. The stacks take turns, a few are looked at. */
export function evictOne(): void {
  if (load<u32>(H_CACHE_LIMIT) != 0 || cachedFrames() == 0) return;
  let number = load<u32>(H_EVICT_STACK);
  for (let looks = EVICT_LOOKS; looks != 0; --looks) {
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
  spill();
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
  store<u32>(H_CACHE_LIMIT, 1);
  setLimits();
}

// ---- asking ------------------------------------------------------------------------------------------------------------

/** Cached blocks. */
export function cachedBlocks(): u32 {
  let blocks: u32 = 0;
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    blocks += (load<u32>(stack, S_TOP) - (<u32>stack + S_NONE)) >> 2;
  }
  return blocks;
}

/**
 * Give the frames of all cached blocks back for a moment, so that a question about free frames is answered, or a request
 * tried, as if nothing were cached. `unspill` or `dropAllCached` must follow.
 */
export function spill(): void {
  if (cachedFrames() == 0) return;
  resort();
  const zone = cachedZone();
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    const frames = load<u32>(stack, S_FRAMES);
    step();
    for (let at = load<u32>(stack, S_TOP); at != <u32>stack + S_NONE; at -= 4) {
      step();
      give(zone, load<u32>(<usize>at), frames);
    }
  }
}

/** Take the same frames again. Free frames are described in one way only, so this undoes `spill` to the bit. */
export function unspill(): void {
  if (cachedFrames() == 0) return;
  const zone = cachedZone();
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    const frames = load<u32>(stack, S_FRAMES);
    step();
    for (let at = load<u32>(stack, S_TOP); at != <u32>stack + S_NONE; at -= 4) {
      step();
      takeRange(zone, load<u32>(<usize>at), frames);
    }
  }
}
