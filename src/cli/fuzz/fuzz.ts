/**
 * `ndis-shmem fuzz`: look for the bug in a driver, and show the shortest way to it.
 *
 * A driver is a module of the user's or the name of one of ours. On a finding the reproduction goes to stdout; two test files (for
 * uvu and for node:test) and a replay file are written beside each other. `--target` plays the package's own targets.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { performance } from "node:perf_hooks";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { isMainThread, parentPort } from "node:worker_threads";
import { ShmemError } from "../../../bindings/index.js";
import type { FuzzDriver, FuzzReport, Scenario, ScenarioCheck, SearchName, SearchProgress } from "../../fuzz/index.js";
import { EXIT } from "../../report/index.js";
import { isCompiled, loadCompiled } from "../cc/load.js";
import { type Command, type CommandIo, parseInteger, UsageError } from "../command.js";
import { fuzzInWorkers } from "./workers.js";

type Fuzz = typeof import("../../fuzz/index.js");

const HELP = `usage: ndis-shmem fuzz DRIVER [OPTIONS]
       ndis-shmem fuzz --target NAME|all [OPTIONS]
       ndis-shmem fuzz --score [--all]
       ndis-shmem fuzz --speed

Explore what the machine may do to a driver, and show the shortest way to what
goes wrong. DRIVER is a module (./my-driver.mjs) that exports \`driver\`, or by
default, { name, DriverEntry, device?, settings?, arenaBytes?, addressing? },
and may export \`check\`; or a driver of this package (e100bex, ...); or a
DRIVER.wasm that \`ndis-shmem cc\` made, with --device.

  --device FILE      with a DRIVER.wasm: the module with the model of its device
  --seconds N        stop after N seconds (default 30, unless --runs is given)
  --runs N           stop after N scenarios
  --seed N           0 to 2^53 - 1 (default 1); one seed, one history
  --search NAME      all (default: random, a sweep, random), random,
                     sweep, systematic
  --bound N          systematic: events in a scenario at most (default 4)
  --jobs N           worker threads (default 1)
  --out DIR          where test and replay files go (default .)
  --replay FILE      play the scenario of a replay file, and show it
  --scenario HEX     play the scenario of these bytes, and show it
  --json             one JSON object on stdout and nothing else
  --target NAME      a target of the package itself: core, translator, ring,
                     ndis, snapshot, capture, codec, or all of them
  --corpus DIR       with --target: play the files of a folder first
  --score            run the default search on every planted bug (from a
                     checkout); --all: every search; --only PART: those
                     bugs whose name contains it
  --speed            how much one thread plays in a second: every driver and
                     every target of the package, --seconds N each (default 4)
  --help             this text

exit codes: 0 nothing found, 1 a finding, 2 usage or unreadable file
`;

const OPTIONS = {
  device: { type: "string" },
  seconds: { type: "string" },
  runs: { type: "string" },
  seed: { type: "string" },
  search: { type: "string" },
  bound: { type: "string" },
  jobs: { type: "string" },
  out: { type: "string" },
  replay: { type: "string" },
  scenario: { type: "string" },
  json: { type: "boolean" },
  target: { type: "string" },
  corpus: { type: "string" },
  score: { type: "boolean" },
  speed: { type: "boolean" },
  all: { type: "boolean" },
  only: { type: "string" },
  from: { type: "string" },
  step: { type: "string" },
} as const;

const MAX_SEED = Number.MAX_SAFE_INTEGER;
const DEFAULT_SECONDS = 30;

/** What was asked for. */
export interface FuzzArguments {
  readonly driver: string | undefined;
  /** Of a driver compiled from C: the module with the model of its device. */
  readonly device: string | undefined;
  readonly seconds: number;
  readonly runs: number;
  readonly seed: number;
  readonly search: SearchName | "all";
  readonly bound: number;
  readonly jobs: number;
  readonly out: string;
  readonly replay: string | undefined;
  readonly scenario: string | undefined;
  readonly json: boolean;
  readonly target: string | undefined;
  readonly corpus: string | undefined;
  readonly score: boolean;
  readonly speed: boolean;
  readonly all: boolean;
  readonly only: string | undefined;
  readonly from: number;
  readonly step: number;
}

/** See the head of this file. */
export const fuzzCommand: Command = {
  name: "fuzz",
  summary: "find the bug in a driver, and show the shortest way to it",
  help: () => HELP,
  run: async (args, io) => {
    const given = parse(args);
    // A scenario is garbage when it is over. An engine that has once seen a few of them survive puts such objects into its old
    // space from then on, where they hold whole machines until a full collection: a quarter of the speed.
    setFlagsFromString("--no-allocation-site-pretenuring");
    if (given.speed) return (await import("./speed.js")).speed(given, io);
    if (given.score) return (await import("./score.js")).score(given, io);
    if (given.target !== undefined) return (await import("./targets.js")).fuzzTargets(given, io);
    if (given.driver === undefined) throw new UsageError("which driver? Give a module or the name of one of ours");
    const fuzz = await import("../../fuzz/index.js");
    const { driver, check } = await load(fuzz, given.driver, given.device);
    const scenario = scenarioGiven(fuzz, given);
    if (scenario !== undefined) return replay(fuzz, driver, check, scenario, given, io);
    const started = performance.now();
    const report =
      given.jobs > 1 && isMainThread
        ? await fuzzInWorkers(given, io)
        : await search(fuzz, driver, check, given, io, started);
    const code = show(fuzz, report, given, io, performance.now() - started);
    return (await io.isInterrupted()) ? EXIT.interrupted : code;
  },
};

function parse(args: readonly string[]): FuzzArguments {
  let parsed: ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (positionals.length > 1) throw new UsageError(`one driver, not ${positionals.length}`);
  const number = (name: keyof typeof OPTIONS, fallback: number, least: number, most: number): number => {
    const text = values[name];
    return typeof text === "string" ? parseInteger(`--${name}`, text, least, most) : fallback;
  };
  const search = values.search ?? "all";
  if (!["all", "random", "sweep", "systematic"].includes(search)) throw new UsageError(`no search \`${search}\``);
  const unlimited = values.runs !== undefined || values.speed === true;
  const seconds = number("seconds", unlimited ? 1e9 : DEFAULT_SECONDS, 1, 1e9);
  return {
    driver: positionals[0],
    seconds,
    runs: number("runs", 1e12, 1, 1e12),
    seed: number("seed", 1, 0, MAX_SEED),
    search: search as SearchName | "all",
    bound: number("bound", 4, 1, 20),
    jobs: number("jobs", 1, 1, 64),
    device: values.device,
    out: values.out ?? ".",
    replay: values.replay,
    scenario: values.scenario,
    json: values.json ?? false,
    target: values.target,
    corpus: values.corpus,
    score: values.score ?? false,
    speed: values.speed ?? false,
    all: values.all ?? false,
    only: values.only,
    from: number("from", 0, 0, 64),
    step: number("step", 1, 1, 64),
  };
}

async function load(
  fuzz: Fuzz,
  name: string,
  device: string | undefined,
): Promise<{ readonly driver: FuzzDriver; readonly check: ScenarioCheck | undefined }> {
  const ours = fuzz.BUILT_IN_DRIVERS.find((one) => one.name === name);
  if (ours !== undefined) return { driver: ours, check: undefined };
  if (isCompiled(name)) return { driver: (await loadCompiled(name, device)) as FuzzDriver, check: undefined };
  const path = resolve(name);
  if (!existsSync(path)) {
    const names = fuzz.BUILT_IN_DRIVERS.map((one) => one.name).join(", ");
    throw new UsageError(`there is no file ${path}, and no driver of that name (${names})`);
  }
  let module: object;
  try {
    module = (await import(pathToFileURL(path).href)) as object;
  } catch (error) {
    throw new UsageError(`${name} cannot be imported: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    return fuzz.driverOf(module);
  } catch (error) {
    if (error instanceof ShmemError) throw new UsageError(error.message);
    throw error;
  }
}

function scenarioGiven(fuzz: Fuzz, given: FuzzArguments): Scenario | undefined {
  const { scenario, replay: file } = given;
  if (scenario !== undefined) {
    if (!/^(?:[0-9a-f]{2})*$/i.test(scenario)) throw new UsageError("--scenario takes bytes in hexadecimal");
    return fuzz.decodeScenario(Uint8Array.from(scenario.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));
  }
  if (file === undefined) return undefined;
  let text: Buffer;
  try {
    text = readFileSync(file);
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    const { scenario: hex } = JSON.parse(text.toString("utf8")) as { readonly scenario: string };
    return fuzz.decodeScenario(Uint8Array.from(Buffer.from(hex, "hex")));
  } catch {
    return fuzz.decodeScenario(text); // Any bytes are a scenario: a corpus file of another fuzzer is none the worse for it.
  }
}

async function replay(
  fuzz: Fuzz,
  driver: FuzzDriver,
  check: ScenarioCheck | undefined,
  scenario: Scenario,
  given: FuzzArguments,
  io: CommandIo,
): Promise<number> {
  const player = new fuzz.ScenarioPlayer(driver, check === undefined ? {} : { check });
  const { text, finding } = await fuzz.reproduce(player, scenario);
  if (given.json)
    io.out(`${JSON.stringify({ driver: driver.name, scenario: fuzz.scenarioToHex(scenario), finding }, null, 2)}\n`);
  else io.out(finding === null ? `${text}nothing is wrong in this scenario\n` : text);
  return finding === null ? EXIT.clean : EXIT.findings;
}

/** One thread's search, with a progress line, until time is up or Ctrl-C. */
async function search(
  fuzz: Fuzz,
  driver: FuzzDriver,
  check: ScenarioCheck | undefined,
  given: FuzzArguments,
  io: CommandIo,
  started: number,
): Promise<FuzzReport> {
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
  };
  if (isMainThread) process.once("SIGINT", interrupt);
  let shown = started;
  const goOn = async (progress: SearchProgress): Promise<boolean> => {
    if ((progress.runs & 31) !== 0) return true;
    const now = performance.now();
    if (now - shown > 250) {
      shown = now;
      const line = progressLine(progress, now - started);
      if (!isMainThread)
        parentPort?.postMessage({
          runs: progress.runs,
          states: progress.states.size,
          situations: progress.situations,
          lastNewState: progress.lastNewState,
        });
      else if (io.progress && !given.json) io.err(`\r${line.slice(0, io.columns - 1).padEnd(io.columns - 1)}`);
      await new Promise((done) => setImmediate(done)); // Signals and messages are heard between turns.
    }
    return !interrupted && now - started < given.seconds * 1000;
  };
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0; // Refusals are ordinary here, and a stack costs more than a scenario.
  try {
    return await fuzz.fuzzDriver(driver, {
      seed: given.seed,
      search: given.search,
      runs: given.runs,
      bound: given.bound,
      from: given.from,
      step: given.step,
      check,
      goOn,
    });
  } finally {
    Error.stackTraceLimit = limit;
    if (isMainThread) process.removeListener("SIGINT", interrupt);
    if (io.progress && !given.json) io.err(`\r${" ".repeat(io.columns - 1)}\r`);
  }
}

function progressLine(progress: SearchProgress, elapsedMs: number): string {
  const rate = Math.round((progress.runs * 1000) / Math.max(1, elapsedMs));
  return `${progress.runs} scenarios, ${rate}/s, ${progress.states.size} states, ${progress.situations} situations, last new state in scenario ${progress.lastNewState}`;
}

function show(fuzz: Fuzz, report: FuzzReport, given: FuzzArguments, io: CommandIo, elapsedMs: number): number {
  const seconds = Math.round(elapsedMs) / 1000;
  const rate = Math.round(report.runs / Math.max(0.001, seconds));
  if (given.json) {
    io.out(`${JSON.stringify({ ...report, timing: { seconds, runsPerSecond: rate } }, null, 2)}\n`);
    return report.found === null ? EXIT.clean : EXIT.findings;
  }
  const counts = `${report.runs} scenarios in ${seconds} s (${rate}/s), ${report.situations} situations, ${report.states} different states, the last new one in scenario ${report.lastNewState}`;
  if (report.found === null) {
    const bound =
      report.exhausted === undefined
        ? ""
        : report.exhausted
          ? ", the bound is exhausted"
          : ", the bound is not exhausted";
    io.out(`${report.driver}: nothing found. ${counts}${bound}\n`);
    return EXIT.clean;
  }
  const { found } = report;
  io.out(found.reproduction);
  io.out(`\nfound in scenario ${found.position} by ${found.by}; ${counts}\n`);
  const shrunk = `${found.original.events.length} events shrunk to ${found.scenario.events.length}`;
  const commandLine = `ndis-shmem fuzz ${given.driver} --scenario ${found.hex}`;
  io.out(`${shrunk}; again:  ${commandLine}\n`);
  if (isMainThread) for (const path of writeFiles(fuzz, report, given, commandLine)) io.out(`wrote ${path}\n`);
  return EXIT.findings;
}

/** The replay file and a test for each framework. A driver of ours is imported by name, which only we can. */
function writeFiles(fuzz: Fuzz, report: FuzzReport, given: FuzzArguments, commandLine: string): string[] {
  const { found } = report;
  if (found === null || given.driver === undefined) return [];
  const folder = resolve(given.out);
  mkdirSync(folder, { recursive: true });
  const base = `${report.driver.replace(/[^\w-]+/g, "-")}-${found.finding.rule}`;
  const files = [
    [
      `${base}.replay.json`,
      `${JSON.stringify({ driver: given.driver, seed: report.seed, search: found.by, position: found.position, rule: found.finding.rule, scenario: found.hex, events: found.scenario.events }, null, 2)}\n`,
    ],
  ];
  if (existsSync(resolve(given.driver)) && !isCompiled(given.driver)) {
    const path = relative(folder, resolve(given.driver)).replaceAll("\\", "/");
    const specifier = path.startsWith(".") ? path : `./${path}`;
    const text = (framework: "uvu" | "node:test"): string =>
      fuzz.testSource(found.scenario, found.finding, specifier, framework, commandLine);
    files.push([`${base}.test.mjs`, text("node:test")], [`${base}.uvu.mjs`, text("uvu")]);
  }
  return files.map(([name, text]) => {
    writeFileSync(join(folder, name as string), text as string);
    return relative(process.cwd(), join(folder, name as string));
  });
}
