/**
 * The program of a player thread (dist/fuzz-worker.js): loads the driver, plays one task after the other, says what came of
 * each.
 *
 * The driver's code runs here and nowhere else, so that a handler that never returns, an exit, or a full heap ends this
 * thread and not the command. What this thread throws by itself is said as a `fault`; an error that reaches nobody is the
 * driver's, thrown late, and is left to the watching thread.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { FuzzOptions, ScenarioPlayer } from "../../fuzz/index.js";
import { UsageError } from "../command.js";
import { type LoadedDriver, loadDriver } from "./driver-module.js";
import { LineCoverage } from "./line-coverage.js";
import { CALL_PROBE } from "./spin.js";
import { type Message, type Task, type ThreadData, Watched } from "./thread-protocol.js";

const { driver, device, shared } = workerData as ThreadData;
const watched = new Watched(shared);
/** Scenarios between two looks at the clock. */
const LOOK_EVERY = 32;
const PROGRESS_MS = 250;

/** A turn of the host's event loop: what the driver left to it happens, and errors in it are heard. */
function hostTurn(): Promise<void> {
  return new Promise((done) => setTimeout(done, 1));
}

function say(message: Message): void {
  parentPort?.postMessage(message);
}

async function search(
  loaded: LoadedDriver,
  given: Extract<Task, { what: "search" }>,
  lines: LineCoverage | null,
): Promise<void> {
  const { fuzz } = loaded;
  const began = performance.now();
  let shown = began;
  const options: FuzzOptions = {
    seed: given.seed,
    search: given.search,
    runs: given.runs,
    bound: given.bound,
    from: given.from,
    ...(given.until === null ? {} : { until: given.until }),
    step: given.step,
    keepGoing: given.keepGoing,
    knownClasses: given.knownClasses,
    shrink: given.shrink,
    corpus: given.corpus.map(bytesOf),
    check: loaded.check,
    onNew: (scenario) => say({ type: "new", scenario: Buffer.from(scenario).toString("hex") }),
    onPlanned: (by, position) => watched.planned(by, position),
    onBegin: (scenario) => watched.begin(fuzz.encodeScenario(scenario)),
    onStep: (step) => {
      watched.step = step;
    },
    goOn: (progress) => {
      if (watched.stopped) return false;
      if ((progress.runs & (LOOK_EVERY - 1)) !== 0) return true;
      const now = performance.now();
      const isInTime = now - began < given.seconds * 1000;
      if (now - shown <= PROGRESS_MS && progress.runs !== LOOK_EVERY) return isInTime;
      shown = now;
      const { runs, situations, lastNewState } = progress;
      say({ type: "progress", runs, states: progress.states.size, situations, lastNewState });
      return hostTurn().then(() => isInTime);
    },
  };
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0; // Refusals are ordinary here, and a stack costs more than a scenario.
  const report = await fuzz.fuzzDriver(loaded.driver, options);
  Error.stackTraceLimit = limit;
  await hostTurn();
  const { coverage } = report;
  say({
    type: "report",
    report: structuredReport(report),
    stateNumbers: Float64Array.from(coverage.stateNumbers),
    situationBits: coverage.situationBits,
    lcov: lines === null ? null : await lines.finish(loaded.path),
  });
}

async function replay(
  loaded: LoadedDriver,
  given: Extract<Task, { what: "replay" }>,
  lines: LineCoverage | null,
): Promise<void> {
  const { fuzz } = loaded;
  const player: ScenarioPlayer = new fuzz.ScenarioPlayer(loaded.driver, {
    ...(loaded.check === undefined ? {} : { check: loaded.check }),
    begin: (scenario) => watched.begin(fuzz.encodeScenario(scenario)),
    step: (step) => {
      watched.step = step;
    },
  });
  const { text, finding } = await fuzz.reproduce(player, fuzz.decodeScenario(bytesOf(given.scenario)));
  await hostTurn();
  const replayed = { driver: loaded.driver.name, text, finding: plain(finding) };
  say({ type: "replayed", replayed, lcov: lines === null ? null : await lines.finish(loaded.path) });
}

/** A report without what no message can carry: the coverage goes beside it, violations hold the driver's own objects. */
function structuredReport<R extends object>(report: R): R {
  return plain(report);
}

function plain<T>(value: T): T {
  const seen = new WeakSet<object>();
  const text = JSON.stringify(value, (key, part: unknown) => {
    if (key === "violation") return undefined;
    if (typeof part === "bigint" || typeof part === "symbol" || typeof part === "function") return String(part);
    if (typeof part === "object" && part !== null) {
      if (seen.has(part) && key === "value") return "an object";
      seen.add(part);
    }
    return part;
  });
  return text === undefined ? value : (JSON.parse(text) as T);
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

/** The driver, loaded with the first task. */
let known: LoadedDriver | undefined;

async function play(task: Task): Promise<void> {
  try {
    // Counting begins before the module is imported, or what ran then would not count.
    const lines = task.lcov ? await LineCoverage.start() : null;
    known ??= await loadDriver(driver, device);
    const { fuzz } = known;
    (globalThis as Record<string, unknown>)[CALL_PROBE] = () => fuzz.runningCallName();
    if (task.what === "search") await search(known, task, lines);
    else await replay(known, task, lines);
  } catch (error) {
    if (error instanceof UsageError) say({ type: "refused", message: error.message });
    else say({ type: "fault", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

parentPort?.on("message", (task: Task) => void play(task));
