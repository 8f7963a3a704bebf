/**
 * Batches: many blocks in few crossings.
 *
 * Allocations go through the ring, a ring's length at a time. A batch of frees is all or nothing: first every block is
 * claimed in the core, which makes its second mention fail like any freed block; only when all are claimed are they
 * released, which cannot fail. A refused entry makes the claims before it undone.
 */
import { ADDRESS_LIMIT, hex } from "../addresses.js";
import { type ErrorDetails, ShmemError } from "../errors.js";
import { Layout as L } from "../generated/layout.js";
import type { AllocationBatch } from "./api.js";
import { explainAddress, refuseArgument, refuseUnlessStart } from "./explain.js";
import { address as checkAddress, UNCONSTRAINED } from "./options.js";
import { ringEntry, writeRequest } from "./requests.js";
import type { CoreState } from "./state.js";

/** Serves the first entries of the ring; returns how many got memory. */
export type Serve = (count: number) => number;

/** `CoreApi.allocateBatch`. */
export function allocateMany(
  state: CoreState,
  serve: Serve,
  lengths: Uint32Array,
  addresses: Float64Array,
  physicals: Float64Array | undefined,
): number {
  if (!(lengths instanceof Uint32Array)) refuseArgument("lengths", lengths, "array", "must be a Uint32Array");
  checkOutput("addresses", addresses, lengths.length);
  if (physicals !== undefined) checkOutput("physicals", physicals, lengths.length);
  const zero = lengths.indexOf(0);
  if (zero >= 0)
    throw new ShmemError("INVALID_ARGUMENT", `lengths[${zero}] is 0; nothing was allocated`, {
      field: `lengths[${zero}]`,
      value: 0,
      unit: "bytes",
      index: zero,
    });
  let served = 0;
  for (let from = 0; from < lengths.length; from += L.RING_CAPACITY) {
    const count = Math.min(L.RING_CAPACITY, lengths.length - from);
    for (let i = 0; i < count; i++) writeRequest(state, ringEntry(i), lengths[from + i] as number, UNCONSTRAINED);
    served += serve(count);
    const { views } = state;
    for (let i = 0; i < count; i++) {
      addresses[from + i] = views.float(ringEntry(i) + L.R_VIRTUAL);
      if (physicals !== undefined) physicals[from + i] = views.float(ringEntry(i) + L.R_PHYSICAL);
    }
  }
  return served;
}

function checkOutput(field: string, array: unknown, least: number): void {
  if (!(array instanceof Float64Array)) refuseArgument(field, array, "array", "must be a Float64Array");
  else if (array.length < least)
    refuseArgument(field, array.length, "entries", `has ${array.length} entries, ${least} are needed`);
}

/** `CoreApi.serveBatch`. The caller has validated every request. */
export function serveMany(state: CoreState, serve: Serve, batch: AllocationBatch): number {
  const { count, lengths, highest, tags, addresses, physicals } = batch;
  const { u32, f64 } = state.views;
  const keepsTags = state.plan.tags;
  let served = 0;
  for (let from = 0; from < count; from += L.RING_CAPACITY) {
    const size = Math.min(L.RING_CAPACITY, count - from);
    for (let i = 0; i < size; i++) {
      const entry = ringEntry(i);
      const limit = highest[from + i] as number;
      u32[(entry + L.R_LENGTH) >>> 2] = lengths[from + i] as number;
      u32[(entry + L.R_FLAGS) >>> 2] = limit < ADDRESS_LIMIT - 1 ? L.HAS_HIGHEST : 0;
      u32[(entry + L.R_TAG) >>> 2] = keepsTags ? (tags[from + i] as number) : 0;
      f64[(entry + L.R_HIGHEST) >>> 3] = limit;
    }
    served += serve(size);
    for (let i = 0; i < size; i++) {
      const entry = ringEntry(i);
      addresses[from + i] = f64[(entry + L.R_VIRTUAL) >>> 3] as number;
      physicals[from + i] = f64[(entry + L.R_PHYSICAL) >>> 3] as number;
    }
  }
  return served;
}

/** `CoreApi.freeBatch`. */
export function freeMany(state: CoreState, addresses: Float64Array): void {
  if (!(addresses instanceof Float64Array)) refuseArgument("addresses", addresses, "array", "must be a Float64Array");
  const { wasm } = state;
  const frames = new Uint32Array(addresses.length);
  const lengths = new Uint32Array(addresses.length);
  const scattered = new Set<number>();
  for (let i = 0; i < addresses.length; i++) {
    const address = addresses[i] as number;
    const frame = state.frameAt(address);
    frames[i] = frame;
    lengths[i] = frame === 0 ? 0 : wasm.beginFree(frame);
    if (lengths[i] !== 0) continue;
    if (frame === 0 && state.scatteredAt(address) !== 0 && !scattered.has(address)) {
      scattered.add(address);
      continue;
    }
    for (let k = 0; k < i; k++) if (lengths[k] !== 0) wasm.abortFree(frames[k] as number, lengths[k] as number);
    refuseEntry(state, addresses, i);
  }
  for (let i = 0; i < addresses.length; i++)
    if (lengths[i] !== 0) wasm.commitFree(frames[i] as number, lengths[i] as number);
  for (const group of scattered) wasm.freeScattered(group);
}

/** Refuse a whole batch for its entry `index`: named twice, or not to be freed by itself. */
function refuseEntry(state: CoreState, addresses: Float64Array, index: number): never {
  const value = addresses[index] as number;
  const earlier = addresses.indexOf(value);
  try {
    refuseUnlessStart(state, checkAddress(value, `addresses[${index}]`));
  } catch (cause) {
    if (!(cause instanceof ShmemError)) throw cause;
    const message = `addresses[${index}] cannot be freed; nothing was: ${cause.message}`;
    throw new ShmemError(cause.code, message, { ...cause, index, cause } as ErrorDetails);
  }
  throw new ShmemError("ALREADY_FREED", `${hex(value)} is entry ${earlier} and entry ${index}; nothing was freed`, {
    value,
    unit: "address",
    index,
    explain: explainAddress(state, value),
  });
}
