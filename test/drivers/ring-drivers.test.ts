/** rtlnwifi, netkvm and gvnic against the machine: the blocks they ask for, by size and count, and how they ask for more. */
import * as assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import type { NdisChoices } from "../../bindings/index.js";
import { readCapture } from "../../src/capture/index.js";
import { Gve } from "../../src/devices/index.js";
import { DRIVERS, type DriverModel } from "../../src/drivers/index.js";
import { type Adapter, Machine } from "../../src/machine/index.js";

const frames = readCapture(readFileSync("examples/traffic/two-hosts.pcap")).frames.slice(90, 240);
const HIGH = 0x1_0100_0000;
const LOW = 0x100_0000;

interface Bench {
  readonly machine: Machine;
  readonly adapter: Adapter;
  readonly received: number[];
}

/** A scenario up to 100 ms after the last frame. The policy is `throw`: the first violation ends the test. */
async function bench(
  name: string,
  options: {
    readonly settings?: Record<string, unknown>;
    readonly choices?: Partial<NdisChoices>;
    readonly frames?: number;
    readonly base?: number;
    readonly device?: DriverModel["device"];
  } = {},
): Promise<Bench> {
  const driver = DRIVERS.find((one) => one.name === name) as DriverModel;
  const base = options.base ?? (driver.addressing === 32 ? LOW : HIGH);
  const machine = await Machine.open({
    zones: [{ base, size: driver.arenaBytes }],
    seed: 5,
    choices: { policy: "throw", ...options.choices },
  });
  const device = (options.device ?? driver.device)({ onDrop: () => {}, interruptLatencyNs: () => 10_000 });
  const received: number[] = [];
  const adapter = await machine.add(await machine.load(driver), {
    device,
    settings: options.settings ?? {},
    onFrame: (bytes) => received.push(bytes.length),
    holdNs: () => 3_000_000,
  });
  const played = frames.slice(0, options.frames ?? frames.length);
  const start = played[0]?.timeNs ?? 0;
  for (const frame of played) {
    machine.after(frame.timeNs - start, () => device.receive(frame.bytes, frame.originalLengthBytes));
  }
  let over = false;
  machine.after((played.at(-1)?.timeNs ?? 0) - start + 400_000_000, () => {
    over = true;
  });
  await machine.run(() => over);
  return { machine, adapter, received };
}

/** Lengths of the calls of one routine, counted. */
function counts(machine: Machine, call: string): Record<number, number> {
  const found: Record<number, number> = {};
  for (const line of machine.log) {
    const match = new RegExp(` ${call} (?:#\\d+ )?(\\d+)`).exec(line);
    if (match !== null) found[Number(match[1])] = (found[Number(match[1])] ?? 0) + 1;
  }
  return found;
}

async function halted({ machine, adapter }: Bench): Promise<void> {
  await machine.halt(adapter);
  assert.equal(machine.core.stats().liveBytes, 0);
  assert.deepEqual(machine.violations, []);
}

test("rtlnwifi: buffers, management buffers, beacons and rings of the table", async () => {
  const one = await bench("rtlnwifi");
  assert.deepEqual(counts(one.machine, "NdisMAllocateSharedMemory"), {
    319: 1,
    1023: 2,
    2303: 1,
    2400: 64,
    2500: 50,
  });
  assert.equal(one.received.length, frames.length);
  await halted(one);
});

test("rtlnwifi: growth is a loop of NDIS 5 requests at DISPATCH_LEVEL, completed at PASSIVE or DISPATCH (choice C40)", async () => {
  for (const [level, name] of [
    ["passive", "PASSIVE"],
    ["dispatch", "DISPATCH"],
  ] as const) {
    const one = await bench("rtlnwifi", { settings: { lowWater: 128 }, choices: { ndis6CallsNdis5Async: level } });
    const calls = one.machine.log.filter((line) => line.includes(" NdisMAllocateSharedMemoryAsync "));
    assert.equal(calls.length, 64, "64 at first, 128 at most");
    for (const call of calls) assert.match(call, / DISPATCH .* 2400 uncached -> PENDING/);
    const completions = one.machine.log.filter((line) => line.includes(" complete #"));
    assert.equal(completions.length, 64);
    for (const completion of completions) assert.ok(completion.includes(` ${name} `), completion);
    const index = (line: string | undefined): number => one.machine.log.indexOf(line as string);
    assert.ok(index(calls[7]) < index(completions[0]), "eight are asked for before the first is there");
    await halted(one);
  }
});

test("rtlnwifi: rings are aligned by hand and freed as they came, packed placement included (choice C13)", async () => {
  const one = await bench("rtlnwifi", { choices: { placement: "packed" } });
  assert.equal(one.received.length, frames.length);
  await halted(one);
});

test("rtlnwifi: a completion that finds the adapter going away frees what it got; halt waits for it", async () => {
  const one = await bench("rtlnwifi", { settings: { lowWater: 128 }, frames: 0 });
  const { machine, adapter } = one;
  const device = machine.log.length;
  await machine.pause(adapter);
  await machine.restart(adapter);
  assert.ok(machine.log.length > device);
  await halted(one);

  // A second scenario is halted while eight requests are pending.
  const driver = DRIVERS.find(({ name }) => name === "rtlnwifi") as DriverModel;
  const other = await Machine.open({ zones: [{ base: LOW, size: driver.arenaBytes }], seed: 5, schedule: "starved" });
  const nic = driver.device({ onDrop: () => {}, interruptLatencyNs: () => 0 });
  const late = await other.add(await other.load(driver), { device: nic, settings: { lowWater: 128 } });
  nic.receive(new Uint8Array(60));
  await other.run(() => late.record.pending === 8);
  await other.halt(late);
  const { accepted, completed, freed } = late.record;
  assert.ok(accepted >= 8);
  assert.equal(completed, accepted);
  assert.equal(freed, 118 + accepted);
  assert.equal(other.core.stats().liveBytes, 0);
  assert.deepEqual(other.violations, []);
});

test("netkvm: two-page blocks by the thousand, sixteen receive pages at first, one in a millisecond up to 256", async () => {
  const one = await bench("netkvm");
  const { machine } = one;
  const asked = counts(machine, "NdisMAllocateSharedMemory");
  assert.equal(asked[8192], 2048);
  assert.equal(asked[4096], 256);
  assert.equal(asked[512], 1);
  const pages = machine.log.filter((line) => line.includes(" NdisMAllocateSharedMemory 4096 "));
  const times = pages.map((line) => Number(line.split(" ")[1]));
  assert.ok(times.slice(0, 16).every((time) => time === times[0]));
  assert.equal(times[16] ?? 0, (times[0] ?? 0) + 1_000_000);
  assert.equal(times[255] ?? 0, (times[0] ?? 0) + 240_000_000);
  for (const line of pages) assert.match(line, / PASSIVE .* cached/);
  assert.ok(machine.warnings.length > 0, "allocation after initialize is a warning (choice C5)");
  assert.equal(one.received.length, frames.length);
  await halted(one);
});

test("netkvm: a halt during growth ends the thread", async () => {
  const driver = DRIVERS.find(({ name }) => name === "netkvm") as DriverModel;
  const machine = await Machine.open({ zones: [{ base: HIGH, size: driver.arenaBytes }], seed: 5 });
  const device = driver.device({ onDrop: () => {}, interruptLatencyNs: () => 0 });
  const adapter = await machine.add(await machine.load(driver), { device });
  const before = adapter.liveBlocks;
  await machine.run(() => adapter.liveBlocks >= before + 3);
  const at = machine.nowNs;
  await machine.halt(adapter);
  assert.ok(machine.nowNs - at < 1_000_000, "it was woken, not waited out");
  assert.equal(machine.core.stats().liveBytes, 0);
  assert.deepEqual(machine.violations, []);
});

test("netkvm: receive chunks are halved on failure down to one page", async () => {
  const one = await bench("netkvm", { settings: { mergeable: 0, receiveBuffers: 64 } });
  assert.ok((counts(one.machine, "NdisMAllocateSharedMemory")[65_536] ?? 0) >= 64);
  assert.equal(one.received.length, frames.length);
  await halted(one);
  // Sixty-four buffers are 4 MiB; what transmit memory leaves is 8 MiB, so more buffers must break their chunks.
  const short = await bench("netkvm", { settings: { mergeable: 0, receiveBuffers: 300 } });
  const asked = counts(short.machine, "NdisMAllocateSharedMemory");
  for (const length of [32_768, 16_384, 8192, 4096]) assert.ok((asked[length] ?? 0) > 0, `${length} was tried`);
  await halted(short);
});

test("gvnic: admin queue, page lists as long as the ring, pools by count and size", async () => {
  const one = await bench("gvnic");
  const asked = counts(one.machine, "NdisMAllocateSharedMemory");
  // 512 entries: two lists of pages, the admin queue, and a table of addresses for each list.
  assert.equal(asked[4096], 512 + 512 + 1 + 2);
  assert.equal(asked[64 * 182], 1);
  assert.equal(asked[16 * 512], 2, "a pool, and the receive ring of 512 x 16");
  assert.equal(asked[8 * 4096], 1);
  assert.equal(asked[65_535], 1);
  assert.equal(one.received.length, frames.length);
  await halted(one);
});

test("gvnic: a device of 32 bits gets memory below 4 GiB and pages it can reach", async () => {
  const device: DriverModel["device"] = (wire) => new Gve({ ...wire, addressBits: 32, ringEntries: 64 });
  const one = await bench("gvnic", { device, base: LOW });
  assert.equal(one.received.length, frames.length);
  await halted(one);
  const none = await bench("gvnic", { device, base: HIGH, frames: 0 });
  assert.notEqual(none.adapter.status, 0, "nothing it could address: refused");
  assert.equal(none.machine.core.stats().liveBytes, 0);
});

test.run();
