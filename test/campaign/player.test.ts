/** Playing jobs: what a range comes to, by a count of its own; and drivers that spin, exit, fill the heap, throw late. */
// timeout: 180 s
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BundleFolder, bundleDriver } from "../../src/campaign/bundle.js";
import { coverageOf, mergeCoverage } from "../../src/campaign/coverage.js";
import { mergeFindings } from "../../src/campaign/findings.js";
import type { JobData } from "../../src/campaign/plan.js";
import { MOST_ENDS, Player, type PlayerLimits } from "../../src/campaign/player.js";
import type { JobResult } from "../../src/campaign/record.js";
import { BUILT_IN_DRIVERS, decodeScenario, driverOf, fuzzDriver, replayScenario } from "../../src/fuzz/index.js";
import { CLEAN, endsThread, FAULTY } from "./fixtures/drivers.js";

const test = suite("campaign player");
const folder = mkdtempSync(join(tmpdir(), "ndis-shmem-player-"));
const place = new BundleFolder();
test.after(() => {
  place.remove();
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;
async function play(
  text: string,
  range: Partial<JobData> & { readonly first: number; readonly count: number },
  limits: PlayerLimits = {},
): Promise<JobResult> {
  const file = join(folder, `driver${files++}.mjs`);
  writeFileSync(file, text);
  const { hash, manifest } = await bundleDriver(file);
  const player = new Player(place, limits);
  try {
    const job: JobData = { campaign: "test", hash, search: "random", seed: 1, version: "0", ...range };
    return await player.play(job, manifest, { choices: {}, bound: 2 });
  } finally {
    await player.close();
  }
}

/** What the fuzzer itself comes to over a range, in one go. */
async function truth(text: string, search: "random" | "sweep" | "systematic", from: number, until: number) {
  const file = join(folder, `truth${files++}.mjs`);
  writeFileSync(file, text);
  const base = BUILT_IN_DRIVERS.find((driver) => driver.name === "e100bex");
  assert.ok(base !== undefined);
  // The module's own text is not imported here: its check is taken from it, its driver is the one it names.
  const module = (await import(
    `data:text/javascript,${encodeURIComponent(text.replace(/^import.*$/m, "const BUILT_IN_DRIVERS = [];"))}`
  )) as object;
  const { check } = driverOf({ ...module, driver: base });
  const states = new Set<number>();
  const report = await fuzzDriver(base, {
    seed: 1,
    search,
    ...(search === "systematic" ? { bound: 2 } : { from, until }),
    runs: 1e9,
    check,
    keepGoing: true,
    shrink: false,
    goOn(progress) {
      for (const state of progress.states) states.add(state);
      return true;
    },
  });
  return { report, states };
}

for (const [search, first, count, from, until] of [
  ["random", 300, 400, 300, 700],
  ["sweep", 0, 512, 0, 2],
  ["systematic", 0, 1, 0, 0],
] as const) {
  test(`${search}: counts, classes, first occurrences, states and situations are those of the fuzzer`, async () => {
    const result = await play(FAULTY, { search, first, count });
    const { report, states } = await truth(FAULTY, search, from, until);
    assert.is(result.scenarios, report.runs);
    assert.is(result.events, report.events);
    assert.equal(
      result.coverage.exact ?? result.coverage.registers,
      (({ exact, registers }) => exact ?? registers)(coverageOf(states, new Uint8Array(0))),
    );
    const counted = (
      all: readonly { readonly count: number; readonly first: { readonly bytes?: string; readonly hex?: string } }[],
    ): unknown => all.map((one) => [one.count, one.first.bytes ?? one.first.hex]).sort();
    assert.equal(counted(result.findings), counted(report.classes));
    if (search === "random") assert.ok(result.findings.length > 0);
  });
}

test("a range in two jobs comes to what it comes to in one", async () => {
  const whole = await play(FAULTY, { first: 0, count: 600 });
  const [one, other] = [await play(FAULTY, { first: 0, count: 300 }), await play(FAULTY, { first: 300, count: 300 })];
  assert.is(one.scenarios + other.scenarios, whole.scenarios);
  assert.is(one.events + other.events, whole.events);
  // Situations too: those of shrinking, which each job does, are not among them.
  assert.equal(mergeCoverage(one.coverage, other.coverage), whole.coverage);
  for (const finding of whole.findings) {
    const parts = [one, other].flatMap(({ findings }) =>
      findings.filter(
        ({ rule, code, call }) => rule === finding.rule && code === finding.code && call === finding.call,
      ),
    );
    const merged = parts.reduce((sum, part) => mergeFindings(sum, part));
    assert.equal({ ...merged, reproductions: [] }, { ...finding, reproductions: [] });
  }
});

test("each class has one short scenario that shows it again", async () => {
  const { findings } = await play(FAULTY, { first: 0, count: 300 });
  assert.ok(findings.length > 0);
  for (const finding of findings) {
    assert.is(finding.reproductions.length, 1);
    const [{ bytes, text }] = finding.reproductions as [{ bytes: string; text: string }];
    assert.ok(bytes.length <= finding.first.bytes.length, "it is no longer than the first occurrence");
    assert.match(text, /broken/);
  }
});

for (const [end, how, limits] of [
  ["EXIT", "process.exit(7);", {}],
  ["SPIN", "for (;;) {}", { scenarioMs: 1000 }],
  ["MEMORY", "const kept = []; for (;;) kept.push(new Array(1000).fill(kept));", { heapMiB: 96 }],
  ["THROW", 'queueMicrotask(() => { throw new Error("late"); });', {}],
] as const) {
  test(`a driver that ends its thread (${end}) is a finding with its scenario, and the rest of the job is played`, async () => {
    const text = endsThread(how);
    // The clean driver says in which scenarios there are two adapters: those must be the ones that are told.
    const result = await play(text, { first: 0, count: 24 }, limits);
    const [finding] = result.findings;
    assert.is(result.findings.length, 1);
    assert.is(finding?.code, end);
    assert.is(finding?.rule, "DriverEndsThread");
    const clean = await play(CLEAN, { first: 0, count: 24 });
    assert.is(result.scenarios, clean.scenarios);
    const scenario = decodeScenario(Uint8Array.from(Buffer.from(finding?.first.bytes ?? "", "hex")));
    const replayed = await replayScenario(BUILT_IN_DRIVERS[0] as (typeof BUILT_IN_DRIVERS)[number], scenario, {
      check: ({ adapters, ended }) => (ended && adapters.length > 1 ? "two" : undefined),
    });
    assert.not.equal(replayed.finding, null);
  });
}

test("a driver that always ends its thread ends the job after a few, and what was not played is not counted", async () => {
  const { scenarios, findings } = await play(`${CLEAN}export function check() { process.exit(0); }\n`, {
    first: 0,
    count: 1000,
  });
  assert.is(findings[0]?.count, MOST_ENDS);
  assert.is(scenarios, MOST_ENDS);
});

test("what a driver set for later ends its thread before the next job", async () => {
  const late = 'setTimeout(() => { throw new Error("later"); }, 0);';
  const { findings } = await play(endsThread(late), { first: 0, count: 24 });
  assert.is(findings[0]?.code, "THROW");
  assert.match(findings[0]?.message ?? "", /later/);
});

test("a driver sees nothing of the environment, where the password of the database may be", async () => {
  process.env.NDIS_SHMEM_PROBE = "secret";
  try {
    const text = `${CLEAN}export function check() { return process.env.NDIS_SHMEM_PROBE ?? undefined; }\n`;
    assert.equal((await play(text, { first: 0, count: 4 })).findings, []);
  } finally {
    delete process.env.NDIS_SHMEM_PROBE;
  }
});

test("what is no driver fails the job by name", async () => {
  try {
    await play("export const nothing = 1;\n", { first: 0, count: 4 });
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /exports no driver/);
  }
});

test.run();
