/**
 * Geometry: what opening writes once and nothing changes. All pointers stem from it, so `verify` looks at it first, by a
 * checksum that opening leaves in the header; and a snapshot is only taken over by a core that has the same, word by word.
 *
 *   header    H_FRAME_SHIFT .. H_MAP_CAPACITY     without what a digest knows by itself
 *   zones     Z_BASE .. Z_FREE of each record
 *   stacks    S_BASE .. S_FRAMES of each record, and all of stack 0
 */
import { H_FRAME_SHIFT, H_MAP_CAPACITY, H_ZONE_COUNT, STACK_COUNT, STACK_FULL, S_BASE, S_FRAMES, Z_FREE, zoneRecord } from "./layout";
import { emptyStack, stackOf } from "./cache";

const START: u64 = 0x85a308d3243f6a88;

function foldWords(state: u64, from: usize, to: usize): u64 {
  for (let at = from; at < to; at += 4) state = rotl<u64>(state ^ load<u32>(at), 23) * 0x9e3779b97f4a7c15;
  return state;
}

export function geometry(): u32 {
  let state = foldWords(START, H_FRAME_SHIFT, H_MAP_CAPACITY);
  const zones = load<u32>(H_ZONE_COUNT);
  for (let i: u32 = 0; i < zones; ++i) state = foldWords(state, zoneRecord(i), zoneRecord(i) + Z_FREE);
  state = foldWords(state, emptyStack(), emptyStack() + STACK_FULL + 4);
  for (let number: u32 = 1; number < STACK_COUNT; ++number) state = foldWords(state, stackOf(number) + S_BASE, stackOf(number) + S_FRAMES);
  return <u32>(state ^ (state >> 32));
}
