/**
 * The driver that replays a recording: it registers for scatter/gather DMA, and what it then allocates and frees is what the
 * recording says. It decides nothing.
 */
import {
  type AdapterHandle,
  type DmaHandle,
  NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1,
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
  NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE,
  NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1,
  NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
  NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_SG_DMA_64_BIT_ADDRESS,
  NDIS_SG_DMA_DESCRIPTION_REVISION_1,
  NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1,
  NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1,
  NDIS_STATUS_SUCCESS,
  NdisMDeregisterScatterGatherDma,
  NdisMRegisterMiniportDriver,
  NdisMRegisterScatterGatherDma,
  NdisMSetMiniportAttributes,
  type PVOID,
} from "../../bindings/index.js";
import type { MiniportDriver } from "../machine/index.js";

/** What the driver tells the player. */
export interface DriverPort {
  /** The adapter has initialized. */
  initialized(adapter: AdapterHandle, dma: DmaHandle): void;
  completed(va: PVOID, pa: NDIS_PHYSICAL_ADDRESS | null, length: number, context: unknown): void;
  /** The adapter halts: what is left is freed now. */
  halting(): void;
}

const MAXIMUM_MAPPING = 65536;
/** NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1 on x64. */
const CHARACTERISTICS_BYTES = 136;

export function replayDriver(port: DriverPort): MiniportDriver {
  let dma: DmaHandle | null = null;
  return {
    name: "replay",
    DriverEntry: (DriverObject, RegistryPath) =>
      NdisMRegisterMiniportDriver(DriverObject, RegistryPath, null, {
        Header: {
          Type: NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
          Revision: NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1,
          Size: CHARACTERISTICS_BYTES,
        },
        MajorNdisVersion: 6,
        MinorNdisVersion: 0,
        MajorDriverVersion: 1,
        MinorDriverVersion: 0,
        InitializeHandlerEx(handle) {
          const attributes = NdisMSetMiniportAttributes(handle, {
            Header: {
              Type: NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
              Revision: NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1,
              Size: NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1,
            },
            MiniportAdapterContext: port,
            AttributeFlags: NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE | NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
            CheckForHangTimeInSeconds: 2,
          });
          if (attributes !== NDIS_STATUS_SUCCESS) return attributes;
          const { Status, NdisMiniportDmaHandle } = NdisMRegisterScatterGatherDma(handle, {
            Header: {
              Type: NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION,
              Revision: NDIS_SG_DMA_DESCRIPTION_REVISION_1,
              Size: NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1,
            },
            Flags: NDIS_SG_DMA_64_BIT_ADDRESS, // the zone lies above what 32 bits can name
            MaximumPhysicalMapping: MAXIMUM_MAPPING,
            ProcessSGListHandler: null,
            SharedMemAllocateCompleteHandler: (_adapter, va, pa, length, context) =>
              port.completed(va, pa, length, context),
          });
          dma = NdisMiniportDmaHandle;
          if (dma !== null) port.initialized(handle, dma);
          return Status;
        },
        HaltHandlerEx() {
          port.halting();
          if (dma !== null) NdisMDeregisterScatterGatherDma(dma);
        },
        PauseHandler: () => NDIS_STATUS_SUCCESS,
        RestartHandler: () => NDIS_STATUS_SUCCESS,
        ShutdownHandlerEx() {},
      }).Status,
  };
}
