/** A run of the bench: which workloads, where, whose; and everything that was found. */
import type { WorkloadSpec } from "./protocol.js";
import { type Results, thisMachine } from "./results.js";
import { disagreements, measureRows, type Row, type RowSettings } from "./rows.js";
import type { Where } from "./subject.js";
import { subjectNamed } from "./subjects/index.js";

/** What to run. */
export interface Plan extends RowSettings {
  readonly workloads: readonly WorkloadSpec[];
  readonly places: readonly Where[];
  /** Names, or files of subjects from outside. */
  readonly subjects: readonly string[];
  /** Leave these pairs out: what would take minutes and teach nothing. */
  readonly skip?: (workload: string, where: Where, subject: string) => boolean;
  /** For the record. */
  readonly command: string;
}

/** Run it. `progress` is told what is measured next. */
export async function runBench(plan: Plan, progress: (text: string) => void = () => {}): Promise<Results> {
  const subjects = await Promise.all(plan.subjects.map(async (name) => ({ name, subject: await subjectNamed(name) })));
  const rows: Row[] = [];
  let sink = 0;
  for (const workload of plan.workloads) {
    for (const where of plan.places) {
      const able = subjects.filter(({ name, subject }) => {
        const opens = where === "wasm" ? subject.openInside : subject.openAcross;
        return opens !== undefined && plan.skip?.(workload.name, where, name) !== true;
      });
      if (able.length === 0) continue;
      progress(`${workload.name} (${where})`);
      const names = able.map(({ name }) => name);
      const measured = await measureRows(workload, where, names, plan);
      // A subject from a file is listed under the name that it gives itself.
      rows.push(...measured.rows.map((row, i) => ({ ...row, subject: able[i]?.subject.name ?? row.subject })));
      sink += measured.sink;
    }
  }
  return {
    format: 1,
    machine: thisMachine(),
    command: plan.command,
    rows,
    disagreements: disagreements(rows),
    sink,
  };
}
