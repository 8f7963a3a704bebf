/**
 * fuzzDriver: search for a scenario in which a driver goes wrong, and report the shortest one.
 *
 *     search ─► scenario that goes wrong ─► shrink ─► reproduction, scenario bytes, test file
 */
import { type NdisChoices, ShmemError } from "../../bindings/index.js";
import { type DriverFinding, findingClass } from "./player/checks.js";
import { ScenarioPlayer, type ScenarioResult } from "./player/player.js";
import { reproduce } from "./reports/reproduction.js";
import { decodeScenario, encodeScenario, type Scenario, scenarioToHex } from "./scenario/scenario.js";
import { corpusSearch } from "./searches/corpus.js";
import { newProgress, type SearchProgress } from "./searches/progress.js";
import { randomSearch } from "./searches/random.js";
import { type FoundScenario, runSearch } from "./searches/run.js";
import { type FoundBy, SEARCHES, type Search, type SearchName } from "./searches/search.js";
import { shrinkScenario } from "./searches/shrink.js";
import { sweepSearch } from "./searches/sweep.js";
import { systematicSearch } from "./searches/systematic.js";
import { type Drift, Witnesses } from "./searches/witnesses.js";
import type { ScenarioCheck } from "./subjects/check.js";
import type { FuzzDriver } from "./subjects/subject.js";

/** Options of `fuzzDriver`. An unknown key is `INVALID_ARGUMENT`. */
export interface FuzzOptions {
  /** An integer, 0 to 2^53 - 1. Default 1. */
  readonly seed?: number;
  /** `"all"` (default): random scenarios, a sweep over the first ones, then random scenarios from there on. */
  readonly search?: SearchName | "all";
  /** Scenarios at most, from 1. Default 20,000. */
  readonly runs?: number;
  /** systematic: events in a scenario at most, 1 to 20. Default 4. */
  readonly bound?: number;
  /** systematic: continue each state once only. Default true. */
  readonly cut?: boolean;
  /** The machine's choices, but for `policy`. */
  readonly choices?: Partial<NdisChoices>;
  /** What must hold besides every rule: returns, or throws, what is wrong. */
  readonly check?: ScenarioCheck | undefined;
  /** random: the number of the first scenario. sweep: the number of the first base scenario. From 0. Default 0. */
  readonly from?: number;
  /** random, sweep: the number at which the search ends, excluded. Default: no end. */
  readonly until?: number;
  /** random: how far scenarios are apart. For several workers on one seed. Default 1. */
  readonly step?: number;
  /** Classes (`findingClass`) that are counted and not reported as found: the search goes on. Default none. */
  readonly knownClasses?: readonly string[];
  /** Go on after every finding; `classes` of the report has the first of each class. Default false. */
  readonly keepGoing?: boolean;
  /** Shrink the first finding of each class that is not known. Default true. */
  readonly shrink?: boolean;
  /** Scenarios to be played before anything is drawn, as bytes: those that an earlier search gave to `onNew`. Default none. */
  readonly corpus?: readonly Uint8Array[];
  /** Called with the canonical bytes of each scenario that showed a situation that none before it has. */
  readonly onNew?: (scenario: Uint8Array) => void;
  /** Called before each scenario of the search with its position there: for a watchdog. */
  readonly onPlanned?: (by: FoundBy, position: number) => void;
  /** Called before each scenario that is played, those of shrinking included: for a watchdog. */
  readonly onBegin?: (scenario: Scenario) => void;
  /** Called before each step of a scenario: -1 for power-on, an index of its events, their number for the end. */
  readonly onStep?: (step: number) => void;
  /** Called after each scenario; false ends the search. */
  readonly goOn?: (progress: SearchProgress) => boolean | Promise<boolean>;
}

const KEYS: ReadonlySet<string> = new Set([
  ...["seed", "search", "runs", "bound", "cut", "choices", "check", "from", "until", "step"],
  ...["knownClasses", "keepGoing", "shrink", "corpus", "onNew", "onPlanned", "onBegin", "onStep", "goOn"],
]);

/** A finding and how to repeat it. */
export interface FoundReport {
  /** What is wrong, in the shrunk scenario. */
  readonly finding: DriverFinding;
  /** The scenario as it was met. */
  readonly original: Scenario;
  /** As short as it could be made; equal to `original` where `shrink` is false. */
  readonly scenario: Scenario;
  /** The search that found it, and the position of `original` there (docs/fuzzing.md). */
  readonly by: FoundBy;
  readonly position: number;
  /** `scenario` step by step, with the machine's log. */
  readonly reproduction: string;
  /**
   * Whether it was found again when the same scenario was played again. Where it was not, `scenario` is not shrunk and
   * the reproduction shows nothing wrong: the driver keeps state from scenario to scenario.
   */
  readonly repeats: boolean;
  /** Bytes of `scenario` in hexadecimal: `ndis-shmem fuzz DRIVER --scenario HEX`. */
  readonly hex: string;
}

/** Findings of one class. */
export interface FindingClass {
  /** `findingClass` of them. */
  readonly key: string;
  /** How many scenarios of the search showed it. */
  readonly count: number;
  /** The one with the least position of the search that met it first. */
  readonly first: {
    readonly by: FoundBy;
    readonly position: number;
    readonly finding: DriverFinding;
    /** Canonical bytes of that scenario, not shrunk, in hexadecimal. */
    readonly hex: string;
  };
  /** The first one shrunk; null where the class is known or `shrink` is false. */
  readonly report: FoundReport | null;
}

/** States and situations that a search has shown, in a form that merges with that of other searches. */
export class Coverage {
  /** `stateNumber` of each state; a million at most. Merged by union. */
  readonly stateNumbers: ReadonlySet<number>;
  /** One bit for each situation, 152 bytes. Merged by `or`. */
  readonly situationBits: Uint8Array;

  constructor(stateNumbers: ReadonlySet<number>, situationBits: Uint8Array) {
    this.stateNumbers = stateNumbers;
    this.situationBits = situationBits;
  }

  /** Counts in place of a million numbers. */
  toJSON(): { readonly states: number; readonly situationBits: string } {
    const situationBits = Array.from(this.situationBits, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return { states: this.stateNumbers.size, situationBits };
  }
}

/** What a search found. */
export interface FuzzReport {
  /** The driver's name. */
  readonly driver: string;
  readonly seed: number;
  readonly search: SearchName | "all";
  /** Scenarios played, shrinking not counted. */
  readonly runs: number;
  /** Events of scenarios, and of the machine in them. */
  readonly events: number;
  /** Different states at the ends of scenarios. */
  readonly states: number;
  /** Different situations that the driver was in: see player/situations.ts. */
  readonly situations: number;
  /** The run, from 0, that showed the last new state. */
  readonly lastNewState: number;
  /** systematic: whether every scenario up to the bound was tried; undefined for the others. */
  readonly exhausted: boolean | undefined;
  /** What the numbers above count, to be merged with that of other searches. In JSON: counts and bits. */
  readonly coverage: Coverage;
  /** The first finding of a class that is not known; null where there was none. */
  readonly found: FoundReport | null;
  /** What the driver keeps from scenario to scenario, where that was noticed: null where not. */
  readonly drift: Drift | null;
  /** Every class that was met, in the order of their first findings. */
  readonly classes: readonly FindingClass[];
}

const DEFAULT_RUNS = 20_000;
/** Base scenarios of the sweep inside of `"all"`. */
const SWEPT_SCENARIOS = 6;
/** Random scenarios before that sweep: most bugs are found by the first ones. */
const FIRST_SCENARIOS = 256;
const DEFAULT_BOUND = 4;
const MOST_BOUND = 20;

/** Explore what the machine may do to a driver. Everything is decided by the seed. */
export async function fuzzDriver(driver: FuzzDriver, options: FuzzOptions = {}): Promise<FuzzReport> {
  for (const key of Object.keys(options)) if (!KEYS.has(key)) refuse(key, key);
  const { seed = 1, search = "all", runs = DEFAULT_RUNS, bound = DEFAULT_BOUND, from = 0, step = 1 } = options;
  const { until = Number.POSITIVE_INFINITY, cut = true, keepGoing = false, shrink = true } = options;
  integer("seed", seed, 0, Number.MAX_SAFE_INTEGER);
  integer("runs", runs, 1, Number.MAX_SAFE_INTEGER);
  integer("bound", bound, 1, MOST_BOUND);
  integer("from", from, 0, Number.MAX_SAFE_INTEGER);
  integer("step", step, 1, Number.MAX_SAFE_INTEGER);
  if (until !== Number.POSITIVE_INFINITY) integer("until", until, from, Number.MAX_SAFE_INTEGER);
  if (search !== "all" && !SEARCHES.includes(search)) refuse("search", search);
  const player = playerOf(driver, options);
  const progress = newProgress();
  const classes = new ClassCounts(new Set(options.knownClasses ?? []));
  const calls = {
    goOn: async (): Promise<boolean> => (await options.goOn?.(progress)) !== false && progress.runs < runs,
    found: (found: FoundScenario): boolean => {
      const isKnown = classes.note(found);
      return isKnown || keepGoing;
    },
    planned: (by: FoundBy, position: number): void => options.onPlanned?.(by, position),
    shown: (scenario: Scenario): void => options.onNew?.(encodeScenario(scenario)),
  };
  const witnesses = new Witnesses(player);
  const corpus = (options.corpus ?? []).map(decodeScenario);
  let exhausted: boolean | undefined;
  const searches = plan(search, { seed, from, until, step, bound, cut });
  for (const open of corpus.length === 0 ? searches : [() => corpusSearch(corpus), ...searches]) {
    const one = open();
    const isThrough = await runSearch(player, one, progress, calls, witnesses);
    if (one.name === "systematic") exhausted = isThrough;
    if (!isThrough) break;
  }
  await witnesses.check(progress.runs);
  const { events, states, situations, lastNewState } = progress;
  const counts = { runs: progress.runs, events, states: states.size, situations, lastNewState, exhausted };
  const coverage = new Coverage(states, player.situations.bits.slice());
  const written = await classes.report(async (found) => reportOf(player, found, shrink));
  const found = written.find((one) => one.report !== null)?.report ?? null;
  return { driver: driver.name, seed, search, ...counts, coverage, found, drift: witnesses.drift, classes: written };
}

interface Range {
  readonly seed: number;
  readonly from: number;
  readonly until: number;
  readonly step: number;
  readonly bound: number;
  readonly cut: boolean;
}

/** The searches that are run one after the other. */
function plan(search: SearchName | "all", range: Range): readonly (() => Search)[] {
  const { seed, from, until, step, bound, cut } = range;
  const afterFirst = Math.min(until, from + FIRST_SCENARIOS * step);
  switch (search) {
    case "random":
      return [() => randomSearch(seed, from, until, step)];
    case "sweep":
      return [() => sweepSearch(seed, from, until)];
    case "systematic":
      return [() => systematicSearch(bound, cut)];
    default:
      return [
        () => randomSearch(seed, from, afterFirst, step),
        // Of several workers the first one sweeps.
        ...(from === 0 ? [() => sweepSearch(seed, 0, SWEPT_SCENARIOS)] : []),
        () => randomSearch(seed, afterFirst, until, step),
      ];
  }
}

/** Findings by class. */
class ClassCounts {
  readonly #known: ReadonlySet<string>;
  readonly #met: Map<string, { count: number; first: FoundScenario }> = new Map();

  constructor(known: ReadonlySet<string>) {
    this.#known = known;
  }

  /** Count a finding. Returns whether its class is a known one. */
  note(found: FoundScenario): boolean {
    const key = findingClass(found.finding);
    const met = this.#met.get(key);
    if (met === undefined) this.#met.set(key, { count: 1, first: found });
    else {
      met.count++;
      if (found.by === met.first.by && found.position < met.first.position) met.first = found;
    }
    return this.#known.has(key);
  }

  async report(write: (found: FoundScenario) => Promise<FoundReport>): Promise<FindingClass[]> {
    const written: FindingClass[] = [];
    for (const [key, { count, first }] of this.#met) {
      const { by, position, finding, scenario } = first;
      const report = this.#known.has(key) ? null : await write(first);
      written.push({ key, count, first: { by, position, finding, hex: scenarioToHex(scenario) }, report });
    }
    return written;
  }
}

async function reportOf(player: ScenarioPlayer, found: FoundScenario, shrink: boolean): Promise<FoundReport> {
  const { by, position, scenario: original } = found;
  const key = findingClass(found.finding);
  const { finding: again } = await player.play(original);
  const repeats = again !== null && findingClass(again) === key;
  const { scenario } = shrink && repeats ? await shrinkScenario(player, found) : found;
  const { text, finding } = await reproduce(player, scenario);
  // The last play keeps stacks, which the search does not.
  const last = finding !== null && findingClass(finding) === key ? finding : found.finding;
  return { finding: last, original, scenario, by, position, reproduction: text, repeats, hex: scenarioToHex(scenario) };
}

/** Play one scenario, given as an object or as bytes. */
export function replayScenario(
  driver: FuzzDriver,
  scenario: Scenario | Uint8Array,
  options: Pick<FuzzOptions, "choices" | "check"> = {},
): Promise<ScenarioResult> {
  return playerOf(driver, options).play(scenario instanceof Uint8Array ? decodeScenario(scenario) : scenario);
}

function playerOf(
  driver: FuzzDriver,
  { choices, check, onBegin, onStep }: Pick<FuzzOptions, "choices" | "check" | "onBegin" | "onStep">,
): ScenarioPlayer {
  return new ScenarioPlayer(driver, {
    ...(onBegin === undefined ? {} : { begin: onBegin }),
    ...(onStep === undefined ? {} : { step: onStep }),
    ...(choices === undefined ? {} : { choices }),
    ...(check === undefined ? {} : { check }),
  });
}

function integer(field: string, value: unknown, least: number, most: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most) {
    throw new ShmemError("INVALID_ARGUMENT", `${field} is an integer from ${least} to ${most}, not ${String(value)}`, {
      field,
      value,
    });
  }
}

function refuse(field: string, value: unknown): never {
  throw new ShmemError("INVALID_ARGUMENT", `${field} cannot be ${String(value)}`, { field, value });
}
