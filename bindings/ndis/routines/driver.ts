/**
 * Drivers: NdisMRegisterMiniportDriver and its opposite.
 *
 * A driver is a table of handlers that NDIS copies. Adapters come later, one for each device, after DriverEntry has
 * returned: the machine sees to that.
 */
import { environmentOf, type NdisEnvironment } from "../dispatch/environment.js";
import type { DriverHandle, DriverObjectHandle } from "../documented/handles.js";
import type { NDIS_MINIPORT_DRIVER_CHARACTERISTICS } from "../documented/miniport.js";
import { NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS } from "../documented/object-header.js";
import {
  type NDIS_STATUS,
  NDIS_STATUS_BAD_CHARACTERISTICS,
  NDIS_STATUS_BAD_VERSION,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  statusName,
} from "../documented/status.js";
import { HALTED } from "../records/adapter.js";
import { DriverRecord } from "../records/driver.js";
import * as handles from "../records/handles.js";
import { driverOf, refuseHandle, requirePassive } from "../verifier/checks.js";

/** What NdisMRegisterMiniportDriver returns (deviation 1). */
export interface RegisterMiniportDriverResult {
  /** SUCCESS, BAD_CHARACTERISTICS, BAD_VERSION, RESOURCES, FAILURE, or the status of SetOptionsHandler. */
  readonly Status: NDIS_STATUS;
  /** The driver's handle; null on any failure. */
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
  const machine = handles.DriverObjectHandle.machineOf(DriverObject);
  if (machine === undefined) {
    refuseHandle(DriverObject, call, "the driver object of DriverEntry");
    return refusal(NDIS_STATUS_FAILURE);
  }
  const environment = environmentOf(machine);
  const { reporter } = environment;
  reporter.step++;
  reporter.assertAlive();
  if (!requirePassive(reporter, null, call)) return refusal(NDIS_STATUS_FAILURE);
  const result = register(environment, DriverObject, MiniportDriverContext, MiniportDriverCharacteristics);
  if (reporter.log !== null) reporter.note(null, `${call} ${RegistryPath} -> ${statusName(result.Status)}`);
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
  const driver = new DriverRecord(
    environment,
    handles.DriverHandle.make,
    object,
    Object.freeze(Object.assign({}, table)),
    context,
  );
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
  const { adapters, reporter } = environmentOf(driver.machine);
  if (!requirePassive(reporter, null, call)) return;
  const started = adapters.filter((adapter) => adapter.driver === driver && adapter.state !== HALTED);
  if (started.length > 0) {
    reporter.violate(started[0] ?? null, {
      rule: "HaltBeforeUnload",
      code: "WRONG_CONTEXT",
      call,
      message: `${started.length} adapters of the driver are not halted: ${started.map((one) => one.name).join(", ")}`,
    });
    return;
  }
  driver.registered = false;
  if (reporter.log !== null) reporter.note(null, call);
}
