/**
 * Ready blocks: what was freed, kept whole for the next request of the same size.
 *
 *   stack of key k, 128 bytes    +---------+----+----+----+-- ... --+------+-------+------+------+--------+------+
 *                                | top: 12 | f1 | f2 | f3 |         | base | shift | flip | bias | frames | mark |
 *                                +---------+----+----+----+-- ... --+------+-------+------+------+--------+------+
 *                                     └──────────────┘ byte offset of the last entry
 *
 * An allocation pops, a free pushes; neither looks at words or trees. On an empty stack the top is 0, so that reading the
 * last entry reads the top itself, which is 0: "empty" and "take" are one load. Key 0, for sizes that have no stack, is
 * always full and its last entry is 0: it neither gives nor takes.
 *
 * Beside the entries stands all that the size decides about codes, so that the quick paths have no branch on sizes, which
 * come in no order: one that is foretold wrong costs more than all the rest of an allocation.
 *
 * Only blocks of the highest zone are kept, because plain requests go there first. A ready block is marked where it
 * starts; for words and trees it is taken, for every question it is free.
 *
 * How much is kept. Blocks that are not merged are what makes requests fail in a full arena. Two rules, looked at
 * whenever words and trees change: the ready frames are at most a share of the free ones; and while the runs as large as
 * a request of late are scarce, the gate is shut: nothing is kept, and every slow operation gives one ready block back.
 * Before a request fails in the highest zone, it is tried as if all of them were given back.
 */
import {
  H_AGE, H_BLOCKS, H_CODE_SHIFT, H_DRAIN, H_FIRST_ZONE, H_FRAME_SHIFT, H_PEAK_FRAMES, H_PEAK_READY, H_READY_FRAMES, H_READY_LIMIT, H_RECENT, H_RECENT_NEXT,
  H_TAKEN_FRAMES, MARK_FREED, MARK_READY, MARK_READY_FREED, PAGE_FRAMES, PAGE_FREED, PAGE_READY, PAGE_READY_FREED, PAGE_SHIFT, STACKS, STACK_COUNT, STACK_FULL,
  STACK_SHIFT, S_BASE, S_BIAS, S_FLIP, S_FRAMES, S_MARK, S_SHIFT, S_TOP, Z_CLASS_COUNTS, Z_CODES, Z_COUNT, Z_FREE, Z_PAGE_CODES, Z_TOP_CLASS,
} from "./layout";
import { framesOfKey, isMarked, setMark } from "./codes";
import { give, takeRange } from "./frames";

/** At most a half of the free frames is kept ready. */
const SHARE_SHIFT: u32 = 1;
/** The gate shuts when the runs as large as a request of late hold less than so many 256ths of all frames ... */
const GATE_SHUT: u32 = 5;
/** ... and opens when they hold so many. */
const GATE_OPEN: u32 = 8;
/** "Of late": the last 64 to 128 slow allocations. */
const RECENT_MASK: u32 = 127;
/** The gate is looked at every eighth time that frames are taken or given. */
const GATE_MASK: u32 = 7;

/** The zone whose blocks are kept ready: the one with the highest base, where plain requests go first. */
// @ts-ignore: decorator
@inline
function frontZone(): usize {
  return <usize>load<u32>(H_FIRST_ZONE);
}

// @ts-ignore: decorator
@inline
export function stackOf(key: u32): usize {
  return <usize>(STACKS + (key << STACK_SHIFT));
}

/** Write what the sizes decide; once, when the zones' arrays are laid out. */
export function openStacks(): void {
  const zone = frontZone();
  store<u32>(stackOf(0), STACK_FULL, S_TOP);
  const narrow = load<u32>(H_CODE_SHIFT) == 1;
  for (let key: u32 = 1; key < STACK_COUNT; ++key) {
    const stack = stackOf(key);
    const count = framesOfKey(key);
    const pages = count >= PAGE_FRAMES;
    const bytes = count << load<u32>(H_FRAME_SHIFT);
    store<u32>(stack, pages ? load<u32>(zone, Z_PAGE_CODES) : load<u32>(zone, Z_CODES), S_BASE);
    store<u32>(stack, pages ? PAGE_SHIFT : 0, S_SHIFT);
    store<u32>(stack, count, S_FRAMES);
    store<u32>(stack, pages ? PAGE_READY_FREED : MARK_READY_FREED, S_MARK);
    // A narrow code of pages is pages * frameSize + slack = (bytes / 64 + bytes) - length; -length is (length ^ -1) + 1.
    if (narrow && pages) {
      store<u32>(stack, -1, S_FLIP);
      store<u32>(stack, (bytes >> PAGE_SHIFT) + bytes + 1, S_BIAS);
    }
  }
}

/** Take the last ready block of a size. Its first frame, or 0. The ready frames are the caller's to count. */
export function pop(stack: usize): u32 {
  const top = load<u32>(stack, S_TOP);
  const frame = load<u32>(stack + top);
  if (frame != 0) store<u32>(stack, top - 4, S_TOP);
  return frame;
}

// ---- how much is kept ------------------------------------------------------------------------------------------------

/** Count frames that leave (or, negative, join) the words and trees of a zone, and look at the two rules. */
export function countTaken(zone: usize, count: i32): void {
  store<u32>(zone, load<u32>(zone, Z_FREE) - count, Z_FREE);
  store<u32>(H_TAKEN_FRAMES, load<u32>(H_TAKEN_FRAMES) + count);
  if (zone != frontZone()) return;
  const age = load<u32>(H_AGE) + 1;
  store<u32>(H_AGE, age);
  if ((age & GATE_MASK) == 0) lookAtGate(age);
  else if (load<u32>(H_READY_LIMIT) != 0) store<u32>(H_READY_LIMIT, share());
}

/** The most frames that may be ready while the gate is open; never 0, which would mean that it is shut. */
// @ts-ignore: decorator
@inline
function share(): u32 {
  return (load<u32>(frontZone(), Z_FREE) >> SHARE_SHIFT) | 1;
}

function lookAtGate(age: u32): void {
  const least = (load<u32>(frontZone(), Z_COUNT) >> 8) * (load<u32>(H_READY_LIMIT) == 0 ? GATE_OPEN : GATE_SHUT);
  store<u32>(H_READY_LIMIT, runsOfLate() < least ? 0 : share());
  if ((age & RECENT_MASK) == 0) {
    store<u32>(H_RECENT, load<u32>(H_RECENT_NEXT));
    store<u32>(H_RECENT_NEXT, 0);
  }
}

/** Free frames in runs as large as a request of late. */
function runsOfLate(): u32 {
  const zone = frontZone();
  const top = load<u32>(zone, Z_TOP_CLASS);
  let frames: u32 = 0;
  for (let cls = load<u32>(H_RECENT); cls <= top; ++cls) frames += load<u32>(zone + Z_CLASS_COUNTS + (cls << 2)) << cls;
  return frames;
}

/** Remember the order of a request that found nothing ready. */
export function noteOrder(order: u32): void {
  if (order > load<u32>(H_RECENT)) store<u32>(H_RECENT, order);
  if (order > load<u32>(H_RECENT_NEXT)) store<u32>(H_RECENT_NEXT, order);
}

/** Count the live frames after a slow operation: `taken` or the ready ones have changed. */
// @ts-ignore: decorator
@inline
export function countLive(): void {
  const live = load<u32>(H_TAKEN_FRAMES) - load<u32>(H_READY_FRAMES);
  if (live > load<u32>(H_PEAK_FRAMES)) store<u32>(H_PEAK_FRAMES, live);
  store<u32>(H_PEAK_READY, load<u32>(H_TAKEN_FRAMES) - load<u32>(H_PEAK_FRAMES));
}

// ---- giving back -----------------------------------------------------------------------------------------------------

/** A block that was just popped, and whose frames are back, is ready no longer. */
function retire(frame: u32, count: u32): void {
  const zone = frontZone();
  if (isMarked(zone, frame, count, MARK_READY_FREED, PAGE_READY_FREED)) setMark(zone, frame, count, MARK_FREED, PAGE_FREED);
  else setMark(zone, frame, count, 0, 0);
  store<u32>(H_READY_FRAMES, load<u32>(H_READY_FRAMES) - count);
  store<u32>(H_BLOCKS, load<u32>(H_BLOCKS) - 1);
  store<u32>(zone, load<u32>(zone, Z_FREE) + count, Z_FREE);
  store<u32>(H_TAKEN_FRAMES, load<u32>(H_TAKEN_FRAMES) - count);
}

/** While the gate is shut: give one ready block back. The stacks take turns, a few are looked at. */
export function drain(): void {
  if (load<u32>(H_READY_LIMIT) != 0 || load<u32>(H_READY_FRAMES) == 0) return;
  let key = load<u32>(H_DRAIN);
  for (let looked = 0; looked < 16; ++looked) {
    key = key <= 1 ? STACK_COUNT - 1 : key - 1;
    const frame = pop(stackOf(key));
    if (frame == 0) continue;
    give(frontZone(), frame, framesOfKey(key));
    retire(frame, framesOfKey(key));
    ++key; // this stack may have more
    break;
  }
  store<u32>(H_DRAIN, key);
  countLive();
}

/** Give every ready block back. */
export function flush(): void {
  lend(false);
  retireAll();
}

/** After `lend`: what was lent stays where it is, and nothing is ready. */
export function retireAll(): void {
  if (load<u32>(H_READY_FRAMES) == 0) return;
  for (let key: u32 = 1; key < STACK_COUNT; ++key) {
    const stack = stackOf(key);
    for (let frame = pop(stack); frame != 0; frame = pop(stack)) retire(frame, framesOfKey(key));
  }
  store<u32>(H_READY_LIMIT, share());
  countLive();
}

/** Keep a block ready that was just taken and was never handed out. Its stack has room. */
export function keepNew(stack: usize, frame: u32, count: u32): void {
  const zone = frontZone();
  if (isMarked(zone, frame, count, MARK_FREED, PAGE_FREED)) setMark(zone, frame, count, MARK_READY_FREED, PAGE_READY_FREED);
  else setMark(zone, frame, count, MARK_READY, PAGE_READY);
  push(stack, frame);
  store<u32>(H_READY_FRAMES, load<u32>(H_READY_FRAMES) + count);
  store<u32>(H_BLOCKS, load<u32>(H_BLOCKS) + 1);
}

/** May so many frames more be kept ready? */
// @ts-ignore: decorator
@inline
export function mayKeep(count: u32): bool {
  return load<u32>(H_READY_FRAMES) + count <= load<u32>(H_READY_LIMIT);
}

/** Put a block on its stack, which has room. */
// @ts-ignore: decorator
@inline
export function push(stack: usize, frame: u32): void {
  const top = load<u32>(stack, S_TOP) + 4;
  assert(top <= STACK_FULL);
  store<u32>(stack, top, S_TOP);
  store<u32>(stack + top, frame);
}

// ---- asking ----------------------------------------------------------------------------------------------------------

/** Blocks kept ready. */
export function readyBlocks(): u32 {
  let blocks: u32 = 0;
  for (let key: u32 = 1; key < STACK_COUNT; ++key) blocks += load<u32>(stackOf(key), S_TOP) >> 2;
  return blocks;
}

/**
 * Give the frames of all ready blocks back for a moment, or take the same frames again (`back`), so that a question about
 * free frames is answered, or a request tried, as if nothing were kept. Free frames are described in one way only, so the
 * second undoes the first to the bit.
 */
export function lend(back: bool): void {
  if (load<u32>(H_READY_FRAMES) == 0) return;
  const zone = frontZone();
  for (let key: u32 = 1; key < STACK_COUNT; ++key) {
    const stack = stackOf(key);
    for (let at = load<u32>(stack, S_TOP); at != 0; at -= 4) {
      if (back) takeRange(zone, load<u32>(stack + at), framesOfKey(key));
      else give(zone, load<u32>(stack + at), framesOfKey(key));
    }
  }
}
