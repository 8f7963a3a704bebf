/**
 * The faithful NDIS face (`ndis-shmem/ndis`): documented names, documented statuses, documented levels.
 *
 * Deviations from the documents, numbered; each is carried by a test of its number (test/ndis/deviations.test.ts):
 *
 *  1. Out parameters become fields of the returned object, under their documented names. The macros that assign to a
 *     half of a physical address return the new address.
 *  2. `inout` structures are plain objects; what C marks `out` is written into the caller's object.
 *  3. DriverEntry, MiniportInitializeEx, MiniportHaltEx, pause, restart, unload and completion handlers may be
 *     asynchronous. They wait on events of the machine only.
 *  4. A driver's table needs InitializeHandlerEx and HaltHandlerEx; the other entry points may be absent.
 *  5. Handles are typed: five kinds that the compiler tells apart, where NDIS has one NDIS_HANDLE.
 *  6. A physical address is a number below 2^52, passed by value everywhere; a completion's may be null (choice C17).
 *  7. BOOLEAN is `true` or `false`, nothing else.
 *  8. What Windows answers with a bug check is recorded, and then thrown, collected or made fatal (choice C31).
 *  9. In a bug check's parameters, the adapter's number stands for the address of the miniport block, the driver's for
 *     that of the driver block, and 0 for an object, which has no address here: `value` of the violation is the object.
 * 10. Whatever is not memory is in our own style: see `adapterServices`.
 */
export type { LogicalAddress, PhysicalAddress, VirtualAddress } from "../addresses.js";
export type { ErrorCode, ErrorDetails, Mismatch } from "../errors.js";
export { ShmemError } from "../errors.js";
export { CHOICES, type ChoiceEntry } from "./choices/choice-table.js";
export { DEFAULT_CHOICES, type NdisChoices } from "./choices/choices.js";
export {
  decodeScatterGatherList,
  decodeStructure,
  encodeScatterGatherList,
  encodeStructure,
  type Layout,
  layoutOf,
  type Platform,
  physicalFromQuadPart,
  type StructureName,
  type StructureValues,
} from "./documented/codec.js";
export * from "./documented/dma-channel.js";
export type {
  AdapterHandle,
  AllocationHandle,
  DmaHandle,
  DriverHandle,
  DriverObjectHandle,
  NDIS_HANDLE,
} from "./documented/handles.js";
export {
  APC_LEVEL,
  CLOCK_LEVEL,
  DISPATCH_LEVEL,
  deviceLevel,
  HIGH_LEVEL,
  IPI_LEVEL,
  irqlName,
  type KIRQL,
  PASSIVE_LEVEL,
} from "./documented/irql.js";
export * from "./documented/miniport.js";
export * from "./documented/object-header.js";
export * from "./documented/physical.js";
export * from "./documented/scatter-gather.js";
export * from "./documented/shared-memory.js";
export * from "./documented/shared-memory-usage.js";
export * from "./documented/status.js";
export type { AdapterStateName } from "./records/adapter.js";
export type { BlockExplanation, BugCheck, Provenance, Violation } from "./records/reporter.js";
export type {
  AdapterServices,
  IndicatedFrame,
  InterruptHandlers,
  MachineEvent,
  MachineTimer,
  SpinLock,
} from "./records/services.js";
export {
  NdisGetSharedDataAlignment,
  NdisMGetDmaAlignment,
  NdisMSetMiniportAttributes,
} from "./routines/attributes.js";
export {
  type NDIS_DMA_DESCRIPTION,
  NdisMDeregisterDmaChannel,
  NdisMRegisterDmaChannel,
  type RegisterDmaChannelResult,
} from "./routines/dma-channel.js";
export {
  NdisMDeregisterMiniportDriver,
  NdisMRegisterMiniportDriver,
  type RegisterMiniportDriverResult,
} from "./routines/driver.js";
export {
  NDIS_ATTRIBUTE_BUS_MASTER,
  type NDIS_MINIPORT_CHARACTERISTICS,
  NdisMAllocateSharedMemoryAsync,
  NdisMInitializeScatterGatherDma,
  NdisMRegisterMiniport,
  NdisMSetAttributesEx,
  NdisMUpdateSharedMemory,
} from "./routines/ndis5.js";
export {
  NdisMDeregisterScatterGatherDma,
  NdisMRegisterScatterGatherDma,
  type RegisterScatterGatherDmaResult,
} from "./routines/scatter-gather-dma.js";
export {
  NdisBuildScatterGatherList,
  NdisFreeScatterGatherList,
  NdisMAllocateNetBufferSGList,
  NdisMFreeNetBufferSGList,
} from "./routines/scatter-gather-lists.js";
export { adapterServices } from "./routines/services.js";
export {
  type AllocateSharedMemoryResult,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMFreeSharedMemory,
} from "./routines/shared-memory.js";
export {
  type AllocateSharedMemory620Result,
  NdisAllocateSharedMemory,
  NdisFreeSharedMemory,
  NdisSetOptionalHandlers,
} from "./routines/shared-memory-620.js";
export { NdisMPauseComplete, NdisMRestartComplete } from "./routines/transitions.js";
export { ViolationError } from "./verifier/violation-error.js";
export { describeBugCheck, describeViolation } from "./verifier/wording.js";
