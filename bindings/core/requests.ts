/**
 * Requests: writing constraints into the ring, reading answers out of it.
 *
 * Only the words that `flags` names are written, so a plain request costs three stores. See assembly/ring.ts for the
 * entry, docs/wire-format.md for readers of other languages.
 */
import { ADDRESS_LIMIT } from "../addresses.js";
import { Layout as L } from "../generated/layout.js";
import type { Failure, FailureReason } from "./api.js";
import { type Constraints, exponentOf, UNCONSTRAINED } from "./options.js";
import type { CoreState } from "./state.js";

/** Byte offset of the i-th ring entry. */
export function ringEntry(i: number): number {
  return L.RING + i * L.RING_ENTRY;
}

/** Write one request. */
export function writeRequest(state: CoreState, entry: number, lengthBytes: number, constraints: Constraints): void {
  const { u32 } = state.views;
  u32[(entry + L.R_LENGTH) >>> 2] = lengthBytes;
  u32[(entry + L.R_TAG) >>> 2] = constraints.tag;
  u32[(entry + L.R_FLAGS) >>> 2] = constraints === UNCONSTRAINED ? 0 : writeConstraints(state, entry, constraints);
}

/** Write the constraints that are there; returns the flags that name them. */
function writeConstraints(state: CoreState, entry: number, constraints: Constraints): number {
  const { u32, f64 } = state.views;
  const { alignment, boundary, highest, node, preferredNode, contiguous } = constraints;
  let flags = contiguous ? 0 : L.MAY_SCATTER;
  if (alignment > state.frameSize) {
    flags |= L.HAS_ALIGN;
    u32[(entry + L.R_ALIGN_ORDER) >>> 2] = exponentOf(alignment * state.inverse);
  }
  if (boundary < ADDRESS_LIMIT) {
    flags |= L.HAS_BOUNDARY;
    f64[(entry + L.R_BOUNDARY) >>> 3] = boundary;
  }
  if (highest < ADDRESS_LIMIT - 1) {
    flags |= L.HAS_HIGHEST;
    f64[(entry + L.R_HIGHEST) >>> 3] = highest;
  }
  if (node >= 0) {
    flags |= L.HAS_NODE;
    u32[(entry + L.R_NODE) >>> 2] = node;
  }
  if (preferredNode >= 0) {
    flags |= L.HAS_PREFERRED;
    u32[(entry + L.R_PREFERRED) >>> 2] = preferredNode;
  }
  return flags;
}

const REASONS: Record<number, FailureReason> = {
  [L.REASON_EXHAUSTED]: "exhausted",
  [L.REASON_FRAGMENTED]: "fragmented",
  [L.REASON_ADDRESSING]: "addressing",
  [L.REASON_BOUNDARY]: "boundary",
};

/** Why the last allocation that failed did so, as the core noted it then. */
export function notedFailure(state: CoreState): Failure {
  const { views, frameSize } = state;
  const reason = REASONS[views.word(L.H_REASON)];
  if (reason === undefined) throw new RangeError("it failed without a reason");
  return {
    reason,
    freeBytes: views.word(L.H_FAIL_FREE) * frameSize,
    largestFreeBytes: longestLength(views.word(L.H_FAIL_LONGEST) * frameSize),
  };
}

/** A length is 32 bits: the longest free run may be longer than any block can be. */
export function longestLength(bytes: number): number {
  return Math.min(bytes, 0xffffffff);
}

/** Did one of the first `count` entries fail? */
export function anyFailed(state: CoreState, count: number): boolean {
  for (let i = 0; i < count; i++) if (state.views.word(ringEntry(i) + L.R_REASON) !== 0) return true;
  return false;
}
