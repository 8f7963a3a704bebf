/**
 * The report of a machine: its counters, what its drivers leaked and broke, its digests. Plain data, made on demand.
 */
import {
  type AdapterRecord,
  type CoreStats,
  type GuardReport,
  HALTED,
  type LiveBlock,
  type Violation,
} from "../../bindings/index.js";
import type { RunLog } from "./event-log.js";
import type { MachineParts } from "./parts.js";

/** What a machine can say about itself at any moment. */
export interface MachineReport {
  /** The machine's seed. */
  readonly seed: number;
  /** Simulated time, nanoseconds. */
  readonly nowNs: number;
  /** Calls and deliveries so far. */
  readonly steps: number;
  /** Bytes and blocks of the core. */
  readonly memory: CoreStats;
  /** Asynchronous: accepted = completed + pending + dropped. */
  readonly requests: {
    readonly synchronous: number;
    readonly asynchronous: number;
    readonly failedAtOnce: number;
    readonly completed: number;
    readonly completedNull: number;
    readonly pending: number;
    readonly dropped: number;
    readonly freed: number;
  };
  /** From acceptance to completion, simulated nanoseconds. */
  readonly latency: { readonly count: number; readonly minNs: number; readonly maxNs: number; readonly meanNs: number };
  /** Blocks of adapters that are halted. */
  readonly leaks: readonly (LiveBlock & { readonly adapter: string })[];
  /** Broken rules, in the order in which they were found. */
  readonly violations: readonly Violation[];
  /** What is permitted and unwise; each kind once for an adapter. */
  readonly warnings: readonly Violation[];
  /** What handlers threw, contained (choice C24). */
  readonly handlerErrors: readonly {
    readonly step: number;
    readonly adapter: string;
    readonly call: string;
    readonly error: unknown;
  }[];
  /** What guard mode holds back. */
  readonly guard: GuardReport;
  /** 16 hex digits over what is live in the core. */
  readonly coreDigest: string;
  /** 16 hex digits over every line of the event log; zeros where none is made. */
  readonly logDigest: string;
}

/** 16 hex digits over the event log; zeros where none is made. */
export function logDigest(log: RunLog | null): string {
  return log?.digest() ?? "0000000000000000";
}

/** What happened so far, in numbers. */
export function reportOf(parts: MachineParts): MachineReport {
  const { environment } = parts;
  const sum = (of: (adapter: AdapterRecord) => number): number =>
    environment.adapters.reduce((all, one) => all + of(one), 0);
  const { latency } = environment.dispatcher;
  const accepted = sum((one) => one.accepted);
  const refused = sum((one) => one.refused);
  const leaks = environment.adapters
    .filter((one) => one.state === HALTED && one.liveBlocks > 0)
    .flatMap((one) => environment.blocks.liveBlocksOf(one).map((block) => ({ ...block, adapter: one.name })));
  return {
    seed: parts.seed,
    nowNs: parts.clock.nowNs,
    steps: environment.reporter.step,
    memory: environment.core.stats(),
    requests: {
      synchronous: sum((one) => one.synchronous),
      asynchronous: accepted + refused,
      failedAtOnce: refused,
      completed: sum((one) => one.completed),
      completedNull: sum((one) => one.completedNull),
      pending: sum((one) => one.pending),
      dropped: sum((one) => one.dropped),
      freed: sum((one) => one.freed),
    },
    latency: {
      count: latency.count,
      minNs: latency.minNs,
      maxNs: latency.maxNs,
      meanNs: latency.count === 0 ? 0 : Math.round(latency.sumNs / latency.count),
    },
    leaks,
    violations: environment.reporter.violations,
    warnings: environment.reporter.warnings,
    handlerErrors: environment.reporter.handlerErrors,
    guard: environment.blocks.guardReport(),
    coreDigest: environment.core.digest(),
    logDigest: logDigest(parts.log),
  };
}
