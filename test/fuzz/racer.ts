/** A small driver: asks for one block for each interrupt, keeps at most eight. Wrong on demand. */
import {
  adapterServices,
  type DmaHandle,
  type MachineEvent,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  NdisMRegisterMiniportDriver,
  NdisMRegisterScatterGatherDma,
  NdisMSetMiniportAttributes,
  type VirtualAddress,
} from "../../bindings/index.js";
import type { FuzzDriver } from "../../src/fuzz/index.js";

const BLOCK_BYTES = 2048;

interface Block {
  readonly va: VirtualAddress;
  readonly pa: NDIS_PHYSICAL_ADDRESS;
}

interface Nic {
  dma: DmaHandle | null;
  control: Block | null;
  pending: number;
  readonly blocks: Block[];
  readonly idle: MachineEvent;
}

/** `waits`: whether halt waits for what is pending. */
export function racer(waits: boolean, bug: "" | "leaks where initialize fails" = ""): FuzzDriver {
  return {
    name: "racer",
    DriverEntry: (object, path) =>
      NdisMRegisterMiniportDriver(object, path, null, {
        Header: { Type: 0x8a, Revision: 1, Size: 136 },
        MajorNdisVersion: 6,
        MinorNdisVersion: 0,
        InitializeHandlerEx: (handle) => {
          const services = adapterServices(handle);
          const idle = services.createEvent();
          idle.set();
          const nic: Nic = { dma: null, control: null, pending: 0, blocks: [], idle };
          NdisMSetMiniportAttributes(handle, {
            Header: { Type: 0x9e, Revision: 1, Size: 28 },
            MiniportAdapterContext: { nic, handle },
            AttributeFlags: 0x40,
          });
          const answered = (): void => {
            nic.pending -= 1;
            if (nic.pending === 0) nic.idle.set();
          };
          const registration = NdisMRegisterScatterGatherDma(handle, {
            Header: { Type: 0x83, Revision: 1, Size: 36 },
            Flags: 1,
            MaximumPhysicalMapping: 1514,
            SharedMemAllocateCompleteHandler: (_context, va, pa) => {
              if (va !== null && pa !== null) nic.blocks.push({ va, pa });
              answered();
            },
          });
          if (registration.Status !== NDIS_STATUS_SUCCESS) return registration.Status;
          const dma = registration.NdisMiniportDmaHandle as DmaHandle;
          nic.dma = dma;
          const control = NdisMAllocateSharedMemory(handle, 64, true);
          if (control.VirtualAddress === null) {
            services.logError(1);
            if (bug === "") NdisMDeregisterScatterGatherDma(dma);
            return NDIS_STATUS_RESOURCES;
          }
          nic.control = { va: control.VirtualAddress, pa: control.PhysicalAddress };
          services.registerInterrupt({
            dpc: () => {
              if (nic.blocks.length + nic.pending >= 8) return;
              nic.pending += 1;
              nic.idle.reset();
              if (NdisMAllocateSharedMemoryAsyncEx(dma, BLOCK_BYTES, false, null) !== NDIS_STATUS_PENDING) answered();
            },
          });
          return NDIS_STATUS_SUCCESS;
        },
        HaltHandlerEx: async (context) => {
          const { nic, handle } = context as { nic: Nic; handle: Parameters<typeof adapterServices>[0] };
          const services = adapterServices(handle);
          services.deregisterInterrupt();
          while (waits && nic.pending > 0) await services.wait(nic.idle);
          for (const { va, pa } of nic.blocks.splice(0)) NdisMFreeSharedMemory(handle, BLOCK_BYTES, false, va, pa);
          if (nic.control !== null) NdisMFreeSharedMemory(handle, 64, true, nic.control.va, nic.control.pa);
          if (nic.dma !== null) NdisMDeregisterScatterGatherDma(nic.dma);
        },
      }).Status,
  };
}
