/**
 * The arrays of a batch: their kinds and lengths, checked before anything is done.
 */
import { ShmemError } from "../../bindings/index.js";

/** Refuse what is no array of the kind, or has fewer than `least` entries. */
export function batchArray(
  field: string,
  value: unknown,
  kind: Uint32ArrayConstructor | Float64ArrayConstructor,
  least: number,
): void {
  if (value instanceof kind && value.length >= least) return;
  throw new ShmemError("INVALID_ARGUMENT", `${field} must be a ${kind.name} of at least ${least} entries`, {
    field,
    value: value instanceof kind ? value.length : value,
    unit: "entries",
  });
}

/** The lengths of a batch, copied; one that is 0 refuses all, with its index. */
export function batchLengths(lengths: Uint32Array, addresses: Float64Array, physicals?: Float64Array): Uint32Array {
  batchArray("lengths", lengths, Uint32Array, 0);
  batchArray("addresses", addresses, Float64Array, lengths.length);
  if (physicals !== undefined) batchArray("physicals", physicals, Float64Array, lengths.length);
  const zero = lengths.indexOf(0);
  if (zero >= 0)
    throw new ShmemError("INVALID_ARGUMENT", `lengths[${zero}] is 0`, {
      field: `lengths[${zero}]`,
      value: 0,
      unit: "bytes",
      index: zero,
    });
  return lengths.slice();
}
