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
import { Frames, PAGE_SHIFT } from "./frames.js";
import { Ready } from "./ready.js";
import { BASE, CODE_BIAS, FRAMES, FULL, MARK_READY_FREED, SHIFT, Stacks } from "./stacks.js";

/** Frame numbers in, frame numbers out: what the core's exports are. */
export class Twin implements Allocator {
  /** The first frame number; aligned as the arena is. */
  readonly first: number;
  readonly count: number;
  failures = 0;
  readonly #shift: number;
  readonly #stacks: Stacks;
  readonly #rows: Int32Array;
  readonly #codes: Int32Array;
  readonly #ready: Ready;

  constructor({ arenaBytes, frameSize }: Place) {
    this.#shift = Math.log2(frameSize);
    this.count = arenaBytes / frameSize;
    this.first = 1 << Math.max(PAGE_SHIFT, orderOf(this.count));
    this.#stacks = new Stacks(this.first, this.count);
    this.#rows = this.#stacks.rows;
    this.#codes = this.#stacks.codes;
    this.#ready = new Ready(this.first, this.count, new Frames(this.count), this.#stacks);
  }

  get liveBlocks(): number {
    return this.#ready.blocks - this.#stacks.size();
  }

  get peakFrames(): number {
    return this.#ready.peakFrames;
  }

  /** The first frame of a block, or 0. */
  allocate(lengthBytes: number): number {
    // The quick way: something of this size is ready.
    const count = ((lengthBytes - 1) >>> this.#shift) + 1;
    const rows = this.#rows;
    const row = this.#stacks.rowOf(count);
    const top = rows[row] as number;
    const number = rows[row + top] as number;
    if (number === 0) return this.#allocateTaking(count, lengthBytes);
    rows[row] = top - 1;
    const entry = (number >> (rows[row + SHIFT] as number)) + (rows[row + BASE] as number);
    this.#codes[entry] = lengthBytes + CODE_BIAS;
    this.#ready.goLive(rows[row + FRAMES] as number);
    return number;
  }

  #allocateTaking(count: number, lengthBytes: number): number {
    const number = this.#ready.take(count, lengthBytes);
    if (number === 0) this.failures += 1;
    return number;
  }

  /** 0, or 1 when no live block of that length starts there. */
  free(number: number, lengthBytes: number): number {
    if (!(number >= this.first && number < this.first + this.count)) return 1;
    // The quick way: one compare proves the block, one push keeps it ready.
    const count = ((lengthBytes - 1) >>> this.#shift) + 1;
    const rows = this.#rows;
    const row = this.#stacks.rowOf(count);
    const top = rows[row] as number;
    const ready = this.#ready;
    const below = ready.belowPeak + (rows[row + FRAMES] as number);
    if (top < FULL && below <= ready.belowLimit) {
      const shift = rows[row + SHIFT] as number;
      const page = number >> shift;
      const entry = page + (rows[row + BASE] as number);
      // A block of pages cannot start inside one, whatever the page's entry says.
      if (this.#codes[entry] !== ((lengthBytes + CODE_BIAS) | 0) || page << shift !== number) return 1;
      this.#codes[entry] = MARK_READY_FREED;
      rows[row] = top + 1;
      rows[row + top + 1] = number;
      ready.belowPeak = below;
      return 0;
    }
    if (!this.#stacks.isLive(number, count, lengthBytes)) return 1;
    ready.give(number, count);
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
