/**
 * DMA registration: NdisMRegisterScatterGatherDma and its opposite.
 *
 * The DMA handle is what asynchronous requests and scatter/gather lists go through; frees go through the adapter handle.
 * One registration lives at a time (choice C6). Deregistering with something live is a violation and leaves the
 * registration as it was (choice C10).
 */
import { describeValue } from "../../values.js";
import { environmentOf } from "../dispatch/environment.js";
import { endRegistration, isRightPlace, nothingIsLive, registerDma } from "../dispatch/registration.js";
import { worstCaseListBytes } from "../documented/codec.js";
import type { AdapterHandle, DmaHandle } from "../documented/handles.js";
import { NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION } from "../documented/object-header.js";
import {
  NDIS_SG_DMA_64_BIT_ADDRESS,
  type NDIS_SG_DMA_DESCRIPTION,
  NDIS_SG_DMA_HYBRID_DMA,
  NDIS_SG_DMA_V3_HAL_API,
  NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1,
  NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_2,
} from "../documented/scatter-gather.js";
import {
  type NDIS_STATUS,
  NDIS_STATUS_BAD_VERSION,
  NDIS_STATUS_INVALID_PARAMETER,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  statusName,
} from "../documented/status.js";
import { type AdapterRecord, HALTING, INITIALIZING, SHUTDOWN, stateName } from "../records/adapter.js";
import { DmaRecord } from "../records/dma.js";
import * as bugChecks from "../verifier/bug-checks.js";
import {
  adapterOf,
  dmaOf,
  headerIsKnown,
  isUnsigned32,
  refuseHandle,
  requirePassive,
  writeOut,
} from "../verifier/checks.js";

const KNOWN_FLAGS = NDIS_SG_DMA_64_BIT_ADDRESS | NDIS_SG_DMA_V3_HAL_API | NDIS_SG_DMA_HYBRID_DMA;

/** What NdisMRegisterScatterGatherDma returns (deviation 1). */
export interface RegisterScatterGatherDmaResult {
  /** SUCCESS, RESOURCES, NOT_SUPPORTED, BAD_VERSION or INVALID_PARAMETER. */
  readonly Status: NDIS_STATUS;
  /** NULL on any failure (choice C9). */
  readonly NdisMiniportDmaHandle: DmaHandle | null;
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
  const { reporter } = adapter.machine;
  if (reporter.log !== null) reporter.note(adapter, `${call} -> ${statusName(Status)}`);
  return { Status, NdisMiniportDmaHandle: Status === NDIS_STATUS_SUCCESS ? (adapter.dma?.handle ?? null) : null };
}

function register(adapter: AdapterRecord, description: NDIS_SG_DMA_DESCRIPTION, call: string): NDIS_STATUS {
  const environment = environmentOf(adapter.machine);
  const { choices, reporter } = environment;
  if (!requirePassive(reporter, adapter, call)) return NDIS_STATUS_NOT_SUPPORTED;
  if (!isRightPlace(adapter, call)) return NDIS_STATUS_NOT_SUPPORTED;
  const header = description?.Header;
  if (typeof header !== "object" || header === null || header.Type !== NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION) {
    reporter.violate(adapter, {
      rule: "ObjectHeader",
      code: "INVALID_ARGUMENT",
      call,
      message: `DmaDescription.Header.Type is ${describeValue(header?.Type)}, not NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION (0x83)`,
      field: "DmaDescription.Header.Type",
      value: header?.Type,
      basis: "documented",
      bugCheck: bugChecks.badObjectHeader(adapter.driver),
    });
    return NDIS_STATUS_INVALID_PARAMETER;
  }
  if (adapter.driver.ndis5 || !adapter.busMaster) return NDIS_STATUS_NOT_SUPPORTED;
  const sizes = [NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1, NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_2];
  if (!headerIsKnown(reporter, header, sizes)) return NDIS_STATUS_BAD_VERSION;
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
  // Written first: a description that does not take it leaves no registration behind.
  const listBytes = worstCaseListBytes(MaximumPhysicalMapping, choices.sgListLayout);
  if (!writeOut(reporter, adapter, call, description, "ScatterGatherListSize", listBytes))
    return NDIS_STATUS_INVALID_PARAMETER;
  registerDma(adapter, new DmaRecord(wide, MaximumPhysicalMapping, complete, process));
  return NDIS_STATUS_SUCCESS;
}

/**
 * Give the DMA registration back. PASSIVE_LEVEL, in MiniportHaltEx or in an initialize that fails; afterwards the
 * handle is released. Violations, after which the registration stays: WRONG_IRQL, WRONG_CONTEXT (choice C38),
 * WRONG_HANDLE (the handle of a DMA channel),
 * LEAK_AT_RELEASE (0xE6/07 blocks, 0xE6/0A lists), PENDING_AT_RELEASE (choice C4), and those of every handle.
 */
export function NdisMDeregisterScatterGatherDma(NdisMiniportDmaHandle: DmaHandle): void {
  const call = "NdisMDeregisterScatterGatherDma";
  const registered = dmaOf(NdisMiniportDmaHandle, call);
  if (registered === null) return;
  const { adapter, dma } = registered;
  const { reporter } = adapter.machine;
  if (!requirePassive(reporter, adapter, call)) return;
  if (dma.subordinate) {
    refuseHandle(NdisMiniportDmaHandle, call, "the handle that NdisMRegisterScatterGatherDma gave");
    return;
  }
  if (adapter.state !== INITIALIZING && adapter.state !== HALTING && adapter.state !== SHUTDOWN) {
    if (reporter.choices.deregistrationOutside === "violation") {
      reporter.violate(adapter, {
        rule: "DeregisterDmaInHalt",
        code: "WRONG_CONTEXT",
        call,
        message: `DMA is deregistered in MiniportHaltEx; the adapter is ${stateName(adapter.state)}`,
      });
      return;
    }
  }
  if (!nothingIsLive(adapter, dma, call)) return;
  endRegistration(adapter, dma);
  if (reporter.log !== null) reporter.note(adapter, call);
}
