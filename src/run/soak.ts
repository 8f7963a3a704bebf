/**
 * soak: many scenarios of one NIC, each with its own seed, schedule and bad luck.
 *
 * Scenario `n` has the seed `seed + n`. From it come the schedule (any but `manual`) and the failures: each opportunity to fail
 * (a registration, a synchronous allocation, a request at the queue or at its service) is taken with probability
 * `failureRate`, and counted by where it struck: a driver that never asks asynchronously has none at the queue. A correct driver breaks no rule, leaks nothing and gives every frame that it loses a reason; it may refuse
 * to initialize, and then it must have released everything. A finding is repeated by a soak of one scenario with its seed.
 */
import type { CoreApi, CoreOptions, FaultPoint } from "../../bindings/index.js";
import type { CaptureSource, CaptureSummary } from "../capture/index.js";
import type { DriverModel } from "../drivers/index.js";
import { Prng, SCHEDULES, type ScheduleName } from "../machine/index.js";
import { isClean, type RunReport } from "../report/index.js";
import { play } from "./play.js";

const SCHEDULE_STREAM = 21;
const FAULT_STREAM = 22;
const MOST_FINDINGS = 20;

/** Options of `soak`. */
export interface SoakOptions {
  readonly driver: DriverModel;
  /** Opened for each scenario. */
  readonly capture: CaptureSource;
  readonly title: string;
  /** Seed of the first scenario. `seed + scenarios` is at most 2^53 - 1. */
  readonly seed: number;
  readonly scenarios: number;
  readonly arenaBytes?: number;
  /** 0 to 1. Default 0.05. */
  readonly failureRate?: number;
  /** As in `PlayOptions`: with more traffic than a driver has buffers for, frames are lost, each with a reason. */
  readonly speedUp?: number;
  /** Only this schedule, instead of one drawn for each scenario. */
  readonly schedule?: ScheduleName;
  readonly core?: (options: CoreOptions) => CoreApi;
  readonly wallMs: () => number;
  readonly onProgress?: (done: number) => void;
  /** Asked now and then: true ends the soak with the scenario that is under way, which is cut short and not counted. */
  readonly isCancelled?: () => boolean | Promise<boolean>;
}

/** One scenario in which something was wrong. */
export interface SoakFinding {
  readonly seed: number;
  readonly schedule: ScheduleName;
  readonly report: RunReport;
}

/** What became of all scenarios. */
export interface SoakReport {
  readonly driver: string;
  readonly seed: number;
  /** What was read of the capture, each time. */
  readonly capture: CaptureSummary | null;
  /** Scenarios played to their end: those asked for, or fewer where the soak was cancelled. */
  readonly scenarios: number;
  /** Scenarios without a violation, leak, mismatch or silently lost frame; refused ones included. */
  readonly clean: number;
  /** Scenarios in which the driver refused to initialize, as it may where a failure was injected. */
  readonly refused: number;
  /** Failures injected. */
  readonly injected: number;
  /** The same by where they struck; places where none did are absent. */
  readonly injectedAt: Readonly<Partial<Record<FaultPoint, number>>>;
  readonly packets: {
    readonly offered: number;
    readonly delivered: number;
    readonly dropped: number;
    readonly reasons: Readonly<Record<string, number>>;
  };
  readonly requests: {
    readonly synchronous: number;
    readonly asynchronous: number;
    /** Completions with NULL: injected ones, and those for which there was no memory. */
    readonly completedNull: number;
    /** Asynchronous requests that were answered with FAILURE, and got no completion. */
    readonly failedAtOnce: number;
  };
  /** The first of them. */
  readonly findings: readonly SoakFinding[];
  readonly timing: { readonly wallMs: number; readonly scenariosPerSecond: number };
}

/** Play `scenarios` scenarios, one after the other. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { driver, failureRate = 0.05 } = options;
  let played = 0;
  let capture: CaptureSummary | null = null;
  const started = options.wallMs();
  const schedules = SCHEDULES.filter((name) => name !== "manual");
  const findings: SoakFinding[] = [];
  const reasons = new Map<string, number>();
  const packets = { offered: 0, delivered: 0, dropped: 0 };
  const injectedAt: Partial<Record<FaultPoint, number>> = {};
  const requests = { synchronous: 0, asynchronous: 0, completedNull: 0, failedAtOnce: 0 };
  let clean = 0;
  let refused = 0;
  let injected = 0;
  for (let scenario = 0; scenario < options.scenarios; scenario += 1) {
    const seed = options.seed + scenario;
    const schedule =
      options.schedule ?? (schedules[new Prng(seed, SCHEDULE_STREAM).below(schedules.length)] as ScheduleName);
    const luck = new Prng(seed, FAULT_STREAM);
    const strikes = (point: FaultPoint): boolean => {
      const strikes = luck.chance(failureRate);
      if (strikes) {
        injected += 1;
        injectedAt[point] = (injectedAt[point] ?? 0) + 1;
      }
      return strikes;
    };
    const result = await play({
      ...options,
      seed,
      schedule,
      faults: { strikes },
      recordsPeak: false,
      onProgress: () => {},
    });
    if (await options.isCancelled?.()) break;
    const { report } = result;
    if (result.refused !== null) refused += 1;
    if (isClean(report)) clean += 1;
    else if (findings.length < MOST_FINDINGS) findings.push({ seed, schedule, report });
    packets.offered += report.packets.offered;
    packets.delivered += report.packets.delivered;
    packets.dropped += report.packets.dropped;
    for (const [reason, count] of Object.entries(report.packets.reasons)) {
      reasons.set(reason, (reasons.get(reason) ?? 0) + count);
    }
    requests.synchronous += report.requests.synchronous;
    requests.asynchronous += report.requests.asynchronous;
    requests.completedNull += report.requests.completedNull;
    requests.failedAtOnce += report.requests.failedAtOnce;
    played += 1;
    capture = report.capture;
    options.onProgress?.(played);
  }
  const wallMs = options.wallMs() - started;
  return {
    driver: driver.name,
    seed: options.seed,
    capture,
    scenarios: played,
    clean,
    refused,
    injected,
    injectedAt,
    packets: {
      ...packets,
      reasons: Object.fromEntries([...reasons].sort(([left], [right]) => (left < right ? -1 : 1))),
    },
    requests,
    findings,
    timing: {
      wallMs: Math.round(wallMs * 1000) / 1000,
      scenariosPerSecond: wallMs > 0 ? Math.round((played * 1e6) / wallMs) / 1000 : 0,
    },
  };
}
