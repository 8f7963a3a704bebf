/**
 * Golden event logs: each driver's scenario on sixty frames, as the number of lines, the first and last of them, and the digest
 * over all. One seed is one history, on every engine; a change here is a change of behaviour, and is looked at before it is
 * kept. To keep it: `UPDATE_GOLDEN=1 node test/run.mjs drivers/golden`.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readCapture } from "../../src/capture/index.js";
import { DRIVERS, type DriverModel } from "../../src/drivers/index.js";
import { Machine } from "../../src/machine/index.js";

const FILE = "test/drivers/golden.json";
const ENDS = 6;
const frames = readCapture(readFileSync("examples/traffic/two-hosts.pcap")).frames.slice(100, 160);

interface Golden {
  readonly lines: number;
  readonly first: readonly string[];
  readonly last: readonly string[];
  readonly digest: string;
}

async function scenario(driver: DriverModel): Promise<Golden> {
  const base = driver.addressing === 32 ? 0x100_0000 : 0x1_0100_0000;
  const machine = await Machine.open({ zones: [{ base, size: driver.arenaBytes }], seed: 11, schedule: "random" });
  const device = driver.device({ onDrop: () => {}, interruptLatencyNs: () => 20_000 });
  const adapter = await machine.add(await machine.load(driver), { device, holdNs: () => 2_000_000 });
  const start = frames[0]?.timeNs ?? 0;
  for (const frame of frames) {
    machine.after(frame.timeNs - start, () => device.receive(frame.bytes, frame.originalLengthBytes));
  }
  let over = false;
  machine.after((frames.at(-1)?.timeNs ?? 0) - start + 20_000_000, () => {
    over = true;
  });
  await machine.run(() => over);
  await machine.halt(adapter);
  const { log } = machine;
  return { lines: log.length, first: log.slice(0, ENDS), last: log.slice(-ENDS), digest: machine.logDigest() };
}

const update = process.env.UPDATE_GOLDEN === "1";
const golden = (existsSync(FILE) ? JSON.parse(readFileSync(FILE, "utf8")) : {}) as Record<string, Golden>;

for (const driver of DRIVERS) {
  test(`${driver.name}: the event log is the golden one, twice`, async () => {
    const now = await scenario(driver);
    assert.equal(await scenario(driver), now);
    assert.ok(now.lines > 100);
    if (update) golden[driver.name] = now;
    assert.equal(now, golden[driver.name], "UPDATE_GOLDEN=1 keeps the new log, once you know why it changed");
  });
}

test.after(() => {
  if (update) writeFileSync(FILE, `${JSON.stringify(golden, null, 2)}\n`);
});

test.run();
