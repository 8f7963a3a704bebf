#!/usr/bin/env node
/**
 * docs/misuse.md: which test provokes each situation of the misuse catalogue, and how it ended.
 *
 *     node test/misuse-table.mjs            run the tests that carry an id and write the page
 *     node test/misuse-table.mjs --check    run nothing: the page must name the same tests as the sources
 *
 * A test carries an id by its name: `misuse B08: free with another length`, `misuse A02, A03: ...`.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const PAGE = join(ROOT, "docs", "misuse.md");

/** Groups with the number of their last row, and what they are about. */
const GROUPS = [
  ["A", 15, "values crossing from JavaScript"],
  ["B", 22, "free with the wrong arguments"],
  ["C", 12, "reads and writes through the memory"],
  ["D", 16, "translation"],
  ["E", 20, "the asynchronous protocol"],
  ["F", 10, "lifecycle and leaks"],
  ["G", 10, "exhaustion and injected faults"],
  ["H", 7, "growth and views"],
  ["J", 6, "damaged internal state"],
  ["K", 11, "traces, snapshots and other files"],
  ["L", 11, "properties that hold over any sequence"],
];

const EMBEDDING = "belongs to later work on embedding";
const RECORDINGS = "belongs to later work on recordings";
const ABSENT = new Map([
  ...["D08", "D09", "D10", "D11", "D12", "D15", "D16"].map((id) => [id, EMBEDDING]),
  ...["H01", "H02", "H03", "H04", "H05", "H06", "H07"].map((id) => [id, EMBEDDING]),
  ...["K01", "K02", "K03", "K04", "K05", "K06", "K07", "K09", "K11", "L10"].map((id) => [id, RECORDINGS]),
]);

function* testFiles(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* testFiles(path);
    else if (entry.name.endsWith(".test.ts")) yield path;
  }
}

/** `J02 to J05` as four ids. */
function expand(from, to) {
  const first = Number(from.slice(1));
  const last = to === undefined ? first : Number(to.slice(1));
  return Array.from({ length: last - first + 1 }, (_, i) => `${from[0]}${String(first + i).padStart(2, "0")}`);
}

/** Every test that carries an id: id, name as far as it is written out, file. */
function namedTests() {
  const found = [];
  for (const path of testFiles(join(ROOT, "test"))) {
    const file = relative(ROOT, path);
    const source = readFileSync(path, "utf8");
    // A name is the first string of a call; what a template inserts is shown as an ellipsis.
    for (const [, quote, name] of source.matchAll(
      /\b\w+\(\s*(["`])((?:(?!\1)[^\\\n]|\\.)*misuse (?:[A-L]\d\d)(?:(?!\1)[^\\\n]|\\.)*)\1/g,
    )) {
      const shown = quote === "`" ? name.replace(/\$\{[^}]*\}+/g, "…") : name;
      for (const [, list] of name.matchAll(/misuse ((?:[A-L]\d\d)(?:(?:, | to | and )[A-L]\d\d)*)/g)) {
        for (const [, from, to] of list.matchAll(/([A-L]\d\d)(?: to ([A-L]\d\d))?/g)) {
          for (const id of expand(from, to)) found.push({ id, name: shown.replaceAll("|", "\\|"), file });
        }
      }
    }
  }
  return found;
}

/** Run files; which of their tests failed, by file and name. */
function failures(files) {
  const run = spawnSync(process.execPath, [join(ROOT, "test", "run.mjs"), "--files", ...files], {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  const failed = new Map();
  let file = "";
  for (const line of run.stdout.split("\n")) {
    const heading = /^(?:ok {4}|FAIL {2})(\S+\.test\.ts)/.exec(line);
    if (heading !== null) file = heading[1];
    const name = /^ {3}FAIL {2}"(.*)"$/.exec(line);
    if (name !== null) failed.set(file, [...(failed.get(file) ?? []), name[1]]);
  }
  if (run.status !== 0 && failed.size === 0)
    throw new Error(`the tests did not run:\n${run.stdout.slice(-2000)}${run.stderr}`);
  return failed;
}

function rows(tests, failed) {
  const lines = [
    "# The misuse catalogue",
    "",
    "Which test provokes each situation, and how it ended when this page was written by `node test/misuse-table.mjs`. A test of",
    "the project compares the page with the sources.",
  ];
  for (const [group, last, about] of GROUPS) {
    lines.push("", `## ${group}: ${about}`, "", "| id | test | in | result |", "| --- | --- | --- | --- |");
    for (const id of expand(`${group}01`, `${group}${String(last).padStart(2, "0")}`)) {
      const mine = tests.filter((one) => one.id === id);
      if (mine.length === 0) lines.push(`| ${id} | ${ABSENT.get(id) ?? "**missing**"} | | |`);
      for (const { name, file } of mine) {
        const start = name.split("…")[0];
        const ended = (failed.get(file) ?? []).some((one) => one.startsWith(start)) ? "**fails**" : "passes";
        lines.push(`| ${id} | ${name} | ${file} | ${ended} |`);
      }
    }
  }
  return `${lines.join("\n")}\n`;
}

const tests = namedTests();
if (process.argv.includes("--check")) {
  const page = readFileSync(PAGE, "utf8");
  const wanted = rows(tests, new Map());
  if (page !== wanted) {
    const now = wanted.split("\n").filter((line) => !page.includes(line));
    process.stdout.write(
      `docs/misuse.md is not what the sources say; run node test/misuse-table.mjs\n${now.join("\n")}\n`,
    );
    process.exit(1);
  }
  const missing = wanted.split("\n").filter((line) => line.includes("**missing**"));
  process.stdout.write(`${tests.length} rows, ${missing.length} missing\n${missing.join("\n")}\n`);
  process.exit(missing.length === 0 ? 0 : 1);
}
const files = [...new Set(tests.map((one) => one.file))];
writeFileSync(PAGE, rows(tests, failures(files)));
process.stdout.write(`docs/misuse.md: ${tests.length} rows over ${files.length} files\n`);
