/**
 * Class trees: for each class the set of its groups (of a run, the group where it starts), with the lowest member in a few
 * steps.
 *
 *   level 1              [ 1 . . 1 ]              bit 3 of level 1: word 3 of level 0 has a bit
 *   level 0   [....][....][....][.1.1]
 *
 * A leaf bit stands for a group. 64 to one, so three levels hold the groups of 1 GiB in frames of 64 bytes, and five hold
 * any zone that fits. Setting or clearing a bit touches level 1 only when its word changes between zero and non-zero.
 * Nothing loops but over the levels. The zone's mask of available classes is the level above the top word.
 *
 * All trees of a zone have one shape. So a level is one array, tree after tree, and a word of it is found by
 *
 *   Z_LEVELS[level] + class * Z_STRIDES[level] + (index >> 6) * 8
 *
 * where the zone's own first index is already taken off in the pointer. Beside the classes stands one more tree, BLOCK_TREE,
 * which heads.ts keeps.
 *
 * What a class promises is added up beside its tree: the frames of its runs, and 2^c for a split group of class c.
 */
import { BLOCK_TREE, CLASS_LIMIT, GROUP_CLASS, GROUP_SHIFT, Z_AVAILABLE, Z_CLASS_FRAMES, Z_GROUP_END, Z_GROUP_FIRST, Z_LEVELS, Z_STRIDES, Z_TREE_DEPTH, Z_TREE_TOP } from "./layout";
import { runClass } from "./bits";
import { step } from "./steps";
import { Class, Group, Zone } from "./units";

/** The word of a level that holds the bit of `index` (counted in that level's own bits). */
// @ts-ignore: decorator
@inline
export function wordAt(zone: Zone, cls: Class, level: u32, index: u32): usize {
  const field = zone + (level << 2);
  return <usize>(load<u32>(field, Z_LEVELS) + cls * load<u32>(field, Z_STRIDES) + ((index >> 6) << 3));
}

/** Is a group a member of the class? */
// @ts-ignore: decorator
@inline
export function has(zone: Zone, cls: Class, group: Group): bool {
  return ((load<u64>(wordAt(zone, cls, 0, group)) >> group) & 1) != 0;
}

// ---- members -----------------------------------------------------------------------------------------------------------

/** Make a split group a member of its class. It is in no class yet. */
// @ts-ignore: decorator
@inline
export function addSplit(zone: Zone, cls: Class, group: Group): void {
  promise(zone, cls, 1 << cls);
  addLeaf(zone, cls, group);
}

/** Take a split group out of its class. */
// @ts-ignore: decorator
@inline
export function removeSplit(zone: Zone, cls: Class, group: Group): void {
  promise(zone, cls, -(1 << cls));
  removeLeaf(zone, cls, group);
}

/** Make the run that starts at a group a member of its class. */
// @ts-ignore: decorator
@inline
export function addToClass(zone: Zone, group: Group, groups: u32): void {
  const cls = runClass(groups);
  promise(zone, cls, groups << GROUP_SHIFT);
  addLeaf(zone, cls, group);
}

/** Take the run that starts at a group out of its class. */
// @ts-ignore: decorator
@inline
export function removeFromClass(zone: Zone, group: Group, groups: u32): void {
  const cls = runClass(groups);
  promise(zone, cls, -(groups << GROUP_SHIFT));
  removeLeaf(zone, cls, group);
}

// @ts-ignore: decorator
@inline
function promise(zone: Zone, cls: Class, frames: u32): void {
  const at = zone + (cls << 2);
  store<u32>(at, load<u32>(at, Z_CLASS_FRAMES) + frames, Z_CLASS_FRAMES);
}

/** Set the bit of a group. It is not set. */
export function addLeaf(zone: Zone, cls: Class, group: Group): void {
  assert(group >= load<u32>(zone, Z_GROUP_FIRST) && group < load<u32>(zone, Z_GROUP_END) && !has(zone, cls, group));
  const at = wordAt(zone, cls, 0, group);
  const word = load<u64>(at);
  store<u64>(at, word | ((<u64>1) << group));
  if (word == 0) addAbove(zone, cls, group >> 6);
}

/** A word of the leaves is no longer 0. */
function addAbove(zone: Zone, cls: Class, index: u32): void {
  const depth = load<u32>(zone, Z_TREE_DEPTH);
  for (let level: u32 = 1; level < depth; ++level) {
    step();
    const at = wordAt(zone, cls, level, index);
    const word = load<u64>(at);
    store<u64>(at, word | ((<u64>1) << index));
    if (word != 0) return; // the levels above know already
    index >>= 6;
  }
  if (cls < CLASS_LIMIT) store<u64>(zone, load<u64>(zone, Z_AVAILABLE) | ((<u64>1) << cls), Z_AVAILABLE);
}

/** Clear the bit of a group. It is set. */
export function removeLeaf(zone: Zone, cls: Class, group: Group): void {
  assert(has(zone, cls, group));
  const at = wordAt(zone, cls, 0, group);
  const word = load<u64>(at) & ~((<u64>1) << group);
  store<u64>(at, word);
  if (word == 0) removeAbove(zone, cls, group >> 6);
}

/** A word of the leaves is 0 now. */
function removeAbove(zone: Zone, cls: Class, index: u32): void {
  const depth = load<u32>(zone, Z_TREE_DEPTH);
  for (let level: u32 = 1; level < depth; ++level) {
    step();
    const at = wordAt(zone, cls, level, index);
    const word = load<u64>(at) & ~((<u64>1) << index);
    store<u64>(at, word);
    if (word != 0) return; // others remain below this word
    index >>= 6;
  }
  if (cls < CLASS_LIMIT) store<u64>(zone, load<u64>(zone, Z_AVAILABLE) & ~((<u64>1) << cls), Z_AVAILABLE);
}

// ---- searches ----------------------------------------------------------------------------------------------------------

/** The lowest member. The class is not empty. */
export function lowest(zone: Zone, cls: Class): Group {
  assert(cls < CLASS_LIMIT && ((load<u64>(zone, Z_AVAILABLE) >> cls) & 1) != 0);
  return lowestBelow(zone, cls, load<u32>(zone, Z_TREE_DEPTH), load<u32>(zone, Z_TREE_TOP));
}

/** The lowest member below a word of a level, given by its index among the words. The word is not 0. */
// @ts-ignore: decorator
@inline
function lowestBelow(zone: Zone, cls: Class, levels: u32, index: u32): Group {
  for (let level = levels; level != 0; ) {
    --level;
    step();
    index = (index << 6) + <u32>ctz(load<u64>(wordAt(zone, cls, level, index << 6)));
  }
  return index;
}

/** The lowest member at or above a group, or 0 (no zone holds group 0). */
export function next(zone: Zone, cls: Class, group: Group): Group {
  const depth = load<u32>(zone, Z_TREE_DEPTH);
  let index = group;
  let last = load<u32>(zone, Z_GROUP_END) - 1;
  // Climb until a word has a bit at or above the index, then descend to the lowest bit below it.
  for (let level: u32 = 0; level < depth; ++level) {
    step();
    if (index > last) return 0; // what lies behind the last word of a level is another tree
    const word = load<u64>(wordAt(zone, cls, level, index)) >> (index & 63);
    if (word != 0) return lowestBelow(zone, cls, level, index + <u32>ctz(word));
    index = (index >> 6) + 1;
    last >>= 6;
  }
  return 0;
}

/** The highest member at or below a group of the zone, or 0. */
export function previous(zone: Zone, cls: Class, group: Group): Group {
  const depth = load<u32>(zone, Z_TREE_DEPTH);
  let index = group;
  let first = load<u32>(zone, Z_GROUP_FIRST);
  for (let level: u32 = 0; level < depth; ++level) {
    step();
    if (<i32>index < <i32>first) return 0; // the level has no word before its first
    const word = load<u64>(wordAt(zone, cls, level, index)) << (63 - (index & 63));
    if (word != 0) {
      index -= <u32>clz(word);
      for (let below = level; below != 0; ) {
        --below;
        index = (index << 6) + 63 - <u32>clz(load<u64>(wordAt(zone, cls, below, index << 6)));
      }
      return index;
    }
    index = (index >> 6) - 1;
    first >>= 6;
  }
  return 0;
}
