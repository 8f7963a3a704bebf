/**
 * The arena: the host's bytes behind the zones.
 *
 * The core never touches them, so a driver or device that writes wild cannot reach the allocator's books. A
 * WebAssembly.Memory is looked up through its `buffer` at every access, because growing it replaces the buffer; the other
 * kinds cannot move.
 */
import { ShmemError } from "../errors.js";
import type { Arena } from "./api.js";
import type { CorePlan } from "./options.js";

/** Bytes that zones can be laid over. */
export class ArenaBytes {
  readonly #source: Arena;
  #buffer: ArrayBufferLike | undefined;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(source: Arena) {
    this.#source = source;
  }

  /** All bytes of the arena; the same array as long as the host does not move them. */
  whole(): Uint8Array {
    const source = this.#source;
    if (source instanceof Uint8Array) return source;
    const buffer = "buffer" in source ? source.buffer : source;
    if (buffer !== this.#buffer) {
      this.#buffer = buffer;
      this.#bytes = new Uint8Array(buffer);
    }
    return this.#bytes;
  }
}

/** The arena of a plan: the host's, a fresh one, or none. `INVALID_ARGUMENT` when it is too short or cannot be had. */
export function arenaFor(plan: CorePlan): ArenaBytes | null {
  if (plan.arena === null) return null;
  if (plan.arena === undefined) return new ArenaBytes(freshBuffer(plan.arenaBytes));
  const arena = new ArenaBytes(plan.arena);
  const length = arena.whole().length;
  if (length < plan.arenaBytes)
    throw new ShmemError("INVALID_ARGUMENT", `arena has ${length} bytes, the zones need ${plan.arenaBytes}`, {
      field: "arena",
      value: length,
      unit: "bytes",
    });
  return arena;
}

function freshBuffer(bytes: number): ArrayBuffer {
  try {
    return new ArrayBuffer(bytes);
  } catch (cause) {
    throw new ShmemError("INVALID_ARGUMENT", `no buffer of ${bytes} bytes can be had; pass arena: null or your own`, {
      field: "arena",
      value: bytes,
      unit: "bytes",
      cause,
    });
  }
}
