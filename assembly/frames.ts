/**
 * Free frames of one zone: take runs out, give runs back, keep the buddies merged.
 *
 *   one split group (u64, bit i = frame i of the group is free):
 *
 *     63        48        32        16         0
 *      1111111111111111 0000000011111111 ....      class 4: an aligned run of 16 is its longest
 *
 *   runs of whole groups, in the tree of their class:   [ 8 groups .......][ 2 ]. .[ 1 ]
 *
 * Exact placement. A request for n frames takes a run of a class that holds them, keeps the first n and gives the rest
 * back at once: 13 frames out of 16 leave a run of 1 and a run of 2 for others.
 *
 * Merging is eager and is hardly ever work: frames come back to a split group by an `or`, and only a word that became all
 * ones leaves for the runs, where a run meets its buddy (group ^ 2^k) class by class.
 *
 * Promise: what is free is described in exactly one way (rules bitmaps, classes, runs and buddies of verify.ts), so two zones with the same live blocks
 * have the same image whatever happened before. Nothing here loops further than the classes or the pieces of one run.
 *
 * From: Knuth's buddy system; the words are those of a bitmap allocator; the exact remainder is "alloc_pages_exact" of
 * Linux.
 */
import { GROUP_CLASS, GROUP_FRAMES, GROUP_SHIFT, Z_AVAILABLE, Z_END, Z_FIRST, Z_TOP_CLASS, Z_WHOLE_END, Z_WHOLE_FIRST, Z_FREE_BITMAPS } from "./layout";
import { classOf, floorOrder, lowBits, runsOf, alignedStarts } from "./bits";
import { add, addLeaf, has, lowest, next, remove, removeLeaf } from "./class-trees";
import { resort, step } from "./steps";

/** In place of the class of a word that has none. */
const NO_CLASS: u32 = 0xffffffff;

// @ts-ignore: decorator
@inline
export function freeBitmap(zone: usize, group: u32): u64 {
  return load<u64>(<usize>(load<u32>(zone, Z_FREE_BITMAPS) + (group << 3)));
}

// @ts-ignore: decorator
@inline
function setFreeBitmap(zone: usize, group: u32, word: u64): void {
  store<u64>(<usize>(load<u32>(zone, Z_FREE_BITMAPS) + (group << 3)), word);
}

/** Move a split group from the class of its old word to that of its new one; 0 (full) has none. */
function rewrite(zone: usize, group: u32, old: u64, word: u64): void {
  setFreeBitmap(zone, group, word);
  const from = old == 0 ? NO_CLASS : classOf(old);
  const to = word == 0 ? NO_CLASS : classOf(word);
  if (from == to) return;
  if (from != NO_CLASS) removeLeaf(zone, from, group);
  if (to != NO_CLASS) addLeaf(zone, to, group);
}

// ---- taking --------------------------------------------------------------------------------------------------------

/**
 * Take `count` frames from the run of class `cls` at `group`, its first frames, and give the rest of the run back.
 *
 * The rest goes back in aligned pieces without looking for buddies: the buddy of each piece lies before it in the same
 * run, and holds frames that were just taken.
 */
function takeFromRun(zone: usize, cls: u32, group: u32, count: u32): void {
  assert(count >= 1 && floorOrder(count) <= cls);
  remove(zone, cls, group);
  const end = group + (1 << (cls - GROUP_CLASS));
  const partial = count & (GROUP_FRAMES - 1);
  let rest = group + (count >> GROUP_SHIFT);
  if (partial != 0) {
    rewrite(zone, rest, 0, ~lowBits(partial));
    ++rest;
  }
  while (rest < end) {
    step();
    const order = <u32>ctz(rest);
    add(zone, GROUP_CLASS + order, rest);
    rest += 1 << order;
  }
}

/** Take `count` frames of a split group from bit `at` on. They are free and do not leave the group. */
function takeFromGroup(zone: usize, group: u32, word: u64, at: u32, count: u32): void {
  const taken = lowBits(count) << at;
  assert((word & taken) == taken && at + count <= GROUP_FRAMES);
  rewrite(zone, group, word, word & ~taken);
}

/**
 * Which bit of a split group of class `cls` to take `count` frames from, aligned to 2^order frames, order <= cls.
 *
 * Where the group has longer runs than asked for, a hole whose buddy is taken is preferred to breaking one of them.
 */
function placeIn(word: u64, cls: u32, count: u32, order: u32): u32 {
  const fits = runsOf(word, count) & alignedStarts(order);
  if (cls > order && order < 5) {
    const whole = runsOf(word, 2 << order) & alignedStarts(order + 1);
    const holes = fits & ~(whole | (whole << (1 << order)));
    if (holes != 0) return <u32>ctz(holes);
  }
  return <u32>ctz(fits);
}

/**
 * Take `count` frames at the lowest start aligned to 2^order frames that a class promises, ending at or below `limit`
 * (one past the last frame number allowed). `order` is at least that of `count`. Returns the first frame, or 0.
 *
 * Complete when count is 2^order and the limit does not cut the zone; otherwise a place may remain that only
 * `takeAnywhere` finds: 13 free frames at a start aligned to 16 whose other three are taken.
 */
export function takeFitting(zone: usize, count: u32, order: u32, limit: u32): u32 {
  let classes = load<u32>(zone, Z_AVAILABLE) & (<u32>-1 << order);
  while (classes != 0) {
    step();
    const cls = <u32>ctz(classes);
    const group = lowest(zone, cls);
    let frame = group << GROUP_SHIFT;
    if (cls < GROUP_CLASS) {
      const word = freeBitmap(zone, group);
      const at = placeIn(word, cls, count, order);
      frame += at;
      if (frame + count <= limit) {
        takeFromGroup(zone, group, word, at, count);
        return frame;
      }
    } else if (frame + count <= limit) {
      takeFromRun(zone, cls, group, count);
      return frame;
    }
    classes &= classes - 1;
  }
  return 0;
}

/**
 * Take four blocks of `count` frames each, the most that is 16, at four multiples of 2^order that follow each other. The
 * first frame of the first, or 0 when no class promises four. `order` is that of `count`.
 *
 * All four are one change of one word, whatever lies between them; which is why it is not done across groups.
 */
export function takeFour(zone: usize, count: u32, order: u32): u32 {
  assert(order <= 4);
  const classes = load<u32>(zone, Z_AVAILABLE) & (<u32>-1 << (order + 2));
  if (classes == 0) return 0;
  const cls = <u32>ctz(classes);
  const group = lowest(zone, cls);
  // Four starts, and `count` bits from each: they do not meet, so the product is their union.
  const bits = (order == 4 ? alignedStarts(order) : alignedStarts(order) & lowBits(4 << order)) * lowBits(count);
  if (cls < GROUP_CLASS) {
    const word = freeBitmap(zone, group);
    const at = placeIn(word, cls, 4 << order, order + 2);
    rewrite(zone, group, word, word & ~(bits << at));
    return (group << GROUP_SHIFT) + at;
  }
  takeFromRun(zone, cls, group, GROUP_FRAMES);
  if (~bits != 0) rewrite(zone, group, 0, ~bits);
  return group << GROUP_SHIFT;
}

/**
 * The last resort: look at every run that could hold the start. Same arguments and answer as `takeFitting`, which has
 * failed. Steps: at most the split groups and runs of groups of the zone, times the classes a range can touch.
 *
 * A free range that starts at a multiple of 2^order begins with an aligned run of 2^floorOrder(count) frames, and
 * because buddies are merged that run starts a member of some class at or above floorOrder(count): so the members of
 * those classes are all the places there are.
 */
export function takeAnywhere(zone: usize, count: u32, order: u32, limit: u32): u32 {
  const top = load<u32>(zone, Z_TOP_CLASS);
  resort();
  for (let cls = floorOrder(count); cls <= top; ++cls) {
    step();
    if ((load<u32>(zone, Z_AVAILABLE) & (1 << cls)) == 0) continue;
    let group = lowest(zone, cls);
    while (group != 0) {
      step();
      let frame = group << GROUP_SHIFT;
      if (frame + count > limit) break; // the members come in ascending order
      if (cls < GROUP_CLASS && order < GROUP_CLASS) {
        const fits = runsOf(freeBitmap(zone, group), count) & alignedStarts(order);
        if (fits != 0) {
          frame += <u32>ctz(fits);
          if (frame + count > limit) break;
          takeRange(zone, frame, count);
          return frame;
        }
      } else if ((frame & ((1 << order) - 1)) == 0 && freeFrom(zone, frame, count) == count) {
        takeRange(zone, frame, count);
        return frame;
      }
      group = next(zone, cls, group + 1);
    }
  }
  return 0;
}

/** The class of the run that starts at `group`, or 0 when none does. */
function runAt(zone: usize, group: u32): u32 {
  const top = load<u32>(zone, Z_TOP_CLASS);
  const highest = min(top, GROUP_CLASS + <u32>ctz(group));
  for (let cls = GROUP_CLASS; cls <= highest; ++cls) {
    step();
    if (has(zone, cls, group)) return cls;
  }
  return 0;
}

/** How many frames are free without a gap from `frame` on, at most `most`. `frame` starts a group that starts a run, or is in a split group. */
export function freeFrom(zone: usize, frame: u32, most: u32): u32 {
  const zoneEnd = load<u32>(zone, Z_END);
  let count: u32 = 0;
  while (count < most && frame + count < zoneEnd) {
    step();
    const at = frame + count;
    const group = at >> GROUP_SHIFT;
    const offset = at & (GROUP_FRAMES - 1);
    const word = freeBitmap(zone, group);
    if (word != 0) {
      const length = <u32>ctz(~(word >> offset)); // a split group has a 0 bit, and the shift brings more
      count += length;
      if (offset + length < GROUP_FRAMES) break;
    } else {
      const cls = offset == 0 ? runAt(zone, group) : 0;
      if (cls == 0) break; // the group is full
      count += 1 << cls;
    }
  }
  return min(count, most);
}

/** Take exactly these frames. All are free. */
export function takeRange(zone: usize, frame: u32, count: u32): void {
  while (count != 0) {
    step();
    const group = frame >> GROUP_SHIFT;
    const offset = frame & (GROUP_FRAMES - 1);
    const word = freeBitmap(zone, group);
    let taken: u32;
    if (word != 0) {
      taken = min(count, GROUP_FRAMES - offset);
      takeFromGroup(zone, group, word, offset, taken);
    } else {
      const cls = runAround(zone, group);
      const start = (group >> (cls - GROUP_CLASS)) << (cls - GROUP_CLASS);
      taken = min(count, (start << GROUP_SHIFT) + (1 << cls) - frame);
      takeFromRun(zone, cls, start, frame + taken - (start << GROUP_SHIFT));
      if (frame != start << GROUP_SHIFT) give(zone, start << GROUP_SHIFT, frame - (start << GROUP_SHIFT));
    }
    frame += taken;
    count -= taken;
  }
}

/** The class of the run that holds a whole free group. */
function runAround(zone: usize, group: u32): u32 {
  let cls: u32 = GROUP_CLASS;
  while (cls < load<u32>(zone, Z_TOP_CLASS) && !has(zone, cls, group)) {
    step();
    ++cls;
  }
  assert(has(zone, cls, group));
  return cls;
}

// ---- giving back ---------------------------------------------------------------------------------------------------

/** Give a run of 2^order whole groups back, and merge it with its buddy as long as that is free too. */
function giveRun(zone: usize, group: u32, order: u32): void {
  const first = load<u32>(zone, Z_WHOLE_FIRST);
  const end = load<u32>(zone, Z_WHOLE_END);
  const top = load<u32>(zone, Z_TOP_CLASS) - GROUP_CLASS;
  while (order < top) {
    step();
    const buddy = group ^ (1 << order);
    if (buddy < first || buddy + (1 << order) > end || !has(zone, GROUP_CLASS + order, buddy)) break;
    remove(zone, GROUP_CLASS + order, buddy);
    group &= ~(1 << order);
    ++order;
  }
  add(zone, GROUP_CLASS + order, group);
}

/** Give frames of one group back. They are not free and do not leave the group. */
function giveBits(zone: usize, group: u32, bits: u64): void {
  const old = freeBitmap(zone, group);
  assert((old & bits) == 0);
  const word = old | bits;
  if (word == u64.MAX_VALUE) {
    rewrite(zone, group, old, 0);
    giveRun(zone, group, 0);
  } else {
    rewrite(zone, group, old, word);
  }
}

/** Give `count` frames from `frame` on back to their zone. None of them is free. */
export function give(zone: usize, frame: u32, count: u32): void {
  assert(frame >= load<u32>(zone, Z_FIRST) && frame + count <= load<u32>(zone, Z_END) && count != 0);
  let group = frame >> GROUP_SHIFT;
  const offset = frame & (GROUP_FRAMES - 1);
  if (offset != 0 || count < GROUP_FRAMES) {
    const inGroup = min(count, GROUP_FRAMES - offset);
    giveBits(zone, group, (inGroup == GROUP_FRAMES ? u64.MAX_VALUE : lowBits(inGroup)) << offset);
    count -= inGroup;
    ++group;
  }
  const tail = count & (GROUP_FRAMES - 1);
  if (tail != 0) giveBits(zone, group + (count >> GROUP_SHIFT), lowBits(tail));
  let groups = count >> GROUP_SHIFT;
  while (groups != 0) {
    step();
    // The longest aligned run that starts here and fits: like the carries of a binary counter.
    const order = min(<u32>ctz(group), floorOrder(groups));
    giveRun(zone, group, order);
    group += 1 << order;
    groups -= 1 << order;
  }
}

// ---- asking --------------------------------------------------------------------------------------------------------

/**
 * The longest block that an unconstrained request could take now, in frames.
 *
 * A block longer than the longest class 2^c starts at a multiple of 2^(c+1), and begins with a member of class c: so only
 * the members of that class with such a start can do better than 2^c, by what is free behind them.
 */
export function longest(zone: usize): u32 {
  const available = load<u32>(zone, Z_AVAILABLE);
  if (available == 0) return 0;
  const cls = floorOrder(available);
  const run: u32 = 1 << cls;
  let best = run;
  let group = lowest(zone, cls);
  while (group != 0) {
    if (cls < GROUP_CLASS) {
      const word = freeBitmap(zone, group);
      let candidates = runsOf(word, run) & alignedStarts(cls + 1);
      while (candidates != 0) {
        const length = <u32>ctz(~(word >> ctz(candidates)));
        if (length > best) best = length;
        candidates &= candidates - 1;
      }
    } else if (((group >> (cls - GROUP_CLASS)) & 1) == 0) {
      const length = run + freeFrom(zone, (group << GROUP_SHIFT) + run, run);
      if (length > best) best = length;
    }
    group = next(zone, cls, group + 1);
  }
  return best;
}
