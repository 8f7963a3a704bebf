/**
 * Free frames of one zone: take stretches out, give them back, and keep them merged.
 *
 *   one split group (u64, bit i = frame i of the group is free):
 *
 *     63        48        32        16         0
 *      1111111111111111 0000000011111111 ....      class 4: an aligned stretch of 16 is its longest
 *
 *   a run of whole groups, and its lengths:    | 3 |   | 3 |
 *                                         ..full|whole whole whole|split..
 *
 * Taking. A request for up to 63 frames looks into the split groups, the smallest class that promises it first, and breaks a
 * whole group only when none does; there it takes a hole before it breaks a larger stretch. A larger one takes whole groups
 * of the smallest run that holds them; its last group becomes split, and the frames behind its end are free for others. So
 * 65 frames cost 65 frames.
 *
 * Giving back. Frames come back to a split group by an `or`. A group that became whole joins the runs on both sides of it:
 * the length of the one before stands at the group before, that of the one behind at the group behind. Two look-ups, no loop.
 *
 * Promises. What is free is described in exactly one way (rules bitmaps, classes, runs and merging of verify.ts), so two zones
 * with the same live blocks have the same image whatever happened before. Nothing here loops further than the levels of a
 * tree and a few looks, except what is called a last resort.
 *
 * From: the bitmaps are those of a bitmap allocator, boundary tags at both ends of a run are Knuth's, and "alloc_pages_exact"
 * of Linux gives the tail back.
 */
import {
  BITMAP_SHIFT, CLASS_LIMIT, GROUP_CLASS, GROUP_FRAMES, GROUP_SHIFT, RUN_SHIFT, Z_AVAILABLE, Z_END, Z_FIRST, Z_FREE_BITMAPS, Z_RUN_LENGTHS, Z_WHOLE_END, Z_WHOLE_FIRST,
} from "./layout";
import { alignedStarts, classOf, floorOrder, lowBits, naturalOrder, orderOf, runClass, runsOf, sureClass } from "./bits";
import { addSplit, addToClass, lowest, next, previous, removeFromClass, removeSplit } from "./class-trees";
import { resort, step } from "./steps";
import { Class, Frame, Group, Order, Zone } from "./units";

/** In place of the class of a bitmap that has none. */
const NO_CLASS: Class = 0xffffffff;
/**
 * How many groups of the class below are looked at, where some of them may hold a request that is no power of two. Four
 * and eight are those of the experiment that this structure comes from; other numbers were not measured.
 */
const SPLIT_LOOKS: u32 = 4;
/** The same for runs of a length between two classes. */
const RUN_LOOKS: u32 = 8;

export const NO_LIMIT: Frame = 0xffffffff;

// @ts-ignore: decorator
@inline
export function freeBitmap(zone: Zone, group: Group): u64 {
  return load<u64>(<usize>(load<u32>(zone, Z_FREE_BITMAPS) + (group << BITMAP_SHIFT)));
}

// @ts-ignore: decorator
@inline
export function setFreeBitmap(zone: Zone, group: Group, bitmap: u64): void {
  store<u64>(<usize>(load<u32>(zone, Z_FREE_BITMAPS) + (group << BITMAP_SHIFT)), bitmap);
}

/** The length of the run that starts or ends at a group; 0 where none does. */
// @ts-ignore: decorator
@inline
export function runLength(zone: Zone, group: Group): u32 {
  return load<u32>(<usize>(load<u32>(zone, Z_RUN_LENGTHS) + (group << RUN_SHIFT)));
}

// @ts-ignore: decorator
@inline
function setRunLength(zone: Zone, group: Group, groups: u32): void {
  store<u32>(<usize>(load<u32>(zone, Z_RUN_LENGTHS) + (group << RUN_SHIFT)), groups);
}

/** Replace the bitmap of a split or full group, and move the group to the class of the new one. */
export function rewrite(zone: Zone, group: Group, old: u64, bitmap: u64): void {
  assert(bitmap != u64.MAX_VALUE);
  setFreeBitmap(zone, group, bitmap);
  const from = old == 0 ? NO_CLASS : classOf(old);
  const to = bitmap == 0 ? NO_CLASS : classOf(bitmap);
  if (from == to) return;
  if (from != NO_CLASS) removeSplit(zone, from, group);
  if (to != NO_CLASS) addSplit(zone, to, group);
}

/** Whole groups become a run. None of its neighbours is one. */
export function addRun(zone: Zone, group: Group, groups: u32): void {
  assert(groups != 0 && runLength(zone, group - 1) == 0 && runLength(zone, group + groups) == 0);
  setRunLength(zone, group, groups);
  setRunLength(zone, group + groups - 1, groups);
  addToClass(zone, group, groups);
}

/** A run is one no longer. */
function removeRun(zone: Zone, group: Group, groups: u32): void {
  assert(runLength(zone, group) == groups && runLength(zone, group + groups - 1) == groups);
  setRunLength(zone, group, 0);
  setRunLength(zone, group + groups - 1, 0);
  removeFromClass(zone, group, groups);
}

// ---- taking: up to 63 frames -----------------------------------------------------------------------------------------

/**
 * Which bit of a bitmap to take `count` frames from, at a multiple of 2^order. There is such a place.
 *
 * A place whose buddy is taken goes before one that breaks a larger stretch; of a count that is no power of two, a place
 * right behind something taken goes before one that leaves a gap.
 */
function placeIn(bitmap: u64, count: u32, order: Order): u32 {
  const fits = runsOf(bitmap, count) & alignedStarts(order);
  assert(fits != 0);
  let better: u64;
  if (count == 1 << order && order < 5) {
    const larger = runsOf(bitmap, 2 << order) & alignedStarts(order + 1);
    better = fits & ~(larger | (larger << (1 << order)));
  } else better = fits & ~(bitmap << 1);
  return <u32>ctz(better != 0 ? better : fits);
}

/** The lowest of the first few groups of a class that has a place after all; 0 where none has. */
function lookInto(zone: Zone, cls: Class, count: u32, order: Order): Group {
  const starts = alignedStarts(order);
  let group = lowest(zone, cls);
  for (let looks: u32 = SPLIT_LOOKS; group != 0; ) {
    step();
    if ((runsOf(freeBitmap(zone, group), count) & starts) != 0) return group;
    if (--looks == 0) return 0;
    group = next(zone, cls, group + 1);
  }
  return 0;
}

/** The group that fits `count` frames best, 1 to 63, at a multiple of 2^order, order at most 5; 0 where no class promises one. */
function chooseGroup(zone: Zone, count: u32, order: Order): Group {
  const available = load<u64>(zone, Z_AVAILABLE);
  const sure = max(orderOf(count), order);
  if (count != 1 << sure) {
    const below = floorOrder(count);
    if (((available >> below) & 1) != 0) {
      const group = lookInto(zone, below, count, order);
      if (group != 0) return group;
    }
  }
  const classes = available >> sure;
  return classes == 0 ? 0 : lowest(zone, sure + <u32>ctz(classes));
}

/** The group that fits `count` frames best, 1 to 63; 0 where no class promises one. */
export function bestGroup(zone: Zone, count: u32): Group {
  return chooseGroup(zone, count, naturalOrder(count));
}

/**
 * Take up to `most` blocks of `count` frames out of the group that `bestGroup` found, by one change of its bitmap: the first
 * from the place that `takeSmall` would take, the others as long as there is room. Returns the bits of their starts.
 */
export function takeBatch(zone: Zone, group: Group, count: u32, most: u32): u64 {
  const order = naturalOrder(count);
  const old = openGroup(zone, group);
  let bitmap = old == 0 ? u64.MAX_VALUE : old;
  let starts: u64 = 0;
  for (;;) {
    step();
    const at = placeIn(bitmap, count, order);
    bitmap &= ~(lowBits(count) << at);
    starts |= (<u64>1) << at;
    if (--most == 0 || (runsOf(bitmap, count) & alignedStarts(order)) == 0) break;
  }
  rewrite(zone, group, old, bitmap);
  return starts;
}

/** Make the first group of a run ready to be split; of a split group, nothing. Its bitmap as it stands: 0 for a whole one. */
// @ts-ignore: decorator
@inline
function openGroup(zone: Zone, group: Group): u64 {
  const bitmap = freeBitmap(zone, group);
  if (bitmap != 0) return bitmap;
  const groups = runLength(zone, group);
  removeRun(zone, group, groups);
  if (groups != 1) addRun(zone, group + 1, groups - 1);
  return 0;
}

/** Take `count` frames, 1 to 63, where they fit best. The first frame, or 0 where no class promises a place. */
export function takeSmall(zone: Zone, count: u32): Frame {
  const order = naturalOrder(count);
  const group = chooseGroup(zone, count, order);
  return group == 0 ? 0 : takeInGroup(zone, group, count, order);
}

/** Take `count` frames, 1 to 63, in a group that has a place. */
function takeInGroup(zone: Zone, group: Group, count: u32, order: Order): Frame {
  const old = openGroup(zone, group);
  const bitmap = old == 0 ? u64.MAX_VALUE : old;
  const at = placeIn(bitmap, count, order);
  rewrite(zone, group, old, bitmap & ~(lowBits(count) << at));
  return (group << GROUP_SHIFT) + at;
}

// ---- taking: 64 frames and more --------------------------------------------------------------------------------------

/** How many whole groups hold `count` frames. */
// @ts-ignore: decorator
@inline
export function groupsFor(count: u32): u32 {
  return (count + GROUP_FRAMES - 1) >> GROUP_SHIFT;
}

/** The run that fits `groups` groups best; 0 where no class promises one. */
export function chooseRun(zone: Zone, groups: u32): Group {
  const available = load<u64>(zone, Z_AVAILABLE);
  const own = runClass(groups);
  const sure = sureClass(groups);
  if (own != sure && ((available >> own) & 1) != 0) {
    let group = lowest(zone, own);
    for (let looks: u32 = RUN_LOOKS; group != 0; ) {
      step();
      if (runLength(zone, group) >= groups) return group;
      if (--looks == 0) break;
      group = next(zone, own, group + 1);
    }
  }
  if (sure == CLASS_LIMIT) return 0;
  const classes = available >> sure;
  return classes == 0 ? 0 : lowest(zone, sure + <u32>ctz(classes));
}

/**
 * Take `count` frames, 64 and more, of the run at a group, whose length is enough: from a multiple of the power of two that
 * divides the number of groups if that fits, else from its start. Always from its start was tried: at 98 % occupancy twice as
 * many requests failed.
 */
export function takeOfRun(zone: Zone, group: Group, count: u32): Frame {
  const length = runLength(zone, group);
  const groups = groupsFor(count);
  const alignment = groups & -groups;
  let start = (group + alignment - 1) & -alignment;
  if (start + groups > group + length) start = group;
  takeSpan(zone, group, length, start, count);
  return start << GROUP_SHIFT;
}

/**
 * Take `count` frames from the group `start` on, which lies in the run of `length` groups at `group`. Where the run is too
 * short by less than a group, the frames that are missing are the first of the split group behind it.
 */
function takeSpan(zone: Zone, group: Group, length: u32, start: Group, count: u32): void {
  const end = start + groupsFor(count);
  const runEnd = group + length;
  const tail = count & (GROUP_FRAMES - 1);
  removeRun(zone, group, length);
  if (start != group) addRun(zone, group, start - group);
  if (end < runEnd) addRun(zone, end, runEnd - end);
  if (tail == 0) return;
  const last = end - 1;
  const old = freeBitmap(zone, last);
  const bitmap = last < runEnd ? u64.MAX_VALUE : old;
  assert((bitmap & lowBits(tail)) == lowBits(tail));
  rewrite(zone, last, old, bitmap & ~lowBits(tail));
}

/** Take `count` frames where they fit best, at their natural alignment. The first frame, or 0 where no class promises a place. */
export function takeFitting(zone: Zone, count: u32): Frame {
  if (count < GROUP_FRAMES) return takeSmall(zone, count);
  const group = chooseRun(zone, groupsFor(count));
  return group == 0 ? 0 : takeOfRun(zone, group, count);
}

// ---- the last resort ---------------------------------------------------------------------------------------------------

/**
 * Take `count` frames at a multiple of 2^order and of their natural alignment, ending at or below `limit`, wherever there is
 * such a place: every group and every run that could hold one is looked at, the lowest of each class first. Returns the first frame,
 * or 0 when there is none. Steps: at most the split groups and runs of the zone, each with a search of its tree.
 */
export function takeAnywhere(zone: Zone, count: u32, order: Order, limit: Frame): Frame {
  resort();
  if (count >= GROUP_FRAMES) return takeInAnyRun(zone, count, order, limit);
  if (order >= GROUP_CLASS) {
    const frame = takeAtGroupStart(zone, count, order, limit);
    return frame != 0 ? frame : takeInAnyRun(zone, count, order, limit);
  }
  const aligned = max(order, naturalOrder(count));
  const sure = max(orderOf(count), aligned);
  // A stretch of n frames, wherever it starts, holds an aligned one of 2^(floorOrder(n) - 1): no class below that has a place.
  const least = floorOrder(count);
  let frame = takeInClasses(zone, sure, GROUP_CLASS, count, aligned, limit);
  if (frame == 0) frame = takeInAnyRun(zone, count, order, limit);
  if (frame == 0) frame = takeInClasses(zone, least == 0 ? 0 : least - 1, sure, count, aligned, limit);
  return frame;
}

/** In a split group of the classes from `from` to below `to`. */
function takeInClasses(zone: Zone, from: Class, to: Class, count: u32, order: Order, limit: Frame): Frame {
  const starts = alignedStarts(order);
  for (let cls = from; cls < to; ++cls) {
    step();
    if (((load<u64>(zone, Z_AVAILABLE) >> cls) & 1) == 0) continue;
    for (let group = lowest(zone, cls); group != 0; group = next(zone, cls, group + 1)) {
      step();
      const bitmap = freeBitmap(zone, group);
      const fits = runsOf(bitmap, count) & starts;
      if (fits == 0) continue;
      // The best place may lie beyond the limit where the lowest does not.
      let at = placeIn(bitmap, count, order);
      if ((group << GROUP_SHIFT) + at + count > limit) at = <u32>ctz(fits);
      const frame = (group << GROUP_SHIFT) + at;
      if (frame + count > limit) break; // the members come in ascending order
      rewrite(zone, group, bitmap, bitmap & ~(lowBits(count) << at));
      return frame;
    }
  }
  return 0;
}

/** At the first frame of a split group whose number is a multiple of 2^order frames. */
function takeAtGroupStart(zone: Zone, count: u32, order: Order, limit: Frame): Frame {
  const mask = (1 << (order - GROUP_SHIFT)) - 1;
  const wanted = lowBits(count);
  for (let cls: Class = floorOrder(count); cls < GROUP_CLASS; ++cls) {
    step();
    if (((load<u64>(zone, Z_AVAILABLE) >> cls) & 1) == 0) continue;
    for (let group = lowest(zone, cls); group != 0; group = next(zone, cls, group + 1)) {
      step();
      if ((group << GROUP_SHIFT) + count > limit) break;
      const bitmap = freeBitmap(zone, group);
      if ((group & mask) != 0 || (bitmap & wanted) != wanted) continue;
      rewrite(zone, group, bitmap, bitmap & ~wanted);
      return group << GROUP_SHIFT;
    }
  }
  return 0;
}

/** At a group of a run, the first whose number is a multiple of 2^order frames; with what is free behind the run. */
function takeInAnyRun(zone: Zone, count: u32, order: Order, limit: Frame): Frame {
  const alignment: u32 = order > GROUP_SHIFT ? 1 << (order - GROUP_SHIFT) : 1;
  const least = max<u32>(count >> GROUP_SHIFT, 1);
  for (let cls = runClass(least); cls < CLASS_LIMIT; ++cls) {
    const found = runInClass(zone, cls, count, alignment, limit);
    if (found != 0) return found;
  }
  return 0;
}

function runInClass(zone: Zone, cls: Class, count: u32, alignment: u32, limit: Frame): Frame {
  step();
  if (((load<u64>(zone, Z_AVAILABLE) >> cls) & 1) == 0) return 0;
  for (let group = lowest(zone, cls); group != 0; group = next(zone, cls, group + 1)) {
    step();
    const length = runLength(zone, group);
    const start = (group + alignment - 1) & -alignment;
    if ((start << GROUP_SHIFT) + count > limit || start < group) return 0; // the members come in ascending order
    if (start >= group + length) continue;
    const whole = (group + length - start) << GROUP_SHIFT;
    if (whole + prefix(zone, group + length) < count) continue;
    takeSpan(zone, group, length, start, count);
    return start << GROUP_SHIFT;
  }
  return 0;
}

/** How many frames are free from the start of a group that is in no run; 0 behind the zone's end. */
// @ts-ignore: decorator
@inline
function prefix(zone: Zone, group: Group): u32 {
  if (group << GROUP_SHIFT >= load<u32>(zone, Z_END)) return 0;
  return <u32>ctz(~freeBitmap(zone, group));
}

/** Take exactly these frames, which a block held: inside one group, or from the start of one on. All are free. */
export function takeRange(zone: Zone, frame: Frame, count: u32): void {
  const group = frame >> GROUP_SHIFT;
  if (count >= GROUP_FRAMES) {
    const groups = count >> GROUP_SHIFT;
    const first = runAround(zone, group);
    takeSpan(zone, first, runLength(zone, first), group, groups << GROUP_SHIFT);
    const tail = count & (GROUP_FRAMES - 1);
    if (tail != 0) takeBits(zone, group + groups, lowBits(tail));
  } else takeBits(zone, group, lowBits(count) << frame);
}

/** Take frames of one group, split or whole. */
function takeBits(zone: Zone, group: Group, bits: u64): void {
  let old = freeBitmap(zone, group);
  let bitmap = old;
  if (old == 0) {
    const first = runAround(zone, group);
    takeSpan(zone, first, runLength(zone, first), group, GROUP_FRAMES);
    bitmap = u64.MAX_VALUE;
  }
  assert((bitmap & bits) == bits);
  rewrite(zone, group, old, bitmap & ~bits);
}

/** The first group of the run that holds a whole group: of all runs, the last that starts at or below it. */
function runAround(zone: Zone, group: Group): Group {
  let first: Group = 0;
  for (let classes = load<u64>(zone, Z_AVAILABLE) >> GROUP_CLASS, cls: Class = GROUP_CLASS; classes != 0; classes >>= 1, ++cls) {
    step();
    if ((classes & 1) != 0) first = max(first, previous(zone, cls, group));
  }
  assert(first != 0 && group - first < runLength(zone, first));
  return first;
}

// ---- giving back -------------------------------------------------------------------------------------------------------

/** Give whole groups back, and merge them with the runs on both sides. */
function giveGroups(zone: Zone, group: Group, groups: u32): void {
  assert(group >= load<u32>(zone, Z_WHOLE_FIRST) && group + groups <= load<u32>(zone, Z_WHOLE_END));
  const before = runLength(zone, group - 1);
  const behind = runLength(zone, group + groups);
  if (before != 0) {
    group -= before;
    removeRun(zone, group, before);
    groups += before;
  }
  if (behind != 0) {
    removeRun(zone, group + groups, behind);
    groups += behind;
  }
  addRun(zone, group, groups);
}

/** Give frames of one group back. They are not free. */
function giveBits(zone: Zone, group: Group, bits: u64): void {
  const old = freeBitmap(zone, group);
  assert((old & bits) == 0);
  const bitmap = old | bits;
  if (bitmap == u64.MAX_VALUE) {
    rewrite(zone, group, old, 0);
    giveGroups(zone, group, 1);
  } else {
    rewrite(zone, group, old, bitmap);
  }
}

/** Give the `count` frames of a block back: inside one group, or from the start of one on. None of them is free. */
export function give(zone: Zone, frame: Frame, count: u32): void {
  assert(frame >= load<u32>(zone, Z_FIRST) && frame + count <= load<u32>(zone, Z_END) && count != 0);
  const group = frame >> GROUP_SHIFT;
  if (count < GROUP_FRAMES) {
    giveBits(zone, group, lowBits(count) << frame);
    return;
  }
  const groups = count >> GROUP_SHIFT;
  const tail = count & (GROUP_FRAMES - 1);
  if (tail != 0) giveBits(zone, group + groups, lowBits(tail));
  giveGroups(zone, group, groups);
}

// ---- asking ------------------------------------------------------------------------------------------------------------

/** The longest block that an unconstrained request could take now, in frames. */
export function longest(zone: Zone): u32 {
  const available = load<u64>(zone, Z_AVAILABLE);
  if (available == 0) return 0;
  const top: Class = 63 - <u32>clz(available);
  if (top >= GROUP_CLASS) return longestRun(zone, top);
  // Of two groups of classes c and c - 1 either may have the longer stretch; one of class c - 2 has a shorter one than 2^c.
  let best: u32 = 0;
  for (let cls: Class = top == 0 ? 0 : top - 1; cls <= top; ++cls) {
    if (((available >> cls) & 1) == 0) continue;
    for (let group = lowest(zone, cls); group != 0; group = next(zone, cls, group + 1)) best = max(best, longestIn(freeBitmap(zone, group)));
  }
  return best;
}

/** The longest of a class of runs, and what is free behind it, which is less than a group. */
function longestRun(zone: Zone, cls: Class): u32 {
  let best: u32 = 0;
  for (let group = lowest(zone, cls); group != 0; group = next(zone, cls, group + 1)) {
    const length = runLength(zone, group);
    best = max(best, (length << GROUP_SHIFT) + prefix(zone, group + length));
  }
  return best;
}

/** The most frames of a bitmap that a block could take: a stretch of even length may lie where only one less is aligned. */
function longestIn(bitmap: u64): u32 {
  let best: u32 = 0;
  while (bitmap != 0) {
    const at = <u32>ctz(bitmap);
    const length = <u32>ctz(~(bitmap >> at));
    const natural = naturalOrder(length);
    best = max(best, (at & ((1 << natural) - 1)) == 0 ? length : length - 1);
    bitmap &= length == 64 ? 0 : ~(lowBits(length) << at);
  }
  return best;
}
