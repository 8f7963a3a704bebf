/**
 * Drivers: what NDIS keeps of a table that NdisMRegisterMiniportDriver, or NdisMRegisterMiniport of NDIS 5, was given.
 */
import type { DriverHandle, DriverObjectHandle } from "../documented/handles.js";
import type { NDIS_MINIPORT_DRIVER_CHARACTERISTICS } from "../documented/miniport.js";
import type { MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE } from "../documented/scatter-gather.js";
import type { NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS } from "../documented/shared-memory.js";
import type { Machine } from "./reporter.js";

/** How far a driver object is: NdisMRegisterMiniportDriver is for `loading` alone, adapters are added while it is `loaded`. */
export type DriverObjectState = "loading" | "loaded" | "unloading" | "gone";

/** What NDIS keeps of a driver object: the DriverObject of DriverEntry, from before DriverEntry until after unload. */
export class DriverObjectRecord {
  readonly machine: Machine;
  readonly name: string;
  readonly handle: DriverObjectHandle;
  state: DriverObjectState = "loading";
  /** What the driver registered, in order. */
  readonly drivers: DriverRecord[] = [];

  constructor(machine: Machine, name: string, makeHandle: (record: DriverObjectRecord) => DriverObjectHandle) {
    this.machine = machine;
    this.name = name;
    this.handle = makeHandle(this);
  }
}

/** What NDIS keeps of a driver. */
export class DriverRecord {
  readonly machine: Machine;
  /** From 1, in the order of registration; never used twice in a machine. */
  readonly number: number;
  readonly object: DriverObjectRecord;
  readonly characteristics: NDIS_MINIPORT_DRIVER_CHARACTERISTICS;
  readonly context: unknown;
  readonly handle: DriverHandle;
  /** Registered by the NDIS 5 calls (see `routines/ndis5.ts`). */
  readonly ndis5: boolean;
  /** NDIS 5: MiniportAllocateComplete of the characteristics. */
  readonly allocateComplete: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE | null;
  /** Registered with NdisSetOptionalHandlers. */
  provider: NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS | null = null;
  registered = true;
  /** Its SetOptions handler is on the stack: the place of NdisSetOptionalHandlers. */
  inSetOptions = false;

  constructor(
    machine: Machine,
    makeHandle: (record: DriverRecord) => DriverHandle,
    number: number,
    object: DriverObjectRecord,
    characteristics: NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
    context: unknown,
    ndis5 = false,
    allocateComplete: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE | null = null,
  ) {
    this.machine = machine;
    this.number = number;
    this.object = object;
    this.characteristics = characteristics;
    this.context = context;
    this.ndis5 = ndis5;
    this.allocateComplete = allocateComplete;
    this.handle = makeHandle(this);
  }

  /** True from NDIS `major.minor` on. */
  declares(major: number, minor: number): boolean {
    const { MajorNdisVersion, MinorNdisVersion } = this.characteristics;
    return MajorNdisVersion > major || (MajorNdisVersion === major && MinorNdisVersion >= minor);
  }
}
