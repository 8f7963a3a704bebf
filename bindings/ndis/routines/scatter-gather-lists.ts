/**
 * Scatter/gather lists: NdisMAllocateNetBufferSGList and its free, and the 6.20 NdisBuildScatterGatherList pair.
 *
 * A list names the physical stretches behind a NET_BUFFER's data, from the start of CurrentMdl on; the driver skips
 * CurrentMdlOffset itself. The driver's own buffer is used where it is large enough, and is the driver's again after the
 * free. Lists belong to the DMA registration, which cannot go while one of them lives (choice C10).
 *
 * Data that lies above what the device can address would be double-buffered by Windows' HAL; here it is RESOURCES.
 */
import { describeValue } from "../../values.js";
import { environmentOf } from "../dispatch/environment.js";
import { freeList, gather, handList, listOf, makeList } from "../dispatch/lists.js";
import { listBytes } from "../documented/codec.js";
import type { AdapterHandle, DmaHandle } from "../documented/handles.js";
import { NDIS_OBJECT_TYPE_DEFAULT } from "../documented/object-header.js";
import {
  type NDIS_SCATTER_GATHER_LIST_PARAMETERS,
  NDIS_SG_LIST_WRITE_TO_DEVICE,
  NDIS_SIZEOF_SCATTER_GATHER_LIST_PARAMETERS_REVISION_1,
  type NET_BUFFER,
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
import * as bugChecks from "../verifier/bug-checks.js";
import { adapterOf, dmaOf, headerIsKnown, requireBoolean, requireDispatch, writeOut } from "../verifier/checks.js";

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
  const request = {
    pair: "NetBuffer",
    netBuffer: NetBuffer,
    direction: (Flags & NDIS_SG_LIST_WRITE_TO_DEVICE) !== 0 ? "read" : "write",
    buffer: ScatterGatherListBuffer,
    bufferSize: ScatterGatherListBufferSize,
  } as const;
  const list = makeList(adapter, dma, elements, request, call);
  if (list === null) return logged(adapter, call, NDIS_STATUS_RESOURCES);
  logged(adapter, `${call} ${lengthBytes} bytes in ${elements.length}`, NDIS_STATUS_SUCCESS);
  if (environment.choices.sgCallback === "inCall") handList(adapter, handler, list, Context);
  else {
    environment.scheduler.later("dispatch", () => {
      if (!dma.released && adapter.state !== 0) handList(adapter, handler, list, Context);
    });
  }
  return NDIS_STATUS_SUCCESS;
}

/**
 * Give a list back. DISPATCH_LEVEL exactly; when the device is done with the data, and before the driver reads what it
 * received. Violations, which leave the list: WRONG_IRQL, ALREADY_FREED (0xE6/06: the list is none of this handle's),
 * WRONG_HANDLE (made by NdisBuildScatterGatherList), WRONG_OWNER (made for another NET_BUFFER), and those of every handle.
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
  const record = listOf(adapter, dma, pSGL, "NetBuffer", call);
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
    if (!writeOut(reporter, adapter, call, given, "ScatterGatherListBufferSizeNeeded", needed))
      return logged(adapter, call, NDIS_STATUS_INVALID_PARAMETER);
    return logged(adapter, call, NDIS_STATUS_BUFFER_TOO_SHORT);
  }
  // `Flags` is reserved, and the direction is told by WriteToDevice of the free: until then the device may do both.
  const request = {
    pair: "ScatterGather",
    netBuffer: null,
    direction: "both",
    buffer: given.ScatterGatherListBuffer,
    bufferSize: given.ScatterGatherListBufferSize,
  } as const;
  const list = makeList(adapter, dma, elements, request, call);
  if (list === null) return logged(adapter, call, NDIS_STATUS_INVALID_PARAMETER);
  logged(adapter, `${call} ${given.Length} bytes in ${elements.length}`, NDIS_STATUS_SUCCESS);
  handList(adapter, given.ProcessSGListHandler, list, given.Context);
  return NDIS_STATUS_SUCCESS;
}

/**
 * Give a list of NdisBuildScatterGatherList back. DISPATCH_LEVEL. `WriteToDevice`: the data went to the device.
 * Violations: WRONG_IRQL, INVALID_ARGUMENT (WriteToDevice is no BOOLEAN), ALREADY_FREED (0xE6/06), WRONG_HANDLE (made by
 * NdisMAllocateNetBufferSGList), and those of every handle.
 */
export function NdisFreeScatterGatherList(
  NdisHandle: AdapterHandle,
  ScatterGatherListBuffer: SCATTER_GATHER_LIST,
  WriteToDevice: boolean,
): void {
  const call = "NdisFreeScatterGatherList";
  const adapter = adapterOf(NdisHandle, call);
  if (adapter === null) return;
  if (!requireDispatch(adapter.machine.reporter, adapter, call)) return;
  if (!requireBoolean(adapter, call, "WriteToDevice", WriteToDevice)) return;
  const { dma } = adapter;
  const record = listOf(adapter, dma, ScatterGatherListBuffer, "ScatterGather", call);
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
