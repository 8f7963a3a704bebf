/**
 * Several threads on one seed: worker k of n plays scenarios k, k + n, k + 2n, ...
 *
 * Each worker is this program again, in a thread, with `--json`; what it prints is its report. The first finding ends the
 * others. The sweep is done by the first worker alone.
 */
import { Worker } from "node:worker_threads";
import type { FuzzReport } from "../../fuzz/index.js";
import type { CommandIo } from "../command.js";
import { UsageError } from "../command.js";
import type { FuzzArguments } from "./fuzz.js";

/** What a worker says of itself, now and then. */
interface Progress {
  readonly runs: number;
  readonly states: number;
  readonly situations: number;
  readonly lastNewState: number;
}

/** Run the search in `jobs` threads; the reports become one. */
export async function fuzzInWorkers(given: FuzzArguments, io: CommandIo): Promise<FuzzReport> {
  const script = process.argv[1];
  if (script === undefined) throw new UsageError("--jobs needs the program's own file");
  const progress: Progress[] = [];
  const started = performance.now();
  const workers: Worker[] = [];
  const stop = (): void => {
    for (const worker of workers) void worker.terminate();
  };
  process.once("SIGINT", stop); // what was found so far is in what they said last
  const reports = await Promise.all(
    Array.from({ length: given.jobs }, (_, k) => {
      const worker = new Worker(script, { argv: workerArguments(given, k), stdout: true, stderr: true });
      workers.push(worker);
      worker.on("message", (message: Progress) => {
        progress[k] = message;
        if (!io.progress || given.json) return;
        const line = progressLine(progress, performance.now() - started);
        io.err(`\r${line.padEnd(io.columns - 1).slice(0, io.columns - 1)}`);
      });
      return finished(worker).then((report) => {
        if (report?.found) stop();
        return report;
      });
    }),
  );
  process.removeListener("SIGINT", stop);
  return merged(given, reports, progress);
}

/** All workers in one line. Their states overlap, so the largest number of one is given, as at least so many. */
function progressLine(progress: readonly (Progress | undefined)[], elapsedMs: number): string {
  const runs = progress.reduce((sum, one) => sum + (one?.runs ?? 0), 0);
  const most = (of: (one: Progress) => number): number =>
    progress.reduce((largest, one) => Math.max(largest, one === undefined ? 0 : of(one)), 0);
  const rate = Math.round((runs * 1000) / Math.max(1, elapsedMs));
  const last = most((one) => one.lastNewState);
  return `${runs} scenarios, ${rate}/s in ${progress.length} threads, ${most((one) => one.states)}+ states, ${most((one) => one.situations)}+ situations, last new state in scenario ${last}`;
}

function workerArguments(given: FuzzArguments, k: number): string[] {
  const runs = Math.ceil(given.runs / given.jobs);
  return [
    "fuzz",
    given.driver ?? "",
    ...(given.device === undefined ? [] : ["--device", given.device]),
    "--json",
    "--seed",
    String(given.seed),
    "--seconds",
    String(given.seconds),
    "--runs",
    String(runs),
    "--search",
    given.search,
    "--bound",
    String(given.bound),
    "--from",
    String(k),
    "--step",
    String(given.jobs),
  ];
}

async function finished(worker: Worker): Promise<FuzzReport | undefined> {
  let text = "";
  let problem: unknown;
  worker.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  worker.on("error", (error) => {
    problem = error;
  });
  await new Promise((done) => worker.once("exit", done));
  if (problem !== undefined) throw problem;
  // A worker that was stopped has printed nothing.
  return text === "" ? undefined : (JSON.parse(text) as FuzzReport);
}

function merged(
  given: FuzzArguments,
  reports: readonly (FuzzReport | undefined)[],
  progress: readonly (Progress | undefined)[],
): FuzzReport {
  const sum = (of: (report: FuzzReport) => number): number =>
    reports.reduce((all, report) => all + (report === undefined ? 0 : of(report)), 0);
  const most = (of: (one: FuzzReport | Progress) => number): number =>
    reports.reduce((largest, report, k) => {
      const one = report ?? progress[k];
      return Math.max(largest, one === undefined ? 0 : of(one));
    }, 0);
  const stopped = reports.reduce((all, report, k) => all + (report === undefined ? (progress[k]?.runs ?? 0) : 0), 0);
  const best = reports
    .filter((report) => report?.found)
    .sort((one, two) => (one?.found?.scenario.events.length ?? 0) - (two?.found?.scenario.events.length ?? 0))[0];
  return {
    driver: reports.find((report) => report !== undefined)?.driver ?? given.driver ?? "",
    seed: given.seed,
    search: given.search,
    runs: sum((report) => report.runs) + stopped,
    events: sum((report) => report.events),
    states: most((one) => one.states),
    situations: most((one) => one.situations),
    lastNewState: most((one) => one.lastNewState),
    exhausted: best?.exhausted,
    found: best?.found ?? null,
    classes: best?.classes ?? [],
  };
}
