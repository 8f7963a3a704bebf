/**
 * Rows: one workload at one place, every subject measured side by side.
 *
 *     processes ×  { start one for each subject, open, warm up, rounds × { one sample of each in turn } }
 *
 * Interleaving makes a slow second of the machine fall on all subjects; several processes average over the luck of code
 * placement, which is worth half a nanosecond and more.
 */
import { type Job, Measurer } from "../process/index.js";
import type { WrongAnswer } from "../replay/index.js";
import type { Where } from "../subjects/index.js";
import { type Quartiles, spreadOf, type TimeLimits } from "../timing/index.js";
import type { WorkloadSource } from "../workloads/index.js";

/** One line of the results. */
export interface Row {
  readonly workload: string;
  readonly where: Where;
  readonly subject: string;
  readonly nsPerOp: Quartiles;
  /** Allocations that found no memory, of `allocations`. */
  readonly failures: number;
  readonly allocations: number;
  /** How many samples the figures are of. */
  readonly samples: number;
  /** Operations in each. */
  readonly operations: number;
  /** Which sequence was replayed; absent where none was. */
  readonly workloadHash?: string;
  /** Resident bytes that one more of it adds; for openings. */
  readonly residentBytes?: number;
  /** What was live at its end; absent with failures, or where the subject was too slow to finish. */
  readonly outcome?: string;
}

export interface RowSettings {
  /** Samples of each subject, over all processes. */
  readonly rounds: number;
  /** Over how many processes. */
  readonly processes: number;
  readonly limits: TimeLimits;
}

/** A subject that gave an answer that no allocator gives: it has no row. */
export interface WrongSubject extends WrongAnswer {
  readonly workload: string;
  readonly where: Where;
  readonly subject: string;
}

interface Tally {
  readonly subject: string;
  readonly ns: number[];
  row: Omit<Row, "nsPerOp" | "samples" | "subject" | "workload" | "where"> | undefined;
}

/** Measure a workload at a place. `progress` hears of every process. Returns the rows and a sum that proves the work. */
export async function measureRows(
  workload: WorkloadSource,
  where: Where,
  subjects: readonly string[],
  settings: RowSettings,
): Promise<{ readonly rows: readonly Row[]; readonly wrong: readonly WrongSubject[]; readonly sink: number }> {
  let tallies: Tally[] = subjects.map((subject) => ({ subject, ns: [], row: undefined }));
  const wrong: WrongSubject[] = [];
  const { processes, limits } = settings;
  let sink = 0;
  for (let i = 0; i < processes; i += 1) {
    const rounds = Math.ceil((settings.rounds * (i + 1)) / processes) - Math.ceil((settings.rounds * i) / processes);
    let measurers = tallies.map(() => new Measurer());
    try {
      for (const [s, tally] of tallies.entries()) {
        const job: Job = { subject: tally.subject, where, workload, limits };
        const { wrong: answer, ...opened } = await (measurers[s] as Measurer).open(job);
        if (answer === undefined) tally.row = { ...opened, operations: 0 };
        else {
          wrong.push({ workload: workload.name, where, subject: tally.subject, ...answer });
          tally.row = undefined;
          measurers[s]?.close();
        }
      }
      measurers = measurers.filter((_, s) => tallies[s]?.row !== undefined);
      tallies = tallies.filter(({ row }) => row !== undefined);
      for (let round = 0; round < rounds; round += 1) {
        for (const [s, tally] of tallies.entries()) {
          const answer = await (measurers[s] as Measurer).sample();
          tally.ns.push(answer.sample.nsPerOp);
          if (tally.row !== undefined) tally.row = { ...tally.row, operations: answer.sample.operations };
          sink += answer.sink;
        }
      }
    } finally {
      for (const measurer of measurers) measurer.close();
    }
  }
  const rows = tallies.map(({ subject, ns, row }): Row => {
    if (row === undefined) throw new Error("a row without a process");
    return { workload: workload.name, where, subject, nsPerOp: spreadOf(ns), samples: ns.length, ...row };
  });
  return { rows, wrong, sink };
}

/** Rows that replayed another sequence, or ended with other blocks live, than the first of their group. */
export function disagreements(rows: readonly Row[]): readonly string[] {
  const first = new Map<string, Row>();
  const found: string[] = [];
  for (const row of rows) {
    for (const [kind, value] of [
      ["operations", row.workloadHash],
      ["outcome", row.outcome],
    ] as const) {
      if (value === undefined) continue;
      const key = `${kind} ${row.workload}`;
      const other = first.get(key);
      if (other === undefined) first.set(key, row);
      else if ((kind === "outcome" ? other.outcome : other.workloadHash) !== value) {
        found.push(
          `${row.workload}: ${row.subject} (${row.where}) and ${other.subject} (${other.where}): ${kind} differ`,
        );
      }
    }
  }
  return found;
}
