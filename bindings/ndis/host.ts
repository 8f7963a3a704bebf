/**
 * What a machine needs to host NDIS and a driver must not see. Exported to `src` through `bindings/index.ts`.
 */

export { CHOICE_OPTIONS, resolveChoices } from "./choices/choices.js";
export { Dispatcher, type DroppedRequest, type LatencySummary } from "./dispatch/dispatcher.js";
export {
  type Clock,
  callSite,
  type EnvironmentParts,
  type EventLog,
  type FaultPlan,
  type FaultPoint,
  type LogicalMap,
  NdisEnvironment,
  type Scheduler,
  type Threads,
} from "./dispatch/environment.js";
export {
  addAdapter,
  beginHalt,
  beginInitialize,
  beginShutdown,
  endHalt,
  endInitialize,
  forceRelease,
  isRunning,
  setState,
  startedAdapters,
} from "./dispatch/lifecycle.js";
export { type Irql, irqlName as levelInWords } from "./documented/irql.js";
export type { LiveBlock } from "./memory/blocks.js";
export { GUARD_OPTIONS, type GuardOptions } from "./memory/guard.js";
export type { GuardReport } from "./memory/quarantine.js";
export {
  AdapterHandle as AdapterHandleClass,
  DriverObjectHandle as DriverObjectHandleClass,
} from "./records/handles.js";
export { BlockHistory } from "./records/history.js";
export { PendingRequest, RequestRing, RequestSource } from "./records/requests.js";
export {
  type AdapterLimits,
  AdapterRecord,
  type AdapterState,
  HALTED,
  HALTING,
  INITIALIZING,
  PAUSED,
  PAUSING,
  RESTARTING,
  RUNNING,
  SHUTDOWN,
  stateName,
} from "./routines/attributes.js";
export type { DriverRecord } from "./routines/driver.js";
export * as bugChecks from "./verifier/bug-checks.js";
