/**
 * Scatter/gather lists: how one is gathered from a chain of MDLs, handed to the driver, and freed.
 *
 *     MDL chain --gather--> physical stretches --makeList--> list, mapped for the device --handList--> the driver's handler
 *
 * The two pairs of routines share this; each frees only what it made.
 */
import { hex, isAddress, type VirtualAddress } from "../../addresses.js";
import type { PhysicalRun } from "../../core/api.js";
import { ShmemError } from "../../errors.js";
import { describeValue } from "../../values.js";
import { listBytes } from "../documented/codec.js";
import { DISPATCH_LEVEL, type KIRQL } from "../documented/irql.js";
import type { NDIS_PHYSICAL_ADDRESS } from "../documented/physical.js";
import type {
  MDL,
  MINIPORT_PROCESS_SG_LIST,
  SCATTER_GATHER_ELEMENT,
  SCATTER_GATHER_LIST,
  ScatterGatherListBuffer,
} from "../documented/scatter-gather.js";
import type { AdapterRecord } from "../records/adapter.js";
import type { DmaRecord, ListRecord } from "../records/dma.js";
import * as bugChecks from "../verifier/bug-checks.js";
import { isPromise } from "../verifier/callbacks.js";
import { isUnsigned32, writeOut } from "../verifier/checks.js";
import { environmentOf } from "./environment.js";

const PROCESS = "MINIPORT_PROCESS_SG_LIST";

/** The physical stretches of `lengthBytes` from `offset` in a chain of MDLs; null where the device cannot reach them, or after the violation. */
export function gather(
  adapter: AdapterRecord,
  dma: DmaRecord,
  first: MDL,
  offset: number,
  lengthBytes: number,
  call: string,
): PhysicalRun[] | null {
  const { core } = environmentOf(adapter.machine);
  const found: { physical: PhysicalRun["physical"]; lengthBytes: number }[] = [];
  const seen = new Set<MDL>();
  let left = lengthBytes;
  let skip = offset;
  let next: MDL | null = first;
  while (left > 0) {
    const mdl: MDL | null = next ?? null;
    const done = lengthBytes - left;
    if (mdl === null) return refuseChain(adapter, call, `ends after ${done} bytes, before the data does`, undefined);
    const { MappedSystemVa: start, ByteCount: bytes }: MDL = mdl;
    const following: MDL | null = mdl.Next;
    if (seen.has(mdl)) return refuseChain(adapter, call, `comes back to an MDL of its own after ${done} bytes`, start);
    seen.add(mdl);
    if (!isAddress(start) || !isUnsigned32(bytes)) {
      return refuseChain(
        adapter,
        call,
        `has an MDL of ${describeValue(bytes)} bytes at ${describeValue(start)}`,
        start,
      );
    }
    const take = Math.min(left, bytes - skip);
    if (take > 0) {
      try {
        for (const run of core.runs((start + skip) as VirtualAddress, take)) {
          const last = found[found.length - 1];
          if (last !== undefined && last.physical + last.lengthBytes === run.physical)
            last.lengthBytes += run.lengthBytes;
          else found.push({ physical: run.physical, lengthBytes: run.lengthBytes });
        }
      } catch (error) {
        if (!(error instanceof ShmemError)) throw error;
        return refuseChain(adapter, call, `covers memory that is mapped nowhere, at ${hex(start)}`, start);
      }
      left -= take;
    }
    skip = Math.max(0, skip - bytes);
    next = following;
  }
  const reach = dma.addresses64 ? Number.POSITIVE_INFINITY : 2 ** 32;
  return found.every((one) => one.physical + one.lengthBytes <= reach) ? found : null;
}

function refuseChain(adapter: AdapterRecord, call: string, what: string, address: unknown): null {
  adapter.machine.reporter.violate(adapter, {
    rule: "DataIsMapped",
    code: "TRANSLATION_FAULT",
    call,
    message: `the chain of MDLs ${what}`,
    value: address,
    unit: "address",
    ...(isAddress(address) ? { address } : {}),
  });
  return null;
}

/** Where a list is made, and for whom. */
export interface ListRequest {
  readonly pair: ListRecord["pair"];
  readonly netBuffer: ListRecord["netBuffer"];
  /** The device reads, writes, or may do both. */
  readonly direction: "read" | "write" | "both";
  readonly buffer: ScatterGatherListBuffer | null;
  /** Bytes of the buffer in C (choice C8). */
  readonly bufferSize: number;
}

/** Make a list of stretches, in the driver's buffer where that is large enough. Null after the violation where it cannot be written. */
export function makeList(
  adapter: AdapterRecord,
  dma: DmaRecord,
  stretches: readonly PhysicalRun[],
  request: ListRequest,
  call: string,
): SCATTER_GATHER_LIST | null {
  const { choices, iommu, reporter } = environmentOf(adapter.machine);
  const { buffer, bufferSize, direction, netBuffer, pair } = request;
  const fits =
    buffer !== null && bufferSize >= listBytes(stretches.length, choices.sgListLayout) && !dma.lists.has(buffer);
  const list: ScatterGatherListBuffer = fits ? buffer : { NumberOfElements: 0, Elements: [] };
  // The count is written first: a buffer that does not take it leaves nothing mapped.
  if (!writeOut(reporter, adapter, call, list, "NumberOfElements", stretches.length)) return null;
  const elements: SCATTER_GATHER_ELEMENT[] = stretches.map((one) => ({
    Address: (iommu === null
      ? one.physical
      : iommu.map(adapter.number, one.physical, one.lengthBytes, direction)) as number as NDIS_PHYSICAL_ADDRESS,
    Length: one.lengthBytes,
  }));
  const mapped = iommu === null ? [] : elements.map((element) => element.Address);
  if (!writeOut(reporter, adapter, call, list, "Elements", elements)) {
    for (const logical of mapped) iommu?.unmap(logical);
    return null;
  }
  dma.lists.set(list, { pair, netBuffer, mapped, stretches });
  dma.listsBuilt++;
  return list;
}

/** The record of a list that the driver gives back through `pair`; null after the violation. */
export function listOf(
  adapter: AdapterRecord,
  dma: DmaRecord | null,
  list: SCATTER_GATHER_LIST,
  pair: ListRecord["pair"],
  call: string,
): ListRecord | null {
  const { reporter } = adapter.machine;
  const record = dma?.lists.get(list);
  if (record === undefined) {
    reporter.violate(adapter, {
      rule: "FreeOfLiveList",
      code: "ALREADY_FREED",
      call,
      message: "the scatter/gather list has been freed already, or was never made here",
      bugCheck: bugChecks.listFreedTooOften(dma?.listsBuilt ?? 0, (dma?.listsFreed ?? 0) + 1),
    });
    return null;
  }
  if (record.pair === pair) return record;
  const [maker, freer] =
    record.pair === "NetBuffer"
      ? ["NdisMAllocateNetBufferSGList", "NdisMFreeNetBufferSGList"]
      : ["NdisBuildScatterGatherList", "NdisFreeScatterGatherList"];
  reporter.violate(adapter, {
    rule: "FreeByTheCallOfTheAllocation",
    code: "WRONG_HANDLE",
    call,
    message: `the list was made by ${maker} and goes back through ${freer}`,
    basis: "documented",
  });
  return null;
}

/** The list is the driver's no more. */
export function freeList(
  adapter: AdapterRecord,
  dma: DmaRecord,
  list: SCATTER_GATHER_LIST,
  record: ListRecord,
  call: string,
): void {
  const { iommu, reporter } = environmentOf(adapter.machine);
  dma.lists.delete(list);
  dma.listsFreed++;
  for (const logical of record.mapped) iommu?.unmap(logical);
  if (reporter.log !== null) reporter.note(adapter, call);
}

/**
 * Hand a list to the driver's handler, at DISPATCH_LEVEL; what it throws is contained (choice C24). A handler that returns
 * a promise has suspended itself where nothing may wait (choice C3); the promise is followed, so that its end is heard.
 */
export function handList(
  adapter: AdapterRecord,
  handler: MINIPORT_PROCESS_SG_LIST,
  list: SCATTER_GATHER_LIST,
  context: unknown,
): void {
  const { callbacks, reporter, threads } = environmentOf(adapter.machine);
  reporter.step++;
  if (reporter.log !== null) reporter.note(adapter, `${PROCESS} ${list.NumberOfElements}`);
  let levelAfter: KIRQL = DISPATCH_LEVEL;
  let value: unknown;
  callbacks.enter(PROCESS, adapter, DISPATCH_LEVEL);
  try {
    value = handler(null, null, list, context);
  } catch (error) {
    reporter.contain(adapter, PROCESS, error);
  } finally {
    levelAfter = callbacks.leave();
  }
  const suspended = isPromise(value);
  if (suspended) {
    threads.adopt(adapter, PROCESS, value as PromiseLike<unknown>, (error, failed) => {
      if (failed) reporter.contain(adapter, PROCESS, error);
    });
  }
  callbacks.checkLevel(adapter, PROCESS, DISPATCH_LEVEL, levelAfter, suspended);
}
