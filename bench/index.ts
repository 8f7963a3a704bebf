/**
 * `ndis-shmem/bench`: measure any allocator with any workload or recording, from code (`measure`) or as the command line
 * does it, with peers and processes of their own (`runBench`). For Node.
 */
export { type Measurable, type Measurement, type MeasureOptions, measure } from "./measure.js";
export type { Space, Tail } from "./measurements/index.js";
export type { Allocator } from "./replay/index.js";
export {
  type Change,
  changesBetween,
  compareReport,
  htmlReport,
  markdownReport,
  textReport,
} from "./report/index.js";
export {
  describeMachine,
  type Machine,
  MODE_NAMES,
  measureRows,
  type Plan,
  parseResults,
  type Results,
  type Row,
  type RowSettings,
  runBench,
  type WrongSubject,
} from "./run/index.js";
export { installedSubjects, type Where } from "./subjects/index.js";
export { type Spread, TIME_LIMITS, type TimeLimits } from "./timing/index.js";
export {
  hashWords,
  type Recording,
  type RecordingFacts,
  type RecordingOptions,
  readRecording,
  WORKLOADS,
  type Workload,
  type WorkloadInfo,
  type WorkloadOptions,
  workload,
} from "./workloads/index.js";
