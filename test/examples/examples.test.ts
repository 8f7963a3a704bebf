/**
 * Every program of examples/ runs, with the command that its head names, and prints what its head says it prints.
 *
 * The programs are deterministic, so the comparison is of whole lines: an example that changes its answer is either
 * broken or out of date.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";

const programs = readdirSync("examples").filter((name) => name.endsWith(".ts"));

/** The lines below `Prints:` in a head comment, without their ` *   `. */
function promised(text: string): readonly string[] {
  const head = text.slice(0, text.indexOf("*/"));
  const lines = head.split("\n");
  const from = lines.indexOf(" * Prints:");
  if (from < 0) throw new Error("the head has no line ` * Prints:`");
  return lines.slice(from + 1, -1).map((line) => line.replace(/^ \* {3}|^ \*$/, ""));
}

function run(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ["examples/run.mjs", ...args], { encoding: "utf8", timeout: 60_000 });
}

for (const program of programs) {
  test(`examples/${program} prints what its head says`, () => {
    const text = readFileSync(`examples/${program}`, "utf8");
    const name = program.slice(0, -".ts".length);
    assert.match(text, `Run: node examples/run.mjs ${name}\n`);
    const { status, stdout, stderr } = run(name);
    assert.is(status, 0, `${program} ended with ${status}\n${stdout}${stderr}`);
    const printed = stdout.trimEnd().split("\n");
    assert.equal(printed, promised(text), `if the change is meant, put this into the head of ${program}:\n${stdout}`);
  });
}

test("there are examples, and every one is in their list", () => {
  assert.ok(programs.length >= 6, `only ${programs.length} examples: is the working directory the project?`);
  const { status, stderr } = run();
  assert.is(status, 2);
  for (const program of programs) assert.match(stderr, `  ${program.slice(0, -3)}\n`);
  const list = readFileSync("examples/README.md", "utf8");
  for (const program of programs) assert.match(list, `(${program})`);
});

test("an example that prints something else is noticed", () => {
  assert.equal(promised("/**\n * x\n *\n * Prints:\n *   one\n *     two\n */\n"), ["one", "  two"]);
  assert.throws(() => promised("/**\n * x\n */\n"), /no line/);
});

test.run();
