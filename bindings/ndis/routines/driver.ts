/**
 * Drivers: NdisMRegisterMiniportDriver and its opposite.
 *
 * A driver is a table of handlers that NDIS copies. Adapters come later, one for each device, after DriverEntry has
 * returned: the machine sees to that.
 */

import type { NdisEnvironment } from "../dispatch/environment.js";
import {
  type NDIS_STATUS,
  NDIS_STATUS_BAD_CHARACTERISTICS,
  NDIS_STATUS_BAD_VERSION,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  statusName,
} from "../documented/status.js";
import {
  type MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE,
  type NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
  NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
  type NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS,
} from "../documented/structures.js";
import { DriverHandle, DriverObjectHandle } from "../records/handles.js";
import { driverOf, refuseHandle, requirePassive } from "../verifier/checks.js";
import type { AdapterRecord } from "./attributes.js";

/** What NDIS keeps of a driver. */
export class DriverRecord {
  readonly environment: NdisEnvironment;
  readonly object: DriverObjectHandle;
  readonly characteristics: NDIS_MINIPORT_DRIVER_CHARACTERISTICS;
  readonly context: unknown;
  readonly handle: DriverHandle;
  readonly adapters: AdapterRecord[] = [];
  /** Registered by the NDIS 5 calls (see `ndis5.ts`). */
  readonly ndis5: boolean;
  /** NDIS 5: MiniportAllocateComplete of the characteristics. */
  readonly allocateComplete: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE | null;
  /** Registered with NdisSetOptionalHandlers. */
  provider: NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS | null = null;
  registered = true;

  constructor(
    environment: NdisEnvironment,
    object: DriverObjectHandle,
    characteristics: NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
    context: unknown,
    ndis5 = false,
    allocateComplete: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE | null = null,
  ) {
    this.environment = environment;
    this.object = object;
    this.characteristics = characteristics;
    this.context = context;
    this.ndis5 = ndis5;
    this.allocateComplete = allocateComplete;
    this.handle = new DriverHandle(this);
  }

  /** True from NDIS `major.minor` on. */
  declares(major: number, minor: number): boolean {
    const { MajorNdisVersion, MinorNdisVersion } = this.characteristics;
    return MajorNdisVersion > major || (MajorNdisVersion === major && MinorNdisVersion >= minor);
  }
}

export interface RegisterMiniportDriverResult {
  readonly Status: NDIS_STATUS;
  readonly NdisMiniportDriverHandle: DriverHandle | null;
}

function refusal(Status: NDIS_STATUS): RegisterMiniportDriverResult {
  return { Status, NdisMiniportDriverHandle: null };
}

/**
 * Register a driver's table. PASSIVE_LEVEL, from DriverEntry. SetOptionsHandler runs inside the call.
 *
 * SUCCESS with a handle; BAD_CHARACTERISTICS for a header that is not one of this structure or a table without
 * InitializeHandlerEx or HaltHandlerEx; BAD_VERSION for a major version other than 6; RESOURCES by an injected fault;
 * the status of SetOptionsHandler where that fails. Violations: WRONG_IRQL, NULL_ADAPTER, WRONG_HANDLE.
 */
export function NdisMRegisterMiniportDriver(
  DriverObject: DriverObjectHandle,
  RegistryPath: string,
  MiniportDriverContext: unknown,
  MiniportDriverCharacteristics: NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
): RegisterMiniportDriverResult {
  const call = "NdisMRegisterMiniportDriver";
  const environment = DriverObjectHandle.environmentOf(DriverObject);
  if (environment === undefined) {
    refuseHandle(DriverObject, call, "the driver object of DriverEntry");
    return refusal(NDIS_STATUS_FAILURE);
  }
  environment.step++;
  environment.assertAlive();
  if (!requirePassive(environment, null, call)) return refusal(NDIS_STATUS_FAILURE);
  const result = register(environment, DriverObject, MiniportDriverContext, MiniportDriverCharacteristics);
  if (environment.log !== null) environment.note(null, `${call} ${RegistryPath} -> ${statusName(result.Status)}`);
  return result;
}

function register(
  environment: NdisEnvironment,
  object: DriverObjectHandle,
  context: unknown,
  table: NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
): RegisterMiniportDriverResult {
  if (
    typeof table !== "object" ||
    table === null ||
    table.Header?.Type !== NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS ||
    typeof table.InitializeHandlerEx !== "function" ||
    typeof table.HaltHandlerEx !== "function"
  ) {
    return refusal(NDIS_STATUS_BAD_CHARACTERISTICS);
  }
  if (table.MajorNdisVersion !== 6 || !Number.isInteger(table.MinorNdisVersion))
    return refusal(NDIS_STATUS_BAD_VERSION);
  if (environment.faults?.strikes("registration", 0, 0) === true) return refusal(NDIS_STATUS_RESOURCES);
  const driver = new DriverRecord(environment, object, Object.freeze(Object.assign({}, table)), context);
  environment.drivers.push(driver);
  const status = table.SetOptionsHandler?.(driver.handle, context) ?? NDIS_STATUS_SUCCESS;
  if (status !== NDIS_STATUS_SUCCESS) {
    driver.registered = false;
    return refusal(status);
  }
  return { Status: NDIS_STATUS_SUCCESS, NdisMiniportDriverHandle: driver.handle };
}

/**
 * Take the registration back. PASSIVE_LEVEL, from the unload routine, or from DriverEntry when a later step fails.
 *
 * Violations: WRONG_IRQL, NULL_ADAPTER, WRONG_HANDLE, ADAPTER_GONE (done before), WRONG_CONTEXT (adapters are not halted).
 */
export function NdisMDeregisterMiniportDriver(NdisMiniportDriverHandle: DriverHandle): void {
  const call = "NdisMDeregisterMiniportDriver";
  const driver = driverOf(NdisMiniportDriverHandle, call);
  if (driver === null) return;
  const { environment } = driver;
  if (!requirePassive(environment, null, call)) return;
  const started = driver.adapters.filter((adapter) => adapter.state !== 0);
  if (started.length > 0) {
    environment.violate(started[0] ?? null, {
      rule: "HaltBeforeUnload",
      code: "WRONG_CONTEXT",
      call,
      message: `${started.length} adapters of the driver are not halted: ${started.map((one) => one.name).join(", ")}`,
    });
    return;
  }
  driver.registered = false;
  if (environment.log !== null) environment.note(null, call);
}
