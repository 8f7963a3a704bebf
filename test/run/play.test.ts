/** A NIC's scenario from power-on to halt: the equations of the report, one seed one history, short memory, damaged drivers. */
import * as assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import { ShmemError } from "../../bindings/index.js";
import { type CaptureSource, readCapture, writeCapture } from "../../src/capture/index.js";
import { DRIVERS, type DriverModel } from "../../src/drivers/index.js";
import { SCHEDULES } from "../../src/machine/index.js";
import { isClean, type RunReport } from "../../src/report/index.js";
import { type PlayOptions, type PlayResult, play } from "../../src/run/index.js";

const twoHosts = readCapture(readFileSync("examples/traffic/two-hosts.pcap"));
const e100bex = DRIVERS.find((driver) => driver.name === "e100bex") as DriverModel;

function playing(options: Partial<PlayOptions> = {}): Promise<PlayResult> {
  let wall = 0;
  return play({
    driver: e100bex,
    capture: twoHosts,
    title: "two-hosts.pcap",
    seed: 7,
    wallMs: () => (wall += 1),
    ...options,
  });
}

/** The equations above `RunReport`, and what must hold of every correct driver. */
function sound({ report, history, refused }: PlayResult): void {
  const { packets, requests, memory } = report;
  assert.equal(packets.offered, packets.delivered + packets.dropped);
  assert.equal(
    packets.dropped,
    Object.values(packets.reasons).reduce((sum, count) => sum + count, 0),
  );
  assert.equal(requests.completed, requests.asynchronous - requests.failedAtOnce);
  assert.ok(requests.completedNull <= requests.completed);
  assert.ok(memory.peakLiveBytes <= memory.arenaBytes);
  assert.equal(packets.mismatched, 0);
  assert.equal(report.leaks, 0);
  assert.deepEqual(report.violations, []);
  assert.equal(memory.finalLiveBytes, 0);
  assert.match(report.digest, /^[0-9a-f]{16}$/);
  assert.ok(isClean(report));
  if (refused === null) {
    assert.equal(Math.max(...history.memory.map((sample) => sample.liveBytes)), memory.peakLiveBytes);
    assert.equal(history.peak.liveBytes, memory.peakLiveBytes);
  }
  for (const sample of history.memory) assert.equal(sample.liveBytes + sample.freeBytes, memory.arenaBytes);
}

const untimed = (report: RunReport): unknown => ({ ...report, timing: null });

test("play: the default capture arrives whole, with more than twenty asynchronous requests", async () => {
  const result = await playing();
  sound(result);
  const { report } = result;
  assert.equal(report.packets.delivered, 579);
  assert.equal(report.packets.bytes, twoHosts.summary.totalBytes);
  assert.deepEqual(report.packets.reasons, {});
  assert.ok(report.requests.asynchronous > 20, `${report.requests.asynchronous} asynchronous requests`);
  assert.equal(report.requests.completedNull, 0);
  assert.equal(report.requests.freed, report.requests.synchronous + report.requests.completed);
  assert.equal(report.memory.largestFreeBytes, report.memory.arenaBytes, "all merged");
  const latency = report.timing.completionLatency;
  assert.ok(
    latency !== null && latency.minNs > 0 && latency.minNs <= latency.medianNs && latency.medianNs <= latency.maxNs,
  );
});

test("play: one seed is one history, another seed another", async () => {
  const [one, again, other] = [await playing(), await playing(), await playing({ seed: 8 })];
  assert.deepEqual(untimed(one.report), untimed(again.report));
  assert.deepEqual(one.history, again.history);
  assert.equal(one.report.timing.simulatedNs, again.report.timing.simulatedNs);
  assert.notEqual(one.report.digest, other.report.digest);
});

test("play: memory grows in a burst and is given back in silence, before the halt", async () => {
  const { history } = await playing();
  const halt = history.markers.find((marker) => marker.kind === "halt")?.timeNs ?? 0;
  // The longest silence of the capture is four seconds; it begins after frame 394.
  const [silenceBegins, silenceEnds] = [15_700_000_000, 19_600_000_000];
  const at = (timeNs: number): number =>
    history.memory.filter((sample) => sample.timeNs <= timeNs).at(-1)?.liveBytes ?? Number.NaN;
  assert.ok(silenceEnds < halt);
  assert.ok(at(silenceBegins) > at(silenceEnds), `${at(silenceBegins)} before, ${at(silenceEnds)} after`);
  assert.equal(at(silenceEnds), at(0), "down to what initialize took");
});

test("play: growth fails in a small arena, frames are dropped with a reason, and everything ends clean", async () => {
  for (const [arenaKiB, least] of [
    [128, 10],
    [96, 50],
    [80, 100],
  ] as const) {
    const result = await playing({ arenaBytes: arenaKiB * 1024 });
    sound(result);
    const { packets, requests, memory } = result.report;
    assert.equal(result.refused, null);
    assert.equal(memory.arenaBytes, arenaKiB * 1024);
    assert.ok(requests.completedNull > 20, `${requests.completedNull} completions with NULL`);
    assert.ok(packets.dropped >= least, `${packets.dropped} dropped at ${arenaKiB} KiB`);
    assert.deepEqual(Object.keys(packets.reasons), ["no-buffer"]);
    assert.ok(packets.delivered > 200);
  }
});

test("play: in every arena from one frame up the driver runs clean or refuses clean", async () => {
  const capture = { ...twoHosts, frames: twoHosts.frames.slice(80, 240) };
  let ran = 0;
  let refused = 0;
  for (let frames = 1; frames <= 48; frames += 1) {
    const result = await playing({ capture, arenaBytes: frames * 4096 });
    sound(result);
    if (result.refused === null) {
      ran += 1;
    } else {
      refused += 1;
      assert.equal(result.refused, "RESOURCES");
      assert.equal(result.report.packets.offered, 0);
    }
  }
  assert.ok(ran >= 25 && refused >= 15, `${ran} ran, ${refused} refused`);
});

test("play: every schedule delivers everything, racing included (choices C19, C20)", async () => {
  for (const schedule of SCHEDULES.filter((name) => name !== "manual")) {
    for (const seed of [1, 2, 3]) {
      const result = await playing({ schedule, seed });
      sound(result);
      assert.ok(result.report.packets.delivered > 500, `${schedule}: ${result.report.packets.delivered} delivered`);
      assert.ok(result.report.requests.asynchronous > 20);
    }
  }
});

test("play: injected failures at every point cost frames at most", async () => {
  for (const [point, field] of [
    ["queue", "failedAtOnce"],
    ["service", "completedNull"],
  ] as const) {
    let asked = 0;
    const result = await playing({ faults: { strikes: (at) => at === point && asked++ % 2 === 0 } });
    sound(result);
    assert.ok(result.report.requests[field] > 10, `${field}: ${result.report.requests[field]}`);
  }
});

test("play: each synchronous allocation and the registration failing in turn is survived", async () => {
  const capture = { ...twoHosts, frames: twoHosts.frames.slice(80, 140) };
  for (const point of ["synchronous", "registration"] as const) {
    for (let which = 0; which < 6; which += 1) {
      let asked = 0;
      const result = await playing({ capture, faults: { strikes: (at) => at === point && asked++ === which } });
      sound(result);
      const fatal = point === "registration" ? which <= 1 : which < 3;
      assert.equal(result.refused !== null, fatal, `${point} ${which}: ${result.refused}`);
    }
  }
});

test("play: frames longer than 1514 bytes are dropped as oversize, cut ones judged by their wire length", async () => {
  const frame = (
    length: number,
    original = length,
  ): { timeNs: number; bytes: Uint8Array; originalLengthBytes: number } => ({
    timeNs: length * 1000,
    bytes: new Uint8Array(length).fill(length & 0xff),
    originalLengthBytes: original,
  });
  const lengths = [
    frame(0),
    frame(1),
    frame(60),
    frame(96, 1514),
    frame(97, 9000),
    frame(1514),
    frame(1515),
    frame(65_535),
  ];
  const result = await playing({ capture: readCapture(writeCapture(lengths, { startSeconds: 1 })) });
  sound(result);
  assert.equal(result.report.packets.delivered, 5);
  assert.deepEqual(result.report.packets.reasons, { oversize: 3 });
});

test("play: a capture of nothing, and of one frame", async () => {
  for (const frames of [[], [{ timeNs: 0, bytes: new Uint8Array(60) }]]) {
    const result = await playing({ capture: readCapture(writeCapture(frames)) });
    sound(result);
    assert.equal(result.report.packets.delivered, frames.length);
    assert.equal(result.report.timing.completionLatency, null);
  }
});

test("play: a silence of a hundred days costs no time", async () => {
  const burst = twoHosts.frames.slice(90, 200).map((frame) => ({ ...frame, timeNs: frame.timeNs % 1_000_000_000 }));
  const late = { timeNs: 100 * 86_400 * 1e9, bytes: new Uint8Array(60), originalLengthBytes: 60 };
  const frames = [...burst.sort((one, other) => one.timeNs - other.timeNs), late];
  const capture: CaptureSource = {
    open: () => {
      const batches = [frames, []];
      return { next: async () => batches.shift() ?? [], close: async () => {}, summary: twoHosts.summary };
    },
  };
  const began = performance.now();
  const result = await playing({ capture });
  sound(result);
  assert.equal(result.report.packets.delivered, 111);
  assert.ok(performance.now() - began < 5000);
});

test("play: with the sample's own figures the last four frames are lent, and the driver never runs dry of them", async () => {
  const result = await playing({ settings: { lowWater: 4, lendBelow: 4 }, arenaBytes: 128 * 1024 });
  sound(result);
  assert.ok(result.report.requests.completedNull > 5);
});

test("play: settings that are no numbers, or out of range, fall back or are held to their range", async () => {
  for (const settings of [
    { receiveFrames: "many" },
    { receiveFrames: -1 },
    { receiveFrames: 1e9, lowWater: Number.NaN },
  ]) {
    sound(await playing({ settings }));
  }
});

test("play: an arena that is none is refused before anything happens", async () => {
  for (const arenaBytes of [0, -4096, 4095, 1.5, Number.NaN, 2 ** 32]) {
    await assert.rejects(
      () => playing({ arenaBytes }),
      (error) => error instanceof ShmemError && error.code === "INVALID_ARGUMENT" && error.field === "arenaBytes",
    );
  }
  const { report } = await playing({ arenaBytes: 1024 * 1024 + 4095 });
  assert.equal(report.memory.arenaBytes, 1024 * 1024, "rounded down to whole frames");
});

test.run();
