/**
 * Results for a terminal, 80 columns.
 *
 *     churn50   ndis-shmem            7.0   0.12   ···──●───····     6.8 –   7.9   0 failures
 *                                     │     │      │                 └ fastest and slowest sample
 *                                     │     │      └ 25 % below to 25 % above the median: · all samples, ─ the middle half
 *                                     │     └ ratio to the baseline
 *                                     └ median, ns per operation
 */
import type { Space, Tail } from "../measurements/index.js";
import { describeMachine, type Results, type Row } from "../run/index.js";
import type { Where } from "../subjects/index.js";

const BAR_CELLS = 15;
/** What the bar shows on either side of the median. */
const BAR_SHARE = 0.25;

export const PLACES: Readonly<Record<Where, string>> = {
  wasm: "inside: one call, many operations",
  js: "across the boundary: one call, one operation",
};

/** Where the samples of a row lie about their median. */
function spreadBar({ min, lowerQuartile, median, upperQuartile, max }: Row["nsPerOp"]): string {
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
    failureText(row) || (row.residentBytes === undefined ? "" : bytesText(row.residentBytes)),
  ];
  return cells.join(" ").trimEnd();
}

/** 4096 as `4.0 KiB`. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value >= 100 ? 0 : 1)} ${units[unit]}`;
}

function rowLines(rows: readonly Row[], baseline: string): readonly string[] {
  const lines: string[] = [];
  for (const where of ["wasm", "js"] as const) {
    const groups = groupsOf(rows, where);
    if (groups.length === 0) continue;
    const hasBaseline = groups.some((group) => group.some((row) => row.subject === baseline));
    lines.push("", `${PLACES[where]} (ns per operation${hasBaseline ? `, ratio to ${baseline}` : ""})`, "");
    for (const group of groups) {
      const reference = group.find((row) => row.subject === baseline);
      for (const [i, row] of group.entries()) lines.push(line(row, i === 0, reference));
    }
  }
  return lines;
}

function tailLines(tails: readonly Tail[], baseline: string): readonly string[] {
  if (tails.length === 0) return [];
  const lines = ["", "the slowest single operations, across the boundary (ns, clock taken off)", ""];
  lines.push(
    `${"".padEnd(26)}${["p50", "p90", "p99", "p99.9", "max", "ratio"].map((one) => one.padStart(8)).join("")}`,
  );
  for (const tail of tails) {
    const reference = tails.find((one) => one.workload === tail.workload && one.subject === baseline);
    const figures = [tail.p50, tail.p90, tail.p99, tail.p999, tail.max].map((ns) => figure(ns).padStart(8));
    const ratio =
      reference === undefined
        ? ""
        : `${(tail.p999 / reference.p999).toFixed(2)} ${(tail.max / reference.max).toFixed(2)}`;
    lines.push(`${tail.workload.padEnd(10)}${tail.subject.padEnd(16)}${figures.join("")}   ${ratio}`.trimEnd());
  }
  lines.push("", "ratio: of p99.9 and of the maximum");
  return lines;
}

/** Percent of what rounding to frames allows: frames that the blocks could do with, over frames held, at their peaks. */
export function frameUse({ peakRoundedBytes, peakHeldBytes }: Space): number | undefined {
  return peakHeldBytes === undefined ? undefined : (100 * peakRoundedBytes) / peakHeldBytes;
}

/** A recording that holds less says more about roundings than about an allocator. */
const LEAST_PAYLOAD = 4096;

/** For each subject the geometric mean, over the recordings that all got through, of its least arena over the best's. */
export function arenaRatios(spaces: readonly Space[]): ReadonlyMap<string, number> {
  const subjects = [...new Set(spaces.map((space) => space.subject))];
  const recordings = [...new Set(spaces.map((space) => space.workload))];
  const sums = new Map(subjects.map((subject) => [subject, 0]));
  let counted = 0;
  for (const recording of recordings) {
    const group = spaces.filter((space) => space.workload === recording);
    const arenas = group.map((space) => space.leastArenaBytes ?? Number.NaN);
    if (group.length !== subjects.length || arenas.some(Number.isNaN)) continue;
    if ((group[0] as Space).peakPayloadBytes < LEAST_PAYLOAD) continue;
    counted += 1;
    const best = Math.min(...arenas);
    for (const [i, { subject }] of group.entries()) {
      sums.set(subject, (sums.get(subject) ?? 0) + Math.log((arenas[i] as number) / best));
    }
  }
  return new Map([...sums].map(([subject, sum]) => [subject, counted === 0 ? Number.NaN : Math.exp(sum / counted)]));
}

function spaceLines(spaces: readonly Space[]): readonly string[] {
  if (spaces.length === 0) return [];
  const lines = ["", "memory over recordings", ""];
  lines.push(
    `${"".padEnd(24)}${"subject".padEnd(16)}${"payload".padStart(10)}${"arena".padStart(10)}   of frames' best`,
  );
  let last = "";
  for (const space of spaces) {
    const use = frameUse(space);
    const least = space.leastArenaBytes === undefined ? "-" : bytesText(space.leastArenaBytes);
    lines.push(
      [
        (space.workload === last ? "" : space.workload).padEnd(24),
        space.subject.padEnd(16),
        bytesText(space.peakPayloadBytes).padStart(10),
        least.padStart(10),
        use === undefined ? "" : `   ${use.toFixed(1)} %`,
      ]
        .join("")
        .trimEnd(),
    );
    last = space.workload;
  }
  const ratios = [...arenaRatios(spaces)].filter(([, ratio]) => !Number.isNaN(ratio));
  if (ratios.length > 0) lines.push("", "least arena over the best subject's, geometric mean:");
  for (const [subject, ratio] of ratios) lines.push(`  ${subject.padEnd(16)}${ratio.toFixed(3)}`);
  return lines;
}

/** Subjects without a row, and why. */
export function wrongLines({ wrong = [] }: Results): readonly string[] {
  return wrong.map(
    ({ subject, workload, where, operation, message }) =>
      `! ${subject} has no row for ${workload} (${where}): at operation ${operation} it ${message}`,
  );
}

/** All of it. `baseline` is the subject that ratios refer to. */
export function textReport(results: Results, baseline: string): string {
  const lines = [describeMachine(results.machine)];
  lines.push(...rowLines(results.rows, baseline));
  lines.push(...tailLines(results.tails, baseline));
  lines.push(...spaceLines(results.spaces));
  const samples = new Set(results.rows.map((row) => row.samples));
  if (samples.size > 0) lines.push("", `medians of ${[...samples].join(" or ")} samples; sink ${results.sink}`);
  lines.push(...wrongLines(results));
  for (const finding of results.disagreements) lines.push(`! ${finding}`);
  return `${lines.join("\n")}\n`;
}
