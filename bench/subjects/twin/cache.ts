/**
 * Size-class cache: how many blocks are cached, and how they are given back. assembly/cache.ts for one zone, with the counters
 * that the core keeps in its header, and the slow allocations of assembly/allocate.ts.
 */
import { orderOf } from "./bits.js";
import { type Frames, GROUP_FRAMES, GROUP_SHIFT } from "./frames.js";
import { FRAMES, FULL, ROW_SHIFT, STACKS, type Stacks } from "./stacks.js";

/** At most a half of the free frames is cached, and at most an eighth of the peak, a 1024th of the arena and a group. */
const SHARE_OF_FREE = 1;
const SHARE_OF_PEAK = 3;
const SHARE_OF_ZONE = 10;
/** In 256ths of all frames: below the first caching stops, from the second on it starts again. */
const LOW_WATERMARK = 5;
const HIGH_WATERMARK = 8;
const RECENT_WINDOW_MASK = 127;
const WATERMARK_INTERVAL_MASK = 7;
/** Stacks that an eviction looks at. */
const EVICT_LOOKS = 16;
/** Blocks that are taken at once. */
const BATCH = 4;
/** The largest block that can be cached. */
const CACHE_MAX_FRAMES = 4096;

export class Cache {
  /** How many frames fewer than at the peak are live. */
  headroom = 0;
  /** A free caches its block while that leaves the headroom at or below this. */
  headroomLimit = 0;
  peakFrames = 0;
  /** So many frames may be cached; 0 while caching is off. */
  #limit = 0;
  /** Live and cached blocks. */
  blocks = 0;
  /** Frames that bitmaps and trees show as free. */
  #free: number;
  #recentOrder = 0;
  #recentOrderNext = 0;
  #slowCount = 0;
  #evictStack = 0;
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

  // ---- how much is cached ------------------------------------------------------------------------------------------

  /** Count frames that leave bitmaps and trees, and frames that go live (negative: the reverse); then look at limit and watermarks. */
  #tally(taken: number, live: number): void {
    this.#free -= taken;
    this.#setHeadroom(this.headroom - live);
    this.#slowCount += 1;
    if ((this.#slowCount & WATERMARK_INTERVAL_MASK) === 0) this.#checkWatermarks();
    this.#setLimits();
  }

  #setHeadroom(headroom: number): void {
    if (headroom < 0) this.peakFrames -= headroom;
    this.headroom = Math.max(0, headroom);
  }

  #setLimits(): void {
    if (this.#limit !== 0) {
      const most = (this.peakFrames >> SHARE_OF_PEAK) + (this.#count >> SHARE_OF_ZONE) + GROUP_FRAMES;
      this.#limit = Math.min(this.#free >> SHARE_OF_FREE, most) | 1;
    }
    this.headroomLimit = Math.max(0, this.#limit + this.peakFrames - (this.#count - this.#free));
  }

  #cachedFrames(): number {
    return this.#count - this.#free - (this.peakFrames - this.headroom);
  }

  /** Frames of a cached block go live. */
  goLive(frames: number): void {
    const headroom = this.headroom - frames;
    if (headroom >= 0) this.headroom = headroom;
    else {
      this.#setHeadroom(headroom);
      this.#setLimits();
    }
  }

  #checkWatermarks(): void {
    const least = (this.#count >> 8) * (this.#limit === 0 ? HIGH_WATERMARK : LOW_WATERMARK);
    this.#limit = this.#frames.framesFrom(this.#recentOrder) >= least ? 1 : 0;
    if ((this.#slowCount & RECENT_WINDOW_MASK) === 0) {
      this.#recentOrder = this.#recentOrderNext;
      this.#recentOrderNext = 0;
    }
  }

  #noteOrder(order: number): void {
    if (order > this.#recentOrder) this.#recentOrder = order;
    if (order > this.#recentOrderNext) this.#recentOrderNext = order;
  }

  // ---- taking ------------------------------------------------------------------------------------------------------

  /** A block where nothing of its size is cached. Its first frame number, or 0. */
  take(count: number, lengthBytes: number): number {
    const row = count <= CACHE_MAX_FRAMES ? this.#stacks.rowOf(count) : 0;
    let number = row === 0 ? 0 : this.#refill(row, count, lengthBytes);
    if (number === 0) number = this.#takePlain(count, lengthBytes);
    if (number === 0) return 0;
    this.#noteOrder(orderOf(count));
    if (row === 0 && count <= CACHE_MAX_FRAMES) {
      const full = this.#stacks.noteUncachedSize(count);
      if (full !== 0) this.#evictLast(full);
    }
    return number;
  }

  /** Up to four blocks of one size: one to hand out, the others to cache. */
  #refill(row: number, count: number, lengthBytes: number): number {
    if (this.#cachedFrames() + (BATCH - 1) * count > this.#limit) return 0;
    if ((this.#stacks.rows[row] as number) > FULL - (BATCH - 1)) return 0;
    const frames = this.#frames;
    const { batch } = frames;
    let taken: number;
    if (count < GROUP_FRAMES) taken = frames.takeBatch(count, BATCH);
    else {
      if (count % GROUP_FRAMES !== 0) return 0;
      const groups = count >> GROUP_SHIFT;
      const run = frames.chooseRun(groups);
      if (run < 0 || frames.runLength(run) < BATCH * groups) return 0;
      const frame = frames.takeOfRun(run, BATCH * count);
      for (let i = 0; i < BATCH; i += 1) batch[i] = frame + i * count;
      taken = BATCH;
    }
    if (taken === 0) return 0;
    for (let i = taken - 1; i !== 0; i -= 1) {
      const frame = batch[i] as number;
      frames.addHead(frame, count);
      this.#stacks.setCached(this.#first + frame, count);
      this.#stacks.push(row, this.#first + frame);
    }
    return this.#begin(batch[0] as number, count, lengthBytes, taken);
  }

  /** A block at a frame goes live, and `blocks - 1` others were cached with it. Its frame number. */
  #begin(frame: number, count: number, lengthBytes: number, blocks: number): number {
    this.#frames.addHead(frame, count);
    this.#stacks.setLive(this.#first + frame, count, lengthBytes);
    this.blocks += blocks;
    this.#tally(blocks * count, count);
    return this.#first + frame;
  }

  #takePlain(count: number, lengthBytes: number): number {
    let frame = this.#frames.take(count);
    if (frame < 0 && this.#cachedFrames() !== 0) frame = this.#takeSpilling(count);
    if (frame < 0) return 0;
    const number = this.#begin(frame, count, lengthBytes, 1);
    this.#evictOne();
    return number;
  }

  /** Before it is refused, a request is tried with all merging done that was put off; which is undone if it was no use. */
  #takeSpilling(count: number): number {
    this.#spill();
    const frame = this.#frames.take(count);
    if (frame < 0) this.#unspill();
    else this.#dropAllCached();
    return frame;
  }

  // ---- giving back -------------------------------------------------------------------------------------------------

  /** Free a live block and merge its frames. */
  give(number: number, count: number): void {
    this.#stacks.setFreed(number, count);
    this.blocks -= 1;
    this.#frames.removeHead(number - this.#first, count);
    this.#frames.give(number - this.#first, count);
    this.#tally(-count, -count);
    this.#evictOne();
  }

  /** Give the frames of all cached blocks back for a moment. */
  #spill(): void {
    this.#eachCached((frame, count) => this.#frames.give(frame, count));
  }

  /** Take the same frames again. */
  #unspill(): void {
    this.#eachCached((frame, count) => this.#frames.takeRange(frame, count));
  }

  #eachCached(visit: (frame: number, count: number) => void): void {
    const { rows } = this.#stacks;
    for (let row = 1 << ROW_SHIFT; row < STACKS << ROW_SHIFT; row += 1 << ROW_SHIFT) {
      const count = rows[row + FRAMES] as number;
      for (let at = rows[row] as number; at !== 0; at -= 1) visit((rows[row + at] as number) - this.#first, count);
    }
  }

  /** After `#spill`: what was spilled stays where it is, and nothing is cached. */
  #dropAllCached(): void {
    for (let row = 1 << ROW_SHIFT; row < STACKS << ROW_SHIFT; row += 1 << ROW_SHIFT) {
      const count = this.#stacks.rows[row + FRAMES] as number;
      for (let number = this.#stacks.pop(row); number !== 0; number = this.#stacks.pop(row))
        this.#dropCached(number, count);
    }
    this.#limit = 1;
    this.#setLimits();
  }

  /** A block that was just popped, and whose frames are back, is cached no longer. */
  #dropCached(number: number, count: number): void {
    this.#stacks.setRetired(number, count);
    this.#frames.removeHead(number - this.#first, count);
    this.blocks -= 1;
    this.#free += count;
  }

  /** Give the last cached block of a stack back. False when it is empty. */
  #evictLast(row: number): boolean {
    const number = this.#stacks.pop(row);
    if (number === 0) return false;
    const count = this.#stacks.rows[row + FRAMES] as number;
    this.#frames.give(number - this.#first, count);
    this.#dropCached(number, count);
    this.#setLimits();
    return true;
  }

  /** While caching is off: give one cached block back. The stacks take turns, a few are looked at. */
  #evictOne(): void {
    if (this.#limit !== 0 || this.#cachedFrames() === 0) return;
    let stack = this.#evictStack;
    for (let looks = EVICT_LOOKS; looks !== 0; looks -= 1) {
      stack = stack <= 1 ? STACKS - 1 : stack - 1;
      if (!this.#evictLast(stack << ROW_SHIFT)) continue;
      stack += 1; // this stack may have more
      break;
    }
    this.#evictStack = stack;
  }
}
