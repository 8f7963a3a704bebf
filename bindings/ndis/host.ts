/**
 * What a machine needs to host NDIS and a driver must not see. Exported to `src` through `bindings/index.ts`.
 */
export { CHOICE_OPTIONS, resolveChoices } from "./choices/choices.js";
export { Dispatcher, type LatencySummary } from "./dispatch/dispatcher.js";
export { type EnvironmentParts, environmentOf, NdisEnvironment } from "./dispatch/environment.js";
export {
  addAdapter,
  beginHalt,
  beginInitialize,
  beginShutdown,
  endHalt,
  endInitialize,
  forceRelease,
  setState,
  startedAdapters,
} from "./dispatch/lifecycle.js";
export { type Irql, irqlName as levelInWords } from "./documented/irql.js";
export { GUARD_OPTIONS, type GuardOptions } from "./memory/guard.js";
export type { GuardReport } from "./memory/quarantine.js";
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
} from "./records/adapter.js";
export { CompletionTarget } from "./records/dma.js";
export type { DriverRecord } from "./records/driver.js";
export {
  AdapterHandle as AdapterHandleClass,
  DriverObjectHandle as DriverObjectHandleClass,
} from "./records/handles.js";
export { BlockHistory } from "./records/history.js";
export type { Clock, FaultPlan, FaultPoint, LogicalMap, Scheduler, Threads } from "./records/host.js";
export type { EventLog, HandlerError, LiveBlock } from "./records/reporter.js";
export { type DroppedRequest, PendingRequest, RequestRing } from "./records/requests.js";
export * as bugChecks from "./verifier/bug-checks.js";
export type { Callbacks } from "./verifier/callbacks.js";
export { callSite } from "./verifier/reporter.js";
