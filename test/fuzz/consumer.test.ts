/**
 * A new user's path, as docs/fuzzing.md tells it: the packed package in an empty program, the driver of the page, a
 * finding, two generated tests that fail, the mend of the page, and the same tests passing.
 */
// timeout: 400 s
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("a new user");
const program = mkdtempSync(join(tmpdir(), "ndis-shmem-user-"));
const installed = join(program, "node_modules", "ndis-shmem");
const cli = join(installed, "dist", "cli.js");
const page = readFileSync("docs/fuzzing.md", "utf8");

function block(language: string, index = 0): string {
  const found = [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(([, one]) => one === language)[index]?.[2];
  assert.ok(found !== undefined, `docs/fuzzing.md has no block ${index} in ${language}`);
  return found;
}

/** Apply a unified diff without looking at its line numbers: each hunk's old lines must occur once. */
function mended(text: string, diff: string): string {
  let result = text;
  for (const hunk of diff.split(/^@@.*\n/m).filter((one) => one.trim() !== "")) {
    const lines = hunk.replace(/\n$/, "").split("\n");
    const side = (mark: string): string =>
      lines
        .filter((line) => !line.startsWith(mark))
        .map((line) => line.slice(1))
        .join("\n");
    const parts = result.split(side("+"));
    assert.is(parts.length, 2, `the hunk does not fit:\n${hunk}`);
    result = parts.join(side("-"));
  }
  return result;
}

function node(...args: string[]): { status: number | null; text: string } {
  // Without the runner's own variables, or node:test would report to a parent that is none.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: program, encoding: "utf8", env });
  return { status, text: stdout + stderr };
}

test.before(() => {
  const packing = spawnSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", program], {
    encoding: "utf8",
  });
  const [{ filename }] = JSON.parse(packing.stdout) as [{ filename: string }];
  mkdirSync(installed, { recursive: true });
  spawnSync("tar", ["-xzf", join(program, filename), "-C", installed, "--strip-components=1"]);
  for (const name of ["@assemblyscript/loader", "fzstd", "uvu", "dequal", "diff", "kleur", "mri", "sade"]) {
    const link = join(program, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    if (existsSync(resolve("node_modules", name))) symlinkSync(resolve("node_modules", name), link, "dir");
  }
  writeFileSync(join(program, "nic.mjs"), block("js"));
});

test.after(() => rmSync(program, { recursive: true, force: true }));

const TESTS = ["nic-NothingPendingAtRelease.test.mjs", "nic-NothingPendingAtRelease.uvu.mjs"] as const;

test("the driver of the page has some sixty lines, and its race is found and told", () => {
  const lines = block("js").trimEnd().split("\n").length;
  assert.ok(lines >= 50 && lines <= 70, `${lines} lines`);
  const { status, text } = node(cli, "fuzz", "./nic.mjs");
  assert.is(status, 1, text);
  assert.match(text, /broken {2}NothingPendingAtRelease \(PENDING_AT_RELEASE\)/);
  for (const file of TESTS) assert.ok(existsSync(join(program, file)), file);
});

test("the page shows the test that was written", () => {
  assert.is(readFileSync(join(program, TESTS[0]), "utf8"), block("js", 1));
});

for (const file of TESTS) {
  test(`${file} fails`, () => {
    const { status, text } = node(...(file.endsWith(".test.mjs") ? ["--test", file] : [file]));
    assert.is(status, 1, text);
    assert.match(text, /1 asynchronous request still pending/);
  });
}

test("the replay file and the bytes of the seed line tell the same reproduction", () => {
  const replay = join(program, "nic-NothingPendingAtRelease.replay.json");
  const { scenario } = JSON.parse(readFileSync(replay, "utf8")) as { readonly scenario: string };
  const one = node(cli, "fuzz", "./nic.mjs", "--replay", replay);
  const two = node(cli, "fuzz", "./nic.mjs", "--scenario", scenario);
  assert.is(one.status, 1);
  assert.equal(one, two);
  assert.match(one.text, /step 3 {2}halt/);
});

test("with the mend of the page both tests pass, and a search finds nothing", () => {
  const path = join(program, "nic.mjs");
  writeFileSync(path, mended(readFileSync(path, "utf8"), block("diff")));
  for (const file of TESTS) {
    const { status, text } = node(...(file.endsWith(".test.mjs") ? ["--test", file] : [file]));
    assert.is(status, 0, text);
  }
  const { status, text } = node(cli, "fuzz", "./nic.mjs", "--runs", "5000");
  assert.is(status, 0, text);
  assert.match(text, /nothing found/);
});

test("--json with worker threads: scenarios of all workers, and no finding", () => {
  const { status, text } = node(cli, "fuzz", "./nic.mjs", "--json", "--runs", "2000", "--jobs", "2");
  assert.is(status, 0, text);
  const report = JSON.parse(text) as { readonly runs: number; readonly found: unknown; readonly situations: number };
  assert.is(report.found, null);
  assert.ok(report.runs >= 2000 && report.situations > 50, text);
});

test.run();
