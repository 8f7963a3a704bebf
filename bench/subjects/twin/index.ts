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
import { type Allocator, JsReplayer } from "../../replay/index.js";
import type { Workload } from "../../workloads/index.js";
import type { Place, Subject } from "../subject.js";
import { orderOf } from "./bits.js";
import { Cache } from "./cache.js";
import { Frames, GROUP_SHIFT } from "./frames.js";
import { BASE, FRAMES, FULL, LENGTH_TAG_BIAS, SENTINEL_CACHED_FREED, SHIFT, Stacks } from "./stacks.js";

/** Frame numbers in, frame numbers out: what the core's exports are. */
export class Twin implements Allocator {
  /** The first frame number; aligned as the arena is. */
  readonly first: number;
  readonly count: number;
  failures = 0;
  readonly #shift: number;
  readonly #stacks: Stacks;
  readonly #rows: Int32Array;
  readonly #tags: Int32Array;
  readonly #cache: Cache;

  constructor({ arenaBytes, frameSize }: Place) {
    this.#shift = Math.log2(frameSize);
    this.count = arenaBytes / frameSize;
    this.first = 1 << Math.max(GROUP_SHIFT, orderOf(this.count));
    this.#stacks = new Stacks(this.first, this.count);
    this.#rows = this.#stacks.rows;
    this.#tags = this.#stacks.tags;
    this.#cache = new Cache(this.first, this.count, new Frames(this.count), this.#stacks);
  }

  get liveBlocks(): number {
    return this.#cache.blocks - this.#stacks.size();
  }

  get peakFrames(): number {
    return this.#cache.peakFrames;
  }

  /** The first frame of a block, or 0. */
  allocate(lengthBytes: number): number {
    // The quick way: something of this size is cached.
    const count = ((lengthBytes - 1) >>> this.#shift) + 1;
    const rows = this.#rows;
    const row = this.#stacks.rowOf(count);
    const top = rows[row] as number;
    const number = rows[row + top] as number;
    if (number === 0) return this.#allocateSlowly(count, lengthBytes);
    rows[row] = top - 1;
    const entry = (number >> (rows[row + SHIFT] as number)) + (rows[row + BASE] as number);
    this.#tags[entry] = lengthBytes + LENGTH_TAG_BIAS;
    this.#cache.goLive(rows[row + FRAMES] as number);
    return number;
  }

  #allocateSlowly(count: number, lengthBytes: number): number {
    const number = this.#cache.take(count, lengthBytes);
    if (number === 0) this.failures += 1;
    return number;
  }

  /** 0, or 1 when no live block of that length starts there. */
  free(number: number, lengthBytes: number): number {
    if (!(number >= this.first && number < this.first + this.count)) return 1;
    // The quick way: one compare proves the block, one push caches it.
    const count = ((lengthBytes - 1) >>> this.#shift) + 1;
    const rows = this.#rows;
    const row = this.#stacks.rowOf(count);
    const top = rows[row] as number;
    const cache = this.#cache;
    const headroom = cache.headroom + (rows[row + FRAMES] as number);
    if (top < FULL && headroom <= cache.headroomLimit) {
      const shift = rows[row + SHIFT] as number;
      const unit = number >> shift;
      const entry = unit + (rows[row + BASE] as number);
      // A block of whole groups cannot start inside one, whatever the group's entry says.
      if (this.#tags[entry] !== ((lengthBytes + LENGTH_TAG_BIAS) | 0) || unit << shift !== number) return 1;
      this.#tags[entry] = SENTINEL_CACHED_FREED;
      rows[row] = top + 1;
      rows[row + top + 1] = number;
      cache.headroom = headroom;
      return 0;
    }
    if (!this.#stacks.isLive(number, count, lengthBytes)) return 1;
    cache.give(number, count);
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
