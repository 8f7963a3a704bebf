/** The generators of workloads: sequences of operations drawn from a seed. */
import { FREE, type Workload } from "./form.js";

export type Sequence = Pick<Workload, "ops" | "pre" | "end" | "total" | "slots">;

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

export interface ChurnPlan {
  readonly arenaBytes: number;
  /** Share of the arena to fill, and to hold. */
  readonly occupancy: number;
  readonly size: (random: () => number) => number;
  readonly steps: number;
  readonly seed: number;
}

/** log2-uniform powers of two from 2^least to 2^most bytes. */
export function powers(least: number, most: number): ChurnPlan["size"] {
  return (random) => 2 ** (least + (random() % (most - least + 1)));
}

/** Any number of bytes from 2^least to below 2^most: the octave is uniform, and so is the place within it. */
export function anyBytes(least: number, most: number): ChurnPlan["size"] {
  return (random) => {
    const octave = 2 ** (least + (random() % (most - least)));
    return octave + (random() % octave);
  };
}

/**
 * Fill to the occupancy, then free a victim and allocate a new size, `steps` times. Of two random victims the larger one
 * goes when the new block would pass the target, the smaller one otherwise: that holds the occupancy.
 */
export function churn({ arenaBytes, occupancy, size, steps, seed }: ChurnPlan): Sequence {
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
export function nic(steps: number): Sequence {
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
export function fillFree(count: number, bytes: number, seed: number): Sequence {
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
export function pairsOf(bytes: number, pairs: number): Sequence {
  const ops = new Uint32Array(4 * pairs);
  for (let i = 0; i < pairs; i += 1) {
    ops[4 * i + 1] = bytes;
    ops[4 * i + 2] = FREE;
  }
  return { ops, pre: 0, end: 2 * pairs, total: 2 * pairs, slots: 1 };
}
