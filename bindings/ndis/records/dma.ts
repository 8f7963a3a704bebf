/**
 * DMA registrations: what NDIS keeps of NdisMRegisterScatterGatherDma, NdisMRegisterDmaChannel and the NDIS 5 call.
 *
 * The record does not name its adapter: the adapter has the record, and the handle has both (see `handles.ts`).
 */
import type { PhysicalRun } from "../../core/api.js";
import type { DmaHandle } from "../documented/handles.js";
import { DISPATCH_LEVEL, type KIRQL, PASSIVE_LEVEL } from "../documented/irql.js";
import type {
  MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE,
  MINIPORT_PROCESS_SG_LIST,
  NET_BUFFER,
  SCATTER_GATHER_LIST,
} from "../documented/scatter-gather.js";

/** Where a completion goes, and at which level: one for each registration and level, shared by all its requests. */
export class CompletionTarget {
  readonly handler: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE;
  /** Level of the callback. */
  readonly level: KIRQL;

  constructor(handler: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE, level: KIRQL) {
    this.handler = handler;
    this.level = level;
  }
}

/** What NDIS keeps of a scatter/gather list that a driver has. */
export interface ListRecord {
  /** Which pair of routines made it, and has to free it. */
  readonly pair: "NetBuffer" | "ScatterGather";
  /** The physical stretches that the list names. */
  readonly stretches: readonly PhysicalRun[];
  /** The NET_BUFFER it was made for; null for a list of NdisBuildScatterGatherList. */
  readonly netBuffer: NET_BUFFER | null;
  /** Logical addresses to unmap at the free. */
  readonly mapped: readonly number[];
}

/** A DMA registration. */
export class DmaRecord {
  /** Set right after the record is made, because the handle proves the adapter too. */
  handle: DmaHandle | null = null;
  /** The device reaches 64-bit addresses; otherwise no byte may lie at or above 4 GiB. */
  readonly addresses64: boolean;
  /** Where the completions of its asynchronous requests go; null where no handler was registered. */
  readonly completions: CompletionTarget | null;
  /** The same at DISPATCH_LEVEL, for the NDIS 5 call. */
  readonly completionsAtDispatch: CompletionTarget | null;
  readonly processHandler: MINIPORT_PROCESS_SG_LIST | null;
  /** Most bytes of one transfer, as registered. */
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
    addresses64: boolean,
    maximumPhysicalMapping: number,
    completeHandler: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE | null,
    processHandler: MINIPORT_PROCESS_SG_LIST | null,
    claim: { readonly channel: number | null } | null = null,
  ) {
    this.addresses64 = addresses64;
    this.maximumPhysicalMapping = maximumPhysicalMapping;
    this.completions = completeHandler === null ? null : new CompletionTarget(completeHandler, PASSIVE_LEVEL);
    this.completionsAtDispatch =
      completeHandler === null ? null : new CompletionTarget(completeHandler, DISPATCH_LEVEL);
    this.processHandler = processHandler;
    this.subordinate = claim !== null;
    this.channel = claim?.channel ?? null;
  }
}
