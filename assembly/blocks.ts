/**
 * Live blocks: starting and ending them.
 *
 * A free names its block and proves itself by one compare of the length tag where the block starts (length-tags.ts): a
 * second free finds a sentinel, a free of an inner frame finds another tag or none, a wrong length differs. Nothing else is
 * stored of a block but its user tag and its head (heads.ts).
 *
 * In every change the store of the length tag decides: before a block's tag is written its frames are free, and after its tag
 * is gone they are, whatever bitmaps, trees and counts say in between.
 *
 * What bitmaps and trees have given away is counted when they change, and what is cached with every block (cache.ts); the
 * difference is live.
 *
 * Promise: a refused call has changed nothing. A free takes a bounded number of steps (those of `give`).
 */
import {
  BAD_LENGTH, BAD_TAG, CACHE_MAX_FRAMES, FOREIGN, FREED, GROUP_FRAMES, H_BLOCKS, H_CACHED_ORIGIN, H_CACHED_SPAN, H_FIRST_ZONE, H_FOUND_HEAD, INTERIOR, LENGTH_TAG_BIAS, NEVER,
  OK, SENTINEL_FREED, SENTINEL_PIECE, SENTINEL_PIECE_FREED, S_FRAMES, S_INNER, S_MASK, S_TOP, W_HEADROOM_LIMIT, W_PEAK_HEADROOM, Z_COUNT, Z_FIRST, Z_NEXT, Z_TAGS,
} from "./layout";
import { addHead, holderIn, removeHead } from "./heads";
import { cachedSentinel, framesFor, framesLessOne, lengthFrom, lengthTagAddress, setTagOrSentinel, stackForFrames, tagOrSentinelAt, wasStart, withoutBlock, writeLengthTag } from "./length-tags";
import { count, evictOne, hasRoom } from "./cache";
import { give } from "./frames";
import { step } from "./steps";
import { Frame, Stack, Zone } from "./units";

/** Does a zone hold a frame number? */
// @ts-ignore: decorator
@inline
function holds(zone: Zone, frame: Frame): bool {
  return frame - load<u32>(zone, Z_FIRST) < load<u32>(zone, Z_COUNT);
}

/** The zone that holds a frame number, or 0. */
export function zoneOf(frame: Frame): Zone {
  let zone = <usize>load<u32>(H_FIRST_ZONE);
  while (zone != 0 && !holds(zone, frame)) {
    step();
    zone = <usize>load<u32>(zone, Z_NEXT);
  }
  return zone;
}

// ---- starting and ending ---------------------------------------------------------------------------------------------

/** Write the tag of a live block. A frame where no live block starts has the tag 0. */
export function setTag(zone: Zone, frame: Frame, tag: u32): void {
  const tags = load<u32>(zone, Z_TAGS);
  if (tags != 0) store<u32>(<usize>(tags + (frame << 2)), tag);
}

/** Make frames that were just taken a live block. */
export function beginBlock(zone: Zone, frame: Frame, frames: u32, lengthBytes: u32): void {
  addHead(zone, frame, frames);
  writeLengthTag(zone, frame, frames, lengthBytes);
  store<u32>(H_BLOCKS, load<u32>(H_BLOCKS) + 1);
  count(zone, frames, frames);
}

/** Make frames that were just taken a piece of a scattered block. */
export function beginPiece(zone: Zone, frame: Frame, frames: u32): void {
  addHead(zone, frame, frames);
  setTagOrSentinel(zone, frame, frames, withoutBlock(tagOrSentinelAt(zone, frame, frames)) != 0 ? SENTINEL_PIECE_FREED : SENTINEL_PIECE);
  count(zone, frames, frames);
}

/** End a piece: its window address was never handed out, so the sentinel falls back to what it was. */
export function endPiece(zone: Zone, frame: Frame, frames: u32): void {
  setTagOrSentinel(zone, frame, frames, withoutBlock(tagOrSentinelAt(zone, frame, frames)));
  returnFrames(zone, frame, frames);
}

/** Give the frames of what was live back. Its length tag is gone. */
function returnFrames(zone: Zone, frame: Frame, frames: u32): void {
  removeHead(zone, frame, frames);
  give(zone, frame, frames);
  count(zone, -<i32>frames, -<i32>frames);
}

/** Free the block at `frame`, whose length is given and whose tag is 0. OK, or why not (see `refusal`). */
export function free(frame: Frame, lengthBytes: u32): u32 {
  return freeInline(frame, lengthBytes);
}

/** The same, for the loop of a module that has this one linked in. */
// @ts-ignore: decorator
@inline
export function freeInline(frame: Frame, lengthBytes: u32): u32 {
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
  const headroom = load<u32>(W_PEAK_HEADROOM) + load<u32>(stack, S_FRAMES);
  if (headroom > load<u32>(W_HEADROOM_LIMIT)) return mergeProved(stack, frame, at, rest);
  store<u32>(at, rest + cachedSentinel(stack));
  store<u32>(<usize>(top + 4), frame);
  store<u32>(stack, top + 4, S_TOP);
  store<u32>(W_PEAK_HEADROOM, headroom);
  return OK;
}

/** Free a block that was found live on the quick way, and merge its frames. `rest` is what else is in the word of its length tag. */
function mergeProved(stack: Stack, frame: Frame, at: usize, rest: u32): u32 {
  store<u32>(at, rest + SENTINEL_FREED);
  store<u32>(H_BLOCKS, load<u32>(H_BLOCKS) - 1);
  returnFrames(<usize>load<u32>(H_FIRST_ZONE), frame, load<u32>(stack, S_FRAMES));
  evictOne();
  return OK;
}

/** Free a block of any zone and merge its frames. */
function freeSlowly(frame: Frame, lengthBytes: u32): u32 {
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
export function freeAny(frame: Frame, lengthBytes: u32): u32 {
  const code = free(frame, lengthBytes);
  if (code == OK) setTag(zoneOf(frame), frame, 0);
  return code;
}

/** `free` with a tag to compare as well; BAD_TAG when the tag alone differs. */
export function freeTagged(frame: Frame, lengthBytes: u32, tag: u32): u32 {
  const zone = zoneOf(frame);
  if (zone == 0) return FOREIGN;
  if (tagAt(zone, frame) != tag && lengthFrom(zone, frame) == lengthBytes) return BAD_TAG;
  const code = free(frame, lengthBytes);
  if (code == OK) setTag(zone, frame, 0);
  return code;
}

export function tagAt(zone: Zone, frame: Frame): u32 {
  const tags = load<u32>(zone, Z_TAGS);
  return tags == 0 ? 0 : load<u32>(<usize>(tags + (frame << 2)));
}

// ---- asking ----------------------------------------------------------------------------------------------------------

/** `holderIn` for any frame number. */
export function holder(frame: Frame): u32 {
  const zone = zoneOf(frame);
  return zone == 0 ? 0 : holderIn(zone, frame);
}

/** Why a block of the length that was given cannot be freed at `frame`. */
function refusal(zone: Zone, frame: Frame): u32 {
  if (holderIn(zone, frame) == 1) return load<u32>(H_FOUND_HEAD) == frame ? BAD_LENGTH : INTERIOR;
  return wasStart(zone, frame) ? FREED : NEVER;
}

/** `refusal` for a frame whose length nobody gave: OK when a live block starts there. */
export function inspect(frame: Frame): u32 {
  const zone = zoneOf(frame);
  if (zone == 0) return FOREIGN;
  return lengthFrom(zone, frame) != 0 ? OK : refusal(zone, frame);
}

/** The exact length of the live block that starts at `frame`; 0 when none does. */
export function sizeOf(frame: Frame): u32 {
  const zone = zoneOf(frame);
  return zone == 0 ? 0 : lengthFrom(zone, frame);
}

/** The tag of the live block that starts at `frame`. */
export function tagOf(frame: Frame): u32 {
  const zone = zoneOf(frame);
  return zone == 0 ? 0 : tagAt(zone, frame);
}

// ---- freeing many, all or none ---------------------------------------------------------------------------------------

/**
 * Mark a live block as ended without giving its frames back, so that its second mention in the same batch is seen.
 * Returns its length, or 0 when no live block starts there. `abortFree` or `commitFree` must follow.
 */
export function beginFree(frame: Frame): u32 {
  const lengthBytes = sizeOf(frame);
  if (lengthBytes != 0) setTagOrSentinel(zoneOf(frame), frame, framesFor(lengthBytes), SENTINEL_FREED);
  return lengthBytes;
}

/** Undo `beginFree`. */
export function abortFree(frame: Frame, lengthBytes: u32): void {
  writeLengthTag(zoneOf(frame), frame, framesFor(lengthBytes), lengthBytes);
}

/** Finish what `beginFree` began. */
export function commitFree(frame: Frame, lengthBytes: u32): void {
  abortFree(frame, lengthBytes);
  freeAny(frame, lengthBytes);
}
