/**
 * Measuring an allocator from code, in this process.
 *
 *     import { measure, workload } from "ndis-shmem/bench";
 *     const result = measure({ allocate, free }, workload("churn50"));
 *     console.log(result.nsPerOp.median, result.failures);
 *
 * One allocator a process gives the truest figure: a second one that goes through the same loop makes both slower. The
 * command line (`ndis-shmem bench --subject ./mine.mjs`) takes care of that; here it is the caller's.
 */
import { ShmemError } from "../bindings/core/index.js";
import { type Allocator, allocationsOf, JsReplayer } from "./replay/index.js";
import { type Quartiles, Sampler, spreadOf, TIME_LIMITS } from "./timing/index.js";
import { hashWords, type Workload } from "./workloads/index.js";

/** What can be measured. */
export interface Measurable extends Allocator {
  /** Empty the arena and give it this size. Called before anything else. */
  reset?(place: { readonly arenaBytes: number; readonly frameSize: number }): void;
}

export interface MeasureOptions {
  /** Samples, at least 1. Default 15. */
  readonly rounds?: number;
  /** Least time to spend on warming up, milliseconds. Default 120. */
  readonly warmUpMs?: number;
  /** Most time for the timed part of a sample; a slower allocator does fewer operations. Milliseconds, default 150. */
  readonly budgetMs?: number;
}

export interface Measurement {
  readonly workload: string;
  /** Which sequence was replayed. */
  readonly workloadHash: string;
  /** Nanoseconds per operation, an allocation and a free counting one each, the loop included. */
  readonly nsPerOp: Quartiles;
  /** Allocations that were answered with 0, of `allocations`. */
  readonly failures: number;
  readonly allocations: number;
  readonly samples: number;
  /** Operations timed in each sample. */
  readonly operations: number;
  /** Depends on everything that was done. */
  readonly sink: number;
}

/** Measure an allocator with a workload. `INVALID_ARGUMENT` for rounds below 1; what the allocator throws passes through. */
export function measure(allocator: Measurable, workload: Workload, options: MeasureOptions = {}): Measurement {
  const { rounds = 15, warmUpMs = TIME_LIMITS.warmUpMs, budgetMs = TIME_LIMITS.budgetMs } = options;
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new ShmemError("INVALID_ARGUMENT", "rounds must be an integer, 1 or more", {
      field: "rounds",
      value: rounds,
      unit: "samples",
    });
  }
  allocator.reset?.({ arenaBytes: workload.arenaBytes, frameSize: workload.frameSize });
  const sampler = new Sampler(new JsReplayer(allocator, workload), workload);
  sampler.warmUp({ warmUpMs, budgetMs });
  const samples = Array.from({ length: rounds }, () => sampler.sample());
  return {
    workload: workload.name,
    workloadHash: hashWords(workload.ops),
    nsPerOp: spreadOf(samples.map((sample) => sample.nsPerOp)),
    failures: sampler.firstFailures,
    allocations: allocationsOf(workload),
    samples: rounds,
    operations: samples[0]?.operations ?? 0,
    sink: sampler.sink,
  };
}
