/**
 * One sample: a workload replayed once, its timed part timed as a whole.
 *
 * A clock read costs more than most operations here, so operations are never timed singly (the tail is another matter,
 * see measurements/worst-operation.ts). What is slow is not waited for: when the timed part would take longer than the budget, only its first
 * operations are done, as many as fit, and the sample says how many.
 */
import type { Replayer, Slots } from "../replay/index.js";
import type { Workload } from "../workloads/index.js";
import { start } from "./stopwatch.js";

export interface Sample {
  readonly nsPerOp: number;
  /** Allocations that failed while filling and in the timed part. */
  readonly failures: number;
  /** Operations that were timed. */
  readonly operations: number;
}

/** How long to try. */
export interface TimeLimits {
  /** Least time to spend on warming up. */
  readonly warmUpMs: number;
  /** Most time that the timed part of one sample may take. */
  readonly budgetMs: number;
}

export const TIME_LIMITS: TimeLimits = { warmUpMs: 120, budgetMs: 150 };

const SLICE = 4096;
const MOST_WARM_UPS = 15;
/** How much longer than a sample the first replay may take. */
const COLD = 8;
/** A shorter timed part is repeated until it has as many, or the clock would be measured. */
const LEAST_OPERATIONS = 20_000;

const NS_PER_MS = 1e6;

/** A replayer made ready: compiled, warm, and with the number of operations that fit the budget. */
export class Sampler {
  readonly #replayer: Replayer;
  readonly #workload: Workload;
  /** Operations to time, or pairs of a plain loop. */
  #to: number;
  /** Depends on all that was done, so that nothing can be left out by a compiler. */
  sink = 0;
  /** Of the first replay, on a fresh allocator: the only one whose failures do not depend on how long it was warmed up. */
  firstFailures = 0;
  /** What was live when the first replay ended; absent where it was cut. */
  firstSlots: Slots | undefined;

  constructor(replayer: Replayer, workload: Workload) {
    this.#replayer = replayer;
    this.#workload = workload;
    this.#to = workload.loop?.pairs ?? workload.end;
  }

  /** Was the timed part cut to fit the budget? */
  get isCut(): boolean {
    return this.#to < (this.#workload.loop?.pairs ?? this.#workload.end);
  }

  /** Replay until the engine has compiled what it will compile, and find out how much fits the budget. */
  warmUp(limits: TimeLimits): void {
    const began = performance.now();
    const watch = start();
    // The first replay is for the record, and runs code that is not compiled yet: it gets more time than the others.
    this.#fit(COLD * limits.budgetMs, true);
    if (!this.isCut) this.#fit(limits.budgetMs, false);
    // What is too slow to finish is warm by then, and is not waited for.
    for (let round = 2; !this.isCut && (round < 6 || watch.elapsedMs() < limits.warmUpMs); round += 1) {
      this.sample();
      if (performance.now() - began > MOST_WARM_UPS * limits.warmUpMs) return;
    }
  }

  /** Replay in slices, stopped when the budget is spent: as much will be timed from then on. */
  #fit(budgetMs: number, first: boolean): void {
    const { loop, pre, end } = this.#workload;
    const all = loop?.pairs ?? end;
    let to = loop === undefined ? pre : 0;
    let failures = loop === undefined ? this.#replayer.replay(0, pre) : 0;
    const began = performance.now();
    while (to < all && performance.now() - began < budgetMs) {
      const next = Math.min(all, to + SLICE);
      if (loop === undefined) failures += this.#replayer.replay(to, next);
      else this.sink += this.#replayer.lifo(loop.bytes, next - to);
      to = next;
    }
    this.#to = to;
    if (first) {
      this.firstFailures = failures;
      const slots = this.#replayer.slots();
      this.sink += slots.at.reduce((sum, at) => sum + at, 0);
      if (!this.isCut) this.firstSlots = slots;
    }
    this.#finish();
  }

  #finish(): void {
    const { loop, end, total } = this.#workload;
    if (loop !== undefined) return;
    if (this.#to === end) this.#replayer.replay(end, total);
    else this.#replayer.clear();
  }

  /** Replay once. */
  sample(): Sample {
    const { loop, pre } = this.#workload;
    const to = this.#to;
    if (loop !== undefined) {
      const watch = start();
      this.sink += this.#replayer.lifo(loop.bytes, to);
      const took = watch.elapsedMs();
      return { nsPerOp: (took * NS_PER_MS) / (2 * to), failures: 0, operations: 2 * to };
    }
    const repeats = Math.max(1, Math.ceil(LEAST_OPERATIONS / (to - pre)));
    let took = 0;
    let failures = 0;
    for (let i = 0; i < repeats; i += 1) {
      failures = this.#replayer.replay(0, pre);
      const watch = start();
      failures += this.#replayer.replay(pre, to);
      took += watch.elapsedMs();
      this.#finish();
      this.sink += failures;
    }
    return { nsPerOp: (took * NS_PER_MS) / (repeats * (to - pre)), failures, operations: repeats * (to - pre) };
  }
}
