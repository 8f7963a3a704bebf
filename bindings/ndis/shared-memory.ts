/**
 * Shared memory: the synchronous allocation, the asynchronous request, and the free that serves both.
 *
 * A free is one call into the core, which compares start, length and tag (owner and cached flag) at once; the physical
 * address is compared before, by an addition. Only when something differs is it worked out what (choice C27), and
 * nothing has changed by then.
 */

import { hex, isAddress, type VirtualAddress } from "../addresses.js";
import { type ErrorCode, type Mismatch, ShmemError } from "../errors.js";
import { type AdapterRecord, HALTING, INITIALIZING, SHUTDOWN, stateName } from "./adapter.js";
import type { Sight } from "./blocks.js";
import * as bugChecks from "./bug-checks.js";
import {
  adapterOf,
  describe,
  dmaOf,
  requireAtMostDispatch,
  requireBoolean,
  requireLength,
  requirePassive,
} from "./checks.js";
import type { AdapterHandle, DmaHandle } from "./handles.js";
import type { NDIS_PHYSICAL_ADDRESS, PVOID } from "./physical.js";
import type { RequestSource } from "./requests.js";
import { type NDIS_STATUS, NDIS_STATUS_FAILURE, NDIS_STATUS_PENDING } from "./status.js";
import { adapterOfTag, cachedOfTag, TAG_CACHED, TAG_PROVIDER } from "./tag.js";

/** What `poisoned` of choice C12 leaves in PhysicalAddress: an address that no zone of a test holds. */
export const POISONED_PHYSICAL: NDIS_PHYSICAL_ADDRESS = 0xdead_beef_0000 as NDIS_PHYSICAL_ADDRESS;

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
  const { environment } = adapter;
  const failed = environment.choices.physicalOnFailure === "zero" ? (0 as NDIS_PHYSICAL_ADDRESS) : POISONED_PHYSICAL;
  const nothing = { VirtualAddress: null, PhysicalAddress: failed };
  const asked = typeof Length === "number" ? Length : 0;
  if (!requirePassive(environment, adapter, call, asked)) return nothing;
  if (!requireLength(adapter, call, Length) || !requireBoolean(adapter, call, "Cached", Cached)) return nothing;
  if (!synchronousPlaceIsRight(adapter, call)) return nothing;
  adapter.synchronous++;
  const { dispatcher } = environment;
  const virtual = dispatcher.supply.one(adapter, Length, Cached, call, "synchronous");
  const physical = dispatcher.supply.logicalOfLast as NDIS_PHYSICAL_ADDRESS;
  if (environment.log !== null) {
    const result = virtual === 0 ? `null ${dispatcher.lastFailure?.reason ?? ""}` : `${hex(virtual)} ${hex(physical)}`;
    environment.note(adapter, `${call} ${Length} ${Cached ? "cached" : "uncached"} -> ${result}`);
  }
  if (virtual === 0) {
    adapter.owesErrorLog = true;
    return nothing;
  }
  return { VirtualAddress: virtual as VirtualAddress, PhysicalAddress: physical };
}

/** Registered; in initialize, or as choices C5 and C37 say. */
function synchronousPlaceIsRight(adapter: AdapterRecord, call: string): boolean {
  const { environment, state } = adapter;
  const { choices } = environment;
  if (state === SHUTDOWN) return refuseInShutdown(adapter, call);
  if (adapter.dma === null) {
    environment.violate(adapter, {
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
  environment.violate(adapter, {
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
  const dma = dmaOf(MiniportDmaHandle, call);
  if (dma === null) return NDIS_STATUS_FAILURE;
  if (dma.channel >= 0) return refuseSubordinate(dma.adapter, call);
  return requestShared(dma.adapter, dma.completions, call, Length, Cached, Context);
}

function refuseSubordinate(adapter: AdapterRecord, call: string): NDIS_STATUS {
  adapter.environment.violate(adapter, {
    rule: "BusMasterOnly",
    code: "NOT_REGISTERED",
    call,
    message: "a subordinate device may not allocate asynchronously",
    basis: "documented",
  });
  return NDIS_STATUS_FAILURE;
}

/** The common part of the asynchronous calls of NDIS 5 and 6. */
export function requestShared(
  adapter: AdapterRecord,
  source: RequestSource | null,
  call: string,
  Length: number,
  Cached: boolean,
  Context: unknown,
): NDIS_STATUS {
  const { environment } = adapter;
  if (environment.irql.current > 2 && !requireAtMostDispatch(environment, adapter, call)) return NDIS_STATUS_FAILURE;
  if (adapter.state === SHUTDOWN && !refuseInShutdown(adapter, call)) return NDIS_STATUS_FAILURE;
  if (!requireLength(adapter, call, Length)) return NDIS_STATUS_FAILURE;
  if (!requireBoolean(adapter, call, "Cached", Cached)) return NDIS_STATUS_FAILURE;
  if (source === null) {
    environment.violate(adapter, {
      rule: "HandlerIsRegistered",
      code: "NOT_REGISTERED",
      call,
      message: "no SharedMemAllocateCompleteHandler was registered: nobody could be told",
    });
    return NDIS_STATUS_FAILURE;
  }
  const struck = environment.faults?.strikes("queue", adapter.number, Length) === true;
  const request = struck
    ? null
    : environment.dispatcher.accept(source, Length, Cached ? adapter.tag + TAG_CACHED : adapter.tag, Context);
  if (request === null) {
    adapter.refused++;
    if (environment.log !== null) environment.note(adapter, `${call} ${Length} -> FAILURE${struck ? " injected" : ""}`);
    return NDIS_STATUS_FAILURE;
  }
  if (environment.log !== null) {
    environment.note(adapter, `${call} ${Length} ${Cached ? "cached" : "uncached"} -> PENDING #${request.sequence}`);
  }
  environment.scheduler.accepted(request);
  return NDIS_STATUS_PENDING;
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
  const { environment } = adapter;
  if (environment.irql.current > 2 && !requireAtMostDispatch(environment, adapter, call)) return;
  if (adapter.state === SHUTDOWN) {
    refuseInShutdown(adapter, call, VirtualAddress);
    return;
  }
  const { blocks, dispatcher } = environment;
  if (
    typeof VirtualAddress !== "number" ||
    typeof PhysicalAddress !== "number" ||
    typeof Length !== "number" ||
    typeof Cached !== "boolean" ||
    !blocks.plain ||
    (dispatcher.undelivered > 0 && dispatcher.isUndelivered(VirtualAddress)) ||
    !blocks.matches(VirtualAddress, PhysicalAddress)
  ) {
    freeCarefully(adapter, call, Length, Cached, VirtualAddress, PhysicalAddress);
    return;
  }
  try {
    environment.core.free(VirtualAddress, Length, Cached ? adapter.tag + TAG_CACHED : adapter.tag);
  } catch (error) {
    if (!(error instanceof ShmemError)) throw error;
    freeCarefully(adapter, call, Length, Cached, VirtualAddress, PhysicalAddress);
    return;
  }
  blocks.released(adapter, VirtualAddress, Length, call);
  adapter.freed++;
  if (environment.log !== null) environment.note(adapter, `${call} ${Length} ${hex(VirtualAddress)}`);
}

/** SDV rule NdisMFreeSharedMemory, and our extension of it to the other calls. Always false when it returns. */
function refuseInShutdown(adapter: AdapterRecord, call: string, address: unknown = null): boolean {
  const free = call === "NdisMFreeSharedMemory";
  adapter.environment.violate(adapter, {
    rule: free ? "NdisMFreeSharedMemory" : "NothingInShutdown",
    code: "WRONG_CONTEXT",
    call,
    message: `${call} must not be called in MiniportShutdownEx, or after it`,
    basis: free ? "documented" : "choice",
    ...(isAddress(address) ? { address } : {}),
  });
  return false;
}

/** The free field by field: to say what is wrong, or because something stands between driver and core (see blocks.ts). */
function freeCarefully(
  adapter: AdapterRecord,
  call: string,
  length: unknown,
  cached: unknown,
  virtual: unknown,
  physical: unknown,
): void {
  const { environment } = adapter;
  if (virtual === null) {
    environment.violate(adapter, {
      rule: "NullCheck",
      code: "INVALID_ARGUMENT",
      call,
      message: "VirtualAddress is NULL: an allocation that failed gives NULL, which is tested before it is used",
      basis: "documented",
      field: "VirtualAddress",
      value: virtual,
      unit: "address",
    });
    return;
  }
  if (!isAddress(virtual) || virtual === 0) {
    refuseArgument(adapter, call, "VirtualAddress", virtual, "address", "must be the start of a block");
    return;
  }
  if (!isAddress(physical)) {
    refuseArgument(adapter, call, "PhysicalAddress", physical, "address", "must be an integer from 0 to 2^52 - 1");
    return;
  }
  if (typeof cached !== "boolean") {
    refuseArgument(adapter, call, "Cached", cached, "", "must be true or false");
    return;
  }
  const sight = environment.blocks.look(virtual);
  if (sight.state !== "block") {
    refuseAddress(adapter, call, virtual, physical, sight);
    return;
  }
  if (environment.dispatcher.isUndelivered(virtual)) {
    environment.violate(adapter, {
      rule: "FreeOfLiveBlock",
      code: "NEVER_ALLOCATED",
      call,
      message: `the block at ${hex(virtual)} is part of a request whose completion has not been delivered`,
      value: virtual,
      unit: "address",
      address: virtual,
    });
    return;
  }
  const owner = ownerOfFree(adapter, call, length, cached, physical, sight);
  if (owner === null) return;
  if (environment.log !== null) environment.note(adapter, `${call} ${String(length)} ${hex(virtual)}`);
  owner.freed++;
  const logical = environment.iommu === null ? sight.physical : environment.iommu.logicalOf(sight.physical);
  environment.blocks.give(owner, sight, logical, call);
}

function refuseArgument(
  adapter: AdapterRecord,
  call: string,
  field: string,
  value: unknown,
  unit: string,
  rule: string,
): void {
  adapter.environment.violate(adapter, {
    rule: "ArgumentsAreValid",
    code: "INVALID_ARGUMENT",
    call,
    message: `${field} ${rule}, got ${describe(value)}`,
    field,
    value,
    ...(unit === "" ? {} : { unit }),
  });
}

/** The address is not the start of a live block: 0x7C/03, or 0xE6/03 for a second free under the verifier. */
function refuseAddress(adapter: AdapterRecord, call: string, virtual: number, physical: number, sight: Sight): void {
  const { environment } = adapter;
  let code: ErrorCode = "FOREIGN_ADDRESS";
  let message = `${hex(virtual)} is in no memory of this machine`;
  if (sight.state === "interior") {
    code = "INTERIOR_ADDRESS";
    message = `${hex(virtual)} lies ${virtual - sight.given} bytes inside the block at ${hex(sight.given)}: only a whole block can be freed, by the address that was handed out`;
  } else if (sight.state === "freed") {
    code = "ALREADY_FREED";
    message = `the block at ${hex(virtual)} has already been freed`;
  } else if (sight.state === "free") {
    code = "NEVER_ALLOCATED";
    message = `no block was ever handed out at ${hex(virtual)}`;
  }
  if (looksExchanged(adapter, virtual, physical)) {
    message += "; VirtualAddress and PhysicalAddress look exchanged";
  }
  const twice = code === "ALREADY_FREED" && environment.blocks.guard !== null;
  environment.violate(adapter, {
    rule: "FreeOfLiveBlock",
    code,
    call,
    message,
    basis: sight.state === "interior" ? "choice" : "documented",
    value: virtual,
    unit: "address",
    address: virtual,
    bugCheck: twice ? bugChecks.freedTooMany(1) : bugChecks.freeInvalid(adapter, virtual),
  });
}

function looksExchanged(adapter: AdapterRecord, virtual: number, physical: number): boolean {
  const known = adapter.environment.core.explain(physical as VirtualAddress);
  return known.state === "live" && known.block?.virtual === physical && virtual !== physical;
}

/**
 * Compare every field of a free with its allocation, in the order of the parameters (misuse B13). Returns the owner whose
 * block is to be freed: the caller where all is right, anybody under the lenient answers of choice C27, null otherwise.
 */
function ownerOfFree(
  adapter: AdapterRecord,
  call: string,
  length: unknown,
  cached: boolean,
  physical: number,
  sight: Sight,
): AdapterRecord | null {
  const { environment } = adapter;
  const { choices } = environment;
  const { tag, given } = sight;
  const owner = environment.adapters[adapterOfTag(tag) - 1];
  if ((tag & TAG_PROVIDER) !== 0 || owner === undefined) {
    environment.violate(adapter, {
      rule: "FreeByTheCallOfTheAllocation",
      code: "WRONG_HANDLE",
      call,
      message: "the block was allocated with NdisAllocateSharedMemory and goes back through NdisFreeSharedMemory",
      value: given,
      unit: "address",
      address: given,
    });
    return null;
  }
  const expected = environment.iommu === null ? sight.physical : environment.iommu.logicalOf(sight.physical);
  const mismatches: Mismatch[] = [];
  const codes: ErrorCode[] = [];
  const differs = (code: ErrorCode, field: string, is: unknown, wanted: unknown, unit: string): void => {
    if (is === wanted) return;
    codes.push(code);
    mismatches.push({ field, given: is, expected: wanted, unit });
  };
  differs("WRONG_OWNER", "MiniportAdapterHandle", nameOf(adapter), nameOf(owner), "adapter");
  differs("LENGTH_MISMATCH", "Length", length, sight.lengthBytes, "bytes");
  differs("CACHED_MISMATCH", "Cached", cached, cachedOfTag(tag), "flag");
  differs("PHYSICAL_MISMATCH", "PhysicalAddress", physical, expected, "address");
  const code = codes[0];
  if (code === undefined) return owner;
  const onlyCached = codes.length === 1 && code === "CACHED_MISMATCH";
  const lenient = choices.freeMismatch === "freeByAddress" || (onlyCached && choices.cachedMismatch === "warn");
  const hint = codes.includes("PHYSICAL_MISMATCH") ? physicalHint(physical, expected) : "";
  environment.violate(adapter, {
    rule: "FreeMatchesAllocation",
    code,
    call,
    message: `the free does not match the allocation in ${mismatches.map((one) => one.field).join(", ")}${hint}`,
    severity: lenient ? "warning" : "violation",
    mismatches,
    value: mismatches[0]?.given,
    unit: mismatches[0]?.unit ?? "",
    address: given,
  });
  return lenient ? owner : null;
}

function nameOf(adapter: AdapterRecord): string {
  return `${adapter.name} (adapter ${adapter.number})`;
}

/** The commonest way to get a physical address wrong is to keep half of it. */
function physicalHint(given: number, expected: number): string {
  return given !== expected && given === expected % 2 ** 32 ? "; the high half of PhysicalAddress was dropped" : "";
}
