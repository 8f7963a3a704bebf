/**
 * The structures of the family, as plain objects with the documented field names.
 *
 * Byte layouts for x64 and x86 are in `codec.ts`. A field that C marks `out` is written into the object that the caller
 * passed. Handlers carry their documented role types; the documentation spells the completion handler in two ways
 * (MiniportSharedMemoryAllocateComplete, MiniportAllocateSharedMemoryComplete): both are
 * `MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE`. Sources: `ndis.h`, `ndis/objectheader.h`, and the DDI pages.
 */
import type { VirtualAddress } from "../../addresses.js";
import type { AdapterHandle, DriverHandle, DriverObjectHandle } from "./handles.js";
import type { NDIS_PHYSICAL_ADDRESS, PVOID } from "./physical.js";
import type { NDIS_STATUS } from "./status.js";

/** Four bytes at the head of every NDIS structure. */
export interface NDIS_OBJECT_HEADER {
  /** u8: which structure. */
  Type: number;
  /** u8. */
  Revision: number;
  /** u16: bytes of the structure as the caller was compiled. */
  Size: number;
}

export const NDIS_OBJECT_TYPE_DEFAULT = 0x80;
export const NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS = 0x81;
export const NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION = 0x83;
export const NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS = 0x8a;
export const NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES = 0x9e;
export const NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES = 0x9f;
export const NDIS_OBJECT_TYPE_SHARED_MEMORY_PROVIDER_CHARACTERISTICS = 0xb0;

export const NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1 = 1;
export const NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2 = 2;
export const NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3 = 3;
export const NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1 = 1;
export const NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_2 = 2;
export const NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1 = 28;
export const NDIS_SG_DMA_DESCRIPTION_REVISION_1 = 1;
export const NDIS_SG_DMA_DESCRIPTION_REVISION_2 = 2;
/** x64: the macro stops at the last field; C `sizeof` is 40. */
export const NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1 = 36;
/** x64. */
export const NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_2 = 48;

/** The NIC can address 64 bits; clear means that no byte of a block may lie at or above 4 GiB. */
export const NDIS_SG_DMA_64_BIT_ADDRESS = 0x1;
/** From NDIS 6.50: the version 3 DMA interface. */
export const NDIS_SG_DMA_V3_HAL_API = 0x2;
/** From NDIS 6.85; in the header only. */
export const NDIS_SG_DMA_HYBRID_DMA = 0x4;

export const NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE = 0x1;
export const NDIS_MINIPORT_ATTRIBUTES_NDIS_WDM = 0x2;
export const NDIS_MINIPORT_ATTRIBUTES_SURPRISE_REMOVE_OK = 0x4;
export const NDIS_MINIPORT_ATTRIBUTES_NOT_CO_NDIS = 0x8;
export const NDIS_MINIPORT_ATTRIBUTES_DO_NOT_BIND_TO_ALL_CO = 0x10;
export const NDIS_MINIPORT_ATTRIBUTES_NO_HALT_ON_SUSPEND = 0x20;
export const NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER = 0x40;
export const NDIS_MINIPORT_ATTRIBUTES_CONTROLS_DEFAULT_PORT = 0x80;
export const NDIS_MINIPORT_ATTRIBUTES_NO_PAUSE_ON_SUSPEND = 0x100;
export const NDIS_MINIPORT_ATTRIBUTES_NO_OID_INTERCEPT_ON_NONDEFAULT_PORTS = 0x200;
export const NDIS_MINIPORT_ATTRIBUTES_REGISTER_BUGCHECK_CALLBACK = 0x400;

/** HaltAction of MINIPORT_HALT. */
export const NdisHaltDeviceDisabled = 0;
export const NdisHaltDeviceInstanceDeInitialized = 1;
export const NdisHaltDevicePoweredDown = 2;
export const NdisHaltDeviceSurpriseRemoved = 3;
export const NdisHaltDeviceFailed = 4;
export const NdisHaltDeviceInitializationFailed = 5;
export const NdisHaltDeviceStopped = 6;
export type NDIS_HALT_ACTION = 0 | 1 | 2 | 3 | 4 | 5 | 6;

/** ShutdownAction of MINIPORT_SHUTDOWN. */
export const NdisShutdownPowerOff = 0;
export const NdisShutdownBugCheck = 1;
export type NDIS_SHUTDOWN_ACTION = 0 | 1;

/** DRIVER_INITIALIZE: the driver's DriverEntry. PASSIVE_LEVEL. May be asynchronous here (deviation 3). */
export type DRIVER_INITIALIZE = (
  DriverObject: DriverObjectHandle,
  RegistryPath: string,
) => NDIS_STATUS | Promise<NDIS_STATUS>;

/** What the third argument of MINIPORT_INITIALIZE says. Only the header is filled: a simulated bus has no resource list. */
export interface NDIS_MINIPORT_INIT_PARAMETERS {
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  readonly Flags: number;
}

/** MiniportInitializeEx. PASSIVE_LEVEL. SUCCESS, or NOT_ACCEPTED, RESOURCES, FAILURE with everything released. */
export type MINIPORT_INITIALIZE = (
  NdisMiniportHandle: AdapterHandle,
  MiniportDriverContext: unknown,
  MiniportInitParameters: NDIS_MINIPORT_INIT_PARAMETERS,
) => NDIS_STATUS | Promise<NDIS_STATUS>;

/** MiniportHaltEx. PASSIVE_LEVEL; may wait. When it is through, nothing may be outstanding. */
export type MINIPORT_HALT = (MiniportAdapterContext: unknown, HaltAction: NDIS_HALT_ACTION) => void | Promise<void>;

/** MiniportShutdownEx. PASSIVE_LEVEL, or HIGH_LEVEL when the action is NdisShutdownBugCheck. Must not free shared memory. */
export type MINIPORT_SHUTDOWN = (MiniportAdapterContext: unknown, ShutdownAction: NDIS_SHUTDOWN_ACTION) => void;

/** MiniportPause. PASSIVE_LEVEL. */
export type MINIPORT_PAUSE = (
  MiniportAdapterContext: unknown,
  MiniportPauseParameters: NDIS_MINIPORT_PAUSE_PARAMETERS,
) => NDIS_STATUS | Promise<NDIS_STATUS>;

/** MiniportRestart. PASSIVE_LEVEL. */
export type MINIPORT_RESTART = (
  MiniportAdapterContext: unknown,
  MiniportRestartParameters: NDIS_MINIPORT_RESTART_PARAMETERS,
) => NDIS_STATUS | Promise<NDIS_STATUS>;

export interface NDIS_MINIPORT_PAUSE_PARAMETERS {
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  readonly Flags: number;
  readonly PauseReason: number;
}

export interface NDIS_MINIPORT_RESTART_PARAMETERS {
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  readonly Flags: number;
}

/** DRIVER_UNLOAD of a miniport. PASSIVE_LEVEL. */
export type MINIPORT_UNLOAD = (DriverObject: DriverObjectHandle) => void | Promise<void>;

/** SetOptions: runs inside NdisMRegisterMiniportDriver. PASSIVE_LEVEL. */
export type SET_OPTIONS = (NdisDriverHandle: DriverHandle, DriverContext: unknown) => NDIS_STATUS;

/** DevicePnPEventNotify, as far as it matters here: surprise removal. PASSIVE_LEVEL. */
export type MINIPORT_DEVICE_PNP_EVENT_NOTIFY = (
  MiniportAdapterContext: unknown,
  NetDevicePnPEvent: { readonly DevicePnPEvent: number },
) => void;

/** DevicePnPEvent of a surprise removal. */
export const NdisDevicePnPEventSurpriseRemoved = 2;

/** The driver's table. NDIS copies it. Only two entry points are demanded here (deviation 4). */
export interface NDIS_MINIPORT_DRIVER_CHARACTERISTICS {
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  readonly MajorNdisVersion: number;
  readonly MinorNdisVersion: number;
  readonly MajorDriverVersion?: number;
  readonly MinorDriverVersion?: number;
  readonly Flags?: number;
  readonly SetOptionsHandler?: SET_OPTIONS | null;
  readonly InitializeHandlerEx: MINIPORT_INITIALIZE;
  readonly HaltHandlerEx: MINIPORT_HALT;
  readonly UnloadHandler?: MINIPORT_UNLOAD | null;
  readonly PauseHandler?: MINIPORT_PAUSE | null;
  readonly RestartHandler?: MINIPORT_RESTART | null;
  readonly DevicePnPEventNotifyHandler?: MINIPORT_DEVICE_PNP_EVENT_NOTIFY | null;
  readonly ShutdownHandlerEx?: MINIPORT_SHUTDOWN | null;
}

/** InterfaceType of a NIC on an ISA bus: the one bus whose masters claim a DMA channel. */
export const NdisInterfaceIsa = 1;

/** The registration attributes: where NDIS learns the context that every later callback receives. */
export interface NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES {
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  readonly MiniportAdapterContext: unknown;
  readonly AttributeFlags: number;
  readonly CheckForHangTimeInSeconds?: number;
  readonly InterfaceType?: number;
}

/** The general attributes, of which shared memory needs nothing: they are accepted and kept. */
export interface NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES {
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  readonly [field: string]: unknown;
}

export type NDIS_MINIPORT_ADAPTER_ATTRIBUTES =
  | NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES
  | NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES;

/**
 * MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE: the completion of NdisMAllocateSharedMemoryAsyncEx. PASSIVE_LEVEL.
 *
 * The first argument is the context of the registration attributes. `VirtualAddress` null means that the allocation
 * failed; then `PhysicalAddress` is null too (choice C17). `Length` is the number asked for (choice C18). `Context` comes
 * back by identity. May return a promise (deviation 3); the next completion then waits for it (choice C22).
 */
export type MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE = (
  MiniportAdapterContext: unknown,
  VirtualAddress: PVOID,
  PhysicalAddress: NDIS_PHYSICAL_ADDRESS | null,
  Length: number,
  Context: unknown,
) => void | Promise<void>;

/** One element of a scatter/gather list. */
export interface SCATTER_GATHER_ELEMENT {
  readonly Address: NDIS_PHYSICAL_ADDRESS;
  /** Bytes, u32. */
  readonly Length: number;
}

export interface SCATTER_GATHER_LIST {
  readonly NumberOfElements: number;
  readonly Elements: readonly SCATTER_GATHER_ELEMENT[];
}

/** MINIPORT_PROCESS_SG_LIST. DISPATCH_LEVEL. `pDO` and `Reserved` are to be ignored. */
export type MINIPORT_PROCESS_SG_LIST = (pDO: null, Reserved: null, pSGL: SCATTER_GATHER_LIST, Context: unknown) => void;

/** What NdisMRegisterScatterGatherDma is told, and where it answers. */
export interface NDIS_SG_DMA_DESCRIPTION {
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  /** NDIS_SG_DMA_*. */
  readonly Flags: number;
  /** Most bytes that the NIC moves in one DMA operation. u32; 0 is taken as one element's worth. */
  readonly MaximumPhysicalMapping: number;
  readonly ProcessSGListHandler?: MINIPORT_PROCESS_SG_LIST | null;
  /** NULL when the driver never calls NdisMAllocateSharedMemoryAsyncEx. */
  readonly SharedMemAllocateCompleteHandler?: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE | null;
  /** Out: bytes that the driver should preallocate for each scatter/gather list. Written on success only (choice C9). */
  ScatterGatherListSize?: number;
  /** Revision 2 only. */
  readonly PdoOverride?: unknown;
}

/** A memory descriptor list: one stretch of virtual memory of a NET_BUFFER. Its pages need not be shared memory. */
export interface MDL {
  /** Address of the first byte, in a block, or in a range that the host mapped into the core. */
  readonly MappedSystemVa: VirtualAddress;
  /** Bytes, u32. */
  readonly ByteCount: number;
  readonly Next: MDL | null;
}

/** The part of a NET_BUFFER that scatter/gather lists need. */
export interface NET_BUFFER {
  readonly CurrentMdl: MDL;
  /** Bytes of CurrentMdl before the data. The list covers them too; the driver skips them. */
  readonly CurrentMdlOffset: number;
  readonly DataLength: number;
}

/** The data goes to the device: transmit. */
export const NDIS_SG_LIST_WRITE_TO_DEVICE = 0x1;

/** What a driver preallocates for a list: NDIS fills it where it is large enough, and hands over its own otherwise. */
export interface ScatterGatherListBuffer {
  NumberOfElements: number;
  Elements: readonly SCATTER_GATHER_ELEMENT[];
}

/** Of NdisBuildScatterGatherList (6.20). */
export interface NDIS_SCATTER_GATHER_LIST_PARAMETERS {
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  readonly Flags: number;
  readonly QueueId: number;
  readonly SharedMemoryUsage: NDIS_SHARED_MEMORY_USAGE;
  readonly Mdl: MDL;
  /** Address of the first byte, inside `Mdl`. */
  readonly CurrentVa: VirtualAddress;
  /** Bytes from CurrentVa on, over as many MDLs as it takes. */
  readonly Length: number;
  readonly ProcessSGListHandler: MINIPORT_PROCESS_SG_LIST;
  readonly Context: unknown;
  readonly ScatterGatherListBuffer: ScatterGatherListBuffer | null;
  readonly ScatterGatherListBufferSize: number;
  /** Out, with NDIS_STATUS_BUFFER_TOO_SHORT. */
  ScatterGatherListBufferSizeNeeded?: number;
}

export const NDIS_SCATTER_GATHER_LIST_PARAMETERS_REVISION_1 = 1;
/** x64. */
export const NDIS_SIZEOF_SCATTER_GATHER_LIST_PARAMETERS_REVISION_1 = 72;

/** Usage of a 6.20 block. */
export const NdisSharedMemoryUsageUndefined = 0;
export const NdisSharedMemoryUsageXmit = 1;
export const NdisSharedMemoryUsageXmitHeader = 2;
export const NdisSharedMemoryUsageXmitData = 3;
export const NdisSharedMemoryUsageReceive = 4;
export const NdisSharedMemoryUsageReceiveLookahead = 5;
export const NdisSharedMemoryUsageReceivePostLookahead = 6;
export const NdisSharedMemoryUsageReceiveHeader = 7;
export const NdisSharedMemoryUsageReceiveData = 8;
export const NdisSharedMemoryUsageOther = 9;
export const NdisSharedMemoryUsageMax = 10;
export type NDIS_SHARED_MEMORY_USAGE = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

export const NDIS_SHARED_MEMORY_PARAMETERS_REVISION_1 = 1;
export const NDIS_SHARED_MEMORY_PARAMETERS_REVISION_2 = 2;
/** x64; C `sizeof` is 72. */
export const NDIS_SIZEOF_SHARED_MEMORY_PARAMETERS_REVISION_1 = 64;
export const NDIS_SIZEOF_SHARED_MEMORY_PARAMETERS_REVISION_2 = 68;
/** The block is to be one physical stretch. */
export const NDIS_SHARED_MEM_PARAMETERS_CONTIGUOUS = 0x1;
/** The header's older, misspelt alias. */
export const NDIS_SHARED_MEM_PARAMETERS_CONTIGOUS = 0x1;
/** PreferredNode: no preference. */
export const MM_ANY_NODE_OK = 0x80000000;
/** SharedMemoryHandle of memory that came from the HAL path: NULL. */
export const NDIS_SHARED_MEM_HANDLE_HAL_ALLOCATED: null = null;

/** Of NdisAllocateSharedMemory (6.20). */
export interface NDIS_SHARED_MEMORY_PARAMETERS {
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  readonly Flags: number;
  readonly QueueId: number;
  /** Out: names the block in receive indications; NULL when the memory came from the HAL path. */
  SharedMemoryHandle?: unknown;
  /** NUMA node, or MM_ANY_NODE_OK. */
  readonly PreferredNode: number;
  readonly Usage: NDIS_SHARED_MEMORY_USAGE;
  readonly Length: number;
  /** Out. */
  VirtualAddress?: PVOID;
  /** Bytes that the list may have in C: 16 + 24 for each element on x64 (choice C8). */
  readonly SGListBufferLength: number;
  /** The content is out. */
  readonly SGListBuffer: ScatterGatherListBuffer;
  /** Revision 2. */
  readonly VPortId?: number;
}

/**
 * ALLOCATE_SHARED_MEMORY_HANDLER of a provider. PASSIVE_LEVEL. Fills the out fields of the parameters; returns its handle
 * for the block beside the status (deviation 1).
 */
export type ALLOCATE_SHARED_MEMORY_HANDLER = (
  ProviderContext: unknown,
  SharedMemoryParameters: NDIS_SHARED_MEMORY_PARAMETERS,
) => { readonly Status: NDIS_STATUS; readonly SharedMemoryProviderContext: unknown };

/** FREE_SHARED_MEMORY_HANDLER of a provider. PASSIVE_LEVEL. */
export type FREE_SHARED_MEMORY_HANDLER = (ProviderContext: unknown, SharedMemoryProviderContext: unknown) => void;

export const NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS_REVISION_1 = 1;
export const NDIS_SIZEOF_SHARED_MEMORY_PROVIDER_CHARACTERISTICS_REVISION_1 = 32;
export const NDIS_SHARED_MEMORY_PROVIDER_CHAR_SUPPORTS_PF_VPORTS = 0x1;

/** Registered with NdisSetOptionalHandlers. */
export interface NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS {
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  readonly Flags: number;
  readonly ProviderContext: unknown;
  readonly AllocateSharedMemoryHandler: ALLOCATE_SHARED_MEMORY_HANDLER;
  readonly FreeSharedMemoryHandler: FREE_SHARED_MEMORY_HANDLER;
}

/** Names a stretch of a 6.20 block in a receive indication. */
export interface NET_BUFFER_SHARED_MEMORY {
  readonly NextSharedMemorySegment: NET_BUFFER_SHARED_MEMORY | null;
  readonly SharedMemoryFlags: number;
  readonly SharedMemoryHandle: unknown;
  readonly SharedMemoryOffset: number;
  readonly SharedMemoryLength: number;
}
