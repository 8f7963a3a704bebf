/** The simulated machine. */
export { Adapter, type AdapterOptions } from "./adapter.js";
export type { DeviceModel, DevicePort } from "./device.js";
export { type FaultRule, lowMemory } from "./faults.js";
export type { LogMode } from "./log.js";
export {
  type LoadedDriver,
  Machine,
  type MachineOptions,
  type MachineReport,
  type MiniportDriver,
} from "./machine.js";
export { type PoolAllocateOptions, type PoolOptions, SharedBlock, SharedMemoryPool } from "./pool.js";
export { Prng } from "./prng.js";
export { SCHEDULES, type ScheduleChooser, type ScheduleName, type ScheduleOptions } from "./schedule.js";
