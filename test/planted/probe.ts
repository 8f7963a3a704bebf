/**
 * The program that a planted bug is looked for with: bundled together with the changed sources, run in a worker.
 *
 * It asks one thing: found or not, in how many runs and seconds, in how many steps. Commands come as worker data, answers
 * go as messages, so that a subject that never returns can be stopped from outside.
 */
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { readCapture } from "../../src/capture/index.js";
import { DRIVERS } from "../../src/drivers/index.js";
import { BUILT_IN_DRIVERS, fuzzDriver, playTarget, type SearchName, TARGETS } from "../../src/fuzz/index.js";
import { play } from "../../src/run/index.js";

/** What to do. */
export type ProbeTask =
  | { readonly what: "run"; readonly driver: string; readonly capture: string }
  | {
      readonly what: "fuzz";
      readonly where: string;
      readonly seed: number;
      readonly seconds: number;
      readonly search: SearchName | "all";
    };

/** What came of it. */
export interface ProbeAnswer {
  readonly found: boolean;
  readonly runs: number;
  readonly seconds: number;
  /** Events or operations of the shrunk input; 0 where nothing was found. */
  readonly steps: number;
  readonly rule: string;
}

const CORE_TARGETS = ["core", "translator", "ring"];
/** Inputs of one target before the next gets its turn. */
const SLICE = 40;

async function answer(task: ProbeTask): Promise<ProbeAnswer> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  if (task.what === "run") {
    const driver = DRIVERS.find((one) => one.name === task.driver);
    if (driver === undefined) throw new RangeError(`no driver ${task.driver}`);
    const capture = readCapture(readFileSync(task.capture));
    const { report, refused } = await play({ driver, capture, title: "", seed: 1, wallMs: () => performance.now() });
    const clean =
      refused === null && report.leaks === 0 && report.violations.length === 0 && report.packets.mismatched === 0;
    const rule = report.violations[0]?.rule ?? (clean ? "" : "run is not clean");
    return { found: !clean, runs: 1, seconds: seconds(), steps: 0, rule };
  }
  if (task.where !== "core") {
    const driver = BUILT_IN_DRIVERS.find((one) => one.name === task.where);
    if (driver === undefined) throw new RangeError(`no driver ${task.where}`);
    let found = 0;
    const report = await fuzzDriver(driver, {
      seed: task.seed,
      search: task.search,
      runs: 1e9,
      goOn: () => {
        found = seconds();
        return found < task.seconds;
      },
    });
    const steps = report.found?.scenario.events.length ?? 0;
    return {
      found: report.found !== null,
      runs: report.runs,
      seconds: found,
      steps,
      rule: report.found?.finding.rule ?? "",
    };
  }
  const targets = CORE_TARGETS.map((name) => {
    const entry = TARGETS.find((one) => one.name === name);
    if (entry === undefined) throw new RangeError(`no target ${name}`);
    return entry.open();
  });
  let runs = 0;
  for (let round = 0; seconds() < task.seconds; round++) {
    for (const target of targets) {
      const result = await playTarget(target, task.seed * 1_000_003 + round, { runs: SLICE });
      runs += result.runs;
      if (result.finding === null) continue;
      const steps = Math.floor((result.finding.input.length - 1) / target.unitBytes);
      return { found: true, runs, seconds: seconds(), steps, rule: `${target.name}: ${result.finding.message}` };
    }
  }
  return { found: false, runs, seconds: seconds(), steps: 0, rule: "" };
}

Error.stackTraceLimit = 0;
setFlagsFromString("--no-allocation-site-pretenuring"); // as the command does
answer(workerData as ProbeTask).then(
  (message) => parentPort?.postMessage(message),
  (error: unknown) => parentPort?.postMessage({ error: error instanceof Error ? error.message : String(error) }),
);
