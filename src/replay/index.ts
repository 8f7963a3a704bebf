/** Replaying recordings over the core, or through the NDIS face of a machine. */
export { type Difference, firstDifference, type SideState } from "./compare.js";
export type { Failure } from "./core-player.js";
export { EXPORT_NAMES, type Export, type ExportName, exportTo, type TextSink } from "./exports.js";
export type { Drop } from "./machine-player.js";
export { REPLAY_MODES, type ReplayMode, type ReplayOptions, type ReplayReport, replayRecording } from "./replay.js";
export type { Moment, PowerHistogram } from "./statistics.js";
