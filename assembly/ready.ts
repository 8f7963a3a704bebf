/**
 * Ready blocks: what was freed, kept whole for the next request of the same size.
 *
 *   a record, 128 bytes   +-----+------+--------+------+-------+--------+--------+------+----+----+----+-- ... --+
 *                         | top | base | rotate | mask | inner | frames | wanted | none | f1 | f2 | f3 |         |
 *                         +--+--+------+--------+------+-------+--------+--------+------+----+----+----+-- ... --+
 *                            └──────────── address of the last entry ────────────────────────────┘
 *
 * An allocation pops, a free pushes; neither looks at words or trees. On an empty stack the top is the address of `none`,
 * which is 0: "empty" and "take" are one load. A record is aligned to its size, so the top alone says that it is full.
 * Stack 0, for sizes that have no stack, is always full and its last entry is 0: it neither gives nor takes.
 *
 * Beside the entries stands all that the size decides about codes (codes.ts), so that the quick paths have no branch on
 * sizes.
 *
 * Hot sizes. Sizes of 1 to 63 frames and of 1 to 64 whole pages have a stack each. Of the other sizes up to 64 pages there
 * are thousands, and a driver uses a few: a size that is asked for twice, with no other asking for the same stack in
 * between, is given it.
 *
 * Only blocks of the highest zone are kept, because plain requests go there first. A ready block is marked where it
 * starts; for words and trees it is taken, for every question it is free.
 *
 * How much is kept. Blocks that are not merged are what makes requests fail in a full arena. Two rules, looked at
 * whenever words and trees change: the ready frames are at most a share of the free ones; and while the runs as large as
 * a request of late are scarce, the gate is shut: nothing is kept, and every slow operation gives one ready block back.
 * Before a request fails in the highest zone, it is tried as if all of them were given back.
 *
 * The books. `taken` counts frames that words and trees do not show, `below` how many frames fewer than at the peak are
 * live, so that one number serves both quick paths: an allocation compares it with 0, a free with a limit.
 *
 *     live = peak - below        ready = taken - live        ready + frames <= limit   <=>   below + frames <= below limit
 */
import {
  FIRST_HOT, H_AGE, H_BELOW_LIMIT, H_BELOW_PEAK, H_BLOCKS, H_CODE_SHIFT, H_DRAIN, H_FIRST_ZONE, H_FRAME_SHIFT, H_FRONT_ORIGIN, H_FRONT_SPAN, H_PEAK_FRAMES, H_READY_LIMIT, H_RECENT,
  H_RECENT_NEXT, H_TAKEN_FRAMES, KEYED_FRAMES, KEYS, MARK_FREED, MARK_READY, MARK_READY_FREED, PAGE_FRAMES, PAGE_SHIFT, STACKS, STACK_COUNT, STACK_FULL,
  STACK_SHIFT, S_BASE, S_FRAMES, S_INNER, S_MASK, S_NONE, S_ROTATE, S_TOP, S_WANTED, Z_CLASS_COUNTS, Z_CODES, Z_COUNT, Z_END, Z_FREE, Z_PAGE_CODES,
  Z_PAGE_FIRST, Z_TOP_CLASS,
} from "./layout";
import { entryAt, keyedAt, setEntry } from "./codes";
import { give, takeRange } from "./frames";
import { resort, step } from "./steps";

/** At most a half of the free frames is kept ready. */
const SHARE_SHIFT: u32 = 1;
/** The gate shuts when the runs as large as a request of late hold less than so many 256ths of all frames ... */
const GATE_SHUT: u32 = 5;
/** ... and opens when they hold so many. */
const GATE_OPEN: u32 = 8;
/** "Of late": the last 64 to 128 slow allocations. */
const RECENT_MASK: u32 = 127;
/** Which of the 32 hot stacks a size may have: the top five bits of a multiple. */
const HOT_HASH: u32 = 0x9e3779b1;
const HOT_SHIFT: u32 = 27;
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
export function stackOf(number: u32): usize {
  return <usize>(STACKS + (number << STACK_SHIFT));
}

/** The stack of sizes that have none. */
// @ts-ignore: decorator
@inline
export function noStack(): usize {
  return <usize>STACKS;
}

/** The frames of the blocks on a stack of a fixed size, 1 to 127. */
function framesOfStack(number: u32): u32 {
  return number < PAGE_FRAMES ? number : (number - PAGE_FRAMES + 1) << PAGE_SHIFT;
}

/** Write what the sizes decide; once, when the zones' arrays are laid out. */
export function openStacks(): void {
  const zone = frontZone();
  const pageFirst = load<u32>(zone, Z_PAGE_FIRST);
  store<u32>(H_FRONT_ORIGIN, pageFirst << PAGE_SHIFT);
  store<u32>(H_FRONT_SPAN, load<u32>(zone, Z_END) - (pageFirst << PAGE_SHIFT));
  for (let i: u32 = 0; i < KEYED_FRAMES; ++i) store<u16>(KEYS + (i << 1), <u16>noStack());
  store<u32>(noStack(), <u32>noStack() + STACK_FULL, S_TOP);
  store<u32>(noStack(), -1, S_INNER); // no frame starts a block of these sizes, as far as the quick free knows
  const codeShift = load<u32>(H_CODE_SHIFT);
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    const pages = number >= PAGE_FRAMES;
    store<u32>(stack, <u32>stack + S_NONE, S_TOP);
    store<u32>(stack, pages ? load<u32>(zone, Z_PAGE_CODES) + (pageFirst << 2) : load<u32>(zone, Z_CODES) + (pageFirst << (PAGE_SHIFT + codeShift)), S_BASE);
    store<u32>(stack, pages ? 32 - (PAGE_SHIFT - 2) : codeShift, S_ROTATE);
    store<u32>(stack, !pages && codeShift == 1 ? 0xffff : -1, S_MASK);
    store<u32>(stack, pages ? PAGE_FRAMES - 1 : 0, S_INNER);
    // Of the largest size there are lengths whose codes come round (codes.ts), where a frame is of the largest too.
    const comesRound = <u64>framesOfStack(number) << load<u32>(H_FRAME_SHIFT) > 0xffffffff;
    if (number < FIRST_HOT && !comesRound) dedicate(stack, framesOfStack(number));
  }
}

/** Give an empty stack to a size. */
function dedicate(stack: usize, count: u32): void {
  const before = load<u32>(stack, S_FRAMES);
  if (before != 0) store<u16>(KEYS + ((before - 1) << 1), <u16>noStack());
  store<u32>(stack, count, S_FRAMES);
  store<u16>(KEYS + ((count - 1) << 1), <u16>stack);
}

/** A size without a stack was asked for: of 65 to 4095 frames. */
export function want(count: u32): void {
  const stack = stackOf(FIRST_HOT + ((count * HOT_HASH) >> HOT_SHIFT));
  if (load<u32>(stack, S_WANTED) != count) store<u32>(stack, count, S_WANTED);
  else if (isEmpty(stack)) dedicate(stack, count);
  else giveLast(stack);
}

function isEmpty(stack: usize): bool {
  return load<u32>(stack, S_TOP) == <u32>stack + S_NONE;
}

/** Take the last ready block off a stack. Its first frame, or 0. */
function pop(stack: usize): u32 {
  const top = load<u32>(stack, S_TOP);
  const frame = load<u32>(<usize>top);
  if (frame != 0) store<u32>(stack, top - 4, S_TOP);
  return frame;
}

/** Put a block on its stack, which has room. */
function push(stack: usize, frame: u32): void {
  const top = load<u32>(stack, S_TOP) + 4;
  assert(hasRoom(top - 4));
  store<u32>(stack, top, S_TOP);
  store<u32>(<usize>top, frame);
}

/** Is there room above an entry? */
// @ts-ignore: decorator
@inline
export function hasRoom(top: u32): bool {
  return (top & ((1 << STACK_SHIFT) - 1)) != STACK_FULL;
}

// ---- how much is kept ------------------------------------------------------------------------------------------------

/**
 * Count frames that leave (or, negative, join) the words and trees of a zone, and frames that go live (or, negative, no
 * longer are); then look at the two rules.
 */
export function count(zone: usize, taken: i32, live: i32): void {
  store<u32>(zone, load<u32>(zone, Z_FREE) - taken, Z_FREE);
  store<u32>(H_TAKEN_FRAMES, load<u32>(H_TAKEN_FRAMES) + taken);
  let below = <i32>load<u32>(H_BELOW_PEAK) - live;
  if (below < 0) {
    store<u32>(H_PEAK_FRAMES, load<u32>(H_PEAK_FRAMES) - below);
    below = 0;
  }
  store<u32>(H_BELOW_PEAK, below);
  if (zone == frontZone()) {
    const age = load<u32>(H_AGE) + 1;
    store<u32>(H_AGE, age);
    if ((age & GATE_MASK) == 0) lookAtGate(age);
    else if (load<u32>(H_READY_LIMIT) != 0) store<u32>(H_READY_LIMIT, share());
  }
  setBelowLimit();
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
  for (let cls = load<u32>(H_RECENT); cls <= top; ++cls) {
    step();
    frames += load<u32>(zone + Z_CLASS_COUNTS + (cls << 2)) << cls;
  }
  return frames;
}

/** Remember the order of a request that found nothing ready. */
export function noteOrder(order: u32): void {
  if (order > load<u32>(H_RECENT)) store<u32>(H_RECENT, order);
  if (order > load<u32>(H_RECENT_NEXT)) store<u32>(H_RECENT_NEXT, order);
}

// ---- the books -------------------------------------------------------------------------------------------------------

/** Frames of live blocks and pieces. */
export function liveFrames(): u32 {
  return load<u32>(H_PEAK_FRAMES) - load<u32>(H_BELOW_PEAK);
}

export function readyFrames(): u32 {
  return load<u32>(H_TAKEN_FRAMES) - liveFrames();
}

/** More frames are live than ever before. */
export function raisePeak(more: u32): void {
  store<u32>(H_BELOW_PEAK, 0);
  store<u32>(H_PEAK_FRAMES, load<u32>(H_PEAK_FRAMES) + more);
  setBelowLimit();
}

/** What was live for a moment only never was: the peak was `peak`. */
export function forgetPeak(peak: u32): void {
  const raised = load<u32>(H_PEAK_FRAMES) - peak;
  store<u32>(H_PEAK_FRAMES, peak);
  store<u32>(H_BELOW_PEAK, load<u32>(H_BELOW_PEAK) - raised);
  setBelowLimit();
}

/** After any change of the limit, the peak or what is taken. */
function setBelowLimit(): void {
  const sum = load<u32>(H_READY_LIMIT) + load<u32>(H_PEAK_FRAMES);
  const taken = load<u32>(H_TAKEN_FRAMES);
  store<u32>(H_BELOW_LIMIT, sum > taken ? sum - taken : 0);
}

// ---- giving back -----------------------------------------------------------------------------------------------------

/** A block that was just popped, and whose frames are back, is ready no longer. */
function retire(frame: u32, count: u32): void {
  const zone = frontZone();
  setEntry(zone, frame, count, entryAt(zone, frame, count) == MARK_READY_FREED ? MARK_FREED : 0);
  store<u32>(H_BLOCKS, load<u32>(H_BLOCKS) - 1);
  store<u32>(zone, load<u32>(zone, Z_FREE) + count, Z_FREE);
  store<u32>(H_TAKEN_FRAMES, load<u32>(H_TAKEN_FRAMES) - count);
}

/** Give the last ready block of a stack back. False when it is empty. */
function giveLast(stack: usize): bool {
  const frame = pop(stack);
  if (frame == 0) return false;
  give(frontZone(), frame, load<u32>(stack, S_FRAMES));
  retire(frame, load<u32>(stack, S_FRAMES));
  setBelowLimit();
  return true;
}

/** While the gate is shut: give one ready block back. The stacks take turns, a few are looked at. */
export function drain(): void {
  if (load<u32>(H_READY_LIMIT) != 0 || readyFrames() == 0) return;
  let number = load<u32>(H_DRAIN);
  for (let looked = 0; looked < 16; ++looked) {
    step();
    number = number <= 1 ? STACK_COUNT - 1 : number - 1;
    if (giveLast(stackOf(number))) {
      ++number; // this stack may have more
      break;
    }
  }
  store<u32>(H_DRAIN, number);
}

/** Give every ready block back. */
export function flush(): void {
  lend(false);
  retireAll();
}

/** After `lend`: what was lent stays where it is, and nothing is ready. */
export function retireAll(): void {
  if (readyFrames() == 0) return;
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    step();
    for (let frame = pop(stack); frame != 0; frame = pop(stack)) {
      step();
      retire(frame, load<u32>(stack, S_FRAMES));
    }
  }
  store<u32>(H_READY_LIMIT, share());
  setBelowLimit();
}

/** Keep a block ready that was just taken and was never handed out. Its stack has room; the caller counts it. */
export function keepNew(stack: usize, frame: u32): void {
  const at = keyedAt(stack, frame - load<u32>(H_FRONT_ORIGIN));
  // What stands there is nothing or MARK_FREED, and what is above may be its neighbour's.
  store<u32>(at, load<u32>(at) + ((load<u32>(at) & load<u32>(stack, S_MASK)) == 0 ? MARK_READY : MARK_READY_FREED - MARK_FREED));
  push(stack, frame);
}

/** May so many frames more be kept ready? */
// @ts-ignore: decorator
@inline
export function mayKeep(count: u32): bool {
  return readyFrames() + count <= load<u32>(H_READY_LIMIT);
}

// ---- asking ----------------------------------------------------------------------------------------------------------

/** Blocks kept ready. */
export function readyBlocks(): u32 {
  let blocks: u32 = 0;
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    blocks += (load<u32>(stack, S_TOP) - (<u32>stack + S_NONE)) >> 2;
  }
  return blocks;
}

/**
 * Give the frames of all ready blocks back for a moment, or take the same frames again (`back`), so that a question about
 * free frames is answered, or a request tried, as if nothing were kept. Free frames are described in one way only, so the
 * second undoes the first to the bit.
 */
export function lend(back: bool): void {
  if (readyFrames() == 0) return;
  resort();
  const zone = frontZone();
  for (let number: u32 = 1; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    const count = load<u32>(stack, S_FRAMES);
    step();
    for (let at = load<u32>(stack, S_TOP); at != <u32>stack + S_NONE; at -= 4) {
      step();
      if (back) takeRange(zone, load<u32>(<usize>at), count);
      else give(zone, load<u32>(<usize>at), count);
    }
  }
}
