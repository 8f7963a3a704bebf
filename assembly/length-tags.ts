/**
 * Length tags: the length of a live block, where it starts (layout.ts).
 *
 *   a block of            starts at       its length tag is              entry
 *   1 to 63 frames        any frame       its length + LENGTH_TAG_BIAS   lengthTags[frame], u16 or u32
 *   64 frames and more    a group          its length + LENGTH_TAG_BIAS   groupLengthTags[group], u32
 *
 * An entry is read and written as a u32 of which a mask says what belongs to it. So the quick paths, which find base,
 * rotation and mask beside a stack of cached blocks (cache.ts), have no branch on sizes, which come in no order: one that
 * is mispredicted costs more than all the rest of an allocation.
 *
 * The last eight lengths below 2^32 would wrap to 0 to 7, which are sentinels. They get WRAPPED more, which no length of 64
 * frames has; and no stack is for so many frames of the largest size, so that the quick paths never meet one.
 *
 *   address of a length tag = base + rotl(frame - origin, rotation)      u16 per frame: * 2     rotation 1
 *                                                                  u32 per frame: * 4     rotation 2
 *                                                                  u32 per group:  / 16    rotation 28
 *
 * The last is a division because a frame that starts a group is a multiple of 64 frames from the origin, which starts one
 * too; and no bit wrap to the front, because an array with more entries than that would not fit into memory. The
 * u32 at the last u16 of `lengthTags` reaches into what follows, which is memory in every core.
 */
import {
  LENGTH_TAG_BIAS, H_LENGTH_TAG_SHIFT, H_FRAME_SHIFT, CACHE_MAX_FRAMES, SIZE_CLASSES, SENTINEL_FREED, SENTINEL_PIECE, SENTINEL_PIECE_FREED, SENTINEL_CACHED_FREED, GROUP_FRAMES, GROUP_SHIFT, S_BASE,
  S_ROTATE, Z_LENGTH_TAGS, Z_GROUP_LENGTH_TAGS,
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

/** The stack for blocks of so many frames less one, 0 to CACHE_MAX_FRAMES - 1; that of none for sizes that are not cached. */
// @ts-ignore: decorator
@inline
export function stackForFrames(countLessOne: u32): usize {
  assert(countLessOne < CACHE_MAX_FRAMES);
  return <usize>load<u16>(SIZE_CLASSES + (countLessOne << 1));
}

// ---- through a stack: the quick paths --------------------------------------------------------------------------------

/** Where the length tag is of a block of the highest zone and of the size of a stack. `index` is the frame less the origin. */
// @ts-ignore: decorator
@inline
export function lengthTagAddress(stack: usize, index: u32): usize {
  return <usize>(load<u32>(stack, S_BASE) + rotl<u32>(index, load<u32>(stack, S_ROTATE)));
}

// ---- entries of either array -----------------------------------------------------------------------------------------

/** The entry of `lengthTags` at a frame. */
export function lengthTagAt(zone: usize, frame: u32): u32 {
  const base = load<u32>(zone, Z_LENGTH_TAGS);
  return load<u32>(H_LENGTH_TAG_SHIFT) == 1 ? <u32>load<u16>(<usize>(base + (frame << 1))) : load<u32>(<usize>(base + (frame << 2)));
}

function setLengthTagAt(zone: usize, frame: u32, value: u32): void {
  const base = load<u32>(zone, Z_LENGTH_TAGS);
  if (load<u32>(H_LENGTH_TAG_SHIFT) == 1) store<u16>(<usize>(base + (frame << 1)), <u16>value);
  else store<u32>(<usize>(base + (frame << 2)), value);
}

/** The entry of `groupLengthTags` at a group. */
export function groupLengthTagAt(zone: usize, group: u32): u32 {
  return load<u32>(<usize>(load<u32>(zone, Z_GROUP_LENGTH_TAGS) + (group << 2)));
}

/** The entry where a block of `count` frames starts, whichever array it is in. */
export function tagOrSentinelAt(zone: usize, frame: u32, count: u32): u32 {
  return count < GROUP_FRAMES ? lengthTagAt(zone, frame) : groupLengthTagAt(zone, frame >> GROUP_SHIFT);
}

/** Write a sentinel, or a length tag, where a block of `count` frames starts. */
export function setTagOrSentinel(zone: usize, frame: u32, count: u32, value: u32): void {
  if (count < GROUP_FRAMES) setLengthTagAt(zone, frame, value);
  else store<u32>(<usize>(load<u32>(zone, Z_GROUP_LENGTH_TAGS) + ((frame >> GROUP_SHIFT) << 2)), value);
}

// ---- any block -------------------------------------------------------------------------------------------------------

/** Is an entry of either array a length tag? */
// @ts-ignore: decorator
@inline
export function isLengthTag(entry: u32): bool {
  return entry >= LENGTH_TAG_BIAS;
}

export function isPiece(entry: u32): bool {
  return entry == SENTINEL_PIECE || entry == SENTINEL_PIECE_FREED;
}

/** The length of the live block of fewer than 64 frames that starts at a frame, 0 when none does. */
export function smallLengthAt(zone: usize, frame: u32): u32 {
  const code = lengthTagAt(zone, frame);
  return isLengthTag(code) ? code - LENGTH_TAG_BIAS : 0;
}

/** The length of the live block of 64 frames and more that starts at a group, 0 when none does. */
export function groupLengthAt(zone: usize, group: u32): u32 {
  const code = groupLengthTagAt(zone, group);
  if (!isLengthTag(code)) return 0;
  return code - LENGTH_TAG_BIAS - (code < LENGTH_TAG_BIAS + WRAPPED ? WRAPPED : 0);
}

/** Write the length tag of any live block. */
export function writeLengthTag(zone: usize, frame: u32, count: u32, lengthBytes: u32): void {
  const code = lengthBytes + LENGTH_TAG_BIAS;
  setTagOrSentinel(zone, frame, count, isLengthTag(code) ? code : code + WRAPPED);
}

/** The exact length of the live block that starts at `frame`, or 0. */
export function lengthFrom(zone: usize, frame: u32): u32 {
  const lengthBytes = smallLengthAt(zone, frame);
  return lengthBytes != 0 || (frame & (GROUP_FRAMES - 1)) != 0 ? lengthBytes : groupLengthAt(zone, frame >> GROUP_SHIFT);
}

function saysFreed(entry: u32): bool {
  return entry == SENTINEL_FREED || entry == SENTINEL_PIECE_FREED || entry == SENTINEL_CACHED_FREED;
}

/** Was this frame the start of a block once? Meaningful where no live block starts now. */
export function wasStart(zone: usize, frame: u32): bool {
  return saysFreed(lengthTagAt(zone, frame)) || ((frame & (GROUP_FRAMES - 1)) == 0 && saysFreed(groupLengthTagAt(zone, frame >> GROUP_SHIFT)));
}
