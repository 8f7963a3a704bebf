/** What a run finds: wrong bytes, lost frames, leaks, violations and exceptions of a driver, each planted and each named. */
import * as assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import { readCapture } from "../../src/capture/index.js";
import { I8255x, type ReceivingDevice } from "../../src/devices/index.js";
import { DRIVERS, type DriverModel } from "../../src/drivers/index.js";
import type { DevicePort } from "../../src/machine/index.js";
import { isClean } from "../../src/report/index.js";
import { type PlayResult, play } from "../../src/run/index.js";
import { UpperLayer } from "../../src/run/upper-layer.js";

const twoHosts = readCapture(readFileSync("examples/traffic/two-hosts.pcap"));
const e100bex = DRIVERS[0] as DriverModel;

function playing(driver: DriverModel, settings: Record<string, unknown> = {}): Promise<PlayResult> {
  return play({ driver, capture: twoHosts, title: "two-hosts.pcap", seed: 3, wallMs: () => 0, settings });
}

/** The real controller with a hand between it and the bus. */
function withPort(change: (port: DevicePort) => DevicePort): DriverModel {
  return {
    ...e100bex,
    device: (wire): ReceivingDevice => {
      const device = new I8255x(wire);
      const attach = device.attach.bind(device);
      device.attach = (port) => attach(change(port));
      return device;
    },
  };
}

test("findings: one wrong byte in one frame is one mismatch", async () => {
  let writes = 0;
  const driver = withPort((port) => ({
    nowNs: 0,
    read: (logical, into) => port.read(logical, into),
    write: (logical, bytes) => {
      writes += 1;
      const frame = bytes.length >= 60 && writes > 300 && writes < 304;
      port.write(logical, frame ? bytes.map((byte, index) => (index === 50 ? byte ^ 1 : byte)) : bytes);
    },
    readU32: (logical) => port.readU32(logical),
    writeU32: (logical, value) => port.writeU32(logical, value),
    setLine: () => {},
    interrupt: () => port.interrupt(),
    after: (delayNs, run) => port.after(delayNs, run),
  }));
  const { report } = await playing(driver);
  assert.equal(report.packets.mismatched, 1);
  assert.equal(report.packets.delivered, 579);
  assert.ok(!isClean(report));
});

test("findings: a device that writes outside every block is a violation, and the run goes on to its end", async () => {
  let armed = true;
  const driver = withPort((port) => ({
    nowNs: 0,
    read: (logical, into) => port.read(logical, into),
    write: (logical, bytes) => {
      const stray = armed && bytes.length === 1514;
      armed = armed && !stray;
      port.write(stray ? 0x8000_0000 : logical, bytes);
    },
    readU32: (logical) => port.readU32(logical),
    writeU32: (logical, value) => port.writeU32(logical, value),
    setLine: () => {},
    interrupt: () => port.interrupt(),
    after: (delayNs, run) => port.after(delayNs, run),
  }));
  const { report } = await playing(driver);
  assert.equal(report.violations.length, 1);
  assert.equal(report.violations[0]?.code, "TRANSLATION_FAULT");
  assert.match(report.violations[0]?.bugCheck ?? "", /^0xE6\/0x26$/);
  assert.match(report.violations[0]?.message ?? "", /0x80000000/);
  assert.equal(report.packets.reasons["bus-fault"], 1);
  assert.equal(report.leaks, 0);
  assert.equal(report.packets.offered, report.packets.delivered + report.packets.dropped);
});

test("findings: a driver that throws in initialize is a finding with its message, not a refusal", async () => {
  const { report, refused } = await playing({
    ...e100bex,
    DriverEntry: (object, path) => {
      const status = e100bex.DriverEntry(object, path);
      throw new TypeError(`after ${String(status)}`);
    },
  });
  assert.equal(refused, null);
  assert.equal(report.violations[0]?.rule, "HandlerDoesNotThrow");
  assert.match(report.violations[0]?.message ?? "", /after 0/);
});

test("findings: the upper layer counts frames lost, frames wrong, frames invented and frames twice", () => {
  const frames = [1, 2, 3, 4, 5].map((value) => new Uint8Array(60).fill(value));
  const expecting = (): UpperLayer => {
    const upper = new UpperLayer();
    for (const frame of frames) upper.expect(frame);
    return upper;
  };
  const lost = expecting();
  for (const index of [0, 1, 4]) lost.indicated(frames[index] as Uint8Array);
  lost.close();
  assert.deepEqual([lost.delivered, lost.lost, lost.mismatched], [3, 2, 0]);

  const wrong = expecting();
  for (const index of [0, 1, 2, 3, 4]) {
    const frame = (frames[index] as Uint8Array).slice(0, index === 2 ? 59 : 60);
    wrong.indicated(frame);
  }
  wrong.close();
  assert.deepEqual([wrong.delivered, wrong.lost, wrong.mismatched], [5, 0, 1]);

  const invented = expecting();
  for (const frame of frames) invented.indicated(frame);
  invented.indicated(new Uint8Array(60).fill(6));
  assert.deepEqual([invented.delivered, invented.lost, invented.mismatched], [5, 0, 1]);

  const twice = expecting();
  for (const index of [0, 0, 1, 2, 3, 4]) twice.indicated(frames[index] as Uint8Array);
  assert.ok(twice.mismatched >= 1, "the second copy matches nothing");

  const given = expecting();
  given.indicated(frames[0] as Uint8Array);
  given.givenUp();
  for (const index of [2, 3, 4]) given.indicated(frames[index] as Uint8Array);
  given.close();
  assert.deepEqual([given.delivered, given.lost, given.mismatched], [4, 0, 0]);
});

test("findings: the upper layer's queue does not grow with the traffic", () => {
  const upper = new UpperLayer();
  for (let index = 0; index < 100_000; index += 1) {
    const frame = Uint8Array.of(index & 255, (index >> 8) & 255, index >> 16);
    upper.expect(frame);
    upper.indicated(frame.slice());
  }
  assert.equal(upper.delivered, 100_000);
  assert.equal(upper.mismatched + upper.lost, 0);
});

test.run();
