/**
 * What is wrong with a scenario: by every rule of the NDIS face, by what the upper layer sees, by what is left at the end.
 *
 *     look       after each event: violations, handler errors, frames, the user's own check
 *     assertEnd  when the halt of every adapter was begun: each has come to its end
 *     audit      when all is over: every request is answered, every frame accounted for, every byte given back
 *
 * Each throws `Stop` for the first thing it finds. The rules are listed in docs/fuzzing.md.
 */
import { type NDIS_STATUS, NDIS_STATUS_SUCCESS, ShmemError, type Violation } from "../../../bindings/index.js";
import type { Machine } from "../../machine/index.js";
import type { ScenarioCheck, ScenarioView } from "../subjects/check.js";
import type { Thrown } from "./guarded-device.js";
import type { Nic } from "./nic.js";

/** What is wrong with a driver. */
export interface DriverFinding {
  /** The rule that was broken: of the NDIS face (docs/misuse.md), or of the player (docs/fuzzing.md). */
  readonly rule: string;
  /** The stable code of an error, or of the player. */
  readonly code: string;
  /** The routine or handler that was running: `NdisMFreeSharedMemory`, `MiniportHaltEx`; empty where none was. */
  readonly call: string;
  /** Sentences for people, a line each; the first says what is wrong. Equal wherever the scenario is played. */
  readonly message: string;
  /** Index of the event; the number of events for what the end showed; -1 for power-on. */
  readonly step: number;
  /** Where user code threw: the frames of its stack, a line each, with paths of this machine. Absent where none is kept. */
  readonly stack?: string;
  /** Where a rule of the NDIS face was broken: the violation as it was recorded. */
  readonly violation?: Violation;
}

/** Violations that are listed besides an exception. */
const MOST_CONSEQUENCES = 5;
/** Frames of a stack that are shown. */
const MOST_FRAMES = 8;

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

/** What `look` looks at. */
export interface Looked {
  readonly machine: Machine;
  readonly nics: readonly Nic[];
  /** What user code threw: a device, a lifecycle handler; in the order in which it happened. */
  readonly thrown: readonly Thrown[];
  readonly check: ScenarioCheck | undefined;
  /** This is the last look. */
  readonly ended: boolean;
  /** A violation in sentences. */
  readonly explain: (violation: Violation) => string;
}

/** Is anything wrong now? */
export function look(looked: Looked): void {
  const { machine, nics } = looked;
  assertNothingThrown(looked);
  const violation = machine.violations[0];
  if (violation !== undefined) {
    const { rule, code, call } = violation;
    throw new Stop({ rule, code, call, message: looked.explain(violation), violation });
  }
  for (const { frames } of nics)
    if (frames.mismatch !== "") stop("FramesArriveIntact", "MISMATCH", "indicate", frames.mismatch);
  for (const { adapter } of nics) {
    const { framesOut } = adapter.services;
    if (framesOut > 0 && (adapter.state === "Paused" || adapter.state === "Halting" || adapter.state === "Halted")) {
      const message = `${adapter.name} is ${adapter.state} and the upper layer still keeps ${framesOut} of its frames`;
      stop("PauseWaitsForFrames", "FRAMES_OUT", "MiniportPause", message);
    }
  }
  askCheck(looked);
}

/**
 * What user code threw by itself comes first, and everything that was recorded besides it after it: a leak at halt, say, is
 * what an exception in initialize leads to. Only where the machine refused a call (a `ShmemError`) the violation behind it
 * says more.
 */
function assertNothingThrown({ machine, thrown }: Looked): void {
  const handlers = machine.environment.reporter.handlerErrors.map(({ call, error, adapter }) => ({
    call,
    error,
    adapter,
  }));
  const all: readonly Thrown[] = [...thrown, ...handlers];
  if (all.length === 0) return;
  const { violations } = machine;
  const isExplained = (error: unknown): boolean =>
    error instanceof ShmemError && violations.some((violation) => violation.code === error.code);
  const first = all.find((one) => !(one.error instanceof ShmemError)) ?? all.find((one) => !isExplained(one.error));
  if (first === undefined) return;
  const { call, error, adapter } = first;
  const others = violations.slice(0, MOST_CONSEQUENCES).map((one) => `besides: ${one.rule} (${one.code}) ${one.call}`);
  const who = adapter === undefined || adapter === "" ? call : `${call} of ${adapter}`;
  const stack = stackOf(error);
  const lines = [`${who} threw ${nameAndMessage(error)}`, ...others];
  throw new Stop({
    rule: "HandlerDoesNotThrow",
    code: codeOf(error),
    call,
    message: lines.join("\n"),
    ...(stack === undefined ? {} : { stack }),
  });
}

/** The user's own rule. A sentence that it throws is its answer; an error with a stack in it is shown with it. */
function askCheck({ machine, nics, check, ended }: Looked): void {
  if (check === undefined) return;
  const view: ScenarioView = { machine, adapters: nics.map((nic) => nic.adapter), ended };
  let wrong: unknown;
  let stack: string | undefined;
  try {
    wrong = check(view);
  } catch (error) {
    wrong = error instanceof Error ? error.message : String(error);
    stack = stackOf(error);
  }
  if (typeof wrong !== "string") return;
  throw new Stop({
    rule: "UserCheck",
    code: "CHECK",
    call: "check",
    message: wrong,
    ...(stack === undefined ? {} : { stack }),
  });
}

/** The halt of every adapter was begun, and nothing more is going to happen: is each at its end? */
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
  for (const { adapter, shutDown, removed, frames } of nics) {
    const { accepted, completed, dropped, pending } = adapter.record;
    if (accepted !== completed + pending + dropped || (pending > 0 && !shutDown)) {
      const message = `${accepted} accepted, ${completed} completed, ${pending} pending, ${dropped} dropped`;
      stop("EveryRequestIsAnswered", "PENDING_AT_RELEASE", "", message);
    }
    frames.close();
    if (frames.lost > 0 && !shutDown && !removed && adapter.status === (NDIS_STATUS_SUCCESS as NDIS_STATUS)) {
      const message = `${frames.describeLost()} of ${adapter.name} reached memory, and were neither indicated nor dropped with a reason`;
      stop("FramesAreAccountedFor", "LOST", "", message);
    }
  }
  if (nics.some((nic) => nic.shutDown)) return;
  const { liveBytes } = machine.core.stats();
  if (liveBytes !== 0) stop("NothingLiveAtRelease", "LEAK_AT_RELEASE", "", `${liveBytes} bytes are live at the end`);
}

/** A finding in lines: what is wrong, where user code threw, and what else was recorded. */
export function findingLines({ message, stack }: Pick<DriverFinding, "message" | "stack">): string[] {
  const [first = "", ...rest] = message.split("\n");
  const frames = stack === undefined ? [] : stack.split("\n").map((line) => `    ${line}`);
  return [first, ...frames, ...rest];
}

/** What findings of one cause have in common: their rule, their code and the call, with a slash between. */
export function findingClass({ rule, code, call }: Pick<DriverFinding, "rule" | "code" | "call">): string {
  return `${rule}/${code}/${call}`;
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const { code } = error as { readonly code?: unknown };
  return typeof code === "string" ? code : error.name;
}

function nameAndMessage(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** The folder of this library, as stacks have it; empty where the engine keeps no stacks. */
const OWN_FOLDER: string =
  /((?:file:\/\/)?[^\s()]+\/dist\/)(?:[^\s()]*\/)?[^\s()/]+:\d+:\d+/.exec(new Error().stack ?? "")?.[1] ?? "";

/** The frames of an error's stack that are neither the engine's nor this library's; undefined where there is none. */
export function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || typeof error.stack !== "string") return undefined;
  const isForeign = (line: string): boolean =>
    !line.includes("node:internal") && (OWN_FOLDER === "" || !line.includes(OWN_FOLDER));
  const frames = error.stack.split("\n").filter((line) => /^\s*at |@/.test(line) && isForeign(line));
  return frames.length === 0
    ? undefined
    : frames
        .slice(0, MOST_FRAMES)
        .map((line) => line.trim())
        .join("\n");
}
