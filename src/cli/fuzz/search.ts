/**
 * A search in player threads: their reports made one, and each finding proved in a thread of its own.
 *
 *     threads ─► reports ─► findings, one of each class ─► each played again in a fresh thread ─► does it repeat there?
 *
 * Thread k of n plays scenarios k, k + n, k + 2n, ... of the seed, and the first one sweeps. The first finding ends the
 * others. A thread that its driver ends (player-thread.ts) is a finding too: what was played is known, and is cut after the
 * step that was played then.
 */
import { basename } from "node:path";
import { performance } from "node:perf_hooks";
import {
  type DriverFinding,
  decodeScenario,
  describeEvent,
  describeSetup,
  type FindingClass,
  type FoundBy,
  findingClass,
  findingLines,
  type Scenario,
  Situations,
  scenarioToHex,
} from "../../fuzz/index.js";
import { UsageError } from "../command.js";
import type { FuzzArguments } from "./arguments.js";
import { type Kill, PlayerThread, type ThreadEnd, type ThreadOptions } from "./player-thread.js";
import type { Message, Task, ThreadProgress } from "./thread-protocol.js";

/** A fault of the fuzzer itself: no finding, and nothing that a user did. */
export class HarnessFault extends Error {
  override readonly name: string = "HarnessFault";
}

/** A finding as the command reports it. */
export interface CommandFinding {
  readonly finding: Pick<DriverFinding, "rule" | "code" | "call" | "message" | "step" | "stack">;
  readonly scenario: Scenario;
  readonly hex: string;
  /** Events of the scenario before it was shrunk. */
  readonly originalEvents: number;
  readonly by: FoundBy;
  readonly position: number;
  /** The scenario step by step. */
  readonly reproduction: string;
  /** How many scenarios of the search showed its class. */
  readonly count: number;
  /** Empty where it repeats in a thread of its own; otherwise what was tried and what came of it. */
  readonly doesNotRepeat: string;
}

/** What a search came to. */
export interface SearchOutcome {
  readonly driver: string;
  readonly runs: number;
  readonly events: number;
  readonly states: number;
  readonly situations: number;
  readonly lastNewState: number;
  readonly exhausted: boolean | undefined;
  /** One for each class, in the order in which they were met; without `--keep-going` at most one. */
  readonly findings: readonly CommandFinding[];
  /** What the driver keeps from scenario to scenario, where that was noticed. */
  readonly drift: string | null;
  readonly lcov: string | null;
  /** Milliseconds until the threads were through, their start included; what is proved afterwards is not counted. */
  readonly searchedMs: number;
}

/** What is asked meanwhile. */
export interface SearchHooks {
  onProgress(progress: ThreadProgress, threads: number): void;
  onNew(scenario: string): void;
  /** Hands over how to end the search early. */
  onStop(stop: () => void): void;
}

/** Seconds that a scenario may take when a thread that did not return is looked at again. */
const AGAIN_SECONDS = 2;
/** Milliseconds for making such a scenario shorter: each try takes a thread. */
const SHRINKING_MS = 10_000;

/** See the head of this file. */
export async function searchInThreads(
  driver: string,
  given: FuzzArguments,
  corpus: readonly string[],
  hooks: SearchHooks,
): Promise<SearchOutcome> {
  const began = performance.now();
  const progress: (ThreadProgress | undefined)[] = [];
  const threads = Array.from({ length: given.jobs }, (_, k) => {
    return new PlayerThread(driver, {
      device: given.device,
      scenarioSeconds: given.scenarioSeconds,
      onNew: hooks.onNew,
      onProgress: (one) => {
        progress[k] = one;
        hooks.onProgress(together(progress), given.jobs);
      },
    });
  });
  const stop = (): void => {
    for (const thread of threads) thread.stop();
  };
  hooks.onStop(stop);
  const ends = await Promise.all(
    threads.map(async (thread, k) => {
      const end = await thread.run(searchTask(given, k, k === 0 ? corpus : []));
      if (!given.keepGoing && isFinding(end)) stop();
      await thread.close();
      return end;
    }),
  );
  for (const end of ends) assertUsable(end, driver);
  const searchedMs = performance.now() - began;
  return { ...(await merged(driver, given, ends, progress)), searchedMs };
}

/** Play one scenario in a thread of its own. */
export async function replayInThread(
  driver: string,
  scenario: string,
  lcov: boolean,
  options: Pick<ThreadOptions, "scenarioSeconds" | "device">,
): Promise<ThreadEnd> {
  const thread = new PlayerThread(driver, options);
  const end = await thread.run({ what: "replay", scenario, lcov });
  await thread.close();
  assertUsable(end, driver);
  return end;
}

function searchTask(given: FuzzArguments, k: number, corpus: readonly string[]): Task {
  const { seed, search, seconds, bound, until, keepGoing } = given;
  return {
    what: "search",
    seed,
    search,
    seconds,
    runs: Math.ceil(given.runs / given.jobs),
    bound,
    from: given.from + k,
    until,
    step: given.jobs,
    keepGoing,
    knownClasses: [],
    shrink: true,
    corpus,
    lcov: given.lcov !== undefined,
  };
}

function isFinding(end: ThreadEnd): boolean {
  return end.how !== "done" || (end.message.type === "report" && end.message.report.classes.length > 0);
}

/** Throws where there is no result: the module cannot be used, or the fuzzer is at fault. */
function assertUsable(end: ThreadEnd, driver: string): void {
  if (end.how === "done") {
    if (end.message.type === "refused") throw new UsageError(end.message.message);
    if (end.message.type === "fault") throw new HarnessFault(end.message.message);
  } else if (!end.playing) {
    const what: Record<Kill, string> = {
      SPIN: "does not return from being imported",
      EXIT: `ends the process while it is imported (exit code ${end.detail})`,
      MEMORY: "fills the heap while it is imported",
      LATE: `throws while it is imported: ${end.detail}`,
    };
    const at = end.frames.map((frame) => `\n    at ${frame}`).join("");
    throw new UsageError(`DRIVER is \`${driver}\`, which ${what[end.how]}${at}`);
  }
}

/** All threads in one line. Their states overlap, so the largest number of one is given. */
function together(progress: readonly (ThreadProgress | undefined)[]): ThreadProgress {
  const most = (of: (one: ThreadProgress) => number): number =>
    progress.reduce((largest, one) => Math.max(largest, one === undefined ? 0 : of(one)), 0);
  return {
    runs: progress.reduce((sum, one) => sum + (one?.runs ?? 0), 0),
    states: most((one) => one.states),
    situations: most((one) => one.situations),
    lastNewState: most((one) => one.lastNewState),
  };
}

type Report = Extract<Message, { type: "report" }>;

async function merged(
  driver: string,
  given: FuzzArguments,
  ends: readonly ThreadEnd[],
  progress: readonly (ThreadProgress | undefined)[],
): Promise<Omit<SearchOutcome, "searchedMs">> {
  const reports = ends.flatMap((end): Report[] =>
    end.how === "done" && end.message.type === "report" ? [end.message] : [],
  );
  const states = new Set<number>();
  const situations = new Situations();
  for (const { stateNumbers, situationBits } of reports) {
    for (const number of stateNumbers) states.add(number);
    situations.merge(situationBits);
  }
  // A thread that was ended has said how far it was and nothing more.
  const ended = ends.flatMap((end, k) => (end.how === "done" ? [] : [progress[k]?.runs ?? 1]));
  const sum = (of: (one: Report["report"]) => number): number =>
    reports.reduce((all, { report }) => all + of(report), 0);
  const findings = await proved(driver, given, byClass(ends));
  return {
    driver: reports[0]?.report.driver ?? basename(driver).replace(/\.\w+$/, ""),
    runs: sum((report) => report.runs) + ended.reduce((all, runs) => all + runs, 0),
    events: sum((report) => report.events),
    states: states.size,
    situations: situations.count,
    lastNewState: reports.reduce((most, { report }) => Math.max(most, report.lastNewState), 0),
    exhausted: reports[0]?.report.exhausted,
    findings,
    drift: reports.find(({ report }) => report.drift !== null)?.report.drift?.message ?? null,
    lcov: reports.find(({ lcov }) => lcov !== null)?.lcov ?? null,
  };
}

/** What is to be proved: a class with its shrunk report, or a thread's end. */
type Candidate =
  | { readonly from: FindingClass; readonly count: number }
  | { readonly from: Exclude<ThreadEnd, { how: "done" }>; readonly count: number };

/** One candidate for each class: the one with the least position. */
function byClass(ends: readonly ThreadEnd[]): Candidate[] {
  const candidates = new Map<string, Candidate>();
  for (const end of ends) {
    if (end.how !== "done") {
      const key = `${end.how}/${end.call}`;
      candidates.set(key, { from: end, count: (candidates.get(key)?.count ?? 0) + 1 });
      continue;
    }
    if (end.message.type !== "report") continue;
    for (const one of end.message.report.classes) {
      const known = candidates.get(one.key);
      const first =
        known !== undefined && "first" in known.from && known.from.first.position <= one.first.position
          ? known.from
          : one;
      candidates.set(one.key, { from: first, count: (known?.count ?? 0) + one.count });
    }
  }
  return [...candidates.values()];
}

async function proved(
  driver: string,
  given: FuzzArguments,
  candidates: readonly Candidate[],
): Promise<CommandFinding[]> {
  const wanted = given.keepGoing ? candidates : candidates.slice(0, 1);
  const findings: CommandFinding[] = [];
  for (const { from, count } of wanted) {
    findings.push(
      "first" in from ? await provedClass(driver, given, from, count) : await provedKill(driver, given, from, count),
    );
  }
  return findings;
}

/** A finding of the player, played again where nothing was played before. */
async function provedClass(
  driver: string,
  given: FuzzArguments,
  { key, report }: FindingClass,
  count: number,
): Promise<CommandFinding> {
  if (report === null) throw new HarnessFault(`the class ${key} has no report`);
  const { finding, original, scenario, by, position, reproduction, hex, repeats } = report;
  const found = { scenario, hex, originalEvents: original.events.length, by, position, count };
  if (!repeats) {
    const tried = "the same scenario was played again at once, and nothing was wrong in it";
    return { ...found, finding, reproduction, doesNotRepeat: tried };
  }
  const end = await replayInThread(driver, hex, false, given);
  if (end.how === "done" && end.message.type === "replayed") {
    const { replayed } = end.message;
    if (replayed.finding !== null && findingClass(replayed.finding) === key)
      return { ...found, finding: replayed.finding, reproduction: replayed.text, doesNotRepeat: "" };
  }
  const tried =
    "the scenario repeats in the thread that found it, but not in a fresh one, where it is the first to be played";
  return { ...found, finding, reproduction, doesNotRepeat: tried };
}

const KILL_RULES: Readonly<Record<Kill, string>> = {
  SPIN: "HandlerReturns",
  EXIT: "DriverStays",
  MEMORY: "MemoryIsBounded",
  LATE: "HandlerDoesNotThrow",
};

/** A thread that its driver has ended: the scenario, cut after the step that was played, ends a fresh thread alike. */
async function provedKill(
  driver: string,
  given: FuzzArguments,
  end: Exclude<ThreadEnd, { how: "done" }>,
  count: number,
): Promise<CommandFinding> {
  const whole = decodeScenario(end.scenario);
  const cut = { ...whole, events: whole.events.slice(0, Math.max(0, end.step + 1)) };
  const plainest = { ...cut, fails: 0, memory: 0, variant: 0 };
  let scenario = whole;
  let last = end;
  let repeats = false;
  const limits = { scenarioSeconds: AGAIN_SECONDS, device: given.device };
  const endsAlike = async (attempt: Scenario): Promise<boolean> => {
    const again = await replayInThread(driver, scenarioToHex(attempt), false, limits);
    if (again.how !== end.how) return false;
    scenario = attempt;
    last = again;
    return true;
  };
  for (const attempt of [plainest, cut, whole]) {
    repeats = await endsAlike(attempt);
    if (repeats) break;
  }
  const until = performance.now() + SHRINKING_MS;
  for (let size = scenario.events.length >> 1; repeats && size >= 1; size >>= 1) {
    for (let from = 0; from + size <= scenario.events.length && performance.now() < until; ) {
      const events = [...scenario.events.slice(0, from), ...scenario.events.slice(from + size)];
      if (!(await endsAlike({ ...scenario, events }))) from += size;
    }
  }
  const finding = killFinding(end.how, last.call === "" ? end : last);
  const lines = describeSetup(scenario).map((line) => `setup   ${line}`);
  lines.push("start   power-on: DriverEntry, MiniportInitializeEx, restart");
  for (const [index, event] of scenario.events.entries())
    lines.push(`${`step ${index + 1}`.padEnd(7)} ${describeEvent(event)}`);
  if (last.step >= scenario.events.length && scenario.events.length > 0)
    lines.push("end     quiesce: no more failures, what is due happens; then every adapter is halted");
  lines.push(`broken  ${finding.rule} (${finding.code})`);
  for (const line of findingLines(finding)) lines.push(`        ${line}`);
  return {
    finding,
    scenario,
    hex: scenarioToHex(scenario),
    originalEvents: whole.events.length,
    by: end.by,
    position: end.position,
    reproduction: `${lines.join("\n")}\n`,
    count,
    doesNotRepeat: repeats ? "" : "the same scenario was played in a fresh thread, which it did not end",
  };
}

/** A thread's end as a finding. */
export function killFinding(
  how: Kill,
  end: Pick<Exclude<ThreadEnd, { how: "done" }>, "call" | "frames" | "detail" | "step">,
): CommandFinding["finding"] {
  const call = end.call;
  const who = call === "" ? "a handler of the driver" : call;
  const sentence: Record<Kill, string> = {
    SPIN: `${who} does not return, or gives no turn to anything else`,
    EXIT: `the driver has called process.exit(${end.detail})`,
    MEMORY: "the driver has filled the heap of its thread",
    LATE: `the driver has thrown outside of every handler: ${end.detail}`,
  };
  const frames = end.frames.map((frame) => `at ${frame}`);
  const stack = frames.length === 0 ? {} : { stack: frames.join("\n") };
  return {
    rule: KILL_RULES[how],
    code: how,
    call,
    step: end.step,
    message: sentence[how],
    ...stack,
  };
}
