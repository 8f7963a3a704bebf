/**
 * The small model: what the reference model of `src/model` says, for small zones and fast.
 *
 *     frame     0   1   2   3   4   5   6   7        over all zones, in declared order
 *     owner     7   7   0   0   9   9   9   0        0 free, otherwise the number of the block that holds the frame
 *     started   1   0   1   0   1   0   0   0        a block once started here
 *
 * A fuzzer looks at some hundred frames a million times a second, so this model answers from flat arrays: legality of a
 * placement by looking at its frames, legality of "out of memory" by looking at every start there is. It knows windows,
 * zones, nodes, alignment, boundary, highest, tags and batches; it knows no scattered block and no foreign mapping, which
 * are left to the reference model. test/fuzz/small-model.test.ts compares the two verdict by verdict.
 */
import type { AllocateOptions, CorePlan, ErrorCode, FailureReason, ZonePlan } from "../../../bindings/index.js";
import { ADDRESS_LIMIT } from "../../../bindings/index.js";

/** A live block. */
export interface SmallBlock {
  readonly address: number;
  readonly physical: number;
  readonly lengthBytes: number;
  readonly tag: number;
  /** Dense number of the first frame. */
  readonly frame: number;
  readonly frames: number;
  /** Its place in `live`. */
  slot: number;
  readonly id: number;
}

/** A saved state. */
export interface SmallImage {
  readonly owner: Int32Array;
  readonly started: Uint8Array;
  readonly live: readonly SmallBlock[];
  readonly freeFrames: number;
  readonly failures: number;
  readonly peakFrames: number;
}

interface SmallZone {
  readonly plan: ZonePlan;
  /** Dense number of its first frame. */
  readonly first: number;
  readonly frames: number;
  /** Physical frame number of its first frame, modulo 2^31: enough for every alignment that fits a small zone. */
  readonly skew: number;
}

/** Frames of a group: a block of fewer lies inside one, a larger one starts at one. */
const GROUP_FRAMES = 64;

function leavesGroup(start: number, frames: number): boolean {
  return frames < GROUP_FRAMES && (start % GROUP_FRAMES) + frames > GROUP_FRAMES;
}

/** The longest block that has a legal start in a stretch of free frames, from `start` to before `end`. */
function longestIn(start: number, end: number): number {
  const whole = Math.ceil(start / GROUP_FRAMES) * GROUP_FRAMES;
  if (end - whole >= GROUP_FRAMES) return end - whole;
  // Less than a group: of each part of a group all, or one frame less where an even length is not aligned.
  let longest = 0;
  for (let at = start; at < end; ) {
    const length = Math.min(end, (Math.floor(at / GROUP_FRAMES) + 1) * GROUP_FRAMES) - at;
    longest = Math.max(longest, at % (length & -length) === 0 ? length : length - 1);
    at += length;
  }
  return longest;
}

/** Everything the reference model remembers about one core. */
export class SmallModel {
  readonly plan: CorePlan;
  readonly live: SmallBlock[] = [];
  freeFrames: number;
  failures = 0;
  peakFrames = 0;
  readonly #zones: readonly SmallZone[];
  /** The zones from the highest base down: the order in which they are tried. */
  readonly #order: readonly SmallZone[];
  readonly #owner: Int32Array;
  readonly #started: Uint8Array;
  /** The live block that starts at a frame. */
  readonly #starts: (SmallBlock | undefined)[];
  readonly #totalFrames: number;
  #nextId = 1;

  constructor(plan: CorePlan) {
    this.plan = plan;
    let dense = 0;
    this.#zones = plan.zones.map((zone) => {
      const frames = zone.size / plan.frameSize;
      const fixture = { plan: zone, first: dense, frames, skew: (zone.base / plan.frameSize) % 2 ** 31 };
      dense += frames;
      return fixture;
    });
    this.#order = [...this.#zones].sort((one, two) => two.plan.base - one.plan.base);
    this.#totalFrames = dense;
    this.freeFrames = dense;
    this.#owner = new Int32Array(dense);
    this.#started = new Uint8Array(dense);
    this.#starts = new Array<SmallBlock | undefined>(dense).fill(undefined);
  }

  /** Everything free, nothing remembered. */
  reset(): void {
    this.live.length = 0;
    this.#starts.fill(undefined);
    this.#owner.fill(0);
    this.#started.fill(0);
    this.freeFrames = this.#totalFrames;
    this.failures = 0;
    this.peakFrames = 0;
    this.#nextId = 1;
  }

  /** Everything, to come back to with `load`. */
  save(): SmallImage {
    const { freeFrames, failures, peakFrames } = this;
    const live = this.live.map((block) => ({ ...block }));
    return { owner: this.#owner.slice(), started: this.#started.slice(), live, freeFrames, failures, peakFrames };
  }

  /** Back to what `save` gave. Numbers of blocks go on, so that no two blocks ever share one. */
  load(image: SmallImage): void {
    this.reset();
    this.#owner.set(image.owner);
    this.#started.set(image.started);
    this.freeFrames = image.freeFrames;
    this.failures = image.failures;
    this.peakFrames = image.peakFrames;
    for (const kept of image.live) {
      const block = { ...kept };
      this.live.push(block);
      this.#starts[block.frame] = block;
      if (block.id >= this.#nextId) this.#nextId = block.id + 1;
    }
  }

  get liveFrames(): number {
    return this.#totalFrames - this.freeFrames;
  }

  /** Frames that a length takes. */
  framesOf(lengthBytes: number): number {
    return Math.ceil(lengthBytes / this.plan.frameSize);
  }

  /** Is it legal to serve this at `address`? Undefined and taken over, or a sentence and nothing changed. */
  adopt(
    address: number,
    physical: number,
    lengthBytes: number,
    options: AllocateOptions | undefined,
  ): string | undefined {
    const { frameSize } = this.plan;
    const zone = this.#zoneAt(address);
    if (zone === undefined) return `virtual ${address} is in no window`;
    const offset = address - zone.plan.window;
    if (offset % frameSize !== 0) return `virtual ${address} is not the start of a frame`;
    if (physical !== zone.plan.base + offset) return `virtual ${address} is not at physical ${physical}`;
    const start = offset / frameSize;
    const frames = this.framesOf(lengthBytes);
    const tag = options?.tag ?? 0;
    const step = this.#step(frames, options);
    if (start + frames > zone.frames) return "the block leaves its zone";
    if ((zone.skew + start) % step !== 0) return `frame ${zone.skew + start} is no multiple of ${step}`;
    if (leavesGroup(zone.skew + start, frames))
      return `${frames} frames from ${zone.skew + start} on are in two groups`;
    for (let frame = start; frame < start + frames; frame++) {
      const owner = this.#owner[zone.first + frame];
      if (owner !== 0) return `frame ${frame} is held by block ${owner}`;
    }
    if (options !== undefined) {
      const { highest, boundary, node } = options;
      if (boundary !== undefined && boundary < lengthBytes) return "the boundary is smaller than the length";
      if (highest !== undefined && physical + frames * frameSize - 1 > highest)
        return `its last byte is above ${highest}`;
      if (node !== undefined && zone.plan.node !== node) return `node ${zone.plan.node} is not ${node}`;
    }
    for (const earlier of this.#tried(options)) {
      if (earlier === zone) break;
      if (this.#serves(earlier, frames, step, options?.highest))
        return `the zone at ${earlier.plan.base} comes before the one at ${zone.plan.base} and has room`;
    }
    this.#begin(zone.first + start, frames, { address, physical, lengthBytes, tag });
    return undefined;
  }

  /** Was it right to answer "out of memory", for this reason? Undefined and counted, or a sentence. */
  confirmFailure(
    lengthBytes: number,
    options: AllocateOptions | undefined,
    reason: FailureReason | undefined,
  ): string | undefined {
    const frames = this.framesOf(lengthBytes);
    const step = this.#step(frames, options);
    const tooNarrow = options?.boundary !== undefined && options.boundary < lengthBytes;
    if (!tooNarrow) {
      for (const zone of this.#tried(options)) {
        if (this.#serves(zone, frames, step, options?.highest))
          return `out of memory, but the zone at ${zone.plan.base} serves ${lengthBytes} bytes`;
      }
    }
    if (reason !== undefined) {
      const expected = tooNarrow ? "boundary" : this.#reason(frames, step, options);
      if (reason !== expected) return `the reason is ${expected}, not ${reason}`;
    }
    this.failures++;
    return undefined;
  }

  #reason(frames: number, step: number, options: AllocateOptions | undefined): FailureReason {
    const limited = options?.node !== undefined || (options?.highest ?? ADDRESS_LIMIT - 1) < ADDRESS_LIMIT - 1;
    if (limited && this.#zones.some((zone) => this.#serves(zone, frames, step, undefined))) return "addressing";
    return this.freeFrames < frames ? "exhausted" : "fragmented";
  }

  /** What a free at an address must come to: undefined where it must succeed. */
  refusalOf(address: number, lengthBytes: number | undefined, tag: number | undefined): ErrorCode | undefined {
    if (address === 0) return "INVALID_ARGUMENT";
    const block = this.blockAt(address);
    if (block !== undefined) {
      if (lengthBytes !== undefined && lengthBytes !== block.lengthBytes) return "LENGTH_MISMATCH";
      return tag !== undefined && tag !== block.tag ? "WRONG_OWNER" : undefined;
    }
    const zone = this.#zoneAt(address);
    if (zone === undefined) return "FOREIGN_ADDRESS";
    const frame = zone.first + Math.floor((address - zone.plan.window) / this.plan.frameSize);
    if (this.#owner[frame] !== 0) return "INTERIOR_ADDRESS";
    const isStart = (address - zone.plan.window) % this.plan.frameSize === 0;
    return isStart && this.#started[frame] === 1 ? "ALREADY_FREED" : "NEVER_ALLOCATED";
  }

  /** End a live block. */
  remove(block: SmallBlock): void {
    this.#starts[block.frame] = undefined;
    this.#own(block.frame, block.frames, 0);
    this.freeFrames += block.frames;
    const last = this.live.pop() as SmallBlock;
    if (last !== block) {
      this.live[block.slot] = last;
      last.slot = block.slot;
    }
  }

  /** The live block that starts at an address. */
  blockAt(address: number): SmallBlock | undefined {
    const zone = this.#zoneAt(address);
    if (zone === undefined) return undefined;
    const block = this.#starts[zone.first + Math.floor((address - zone.plan.window) / this.plan.frameSize)];
    return block?.address === address ? block : undefined;
  }

  /** The live block around an address of a window: whole frames count. */
  around(address: number): SmallBlock | undefined {
    const zone = this.#zoneAt(address);
    if (zone === undefined) return undefined;
    const id = this.#owner[zone.first + Math.floor((address - zone.plan.window) / this.plan.frameSize)];
    return id === 0 ? undefined : this.live.find((block) => block.id === id);
  }

  /** The longest block that an unconstrained request could have now, bytes. */
  largestFreeBytes(): number {
    let largest = 0;
    for (const zone of this.#zones) {
      let gap = 0;
      for (let frame = 0; frame <= zone.frames; frame++) {
        if (frame < zone.frames && this.#owner[zone.first + frame] === 0) {
          gap++;
          continue;
        }
        largest = Math.max(largest, longestIn(zone.skew + frame - gap, zone.skew + frame));
        gap = 0;
      }
    }
    return largest * this.plan.frameSize;
  }

  #begin(frame: number, frames: number, given: Pick<SmallBlock, "address" | "physical" | "lengthBytes" | "tag">): void {
    const id = this.#nextId++;
    const { address, physical, lengthBytes, tag } = given;
    const block: SmallBlock = { address, physical, lengthBytes, tag, frame, frames, id, slot: this.live.length };
    this.#own(frame, frames, id);
    this.#started[frame] = 1;
    this.live.push(block);
    this.#starts[frame] = block;
    this.freeFrames -= frames;
    if (this.liveFrames > this.peakFrames) this.peakFrames = this.liveFrames;
  }

  /** A loop, because most blocks are a few frames and `fill` costs more than they do. */
  #own(frame: number, frames: number, id: number): void {
    const owner = this.#owner;
    for (let at = frame; at < frame + frames; at++) owner[at] = id;
  }

  /** Frames between two legal starts; with a boundary, a power of two at or above the frames. */
  #step(frames: number, options: AllocateOptions | undefined): number {
    let step = Math.min(frames & -frames, GROUP_FRAMES);
    if (frames > GROUP_FRAMES) step = GROUP_FRAMES;
    if (options?.boundary !== undefined) while (step < frames) step *= 2;
    return options?.alignment === undefined ? step : Math.max(step, options.alignment / this.plan.frameSize);
  }

  #zoneAt(address: number): SmallZone | undefined {
    for (const zone of this.#zones) {
      if (address >= zone.plan.window && address < zone.plan.window + zone.plan.size) return zone;
    }
    return undefined;
  }

  /** Zones that may serve, in the order in which they are tried. */
  #tried(options: AllocateOptions | undefined): readonly SmallZone[] {
    if (options === undefined || (options.node === undefined && options.preferredNode === undefined))
      return this.#order;
    const { node, preferredNode } = options;
    const allowed = this.#order.filter((zone) => node === undefined || zone.plan.node === node);
    if (preferredNode === undefined) return allowed;
    return [
      ...allowed.filter((zone) => zone.plan.node === preferredNode),
      ...allowed.filter((zone) => zone.plan.node !== preferredNode),
    ];
  }

  /** Is there a legal start for `frames` frames in a zone? */
  #serves(zone: SmallZone, frames: number, step: number, highest: number | undefined): boolean {
    let end = zone.frames;
    if (highest !== undefined) end = Math.min(end, Math.floor((highest + 1 - zone.plan.base) / this.plan.frameSize));
    const owner = this.#owner;
    const base = zone.first;
    for (let start = Math.ceil(zone.skew / step) * step - zone.skew; start + frames <= end; start += step) {
      if (leavesGroup(zone.skew + start, frames)) continue;
      let frame = start;
      while (frame < start + frames && owner[base + frame] === 0) frame++;
      if (frame === start + frames) return true;
    }
    return false;
  }
}
