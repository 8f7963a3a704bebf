/**
 * A rig for tests of the NDIS face: a machine with one obliging driver whose every part can be replaced.
 *
 * The driver registers DMA in initialize, keeps what its completions bring, and in halt frees what the test left in
 * `blocks` and deregisters. Every machine that one of its drivers is loaded into is watched: see invariants.ts.
 */
import assert from "node:assert/strict";
import {
  type AdapterHandle,
  type AdapterServices,
  adapterServices,
  DISPATCH_LEVEL,
  type DmaHandle,
  type DriverObjectHandle,
  MM_ANY_NODE_OK,
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
  type NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_SG_DMA_64_BIT_ADDRESS,
  type NDIS_SG_DMA_DESCRIPTION,
  type NDIS_SHARED_MEMORY_PARAMETERS,
  type NDIS_STATUS,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemory,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  NdisMRegisterMiniportDriver,
  NdisMRegisterScatterGatherDma,
  NdisMSetMiniportAttributes,
  NdisSharedMemoryUsageReceive,
  type PVOID,
  ViolationError,
  type VirtualAddress,
} from "../../bindings/ndis/index.js";
import { check, complain, completionsOf, isHalted, watch } from "./invariants.js";

export { check } from "./invariants.js";

import { type Adapter, type AdapterOptions, type LoadedDriver, Machine, type MachineOptions } from "../../src/index.js";

export const ATTRIBUTES = { Type: 0x9e, Revision: 1, Size: 28 } as const;
export const DESCRIPTION = { Type: 0x83, Revision: 1, Size: 36 } as const;

export interface Completion {
  readonly miniportContext: unknown;
  readonly VirtualAddress: PVOID;
  readonly PhysicalAddress: NDIS_PHYSICAL_ADDRESS | null;
  readonly Length: number;
  readonly Context: unknown;
  readonly irql: number;
  readonly step: number;
}

export interface Block {
  readonly VirtualAddress: VirtualAddress;
  readonly PhysicalAddress: NDIS_PHYSICAL_ADDRESS;
  readonly Length: number;
  readonly Cached: boolean;
}

export interface DriverParts {
  readonly attributeFlags?: number;
  readonly description?: Partial<NDIS_SG_DMA_DESCRIPTION>;
  /** `false`: do not register DMA in initialize. */
  readonly register?: boolean;
  readonly version?: readonly [number, number];
  readonly initialize?: (nic: Nic) => NDIS_STATUS | Promise<NDIS_STATUS>;
  readonly complete?: (nic: Nic, completion: Completion) => void | Promise<void>;
  readonly halt?: (nic: Nic) => void | Promise<void>;
  readonly characteristics?: Partial<NDIS_MINIPORT_DRIVER_CHARACTERISTICS>;
}

/** The driver's own context of an adapter. */
export class Nic {
  readonly handle: AdapterHandle;
  readonly services: AdapterServices;
  dma: DmaHandle | null = null;
  registerStatus: NDIS_STATUS | null = null;
  readonly description: NDIS_SG_DMA_DESCRIPTION;
  readonly completions: Completion[] = [];
  readonly blocks: Block[] = [];

  constructor(handle: AdapterHandle, description: NDIS_SG_DMA_DESCRIPTION) {
    this.handle = handle;
    this.services = adapterServices(handle);
    this.description = description;
  }

  /** Allocate and remember; null where out of memory. */
  allocate(Length: number, Cached = false): Block | null {
    const { VirtualAddress, PhysicalAddress } = NdisMAllocateSharedMemory(this.handle, Length, Cached);
    if (VirtualAddress === null) return null;
    const block = { VirtualAddress, PhysicalAddress, Length, Cached };
    this.blocks.push(block);
    return block;
  }

  free(block: Block): void {
    NdisMFreeSharedMemory(this.handle, block.Length, block.Cached, block.VirtualAddress, block.PhysicalAddress);
    const at = this.blocks.indexOf(block);
    if (at >= 0) this.blocks.splice(at, 1);
  }

  freeAll(): void {
    while (this.blocks.length > 0) this.free(this.blocks[0] as Block);
  }

  atDispatch<T>(run: () => T): T {
    const before = this.services.raiseIrql(DISPATCH_LEVEL);
    try {
      return run();
    } finally {
      this.services.lowerIrql(before);
    }
  }
}

export interface Rig {
  readonly machine: Machine;
  readonly driver: LoadedDriver;
  readonly adapter: Adapter;
  readonly nic: Nic;
  readonly handle: AdapterHandle;
  readonly dma: DmaHandle;
  /** Digests of the core before the driver did anything. */
  readonly emptyDigest: string;
}

/** A driver of the given parts. Its adapters' contexts land in `nics`. */
export function makeDriver(
  parts: DriverParts,
  nics: Nic[],
): { name: string; DriverEntry: (object: DriverObjectHandle, path: string) => NDIS_STATUS } {
  return {
    name: "rig",
    DriverEntry(object, path) {
      watch(object);
      return NdisMRegisterMiniportDriver(object, path, "driver context", {
        Header: { Type: 0x8a, Revision: 1, Size: 136 },
        MajorNdisVersion: parts.version?.[0] ?? 6,
        MinorNdisVersion: parts.version?.[1] ?? 30,
        InitializeHandlerEx(handle) {
          const nic: Nic = new Nic(handle, {
            Header: DESCRIPTION,
            Flags: NDIS_SG_DMA_64_BIT_ADDRESS,
            MaximumPhysicalMapping: 1514,
            SharedMemAllocateCompleteHandler(miniportContext, VirtualAddress, PhysicalAddress, Length, Context) {
              const completion: Completion = {
                miniportContext,
                VirtualAddress,
                PhysicalAddress,
                Length,
                Context,
                irql: nic.services.irql,
                step: 0,
              };
              nic.completions.push(completion);
              if (isHalted(handle)) complain("invariant 2: a completion after halt returned");
              if (VirtualAddress !== null && PhysicalAddress !== null && parts.complete === undefined) {
                nic.blocks.push({ VirtualAddress, PhysicalAddress, Length, Cached: false });
              }
              return parts.complete?.(nic, completion);
            },
            ...parts.description,
          });
          nics.push(nic);
          completionsOf(handle, nic.completions);
          NdisMSetMiniportAttributes(handle, {
            Header: ATTRIBUTES,
            MiniportAdapterContext: nic,
            AttributeFlags: parts.attributeFlags ?? NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
          });
          if (parts.register !== false) {
            const { Status, NdisMiniportDmaHandle } = NdisMRegisterScatterGatherDma(handle, nic.description);
            nic.registerStatus = Status;
            nic.dma = NdisMiniportDmaHandle;
          }
          return parts.initialize?.(nic) ?? NDIS_STATUS_SUCCESS;
        },
        HaltHandlerEx(context) {
          const nic = context as Nic;
          if (parts.halt !== undefined) return parts.halt(nic);
          nic.freeAll();
          if (nic.dma !== null) NdisMDeregisterScatterGatherDma(nic.dma);
        },
        ...parts.characteristics,
      }).Status;
    },
  };
}

/** A machine with one running adapter. */
export async function open(
  parts: DriverParts = {},
  options: MachineOptions = {},
  adapterOptions: AdapterOptions = {},
): Promise<Rig> {
  const machine = await Machine.open({ seed: 11, ...options });
  const emptyDigest = machine.core.digest();
  const nics: Nic[] = [];
  const driver = await machine.load(makeDriver(parts, nics));
  const adapter = await machine.add(driver, adapterOptions);
  const nic = nics[0] as Nic;
  return { machine, driver, adapter, nic, handle: nic.handle, dma: nic.dma as DmaHandle, emptyDigest };
}

/** Run `act`; it must be refused with `code` and leave both digests as they were. Returns the error. */
export function refused(machine: Machine, code: string, act: () => unknown): ViolationError {
  const before = [machine.core.digest(), machine.core.imageDigest()];
  let thrown: unknown;
  try {
    act();
  } catch (error) {
    thrown = error;
  }
  assert.ok(thrown instanceof ViolationError, `expected a ViolationError ${code}, got ${String(thrown)}`);
  assert.equal(thrown.code, code, thrown.message);
  assert.deepEqual([machine.core.digest(), machine.core.imageDigest()], before, "a refused call changes nothing");
  check(machine);
  return thrown;
}

/** Parameters of the 6.20 pair: any node, room for one element, nothing else asked for. `more` replaces. */
export function sharedMemoryParameters(
  Length: number,
  more: Partial<NDIS_SHARED_MEMORY_PARAMETERS> = {},
): NDIS_SHARED_MEMORY_PARAMETERS {
  return {
    Header: { Type: 0x80, Revision: 1, Size: 64 },
    Flags: 0,
    QueueId: 0,
    PreferredNode: MM_ANY_NODE_OK,
    Usage: NdisSharedMemoryUsageReceive,
    Length,
    SGListBufferLength: 16 + 24,
    SGListBuffer: { NumberOfElements: 0, Elements: [] },
    ...more,
  };
}
