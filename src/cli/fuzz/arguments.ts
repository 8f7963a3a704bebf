/** What `ndis-shmem fuzz` was asked for: the options, read and checked. Each error names option, value and choices. */
import { parseArgs } from "node:util";
import { SEARCHES, type SearchName } from "../../fuzz/index.js";
import { parseInteger, UsageError } from "../command.js";

/** The whole of `--help`. */
export const HELP = `usage: ndis-shmem fuzz DRIVER [OPTIONS]
       ndis-shmem fuzz --target NAME|all [OPTIONS]
       ndis-shmem fuzz --score [--all] [--only PART]
       ndis-shmem fuzz --speed

Search for a scenario in which a driver goes wrong, and show the shortest one.
DRIVER is a module (ESM, CommonJS or TypeScript) that exports \`driver\`, or by
default, { name, DriverEntry, device?, settings?, arenaBytes?, addressing? },
or \`createDriver()\`, and may export \`check\`; or a DRIVER.wasm that
\`ndis-shmem cc\` made; or a driver of this package (e100bex, rtlnwifi, netkvm,
gvnic).

  --device FILE      with a DRIVER.wasm: the module with the model of its device

searching
  --seconds N        stop after N seconds (default 30, unless --runs is given)
  --runs N           stop after N scenarios
  --seed N           0 to 2^53 - 1 (default 1); one seed, one history
  --search NAME      all (default: random, a sweep, random), random,
                     sweep, systematic
  --bound N          systematic: events in a scenario, 1 to 20 (default 4)
  --from N --until N random, sweep: scenarios N to N - 1 of the seed
  --jobs N           player threads, 1 to 64 (default 1)
  --scenario-seconds N
                     a scenario that takes longer is a finding (default 10)
  --keep-going       go on after a finding; report one of each class
  --corpus DIR       play the scenarios of a folder first, and keep there what
                     shows something new

one scenario
  --replay FILE      play the scenario of a replay file, and show it
  --scenario HEX     play the scenario of these bytes, and show it
  --stop-at STEP     of it: halt under a debugger before step STEP (0 is
                     power-on)

reports
  --out DIR          where test and replay files go (default .)
  --json             one JSON object on stdout and nothing else
  --sarif FILE       the findings as SARIF 2.1.0
  --junit FILE       the findings as JUnit XML
  --github           the findings as annotations of GitHub Actions
  --lcov FILE        the lines of the driver that ran (slower)

the package itself
  --target NAME      a target by name (--target help lists them), or all
  --score            search for every planted bug (in a checkout); --all: with
                     every search; --only PART: bugs whose name contains it
  --speed            how much one thread plays in a second: every driver and
                     every target, --seconds N each (default 4)
  --help             this text

exit codes: 0 nothing found, 1 a finding, 2 usage or unreadable file,
            70 the fuzzer itself is at fault, 130 interrupted, nothing found
`;

const OPTIONS = {
  device: { type: "string" },
  seconds: { type: "string" },
  runs: { type: "string" },
  seed: { type: "string" },
  search: { type: "string" },
  bound: { type: "string" },
  from: { type: "string" },
  until: { type: "string" },
  jobs: { type: "string" },
  "scenario-seconds": { type: "string" },
  "keep-going": { type: "boolean" },
  corpus: { type: "string" },
  replay: { type: "string" },
  scenario: { type: "string" },
  "stop-at": { type: "string" },
  out: { type: "string" },
  json: { type: "boolean" },
  sarif: { type: "string" },
  junit: { type: "string" },
  github: { type: "boolean" },
  lcov: { type: "string" },
  target: { type: "string" },
  score: { type: "boolean" },
  speed: { type: "boolean" },
  all: { type: "boolean" },
  only: { type: "string" },
} as const;

const MAX_SEED = Number.MAX_SAFE_INTEGER;
const DEFAULT_SECONDS = 30;
const DEFAULT_SCENARIO_SECONDS = 10;
const NO_LIMIT_SECONDS = 1e9;
const NO_LIMIT_RUNS = 1e12;

/** See `HELP`. */
export interface FuzzArguments {
  readonly driver: string | undefined;
  /** Of a driver compiled from C: the module with the model of its device. */
  readonly device: string | undefined;
  readonly seconds: number;
  readonly runs: number;
  readonly seed: number;
  readonly search: SearchName | "all";
  readonly bound: number;
  readonly from: number;
  readonly until: number | null;
  readonly jobs: number;
  readonly scenarioSeconds: number;
  readonly keepGoing: boolean;
  readonly corpus: string | undefined;
  readonly replay: string | undefined;
  readonly scenario: string | undefined;
  readonly stopAt: number | undefined;
  readonly out: string;
  readonly json: boolean;
  readonly sarif: string | undefined;
  readonly junit: string | undefined;
  readonly github: boolean;
  readonly lcov: string | undefined;
  readonly target: string | undefined;
  readonly score: boolean;
  readonly speed: boolean;
  readonly all: boolean;
  readonly only: string | undefined;
}

/** Read the command line. `UsageError` for what is wrong with it. */
export function parseFuzzArguments(args: readonly string[]): FuzzArguments {
  let parsed: ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(explained(error));
  }
  const { values, positionals } = parsed;
  if (positionals.length > 1) throw new UsageError(`one DRIVER, not ${positionals.length}: ${positionals.join(", ")}`);
  const number = (name: keyof typeof OPTIONS, fallback: number, least: number, most: number): number => {
    const text = values[name];
    return typeof text === "string" ? parseInteger(`--${name}`, text, least, most) : fallback;
  };
  const search = values.search ?? "all";
  const choices = ["all", ...SEARCHES];
  if (!choices.includes(search)) throw new UsageError(`--search takes ${choices.join(", ")}, not \`${search}\``);
  const isLimited = values.runs !== undefined || values.speed === true || values.until !== undefined;
  const from = number("from", 0, 0, MAX_SEED);
  const given: FuzzArguments = {
    driver: positionals[0],
    device: values.device,
    seconds: number("seconds", isLimited ? NO_LIMIT_SECONDS : DEFAULT_SECONDS, 1, NO_LIMIT_SECONDS),
    runs: number("runs", NO_LIMIT_RUNS, 1, NO_LIMIT_RUNS),
    seed: number("seed", 1, 0, MAX_SEED),
    search: search as SearchName | "all",
    bound: number("bound", 4, 1, 20),
    from,
    until: values.until === undefined ? null : number("until", 0, from, MAX_SEED),
    jobs: number("jobs", 1, 1, 64),
    scenarioSeconds: number("scenario-seconds", DEFAULT_SCENARIO_SECONDS, 1, 86_400),
    keepGoing: values["keep-going"] ?? false,
    corpus: values.corpus,
    replay: values.replay,
    scenario: values.scenario,
    stopAt: values["stop-at"] === undefined ? undefined : number("stop-at", 0, 0, 10_001),
    out: values.out ?? ".",
    json: values.json ?? false,
    sarif: values.sarif,
    junit: values.junit,
    github: values.github ?? false,
    lcov: values.lcov,
    target: values.target,
    score: values.score ?? false,
    speed: values.speed ?? false,
    all: values.all ?? false,
    only: values.only,
  };
  refuseContradictions(given, values);
  return given;
}

function refuseContradictions(given: FuzzArguments, values: Readonly<Record<string, unknown>>): void {
  const { driver, target, replay, scenario, stopAt, score, speed } = given;
  if (replay !== undefined && scenario !== undefined) throw new UsageError("--replay or --scenario, not both");
  if (stopAt !== undefined && replay === undefined && scenario === undefined)
    throw new UsageError("--stop-at halts one scenario: it needs --replay FILE or --scenario HEX");
  const modes = [driver !== undefined && "DRIVER", target !== undefined && "--target", score && "--score"];
  const named = [...modes, speed && "--speed"].filter((one) => one !== false);
  if (named.length > 1) throw new UsageError(`${named.join(" and ")}: one of them at a time`);
  if (named.length === 0)
    throw new UsageError("DRIVER is missing: a module (./my-driver.mjs), or e100bex, rtlnwifi, netkvm, gvnic");
  if ((values.only !== undefined || values.all === true) && !score)
    throw new UsageError("--all and --only choose what --score plays");
  if ((values.from !== undefined || values.until !== undefined) && given.search === "systematic")
    throw new UsageError("--from and --until are for random and sweep; the systematic search has --bound");
  if (given.search === "all" && values.until !== undefined)
    throw new UsageError("--until needs --search random or --search sweep, which have numbered scenarios");
}

/** Node's message, with the nearest option that there is. */
function explained(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const unknown = /Unknown option '(-{1,2}[^']+)'/.exec(message)?.[1];
  if (unknown === undefined) return message;
  const near = nearest(unknown.replace(/^-+/, ""), Object.keys(OPTIONS));
  const hint = near === undefined ? "`ndis-shmem fuzz --help` lists the options" : `did you mean \`--${near}\`?`;
  return `there is no option \`${unknown}\`; ${hint}`;
}

function nearest(word: string, words: readonly string[]): string | undefined {
  const most = Math.max(1, Math.floor(word.length / 3));
  const ranked = words.map((one) => [distance(word, one), one] as const).sort(([one], [other]) => one - other);
  const best = ranked[0];
  return best !== undefined && best[0] <= most ? best[1] : words.find((one) => one.startsWith(word));
}

/** Levenshtein's distance. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const change = (row[j - 1] as number) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, change));
    }
    row = next;
  }
  return row[other.length] as number;
}
