/**
 * Allocation: from a request to frames, over all zones.
 *
 *   request ─► frames ─► for each zone, highest base first ─► best fit ─► last resort ─► next zone
 *                           │ node? highest?                                 │
 *                           └ skipped                    none left ─► scattered? ─► why it failed
 *
 * The highest zone goes first so that memory below 4 GiB is left for the devices that can reach nothing else. A node is
 * a requirement, a preferred node is a first pass over its zones. `highest` cuts a zone at a frame number.
 *
 * A block lies in one zone. One of up to 64 frames starts at a multiple of the largest power of two that divides its frames, a
 * larger one at a group; `alignment` raises that. A `boundary` is kept by raising it to the power of two at or above the
 * length: the only multiples of a larger power of two that such a block could cross are those it starts at.
 *
 * `allocate` is the plain request and the hot path; everything else comes through a ring entry (ring.ts).
 */
import {
  CACHE_MAX_FRAMES, GROUP_FRAMES, GROUP_SHIFT, H_BLOCKS, H_CACHED_ORIGIN, H_FAIL_FREE, H_FAIL_LONGEST, H_FAILURES, H_FIRST_ZONE, H_FRAME_SHIFT, H_MAP_COUNT, H_PEAK_FRAMES,
  H_REASON, H_TOTAL_FRAMES, H_WITHHELD_FRAMES, KIND_SCATTERED, LENGTH_TAG_BIAS, M_BYTES, M_OWNER, M_PHYSICAL, REASON_ADDRESSING, REASON_EXHAUSTED, REASON_FRAGMENTED, S_FRAMES,
  S_TOP, W_PEAK_HEADROOM, Z_BASE, Z_COUNT, Z_END, Z_FIRST, Z_NEXT, Z_NODE, Z_SPAN_ORDER,
} from "./layout";
import { floorOrder, naturalOrder, orderOf } from "./bits";
import { NO_LIMIT, bestGroup, chooseRun, give, groupsFor, longest, runLength, takeAnywhere, takeBatch, takeFitting, takeOfRun } from "./frames";
import { addHead } from "./heads";
import { beginBlock, beginPiece, endPiece, zoneOf } from "./blocks";
import { framesLessOne, framesOf, lengthTagAddress, stackForFrames, writeLengthTag } from "./length-tags";
import { cacheFresh, cachedFrames, count, dropAllCached, emptyStack, evictOne, forgetPeak, liveFrames, mayCache, noteOrder, noteUncachedSize, raisePeak, roomOf, spill, unspill } from "./cache";
import { insert, mappingAt, record, removeRecord, reserve, scatterGap } from "./mappings";
import { step } from "./steps";
import { Frame, Order, Stack, Zone } from "./units";

/** So many blocks of one size are taken at once, one to hand out and the others to cache. More cost space, fewer time. */
const BATCH: u32 = 4;
export const ANY_NODE: u32 = 0xffffffff;
/** The last physical byte there can be. */
export const HIGHEST: f64 = 4503599627370495.0;

/** The first physical byte of a frame. */
export function physicalOf(zone: Zone, frame: u32): f64 {
  return load<f64>(zone, Z_BASE) + <f64>(<u64>(frame - load<u32>(zone, Z_FIRST)) << load<u32>(H_FRAME_SHIFT));
}

/** One past the last frame number of a zone whose last byte lies at or below `highest`. */
function limitOf(zone: Zone, highest: f64): u32 {
  const bytes = highest + 1 - load<f64>(zone, Z_BASE);
  if (bytes <= 0) return load<u32>(zone, Z_FIRST);
  const frames = Math.floor(bytes / <f64>(1 << load<u32>(H_FRAME_SHIFT)));
  return frames >= <f64>load<u32>(zone, Z_COUNT) ? load<u32>(zone, Z_END) : load<u32>(zone, Z_FIRST) + <u32>frames;
}

/** Do all zones end at or below `highest`? */
export function reachesAll(highest: f64): bool {
  const zone = <usize>load<u32>(H_FIRST_ZONE);
  return limitOf(zone, highest) == load<u32>(zone, Z_END);
}

/** Take `count` frames in one zone, at a multiple of 2^order frames at least, ending at or below `limit`. The first frame, or 0. */
function takeIn(zone: Zone, count: u32, order: Order, limit: Frame): Frame {
  const span = load<u32>(zone, Z_SPAN_ORDER);
  if (order > span) {
    // Frame numbers are congruent to physical ones up to the span only. No zone has more frames than the span, so one
    // number at most is a multiple of it; that one alone can be aligned to more, if its address is.
    const first = load<u32>(zone, Z_FIRST);
    const only = ((first - 1) | ((1 << span) - 1)) + 1;
    if (orderOf(count) > span || only >= load<u32>(zone, Z_END) || !isAligned(physicalOf(zone, only), order)) return 0;
    order = span;
  }
  const frame = takeMerged(zone, count, order, limit);
  if (frame != 0 || cachedFrames() == 0 || zone != <Zone>load<u32>(H_FIRST_ZONE)) return frame;
  // Before the highest zone refuses, all merging that was put off is done; and undone, if it was no use.
  spill();
  const merged = takeMerged(zone, count, order, limit);
  if (merged == 0) unspill();
  else dropAllCached();
  return merged;
}

/** The same from what is merged. */
function takeMerged(zone: Zone, count: u32, order: Order, limit: Frame): Frame {
  // The quick choice knows no limit and no alignment but the natural one.
  if (order <= naturalOrder(count) && limit >= load<u32>(zone, Z_END)) {
    const frame = takeFitting(zone, count);
    // Of a power of two up to a group the classes promise every place there is.
    if (frame != 0 || (count <= GROUP_FRAMES && (count & (count - 1)) == 0)) return frame;
  }
  return takeAnywhere(zone, count, order, limit);
}

/** Is a physical address a multiple of 2^order frames? */
function isAligned(physical: f64, order: u32): bool {
  const bytes = <f64>((<u64>1) << (order + load<u32>(H_FRAME_SHIFT)));
  return Math.floor(physical / bytes) * bytes == physical;
}

/** A block without constraints, its tag still 0. Its first frame, or 0 when out of memory. */
export function allocate(lengthBytes: u32): u32 {
  return allocateInline(lengthBytes);
}

/** The same, for the loop of a module that has this one linked in. */
// @ts-ignore: decorator
@inline
export function allocateInline(lengthBytes: u32): Frame {
  // The quick way: something of this size is cached in the highest zone.
  const countLessOne = framesLessOne(lengthBytes);
  if (countLessOne >= CACHE_MAX_FRAMES) return allocateSlowly(lengthBytes);
  const stack = stackForFrames(countLessOne);
  const top = load<u32>(stack, S_TOP);
  const frame = load<u32>(<usize>top);
  if (frame == 0) return allocateSlowly(lengthBytes);
  const at = lengthTagAddress(stack, frame - load<u32>(H_CACHED_ORIGIN));
  // What is below LENGTH_TAG_BIAS there is the sentinel of a cached block; what is above may be its neighbour's tag.
  store<u32>(at, (load<u32>(at) & -LENGTH_TAG_BIAS) + lengthBytes + LENGTH_TAG_BIAS);
  store<u32>(stack, top - 4, S_TOP);
  const headroom = load<u32>(W_PEAK_HEADROOM);
  const frames = load<u32>(stack, S_FRAMES);
  if (headroom < frames) raisePeak(frames - headroom);
  else store<u32>(W_PEAK_HEADROOM, headroom - frames);
  return frame;
}

/** The same where nothing of the size is cached. */
function allocateSlowly(lengthBytes: u32): Frame {
  const frames = framesOf(lengthBytes);
  const cacheable = frames <= CACHE_MAX_FRAMES;
  const stack = cacheable ? stackForFrames(frames - 1) : emptyStack();
  let frame = stack == emptyStack() ? 0 : refill(stack, frames, lengthBytes);
  if (frame == 0) frame = takePlain(frames, lengthBytes);
  if (frame == 0) {
    fail(shortage(frames));
    return 0;
  }
  noteOrder(orderOf(frames));
  if (cacheable && stack == emptyStack()) noteUncachedSize(frames);
  return frame;
}

/**
 * Up to four blocks of one size at once: one to hand out, the others to cache, for little more than one costs. The first
 * frame of the one, or 0 where none can be had so, or nothing may be cached.
 */
function refill(stack: Stack, frames: u32, lengthBytes: u32): Frame {
  if (!mayCache((BATCH - 1) * frames) || roomOf(stack) < BATCH - 1) return 0;
  return frames < GROUP_FRAMES ? refillSmall(stack, frames, lengthBytes) : refillGroups(stack, frames, lengthBytes);
}

/** Out of the one group that fits one block best, as many as it has room for. */
function refillSmall(stack: Stack, frames: u32, lengthBytes: u32): Frame {
  const zone = <Zone>load<u32>(H_FIRST_ZONE);
  const group = bestGroup(zone, frames);
  if (group == 0) return 0;
  let starts = takeBatch(zone, group, frames, BATCH);
  const base = group << GROUP_SHIFT;
  const frame = base + <u32>ctz(starts);
  let blocks: u32 = 1;
  // The highest is pushed first, so that the next request gets the lowest of those that are cached.
  for (starts &= starts - 1; starts != 0; ++blocks) {
    const at = 63 - <u32>clz(starts);
    cacheFresh(stack, base + at, frames);
    starts &= ~((<u64>1) << at);
  }
  return finishRefill(zone, frame, frames, blocks, lengthBytes);
}

/** Of the run that fits one block best, if it has room for four. */
function refillGroups(stack: Stack, frames: u32, lengthBytes: u32): Frame {
  if ((frames & (GROUP_FRAMES - 1)) != 0) return 0;
  const zone = <Zone>load<u32>(H_FIRST_ZONE);
  const run = chooseRun(zone, groupsFor(frames));
  if (run == 0 || runLength(zone, run) < BATCH * groupsFor(frames)) return 0;
  const frame = takeOfRun(zone, run, BATCH * frames);
  for (let i: u32 = BATCH - 1; i != 0; --i) cacheFresh(stack, frame + i * frames, frames);
  return finishRefill(zone, frame, frames, BATCH, lengthBytes);
}

function finishRefill(zone: Zone, frame: Frame, frames: u32, blocks: u32, lengthBytes: u32): Frame {
  addHead(zone, frame, frames);
  writeLengthTag(zone, frame, frames, lengthBytes);
  store<u32>(H_BLOCKS, load<u32>(H_BLOCKS) + blocks);
  count(zone, blocks * frames, frames);
  return frame;
}

function takePlain(count: u32, lengthBytes: u32): Frame {
  for (let zone = <usize>load<u32>(H_FIRST_ZONE); zone != 0; zone = <usize>load<u32>(zone, Z_NEXT)) {
    step();
    const frame = takeIn(zone, count, 0, NO_LIMIT);
    if (frame != 0) {
      beginBlock(zone, frame, count, lengthBytes);
      evictOne();
      return frame;
    }
  }
  return 0;
}

/** Free frames in all zones, those of cached blocks included. */
function freeFrames(): u32 {
  return load<u32>(H_TOTAL_FRAMES) - liveFrames() - load<u32>(H_WITHHELD_FRAMES);
}

/** Why a request that nothing excludes from any zone failed. */
function shortage(count: u32): u32 {
  return count <= freeFrames() ? REASON_FRAGMENTED : REASON_EXHAUSTED;
}

export function fail(reason: u32): void {
  store<u32>(H_REASON, reason);
  const failures = load<f64>(H_FAILURES);
  if (failures < 9007199254740991.0) store<f64>(H_FAILURES, failures + 1);
}

/** Note what was free when an allocation failed. Apart from `fail`, because it walks the members of a class. */
export function noteFailure(): void {
  store<u32>(H_FAIL_FREE, freeFrames());
  store<u32>(H_FAIL_LONGEST, longestBlock());
}

/** Frames under constraints, not yet a block. The first, or 0. `order` is what is asked for beyond the natural alignment, below 52. */
export function takeConstrained(count: u32, order: u32, highest: f64, node: u32, preferred: u32): u32 {
  if (preferred != ANY_NODE) {
    const frame = takePass(count, order, highest, node, preferred, false);
    if (frame != 0) return frame;
  }
  return takePass(count, order, highest, node, preferred, true);
}

/** One pass over the zones: those of the preferred node, or (`rest`) all others. */
function takePass(count: u32, order: u32, highest: f64, node: u32, preferred: u32, rest: bool): u32 {
  for (let zone = <usize>load<u32>(H_FIRST_ZONE); zone != 0; zone = <usize>load<u32>(zone, Z_NEXT)) {
    step();
    const zoneNode = load<u32>(zone, Z_NODE);
    if (node != ANY_NODE && zoneNode != node) continue;
    if ((preferred != ANY_NODE && zoneNode == preferred) == rest) continue;
    const frame = takeIn(zone, count, order, limitOf(zone, highest));
    if (frame != 0) return frame;
  }
  return 0;
}

/**
 * Why a request found nothing: would it be served if `highest` and `node` did not count? That is tried by taking and
 * giving back, which leaves no trace because free frames are described in one way only.
 */
export function reasonOf(lengthBytes: u32, count: u32, order: u32, least: u32, excluded: bool, scatter: bool): u32 {
  if (excluded) {
    const frame = takeConstrained(count, order, HIGHEST, ANY_NODE, ANY_NODE);
    if (frame != 0) {
      give(zoneOf(frame), frame, count);
      return REASON_ADDRESSING;
    }
    const peak = load<u32>(H_PEAK_FRAMES);
    const owner = scatter ? gatherPieces(lengthBytes, count, least, HIGHEST, ANY_NODE, ANY_NODE, 0) : 0;
    if (owner != 0) undo(owner);
    forgetPeak(peak); // what was held for a moment was never live
    if (owner != 0) return REASON_ADDRESSING;
  }
  return shortage(count);
}

/** A scattered block. Its virtual address, or 0 when out of memory. Arguments as for `gatherPieces`. */
export function gather(lengthBytes: u32, count: u32, least: u32, highest: f64, node: u32, preferred: u32, tag: u32): f64 {
  const peak = load<u32>(H_PEAK_FRAMES);
  const owner = gatherPieces(lengthBytes, count, least, highest, node, preferred, tag);
  if (owner == 0) {
    forgetPeak(peak); // as in reasonOf
  } else store<u32>(H_BLOCKS, load<u32>(H_BLOCKS) + 1);
  return owner;
}

/**
 * Gather pieces of any zones that may serve, longest first, under one virtual range. Its first address, or 0.
 *
 * Every piece starts at a multiple of 2^least frames, and is a power of two of frames of at least that order but for the
 * last, which is what remains. With `least` 0 this succeeds whenever enough frames are free, for single frames can always be had.
 */
function gatherPieces(lengthBytes: u32, count: u32, least: u32, highest: f64, node: u32, preferred: u32, tag: u32): f64 {
  if (count > freeFrames()) return 0;
  const shift = load<u32>(H_FRAME_SHIFT);
  const owner = scatterGap(<f64>(<u64>count << shift));
  if (owner == 0) return 0;
  let left = count;
  let at = owner;
  let order = max(floorOrder(count), least);
  while (left != 0) {
    const size: u32 = min(left, (<u32>1) << order);
    const frame = reserve(1) ? takeConstrained(size, least, highest, node, preferred) : 0;
    if (frame != 0) {
      const zone = zoneOf(frame);
      const length = <f64>(<u64>size << shift);
      insert(at, physicalOf(zone, frame), length, owner, <f64>lengthBytes, KIND_SCATTERED, tag);
      beginPiece(zone, frame, size);
      at += length;
      left -= size;
      while (order > least && (<u32>1) << order > left) --order;
    } else if (order > least) {
      --order;
    } else {
      undo(owner);
      return 0;
    }
  }
  return owner;
}

/** Give all pieces of a owner back and forget its runs. */
function undo(owner: f64): void {
  const shift = load<u32>(H_FRAME_SHIFT);
  const at = mappingAt(owner);
  while (at != 0 && at < record(load<u32>(H_MAP_COUNT)) && load<f64>(at, M_OWNER) == owner) {
    const physical = load<f64>(at, M_PHYSICAL);
    const frames = <u32>(<u64>load<f64>(at, M_BYTES) >> shift);
    const zone = zoneAt(physical);
    const frame = load<u32>(zone, Z_FIRST) + <u32>(<u64>(physical - load<f64>(zone, Z_BASE)) >> shift);
    endPiece(zone, frame, frames);
    removeRecord(at);
  }
}

/** Free the scattered block at `owner`, which the caller has checked. */
export function freeScattered(owner: f64): void {
  undo(owner);
  store<u32>(H_BLOCKS, load<u32>(H_BLOCKS) - 1);
}

/** The zone that holds a physical address, or 0. */
export function zoneAt(physical: f64): usize {
  const shift = load<u32>(H_FRAME_SHIFT);
  for (let zone = <usize>load<u32>(H_FIRST_ZONE); zone != 0; zone = <usize>load<u32>(zone, Z_NEXT)) {
    const base = load<f64>(zone, Z_BASE);
    if (physical >= base && physical < base + <f64>(<u64>load<u32>(zone, Z_COUNT) << shift)) return zone;
  }
  return 0;
}

/** The longest block that an unconstrained request could take now, in frames, cached blocks given back first. Changes nothing. */
export function longestBlock(): u32 {
  let best: u32 = 0;
  spill();
  for (let zone = <usize>load<u32>(H_FIRST_ZONE); zone != 0; zone = <usize>load<u32>(zone, Z_NEXT)) {
    best = max(best, longest(zone));
  }
  unspill();
  return best;
}
