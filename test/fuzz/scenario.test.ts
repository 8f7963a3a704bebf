/** Scenarios: their bytes, how they are played, shrunk and told; a driver with a halt race is caught in a few events. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  BUILT_IN_DRIVERS,
  decodeScenario,
  driverOf,
  EVENT_HELP,
  EVENT_KINDS,
  EVENT_TABLE,
  encodeScenario,
  eventByte,
  type FuzzDriver,
  fuzzDriver,
  replayScenario,
  reproduce,
  type ScenarioEventKind,
  ScenarioPlayer,
  scenarioOf,
  testSource,
} from "../../src/fuzz/index.js";
import { Prng } from "../../src/machine/index.js";
import { racer } from "./racer.js";

const test = suite("scenario");

test("any byte string is a scenario, and its canonical bytes give it back", () => {
  const draw = new Prng(12);
  for (let i = 0; i < 1000; i++) {
    const bytes = Uint8Array.from({ length: draw.below(70) }, () => draw.below(256));
    const scenario = decodeScenario(bytes);
    assert.equal(decodeScenario(encodeScenario(scenario)), scenario);
  }
  assert.is(EVENT_TABLE.length, 256);
  assert.equal(Object.keys(EVENT_HELP).sort(), [...EVENT_KINDS].sort());
});

test("the meaning of bytes is what it was when corpora were written", () => {
  assert.equal(
    EVENT_KINDS.map((kind) => [kind, eventByte(kind)]),
    [
      ["frames", 0],
      ["serve", 64],
      ["deliver", 100],
      ["event", 136],
      ["time", 172],
      ["failQueue", 188],
      ["failService", 194],
      ["failSynchronous", 200],
      ["race", 204],
      ["pause", 212],
      ["restart", 220],
      ["halt", 230],
      ["remove", 234],
      ["shutdown", 237],
      ["add", 239],
      ["memoryPressure", 243],
      ["memoryRelief", 247],
      ["interrupt", 250],
      ["deviceWrite", 253],
    ] satisfies [ScenarioEventKind, number][],
  );
});

for (const driver of BUILT_IN_DRIVERS) {
  test(`${driver.name} goes through 1,500 scenarios and a sweep without an alarm`, async () => {
    const report = await fuzzDriver(driver, { seed: 3, runs: 1500 });
    assert.is(report.found, null, report.found?.reproduction);
    assert.ok(report.states > 50, `${report.states} states`);
  });
}

test("one seed is one history", async () => {
  const driver = BUILT_IN_DRIVERS[0] as FuzzDriver;
  const player = new ScenarioPlayer(driver);
  for (const run of [0, 5, 9]) {
    const scenario = scenarioOf(8, run);
    const [one, two] = [await reproduce(player, scenario), await reproduce(new ScenarioPlayer(driver), scenario)];
    assert.is(one.text, two.text);
  }
});

test("a halt race is found, shrunk to a few events, told, and written as a test", async () => {
  const report = await fuzzDriver(racer(false), { seed: 1 });
  const { found } = report;
  assert.ok(found !== null, "nothing found");
  assert.is(found.finding.rule, "NothingPendingAtRelease");
  assert.ok(found.scenario.events.length <= 3, `${found.scenario.events.length} events`);
  assert.match(found.reproduction, /NdisMAllocateSharedMemoryAsyncEx 2048 uncached -> PENDING/);
  assert.match(found.reproduction, /broken {2}NothingPendingAtRelease \(PENDING_AT_RELEASE\)/);
  const again = await replayScenario(racer(false), found.scenario);
  assert.is(again.finding?.rule, "NothingPendingAtRelease");
  assert.is((await replayScenario(racer(true), found.scenario)).finding, null);
  for (const framework of ["uvu", "node:test"] as const) {
    const text = testSource(found.scenario, found.finding, "./racer.mjs", framework, "seed line");
    assert.match(text, framework === "uvu" ? /from "uvu"/ : /from "node:test"/);
    assert.match(text, /replayScenario/);
  }
});

test("the mended driver passes the same search", async () => {
  const report = await fuzzDriver(racer(true), { seed: 1, runs: 4000 });
  assert.is(report.found, null, report.found?.reproduction);
});

test("the systematic search finds it too, and says that it exhausted its bound where nothing is wrong", async () => {
  const found = await fuzzDriver(racer(false), { search: "systematic", bound: 3 });
  assert.is(found.found?.finding.rule, "NothingPendingAtRelease");
  const clean = await fuzzDriver(racer(true), { search: "systematic", bound: 3, runs: 100_000 });
  assert.is(clean.found, null);
  assert.is(clean.exhausted, true);
  const cut = await fuzzDriver(racer(true), { search: "systematic", bound: 3, runs: 50 });
  assert.is(cut.exhausted, false);
});

test("a sweep fails each allocation in turn", async () => {
  const report = await fuzzDriver(racer(true, "leaks where initialize fails"), { search: "sweep", runs: 2000 });
  assert.is(report.found?.by, "sweep");
  assert.match(report.found?.finding.rule ?? "", /NothingLiveAtRelease|Init_RegisterSG/);
});

test("a user's own check is a model like any rule", async () => {
  const report = await fuzzDriver(racer(true), {
    check: ({ adapters }) => (adapters.some((one) => one.liveBlocks > 2) ? "more than two blocks" : undefined),
  });
  assert.is(report.found?.finding.rule, "UserCheck");
  assert.is(report.found?.finding.message, "more than two blocks");
});

test("unknown options and modules without a driver are refused by name", async () => {
  for (const [options, field] of [
    [{ sed: 1 }, "sed"],
    [{ seed: -1 }, "seed"],
    [{ search: "lucky" }, "search"],
    [{ runs: 0 }, "runs"],
  ] as const) {
    try {
      await fuzzDriver(racer(true), options as never);
      assert.unreachable();
    } catch (error) {
      assert.is((error as { field?: string }).field, field);
    }
  }
  assert.throws(() => driverOf({ other: 1 }), /exports no driver/);
  const { driver, check } = driverOf({ default: racer(true), check: () => undefined });
  assert.is(driver.name, "racer");
  assert.type(check, "function");
});

test.run();
