/**
 * The request ring: many requests, one crossing.
 *
 *   RING   entry 0            entry 1                         entry 255
 *          +------------------+------------------+-- ... --+------------------+
 *          | in: length flags | 64 bytes         |         |                  |
 *          | out: frame va pa |                  |         |                  |
 *          +------------------+------------------+-- ... --+------------------+
 *
 * The host writes requests from entry 0 on and calls `serve(count)`; the core answers every entry in order, in place,
 * before it returns. Only the constraints named in `flags` are read, so that a plain request is two words to write. Out
 * of memory is an answer: address 0 and a reason. The core never calls the host.
 */
import {
  HAS_ALIGN, HAS_BOUNDARY, HAS_HIGHEST, HAS_NODE, HAS_PREFERRED, H_REASON, MAY_SCATTER, M_PHYSICAL, REASON_BOUNDARY, REASON_NONE, RING, RING_CAPACITY,
  RING_ENTRY, R_ALIGN_ORDER, R_BOUNDARY, R_FLAGS, R_FRAME, R_HIGHEST, R_LENGTH, R_NODE, R_PHYSICAL, R_PREFERRED, R_REASON, R_TAG, R_VIRTUAL, Z_BASE, Z_WINDOW,
} from "./layout";
import { ANY_NODE, HIGHEST, allocate, fail, gather, noteFailure, physicalOf, reachesAll, reasonOf, takeConstrained } from "./allocate";
import { beginBlock, setTag, zoneOf } from "./blocks";
import { framesFor } from "./length-tags";
import { mappingAt } from "./mappings";
import { orderOf } from "./bits";

/** Answer the first `count` entries, 1 to RING_CAPACITY, in order. Returns how many got memory. */
export function serve(count: u32): u32 {
  assert(count <= RING_CAPACITY);
  let served: u32 = 0;
  for (let i: u32 = 0; i < count; ++i) served += serveEntry(<usize>(RING + i * RING_ENTRY));
  return served;
}

function serveEntry(entry: usize): u32 {
  const lengthBytes = load<u32>(entry, R_LENGTH);
  const flags = load<u32>(entry, R_FLAGS);
  const tag = load<u32>(entry, R_TAG);
  const frame = flags == 0 ? allocateOrAnswer(entry, lengthBytes) : allocateConstrained(entry, lengthBytes, flags, tag);
  if (frame == 0) return load<f64>(entry, R_VIRTUAL) != 0 ? 1 : 0;
  const zone = zoneOf(frame);
  setTag(zone, frame, tag);
  const physical = physicalOf(zone, frame);
  return answer(entry, frame, physical - load<f64>(zone, Z_BASE) + load<f64>(zone, Z_WINDOW), physical, REASON_NONE);
}

/** The first frame of a block, or 0 with the entry already answered: a scattered block, or why there is none. */
function allocateConstrained(entry: usize, lengthBytes: u32, flags: u32, tag: u32): u32 {
  const count = framesFor(lengthBytes);
  const least: u32 = flags & HAS_ALIGN ? load<u32>(entry, R_ALIGN_ORDER) : 0;
  const order = flags & HAS_BOUNDARY ? max(orderOf(count), least) : least;
  const highest = flags & HAS_HIGHEST ? load<f64>(entry, R_HIGHEST) : HIGHEST;
  const node = flags & HAS_NODE ? load<u32>(entry, R_NODE) : ANY_NODE;
  const preferred = flags & HAS_PREFERRED ? load<u32>(entry, R_PREFERRED) : ANY_NODE;
  const scatter = (flags & MAY_SCATTER) != 0;
  // A device that reaches the highest zone to its end reaches every zone: a plain request.
  if (flags == HAS_HIGHEST && reachesAll(highest)) return allocateOrAnswer(entry, lengthBytes);
  if (flags & HAS_BOUNDARY && load<f64>(entry, R_BOUNDARY) < <f64>lengthBytes) {
    fail(REASON_BOUNDARY);
    answer(entry, 0, 0, 0, REASON_BOUNDARY);
    return 0;
  }
  const frame = takeConstrained(count, order, highest, node, preferred);
  if (frame != 0) {
    beginBlock(zoneOf(frame), frame, count, lengthBytes);
    return frame;
  }
  const owner = scatter ? gather(lengthBytes, count, least, highest, node, preferred, tag) : 0;
  if (owner != 0) {
    answer(entry, 0, owner, load<f64>(mappingAt(owner), M_PHYSICAL), REASON_NONE);
    return 0;
  }
  const reason = reasonOf(lengthBytes, count, order, least, (flags & (HAS_HIGHEST | HAS_NODE)) != 0, scatter);
  fail(reason);
  answer(entry, 0, 0, 0, reason);
  return 0;
}

/** A plain block, or 0 with the entry answered. */
function allocateOrAnswer(entry: usize, lengthBytes: u32): u32 {
  const frame = allocate(lengthBytes);
  if (frame == 0) answer(entry, 0, 0, 0, load<u32>(H_REASON));
  return frame;
}

function answer(entry: usize, frame: u32, virtual: f64, physical: f64, reason: u32): u32 {
  if (reason != REASON_NONE) noteFailure();
  store<u32>(entry, reason, R_REASON);
  store<u32>(entry, frame, R_FRAME);
  store<f64>(entry, virtual, R_VIRTUAL);
  store<f64>(entry, physical, R_PHYSICAL);
  return virtual != 0 ? 1 : 0;
}
