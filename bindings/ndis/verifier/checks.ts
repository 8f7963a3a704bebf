/**
 * The checks that open every routine: which handle, which machine, which level, which arguments.
 *
 * Each returns what the routine needs, or null (false) after the violation was recorded and the policy lets the call
 * return its failure value. None changes anything but the step counter.
 */
import { isAddress } from "../../addresses.js";
import { describeValue } from "../../values.js";
import { irqlName } from "../documented/irql.js";
import type { NDIS_OBJECT_HEADER } from "../documented/object-header.js";
import { type NDIS_STATUS, NDIS_STATUS_FAILURE, statusName } from "../documented/status.js";
import { type AdapterRecord, HALTED, SHUTDOWN } from "../records/adapter.js";
import type { DriverRecord } from "../records/driver.js";
import {
  AdapterHandle,
  DmaHandle,
  DriverHandle,
  handleKind,
  isHandle,
  machineOfHandle,
  type RegisteredDma,
} from "../records/handles.js";
import type { Machine, Named, Reporter, Violation } from "../records/reporter.js";
import * as bugChecks from "./bug-checks.js";
import { runningCallbacks } from "./callbacks.js";
import { ViolationError } from "./violation-error.js";

/** The adapter of an adapter handle that may still be used. What can be wrong is kept out of line: frees come this way. */
export function adapterOf(handle: unknown, call: string): AdapterRecord | null {
  const adapter = AdapterHandle.recordOf(handle);
  if (adapter === undefined) return refuseHandle(handle, call, "a miniport adapter handle");
  const { reporter } = adapter.machine;
  reporter.step++;
  return adapter.state !== HALTED && adapter.state !== SHUTDOWN && mayRun(reporter)
    ? adapter
    : lateAdapter(adapter, call);
}

/** The registration of a DMA handle that may still be used, and its adapter. */
export function dmaOf(handle: unknown, call: string): RegisteredDma | null {
  const registered = DmaHandle.recordOf(handle);
  if (registered === undefined) return refuseHandle(handle, call, "a miniport DMA handle");
  const { adapter, dma } = registered;
  const { reporter } = adapter.machine;
  reporter.step++;
  if (adapter.state !== HALTED && adapter.state !== SHUTDOWN && !dma.released && mayRun(reporter)) return registered;
  reporter.assertAlive();
  if (dma.released) return gone(adapter, call, "the DMA handle has been deregistered");
  return lateAdapter(adapter, call) === null ? null : registered;
}

/** Not stopped by a bug check, and no other machine's code is running. */
function mayRun(reporter: Reporter): boolean {
  const running = runningCallbacks();
  return reporter.poisoned === null && (running === undefined || running.reporter === reporter);
}

/**
 * An adapter that is halted or shut down, or of another machine. Inside MiniportShutdownEx at PASSIVE_LEVEL the calls that
 * its page allows go on; afterwards nothing does.
 */
function lateAdapter(adapter: AdapterRecord, call: string): AdapterRecord | null {
  const { reporter } = adapter.machine;
  reporter.assertAlive();
  if (adapter.state === HALTED) return gone(adapter, call, "the adapter has been halted");
  const running = runningCallbacks();
  if (running !== undefined && running.reporter !== reporter) return otherMachine(adapter.machine, call);
  if (running?.call === "MiniportShutdownEx" && running.adapter === adapter) return adapter;
  refuseInShutdown(adapter, call);
  return null;
}

/** The driver of a driver handle that may still be used. */
export function driverOf(handle: unknown, call: string): DriverRecord | null {
  const driver = DriverHandle.recordOf(handle);
  if (driver === undefined) return refuseHandle(handle, call, "a miniport driver handle");
  const { reporter } = driver.machine;
  reporter.step++;
  reporter.assertAlive();
  if (!driver.registered) {
    reporter.violate(null, {
      rule: "HandleIsLive",
      code: "ADAPTER_GONE",
      call,
      message: "the driver handle has been deregistered",
      unit: "handle",
    });
    return null;
  }
  return driver;
}

/** A handle that is none, or of another kind. Always null when it returns. */
export function refuseHandle(handle: unknown, call: string, wanted: string): null {
  const kind = handleKind(handle);
  const absent = handle === null || handle === undefined;
  const code = absent ? "NULL_ADAPTER" : isHandle(handle) ? "WRONG_HANDLE" : "INVALID_ARGUMENT";
  const adapter = DmaHandle.recordOf(handle)?.adapter ?? AdapterHandle.recordOf(handle) ?? null;
  const message = `${call} wants ${wanted} and was given ${kind}${hint(call)}`;
  const finding = {
    rule: absent ? "NullCheck" : "HandleKind",
    code,
    call,
    message,
    unit: "handle",
    ...(absent ? { bugCheck: bugChecks.nullHandle() } : {}),
  } as const;
  const running = runningCallbacks();
  const reporter = running?.reporter ?? machineOfHandle(handle)?.reporter;
  if (reporter === undefined) {
    const violation: Violation = {
      ...finding,
      basis: "choice",
      severity: "violation",
      adapter: "",
      step: 0,
      irql: 0,
    };
    throw new ViolationError(violation);
  }
  reporter.step++;
  reporter.assertAlive();
  reporter.violate(adapter ?? running?.adapter ?? null, finding);
  return null;
}

/** The pair that drivers mix up most: the memory comes through one handle and goes back through the other. */
function hint(call: string): string {
  return call === "NdisMFreeSharedMemory" || call === "NdisMAllocateSharedMemoryAsyncEx"
    ? " (NdisMAllocateSharedMemoryAsyncEx takes the DMA handle, NdisMFreeSharedMemory the adapter handle)"
    : "";
}

function gone(adapter: AdapterRecord, call: string, message: string): null {
  adapter.machine.reporter.violate(adapter, {
    rule: "HandleIsLive",
    code: "ADAPTER_GONE",
    call,
    message,
    unit: "handle",
    bugCheck: bugChecks.releasedHandle(adapter),
  });
  return null;
}

/** Reported on the machine whose code runs; on the handle's own where none does. */
function otherMachine(machine: Machine, call: string): null {
  const running = runningCallbacks();
  const reporter = running?.reporter ?? machine.reporter;
  reporter.step++;
  reporter.violate(running?.adapter ?? null, {
    rule: "HandleIsOfThisMachine",
    code: "WRONG_OWNER",
    call,
    message: "the handle belongs to an adapter of another machine",
    unit: "handle",
  });
  return null;
}

/** SDV rule NdisMFreeSharedMemory, and our extension of it to the other calls. Always false when it returns. */
export function refuseInShutdown(adapter: AdapterRecord, call: string, address: unknown = null): boolean {
  const free = call === "NdisMFreeSharedMemory";
  adapter.machine.reporter.violate(adapter, {
    rule: free ? "NdisMFreeSharedMemory" : "NothingInShutdown",
    code: "WRONG_CONTEXT",
    call,
    message: `${call} must not be called in MiniportShutdownEx, or after it`,
    basis: free ? "documented" : "choice",
    ...(isAddress(address) ? { address } : {}),
  });
  return false;
}

const GATHER = "Irql_Gather_DMA_Function";
const MINIPORT = "Irql_Miniport_Driver_Function";

/** SDV rule that covers the level of a routine. */
function levelRule(call: string): string {
  switch (call) {
    case "NdisMAllocateSharedMemoryAsyncEx":
    case "NdisMAllocateNetBufferSGList":
    case "NdisMFreeNetBufferSGList":
    case "NdisMRegisterScatterGatherDma":
    case "NdisMDeregisterScatterGatherDma":
      return GATHER;
    default:
      return MINIPORT;
  }
}

/** Demand PASSIVE_LEVEL. At APC_LEVEL choice C2 decides; above, the bug check. */
export function requirePassive(
  reporter: Reporter,
  adapter: AdapterRecord | null,
  call: string,
  lengthBytes: number | null = null,
): boolean {
  const { current } = reporter.irql;
  if (current === 0) return true;
  const synchronous = lengthBytes !== null && adapter !== null;
  const report = current === 1 && reporter.choices.apcWherePassive === "report";
  reporter.violate(adapter, {
    rule: levelRule(call),
    code: "WRONG_IRQL",
    call,
    message: `${call} may be called at PASSIVE_LEVEL only, not at ${irqlName(current)}`,
    value: current,
    unit: "IRQL",
    basis: report || (synchronous && current >= 2) ? "documented" : "choice",
    ...(report
      ? { severity: "rule" as const }
      : {
          bugCheck: synchronous
            ? bugChecks.allocateAtHighIrql(adapter, lengthBytes, current)
            : bugChecks.differsFromExpected(0, current),
        }),
  });
  return report;
}

/** Demand DISPATCH_LEVEL or below. */
export function requireAtMostDispatch(reporter: Reporter, adapter: AdapterRecord | null, call: string): boolean {
  const { current } = reporter.irql;
  if (current <= 2) return true;
  reporter.violate(adapter, {
    rule: levelRule(call),
    code: "WRONG_IRQL",
    call,
    message: `${call} may be called up to DISPATCH_LEVEL, not at ${irqlName(current)}`,
    value: current,
    unit: "IRQL",
    bugCheck: bugChecks.aboveMaximum(2, current),
  });
  return false;
}

/** Demand DISPATCH_LEVEL exactly. */
export function requireDispatch(reporter: Reporter, adapter: Named | null, call: string): boolean {
  const { current } = reporter.irql;
  if (current === 2) return true;
  reporter.violate(adapter, {
    rule: levelRule(call),
    code: "WRONG_IRQL",
    call,
    message: `${call} may be called at DISPATCH_LEVEL only, not at ${irqlName(current)}`,
    value: current,
    unit: "IRQL",
    bugCheck: bugChecks.differsFromExpected(2, current),
  });
  return false;
}

/** Demand a Length: an integer from 1 to 2^32 - 1. Length 0 is choice C16. */
export function requireLength(adapter: AdapterRecord, call: string, length: unknown): length is number {
  if (typeof length === "number" && length > 0 && length <= 0xffffffff && Number.isInteger(length)) return true;
  const { reporter } = adapter.machine;
  if (length === 0) {
    if (reporter.choices.zeroLength === "fail") return false;
    reporter.violate(adapter, {
      rule: "LengthIsPositive",
      code: "INVALID_ARGUMENT",
      call,
      message: "Length is 0",
      field: "Length",
      value: length,
      unit: "bytes",
      bugCheck: bugChecks.zeroLength(),
    });
    return false;
  }
  reporter.violate(adapter, {
    rule: "ArgumentsAreValid",
    code: "INVALID_ARGUMENT",
    call,
    message: `Length must be an integer from 1 to 2^32 - 1, got ${describeValue(length)}`,
    field: "Length",
    value: length,
    unit: "bytes",
  });
  return false;
}

/** Demand a BOOLEAN. */
export function requireBoolean(adapter: AdapterRecord, call: string, field: string, value: unknown): value is boolean {
  if (typeof value === "boolean") return true;
  adapter.machine.reporter.violate(adapter, {
    rule: "ArgumentsAreValid",
    code: "INVALID_ARGUMENT",
    call,
    message: `${field} must be true or false, got ${describeValue(value)}`,
    field,
    value,
  });
  return false;
}

/** An unsigned 32-bit integer. */
export function isUnsigned32(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
}

/** Report an argument that the page does not allow. `rule`: what is allowed, for example `must be true or false`. */
export function refuseArgument(
  reporter: Reporter,
  adapter: Named | null,
  call: string,
  field: string,
  value: unknown,
  rule: string,
  unit = "",
): void {
  reporter.violate(adapter, {
    rule: "ArgumentsAreValid",
    code: "INVALID_ARGUMENT",
    call,
    message: `${field} ${rule}, got ${describeValue(value)}`,
    field,
    value,
    ...(unit === "" ? {} : { unit }),
  });
}

/**
 * Revision and size of a header (choice C1): true where NDIS knows it. `sizes`: bytes of each revision, from 1.
 * `mayBeExact`: false where `sizes` are lower bounds only, so that the choice `exact` cannot apply.
 */
export function headerIsKnown(
  reporter: Reporter,
  header: NDIS_OBJECT_HEADER,
  sizes: readonly number[],
  mayBeExact = true,
): boolean {
  const wanted = sizes[header.Revision - 1];
  if (wanted === undefined) return false;
  return mayBeExact && reporter.choices.headerSize === "exact" ? header.Size === wanted : header.Size >= wanted;
}

/**
 * Write an out field into a structure of the caller's. False where the structure does not take it (frozen, sealed, a proxy
 * that refuses): reported, and the call is to fail with nothing done.
 */
export function writeOut(
  reporter: Reporter,
  adapter: Named | null,
  call: string,
  structure: object,
  field: string,
  value: unknown,
): boolean {
  let written = false;
  try {
    written = Reflect.set(structure, field, value);
  } catch {
    // A setter of the caller's threw: the field is as unwritable as that of a frozen object.
  }
  if (written) return true;
  refuseArgument(reporter, adapter, call, field, structure, "is written by NDIS, and the structure does not allow it");
  return false;
}

/**
 * The status that a handler of the driver's returned, where it is one that the handler's page allows; FAILURE otherwise,
 * after the violation at that handler. `failed`: the handler threw, which is reported elsewhere.
 */
export function judgeStatus(
  reporter: Reporter,
  adapter: Named | null,
  call: string,
  value: unknown,
  failed: boolean,
  allowed: readonly NDIS_STATUS[],
): NDIS_STATUS {
  if (failed) return NDIS_STATUS_FAILURE;
  if (typeof value === "number" && (allowed as readonly number[]).includes(value)) return value as NDIS_STATUS;
  const names = allowed.map(statusName).join(", ");
  const got = typeof value === "number" && Number.isInteger(value) ? statusName(value) : describeValue(value);
  reporter.violate(adapter, {
    rule: "HandlerReturnsItsStatus",
    code: "INVALID_ARGUMENT",
    call,
    message: `${call} returned ${got}; its page allows ${names}`,
    field: "Status",
    value,
    unit: "status",
  });
  return NDIS_STATUS_FAILURE;
}
