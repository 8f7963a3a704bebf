/**
 * Where a block may lie: the placement rule as arithmetic over gaps.
 *
 * A block of fewer than 64 frames lies inside one group of 64 (in physical frames) and starts at a multiple of the largest
 * power of two that divides its frames; a larger one starts at a group. `alignment` can only raise that. It lies inside one gap
 * of one zone, and its last byte is at most `highest`. Where a `boundary` is given, it starts at a multiple of the power of
 * two at or above its frames, so that it cannot cross one that is at least as large as itself; the boundary is then decided by
 * the length alone. (The length as asked for: 100 bytes of a 4 KiB frame do not cross a boundary of 2 KiB.)
 *
 * Here the lowest such start of the first zone that has one is taken. Another implementation may choose differently
 * inside a zone; `candidate` answers whether any choice exists, which is all that judging needs.
 *
 * A scattered block is cut into pieces, each placed by the same rule.
 */
import type { Constraints, FailureReason } from "../../bindings/index.js";
import type { JudgeZone } from "./zone.js";

/** `count` frames of one zone. */
export interface Piece {
  readonly zone: JudgeZone;
  readonly start: number;
  readonly count: number;
}

/** Where a block may lie: one run in a window, or pieces under a virtual range of their own. */
export interface Placement {
  readonly pieces: readonly Piece[];
  readonly contiguous: boolean;
}

/** What `boundary` is where none was asked for. */
const NO_BOUNDARY = 2 ** 52;

/** The least power of two at or above a positive integer. */
export function ceilPowerOfTwo(value: number): number {
  let power = 1;
  while (power < value) power *= 2;
  return power;
}

/** Frames that a length takes. */
export function framesOf(lengthBytes: number, frameSize: number): number {
  return Math.ceil(lengthBytes / frameSize);
}

/** Frames of the zone whose last byte is at most `highest`, counted from its start. */
function framesBelow(zone: JudgeZone, highest: number): number {
  if (highest < zone.base) return 0;
  return Math.min(zone.frames, Math.floor((highest + 1 - zone.base) / zone.frameSize));
}

/** The least frame of the zone at or above `start` whose physical address is a multiple of `frames` frames. */
function alignedFrame(zone: JudgeZone, start: number, frames: number): number {
  const first = zone.base / zone.frameSize;
  return Math.ceil((first + start) / frames) * frames - first;
}

/** Zones that the constraints allow, in the order in which they are tried. */
export function zonesInOrder(zones: readonly JudgeZone[], constraints: Constraints): JudgeZone[] {
  const { node, preferredNode } = constraints;
  const allowed = zones.filter((zone) => node < 0 || zone.node === node).sort((one, two) => two.base - one.base);
  const preferred = allowed.filter((zone) => zone.node === preferredNode);
  return [...preferred, ...allowed.filter((zone) => zone.node !== preferredNode)];
}

/** Frames of a group. */
const GROUP_FRAMES = 64;

/** Frames between two legal starts of a single run: a power of two. */
export function stepOf(frames: number, constraints: Constraints, frameSize: number): number {
  let natural = GROUP_FRAMES;
  for (; frames < GROUP_FRAMES && frames % natural !== 0; natural /= 2);
  if (constraints.boundary < NO_BOUNDARY) natural = Math.max(natural, ceilPowerOfTwo(frames));
  return Math.max(natural, constraints.alignment / frameSize);
}

/** Does a run of a legal length leave the group of 64 in which it has to lie? `start` is a physical frame number. */
export function leavesGroup(start: number, frames: number): boolean {
  return frames < GROUP_FRAMES && (start % GROUP_FRAMES) + frames > GROUP_FRAMES;
}

/** The lowest legal start of `frames` frames in one zone, or -1. Node and boundary are not looked at. */
export function candidate(zone: JudgeZone, frames: number, constraints: Constraints): number {
  if (zone.free < frames) return -1;
  const step = stepOf(frames, constraints, zone.frameSize);
  const limit = framesBelow(zone, constraints.highest);
  const first = zone.base / zone.frameSize;
  let found = -1;
  zone.someGap((start, end) => {
    if (start >= limit) return true;
    let aligned = alignedFrame(zone, start, step);
    if (leavesGroup(first + aligned, frames)) aligned = alignedFrame(zone, aligned, Math.max(step, GROUP_FRAMES));
    if (aligned + frames > Math.min(end, limit)) return false;
    found = aligned;
    return true;
  });
  return found;
}

/** One run, or with `contiguous: false` pieces; undefined when out of memory. */
export function place(
  zones: readonly JudgeZone[],
  lengthBytes: number,
  constraints: Constraints,
  frameSize: number,
): Placement | undefined {
  if (constraints.boundary < lengthBytes) return undefined;
  const frames = framesOf(lengthBytes, frameSize);
  const order = zonesInOrder(zones, constraints);
  for (const zone of order) {
    const start = candidate(zone, frames, constraints);
    if (start >= 0) return { pieces: [{ zone, start, count: frames }], contiguous: true };
  }
  if (constraints.contiguous) return undefined;
  const pieces = gather(order, frames, constraints, frameSize);
  return pieces && { pieces, contiguous: false };
}

/**
 * Pieces from the lowest gaps of each zone in turn. Every piece starts aligned, and every piece but the last is a multiple
 * of the alignment long, so that an offset into the block and its physical address agree modulo the alignment.
 */
function gather(
  order: readonly JudgeZone[],
  frames: number,
  constraints: Constraints,
  frameSize: number,
): Piece[] | undefined {
  const step = Math.max(1, constraints.alignment / frameSize);
  const tail = frames % step;
  const pieces: Piece[] = [];
  const rests: { readonly zone: JudgeZone; readonly start: number; readonly count: number }[] = [];
  let wanted = frames - tail;
  for (const zone of order) {
    const limit = framesBelow(zone, constraints.highest);
    zone.someGap((start, end) => {
      const aligned = alignedFrame(zone, start, step);
      const room = Math.max(0, Math.min(end, limit) - aligned);
      const count = Math.min(wanted, Math.floor(room / step) * step);
      if (count > 0) pieces.push({ zone, start: aligned, count });
      wanted -= count;
      if (room > count) rests.push({ zone, start: aligned + count, count: room - count });
      return (wanted === 0 && tail === 0) || start >= limit;
    });
  }
  if (wanted > 0) return undefined;
  if (tail === 0) return pieces;
  const rest = rests.find((one) => one.count >= tail);
  return rest && [...pieces, { zone: rest.zone, start: rest.start, count: tail }];
}

/** Why a request has no place. Only to be asked when `place` said so. */
export function failureReason(
  zones: readonly JudgeZone[],
  lengthBytes: number,
  constraints: Constraints,
  frameSize: number,
): FailureReason {
  if (constraints.boundary < lengthBytes) return "boundary";
  const limited = constraints.node >= 0 || constraints.highest < 2 ** 52 - 1;
  const unlimited: Constraints = { ...constraints, node: -1, highest: 2 ** 52 - 1 };
  if (limited && place(zones, lengthBytes, unlimited, frameSize) !== undefined) return "addressing";
  const free = zones.reduce((sum, zone) => sum + zone.free, 0);
  return free < framesOf(lengthBytes, frameSize) ? "exhausted" : "fragmented";
}

/** Frames of the longest single run that would be served now without constraints. */
export function largestRun(zones: readonly JudgeZone[]): number {
  let largest = 0;
  for (const zone of zones) {
    const first = zone.base / zone.frameSize;
    zone.someGap((from, to) => {
      // From the first group that starts in the gap; and of a part of a group, all of it, or one frame less where an even length
      // is not aligned.
      const [start, end] = [first + from, first + to];
      const whole = Math.ceil(start / GROUP_FRAMES) * GROUP_FRAMES;
      if (end - whole >= GROUP_FRAMES) largest = Math.max(largest, end - whole);
      for (let at = start; at < end; ) {
        const length = Math.min(end, (Math.floor(at / GROUP_FRAMES) + 1) * GROUP_FRAMES) - at;
        largest = Math.max(largest, at % (length & -length) === 0 ? length : length - 1);
        at += length;
        // What lies between the two ends of a long gap is whole groups.
        if (end - at > GROUP_FRAMES) at = Math.floor((end - 1) / GROUP_FRAMES) * GROUP_FRAMES;
      }
      return false;
    });
  }
  return largest;
}
