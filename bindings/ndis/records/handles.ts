/**
 * Handles: the objects behind the five opaque types of `documented/handles.ts`.
 *
 * NDIS has one `NDIS_HANDLE` for everything, and drivers swap them (AsyncEx takes the DMA handle, the free takes the
 * adapter handle). Here each kind is a frozen object with a private field: the compiler refuses a swap, and at run time
 * the private field is the proof, so an object that merely looks like a handle is found out. A private field also costs
 * less than a WeakMap, and frees sit on it (choice C28).
 */
import type * as documented from "../documented/handles.js";
import type { AdapterRecord } from "./adapter.js";
import type { ProviderAllocation } from "./allocation.js";
import type { DmaRecord } from "./dma.js";
import type { DriverObjectRecord, DriverRecord } from "./driver.js";
import type { Machine } from "./reporter.js";

/** See `documented.DriverObjectHandle`. */
export class DriverObjectHandle {
  readonly #record: DriverObjectRecord;
  private constructor(record: DriverObjectRecord) {
    this.#record = record;
    Object.freeze(this);
  }
  static make(record: DriverObjectRecord): documented.DriverObjectHandle {
    return new DriverObjectHandle(record) as unknown as documented.DriverObjectHandle;
  }
  static recordOf(handle: unknown): DriverObjectRecord | undefined {
    return typeof handle === "object" && handle !== null && #record in handle ? handle.#record : undefined;
  }
}

/** See `documented.DriverHandle`. */
export class DriverHandle {
  readonly #record: DriverRecord;
  private constructor(record: DriverRecord) {
    this.#record = record;
    Object.freeze(this);
  }
  static make(record: DriverRecord): documented.DriverHandle {
    return new DriverHandle(record) as unknown as documented.DriverHandle;
  }
  static recordOf(handle: unknown): DriverRecord | undefined {
    return typeof handle === "object" && handle !== null && #record in handle ? handle.#record : undefined;
  }
}

/** See `documented.AdapterHandle`. */
export class AdapterHandle {
  readonly #record: AdapterRecord;
  private constructor(record: AdapterRecord) {
    this.#record = record;
    Object.freeze(this);
  }
  static make(record: AdapterRecord): documented.AdapterHandle {
    return new AdapterHandle(record) as unknown as documented.AdapterHandle;
  }
  static recordOf(handle: unknown): AdapterRecord | undefined {
    return typeof handle === "object" && handle !== null && #record in handle ? handle.#record : undefined;
  }
}

/** A DMA registration and the adapter that has it. */
export interface RegisteredDma {
  readonly adapter: AdapterRecord;
  readonly dma: DmaRecord;
}

/** See `documented.DmaHandle`. */
export class DmaHandle {
  readonly #registered: RegisteredDma;
  private constructor(registered: RegisteredDma) {
    this.#registered = registered;
    Object.freeze(this);
  }
  static make(adapter: AdapterRecord, dma: DmaRecord): documented.DmaHandle {
    return new DmaHandle({ adapter, dma }) as unknown as documented.DmaHandle;
  }
  static recordOf(handle: unknown): RegisteredDma | undefined {
    return typeof handle === "object" && handle !== null && #registered in handle ? handle.#registered : undefined;
  }
}

/** See `documented.AllocationHandle`. */
export class AllocationHandle {
  readonly #record: ProviderAllocation;
  private constructor(record: ProviderAllocation) {
    this.#record = record;
    Object.freeze(this);
  }
  static make(record: ProviderAllocation): documented.AllocationHandle {
    return new AllocationHandle(record) as unknown as documented.AllocationHandle;
  }
  static recordOf(handle: unknown): ProviderAllocation | undefined {
    return typeof handle === "object" && handle !== null && #record in handle ? handle.#record : undefined;
  }
}

/** What a value given as a handle is, in words. */
export function handleKind(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  if (AdapterHandle.recordOf(value) !== undefined) return "a miniport adapter handle";
  if (DmaHandle.recordOf(value) !== undefined) return "a miniport DMA handle";
  if (DriverHandle.recordOf(value) !== undefined) return "a miniport driver handle";
  if (AllocationHandle.recordOf(value) !== undefined) return "an allocation handle";
  if (DriverObjectHandle.recordOf(value) !== undefined) return "a driver object";
  return typeof value === "object" ? "an object that is no handle" : `a ${typeof value}, not a handle`;
}

/** True where the value is a handle of some kind. */
export function isHandle(value: unknown): boolean {
  return (
    AllocationHandle.recordOf(value) !== undefined ||
    DriverObjectHandle.recordOf(value) !== undefined ||
    machineOfHandle(value) !== undefined
  );
}

/** The machine of a handle that names one; an allocation handle does not. */
export function machineOfHandle(handle: unknown): Machine | undefined {
  return (
    AdapterHandle.recordOf(handle)?.machine ??
    DmaHandle.recordOf(handle)?.adapter.machine ??
    DriverHandle.recordOf(handle)?.machine ??
    DriverObjectHandle.recordOf(handle)?.machine
  );
}
