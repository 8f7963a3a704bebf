/**
 * `ndis-shmem/bench`: measure any allocator with any workload.
 */

export { textReport } from "./report/text.js";
export { describeMachine, type Machine, parseResults, type Results } from "./results.js";
export { measureRows, type Row, type RowSettings, type Spread } from "./rows.js";
export { type Plan, runBench } from "./run.js";
export { PATIENCE, type Patience } from "./sample.js";
export type { Where } from "./subject.js";
export { installedSubjects } from "./subjects/index.js";
export { hashWords, WORKLOADS, type Workload, type WorkloadInfo, type WorkloadOptions, workload } from "./workloads.js";
