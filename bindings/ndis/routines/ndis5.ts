/**
 * The calls of NDIS 5, for drivers that still make them, and the little of NDIS 5 registration that they stand on.
 *
 * The asynchronous call of NDIS 5 takes the adapter handle, and its completion comes from the driver's characteristics at
 * DISPATCH_LEVEL; same five arguments, another level. An NDIS 6 driver that makes the call (rtlnwifi does) is choice C40.
 * There is no deregistration: what NdisMInitializeScatterGatherDma set up goes with the adapter.
 */

import { environmentOf } from "../dispatch/environment.js";
import { registerDma } from "../dispatch/registration.js";
import type { AdapterHandle, DriverObjectHandle } from "../documented/handles.js";
import {
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
  NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1,
} from "../documented/miniport.js";
import { NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS } from "../documented/object-header.js";
import type { NDIS_PHYSICAL_ADDRESS, PVOID } from "../documented/physical.js";
import type { MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE } from "../documented/scatter-gather.js";
import {
  type NDIS_STATUS,
  NDIS_STATUS_BAD_CHARACTERISTICS,
  NDIS_STATUS_BAD_VERSION,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  statusName,
} from "../documented/status.js";
import { type AdapterRecord, INITIALIZING, stateName } from "../records/adapter.js";
import { DmaRecord } from "../records/dma.js";
import { DriverRecord } from "../records/driver.js";
import * as handles from "../records/handles.js";
import { ndis5Call } from "../verifier/bug-checks.js";
import {
  adapterOf,
  isUnsigned32,
  refuseArgument,
  requireAtMostDispatch,
  requireBoolean,
  requirePassive,
} from "../verifier/checks.js";
import { enterRegistration } from "./driver.js";
import { requestShared } from "./shared-memory.js";

/** The attribute word of NDIS 5 is another encoding: BUS_MASTER is 0x8 there. */
export const NDIS_ATTRIBUTE_BUS_MASTER = 0x8;

/** The table of an NDIS 5 miniport, as far as shared memory needs it. */
export interface NDIS_MINIPORT_CHARACTERISTICS {
  /** 5. */
  readonly MajorNdisVersion: number;
  /** 0 or 1. */
  readonly MinorNdisVersion: number;
  /** MiniportInitialize. Its medium arguments mean nothing here and are left out. */
  readonly InitializeHandler: (MiniportAdapterHandle: AdapterHandle) => NDIS_STATUS | Promise<NDIS_STATUS>;
  /** MiniportHalt. */
  readonly HaltHandler: (MiniportAdapterContext: unknown) => void | Promise<void>;
  /** MiniportAllocateComplete, at DISPATCH_LEVEL. */
  readonly AllocateCompleteHandler?: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE | null;
}

/**
 * Register an NDIS 5 miniport. PASSIVE_LEVEL, from DriverEntry. The wrapper handle of NDIS 5 is the driver object here.
 *
 * SUCCESS, BAD_VERSION (not 5.x), BAD_CHARACTERISTICS (a handler is missing). Violations: WRONG_IRQL, those of handles.
 */
export function NdisMRegisterMiniport(
  NdisWrapperHandle: DriverObjectHandle,
  MiniportCharacteristics: NDIS_MINIPORT_CHARACTERISTICS,
): NDIS_STATUS {
  const call = "NdisMRegisterMiniport";
  const object = enterRegistration(NdisWrapperHandle, call, "the wrapper handle, which is the driver object");
  if (object === null) return NDIS_STATUS_FAILURE;
  const { drivers, reporter } = environmentOf(object.machine);
  const table = MiniportCharacteristics;
  if (typeof table?.InitializeHandler !== "function" || typeof table.HaltHandler !== "function") {
    return NDIS_STATUS_BAD_CHARACTERISTICS;
  }
  if (table.MajorNdisVersion !== 5) return NDIS_STATUS_BAD_VERSION;
  const { InitializeHandler, HaltHandler, AllocateCompleteHandler = null } = table;
  const asSix = Object.freeze({
    Header: Object.freeze({
      Type: NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
      Revision: 1,
      Size: NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1,
    }),
    MajorNdisVersion: table.MajorNdisVersion,
    MinorNdisVersion: table.MinorNdisVersion,
    InitializeHandlerEx: (handle: AdapterHandle) => InitializeHandler(handle),
    HaltHandlerEx: (context: unknown) => HaltHandler(context),
  });
  const number = drivers.length + 1;
  const make = handles.DriverHandle.make;
  const driver = new DriverRecord(object.machine, make, number, object, asSix, null, true, AllocateCompleteHandler);
  drivers.push(driver);
  object.drivers.push(driver);
  if (reporter.log !== null) reporter.note(null, `${call} -> SUCCESS`);
  return NDIS_STATUS_SUCCESS;
}

/**
 * Tell NDIS about an NDIS 5 adapter. PASSIVE_LEVEL, in MiniportInitialize, before anything that claims DMA.
 * Violations: WRONG_IRQL, WRONG_CONTEXT (elsewhere; 0x7C/15 for a driver of NDIS 6), INVALID_ARGUMENT, and those of every
 * handle.
 */
export function NdisMSetAttributesEx(
  MiniportAdapterHandle: AdapterHandle,
  MiniportAdapterContext: unknown,
  CheckForHangTimeInSeconds: number,
  AttributeFlags: number,
  AdapterType: number,
): void {
  const call = "NdisMSetAttributesEx";
  const adapter = adapterOf(MiniportAdapterHandle, call);
  if (adapter === null) return;
  const { reporter } = adapter.machine;
  if (!requirePassive(reporter, adapter, call)) return;
  if (!adapter.driver.ndis5) {
    reporter.violate(adapter, {
      rule: "Ndis6CallsOnly",
      code: "WRONG_CONTEXT",
      call,
      message: `${call} is reserved for drivers of NDIS 5; this one registered for NDIS 6`,
      basis: "documented",
      bugCheck: ndis5Call(adapter),
    });
    return;
  }
  if (!isUnsigned32(AttributeFlags)) {
    refuseArgument(reporter, adapter, call, "AttributeFlags", AttributeFlags, "must be an integer from 0 to 2^32 - 1");
    return;
  }
  if (adapter.state !== INITIALIZING || adapter.attributes !== null) {
    reporter.violate(adapter, {
      rule: "AttributesInInitialize",
      code: "WRONG_CONTEXT",
      call,
      message: `attributes are set once, in MiniportInitialize; the adapter is ${stateName(adapter.state)}`,
    });
    return;
  }
  const busMaster = (AttributeFlags & NDIS_ATTRIBUTE_BUS_MASTER) !== 0;
  adapter.context = MiniportAdapterContext;
  adapter.attributes = {
    Header: { Type: 0x9e, Revision: 1, Size: 28 },
    MiniportAdapterContext,
    AttributeFlags: busMaster ? NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER : 0,
    CheckForHangTimeInSeconds,
    InterfaceType: AdapterType,
  };
  if (reporter.log !== null) reporter.note(adapter, call);
}

/**
 * DMA registration of NDIS 5. PASSIVE_LEVEL, in MiniportInitialize after the attributes. There is no deregistration.
 *
 * SUCCESS; NOT_SUPPORTED without BUS_MASTER or for an NDIS 6 driver; RESOURCES for a second one, or injected.
 */
export function NdisMInitializeScatterGatherDma(
  MiniportAdapterHandle: AdapterHandle,
  Dma64BitAddresses: boolean,
  MaximumPhysicalMapping: number,
): NDIS_STATUS {
  const call = "NdisMInitializeScatterGatherDma";
  const adapter = adapterOf(MiniportAdapterHandle, call);
  if (adapter === null) return NDIS_STATUS_FAILURE;
  const status = initialize(adapter, Dma64BitAddresses, MaximumPhysicalMapping, call);
  const { reporter } = adapter.machine;
  if (reporter.log !== null) reporter.note(adapter, `${call} -> ${statusName(status)}`);
  return status;
}

function initialize(adapter: AdapterRecord, wide: boolean, mapping: number, call: string): NDIS_STATUS {
  const { reporter } = adapter.machine;
  if (!requirePassive(reporter, adapter, call)) return NDIS_STATUS_FAILURE;
  if (!requireBoolean(adapter, call, "Dma64BitAddresses", wide)) return NDIS_STATUS_FAILURE;
  if (!adapter.driver.ndis5 || !adapter.busMaster) return NDIS_STATUS_NOT_SUPPORTED;
  if (adapter.dma !== null) return NDIS_STATUS_RESOURCES;
  if (environmentOf(adapter.machine).faults?.strikes("registration", adapter.number, 0) === true)
    return NDIS_STATUS_RESOURCES;
  registerDma(adapter, new DmaRecord(wide, mapping, adapter.driver.allocateComplete, null));
  return NDIS_STATUS_SUCCESS;
}

/**
 * The asynchronous request of NDIS 5. Up to DISPATCH_LEVEL; statuses as NdisMAllocateSharedMemoryAsyncEx.
 *
 * The completion: an NDIS 5 driver's AllocateCompleteHandler at DISPATCH_LEVEL; an NDIS 6 driver's
 * SharedMemAllocateCompleteHandler, at the level of choice C40. Violations as AsyncEx, with NOT_REGISTERED before the
 * DMA registration.
 */
export function NdisMAllocateSharedMemoryAsync(
  MiniportAdapterHandle: AdapterHandle,
  Length: number,
  Cached: boolean,
  Context: unknown,
): NDIS_STATUS {
  const call = "NdisMAllocateSharedMemoryAsync";
  const adapter = adapterOf(MiniportAdapterHandle, call);
  if (adapter === null) return NDIS_STATUS_FAILURE;
  const { dma, machine } = adapter;
  const { reporter } = machine;
  if (dma === null) {
    reporter.violate(adapter, {
      rule: "RegisterBeforeUse",
      code: "NOT_REGISTERED",
      call,
      message: "the DMA registration comes first",
      basis: "documented",
    });
    return NDIS_STATUS_FAILURE;
  }
  const atDispatch = adapter.driver.ndis5 || reporter.choices.ndis6CallsNdis5Async === "dispatch";
  const target = atDispatch ? dma.completionsAtDispatch : dma.completions;
  return requestShared(adapter, target, call, Length, Cached, Context);
}

/** Does nothing on current systems. Up to DISPATCH_LEVEL. */
export function NdisMUpdateSharedMemory(
  MiniportAdapterHandle: AdapterHandle,
  _Length: number,
  _VirtualAddress: PVOID,
  _PhysicalAddress: NDIS_PHYSICAL_ADDRESS,
): void {
  const call = "NdisMUpdateSharedMemory";
  const adapter = adapterOf(MiniportAdapterHandle, call);
  if (adapter !== null) requireAtMostDispatch(adapter.machine.reporter, adapter, call);
}
