/**
 * Digests: the state in 64 bits.
 *
 * `digest` covers the logical state: what a user of the core could list (zones, live blocks with exact length and tag,
 * mappings), in address order. How free frames are described, sentinels of former blocks and counters do not enter, so
 * freeing everything gives the digest of the beginning. The reference model computes the same words from its own records.
 *
 * `imageDigest` covers everything that can decide a later answer: the arrays as they lie, sentinels included.
 *
 * The lanes are two u32 so that TypeScript can do the same with Math.imul. The state travels as one u64 (b above a),
 * because this module has no globals.
 */
import {
  GROUP_FRAMES, GROUP_SHIFT, H_CACHE_LIMIT, H_DIGEST_A, H_DIGEST_B, H_EVICT_STACK, H_FLAGS, H_FRAME_SHIFT, H_LENGTH_TAG_SHIFT, H_MAP_BASE, H_MAP_COUNT, H_PEAK_FRAMES, H_RECENT_ORDER,
  H_RECENT_ORDER_NEXT, H_SCATTER_BASE, H_SLOW_COUNT, H_ZONE_COUNT, MAP_RECORD, M_BYTES, M_KIND, M_OWNER, M_OWNER_BYTES, M_PHYSICAL, M_TAG, M_VIRTUAL, SIZE_CLASSES, STACK_COUNT,
  S_ENTRIES, S_TOP, W_PEAK_HEADROOM, Z_BASE, Z_COUNT, Z_GROUP_END, Z_GROUP_FIRST, Z_LENGTH_TAGS, Z_NODE, Z_WINDOW, zoneRecord,
} from "./layout";
import { tagAt } from "./blocks";
import { framesFor, groupLengthAt, smallLengthAt } from "./length-tags";
import { stackOf } from "./cache";
import { physicalOf } from "./allocate";
import { record } from "./mappings";
import { Frame, Zone } from "./units";

const START: u64 = 0x85a308d3243f6a88;
const END_OF_BLOCKS: u32 = 0xffffffff;

function mix(state: u64, word: u32): u64 {
  const a = rotl<u32>(<u32>state ^ word, 13) * 0x9e3779b1;
  const b = rotl<u32>((<u32>(state >> 32) + word) ^ a, 15) * 0x85ebca77;
  return ((<u64>b) << 32) | a;
}

/** Low word, then high word, of an integer below 2^52. */
function mixWide(state: u64, value: f64): u64 {
  const whole = <u64>value;
  return mix(mix(state, <u32>whole), <u32>(whole >> 32));
}

function avalanche(h: u32): u32 {
  h = (h ^ (h >> 16)) * 0x85ebca6b;
  h = (h ^ (h >> 13)) * 0xc2b2ae35;
  return h ^ (h >> 16);
}

function finish(state: u64): void {
  const a = avalanche(<u32>state);
  store<u32>(H_DIGEST_A, a);
  store<u32>(H_DIGEST_B, avalanche(<u32>(state >> 32) ^ a));
}

/** The logical state; the answer is left in the header. */
export function digest(): void {
  const zones = load<u32>(H_ZONE_COUNT);
  const shift = load<u32>(H_FRAME_SHIFT);
  let state = mix(mix(START, 1 << shift), zones);
  for (let i: u32 = 0; i < zones; ++i) {
    const zone = zoneRecord(i);
    state = mixWide(state, load<f64>(zone, Z_BASE));
    state = mixWide(state, <f64>(<u64>load<u32>(zone, Z_COUNT) << shift));
    state = mix(state, load<u32>(zone, Z_NODE));
    state = mixWide(state, load<f64>(zone, Z_WINDOW));
  }
  for (let i: u32 = 0; i < zones; ++i) state = mixBlocks(state, zoneRecord(i));
  finish(mixMappings(mix(state, END_OF_BLOCKS)));
}

/** The live contiguous blocks of a zone, in ascending order. */
function mixBlocks(state: u64, zone: Zone): u64 {
  const end = load<u32>(zone, Z_GROUP_END);
  const perWord: u32 = 8 >> load<u32>(H_LENGTH_TAG_SHIFT);
  for (let group = load<u32>(zone, Z_GROUP_FIRST); group < end; ) {
    const large = groupLengthAt(zone, group);
    if (large != 0) {
      state = mixBlock(state, zone, group << GROUP_SHIFT, large);
      group += framesFor(large) >> GROUP_SHIFT;
      // The group where the block ends may hold others behind it; where it ends a group, the next is untouched by it.
      if ((framesFor(large) & (GROUP_FRAMES - 1)) == 0) continue;
    }
    const first = group << GROUP_SHIFT;
    for (let i: u32 = 0; i < GROUP_FRAMES; i += perWord) {
      if (eightBytesOfTags(zone, first + i) == 0) continue;
      for (let k: u32 = 0; k < perWord; ++k) {
        const small = smallLengthAt(zone, first + i + k);
        if (small != 0) state = mixBlock(state, zone, first + i + k, small);
      }
    }
    ++group;
  }
  return state;
}

/** Eight bytes of `lengthTags` at once. */
function eightBytesOfTags(zone: Zone, frame: Frame): u64 {
  return load<u64>(<usize>(load<u32>(zone, Z_LENGTH_TAGS) + (frame << load<u32>(H_LENGTH_TAG_SHIFT))));
}

function mixBlock(state: u64, zone: Zone, frame: Frame, lengthBytes: u32): u64 {
  return mix(mix(mixWide(state, physicalOf(zone, frame)), lengthBytes), tagAt(zone, frame));
}

/** The mappings in virtual order, owner by owner; physically adjacent runs of a owner count as one. */
function mixMappings(state: u64): u64 {
  const count = load<u32>(H_MAP_COUNT);
  for (let i: u32 = 0; i < count; ) {
    const at = record(i);
    const owner = load<f64>(at, M_OWNER);
    let end = i;
    let runs: u32 = 0;
    for (; end < count && load<f64>(record(end), M_OWNER) == owner; ++end) {
      if (end == i || !continues(end)) ++runs;
    }
    state = mixWide(mixWide(state, load<f64>(at, M_VIRTUAL)), load<f64>(at, M_OWNER_BYTES));
    state = mix(mix(mix(state, load<u32>(at, M_KIND)), load<u32>(at, M_TAG)), runs);
    while (i < end) {
      const physical = load<f64>(record(i), M_PHYSICAL);
      let bytes = load<f64>(record(i), M_BYTES);
      for (++i; i < end && continues(i); ++i) bytes += load<f64>(record(i), M_BYTES);
      state = mixWide(mixWide(state, physical), bytes);
    }
  }
  return state;
}

/** Does a run begin where the run before it ends, in physical memory? */
function continues(i: u32): bool {
  const before = record(i - 1);
  return load<f64>(before, M_PHYSICAL) + load<f64>(before, M_BYTES) == load<f64>(record(i), M_PHYSICAL);
}

// ---- the image -------------------------------------------------------------------------------------------------------

/** One step over eight bytes. */
function fold(state: u64, word: u64): u64 {
  return rotl<u64>(state ^ word, 23) * 0x9e3779b97f4a7c15;
}

/** Everything that can decide a later answer; left in the header. Room behind the mappings and their index do not enter. */
export function imageDigest(): void {
  let state = fold(START, <u64>load<u32>(H_FRAME_SHIFT) | ((<u64>load<u32>(H_FLAGS)) << 32));
  state = fold(state, reinterpret<u64>(load<f64>(H_SCATTER_BASE)));
  state = fold(state, <u64>load<u32>(H_CACHE_LIMIT) | ((<u64>load<u32>(H_PEAK_FRAMES)) << 32));
  state = fold(state, <u64>load<u32>(H_RECENT_ORDER) | ((<u64>load<u32>(H_RECENT_ORDER_NEXT)) << 32));
  state = fold(state, <u64>load<u32>(H_SLOW_COUNT) | ((<u64>load<u32>(H_EVICT_STACK)) << 32));
  state = fold(state, load<u32>(W_PEAK_HEADROOM));
  // What lies above the top of a stack decides nothing. Most stacks are empty: their head is all there is.
  for (let number: u32 = 0; number < STACK_COUNT; ++number) {
    const stack = stackOf(number);
    const top = <usize>load<u32>(stack, S_TOP);
    // One step for the four: a step waits for the one before it, and these products do not.
    let word = load<u64>(stack);
    for (let at: usize = 8; at < S_ENTRIES; at += 8) word = word * 0x9e3779b97f4a7c15 + load<u64>(stack + at);
    state = fold(state, word);
    for (let at = stack + S_ENTRIES; at <= top; at += 4) state = fold(state, load<u32>(at));
  }
  const arraysEnd = <usize>load<u32>(H_MAP_BASE);
  for (let at: usize = SIZE_CLASSES; at < arraysEnd; at += 8) state = fold(state, load<u64>(at));
  const mapped = <usize>(load<u32>(H_MAP_COUNT) * MAP_RECORD);
  for (let at: usize = 0; at < mapped; at += 8) state = fold(state, load<u64>(arraysEnd + at));
  finish(state ^ (state >> 29));
}
