/**
 * Results for a terminal, 80 columns.
 *
 *     churn50   ndis-shmem            7.0   0.12   ···──●───····     6.8 –   7.9   0 failures
 *                                     │     │      │                 └ fastest and slowest sample
 *                                     │     │      └ 25 % below to 25 % above the median: · all samples, ─ the middle half
 *                                     │     └ ratio to the baseline
 *                                     └ median, ns per operation
 */
import { describeMachine, type Results } from "../results.js";
import type { Row } from "../rows.js";
import type { Where } from "../subject.js";

const BAR_CELLS = 15;
/** What the bar shows on either side of the median. */
const BAR_SHARE = 0.25;

export const PLACES: Readonly<Record<Where, string>> = {
  wasm: "inside: one call, many operations",
  js: "across the boundary: one call, one operation",
};

/** Where the samples of a row lie about their median. */
export function spreadBar({ min, lowerQuartile, median, upperQuartile, max }: Row["nsPerOp"]): string {
  const cell = (value: number): number => {
    const share = (value / median - 1) / (2 * BAR_SHARE) + 0.5;
    return Math.round(Math.min(1, Math.max(0, share)) * (BAR_CELLS - 1));
  };
  const cells = Array.from({ length: BAR_CELLS }, (_, i) => {
    if (i === cell(median)) return "●";
    if (i >= cell(lowerQuartile) && i <= cell(upperQuartile)) return "─";
    return i >= cell(min) && i <= cell(max) ? "·" : " ";
  });
  return cells.join("");
}

/** Three digits that matter. */
export function figure(ns: number): string {
  if (!Number.isFinite(ns)) return "-";
  if (ns >= 100) return ns.toFixed(0);
  return ns >= 10 ? ns.toFixed(1) : ns.toFixed(2);
}

/** A ratio; empty without a baseline. */
export function ratioTo(baseline: Row | undefined, row: Row): string {
  if (baseline === undefined) return "";
  return (row.nsPerOp.median / baseline.nsPerOp.median).toFixed(2);
}

export function failureText({ failures, allocations }: Row): string {
  if (failures === 0) return "";
  return `${((100 * failures) / allocations).toFixed(3)} % failed`;
}

/** Rows of one place, grouped by workload, in the order in which they came. */
export function groupsOf(rows: readonly Row[], where: Where): readonly (readonly Row[])[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows.filter((one) => one.where === where)) {
    const group = groups.get(row.workload) ?? [];
    group.push(row);
    groups.set(row.workload, group);
  }
  return [...groups.values()];
}

function line(row: Row, isFirst: boolean, baseline: Row | undefined): string {
  const { nsPerOp } = row;
  const cells = [
    (isFirst ? row.workload : "").padEnd(9),
    row.subject.padEnd(15),
    figure(nsPerOp.median).padStart(6),
    ratioTo(baseline, row).padStart(6),
    spreadBar(nsPerOp),
    `${figure(nsPerOp.min).padStart(6)} –${figure(nsPerOp.max).padStart(6)}`,
    failureText(row),
  ];
  return cells.join(" ").trimEnd();
}

/** All of it. `baseline` is the subject that ratios refer to. */
export function textReport(results: Results, baseline: string): string {
  const lines = [describeMachine(results.machine)];
  for (const where of ["wasm", "js"] as const) {
    const groups = groupsOf(results.rows, where);
    if (groups.length === 0) continue;
    lines.push("", `${PLACES[where]} (ns per operation, ratio to ${baseline})`, "");
    for (const group of groups) {
      const reference = group.find((row) => row.subject === baseline);
      for (const [i, row] of group.entries()) lines.push(line(row, i === 0, reference));
    }
  }
  const samples = new Set(results.rows.map((row) => row.samples));
  lines.push("", `medians of ${[...samples].join(" or ")} samples; sink ${results.sink.toString(16)}`);
  for (const finding of results.disagreements) lines.push(`! ${finding}`);
  return `${lines.join("\n")}\n`;
}
