/** A made-up run with a burst, a silence, drops and a full arena: enough for every part of the table and the picture. */
import type { PhysicalAddress } from "../../bindings/index.js";
import { HistoryRecorder, type RunHistory, type RunReport, spreadOf } from "../../src/report/index.js";

const FRAME = 4096;

/** `arenaFrames`: the size of the zone. `bursts`: how many, a silence of two seconds after each. */
export function madeUpRun(arenaFrames = 96, bursts = 3): { report: RunReport; history: RunHistory } {
  const recorder = new HistoryRecorder();
  const base = 0x100000;
  const arenaBytes = arenaFrames * FRAME;
  const initial = 24;
  let live = initial;
  let peak = { timeNs: 0, live };
  const sample = (timeNs: number, pending: number): void => {
    recorder.memory({
      timeNs,
      liveBytes: live * FRAME,
      freeBytes: arenaBytes - live * FRAME,
      largestFreeBytes: Math.max(0, arenaBytes - live * FRAME - 3 * FRAME),
      pending,
    });
    if (live > peak.live) peak = { timeNs, live };
  };
  recorder.memory({ timeNs: 0, liveBytes: 0, freeBytes: arenaBytes, largestFreeBytes: arenaBytes, pending: 0 });
  sample(1000, 0);
  recorder.mark({ timeNs: 1000, kind: "initialized", label: "initialized" });
  let now = 1_000_000;
  let offered = 0;
  let dropped = 0;
  const latencies: number[] = [];
  for (let burst = 0; burst < bursts; burst += 1) {
    for (let frame = 0; frame < 120; frame += 1) {
      now += 120_000;
      recorder.traffic({ timeNs: now, bytes: 1514 });
      offered += 1;
      if (frame % 3 === 0) {
        sample(now + 10_000, 1);
        if (live < Math.min(arenaFrames, initial + 30 + 10 * burst)) {
          live += 1;
        } else if (live >= arenaFrames) {
          recorder.mark({ timeNs: now + 60_000, kind: "allocation-failed", label: "first completion with NULL" });
          recorder.mark({ timeNs: now + 70_000, kind: "drop", label: "no-buffer" });
          dropped += 1;
        }
        latencies.push(50_000 + frame * 100);
        sample(now + 60_000, 0);
      }
    }
    for (let idle = 0; idle < 20 && live > initial; idle += 1) {
      now += 40_000_000;
      live -= 1;
      sample(now, 0);
    }
    now += 2_000_000_000;
  }
  recorder.mark({ timeNs: now, kind: "halt", label: "halt" });
  live = 0;
  sample(now + 5000, 0);
  const kinds = [
    { kind: "transmit bounce", lengthBytes: 50_496 },
    { kind: "transmit descriptors", lengthBytes: 10_240 },
    { kind: "receive chunk", lengthBytes: 31_080 },
  ];
  let at = base;
  const blocks = kinds.map(({ kind, lengthBytes }) => {
    const block = { physical: at as PhysicalAddress, lengthBytes, kind };
    at += Math.ceil(lengthBytes / FRAME) * FRAME;
    return block;
  });
  for (let frame = initial; frame < peak.live; frame += 1, at += FRAME) {
    blocks.push({ physical: at as PhysicalAddress, lengthBytes: 1554, kind: "receive frame, grown" });
  }
  const freeBytes = arenaBytes - peak.live * FRAME;
  const history = recorder.finish({
    title: 'made-up <&> "traffic".pcap',
    frameSize: FRAME,
    zones: [{ base, size: arenaBytes }],
    peak: { timeNs: peak.timeNs, liveBytes: peak.live * FRAME, freeBytes, largestFreeBytes: freeBytes / 2, blocks },
  });
  const report: RunReport = {
    driver: "e100bex",
    seed: 7,
    capture: {
      format: "pcap",
      compressed: false,
      frames: offered,
      totalBytes: offered * 1514,
      cutFrames: 0,
      durationNs: now,
      linkTypes: [{ linkType: 1, name: "Ethernet", frames: offered, played: "ethernet" }],
      mended: {},
      skipped: {},
      skippedBytes: 0,
    },
    packets: {
      offered,
      delivered: offered - dropped,
      dropped,
      mismatched: 0,
      bytes: (offered - dropped) * 1514,
      reasons: dropped === 0 ? {} : { "no-buffer": dropped },
    },
    requests: {
      synchronous: 3,
      asynchronous: latencies.length,
      completed: latencies.length,
      completedNull: dropped,
      failedAtOnce: 0,
      freed: 50,
    },
    memory: { arenaBytes, peakLiveBytes: peak.live * FRAME, finalLiveBytes: 0, largestFreeBytes: arenaBytes },
    leaks: 0,
    violations: [],
    digest: "0123456789abcdef",
    timing: { wallMs: 41.5, framesPerSecond: 8675, simulatedNs: now + 5000, completionLatency: spreadOf(latencies) },
  };
  return { report, history };
}
