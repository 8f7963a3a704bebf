/**
 * Adapters: state, attributes, what belongs to one, and what was counted.
 *
 *   Halted -> Initializing -> Paused -> Restarting -> Running -> Pausing -> Paused -> Halting -> Halted
 *                                 \________ shutdown from any of the middle four _____/   (no way back)
 *
 * Halting is a mark of ours: MiniportHaltEx has begun and is not through. An adapter that is Halted is over: its handle
 * is released, and a device that comes back gets a new adapter with a new number.
 */
import { ADDRESS_LIMIT } from "../../addresses.js";
import type { AdapterHandle } from "../documented/handles.js";
import {
  type NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
} from "../documented/miniport.js";
import type { NDIS_STATUS } from "../documented/status.js";
import type { ProviderAllocation } from "./allocation.js";
import type { DmaRecord } from "./dma.js";
import type { DriverRecord } from "./driver.js";
import type { Machine } from "./reporter.js";
import type { AdapterServices } from "./services.js";
import { tagOf } from "./tag.js";

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
/** The states by name. `Halting` is ours, the others are documented. */
export type AdapterStateName = (typeof STATE_NAMES)[number];

/** The name of a state. */
export function stateName(state: AdapterState): AdapterStateName {
  return STATE_NAMES[state];
}

/** What the machine may fix for one adapter. */
export interface AdapterLimits {
  /** Bytes that its live blocks may hold together; `null` for no quota. */
  readonly quotaBytes: number | null;
}

/** A pause or a restart that is under way. */
export interface Transition {
  readonly kind: "pause" | "restart";
  /** The status of NdisMPauseComplete or NdisMRestartComplete, once it was called. */
  status: NDIS_STATUS | null;
  /** The handler returned PENDING: told when the driver completes. */
  completed: ((status: NDIS_STATUS) => void) | null;
}

/** What NDIS keeps of an adapter. */
export class AdapterRecord {
  readonly machine: Machine;
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
  /** The general attributes have been set: those that follow them may be. */
  hasGeneralAttributes = false;
  dma: DmaRecord | null = null;
  /** A MiniportPause or MiniportRestart that is under way; null where none is. */
  transition: Transition | null = null;
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
    machine: Machine,
    driver: DriverRecord,
    number: number,
    name: string,
    limits: AdapterLimits,
    makeHandle: (adapter: AdapterRecord) => AdapterHandle,
    makeServices: (adapter: AdapterRecord) => AdapterServices,
  ) {
    this.machine = machine;
    this.driver = driver;
    this.number = number;
    this.name = name;
    this.limits = limits;
    this.tag = tagOf(number, false);
    this.handle = makeHandle(this);
    this.services = makeServices(this);
  }

  /** Requests accepted and not yet called back. */
  get pending(): number {
    return this.accepted - this.completed - this.dropped;
  }

  get busMaster(): boolean {
    return this.attributes !== null && (this.attributes.AttributeFlags & NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER) !== 0;
  }
}
