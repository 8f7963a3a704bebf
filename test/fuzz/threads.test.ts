/**
 * The command on drivers that misbehave: spin, exit, throw late, keep state, come as CommonJS or TypeScript, or from another
 * copy of the package. Each runs in threads of its own, so this takes its time.
 */
// timeout: 400 s
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseReplay } from "../../src/fuzz/index.js";
import { ndisShmem, type Outcome } from "../repository/command.js";

const test = suite("player threads");
const folder = mkdtempSync(join(tmpdir(), "ndis-shmem-threads-"));
const out = join(folder, "out");

test.before(() => {
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(resolve("."), join(folder, "node_modules", "ndis-shmem"), "dir");
  for (const name of readdirSync("test/fuzz/fixtures")) cpSync(join("test/fuzz/fixtures", name), join(folder, name));
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** Fuzz a driver of the folder; reports go to `out`, which is empty before. */
async function fuzz(driver: string, ...args: string[]): Promise<Outcome & { readonly files: readonly string[] }> {
  rmSync(out, { recursive: true, force: true });
  const outcome = await ndisShmem("fuzz", join(folder, driver), "--out", out, ...args);
  return { ...outcome, files: existsSync(out) ? readdirSync(out).sort() : [] };
}

test("a handler that never returns is named, with its place in the driver's file; a replay is written and no test", async () => {
  const { code, out: text, files } = await fuzz("endless.mjs", "--runs", "50", "--scenario-seconds", "2");
  assert.is(code, 1, text);
  assert.match(text, /broken {2}HandlerReturns \(SPIN\)\n +MiniportInitializeEx does not return/);
  assert.match(text, /at init \(.*endless\.mjs:\d+:\d+\)/);
  assert.equal(files, ["endless-HandlerReturns.replay.json"]);
  const replay = parseReplay(readFileSync(join(out, "endless-HandlerReturns.replay.json"), "utf8"));
  assert.is(replay.code, "SPIN");
});

test("a driver that polls in microtasks is stopped as well", async () => {
  const { code, out: text } = await fuzz("polls.mjs", "--runs", "50", "--scenario-seconds", "2");
  assert.is(code, 1, text);
  assert.match(text, /broken {2}(?:HandlerReturns \(SPIN\)|HandlerDoesNotThrow \(WRONG_CONTEXT\))/);
});

test("process.exit and an error that reaches nobody are findings, and the command goes on", async () => {
  const exit = await fuzz("exits.mjs", "--runs", "50");
  assert.is(exit.code, 1, exit.out);
  assert.match(exit.out, /broken {2}DriverStays \(EXIT\)\n +the driver has called process\.exit\(3\)/);
  const late = await fuzz("late.mjs", "--runs", "100");
  assert.is(late.code, 1, late.out);
  assert.match(late.out, /broken {2}HandlerDoesNotThrow \(LATE\)\n +.*outside of every handler: Error: later/);
});

test("a driver that does all that while it is imported is a usage error that says which", async () => {
  for (const [driver, message] of [
    ["exits-at-once.mjs", /which ends the process while it is imported \(exit code 4\)/],
    ["syntax.mjs", /cannot be imported: /],
  ] as const) {
    const { code, err } = await fuzz(driver, "--runs", "5");
    assert.is(code, 2, err);
    assert.match(err, message);
  }
});

test("the exception of a typo is the finding; SARIF, JUnit and annotations point at its line", async () => {
  const [sarif, junit] = [join(folder, "o.sarif"), join(folder, "o.xml")];
  const reports = ["--sarif", sarif, "--junit", junit, "--github"];
  const { code, out: text, files } = await fuzz("typo.mjs", "--runs", "20", ...reports);
  assert.is(code, 1);
  assert.match(
    text,
    /broken {2}HandlerDoesNotThrow \(TypeError\)\n +MiniportInitializeEx of typo threw TypeError: .*push/,
  );
  const [, line, column] = /at init \(.*typo\.mjs:(\d+):(\d+)\)/.exec(text) ?? [];
  assert.ok(line !== undefined && column !== undefined, text);
  assert.equal(files.length, 3);
  const [run] = JSON.parse(readFileSync(sarif, "utf8")).runs;
  const [result] = run.results;
  assert.is(result.ruleId, "HandlerDoesNotThrow");
  assert.equal(result.locations[0].physicalLocation.region, { startLine: Number(line), startColumn: Number(column) });
  assert.match(result.locations[0].physicalLocation.artifactLocation.uri, /typo\.mjs$/);
  const xml = readFileSync(junit, "utf8");
  assert.match(xml, /<testsuites tests="2" failures="1" /);
  assert.match(xml, /<failure type="HandlerDoesNotThrow" message="MiniportInitializeEx of typo threw TypeError: /);
  assert.match(
    text,
    new RegExp(
      `::error file=[^,]*typo\\.mjs,line=${line},col=${column},title=typo: HandlerDoesNotThrow`.replace(
        "typo: H",
        "typo%3A H",
      ),
    ),
  );
});

test("a finding that does not repeat says so, and writes no file", async () => {
  const { code, out: text, files } = await fuzz("flaky.mjs", "--runs", "60");
  assert.is(code, 1, text);
  assert.match(text, /it does not repeat: the same scenario was played again at once.*No test is written/);
  assert.equal(files, []);
});

test("what repeats only after other scenarios does not repeat in a fresh thread, and says so", async () => {
  const { code, out: text, files } = await fuzz("worn.mjs", "--runs", "60");
  assert.is(code, 1, text);
  assert.match(text, /it does not repeat: the scenario repeats in the thread that found it, but not in a fresh one/);
  assert.equal(files, []);
});

test("CommonJS and TypeScript drivers are played, each by the library that it was linked with", async () => {
  for (const driver of ["common.cjs", "factory.cjs", "typed.ts"]) {
    const { code, out: text, err } = await fuzz(driver, "--runs", "40");
    assert.is(code, 0, `${driver}: ${text}${err}`);
    assert.match(text, /nothing found\. 40 scenarios/);
  }
});

test("a driver that brings another copy of the package is played by that copy", async () => {
  const project = join(folder, "project");
  const copy = join(project, "node_modules", "ndis-shmem");
  mkdirSync(copy, { recursive: true });
  cpSync("package.json", join(copy, "package.json"));
  cpSync("dist", join(copy, "dist"), { recursive: true });
  for (const name of ["@assemblyscript", "fzstd"]) {
    symlinkSync(resolve("node_modules", name), join(project, "node_modules", name), "dir");
  }
  writeFileSync(join(project, "driver.cjs"), readFileSync("test/fuzz/fixtures/common.cjs"));
  writeFileSync(join(project, "base.mjs"), readFileSync("test/fuzz/fixtures/base.mjs"));
  writeFileSync(join(project, "driver.mjs"), readFileSync("test/fuzz/fixtures/right.mjs"));
  for (const driver of ["project/driver.mjs", "project/driver.cjs"]) {
    const { code, out: text, err } = await fuzz(driver, "--runs", "20");
    assert.is(code, 0, `${driver}: ${text}${err}`);
  }
});

test("a corpus is kept between runs; what is no scenario in it is skipped and said", async () => {
  const corpus = join(folder, "corpus");
  const first = await fuzz("right.mjs", "--runs", "200", "--corpus", corpus);
  assert.is(first.code, 0, first.out);
  const files = readdirSync(corpus);
  assert.ok(files.length > 3 && files.every((name) => /^[0-9a-f]{20}\.scenario$/.test(name)), files.join());
  writeFileSync(join(corpus, "notes.txt"), "no scenario");
  writeFileSync(join(corpus, "long.scenario"), Buffer.alloc(100_000));
  const again = await fuzz("right.mjs", "--runs", "200", "--corpus", corpus);
  assert.match(again.out, new RegExp(`corpus .*: ${files.length} scenarios played, \\d+ added, 2 files skipped`));
});

test("--lcov has the lines of the driver's own files, run ones and others", async () => {
  const lcov = join(folder, "o.lcov");
  const { code } = await fuzz("right.mjs", "--runs", "40", "--lcov", lcov);
  assert.is(code, 0);
  const text = readFileSync(lcov, "utf8");
  const files = [...text.matchAll(/^SF:(.*)$/gm)].map((match) => match[1]);
  assert.ok(
    files.some((file) => file?.endsWith("base.mjs")) && files.every((file) => file?.startsWith(folder)),
    files.join(),
  );
  assert.match(text, /^DA:\d+,[1-9]/m);
  assert.match(text, /^end_of_record$/m);
});

test("two jobs come to one report", async () => {
  const { code, out: text } = await fuzz("right.mjs", "--runs", "60", "--jobs", "2", "--json");
  assert.is(code, 0);
  const report = JSON.parse(text) as {
    readonly runs: number;
    readonly findings: readonly unknown[];
    readonly found: unknown;
  };
  assert.is(report.runs, 60);
  assert.equal(report.findings, []);
  assert.is(report.found, null);
});

test.run();
