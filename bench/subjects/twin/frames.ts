/**
 * Free frames: assembly/frames.ts and assembly/heads.ts in plain TypeScript, for one zone. The same decisions in the same
 * order; what differs is that a group's bitmap is two numbers, and that groups count from 0.
 */
import {
  classOf,
  ctz,
  floorOrder,
  hi,
  lowBits,
  naturalOrder,
  orderOf,
  runClass,
  runsOf,
  STARTS_HIGH,
  STARTS_LOW,
  shiftLeft,
  sureClass,
} from "./bits.js";
import { BLOCK_TREE, Trees } from "./trees.js";

export const GROUP_SHIFT = 6;
export const GROUP_FRAMES = 64;
const GROUP_CLASS = 6;
const CLASS_LIMIT = 64;
const SPLIT_LOOKS = 4;
const RUN_LOOKS = 8;

export class Frames {
  readonly #frames: number;
  /** Two words a group, the lower half first. */
  readonly #bitmaps: Int32Array;
  /** Where blocks of fewer than 64 frames start, the same way. */
  readonly #heads: Int32Array;
  /** The length of the run that starts or ends at a group, one entry behind the group's number. */
  readonly #runs: Int32Array;
  readonly #trees: Trees;
  /** First frames of what `takeBatch` took. */
  readonly batch: Int32Array = new Int32Array(4);

  constructor(frames: number) {
    const groups = Math.ceil(frames / GROUP_FRAMES);
    const whole = frames >> GROUP_SHIFT;
    this.#frames = frames;
    this.#bitmaps = new Int32Array(2 * groups);
    this.#heads = new Int32Array(2 * groups);
    this.#runs = new Int32Array(groups + 2);
    this.#trees = new Trees(groups);
    if (whole > 0) this.#addRun(0, whole);
    if (whole < groups) this.#rewrite(whole, 0, 0, lowBits(frames & (GROUP_FRAMES - 1)), hi);
  }

  /** Free frames in classes as large as an order, and larger. */
  framesFrom(order: number): number {
    let frames = 0;
    const least = order < GROUP_SHIFT ? order : runClass(1 << (order - GROUP_SHIFT));
    for (let cls = this.#trees.classFrom(least); cls < CLASS_LIMIT; cls = this.#trees.classFrom(cls + 1))
      frames += this.#trees.promised[cls] as number;
    return frames;
  }

  // ---- heads -------------------------------------------------------------------------------------------------------

  addHead(frame: number, count: number): void {
    if (count < GROUP_FRAMES) {
      const at = frame >> 5;
      this.#heads[at] = (this.#heads[at] as number) | (1 << (frame & 31));
    } else this.#trees.addLeaf(BLOCK_TREE, frame >> GROUP_SHIFT);
  }

  removeHead(frame: number, count: number): void {
    if (count < GROUP_FRAMES) {
      const at = frame >> 5;
      this.#heads[at] = (this.#heads[at] as number) & ~(1 << (frame & 31));
    } else this.#trees.removeLeaf(BLOCK_TREE, frame >> GROUP_SHIFT);
  }

  // ---- groups and runs ---------------------------------------------------------------------------------------------

  #rewrite(group: number, oldLow: number, oldHigh: number, low: number, high: number): void {
    const trees = this.#trees;
    this.#bitmaps[2 * group] = low;
    this.#bitmaps[2 * group + 1] = high;
    const from = (oldLow | oldHigh) === 0 ? -1 : classOf(oldLow, oldHigh);
    const to = (low | high) === 0 ? -1 : classOf(low, high);
    if (from === to) return;
    if (from >= 0) trees.remove(from, group, 1 << from);
    if (to >= 0) trees.add(to, group, 1 << to);
  }

  #addRun(group: number, groups: number): void {
    this.#runs[group + 1] = groups;
    this.#runs[group + groups] = groups;
    this.#trees.add(runClass(groups), group, groups << GROUP_SHIFT);
  }

  #removeRun(group: number, groups: number): void {
    this.#runs[group + 1] = 0;
    this.#runs[group + groups] = 0;
    this.#trees.remove(runClass(groups), group, groups << GROUP_SHIFT);
  }

  /** The length of the run that starts at a group. */
  runLength(group: number): number {
    return this.#runs[group + 1] as number;
  }

  // ---- taking: up to 63 frames -------------------------------------------------------------------------------------

  /** Which bit of a bitmap to take `count` frames from, at a multiple of 2^order; -1 where there is no such place. */
  #placeIn(low: number, high: number, count: number, order: number): number {
    const fitsLow = runsOf(low, high, count) & (STARTS_LOW[order] as number);
    const fitsHigh = hi & (STARTS_HIGH[order] as number);
    if ((fitsLow | fitsHigh) === 0) return -1;
    let betterLow: number;
    let betterHigh: number;
    if (count === 1 << order && order < 5) {
      const largerLow = runsOf(low, high, 2 << order) & (STARTS_LOW[order + 1] as number);
      const largerHigh = hi & (STARTS_HIGH[order + 1] as number);
      const buddyLow = shiftLeft(largerLow, largerHigh, 1 << order);
      betterLow = fitsLow & ~(largerLow | buddyLow);
      betterHigh = fitsHigh & ~(largerHigh | hi);
    } else {
      const behindLow = shiftLeft(low, high, 1);
      betterLow = fitsLow & ~behindLow;
      betterHigh = fitsHigh & ~hi;
    }
    if (betterLow !== 0) return ctz(betterLow);
    if (betterHigh !== 0) return 32 + ctz(betterHigh);
    return fitsLow !== 0 ? ctz(fitsLow) : 32 + ctz(fitsHigh);
  }

  #hasPlace(group: number, count: number, order: number): boolean {
    const low = runsOf(this.#bitmaps[2 * group] as number, this.#bitmaps[2 * group + 1] as number, count);
    return ((low & (STARTS_LOW[order] as number)) | (hi & (STARTS_HIGH[order] as number))) !== 0;
  }

  #chooseGroup(count: number, order: number): number {
    const trees = this.#trees;
    const sure = Math.max(orderOf(count), order);
    if (count !== 1 << sure) {
      const below = floorOrder(count);
      if (trees.isAvailable(below)) {
        let group = trees.lowest(below);
        for (let looks = SPLIT_LOOKS; group >= 0; ) {
          if (this.#hasPlace(group, count, order)) return group;
          looks -= 1;
          if (looks === 0) break;
          group = trees.next(below, group + 1);
        }
      }
    }
    const cls = trees.classFrom(sure);
    return cls === CLASS_LIMIT ? -1 : trees.lowest(cls);
  }

  /** Make the first group of a run ready to be split. Is it a whole one? */
  #openGroup(group: number): boolean {
    if (((this.#bitmaps[2 * group] as number) | (this.#bitmaps[2 * group + 1] as number)) !== 0) return false;
    const groups = this.runLength(group);
    this.#removeRun(group, groups);
    if (groups !== 1) this.#addRun(group + 1, groups - 1);
    return true;
  }

  /** Up to `most` blocks of one group: how many; their first frames are in `batch`, ascending. 0 where no class promises one. */
  takeBatch(count: number, most: number): number {
    const order = naturalOrder(count);
    const group = this.#chooseGroup(count, order);
    if (group < 0) return 0;
    const isWhole = this.#openGroup(group);
    const oldLow = this.#bitmaps[2 * group] as number;
    const oldHigh = this.#bitmaps[2 * group + 1] as number;
    let low = isWhole ? -1 : oldLow;
    let high = isWhole ? -1 : oldHigh;
    let taken = 0;
    while (taken < most) {
      const at = this.#placeIn(low, high, count, order);
      if (at < 0) break;
      const bits = lowBits(count);
      low &= ~shiftLeft(bits, hi, at);
      high &= ~hi;
      this.#insert((group << GROUP_SHIFT) + at, taken);
      taken += 1;
    }
    this.#rewrite(group, oldLow, oldHigh, low, high);
    return taken;
  }

  /** Put a frame among the first `length` of `batch`, which ascend. */
  #insert(frame: number, length: number): void {
    const { batch } = this;
    let at = length;
    for (; at > 0 && (batch[at - 1] as number) > frame; at -= 1) batch[at] = batch[at - 1] as number;
    batch[at] = frame;
  }

  #takeSmall(count: number): number {
    return this.takeBatch(count, 1) === 0 ? -1 : (this.batch[0] as number);
  }

  // ---- taking: 64 frames and more ----------------------------------------------------------------------------------

  /** The run that fits `groups` groups best, or -1. */
  chooseRun(groups: number): number {
    const trees = this.#trees;
    const own = runClass(groups);
    const sure = sureClass(groups);
    if (own !== sure && trees.isAvailable(own)) {
      let group = trees.lowest(own);
      for (let looks = RUN_LOOKS; group >= 0; ) {
        if (this.runLength(group) >= groups) return group;
        looks -= 1;
        if (looks === 0) break;
        group = trees.next(own, group + 1);
      }
    }
    const cls = trees.classFrom(sure);
    return cls === CLASS_LIMIT ? -1 : trees.lowest(cls);
  }

  /** Take `count` frames of the run at a group, whose length is enough. The first frame. */
  takeOfRun(group: number, count: number): number {
    const length = this.runLength(group);
    const groups = (count + GROUP_FRAMES - 1) >> GROUP_SHIFT;
    const alignment = groups & -groups;
    let start = (group + alignment - 1) & -alignment;
    if (start + groups > group + length) start = group;
    this.#takeSpan(group, length, start, count);
    return start << GROUP_SHIFT;
  }

  #takeSpan(group: number, length: number, start: number, count: number): void {
    const end = start + ((count + GROUP_FRAMES - 1) >> GROUP_SHIFT);
    const runEnd = group + length;
    const tail = count & (GROUP_FRAMES - 1);
    this.#removeRun(group, length);
    if (start !== group) this.#addRun(group, start - group);
    if (end < runEnd) this.#addRun(end, runEnd - end);
    if (tail === 0) return;
    const last = end - 1;
    const isWhole = last < runEnd;
    const oldLow = this.#bitmaps[2 * last] as number;
    const oldHigh = this.#bitmaps[2 * last + 1] as number;
    const bits = lowBits(tail);
    this.#rewrite(last, oldLow, oldHigh, (isWhole ? -1 : oldLow) & ~bits, (isWhole ? -1 : oldHigh) & ~hi);
  }

  /** The first of `count` frames, or -1. */
  take(count: number): number {
    let frame: number;
    if (count < GROUP_FRAMES) frame = this.#takeSmall(count);
    else {
      const group = this.chooseRun((count + GROUP_FRAMES - 1) >> GROUP_SHIFT);
      frame = group < 0 ? -1 : this.takeOfRun(group, count);
    }
    if (frame >= 0 || (count <= GROUP_FRAMES && (count & (count - 1)) === 0)) return frame;
    return this.#takeAnywhere(count);
  }

  // ---- the last resort -----------------------------------------------------------------------------------------------

  #takeAnywhere(count: number): number {
    if (count >= GROUP_FRAMES) return this.#takeInAnyRun(count);
    const sure = Math.max(orderOf(count), naturalOrder(count));
    const least = floorOrder(count);
    let frame = this.#takeInClasses(sure, GROUP_CLASS, count);
    if (frame < 0) frame = this.#takeInAnyRun(count);
    if (frame < 0) frame = this.#takeInClasses(Math.max(0, least - 1), sure, count);
    return frame;
  }

  #takeInClasses(from: number, to: number, count: number): number {
    const trees = this.#trees;
    const order = naturalOrder(count);
    for (let cls = from; cls < to; cls += 1) {
      if (!trees.isAvailable(cls)) continue;
      for (let group = trees.lowest(cls); group >= 0; group = trees.next(cls, group + 1)) {
        const low = this.#bitmaps[2 * group] as number;
        const high = this.#bitmaps[2 * group + 1] as number;
        const at = this.#placeIn(low, high, count, order);
        if (at < 0) continue;
        const bits = lowBits(count);
        const takenLow = shiftLeft(bits, hi, at);
        this.#rewrite(group, low, high, low & ~takenLow, high & ~hi);
        return (group << GROUP_SHIFT) + at;
      }
    }
    return -1;
  }

  #takeInAnyRun(count: number): number {
    const trees = this.#trees;
    const least = Math.max(count >> GROUP_SHIFT, 1);
    for (let cls = trees.classFrom(runClass(least)); cls < CLASS_LIMIT; cls = trees.classFrom(cls + 1)) {
      for (let group = trees.lowest(cls); group >= 0; group = trees.next(cls, group + 1)) {
        if ((group << GROUP_SHIFT) + count > this.#frames) break;
        const length = this.runLength(group);
        if ((length << GROUP_SHIFT) + this.#prefix(group + length) < count) continue;
        this.#takeSpan(group, length, group, count);
        return group << GROUP_SHIFT;
      }
    }
    return -1;
  }

  /** How many frames are free from the start of a group that is in no run. */
  #prefix(group: number): number {
    if (group << GROUP_SHIFT >= this.#frames) return 0;
    const low = this.#bitmaps[2 * group] as number;
    return low === -1 ? 32 + ctz(~(this.#bitmaps[2 * group + 1] as number)) : ctz(~low);
  }

  /** Take exactly these frames, which a block held. All are free. */
  takeRange(frame: number, count: number): void {
    const group = frame >> GROUP_SHIFT;
    if (count >= GROUP_FRAMES) {
      const groups = count >> GROUP_SHIFT;
      const first = this.#runAround(group);
      this.#takeSpan(first, this.runLength(first), group, groups << GROUP_SHIFT);
      const tail = count & (GROUP_FRAMES - 1);
      if (tail !== 0) this.#takeBits(group + groups, lowBits(tail), hi);
    } else {
      const bits = lowBits(count);
      const low = shiftLeft(bits, hi, frame & (GROUP_FRAMES - 1));
      this.#takeBits(group, low, hi);
    }
  }

  #takeBits(group: number, low: number, high: number): void {
    const oldLow = this.#bitmaps[2 * group] as number;
    const oldHigh = this.#bitmaps[2 * group + 1] as number;
    const isWhole = (oldLow | oldHigh) === 0;
    if (isWhole) {
      const first = this.#runAround(group);
      this.#takeSpan(first, this.runLength(first), group, GROUP_FRAMES);
    }
    this.#rewrite(group, oldLow, oldHigh, (isWhole ? -1 : oldLow) & ~low, (isWhole ? -1 : oldHigh) & ~high);
  }

  /** The first group of the run that holds a whole group. */
  #runAround(group: number): number {
    let first = group;
    while ((this.#runs[first + 1] as number) === 0) first -= 1;
    // What was met first may be the last group of the run.
    const length = this.runLength(first);
    return first === group && length > 1 && this.runLength(group - length + 1) === length ? group - length + 1 : first;
  }

  // ---- giving back -------------------------------------------------------------------------------------------------

  #giveGroups(start: number, length: number): void {
    let group = start;
    let groups = length;
    const before = this.#runs[group] as number;
    const behind = this.runLength(group + groups);
    if (before !== 0) {
      group -= before;
      this.#removeRun(group, before);
      groups += before;
    }
    if (behind !== 0) {
      this.#removeRun(group + groups, behind);
      groups += behind;
    }
    this.#addRun(group, groups);
  }

  #giveBits(group: number, low: number, high: number): void {
    const oldLow = this.#bitmaps[2 * group] as number;
    const oldHigh = this.#bitmaps[2 * group + 1] as number;
    const newLow = oldLow | low;
    const newHigh = oldHigh | high;
    if ((newLow & newHigh) === -1) {
      this.#rewrite(group, oldLow, oldHigh, 0, 0);
      this.#giveGroups(group, 1);
    } else this.#rewrite(group, oldLow, oldHigh, newLow, newHigh);
  }

  /** Give the frames of a block back. None of them is free. */
  give(frame: number, count: number): void {
    const group = frame >> GROUP_SHIFT;
    if (count < GROUP_FRAMES) {
      const bits = lowBits(count);
      const low = shiftLeft(bits, hi, frame & (GROUP_FRAMES - 1));
      this.#giveBits(group, low, hi);
      return;
    }
    const groups = count >> GROUP_SHIFT;
    const tail = count & (GROUP_FRAMES - 1);
    if (tail !== 0) this.#giveBits(group + groups, lowBits(tail), hi);
    this.#giveGroups(group, groups);
  }
}
