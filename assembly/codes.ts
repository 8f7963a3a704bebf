/**
 * Codes: the length of a live block, where it starts (layout.ts).
 *
 *   a block of            starts at       its code is              entry
 *   1 to 63 frames        any frame       its length + CODE_BIAS   codes[frame], u16 or u32
 *   64 frames and more    a page          its length + CODE_BIAS   pageCodes[page], u32
 *
 * An entry is read and written as a u32 of which a mask says what belongs to it. So the quick paths, which find base,
 * rotation and mask beside a stack of ready blocks (ready.ts), have no branch on sizes, which come in no order: one that
 * is foretold wrong costs more than all the rest of an allocation.
 *
 * The last eight lengths below 2^32 would come round to 0 to 7, which are marks. They get WRAPPED more, which no length of 64
 * frames has; and no stack is for so many frames of the largest size, so that the quick paths never meet one.
 *
 *   address of a code = base + rotl(frame - origin, rotation)      u16 per frame: * 2     rotation 1
 *                                                                  u32 per frame: * 4     rotation 2
 *                                                                  u32 per page:  / 16    rotation 28
 *
 * The last is a division because a frame that starts a page is a multiple of 64 frames from the origin, which starts one
 * too; and no bit comes round to the front, because an array with more entries than that would not fit into memory. The
 * u32 at the last u16 of `codes` reaches into what follows, which is memory in every core.
 */
import {
  CODE_BIAS, H_CODE_SHIFT, H_FRAME_SHIFT, KEYED_FRAMES, KEYS, MARK_FREED, MARK_PIECE, MARK_PIECE_FREED, MARK_READY_FREED, PAGE_FRAMES, PAGE_SHIFT, S_BASE,
  S_ROTATE, Z_CODES, Z_PAGE_CODES,
} from "./layout";

/** See the head of this file. */
const WRAPPED: u32 = 16;

/** Bytes to frames, rounded up. 1 to 2^32 - 1 bytes. */
// @ts-ignore: decorator
@inline
export function framesOf(lengthBytes: u32): u32 {
  return framesLessOne(lengthBytes) + 1;
}

/** One less than that. */
// @ts-ignore: decorator
@inline
export function framesLessOne(lengthBytes: u32): u32 {
  assert(lengthBytes != 0);
  return (lengthBytes - 1) >> load<u32>(H_FRAME_SHIFT);
}

/** The same, called: for where a call more does not count. */
export function framesFor(lengthBytes: u32): u32 {
  return framesOf(lengthBytes);
}

/** The stack for blocks of so many frames less one, 0 to KEYED_FRAMES - 1; that of none for sizes that are not kept ready. */
// @ts-ignore: decorator
@inline
export function stackFor(countLessOne: u32): usize {
  assert(countLessOne < KEYED_FRAMES);
  return <usize>load<u16>(KEYS + (countLessOne << 1));
}

// ---- through a stack: the quick paths --------------------------------------------------------------------------------

/** Where the code is of a block of the highest zone and of the size of a stack. `index` is the frame less the origin. */
// @ts-ignore: decorator
@inline
export function keyedAt(stack: usize, index: u32): usize {
  return <usize>(load<u32>(stack, S_BASE) + rotl<u32>(index, load<u32>(stack, S_ROTATE)));
}

// ---- entries of either array -----------------------------------------------------------------------------------------

/** The entry of `codes` at a frame. */
export function codeAt(zone: usize, frame: u32): u32 {
  const base = load<u32>(zone, Z_CODES);
  return load<u32>(H_CODE_SHIFT) == 1 ? <u32>load<u16>(<usize>(base + (frame << 1))) : load<u32>(<usize>(base + (frame << 2)));
}

function setCodeAt(zone: usize, frame: u32, value: u32): void {
  const base = load<u32>(zone, Z_CODES);
  if (load<u32>(H_CODE_SHIFT) == 1) store<u16>(<usize>(base + (frame << 1)), <u16>value);
  else store<u32>(<usize>(base + (frame << 2)), value);
}

/** The entry of `pageCodes` at a page. */
export function pageCodeAt(zone: usize, page: u32): u32 {
  return load<u32>(<usize>(load<u32>(zone, Z_PAGE_CODES) + (page << 2)));
}

/** The entry where a block of `count` frames starts, whichever array it is in. */
export function entryAt(zone: usize, frame: u32, count: u32): u32 {
  return count < PAGE_FRAMES ? codeAt(zone, frame) : pageCodeAt(zone, frame >> PAGE_SHIFT);
}

/** Write a mark, or a code, where a block of `count` frames starts. */
export function setEntry(zone: usize, frame: u32, count: u32, value: u32): void {
  if (count < PAGE_FRAMES) setCodeAt(zone, frame, value);
  else store<u32>(<usize>(load<u32>(zone, Z_PAGE_CODES) + ((frame >> PAGE_SHIFT) << 2)), value);
}

// ---- any block -------------------------------------------------------------------------------------------------------

/** Is an entry of either array a code? */
// @ts-ignore: decorator
@inline
export function isCode(entry: u32): bool {
  return entry >= CODE_BIAS;
}

export function isPiece(entry: u32): bool {
  return entry == MARK_PIECE || entry == MARK_PIECE_FREED;
}

/** The length of the live block of fewer than 64 frames that starts at a frame, 0 when none does. */
export function smallLengthAt(zone: usize, frame: u32): u32 {
  const code = codeAt(zone, frame);
  return isCode(code) ? code - CODE_BIAS : 0;
}

/** The length of the live block of 64 frames and more that starts at a page, 0 when none does. */
export function pageLengthAt(zone: usize, page: u32): u32 {
  const code = pageCodeAt(zone, page);
  if (!isCode(code)) return 0;
  return code - CODE_BIAS - (code < CODE_BIAS + WRAPPED ? WRAPPED : 0);
}

/** Write the code of any live block. */
export function writeCode(zone: usize, frame: u32, count: u32, lengthBytes: u32): void {
  const code = lengthBytes + CODE_BIAS;
  setEntry(zone, frame, count, isCode(code) ? code : code + WRAPPED);
}

/** The exact length of the live block that starts at `frame`, or 0. */
export function lengthFrom(zone: usize, frame: u32): u32 {
  const lengthBytes = smallLengthAt(zone, frame);
  return lengthBytes != 0 || (frame & (PAGE_FRAMES - 1)) != 0 ? lengthBytes : pageLengthAt(zone, frame >> PAGE_SHIFT);
}

function saysFreed(entry: u32): bool {
  return entry == MARK_FREED || entry == MARK_PIECE_FREED || entry == MARK_READY_FREED;
}

/** Was this frame the start of a block once? Meaningful where no live block starts now. */
export function wasStart(zone: usize, frame: u32): bool {
  return saysFreed(codeAt(zone, frame)) || ((frame & (PAGE_FRAMES - 1)) == 0 && saysFreed(pageCodeAt(zone, frame >> PAGE_SHIFT)));
}
