/**
 * Handles: opaque, frozen, of five kinds that neither the compiler nor the run time confuses.
 *
 * NDIS has one `NDIS_HANDLE` for everything, and drivers swap them (AsyncEx takes the DMA handle, the free takes the
 * adapter handle). Here each kind is a class with a private field: the compiler refuses a swap, and at run time the
 * private field is the proof, so an object that merely looks like a handle is found out. A private field also costs less
 * than a WeakMap, and frees sit on it (choice C28).
 */

import type { NdisEnvironment } from "../dispatch/environment.js";
import type { AdapterRecord } from "../routines/attributes.js";
import type { DriverRecord } from "../routines/driver.js";
import type { DmaRecord } from "../routines/scatter-gather-dma.js";
import type { ProviderAllocation } from "../routines/shared-memory-620.js";

/** The `DriverObject` of DriverEntry. Made by the machine. */
export class DriverObjectHandle {
  readonly #environment: NdisEnvironment;
  constructor(environment: NdisEnvironment) {
    this.#environment = environment;
    Object.freeze(this);
  }
  static environmentOf(handle: unknown): NdisEnvironment | undefined {
    return typeof handle === "object" && handle !== null && #environment in handle ? handle.#environment : undefined;
  }
}

/** `NdisMiniportDriverHandle`, from NdisMRegisterMiniportDriver. */
export class DriverHandle {
  readonly #record: DriverRecord;
  constructor(record: DriverRecord) {
    this.#record = record;
    Object.freeze(this);
  }
  static recordOf(handle: unknown): DriverRecord | undefined {
    return typeof handle === "object" && handle !== null && #record in handle ? handle.#record : undefined;
  }
}

/** `MiniportAdapterHandle`, the first argument of MiniportInitializeEx. */
export class AdapterHandle {
  readonly #record: AdapterRecord;
  constructor(record: AdapterRecord) {
    this.#record = record;
    Object.freeze(this);
  }
  static recordOf(handle: unknown): AdapterRecord | undefined {
    return typeof handle === "object" && handle !== null && #record in handle ? handle.#record : undefined;
  }
}

/** `NdisMiniportDmaHandle`, from NdisMRegisterScatterGatherDma. */
export class DmaHandle {
  readonly #record: DmaRecord;
  constructor(record: DmaRecord) {
    this.#record = record;
    Object.freeze(this);
  }
  static recordOf(handle: unknown): DmaRecord | undefined {
    return typeof handle === "object" && handle !== null && #record in handle ? handle.#record : undefined;
  }
}

/** `AllocationHandle`, from the 6.20 NdisAllocateSharedMemory. */
export class AllocationHandle {
  readonly #record: ProviderAllocation;
  constructor(record: ProviderAllocation) {
    this.#record = record;
    Object.freeze(this);
  }
  static recordOf(handle: unknown): ProviderAllocation | undefined {
    return typeof handle === "object" && handle !== null && #record in handle ? handle.#record : undefined;
  }
}

/** Any handle. */
export type NDIS_HANDLE = DriverHandle | AdapterHandle | DmaHandle | AllocationHandle;

/** What a value given as a handle is, in words. */
export function handleKind(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  if (AdapterHandle.recordOf(value) !== undefined) return "a miniport adapter handle";
  if (DmaHandle.recordOf(value) !== undefined) return "a miniport DMA handle";
  if (DriverHandle.recordOf(value) !== undefined) return "a miniport driver handle";
  if (AllocationHandle.recordOf(value) !== undefined) return "an allocation handle";
  if (DriverObjectHandle.environmentOf(value) !== undefined) return "a driver object";
  return typeof value === "object" ? "an object that is no handle" : `a ${typeof value}, not a handle`;
}

/** True where the value is a handle of some kind. */
export function isHandle(value: unknown): boolean {
  return (
    AdapterHandle.recordOf(value) !== undefined ||
    DmaHandle.recordOf(value) !== undefined ||
    DriverHandle.recordOf(value) !== undefined ||
    AllocationHandle.recordOf(value) !== undefined ||
    DriverObjectHandle.environmentOf(value) !== undefined
  );
}
