/**
 * DMA channels: NdisMRegisterDmaChannel and its opposite, for NICs that are no bus master of a modern bus.
 *
 *    subordinate NIC, or ISA bus master ── claims ──► a channel of the system's DMA controller
 *         may use      NdisMAllocateSharedMemory, NdisMFreeSharedMemory
 *         may not use  the asynchronous allocation, scatter/gather lists
 *
 * The controller itself (programming it, moving data) is no part of shared memory and is not here. What is: the claim,
 * which one adapter at a time can have; the address lines of the NIC, because memory that it cannot reach is of no use to
 * it; and that the claim is given back before the adapter goes.
 */

import { describeValue } from "../../values.js";
import { environmentOf } from "../dispatch/environment.js";
import { endRegistration, isRightPlace, nothingIsLive, registerDma } from "../dispatch/registration.js";
import { Compatible, MaximumDmaSpeed, MaximumDmaWidth, Width8Bits } from "../documented/dma-channel.js";
import type { AdapterHandle, DmaHandle } from "../documented/handles.js";
import { NdisInterfaceIsa } from "../documented/miniport.js";
import {
  type NDIS_STATUS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_RESOURCE_CONFLICT,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  statusName,
} from "../documented/status.js";
import { type AdapterRecord, HALTING, INITIALIZING, SHUTDOWN, stateName } from "../records/adapter.js";
import { DmaRecord } from "../records/dma.js";
import { adapterOf, dmaOf, isUnsigned32, refuseHandle, requireBoolean, requirePassive } from "../verifier/checks.js";

/** The last byte that 24 address lines reach: what an ISA device has that does not say 32. */
const HIGHEST_OF_24_LINES = 2 ** 24 - 1;
const HIGHEST_OF_32_LINES = 2 ** 32 - 1;

/** Of NdisMRegisterDmaChannel. Only the channel and the port are looked at; the rest programs the controller. */
export interface NDIS_DMA_DESCRIPTION {
  /** Programs the controller; not looked at. */
  readonly DemandMode?: boolean;
  /** Programs the controller; not looked at. */
  readonly AutoInitialize?: boolean;
  /** True: `DmaChannel` is the one to claim. Otherwise none is named, and none is claimed from anybody. */
  readonly DmaChannelSpecified?: boolean;
  /** DMA_WIDTH: Width8Bits to Width64Bits; programs the controller. */
  readonly DmaWidth?: number;
  /** DMA_SPEED: Compatible to TypeF; programs the controller. */
  readonly DmaSpeed?: number;
  /** Of a bus that is no longer supported: 0. */
  readonly DmaPort?: number;
  /** Bus-relative number of the channel, 0 to 2^32 - 1. */
  readonly DmaChannel?: number;
}

/** What NdisMRegisterDmaChannel returns (deviation 1). */
export interface RegisterDmaChannelResult {
  /** SUCCESS, RESOURCE_CONFLICT, RESOURCES or FAILURE. */
  readonly Status: NDIS_STATUS;
  /** NULL on any failure (choice C9). */
  readonly MiniportDmaHandle: DmaHandle | null;
}

/**
 * Claim a DMA channel. PASSIVE_LEVEL, in MiniportInitializeEx after the attributes (later: choice C36).
 *
 * `DmaChannel` is ignored, as documented: the channel is named in `DmaDescription`. `Dma32BitAddresses`: the NIC has 32
 * address lines; with false it has 24 (our reading), and every block it gets lies below 16 MiB. `MaximumLength`: bytes of
 * one transfer, 0 to 2^32 - 1, or -1 for no limit.
 *
 * SUCCESS; RESOURCE_CONFLICT: another adapter has the channel (an entry of the log says so); RESOURCES: this adapter has a
 * DMA registration already (choice C6), or an injected fault; FAILURE: a bus master on a bus other than ISA. Violations:
 * WRONG_IRQL, WRONG_CONTEXT, INVALID_ARGUMENT, and those of every handle.
 */
export function NdisMRegisterDmaChannel(
  MiniportAdapterHandle: AdapterHandle,
  _DmaChannel: number,
  Dma32BitAddresses: boolean,
  DmaDescription: NDIS_DMA_DESCRIPTION,
  MaximumLength: number,
): RegisterDmaChannelResult {
  const call = "NdisMRegisterDmaChannel";
  const adapter = adapterOf(MiniportAdapterHandle, call);
  if (adapter === null) return { Status: NDIS_STATUS_FAILURE, MiniportDmaHandle: null };
  const Status = register(adapter, Dma32BitAddresses, DmaDescription, MaximumLength, call);
  const { reporter } = adapter.machine;
  if (reporter.log !== null) reporter.note(adapter, `${call} -> ${statusName(Status)}`);
  return { Status, MiniportDmaHandle: Status === NDIS_STATUS_SUCCESS ? (adapter.dma?.handle ?? null) : null };
}

function register(
  adapter: AdapterRecord,
  lines32: boolean,
  description: NDIS_DMA_DESCRIPTION,
  maximumLength: number,
  call: string,
): NDIS_STATUS {
  const environment = environmentOf(adapter.machine);
  const { reporter } = environment;
  if (!requirePassive(reporter, adapter, call)) return NDIS_STATUS_FAILURE;
  if (!isRightPlace(adapter, call)) return NDIS_STATUS_FAILURE;
  if (!requireBoolean(adapter, call, "Dma32BitAddresses", lines32)) return NDIS_STATUS_FAILURE;
  const wrong = wrongArgument(description, maximumLength);
  if (wrong !== null) {
    const [field, value] = wrong;
    reporter.violate(adapter, {
      rule: "ArgumentsAreValid",
      code: "INVALID_ARGUMENT",
      call,
      message: `${field} cannot be ${describeValue(value)}`,
      field,
      value,
    });
    return NDIS_STATUS_FAILURE;
  }
  if (adapter.busMaster && adapter.attributes?.InterfaceType !== NdisInterfaceIsa) return NDIS_STATUS_FAILURE;
  const channel = description.DmaChannelSpecified === true ? (description.DmaChannel ?? 0) : null;
  const taken = (one: AdapterRecord): boolean => one !== adapter && one.dma !== null && one.dma.channel === channel;
  if (channel !== null && environment.adapters.some(taken)) {
    if (reporter.log !== null) reporter.note(adapter, `DMA channel ${channel} is another adapter's`);
    return NDIS_STATUS_RESOURCE_CONFLICT;
  }
  if (adapter.dma !== null) return NDIS_STATUS_RESOURCES;
  if (environment.faults?.strikes("registration", adapter.number, 0) === true) return NDIS_STATUS_RESOURCES;
  const limit = maximumLength === -1 ? 0xffffffff : maximumLength;
  registerDma(adapter, new DmaRecord(false, limit, null, null, { channel }));
  adapter.highest = lines32 ? HIGHEST_OF_32_LINES : HIGHEST_OF_24_LINES;
  return NDIS_STATUS_SUCCESS;
}

/** The first argument that the page does not allow, by name. */
function wrongArgument(description: unknown, maximumLength: unknown): readonly [string, unknown] | null {
  if (maximumLength !== -1 && !isUnsigned32(maximumLength)) return ["MaximumLength", maximumLength];
  if (typeof description !== "object" || description === null) return ["DmaDescription", description];
  const { DmaChannelSpecified, DmaChannel = 0, DmaPort = 0 } = description as NDIS_DMA_DESCRIPTION;
  const { DmaWidth = Width8Bits, DmaSpeed = Compatible } = description as NDIS_DMA_DESCRIPTION;
  if (!isUnsigned32(DmaWidth) || DmaWidth >= MaximumDmaWidth) return ["DmaDescription.DmaWidth", DmaWidth];
  if (!isUnsigned32(DmaSpeed) || DmaSpeed >= MaximumDmaSpeed) return ["DmaDescription.DmaSpeed", DmaSpeed];
  if (DmaPort !== 0) return ["DmaDescription.DmaPort", DmaPort];
  if (DmaChannelSpecified === true && !isUnsigned32(DmaChannel)) return ["DmaDescription.DmaChannel", DmaChannel];
  return null;
}

/**
 * Give the claim back. PASSIVE_LEVEL, in MiniportInitializeEx or MiniportHaltEx; afterwards the handle is released.
 *
 * Violations, after which the claim stays: WRONG_IRQL, WRONG_CONTEXT (choice C38), WRONG_HANDLE (the handle of
 * NdisMRegisterScatterGatherDma), LEAK_AT_RELEASE (0xE6/07, choice C10), and those of every handle.
 */
export function NdisMDeregisterDmaChannel(MiniportDmaHandle: DmaHandle): void {
  const call = "NdisMDeregisterDmaChannel";
  const registered = dmaOf(MiniportDmaHandle, call);
  if (registered === null) return;
  const { adapter, dma } = registered;
  const { reporter } = adapter.machine;
  if (!requirePassive(reporter, adapter, call)) return;
  if (!dma.subordinate) {
    refuseHandle(MiniportDmaHandle, call, "the handle that NdisMRegisterDmaChannel gave");
    return;
  }
  const { state } = adapter;
  if (
    state !== INITIALIZING &&
    state !== HALTING &&
    state !== SHUTDOWN &&
    reporter.choices.deregistrationOutside === "violation"
  ) {
    reporter.violate(adapter, {
      rule: "DeregisterDmaInHalt",
      code: "WRONG_CONTEXT",
      call,
      message: `a DMA channel is deregistered in MiniportInitializeEx or MiniportHaltEx; the adapter is ${stateName(state)}`,
      basis: "documented",
    });
    return;
  }
  if (!nothingIsLive(adapter, dma, call)) return;
  endRegistration(adapter, dma);
  if (reporter.log !== null) reporter.note(adapter, call);
}
