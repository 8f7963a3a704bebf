/**
 * fuzzDriver: look for a life in which a driver goes wrong, and tell the shortest one.
 *
 *     search ─► life that goes wrong ─► shrink ─► story, seed line, test file
 */
import { type NdisChoices, ShmemError } from "../../bindings/index.js";
import { decodeLife, type Life } from "./life.js";
import type { DriverFinding, LifeCheck } from "./life-judge.js";
import type { FuzzDriver } from "./life-machine.js";
import { LifePlayer, type Played } from "./life-player.js";
import {
  type FoundLife,
  newProgress,
  SEARCHES,
  type SearchName,
  type SearchProgress,
  searchRandom,
  searchSweep,
  searchSystematic,
} from "./search.js";
import { shrinkLife } from "./shrink-life.js";
import { lifeToHex, tellLife } from "./story.js";

/** Options of `fuzzDriver`. An unknown key is `INVALID_ARGUMENT`. */
export interface FuzzOptions {
  /** An integer, 0 to 2^53 - 1. Default 1. */
  readonly seed?: number;
  /** `"all"` (default): random lives, a sweep over the first ones, then random lives from there on. */
  readonly search?: SearchName | "all";
  /** Lives at most. Default 20,000. */
  readonly runs?: number;
  /** systematic: events in a life at most. Default 4. */
  readonly bound?: number;
  /** systematic: leave a state once only. Default true. */
  readonly cut?: boolean;
  /** The machine's choices, but for `policy`. */
  readonly choices?: Partial<NdisChoices>;
  /** What must hold besides every rule: returns, or throws, what is wrong. */
  readonly check?: LifeCheck | undefined;
  /** Random lives: the first, and how far apart. For several workers on one seed. Defaults 0 and 1. */
  readonly from?: number;
  readonly step?: number;
  /** Called after each life; false ends the search. */
  readonly goOn?: (progress: SearchProgress) => boolean | Promise<boolean>;
}

const KEYS: readonly string[] = ["seed", "search", "runs", "bound", "cut", "choices", "check", "from", "step", "goOn"];

/** What a search found. */
export interface FuzzReport {
  readonly driver: string;
  readonly seed: number;
  readonly search: SearchName | "all";
  readonly runs: number;
  /** Events of lives, and of the machine in them. */
  readonly events: number;
  /** Different states at the ends of lives. */
  readonly states: number;
  /** Different situations that the driver was in: see situations.ts. */
  readonly situations: number;
  readonly lastNewState: number;
  /** systematic: whether every life up to the bound was tried. */
  readonly exhausted: boolean | undefined;
  /** Null where nothing was found. */
  readonly found: {
    readonly finding: DriverFinding;
    /** As it was met, and as short as it could be made. */
    readonly original: Life;
    readonly life: Life;
    readonly run: number;
    readonly by: SearchName;
    /** The life step by step. */
    readonly story: string;
    /** Bytes of the life in hexadecimal: `ndis-shmem fuzz DRIVER --life HEX`. */
    readonly hex: string;
  } | null;
}

const DEFAULT_RUNS = 20_000;
const SWEPT_LIVES = 6;
/** Random lives before the sweep. */
const FIRST_LIVES = 256;
const DEFAULT_BOUND = 4;

/** Explore what the machine may do to a driver. Everything is decided by the seed. */
export async function fuzzDriver(driver: FuzzDriver, options: FuzzOptions = {}): Promise<FuzzReport> {
  for (const key of Object.keys(options)) if (!KEYS.includes(key)) refuse(key, key);
  const { seed = 1, search = "all", runs = DEFAULT_RUNS, bound = DEFAULT_BOUND } = options;
  if (!Number.isSafeInteger(seed) || seed < 0) refuse("seed", seed);
  if (search !== "all" && !SEARCHES.includes(search)) refuse("search", search);
  if (!Number.isSafeInteger(runs) || runs < 1) refuse("runs", runs);
  const player = new LifePlayer(driver, {
    ...(options.choices === undefined ? {} : { choices: options.choices }),
    ...(options.check === undefined ? {} : { check: options.check }),
  });
  const progress = newProgress();
  let stopped = false;
  const goOn = async (): Promise<boolean> => {
    if ((await options.goOn?.(progress)) === false || progress.runs >= runs) stopped = true;
    return !stopped;
  };
  let found: FoundLife | undefined;
  let by: SearchName = "random";
  const { from = 0, step = 1, cut = true } = options;
  // Most bugs are found by the first random lives; what only one failure in a hundred shows is left to the sweep.
  const before = from + FIRST_LIVES * step;
  const random = (first: number, most: number): Promise<FoundLife | undefined> =>
    searchRandom(player, seed, most, progress, goOn, first, step);
  const sweep = (lives: number): Promise<FoundLife | undefined> => searchSweep(player, seed, lives, progress, goOn);
  const all: readonly (readonly [SearchName, () => Promise<FoundLife | undefined>])[] = [
    ["random", () => random(from, before)],
    // Of several workers one sweeps.
    ...(from === 0 ? [["sweep", () => sweep(SWEPT_LIVES)] as const] : []),
    ["random", () => random(before, Number.POSITIVE_INFINITY)],
  ];
  const one: Readonly<Record<SearchName, () => Promise<FoundLife | undefined>>> = {
    random: () => random(from, Number.POSITIVE_INFINITY),
    sweep: () => sweep(runs),
    systematic: () => searchSystematic(player, bound, progress, goOn, cut),
  };
  for (const [name, go] of search === "all" ? all : [[search, one[search]] as const]) {
    if (found !== undefined || stopped) break;
    by = name;
    found = await go();
  }
  const { events, states, situations, lastNewState, exhausted } = progress;
  const common = {
    driver: driver.name,
    seed,
    search,
    runs: progress.runs,
    events,
    states: states.size,
    situations,
    lastNewState,
    exhausted,
  };
  if (found === undefined) return { ...common, found: null };
  const small = await shrinkLife(player, found);
  const { text } = await tellLife(player, small.life);
  return {
    ...common,
    found: {
      finding: small.finding,
      original: found.life,
      life: small.life,
      run: found.run,
      by,
      story: text,
      hex: lifeToHex(small.life),
    },
  };
}

/** Play one life. */
export function replayLife(
  driver: FuzzDriver,
  life: Life | Uint8Array,
  options: Pick<FuzzOptions, "choices" | "check"> = {},
): Promise<Played> {
  const player = new LifePlayer(driver, {
    ...(options.choices === undefined ? {} : { choices: options.choices }),
    ...(options.check === undefined ? {} : { check: options.check }),
  });
  return player.play(life instanceof Uint8Array ? decodeLife(life) : life);
}

/** The driver (and check) of a module: its export `driver`, or its default export, and its export `check`. */
export function driverOf(module: object): { readonly driver: FuzzDriver; readonly check: LifeCheck | undefined } {
  const exported = module as { readonly driver?: unknown; readonly default?: unknown; readonly check?: unknown };
  const driver = exported.driver ?? exported.default;
  if (!isDriver(driver)) {
    throw new ShmemError(
      "INVALID_ARGUMENT",
      "the module exports no driver: { name, DriverEntry } as `driver` or by default",
      {
        field: "driver",
        value: driver,
      },
    );
  }
  const { check } = exported;
  return { driver, check: typeof check === "function" ? (check as LifeCheck) : undefined };
}

function isDriver(value: unknown): value is FuzzDriver {
  if (typeof value !== "object" || value === null) return false;
  const { name, DriverEntry } = value as { readonly name?: unknown; readonly DriverEntry?: unknown };
  return typeof name === "string" && typeof DriverEntry === "function";
}

function refuse(field: string, value: unknown): never {
  throw new ShmemError("INVALID_ARGUMENT", `${field} cannot be ${String(value)}`, { field, value });
}
