/**
 * Allocations of the NDIS 6.20 pair: NDIS knows such a block by its handle, not by its address.
 *
 * The record does not name its adapter: it is a member of the adapter's `allocations` as long as it lives.
 */
import type { NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS } from "../documented/shared-memory.js";

/** What NDIS keeps of one allocation of the pair. */
export class ProviderAllocation {
  readonly lengthBytes: number;
  /** Start of the block in the core; 0 where a provider gave the memory. */
  readonly virtual: number;
  readonly provider: NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS | null;
  /** What the provider named it by. */
  readonly providerHandle: unknown;
  /** Logical addresses to unmap at the free. */
  readonly mapped: readonly number[];
  /** Number of the adapter that has it. */
  readonly adapterNumber: number;
  freed = false;

  constructor(
    adapterNumber: number,
    lengthBytes: number,
    virtual: number,
    provider: NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS | null,
    providerHandle: unknown,
    mapped: readonly number[],
  ) {
    this.adapterNumber = adapterNumber;
    this.lengthBytes = lengthBytes;
    this.virtual = virtual;
    this.provider = provider;
    this.providerHandle = providerHandle;
    this.mapped = mapped;
  }
}
