/**
 * The NDIS 6.20 pair, NdisAllocateSharedMemory and NdisFreeSharedMemory. Only the record so far.
 */
import type { AdapterRecord } from "./adapter.js";

/** What NDIS keeps of one allocation of the 6.20 pair. */
export interface ProviderAllocation {
  readonly adapter: AdapterRecord;
}
