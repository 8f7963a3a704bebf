/**
 * The structures of scatter/gather DMA: the DMA description, the completion handler, NET_BUFFERs and lists.
 *
 * Plain objects with the documented field names; byte layouts are in `codec.ts`. A field that C marks `out` is written into
 * the object that the caller passed. The documentation spells the completion handler in two ways
 * (MiniportSharedMemoryAllocateComplete, MiniportAllocateSharedMemoryComplete): both are
 * `MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE`. Sources: `ndis.h`, and the page of each structure and function type.
 */
import type { VirtualAddress } from "../../addresses.js";
import type { NDIS_OBJECT_HEADER } from "./object-header.js";
import type { NDIS_PHYSICAL_ADDRESS, PVOID } from "./physical.js";
import type { NDIS_SHARED_MEMORY_USAGE } from "./shared-memory-usage.js";

/** Revision of NDIS_SG_DMA_DESCRIPTION for NDIS 6.0. */
export const NDIS_SG_DMA_DESCRIPTION_REVISION_1 = 1;
/** Revision of NDIS_SG_DMA_DESCRIPTION with PdoOverride. */
export const NDIS_SG_DMA_DESCRIPTION_REVISION_2 = 2;
/** Bytes on x64 of revision 1: the macro stops at the last field; C `sizeof` is 40. */
export const NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1 = 36;
/** Bytes on x64 of revision 2. */
export const NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_2 = 48;

/** Flags: the NIC can address 64 bits; clear means that no byte of a block may lie at or above 4 GiB. */
export const NDIS_SG_DMA_64_BIT_ADDRESS = 0x1;
/** Flags, from NDIS 6.50: the version 3 DMA interface. */
export const NDIS_SG_DMA_V3_HAL_API = 0x2;
/** Flags, from NDIS 6.85; in the header only. */
export const NDIS_SG_DMA_HYBRID_DMA = 0x4;

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

/** One element of a scatter/gather list: a stretch of memory as the device addresses it. */
export interface SCATTER_GATHER_ELEMENT {
  /** The device's address of the first byte. */
  readonly Address: NDIS_PHYSICAL_ADDRESS;
  /** Bytes, u32. */
  readonly Length: number;
}

/** A scatter/gather list. Valid until it is freed. */
export interface SCATTER_GATHER_LIST {
  /** Length of `Elements`, from 1. */
  readonly NumberOfElements: number;
  /** The stretches, in the order of the data. */
  readonly Elements: readonly SCATTER_GATHER_ELEMENT[];
}

/** MINIPORT_PROCESS_SG_LIST. DISPATCH_LEVEL. `pDO` and `Reserved` are to be ignored. */
export type MINIPORT_PROCESS_SG_LIST = (pDO: null, Reserved: null, pSGL: SCATTER_GATHER_LIST, Context: unknown) => void;

/** What NdisMRegisterScatterGatherDma is told, and where it answers. */
export interface NDIS_SG_DMA_DESCRIPTION {
  /** Type NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION. */
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  /** NDIS_SG_DMA_*, u32. */
  readonly Flags: number;
  /** Most bytes that the NIC moves in one DMA operation. u32; 0 is taken as one element's worth. */
  readonly MaximumPhysicalMapping: number;
  /** NULL when the driver never calls NdisMAllocateNetBufferSGList. */
  readonly ProcessSGListHandler?: MINIPORT_PROCESS_SG_LIST | null;
  /** NULL when the driver never calls NdisMAllocateSharedMemoryAsyncEx. */
  readonly SharedMemAllocateCompleteHandler?: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE | null;
  /** Out: bytes that the driver should preallocate for each scatter/gather list. Written on success only (choice C9). */
  ScatterGatherListSize?: number;
  /** Revision 2 only; not looked at. */
  readonly PdoOverride?: unknown;
}

/** A memory descriptor list: one stretch of virtual memory of a NET_BUFFER. Its pages need not be shared memory. */
export interface MDL {
  /** Address of the first byte, in a block, or in a range that the host mapped into the core. */
  readonly MappedSystemVa: VirtualAddress;
  /** Bytes, u32. */
  readonly ByteCount: number;
  /** The MDL that continues the data; null at the end of the chain. */
  readonly Next: MDL | null;
}

/** The part of a NET_BUFFER that scatter/gather lists need. */
export interface NET_BUFFER {
  /** The MDL in which the data begins. */
  readonly CurrentMdl: MDL;
  /** Bytes of CurrentMdl before the data. The list covers them too; the driver skips them. */
  readonly CurrentMdlOffset: number;
  /** Bytes of data, u32, from 1. */
  readonly DataLength: number;
}

/** Flags of NdisMAllocateNetBufferSGList: the data goes to the device (transmit). */
export const NDIS_SG_LIST_WRITE_TO_DEVICE = 0x1;

/** What a driver preallocates for a list: NDIS fills it where it is large enough, and hands over its own otherwise. */
export interface ScatterGatherListBuffer {
  /** Out: length of `Elements`. */
  NumberOfElements: number;
  /** Out: the stretches. */
  Elements: readonly SCATTER_GATHER_ELEMENT[];
}

/** Of NdisBuildScatterGatherList (6.20). */
export interface NDIS_SCATTER_GATHER_LIST_PARAMETERS {
  /** Type NDIS_OBJECT_TYPE_DEFAULT. */
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  /** u32: reserved for NDIS; not looked at. The direction is told at the free. */
  readonly Flags: number;
  /** u32: queue that the data belongs to. */
  readonly QueueId: number;
  /** What the memory of the data is used for; not looked at. */
  readonly SharedMemoryUsage: NDIS_SHARED_MEMORY_USAGE;
  /** The MDL in which the data begins. */
  readonly Mdl: MDL;
  /** Address of the first byte, inside `Mdl`. */
  readonly CurrentVa: VirtualAddress;
  /** Bytes from CurrentVa on, over as many MDLs as it takes; u32, from 1. */
  readonly Length: number;
  /** Gets the list, inside the call. */
  readonly ProcessSGListHandler: MINIPORT_PROCESS_SG_LIST;
  /** Given to the handler by identity. */
  readonly Context: unknown;
  /** Where the list is made. */
  readonly ScatterGatherListBuffer: ScatterGatherListBuffer | null;
  /** Bytes that the buffer has in C: 16 + 24 for each element on x64 (choice C8). */
  readonly ScatterGatherListBufferSize: number;
  /** Out, with NDIS_STATUS_BUFFER_TOO_SHORT: bytes that are needed. */
  ScatterGatherListBufferSizeNeeded?: number;
}

/** Revision of NDIS_SCATTER_GATHER_LIST_PARAMETERS for NDIS 6.20. */
export const NDIS_SCATTER_GATHER_LIST_PARAMETERS_REVISION_1 = 1;
/** Bytes on x64 of revision 1 of NDIS_SCATTER_GATHER_LIST_PARAMETERS. */
export const NDIS_SIZEOF_SCATTER_GATHER_LIST_PARAMETERS_REVISION_1 = 72;
