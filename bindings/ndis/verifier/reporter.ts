/**
 * The reporter: one machine's violations, warnings and contained errors, its step counter, and its lines in the event log.
 *
 * A finding becomes a violation with place and time; what follows is policy (choice C31): `throw` raises
 * `ViolationError` and the call has no other effect; `collect` lets the call return its failure value; `break` calls the
 * bug-check handler and poisons the machine.
 */
import { ShmemError } from "../../errors.js";
import type { NdisChoices } from "../choices/choices.js";
import { type Irql, irqlName } from "../documented/irql.js";
import type { Clock } from "../records/host.js";
import type {
  BlockExplanation,
  EventLog,
  Finding,
  HandlerError,
  Named,
  Reporter,
  Violation,
} from "../records/reporter.js";
import { ViolationError } from "./violation-error.js";

/** What the reporter needs of its machine. */
export interface ReporterParts {
  readonly choices: NdisChoices;
  readonly irql: Irql;
  readonly clock: Clock;
  readonly log: EventLog | null;
  /** Keep the caller's stack with each violation. */
  readonly sites: boolean;
  /** What is known of a virtual address. Never throws. */
  readonly explain: (address: number) => BlockExplanation;
  readonly onBugCheck: ((violation: Violation) => void) | null;
}

/** Warnings that name something of their own are kept up to this many. */
const WARNINGS_KEPT = 1000;

/** See `Reporter`. */
export class ViolationReporter implements Reporter {
  readonly choices: NdisChoices;
  readonly irql: Irql;
  readonly log: EventLog | null;
  readonly violations: Violation[] = [];
  readonly warnings: Violation[] = [];
  /** Errors thrown by handlers, contained (choice C24). */
  readonly handlerErrors: HandlerError[] = [];
  step = 0;
  poisoned: Violation | null = null;
  readonly #parts: ReporterParts;

  constructor(parts: ReporterParts) {
    this.choices = parts.choices;
    this.irql = parts.irql;
    this.log = parts.log;
    this.#parts = parts;
  }

  note(adapter: Named | null, text: string): void {
    const { irql } = this;
    const who = adapter === null ? "-" : adapter.name;
    const { nowNs } = this.#parts.clock;
    this.log?.line(`${this.step} ${nowNs} p${irql.processor} ${irqlName(irql.current)} ${who} ${text}`);
  }

  violate(adapter: Named | null, finding: Finding): void {
    // Where no log has a line for each, a warning that was told already leaves nothing behind, and need not be made.
    if (finding.severity === "warning" && this.log === null && !this.#isNews(finding, adapter?.name ?? "")) return;
    this.raise(this.record(adapter, finding));
  }

  record(adapter: Named | null, finding: Finding): Violation {
    const site = this.#parts.sites ? callSite() : undefined;
    const explain = finding.address === undefined ? undefined : this.#parts.explain(finding.address);
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

  raise(violation: Violation): void {
    if (violation.severity !== "violation" || this.choices.policy === "collect") return;
    if (this.choices.policy === "break") this.#bugCheck(violation);
    throw new ViolationError(violation);
  }

  contain(adapter: Named | null, call: string, error: unknown): void {
    this.handlerErrors.push({ step: this.step, adapter: adapter?.name ?? "", call, error });
    if (this.log !== null) {
      const what = error instanceof ShmemError ? error.code : error instanceof Error ? error.name : typeof error;
      this.note(adapter, `threw ${call} ${what}`);
    }
    if (this.choices.handlerThrows === "stop") throw error;
  }

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

  #bugCheck(violation: Violation): void {
    // Once: what is found after the machine has stopped is only recorded.
    if (this.poisoned !== null) return;
    // Poisoned first: a handler that calls back is refused, and one that throws is heard once (misuse F09).
    this.poisoned = violation;
    const { onBugCheck } = this.#parts;
    if (onBugCheck === null) return;
    try {
      onBugCheck(violation);
    } catch (error) {
      this.handlerErrors.push({ step: this.step, adapter: violation.adapter, call: "onBugCheck", error });
    }
  }
}

/** The caller's stack without the frames of this package's bindings. */
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
