/**
 * `ndis-shmem/fuzz`: search for the bug in a driver, or in the core, and report the shortest way to it.
 *
 *     scenario/    what happens to a driver in one run, and its bytes
 *     subjects/    the drivers and devices that are fuzzed
 *     player/      one scenario played on a machine, and what is wrong with it
 *     searches/    which scenarios are played, and how one is shrunk
 *     reports/     a scenario as a text and as a test file
 *     sequences/   allocation sequences, played on a core and on a reference model
 *     targets/     what the project fuzzes of itself, by name
 *
 * For users: `fuzzDriver`, and `ndis-shmem fuzz ./my-driver.mjs`. For the project itself: `TARGETS` and `exhaust`.
 * docs/fuzzing.md is the guide.
 */
export {
  Coverage,
  type FindingClass,
  type FoundReport,
  type FuzzOptions,
  type FuzzReport,
  fuzzDriver,
  replayScenario,
} from "./fuzz-driver.js";
export { type DriverFinding, findingClass, findingLines } from "./player/checks.js";
export { runningCallName, ScenarioPlayer, type ScenarioPlayerOptions, type ScenarioResult } from "./player/player.js";
export { SITUATION_BYTES, Situations } from "./player/situations.js";
export { githubOf } from "./reports/github.js";
export { junitOf } from "./reports/junit.js";
export { locationsOf, type ReportedFinding, type ReportedSearch, type SourceLocation } from "./reports/location.js";
export { type ReproduceOptions, type Reproduction, reproduce } from "./reports/reproduction.js";
export { sarifOf } from "./reports/sarif.js";
export { type TestFramework, testSource } from "./reports/test-source.js";
export {
  type AllocationFault,
  allocationFaultByte,
  allocationFaultOf,
} from "./scenario/allocation-fault.js";
export { describeEvent, describeSetup } from "./scenario/describe.js";
export {
  canonicalScenario,
  MOST_REPLAY_BYTES,
  parseReplay,
  parseScenarioBytes,
  parseScenarioHex,
  type Replay,
  replayText,
} from "./scenario/replay-file.js";
export {
  decodeScenario,
  EVENT_HELP,
  EVENT_KINDS,
  EVENT_TABLE,
  encodeScenario,
  eventByte,
  MEMORIES,
  MOST_EVENTS,
  type Scenario,
  type ScenarioEvent,
  type ScenarioEventKind,
  scenarioToHex,
} from "./scenario/scenario.js";
export { type SearchProgress, stateNumber } from "./searches/progress.js";
export { randomSearch, scenarioOf } from "./searches/random.js";
export type { FoundScenario } from "./searches/run.js";
export { type FoundBy, type Outcome, type Planned, SEARCHES, type Search, type SearchName } from "./searches/search.js";
export { shrinkScenario } from "./searches/shrink.js";
export { SWEEP_STRIDE, sweepScenario, sweepSearch } from "./searches/sweep.js";
export { systematicSearch } from "./searches/systematic.js";
export type { Drift } from "./searches/witnesses.js";
export { CorePlayer, type OpenCore, type RewindableCore } from "./sequences/core-player.js";
export { EXHAUSTIVE_OPTIONS, EXHAUSTIVE_STEPS, type ExhaustiveResult, exhaust } from "./sequences/exhaustive.js";
export { GEOMETRIES, type Geometry, geometryOf } from "./sequences/geometries.js";
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
} from "./sequences/sequence.js";
export { SmallModel } from "./sequences/small-model.js";
export { acceptsHandles } from "./subjects/accepts-handles.js";
export { BUILT_IN_DRIVERS, subjectOf } from "./subjects/built-in-drivers.js";
export type { ScenarioCheck, ScenarioView } from "./subjects/check.js";
export { type DriverModule, driverOf } from "./subjects/module.js";
export { NoiseDevice } from "./subjects/noise-device.js";
export type { FuzzDevice, FuzzDriver, FuzzWire } from "./subjects/subject.js";
export { TARGETS } from "./targets/registry.js";
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
} from "./targets/target.js";
