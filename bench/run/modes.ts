/**
 * The modes: everything that is measured besides replays, by name. Each mode starts a process for every figure.
 */
import { COMPLETIONS, CORES, CROSSINGS, OPENINGS, type Space, type Tail, TRANSLATIONS } from "../measurements/index.js";
import { alone } from "../process/index.js";
import { median, type Probe, spreadOf } from "../timing/index.js";
import type { WorkloadSource } from "../workloads/index.js";
import type { Row } from "./rows.js";

/** What a mode may use. */
interface ModeSettings {
  readonly rounds: number;
  readonly processes: number;
  /** Replays of the tail. */
  readonly replays: number;
  readonly subjects: readonly string[];
  readonly progress: (text: string) => void;
}

/** What modes found. */
interface Findings {
  readonly rows: readonly Row[];
  readonly tails: readonly Tail[];
  readonly sink: number;
}

/** A figure from several processes becomes a row. */
function rowOf(probes: readonly Probe[]): Row {
  const { workload, subject, operations } = probes[0] as Probe;
  const ns = probes.flatMap((one) => one.ns);
  const resident = probes.flatMap((one) => one.residentBytes ?? []);
  return {
    workload,
    where: "js",
    subject,
    nsPerOp: spreadOf(ns),
    failures: 0,
    allocations: 0,
    samples: ns.length,
    operations,
    ...(resident.length > 0 && { residentBytes: median(resident) }),
  };
}

type Ask = (rounds: number) => Promise<Probe>;

/** Each figure asked for `processes` times, by turns. */
async function probes(asks: readonly Ask[], { rounds, processes }: ModeSettings): Promise<Findings> {
  const found: Probe[][] = asks.map(() => []);
  for (let i = 0; i < processes; i += 1) {
    for (const [a, ask] of asks.entries()) found[a]?.push(await ask(Math.ceil(rounds / processes)));
  }
  const sink = found.flat().reduce((sum, one) => sum + one.sink, 0);
  return { rows: found.map(rowOf), tails: [], sink };
}

type Mode = (settings: ModeSettings) => Promise<Findings>;

const TAIL_WORKLOADS = ["churn50", "churn90", "page90"] as const;
/** These take microseconds and more for one operation: their tail is no news. */
const NO_TAIL = new Set(["thing-malloc"]);

async function worst(settings: ModeSettings): Promise<Findings> {
  const tails: Tail[] = [];
  for (const name of TAIL_WORKLOADS) {
    for (const subject of settings.subjects.filter((one) => !NO_TAIL.has(one))) {
      settings.progress(`worst: ${name}, ${subject}`);
      const workload = { name, options: {} };
      tails.push(await alone("tail", { subject, workload, replays: settings.replays }));
    }
  }
  return { rows: [], tails, sink: 0 };
}

/** By the name under which a user asks for them. */
export const MODES: Readonly<Record<string, Mode>> = {
  worst,
  crossing: (settings) =>
    probes(
      CROSSINGS.map(
        (variant): Ask =>
          (rounds) =>
            alone("crossing", { variant, rounds }),
      ),
      settings,
    ),
  translate: (settings) =>
    probes(
      TRANSLATIONS.map(
        (variant): Ask =>
          (rounds) =>
            alone("translate", { variant, rounds }),
      ),
      settings,
    ),
  complete: (settings) =>
    probes(
      COMPLETIONS.map(
        (variant): Ask =>
          (rounds) =>
            alone("complete", { variant, rounds }),
      ),
      settings,
    ),
  "two-cores": (settings) =>
    probes(
      CORES.map(
        (cores): Ask =>
          (rounds) =>
            alone("two-cores", { cores, rounds }),
      ),
      settings,
    ),
  open: (settings) =>
    probes(
      Object.keys(OPENINGS).map(
        (size): Ask =>
          (rounds) =>
            alone("open", { size, rounds }),
      ),
      settings,
    ),
};

/** What a user may ask for besides workloads. */
export const MODE_NAMES: readonly string[] = Object.keys(MODES);

/** Space of every subject over a recording. */
export async function measureSpaces(
  workload: WorkloadSource,
  subjects: readonly string[],
  tolerance: number,
): Promise<readonly Space[]> {
  const found: Space[] = [];
  for (const subject of subjects) found.push(await alone("space", { subject, workload, tolerance }));
  return found;
}
