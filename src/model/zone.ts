/**
 * One zone of the judge: which frame belongs to whom.
 *
 * Two views of one fact, each obvious by itself, compared by `disagreements`:
 *
 *     owners    one number per frame: 0 free, otherwise the id of the block that holds the frame
 *     extents   the held stretches in ascending order; what lies between two neighbours is a gap, and gaps are free
 *
 *     frame     0   1   2   3   4   5   6   7
 *     owners    7   7   0   0   9   9   9   0
 *     extents   [0,2)           [4,7)               gaps [2,4) [7,8)
 *
 * The owners refuse an overlap the moment it happens; the extents make a search cost one step per held stretch instead
 * of one per frame. Neither knows orders, lists or merging: there is nothing to merge when a gap is only an absence.
 */
import type { BrokenRule, ZonePlan } from "../../bindings/index.js";

/** A stretch of frames, `start` inclusive and `end` exclusive, counted from the start of its zone. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** Frames of one zone, numbered from 0. */
export class JudgeZone {
  readonly base: number;
  readonly size: number;
  readonly node: number;
  readonly window: number;
  readonly arenaOffset: number;
  readonly frameSize: number;
  readonly frames: number;
  /** Held stretches in ascending order. Neighbours that touch stay apart: they belong to different pieces. */
  readonly extents: Stretch[] = [];
  /** Frames that no block holds. */
  free: number;
  readonly #owners: Uint32Array;

  constructor(plan: ZonePlan, frameSize: number) {
    this.base = plan.base;
    this.size = plan.size;
    this.node = plan.node;
    this.window = plan.window;
    this.arenaOffset = plan.arenaOffset;
    this.frameSize = frameSize;
    this.frames = plan.size / frameSize;
    this.free = this.frames;
    this.#owners = new Uint32Array(this.frames);
  }

  /** The id of the block that holds a frame, 0 for a free one. */
  ownerOf(frame: number): number {
    const owner = this.#owners[frame];
    if (owner === undefined) throw new RangeError(`frame ${frame} is outside a zone of ${this.frames} frames`);
    return owner;
  }

  /** True when no frame of the stretch is held. */
  isFree(start: number, count: number): boolean {
    const before = this.#firstEndingAfter(start);
    const held = this.extents[before];
    return start >= 0 && start + count <= this.frames && (held === undefined || held.start >= start + count);
  }

  /** Give `count` frames from `start` on to `owner`. A frame that is held already is a bug of the caller. */
  take(start: number, count: number, owner: number): void {
    if (owner < 1 || count < 1 || start < 0 || start + count > this.frames)
      throw new RangeError(`cannot take frames ${start} to ${start + count} of ${this.frames} for ${owner}`);
    for (let frame = start; frame < start + count; frame++) {
      if (this.#owners[frame] !== 0) throw new Error(`frame ${frame} is held by block ${this.#owners[frame]}`);
    }
    this.#owners.fill(owner, start, start + count);
    this.extents.splice(this.#firstEndingAfter(start), 0, { start, end: start + count });
    this.free -= count;
  }

  /** Take the frames back from `owner`. */
  give(start: number, count: number, owner: number): void {
    const at = this.#firstEndingAfter(start);
    const held = this.extents[at];
    if (held === undefined || held.start !== start || held.end !== start + count)
      throw new Error(`frames ${start} to ${start + count} are not one held stretch`);
    for (let frame = start; frame < start + count; frame++) {
      if (this.#owners[frame] !== owner) throw new Error(`frame ${frame} is not held by block ${owner}`);
    }
    this.#owners.fill(0, start, start + count);
    this.extents.splice(at, 1);
    this.free += count;
  }

  /** Every maximal stretch of free frames, ascending, until `visit` answers true. Answers whether it did. */
  someGap(visit: (start: number, end: number) => boolean): boolean {
    let from = 0;
    for (const held of this.extents) {
      if (held.start > from && visit(from, held.start)) return true;
      from = held.end;
    }
    return from < this.frames && visit(from, this.frames);
  }

  /** Compare the owners with the extents and with the stretches that the blocks claim. `firstFrame`: dense number of frame 0. */
  disagreements(firstFrame: number, claims: readonly (Stretch & { readonly owner: number })[]): BrokenRule[] {
    const broken: BrokenRule[] = [];
    const expected = new Uint32Array(this.frames);
    for (const claim of claims) {
      for (let frame = claim.start; frame < claim.end; frame++) {
        if (expected[frame] !== 0)
          broken.push({ rule: "overlap", frame: firstFrame + frame, message: `frame ${frame} is in two blocks` });
        expected[frame] = claim.owner;
      }
    }
    let free = 0;
    for (let frame = 0; frame < this.frames; frame++) {
      if (this.#owners[frame] === 0) free++;
      if (this.#owners[frame] === expected[frame]) continue;
      const message = `frame ${frame} belongs to ${this.#owners[frame]}, the blocks say ${expected[frame]}`;
      broken.push({ rule: "owner", frame: firstFrame + frame, message });
    }
    if (free !== this.free)
      broken.push({ rule: "free count", frame: -1, message: `${free} frames are free, the count says ${this.free}` });
    let held = 0;
    let from = 0;
    for (const extent of this.extents) {
      if (extent.start < from || extent.end <= extent.start || extent.end > this.frames) {
        const message = `the stretch [${extent.start}, ${extent.end}) is out of order`;
        broken.push({ rule: "extent order", frame: firstFrame + extent.start, message });
      } else if (this.#owners.subarray(extent.start, extent.end).includes(0)) {
        const message = `the stretch [${extent.start}, ${extent.end}) has a free frame`;
        broken.push({ rule: "extent owner", frame: firstFrame + extent.start, message });
      }
      held += extent.end - extent.start;
      from = extent.end;
    }
    if (held + free !== this.frames)
      broken.push({ rule: "extent sum", frame: -1, message: `${held} held + ${free} free is not ${this.frames}` });
    return broken;
  }

  /** Index of the first extent that ends behind `frame`: the one that holds it, or the next above. */
  #firstEndingAfter(frame: number): number {
    let low = 0;
    let high = this.extents.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.extents[middle] as Stretch).end <= frame) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
