/**
 * The bytes behind the judge's zones.
 */
import { type Arena, type CorePlan, ShmemError } from "../../bindings/index.js";

/** A view over the whole arena, made anew at every access because a `WebAssembly.Memory` moves when it grows. */
export function arenaBytes(arena: Arena): Uint8Array {
  if (arena instanceof Uint8Array) return arena;
  return "buffer" in arena ? new Uint8Array(arena.buffer) : new Uint8Array(arena);
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
  const { length } = arenaBytes(plan.arena);
  if (length < plan.arenaBytes)
    throw new ShmemError("INVALID_ARGUMENT", `the arena has ${length} bytes, the zones need ${plan.arenaBytes}`, {
      field: "arena",
      value: length,
      unit: "bytes",
    });
  return plan.arena;
}
