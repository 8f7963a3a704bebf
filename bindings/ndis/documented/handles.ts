/**
 * Handles as a driver sees them: five opaque types that the compiler tells apart, where NDIS has one `NDIS_HANDLE`.
 *
 * A handle is made by NDIS and by nobody else; it has no readable member. The objects behind these types, and the proof
 * that a value is one of them, are in `records/handles.ts`.
 */
declare const driverObjectBrand: unique symbol;
declare const driverBrand: unique symbol;
declare const adapterBrand: unique symbol;
declare const dmaBrand: unique symbol;
declare const allocationBrand: unique symbol;

/** The `DriverObject` of DriverEntry. Made by the machine; valid until the driver is unloaded. */
export interface DriverObjectHandle {
  /** For the compiler alone: no such property exists. */
  readonly [driverObjectBrand]: true;
}

/** `NdisMiniportDriverHandle`, from NdisMRegisterMiniportDriver; valid until NdisMDeregisterMiniportDriver. */
export interface DriverHandle {
  /** For the compiler alone: no such property exists. */
  readonly [driverBrand]: true;
}

/** `MiniportAdapterHandle`, the first argument of MiniportInitializeEx; valid until MiniportHaltEx has returned. */
export interface AdapterHandle {
  /** For the compiler alone: no such property exists. */
  readonly [adapterBrand]: true;
}

/** `NdisMiniportDmaHandle`, from NdisMRegisterScatterGatherDma or NdisMRegisterDmaChannel; valid until its deregistration. */
export interface DmaHandle {
  /** For the compiler alone: no such property exists. */
  readonly [dmaBrand]: true;
}

/** `AllocationHandle`, from the 6.20 NdisAllocateSharedMemory; valid until NdisFreeSharedMemory. */
export interface AllocationHandle {
  /** For the compiler alone: no such property exists. */
  readonly [allocationBrand]: true;
}

/** Any handle that a routine takes. */
export type NDIS_HANDLE = DriverHandle | AdapterHandle | DmaHandle | AllocationHandle;
