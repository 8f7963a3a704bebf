/**
 * The arena: the host's bytes behind the zones.
 *
 * The core never touches them, so a driver or device that writes wild cannot reach the allocator's metadata. An object that
 * holds a buffer (a WebAssembly.Memory) is asked for it at every access, because growing replaces the buffer. Buffers and
 * views cannot follow: when the host grows the memory under a view, or transfers an ArrayBuffer away, the array is left
 * with length 0, where reads give `undefined` and writes vanish. One comparison of lengths finds that: `STALE_VIEW`.
 */
import { bytesOf } from "../buffers.js";
import { type ErrorCode, ShmemError } from "../errors.js";
import type { Arena } from "./api.js";
import type { CorePlan } from "./options.js";

/** Bytes that zones can be laid over. */
export class ArenaBytes {
  /** What is asked for its buffer at every access; undefined for a buffer or a view, which stay what they are. */
  readonly #holder: { readonly buffer: ArrayBufferLike } | undefined;
  readonly #neededBytes: number;
  #buffer: ArrayBufferLike | undefined;
  #bytes: Uint8Array;

  /** `neededBytes`: where the last zone ends. `INVALID_ARGUMENT` when the arena is shorter. */
  constructor(source: Arena, neededBytes: number) {
    this.#holder = "buffer" in source && !ArrayBuffer.isView(source) ? source : undefined;
    this.#bytes = bytesOf(source) as Uint8Array;
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
    if (this.#holder === undefined) return this.#bytes;
    const { buffer } = this.#holder;
    if (buffer !== this.#buffer) {
      this.#buffer = buffer;
      this.#bytes = bytesOf(buffer) as Uint8Array;
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
