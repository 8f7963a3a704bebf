/** Workloads: sequences of allocations and frees, generated from a seed or read from a recording. */
export {
  makeWorkload,
  WORKLOADS,
  type WorkloadInfo,
  type WorkloadOptions,
  type WorkloadSource,
  type WorkloadSpec,
  workload,
} from "./catalog.js";
export { FREE, hashWords, MIB, SLOT, type Workload } from "./form.js";
export { xorshift32 } from "./generators.js";
export { type Recording, type RecordingFacts, type RecordingOptions, readRecording } from "./recorded.js";
