/**
 * Ready blocks: how many are kept, and how they are given back. assembly/ready.ts for one zone, with the counters that
 * the core keeps in its header.
 */
import { orderOf } from "./bits.js";
import type { Frames } from "./frames.js";
import { FRAMES, ROW_SHIFT, STACKS, type Stacks } from "./stacks.js";

/** At most a half of the free frames is kept ready. */
const SHARE_SHIFT = 1;
/** In 256ths of all frames: below the first the gate shuts, from the second on it opens. */
const GATE_SHUT = 5;
const GATE_OPEN = 8;
const RECENT_MASK = 127;
const GATE_MASK = 7;
/** Stacks that a drain looks at. */
const DRAIN_LOOKS = 16;
/** The largest order of which four are taken at once. */
const MOST_OF_FOUR = 12;
/** The largest block that can be kept ready. */
const MOST_FRAMES = 4096;

export class Ready {
  /** How many frames fewer than at the peak are live. */
  belowPeak = 0;
  /** A free keeps its block while that leaves `belowPeak` at or below this. */
  belowLimit = 0;
  peakFrames = 0;
  /** So many frames may be ready; 0 while the gate is shut. */
  #limit = 0;
  /** Live and ready blocks. */
  blocks = 0;
  /** Frames that words and trees show as free. */
  #free: number;
  #recent = 0;
  #recentNext = 0;
  #age = 0;
  #drainStack = 0;
  readonly #first: number;
  readonly #count: number;
  readonly #frames: Frames;
  readonly #stacks: Stacks;

  constructor(first: number, count: number, frames: Frames, stacks: Stacks) {
    this.#first = first;
    this.#count = count;
    this.#frames = frames;
    this.#stacks = stacks;
    this.#free = count;
    this.#tally(0, 0); // the core does so when it is opened
  }

  // ---- how much is kept --------------------------------------------------------------------------------------------

  /** Count frames that leave words and trees, and frames that go live (negative: the reverse); then look at the two rules. */
  #tally(taken: number, live: number): void {
    this.#free -= taken;
    this.#setBelow(this.belowPeak - live);
    this.#age += 1;
    if ((this.#age & GATE_MASK) === 0) this.#lookAtGate();
    else if (this.#limit !== 0) this.#limit = this.#share();
    this.#setBelowLimit();
  }

  #setBelow(below: number): void {
    if (below < 0) this.peakFrames -= below;
    this.belowPeak = Math.max(0, below);
  }

  #setBelowLimit(): void {
    this.belowLimit = Math.max(0, this.#limit + this.peakFrames - (this.#count - this.#free));
  }

  #readyFrames(): number {
    return this.#count - this.#free - (this.peakFrames - this.belowPeak);
  }

  /** Frames of a ready block go live. */
  goLive(frames: number): void {
    const below = this.belowPeak - frames;
    if (below >= 0) this.belowPeak = below;
    else {
      this.#setBelow(below);
      this.#setBelowLimit();
    }
  }

  #share(): number {
    return (this.#free >> SHARE_SHIFT) | 1;
  }

  #lookAtGate(): void {
    const least = (this.#count >> 8) * (this.#limit === 0 ? GATE_OPEN : GATE_SHUT);
    this.#limit = this.#frames.inRuns(this.#recent) < least ? 0 : this.#share();
    if ((this.#age & RECENT_MASK) === 0) {
      this.#recent = this.#recentNext;
      this.#recentNext = 0;
    }
  }

  /** Remember the order of a request that found nothing ready. */
  #noteOrder(order: number): void {
    if (order > this.#recent) this.#recent = order;
    if (order > this.#recentNext) this.#recentNext = order;
  }

  // ---- taking ------------------------------------------------------------------------------------------------------

  /** A block where nothing of its size is ready. Its first frame number, or 0. */
  take(count: number, lengthBytes: number): number {
    const order = orderOf(count);
    if (count < MOST_FRAMES && this.#stacks.rowOf(count) === 0) {
      const row = this.#stacks.want(count);
      if (row !== 0) this.#giveLast(row);
    }
    let number = this.#refill(count, order, lengthBytes);
    if (number === 0) number = this.#takePlain(count, order, lengthBytes);
    if (number !== 0) this.#noteOrder(order);
    return number;
  }

  /** Four blocks of one size: one to hand out, three to keep ready. */
  #refill(count: number, order: number, lengthBytes: number): number {
    const whole = count === 1 << order;
    if (this.#readyFrames() + (whole ? 3 : 64) * count > this.#limit) return 0;
    let frame = -1;
    if (order <= 4) frame = this.#frames.takeFour(count, order);
    else if (whole && order <= MOST_OF_FOUR) frame = this.#frames.takeFitting(4 * count, order + 2);
    if (frame < 0) return 0;
    const number = this.#first + frame;
    const row = this.#stacks.rowOf(count);
    for (let i = 3; i !== 0; i -= 1) {
      this.#stacks.setReady(number + (i << order), count);
      this.#stacks.push(row, number + (i << order));
    }
    this.#stacks.setLive(number, count, lengthBytes);
    this.blocks += 4;
    this.#tally(4 * count, count);
    return number;
  }

  #takePlain(count: number, order: number, lengthBytes: number): number {
    let frame = this.#frames.take(count, order);
    // What is larger than the arena cannot be had by merging.
    if (frame < 0 && this.#readyFrames() !== 0 && count <= this.#count) frame = this.#takeMerging(count, order);
    if (frame < 0) return 0;
    const number = this.#first + frame;
    this.#stacks.setLive(number, count, lengthBytes);
    this.blocks += 1;
    this.#tally(count, count);
    this.#drain();
    return number;
  }

  /** Before it is refused, a request is tried with all merging done that was put off; which is undone if it was no use. */
  #takeMerging(count: number, order: number): number {
    this.#lend(false);
    const frame = this.#frames.take(count, order);
    if (frame < 0) this.#lend(true);
    else this.#retireAll();
    return frame;
  }

  // ---- giving back -------------------------------------------------------------------------------------------------

  /** Free a live block and merge its frames. */
  give(number: number, count: number): void {
    this.#stacks.setFreed(number, count);
    this.blocks -= 1;
    this.#frames.give(number - this.#first, count);
    this.#tally(-count, -count);
    this.#drain();
  }

  /** Give the frames of all ready blocks back for a moment, or take the same frames again. */
  #lend(back: boolean): void {
    const { rows } = this.#stacks;
    for (let row = 1 << ROW_SHIFT; row < STACKS << ROW_SHIFT; row += 1 << ROW_SHIFT) {
      const count = rows[row + FRAMES] as number;
      for (let at = rows[row] as number; at !== 0; at -= 1) {
        const frame = (rows[row + at] as number) - this.#first;
        if (back) this.#frames.takeRange(frame, count);
        else this.#frames.give(frame, count);
      }
    }
  }

  /** After `#lend`: what was lent stays where it is, and nothing is ready. */
  #retireAll(): void {
    for (let row = 1 << ROW_SHIFT; row < STACKS << ROW_SHIFT; row += 1 << ROW_SHIFT) {
      const count = this.#stacks.rows[row + FRAMES] as number;
      for (let number = this.#stacks.pop(row); number !== 0; number = this.#stacks.pop(row))
        this.#retire(number, count);
    }
    this.#limit = this.#share();
    this.#setBelowLimit();
  }

  /** A block that was just popped, and whose frames are back, is ready no longer. */
  #retire(number: number, count: number): void {
    this.#stacks.setRetired(number, count);
    this.blocks -= 1;
    this.#free += count;
  }

  /** Give the last ready block of a stack back. False when it is empty. */
  #giveLast(row: number): boolean {
    const number = this.#stacks.pop(row);
    if (number === 0) return false;
    const count = this.#stacks.rows[row + FRAMES] as number;
    this.#frames.give(number - this.#first, count);
    this.#retire(number, count);
    this.#setBelowLimit();
    return true;
  }

  /** While the gate is shut: give one ready block back. The stacks take turns, a few are looked at. */
  #drain(): void {
    if (this.#limit !== 0 || this.#readyFrames() === 0) return;
    let stack = this.#drainStack;
    for (let looked = 0; looked < DRAIN_LOOKS; looked += 1) {
      stack = stack <= 1 ? STACKS - 1 : stack - 1;
      if (!this.#giveLast(stack << ROW_SHIFT)) continue;
      stack += 1; // this stack may have more
      break;
    }
    this.#drainStack = stack;
  }
}
