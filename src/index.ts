/**
 * `ndis-shmem`: the machine that holds drivers, adapters, devices, clock and scheduler, and what is built on it.
 *
 * The NDIS routines that drivers call are `ndis-shmem/ndis`; the allocator alone is `ndis-shmem/core`.
 */
export {
  type ErrorCode,
  type ErrorDetails,
  type FaultPlan,
  type FaultPoint,
  type GuardOptions,
  type Mismatch,
  type NdisChoices,
  ShmemError,
  type Violation,
  ViolationError,
} from "../bindings/index.js";
export * from "./machine/index.js";
