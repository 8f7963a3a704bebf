/**
 * The bench runs, finds disagreements, and reports what it found. Parameters are tiny; no time is asserted.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  changesBetween,
  compareReport,
  htmlReport,
  installedSubjects,
  markdownReport,
  measure,
  type Plan,
  parseResults,
  type Results,
  readRecording,
  runBench,
  textReport,
  workload,
} from "../../bench/index.js";
import { leastArena } from "../../bench/measurements/space.js";
import { JsReplayer, outcomeOf } from "../../bench/replay/index.js";
import { disagreements, type Row } from "../../bench/run/rows.js";
import { asTlsf } from "../../bench/subjects/as-tlsf.js";
import { ndisShmem } from "../../bench/subjects/ndis-shmem.js";
import { userSubject } from "../../bench/subjects/user-module.js";
import { Sampler } from "../../bench/timing/index.js";
import { ShmemError } from "../../bindings/core/index.js";

const folder = mkdtempSync(join(tmpdir(), "bench-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

function written(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const BUMP = `
export const name = "bump";
let top = 0, end = 0, live = 0;
export function reset({ arenaBytes }) { top = 8; end = arenaBytes; live = 0; }
export function allocate(bytes) {
  if (top + bytes > end) return 0;
  const at = top;
  top += (bytes + 7) & ~7;
  live += 1;
  return at;
}
export function free() { if (--live === 0) top = 8; }
`;

const TINY: Omit<Plan, "workloads" | "subjects"> = {
  modes: [],
  recordings: [],
  spaces: [],
  places: ["wasm", "js"],
  rounds: 2,
  processes: 1,
  replays: 2,
  limits: { warmUpMs: 1, budgetMs: 1000 },
  command: "test",
};

const refusedWith = (code: string) => (error: unknown) => error instanceof ShmemError && error.code === code;

async function refuses(code: string, run: () => Promise<unknown>): Promise<ShmemError> {
  try {
    await run();
  } catch (error) {
    assert.ok(error instanceof ShmemError, String(error));
    assert.is(error.code, code);
    return error;
  }
  return assert.unreachable("was not refused") as never;
}

test("a run replays the same operations to the same end everywhere, and says so in every format", async () => {
  const bump = written("bump.mjs", BUMP);
  const recording = await readRecording(Buffer.from("Alloc(100),\nAlloc(5000),\nFree(0),\n"), { name: "three" });
  const results = await runBench({
    ...TINY,
    workloads: [
      { name: "churn50", options: { steps: 300, arenaBytes: 2 ** 20 } },
      { name: "lifo4k", options: { steps: 300 } },
    ],
    subjects: ["ndis-shmem", "typescript-twin", "as-tlsf", bump],
    recordings: [recording],
    spaces: [recording],
  });
  assert.equal(results.disagreements, []);
  const named = (row: Row): string => `${row.workload} ${row.where} ${row.subject}`;
  const expected = ["churn50", "lifo4k", "three"].flatMap((name) => [
    ...["ndis-shmem", "typescript-twin", "as-tlsf"].map((subject) => `${name} wasm ${subject}`),
    ...["ndis-shmem", "typescript-twin", "as-tlsf", "bump"].map((subject) => `${name} js ${subject}`),
  ]);
  assert.equal(results.rows.map(named), expected);
  for (const row of results.rows) {
    const { min, lowerQuartile, median, upperQuartile, max } = row.nsPerOp;
    assert.ok(0 < min && min <= lowerQuartile && lowerQuartile <= median, named(row));
    assert.ok(median <= upperQuartile && upperQuartile <= max && Number.isFinite(max), named(row));
    assert.is(row.samples, 2);
  }
  const churn = results.rows.filter((row) => row.workload === "churn50" && row.failures === 0);
  assert.is(new Set(churn.map((row) => row.outcome)).size, 1);
  assert.ok(churn.length >= 6);
  // 5,000 bytes take 79 frames of 64 bytes, 100 bytes take 2.
  const ours = results.spaces.find((space) => space.subject === "ndis-shmem");
  assert.is(ours?.peakPayloadBytes, 5100);
  assert.is(ours?.peakHeldBytes, 81 * 64);
  assert.is(ours?.peakRoundedBytes, 81 * 64);

  const text = textReport(results, "as-tlsf");
  for (const word of ["churn50", "bump", "typescript-twin", "three", "1.00"]) assert.ok(text.includes(word), word);
  assert.ok(text.split("\n").every((line) => line.length <= 100));
  const page = htmlReport(results, "as-tlsf");
  assert.not.match(page.replaceAll("http://www.w3.org", ""), /https?:|<script|src=/);
  assert.is(page.match(/<svg/g)?.length, page.match(/<\/svg>/g)?.length);
  assert.ok(!page.includes("NaN") && !page.includes("undefined"));
  const markdown = markdownReport(results, "as-tlsf");
  assert.match(markdown, /\| churn50 \| [\d.]+ \([\d.]+\)/);
  const again = parseResults(JSON.stringify(results), "again.json");
  assert.equal(again.rows, results.rows);
});

test("tasks that are no replay run in their own processes and measure something", async () => {
  const results = await runBench({
    ...TINY,
    workloads: [],
    subjects: ["ndis-shmem"],
    modes: ["crossing", "two-cores", "open"],
  });
  const names = results.rows.map((row) => `${row.workload}: ${row.subject}`);
  for (const name of ["crossing: 1 argument", "two-cores: two cores", "open: 64 GiB"])
    assert.ok(names.includes(name), name);
  for (const row of results.rows) assert.ok(row.nsPerOp.median > 0, row.subject);
});

test("a subject that does something else is found by its outcome", () => {
  const row = (subject: string, outcome: string): Row => ({
    workload: "w",
    where: "js",
    subject,
    nsPerOp: { min: 1, lowerQuartile: 1, median: 1, upperQuartile: 1, max: 1 },
    failures: 0,
    allocations: 1,
    samples: 1,
    operations: 1,
    workloadHash: "x",
    outcome,
  });
  assert.equal(disagreements([row("a", "1"), row("b", "1")]), []);
  assert.is(disagreements([row("a", "1"), row("b", "2")]).length, 1);
  assert.is(disagreements([row("a", "1"), { ...row("b", "1"), workloadHash: "y" }]).length, 1);
});

test("an allocator from code is measured, with its failures", () => {
  let live = 0;
  let places: unknown;
  const result = measure(
    {
      reset: (place) => {
        places = place;
      },
      allocate: (bytes) => {
        if (bytes > 32768) return 0;
        live += 1;
        return live;
      },
      free: () => {
        live -= 1;
      },
    },
    workload("churn50", { steps: 200, arenaBytes: 2 ** 20 }),
    { rounds: 3, warmUpMs: 1 },
  );
  assert.equal(places, { arenaBytes: 2 ** 20, frameSize: 64 });
  assert.is(live, 0);
  assert.is(result.samples, 3);
  const { ops, end } = workload("churn50", { steps: 200, arenaBytes: 2 ** 20 });
  let large = 0;
  for (let i = 0; i < end; i += 1) if ((ops[2 * i + 1] as number) > 32768) large += 1;
  assert.is(result.failures, large);
  assert.ok(large > 0);
  assert.throws(
    () => measure({ allocate: () => 0, free() {} }, workload("nic"), { rounds: 0 }),
    refusedWith("INVALID_ARGUMENT"),
  );
});

test("a slow allocator does fewer operations, and ends empty all the same", () => {
  let live = 0;
  const slow = {
    allocate: (): number => {
      const until = performance.now() + 0.01;
      while (performance.now() < until);
      live += 1;
      return live;
    },
    free: (): void => {
      live -= 1;
    },
  };
  const made = workload("churn50", { steps: 20_000, arenaBytes: 2 ** 17 });
  const sampler = new Sampler(new JsReplayer(slow, made), made);
  sampler.warmUp({ warmUpMs: 1, budgetMs: 20 });
  assert.ok(sampler.isCut);
  assert.ok(sampler.sample().operations < made.end - made.pre);
  assert.is(live, 0);
});

test("a recording keeps its blocks where the loops say: both loops leave the same slots", async () => {
  const lines = Array.from(
    { length: 500 },
    (_, i) => `Alloc(${1 + ((i * 7919) % 3000)}),${i % 3 === 0 ? `\nFree(${i}),` : ""}`,
  );
  const recording = await readRecording(Buffer.from(lines.join("\n")), { name: "made" });
  const outcomes = (["wasm", "js"] as const).map((where) => {
    const allocator = ndisShmem.openAcross?.(recording);
    assert.ok(allocator);
    const replayer = where === "js" ? new JsReplayer(allocator, recording) : ndisShmem.openInside?.(recording);
    assert.ok(replayer);
    assert.is(replayer.replay(0, recording.end), 0);
    const outcome = outcomeOf(replayer.slots());
    replayer.clear();
    assert.ok(replayer.slots().at.every((at) => at === 0));
    return outcome;
  });
  assert.is(outcomes[0], outcomes[1]);
});

test("TLSF is held to its arena where failures are counted, and grows where it is timed", () => {
  const made = workload("churn98", { steps: 3000, arenaBytes: 4 * 2 ** 20 });
  const strict = asTlsf.openStrict?.(made);
  assert.ok(strict);
  const failures = strict.replay(0, made.end);
  assert.ok(failures > 0);
  strict.replay(made.end, made.total);
  assert.is(strict.replay(0, made.end), failures, "a trap has left something behind");
  assert.is(asTlsf.openInside?.(made).replay(0, made.end), 0);
});

test("the least arena is one in which nothing fails", async () => {
  const recording = await readRecording(Buffer.from("Alloc(4096),\nAlloc(64),\nFree(0),\nAlloc(4096),\n"), {});
  assert.is(leastArena(ndisShmem, recording, 0), 4096 + 64);
  // A freed block of 4096 bytes is not found again by TLSF, which rounds the request up to its next class.
  const least = leastArena(asTlsf, recording, 0) ?? 0;
  const failures = (arenaBytes: number): number | undefined =>
    asTlsf.openStrict?.({ ...recording, arenaBytes }).replay(0, recording.end);
  assert.ok(least > 8192 && least < 9000, String(least));
  assert.is(failures(least), 0);
  assert.is(failures(least - 64), 1);
});

test("subjects of users: name and reset are optional, allocate and free are not", async () => {
  const bare = await userSubject(written("bare.mjs", "export const allocate = () => 1; export const free = () => {};"));
  assert.is(bare.name, "bare");
  assert.is(bare.openAcross?.({ arenaBytes: 64, frameSize: 64 }).allocate(1), 1);
  for (const [file, text, why] of [
    ["a.mjs", "export const free = () => {};", /allocate/],
    ["b.mjs", "export const allocate = () => 1;", /free/],
    ["c.mjs", "export const allocate = () => 1; export const free = () => {}; export const reset = 5;", /reset/],
    ["d.mjs", "this is no program", /cannot be loaded/],
  ] as const) {
    const error = await refuses("INVALID_ARGUMENT", () => userSubject(written(file, text)));
    assert.match(error.message, why);
  }
  await refuses("INVALID_ARGUMENT", () => userSubject(join(folder, "missing.mjs")));
});

test("unknown subjects, modes and results are refused by name", async () => {
  await refuses("INVALID_ARGUMENT", () => runBench({ ...TINY, workloads: [], subjects: ["nobody"] }));
  await refuses("INVALID_ARGUMENT", () => runBench({ ...TINY, workloads: [], subjects: [], modes: ["nothing"] }));
  for (const text of ["{", "[]", "null", '{"format":2,"rows":[]}', '{"format":1,"rows":[{"workload":"x"}]}'])
    assert.throws(() => parseResults(text, "x.json"), refusedWith("INVALID_ARGUMENT"), text);
});

test("a change counts where the middle halves lie apart", () => {
  const results = (low: number, high: number, hash = "x"): Results => ({
    format: 1,
    machine: { processor: "p", cores: 1, memoryBytes: 1, node: "20", v8: "1", platform: "l" },
    command: "",
    rows: [
      {
        workload: "w",
        where: "wasm",
        subject: "s",
        nsPerOp: { min: low, lowerQuartile: low, median: (low + high) / 2, upperQuartile: high, max: high },
        failures: 0,
        allocations: 1,
        samples: 5,
        operations: 1,
        workloadHash: hash,
      },
    ],
    tails: [],
    spaces: [],
    disagreements: [],
    sink: 0,
  });
  const verdict = (before: Results, after: Results): string | undefined => changesBetween(before, after)[0]?.verdict;
  assert.is(verdict(results(10, 12), results(7, 9)), "faster");
  assert.is(verdict(results(7, 9), results(10, 12)), "slower");
  assert.is(verdict(results(7, 10), results(9, 12)), "noise");
  assert.is(verdict(results(7, 9), results(7, 9, "y")), "another workload");
  assert.match(compareReport(results(10, 12), results(7, 9)), /11\.0 .* 8\.00 +−27\.3 % +faster/);
});

test("the peers of JavaScript are installed with the project", async () => {
  const names = (await installedSubjects()).map((subject) => subject.name);
  assert.equal(names.slice(0, 3), ["ndis-shmem", "typescript-twin", "as-tlsf"]);
  assert.is(names.includes("thing-malloc"), existsSync("node_modules/@thi.ng/malloc"));
});

test.run();
