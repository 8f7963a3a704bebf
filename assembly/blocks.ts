/**
 * Live blocks: starting and ending them, and who holds a frame.
 *
 * A free names its block and proves itself by one compare of the length tag where the block starts (length-tags.ts): a second free
 * finds a sentinel, a free of an inner frame finds another length tag or none, a wrong length differs. Nothing else is stored of a
 * block but its tag.
 *
 * The block that holds any frame is found without a search. A block starts on a multiple of the power of two at or above
 * its frames, so the starts that could hold frame f are f with its lowest set bits cleared one after the other:
 *
 *     f = 0b1011 0110 -> ...0110, ...0100, ...0000 of the group, then the same with the group number
 *
 * The first of them that starts a live block decides: a longer block could only start further down and would overlap it.
 *
 * What free bitmaps and class trees have given away is counted when they change, and what is cached with every block (cache.ts);
 * the difference is live.
 *
 * Promise: a refused call has changed nothing. A free takes a bounded number of steps (those of `give`).
 */
import {
  BAD_LENGTH, BAD_TAG, LENGTH_TAG_BIAS, FOREIGN, FREED, H_HEADROOM_LIMIT, H_PEAK_HEADROOM, H_BLOCKS, H_FIRST_ZONE, H_FOUND_FRAMES, H_FOUND_HEAD, H_FOUND_LENGTH, H_FOUND_ZONE, H_CACHED_ORIGIN,
  H_CACHED_SPAN, INTERIOR, CACHE_MAX_FRAMES, SENTINEL_FREED, SENTINEL_PIECE, SENTINEL_PIECE_FREED, SENTINEL_CACHED_FREED, NEVER, OK, GROUP_FRAMES, GROUP_SHIFT, S_FRAMES, S_INNER, S_MASK, S_TOP, Z_COUNT,
  Z_FIRST, Z_NEXT, Z_GROUP_FIRST, Z_TAGS,
} from "./layout";
import { lengthTagAt, tagOrSentinelAt, framesFor, framesLessOne, isPiece, lengthTagAddress, lengthFrom, groupLengthTagAt, groupLengthAt, setTagOrSentinel, smallLengthAt, stackForFrames, wasStart, writeLengthTag } from "./length-tags";
import { count, evictOne, hasRoom } from "./cache";
import { give } from "./frames";
import { pieceFrames } from "./mappings";
import { step } from "./steps";

/** Does a zone hold a frame number? */
// @ts-ignore: decorator
@inline
function holds(zone: usize, frame: u32): bool {
  return frame - load<u32>(zone, Z_FIRST) < load<u32>(zone, Z_COUNT);
}

/** The zone that holds a frame number, or 0. */
export function zoneOf(frame: u32): usize {
  let zone = <usize>load<u32>(H_FIRST_ZONE);
  while (zone != 0 && !holds(zone, frame)) {
    step();
    zone = <usize>load<u32>(zone, Z_NEXT);
  }
  return zone;
}

// ---- starting and ending ---------------------------------------------------------------------------------------------

/** Write the tag of a live block. A frame where no live block starts has the tag 0. */
export function setTag(zone: usize, frame: u32, tag: u32): void {
  const tags = load<u32>(zone, Z_TAGS);
  if (tags != 0) store<u32>(<usize>(tags + (frame << 2)), tag);
}

/** Make frames that were just taken a live block. */
export function beginBlock(zone: usize, frame: u32, frames: u32, lengthBytes: u32): void {
  writeLengthTag(zone, frame, frames, lengthBytes);
  store<u32>(H_BLOCKS, load<u32>(H_BLOCKS) + 1);
  count(zone, frames, frames);
}

/** Make frames that were just taken a piece of a scattered block. */
export function beginPiece(zone: usize, frame: u32, frames: u32): void {
  setTagOrSentinel(zone, frame, frames, tagOrSentinelAt(zone, frame, frames) == SENTINEL_FREED ? SENTINEL_PIECE_FREED : SENTINEL_PIECE);
  count(zone, frames, frames);
}

/** End a piece: its window address was never handed out, so the sentinel falls back to what it was. */
export function endPiece(zone: usize, frame: u32, frames: u32): void {
  setTagOrSentinel(zone, frame, frames, tagOrSentinelAt(zone, frame, frames) == SENTINEL_PIECE_FREED ? SENTINEL_FREED : 0);
  returnFrames(zone, frame, frames);
}

/** Give the frames of what was live back. */
function returnFrames(zone: usize, frame: u32, frames: u32): void {
  give(zone, frame, frames);
  count(zone, -<i32>frames, -<i32>frames);
}

/** Free the block at `frame`, whose length is given and whose tag is 0. OK, or why not (see `refusal`). */
export function free(frame: u32, lengthBytes: u32): u32 {
  return freeInline(frame, lengthBytes);
}

/** The same, for the loop of a module that has this one linked in. */
// @ts-ignore: decorator
@inline
export function freeInline(frame: u32, lengthBytes: u32): u32 {
  // The quick way, for the highest zone: one compare proves the block, one push caches it.
  const countLessOne = framesLessOne(lengthBytes);
  if (countLessOne >= CACHE_MAX_FRAMES) return freeSlowly(frame, lengthBytes);
  const stack = stackForFrames(countLessOne);
  const index = frame - load<u32>(H_CACHED_ORIGIN);
  if (index >= load<u32>(H_CACHED_SPAN)) return freeSlowly(frame, lengthBytes);
  if ((frame & load<u32>(stack, S_INNER)) != 0) return freeSlowly(frame, lengthBytes);
  const at = lengthTagAddress(stack, index);
  const rest = load<u32>(at) - (lengthBytes + LENGTH_TAG_BIAS);
  if ((rest & load<u32>(stack, S_MASK)) != 0) return freeSlowly(frame, lengthBytes);
  const top = load<u32>(stack, S_TOP);
  if (!hasRoom(top)) return mergeProved(stack, frame, at, rest);
  const below = load<u32>(H_PEAK_HEADROOM) + load<u32>(stack, S_FRAMES);
  if (below > load<u32>(H_HEADROOM_LIMIT)) return mergeProved(stack, frame, at, rest);
  store<u32>(at, rest + SENTINEL_CACHED_FREED);
  store<u32>(<usize>(top + 4), frame);
  store<u32>(stack, top + 4, S_TOP);
  store<u32>(H_PEAK_HEADROOM, below);
  return OK;
}

/** Free a block that was found live on the quick way, and merge its frames. `rest` is what else is in the word of its length tag. */
function mergeProved(stack: usize, frame: u32, at: usize, rest: u32): u32 {
  store<u32>(at, rest + SENTINEL_FREED);
  store<u32>(H_BLOCKS, load<u32>(H_BLOCKS) - 1);
  returnFrames(<usize>load<u32>(H_FIRST_ZONE), frame, load<u32>(stack, S_FRAMES));
  evictOne();
  return OK;
}

/** Free a block of any zone and merge its frames. */
function freeSlowly(frame: u32, lengthBytes: u32): u32 {
  const zone = zoneOf(frame);
  if (zone == 0) return FOREIGN;
  if (lengthFrom(zone, frame) != lengthBytes) return refusal(zone, frame);
  const frames = framesFor(lengthBytes);
  setTagOrSentinel(zone, frame, frames, SENTINEL_FREED);
  store<u32>(H_BLOCKS, load<u32>(H_BLOCKS) - 1);
  returnFrames(zone, frame, frames);
  evictOne();
  return OK;
}

/** `free` on a core that keeps tags, whatever the tag. */
export function freeAny(frame: u32, lengthBytes: u32): u32 {
  const code = free(frame, lengthBytes);
  if (code == OK) setTag(zoneOf(frame), frame, 0);
  return code;
}

/** `free` with a tag to compare as well; BAD_TAG when the tag alone differs. */
export function freeTagged(frame: u32, lengthBytes: u32, tag: u32): u32 {
  const zone = zoneOf(frame);
  if (zone == 0) return FOREIGN;
  if (tagAt(zone, frame) != tag && lengthFrom(zone, frame) == lengthBytes) return BAD_TAG;
  const code = free(frame, lengthBytes);
  if (code == OK) setTag(zone, frame, 0);
  return code;
}

export function tagAt(zone: usize, frame: u32): u32 {
  const tags = load<u32>(zone, Z_TAGS);
  return tags == 0 ? 0 : load<u32>(<usize>(tags + (frame << 2)));
}

// ---- asking ----------------------------------------------------------------------------------------------------------

/** Leave in the header what holds a frame. 1 a block, 2 a piece of a scattered block, 0 nothing. */
function found(zone: usize, frame: u32, head: u32, frames: u32, lengthBytes: u32): u32 {
  if (frame - head >= frames) return 0;
  store<u32>(H_FOUND_HEAD, head);
  store<u32>(H_FOUND_FRAMES, frames);
  store<u32>(H_FOUND_LENGTH, lengthBytes);
  store<u32>(H_FOUND_ZONE, <u32>zone);
  return lengthBytes == 0 ? 2 : 1;
}

/** Who holds a frame of this zone: 1 a block, 2 a piece of a scattered block, 0 nobody. Details in the header. */
export function holderIn(zone: usize, frame: u32): u32 {
  let head = frame;
  for (;;) {
    step();
    const lengthBytes = smallLengthAt(zone, head);
    if (lengthBytes != 0) return found(zone, frame, head, framesFor(lengthBytes), lengthBytes);
    if (isPiece(lengthTagAt(zone, head))) return found(zone, frame, head, pieceFrames(zone, head), 0);
    if ((head & (GROUP_FRAMES - 1)) == 0) break;
    head &= head - 1;
  }
  const firstGroup = load<u32>(zone, Z_GROUP_FIRST);
  // From here on only blocks of 64 frames and more count: a small one at the start of an earlier group ends there.
  for (let group = head >> GROUP_SHIFT; group >= firstGroup; group &= group - 1) {
    step();
    const lengthBytes = groupLengthAt(zone, group);
    if (lengthBytes != 0) return found(zone, frame, group << GROUP_SHIFT, framesFor(lengthBytes), lengthBytes);
    if (isPiece(groupLengthTagAt(zone, group))) return found(zone, frame, group << GROUP_SHIFT, pieceFrames(zone, group << GROUP_SHIFT), 0);
  }
  return 0;
}

/** `holderIn` for any frame number. */
export function holder(frame: u32): u32 {
  const zone = zoneOf(frame);
  return zone == 0 ? 0 : holderIn(zone, frame);
}

/** Why a block of the length that was given cannot be freed at `frame`. */
function refusal(zone: usize, frame: u32): u32 {
  if (holderIn(zone, frame) == 1) return load<u32>(H_FOUND_HEAD) == frame ? BAD_LENGTH : INTERIOR;
  return wasStart(zone, frame) ? FREED : NEVER;
}

/** `refusal` for a frame whose length nobody gave: OK when a live block starts there. */
export function inspect(frame: u32): u32 {
  const zone = zoneOf(frame);
  if (zone == 0) return FOREIGN;
  return lengthFrom(zone, frame) != 0 ? OK : refusal(zone, frame);
}

/** The exact length of the live block that starts at `frame`; 0 when none does. */
export function sizeOf(frame: u32): u32 {
  const zone = zoneOf(frame);
  return zone == 0 ? 0 : lengthFrom(zone, frame);
}

/** The tag of the live block that starts at `frame`. */
export function tagOf(frame: u32): u32 {
  const zone = zoneOf(frame);
  return zone == 0 ? 0 : tagAt(zone, frame);
}

// ---- freeing many, all or none ---------------------------------------------------------------------------------------

/**
 * Mark a live block as ended without giving its frames back, so that its second mention in the same batch is seen.
 * Returns its length, or 0 when no live block starts there. `abortFree` or `commitFree` must follow.
 */
export function beginFree(frame: u32): u32 {
  const lengthBytes = sizeOf(frame);
  if (lengthBytes != 0) setTagOrSentinel(zoneOf(frame), frame, framesFor(lengthBytes), SENTINEL_FREED);
  return lengthBytes;
}

/** Undo `beginFree`. */
export function abortFree(frame: u32, lengthBytes: u32): void {
  writeLengthTag(zoneOf(frame), frame, framesFor(lengthBytes), lengthBytes);
}

/** Finish what `beginFree` began. */
export function commitFree(frame: u32, lengthBytes: u32): void {
  abortFree(frame, lengthBytes);
  freeAny(frame, lengthBytes);
}
