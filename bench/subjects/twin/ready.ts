/**
 * Ready blocks: how many are kept, and how they are given back. assembly/ready.ts for one zone, with the counters that
 * the core keeps in its header.
 */
import { orderOf } from "./bits.js";
import type { Frames } from "./frames.js";
import { FRAMES, framesOfKey, ROW_SHIFT, STACKS, type Stacks } from "./stacks.js";

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

export class Ready {
  /** Frames of ready blocks. */
  frames = 0;
  /** A free keeps its block up to so many ready frames; 0 while the gate is shut. */
  limit = 0;
  /** The live frames pass their peak when fewer than so many are ready. */
  peakReady = 0;
  peakFrames = 0;
  /** Live and ready blocks. */
  blocks = 0;
  /** Frames that words and trees show as free. */
  #free: number;
  #recent = 0;
  #recentNext = 0;
  #age = 0;
  #drainKey = 0;
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
    this.#countTaken(0); // the core does so when it is opened
  }

  // ---- how much is kept --------------------------------------------------------------------------------------------

  /** Count frames that leave (or, negative, join) words and trees, and look at the two rules. */
  #countTaken(count: number): void {
    this.#free -= count;
    this.#age += 1;
    if ((this.#age & GATE_MASK) === 0) this.#lookAtGate();
    else if (this.limit !== 0) this.limit = this.#share();
  }

  #share(): number {
    return (this.#free >> SHARE_SHIFT) | 1;
  }

  #lookAtGate(): void {
    const least = (this.#count >> 8) * (this.limit === 0 ? GATE_OPEN : GATE_SHUT);
    this.limit = this.#frames.inRuns(this.#recent) < least ? 0 : this.#share();
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

  /** Count the live frames, after those taken or those ready have changed. */
  countLive(): void {
    const taken = this.#count - this.#free;
    if (taken - this.frames > this.peakFrames) this.peakFrames = taken - this.frames;
    this.peakReady = taken - this.peakFrames;
  }

  // ---- taking ------------------------------------------------------------------------------------------------------

  /** A block where nothing of its size is ready. Its first frame number, or 0. */
  take(count: number, lengthBytes: number): number {
    const order = orderOf(count);
    let number = this.#takeFour(count, order, lengthBytes);
    if (number === 0) number = this.#takePlain(count, order, lengthBytes);
    if (number !== 0) this.#noteOrder(order);
    return number;
  }

  /** Four blocks of a power of two of frames: one to hand out, three to keep ready. */
  #takeFour(count: number, order: number, lengthBytes: number): number {
    if (count !== 1 << order || order > MOST_OF_FOUR || this.frames + 3 * count > this.limit) return 0;
    const frame = this.#frames.takeFitting(4 * count, order + 2);
    if (frame < 0) return 0;
    const number = this.#first + frame;
    this.#countTaken(4 * count);
    const row = this.#stacks.rowOf(count);
    for (let i = 3; i !== 0; i -= 1) {
      this.#stacks.setReady(number + i * count, count);
      this.#stacks.push(row, number + i * count);
    }
    this.#stacks.setLive(number, count, lengthBytes);
    this.frames += 3 * count;
    this.blocks += 4;
    this.countLive();
    return number;
  }

  #takePlain(count: number, order: number, lengthBytes: number): number {
    let frame = this.#frames.take(count, order);
    // What is larger than the arena cannot be had by merging.
    if (frame < 0 && this.frames !== 0 && count <= this.#count) frame = this.#takeMerging(count, order);
    if (frame < 0) return 0;
    const number = this.#first + frame;
    this.#stacks.setLive(number, count, lengthBytes);
    this.#countTaken(count);
    this.countLive();
    this.blocks += 1;
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
    this.#countTaken(-count);
    this.countLive();
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
    for (let key = 1; key < STACKS; key += 1) {
      const row = key << ROW_SHIFT;
      for (let number = this.#stacks.pop(row); number !== 0; number = this.#stacks.pop(row))
        this.#retire(number, framesOfKey(key));
    }
    this.limit = this.#share();
    this.countLive();
  }

  /** A block that was just popped, and whose frames are back, is ready no longer. */
  #retire(number: number, count: number): void {
    this.#stacks.setRetired(number, count);
    this.frames -= count;
    this.blocks -= 1;
    this.#free += count;
  }

  /** While the gate is shut: give one ready block back. The stacks take turns, a few are looked at. */
  #drain(): void {
    if (this.limit !== 0 || this.frames === 0) return;
    let key = this.#drainKey;
    for (let looked = 0; looked < DRAIN_LOOKS; looked += 1) {
      key = key <= 1 ? STACKS - 1 : key - 1;
      const number = this.#stacks.pop(key << ROW_SHIFT);
      if (number === 0) continue;
      this.#frames.give(number - this.#first, framesOfKey(key));
      this.#retire(number, framesOfKey(key));
      key += 1; // this stack may have more
      break;
    }
    this.#drainKey = key;
    this.countLive();
  }
}
