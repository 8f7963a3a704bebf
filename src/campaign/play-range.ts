/**
 * Playing a range of scenarios in this thread.
 *
 *     search of the fuzzer ─► scenario at a position ─► player ─► state, situations, finding ─► piece, every 256 positions
 *
 * Pieces are cut by position, never by time, so a range comes to the same classes, counts and reproductions however fast the
 * machine is. The first scenario of each class in a job is shrunk; the others are counted.
 *
 * A range may begin in the middle of a base scenario of a sweep, or of a systematic search, after the thread before was
 * lost. What a search gives next depends there on what came before, so the search begins at the last place where it does
 * not, and the scenarios up to `from` are played and not counted.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { deviceOptions, loadC } from "../c/index.js";
import {
  BUILT_IN_DRIVERS,
  type DriverFinding,
  driverOf,
  type FoundScenario,
  type FuzzDriver,
  findingClass,
  randomSearch,
  reproduce,
  type Scenario,
  type ScenarioCheck,
  ScenarioPlayer,
  type Search,
  SWEEP_STRIDE,
  scenarioToHex,
  shrinkScenario,
  stateNumber,
  sweepSearch,
  systematicSearch,
} from "../fuzz/index.js";
import type { FindingClass } from "./findings.js";
import type { Assignment, Piece } from "./messages.js";
import type { JobData } from "./plan.js";

/** A driver that can be played. */
export interface Subject {
  readonly driver: FuzzDriver;
  readonly check: ScenarioCheck | undefined;
}

/** What a range asks of its caller. */
export interface RangeCalls {
  /** The scenario at this position is about to be played. */
  playing(position: number): void;
  /** The bytes of that scenario, where the assignment wants them told. */
  tell(bytes: string): void;
  /** Some of it is done. */
  piece(piece: Piece): void;
}

/** Scenarios in a piece. */
const PIECE = 256;

/** Import the driver of an assignment once more, so that nothing of an earlier job is left in its module. */
export async function loadSubject({ manifest, folder, fresh }: Assignment): Promise<Subject> {
  const builtIn = BUILT_IN_DRIVERS.find((driver) => driver.name === manifest.entry);
  if (Object.keys(manifest.files).length === 0) {
    if (builtIn === undefined) throw new Error(`this version has no driver ${manifest.entry}`);
    return { driver: builtIn, check: undefined };
  }
  const path = join(folder, manifest.entry);
  if (extname(path) === ".wasm") {
    const device = pathToFileURL(join(folder, manifest.device ?? "")).href;
    const options = deviceOptions((await import(`${device}?${fresh}`)) as object);
    const driver = loadC(readFileSync(path), { name: basename(path, ".wasm"), ...options });
    return { driver: driver as FuzzDriver, check: undefined };
  }
  if (extname(path) === ".cjs") {
    const require = createRequire(path);
    delete require.cache[path];
    return driverOf(require(path) as object);
  }
  return driverOf((await import(`${pathToFileURL(path).href}?${fresh}`)) as object);
}

/** The search of a job, from the last place at or before `from` that does not depend on what came before. */
function searchOf(job: JobData, from: number, to: number, bound: number): Search {
  if (job.search === "random") return randomSearch(job.seed, from, to, 1);
  if (job.search === "sweep")
    return sweepSearch(job.seed, Math.floor(from / SWEEP_STRIDE), Math.ceil(to / SWEEP_STRIDE));
  return systematicSearch(bound);
}

/** A scenario that is not played, because it ends its thread. The sweep goes on to the next failure. */
const SKIPPED = { failed: true, opportunities: Number.MAX_SAFE_INTEGER, state: "" } as const;

/** Play positions `from` to below `to` of a job, but for those of `skip`. */
export async function playRange(subject: Subject, assignment: Assignment, calls: RangeCalls): Promise<void> {
  const { job, from, to, bound, choices } = assignment;
  const open = (): ScenarioPlayer =>
    new ScenarioPlayer(subject.driver, {
      choices,
      ...(subject.check === undefined ? {} : { check: subject.check }),
    });
  const player = open();
  // Shrinking plays scenarios that belong to no range: their situations are not those of the campaign.
  let shrinking: ScenarioPlayer | undefined;
  const skip = new Set(assignment.skip);
  const known = new Set(assignment.known);
  const told = new Set<number>();
  const late = new LateExceptions();
  let piece = new PieceBuilder(job);
  const search = searchOf(job, from, to, bound);
  player.exact = search.exact;
  let before: Parameters<Search["next"]>[0];
  let last: { readonly scenario: Scenario; readonly position: number } | undefined;
  for (let planned = search.next(undefined); planned !== undefined; planned = search.next(before)) {
    const { scenario, position } = planned;
    if (position >= to) break;
    if (skip.has(position)) {
      before = SKIPPED;
      continue;
    }
    if (assignment.tell && position >= from) calls.tell(scenarioToHex(scenario));
    calls.playing(position);
    const { finding, state, opportunities, events } = await player.play(scenario);
    before = { failed: finding !== null, opportunities, state };
    if (position < from) continue;
    piece.scenarios++;
    piece.events += events;
    const number = stateNumber(state);
    if (!told.has(number)) {
      told.add(number);
      piece.states.push(number);
    }
    if (finding !== null) {
      piece.found(finding, scenario, position);
      const key = findingClass(finding);
      if (!known.has(key)) {
        known.add(key);
        shrinking ??= open();
        await piece.shrink(key, shrinking, { scenario, finding, by: job.search, position }, assignment.folder);
      }
    }
    last = { scenario, position };
    if (piece.scenarios >= PIECE) {
      await new Promise((done) => setImmediate(done)); // Messages leave, and what a driver set for later happens now.
      late.take(piece, last);
      calls.piece(piece.made(position + 1, player, false));
      piece = new PieceBuilder(job);
    } else late.take(piece, last);
  }
  // What a driver set for now or the next millisecond happens before the range is said to be through.
  await new Promise((done) => setTimeout(done, 2));
  late.take(piece, last);
  late.close();
  calls.piece(piece.made(to, player, true));
}

/**
 * Exceptions that nobody waited for: of a timer, a microtask or a promise of the driver's own. They would end the thread, and
 * the scenario would be guessed from where it was by then; here they belong to the scenario that was played last.
 */
class LateExceptions {
  #message: string | undefined;
  readonly #note = (error: unknown): void => {
    this.#message ??= error instanceof Error ? (error.stack ?? error.message) : String(error);
  };

  constructor() {
    process.on("uncaughtException", this.#note);
    process.on("unhandledRejection", this.#note);
  }

  take(piece: PieceBuilder, last: { readonly scenario: Scenario; readonly position: number } | undefined): void {
    if (this.#message === undefined || last === undefined) return;
    const message = `the driver threw when nobody waited for it: ${this.#message}`;
    this.#message = undefined;
    piece.found({ rule: "DriverEndsThread", code: "THROW", call: "", message }, last.scenario, last.position);
  }

  close(): void {
    process.removeListener("uncaughtException", this.#note);
    process.removeListener("unhandledRejection", this.#note);
  }
}

class PieceBuilder {
  readonly #job: JobData;
  scenarios = 0;
  events = 0;
  readonly states: number[] = [];
  readonly #findings = new Map<string, FindingClass>();

  constructor(job: JobData) {
    this.#job = job;
  }

  found(
    finding: Pick<DriverFinding, "rule" | "code" | "call" | "message">,
    scenario: Scenario,
    position: number,
  ): void {
    const key = findingClass(finding);
    const before = this.#findings.get(key);
    if (before !== undefined) {
      this.#findings.set(key, { ...before, count: before.count + 1 });
      return;
    }
    const { search, seed } = this.#job;
    this.#findings.set(key, {
      rule: finding.rule,
      code: finding.code,
      call: finding.call,
      count: 1,
      first: { search, seed, scenario: position, bytes: scenarioToHex(scenario) },
      message: finding.message,
      // What ends a thread is not shrunk, since a try of it would end this one.
      reproductions:
        finding.rule === "DriverEndsThread" ? [{ bytes: scenarioToHex(scenario), text: `${finding.message}\n` }] : [],
    });
  }

  /** `root`: where the driver lies on this machine, which no reproduction may name. */
  async shrink(key: string, player: ScenarioPlayer, found: FoundScenario, root: string): Promise<void> {
    const short = await shrinkScenario(player, found);
    const { text } = await reproduce(player, short.scenario, { root });
    const before = this.#findings.get(key);
    if (before === undefined) return;
    this.#findings.set(key, { ...before, reproductions: [{ bytes: scenarioToHex(short.scenario), text }] });
  }

  made(upTo: number, player: ScenarioPlayer, ended: boolean): Piece {
    return {
      type: "piece",
      upTo,
      scenarios: this.scenarios,
      events: this.events,
      states: Float64Array.from(this.states),
      situations: player.situations.toBits(),
      findings: [...this.#findings.values()],
      ended,
    };
  }
}
