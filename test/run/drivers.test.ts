/** Every driver that `run --driver` knows, on the capture that comes with the package: whole, short of memory, unlucky. */
import * as assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import { readCapture, writeCapture } from "../../src/capture/index.js";
import { DRIVERS, type DriverModel } from "../../src/drivers/index.js";
import { isClean, type RunReport } from "../../src/report/index.js";
import { HIGH_ARENA_BASE, type PlayOptions, type PlayResult, play, soak } from "../../src/run/index.js";
import { ndisShmem } from "../repository/command.js";

const twoHosts = readCapture(readFileSync("examples/traffic/two-hosts.pcap"));
const burst = { ...twoHosts, frames: twoHosts.frames.slice(80, 200) };

function playing(driver: DriverModel, options: Partial<PlayOptions> = {}): Promise<PlayResult> {
  return play({ driver, capture: twoHosts, title: "two-hosts.pcap", seed: 7, wallMs: () => 0, ...options });
}

/** A correct driver's report, however the run went. */
function clean({ report, history, refused }: PlayResult): RunReport {
  assert.deepEqual(report.violations, []);
  assert.ok(isClean(report), JSON.stringify(report));
  assert.equal(report.memory.finalLiveBytes, 0);
  assert.equal(report.packets.offered, report.packets.delivered + report.packets.dropped);
  if (refused === null) assert.equal(history.peak.liveBytes, report.memory.peakLiveBytes);
  return report;
}

test("drivers: the four of the specification, by name", () => {
  assert.deepEqual(
    DRIVERS.map(({ name, addressing }) => [name, addressing]),
    [
      ["e100bex", 32],
      ["rtlnwifi", 32],
      ["netkvm", 64],
      ["gvnic", 64],
    ],
  );
});

for (const driver of DRIVERS) {
  const asks = driver.name === "e100bex" || driver.name === "rtlnwifi";

  test(`${driver.name}: the default capture arrives whole, twice the same, and nothing is left`, async () => {
    const [one, again] = [await playing(driver), await playing(driver)];
    const report = clean(one);
    assert.equal(report.packets.delivered, 579);
    assert.equal(report.packets.mismatched, 0);
    assert.equal(report.leaks, 0);
    assert.deepEqual({ ...report, timing: null }, { ...again.report, timing: null });
    assert.deepEqual(one.history, again.history);
    const low = one.history.zones.every(({ base }) => base + report.memory.arenaBytes <= 2 ** 32);
    assert.equal(low, driver.addressing === 32, "a driver of 64 bits gets memory above 4 GiB");
  });

  test(`${driver.name}: unlucky scenarios, every schedule, end clean and give every lost frame a reason`, async () => {
    const scenarios = 12;
    const report = await soak({ driver, capture: burst, title: "", seed: 1, scenarios, wallMs: () => 0 });
    assert.deepEqual(report.findings, []);
    assert.equal(report.clean, scenarios);
    assert.ok(report.refused < 9, `${report.refused} of ${scenarios} refused: too few are left to say anything`);
    assert.ok(report.injected >= scenarios);
    const reasons = Object.values(report.packets.reasons).reduce((sum, count) => sum + count, 0);
    assert.equal(report.packets.dropped, reasons);
    // Failures strike where the driver asks, and it sees each as what it is.
    const { registration = 0, synchronous = 0, queue = 0, service = 0 } = report.injectedAt;
    assert.equal(registration + synchronous + queue + service, report.injected);
    assert.ok(synchronous > 0);
    assert.equal(report.requests.failedAtOnce, queue);
    assert.equal(report.requests.completedNull, service);
    if (!asks) assert.equal(report.requests.asynchronous, 0);
  });

  test(`${driver.name}: unlucky scenarios under far too much traffic lose frames, each with a reason, and nothing else`, async () => {
    const scenarios = 12;
    // The ring of gvnic has 512 entries, most of the capture: only all of it at once is too much.
    const speedUp = driver.name === "gvnic" ? 100_000 : 100;
    const report = await soak({ driver, capture: twoHosts, title: "", seed: 1, scenarios, speedUp, wallMs: () => 0 });
    assert.deepEqual(report.findings, []);
    assert.equal(report.clean, scenarios);
    const { offered, delivered, dropped, reasons } = report.packets;
    assert.ok(dropped > 100, `${dropped} frames were lost: too few to say anything`);
    assert.ok(delivered > dropped / 4, `${delivered} frames came through`);
    assert.equal(offered, delivered + dropped);
    assert.deepEqual(reasons, { "no-buffer": dropped });
    const { queue = 0, service = 0 } = report.injectedAt;
    if (asks) assert.ok(queue > 0 && service > 0, "growth under load fails both ways");
  });

  test(`${driver.name}: from hardly any memory to enough, it refuses clean, then runs`, async () => {
    const outcomes: string[] = [];
    for (const share of [0.001, 0.1, 0.5, 0.85, 1]) {
      const arenaBytes = Math.max(4096, Math.floor(driver.arenaBytes * share));
      const result = await playing(driver, { capture: burst, arenaBytes });
      clean(result);
      outcomes.push(result.refused ?? "ran");
    }
    assert.equal(outcomes[0], "RESOURCES");
    assert.equal(outcomes.at(-1), "ran");
    assert.ok(outcomes.lastIndexOf("RESOURCES") < outcomes.indexOf("ran"), outcomes.join(" "));
  });
}

test("drivers: `run --driver NAME --json` is exit code 0, and 3 in an arena of one page", async () => {
  for (const { name } of DRIVERS) {
    const { code, out } = await ndisShmem("run", "--driver", name, "--json", "--seed", "7");
    assert.equal(code, 0);
    const report = JSON.parse(out) as RunReport;
    assert.equal(report.driver, name);
    assert.equal(report.packets.delivered, 579);
    assert.equal((await ndisShmem("run", "--driver", name, "--arena", "4096")).code, 3);
  }
});

test("rtlnwifi: choice C40 at either level is for the machine; in one loop it asks for several", async () => {
  const rtlnwifi = DRIVERS.find(({ name }) => name === "rtlnwifi") as DriverModel;
  const report = clean(await playing(rtlnwifi, { settings: { lowWater: 128 } }));
  assert.equal(report.requests.asynchronous, 64, "from 64 to 128, and no further");
  const starved = clean(await playing(rtlnwifi, { arenaBytes: 118 * 4096, settings: { lowWater: 128 } }));
  assert.equal(starved.requests.completedNull, starved.requests.completed, "none was to be had");
});

test("netkvm: a frame of 65,535 bytes crosses pages, or chunks, and arrives as it was", async () => {
  const netkvm = DRIVERS.find(({ name }) => name === "netkvm") as DriverModel;
  const frames = [0, 1, 4083, 4084, 4085, 9000, 65_523, 65_535].map((length, index) => ({
    timeNs: (index + 1) * 50_000_000,
    bytes: new Uint8Array(length).map((_, at) => (at * 7 + index) & 0xff),
  }));
  const capture = readCapture(writeCapture(frames));
  const merged = clean(await playing(netkvm, { capture }));
  assert.equal(merged.packets.delivered, 8);
  const chunks = { mergeable: 0, receiveBuffers: 16 };
  // A chunk of 16 pages has room for header and frame of 65,524 bytes; the longest finds no buffer.
  const chained = clean(await playing(netkvm, { capture, settings: chunks }));
  assert.equal(chained.packets.delivered, 7);
  assert.deepEqual(chained.packets.reasons, { "no-buffer": 1 });
  let asked = 0;
  const faults = { strikes: (point: string): boolean => point === "synchronous" && asked++ > 2050 && asked % 3 !== 0 };
  const halved = clean(await playing(netkvm, { capture, settings: chunks, faults }));
  assert.ok(halved.packets.delivered >= 6, `${halved.packets.delivered} delivered through halved chunks`);
});

test("netkvm, gvnic: every block lies above 4 GiB (HighPart is not zero)", async () => {
  for (const name of ["netkvm", "gvnic"]) {
    const driver = DRIVERS.find((one) => one.name === name) as DriverModel;
    const { history } = await playing(driver, { capture: burst });
    assert.ok(history.peak.blocks.length > 1000);
    for (const { physical } of history.peak.blocks) assert.ok(physical >= HIGH_ARENA_BASE);
  }
});

test.run();
