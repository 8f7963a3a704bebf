/**
 * The environment: what one simulated machine gives the NDIS face, reached through every handle.
 *
 *   machine (src) --makes--> NdisEnvironment --holds--> core, processors, clock, scheduler, log, faults, choices
 *        ^                                                 |
 *        +--------- interfaces of this file ---------------+
 *
 * The face defines the small interfaces that it needs and `src/machine` supplies them; imports run one way. All state of
 * the face lies here or in the records that hang off it, so machines do not see one another. The core holds the only
 * truth about live blocks; this room keeps counters beside it, and a history for explanations, never a second list.
 */

import type { Arena, CoreApi } from "../../core/api.js";
import type { ZonePlan } from "../../core/options.js";
import { type ErrorCode, type Mismatch, ShmemError } from "../../errors.js";
import type { NdisChoices } from "../choices/choices.js";
import { type Irql, irqlName } from "../documented/irql.js";
import { Blocks } from "../memory/blocks.js";
import type { GuardOptions } from "../memory/guard.js";
import type { BlockHistory } from "../records/history.js";
import type { PendingRequest, RequestRing } from "../records/requests.js";
import type { AdapterRecord } from "../routines/attributes.js";
import type { DriverRecord } from "../routines/driver.js";
import { waitAtHighIrql } from "../verifier/bug-checks.js";
import { explainAddress } from "../verifier/explain.js";
import { type BlockExplanation, type BugCheck, type Violation, ViolationError } from "../verifier/violations.js";
import { Dispatcher } from "./dispatcher.js";

/** Simulated time. */
export interface Clock {
  /** Nanoseconds since the machine started, an integer. */
  readonly nowNs: number;
}

/** Who decides when requests are served, and in which order (choices C19, C20). */
export interface Scheduler {
  /** A request entered the queue. May serve and deliver at once where the schedule is `racing`. */
  accepted(request: PendingRequest): void;
  /** Bring what is to be served now to the front of the pending requests, in that order; at most `limit`. Returns how many. */
  select(ring: RequestRing, limit: number): number;
  /** Run `turn` as a deferred call at DISPATCH_LEVEL (choice C30), or at PASSIVE_LEVEL (choice C26). */
  later(level: "dispatch" | "passive", turn: () => void): void;
}

/** Asynchronous driver code: threads that only wait on machine events. */
export interface Threads {
  /** A thread can go on without anything else happening first. */
  readonly runnable: boolean;
  /** A callback returned a promise: follow it as a thread; `settled` runs when it is through, with the error if it failed. */
  adopt(
    adapter: AdapterRecord | null,
    call: string,
    promise: PromiseLike<unknown>,
    settled: (error: unknown, failed: boolean) => void,
  ): void;
}

/** The event log. Absent when nobody looks: then no line is made. */
export interface EventLog {
  line(text: string): void;
}

/** Where a fault plan may strike. */
export type FaultPoint = "synchronous" | "queue" | "service" | "registration" | "list";

/** Injected failures. Asked once per opportunity, in the order of the log. */
export interface FaultPlan {
  /** True: this one fails. */
  strikes(point: FaultPoint, adapter: number, lengthBytes: number): boolean;
}

/** The map between the device's addresses and host physical ones, where they differ (an IOMMU). */
export interface LogicalMap {
  /** Make `lengthBytes` from `physical` reachable in a direction of the device's; returns the logical address. */
  map(adapter: number, physical: number, lengthBytes: number, direction: "read" | "write" | "both"): number;
  unmap(logical: number): void;
  /** The logical address of the block whose first byte lies at `physical`, 0 where none. */
  logicalOf(physical: number): number;
}

/** Everything that the machine hands over. */
export interface EnvironmentParts {
  readonly core: CoreApi;
  readonly zones: readonly ZonePlan[];
  readonly arena: Arena | null;
  readonly choices: NdisChoices;
  readonly irql: Irql;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly threads: Threads;
  readonly log: EventLog | null;
  readonly faults: FaultPlan | null;
  readonly iommu: LogicalMap | null;
  readonly history: BlockHistory | null;
  readonly guard: GuardOptions | null;
  /** Requests that the core serves in one call, 1 to 1024. */
  readonly batch: number;
  /** Keep the caller's stack with each violation and block. */
  readonly sites: boolean;
  /** Seed of what the face itself draws (contents `random`). */
  readonly seed: number;
  readonly onBugCheck: ((violation: Violation) => void) | null;
}

/** What a rule reports; `violate` adds where and when. */
export interface Finding {
  readonly rule: string;
  readonly code: ErrorCode;
  readonly call: string;
  readonly message: string;
  readonly basis?: "documented" | "choice";
  readonly severity?: "violation" | "rule" | "warning";
  readonly bugCheck?: BugCheck;
  readonly value?: unknown;
  readonly unit?: string;
  readonly field?: string;
  readonly mismatches?: readonly Mismatch[];
  /** A virtual address to explain. */
  readonly address?: number;
}

/** Warnings that name something of their own are kept up to this many. */
const WARNINGS_KEPT = 1000;

/** The machine whose synchronous code runs now, if any: tells handles of another machine apart (misuse B17). */
let running: NdisEnvironment | undefined;

/** The environment whose callback is on the stack. */
export function runningEnvironment(): NdisEnvironment | undefined {
  return running;
}

/** State of one machine's NDIS. */
export class NdisEnvironment {
  readonly core: CoreApi;
  readonly zones: readonly ZonePlan[];
  readonly choices: NdisChoices;
  readonly irql: Irql;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly threads: Threads;
  readonly log: EventLog | null;
  readonly iommu: LogicalMap | null;
  readonly history: BlockHistory | null;
  readonly sites: boolean;
  readonly blocks: Blocks;
  readonly dispatcher: Dispatcher;
  /** May be replaced between calls. */
  faults: FaultPlan | null;
  readonly drivers: DriverRecord[] = [];
  /** Every adapter ever added; its number is its index plus one. */
  readonly adapters: AdapterRecord[] = [];
  readonly violations: Violation[] = [];
  readonly warnings: Violation[] = [];
  /** Errors thrown by handlers, contained (choice C24). */
  readonly handlerErrors: {
    readonly step: number;
    readonly adapter: string;
    readonly call: string;
    readonly error: unknown;
  }[] = [];
  /** Counts every call and delivery. */
  step = 0;
  /** Why the machine refuses everything, after a bug check under the policy `break`. */
  poisoned: Violation | null = null;
  /** The callback on the stack, for rules about places: `MiniportShutdownEx`, `""` outside. */
  inside = "";
  /** The adapter whose callback is on the stack. */
  insideAdapter: AdapterRecord | null = null;
  readonly #onBugCheck: ((violation: Violation) => void) | null;

  constructor(parts: EnvironmentParts) {
    this.core = parts.core;
    this.zones = parts.zones;
    this.choices = parts.choices;
    this.irql = parts.irql;
    this.clock = parts.clock;
    this.scheduler = parts.scheduler;
    this.threads = parts.threads;
    this.log = parts.log;
    this.faults = parts.faults;
    this.iommu = parts.iommu;
    this.history = parts.history;
    this.sites = parts.sites;
    this.#onBugCheck = parts.onBugCheck;
    this.blocks = new Blocks(this, parts.arena, parts.seed, parts.guard);
    this.dispatcher = new Dispatcher(this, parts.batch);
  }

  /** Write a line of the log. Call only where `log` is not null. */
  note(adapter: AdapterRecord | null, text: string): void {
    const { irql } = this;
    const who = adapter === null ? "-" : adapter.name;
    this.log?.line(`${this.step} ${this.clock.nowNs} p${irql.processor} ${irqlName(irql.current)} ${who} ${text}`);
  }

  /** Record a finding; raise it as the policy says. Returns only where the call is to return its failure value, or go on. */
  violate(adapter: AdapterRecord | null, finding: Finding): void {
    // Where no log has a line for each, a warning that was told already leaves nothing behind, and need not be made.
    if (finding.severity === "warning" && this.log === null && !this.#isNews(finding, adapter?.name ?? "")) return;
    this.raise(this.record(adapter, finding));
  }

  /** Record a finding and nothing more, for places that find several before they raise one. */
  record(adapter: AdapterRecord | null, finding: Finding): Violation {
    const site = this.sites ? callSite() : undefined;
    const explain = finding.address === undefined ? undefined : explainAddress(this, finding.address);
    const violation: Violation = {
      rule: finding.rule,
      code: finding.code,
      basis: finding.basis ?? "choice",
      severity: finding.severity ?? "violation",
      adapter: adapter?.name ?? "",
      call: finding.call,
      step: this.step,
      irql: this.irql.current,
      message: finding.message,
      ...(finding.bugCheck === undefined ? {} : { bugCheck: finding.bugCheck }),
      ...(finding.mismatches === undefined ? {} : { mismatches: finding.mismatches }),
      ...("value" in finding ? { value: finding.value } : {}),
      ...(finding.unit === undefined ? {} : { unit: finding.unit }),
      ...(finding.field === undefined ? {} : { field: finding.field }),
      ...(explain === undefined ? {} : { explain }),
      ...(site === undefined ? {} : { site }),
    };
    if (this.log !== null) {
      this.note(adapter, `${violation.severity} ${violation.rule} ${violation.code} ${violation.call}`);
    }
    if (violation.severity !== "warning") this.violations.push(violation);
    else if (this.#isNews(violation, violation.adapter)) this.warnings.push(violation);
    return violation;
  }

  /** A driver that does a permitted thing ten thousand times is told once (the log has a line for each). */
  #isNews(warning: Pick<Finding, "rule" | "call" | "mismatches">, adapter: string): boolean {
    if (warning.mismatches !== undefined) return this.warnings.length < WARNINGS_KEPT;
    return !this.warnings.some(
      (one) => one.rule === warning.rule && one.call === warning.call && one.adapter === adapter,
    );
  }

  /** What the policy does about a recorded violation (choice C31). Warnings and static rules are only records. */
  raise(violation: Violation): void {
    if (violation.severity !== "violation" || this.choices.policy === "collect") return;
    if (this.choices.policy === "break") this.#bugCheck(violation);
    throw new ViolationError(violation);
  }

  /** A handler threw, or its promise failed: contained and remembered (choice C24). */
  contain(adapter: AdapterRecord | null, call: string, error: unknown): void {
    this.handlerErrors.push({ step: this.step, adapter: adapter?.name ?? "", call, error });
    if (this.log !== null) {
      const what = error instanceof ShmemError ? error.code : error instanceof Error ? error.name : typeof error;
      this.note(adapter, `threw ${call} ${what}`);
    }
    if (this.choices.handlerThrows === "stop") throw error;
  }

  /** A callback came back at another level than it was entered at, or suspended itself there (choice C3). */
  levelNotRestored(
    adapter: AdapterRecord | null,
    call: string,
    entered: number,
    left: number,
    suspended = false,
  ): void {
    this.violate(adapter, {
      rule: suspended ? "NoWaitAtDispatch" : "LevelIsRestored",
      code: "WRONG_IRQL",
      call,
      message: suspended
        ? `${call} suspended itself at ${irqlName(left)}: only PASSIVE_LEVEL may wait`
        : `${call} was entered at ${irqlName(entered)} and returned at ${irqlName(left)}`,
      value: left,
      unit: "IRQL",
      ...(suspended ? { bugCheck: waitAtHighIrql(left) } : {}),
    });
  }

  /** Refuse everything after a bug check. */
  assertAlive(): void {
    if (this.poisoned !== null) {
      throw new ShmemError(
        "STATE_CORRUPT",
        `the machine stopped at step ${this.poisoned.step}: ${this.poisoned.message}`,
        {
          value: this.poisoned,
        },
      );
    }
  }

  /** What is known of a virtual address. Never throws. */
  explain(address: number): BlockExplanation {
    return explainAddress(this, address);
  }

  /** Mark this machine as the one whose code runs; returns what to hand to `leave`. */
  enter(): NdisEnvironment | undefined {
    const previous = running;
    running = this;
    return previous;
  }

  leave(previous: NdisEnvironment | undefined): void {
    running = previous;
  }

  #bugCheck(violation: Violation): void {
    // Poisoned first: a handler that calls back is refused, and one that throws is heard once (misuse F09).
    this.poisoned = violation;
    if (this.#onBugCheck === null) return;
    try {
      this.#onBugCheck(violation);
    } catch (error) {
      this.handlerErrors.push({ step: this.step, adapter: violation.adapter, call: "onBugCheck", error });
    }
  }
}

/** The caller's stack without the frames of this room. */
export function callSite(): string {
  const holder: { stack?: string } = {};
  const capture = (Error as unknown as { captureStackTrace?: (target: object) => void }).captureStackTrace;
  if (capture === undefined) holder.stack = new Error().stack ?? "";
  else capture(holder);
  const frames = (holder.stack ?? "").split("\n").slice(1);
  return frames
    .filter((frame) => !/[\\/]bindings[\\/]/.test(frame))
    .map((frame) => frame.trim())
    .join("\n");
}
