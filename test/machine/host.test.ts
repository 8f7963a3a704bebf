/** What a host owns: the interrupt line of its device, time, and the values that it hands to the machine. */
import assert from "node:assert/strict";
import { test } from "uvu";
import { adapterServices, NDIS_STATUS_SUCCESS, NdisMAllocateSharedMemoryAsyncEx } from "../../bindings/ndis/index.js";
import { type DeviceModel, type DevicePort, Machine, Prng } from "../../src/index.js";
import { type Nic, open } from "../ndis/rig.js";
import { WRONG_VALUES } from "./wrong-values.js";

/** A device whose register 0 counts what it wants served; reading it does not lower the line, writing it does. */
class Line implements DeviceModel {
  port!: DevicePort;
  wanted = 0;
  attach(port: DevicePort): void {
    this.port = port;
  }
  readRegister(): number {
    return this.wanted;
  }
  writeRegister(_offset: number, value: number): void {
    this.wanted -= value;
    this.port.setLine(this.wanted > 0);
  }
  ask(times: number): void {
    this.wanted += times;
    this.port.setLine(true);
  }
}

const serves = (seen: number[]) => (nic: Nic) => {
  nic.services.registerInterrupt({
    isr: () => nic.services.readRegister(0) > 0,
    dpc: () => {
      seen.push(nic.services.nowNs);
      nic.services.writeRegister(0, 1);
    },
  });
  return NDIS_STATUS_SUCCESS;
};

test("a line that is up before the driver registers its interrupt is seen when it does; so is a pulse", async () => {
  for (const raise of [(line: Line) => line.ask(1), (line: Line) => line.port.interrupt()]) {
    const line = new Line();
    let dpcs = 0;
    const { machine, adapter, nic } = await open(
      {
        initialize(nic) {
          raise(line);
          nic.services.registerInterrupt({
            dpc: () => {
              dpcs++;
              line.port.setLine(false);
            },
          });
          return NDIS_STATUS_SUCCESS;
        },
      },
      {},
      { device: line },
    );
    await machine.run();
    assert.equal(dpcs, 1);
    nic.services.deregisterInterrupt();
    await machine.halt(adapter);
  }
});

test("while the line is up the service routine runs again after each deferred call, and not afterwards", async () => {
  const line = new Line();
  const seen: number[] = [];
  const { machine } = await open({ initialize: serves(seen) }, {}, { device: line });
  line.ask(3);
  await machine.run();
  assert.deepEqual(seen, [0, 1000, 2000]);
  await machine.run();
  assert.equal(seen.length, 3, "the line is down");
});

test("a line that no driver lowers lets time pass, and is silent after deregistration and halt", async () => {
  const line = new Line();
  let dpcs = 0;
  const { machine, nic, adapter } = await open(
    {
      initialize(one) {
        one.services.registerInterrupt({ dpc: () => dpcs++ });
        return NDIS_STATUS_SUCCESS;
      },
    },
    {},
    { device: line },
  );
  line.ask(1);
  assert.equal(machine.advance(10_000), 10_000);
  assert.equal(dpcs, 11, "once at once, and once in each microsecond");
  nic.services.deregisterInterrupt();
  machine.advance(20_000);
  assert.equal(dpcs, 11);
  await machine.halt(adapter);
  line.port.setLine(true);
  await machine.run();
  assert.equal(dpcs, 11);
});

/** Traffic, a periodic timer and a thread that sleeps, advanced to the end in slices. */
async function sliced(slices: readonly number[], sync: boolean): Promise<{ log: readonly string[]; atNs: number }> {
  const { machine, dma, nic } = await open({}, { seed: 3, log: "lines" });
  for (let i = 0; i < 30; i++) {
    machine.after(i * 7919, () => void NdisMAllocateSharedMemoryAsyncEx(dma, 64 + i, false, i));
  }
  const timer = nic.services.createTimer(() => nic.services.drop("tick"));
  timer.set(10_000, 10_000);
  nic.services.queueWorkItem(async () => {
    for (let i = 0; i < 5; i++) {
      await nic.services.sleep(33_333);
      nic.services.drop("slept");
    }
  });
  for (const toNs of slices) {
    if (!sync) {
      await machine.advanceAsync(toNs);
    } else {
      while (machine.advance(toNs) < toNs || machine.runnable) await machine.settle();
    }
    assert.equal(machine.nowNs, toNs, "exact to the nanosecond");
  }
  return { log: machine.log, atNs: machine.nowNs };
}

test("advance: exact to the nanosecond in any slicing, and the same log whatever the slices", async () => {
  const whole = await sliced([500_000], false);
  assert.ok(whole.log.length > 100);
  const prng = new Prng(5);
  for (let draw = 0; draw < 6; draw++) {
    const slices = Array.from({ length: 1 + prng.below(200) }, () => prng.below(500_000)).sort((a, b) => a - b);
    const now = await sliced([...slices, 500_000], draw % 2 === 0);
    assert.deepEqual(now.log, whole.log, `${slices.length} slices`);
  }
});

test("advance stops where a thread can go on, and never goes back", async () => {
  const { machine, nic } = await open();
  nic.services.queueWorkItem(async () => {
    await nic.services.sleep(700);
    nic.services.drop("slept");
  });
  assert.equal(machine.advance(1000), 700);
  assert.equal(machine.runnable, true);
  await machine.settle();
  assert.equal(machine.advance(1000), 1000);
  assert.equal(machine.advance(5), 1000, "a time that is past is reached already");
  await machine.advanceAsync(5);
  assert.equal(machine.nowNs, 1000);
});

test("arguments of machine, port and services refuse the wrong values by name", async () => {
  const line = new Line();
  const { machine, nic } = await open({}, {}, { device: line });
  const { services } = nic;
  const before = machine.core.imageDigest() + machine.logDigest() + machine.nextEventNs;
  type Call = readonly [field: string, member: readonly string[], call: (value: never) => unknown];
  const calls: readonly Call[] = [
    ["toNs", ["integer"], (value) => machine.advance(value)],
    ["delayNs", ["integer", "negative"], (value) => machine.after(value, () => {})],
    ["run", ["function"], (value) => machine.after(0, value)],
    ["delayNs", ["integer", "negative"], (value) => line.port.after(value, () => {})],
    ["run", ["function"], (value) => line.port.after(0, value)],
    ["isUp", ["boolean"], (value) => line.port.setLine(value)],
    ["level", ["integer"], (value) => services.raiseIrql(value)],
    ["level", ["integer"], (value) => services.lowerIrql(value)],
    ["callback", ["function"], (value) => services.createTimer(value)],
    ["callback", ["function"], (value) => services.queueWorkItem(value)],
    ["delayNs", ["integer"], (value) => services.createTimer(() => {}).set(value)],
    ["handlers", [], (value) => services.registerInterrupt(value)],
    ["event", [], (value) => services.wait(value)],
    ["faults", ["list", "null"], (value) => machine.inject(value)],
  ];
  let refused = 0;
  for (const [field, member, call] of calls) {
    for (const { name, value, member: kinds } of WRONG_VALUES) {
      if (kinds.some((kind) => member.includes(kind))) continue;
      if (member.includes("negative") && value === -1) continue;
      try {
        call(value as never);
      } catch (error) {
        const { code, field: named } = error as { readonly code?: string; readonly field?: string };
        assert.equal(code, "INVALID_ARGUMENT", `${field}: ${name}: ${String(error)}`);
        assert.ok(named?.startsWith(field), `${field}: ${name} names ${named}`);
        refused++;
        continue;
      }
      assert.fail(`${field}: ${name} was accepted`);
    }
  }
  assert.ok(refused > 400, `${refused} refusals`);
  assert.equal(machine.core.imageDigest() + machine.logDigest() + machine.nextEventNs, before);
});

test("a machine's core is the machine's: restore is WRONG_CONTEXT and changes nothing; a core of one's own restores", async () => {
  const { machine, dma, adapter } = await open();
  const before = machine.core.snapshot();
  NdisMAllocateSharedMemoryAsyncEx(dma, 1554, false, 0);
  await machine.run();
  const digest = machine.core.imageDigest();
  assert.throws(() => machine.core.restore(before), { code: "WRONG_CONTEXT" });
  assert.equal(machine.core.imageDigest(), digest);
  assert.equal(machine.core.stats().liveBlocks, adapter.liveBlocks);
  assert.equal(adapterServices(adapter.handle).name, adapter.name);
  const own = (await Machine.open({ log: "off" })).core;
  assert.throws(() => own.restore(own.snapshot()), { code: "WRONG_CONTEXT" });
});

test("a machine that is disposed with many live blocks names eight of them, and counts the rest", async () => {
  const { machine, nic } = await open({}, { choices: { policy: "collect" } });
  for (let i = 0; i < 500; i++) nic.allocate(64);
  machine.dispose();
  const { message = "" } = machine.violations.at(-1) ?? {};
  assert.match(message, /disposed with 500 blocks/);
  assert.match(message, /And 492 more\.$/);
  assert.ok(message.length < 4000, `${message.length} characters`);
});

test("the log keeps its last 10,000 lines by default, every one if asked, and the digest is that of all", async () => {
  const lines = async (log: "recent" | "lines" | "digest") => {
    const { machine, nic } = await open({}, { log });
    for (let i = 0; i < 12_345; i++) nic.services.drop(`r${i % 7}`);
    return { kept: machine.log, digest: machine.logDigest() };
  };
  const [recent, every, digest] = [await lines("recent"), await lines("lines"), await lines("digest")];
  assert.equal(recent.kept.length, 10_000);
  assert.deepEqual(recent.kept, every.kept.slice(-10_000));
  assert.deepEqual(digest.kept, []);
  assert.deepEqual([recent.digest, digest.digest], [every.digest, every.digest]);
});

test.run();
