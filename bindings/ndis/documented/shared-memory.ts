/**
 * The structures of the NDIS 6.20 pair: what NdisAllocateSharedMemory is told and answers, and providers of such memory.
 *
 * Plain objects with the documented field names; byte layouts are in `codec.ts`. Sources: `ndis.h`, and the page of each
 * structure and function type.
 */
import type { NDIS_OBJECT_HEADER } from "./object-header.js";
import type { PVOID } from "./physical.js";
import type { ScatterGatherListBuffer } from "./scatter-gather.js";
import type { NDIS_SHARED_MEMORY_USAGE } from "./shared-memory-usage.js";
import type { NDIS_STATUS } from "./status.js";

/** Revision of NDIS_SHARED_MEMORY_PARAMETERS for NDIS 6.20. */
export const NDIS_SHARED_MEMORY_PARAMETERS_REVISION_1 = 1;
/** Revision of NDIS_SHARED_MEMORY_PARAMETERS with VPortId, from NDIS 6.30 on. */
export const NDIS_SHARED_MEMORY_PARAMETERS_REVISION_2 = 2;
/** Bytes on x64 of revision 1 of NDIS_SHARED_MEMORY_PARAMETERS; C `sizeof` is 72. */
export const NDIS_SIZEOF_SHARED_MEMORY_PARAMETERS_REVISION_1 = 64;
/** Bytes on x64 of revision 2 of NDIS_SHARED_MEMORY_PARAMETERS. */
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
  /** Type NDIS_OBJECT_TYPE_DEFAULT. */
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  /** u32: NDIS_SHARED_MEM_PARAMETERS_*. */
  readonly Flags: number;
  /** u32: receive queue that the block is for; not looked at. */
  readonly QueueId: number;
  /** Out: names the block in receive indications; NULL when the memory came from the HAL path. */
  SharedMemoryHandle?: unknown;
  /** NUMA node, or MM_ANY_NODE_OK. */
  readonly PreferredNode: number;
  /** What the block is used for. */
  readonly Usage: NDIS_SHARED_MEMORY_USAGE;
  /** Bytes, 1 to 2^32 - 1. */
  readonly Length: number;
  /** Out: start of the block. */
  VirtualAddress?: PVOID;
  /** Bytes that the list may have in C: 16 + 24 for each element on x64 (choice C8). */
  readonly SGListBufferLength: number;
  /** The content is out. */
  readonly SGListBuffer: ScatterGatherListBuffer;
  /** Revision 2: virtual port; not looked at. */
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

/** Revision of NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS for NDIS 6.20. */
export const NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS_REVISION_1 = 1;
/** Bytes on x64 of NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS. */
export const NDIS_SIZEOF_SHARED_MEMORY_PROVIDER_CHARACTERISTICS_REVISION_1 = 32;
/** Flags of a provider: it knows the virtual ports of a physical function. */
export const NDIS_SHARED_MEMORY_PROVIDER_CHAR_SUPPORTS_PF_VPORTS = 0x1;

/** Registered with NdisSetOptionalHandlers. */
export interface NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS {
  /** Type NDIS_OBJECT_TYPE_SHARED_MEMORY_PROVIDER_CHARACTERISTICS. */
  readonly Header: Readonly<NDIS_OBJECT_HEADER>;
  /** u32: NDIS_SHARED_MEMORY_PROVIDER_CHAR_*. */
  readonly Flags: number;
  /** Given to both handlers by identity. */
  readonly ProviderContext: unknown;
  /** Gives memory. */
  readonly AllocateSharedMemoryHandler: ALLOCATE_SHARED_MEMORY_HANDLER;
  /** Takes it back. */
  readonly FreeSharedMemoryHandler: FREE_SHARED_MEMORY_HANDLER;
}

/** Names a stretch of a 6.20 block in a receive indication. */
export interface NET_BUFFER_SHARED_MEMORY {
  /** The next stretch of the same NET_BUFFER; null at the end. */
  readonly NextSharedMemorySegment: NET_BUFFER_SHARED_MEMORY | null;
  /** u32; 0. */
  readonly SharedMemoryFlags: number;
  /** SharedMemoryHandle of the parameters that the block was allocated with. */
  readonly SharedMemoryHandle: unknown;
  /** Bytes from the start of the block, u32. */
  readonly SharedMemoryOffset: number;
  /** Bytes of the stretch, u32. */
  readonly SharedMemoryLength: number;
}
