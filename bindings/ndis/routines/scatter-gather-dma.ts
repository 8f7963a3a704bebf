/**
 * DMA registration: NdisMRegisterScatterGatherDma and its opposite.
 *
 * The DMA handle is what asynchronous requests and scatter/gather lists go through; frees go through the adapter handle.
 * One registration lives at a time (choice C6). Deregistering with something live is a violation and leaves the
 * registration as it was (choice C10).
 */

import { ADDRESS_LIMIT } from "../../addresses.js";
import { DISPATCH_LEVEL, PASSIVE_LEVEL } from "../documented/irql.js";
import {
  type NDIS_STATUS,
  NDIS_STATUS_BAD_VERSION,
  NDIS_STATUS_INVALID_PARAMETER,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  statusName,
} from "../documented/status.js";
import {
  type MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE,
  type MINIPORT_PROCESS_SG_LIST,
  NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION,
  NDIS_SG_DMA_64_BIT_ADDRESS,
  type NDIS_SG_DMA_DESCRIPTION,
  NDIS_SG_DMA_HYBRID_DMA,
  NDIS_SG_DMA_V3_HAL_API,
  NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1,
  NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_2,
  type SCATTER_GATHER_LIST,
} from "../documented/structures.js";
import { type AdapterHandle, DmaHandle } from "../records/handles.js";
import { RequestSource } from "../records/requests.js";
import * as bugChecks from "../verifier/bug-checks.js";
import { adapterOf, dmaOf, headerIsKnown, refuseHandle, requirePassive } from "../verifier/checks.js";
import { counted, listBlocks, listRequests } from "../verifier/wording.js";
import { type AdapterRecord, HALTING, INITIALIZING, stateName } from "./attributes.js";
import type { ListRecord } from "./scatter-gather-lists.js";

const KNOWN_FLAGS = NDIS_SG_DMA_64_BIT_ADDRESS | NDIS_SG_DMA_V3_HAL_API | NDIS_SG_DMA_HYBRID_DMA;

/** A DMA registration. */
export class DmaRecord {
  readonly adapter: AdapterRecord;
  readonly handle: DmaHandle;
  /** The device reaches 64-bit addresses; otherwise no byte may lie at or above 4 GiB. */
  readonly addresses64: boolean;
  /** Where the completions of its asynchronous requests go; null where no handler was registered. */
  readonly completions: RequestSource | null;
  /** The same at DISPATCH_LEVEL, for the NDIS 5 call. */
  readonly completionsAtDispatch: RequestSource | null;
  readonly processHandler: MINIPORT_PROCESS_SG_LIST | null;
  readonly maximumPhysicalMapping: number;
  /** Made by NdisMRegisterDmaChannel: no asynchronous requests, no lists. */
  readonly subordinate: boolean;
  /** The channel that such a registration claims; null where it names none, or is no such registration. */
  readonly channel: number | null;
  /** Scatter/gather lists that the driver has, by the object it was given. */
  readonly lists: Map<SCATTER_GATHER_LIST, ListRecord> = new Map();
  listsBuilt = 0;
  listsFreed = 0;
  released = false;

  constructor(
    adapter: AdapterRecord,
    addresses64: boolean,
    maximumPhysicalMapping: number,
    completeHandler: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE | null,
    processHandler: MINIPORT_PROCESS_SG_LIST | null,
    claim: { readonly channel: number | null } | null = null,
  ) {
    this.adapter = adapter;
    this.addresses64 = addresses64;
    adapter.highest = addresses64 ? ADDRESS_LIMIT - 1 : 2 ** 32 - 1;
    this.maximumPhysicalMapping = maximumPhysicalMapping;
    this.completions = completeHandler === null ? null : new RequestSource(adapter, completeHandler, PASSIVE_LEVEL);
    this.completionsAtDispatch =
      completeHandler === null ? null : new RequestSource(adapter, completeHandler, DISPATCH_LEVEL);
    this.processHandler = processHandler;
    this.subordinate = claim !== null;
    this.channel = claim?.channel ?? null;
    this.handle = new DmaHandle(this);
  }
}

export interface RegisterScatterGatherDmaResult {
  readonly Status: NDIS_STATUS;
  /** NULL on any failure (choice C9). */
  readonly NdisMiniportDmaHandle: DmaHandle | null;
}

/** Bytes of a scatter/gather list for the worst case of a mapping (choice C8). */
export function scatterGatherListSize(maximumPhysicalMapping: number, layout: "x64" | "x86"): number {
  const elements = Math.floor((maximumPhysicalMapping + 8190) / 4096);
  return layout === "x64" ? 16 + 24 * elements : 8 + 16 * elements;
}

/**
 * Set up bus-master DMA for an adapter. PASSIVE_LEVEL, in MiniportInitializeEx after the attributes.
 *
 * SUCCESS writes `ScatterGatherListSize` into the description and returns the handle. RESOURCES: a second registration
 * (choice C6), or an injected fault. NOT_SUPPORTED: not an NDIS 6 driver, or no BUS_MASTER attribute. BAD_VERSION: an
 * unknown revision or too small a size (choice C1). INVALID_PARAMETER: unknown flags (choice C7), or a description that
 * is none. Violations: WRONG_IRQL, WRONG_CONTEXT (choice C36; attributes not set), INVALID_ARGUMENT (0x7C/21, header
 * type), and those of every handle.
 */
export function NdisMRegisterScatterGatherDma(
  MiniportAdapterHandle: AdapterHandle,
  DmaDescription: NDIS_SG_DMA_DESCRIPTION,
): RegisterScatterGatherDmaResult {
  const call = "NdisMRegisterScatterGatherDma";
  const adapter = adapterOf(MiniportAdapterHandle, call);
  if (adapter === null) return { Status: NDIS_STATUS_NOT_SUPPORTED, NdisMiniportDmaHandle: null };
  const Status = register(adapter, DmaDescription, call);
  const { environment } = adapter;
  if (environment.log !== null) environment.note(adapter, `${call} -> ${statusName(Status)}`);
  return { Status, NdisMiniportDmaHandle: Status === NDIS_STATUS_SUCCESS ? (adapter.dma?.handle ?? null) : null };
}

function register(adapter: AdapterRecord, description: NDIS_SG_DMA_DESCRIPTION, call: string): NDIS_STATUS {
  const { environment } = adapter;
  const { choices } = environment;
  if (!requirePassive(environment, adapter, call)) return NDIS_STATUS_NOT_SUPPORTED;
  if (!placeIsRight(adapter, call)) return NDIS_STATUS_NOT_SUPPORTED;
  const header = description?.Header;
  if (typeof header !== "object" || header === null || header.Type !== NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION) {
    environment.violate(adapter, {
      rule: "ObjectHeader",
      code: "INVALID_ARGUMENT",
      call,
      message: `DmaDescription.Header.Type is ${String(header?.Type)}, not NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION (0x83)`,
      field: "DmaDescription.Header.Type",
      value: header?.Type,
      basis: "documented",
      bugCheck: bugChecks.badObjectHeader(adapter, Number(header?.Type) || 0, Number(header?.Revision) || 0),
    });
    return NDIS_STATUS_INVALID_PARAMETER;
  }
  if (adapter.driver.ndis5 || !adapter.busMaster) return NDIS_STATUS_NOT_SUPPORTED;
  const sizes = [NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1, NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_2];
  if (!headerIsKnown(environment, header, sizes)) return NDIS_STATUS_BAD_VERSION;
  const { Flags, MaximumPhysicalMapping } = description;
  if (!isUnsigned32(Flags) || !isUnsigned32(MaximumPhysicalMapping)) return NDIS_STATUS_INVALID_PARAMETER;
  if (Flags & ~KNOWN_FLAGS && choices.unknownSgFlags === "refuseFrom650" && adapter.driver.declares(6, 50)) {
    return NDIS_STATUS_INVALID_PARAMETER;
  }
  const complete = description.SharedMemAllocateCompleteHandler ?? null;
  const process = description.ProcessSGListHandler ?? null;
  if ((complete !== null && typeof complete !== "function") || (process !== null && typeof process !== "function")) {
    return NDIS_STATUS_INVALID_PARAMETER;
  }
  if (adapter.dma !== null) return NDIS_STATUS_RESOURCES;
  if (environment.faults?.strikes("registration", adapter.number, 0) === true) return NDIS_STATUS_RESOURCES;
  const wide = (Flags & NDIS_SG_DMA_64_BIT_ADDRESS) !== 0;
  adapter.dma = new DmaRecord(adapter, wide, MaximumPhysicalMapping, complete, process);
  description.ScatterGatherListSize = scatterGatherListSize(MaximumPhysicalMapping, choices.sgListLayout);
  return NDIS_STATUS_SUCCESS;
}

function isUnsigned32(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
}

/** After the attributes, in initialize; later is choice C36. */
export function placeIsRight(adapter: AdapterRecord, call: string): boolean {
  const { environment, state } = adapter;
  if (adapter.attributes === null) {
    environment.violate(adapter, {
      rule: "NdisMRegisterIoPortRange",
      code: "WRONG_CONTEXT",
      call,
      message: "NdisMSetMiniportAttributes comes before anything that claims DMA",
      basis: "documented",
    });
    return false;
  }
  if (state === INITIALIZING) return true;
  const warned = state < HALTING && environment.choices.registrationAfterInitialize === "warn";
  environment.violate(adapter, {
    rule: "RegisterDmaInInitialize",
    code: "WRONG_CONTEXT",
    call,
    message: `DMA is registered in MiniportInitializeEx; the adapter is ${stateName(state)}`,
    severity: warned ? "warning" : "violation",
  });
  return warned;
}

/**
 * Give the DMA registration back. PASSIVE_LEVEL, in MiniportHaltEx or in an initialize that fails; afterwards the
 * handle is released. Violations, after which the registration stays: WRONG_IRQL, WRONG_CONTEXT (choice C38),
 * WRONG_HANDLE (the handle of a DMA channel),
 * LEAK_AT_RELEASE (0xE6/07 blocks, 0xE6/0A lists), PENDING_AT_RELEASE (choice C4), and those of every handle.
 */
export function NdisMDeregisterScatterGatherDma(NdisMiniportDmaHandle: DmaHandle): void {
  const call = "NdisMDeregisterScatterGatherDma";
  const dma = dmaOf(NdisMiniportDmaHandle, call);
  if (dma === null) return;
  const { adapter } = dma;
  const { environment } = adapter;
  if (!requirePassive(environment, adapter, call)) return;
  if (dma.subordinate) {
    refuseHandle(NdisMiniportDmaHandle, call, "the handle that NdisMRegisterScatterGatherDma gave");
    return;
  }
  if (adapter.state !== INITIALIZING && adapter.state !== HALTING) {
    if (environment.choices.deregistrationOutside === "violation") {
      environment.violate(adapter, {
        rule: "DeregisterDmaInHalt",
        code: "WRONG_CONTEXT",
        call,
        message: `DMA is deregistered in MiniportHaltEx; the adapter is ${stateName(adapter.state)}`,
      });
      return;
    }
  }
  if (!nothingLive(dma, call)) return;
  dma.released = true;
  adapter.dma = null;
  if (environment.log !== null) environment.note(adapter, call);
}

/** Requests, blocks and lists of a registration that is to go: false after the first of them was raised (choices C4, C10). */
export function nothingLive(dma: DmaRecord, call: string): boolean {
  const { adapter } = dma;
  const { environment } = adapter;
  if (adapter.pending > 0) {
    if (environment.choices.pendingAtHalt === "violation") {
      environment.violate(adapter, {
        rule: "NothingPendingAtRelease",
        code: "PENDING_AT_RELEASE",
        call,
        message: `${counted(adapter.pending, "asynchronous request")} still pending: ${listRequests(environment.dispatcher.requestsOf(adapter))}`,
        value: adapter.pending,
        unit: "requests",
      });
      return false;
    }
    environment.dispatcher.drop(adapter);
  }
  if (adapter.liveBlocks > 0) {
    environment.violate(adapter, {
      rule: "NothingLiveAtRelease",
      code: "LEAK_AT_RELEASE",
      call,
      message: `${counted(adapter.liveBlocks, "block")} of ${counted(adapter.liveBytes, "byte")} still allocated: ${listBlocks(environment.blocks.liveBlocksOf(adapter))}`,
      value: adapter.liveBlocks,
      unit: "blocks",
      bugCheck: bugChecks.blocksOutstanding(adapter, adapter.liveBlocks),
    });
    return false;
  }
  if (dma.lists.size > 0) {
    environment.violate(adapter, {
      rule: "NothingLiveAtRelease",
      code: "LEAK_AT_RELEASE",
      call,
      message: `${counted(dma.lists.size, "scatter/gather list")} not freed`,
      value: dma.lists.size,
      unit: "lists",
      bugCheck: bugChecks.listsOutstanding(adapter, dma.lists.size),
    });
    return false;
  }
  return true;
}
