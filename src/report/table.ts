/**
 * The table for people: one run on one screen.
 *
 * The group (named once), what is counted, and its number flush right so that digits line up; beside it a remark that puts
 * the number into proportion. The last lines say what is wrong, or that nothing is.
 */
import type { CaptureSummary } from "../capture/index.js";
import { captureKind, captureRemarks } from "./capture-text.js";
import type { RunHistory } from "./history.js";
import { type Row, type RowGroup, rowLines, wrapped } from "./rows.js";
import { isClean, type RunReport } from "./run-report.js";
import { counted, durationText, grouped, percentText } from "./units.js";

/**
 * The report as lines without colour, each at most `columns` wide (60 at least), ending in a line feed. `refused`: the
 * status with which the driver refused to initialize, where it did.
 */
export function reportTable(
  report: RunReport,
  history: RunHistory,
  refused: string | null = null,
  columns = 80,
): string {
  const { packets, requests, memory, timing } = report;
  const { peak, frameSize } = history;
  const latency = timing.completionLatency;
  const slack = peak.blocks.reduce((sum, block) => sum + padding(block.lengthBytes, frameSize), 0);
  const groups: readonly RowGroup[] = [
    ["capture", captureRows(report.capture)],
    [
      "packets",
      [
        ["offered", grouped(packets.offered)],
        ["delivered", grouped(packets.delivered), `${grouped(packets.bytes)} bytes`],
        ["dropped", grouped(packets.dropped), percentText(packets.dropped, packets.offered)],
        ...Object.entries(packets.reasons).map(([reason, count]): Row => [`  ${reason}`, grouped(count)]),
        ["mismatched", grouped(packets.mismatched), packets.mismatched === 0 ? "every byte compared" : "WRONG BYTES"],
      ],
    ],
    [
      "requests",
      [
        ["synchronous", grouped(requests.synchronous)],
        ["asynchronous", grouped(requests.asynchronous)],
        ["  failed at once", grouped(requests.failedAtOnce), "no completion follows"],
        ["  completed", grouped(requests.completed)],
        ["  of them with NULL", grouped(requests.completedNull), "out of memory when served"],
        ["freed", grouped(requests.freed)],
      ],
    ],
    [
      "memory",
      [
        ["arena", grouped(memory.arenaBytes), `bytes, frames of ${grouped(frameSize)}`],
        [
          "peak live",
          grouped(memory.peakLiveBytes),
          `bytes, ${percentText(memory.peakLiveBytes, memory.arenaBytes)} of the arena`,
        ],
        ["  padding in it", grouped(slack), `bytes, ${percentText(slack, peak.liveBytes)} of the peak`],
        [
          "  largest free",
          grouped(peak.largestFreeBytes),
          `bytes, fragmentation ${percentText(peak.freeBytes - peak.largestFreeBytes, peak.freeBytes)}`,
        ],
        ["final live", grouped(memory.finalLiveBytes), "bytes"],
        ["  largest free", grouped(memory.largestFreeBytes), "bytes"],
      ],
    ],
    [
      "completion",
      latency === null
        ? [["latency", "none"]]
        : [
            ["min, median", `${durationText(latency.minNs)}, ${durationText(latency.medianNs)}`, "simulated time"],
            ["p99, max", `${durationText(latency.p99Ns)}, ${durationText(latency.maxNs)}`],
          ],
    ],
    [
      "speed",
      [
        ["simulated", durationText(timing.simulatedNs)],
        ["wall", durationText(timing.wallMs * 1_000_000), `${grouped(timing.framesPerSecond)} frames per second`],
      ],
    ],
    [
      "result",
      [
        ["leaks", grouped(report.leaks), report.leaks === 0 ? undefined : "blocks live after the halt"],
        ["violations", grouped(report.violations.length)],
        ["digest", report.digest],
      ],
    ],
  ];

  const lines = [
    ...wrapped(`ndis-shmem run: ${report.driver}, seed ${report.seed}`, columns),
    ...wrapped(
      `${shortened(printable(history.title), columns / 2)}: ${counted(packets.offered, "frame")} in ${durationText(report.capture.durationNs)}`,
      columns,
    ),
    "",
    ...rowLines(groups, columns),
  ];
  for (const violation of report.violations) {
    const code = [violation.code, violation.bugCheck].filter((part) => part !== null).join(", ");
    const head = `violation: ${violation.rule} in ${violation.call}${code === "" ? "" : ` (${code})`}`;
    lines.push(...wrapped(head, columns), ...wrapped(printable(violation.message), columns, "  "));
  }
  if (refused !== null)
    lines.push(...wrapped(`${report.driver} refused to initialize: NDIS_STATUS_${refused}`, columns));
  else lines.push(isClean(report) ? "clean" : "NOT CLEAN");
  return `${lines.join("\n")}\n`;
}

function captureRows(capture: CaptureSummary): Row[] {
  return [
    ["frames", grouped(capture.frames), captureKind(capture)],
    ...captureRemarks(capture).map(({ verb, count, text }): Row => [`  ${verb}`, grouped(count), text]),
    ...(capture.skippedBytes > 0 ? [["  bytes not read", grouped(capture.skippedBytes)] as Row] : []),
    ...(capture.cutFrames > 0 ? [["  recorded in part", grouped(capture.cutFrames)] as Row] : []),
  ];
}

function padding(lengthBytes: number, frameSize: number): number {
  const over = lengthBytes % frameSize;
  return over === 0 ? 0 : frameSize - over;
}

/** What a file name or a foreign message may carry and a terminal must not get. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, "?");
}

/** A long name of a file without its middle. */
function shortened(text: string, columns: number): string {
  const letters = [...text];
  const half = Math.floor(columns / 2) - 2;
  return letters.length <= columns ? text : `${letters.slice(0, half).join("")}...${letters.slice(-half).join("")}`;
}
