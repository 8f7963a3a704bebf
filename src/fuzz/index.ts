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
export { driverOf, type FuzzOptions, type FuzzReport, fuzzDriver, replayLife } from "./fuzz-driver.js";
export { GEOMETRIES, type Geometry, geometryOf } from "./geometries.js";
export { HOUSE_DRIVERS, subjectOf } from "./house-drivers.js";
export {
  decodeLife,
  EVENT_HELP,
  EVENT_KINDS,
  EVENT_TABLE,
  encodeLife,
  eventByte,
  type Life,
  type LifeEvent,
  type LifeEventKind,
  MEMORIES,
} from "./life.js";
export type { DriverFinding, LifeCheck, LifeView } from "./life-judge.js";
export type { FuzzDriver, FuzzWire } from "./life-machine.js";
export { LifePlayer } from "./life-player.js";
export { type FuzzDevice, NoiseDevice } from "./noise-device.js";
export { reproduction, type TestFramework } from "./reproduce.js";
export { lifeOf, SEARCHES, type SearchName, type SearchProgress } from "./search.js";
export { SmallJudge } from "./small-judge.js";
export { describeEvent, lifeToHex, tellLife } from "./story.js";
export {
  type FuzzTarget,
  inputOf,
  type Played,
  type PlayLimits,
  playContained,
  playTarget,
  shrinkInput,
  type TargetEntry,
  type TargetFinding,
  type TargetResult,
} from "./target.js";
export { TARGETS } from "./targets.js";
