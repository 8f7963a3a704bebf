/**
 * Two results of one machine, side by side: what changed, and is it more than noise?
 *
 * A row has changed when the middle halves of its samples lie apart: the lower quartile of one above the upper quartile of
 * the other. Where they overlap the difference is called noise, however large it looks.
 */
import type { Results, Row } from "../run/index.js";
import { figure, PLACES } from "./text.js";

export interface Change {
  readonly workload: string;
  readonly where: Row["where"];
  readonly subject: string;
  readonly before: number;
  readonly after: number;
  readonly verdict: "faster" | "slower" | "noise" | "another workload";
}

function quartiles({ nsPerOp }: Row): readonly [number, number] {
  // Results of other tools may have only the ends.
  return [nsPerOp.lowerQuartile ?? nsPerOp.min, nsPerOp.upperQuartile ?? nsPerOp.max];
}

function verdictOf(old: Row, now: Row): Change["verdict"] {
  if (old.workloadHash !== now.workloadHash) return "another workload";
  const [oldLow, oldHigh] = quartiles(old);
  const [low, high] = quartiles(now);
  if (high < oldLow) return "faster";
  return low > oldHigh ? "slower" : "noise";
}

/** Every row that both have. */
export function changesBetween(before: Results, after: Results): readonly Change[] {
  return after.rows.flatMap((row): Change[] => {
    const { workload, where, subject } = row;
    const old = before.rows.find((one) => one.workload === workload && one.where === where && one.subject === subject);
    if (old === undefined) return [];
    const verdict = verdictOf(old, row);
    return [{ workload, where, subject, before: old.nsPerOp.median, after: row.nsPerOp.median, verdict }];
  });
}

/** The changes as lines of a terminal. */
export function compareReport(before: Results, after: Results): string {
  const changes = changesBetween(before, after);
  const lines = ["compared with earlier results (medians, ns per operation)"];
  const sameMachine =
    before.machine.processor === after.machine.processor && before.machine.node === after.machine.node;
  if (!sameMachine) lines.push("! another machine, or another Node: only ratios between subjects mean anything");
  for (const where of ["wasm", "js"] as const) {
    const here = changes.filter((change) => change.where === where);
    if (here.length > 0) lines.push("", PLACES[where], "");
    for (const { workload, subject, before: old, after: now, verdict } of here) {
      const percent = `${now >= old ? "+" : "−"}${Math.abs(100 * (now / old - 1)).toFixed(1)} %`;
      const cells = [
        workload.padEnd(14),
        subject.padEnd(16),
        figure(old).padStart(7),
        "→",
        figure(now).padStart(7),
        percent.padStart(10),
        ` ${verdict}`,
      ];
      lines.push(cells.join(" "));
    }
  }
  if (changes.length === 0) lines.push("", "no row is in both");
  return `${lines.join("\n")}\n`;
}
