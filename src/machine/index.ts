/** The simulated machine. */
export { Adapter, type AdapterOptions } from "./adapter.js";
export type { DeviceModel, DevicePort } from "./device.js";
export { type FaultRule, lowMemory } from "./faults.js";
export type { LoadedDriver, MiniportDriver } from "./lifecycle.js";
export type { LogMode } from "./log.js";
export { Machine } from "./machine.js";
export type { MachineOptions } from "./options.js";
export { type PoolAllocateOptions, type PoolOptions, SharedBlock, SharedMemoryPool } from "./pool.js";
export { Prng } from "./prng.js";
export type { MachineReport } from "./report.js";
export { SCHEDULES, type ScheduleChooser, type ScheduleName, type ScheduleOptions } from "./schedule.js";
