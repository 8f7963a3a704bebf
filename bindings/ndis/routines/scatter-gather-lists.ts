/**
 * Scatter/gather lists: NdisMAllocateNetBufferSGList and its free, and the 6.20 NdisBuildScatterGatherList pair.
 *
 * A list names the physical stretches behind a NET_BUFFER's data, from the start of CurrentMdl on; the driver skips
 * CurrentMdlOffset itself. The driver's own buffer is used where it is large enough, and is the driver's again after the
 * free. Lists belong to the DMA registration, which cannot go while one of them lives (choice C10).
 *
 * Data that lies above what the device can address would be double-buffered by Windows' HAL; here it is RESOURCES.
 */
import { hex, isAddress, type VirtualAddress } from "../../addresses.js";
import { ShmemError } from "../../errors.js";
import { describeValue } from "../../values.js";
import { environmentOf } from "../dispatch/environment.js";
import { listBytes } from "../documented/codec.js";
import type { AdapterHandle, DmaHandle } from "../documented/handles.js";
import { DISPATCH_LEVEL } from "../documented/irql.js";
import { NDIS_OBJECT_TYPE_DEFAULT } from "../documented/object-header.js";
import type { NDIS_PHYSICAL_ADDRESS } from "../documented/physical.js";
import {
  type MDL,
  type MINIPORT_PROCESS_SG_LIST,
  type NDIS_SCATTER_GATHER_LIST_PARAMETERS,
  NDIS_SG_LIST_WRITE_TO_DEVICE,
  NDIS_SIZEOF_SCATTER_GATHER_LIST_PARAMETERS_REVISION_1,
  type NET_BUFFER,
  type SCATTER_GATHER_ELEMENT,
  type SCATTER_GATHER_LIST,
  type ScatterGatherListBuffer,
} from "../documented/scatter-gather.js";
import {
  type NDIS_STATUS,
  NDIS_STATUS_BUFFER_TOO_SHORT,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_INVALID_PARAMETER,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  statusName,
} from "../documented/status.js";
import type { AdapterRecord } from "../records/adapter.js";
import type { DmaRecord, ListRecord } from "../records/dma.js";
import * as bugChecks from "../verifier/bug-checks.js";
import { adapterOf, dmaOf, headerIsKnown, requireDispatch } from "../verifier/checks.js";

const PROCESS = "MINIPORT_PROCESS_SG_LIST";

/**
 * Have a list made for a NET_BUFFER. DISPATCH_LEVEL exactly, after the DMA registration.
 *
 * SUCCESS: ProcessSGListHandler gets the list, inside the call or later (choice C30). RESOURCES: it will not (injected,
 * or data above what the device can address). A `ScatterGatherListBuffer` that is too small is no error.
 * Violations: WRONG_IRQL (0xE6/13), NOT_REGISTERED (no ProcessSGListHandler), INVALID_ARGUMENT (a NET_BUFFER that is
 * none, or no data: 0xE6/21), TRANSLATION_FAULT (pages that are mapped nowhere), and those of every handle.
 */
export function NdisMAllocateNetBufferSGList(
  NdisMiniportDmaHandle: DmaHandle,
  NetBuffer: NET_BUFFER,
  Context: unknown,
  Flags: number,
  ScatterGatherListBuffer: ScatterGatherListBuffer | null = null,
  ScatterGatherListBufferSize = 0,
): NDIS_STATUS {
  const call = "NdisMAllocateNetBufferSGList";
  const registered = dmaOf(NdisMiniportDmaHandle, call);
  if (registered === null) return NDIS_STATUS_RESOURCES;
  const { adapter, dma } = registered;
  const environment = environmentOf(adapter.machine);
  const { reporter } = environment;
  if (!requireDispatch(reporter, adapter, call)) return NDIS_STATUS_RESOURCES;
  const handler = dma.processHandler;
  if (handler === null) {
    reporter.violate(adapter, {
      rule: "HandlerIsRegistered",
      code: "NOT_REGISTERED",
      call,
      message: "no ProcessSGListHandler was registered: nobody could be given the list",
    });
    return NDIS_STATUS_RESOURCES;
  }
  if (!isNetBuffer(adapter, NetBuffer, call)) return NDIS_STATUS_RESOURCES;
  const lengthBytes = NetBuffer.CurrentMdlOffset + NetBuffer.DataLength;
  if (environment.faults?.strikes("list", adapter.number, lengthBytes) === true)
    return logged(adapter, call, NDIS_STATUS_RESOURCES);
  const elements = gather(adapter, dma, NetBuffer.CurrentMdl, 0, lengthBytes, call);
  if (elements === null) return logged(adapter, call, NDIS_STATUS_RESOURCES);
  const toDevice = (Flags & NDIS_SG_LIST_WRITE_TO_DEVICE) !== 0;
  const list = makeList(
    adapter,
    dma,
    NetBuffer,
    elements,
    toDevice,
    ScatterGatherListBuffer,
    ScatterGatherListBufferSize,
  );
  logged(adapter, `${call} ${lengthBytes} bytes in ${elements.length}`, NDIS_STATUS_SUCCESS);
  if (environment.choices.sgCallback === "inCall") callProcess(adapter, handler, list, Context);
  else {
    environment.scheduler.later("dispatch", () => {
      if (!dma.released && adapter.state !== 0) callProcess(adapter, handler, list, Context);
    });
  }
  return NDIS_STATUS_SUCCESS;
}

/**
 * Give a list back. DISPATCH_LEVEL exactly; when the device is done with the data, and before the driver reads what it
 * received. Violations, which leave the list: WRONG_IRQL, ALREADY_FREED (0xE6/06: the list is none of this handle's),
 * LENGTH_MISMATCH never; WRONG_OWNER (made for another NET_BUFFER), and those of every handle.
 */
export function NdisMFreeNetBufferSGList(
  NdisMiniportDmaHandle: DmaHandle,
  pSGL: SCATTER_GATHER_LIST,
  NetBuffer: NET_BUFFER,
): void {
  const call = "NdisMFreeNetBufferSGList";
  const registered = dmaOf(NdisMiniportDmaHandle, call);
  if (registered === null) return;
  const { adapter, dma } = registered;
  const { reporter } = adapter.machine;
  if (!requireDispatch(reporter, adapter, call)) return;
  const record = listOf(adapter, dma, pSGL, call);
  if (record === null) return;
  if (record.netBuffer !== NetBuffer) {
    adapter.machine.reporter.violate(adapter, {
      rule: "ListMatchesBuffer",
      code: "WRONG_OWNER",
      call,
      message: "the list was made for another NET_BUFFER",
      field: "NetBuffer",
      value: NetBuffer,
    });
    return;
  }
  freeList(adapter, dma, pSGL, record, call);
}

/**
 * Have a list made in the caller's buffer (6.20). DISPATCH_LEVEL. ProcessSGListHandler runs inside the call.
 *
 * SUCCESS; BUFFER_TOO_SHORT with ScatterGatherListBufferSizeNeeded written and nothing made (misuse D07);
 * INVALID_PARAMETER for a header that is none; RESOURCES. Violations as NdisMAllocateNetBufferSGList.
 */
export function NdisBuildScatterGatherList(
  NdisHandle: AdapterHandle,
  SGListParameters: NDIS_SCATTER_GATHER_LIST_PARAMETERS,
): NDIS_STATUS {
  const call = "NdisBuildScatterGatherList";
  const adapter = adapterOf(NdisHandle, call);
  if (adapter === null) return NDIS_STATUS_FAILURE;
  const environment = environmentOf(adapter.machine);
  const { reporter } = environment;
  if (!requireDispatch(reporter, adapter, call)) return NDIS_STATUS_FAILURE;
  const { dma } = adapter;
  if (dma === null || dma.subordinate) {
    reporter.violate(adapter, {
      rule: dma === null ? "RegisterBeforeUse" : "BusMasterOnly",
      code: "NOT_REGISTERED",
      call,
      message:
        dma === null
          ? "NdisMRegisterScatterGatherDma comes first"
          : "a device with a DMA channel gathers nothing itself",
      basis: dma === null ? "documented" : "choice",
    });
    return NDIS_STATUS_FAILURE;
  }
  const given = SGListParameters;
  const sizes = [NDIS_SIZEOF_SCATTER_GATHER_LIST_PARAMETERS_REVISION_1];
  if (given?.Header?.Type !== NDIS_OBJECT_TYPE_DEFAULT || !headerIsKnown(reporter, given.Header, sizes)) {
    return logged(adapter, call, NDIS_STATUS_INVALID_PARAMETER);
  }
  const offset = given.CurrentVa - given.Mdl?.MappedSystemVa;
  if (typeof given.ProcessSGListHandler !== "function" || !(offset >= 0) || !(offset < given.Mdl.ByteCount)) {
    return logged(adapter, call, NDIS_STATUS_INVALID_PARAMETER);
  }
  if (!isDataLength(adapter, given.Length, call)) return NDIS_STATUS_FAILURE;
  if (environment.faults?.strikes("list", adapter.number, given.Length) === true)
    return logged(adapter, call, NDIS_STATUS_RESOURCES);
  const elements = gather(adapter, dma, given.Mdl, offset, given.Length, call);
  if (elements === null) return logged(adapter, call, NDIS_STATUS_RESOURCES);
  const needed = listBytes(elements.length, environment.choices.sgListLayout);
  if (given.ScatterGatherListBuffer === null || given.ScatterGatherListBufferSize < needed) {
    given.ScatterGatherListBufferSizeNeeded = needed;
    return logged(adapter, call, NDIS_STATUS_BUFFER_TOO_SHORT);
  }
  const toDevice = (given.Flags & NDIS_SG_LIST_WRITE_TO_DEVICE) !== 0;
  const list = makeList(
    adapter,
    dma,
    null,
    elements,
    toDevice,
    given.ScatterGatherListBuffer,
    given.ScatterGatherListBufferSize,
  );
  logged(adapter, `${call} ${given.Length} bytes in ${elements.length}`, NDIS_STATUS_SUCCESS);
  callProcess(adapter, given.ProcessSGListHandler, list, given.Context);
  return NDIS_STATUS_SUCCESS;
}

/** Give a list of NdisBuildScatterGatherList back. DISPATCH_LEVEL. Violations as NdisMFreeNetBufferSGList. */
export function NdisFreeScatterGatherList(
  NdisHandle: AdapterHandle,
  ScatterGatherListBuffer: SCATTER_GATHER_LIST,
  _WriteToDevice: boolean,
): void {
  const call = "NdisFreeScatterGatherList";
  const adapter = adapterOf(NdisHandle, call);
  if (adapter === null) return;
  if (!requireDispatch(adapter.machine.reporter, adapter, call)) return;
  const { dma } = adapter;
  const record = listOf(adapter, dma, ScatterGatherListBuffer, call);
  if (dma !== null && record !== null) freeList(adapter, dma, ScatterGatherListBuffer, record, call);
}

function logged(adapter: AdapterRecord, text: string, status: NDIS_STATUS): NDIS_STATUS {
  const { reporter } = adapter.machine;
  if (reporter.log !== null) reporter.note(adapter, `${text} -> ${statusName(status)}`);
  return status;
}

function isNetBuffer(adapter: AdapterRecord, buffer: NET_BUFFER, call: string): boolean {
  const offset = buffer?.CurrentMdlOffset;
  const known =
    typeof buffer === "object" &&
    buffer !== null &&
    typeof buffer.CurrentMdl === "object" &&
    buffer.CurrentMdl !== null &&
    Number.isInteger(offset) &&
    offset >= 0 &&
    offset <= buffer.CurrentMdl.ByteCount;
  if (known) return isDataLength(adapter, buffer.DataLength, call);
  adapter.machine.reporter.violate(adapter, {
    rule: "ArgumentsAreValid",
    code: "INVALID_ARGUMENT",
    call,
    message: "NetBuffer is no NET_BUFFER, or its CurrentMdlOffset lies outside CurrentMdl",
    field: "NetBuffer",
    value: buffer,
  });
  return false;
}

function isDataLength(adapter: AdapterRecord, length: unknown, call: string): boolean {
  if (typeof length === "number" && Number.isInteger(length) && length > 0 && length <= 0xffffffff) return true;
  adapter.machine.reporter.violate(adapter, {
    rule: "LengthIsPositive",
    code: "INVALID_ARGUMENT",
    call,
    message: `the data must have 1 to 2^32 - 1 bytes, got ${describeValue(length)}`,
    field: "DataLength",
    value: length,
    unit: "bytes",
    ...(length === 0 ? { bugCheck: bugChecks.zeroLength() } : {}),
  });
  return false;
}

/** The physical stretches of `lengthBytes` from `offset` in a chain of MDLs; null where the device cannot reach them. */
function gather(
  adapter: AdapterRecord,
  dma: DmaRecord,
  first: MDL,
  offset: number,
  lengthBytes: number,
  call: string,
): { physical: number; lengthBytes: number }[] | null {
  const { core } = environmentOf(adapter.machine);
  const found: { physical: number; lengthBytes: number }[] = [];
  let left = lengthBytes;
  let skip = offset;
  for (let mdl: MDL | null = first; left > 0; mdl = mdl.Next) {
    if (mdl === null || !isAddress(mdl.MappedSystemVa)) return refuseChain(adapter, call, lengthBytes - left, mdl);
    const take = Math.min(left, mdl.ByteCount - skip);
    if (take > 0) {
      try {
        for (const run of core.runs((mdl.MappedSystemVa + skip) as VirtualAddress, take)) {
          const last = found[found.length - 1];
          if (last !== undefined && last.physical + last.lengthBytes === run.physical)
            last.lengthBytes += run.lengthBytes;
          else found.push({ physical: run.physical, lengthBytes: run.lengthBytes });
        }
      } catch (error) {
        if (!(error instanceof ShmemError)) throw error;
        return refuseChain(adapter, call, lengthBytes - left, mdl);
      }
      left -= take;
    }
    skip = 0;
  }
  const reach = dma.addresses64 ? Number.POSITIVE_INFINITY : 2 ** 32;
  return found.every((one) => one.physical + one.lengthBytes <= reach) ? found : null;
}

function refuseChain(adapter: AdapterRecord, call: string, at: number, mdl: MDL | null): null {
  const address = mdl?.MappedSystemVa;
  adapter.machine.reporter.violate(adapter, {
    rule: "DataIsMapped",
    code: "TRANSLATION_FAULT",
    call,
    message:
      mdl === null
        ? `the chain of MDLs ends after ${at} bytes, before the data does`
        : `the MDL at ${isAddress(address) ? hex(address) : describeValue(address)} covers memory that is mapped nowhere`,
    value: address,
    unit: "address",
    ...(isAddress(address) ? { address } : {}),
  });
  return null;
}

function makeList(
  adapter: AdapterRecord,
  dma: DmaRecord,
  netBuffer: NET_BUFFER | null,
  stretches: readonly { physical: number; lengthBytes: number }[],
  toDevice: boolean,
  buffer: ScatterGatherListBuffer | null,
  bufferSize: number,
): SCATTER_GATHER_LIST {
  const { choices, iommu } = environmentOf(adapter.machine);
  const direction = toDevice ? "read" : "write";
  const elements: SCATTER_GATHER_ELEMENT[] = stretches.map((one) => ({
    Address: (iommu === null
      ? one.physical
      : iommu.map(adapter.number, one.physical, one.lengthBytes, direction)) as NDIS_PHYSICAL_ADDRESS,
    Length: one.lengthBytes,
  }));
  const fits =
    buffer !== null && bufferSize >= listBytes(elements.length, choices.sgListLayout) && !dma.lists.has(buffer);
  const list: ScatterGatherListBuffer = fits ? buffer : { NumberOfElements: 0, Elements: [] };
  list.NumberOfElements = elements.length;
  list.Elements = elements;
  const mapped = iommu === null ? [] : elements.map((element) => element.Address);
  dma.lists.set(list, { netBuffer, mapped });
  dma.listsBuilt++;
  return list;
}

function listOf(
  adapter: AdapterRecord,
  dma: DmaRecord | null,
  list: SCATTER_GATHER_LIST,
  call: string,
): ListRecord | null {
  const record = dma?.lists.get(list);
  if (record !== undefined) return record;
  adapter.machine.reporter.violate(adapter, {
    rule: "FreeOfLiveList",
    code: "ALREADY_FREED",
    call,
    message: "the scatter/gather list has been freed already, or was never made here",
    bugCheck: bugChecks.listFreedTooOften(dma?.listsBuilt ?? 0, (dma?.listsFreed ?? 0) + 1),
  });
  return null;
}

function freeList(
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

/** The driver's handler, at DISPATCH_LEVEL; what it throws is contained (choice C24). */
function callProcess(
  adapter: AdapterRecord,
  handler: MINIPORT_PROCESS_SG_LIST,
  list: SCATTER_GATHER_LIST,
  context: unknown,
): void {
  const { callbacks, reporter } = environmentOf(adapter.machine);
  reporter.step++;
  if (reporter.log !== null) reporter.note(adapter, `${PROCESS} ${list.NumberOfElements}`);
  let levelAfter = DISPATCH_LEVEL;
  callbacks.enter(PROCESS, adapter, DISPATCH_LEVEL);
  try {
    handler(null, null, list, context);
  } catch (error) {
    reporter.contain(adapter, PROCESS, error);
  } finally {
    levelAfter = callbacks.leave();
  }
  callbacks.checkLevel(adapter, PROCESS, DISPATCH_LEVEL, levelAfter);
}
