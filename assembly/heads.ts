/**
 * Heads: where blocks start, and so who holds a frame.
 *
 *   heads of a group, u64        ....1......1...1   a bit where a block of fewer than 64 frames starts
 *   BLOCK_TREE of the zone       1 . . . 1 . . .    a group where a larger block starts
 *
 * A small block lies inside its group, so the last head at or below a frame in its group is the only small block that can
 * hold it. If there is none, the last larger block that starts at or below the group can. The length tag there says whether
 * it reaches so far.
 *
 * Pieces of scattered blocks and cached blocks have heads too: their frames are taken. The quick paths change no head.
 */
import {
  BITMAP_SHIFT, BLOCK_TREE, GROUP_FRAMES, GROUP_SHIFT, H_FOUND_FRAMES, H_FOUND_HEAD, H_FOUND_LENGTH, H_FOUND_ZONE, Z_HEADS,
} from "./layout";
import { addLeaf, previous, removeLeaf } from "./class-trees";
import { framesFor, groupLengthAt, groupLengthTagAt, isPiece, lengthTagAt, smallLengthAt } from "./length-tags";
import { pieceFrames } from "./mappings";
import { Frame, Group, Zone } from "./units";

// @ts-ignore: decorator
@inline
function headsAt(zone: Zone, group: Group): usize {
  return <usize>(load<u32>(zone, Z_HEADS) + (group << BITMAP_SHIFT));
}

/** The heads of a group. */
export function headsOf(zone: Zone, group: Group): u64 {
  return load<u64>(headsAt(zone, group));
}

/** Blocks of fewer than 64 frames start where these bits are set. */
// @ts-ignore: decorator
@inline
export function addHeads(zone: Zone, group: Group, bits: u64): void {
  const at = headsAt(zone, group);
  assert((load<u64>(at) & bits) == 0);
  store<u64>(at, load<u64>(at) | bits);
}

/** A block of `count` frames starts here. */
// @ts-ignore: decorator
@inline
export function addHead(zone: Zone, frame: Frame, count: u32): void {
  if (count < GROUP_FRAMES) addHeads(zone, frame >> GROUP_SHIFT, (<u64>1) << frame);
  else addLeaf(zone, BLOCK_TREE, frame >> GROUP_SHIFT);
}

/** No longer. */
// @ts-ignore: decorator
@inline
export function removeHead(zone: Zone, frame: Frame, count: u32): void {
  if (count < GROUP_FRAMES) {
    const at = headsAt(zone, frame >> GROUP_SHIFT);
    assert(((load<u64>(at) >> frame) & 1) != 0);
    store<u64>(at, load<u64>(at) & ~((<u64>1) << frame));
  } else removeLeaf(zone, BLOCK_TREE, frame >> GROUP_SHIFT);
}

// ---- asking ------------------------------------------------------------------------------------------------------------

/** Leave in the header what starts at a frame, if it reaches to `frame`. 1 a block, 2 a piece of a scattered block, 0 neither. */
function found(zone: Zone, frame: Frame, head: Frame, frames: u32, lengthBytes: u32): u32 {
  if (frame - head >= frames) return 0;
  store<u32>(H_FOUND_HEAD, head);
  store<u32>(H_FOUND_FRAMES, frames);
  store<u32>(H_FOUND_LENGTH, lengthBytes);
  store<u32>(H_FOUND_ZONE, <u32>zone);
  return lengthBytes == 0 ? 2 : 1;
}

/** Who holds a frame of this zone: 1 a block, 2 a piece of a scattered block, 0 nobody. Details in the header. */
export function holderIn(zone: Zone, frame: Frame): u32 {
  const group = frame >> GROUP_SHIFT;
  const heads = headsOf(zone, group) & (u64.MAX_VALUE >> (63 - (frame & 63)));
  if (heads != 0) {
    const head = (group << GROUP_SHIFT) + 63 - <u32>clz(heads);
    const lengthBytes = smallLengthAt(zone, head);
    if (lengthBytes != 0) return found(zone, frame, head, framesFor(lengthBytes), lengthBytes);
    return isPiece(lengthTagAt(zone, head)) ? found(zone, frame, head, pieceFrames(zone, head), 0) : 0;
  }
  const start = previous(zone, BLOCK_TREE, group);
  if (start == 0) return 0;
  const head = start << GROUP_SHIFT;
  const lengthBytes = groupLengthAt(zone, start);
  if (lengthBytes != 0) return found(zone, frame, head, framesFor(lengthBytes), lengthBytes);
  return isPiece(groupLengthTagAt(zone, start)) ? found(zone, frame, head, pieceFrames(zone, head), 0) : 0;
}
