/**
 * `ndis-shmem/bench`: measure any allocator with any workload or recording, from code (`measure`) or as the command line
 * does it, with rivals and processes of their own (`runBench`). For Node.
 */
export { type Measurable, type Measurement, type MeasureOptions, measure } from "./library.js";
export { MODE_NAMES } from "./modes/index.js";
export type { Space } from "./modes/space.js";
export type { Tail } from "./modes/tail.js";
export { type Recording, type RecordingFacts, type RecordingOptions, readRecording } from "./recordings/index.js";
export type { Allocator } from "./replayer.js";
export { type Change, changesBetween, compareReport } from "./report/compare.js";
export { htmlReport } from "./report/html.js";
export { markdownReport } from "./report/markdown.js";
export { textReport } from "./report/text.js";
export { describeMachine, type Machine, parseResults, type Results } from "./results.js";
export { measureRows, type Row, type RowSettings, type Spread } from "./rows.js";
export { type Plan, runBench } from "./run.js";
export { PATIENCE, type Patience } from "./sample.js";
export type { Where } from "./subject.js";
export { installedSubjects } from "./subjects/index.js";
export { hashWords, WORKLOADS, type Workload, type WorkloadInfo, type WorkloadOptions, workload } from "./workloads.js";
