/**
 * Blocks of the NDIS 6.20 pair on their way back: to the provider that gave them, or to the core.
 */
import { hex, type VirtualAddress } from "../../addresses.js";
import type { CoreApi } from "../../core/api.js";
import type { AdapterRecord } from "../records/adapter.js";
import type { ProviderAllocation } from "../records/allocation.js";
import type { LogicalMap } from "../records/host.js";
import type { Reporter } from "../records/reporter.js";
import { isPromise } from "../verifier/callbacks.js";
import type { Blocks } from "./blocks.js";

/** What the free needs of the machine. */
export interface ProviderMemoryParts {
  readonly core: CoreApi;
  readonly blocks: Blocks;
  readonly iommu: LogicalMap | null;
  readonly reporter: Reporter;
}

/** Call a handler of a provider; what it throws is contained (choice C24). A promise is no answer: providers may not wait. */
export function callProvider(
  adapter: AdapterRecord,
  call: string,
  handler: () => unknown,
): { readonly value: unknown; readonly failed: boolean } {
  const { reporter } = adapter.machine;
  try {
    const value = handler();
    if (isPromise(value)) Promise.resolve(value).then(undefined, (error) => reporter.contain(adapter, call, error));
    return { value, failed: false };
  } catch (error) {
    reporter.contain(adapter, call, error);
    return { value: undefined, failed: true };
  }
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
    const { provider, providerHandle } = record;
    callProvider(adapter, "FREE_SHARED_MEMORY_HANDLER", () =>
      provider.FreeSharedMemoryHandler(provider.ProviderContext, providerHandle),
    );
  } else {
    core.free(record.virtual as VirtualAddress);
    for (const logical of record.mapped) iommu?.unmap(logical);
    blocks.released(adapter, record.virtual, record.lengthBytes, call);
  }
  if (reporter.log !== null) reporter.note(adapter, `${call} ${record.lengthBytes} ${hex(record.virtual)}`);
}
