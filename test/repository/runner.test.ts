/**
 * The runner cannot be fooled: each fixture plays one trick that uvu alone lets pass, and each is caught by name.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";

interface Trick {
  /** What the output must say. */
  readonly says: string;
  readonly lastLine: string;
}

const tricks: Readonly<Record<string, Trick>> = {
  "bare-skip": { says: "is skipped without a reason", lastLine: "1 passed, 1 failed, 1 skipped" },
  broken: { says: "does not bundle", lastLine: "0 passed, 1 failed" },
  "early-exit": { says: "2 tests registered, 0 reported", lastLine: "0 passed, 1 failed" },
  "exit-code": { says: "exit code 3", lastLine: "1 passed, 1 failed" },
  fails: { says: "fails.ts:6:10", lastLine: "0 passed, 1 failed" },
  floating: { says: "an unhandled rejection: Error: floating", lastLine: "1 passed, 1 failed" },
  hangs: { says: "time-out after 1 s", lastLine: "0 passed, 1 failed" },
  hook: { says: "a before hook threw: Error: the hook failed", lastLine: "0 passed, 1 failed" },
  "late-throw": { says: "an uncaught exception: Error: late", lastLine: "1 passed, 1 failed" },
  "never-settles": { says: "waits for nothing", lastLine: "0 passed, 1 failed" },
  "no-run": { says: "is test.run() missing?", lastLine: "0 passed, 1 failed" },
  "no-tests": { says: "0 tests", lastLine: "0 passed, 1 failed" },
  "no-uvu": { says: "no report", lastLine: "0 passed, 1 failed" },
  "non-error": { says: "threw something that is not an Error: 'a string'", lastLine: "2 passed, 1 failed" },
  only: { says: "1 test.only left in", lastLine: "1 passed, 1 failed" },
  rejects: { says: "threw something that is not an Error: 7", lastLine: "0 passed, 1 failed" },
  "throws-null": { says: "threw something that is not an Error: null", lastLine: "1 passed, 1 failed" },
};

const FIXTURES = "test/repository/fixtures";

function runner(...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["test/run.mjs", ...args], { encoding: "utf8" });
  return { status, output: stdout + stderr };
}

function lastLine(output: string): string | undefined {
  return output.trimEnd().split("\n").at(-1);
}

for (const [name, { says, lastLine: expected }] of Object.entries(tricks)) {
  test(`${name} is caught`, () => {
    const { status, output } = runner("--files", `${FIXTURES}/${name}.ts`);
    assert.is(status, 1, output);
    assert.is(lastLine(output), expected);
    assert.ok(output.includes(says), `${JSON.stringify(says)} is not in:\n${output}`);
  });
}

test("a sound file passes, and its skip is shown with its reason", () => {
  const { status, output } = runner("--files", `${FIXTURES}/sound.ts`);
  assert.is(status, 0, output);
  assert.match(output, /^ok {4}test\/repository\/fixtures\/sound\.ts {2}2 passed, 1 skipped {2}\d+ ms$/m);
  assert.ok(output.includes("skip  subtracts, skipped: the fixture wants a skip"));
  assert.is(lastLine(output), "2 passed, 0 failed, 1 skipped");
});

test("one bad file among good ones fails the run, and the numbers add up", () => {
  const { status, output } = runner("--files", `${FIXTURES}/sound.ts`, `${FIXTURES}/fails.ts`, `${FIXTURES}/sound.ts`);
  assert.is(status, 1);
  assert.is(lastLine(output), "4 passed, 1 failed, 2 skipped");
});

test("a name that matches nothing is a failure", () => {
  const { status, output } = runner("no-test-has-this-name");
  assert.is(status, 1);
  assert.is(lastLine(output), "0 passed, 1 failed");
});

test("--test runs the tests of a name, and a name that no test has is a failure", () => {
  const files = [`${FIXTURES}/sound.ts`, `${FIXTURES}/fails.ts`];
  const one = runner("--files", ...files, "--test", "adds later");
  assert.is(lastLine(one.output), "1 passed, 0 failed", one.output);
  assert.is(one.status, 0);
  const none = runner("--files", ...files, "--test", "no test is called this");
  assert.is(none.status, 1);
  assert.is(lastLine(none.output), "0 passed, 1 failed");
});

test("every fixture is used", () => {
  const files = readdirSync(FIXTURES).map((file) => file.replace(/\.ts$/, ""));
  assert.equal(files.sort(), [...Object.keys(tricks), "sound"].sort());
});

test.run();
