/** What a search says: the text or the JSON on stdout, the progress line, and the files that it writes. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  findingLines,
  githubOf,
  junitOf,
  locationsOf,
  type ReportedFinding,
  type ReportedSearch,
  replayText,
  sarifOf,
  testSource,
} from "../../fuzz/index.js";
import { type CommandIo, UsageError } from "../command.js";
import type { FuzzArguments } from "./arguments.js";
import type { CorpusFolder } from "./corpus-folder.js";
import { ownPackage } from "./package.js";
import type { CommandFinding, SearchOutcome } from "./search.js";
import type { ThreadProgress } from "./thread-protocol.js";

const KILLS: readonly string[] = ["SPIN", "EXIT", "MEMORY", "LATE"];

/** The line that is written over while a search is under way. */
export function progressLine(progress: ThreadProgress, threads: number, elapsedMs: number): string {
  const { runs, states, situations, lastNewState } = progress;
  const rate = Math.round((runs * 1000) / Math.max(1, elapsedMs));
  const many = threads > 1 ? ` in ${threads} threads` : "";
  const more = threads > 1 ? "+" : "";
  return `${runs} scenarios, ${rate}/s${many}, ${states}${more} states, ${situations}${more} situations, last new state in scenario ${lastNewState}`;
}

/** Show an outcome and write its files. */
export function showOutcome(
  outcome: SearchOutcome,
  given: FuzzArguments,
  io: CommandIo,
  corpus: CorpusFolder | null,
): void {
  const seconds = Math.round(outcome.searchedMs) / 1000;
  const reported = reportedOf(outcome, given, seconds);
  if (given.sarif !== undefined) writeReport("--sarif", given.sarif, sarifOf(reported));
  if (given.junit !== undefined) writeReport("--junit", given.junit, junitOf(reported));
  if (given.lcov !== undefined) writeReport("--lcov", given.lcov, outcome.lcov ?? "");
  if (given.json) {
    const { lcov: _lcov, searchedMs: _searchedMs, ...rest } = outcome;
    const runsPerSecond = Math.round(outcome.runs / Math.max(0.001, seconds));
    const timing = { seconds, runsPerSecond };
    const report = { ...rest, seed: given.seed, search: given.search, found: outcome.findings[0] ?? null, timing };
    io.out(`${JSON.stringify(report, null, 2)}\n`);
    return;
  }
  const rate = Math.round(outcome.runs / Math.max(0.001, seconds));
  const counts = `${outcome.runs} scenarios in ${seconds} s (${rate}/s), ${outcome.situations} situations, ${outcome.states} different states, the last new one in scenario ${outcome.lastNewState}`;
  if (outcome.findings.length === 0)
    io.out(`${outcome.driver}: nothing found. ${counts}${boundText(outcome, given)}\n`);
  for (const [index, found] of outcome.findings.entries()) {
    if (index > 0) io.out("\n");
    showFinding(outcome, found, given, io, index === 0 ? counts : "");
  }
  if (outcome.drift !== null) {
    io.out(
      `the driver keeps state from scenario to scenario: ${outcome.drift}\n` +
        "  What a module keeps in variables is not loaded afresh as a driver's image is. Keep it in the adapter's context, or\n" +
        "  export `createDriver()`, which is called before each scenario.\n",
    );
  }
  if (corpus !== null) {
    const skipped = corpus.skipped > 0 ? `, ${corpus.skipped} files skipped that are no scenarios` : "";
    io.out(`corpus ${corpus.folder}: ${corpus.scenarios.length} scenarios played, ${corpus.added} added${skipped}\n`);
  }
  if (given.github) io.out(githubOf(reported));
}

function boundText({ exhausted }: SearchOutcome, given: FuzzArguments): string {
  if (exhausted === undefined) return "";
  const alphabet = `every sequence of up to ${given.bound} of its 14 events`;
  return exhausted
    ? `, the bound is exhausted: ${alphabet} was played`
    : `, the bound is not exhausted: not ${alphabet} was played`;
}

function showFinding(
  outcome: SearchOutcome,
  found: CommandFinding,
  given: FuzzArguments,
  io: CommandIo,
  counts: string,
): void {
  // A reproduction that shows nothing wrong would be pages of steps that prove nothing.
  if (found.doesNotRepeat === "") io.out(found.reproduction);
  else io.out(`broken  ${found.finding.rule} (${found.finding.code})\n${indented(findingLines(found.finding))}`);
  const times = found.count > 1 ? `, ${found.count} times` : "";
  const place = found.by === "corpus" ? "in the corpus" : `at ${found.position} of the ${found.by} search`;
  io.out(`\nfound ${place}${times}${counts === "" ? "" : `; ${counts}`}\n`);
  const command = commandOf(found, given);
  if (found.doesNotRepeat !== "") {
    io.out(
      `it does not repeat: ${found.doesNotRepeat}. No test is written.\n` +
        "  The driver keeps state from scenario to scenario, or takes time or random numbers from the host. Keep state in the\n" +
        "  adapter's context, or export `createDriver()`, which is called before each scenario; then search again.\n" +
        `  the scenario:  ${command}\n`,
    );
    return;
  }
  io.out(`${found.originalEvents} events shrunk to ${found.scenario.events.length}; again:  ${command}\n`);
  for (const path of writeFindingFiles(outcome, found, given, command)) io.out(`wrote ${path}\n`);
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `        ${line}\n`).join("");
}

function commandOf(found: CommandFinding, given: FuzzArguments): string {
  const device = given.device === undefined ? "" : ` --device ${given.device}`;
  return `ndis-shmem fuzz ${given.driver}${device} --scenario ${found.hex}`;
}

/** The replay file, and a test for each framework; only a replay where the test would end or stop its own process. */
function writeFindingFiles(
  outcome: SearchOutcome,
  found: CommandFinding,
  given: FuzzArguments,
  command: string,
): string[] {
  const driver = given.driver ?? "";
  const folder = resolve(given.out);
  const base = `${outcome.driver.replace(/[^\w-]+/g, "-")}-${found.finding.rule.replace(/[^\w-]+/g, "-")}`;
  const same = outcome.findings.filter((one) => one.finding.rule === found.finding.rule).indexOf(found);
  const name = same > 0 ? `${base}-${same + 1}` : base;
  const origin = { seed: given.seed, search: found.by, position: found.position };
  const files: [string, string][] = [
    [`${name}.replay.json`, replayText(driver, found.scenario, found.finding, origin)],
  ];
  const path = resolve(driver);
  if (existsSync(path) && !KILLS.includes(found.finding.code) && !/\.(?:[mc]?ts|wasm)$/.test(path)) {
    const from = relative(folder, path).replaceAll("\\", "/");
    const specifier = from.startsWith(".") ? from : `./${from}`;
    for (const [suffix, framework] of [
      ["test", "node:test"],
      ["uvu", "uvu"],
    ] as const)
      files.push([`${name}.${suffix}.mjs`, testSource(found.scenario, found.finding, specifier, framework, command)]);
  }
  try {
    mkdirSync(folder, { recursive: true });
    return files.map(([file, text]) => {
      writeFileSync(join(folder, file), text);
      return relative(process.cwd(), join(folder, file));
    });
  } catch (error) {
    throw new UsageError(`--out is \`${given.out}\`, which cannot be written: ${textOf(error)}`);
  }
}

/** What tools are told. */
function reportedOf(outcome: SearchOutcome, given: FuzzArguments, seconds: number): ReportedSearch {
  const path = resolve(given.driver ?? "");
  const isFile = existsSync(path);
  const findings = outcome.findings.map((found): ReportedFinding => {
    const { rule, code, call, stack } = found.finding;
    const places = locationsOf(stack ?? "").map((one) => ({ ...one, file: asPath(one.file) }));
    const place = places.find((one) => isUsersFile(one.file, path));
    const file = place?.file ?? (isFile ? path : null);
    return {
      ...{
        rule,
        code,
        call,
        message: findingLines(found.finding).join("\n"),
        scenario: found.hex,
        command: commandOf(found, given),
      },
      file: file === null ? null : relative(process.cwd(), file).replaceAll("\\", "/"),
      line: place?.line ?? 1,
      column: place?.column ?? 1,
    };
  });
  const { version } = JSON.parse(readFileSync(join(ownPackage(), "package.json"), "utf8")) as {
    readonly version: string;
  };
  const { driver, runs } = outcome;
  return { driver, search: given.search, seed: given.seed, runs, seconds, version, findings };
}

function isUsersFile(file: string, driver: string): boolean {
  return file.startsWith(dirname(driver)) && !file.includes("node_modules") && existsSync(file);
}

function asPath(file: string): string {
  return file.startsWith("file:") ? fileURLToPath(file) : file;
}

function writeReport(option: string, path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`${option} is \`${path}\`, which cannot be written: ${textOf(error)}`);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
