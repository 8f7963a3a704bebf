/**
 * `ndis-shmem fuzz --speed`: how many scenarios of a driver, and how many operations of a target, one thread plays in a second.
 *
 *     driver   scenarios of the seed, as the random search plays them ─► runs a second, events in a run
 *     target   inputs of the seed, as `--target` plays them       ─► operations a second
 *
 * Each subject plays a second to warm up (less where less is given) and then for the time given. Two rates come of it: over the whole time, and the
 * median over windows of a fifth of a second, which says more on a machine that does other things meanwhile.
 */
import { performance } from "node:perf_hooks";
import { EXIT } from "../../report/index.js";
import type { CommandIo } from "../command.js";
import type { FuzzArguments } from "./arguments.js";

const WARM_UP_MS = 1000;
const WINDOW_MS = 200;
const DEFAULT_SECONDS = 4;

/** What one subject came to. */
export interface SpeedLine {
  /** Name of a driver or a target. */
  readonly subject: string;
  readonly of: "driver" | "target";
  readonly runs: number;
  readonly seconds: number;
  /** Over the whole time. */
  readonly runsPerSecond: number;
  /** Median over windows of 0.2 s. */
  readonly medianRunsPerSecond: number;
  /** Events of a scenario, or operations of an input, on average. */
  readonly perRun: number;
  /** Events of the machine in a scenario (interrupts, timers, work items, those that the scenario asked for included), on average. */
  readonly machineEventsPerRun: number;
  /** Operations a second of a target; events a second of a driver. */
  readonly perSecond: number;
}

interface Counted {
  runs: number;
  units: number;
  machine: number;
}

/** Measure every driver of the package and every target. */
export async function speed(given: Pick<FuzzArguments, "seconds" | "seed" | "json">, io: CommandIo): Promise<number> {
  const fuzz = await import("../../fuzz/index.js");
  const ms = (given.seconds > 1e8 ? DEFAULT_SECONDS : given.seconds) * 1000;
  const { seed } = given;
  const lines: SpeedLine[] = [];
  const report = (line: SpeedLine): void => {
    lines.push(line);
    if (given.json) return;
    const what = line.of === "driver" ? "events of the scenario" : "operations";
    const machine = line.of === "driver" ? `, ${line.machineEventsPerRun} of the machine` : "";
    io.out(
      `${line.subject.padEnd(12)}${String(line.medianRunsPerSecond).padStart(8)} runs/s (over all ${line.runsPerSecond}), ` +
        `${line.perRun} ${what}${machine} in a run, ${line.perSecond} ${line.of === "driver" ? "events" : "operations"}/s\n`,
    );
  };
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    for (const driver of fuzz.BUILT_IN_DRIVERS) {
      const player = new fuzz.ScenarioPlayer(driver);
      const step = async (run: number, counted: Counted): Promise<void> => {
        const scenario = fuzz.scenarioOf(seed, run);
        const { finding, events } = await player.play(scenario);
        if (finding !== null) throw new Error(`${driver.name}: ${finding.rule} in scenario ${run} of seed ${seed}`);
        counted.units += scenario.events.length;
        counted.machine += events - scenario.events.length;
      };
      report(await measure(driver.name, "driver", ms, step));
    }
    for (const entry of fuzz.TARGETS) {
      const target = entry.open();
      const step = async (run: number, counted: Counted): Promise<void> => {
        const before = target.operations;
        const played = fuzz.playContained(target, fuzz.inputOf(seed, run, target));
        const found = played instanceof Promise ? await played : played;
        if (found !== undefined) throw new Error(`${entry.name}: ${found.message} in input ${run} of seed ${seed}`);
        counted.units += target.operations - before;
      };
      report(await measure(entry.name, "target", ms, step));
    }
  } finally {
    Error.stackTraceLimit = limit;
  }
  if (given.json) io.out(`${JSON.stringify({ seed, speed: lines }, null, 2)}\n`);
  return EXIT.clean;
}

async function measure(
  subject: string,
  of: SpeedLine["of"],
  ms: number,
  step: (run: number, counted: Counted) => Promise<void>,
): Promise<SpeedLine> {
  let run = 0;
  const warm: Counted = { runs: 0, units: 0, machine: 0 };
  for (const until = performance.now() + Math.min(WARM_UP_MS, ms); performance.now() < until; ) await step(run++, warm);
  const counted: Counted = { runs: 0, units: 0, machine: 0 };
  const rates: number[] = [];
  const began = performance.now();
  let windowBegan = began;
  let inWindow = 0;
  let now = began;
  while (now - began < ms) {
    await step(run++, counted);
    counted.runs++;
    inWindow++;
    now = performance.now();
    if (now - windowBegan < WINDOW_MS) continue;
    rates.push((inWindow * 1000) / (now - windowBegan));
    windowBegan = now;
    inWindow = 0;
  }
  const seconds = (now - began) / 1000;
  const rate = counted.runs / seconds;
  rates.sort((one, two) => one - two);
  const units = counted.units / counted.runs;
  const machine = counted.machine / counted.runs;
  return {
    subject,
    of,
    runs: counted.runs,
    seconds: Math.round(seconds * 1000) / 1000,
    runsPerSecond: Math.round(rate),
    medianRunsPerSecond: Math.round(rates[rates.length >> 1] ?? rate),
    perRun: Math.round(units * 10) / 10,
    machineEventsPerRun: Math.round(machine * 10) / 10,
    perSecond: Math.round(rate * (units + machine)),
  };
}
