/** How many allocations of a workload fail: counted in a replay that nobody times. */
import { FREE, type Workload } from "../workloads/index.js";
import type { Replayer } from "./replayer.js";

/** Allocations that fail while filling and in the timed part. The replayer is left empty. */
export function failuresIn(replayer: Replayer, { loop, end, total }: Workload): number {
  if (loop !== undefined) return 0;
  const failures = replayer.replay(0, end);
  replayer.replay(end, total);
  return failures;
}

/** Allocations among the same operations. */
export function allocationsOf({ ops, end }: Workload): number {
  let count = 0;
  for (let i = 0; i < end; i += 1) if (((ops[2 * i] as number) & FREE) === 0) count += 1;
  return count;
}
