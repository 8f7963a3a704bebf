/**
 * Drivers: NdisMRegisterMiniportDriver and its opposite.
 *
 * A driver is a table of handlers that NDIS copies. Adapters come later, one for each device, after DriverEntry has
 * returned: the machine sees to that.
 */
import { environmentOf } from "../dispatch/environment.js";
import type { DriverHandle, DriverObjectHandle } from "../documented/handles.js";
import { PASSIVE_LEVEL } from "../documented/irql.js";
import {
  type NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
  NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1,
  NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
  NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3,
} from "../documented/miniport.js";
import { NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS } from "../documented/object-header.js";
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
import { HALTED } from "../records/adapter.js";
import { type DriverObjectRecord, DriverRecord } from "../records/driver.js";
import * as handles from "../records/handles.js";
import type { Callbacks } from "../verifier/callbacks.js";
import { driverOf, headerIsKnown, judgeStatus, refuseHandle, requirePassive } from "../verifier/checks.js";

/** What NdisMRegisterMiniportDriver returns (deviation 1). */
export interface RegisterMiniportDriverResult {
  /** SUCCESS, BAD_CHARACTERISTICS, BAD_VERSION, RESOURCES, FAILURE, or the status of SetOptionsHandler. */
  readonly Status: NDIS_STATUS;
  /** The driver's handle; null on any failure. */
  readonly NdisMiniportDriverHandle: DriverHandle | null;
}

/** Minor versions of NDIS 6 that the page of the structure, and the header, know. */
const MINOR_VERSIONS: readonly number[] = [0, 1, 20, 30, 40, 50, 51, 60, 70, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89];
/** Bytes on x64 of each revision of the table. */
const TABLE_BYTES: readonly number[] = [
  NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1,
  NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_2,
  NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_3,
];

function refusal(Status: NDIS_STATUS): RegisterMiniportDriverResult {
  return { Status, NdisMiniportDriverHandle: null };
}

/**
 * Register a driver's table. PASSIVE_LEVEL, from DriverEntry. SetOptionsHandler runs inside the call.
 *
 * SUCCESS with a handle; BAD_CHARACTERISTICS for a header that is not one of this structure, whose revision NDIS does not
 * know or whose size is too small for it, or a table without InitializeHandlerEx or HaltHandlerEx; BAD_VERSION for a
 * version that is none of NDIS 6; RESOURCES by an injected fault; the status of SetOptionsHandler where that fails.
 * Violations: WRONG_IRQL, WRONG_CONTEXT (outside DriverEntry), NULL_ADAPTER, WRONG_HANDLE, INVALID_ARGUMENT (what
 * SetOptionsHandler returned).
 */
export function NdisMRegisterMiniportDriver(
  DriverObject: DriverObjectHandle,
  RegistryPath: string,
  MiniportDriverContext: unknown,
  MiniportDriverCharacteristics: NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
): RegisterMiniportDriverResult {
  const call = "NdisMRegisterMiniportDriver";
  const object = enterRegistration(DriverObject, call, "the driver object of DriverEntry");
  if (object === null) return refusal(NDIS_STATUS_FAILURE);
  const { reporter } = object.machine;
  const result = register(object, MiniportDriverContext, MiniportDriverCharacteristics);
  if (reporter.log !== null) reporter.note(null, `${call} ${RegistryPath} -> ${statusName(result.Status)}`);
  return result;
}

/** What the registrations of NDIS 5 and 6 check alike: the driver object, the level, and that DriverEntry runs. */
export function enterRegistration(handle: unknown, call: string, wanted: string): DriverObjectRecord | null {
  const object = handles.DriverObjectHandle.recordOf(handle);
  if (object === undefined) return refuseHandle(handle, call, wanted);
  const { reporter } = object.machine;
  reporter.step++;
  reporter.assertAlive();
  if (!requirePassive(reporter, null, call)) return null;
  if (object.state === "loading") return object;
  reporter.violate(null, {
    rule: "RegisterInDriverEntry",
    code: "WRONG_CONTEXT",
    call,
    message: `${call} is called from DriverEntry; the DriverEntry of ${object.name} has returned`,
    basis: "documented",
  });
  return null;
}

function register(
  object: DriverObjectRecord,
  context: unknown,
  table: NDIS_MINIPORT_DRIVER_CHARACTERISTICS,
): RegisterMiniportDriverResult {
  const environment = environmentOf(object.machine);
  const { callbacks, reporter } = environment;
  const known =
    typeof table === "object" &&
    table !== null &&
    table.Header?.Type === NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS &&
    headerIsKnown(reporter, table.Header, TABLE_BYTES);
  if (!known || typeof table.InitializeHandlerEx !== "function" || typeof table.HaltHandlerEx !== "function") {
    return refusal(NDIS_STATUS_BAD_CHARACTERISTICS);
  }
  if (table.MajorNdisVersion !== 6 || !MINOR_VERSIONS.includes(table.MinorNdisVersion))
    return refusal(NDIS_STATUS_BAD_VERSION);
  if (environment.faults?.strikes("registration", 0, 0) === true) return refusal(NDIS_STATUS_RESOURCES);
  const copy = Object.freeze(Object.assign({}, table));
  const driver = new DriverRecord(
    environment,
    handles.DriverHandle.make,
    environment.drivers.length + 1,
    object,
    copy,
    context,
  );
  environment.drivers.push(driver);
  object.drivers.push(driver);
  const status = setOptions(callbacks, driver);
  if (status !== NDIS_STATUS_SUCCESS) {
    driver.registered = false;
    return refusal(status);
  }
  return { Status: NDIS_STATUS_SUCCESS, NdisMiniportDriverHandle: driver.handle };
}

const SET_OPTIONS = "MiniportSetOptions";

/** Call the driver's SetOptions handler, inside the registration. */
function setOptions(callbacks: Callbacks, driver: DriverRecord): NDIS_STATUS {
  const handler = driver.characteristics.SetOptionsHandler ?? null;
  if (handler === null) return NDIS_STATUS_SUCCESS;
  const { reporter } = callbacks;
  let value: unknown;
  let failed = false;
  let levelAfter = PASSIVE_LEVEL;
  driver.inSetOptions = true;
  callbacks.enter(SET_OPTIONS, null, PASSIVE_LEVEL);
  try {
    value = handler(driver.handle, driver.context);
  } catch (error) {
    failed = true;
    reporter.contain(null, SET_OPTIONS, error);
  } finally {
    levelAfter = callbacks.leave();
    driver.inSetOptions = false;
  }
  callbacks.checkLevel(null, SET_OPTIONS, PASSIVE_LEVEL, levelAfter);
  return judgeStatus(reporter, null, SET_OPTIONS, value, failed, SET_OPTIONS_STATUSES);
}

/** What SET_OPTIONS may return. Source: its page. */
const SET_OPTIONS_STATUSES: readonly NDIS_STATUS[] = [
  NDIS_STATUS_SUCCESS,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_FAILURE,
];

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
