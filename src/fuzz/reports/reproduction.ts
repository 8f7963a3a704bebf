/**
 * The reproduction of a scenario: what happened to the driver, step by step, and what the machine logged meanwhile.
 *
 *     step 2  the oldest request is served
 *               serve 1 in one call   [step 31, 20 µs, PASSIVE on processor 0]
 *     ...
 *     broken  FreeOfLiveBlock (ALREADY_FREED)
 *             NdisMFreeSharedMemory on nic ...
 *
 * The log of a step can be long. It is shown in full where the finding was noticed and in the step before, which is where
 * its cause is; elsewhere the middle of a long step is left out, but for lines about frames, exceptions and violations.
 */
import { type DriverFinding, findingLines } from "../player/checks.js";
import type { ScenarioPlayer } from "../player/player.js";
import { describeEvent, describeSetup } from "../scenario/describe.js";
import type { Scenario, ScenarioEvent } from "../scenario/scenario.js";

/** Lines of a step up to which nothing is left out, and of a step that is shown in full. */
const SHORT = 14;
const LONG = 200;
/** Lines kept at both ends of a step that is cut. */
const KEPT = 6;
/** Frames of a stack, for exceptions of user code. */
const STACK_FRAMES = 30;

interface Step {
  readonly title: string;
  readonly lines: readonly string[];
}

/** What `reproduce` gives. */
export interface Reproduction {
  /** The scenario step by step, in lines that end with a line feed. */
  readonly text: string;
  /** What is wrong; null where nothing is. */
  readonly finding: DriverFinding | null;
}

/** Options of `reproduce`. */
export interface ReproduceOptions {
  /** A folder that paths in stacks are relative to: the text is then the same wherever that folder is. Default: none. */
  readonly root?: string;
}

/** Play a scenario once more and write down what happens. Stacks of exceptions are kept meanwhile. */
export async function reproduce(
  player: ScenarioPlayer,
  scenario: Scenario,
  { root = "" }: ReproduceOptions = {},
): Promise<Reproduction> {
  const steps: Step[] = [];
  let shown = 0;
  let notes: string[] = [];
  const engine = Error as unknown as { stackTraceLimit?: number };
  const limit = engine.stackTraceLimit;
  engine.stackTraceLimit = STACK_FRAMES;
  let finding: DriverFinding | null;
  try {
    ({ finding } = await player.play(
      scenario,
      {
        note: (line) => notes.push(line),
        event(index, event, machine) {
          const logged = machine.log.slice(shown).map(readable);
          shown = machine.log.length;
          const lines = [...notes, ...logged];
          notes = [];
          steps.push({ title: titleOf(index, event, scenario.events.length), lines });
        },
      },
      "lines",
    ));
  } finally {
    if (limit === undefined) delete engine.stackTraceLimit;
    else engine.stackTraceLimit = limit;
  }
  const lines = describeSetup(scenario).map((line) => `setup   ${line}`);
  for (const [index, step] of steps.entries()) {
    lines.push(step.title);
    const isGuilty = finding !== null && index >= steps.length - 2;
    for (const line of shortened(step.lines, isGuilty ? LONG : SHORT)) lines.push(`          ${line}`);
  }
  if (finding !== null) {
    lines.push(`broken  ${finding.rule} (${finding.code})`);
    for (const line of findingLines(finding)) lines.push(`        ${withoutRoot(line, root)}`);
  }
  return { text: `${lines.join("\n")}\n`, finding };
}

/** A line without a folder's path, and without the query that tells one import of a module from another. */
function withoutRoot(line: string, root: string): string {
  if (root === "") return line;
  const folder = root.endsWith("/") ? root : `${root}/`;
  return line
    .replaceAll(`file://${folder}`, "")
    .replaceAll(folder, "")
    .replace(/\?[^\s:()]*(?=:\d+:\d+)/, "");
}

function titleOf(index: number, event: ScenarioEvent | null, events: number): string {
  if (index < 0) return "start   power-on: DriverEntry, MiniportInitializeEx, restart";
  if (index < events) return `${`step ${index + 1}`.padEnd(7)} ${describeEvent(event as ScenarioEvent)}`;
  return "end     quiesce: no more failures, what is due happens; then every adapter is halted";
}

/** The lines of a step, without the middle of a long one: what says what went wrong stays. */
function shortened(lines: readonly string[], most: number): string[] {
  if (lines.length <= most) return [...lines];
  const kept: string[] = [];
  let left = 0;
  for (const [index, line] of lines.entries()) {
    const isTelling = /violation|threw|indicated|frame \d+ .*(?:wrong|second|order|given up)/.test(line);
    if (index < KEPT || index >= lines.length - KEPT || isTelling) {
      if (left > 0) kept.push(`... ${left} lines ...`);
      left = 0;
      kept.push(line);
    } else left++;
  }
  return kept;
}

/** `12 40000 p0 DISPATCH_LEVEL e100bex complete ...` in the order in which people ask. */
function readable(line: string): string {
  const match = /^(\d+) (\d+) p(\d+) (\S+) (\S+) (.*)$/.exec(line);
  if (match === null) return line;
  const [, step, timeNs, processor, level, who, what] = match;
  const where = `${level} on processor ${processor}`;
  return `${who === "-" ? "" : `${who}: `}${what}   [step ${step}, ${shortTime(Number(timeNs))}, ${where}]`;
}

function shortTime(ns: number): string {
  if (ns === 0) return "time 0";
  if (ns < 1e6) return `${ns / 1000} µs`;
  return ns < 1e9 ? `${ns / 1e6} ms` : `${ns / 1e9} s`;
}
