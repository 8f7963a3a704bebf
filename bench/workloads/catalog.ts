/** The workloads of the bench by name: the published ones, each with the arena and the frame size that it is measured on. */
import { ShmemError } from "../../bindings/core/index.js";
import { MIB, type Workload } from "./form.js";
import { anyBytes, type ChurnPlan, churn, fillFree, nic, pairsOf, powers, type Sequence } from "./generators.js";

/** What may be changed about a workload. */
export interface WorkloadOptions {
  /** Of the generator; not 0. Default: the seed that the published figures use. */
  readonly seed?: number;
  /** Bytes in a frame. Default: that of the workload. */
  readonly frameSize?: number;
  /** How many times the step of the workload is done (a pair, a turn, a victim). Default: that of the workload. */
  readonly steps?: number;
  /** Bytes of arena. Default: that of the workload. */
  readonly arenaBytes?: number;
}

/** A workload that can be made. */
export interface WorkloadInfo {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  readonly arenaBytes: number;
  readonly frameSize: number;
  make(options?: WorkloadOptions): Workload;
}

const STEPS = 100_000;
const CHURN_SEED = 12345;
const SHUFFLE_SEED = 99;

type Plan = Required<Omit<WorkloadOptions, "seed">> & { readonly seed: number | undefined };

function info(
  name: string,
  summary: string,
  place: { readonly arenaBytes?: number; readonly frameSize: number; readonly steps?: number },
  sequence: (plan: Plan) => Sequence & Pick<Workload, "loop">,
): WorkloadInfo {
  const { arenaBytes = 64 * MIB, frameSize, steps = STEPS } = place;
  const make = (options: WorkloadOptions = {}): Workload => {
    const plan = {
      arenaBytes: options.arenaBytes ?? arenaBytes,
      frameSize: options.frameSize ?? frameSize,
      steps: options.steps ?? steps,
      seed: options.seed,
    };
    const made = sequence(plan);
    return { name, ...made, arenaBytes: plan.arenaBytes, frameSize: plan.frameSize };
  };
  return { name, summary, arenaBytes, frameSize, make };
}

function lifo(name: string, bytes: number, frameSize: number): WorkloadInfo {
  return info(name, `allocate and free ${bytes} bytes, on an empty arena`, { frameSize }, ({ steps }) => ({
    ...pairsOf(bytes, steps),
    loop: { bytes, pairs: steps },
  }));
}

function churnInfo(
  name: string,
  summary: string,
  occupancy: number,
  size: ChurnPlan["size"],
  place: { readonly arenaBytes?: number; readonly frameSize: number },
): WorkloadInfo {
  return info(name, `${summary}, ${occupancy * 100} % of the arena held`, place, ({ arenaBytes, steps, seed }) =>
    churn({ arenaBytes, occupancy, size, steps, seed: seed ?? CHURN_SEED }),
  );
}

const small = powers(6, 16);
const pages = powers(12, 18);
const FRAME = { frameSize: 64 } as const;
const PAGE = { frameSize: 4096 } as const;
const GIB = { frameSize: 64, arenaBytes: 1024 * MIB } as const;

/** Every workload by name. */
export const WORKLOADS: readonly WorkloadInfo[] = [
  lifo("lifo4k", 4096, 4096),
  lifo("lifo64", 64, 64),
  lifo("lifo5000", 5000, 64),
  churnInfo("churn50", "powers of two from 64 B to 64 KiB", 0.5, small, FRAME),
  churnInfo("churn90", "powers of two from 64 B to 64 KiB", 0.9, small, FRAME),
  churnInfo("churn95", "powers of two from 64 B to 64 KiB", 0.95, small, FRAME),
  churnInfo("churn98", "powers of two from 64 B to 64 KiB", 0.98, small, FRAME),
  churnInfo("any50", "any number of bytes from 64 to 65535", 0.5, anyBytes(6, 16), FRAME),
  churnInfo("page50", "powers of two from 4 KiB to 256 KiB", 0.5, pages, PAGE),
  churnInfo("page90", "powers of two from 4 KiB to 256 KiB", 0.9, pages, PAGE),
  info("nic", "receive buffers and rings, first in, first out", { frameSize: 64, steps: STEPS / 10 }, ({ steps }) =>
    nic(steps),
  ),
  info(
    "fill4k",
    "fill with 4 KiB, free in random order",
    { frameSize: 4096, steps: Math.floor(((64 * MIB) / 4096) * 0.95) },
    ({ steps, seed }) => fillFree(steps, 4096, seed ?? SHUFFLE_SEED),
  ),
  churnInfo("gib50", "1 GiB, powers of two from 64 B to 64 KiB", 0.5, small, GIB),
  churnInfo("gib90", "1 GiB, powers of two from 64 B to 64 KiB", 0.9, small, GIB),
];

/** The workload of that name, made. `INVALID_ARGUMENT` when there is none. */
export function workload(name: string, options: WorkloadOptions = {}): Workload {
  const found = WORKLOADS.find((one) => one.name === name);
  if (found === undefined) {
    throw new ShmemError("INVALID_ARGUMENT", `there is no workload ${JSON.stringify(name)}`, {
      field: "workload",
      value: name,
      unit: "name",
    });
  }
  return found.make(options);
}

/** How to make a workload of the bench's own. */
export interface WorkloadSpec {
  /** A name of `WORKLOADS`. */
  readonly name: string;
  readonly options: WorkloadOptions;
}

/** A workload, or how to make it. A recording is read once and then sent as it is. */
export type WorkloadSource = WorkloadSpec | Workload;

/** A workload from its description, or as it came. */
export function makeWorkload(source: WorkloadSource): Workload {
  return "ops" in source ? source : workload(source.name, source.options);
}
