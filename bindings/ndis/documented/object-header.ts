/**
 * The object header: four bytes at the head of every NDIS structure, and the types that it can name.
 *
 * Source: `ndis/objectheader.h` of the published headers, and the page of NDIS_OBJECT_HEADER.
 */

/** Four bytes at the head of every NDIS structure. */
export interface NDIS_OBJECT_HEADER {
  /** u8: which structure, an NDIS_OBJECT_TYPE_* value. */
  Type: number;
  /** u8: revision of the structure, from 1. */
  Revision: number;
  /** u16: bytes of the structure as the caller was compiled. */
  Size: number;
}

/** Structures that have no type of their own, and those of parameters. */
export const NDIS_OBJECT_TYPE_DEFAULT = 0x80;
/** NDIS_MINIPORT_INIT_PARAMETERS. */
export const NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS = 0x81;
/** NDIS_SG_DMA_DESCRIPTION. */
export const NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION = 0x83;
/** NDIS_MINIPORT_DRIVER_CHARACTERISTICS. */
export const NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS = 0x8a;
/** NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES. */
export const NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES = 0x9e;
/** NDIS_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES. */
export const NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES = 0x9f;
/** NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS. */
export const NDIS_OBJECT_TYPE_SHARED_MEMORY_PROVIDER_CHARACTERISTICS = 0xb0;
