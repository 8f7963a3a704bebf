/**
 * Length tags: the length of a live block, where it starts (layout.ts).
 *
 *   a block of            starts at       its length tag             entry
 *   1 to 63 frames        any frame       length + LENGTH_TAG_BIAS   u16 or u32 per frame
 *   64 frames and more    a group         length + LENGTH_TAG_BIAS   u32 per group
 *
 * An entry is read and written as a u32 of which a mask says what belongs to it. So the quick paths, which find base,
 * rotation and mask beside a stack of cached blocks (cache.ts), have no branch on sizes, which come in no order: one that is
 * mispredicted costs more than all the rest of an allocation.
 *
 * The last LENGTH_TAG_BIAS lengths below 2^32 would wrap to sentinels. They get WRAPPED more, which no length of 64 frames
 * has; and no stack is for so many frames of the largest size, so that the quick paths never meet one.
 *
 *   address of a tag = base + rotl(frame - origin, rotation)       u16 per frame: * 2     rotation 1
 *                                                                  u32 per frame: * 4     rotation 2
 *                                                                  u32 per group, 8 apart: / 8    rotation 29
 *
 * The last is a division because a frame that starts a group is a multiple of 64 frames from the origin, which starts one
 * too; and no bit wraps to the front, because an array with more entries than that would not fit into memory. The u32 at the
 * last u16 reaches into what follows, which is memory in every core.
 */
import {
  CACHED_SENTINEL_BASE, CACHED_SENTINEL_SHIFT, CACHE_MAX_FRAMES, GROUP_FRAMES, GROUP_SHIFT, H_FRAME_SHIFT, H_LENGTH_TAG_SHIFT, LENGTH_TAG_BIAS, RUN_SHIFT, SENTINEL_CACHED, SENTINEL_FREED, SENTINEL_PIECE,
  SENTINEL_PIECE_FREED, SIZE_CLASSES, STACK_COUNT, STACK_SHIFT, CACHE_STACKS, S_BASE, S_ROTATE, Z_GROUP_LENGTH_TAGS, Z_LENGTH_TAGS,
} from "./layout";
import { Frame, Group, Stack, Zone } from "./units";

/** See the head of this file. */
const WRAPPED: u32 = LENGTH_TAG_BIAS;

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
export function stackForFrames(countLessOne: u32): Stack {
  assert(countLessOne < CACHE_MAX_FRAMES);
  return <Stack>load<u16>(SIZE_CLASSES + (countLessOne << 1));
}

// ---- through a stack: the quick paths --------------------------------------------------------------------------------

/** Where the length tag is of a block of the highest zone and of the size of a stack. `index` is the frame less the origin. */
// @ts-ignore: decorator
@inline
export function lengthTagAddress(stack: Stack, index: u32): usize {
  return <usize>(load<u32>(stack, S_BASE) + rotl<u32>(index, load<u32>(stack, S_ROTATE)));
}

// ---- entries of either array -----------------------------------------------------------------------------------------

/** The entry of `lengthTags` at a frame. */
export function lengthTagAt(zone: Zone, frame: Frame): u32 {
  const base = load<u32>(zone, Z_LENGTH_TAGS);
  return load<u32>(H_LENGTH_TAG_SHIFT) == 1 ? <u32>load<u16>(<usize>(base + (frame << 1))) : load<u32>(<usize>(base + (frame << 2)));
}

function setLengthTagAt(zone: Zone, frame: Frame, value: u32): void {
  const base = load<u32>(zone, Z_LENGTH_TAGS);
  if (load<u32>(H_LENGTH_TAG_SHIFT) == 1) store<u16>(<usize>(base + (frame << 1)), <u16>value);
  else store<u32>(<usize>(base + (frame << 2)), value);
}

/** The length tag of a group: where the one of its first block of 64 frames and more is kept. */
export function groupLengthTagAt(zone: Zone, group: Group): u32 {
  return load<u32>(<usize>(load<u32>(zone, Z_GROUP_LENGTH_TAGS) + (group << RUN_SHIFT)));
}

/** The entry where a block of `count` frames starts, whichever array it is in. */
export function tagOrSentinelAt(zone: Zone, frame: Frame, count: u32): u32 {
  return count < GROUP_FRAMES ? lengthTagAt(zone, frame) : groupLengthTagAt(zone, frame >> GROUP_SHIFT);
}

/** Write a sentinel, or a length tag, where a block of `count` frames starts. */
export function setTagOrSentinel(zone: Zone, frame: Frame, count: u32, value: u32): void {
  if (count < GROUP_FRAMES) setLengthTagAt(zone, frame, value);
  else store<u32>(<usize>(load<u32>(zone, Z_GROUP_LENGTH_TAGS) + ((frame >> GROUP_SHIFT) << RUN_SHIFT)), value);
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
export function smallLengthAt(zone: Zone, frame: Frame): u32 {
  const code = lengthTagAt(zone, frame);
  return isLengthTag(code) ? code - LENGTH_TAG_BIAS : 0;
}

/** The length of the live block of 64 frames and more that starts at a group, 0 when none does. */
export function groupLengthAt(zone: Zone, group: Group): u32 {
  const code = groupLengthTagAt(zone, group);
  if (!isLengthTag(code)) return 0;
  return code - LENGTH_TAG_BIAS - (code < LENGTH_TAG_BIAS + WRAPPED ? WRAPPED : 0);
}

/** Write the length tag of any live block. */
export function writeLengthTag(zone: Zone, frame: Frame, count: u32, lengthBytes: u32): void {
  const code = lengthBytes + LENGTH_TAG_BIAS;
  setTagOrSentinel(zone, frame, count, isLengthTag(code) ? code : code + WRAPPED);
}

/** The exact length of the live block that starts at `frame`, or 0. */
export function lengthFrom(zone: Zone, frame: Frame): u32 {
  const lengthBytes = smallLengthAt(zone, frame);
  return lengthBytes != 0 || (frame & (GROUP_FRAMES - 1)) != 0 ? lengthBytes : groupLengthAt(zone, frame >> GROUP_SHIFT);
}

// ---- sentinels ---------------------------------------------------------------------------------------------------------

/** Does a cached block start here? */
// @ts-ignore: decorator
@inline
export function isCached(entry: u32): bool {
  return entry - SENTINEL_CACHED < 2 * STACK_COUNT;
}

/** What stands where a cached block of a stack starts that was handed out once; one less where it never was. */
// @ts-ignore: decorator
@inline
export function cachedSentinel(stack: Stack): u32 {
  return (<u32>stack >> CACHED_SENTINEL_SHIFT) + CACHED_SENTINEL_BASE;
}

/** The stack of the cached block whose sentinel stands here. */
export function stackOfSentinel(entry: u32): Stack {
  return <Stack>(CACHE_STACKS + (((entry - SENTINEL_CACHED) >> 1) << STACK_SHIFT));
}

/** What stands here when the block that starts here is gone: SENTINEL_FREED if one that was handed out ever started here. */
export function withoutBlock(entry: u32): u32 {
  return saysFreed(entry) ? SENTINEL_FREED : 0;
}

function saysFreed(entry: u32): bool {
  return entry == SENTINEL_FREED || entry == SENTINEL_PIECE_FREED || (isCached(entry) && (entry & 1) != 0);
}

/** Was this frame the start of a block once? Meaningful where no live block starts now. */
export function wasStart(zone: Zone, frame: Frame): bool {
  return saysFreed(lengthTagAt(zone, frame)) || ((frame & (GROUP_FRAMES - 1)) == 0 && saysFreed(groupLengthTagAt(zone, frame >> GROUP_SHIFT)));
}
