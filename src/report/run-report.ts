/**
 * RunReport: what one run of a driver did, as numbers. And RunHistory: how it came about, for pictures.
 *
 * The report is what `ndis-shmem run --json` prints, key for key; programs read it, so keys are only ever added, under a
 * new `RUN_REPORT_VERSION`. Everything but `timing` is a function of the capture, the options and the seed: two runs with
 * one seed agree on it byte for byte. The history is internal, for the picture and the table, and may change at any time.
 *
 * These equations hold in every report, and a test walks them:
 *
 *   packets.offered       = packets.delivered + packets.dropped
 *   packets.dropped       = sum of packets.reasons
 *   requests.completed    = requests.asynchronous - requests.failedAtOnce     (null completions are completions)
 *   memory.finalLiveBytes = 0 when leaks = 0
 */

import type { CaptureSummary } from "../capture/index.js";
import type { Spread } from "./spread.js";

/** Version of the shape of `RunReport`. */
export const RUN_REPORT_VERSION = 2;

/** Frames on their way from the capture to the protocols above the driver. */
export interface PacketCounts {
  /** Frames in the capture. */
  readonly offered: number;
  /** Frames that the driver indicated upward. */
  readonly delivered: number;
  /** Frames that it did not, for one of the reasons. */
  readonly dropped: number;
  /** Frames indicated with bytes that differ from the capture, or out of order, or twice. */
  readonly mismatched: number;
  /** Bytes of all frames delivered. */
  readonly bytes: number;
  /** How many frames were dropped, by reason, in alphabetical order: `no-buffer`, `oversize`, ... Absent reasons are absent. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** Calls of the driver into the shared-memory family. */
export interface RequestCounts {
  /** Calls of NdisMAllocateSharedMemory, refused ones included. */
  readonly synchronous: number;
  /** Calls of NdisMAllocateSharedMemoryAsyncEx, whatever they returned. */
  readonly asynchronous: number;
  /** Completion callbacks, null ones included. completed = asynchronous - failedAtOnce. */
  readonly completed: number;
  /** Completion callbacks with a NULL address. */
  readonly completedNull: number;
  /** Asynchronous calls that returned NDIS_STATUS_FAILURE. */
  readonly failedAtOnce: number;
  /** Calls of NdisMFreeSharedMemory that freed a block. */
  readonly freed: number;
}

/** Bytes are counted in whole frames of the allocator (4,096 by default). */
export interface MemoryCounts {
  /** Bytes in all zones. */
  readonly arenaBytes: number;
  /** The most that was live at one moment. */
  readonly peakLiveBytes: number;
  /** What was live after the halt. */
  readonly finalLiveBytes: number;
  /** The largest single allocation that would have succeeded after the halt. */
  readonly largestFreeBytes: number;
}

/** A rule of NDIS that the driver broke. */
export interface ReportedViolation {
  /** The rule's stable name. */
  readonly rule: string;
  /** The error code, or null. */
  readonly code: string | null;
  /** The bug check of Windows for this, as `0x7C/0x03`, or null. */
  readonly bugCheck: string | null;
  /** The call in which it happened. */
  readonly call: string;
  /** One sentence for people. */
  readonly message: string;
}

/** What took how long. The wall times are the only values that differ between two runs with one seed. */
export interface Timing {
  /** Wall time of the whole run, in milliseconds. */
  readonly wallMs: number;
  /** Frames offered per second of wall time. */
  readonly framesPerSecond: number;
  /** Simulated time from power-on to the end of the halt, in nanoseconds. */
  readonly simulatedNs: number;
  /** Simulated time from an asynchronous request to its completion; null when there was none. */
  readonly completionLatency: Spread | null;
}

/** One run. */
export interface RunReport {
  readonly driver: string;
  readonly seed: number;
  /** What was read of the capture, and what was mended or skipped. */
  readonly capture: CaptureSummary;
  readonly packets: PacketCounts;
  readonly requests: RequestCounts;
  readonly memory: MemoryCounts;
  /** Blocks that were live after the halt. */
  readonly leaks: number;
  readonly violations: readonly ReportedViolation[];
  /** 16 hex digits over the logical state of the allocator after the halt. */
  readonly digest: string;
  readonly timing: Timing;
}

/** Exit codes of every command. */
export const EXIT = {
  /** Nothing to report. */
  clean: 0,
  /** Violations, leaks or mismatches. */
  findings: 1,
  /** Wrong usage, or a file that cannot be read. */
  usage: 2,
  /** The driver refused to initialize. */
  refused: 3,
  /** Ctrl-C: what was done so far is shown. 128 and the number of the signal, as shells have it. */
  interrupted: 130,
} as const;

/** True when the run broke no rule, leaked nothing, lost nothing without a word and delivered every byte as it was. */
export function isClean(report: RunReport): boolean {
  const { mismatched, reasons } = report.packets;
  return report.leaks === 0 && report.violations.length === 0 && mismatched === 0 && (reasons[LOST] ?? 0) === 0;
}

/** The reason of a frame that the driver neither indicated nor said it dropped: a finding. */
export const LOST = "lost";

/** The exit code of a run. `refused`: the status with which the driver refused to initialize, or null. */
export function exitCodeOf(report: RunReport, refused: string | null): number {
  if (!isClean(report)) return EXIT.findings;
  return refused === null ? EXIT.clean : EXIT.refused;
}
