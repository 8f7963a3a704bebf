/**
 * Adapters: state, attributes and alignment.
 *
 *   Halted -> Initializing -> Paused -> Restarting -> Running -> Pausing -> Paused -> Halting -> Halted
 *                                 \________ shutdown from any of the middle four _____/   (no way back)
 *
 * Halting is a mark of ours: MiniportHaltEx has begun and is not through. An adapter that is Halted is over: its handle
 * is released, and a device that comes back gets a new adapter with a new number.
 */

import { ADDRESS_LIMIT } from "../../addresses.js";
import { type NdisEnvironment, runningEnvironment } from "../dispatch/environment.js";
import {
  type NDIS_STATUS,
  NDIS_STATUS_BAD_VERSION,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_SUCCESS,
  statusName,
} from "../documented/status.js";
import {
  type NDIS_MINIPORT_ADAPTER_ATTRIBUTES,
  type NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
  NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES,
  NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1,
} from "../documented/structures.js";
import { AdapterHandle } from "../records/handles.js";
import { ADAPTER_LIMIT, tagOf } from "../records/tag.js";
import * as bugChecks from "../verifier/bug-checks.js";
import { adapterOf, headerIsKnown, requireAtMostDispatch, requirePassive } from "../verifier/checks.js";
import type { DriverRecord } from "./driver.js";
import type { DmaRecord } from "./scatter-gather-dma.js";
import type { AdapterServices } from "./services.js";
import type { ProviderAllocation } from "./shared-memory-620.js";

export const HALTED = 0;
export const INITIALIZING = 1;
export const PAUSED = 2;
export const RESTARTING = 3;
export const RUNNING = 4;
export const PAUSING = 5;
export const HALTING = 6;
export const SHUTDOWN = 7;

/** One of the states above. */
export type AdapterState = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

const STATE_NAMES = [
  "Halted",
  "Initializing",
  "Paused",
  "Restarting",
  "Running",
  "Pausing",
  "Halting",
  "Shutdown",
] as const;
export type AdapterStateName = (typeof STATE_NAMES)[number];

export function stateName(state: AdapterState): AdapterStateName {
  return STATE_NAMES[state];
}

/** What the machine may fix for one adapter. */
export interface AdapterLimits {
  /** Bytes that its live blocks may hold together; `null` for no quota. */
  readonly quotaBytes: number | null;
}

/** What NDIS keeps of an adapter. */
export class AdapterRecord {
  readonly environment: NdisEnvironment;
  readonly driver: DriverRecord;
  /** From 1; never used twice in a machine. */
  readonly number: number;
  readonly name: string;
  readonly handle: AdapterHandle;
  readonly services: AdapterServices;
  readonly limits: AdapterLimits;
  /** The last physical byte that its device can address; set with the DMA registration. */
  highest: number = ADDRESS_LIMIT - 1;
  /** Tag of a block that is not cached. */
  readonly tag: number;
  state: AdapterState = HALTED;
  /** MiniportAdapterContext of the registration attributes. */
  context: unknown = null;
  attributes: NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES | null = null;
  dma: DmaRecord | null = null;
  /** Blocks and bytes (as asked) that belong to the adapter, served and undelivered ones included. */
  liveBlocks = 0;
  liveBytes = 0;
  /** Pages of its live blocks, counted where choice C33 limits them. */
  mappedPages = 0;
  /** Allocations of the 6.20 pair that are live: NDIS knows them by their handles. */
  readonly allocations: Set<ProviderAllocation> = new Set();
  /** Asynchronous requests: accepted = completed + pending + dropped (misuse L08). */
  accepted = 0;
  completed = 0;
  completedNull = 0;
  dropped = 0;
  /** Refused with NDIS_STATUS_FAILURE. */
  refused = 0;
  synchronous = 0;
  freed = 0;
  surpriseRemoved = false;
  /** A shared memory allocation was refused and no error log entry written yet (SDV rule WriteErrorLog). */
  owesErrorLog = false;

  constructor(
    environment: NdisEnvironment,
    driver: DriverRecord,
    name: string,
    limits: AdapterLimits,
    services: (adapter: AdapterRecord) => AdapterServices,
  ) {
    const number = environment.adapters.length + 1;
    if (number > ADAPTER_LIMIT) throw new RangeError(`one machine can have ${ADAPTER_LIMIT} adapters`);
    this.environment = environment;
    this.driver = driver;
    this.number = number;
    this.name = name;
    this.limits = limits;
    this.tag = tagOf(number, false);
    this.handle = new AdapterHandle(this);
    this.services = services(this);
    environment.adapters.push(this);
    driver.adapters.push(this);
  }

  /** Requests accepted and not yet called back. */
  get pending(): number {
    return this.accepted - this.completed - this.dropped;
  }

  get busMaster(): boolean {
    return this.attributes !== null && (this.attributes.AttributeFlags & NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER) !== 0;
  }
}

/**
 * Tell NDIS about the adapter: registration attributes first, then the others. PASSIVE_LEVEL, from MiniportInitializeEx.
 *
 * SUCCESS, or BAD_VERSION for a header that NDIS does not know (choice C1). Violations: WRONG_IRQL, WRONG_CONTEXT
 * (outside initialize, or registration attributes not first), and those of every handle.
 */
export function NdisMSetMiniportAttributes(
  NdisMiniportHandle: AdapterHandle,
  MiniportAttributes: NDIS_MINIPORT_ADAPTER_ATTRIBUTES,
): NDIS_STATUS {
  const call = "NdisMSetMiniportAttributes";
  const adapter = adapterOf(NdisMiniportHandle, call);
  if (adapter === null) return NDIS_STATUS_FAILURE;
  const { environment } = adapter;
  if (!requirePassive(environment, adapter, call)) return NDIS_STATUS_FAILURE;
  const status = setAttributes(adapter, MiniportAttributes, call);
  if (environment.log !== null) environment.note(adapter, `${call} -> ${statusName(status)}`);
  return status;
}

function setAttributes(
  adapter: AdapterRecord,
  attributes: NDIS_MINIPORT_ADAPTER_ATTRIBUTES,
  call: string,
): NDIS_STATUS {
  const { environment } = adapter;
  const type = attributes?.Header?.Type;
  if (type === NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES) {
    const size = NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
    if (!headerIsKnown(environment, attributes.Header, [size, size])) return NDIS_STATUS_BAD_VERSION;
    if (adapter.state !== INITIALIZING || adapter.attributes !== null) {
      environment.violate(adapter, {
        rule: "AttributesInInitialize",
        code: "WRONG_CONTEXT",
        call,
        message:
          adapter.attributes === null
            ? `registration attributes are set in MiniportInitializeEx, not while the adapter is ${stateName(adapter.state)}`
            : "the registration attributes are already set",
      });
      return NDIS_STATUS_FAILURE;
    }
    const given = attributes as NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
    adapter.attributes = given;
    adapter.context = given.MiniportAdapterContext;
    return NDIS_STATUS_SUCCESS;
  }
  if (type === NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_GENERAL_ATTRIBUTES || isLaterAttributes(type)) {
    if (adapter.attributes === null) {
      environment.violate(adapter, {
        rule: "AttributesInInitialize",
        code: "WRONG_CONTEXT",
        call,
        message: "the registration attributes come first",
      });
      return NDIS_STATUS_FAILURE;
    }
    return NDIS_STATUS_SUCCESS;
  }
  environment.violate(adapter, {
    rule: "ObjectHeader",
    code: "INVALID_ARGUMENT",
    call,
    message: `Header.Type ${String(type)} is none of the attribute structures`,
    field: "Header.Type",
    value: type,
    basis: "documented",
    bugCheck: bugChecks.badObjectHeader(adapter, Number(type) || 0, Number(attributes?.Header?.Revision) || 0),
  });
  return NDIS_STATUS_FAILURE;
}

/** Offload, 802.11, hardware assist and add-device attributes: accepted unread. */
function isLaterAttributes(type: unknown): boolean {
  return typeof type === "number" && type >= 0xa0 && type <= 0xa5;
}

/** The platform's alignment for device buffers, bytes (choice C11). PASSIVE_LEVEL, after the DMA registration. */
export function NdisMGetDmaAlignment(MiniportAdapterHandle: AdapterHandle): number {
  const call = "NdisMGetDmaAlignment";
  const adapter = adapterOf(MiniportAdapterHandle, call);
  if (adapter === null) return 0;
  const { environment } = adapter;
  if (!requirePassive(environment, adapter, call)) return 0;
  if (adapter.dma === null) {
    environment.violate(adapter, {
      rule: "RegisterBeforeUse",
      code: "NOT_REGISTERED",
      call,
      message: "the alignment is known after NdisMRegisterScatterGatherDma",
    });
    return 0;
  }
  return environment.choices.dmaAlignment;
}

/** The alignment that keeps data of different processors apart, bytes (choice C11). Up to DISPATCH_LEVEL. */
export function NdisGetSharedDataAlignment(): number {
  const environment = runningEnvironment();
  if (environment === undefined) return 64;
  environment.step++;
  return requireAtMostDispatch(environment, environment.insideAdapter, "NdisGetSharedDataAlignment")
    ? environment.choices.dmaAlignment
    : 0;
}
