/**
 * Trees of bits: the set of groups (or of runs of groups) of one class, with the lowest member in a few steps.
 *
 * A leaf bit stands for a group of classes 0 to 5, or for a run of 2^k groups of class 6 + k. A bit one level up says that
 * the word below it is not zero. 64 to one, so three levels hold the groups of 1 GiB in frames of 64 bytes, and five hold
 * any zone that fits.
 *
 *   level 1              [ 1 . . 1 ]              bit 3 of level 1: word 3 of level 0 has a bit
 *   level 0   [....][....][....][.1.1]
 *
 * Setting or clearing a bit touches level 1 only when its word changes between zero and non-zero. Nothing loops but over
 * the levels. The zone's mask of available classes is the level above the top word.
 *
 * Pointers are biased (see layout.ts): an index is used as it is, group number >> (class - 6), and the zone's own first
 * index is already taken off in the pointer.
 */
import { GROUP_CLASS, TREE_SIZE, T_TOP, Z_AVAILABLE, Z_CLASS_COUNTS, Z_DEPTH, Z_GROUP_END, Z_TREES } from "./layout";
import { step } from "./steps";

// @ts-ignore: decorator
@inline
export function treeOf(zone: usize, cls: u32): usize {
  return zone + Z_TREES + cls * TREE_SIZE;
}

/** What to shift a group number by to get its index in the tree of this class. */
// @ts-ignore: decorator
@inline
export function scaleOf(cls: u32): u32 {
  return cls > GROUP_CLASS ? cls - GROUP_CLASS : 0;
}

/** The word of a level that holds the bit of `index` (counted in that level's own bits). */
// @ts-ignore: decorator
@inline
export function wordAt(tree: usize, level: u32, index: u32): usize {
  return <usize>(load<u32>(tree + (level << 2)) + ((index >> 6) << 3));
}

/** Is the run that starts at `group` a member of the class? */
// @ts-ignore: decorator
@inline
export function has(zone: usize, cls: u32, group: u32): bool {
  const index = group >> scaleOf(cls);
  return ((load<u64>(wordAt(treeOf(zone, cls), 0, index)) >> index) & 1) != 0;
}

/** Make the run that starts at `group` a member. It is none yet. */
export function add(zone: usize, cls: u32, group: u32): void {
  addLeaf(zone, cls, group >> scaleOf(cls));
}

/** The same by its index in the tree, inlined: that of a split group is the group. */
// @ts-ignore: decorator
@inline
export function addLeaf(zone: usize, cls: u32, index: u32): void {
  assert(!has(zone, cls, index << scaleOf(cls)));
  const counts = zone + Z_CLASS_COUNTS + (cls << 2);
  store<u32>(counts, load<u32>(counts) + 1);
  const at = wordAt(treeOf(zone, cls), 0, index);
  const word = load<u64>(at);
  store<u64>(at, word | ((<u64>1) << index));
  if (word == 0) addAbove(zone, cls, index >> 6);
}

/** A word of the leaves is no longer 0. */
function addAbove(zone: usize, cls: u32, index: u32): void {
  const tree = treeOf(zone, cls);
  const depth = load<u32>(zone, Z_DEPTH);
  for (let level: u32 = 1; level < depth; ++level) {
    step();
    const at = wordAt(tree, level, index);
    const word = load<u64>(at);
    store<u64>(at, word | ((<u64>1) << index));
    if (word != 0) return; // the levels above know already
    index >>= 6;
  }
  store<u32>(zone, load<u32>(zone, Z_AVAILABLE) | (1 << cls), Z_AVAILABLE);
}

/** Take the run that starts at `group` out. It is a member. */
export function remove(zone: usize, cls: u32, group: u32): void {
  removeLeaf(zone, cls, group >> scaleOf(cls));
}

/** The same by its index in the tree, inlined. */
// @ts-ignore: decorator
@inline
export function removeLeaf(zone: usize, cls: u32, index: u32): void {
  assert(has(zone, cls, index << scaleOf(cls)));
  const counts = zone + Z_CLASS_COUNTS + (cls << 2);
  store<u32>(counts, load<u32>(counts) - 1);
  const at = wordAt(treeOf(zone, cls), 0, index);
  const word = load<u64>(at) & ~((<u64>1) << index);
  store<u64>(at, word);
  if (word == 0) removeAbove(zone, cls, index >> 6);
}

/** A word of the leaves is 0 now. */
function removeAbove(zone: usize, cls: u32, index: u32): void {
  const tree = treeOf(zone, cls);
  const depth = load<u32>(zone, Z_DEPTH);
  for (let level: u32 = 1; level < depth; ++level) {
    step();
    const at = wordAt(tree, level, index);
    const word = load<u64>(at) & ~((<u64>1) << index);
    store<u64>(at, word);
    if (word != 0) return; // others remain below this word
    index >>= 6;
  }
  store<u32>(zone, load<u32>(zone, Z_AVAILABLE) & ~(1 << cls), Z_AVAILABLE);
}

/** The first group of the lowest member. The class is not empty. */
export function lowest(zone: usize, cls: u32): u32 {
  assert((load<u32>(zone, Z_AVAILABLE) & (1 << cls)) != 0);
  const tree = treeOf(zone, cls);
  let index = load<u32>(tree, T_TOP);
  for (let level: u32 = load<u32>(zone, Z_DEPTH); level != 0; ) {
    --level;
    step();
    index = (index << 6) + <u32>ctz(load<u64>(<usize>(load<u32>(tree + (level << 2)) + (index << 3))));
  }
  return index << scaleOf(cls);
}

/** The first group of the lowest member at or above `group`, or 0 (no zone holds group 0). */
export function next(zone: usize, cls: u32, group: u32): u32 {
  const tree = treeOf(zone, cls);
  const depth = load<u32>(zone, Z_DEPTH);
  const scale = scaleOf(cls);
  let index = (group + (1 << scale) - 1) >> scale;
  let last = (load<u32>(zone, Z_GROUP_END) - 1) >> scale;
  // Climb until a word has a bit at or above the index, then descend to the lowest bit below it.
  for (let level: u32 = 0; level < depth; ++level) {
    step();
    if (index > last) return 0; // what lies behind the last word of a level is another array
    const word = load<u64>(wordAt(tree, level, index)) >> (index & 63);
    if (word != 0) {
      index += <u32>ctz(word);
      for (let below = level; below != 0; ) {
        --below;
        index = (index << 6) + <u32>ctz(load<u64>(<usize>(load<u32>(tree + (below << 2)) + (index << 3))));
      }
      return index << scale;
    }
    index = (index >> 6) + 1;
    last >>= 6;
  }
  return 0;
}
