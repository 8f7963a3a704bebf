/**
 * The lifecycle as NDIS drives it: what must hold when an adapter comes and goes.
 *
 * The machine calls these around the driver's handlers; drivers never do. When initialize fails, or halt is through,
 * nothing may be outstanding: pending requests (choice C4), live blocks (choice C32), a DMA registration (SDV rule
 * Init_RegisterSG). All of it is recorded before the first of it is raised. Blocks that leaked stay allocated, so that
 * they can be looked at, until `forceRelease`.
 */
import { type NDIS_STATUS, NDIS_STATUS_SUCCESS, statusName } from "../documented/status.js";
import { freeAllocation } from "../memory/provider-memory.js";
import {
  type AdapterLimits,
  AdapterRecord,
  type AdapterState,
  HALTED,
  HALTING,
  INITIALIZING,
  PAUSED,
  SHUTDOWN,
  stateName,
} from "../records/adapter.js";
import type { DriverRecord } from "../records/driver.js";
import { AdapterHandle } from "../records/handles.js";
import type { LiveBlock, Violation } from "../records/reporter.js";
import type { AdapterServices } from "../records/services.js";
import { ADAPTER_LIMIT } from "../records/tag.js";
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

/** MiniportInitializeEx is about to be called. */
export function beginInitialize(adapter: AdapterRecord): void {
  setState(adapter, INITIALIZING);
}

/** MiniportInitializeEx returned. On failure nothing may be outstanding, and there will be no halt. */
export function endInitialize(adapter: AdapterRecord, status: NDIS_STATUS): void {
  const environment = environmentOf(adapter.machine);
  if (environment.reporter.log !== null)
    environment.reporter.note(adapter, `MiniportInitializeEx -> ${statusName(status)}`);
  if (status === NDIS_STATUS_SUCCESS) {
    setState(adapter, PAUSED);
    return;
  }
  const found: Violation[] = [];
  if (adapter.owesErrorLog) {
    found.push(
      environment.reporter.record(adapter, {
        rule: "WriteErrorLog",
        code: "WRONG_CONTEXT",
        call: "MiniportInitializeEx",
        message: "initialize failed after shared memory was refused, and no error log entry was written",
        basis: "documented",
        severity: "warning",
      }),
    );
  }
  release(adapter, "MiniportInitializeEx", found);
}

/** MiniportHaltEx is about to be called. */
export function beginHalt(adapter: AdapterRecord): void {
  setState(adapter, HALTING);
}

/** MiniportHaltEx is through: nothing may be outstanding. */
export function endHalt(adapter: AdapterRecord): void {
  release(adapter, "MiniportHaltEx", []);
}

/** Enter Shutdown: no other handler is called any more; pending requests are dropped, blocks stay (choice C4). */
export function beginShutdown(adapter: AdapterRecord): void {
  setState(adapter, SHUTDOWN);
  environmentOf(adapter.machine).dispatcher.drop(adapter);
}

function release(adapter: AdapterRecord, call: string, found: Violation[]): void {
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
  const first = found.find((violation) => violation.severity === "violation");
  if (first !== undefined) environment.reporter.raise(first);
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
