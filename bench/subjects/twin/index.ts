/**
 * The subject `typescript-twin`: the core's algorithm in plain TypeScript over typed arrays.
 *
 * It answers whether WebAssembly buys anything: same checks, same placement, so the same address for every request of
 * every workload (a test compares them). Inside, its loop is JavaScript like itself; across, it proves every argument as
 * `Core` does and speaks of addresses.
 *
 * What it leaves out costs the core nothing on these paths: zones beyond the first, constraints, tags, mappings.
 */
import { ShmemError } from "../../../bindings/core/index.js";
import { type Allocator, JsReplayer } from "../../replayer.js";
import type { Place, Subject } from "../../subject.js";
import type { Workload } from "../../workloads.js";
import { orderOf } from "./bits.js";
import { Frames, PAGE_FRAMES, PAGE_SHIFT } from "./frames.js";

const MARK_FREED = 0xfffe;
const MARK_FREED_WIDE = 0xfffffffe;
const PAGE_FREED = 2;

/** Frame numbers in, frame numbers out: what the core's exports are. */
export class Twin implements Allocator {
  /** The first frame number; aligned as the arena is. */
  readonly first: number;
  readonly count: number;
  liveBlocks = 0;
  peakFrames = 0;
  failures = 0;
  readonly #shift: number;
  readonly #frames: Frames;
  readonly #lengths: Uint16Array | Uint32Array;
  readonly #freed: number;
  readonly #pageLengths: Uint32Array;

  constructor({ arenaBytes, frameSize }: Place) {
    this.#shift = Math.log2(frameSize);
    this.count = arenaBytes / frameSize;
    this.first = 1 << Math.max(PAGE_SHIFT, orderOf(this.count));
    const pages = Math.ceil(this.count / PAGE_FRAMES);
    this.#frames = new Frames(this.count);
    this.#lengths = frameSize > 1024 ? new Uint32Array(this.count) : new Uint16Array(this.count);
    this.#freed = frameSize > 1024 ? MARK_FREED_WIDE : MARK_FREED;
    this.#pageLengths = new Uint32Array(pages);
  }

  /** The first frame of a block, or 0. */
  allocate(lengthBytes: number): number {
    const count = ((lengthBytes - 1) >>> this.#shift) + 1;
    const frame = this.#frames.take(count);
    if (frame < 0) {
      this.failures += 1;
      return 0;
    }
    if (count < PAGE_FRAMES) this.#lengths[frame] = lengthBytes;
    else this.#pageLengths[frame >> PAGE_SHIFT] = lengthBytes;
    this.liveBlocks += 1;
    const live = this.count - this.#frames.free;
    if (live > this.peakFrames) this.peakFrames = live;
    return this.first + frame;
  }

  /** 0, or 1 when no live block of that length starts there. */
  free(number: number, lengthBytes: number): number {
    const frame = number - this.first;
    if (!(frame >= 0 && frame < this.count)) return 1;
    const count = ((lengthBytes - 1) >>> this.#shift) + 1;
    if (count < PAGE_FRAMES) {
      if (this.#lengths[frame] !== lengthBytes) return 1;
      this.#lengths[frame] = this.#freed;
    } else {
      if ((frame & (PAGE_FRAMES - 1)) !== 0 || this.#pageLengths[frame >> PAGE_SHIFT] !== lengthBytes) return 1;
      this.#pageLengths[frame >> PAGE_SHIFT] = PAGE_FREED;
    }
    this.#frames.give(frame, count);
    this.liveBlocks -= 1;
    return 0;
  }
}

const WINDOW = 2 ** 46;

/** Addresses in, addresses out: what `Core` is. */
class TwinCore implements Allocator {
  readonly #twin: Twin;
  readonly #frameSize: number;
  readonly #inverse: number;

  constructor(place: Place) {
    this.#twin = new Twin(place);
    this.#frameSize = place.frameSize;
    this.#inverse = 1 / place.frameSize;
  }

  allocate(lengthBytes: number): number {
    if (
      !(
        typeof lengthBytes === "number" &&
        lengthBytes >= 1 &&
        lengthBytes <= 0xffffffff &&
        Number.isInteger(lengthBytes)
      )
    )
      throw new ShmemError("INVALID_ARGUMENT", "not a length", { value: lengthBytes, unit: "bytes" });
    const frame = this.#twin.allocate(lengthBytes);
    return frame === 0 ? 0 : WINDOW + (frame - this.#twin.first) * this.#frameSize;
  }

  free(address: number, lengthBytes: number): void {
    if (!(Number.isInteger(lengthBytes) && lengthBytes >= 1 && lengthBytes <= 0xffffffff))
      throw new ShmemError("INVALID_ARGUMENT", "not a length", { value: lengthBytes, unit: "bytes" });
    const ahead = (address - WINDOW) * this.#inverse;
    if (!Number.isInteger(ahead)) throw new ShmemError("INTERIOR_ADDRESS", "not a frame", { value: address });
    if (this.#twin.free(this.#twin.first + ahead, lengthBytes) !== 0)
      throw new ShmemError("NEVER_ALLOCATED", "no such block", { value: address, unit: "address" });
  }
}

export const typescriptTwin: Subject = {
  name: "typescript-twin",
  summary: "the same algorithm in plain TypeScript",
  openInside: (workload: Workload): JsReplayer => new JsReplayer(new Twin(workload), workload),
  openAcross: (place: Place): Allocator => new TwinCore(place),
};
