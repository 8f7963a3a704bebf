/**
 * The arena: the host's bytes behind the zones.
 *
 * The core never touches them, so a driver or device that writes wild cannot reach the allocator's books. A
 * WebAssembly.Memory is looked up through its `buffer` at every access, because growing it replaces the buffer. The other
 * kinds cannot follow: when the host grows the memory under a Uint8Array, or transfers an ArrayBuffer away, the array is
 * left with length 0, where reads give `undefined` and writes vanish. One comparison of lengths finds that: `STALE_VIEW`.
 */
import { type ErrorCode, ShmemError } from "../errors.js";
import type { Arena } from "./api.js";
import type { CorePlan } from "./options.js";

/** Bytes that zones can be laid over. */
export class ArenaBytes {
  readonly #source: Arena;
  readonly #neededBytes: number;
  #buffer: ArrayBufferLike | undefined;
  #bytes: Uint8Array = new Uint8Array(0);

  /** `neededBytes`: where the last zone ends. `INVALID_ARGUMENT` when the arena is shorter. */
  constructor(source: Arena, neededBytes: number) {
    this.#source = source;
    this.#neededBytes = neededBytes;
    this.#enough("INVALID_ARGUMENT", "");
  }

  /** All bytes of the arena; the same array as long as the host does not move them. `STALE_VIEW` when they are gone. */
  whole(): Uint8Array {
    return this.#enough("STALE_VIEW", ": its memory grew, or was transferred");
  }

  #enough(code: ErrorCode, why: string): Uint8Array {
    const bytes = this.left();
    const { length } = bytes;
    if (length >= this.#neededBytes) return bytes;
    throw new ShmemError(code, `arena has ${length} bytes, the zones need ${this.#neededBytes}${why}`, {
      field: "arena",
      value: length,
      unit: "bytes",
    });
  }

  /** What is left of the arena: all of it, or less than the zones need when the host has taken it away. */
  left(): Uint8Array {
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
  return new ArenaBytes(plan.arena ?? freshBuffer(plan.arenaBytes), plan.arenaBytes);
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
