/**
 * What a machine needs to host NDIS and a driver must not see. Exported to `src` through `bindings/index.ts`.
 */
export { CHOICE_OPTIONS, resolveChoices } from "./choices/choices.js";
export { Dispatcher } from "./dispatch/dispatcher.js";
export { environmentOf, NdisEnvironment } from "./dispatch/environment.js";
export {
  addAdapter,
  beginDriverEntry,
  beginHalt,
  beginInitialize,
  beginShutdown,
  beginTransition,
  beginUnload,
  endDriverEntry,
  endHalt,
  endInitialize,
  endTransition,
  endUnload,
  forceRelease,
  hearsBugCheck,
  INIT_PARAMETERS,
  isTransitionPending,
  type LeftArmed,
  PAUSE_PARAMETERS,
  RESTART_PARAMETERS,
  setState,
  startedAdapters,
} from "./dispatch/lifecycle.js";
export type { Irql } from "./documented/irql.js";
export { GUARD_OPTIONS, type GuardOptions } from "./memory/guard.js";
export type { GuardReport } from "./memory/quarantine.js";
export {
  AdapterRecord,
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
export type { DriverObjectRecord, DriverRecord } from "./records/driver.js";
export {
  AdapterHandle as AdapterHandleClass,
  DriverObjectHandle as DriverObjectHandleClass,
} from "./records/handles.js";
export { BlockHistory } from "./records/history.js";
export type { Clock, FaultPlan, FaultPoint, LogicalMap, Scheduler, Threads } from "./records/host.js";
export type { EventLog, LiveBlock } from "./records/reporter.js";
export { PendingRequest, RequestRing } from "./records/requests.js";
export * as bugChecks from "./verifier/bug-checks.js";
export { type Callbacks, isPromise } from "./verifier/callbacks.js";
export { requireAtMostDispatch } from "./verifier/checks.js";
export { callSite } from "./verifier/reporter.js";
