/**
 * Free frames: assembly/frames.ts in plain TypeScript, for one zone. The same decisions in the same order; what differs is
 * that a page's word is two numbers, and that pages count from 0.
 */
import { classOf, ctz, floorOrder, hi, lowBits, runsOf, STARTS_HIGH, STARTS_LOW, shiftLeft } from "./bits.js";
import { Trees } from "./trees.js";

export const PAGE_SHIFT = 6;
export const PAGE_FRAMES = 64;
const PAGE_CLASS = 6;

export class Frames {
  readonly #frames: number;
  readonly #wholePages: number;
  readonly #topClass: number;
  /** Two words a page, the lower half first. */
  readonly #words: Int32Array;
  readonly #trees: Trees;

  constructor(frames: number) {
    const pages = Math.ceil(frames / PAGE_FRAMES);
    this.#frames = frames;
    this.#wholePages = frames >> PAGE_SHIFT;
    this.#topClass = this.#wholePages > 0 ? PAGE_CLASS + floorOrder(this.#wholePages) : PAGE_CLASS - 1;
    this.#words = new Int32Array(2 * pages);
    this.#trees = new Trees(pages, this.#topClass, PAGE_CLASS);
    this.give(0, frames);
  }

  /** The first of `count` frames, 2^order at most, or -1. */
  take(count: number, order: number): number {
    const frame = this.takeFitting(count, order);
    return frame >= 0 || count === 1 << order ? frame : this.#takeAnywhere(count, order);
  }

  /** Free frames in runs of class `least` and longer. */
  inRuns(least: number): number {
    const { counts } = this.#trees;
    let frames = 0;
    for (let cls = least; cls <= this.#topClass; cls += 1) frames += (counts[cls] as number) << cls;
    return frames;
  }

  #rewrite(page: number, oldLow: number, oldHigh: number, low: number, high: number): void {
    const trees = this.#trees;
    this.#words[2 * page] = low;
    this.#words[2 * page + 1] = high;
    if ((oldLow | oldHigh) === 0) {
      trees.add(classOf(low, high), page);
    } else if ((low | high) === 0) {
      trees.remove(classOf(oldLow, oldHigh), page);
    } else {
      const from = classOf(oldLow, oldHigh);
      const to = classOf(low, high);
      if (from === to) return;
      trees.remove(from, page);
      trees.add(to, page);
    }
  }

  // ---- taking ------------------------------------------------------------------------------------------------------

  #takeFromRun(cls: number, page: number, count: number): void {
    const trees = this.#trees;
    trees.remove(cls, page);
    const end = page + (1 << (cls - PAGE_CLASS));
    const partial = count & (PAGE_FRAMES - 1);
    let rest = page + (count >> PAGE_SHIFT);
    if (partial !== 0) {
      const low = lowBits(partial);
      this.#rewrite(rest, 0, 0, ~low, ~hi);
      rest += 1;
    }
    while (rest < end) {
      const order = ctz(rest);
      trees.add(PAGE_CLASS + order, rest);
      rest += 1 << order;
    }
  }

  #takeFromPage(page: number, at: number, count: number): void {
    const oldLow = this.#words[2 * page] as number;
    const oldHigh = this.#words[2 * page + 1] as number;
    const bits = lowBits(count);
    const low = shiftLeft(bits, hi, at);
    this.#rewrite(page, oldLow, oldHigh, oldLow & ~low, oldHigh & ~hi);
  }

  /** Which bit of a split page of class `cls` to take `count` frames from. */
  #placeIn(page: number, cls: number, count: number, order: number): number {
    const low = this.#words[2 * page] as number;
    const high = this.#words[2 * page + 1] as number;
    const fitsLow = runsOf(low, high, count) & (STARTS_LOW[order] as number);
    const fitsHigh = hi & (STARTS_HIGH[order] as number);
    if (cls > order && order < 5) {
      const wholeLow = runsOf(low, high, 2 << order) & (STARTS_LOW[order + 1] as number);
      const wholeHigh = hi & (STARTS_HIGH[order + 1] as number);
      const buddyLow = shiftLeft(wholeLow, wholeHigh, 1 << order);
      const holesLow = fitsLow & ~(wholeLow | buddyLow);
      const holesHigh = fitsHigh & ~(wholeHigh | hi);
      if (holesLow !== 0) return ctz(holesLow);
      if (holesHigh !== 0) return 32 + ctz(holesHigh);
    }
    return fitsLow !== 0 ? ctz(fitsLow) : 32 + ctz(fitsHigh);
  }

  /** `take` without its last resort: the lowest start that a class promises. */
  takeFitting(count: number, order: number): number {
    const classes = this.#trees.available & (-1 << order);
    if (classes === 0) return -1;
    const cls = ctz(classes);
    const page = this.#trees.lowest(cls);
    if (cls >= PAGE_CLASS) {
      this.#takeFromRun(cls, page, count);
      return page << PAGE_SHIFT;
    }
    const at = this.#placeIn(page, cls, count, order);
    this.#takeFromPage(page, at, count);
    return (page << PAGE_SHIFT) + at;
  }

  /** Four blocks of `count` frames, the most that is 16, at four multiples of 2^order that follow each other, or -1. */
  takeFour(count: number, order: number): number {
    const classes = this.#trees.available & (-1 << (order + 2));
    if (classes === 0) return -1;
    const cls = ctz(classes);
    const page = this.#trees.lowest(cls);
    // Four starts, and `count` bits from each: they do not meet, so the product is their union. Of order 4, two a half.
    const from = (STARTS_LOW[order] as number) & (order < 3 ? (1 << (4 << order)) - 1 : -1);
    const low = Math.imul(from, (1 << count) - 1);
    const high = order === 4 ? low : 0;
    if (cls < PAGE_CLASS) {
      const at = this.#placeIn(page, cls, 4 << order, order + 2);
      const oldLow = this.#words[2 * page] as number;
      const oldHigh = this.#words[2 * page + 1] as number;
      const bits = shiftLeft(low, high, at);
      this.#rewrite(page, oldLow, oldHigh, oldLow & ~bits, oldHigh & ~hi);
      return (page << PAGE_SHIFT) + at;
    }
    this.#takeFromRun(cls, page, PAGE_FRAMES);
    if ((~low | ~high) !== 0) this.#rewrite(page, 0, 0, ~low, ~high);
    return page << PAGE_SHIFT;
  }

  #takeAnywhere(count: number, order: number): number {
    const trees = this.#trees;
    for (let cls = floorOrder(count); cls <= this.#topClass; cls += 1) {
      if ((trees.available & (1 << cls)) === 0) continue;
      for (let page = trees.lowest(cls); page >= 0; page = trees.next(cls, page + 1)) {
        let frame = page << PAGE_SHIFT;
        if (frame + count > this.#frames) break;
        if (cls < PAGE_CLASS && order < PAGE_CLASS) {
          const low = runsOf(this.#words[2 * page] as number, this.#words[2 * page + 1] as number, count);
          const fitsLow = low & (STARTS_LOW[order] as number);
          const fitsHigh = hi & (STARTS_HIGH[order] as number);
          if ((fitsLow | fitsHigh) === 0) continue;
          frame += fitsLow !== 0 ? ctz(fitsLow) : 32 + ctz(fitsHigh);
          if (frame + count > this.#frames) break;
          this.takeRange(frame, count);
          return frame;
        }
        if ((frame & ((1 << order) - 1)) === 0 && this.#freeFrom(frame, count) === count) {
          this.takeRange(frame, count);
          return frame;
        }
      }
    }
    return -1;
  }

  #runAt(page: number): number {
    const highest = Math.min(this.#topClass, PAGE_CLASS + ctz(page));
    for (let cls = PAGE_CLASS; cls <= highest; cls += 1) if (this.#trees.has(cls, page)) return cls;
    return 0;
  }

  /** Free frames without a gap from the start of a page on, at most `most`. */
  #freeFrom(frame: number, most: number): number {
    let count = 0;
    while (count < most && frame + count < this.#frames) {
      const page = (frame + count) >> PAGE_SHIFT;
      const low = this.#words[2 * page] as number;
      const high = this.#words[2 * page + 1] as number;
      if ((low | high) !== 0) {
        count += low === -1 ? 32 + ctz(~high) : ctz(~low);
        break; // a split page has a gap
      }
      const cls = this.#runAt(page);
      if (cls === 0) break;
      count += 1 << cls;
    }
    return Math.min(count, most);
  }

  /** Take exactly these frames. All are free. */
  takeRange(start: number, length: number): void {
    let frame = start;
    let count = length;
    while (count !== 0) {
      const page = frame >> PAGE_SHIFT;
      const offset = frame & (PAGE_FRAMES - 1);
      let taken: number;
      if (((this.#words[2 * page] as number) | (this.#words[2 * page + 1] as number)) !== 0) {
        taken = Math.min(count, PAGE_FRAMES - offset);
        this.#takeFromPage(page, offset, taken);
      } else {
        const cls = this.#runAround(page);
        const first = (page >> (cls - PAGE_CLASS)) << (cls - PAGE_CLASS);
        const before = frame - (first << PAGE_SHIFT);
        taken = Math.min(count, (1 << cls) - before);
        this.#takeFromRun(cls, first, before + taken);
        if (before !== 0) this.give(first << PAGE_SHIFT, before);
      }
      frame += taken;
      count -= taken;
    }
  }

  /** The class of the run that holds a whole free page. */
  #runAround(page: number): number {
    let cls = PAGE_CLASS;
    while (cls < this.#topClass && !this.#trees.has(cls, page)) cls += 1;
    return cls;
  }

  // ---- giving back -------------------------------------------------------------------------------------------------

  #giveRun(start: number, startOrder: number): void {
    const trees = this.#trees;
    const top = this.#topClass - PAGE_CLASS;
    let page = start;
    let order = startOrder;
    while (order < top) {
      const buddy = page ^ (1 << order);
      if (buddy + (1 << order) > this.#wholePages || !trees.has(PAGE_CLASS + order, buddy)) break;
      trees.remove(PAGE_CLASS + order, buddy);
      page &= ~(1 << order);
      order += 1;
    }
    trees.add(PAGE_CLASS + order, page);
  }

  #giveBits(page: number, low: number, high: number): void {
    const oldLow = this.#words[2 * page] as number;
    const oldHigh = this.#words[2 * page + 1] as number;
    const newLow = oldLow | low;
    const newHigh = oldHigh | high;
    if ((newLow & newHigh) === -1) {
      if ((oldLow | oldHigh) !== 0) this.#trees.remove(classOf(oldLow, oldHigh), page);
      this.#words[2 * page] = 0;
      this.#words[2 * page + 1] = 0;
      this.#giveRun(page, 0);
    } else {
      this.#rewrite(page, oldLow, oldHigh, newLow, newHigh);
    }
  }

  /** Give frames back. None of them is free. */
  give(frame: number, length: number): void {
    let count = length;
    let page = frame >> PAGE_SHIFT;
    const offset = frame & (PAGE_FRAMES - 1);
    if (offset !== 0 || count < PAGE_FRAMES) {
      const inPage = Math.min(count, PAGE_FRAMES - offset);
      const bits = lowBits(inPage);
      const low = shiftLeft(bits, hi, offset);
      this.#giveBits(page, low, hi);
      count -= inPage;
      page += 1;
    }
    const tail = count & (PAGE_FRAMES - 1);
    if (tail !== 0) {
      const low = lowBits(tail);
      this.#giveBits(page + (count >> PAGE_SHIFT), low, hi);
    }
    let pages = count >> PAGE_SHIFT;
    while (pages !== 0) {
      const order = Math.min(ctz(page), floorOrder(pages));
      this.#giveRun(page, order);
      page += 1 << order;
      pages -= 1 << order;
    }
  }
}
