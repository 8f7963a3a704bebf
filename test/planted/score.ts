/**
 * `ndis-shmem fuzz --score`: does the fuzzer find what was planted, how soon, and how short is the reproduction?
 *
 *   bug ─ changes ─► sources ─ asc (core), esbuild ─► one file ─► worker, for each seed ─► found? runs, seconds, steps
 *
 * A driver's bug counts only where `run` under the default seed does not see it. Works in a checkout of the project,
 * because it needs the sources, the AssemblyScript compiler and esbuild.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { CommandIo } from "../../src/cli/command.js";
import type { ScoreArguments } from "../../src/cli/fuzz/score.js";
import { SEARCHES, type SearchName } from "../../src/fuzz/index.js";
import { PLANTED_BUGS, type PlantedBug, plant } from "./index.js";
import type { ProbeAnswer, ProbeTask } from "./probe.js";

const SEEDS = [1, 2, 3, 4, 5];
const SECONDS = 30;
/** A subject that says nothing for so long after its time is up hangs. */
const GRACE_MS = 10_000;
const CAPTURE = "examples/traffic/two-hosts.pcap";

/** One line of the table. */
export interface ScoredBug {
  readonly name: string;
  readonly where: string;
  readonly search: string;
  readonly found: boolean;
  /** Seeds that found it, of so many. */
  readonly foundBy: number;
  readonly seeds: number;
  readonly runs: number;
  readonly seconds: number;
  readonly steps: number;
  readonly rule: string;
}

/** Score every bug, or those whose name contains `--only`. Exit code 0 where all are found. */
export async function score(given: ScoreArguments, io: CommandIo): Promise<number> {
  const bugs = PLANTED_BUGS.filter((bug) => given.only === undefined || bug.name.includes(given.only));
  const searches: readonly (SearchName | "all")[] = given.all ? ["all", ...SEARCHES] : [given.search];
  // A pattern that leads nowhere is an error before minutes are spent, not after.
  for (const bug of bugs) plant(bug);
  const folder = mkdtempSync(join(tmpdir(), "ndis-shmem-score-"));
  const scored: ScoredBug[] = [];
  const seconds = Math.min(given.seconds, SECONDS);
  if (!given.json)
    io.out(
      `${"bug".padEnd(40)} ${"found".padStart(6)} ${"runs".padStart(8)} ${"seconds".padStart(8)} ${"steps".padStart(6)}  rule\n`,
    );
  try {
    for (const bug of bugs) {
      const file = await build(bug, folder);
      if (bug.where !== "core") {
        const run = await ask(file, { what: "run", driver: bug.where, capture: CAPTURE }, SECONDS);
        if (run.found) {
          io.err(`${bug.name}: does not count, run under the default seed sees it (${run.rule})\n`);
          continue;
        }
      }
      for (const search of bug.where === "core" ? ["all" as const] : searches) {
        const answers: ProbeAnswer[] = [];
        // The systematic search draws nothing: one seed stands for all five.
        for (const seed of search === "systematic" ? SEEDS.slice(0, 1) : SEEDS)
          answers.push(await ask(file, { what: "fuzz", where: bug.where, seed, seconds, search }, seconds));
        const line = summary(bug, search, answers);
        scored.push(line);
        if (!given.json) io.out(tableLine(line, given.all));
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const standard = scored.filter((one) => one.where === "core" || one.search === searches[0]);
  const missed = standard.filter((one) => !one.found);
  const medians = {
    seconds: median(standard.map((one) => one.seconds)),
    steps: median(standard.filter((one) => one.found).map((one) => one.steps)),
  };
  if (given.json) io.out(`${JSON.stringify({ bugs: scored, medians }, null, 2)}\n`);
  else {
    const names = missed.length === 0 ? "" : `; missed: ${missed.map((one) => one.name).join(", ")}`;
    const search = searches[0] === "all" ? "default" : searches[0];
    io.out(`${standard.length - missed.length} of ${standard.length} found by the ${search} search${names}\n`);
    io.out(`median over the bugs: ${medians.seconds} s, ${medians.steps} steps in the shrunk reproduction\n`);
    if (given.all) for (const one of searches) io.out(searchLine(one, scored));
  }
  return missed.length === 0 ? 0 : 1;
}

function summary(bug: PlantedBug, search: string, answers: readonly ProbeAnswer[]): ScoredBug {
  const hits = answers.filter((one) => one.found);
  // A seed that found nothing counts as the whole time: the median is over all five.
  return {
    name: bug.name,
    where: bug.where,
    search,
    found: hits.length * 2 > answers.length,
    foundBy: hits.length,
    seeds: answers.length,
    runs: median(answers.map((one) => one.runs)),
    seconds: median(answers.map((one) => Math.round(one.seconds * 100) / 100)),
    steps: median(hits.map((one) => one.steps)),
    rule: hits[0]?.rule ?? "",
  };
}

/** How one search did on the bugs in drivers; the core has one search. */
function searchLine(search: string, scored: readonly ScoredBug[]): string {
  const lines = scored.filter((one) => one.where !== "core" && one.search === search);
  const found = lines.filter((one) => one.found);
  const seconds = lines.reduce((sum, one) => sum + one.seconds, 0);
  const runs = lines.reduce((sum, one) => sum + one.runs, 0);
  const inAll = `${runs} runs and ${seconds.toFixed(1)} s for all of them`;
  return `${search.padEnd(12)}${found.length} of ${lines.length} bugs in drivers found, ${inAll}, ${median(found.map((one) => one.seconds))} s for the median one\n`;
}

function tableLine(line: ScoredBug, withSearch: boolean): string {
  const name = withSearch ? `${line.name} (${line.search})` : line.name;
  const found = `${line.foundBy}/${line.seeds}`;
  const rule = line.rule.split("\n")[0]?.slice(0, 60) ?? "";
  return `${name.padEnd(40)} ${found.padStart(6)} ${String(line.runs).padStart(8)} ${line.seconds.toFixed(2).padStart(8)} ${String(line.steps).padStart(6)}  ${rule}\n`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, two) => one - two);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Bundle the probe with the changed sources. */
async function build(bug: PlantedBug, folder: string): Promise<string> {
  const { build: bundle } = await import("esbuild");
  const outfile = join(folder, `${bug.name.replace(/\W+/g, "-")}.mjs`);
  const wasm = bug.where === "core" ? await compileCore(bug) : null;
  const changed = plant(bug);
  const seen = new Set<string>();
  await bundle({
    entryPoints: ["test/planted/probe.ts"],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "silent",
    plugins: [
      {
        name: "plant",
        setup(builder) {
          builder.onLoad({ filter: /\.ts$/ }, ({ path }) => {
            const file = path.slice(process.cwd().length + 1).replaceAll("\\", "/");
            if (wasm !== null && file === "bindings/generated/wasm.ts")
              return { contents: moduleSource(wasm), loader: "ts" };
            const contents = changed.get(file);
            if (contents === undefined) return undefined;
            seen.add(file);
            return { contents, loader: "ts" };
          });
        },
      },
    ],
  });
  const missing = bug.where === "core" ? undefined : [...changed.keys()].find((file) => !seen.has(file));
  if (missing !== undefined) throw new Error(`${bug.name}: ${missing} is not part of the program`);
  return outfile;
}

/** The release core of the changed assembly. */
async function compileCore(bug: PlantedBug): Promise<Uint8Array> {
  const asc = await import("assemblyscript/asc");
  const changed = plant(bug);
  let binary: Uint8Array | undefined;
  const options = ["assembly/index.ts", "--config", "none", "--runtime", "stub", "--importMemory"];
  const { error, stderr } = await asc.main(
    [...options, "--optimizeLevel", "3", "--noAssert", "--outFile", "core.wasm"],
    {
      readFile: (name: string, base: string) => {
        const path = join(base, name);
        if (!existsSync(path)) return null;
        const file = name.replaceAll("\\", "/").replace(/^\.\//, "");
        return changed.get(file) ?? readFileSync(path, "utf8");
      },
      writeFile: (_name: string, contents: Uint8Array | string) => {
        if (typeof contents !== "string") binary = contents;
      },
      listFiles: () => [],
    },
  );
  if (error !== null || binary === undefined)
    throw new Error(`${bug.name}: asc refused it: ${error?.message}\n${stderr.toString()}`);
  return binary;
}

/** The changed core, and the auditor as it is: what checks must not share what is checked. */
function moduleSource(wasm: Uint8Array): string {
  const literal = (bytes: Uint8Array): string =>
    `Uint8Array.from(atob("${Buffer.from(bytes).toString("base64")}"), (character) => character.charCodeAt(0))`;
  const audit = readFileSync("build/audit.wasm");
  return `export const releaseBytes = () => ${literal(wasm)};\nexport const auditBytes = () => ${literal(audit)};\n`;
}

/** Run the probe in a thread; a thread that does not answer in time has found a hang. */
async function ask(file: string, task: ProbeTask, seconds: number): Promise<ProbeAnswer> {
  const worker = new Worker(file, { workerData: task });
  const answer = await new Promise<ProbeAnswer | { readonly error: string }>((done) => {
    const timer = setTimeout(
      () => done({ found: true, runs: 0, seconds, steps: 0, rule: "it hangs" }),
      seconds * 1000 + GRACE_MS,
    );
    const settle = (message: ProbeAnswer | { readonly error: string }): void => {
      clearTimeout(timer);
      done(message);
    };
    worker.once("message", settle);
    worker.once("error", (error) => settle({ error: error.message }));
  });
  await worker.terminate();
  // What the subject throws is a finding of the targets and of the fuzzer. An error that comes through them is the probe's own.
  if ("error" in answer) throw new Error(`the probe itself failed, which says nothing about the bug: ${answer.error}`);
  return answer;
}
