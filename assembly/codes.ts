/**
 * Codes: the length of a live block, where it starts (layout.ts).
 *
 *   a block of            starts at       its code is                                   entry
 *   1 to 63 frames        any frame       its length in bytes                           codes[frame]
 *   1 to 64 whole pages   a page          pages * frameSize + slack (u32: its length)   pageCodes[page]
 *   any other             a page          PAGE_LONG                 (u32: its length)   pageCodes[page]; longLengths[page]
 *
 * What is allocated from, or kept on, a stack of ready blocks has a code of the first two kinds; where it is and how it is
 * made from the length stands beside the stack (ready.ts).
 */
import {
  H_CODE_SHIFT, H_FRAME_SHIFT, KEYED_FRAMES, KEYS, MARK_FREED, MARK_PIECE, MARK_PIECE_FREED, MARK_READY_FREED, PAGE_FRAMES, PAGE_FREED, PAGE_LONG, PAGE_PIECE,
  PAGE_PIECE_FREED, PAGE_READY_FREED, PAGE_SHIFT, S_BASE, S_BIAS, S_FLIP, S_MARK, S_SHIFT, Z_CODES, Z_LONG_LENGTHS, Z_PAGE_CODES,
} from "./layout";
import { stackOf } from "./ready";

/** The lowest mark of `codes`. */
const LOWEST_MARK: u32 = MARK_READY_FREED;

/** Bytes to frames, rounded up. 1 to 2^32 - 1 bytes. */
// @ts-ignore: decorator
@inline
export function framesOf(lengthBytes: u32): u32 {
  assert(lengthBytes != 0);
  return ((lengthBytes - 1) >> load<u32>(H_FRAME_SHIFT)) + 1;
}

/** The same, called: for where a call more does not count. */
export function framesFor(lengthBytes: u32): u32 {
  return framesOf(lengthBytes);
}

/** The stack for blocks of so many frames: 1 to 127; 0 for sizes that are never kept ready. */
// @ts-ignore: decorator
@inline
export function keyOf(count: u32): u32 {
  return load<u8>(KEYS + min(count, KEYED_FRAMES + 1));
}

/** The frames of the blocks on a stack, 1 to 127: the inverse of `keyOf`. */
export function framesOfKey(key: u32): u32 {
  assert(key >= 1 && key <= 127);
  return key < PAGE_FRAMES ? key : (key - PAGE_FRAMES + 1) << PAGE_SHIFT;
}

/** Fill the table of keys; once, when the core is opened. */
export function openKeys(): void {
  for (let key: u32 = 1; key < 128; ++key) store<u8>(KEYS + framesOfKey(key), key);
}

// @ts-ignore: decorator
@inline
function isNarrow(): bool {
  return load<u32>(H_CODE_SHIFT) == 1;
}

// ---- entries of either kind, of either width -------------------------------------------------------------------------

/** Write the code of a block of the highest zone and of the size of a stack. */
// @ts-ignore: decorator
@inline
export function writeKeyed(stack: usize, frame: u32, lengthBytes: u32): void {
  const entry = frame >> load<u32>(stack, S_SHIFT);
  const base = load<u32>(stack, S_BASE);
  if (isNarrow()) store<u16>(<usize>(base + (entry << 1)), <u16>((lengthBytes ^ load<u32>(stack, S_FLIP)) + load<u32>(stack, S_BIAS)));
  else store<u32>(<usize>(base + (entry << 2)), lengthBytes);
}

/**
 * Does a live block of this length, and of the size of a stack, start at a frame of the highest zone? If so its code
 * becomes the mark of a ready block.
 */
// @ts-ignore: decorator
@inline
export function retractKeyed(stack: usize, frame: u32, lengthBytes: u32): bool {
  const shift = load<u32>(stack, S_SHIFT);
  const entry = frame >> shift;
  const base = load<u32>(stack, S_BASE);
  // A block of pages cannot start inside one, whatever the page's entry says.
  if (isNarrow()) {
    const at = <usize>(base + (entry << 1));
    if (<u32>load<u16>(at) != (lengthBytes ^ load<u32>(stack, S_FLIP)) + load<u32>(stack, S_BIAS) || entry << shift != frame) return false;
    store<u16>(at, <u16>load<u32>(stack, S_MARK));
  } else {
    const at = <usize>(base + (entry << 2));
    if (load<u32>(at) != lengthBytes || entry << shift != frame) return false;
    store<u32>(at, load<u32>(stack, S_MARK));
  }
  return true;
}

/** The entry of `codes` at a frame; marks are widened to 32 bits. */
export function codeAt(zone: usize, frame: u32): u32 {
  const base = load<u32>(zone, Z_CODES);
  if (!isNarrow()) return load<u32>(<usize>(base + (frame << 2)));
  const narrow = <u32>load<u16>(<usize>(base + (frame << 1)));
  return narrow >= (LOWEST_MARK & 0xffff) ? narrow | 0xffff0000 : narrow;
}

export function setCodeAt(zone: usize, frame: u32, value: u32): void {
  const base = load<u32>(zone, Z_CODES);
  if (isNarrow()) store<u16>(<usize>(base + (frame << 1)), <u16>value);
  else store<u32>(<usize>(base + (frame << 2)), value);
}

/** The entry of `pageCodes` at a page. */
export function pageCodeAt(zone: usize, page: u32): u32 {
  const base = load<u32>(zone, Z_PAGE_CODES);
  return isNarrow() ? <u32>load<u16>(<usize>(base + (page << 1))) : load<u32>(<usize>(base + (page << 2)));
}

export function setPageCodeAt(zone: usize, page: u32, value: u32): void {
  const base = load<u32>(zone, Z_PAGE_CODES);
  if (isNarrow()) store<u16>(<usize>(base + (page << 1)), <u16>value);
  else store<u32>(<usize>(base + (page << 2)), value);
}

/** The entry where a block of `count` frames starts, whichever array it is in. */
export function entryAt(zone: usize, frame: u32, count: u32): u32 {
  return count < PAGE_FRAMES ? codeAt(zone, frame) : pageCodeAt(zone, frame >> PAGE_SHIFT);
}

/** Write a mark where a block of `count` frames starts: `mark` in `codes`, or `pageMark` in `pageCodes`. */
export function setMark(zone: usize, frame: u32, count: u32, mark: u32, pageMark: u32): void {
  if (count < PAGE_FRAMES) setCodeAt(zone, frame, mark);
  else setPageCodeAt(zone, frame >> PAGE_SHIFT, pageMark);
}

/** Is the entry where a block of `count` frames starts `mark` in `codes`, or `pageMark` in `pageCodes`? */
export function isMarked(zone: usize, frame: u32, count: u32, mark: u32, pageMark: u32): bool {
  return entryAt(zone, frame, count) == (count < PAGE_FRAMES ? mark : pageMark);
}

// ---- any block -------------------------------------------------------------------------------------------------------

/** Is an entry of `codes` a length? */
// @ts-ignore: decorator
@inline
export function isLength(code: u32): bool {
  return code - 1 < LOWEST_MARK - 1;
}

export function isPiece(code: u32): bool {
  return code == MARK_PIECE || code == MARK_PIECE_FREED;
}

export function isPagePiece(code: u32): bool {
  return code == PAGE_PIECE || code == PAGE_PIECE_FREED;
}

/** The length of the live block of 64 frames and more that starts at a page, 0 when none does. */
export function pageLengthAt(zone: usize, page: u32): u32 {
  const code = pageCodeAt(zone, page);
  if (code < PAGE_LONG) return 0;
  if (!isNarrow()) return code;
  if (code == PAGE_LONG) return load<u32>(<usize>(load<u32>(zone, Z_LONG_LENGTHS) + (page << 2)));
  const shift = load<u32>(H_FRAME_SHIFT);
  return ((code >> shift) << (shift + PAGE_SHIFT)) - (code & ((1 << shift) - 1));
}

/** Write the code of any live block. */
export function writeCode(zone: usize, frame: u32, count: u32, lengthBytes: u32): void {
  let code = lengthBytes;
  if (isNarrow()) {
    const key = keyOf(count);
    const stack = stackOf(key);
    code = key != 0 ? (lengthBytes ^ load<u32>(stack, S_FLIP)) + load<u32>(stack, S_BIAS) : PAGE_LONG;
    if (key == 0) store<u32>(<usize>(load<u32>(zone, Z_LONG_LENGTHS) + ((frame >> PAGE_SHIFT) << 2)), lengthBytes);
  }
  setMark(zone, frame, count, code, code);
}

/** The exact length of the live block that starts at `frame`, or 0. */
export function lengthFrom(zone: usize, frame: u32): u32 {
  const code = codeAt(zone, frame);
  if (isLength(code)) return code;
  return (frame & (PAGE_FRAMES - 1)) == 0 ? pageLengthAt(zone, frame >> PAGE_SHIFT) : 0;
}

/** Was this frame the start of a block once? Meaningful where no live block starts now. */
export function wasStart(zone: usize, frame: u32): bool {
  const code = codeAt(zone, frame);
  if (code == MARK_FREED || code == MARK_PIECE_FREED || code == MARK_READY_FREED) return true;
  if ((frame & (PAGE_FRAMES - 1)) != 0) return false;
  const page = pageCodeAt(zone, frame >> PAGE_SHIFT);
  return page == PAGE_FREED || page == PAGE_PIECE_FREED || page == PAGE_READY_FREED;
}
