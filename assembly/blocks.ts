/**
 * Live blocks: who holds a frame, and is this free allowed?
 *
 * The exact length in bytes of a block stands at its first frame (layout.ts), so a free names its block and proves itself
 * by one compare: a second free finds a mark, a free of an inner frame finds another value or none, a wrong length
 * differs. Nothing else is stored of a block but its tag.
 *
 * The block that holds any frame is found without a search. A block starts on a multiple of the power of two at or above
 * its frames, so the starts that could hold frame f are f with its lowest set bits cleared one after the other:
 *
 *     f = 0b1011 0110 -> ...0110, ...0100, ...0000 of the page, then the same with the page number
 *
 * The first of them that starts a live block decides: a longer block could only start further down and would overlap it.
 *
 * Promise: a refused call has changed nothing. `free` needs a bounded number of steps (those of `give`).
 */
import {
  BAD_LENGTH, BAD_TAG, FLAG_TAGS, FOREIGN, FREED, H_FIRST_ZONE, H_FLAGS, H_FOUND_FRAMES, H_FOUND_HEAD, H_FOUND_LENGTH, H_FOUND_ZONE, H_FRAME_SHIFT,
  H_FREE_FRAMES, H_LENGTH_SHIFT, H_LIVE_BLOCKS, H_PEAK_FRAMES, H_TOTAL_FRAMES, H_WITHHELD_FRAMES, INTERIOR, MARK_FREED, MARK_PIECE, MARK_PIECE_FREED, NEVER, OK, PAGE_FRAMES,
  PAGE_FREED, PAGE_PIECE, PAGE_PIECE_FREED, PAGE_SHIFT, Z_END, Z_FIRST, Z_FREE, Z_LENGTHS, Z_NEXT, Z_PAGE_FIRST, Z_PAGE_LENGTHS, Z_TAGS,
} from "./layout";
import { give } from "./frames";
import { pieceFrames } from "./mappings";

/** Bytes to frames, rounded up. 1 to 2^32 - 1 bytes. */
// @ts-ignore: decorator
@inline
export function framesOf(lengthBytes: u32): u32 {
  assert(lengthBytes != 0);
  return ((lengthBytes - 1) >> load<u32>(H_FRAME_SHIFT)) + 1;
}

/** The zone that holds a frame number, or 0. */
// @ts-ignore: decorator
@inline
export function zoneOf(frame: u32): usize {
  let zone = <usize>load<u32>(H_FIRST_ZONE);
  while (zone != 0) {
    if (frame - load<u32>(zone, Z_FIRST) < load<u32>(zone, Z_END) - load<u32>(zone, Z_FIRST)) break;
    zone = <usize>load<u32>(zone, Z_NEXT);
  }
  return zone;
}

// ---- the two length arrays, read as one kind of number ---------------------------------------------------------------

/** The entry of `lengths` at a frame; the marks are widened to 32 bits. */
// @ts-ignore: decorator
@inline
export function lengthAt(zone: usize, frame: u32): u32 {
  const base = load<u32>(zone, Z_LENGTHS);
  if (load<u32>(H_LENGTH_SHIFT) == 1) {
    const narrow = <u32>load<u16>(<usize>(base + (frame << 1)));
    return narrow >= (MARK_PIECE_FREED & 0xffff) ? narrow | 0xffff0000 : narrow;
  }
  return load<u32>(<usize>(base + (frame << 2)));
}

// @ts-ignore: decorator
@inline
export function setLengthAt(zone: usize, frame: u32, value: u32): void {
  const base = load<u32>(zone, Z_LENGTHS);
  if (load<u32>(H_LENGTH_SHIFT) == 1) store<u16>(<usize>(base + (frame << 1)), <u16>value);
  else store<u32>(<usize>(base + (frame << 2)), value);
}

// @ts-ignore: decorator
@inline
export function pageLengthAt(zone: usize, page: u32): u32 {
  return load<u32>(<usize>(load<u32>(zone, Z_PAGE_LENGTHS) + (page << 2)));
}

// @ts-ignore: decorator
@inline
export function setPageLengthAt(zone: usize, page: u32, value: u32): void {
  store<u32>(<usize>(load<u32>(zone, Z_PAGE_LENGTHS) + (page << 2)), value);
}

// @ts-ignore: decorator
@inline
export function isLength(value: u32): bool {
  return value - 1 < MARK_PIECE_FREED - 1;
}

// @ts-ignore: decorator
@inline
export function isPiece(value: u32): bool {
  return value == MARK_PIECE || value == MARK_PIECE_FREED;
}

// @ts-ignore: decorator
@inline
export function isPageLength(value: u32): bool {
  return value > PAGE_PIECE_FREED;
}

// @ts-ignore: decorator
@inline
export function isPagePiece(value: u32): bool {
  return value == PAGE_PIECE || value == PAGE_PIECE_FREED;
}

// ---- starting and ending a block -------------------------------------------------------------------------------------

/** Write the length of a block of `count` frames at its first frame. */
// @ts-ignore: decorator
@inline
function begin(zone: usize, frame: u32, count: u32, lengthBytes: u32): void {
  if (count < PAGE_FRAMES) setLengthAt(zone, frame, lengthBytes);
  else setPageLengthAt(zone, frame >> PAGE_SHIFT, lengthBytes);
}

/** Count frames that were just taken as live. */
// @ts-ignore: decorator
@inline
export function countTaken(zone: usize, count: u32): void {
  store<u32>(zone, load<u32>(zone, Z_FREE) - count, Z_FREE);
  const free = load<u32>(H_FREE_FRAMES) - count;
  store<u32>(H_FREE_FRAMES, free);
  const live = load<u32>(H_TOTAL_FRAMES) - free - load<u32>(H_WITHHELD_FRAMES);
  if (live > load<u32>(H_PEAK_FRAMES)) store<u32>(H_PEAK_FRAMES, live);
}

// @ts-ignore: decorator
@inline
function countGiven(zone: usize, count: u32): void {
  store<u32>(zone, load<u32>(zone, Z_FREE) + count, Z_FREE);
  store<u32>(H_FREE_FRAMES, load<u32>(H_FREE_FRAMES) + count);
}

/** Make `count` frames that were just taken a live block. */
export function beginBlock(zone: usize, frame: u32, count: u32, lengthBytes: u32, tag: u32): void {
  begin(zone, frame, count, lengthBytes);
  const tags = load<u32>(zone, Z_TAGS);
  if (tags != 0) store<u32>(<usize>(tags + (frame << 2)), tag);
  countTaken(zone, count);
  store<u32>(H_LIVE_BLOCKS, load<u32>(H_LIVE_BLOCKS) + 1);
}

/** Make `count` frames that were just taken a piece of a scattered block. */
export function beginPiece(zone: usize, frame: u32, count: u32): void {
  if (count < PAGE_FRAMES) {
    setLengthAt(zone, frame, lengthAt(zone, frame) == MARK_FREED ? MARK_PIECE_FREED : MARK_PIECE);
  } else {
    const page = frame >> PAGE_SHIFT;
    setPageLengthAt(zone, page, pageLengthAt(zone, page) == PAGE_FREED ? PAGE_PIECE_FREED : PAGE_PIECE);
  }
  countTaken(zone, count);
}

/** End a piece: its window address was never handed out, so the mark falls back to what it was. */
export function endPiece(zone: usize, frame: u32, count: u32): void {
  if (count < PAGE_FRAMES) {
    assert(isPiece(lengthAt(zone, frame)));
    setLengthAt(zone, frame, lengthAt(zone, frame) == MARK_PIECE_FREED ? MARK_FREED : 0);
  } else {
    const page = frame >> PAGE_SHIFT;
    assert(isPagePiece(pageLengthAt(zone, page)));
    setPageLengthAt(zone, page, pageLengthAt(zone, page) == PAGE_PIECE_FREED ? PAGE_FREED : 0);
  }
  give(zone, frame, count);
  countGiven(zone, count);
}

/** Is a live block of exactly this length at this frame? The one compare that a free rests on. */
// @ts-ignore: decorator
@inline
function proves(zone: usize, frame: u32, count: u32, lengthBytes: u32): bool {
  if (count < PAGE_FRAMES) return lengthAt(zone, frame) == lengthBytes;
  return (frame & (PAGE_FRAMES - 1)) == 0 && pageLengthAt(zone, frame >> PAGE_SHIFT) == lengthBytes;
}

/** End a live block that `check` has passed. */
function endBlock(zone: usize, frame: u32, count: u32): void {
  if (count < PAGE_FRAMES) setLengthAt(zone, frame, MARK_FREED);
  else setPageLengthAt(zone, frame >> PAGE_SHIFT, PAGE_FREED);
  const tags = load<u32>(zone, Z_TAGS);
  if (tags != 0) store<u32>(<usize>(tags + (frame << 2)), 0);
  give(zone, frame, count);
  countGiven(zone, count);
  store<u32>(H_LIVE_BLOCKS, load<u32>(H_LIVE_BLOCKS) - 1);
}

/** Free the block at `frame`, whose length is given. OK, or why not (see `refusal`). */
export function free(frame: u32, lengthBytes: u32): u32 {
  const zone = zoneOf(frame);
  if (zone == 0) return FOREIGN;
  const count = framesOf(lengthBytes);
  // No length can equal a mark: up to 63 frames stay below the marks of `lengths`, 64 frames above those of pages.
  if (!proves(zone, frame, count, lengthBytes)) return refusal(zone, frame);
  endBlock(zone, frame, count);
  return OK;
}

/** The same with a tag to compare as well; BAD_TAG when the tag alone differs. */
export function freeTagged(frame: u32, lengthBytes: u32, tag: u32): u32 {
  const zone = zoneOf(frame);
  if (zone == 0) return FOREIGN;
  const count = framesOf(lengthBytes);
  if (!proves(zone, frame, count, lengthBytes)) return refusal(zone, frame);
  if (tagAt(zone, frame) != tag) return BAD_TAG;
  endBlock(zone, frame, count);
  return OK;
}

export function tagAt(zone: usize, frame: u32): u32 {
  const tags = load<u32>(zone, Z_TAGS);
  return tags == 0 ? 0 : load<u32>(<usize>(tags + (frame << 2)));
}

// ---- asking ----------------------------------------------------------------------------------------------------------

/** The exact length of the live block that starts at `frame`, or 0. */
export function lengthFrom(zone: usize, frame: u32): u32 {
  const small = lengthAt(zone, frame);
  if (isLength(small)) return small;
  if ((frame & (PAGE_FRAMES - 1)) != 0) return 0;
  const large = pageLengthAt(zone, frame >> PAGE_SHIFT);
  return isPageLength(large) ? large : 0;
}

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
    const small = lengthAt(zone, head);
    if (isLength(small)) return found(zone, frame, head, framesOf(small), small);
    if (isPiece(small)) return found(zone, frame, head, pieceFrames(zone, head), 0);
    if ((head & (PAGE_FRAMES - 1)) == 0) break;
    head &= head - 1;
  }
  const firstPage = load<u32>(zone, Z_PAGE_FIRST);
  // From here on only blocks of 64 frames and more count: a small one at the start of an earlier page ends there.
  for (let page = head >> PAGE_SHIFT; page >= firstPage; page &= page - 1) {
    const large = pageLengthAt(zone, page);
    if (isPageLength(large)) return found(zone, frame, page << PAGE_SHIFT, framesOf(large), large);
    if (isPagePiece(large)) return found(zone, frame, page << PAGE_SHIFT, pieceFrames(zone, page << PAGE_SHIFT), 0);
  }
  return 0;
}

/** `holderIn` for any frame number. */
export function holder(frame: u32): u32 {
  const zone = zoneOf(frame);
  return zone == 0 ? 0 : holderIn(zone, frame);
}

/** Was this frame the start of a block once? Meaningful where no live block starts now. */
function wasStart(zone: usize, frame: u32): bool {
  const small = lengthAt(zone, frame);
  if (small == MARK_FREED || small == MARK_PIECE_FREED) return true;
  if ((frame & (PAGE_FRAMES - 1)) != 0) return false;
  const large = pageLengthAt(zone, frame >> PAGE_SHIFT);
  return large == PAGE_FREED || large == PAGE_PIECE_FREED;
}

/** Why a block of the length that was given cannot be freed at `frame`. */
export function refusal(zone: usize, frame: u32): u32 {
  if (holderIn(zone, frame) == 1) return load<u32>(H_FOUND_HEAD) == frame ? BAD_LENGTH : INTERIOR;
  return wasStart(zone, frame) ? FREED : NEVER;
}

/** `refusal` for a frame whose length nobody gave: OK when a live block starts there. */
export function inspect(frame: u32): u32 {
  const zone = zoneOf(frame);
  if (zone == 0) return FOREIGN;
  if (lengthFrom(zone, frame) != 0) return OK;
  return refusal(zone, frame);
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
 * Returns its length, or 0 when no live block starts there. `reclaim` or `release` must follow.
 */
export function claim(frame: u32): u32 {
  const zone = zoneOf(frame);
  if (zone == 0) return 0;
  const lengthBytes = lengthFrom(zone, frame);
  if (lengthBytes == 0) return 0;
  if (framesOf(lengthBytes) < PAGE_FRAMES) setLengthAt(zone, frame, MARK_FREED);
  else setPageLengthAt(zone, frame >> PAGE_SHIFT, PAGE_FREED);
  return lengthBytes;
}

/** Undo `claim`. */
export function reclaim(frame: u32, lengthBytes: u32): void {
  begin(zoneOf(frame), frame, framesOf(lengthBytes), lengthBytes);
}

/** Finish what `claim` began. */
export function release(frame: u32, lengthBytes: u32): void {
  endBlock(zoneOf(frame), frame, framesOf(lengthBytes));
}
