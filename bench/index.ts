/**
 * `ndis-shmem/bench`: measure any allocator with any workload.
 */

export { MODE_NAMES } from "./modes/index.js";
export type { Space } from "./modes/space.js";
export type { Tail } from "./modes/tail.js";
export { type Recording, type RecordingFacts, type RecordingOptions, readRecording } from "./recordings/index.js";
export { textReport } from "./report/text.js";
export { describeMachine, type Machine, parseResults, type Results } from "./results.js";
export { measureRows, type Row, type RowSettings, type Spread } from "./rows.js";
export { type Plan, runBench } from "./run.js";
export { PATIENCE, type Patience } from "./sample.js";
export type { Where } from "./subject.js";
export { installedSubjects } from "./subjects/index.js";
export { hashWords, WORKLOADS, type Workload, type WorkloadInfo, type WorkloadOptions, workload } from "./workloads.js";
