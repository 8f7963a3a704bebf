/**
 * Profiles: synthetic sequences drawn from a distribution of sizes, as fleetbench publishes them.
 *
 *     SIZE, RATE, LIVE         no header: bytes, allocations per unit of time, blocks live at once; LIVE may be absent
 *
 * A size is drawn by its rate. A block lives as long as its size's live count over its rate says (Little's law), with an
 * exponential spread, so that the live count of each size settles at what the profile says. Without live counts a block of any
 * size lives equally long. One seed, one sequence, to the byte.
 */
import { ShmemError } from "../../bindings/index.js";
import { RecordedEvent } from "./event.js";
import { badTrace } from "./notes.js";
import type { OperationSink } from "./sequence/sequencer.js";

/** One size of a profile. */
export interface ProfileSize {
  readonly bytes: number;
  readonly rate: number;
  /** Blocks of this size live at once, or NaN. */
  readonly live: number;
}

const LINE = /^\s*(\d{1,15})\s*,\s*([\d.]+(?:e[+-]?\d+)?)\s*(?:,\s*([\d.]+(?:e[+-]?\d+)?)\s*)?$/i;
const MOST_SIZES = 65536;

/** Is this text a profile? */
export function isProfile(text: string): boolean {
  return LINE.test(text.split(/\r?\n/, 1)[0] ?? "");
}

/** A profile from its text; `BAD_TRACE` with its line. */
export function readProfile(text: string): readonly ProfileSize[] {
  const sizes: ProfileSize[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    const [, bytes, rate, live] = LINE.exec(line) ?? badTrace({ line: i + 1, column: 1 }, "no line of a profile", line);
    const size = { bytes: Number(bytes), rate: Number(rate), live: live === undefined ? Number.NaN : Number(live) };
    if (!Number.isFinite(size.rate) || size.live === Number.POSITIVE_INFINITY)
      badTrace({ line: i + 1, column: 1 }, "a number out of range", line);
    if (size.rate > 0) sizes.push(size);
    if (sizes.length > MOST_SIZES) badTrace({ line: i + 1, column: 1 }, `more than ${MOST_SIZES} sizes`);
  }
  if (sizes.length === 0) badTrace({ line: 1, column: 1 }, "a profile without a size");
  return sizes;
}

export interface DrawOptions {
  /** Allocations to draw, at least 1. */
  readonly allocations: number;
  /** 0 to 2^32 - 1. */
  readonly seed: number;
  /** The live counts are scaled so that about so many blocks are live. Default: as the profile says. */
  readonly liveBlocks?: number;
}

/** 32 random bits a call: xorshift128. */
function generator(seed: number): () => number {
  let [x, y, z, w] = [seed >>> 0, 362436069, 521288629, 88675123];
  const next = (): number => {
    const t = x ^ (x << 11);
    x = y;
    y = z;
    z = w;
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8);
    return w >>> 0;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

/**
 * -ln(u) for a uniform u, without a transcendental function of the host, whose last digits differ from engine to engine: the
 * sum of binary digits by von Neumann's comparison method.
 */
function exponential(random: () => number): number {
  for (let whole = 0; ; whole++) {
    const first = random();
    let last = first;
    let count = 1;
    for (let next = random(); next < last; next = random()) {
      last = next;
      count++;
    }
    if (count % 2 === 1) return whole + first / 2 ** 32;
  }
}

/** A heap of blocks by the time at which they die. */
class Deaths {
  readonly #heap: { readonly time: number; readonly slot: number }[] = [];

  get size(): number {
    return this.#heap.length;
  }

  get soonest(): number {
    return this.#heap[0]?.time ?? Number.POSITIVE_INFINITY;
  }

  push(time: number, slot: number): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push({ time, slot });
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as { time: number; slot: number };
      if (parent.time <= time) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = { time, slot };
  }

  pop(): number {
    const heap = this.#heap;
    const [top] = heap as [{ time: number; slot: number }];
    const last = heap.pop() as { time: number; slot: number };
    if (heap.length === 0) return top.slot;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && (heap[child + 1] as typeof last).time < (heap[child] as typeof last).time) child++;
      if ((heap[child] as typeof last).time >= last.time) break;
      heap[at] = heap[child] as typeof last;
      at = child;
    }
    heap[at] = last;
    return top.slot;
  }
}

/** Draw a sequence; what is live at its end stays. `INVALID_ARGUMENT` for a count or a seed out of range. */
export function drawProfile(sizes: readonly ProfileSize[], sink: OperationSink, options: DrawOptions): void {
  const { allocations, seed, liveBlocks } = options;
  if (!Number.isSafeInteger(allocations) || allocations < 1) refuse("allocations", allocations, "an integer from 1");
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) refuse("seed", seed, "an integer from 0 to 4294967295");
  const random = generator(seed);
  const totalRate = sizes.reduce((sum, { rate }) => sum + rate, 0);
  const totalLive = sizes.reduce((sum, { live }) => sum + (Number.isNaN(live) ? 0 : live), 0);
  const scale = liveBlocks === undefined || totalLive === 0 ? 1 : liveBlocks / totalLive;
  const fallback = liveBlocks ?? 1000;
  let sum = 0;
  const limits = sizes.map(({ rate }) => {
    sum += rate;
    return sum / totalRate;
  });
  const deaths = new Deaths();
  const empty: number[] = [];
  const event = new RecordedEvent();
  let slots = 0;
  // Time goes by one for each allocation, so `live / (share of the allocations)` is how long a block of a size lives.
  for (let time = 0; time < allocations; time++) {
    while (deaths.soonest <= time) {
      const slot = deaths.pop();
      event.kind = 1;
      event.line++;
      sink.free(slot, event);
      empty.push(slot);
    }
    const choice = (random() + 0.5) / 2 ** 32;
    let low = 0;
    for (let high = limits.length - 1; low < high; ) {
      const middle = (low + high) >> 1;
      if ((limits[middle] as number) < choice) low = middle + 1;
      else high = middle;
    }
    const { bytes, rate, live } = sizes[low] as ProfileSize;
    const mean = Number.isNaN(live) ? fallback : (scale * live * totalRate) / rate;
    const slot = empty.pop() ?? slots++;
    event.kind = 0;
    event.line++;
    event.bytes = bytes;
    sink.allocate(slot, Math.max(1, bytes), 0, event);
    deaths.push(time + 1 + Math.floor(mean * exponential(random)), slot);
  }
}

function refuse(field: string, value: unknown, allowed: string): never {
  throw new ShmemError("INVALID_ARGUMENT", `${field} must be ${allowed}, got ${String(value)}`, { field, value });
}
