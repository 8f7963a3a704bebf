/**
 * The quick paths: allocate and free where the size-class caches decide them, in TypeScript over the core's memory.
 *
 *     allocate(bytes)    size class of its frames ─► top of the stack ─► length tag ─► address
 *     free(address)      size class of its frames ─► length tag equal? ─► push
 *                        anything else ─► the miss: one call of the core
 *
 * The core has the same two functions (assembly/allocate.ts and assembly/blocks.ts say what each word means and why), and
 * stays the only truth: the stores here are its stores, in its order. A call into WebAssembly costs as much as all the
 * rest of them; that is what is saved. test/core/quick-paths.test.ts compares the images of two cores, one that allocates
 * and frees through here and one through its exports, and fails at the first byte that differs.
 *
 * What keeps them fast, each measured (docs/performance.md):
 *
 *   - They are closures over constants, one pair for each core, and their offsets are literals.
 *   - Conditions nest and each function returns in one place, so an engine that inlines allocate and free into a loop keeps
 *     the address an integer in a register between the two.
 *   - They are small enough to be inlined into their callers (460 bytes of bytecode in V8); a miss is a function of its own.
 *   - A length tag is 16 or 32 bits wide and is read as 32 bits at any byte, which only a DataView can: there is no branch on
 *     sizes, which come in no order.
 */
import { Layout as L, LayoutWords as W } from "../generated/layout.js";
import type { CoreState } from "./state.js";

/** Which quick path did not decide. */
export enum Missed {
  Allocate = 0,
  Free = 1,
  FreeTagged = 2,
}

/**
 * What the quick paths do with everything that they do not decide: the address, or 0, for an allocation; 0 for a free; or
 * a refusal. One function, because it has to be long: V8 inlines what has up to 460 bytes of bytecode, and a miss that is
 * inlined pushes the quick path itself out of the loop it would be inlined into.
 */
export type Miss = (
  missed: Missed,
  address: number,
  lengthBytes: number | undefined,
  tag: number | undefined,
) => number;

/** Allocate and free of one core. Arguments may be anything: what is no number of the right range is a miss. */
export interface QuickPaths {
  allocate(lengthBytes: number, tag: number): number;
  free(address: number, lengthBytes: number | undefined): void;
  freeTagged(address: number, lengthBytes: number | undefined, tag: number): void;
}

/** The paths of a core that is closed: all are misses, which refuse. */
export function closedPaths(miss: Miss): QuickPaths {
  return {
    allocate: (lengthBytes, tag) => miss(Missed.Allocate, 0, lengthBytes, tag),
    free: (address, lengthBytes) => miss(Missed.Free, address, lengthBytes, undefined),
    freeTagged: (address, lengthBytes, tag) => miss(Missed.FreeTagged, address, lengthBytes, tag),
  };
}

/**
 * The quick paths of a core over its memory as it is now: whoever grows the memory makes them anew.
 *
 * Caches hold blocks of the zone with the highest base alone. `index` is a frame number less the first of that zone's
 * first group.
 */
export function quickPathsOf(state: CoreState, miss: Miss): QuickPaths {
  const { u32, sizeClasses, bytes } = state.views;
  const { window, first, tagWords } = state.cachedZone;
  const origin = u32[W.H_CACHED_ORIGIN] as number;
  const span = u32[W.H_CACHED_SPAN] as number;
  const start = window - (first - origin) * state.frameSize;
  const frameShift = u32[W.H_FRAME_SHIFT] as number;
  const tags = state.plan.tags ? tagWords + origin : 0;
  const places = placesIn(start, span, state.frameSize, frameShift);
  return pathsOver(u32, sizeClasses, bytes, frameShift, origin, span, tags, places.indexOf, places.addressOf, miss);
}

/** The index of the frame that starts at an address, or `span` for any other number; and the address of an index. */
interface Places {
  indexOf(address: number): number;
  addressOf(index: number): number;
}

/** Within 4 GiB a place is 32 bits, and an address remains an integer; beyond, it is a double. */
function placesIn(start: number, span: number, frameSize: number, frameShift: number): Places {
  if (span * frameSize <= 2 ** 32)
    return {
      indexOf: (address) => {
        const ahead = address - start;
        const byte = ahead >>> 0;
        return byte === ahead && (byte & (frameSize - 1)) === 0 ? byte >>> frameShift : span;
      },
      addressOf: (index) => start + ((index << frameShift) >>> 0),
    };
  return {
    indexOf: (address) => {
      const ahead = (address - start) / frameSize;
      const index = ahead >>> 0;
      return index === ahead ? index : span;
    },
    addressOf: (index) => start + index * frameSize,
  };
}

/** All that the paths need are parameters: a constant would be tested for being initialised at each use. */
function pathsOver(
  u32: Uint32Array,
  sizeClasses: Uint16Array,
  bytes: DataView,
  frameShift: number,
  origin: number,
  span: number,
  tags: number,
  indexOf: Places["indexOf"],
  addressOf: Places["addressOf"],
  miss: Miss,
): QuickPaths {
  return {
    allocate(lengthBytes: number, tag: number): number {
      if (typeof lengthBytes === "number") {
        const length = lengthBytes >>> 0;
        const sizeClass = (length - 1) >>> frameShift;
        if (length === lengthBytes && sizeClass < L.CACHE_MAX_FRAMES) {
          const words = u32; // a register: half the bytecode of a captured variable
          const stack = (sizeClasses[sizeClass] as number) >>> 2;
          const top = words[stack] as number;
          const frame = words[top >>> 2] as number;
          const headroom = words[W.W_PEAK_HEADROOM] as number;
          const frames = words[stack + W.S_FRAMES] as number;
          if (frame !== 0 && headroom >= frames) {
            const index = frame - origin;
            const rotate = words[stack + W.S_ROTATE] as number;
            const at = ((words[stack + W.S_BASE] as number) + ((index << rotate) | (index >>> -rotate))) >>> 0;
            bytes.setUint32(at, (bytes.getUint32(at, true) & -L.LENGTH_TAG_BIAS) + length + L.LENGTH_TAG_BIAS, true);
            words[stack] = top - 4;
            words[W.W_PEAK_HEADROOM] = headroom - frames;
            if (tags !== 0) words[tags + index] = tag;
            return addressOf(index);
          }
        }
      }
      // The sign tells an engine that this is a number too, so that it need not box the other.
      return +miss(Missed.Allocate, 0, lengthBytes, tag);
    },

    free(address: number, lengthBytes: number | undefined): void {
      if (typeof address === "number" && typeof lengthBytes === "number") {
        const index = indexOf(address);
        const length = lengthBytes >>> 0;
        const sizeClass = (length - 1) >>> frameShift;
        if (index < span && length === lengthBytes && sizeClass < L.CACHE_MAX_FRAMES) {
          const words = u32;
          const stack = (sizeClasses[sizeClass] as number) >>> 2;
          if ((index & (words[stack + W.S_INNER] as number)) === 0) {
            const rotate = words[stack + W.S_ROTATE] as number;
            const at = ((words[stack + W.S_BASE] as number) + ((index << rotate) | (index >>> -rotate))) >>> 0;
            // 0 in the bits of the length tag where it is the one of this length.
            const rest = (bytes.getUint32(at, true) - (length + L.LENGTH_TAG_BIAS)) | 0;
            const top = words[stack] as number;
            const headroom = (words[W.W_PEAK_HEADROOM] as number) + (words[stack + W.S_FRAMES] as number);
            if (
              (rest & (words[stack + W.S_MASK] as number)) === 0 &&
              (top & L.STACK_FULL) !== L.STACK_FULL &&
              headroom <= (words[W.W_HEADROOM_LIMIT] as number)
            ) {
              bytes.setUint32(at, rest + ((stack << 2) >>> L.CACHED_SENTINEL_SHIFT) + L.CACHED_SENTINEL_BASE, true);
              words[(top >>> 2) + 1] = origin + index;
              words[stack] = top + 4;
              words[W.W_PEAK_HEADROOM] = headroom;
              if (tags !== 0) words[tags + index] = 0;
              return;
            }
          }
        }
      }
      miss(Missed.Free, address, lengthBytes, undefined);
    },

    freeTagged(address: number, lengthBytes: number | undefined, tag: number): void {
      const index = typeof address === "number" ? indexOf(address) : span;
      if (tags !== 0 && index < span && u32[tags + index] === tag) this.free(address, lengthBytes);
      else miss(Missed.FreeTagged, address, lengthBytes, tag);
    },
  };
}
