/**
 * The lifecycle as NDIS drives it: what must hold when an adapter comes and goes.
 *
 * The machine calls these around the driver's handlers; drivers never do. When initialize fails, or halt is through,
 * nothing may be outstanding: pending requests (choice C4), live blocks (choice C32), a DMA registration (SDV rule
 * Init_RegisterSG). All of it is recorded before the first of it is raised. Blocks that leaked stay allocated, so that
 * they can be looked at, until `forceRelease`.
 */
import { describeValue } from "../../values.js";
import {
  NDIS_MINIPORT_ATTRIBUTES_REGISTER_BUGCHECK_CALLBACK,
  type NDIS_MINIPORT_INIT_PARAMETERS,
  NDIS_MINIPORT_INIT_PARAMETERS_REVISION_1,
  type NDIS_MINIPORT_PAUSE_PARAMETERS,
  NDIS_MINIPORT_PAUSE_PARAMETERS_REVISION_1,
  type NDIS_MINIPORT_RESTART_PARAMETERS,
  NDIS_MINIPORT_RESTART_PARAMETERS_REVISION_1,
  NDIS_SIZEOF_MINIPORT_INIT_PARAMETERS_REVISION_1,
  NDIS_SIZEOF_MINIPORT_PAUSE_PARAMETERS_REVISION_1,
  NDIS_SIZEOF_MINIPORT_RESTART_PARAMETERS_REVISION_1,
} from "../documented/miniport.js";
import { NDIS_OBJECT_TYPE_DEFAULT, NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS } from "../documented/object-header.js";
import {
  type NDIS_STATUS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_NOT_ACCEPTED,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  statusName,
} from "../documented/status.js";
import { freeAllocation } from "../memory/provider-memory.js";
import {
  type AdapterLimits,
  AdapterRecord,
  type AdapterState,
  HALTED,
  HALTING,
  INITIALIZING,
  PAUSED,
  PAUSING,
  RESTARTING,
  RUNNING,
  SHUTDOWN,
  stateName,
  type Transition,
} from "../records/adapter.js";
import { DriverObjectRecord, type DriverRecord } from "../records/driver.js";
import { AdapterHandle, DriverObjectHandle } from "../records/handles.js";
import type { Finding, LiveBlock, Reporter, Violation } from "../records/reporter.js";
import type { AdapterServices } from "../records/services.js";
import { ADAPTER_LIMIT } from "../records/tag.js";
import * as bugChecks from "../verifier/bug-checks.js";
import { counted, listBlocks, listRequests } from "../verifier/wording.js";
import { environmentOf, type NdisEnvironment } from "./environment.js";

/** Make an adapter of a driver. It is Halted until `beginInitialize`. `RangeError` after 2^30 - 1 adapters of one machine. */
export function addAdapter(
  driver: DriverRecord,
  name: string,
  limits: AdapterLimits,
  makeServices: (adapter: AdapterRecord) => AdapterServices,
): AdapterRecord {
  const { adapters } = environmentOf(driver.machine);
  const number = adapters.length + 1;
  if (number > ADAPTER_LIMIT) throw new RangeError(`one machine can have ${ADAPTER_LIMIT} adapters`);
  const adapter = new AdapterRecord(driver.machine, driver, number, name, limits, AdapterHandle.make, makeServices);
  adapters.push(adapter);
  return adapter;
}

/** Change the state, with a line in the log. */
export function setState(adapter: AdapterRecord, state: AdapterState): void {
  const environment = environmentOf(adapter.machine);
  adapter.state = state;
  environment.reporter.step++;
  if (environment.reporter.log !== null) environment.reporter.note(adapter, stateName(state));
}

/** What the handlers of the lifecycle are told, with the headers that their pages give them. */
export const INIT_PARAMETERS: NDIS_MINIPORT_INIT_PARAMETERS = Object.freeze({
  Header: Object.freeze({
    Type: NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS,
    Revision: NDIS_MINIPORT_INIT_PARAMETERS_REVISION_1,
    Size: NDIS_SIZEOF_MINIPORT_INIT_PARAMETERS_REVISION_1,
  }),
  Flags: 0,
});
export const PAUSE_PARAMETERS: NDIS_MINIPORT_PAUSE_PARAMETERS = Object.freeze({
  Header: Object.freeze({
    Type: NDIS_OBJECT_TYPE_DEFAULT,
    Revision: NDIS_MINIPORT_PAUSE_PARAMETERS_REVISION_1,
    Size: NDIS_SIZEOF_MINIPORT_PAUSE_PARAMETERS_REVISION_1,
  }),
  Flags: 0,
  PauseReason: 0,
});
export const RESTART_PARAMETERS: NDIS_MINIPORT_RESTART_PARAMETERS = Object.freeze({
  Header: Object.freeze({
    Type: NDIS_OBJECT_TYPE_DEFAULT,
    Revision: NDIS_MINIPORT_RESTART_PARAMETERS_REVISION_1,
    Size: NDIS_SIZEOF_MINIPORT_RESTART_PARAMETERS_REVISION_1,
  }),
  RestartAttributes: null,
  Flags: 0,
});

/** What an adapter has armed or connected when its halt, or its failing initialize, is through. */
export interface LeftArmed {
  readonly interrupt: boolean;
  /** Timers that are set. */
  readonly timers: number;
}

/** MiniportInitializeEx is about to be called. */
export function beginInitialize(adapter: AdapterRecord): void {
  setState(adapter, INITIALIZING);
}

/**
 * MiniportInitializeEx returned `value`, or `failed`: the status it stands for. On failure nothing may be outstanding,
 * and there will be no halt.
 */
export function endInitialize(adapter: AdapterRecord, value: unknown, failed: boolean, left: LeftArmed): NDIS_STATUS {
  const { reporter } = adapter.machine;
  const call = "MiniportInitializeEx";
  const found: Violation[] = [];
  const accepted = value === NDIS_STATUS_NOT_ACCEPTED || isFinalStatus(value);
  if (!failed && !accepted) found.push(reporter.record(adapter, undocumentedStatus(call, value)));
  const status = !failed && accepted ? (value as NDIS_STATUS) : NDIS_STATUS_FAILURE;
  if (reporter.log !== null) reporter.note(adapter, `${call} -> ${statusName(status)}`);
  if (status === NDIS_STATUS_SUCCESS) {
    setState(adapter, PAUSED);
    return status;
  }
  if (adapter.owesErrorLog) {
    found.push(
      reporter.record(adapter, {
        rule: "WriteErrorLog",
        code: "WRONG_CONTEXT",
        call,
        message: "initialize failed after shared memory was refused, and no error log entry was written",
        basis: "documented",
        severity: "warning",
      }),
    );
  }
  release(adapter, call, found, left);
  return status;
}

/** MiniportHaltEx is about to be called. */
export function beginHalt(adapter: AdapterRecord): void {
  setState(adapter, HALTING);
}

/** MiniportHaltEx is through: nothing may be outstanding. */
export function endHalt(adapter: AdapterRecord, left: LeftArmed): void {
  release(adapter, "MiniportHaltEx", [], left);
}

/** MiniportPause, or MiniportRestart, is about to be called. */
export function beginTransition(adapter: AdapterRecord, kind: Transition["kind"]): void {
  adapter.transition = { kind, status: null, completed: null };
  setState(adapter, kind === "pause" ? PAUSING : RESTARTING);
}

/**
 * The handler returned `value`. True where that is PENDING and the driver has not completed yet: `completed` will be told,
 * inside the driver's call of NdisMPauseComplete or NdisMRestartComplete, after the state has changed.
 */
export function isTransitionPending(
  adapter: AdapterRecord,
  value: unknown,
  completed: (status: NDIS_STATUS) => void,
): boolean {
  const { transition } = adapter;
  if (value !== NDIS_STATUS_PENDING || transition === null || transition.status !== null) return false;
  transition.completed = completed;
  return true;
}

/** The driver completes a transition: see `routines/transitions.ts`. The state changes here and now. */
export function completeTransition(adapter: AdapterRecord, transition: Transition, status: NDIS_STATUS): void {
  transition.status = status;
  const { completed } = transition;
  if (completed === null) return;
  settleTransition(adapter, transition, status);
  completed(status);
}

/** The handler is through, with the status that it stands for: `value` is what it returned, where it did not fail. */
export function endTransition(adapter: AdapterRecord, value: unknown, failed: boolean): NDIS_STATUS {
  const { reporter } = adapter.machine;
  const { transition } = adapter;
  if (transition === null) return adapter.state === PAUSED ? NDIS_STATUS_FAILURE : NDIS_STATUS_SUCCESS;
  const { kind } = transition;
  const answer = value === NDIS_STATUS_PENDING && transition.status !== null ? transition.status : value;
  const allowed = kind === "pause" ? PAUSE_STATUSES : RESTART_STATUSES;
  const known = typeof answer === "number" && (allowed as readonly number[]).includes(answer);
  const status = !failed && known ? (answer as NDIS_STATUS) : NDIS_STATUS_FAILURE;
  settleTransition(adapter, transition, status);
  if (!failed && !known) {
    const call = kind === "pause" ? "MiniportPause" : "MiniportRestart";
    reporter.violate(adapter, undocumentedStatus(call, answer));
  }
  return status;
}

/** A pause ends in Paused whatever its handler says: it cannot fail. */
function settleTransition(adapter: AdapterRecord, transition: Transition, status: NDIS_STATUS): void {
  adapter.transition = null;
  setState(adapter, transition.kind === "restart" && status === NDIS_STATUS_SUCCESS ? RUNNING : PAUSED);
}

const PAUSE_STATUSES: readonly NDIS_STATUS[] = [NDIS_STATUS_SUCCESS];
const RESTART_STATUSES: readonly NDIS_STATUS[] = [NDIS_STATUS_SUCCESS, NDIS_STATUS_RESOURCES, NDIS_STATUS_FAILURE];

/** SUCCESS, or a status that says failure: what a handler that may not answer PENDING can return. */
function isFinalStatus(value: unknown): value is NDIS_STATUS {
  return typeof value === "number" && value === (value | 0) && (value === NDIS_STATUS_SUCCESS || value < 0);
}

function undocumentedStatus(call: string, value: unknown): Finding {
  const got = typeof value === "number" && Number.isInteger(value) ? statusName(value) : describeValue(value);
  return {
    rule: "HandlerReturnsItsStatus",
    code: "INVALID_ARGUMENT",
    call,
    message: `${call} returned ${got}, which is no status that its page allows`,
    field: "Status",
    value,
    unit: "status",
  };
}

/** A driver is about to be loaded: its driver object, for DriverEntry. */
export function beginDriverEntry(environment: NdisEnvironment, name: string): DriverObjectRecord {
  return new DriverObjectRecord(environment, name, DriverObjectHandle.make);
}

/**
 * DriverEntry returned `value`, or `failed`: the status it stands for. A driver whose DriverEntry fails is unloaded, and
 * must have deregistered by then.
 */
export function endDriverEntry(object: DriverObjectRecord, value: unknown, failed: boolean): NDIS_STATUS {
  const { reporter } = object.machine;
  const known = isFinalStatus(value);
  const status = !failed && known ? value : NDIS_STATUS_FAILURE;
  object.state = status === NDIS_STATUS_SUCCESS ? "loaded" : "gone";
  const found: Violation[] = [];
  if (!failed && !known) found.push(reporter.record(null, undocumentedStatus("DriverEntry", value)));
  if (status !== NDIS_STATUS_SUCCESS) found.push(...takeRegistrations(object, "DriverEntry"));
  raiseFirst(reporter, found);
  return status;
}

/** The unload routine is about to be called. Adapters must be halted: 0x7C/0A. False where it is not to be called. */
export function beginUnload(object: DriverObjectRecord): boolean {
  const { adapters, reporter } = environmentOf(object.machine);
  const started = adapters.filter((adapter) => adapter.driver.object === object && adapter.state !== HALTED);
  const { length } = started;
  const driver = object.drivers.find((one) => one.registered) ?? object.drivers[0];
  if (length > 0 && driver !== undefined) {
    reporter.violate(started[0] ?? null, {
      rule: "HaltBeforeUnload",
      code: "WRONG_CONTEXT",
      call: "DriverUnload",
      message: `${object.name} is to be unloaded, and ${counted(length, "adapter")} of it ${length === 1 ? "is" : "are"} not halted`,
      basis: "documented",
      bugCheck: bugChecks.unloadedEarly(driver, length),
    });
    return false;
  }
  object.state = "unloading";
  return true;
}

/** The unload routine is through, or there is none (`called` false: NDIS then takes the registration back itself). */
export function endUnload(object: DriverObjectRecord, called: boolean): void {
  object.state = "gone";
  if (called) raiseFirst(object.machine.reporter, takeRegistrations(object, "DriverUnload"));
  for (const driver of object.drivers) driver.registered = false;
}

/** NDIS takes back what a driver that goes has registered and not deregistered: one violation for each. */
function takeRegistrations(object: DriverObjectRecord, call: string): Violation[] {
  const { reporter } = object.machine;
  const left = object.drivers.filter((driver) => driver.registered);
  return left.map((driver) => {
    driver.registered = false;
    return reporter.record(null, {
      rule: "DeregisterBeforeUnload",
      code: "LEAK_AT_RELEASE",
      call,
      message: `${call} of ${object.name} is through, and NdisMDeregisterMiniportDriver was not called`,
      basis: "documented",
      bugCheck: bugChecks.unloadedEarly(driver, 1),
    });
  });
}

function raiseFirst(reporter: Reporter, found: readonly Violation[]): void {
  const first = found.find((violation) => violation.severity === "violation");
  if (first !== undefined) reporter.raise(first);
}

/** Is MiniportShutdownEx called at a bug check? From NDIS 6.30 on only where the registration attributes ask for it. */
export function hearsBugCheck(adapter: AdapterRecord): boolean {
  if (!adapter.driver.declares(6, 30)) return true;
  const flags = adapter.attributes?.AttributeFlags ?? 0;
  return (flags & NDIS_MINIPORT_ATTRIBUTES_REGISTER_BUGCHECK_CALLBACK) !== 0;
}

/** Enter Shutdown: no other handler is called any more; pending requests are dropped, blocks stay (choice C4). */
export function beginShutdown(adapter: AdapterRecord): void {
  setState(adapter, SHUTDOWN);
  environmentOf(adapter.machine).dispatcher.drop(adapter);
}

function release(adapter: AdapterRecord, call: string, found: Violation[], left: LeftArmed): void {
  const environment = environmentOf(adapter.machine);
  const { choices } = environment;
  const dropped = environment.dispatcher.drop(adapter);
  if (dropped.length > 0) {
    found.push(
      environment.reporter.record(adapter, {
        rule: "NothingPendingAtRelease",
        code: "PENDING_AT_RELEASE",
        call,
        message: `${call} returned with ${counted(dropped.length, "asynchronous request")} pending: ${listRequests(dropped)}`,
        severity: choices.pendingAtHalt === "violation" ? "violation" : "warning",
        value: dropped.length,
        unit: "requests",
      }),
    );
  }
  if (adapter.liveBlocks > 0) found.push(reportLeak(adapter, call));
  found.push(...reportProviderLeaks(adapter, call), ...reportArmed(adapter, call, left));
  if (adapter.dma !== null) {
    const { subordinate } = adapter.dma;
    // What NdisMInitializeScatterGatherDma set up has no deregistration: it goes with the adapter.
    if (subordinate || !adapter.driver.ndis5) {
      found.push(
        environment.reporter.record(adapter, {
          rule: subordinate ? "DmaChannelIsDeregistered" : "Init_RegisterSG",
          code: "LEAK_AT_RELEASE",
          call,
          message: `${call} returned and the ${subordinate ? "claim of a DMA channel" : "DMA registration"} is still there`,
          basis: "documented",
        }),
      );
    }
    adapter.dma.released = true;
    if (subordinate || adapter.driver.ndis5) adapter.dma = null;
  }
  setState(adapter, HALTED);
  if (choices.leakAtHalt === "reclaim") forceRelease(adapter);
  raiseFirst(environment.reporter, found);
}

/** Memory of a provider that the driver has still: the provider knows it, the core does not. */
function reportProviderLeaks(adapter: AdapterRecord, call: string): Violation[] {
  const { reporter } = adapter.machine;
  const held = [...adapter.allocations].filter((one) => one.provider !== null);
  if (held.length === 0) return [];
  const bytes = held.reduce((sum, one) => sum + one.lengthBytes, 0);
  return [
    reporter.record(adapter, {
      rule: "NothingLiveAtRelease",
      code: "LEAK_AT_RELEASE",
      call,
      message: `${call} returned with ${counted(held.length, "block")} of ${counted(bytes, "byte")} of a shared memory provider allocated`,
      severity: reporter.choices.leakAtHalt === "violation" ? "violation" : "warning",
      value: held.length,
      unit: "blocks",
    }),
  ];
}

/** Interrupt and timers: documented as 0x7C/08 and 09 at halt, 0B and 0C after a failed initialize. */
function reportArmed(adapter: AdapterRecord, call: string, left: LeftArmed): Violation[] {
  const { reporter } = adapter.machine;
  const when = call === "MiniportHaltEx" ? "halt" : "initialize";
  const found: Violation[] = [];
  if (left.interrupt) {
    found.push(
      reporter.record(adapter, {
        rule: "Init_DeRegisterInterrupt",
        code: "LEAK_AT_RELEASE",
        call,
        message: `${call} returned and the interrupt is still connected`,
        basis: "documented",
        bugCheck: bugChecks.leftArmed(adapter, "interrupt", when),
      }),
    );
  }
  if (left.timers > 0) {
    found.push(
      reporter.record(adapter, {
        rule: "TimersAreCancelled",
        code: "LEAK_AT_RELEASE",
        call,
        message: `${call} returned with ${counted(left.timers, "timer")} set`,
        basis: "documented",
        value: left.timers,
        unit: "timers",
        bugCheck: bugChecks.leftArmed(adapter, "timer", when),
      }),
    );
  }
  return found;
}

function reportLeak(adapter: AdapterRecord, call: string): Violation {
  const environment = environmentOf(adapter.machine);
  return environment.reporter.record(adapter, {
    rule: "NothingLiveAtRelease",
    code: "LEAK_AT_RELEASE",
    call,
    message: `${call} returned with ${counted(adapter.liveBlocks, "block")} of ${counted(adapter.liveBytes, "byte")} allocated: ${listBlocks(environment.blocks.liveBlocksOf(adapter))}`,
    severity: environment.choices.leakAtHalt === "violation" ? "violation" : "warning",
    value: adapter.liveBlocks,
    unit: "blocks",
  });
}

/** Free everything that an adapter still has, without asking it. Other adapters are not touched. Returns what there was. */
export function forceRelease(adapter: AdapterRecord): LiveBlock[] {
  const environment = environmentOf(adapter.machine);
  environment.dispatcher.drop(adapter);
  const blocks = environment.blocks.liveBlocksOf(adapter);
  for (const allocation of [...adapter.allocations]) freeAllocation(environment, adapter, allocation, "reclaim");
  for (const block of blocks) {
    if (environment.core.explain(block.virtual as never).state !== "live") continue;
    const { physical } = environment.blocks.lookup(block.virtual);
    const logical = environment.iommu === null ? physical : environment.iommu.logicalOf(physical);
    environment.blocks.reclaim(adapter, block.virtual, block.lengthBytes, logical);
  }
  if (adapter.dma !== null) {
    adapter.dma.released = true;
    adapter.dma = null;
  }
  return blocks;
}

/** The adapters that are not halted. */
export function startedAdapters(environment: NdisEnvironment): AdapterRecord[] {
  return environment.adapters.filter((adapter) => adapter.state !== HALTED);
}
