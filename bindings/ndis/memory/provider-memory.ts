/**
 * Blocks of the NDIS 6.20 pair on their way back: to the provider that gave them, or to the core.
 */
import { hex, type VirtualAddress } from "../../addresses.js";
import type { CoreApi } from "../../core/api.js";
import type { AdapterRecord } from "../records/adapter.js";
import type { ProviderAllocation } from "../records/allocation.js";
import type { LogicalMap } from "../records/host.js";
import type { Reporter } from "../records/reporter.js";
import type { Blocks } from "./blocks.js";

/** What the free needs of the machine. */
export interface ProviderMemoryParts {
  readonly core: CoreApi;
  readonly blocks: Blocks;
  readonly iommu: LogicalMap | null;
  readonly reporter: Reporter;
}

/** Free an allocation: for NdisFreeSharedMemory, and for NDIS when it takes everything back. */
export function freeAllocation(
  parts: ProviderMemoryParts,
  adapter: AdapterRecord,
  record: ProviderAllocation,
  call: string,
): void {
  const { blocks, core, iommu, reporter } = parts;
  record.freed = true;
  adapter.allocations.delete(record);
  if (record.provider !== null) {
    record.provider.FreeSharedMemoryHandler(record.provider.ProviderContext, record.providerHandle);
  } else {
    core.free(record.virtual as VirtualAddress);
    for (const logical of record.mapped) iommu?.unmap(logical);
    blocks.released(adapter, record.virtual, record.lengthBytes, call);
  }
  if (reporter.log !== null) reporter.note(adapter, `${call} ${record.lengthBytes} ${hex(record.virtual)}`);
}
