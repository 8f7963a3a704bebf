/**
 * Workloads: sequences of allocations and frees, made from a seed and the same on every machine.
 *
 * An operation is two u32 words:
 *
 *     word 0   slot, with bit 30 set for a free          word 1   bytes (0 for a free)
 *
 * A slot holds one block. A failed allocation leaves its slot empty; the free of an empty slot does nothing and still
 * counts as an operation, so that every subject is charged for the same number of them.
 *
 *     0 ......... pre ................... end ......... total
 *       fill          the timed part          empty again
 *
 * `hashWords` over the operations names a workload: two benches that print the same hash replayed the same sequence.
 */
import { ShmemError } from "../bindings/core/index.js";

/** Bit 30 of word 0: this operation is a free. */
export const FREE: number = 0x40000000;
/** The bits of word 0 that are the slot. */
export const SLOT: number = 0x3fffffff;
export const MIB: number = 2 ** 20;

/** A sequence of operations and what it wants to run on. */
export interface Workload {
  readonly name: string;
  /** Two words per operation, see the head of this file. */
  readonly ops: Uint32Array;
  /** Operations before this one fill. */
  readonly pre: number;
  /** Operations from `pre` to here are timed. */
  readonly end: number;
  /** How many operations there are; those from `end` on free what is left. */
  readonly total: number;
  /** How many slots the operations name. */
  readonly slots: number;
  /** Bytes of arena. */
  readonly arenaBytes: number;
  /** Bytes in a frame, for the subjects that have frames. */
  readonly frameSize: number;
  /**
   * Set when the timed part is `pairs` times the same two operations on an empty arena. It is then run as a plain loop
   * without reading operations, because the reading would cost as much as the allocator.
   */
  readonly loop?: { readonly bytes: number; readonly pairs: number };
}

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

type Sequence = Pick<Workload, "ops" | "pre" | "end" | "total" | "slots">;

/** xorshift32. Returns the next 32 bits; the state is never 0. */
export function xorshift32(seed: number): () => number {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return x;
  };
}

/** FNV-1a over the bytes of the words, little-endian, as 8 hex digits. */
export function hashWords(words: Iterable<number>): string {
  let h = 0x811c9dc5;
  for (const w of words) {
    for (let shift = 0; shift < 32; shift += 8) h = Math.imul(h ^ ((w >>> shift) & 255), 0x01000193) >>> 0;
  }
  return h.toString(16).padStart(8, "0");
}

/** Collects operations; slots are reused last in, first out. */
class Recorder {
  readonly #ops: number[] = [];
  readonly #empty: number[] = [];
  slots = 0;

  get count(): number {
    return this.#ops.length / 2;
  }

  allocate(bytes: number): number {
    const slot = this.#empty.pop() ?? this.slots++;
    this.#ops.push(slot, bytes);
    return slot;
  }

  free(slot: number): void {
    this.#ops.push((slot | FREE) >>> 0, 0);
    this.#empty.push(slot);
  }

  sequence(pre: number, end: number): Sequence {
    return { ops: Uint32Array.from(this.#ops), pre, end, total: this.count, slots: this.slots };
  }
}

interface ChurnPlan {
  readonly arenaBytes: number;
  /** Share of the arena to fill, and to hold. */
  readonly occupancy: number;
  readonly size: (random: () => number) => number;
  readonly steps: number;
  readonly seed: number;
}

/** log2-uniform powers of two from 2^least to 2^most bytes. */
function powers(least: number, most: number): ChurnPlan["size"] {
  return (random) => 2 ** (least + (random() % (most - least + 1)));
}

/** Any number of bytes from 2^least to below 2^most: the octave is uniform, and so is the place within it. */
function anyBytes(least: number, most: number): ChurnPlan["size"] {
  return (random) => {
    const octave = 2 ** (least + (random() % (most - least)));
    return octave + (random() % octave);
  };
}

/**
 * Fill to the occupancy, then free a victim and allocate a new size, `steps` times. Of two random victims the larger one
 * goes when the new block would pass the target, the smaller one otherwise: that holds the occupancy.
 */
function churn({ arenaBytes, occupancy, size, steps, seed }: ChurnPlan): Sequence {
  const random = xorshift32(seed);
  const target = arenaBytes * occupancy;
  const recorder = new Recorder();
  const live: { slot: number; bytes: number }[] = [];
  let held = 0;
  const allocate = (bytes: number): void => {
    live.push({ slot: recorder.allocate(bytes), bytes });
    held += bytes;
  };
  const at = (i: number): { slot: number; bytes: number } => live[i] as { slot: number; bytes: number };
  const free = (i: number): void => {
    const victim = at(i);
    live[i] = at(live.length - 1);
    live.pop();
    recorder.free(victim.slot);
    held -= victim.bytes;
  };
  for (let bytes = size(random); held + bytes <= target; bytes = size(random)) allocate(bytes);
  const pre = recorder.count;
  for (let step = 0; step < steps; step += 1) {
    const i = random() % live.length;
    const j = random() % live.length;
    const bytes = size(random);
    const larger = at(i).bytes >= at(j).bytes ? i : j;
    const smaller = at(i).bytes <= at(j).bytes ? i : j;
    free(held + bytes > target ? larger : smaller);
    while (held + bytes > target) free(random() % live.length);
    allocate(bytes);
  }
  const end = recorder.count;
  while (live.length > 0) free(live.length - 1);
  return recorder.sequence(pre, end);
}

/** What a network driver holds: receive buffers, and rings of three sizes. */
const NIC_QUEUES = [
  { bytes: 2048, count: 512 },
  { bytes: 4096, count: 64 },
  { bytes: 16384, count: 32 },
  { bytes: 65536, count: 16 },
] as const;

/** Each queue turns over first in, first out: eight receive buffers to one 4 KiB block, larger ones more rarely. */
function nic(steps: number): Sequence {
  const recorder = new Recorder();
  const queues: { bytes: number; slots: number[]; head: number }[] = [];
  for (const { bytes, count } of NIC_QUEUES) {
    queues.push({ bytes, slots: Array.from({ length: count }, () => recorder.allocate(bytes)), head: 0 });
  }
  const [receive, small, middle, large] = queues as [
    (typeof queues)[0],
    (typeof queues)[0],
    (typeof queues)[0],
    (typeof queues)[0],
  ];
  const free = (queue: (typeof queues)[0]): void => {
    recorder.free(queue.slots[queue.head] as number);
    queue.head += 1;
  };
  const turn = (queue: (typeof queues)[0]): void => {
    free(queue);
    queue.slots.push(recorder.allocate(queue.bytes));
  };
  const pre = recorder.count;
  for (let step = 0; step < steps; step += 1) {
    for (let i = 0; i < 8; i += 1) turn(receive);
    turn(small);
    if (step % 4 === 0) turn(middle);
    if (step % 16 === 0) turn(large);
  }
  const end = recorder.count;
  for (const queue of queues) while (queue.head < queue.slots.length) free(queue);
  return recorder.sequence(pre, end);
}

/** Allocate `count` blocks of one size, then free them in random order. All of it is timed. */
function fillFree(count: number, bytes: number, seed: number): Sequence {
  const random = xorshift32(seed);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i -= 1) {
    const j = random() % (i + 1);
    const moved = order[i] as number;
    order[i] = order[j] as number;
    order[j] = moved;
  }
  const ops = new Uint32Array(4 * count);
  for (let i = 0; i < count; i += 1) {
    ops[2 * i] = i;
    ops[2 * i + 1] = bytes;
    ops[2 * (count + i)] = ((order[i] as number) | FREE) >>> 0;
  }
  return { ops, pre: 0, end: 2 * count, total: 2 * count, slots: count };
}

/** Allocate and free one size, over and over. The operations are there for replays that need them one by one. */
function pairsOf(bytes: number, pairs: number): Sequence {
  const ops = new Uint32Array(4 * pairs);
  for (let i = 0; i < pairs; i += 1) {
    ops[4 * i + 1] = bytes;
    ops[4 * i + 2] = FREE;
  }
  return { ops, pre: 0, end: 2 * pairs, total: 2 * pairs, slots: 1 };
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
