/** `ndis-shmem bench` as a user types it: what it prints, what it refuses, how it ends. Nothing here asserts a time. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Results } from "../../bench/index.js";
import { ndisShmem, type Outcome } from "../repository/command.js";

const folder = mkdtempSync(join(tmpdir(), "bench-command-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const bench = (...args: string[]): Promise<Outcome> => ndisShmem("bench", ...args);

const TINY = ["--rounds", "1", "--processes", "1"];

test("--json prints one object with the rows, --compare reads it, --html writes a page", async () => {
  const page = join(folder, "page.html");
  const first = await bench(...TINY, "--workload", "lifo64", "--subject", "ndis-shmem", "--json", "--html", page);
  assert.is(first.code, 0, first.err);
  const { rows, machine, command } = JSON.parse(first.out) as Results;
  assert.equal(
    rows.map((row) => [row.workload, row.where, row.subject, row.failures, row.samples]),
    [
      ["lifo64", "wasm", "ndis-shmem", 0, 1],
      ["lifo64", "js", "ndis-shmem", 0, 1],
    ],
  );
  for (const row of rows) {
    assert.ok(row.nsPerOp.min > 0 && row.nsPerOp.min <= row.nsPerOp.median && row.nsPerOp.median <= row.nsPerOp.max);
  }
  assert.ok(machine.cores > 0 && command.startsWith("ndis-shmem bench --rounds 1"));
  assert.match(readFileSync(page, "utf8"), /^<!doctype html>/);

  const earlier = join(folder, "earlier.json");
  writeFileSync(earlier, first.out);
  const second = await bench(...TINY, "--workload", "lifo64", "--subject", "ndis-shmem", "--compare", earlier);
  assert.is(second.code, 0, second.err);
  assert.match(second.out, /lifo64 +ndis-shmem +[\d.]+ → +[\d.]+ +[+−][\d.]+ % +(?:noise|faster|slower)/);
});

test("a recording and a subject of the user's are measured, space included", async () => {
  const recording = join(folder, "some.trace");
  const lines = Array.from(
    { length: 1200 },
    (_, i) => `Alloc(${64 + (i % 700)}),\n${i > 20 ? `Free(${i - 20}),\n` : ""}`,
  );
  writeFileSync(recording, lines.join(""));
  const mine = join(folder, "mine.mjs");
  writeFileSync(
    mine,
    "let top = 8;\nexport const allocate = (n) => (top += (n + 7) & ~7) - ((n + 7) & ~7);\nexport function free() {}\n",
  );
  const result = await bench(
    ...TINY,
    "--recording",
    recording,
    "--subject",
    "ndis-shmem",
    "--subject",
    mine,
    "--markdown",
  );
  assert.is(result.code, 0, result.err);
  assert.match(result.out, /\| some \| [\d.]+/);
  assert.match(result.out, /\| some \| mine \|/);
});

test("a subject that is no allocator has no row, and its first wrong operation is told", async () => {
  for (const [name, body, why] of [
    [
      "constant",
      "export const allocate = () => 64; export const free = () => {};",
      /operation 2 it answered .*inside the \d+ live bytes at 64/,
    ],
    [
      "nan",
      "export const allocate = () => NaN; export const free = () => {};",
      /operation 1 it answered .*NaN, which is no address/,
    ],
    [
      "nothing",
      "export const allocate = () => {}; export const free = () => {};",
      /operation 1 it answered .*undefined/,
    ],
    [
      "odd",
      "let top = 1; export const allocate = (n) => (top += 2 * n) - n; export const free = () => {};",
      /no multiple of 8/,
    ],
    [
      "far",
      "let top = 8; export const allocate = () => (top += 2 ** 30); export const free = () => {};",
      /more than twice the arena/,
    ],
    [
      "throws",
      "let n = 0; export const allocate = () => { if (++n > 5) throw new RangeError('six'); return n * 65536; }; export const free = () => {};",
      /operation 6 it allocate threw RangeError: six/,
    ],
  ] as const) {
    const file = join(folder, `${name}.mjs`);
    writeFileSync(file, body);
    const { code, out, err } = await bench(...TINY, "--workload", "churn50", "--where", "js", "--subject", file);
    assert.is(code, 1, `${name}: ${err}`);
    assert.match(out, new RegExp(`${name} has no row for churn50`), name);
    assert.match(out, why, name);
  }
});

test("--help says everything in 80 columns", async () => {
  const { code, out } = await bench("--help");
  assert.is(code, 0);
  for (const line of out.split("\n")) assert.ok(line.length <= 80, line);
  for (const word of ["--quick", "--json", "--html", "--compare", "--subject", "churn50", "two-cores"])
    assert.ok(out.includes(word), word);
});

const WRONG: readonly (readonly [args: readonly string[], why: RegExp])[] = [
  [["--workload", "churn51"], /no workload `churn51`/],
  [["--where", "moon"], /wasm, js or both/],
  [["--rounds", "0"], /--rounds/],
  [["--rounds", "1e3"], /--rounds/],
  [["--processes", "-1"], /--processes|argument/],
  [["--seed", "0"], /--seed/],
  [["--baseline", "nope", "--subject", "ndis-shmem"], /--baseline takes one of the subjects measured, not `nope`/],
  [["--frame", "100"], /power of two/],
  [["--frame", "32"], /power of two/],
  [["--subject", "nobody"], /no subject "nobody"/],
  [["--subject", "./missing.mjs"], /cannot be loaded/],
  [["--compare", "missing.json"], /ENOENT/],
  [["--recording", "missing.trace"], /ENOENT/],
  [["--json", "--markdown"], /exclude/],
  [["extra"], /extra|positional/i],
  [["--fast"], /fast/],
];

test("what a user gets wrong is said in one line, with exit code 2 and nothing measured", async () => {
  for (const [args, why] of WRONG) {
    const { code, out, err } = await bench(...args);
    assert.is(code, 2, args.join(" "));
    assert.is(out, "", args.join(" "));
    assert.match(err, why);
    assert.match(err, /^ndis-shmem bench: .*\n$/);
  }
});

test("recordings: a file that is none is refused, in a folder it is left out, tiny ones are measured", async () => {
  const none = join(folder, "none.txt");
  writeFileSync(none, "hello\n");
  assert.match((await bench("--recording", none)).err, /none\.txt: BAD_TRACE: line 1, column 1/);
  const many = join(folder, "many");
  mkdirSync(many);
  assert.match((await bench("--recording", many)).err, /holds no file/);
  writeFileSync(join(many, "NOTES"), "hello\n");
  assert.match((await bench("--recording", many)).err, /there is no recording in/);
  writeFileSync(join(many, "tiny.csv"), "id,lower,upper,size\nb1,0,3,4\n");
  const { code, out, err } = await bench(...TINY, "--recording", many, "--subject", "ndis-shmem");
  assert.is(code, 0, err);
  assert.match(err, /NOTES is left out: BAD_TRACE/);
  assert.match(out, /tiny +ndis-shmem +4 B +64 B/);
  assert.not.match(out, /NaN/);
  assert.not.match(out, /ratio to/);
});

test.run();
