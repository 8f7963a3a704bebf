/** A workload from its description: generated, or read from a recording. */
import type { WorkloadSpec } from "./protocol.js";
import { type Workload, workload } from "./workloads.js";

export async function makeWorkload({ name, options }: WorkloadSpec): Promise<Workload> {
  return workload(name, options);
}
