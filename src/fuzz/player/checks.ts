/**
 * What is wrong with a scenario: by every rule of the NDIS face, by what the upper layer sees, by what is left at the end.
 *
 *     look       after each event: violations, handler errors, frames, the user's own check
 *     assertEnd  when every adapter was told to halt: each has come to its end
 *     audit      when all is over: every request is answered, every frame accounted for, every byte given back
 *
 * Each throws `Stop` for the first thing it finds. The rules are listed in docs/fuzzing.md.
 */
import {
  describeViolation,
  type NDIS_STATUS,
  NDIS_STATUS_SUCCESS,
  ShmemError,
  type Violation,
} from "../../../bindings/index.js";
import type { Machine } from "../../machine/index.js";
import type { ScenarioCheck, ScenarioView } from "../subjects/check.js";
import type { Nic } from "./nic.js";

/** What is wrong with a driver. */
export interface DriverFinding {
  /** The rule that was broken: of the NDIS face (docs/misuse.md), or of the player (docs/fuzzing.md). */
  readonly rule: string;
  /** The stable code of an error, or of the player. */
  readonly code: string;
  /** The routine or handler that was running: `NdisMFreeSharedMemory`, `MiniportHaltEx`; empty where none was. */
  readonly call: string;
  /** Sentences for people. */
  readonly message: string;
  /** Index of the event; the number of events for what the end showed; -1 for power-on. */
  readonly step: number;
  /** Where a rule of the NDIS face was broken: the violation as it was recorded. */
  readonly violation?: Violation;
}

/** A scenario is over, because something is wrong. */
export class Stop extends Error {
  readonly finding: Omit<DriverFinding, "step">;
  constructor(finding: Omit<DriverFinding, "step">) {
    super(finding.message);
    this.finding = finding;
  }
}

/** Something is wrong. `call`: the routine or handler that was running. */
export function stop(rule: string, code: string, call: string, message: string): never {
  throw new Stop({ rule, code, call, message });
}

/** Is anything wrong now? `failure`: what a lifecycle call threw; `ended`: this is the last look. */
export function look(
  machine: Machine,
  nics: readonly Nic[],
  failure: unknown,
  check: ScenarioCheck | undefined,
  ended: boolean,
  explain: (violation: Violation) => string = describeViolation,
): void {
  const violation = machine.violations[0];
  if (violation !== undefined) {
    const { rule, code, call } = violation;
    throw new Stop({ rule, code, call, message: explain(violation), violation });
  }
  const thrown = machine.environment.reporter.handlerErrors[0];
  if (thrown !== undefined)
    stop("HandlerDoesNotThrow", codeOf(thrown.error), thrown.call, said(thrown.call, thrown.error));
  if (failure !== undefined) {
    stop("HandlerDoesNotThrow", codeOf(failure), "", said("a lifecycle handler", failure));
  }
  for (const nic of nics) {
    if (nic.upper.mismatched > 0) {
      stop(
        "FramesArriveIntact",
        "MISMATCH",
        "indicate",
        `${nic.adapter.name} indicated bytes that the wire did not carry`,
      );
    }
  }
  for (const { adapter } of nics) {
    const { framesOut } = adapter.services;
    if (framesOut > 0 && (adapter.state === "Paused" || adapter.state === "Halting" || adapter.state === "Halted")) {
      const message = `${adapter.name} is ${adapter.state} and the upper layer still keeps ${framesOut} of its frames`;
      stop("PauseWaitsForFrames", "FRAMES_OUT", "MiniportPause", message);
    }
  }
  if (check === undefined) return;
  const view: ScenarioView = { machine, adapters: nics.map((nic) => nic.adapter), ended };
  let wrong: unknown;
  try {
    wrong = check(view);
  } catch (error) {
    wrong = error instanceof Error ? error.message : String(error);
  }
  if (typeof wrong === "string") stop("UserCheck", "CHECK", "", wrong);
}

/** Every adapter was told to halt, and nothing more is going to happen: is each at its end? */
export function assertEnd(nics: readonly Nic[]): void {
  for (const { adapter, busy } of nics) {
    if (!busy && (adapter.state === "Halted" || adapter.state === "Shutdown")) continue;
    const call = adapter.state === "Halting" ? "MiniportHaltEx" : adapter.state === "Pausing" ? "MiniportPause" : "";
    const message = `${call === "" ? "a handler" : call} of ${adapter.name} waits for something that will not happen (the adapter is ${adapter.state})`;
    stop("HandlerReturns", "HANG", call, message);
  }
}

/** What is left when everything is over. */
export function audit(machine: Machine, nics: readonly Nic[]): void {
  for (const { adapter, shutDown, removed, upper } of nics) {
    const { accepted, completed, dropped, pending } = adapter.record;
    if (accepted !== completed + pending + dropped || (pending > 0 && !shutDown)) {
      const message = `${accepted} accepted, ${completed} completed, ${pending} pending, ${dropped} dropped`;
      stop("EveryRequestIsAnswered", "PENDING_AT_RELEASE", "", message);
    }
    upper.close();
    if (upper.lost > 0 && !shutDown && !removed && adapter.status === (NDIS_STATUS_SUCCESS as NDIS_STATUS)) {
      const message = `${upper.lost} frames of ${adapter.name} reached memory, and were neither indicated nor dropped with a reason`;
      stop("FramesAreAccountedFor", "LOST", "", message);
    }
  }
  if (nics.some((nic) => nic.shutDown)) return;
  const { liveBytes } = machine.core.stats();
  if (liveBytes !== 0) stop("NothingLiveAtRelease", "LEAK_AT_RELEASE", "", `${liveBytes} bytes are live at the end`);
}

/** What findings of one cause have in common: their rule, their code and the call, with a slash between. */
export function findingClass({ rule, code, call }: Pick<DriverFinding, "rule" | "code" | "call">): string {
  return `${rule}/${code}/${call}`;
}

function codeOf(error: unknown): string {
  return error instanceof ShmemError ? error.code : error instanceof Error ? error.name : typeof error;
}

function said(call: string, error: unknown): string {
  return `${call} threw ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
}
