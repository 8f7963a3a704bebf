/**
 * What a machine needs to host NDIS and a driver must not see. Exported to `src` through `bindings/index.ts`.
 */
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
} from "./adapter.js";
export type { LiveBlock } from "./blocks.js";
export * as bugChecks from "./bug-checks.js";
export { resolveChoices } from "./choices.js";
export { Dispatcher, type DroppedRequest, type LatencySummary } from "./dispatch.js";
export type { DriverRecord } from "./driver.js";
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
} from "./environment.js";
export type { GuardOptions } from "./guard.js";
export { AdapterHandle as AdapterHandleClass, DriverObjectHandle as DriverObjectHandleClass } from "./handles.js";
export { BlockHistory } from "./history.js";
export { type Irql, irqlName as levelInWords } from "./irql.js";
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
} from "./lifecycle.js";
export { PendingRequest, RequestRing, RequestSource } from "./requests.js";
export type { GuardReport } from "./retirement.js";
