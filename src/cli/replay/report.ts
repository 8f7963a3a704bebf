/** What a replay prints: one recording in full, several as a table, two side by side. */

import type { Difference, ReplayReport } from "../../replay/index.js";
import { bytesText } from "../../report/index.js";
import { shortName } from "./inputs.js";

const BAR = 24;

function count(value: number): string {
  return value.toLocaleString("en");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function range(bucket: number): string {
  return bucket === 0 ? "1" : `${bytesText(2 ** bucket)} -`;
}

function histogram(title: string, counts: readonly number[], name: (bucket: number) => string): readonly string[] {
  const most = Math.max(...counts);
  if (counts.length === 0 || most === 0) return [];
  const first = counts.findIndex((one) => one > 0);
  const rows = counts.slice(first).map((one, i) => {
    const bar = one === 0 ? "" : "#".repeat(Math.max(1, Math.round((BAR * one) / most)));
    return `  ${name(first + i).padStart(12)} ${count(one).padStart(12)}  ${bar}`.trimEnd();
  });
  return ["", title, ...rows];
}

/** Eight rows of a curve over time: where the memory was at the end of each eighth of the recording. */
function course(report: ReplayReport): readonly string[] {
  const { moments, arenaBytes } = report;
  if (moments.length < 2) return [];
  const rows = Array.from({ length: 8 }, (_, i) => moments[Math.ceil(((i + 1) * moments.length) / 8) - 1]);
  const lines = ["", "operations    payload       held high water largest free    use  fragmentation"];
  for (const moment of rows) {
    if (moment === undefined) continue;
    const { operation, payloadBytes, heldBytes, highWaterBytes, largestFreeBytes, freeBytes } = moment;
    const use = highWaterBytes === 0 ? 0 : payloadBytes / highWaterBytes;
    const scattered = freeBytes < 0.05 * arenaBytes ? "-" : percent(1 - largestFreeBytes / freeBytes);
    lines.push(
      [
        count(operation).padStart(10),
        bytesText(payloadBytes).padStart(11),
        bytesText(heldBytes).padStart(11),
        bytesText(highWaterBytes).padStart(11),
        bytesText(largestFreeBytes).padStart(13),
        percent(use).padStart(7),
        scattered.padStart(15),
      ].join(""),
    );
  }
  return lines;
}

function leftovers(report: ReplayReport): readonly string[] {
  const { left, finalLiveBlocks, finalLiveBytes } = report;
  if (finalLiveBlocks === 0) return [];
  const groups = new Map<string, { blocks: number; bytes: number; line: number }>();
  for (const { bytes, owner, line } of left) {
    const key = `${bytes} ${owner}`;
    const group = groups.get(key) ?? { blocks: 0, bytes: 0, line };
    group.blocks += 1;
    group.bytes += bytes;
    groups.set(key, group);
  }
  const sorted = [...groups].sort(([, a], [, b]) => b.bytes - a.bytes).slice(0, 8);
  const lines = ["", `left over: ${count(finalLiveBlocks)} blocks, ${bytesText(finalLiveBytes)}; the largest groups:`];
  for (const [key, { blocks, bytes, line }] of sorted) {
    const [size = "", ...owner] = key.split(" ");
    const who = owner.join(" ").trim();
    lines.push(
      `  ${count(blocks).padStart(8)} of ${bytesText(Number(size)).padStart(9)} = ${bytesText(bytes).padStart(9)}, first at line ${count(line)}${who === "" ? "" : `, ${who}`}`,
    );
  }
  return lines;
}

/** What was skipped, mended or invented. */
export function noteLines(report: ReplayReport): readonly string[] {
  return report.notes.map(
    ({ kind, why, count: times, firstLine }) => `  ${kind} ${count(times)}: ${why} (first at line ${count(firstLine)})`,
  );
}

/** One recording, in full. */
export function fullReport(report: ReplayReport): string {
  const { operations, allocations, frees, reallocations, ignored, failures } = report;
  const lines = [
    `${report.file}: ${report.format}, replayed in ${report.mode}`,
    "",
    `operations       ${count(operations)} (${count(allocations)} allocations, ${count(frees)} frees, ${count(reallocations)} reallocations)`,
    `changed nothing  ${count(ignored)}`,
    `peak payload     ${bytesText(report.peakLiveBytes)} in ${count(report.peakLiveBlocks)} blocks at most`,
    `arena            ${bytesText(report.arenaBytes)} in frames of ${report.frameSize} B`,
    `high water       ${bytesText(report.highWaterBytes)}; utilization ${percent(report.utilization)}, fragmentation at most ${percent(report.fragmentation)}`,
    `least arena      ${leastArena(report)}`,
    `failures         ${
      failures === 0
        ? "none"
        : `${count(failures)} (${Object.entries(report.failureReasons)
            .map(([why, times]) => `${why} ${count(times)}`)
            .join(", ")})`
    }`,
  ];
  if (report.mode === "chaos")
    lines.push(`chaos            ${count(report.retried)} asked for again, ${count(report.dropped)} dropped`);
  lines.push(
    `time             read ${report.readMs.toFixed(0)} ms, replayed ${report.replayMs.toFixed(0)} ms: ${(report.opsPerSecond / 1e6).toFixed(2)} million operations a second`,
    `digest           ${report.digest}`,
  );
  for (const { operation, bytes, reason, freeBytes, largestFreeBytes } of report.firstFailures.slice(0, 5)) {
    lines.push(
      `! operation ${count(operation)}: ${count(bytes)} bytes found no memory (${reason}; ${bytesText(freeBytes)} free, largest ${bytesText(largestFreeBytes)})`,
    );
  }
  if (report.notes.length > 0) lines.push("", "not as it stands in the file:", ...noteLines(report));
  lines.push(...course(report));
  lines.push(...histogram("sizes (bytes asked for, by powers of two)", report.sizes, range));
  lines.push(
    ...histogram("lifetimes (operations between allocation and free)", report.lifetimes, (k) => `${count(2 ** k)} -`),
  );
  lines.push(...leftovers(report));
  for (const finding of report.findings) lines.push(`! ${finding}`);
  return `${lines.join("\n")}\n`;
}

function leastArena({ leastArenaBytes, arenaScore }: ReplayReport): string {
  if (arenaScore === null) return "not looked for";
  const least = leastArenaBytes === null ? "none of those tried is enough" : bytesText(leastArenaBytes);
  return `${least}; score ${arenaScore.toFixed(2)} (1 + 0.02 for each arena of 1.00, 1.02 ... peaks with a failure)`;
}

const COLUMNS = ["recording", "operations", "peak", "high water", "score", "use", "failed", "left", "M ops/s", "noted"];

/** A row for each of several recordings, 80 columns. */
export function table(reports: readonly ReplayReport[]): string {
  const rows = reports.map((report) => [
    shortName(report.file).slice(0, 16),
    count(report.operations),
    bytesText(report.peakLiveBytes),
    bytesText(report.highWaterBytes),
    report.arenaScore?.toFixed(2) ?? "-",
    `${(100 * report.utilization).toFixed(0)}%`,
    count(report.failures),
    count(report.finalLiveBlocks),
    (report.opsPerSecond / 1e6).toFixed(2),
    count(report.skipped + report.mended + report.invented),
  ]);
  const all = [COLUMNS, ...rows];
  const widths = COLUMNS.map((_, column) => Math.max(...all.map((row) => (row[column] as string).length)));
  const lines = all.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number),
      )
      .join(" ")
      .trimEnd(),
  );
  for (const report of reports) for (const finding of report.findings) lines.push(`! ${report.file}: ${finding}`);
  return `${lines.join("\n")}\n`;
}

function perMille(value: number, of: number): string {
  return of === 0 ? "-" : `${((100 * value) / of).toFixed(1)} %`;
}

/** Two recordings side by side, and where they first differ. */
export function comparison(left: ReplayReport, right: ReplayReport, difference: Difference): string {
  const row = (name: string, of: (report: ReplayReport) => string): string =>
    `${name.padEnd(22)}${of(left).padStart(18)}${of(right).padStart(18)}`;
  const lines = [
    row("", (report) => shortName(report.file).slice(0, 17)),
    row("operations", (report) => count(report.operations)),
    row("allocations", (report) => count(report.allocations)),
    row("frees", (report) => count(report.frees)),
    row("reallocations", (report) => count(report.reallocations)),
    row("peak payload", (report) => bytesText(report.peakLiveBytes)),
    row("peak blocks", (report) => count(report.peakLiveBlocks)),
    row("left-over blocks", (report) => count(report.finalLiveBlocks)),
    row("left-over bytes", (report) => bytesText(report.finalLiveBytes)),
    row("high water", (report) => bytesText(report.highWaterBytes)),
    row("arena score", (report) => report.arenaScore?.toFixed(2) ?? "-"),
    row("utilization", (report) => percent(report.utilization)),
    row("fragmentation", (report) => percent(report.fragmentation)),
    row("failures", (report) => count(report.failures)),
    "",
    "sizes, share of the allocations",
  ];
  for (let k = 0; k < Math.max(left.sizes.length, right.sizes.length); k++) {
    if ((left.sizes[k] ?? 0) + (right.sizes[k] ?? 0) === 0) continue;
    lines.push(
      row(`  ${range(k)}`, ({ sizes, allocations, reallocations }) =>
        perMille(sizes[k] ?? 0, allocations + reallocations),
      ),
    );
  }
  lines.push("", "lifetimes in operations, share of the frees");
  for (let k = 0; k < Math.max(left.lifetimes.length, right.lifetimes.length); k++) {
    if ((left.lifetimes[k] ?? 0) + (right.lifetimes[k] ?? 0) === 0) continue;
    lines.push(
      row(`  ${count(2 ** k)} -`, ({ lifetimes, frees, reallocations }) =>
        perMille(lifetimes[k] ?? 0, frees + reallocations),
      ),
    );
  }
  lines.push("", ...differenceLines(difference, [left.file, right.file]));
  return `${lines.join("\n")}\n`;
}

/** Where two sequences of events first differ. */
export function differenceLines(difference: Difference, names: readonly [string, string]): readonly string[] {
  const { at, equal, first, second } = difference;
  if (at === null) return [`no event differs: ${count(equal)} are equal`];
  const lines = [`the first event that differs is number ${count(at)}; before it`];
  for (const [i, text] of first.before.entries())
    lines.push(`  ${count(at - first.before.length + i).padStart(9)}  ${text}`);
  for (const [name, side] of [
    [names[0], first],
    [names[1], second],
  ] as const) {
    lines.push(
      `${name}`,
      `  ${count(at).padStart(9)}  ${side.event ?? "(the end)"}`,
      `             ${count(side.liveBlocks)} blocks live, ${bytesText(side.liveBytes)}`,
    );
  }
  return lines;
}
