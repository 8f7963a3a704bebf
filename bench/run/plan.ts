/** A run of the bench: which workloads, where, whose; and everything that was found. */
import { ShmemError } from "../../bindings/core/index.js";
import type { Space, Tail } from "../measurements/index.js";
import { type Subject, subjectNamed, type Where } from "../subjects/index.js";
import { makeWorkload, type Recording, type WorkloadSource } from "../workloads/index.js";
import { MODES, measureSpaces } from "./modes.js";
import { type Results, thisMachine } from "./results.js";
import { disagreements, measureRows, type Row, type RowSettings, type WrongSubject } from "./rows.js";

/** What to run. */
export interface Plan extends RowSettings {
  readonly workloads: readonly WorkloadSource[];
  /** Names of `MODES`. */
  readonly modes: readonly string[];
  /** Recordings to be timed like workloads. */
  readonly recordings: readonly Recording[];
  /** Recordings whose need of memory is to be found out. */
  readonly spaces: readonly Recording[];
  readonly places: readonly Where[];
  /** Names, or files of subjects from outside. */
  readonly subjects: readonly string[];
  /** Replays for the slowest operations. */
  readonly replays: number;
  /** For the record. */
  readonly command: string;
}

/**
 * Slow subjects are left out where they would take minutes and teach nothing: the most blocks at once. @thi.ng/malloc goes
 * through a list of its blocks at each operation, and filling an arena is not what is cut to the budget.
 */
const MOST_BLOCKS: Readonly<Record<string, number>> = { "thing-malloc": 20_000 };
/** One manages nothing; the other puts every block where ours does. */
const NO_SPACE: ReadonlySet<string> = new Set(["loop", "typescript-twin"]);
const SPACE_TOLERANCE = 1 / 512;

interface Chosen {
  readonly name: string;
  readonly subject: Subject;
}

function ableAt(subjects: readonly Chosen[], workload: WorkloadSource, where: Where): readonly Chosen[] {
  const blocks = "ops" in workload ? workload.slots : makeWorkload(workload).slots;
  return subjects.filter(({ subject }) => {
    const opens = where === "wasm" ? subject.openInside : subject.openAcross;
    return opens !== undefined && blocks <= (MOST_BLOCKS[subject.name] ?? Number.POSITIVE_INFINITY);
  });
}

/** Run it. `progress` is told what is measured next. */
export async function runBench(plan: Plan, progress: (text: string) => void = () => {}): Promise<Results> {
  const subjects = await Promise.all(plan.subjects.map(async (name) => ({ name, subject: await subjectNamed(name) })));
  const rows: Row[] = [];
  const wrong: WrongSubject[] = [];
  const tails: Tail[] = [];
  const spaces: Space[] = [];
  let sink = 0;
  for (const workload of [...plan.workloads, ...plan.recordings]) {
    for (const where of plan.places) {
      const able = ableAt(subjects, workload, where);
      if (able.length === 0) continue;
      progress(`${workload.name} (${where})`);
      const names = able.map(({ name }) => name);
      const measured = await measureRows(workload, where, names, plan);
      // A subject from a file is listed under the name that it gives itself.
      const named = (given: string): string => able.find(({ name }) => name === given)?.subject.name ?? given;
      rows.push(...measured.rows.map((row) => ({ ...row, subject: named(row.subject) })));
      wrong.push(...measured.wrong.map((one) => ({ ...one, subject: named(one.subject) })));
      sink += measured.sink;
    }
  }
  for (const mode of plan.modes) {
    progress(mode);
    const measure = Object.hasOwn(MODES, mode) ? MODES[mode] : undefined;
    if (measure === undefined) {
      throw new ShmemError("INVALID_ARGUMENT", `there is no mode ${JSON.stringify(mode)}`, {
        field: "modes",
        value: mode,
        unit: "name",
      });
    }
    const found = await measure({ ...plan, progress });
    rows.push(...found.rows);
    tails.push(...found.tails);
    sink += found.sink;
  }
  for (const recording of plan.spaces) {
    const able = ableAt(subjects, recording, "js").filter(({ subject }) => !NO_SPACE.has(subject.name));
    progress(`space: ${recording.name}`);
    const names = able.map(({ name }) => name);
    spaces.push(...(await measureSpaces(recording, names, SPACE_TOLERANCE)));
  }
  return {
    format: 1,
    machine: thisMachine(),
    command: plan.command,
    rows,
    wrong,
    tails,
    spaces,
    disagreements: disagreements(rows),
    sink,
  };
}
