/**
 * The table for people: one run on one screen, at most 80 columns.
 *
 * Three columns: the group (named once), what is counted, and its number flush right so that digits line up; beside it a
 * remark that puts the number into proportion. The last lines say what is wrong, or that nothing is.
 */
import type { RunHistory } from "./history.js";
import { isClean, type RunReport } from "./run-report.js";
import { counted, durationText, grouped, percentText } from "./units.js";

/** The widest line, in columns. */
export const TABLE_COLUMNS = 80;

type Row = readonly [label: string, value: string, remark?: string | undefined];

/**
 * The report as lines without colour, each at most 80 columns, ending in a line feed. `refused`: the status with which the
 * driver refused to initialize, where it did.
 */
export function reportTable(report: RunReport, history: RunHistory, refused: string | null = null): string {
  const { packets, requests, memory, timing } = report;
  const { peak, frameSize } = history;
  const latency = timing.completionLatency;
  const slack = peak.blocks.reduce((sum, block) => sum + padding(block.lengthBytes, frameSize), 0);
  const groups: readonly (readonly [string, readonly Row[]])[] = [
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
    clip(`ndis-shmem run: ${report.driver}, seed ${report.seed}`),
    clip(`${printable(history.title)}: ${counted(packets.offered, "frame")} in ${durationText(spanOf(history))}`),
    "",
  ];
  for (const [group, rows] of groups) {
    rows.forEach(([label, value, remark], index) => {
      const name = index === 0 ? group : "";
      const head = `${name.padEnd(12)}${label.padEnd(20)}${value.padStart(18)}`;
      lines.push(clip(remark === undefined ? head : `${head}  ${remark}`));
    });
    lines.push("");
  }
  for (const violation of report.violations) {
    const code = [violation.code, violation.bugCheck].filter((part) => part !== null).join(", ");
    lines.push(...wrapped(`violation: ${violation.rule} in ${violation.call}${code === "" ? "" : ` (${code})`}`, ""));
    lines.push(...wrapped(printable(violation.message), "  "));
  }
  if (refused !== null) lines.push(clip(`${report.driver} refused to initialize: NDIS_STATUS_${refused}`));
  else lines.push(isClean(report) ? "clean" : "NOT CLEAN");
  return `${lines.join("\n")}\n`;
}

function padding(lengthBytes: number, frameSize: number): number {
  const over = lengthBytes % frameSize;
  return over === 0 ? 0 : frameSize - over;
}

function spanOf(history: RunHistory): number {
  return (history.traffic.at(-1)?.timeNs ?? 0) - (history.traffic[0]?.timeNs ?? 0);
}

/** What a file name or a foreign message may carry and a terminal must not get. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, "?");
}

function clip(line: string): string {
  const trimmed = line.trimEnd();
  return trimmed.length <= TABLE_COLUMNS ? trimmed : `${trimmed.slice(0, TABLE_COLUMNS - 3)}...`;
}

function wrapped(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(/\s+/)) {
    if (line.trim() !== "" && line.length + 1 + word.length > TABLE_COLUMNS) {
      lines.push(clip(line));
      line = indent;
    }
    line = line.trim() === "" ? `${indent}${word}` : `${line} ${word}`;
  }
  return [...lines, clip(line)];
}
