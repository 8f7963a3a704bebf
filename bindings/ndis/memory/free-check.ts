/**
 * The careful free: what is wrong with a free that cannot be right, and the free itself where something stands between
 * driver and core (see blocks.ts).
 *
 * An address that is no block's start is 0x7C/03; a block that differs in a field is refused with every wrong field, in
 * the order of the parameters (misuse B13, choice C27). Nothing has changed where a refusal is raised.
 */
import { hex, isAddress, type VirtualAddress } from "../../addresses.js";
import type { CoreApi } from "../../core/api.js";
import type { ErrorCode, Mismatch } from "../../errors.js";
import { describeValue } from "../../values.js";
import type { NdisChoices } from "../choices/choices.js";
import type { AdapterRecord } from "../records/adapter.js";
import type { LogicalMap } from "../records/host.js";
import type { Reporter } from "../records/reporter.js";
import type { RequestRing } from "../records/requests.js";
import { adapterOfTag, cachedOfTag, TAG_PROVIDER } from "../records/tag.js";
import * as bugChecks from "../verifier/bug-checks.js";
import { refuseArgument } from "../verifier/checks.js";
import type { BlockInfo, Blocks } from "./blocks.js";

/** What a free needs of the machine. */
export interface FreeParts {
  readonly core: CoreApi;
  readonly blocks: Blocks;
  readonly choices: NdisChoices;
  readonly iommu: LogicalMap | null;
  readonly reporter: Reporter;
  readonly ring: RequestRing;
  /** By number, from 1. */
  readonly adapters: readonly AdapterRecord[];
}

/** The free field by field: to say what is wrong, or because something stands between driver and core (see blocks.ts). */
export function freeCarefully(
  parts: FreeParts,
  adapter: AdapterRecord,
  call: string,
  length: unknown,
  cached: unknown,
  virtual: unknown,
  physical: unknown,
): void {
  const { blocks, reporter } = parts;
  if (virtual === null) {
    parts.reporter.violate(adapter, {
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
    refuseArgument(reporter, adapter, call, "VirtualAddress", virtual, "must be the start of a block", "address");
    return;
  }
  if (!isAddress(physical)) {
    refuseArgument(
      reporter,
      adapter,
      call,
      "PhysicalAddress",
      physical,
      "must be an integer from 0 to 2^52 - 1",
      "address",
    );
    return;
  }
  if (typeof cached !== "boolean") {
    refuseArgument(reporter, adapter, call, "Cached", cached, "must be true or false");
    return;
  }
  const found = blocks.lookup(virtual);
  if (found.state !== "block") {
    refuseAddress(parts, adapter, call, virtual, physical, found);
    return;
  }
  if (parts.ring.isUndelivered(virtual)) {
    parts.reporter.violate(adapter, {
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
  const owner = ownerOfFree(parts, adapter, call, length, cached, physical, found);
  if (owner === null) return;
  if (isUnderList(owner, found.physical, found.lengthBytes)) {
    reporter.violate(adapter, {
      rule: "NoFreeUnderLiveList",
      code: "WRONG_CONTEXT",
      call,
      message: `the block at ${hex(virtual)} is named by a scatter/gather list that has not been freed: the device may still use it`,
      value: virtual,
      unit: "address",
      address: virtual,
    });
    return;
  }
  if (blocks.guard !== null) blocks.bytes.assertReachable();
  if (reporter.log !== null)
    reporter.note(adapter, `${call} ${typeof length === "number" ? length : describeValue(length)} ${hex(virtual)}`);
  owner.freed++;
  const logical = parts.iommu === null ? found.physical : parts.iommu.logicalOf(found.physical);
  blocks.free(owner, found, logical, call);
}

/** True where a list that the adapter has names a byte of the stretch. The lists are few when blocks are freed. */
export function isUnderList(adapter: AdapterRecord, physical: number, lengthBytes: number): boolean {
  const { dma } = adapter;
  if (dma === null || dma.lists.size === 0) return false;
  for (const { stretches } of dma.lists.values()) {
    for (const one of stretches) {
      if (one.physical < physical + lengthBytes && physical < one.physical + one.lengthBytes) return true;
    }
  }
  return false;
}

/** The address is not the start of a live block: 0x7C/03, or 0xE6/03 for a second free under the verifier. */
function refuseAddress(
  parts: FreeParts,
  adapter: AdapterRecord,
  call: string,
  virtual: number,
  physical: number,
  found: BlockInfo,
): void {
  let code: ErrorCode = "FOREIGN_ADDRESS";
  let message = `${hex(virtual)} is in no memory of this machine`;
  if (found.state === "interior") {
    code = "INTERIOR_ADDRESS";
    message = `${hex(virtual)} lies ${virtual - found.driverAddress} bytes inside the block at ${hex(found.driverAddress)}: only a whole block can be freed, by the address that was handed out`;
  } else if (found.state === "freed") {
    code = "ALREADY_FREED";
    message = `the block at ${hex(virtual)} has already been freed`;
  } else if (found.state === "free") {
    code = "NEVER_ALLOCATED";
    message = `no block was ever handed out at ${hex(virtual)}`;
  }
  if (looksExchanged(parts.core, virtual, physical)) {
    message += "; VirtualAddress and PhysicalAddress look exchanged";
  }
  const twice = code === "ALREADY_FREED" && parts.blocks.guard !== null;
  parts.reporter.violate(adapter, {
    rule: "FreeOfLiveBlock",
    code,
    call,
    message,
    basis: found.state === "interior" ? "choice" : "documented",
    value: virtual,
    unit: "address",
    address: virtual,
    bugCheck: twice ? bugChecks.freedTooMany(1) : bugChecks.freeInvalid(adapter, virtual),
  });
}

function looksExchanged(core: CoreApi, virtual: number, physical: number): boolean {
  const known = core.explain(physical as VirtualAddress);
  return known.state === "live" && known.block?.virtual === physical && virtual !== physical;
}

/**
 * Compare every field of a free with its allocation, in the order of the parameters (misuse B13). Returns the owner whose
 * block is to be freed: the caller where all is right, anybody under the lenient answers of choice C27, null otherwise.
 */
function ownerOfFree(
  parts: FreeParts,
  adapter: AdapterRecord,
  call: string,
  length: unknown,
  cached: boolean,
  physical: number,
  found: BlockInfo,
): AdapterRecord | null {
  const { choices, iommu } = parts;
  const { driverAddress, tag } = found;
  const owner = parts.adapters[adapterOfTag(tag) - 1];
  if ((tag & TAG_PROVIDER) !== 0 || owner === undefined) {
    parts.reporter.violate(adapter, {
      rule: "FreeByTheCallOfTheAllocation",
      code: "WRONG_HANDLE",
      call,
      message: "the block was allocated with NdisAllocateSharedMemory and goes back through NdisFreeSharedMemory",
      value: driverAddress,
      unit: "address",
      address: driverAddress,
    });
    return null;
  }
  const expected = iommu === null ? found.physical : iommu.logicalOf(found.physical);
  const mismatches: Mismatch[] = [];
  const codes: ErrorCode[] = [];
  const differs = (code: ErrorCode, field: string, is: unknown, wanted: unknown, unit: string): void => {
    if (is === wanted) return;
    codes.push(code);
    mismatches.push({ field, given: is, expected: wanted, unit });
  };
  differs("WRONG_OWNER", "MiniportAdapterHandle", nameOf(adapter), nameOf(owner), "adapter");
  differs("LENGTH_MISMATCH", "Length", length, found.lengthBytes, "bytes");
  differs("CACHED_MISMATCH", "Cached", cached, cachedOfTag(tag), "flag");
  differs("PHYSICAL_MISMATCH", "PhysicalAddress", physical, expected, "address");
  const code = codes[0];
  if (code === undefined) return owner;
  const onlyCached = codes.length === 1 && code === "CACHED_MISMATCH";
  const lenient = choices.freeMismatch === "freeByAddress" || (onlyCached && choices.cachedMismatch === "warn");
  const hint = codes.includes("PHYSICAL_MISMATCH") ? physicalHint(physical, expected) : "";
  parts.reporter.violate(adapter, {
    rule: "FreeMatchesAllocation",
    code,
    call,
    message: `the free does not match the allocation in ${mismatches.map((one) => one.field).join(", ")}${hint}`,
    severity: lenient ? "warning" : "violation",
    mismatches,
    value: mismatches[0]?.given,
    unit: mismatches[0]?.unit ?? "",
    address: driverAddress,
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
