/**
 * The NDIS 6.20 pair: NdisAllocateSharedMemory and NdisFreeSharedMemory, and the providers behind it.
 *
 * A block of this pair has a handle, may be physically scattered, prefers a NUMA node, and goes back through its own free.
 * Without a registered provider the memory comes from the HAL path (choice C34): one element, SharedMemoryHandle NULL.
 */
import { hex, type VirtualAddress } from "../../addresses.js";
import type { PhysicalRun } from "../../core/api.js";
import { environmentOf } from "../dispatch/environment.js";
import { listBytes } from "../documented/codec.js";
import type { AdapterHandle, AllocationHandle, DriverHandle } from "../documented/handles.js";
import type { NDIS_MINIPORT_OPTIONAL_HANDLERS } from "../documented/miniport.js";
import {
  NDIS_OBJECT_TYPE_CO_CALL_MANAGER_OPTIONAL_HANDLERS,
  NDIS_OBJECT_TYPE_CO_MINIPORT_CHARACTERISTICS,
  NDIS_OBJECT_TYPE_DEFAULT,
  NDIS_OBJECT_TYPE_MINIPORT_PNP_CHARACTERISTICS,
  NDIS_OBJECT_TYPE_MINIPORT_SS_CHARACTERISTICS,
  NDIS_OBJECT_TYPE_NDK_PROVIDER_CHARACTERISTICS,
  NDIS_OBJECT_TYPE_SHARED_MEMORY_PROVIDER_CHARACTERISTICS,
} from "../documented/object-header.js";
import type { NDIS_PHYSICAL_ADDRESS } from "../documented/physical.js";
import type { SCATTER_GATHER_ELEMENT } from "../documented/scatter-gather.js";
import {
  MM_ANY_NODE_OK,
  NDIS_SHARED_MEM_PARAMETERS_CONTIGUOUS,
  type NDIS_SHARED_MEMORY_PARAMETERS,
  NDIS_SHARED_MEMORY_PARAMETERS_REVISION_2,
  type NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS,
  NDIS_SIZEOF_SHARED_MEMORY_PARAMETERS_REVISION_1,
  NDIS_SIZEOF_SHARED_MEMORY_PARAMETERS_REVISION_2,
  NDIS_SIZEOF_SHARED_MEMORY_PROVIDER_CHARACTERISTICS_REVISION_1,
} from "../documented/shared-memory.js";
import { NdisSharedMemoryUsageMax, NdisSharedMemoryUsageUndefined } from "../documented/shared-memory-usage.js";
import {
  type NDIS_STATUS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_INVALID_PARAMETER,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  statusName,
} from "../documented/status.js";
import { callProvider, freeAllocation } from "../memory/provider-memory.js";
import { type AdapterRecord, SHUTDOWN } from "../records/adapter.js";
import { ProviderAllocation } from "../records/allocation.js";
import * as handles from "../records/handles.js";
import { TAG_PROVIDER } from "../records/tag.js";
import { freeInvalid } from "../verifier/bug-checks.js";
import {
  adapterOf,
  driverOf,
  headerIsKnown,
  isUnsigned32,
  judgeStatus,
  refuseHandle,
  refuseInShutdown,
  requireLength,
  requirePassive,
  writeOut,
} from "../verifier/checks.js";

/** What NdisAllocateSharedMemory returns (deviation 1). */
export interface AllocateSharedMemory620Result {
  /** SUCCESS, RESOURCES, INVALID_PARAMETER or FAILURE. */
  readonly Status: NDIS_STATUS;
  /** NULL on failure. */
  readonly AllocationHandle: AllocationHandle | null;
}

/** Structures of optional handlers that a miniport may register and that have no effect on memory. Source: the page. */
const OTHER_OPTIONAL_HANDLERS: readonly number[] = [
  NDIS_OBJECT_TYPE_CO_MINIPORT_CHARACTERISTICS,
  NDIS_OBJECT_TYPE_MINIPORT_PNP_CHARACTERISTICS,
  NDIS_OBJECT_TYPE_CO_CALL_MANAGER_OPTIONAL_HANDLERS,
  NDIS_OBJECT_TYPE_NDK_PROVIDER_CHARACTERISTICS,
  NDIS_OBJECT_TYPE_MINIPORT_SS_CHARACTERISTICS,
];

/**
 * Register optional handlers of a driver, above all as provider of shared memory. PASSIVE_LEVEL, from MiniportSetOptions.
 *
 * SUCCESS, for a provider of shared memory and for the structures of other services that a miniport may register, which
 * are not looked at; NOT_SUPPORTED for a driver of NDIS 5; FAILURE for characteristics that are none. Violations:
 * WRONG_IRQL, WRONG_CONTEXT (outside MiniportSetOptions), and those of every handle.
 */
export function NdisSetOptionalHandlers(
  NdisHandle: DriverHandle,
  OptionalHandlers: NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS | NDIS_MINIPORT_OPTIONAL_HANDLERS,
): NDIS_STATUS {
  const call = "NdisSetOptionalHandlers";
  const driver = driverOf(NdisHandle, call);
  if (driver === null) return NDIS_STATUS_FAILURE;
  const { reporter } = driver.machine;
  if (!requirePassive(reporter, null, call)) return NDIS_STATUS_FAILURE;
  if (driver.ndis5) return NDIS_STATUS_NOT_SUPPORTED;
  if (!driver.inSetOptions) {
    reporter.violate(null, {
      rule: "OptionalHandlersInSetOptions",
      code: "WRONG_CONTEXT",
      call,
      message: `a miniport driver calls ${call} in MiniportSetOptions`,
      basis: "documented",
    });
    return NDIS_STATUS_FAILURE;
  }
  const type = OptionalHandlers?.Header?.Type;
  if (OTHER_OPTIONAL_HANDLERS.includes(type)) return NDIS_STATUS_SUCCESS;
  const given = OptionalHandlers as NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS;
  if (
    type !== NDIS_OBJECT_TYPE_SHARED_MEMORY_PROVIDER_CHARACTERISTICS ||
    !headerIsKnown(reporter, given.Header, [NDIS_SIZEOF_SHARED_MEMORY_PROVIDER_CHARACTERISTICS_REVISION_1]) ||
    typeof given.AllocateSharedMemoryHandler !== "function" ||
    typeof given.FreeSharedMemoryHandler !== "function"
  ) {
    return NDIS_STATUS_FAILURE;
  }
  driver.provider = Object.freeze({ ...given });
  return NDIS_STATUS_SUCCESS;
}

/**
 * Allocate a block of the 6.20 kind. PASSIVE_LEVEL, after the DMA registration. `NdisHandle`: the adapter's handle; a
 * driver handle has no DMA registration and is FAILURE.
 *
 * SUCCESS writes VirtualAddress, SharedMemoryHandle and the list into the parameters. RESOURCES: out of memory, or
 * injected. INVALID_PARAMETER: an unknown header, usage or flag, or a list buffer too small for the block (choice C35,
 * nothing allocated). Violations: WRONG_IRQL (0xE6/13), NOT_REGISTERED, WRONG_CONTEXT, INVALID_ARGUMENT, those of every
 * handle.
 */
export function NdisAllocateSharedMemory(
  NdisHandle: AdapterHandle | DriverHandle,
  SharedMemoryParameters: NDIS_SHARED_MEMORY_PARAMETERS,
): AllocateSharedMemory620Result {
  const call = "NdisAllocateSharedMemory";
  const nothing = (Status: NDIS_STATUS): AllocateSharedMemory620Result => ({ Status, AllocationHandle: null });
  if (handles.DriverHandle.recordOf(NdisHandle) !== undefined) {
    driverOf(NdisHandle, call);
    return nothing(NDIS_STATUS_FAILURE);
  }
  const adapter = adapterOf(NdisHandle, call);
  if (adapter === null) return nothing(NDIS_STATUS_FAILURE);
  const result = allocate(adapter, SharedMemoryParameters, call);
  const { reporter } = adapter.machine;
  if (reporter.log !== null) {
    const where = typeof result === "number" ? "" : ` ${hex(result.virtual)}`;
    const status = typeof result === "number" ? result : NDIS_STATUS_SUCCESS;
    reporter.note(adapter, `${call} ${SharedMemoryParameters?.Length ?? 0} -> ${statusName(status)}${where}`);
  }
  if (typeof result === "number") return nothing(result);
  return { Status: NDIS_STATUS_SUCCESS, AllocationHandle: handles.AllocationHandle.make(result) };
}

function allocate(
  adapter: AdapterRecord,
  given: NDIS_SHARED_MEMORY_PARAMETERS,
  call: string,
): NDIS_STATUS | ProviderAllocation {
  const { dma, machine } = adapter;
  const { reporter } = machine;
  if (!requirePassive(reporter, adapter, call)) return NDIS_STATUS_FAILURE;
  if (adapter.state === SHUTDOWN && !refuseInShutdown(adapter, call)) return NDIS_STATUS_FAILURE;
  if (dma === null) {
    reporter.violate(adapter, {
      rule: "RegisterBeforeUse",
      code: "NOT_REGISTERED",
      call,
      message: "NdisMRegisterScatterGatherDma comes first",
      basis: "documented",
    });
    return NDIS_STATUS_FAILURE;
  }
  const sizes = [NDIS_SIZEOF_SHARED_MEMORY_PARAMETERS_REVISION_1, NDIS_SIZEOF_SHARED_MEMORY_PARAMETERS_REVISION_2];
  if (given?.Header?.Type !== NDIS_OBJECT_TYPE_DEFAULT || !headerIsKnown(reporter, given.Header, sizes)) {
    return NDIS_STATUS_INVALID_PARAMETER;
  }
  if (!requireLength(adapter, call, given.Length)) return NDIS_STATUS_INVALID_PARAMETER;
  if (!areParameters(given)) return NDIS_STATUS_INVALID_PARAMETER;
  const { provider } = adapter.driver;
  if (provider !== null) return allocateFromProvider(adapter, given, provider, call);
  return allocateFromCore(adapter, given, dma.addresses64, call);
}

/** Flags, usage, node, queue, port and list buffer as the page allows them. */
function areParameters(given: NDIS_SHARED_MEMORY_PARAMETERS): boolean {
  const { Usage, PreferredNode, Flags, QueueId, SGListBuffer, SGListBufferLength, VPortId } = given;
  const anyNode = PreferredNode === MM_ANY_NODE_OK;
  const hasPort = given.Header.Revision >= NDIS_SHARED_MEMORY_PARAMETERS_REVISION_2;
  return (
    isUnsigned32(Flags) &&
    (Flags & ~NDIS_SHARED_MEM_PARAMETERS_CONTIGUOUS) === 0 &&
    isUnsigned32(QueueId) &&
    Number.isInteger(Usage) &&
    Usage > NdisSharedMemoryUsageUndefined &&
    Usage < NdisSharedMemoryUsageMax &&
    (anyNode || (isUnsigned32(PreferredNode) && PreferredNode <= 65535)) &&
    isUnsigned32(SGListBufferLength) &&
    (!hasPort || VPortId === undefined || isUnsigned32(VPortId)) &&
    typeof SGListBuffer === "object" &&
    SGListBuffer !== null
  );
}

const ALLOCATE = "ALLOCATE_SHARED_MEMORY_HANDLER";
/** What ALLOCATE_SHARED_MEMORY_HANDLER may return. Source: its page. */
const PROVIDER_STATUSES: readonly NDIS_STATUS[] = [
  NDIS_STATUS_SUCCESS,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_INVALID_PARAMETER,
];

function allocateFromProvider(
  adapter: AdapterRecord,
  given: NDIS_SHARED_MEMORY_PARAMETERS,
  provider: NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS,
  call: string,
): NDIS_STATUS | ProviderAllocation {
  const { reporter } = adapter.machine;
  if (reporter.log !== null) reporter.note(adapter, `${call} asks the provider`);
  const answer = callProvider(adapter, ALLOCATE, () =>
    provider.AllocateSharedMemoryHandler(provider.ProviderContext, given),
  );
  // Out parameters are fields of the answer (deviation 1): what is no answer has no status.
  let handed: unknown;
  let value: unknown;
  try {
    const fields = answer.value as { readonly Status?: unknown; readonly SharedMemoryProviderContext?: unknown };
    value = fields?.Status;
    handed = fields?.SharedMemoryProviderContext;
  } catch (error) {
    reporter.contain(adapter, ALLOCATE, error);
    return NDIS_STATUS_FAILURE;
  }
  const status = judgeStatus(reporter, adapter, ALLOCATE, value, answer.failed, PROVIDER_STATUSES);
  if (status !== NDIS_STATUS_SUCCESS) return status;
  return kept(adapter, given.Length, 0, provider, handed, []);
}

function allocateFromCore(
  adapter: AdapterRecord,
  given: NDIS_SHARED_MEMORY_PARAMETERS,
  addresses64: boolean,
  call: string,
): NDIS_STATUS | ProviderAllocation {
  const environment = environmentOf(adapter.machine);
  const { core, choices } = environment;
  const contiguous = (given.Flags & NDIS_SHARED_MEM_PARAMETERS_CONTIGUOUS) !== 0;
  const lengthBytes = given.Length;
  if (environment.faults?.strikes("synchronous", adapter.number, lengthBytes) === true) return NDIS_STATUS_RESOURCES;
  if (!environment.allocationService.withinLimits(adapter, lengthBytes)) return NDIS_STATUS_RESOURCES;
  environment.blocks.bytes.assertReachable();
  const virtual = core.allocate(lengthBytes, {
    contiguous,
    tag: adapter.tag + TAG_PROVIDER,
    ...(addresses64 ? {} : { highest: adapter.highest }),
    ...(given.PreferredNode === MM_ANY_NODE_OK ? {} : { preferredNode: given.PreferredNode }),
  });
  if (virtual === 0) {
    environment.allocationService.lastFailure = core.lastFailure;
    return NDIS_STATUS_RESOURCES;
  }
  const several = !contiguous && choices.elementsWithoutProvider === "several";
  const stretches = core.runs(virtual, lengthBytes).flatMap((run) => (several ? byPage(run) : [run]));
  const mapped = answerWith(adapter, given, virtual, stretches, call);
  if (mapped === null) {
    core.free(virtual);
    return NDIS_STATUS_INVALID_PARAMETER;
  }
  for (const run of stretches) environment.blocks.fillRun(run.physical, run.lengthBytes);
  environment.blocks.counted(adapter, virtual, lengthBytes, call);
  return kept(adapter, lengthBytes, virtual, null, null, mapped);
}

/**
 * Write the out fields of the parameters: the logical addresses to unmap at the free. Null, with nothing mapped, where the
 * list buffer is too small (choice C35) or the structure cannot be written.
 */
function answerWith(
  adapter: AdapterRecord,
  given: NDIS_SHARED_MEMORY_PARAMETERS,
  virtual: VirtualAddress,
  stretches: readonly PhysicalRun[],
  call: string,
): readonly number[] | null {
  const { choices, iommu, reporter } = environmentOf(adapter.machine);
  const { SGListBuffer } = given;
  if (given.SGListBufferLength < listBytes(stretches.length, choices.sgListLayout)) return null;
  const mapped: number[] = [];
  const elements: SCATTER_GATHER_ELEMENT[] = stretches.map((run) => {
    const logical = iommu === null ? run.physical : iommu.map(adapter.number, run.physical, run.lengthBytes, "both");
    if (iommu !== null) mapped.push(logical);
    return { Address: logical as number as NDIS_PHYSICAL_ADDRESS, Length: run.lengthBytes };
  });
  const written =
    writeOut(reporter, adapter, call, given, "VirtualAddress", virtual) &&
    writeOut(reporter, adapter, call, given, "SharedMemoryHandle", null) &&
    writeOut(reporter, adapter, call, SGListBuffer, "NumberOfElements", elements.length) &&
    writeOut(reporter, adapter, call, SGListBuffer, "Elements", elements);
  if (written) return mapped;
  for (const logical of mapped) iommu?.unmap(logical);
  return null;
}

/** A run cut at page boundaries. */
function byPage(run: PhysicalRun): PhysicalRun[] {
  const pieces: PhysicalRun[] = [];
  for (let done = 0; done < run.lengthBytes; ) {
    const physical = (run.physical + done) as PhysicalRun["physical"];
    const lengthBytes = Math.min(run.lengthBytes - done, 4096 - (physical % 4096));
    pieces.push({ physical, lengthBytes });
    done += lengthBytes;
  }
  return pieces;
}

/**
 * Give a block of the 6.20 kind back. PASSIVE_LEVEL, through the handle that it was allocated with.
 *
 * Violations, which leave the block: WRONG_IRQL, ALREADY_FREED (0x7C/03), WRONG_OWNER (another adapter's), WRONG_HANDLE
 * (no allocation handle), and those of every handle.
 */
export function NdisFreeSharedMemory(NdisHandle: AdapterHandle | DriverHandle, allocation: AllocationHandle): void {
  const call = "NdisFreeSharedMemory";
  if (
    handles.AdapterHandle.recordOf(NdisHandle) === undefined &&
    handles.DriverHandle.recordOf(NdisHandle) !== undefined
  ) {
    refuseHandle(NdisHandle, call, "the handle that the memory was allocated with");
    return;
  }
  const adapter = adapterOf(NdisHandle, call);
  if (adapter === null) return;
  const { reporter } = adapter.machine;
  if (!requirePassive(reporter, adapter, call)) return;
  const record = handles.AllocationHandle.recordOf(allocation);
  if (record === undefined) {
    refuseHandle(allocation, call, "an allocation handle");
    return;
  }
  if (record.freed || record.adapterNumber !== adapter.number) {
    reporter.violate(adapter, {
      rule: record.freed ? "FreeOfLiveBlock" : "FreeMatchesAllocation",
      code: record.freed ? "ALREADY_FREED" : "WRONG_OWNER",
      call,
      message: record.freed
        ? "the allocation has already been freed"
        : `the allocation belongs to ${ownerName(adapter, record)}, not to ${adapter.name}`,
      unit: "handle",
      ...(record.freed ? { bugCheck: freeInvalid(adapter, record.virtual), address: record.virtual } : {}),
    });
    return;
  }
  freeAllocation(environmentOf(adapter.machine), adapter, record, call);
}

/** The allocation is the adapter's from now on. */
function kept(
  adapter: AdapterRecord,
  lengthBytes: number,
  virtual: number,
  provider: NDIS_SHARED_MEMORY_PROVIDER_CHARACTERISTICS | null,
  providerHandle: unknown,
  mapped: readonly number[],
): ProviderAllocation {
  const record = new ProviderAllocation(adapter.number, lengthBytes, virtual, provider, providerHandle, mapped);
  adapter.allocations.add(record);
  return record;
}

function ownerName(adapter: AdapterRecord, record: ProviderAllocation): string {
  return environmentOf(adapter.machine).adapters[record.adapterNumber - 1]?.name ?? "another adapter";
}
