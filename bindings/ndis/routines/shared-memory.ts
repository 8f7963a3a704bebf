/**
 * Shared memory: the synchronous allocation, the asynchronous request, and the free that serves both.
 *
 * A free is one call into the core, which compares start, length and tag (owner and cached flag) at once; the physical
 * address is compared before, by an addition. Only when something differs is it worked out what (choice C27), and
 * nothing has changed by then.
 */

import { hex, type VirtualAddress } from "../../addresses.js";
import { ShmemError } from "../../errors.js";
import { environmentOf } from "../dispatch/environment.js";
import type { AdapterHandle, DmaHandle } from "../documented/handles.js";
import type { NDIS_PHYSICAL_ADDRESS, PVOID } from "../documented/physical.js";
import { type NDIS_STATUS, NDIS_STATUS_FAILURE, NDIS_STATUS_PENDING } from "../documented/status.js";
import { freeCarefully, isUnderList } from "../memory/free-check.js";
import { type AdapterRecord, HALTING, INITIALIZING, SHUTDOWN, stateName } from "../records/adapter.js";
import type { CompletionTarget } from "../records/dma.js";
import type { PendingRequest } from "../records/requests.js";
import { cachedOfTag, TAG_CACHED } from "../records/tag.js";
import {
  adapterOf,
  dmaOf,
  refuseInShutdown,
  requireAtMostDispatch,
  requireBoolean,
  requireLength,
  requirePassive,
} from "../verifier/checks.js";

/** What `poisoned` of choice C12 leaves in PhysicalAddress: an address that no zone of a test holds. */
const POISONED_PHYSICAL: NDIS_PHYSICAL_ADDRESS = 0xdead_beef_0000 as NDIS_PHYSICAL_ADDRESS;

/** What NdisMAllocateSharedMemory returns (deviation 1). */
export interface AllocateSharedMemoryResult {
  /** NULL means failure: there is no status. */
  readonly VirtualAddress: PVOID;
  /** The device's address; 0 on failure (choice C12). */
  readonly PhysicalAddress: NDIS_PHYSICAL_ADDRESS;
}

/**
 * Allocate now. PASSIVE_LEVEL, in MiniportInitializeEx after the DMA registration (elsewhere: choices C5 and C37).
 *
 * `Length`: bytes, 1 to 2^32 - 1. `Cached` has no effect and must be repeated at the free. Out of memory is a NULL
 * VirtualAddress. Violations: WRONG_IRQL (0x7C/01), NOT_REGISTERED, WRONG_CONTEXT, INVALID_ARGUMENT, those of every
 * handle. Cost: one call into the core, and the fill of choice C15.
 */
export function NdisMAllocateSharedMemory(
  MiniportAdapterHandle: AdapterHandle,
  Length: number,
  Cached: boolean,
): AllocateSharedMemoryResult {
  const call = "NdisMAllocateSharedMemory";
  const adapter = adapterOf(MiniportAdapterHandle, call);
  if (adapter === null) return { VirtualAddress: null, PhysicalAddress: 0 as NDIS_PHYSICAL_ADDRESS };
  const { choices, dispatcher, reporter, allocationService } = environmentOf(adapter.machine);
  const failed = choices.physicalOnFailure === "zero" ? (0 as NDIS_PHYSICAL_ADDRESS) : POISONED_PHYSICAL;
  const nothing = { VirtualAddress: null, PhysicalAddress: failed };
  const asked = typeof Length === "number" ? Length : 0;
  if (!requirePassive(reporter, adapter, call, asked)) return nothing;
  if (!requireLength(adapter, call, Length) || !requireBoolean(adapter, call, "Cached", Cached)) return nothing;
  if (!synchronousPlaceIsRight(adapter, call)) return nothing;
  adapter.synchronous++;
  const virtual = allocationService.allocateOne(adapter, Length, Cached, call, "synchronous");
  const physical = allocationService.logicalOfLast as NDIS_PHYSICAL_ADDRESS;
  if (reporter.log !== null) {
    const result = virtual === 0 ? `null ${dispatcher.lastFailure?.reason ?? ""}` : `${hex(virtual)} ${hex(physical)}`;
    reporter.note(adapter, `${call} ${Length} ${Cached ? "cached" : "uncached"} -> ${result}`);
  }
  if (virtual === 0) {
    adapter.owesErrorLog = true;
    return nothing;
  }
  return { VirtualAddress: virtual as VirtualAddress, PhysicalAddress: physical };
}

/** Registered; in initialize, or as choices C5 and C37 say. */
function synchronousPlaceIsRight(adapter: AdapterRecord, call: string): boolean {
  const { machine, state } = adapter;
  const { reporter } = machine;
  const { choices } = reporter;
  if (state === SHUTDOWN) return refuseInShutdown(adapter, call);
  if (adapter.dma === null) {
    reporter.violate(adapter, {
      rule: "RegisterBeforeUse",
      code: "NOT_REGISTERED",
      call,
      message: "NdisMRegisterScatterGatherDma comes first",
      basis: "documented",
    });
    return false;
  }
  if (state === INITIALIZING) return true;
  const halting = state === HALTING;
  if (halting && choices.synchronousWhileHalting === "allow") return true;
  const warned = !halting && choices.synchronousAfterInitialize === "warn";
  reporter.violate(adapter, {
    rule: "AllocateInInitialize",
    code: "WRONG_CONTEXT",
    call,
    message: `${call} is documented for MiniportInitializeEx only; the adapter is ${stateName(state)}`,
    basis: halting ? "choice" : "documented",
    severity: warned ? "warning" : "violation",
  });
  return warned;
}

/**
 * Ask for a block; the completion handler of the DMA registration gets it later. Up to DISPATCH_LEVEL.
 *
 * NDIS_STATUS_PENDING: exactly one completion will follow, with the block or with NULL. NDIS_STATUS_FAILURE: none will,
 * and the same call may succeed later (`pendingLimit` reached, an injected fault, or after a violation). There is no
 * third value. `Context` comes back by identity, unread. Violations: WRONG_IRQL (0xE6/13), NOT_REGISTERED (no handler,
 * choice C25), INVALID_ARGUMENT, ADAPTER_GONE (0xE6/18), and those of every handle. Cost: constant, no call into the core.
 */
export function NdisMAllocateSharedMemoryAsyncEx(
  MiniportDmaHandle: DmaHandle,
  Length: number,
  Cached: boolean,
  Context: unknown,
): NDIS_STATUS {
  const call = "NdisMAllocateSharedMemoryAsyncEx";
  const registered = dmaOf(MiniportDmaHandle, call);
  if (registered === null) return NDIS_STATUS_FAILURE;
  const { adapter, dma } = registered;
  if (dma.subordinate) return refuseSubordinate(adapter, call);
  return requestShared(adapter, dma.completions, call, Length, Cached, Context);
}

function refuseSubordinate(adapter: AdapterRecord, call: string): NDIS_STATUS {
  adapter.machine.reporter.violate(adapter, {
    rule: "BusMasterOnly",
    code: "NOT_REGISTERED",
    call,
    message: "a subordinate device may not allocate asynchronously",
    basis: "documented",
  });
  return NDIS_STATUS_FAILURE;
}

/** The common part of the asynchronous calls of NDIS 5 and 6. What can be wrong is kept out of line. */
export function requestShared(
  adapter: AdapterRecord,
  target: CompletionTarget | null,
  call: string,
  Length: number,
  Cached: boolean,
  Context: unknown,
): NDIS_STATUS {
  const { dispatcher, faults, reporter, scheduler } = environmentOf(adapter.machine);
  if (reporter.irql.current > 2 && !requireAtMostDispatch(reporter, adapter, call)) return NDIS_STATUS_FAILURE;
  if (adapter.state === SHUTDOWN && !refuseInShutdown(adapter, call)) return NDIS_STATUS_FAILURE;
  if (!requireLength(adapter, call, Length)) return NDIS_STATUS_FAILURE;
  if (!requireBoolean(adapter, call, "Cached", Cached)) return NDIS_STATUS_FAILURE;
  if (target === null) return refuseWithoutHandler(adapter, call);
  if (faults?.strikes("queue", adapter.number, Length) === true) return failAtOnce(adapter, call, Length, true);
  const request = dispatcher.accept(adapter, target, Length, Cached ? adapter.tag + TAG_CACHED : adapter.tag, Context);
  if (request === null) return failAtOnce(adapter, call, Length, false);
  if (reporter.log !== null) noteRequest(adapter, call, request);
  scheduler.accepted(request);
  return NDIS_STATUS_PENDING;
}

/** Choice C25. */
function refuseWithoutHandler(adapter: AdapterRecord, call: string): NDIS_STATUS {
  adapter.machine.reporter.violate(adapter, {
    rule: "HandlerIsRegistered",
    code: "NOT_REGISTERED",
    call,
    message: "no SharedMemAllocateCompleteHandler was registered: nobody could be told",
  });
  return NDIS_STATUS_FAILURE;
}

function failAtOnce(adapter: AdapterRecord, call: string, length: number, injected: boolean): NDIS_STATUS {
  const { reporter } = adapter.machine;
  adapter.refused++;
  if (reporter.log !== null) reporter.note(adapter, `${call} ${length} -> FAILURE${injected ? " injected" : ""}`);
  return NDIS_STATUS_FAILURE;
}

function noteRequest(adapter: AdapterRecord, call: string, request: PendingRequest): void {
  const { lengthBytes, tag, sequence } = request;
  adapter.machine.reporter.note(
    adapter,
    `${call} ${lengthBytes} ${cachedOfTag(tag) ? "cached" : "uncached"} -> PENDING #${sequence}`,
  );
}

/**
 * Give a block back. Up to DISPATCH_LEVEL; in initialize, while running, in halt; never in MiniportShutdownEx.
 *
 * Length, Cached, VirtualAddress and PhysicalAddress are those of the allocation, whichever call made it. Refusals change
 * nothing: ALREADY_FREED, NEVER_ALLOCATED, INTERIOR_ADDRESS, FOREIGN_ADDRESS (0x7C/03), WRONG_OWNER, LENGTH_MISMATCH,
 * CACHED_MISMATCH, PHYSICAL_MISMATCH (choice C27, every wrong field listed), WRONG_CONTEXT, WRONG_IRQL (0xE6/13),
 * INVALID_ARGUMENT, and those of every handle. Cost: one call into the core.
 */
export function NdisMFreeSharedMemory(
  MiniportAdapterHandle: AdapterHandle,
  Length: number,
  Cached: boolean,
  VirtualAddress: PVOID,
  PhysicalAddress: NDIS_PHYSICAL_ADDRESS,
): void {
  const call = "NdisMFreeSharedMemory";
  const adapter = adapterOf(MiniportAdapterHandle, call);
  if (adapter === null) return;
  const environment = environmentOf(adapter.machine);
  const { blocks, reporter, ring } = environment;
  if (reporter.irql.current > 2 && !requireAtMostDispatch(reporter, adapter, call)) return;
  if (adapter.state === SHUTDOWN) {
    refuseInShutdown(adapter, call, VirtualAddress);
    return;
  }
  if (
    typeof VirtualAddress !== "number" ||
    typeof PhysicalAddress !== "number" ||
    typeof Length !== "number" ||
    typeof Cached !== "boolean" ||
    !blocks.plain ||
    ring.isUndelivered(VirtualAddress) ||
    !blocks.matches(VirtualAddress, PhysicalAddress) ||
    (adapter.dma !== null && adapter.dma.lists.size > 0 && isUnderList(adapter, PhysicalAddress, Length))
  ) {
    freeCarefully(environment, adapter, call, Length, Cached, VirtualAddress, PhysicalAddress);
    return;
  }
  try {
    environment.core.free(VirtualAddress, Length, Cached ? adapter.tag + TAG_CACHED : adapter.tag);
  } catch (error) {
    if (!(error instanceof ShmemError)) throw error;
    freeCarefully(environment, adapter, call, Length, Cached, VirtualAddress, PhysicalAddress);
    return;
  }
  adapter.freed++;
  if (blocks.bare) {
    adapter.liveBlocks--;
    adapter.liveBytes -= Length;
  } else blocks.released(adapter, VirtualAddress, Length, call);
  if (reporter.log !== null) noteFree(adapter, call, Length, VirtualAddress);
}

function noteFree(adapter: AdapterRecord, call: string, length: number, virtual: number): void {
  adapter.machine.reporter.note(adapter, `${call} ${length} ${hex(virtual)}`);
}
