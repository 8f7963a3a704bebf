/**
 * `ndis-shmem/fuzz`: find the bug in a driver, or in the core, and show the shortest way to it.
 *
 * For users: `fuzzDriver` (also `ndis-shmem fuzz ./my-driver.mjs`). For us: `TARGETS`, the registry, and `exhaust`.
 * docs/fuzzing.md is the guide.
 */
export { CorePlayer, type OpenCore, type RewindableCore } from "./core-play.js";
export {
  type AllocationSequence,
  decodeSequence,
  encodeSequence,
  GEOMETRY_COUNT,
  KIND_TABLE,
  kindByte,
  OPERATION_HELP,
  OPERATION_KINDS,
  type Operation,
  type OperationKind,
} from "./core-sequence.js";
export { EXHAUSTIVE_OPTIONS, EXHAUSTIVE_STEPS, type ExhaustiveResult, exhaust } from "./exhaustive.js";
export { GEOMETRIES, type Geometry, geometryOf } from "./geometries.js";
export { SmallJudge } from "./small-judge.js";
export {
  type FuzzTarget,
  inputOf,
  type Played,
  type PlayLimits,
  playTarget,
  shrinkInput,
  type TargetEntry,
  type TargetFinding,
  type TargetResult,
} from "./target.js";
export { TARGETS } from "./targets.js";
