/**
 * The bytes behind the judge's zones.
 */
import { type Arena, type CorePlan, ShmemError } from "../../bindings/index.js";

/**
 * A view over the whole arena, made anew at every access because a `WebAssembly.Memory` moves when it grows. `STALE_VIEW`
 * where the host has detached what it handed over: the view is shorter then than what the zones were laid over.
 */
export function arenaBytes(arena: Arena, neededBytes: number): Uint8Array {
  const bytes = viewOf(arena);
  if (bytes.length >= neededBytes) return bytes;
  throw new ShmemError("STALE_VIEW", `the arena has shrunk to ${bytes.length} bytes, the zones need ${neededBytes}`, {
    field: "arena",
    value: bytes.length,
    unit: "bytes",
  });
}

function viewOf(arena: Arena): Uint8Array {
  if (arena instanceof Uint8Array) return arena;
  const buffer = "buffer" in arena ? arena.buffer : arena;
  // A detached ArrayBuffer, of length 0, takes no view.
  return buffer.byteLength === 0 ? new Uint8Array(0) : new Uint8Array(buffer);
}

/** The arena a plan asks for: the host's, a fresh buffer, or null. `INVALID_ARGUMENT` when it is too short. */
export function openArena(plan: CorePlan): Arena | null {
  if (plan.arena === null) return null;
  if (plan.arena === undefined) {
    try {
      return new ArrayBuffer(plan.arenaBytes);
    } catch (cause) {
      throw new ShmemError("INVALID_ARGUMENT", `no buffer of ${plan.arenaBytes} bytes can be had for the arena`, {
        field: "arena",
        value: plan.arenaBytes,
        unit: "bytes",
        cause,
      });
    }
  }
  const { length } = viewOf(plan.arena);
  if (length < plan.arenaBytes)
    throw new ShmemError("INVALID_ARGUMENT", `the arena has ${length} bytes, the zones need ${plan.arenaBytes}`, {
      field: "arena",
      value: length,
      unit: "bytes",
    });
  return plan.arena;
}
