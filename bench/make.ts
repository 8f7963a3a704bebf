/** A workload from its description, or as it came. */
import type { WorkloadSource } from "./protocol.js";
import { type Workload, workload } from "./workloads.js";

export function makeWorkload(source: WorkloadSource): Workload {
  return "ops" in source ? source : workload(source.name, source.options);
}
