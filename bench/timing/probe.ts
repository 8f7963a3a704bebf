/** Probes: small loops that are timed as a whole, for what is no sequence of allocations. */
import { start } from "./stopwatch.js";

/** One figure: how many ns one of something takes. */
export interface Probe {
  /** What is measured, for example `crossing`. */
  readonly workload: string;
  readonly subject: string;
  readonly ns: readonly number[];
  /** How many a sample did. */
  readonly operations: number;
  readonly sink: number;
  /** Resident bytes that one more of it adds. */
  readonly residentBytes?: number;
}

const NS_PER_MS = 1e6;

/**
 * Time `body(count)`, which does something `count` times and returns a number that depends on all of it. Warmed up until
 * `warmUpMs` is over, then one figure for each round.
 */
export function probe(
  workload: string,
  subject: string,
  count: number,
  rounds: number,
  body: (count: number) => number,
  warmUpMs = 80,
): Probe {
  let sink = 0;
  for (const began = performance.now(); performance.now() - began < warmUpMs; ) sink += body(count);
  const ns: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const watch = start();
    sink += body(count);
    ns.push((watch.elapsedMs() * NS_PER_MS) / count);
  }
  return { workload, subject, ns, operations: count, sink };
}

/** The same for a body that waits. */
export async function probeAsync(
  workload: string,
  subject: string,
  count: number,
  rounds: number,
  body: (count: number) => Promise<number>,
  warmUpMs = 120,
): Promise<Probe> {
  let sink = 0;
  for (const began = performance.now(); performance.now() - began < warmUpMs; ) sink += await body(count);
  const ns: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const watch = start();
    sink += await body(count);
    ns.push((watch.elapsedMs() * NS_PER_MS) / count);
  }
  return { workload, subject, ns, operations: count, sink };
}
