/** The simulated machine. */

export type { DeviceModel, DevicePort } from "./devices/device-port.js";
export type { LogMode, LogOptions } from "./event-log.js";
export { type FaultRule, lowMemory } from "./faults.js";
export { Adapter, type AdapterOptions } from "./lifecycle/adapter.js";
export type { LoadedDriver, MiniportDriver } from "./lifecycle/lifecycle.js";
export { Machine } from "./machine.js";
export type { MachineReport } from "./machine-report.js";
export type { MachineOptions } from "./options.js";
export { type PoolAllocateOptions, type PoolOptions, SharedBlock, SharedMemoryPool } from "./pool/pool.js";
export { Prng } from "./prng.js";
export {
  SCHEDULES,
  type ScheduleChooser,
  type ScheduleName,
  type ScheduleOptions,
} from "./time/completion-schedule.js";
