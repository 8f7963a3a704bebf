/**
 * The tail: how long the slowest single operations take.
 *
 * A clock read costs more than most operations, and one maximum over one run measures the host's interrupts. So the
 * workload is replayed several times on a fresh warm allocator, each operation timed alone across the boundary; each
 * operation keeps its least time, and the clock's own time goes off. What is left are operations that are slow every time
 * they are done: a long merge, a flush, a search.
 */
import type { Allocator } from "../replay/index.js";
import { subjectNamed } from "../subjects/index.js";
import { median } from "../timing/index.js";
import { FREE, makeWorkload, SLOT, type Workload, type WorkloadSource } from "../workloads/index.js";

export interface TailTask {
  readonly subject: string;
  readonly workload: WorkloadSource;
  readonly replays: number;
}

/** Percentiles, ns. */
export interface Tail {
  readonly workload: string;
  readonly subject: string;
  readonly replays: number;
  readonly operations: number;
  /** What a clock read costs; taken off already. */
  readonly clockNs: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly p9999: number;
  readonly max: number;
  /** [share of the operations that are slower, ns], falling shares, for drawing. */
  readonly curve: readonly (readonly [number, number])[];
}

const NS_PER_MS = 1e6;
const CURVE_STEPS_PER_DECADE = 8;

/** Replay once, keep the least time of each timed operation. */
function replayTimed(allocator: Allocator, { ops, pre, end, total, slots }: Workload, least: Float64Array): void {
  const at = new Float64Array(slots);
  const bytes = new Uint32Array(slots);
  for (let i = 0; i < total; i += 1) {
    const word = ops[2 * i] as number;
    const slot = word & SLOT;
    const length = ops[2 * i + 1] as number;
    const address = at[slot] as number;
    const held = bytes[slot] as number;
    let took: number;
    if ((word & FREE) === 0) {
      const began = performance.now();
      const got = allocator.allocate(length);
      took = performance.now() - began;
      at[slot] = got;
      bytes[slot] = length;
    } else {
      if (address === 0) continue;
      const began = performance.now();
      allocator.free(address, held);
      took = performance.now() - began;
      at[slot] = 0;
    }
    if (i < pre || i >= end) continue;
    const ns = took * NS_PER_MS;
    if (ns < (least[i - pre] as number)) least[i - pre] = ns;
  }
}

/** What the clock alone says, by the same rule. */
function clockCost(samples: number, replays: number): number {
  const least = new Float64Array(samples).fill(Number.POSITIVE_INFINITY);
  for (let replay = 0; replay < replays; replay += 1) {
    for (let i = 0; i < samples; i += 1) {
      const began = performance.now();
      const ns = (performance.now() - began) * NS_PER_MS;
      if (ns < (least[i] as number)) least[i] = ns;
    }
  }
  return median([...least]);
}

/** The task `tail`: measure one subject. */
export async function measureTail({ subject, workload, replays }: TailTask): Promise<Tail> {
  const made = makeWorkload(workload);
  const chosen = await subjectNamed(subject);
  const allocator = chosen.openAcross?.(made);
  if (allocator === undefined) throw new Error(`${subject} cannot be measured across the boundary`);
  const least = new Float64Array(made.end - made.pre).fill(Number.POSITIVE_INFINITY);
  const warm = new Float64Array(least.length);
  for (let i = 0; i < 4; i += 1) replayTimed(allocator, made, warm);
  for (let i = 0; i < replays; i += 1) replayTimed(allocator, made, least);
  const clockNs = clockCost(20_000, replays);
  const sorted = least
    .filter(Number.isFinite)
    .map((ns) => Math.max(0, ns - clockNs))
    .sort();
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] as number;
  const curve: (readonly [number, number])[] = [];
  for (let step = 0; ; step += 1) {
    const slower = 10 ** (-step / CURVE_STEPS_PER_DECADE);
    if (slower * sorted.length < 1) break;
    curve.push([slower, at(1 - slower)]);
  }
  curve.push([1 / sorted.length, at(1)]);
  return {
    workload: made.name,
    subject: chosen.name,
    replays,
    operations: sorted.length,
    clockNs,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    p9999: at(0.9999),
    max: at(1),
    curve,
  };
}
