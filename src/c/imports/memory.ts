/**
 * Accesses, pool, shared memory, scatter/gather lists.
 *
 * Shared memory is the face's: this file turns C's arguments into the face's and opens or closes the bytes for the
 * driver. A block that was freed stays closed, so that a late access is found where it is made.
 */
import {
  type AdapterHandle,
  type AllocationHandle,
  type DmaHandle,
  hex,
  type MDL,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_SUCCESS,
  NdisAllocateSharedMemory,
  NdisFreeSharedMemory,
  NdisMAllocateNetBufferSGList,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsync,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeNetBufferSGList,
  NdisMFreeSharedMemory,
  NdisMGetDmaAlignment,
  NdisMRegisterScatterGatherDma,
  type PVOID,
  type SCATTER_GATHER_LIST,
  type VirtualAddress,
} from "../../../bindings/index.js";
import { TAG } from "../instance.js";
import { OURS, POOL_KINDS, type PoolBlock } from "../pool.js";
import type { CAdapter, Session } from "../session.js";
import type { ImportHost, Imports } from "./host.js";
import { objectsOf } from "./kernel.js";

/** Sizes of the structure's header on x64, which the face checks, for a size that C gave (x86). */
function faceSize(given: number, x86: number, x64: number): number {
  return given >= x86 ? given - x86 + x64 : given;
}

/** A free under another name than the allocation's: which goes with which. */
const FREED_BY: Readonly<Record<string, string>> = {
  "pool memory": "ExFreePool, NdisFreeMemory",
  MDL: "NdisFreeMdl",
  "net buffer list": "NdisFreeNetBufferList",
  "net buffer": "NdisFreeNetBuffer",
  lock: "NdisFreeRWLock",
  "lookaside entry": "NdisFreeToNPagedLookasideList",
};

/** A block of shared memory is the driver's now. */
export function openShared(
  session: Session,
  virtual: number,
  lengthBytes: number,
  how: string,
  stack: readonly number[],
): void {
  session.shared.set(virtual, { virtual, lengthBytes, how, stack, freed: null });
  session.c.unpoison(virtual, lengthBytes);
}

/** And not any more. */
export function closeShared(session: Session, virtual: number): void {
  const block = session.shared.get(virtual);
  if (block === undefined || block.freed !== null) return;
  block.freed = session.c.stack();
  session.c.poison(virtual, block.lengthBytes, TAG.freedShared);
}

export function memoryImports(host: ImportHost): Imports {
  /** Lists that are with the driver, by where they lie. */
  const lists: WeakMap<
    Session,
    Map<
      number,
      {
        readonly list: SCATTER_GATHER_LIST;
        readonly own: boolean;
        readonly netBuffer: number;
        readonly faceBuffer: unknown;
      }
    >
  > = new WeakMap();
  const listsOf = (session: Session) => {
    let map = lists.get(session);
    if (map === undefined) {
      map = new Map();
      lists.set(session, map);
    }
    return map;
  };

  return {
    // ---- accesses ---------------------------------------------------------------------------------------------------------
    fault(address, size, write, first) {
      const { session } = host;
      const at = address >>> 0;
      const { text, also } = session.explainAddress(at, first >>> 0);
      session.abort(
        session.current,
        {
          rule: "AccessIsAllowed",
          code: "BAD_ACCESS",
          call: write !== 0 ? "write" : "read",
          message: `${write !== 0 ? "wrote" : "read"} ${size >>> 0} bytes at ${hex(at)}, ${text}`,
          value: at,
          unit: "address",
        },
        undefined,
        also,
      );
    },
    outOfFuel() {
      const { session } = host;
      session.abort(session.current, {
        rule: "HandlerReturns",
        code: "ENDLESS_LOOP",
        call: session.current?.inside ?? "DriverEntry",
        message: "a loop goes on and on",
      });
    },
    stackOverflow() {
      const { session } = host;
      session.abort(session.current, {
        rule: "StackIsLargeEnough",
        code: "BAD_ACCESS",
        call: session.current?.inside ?? "DriverEntry",
        message: "the stack has overflowed: calls are nested too deep, or variables are too large",
      });
    },

    // ---- pool -------------------------------------------------------------------------------------------------------------
    allocatePool(bytes, tag, kind, owner) {
      const { session } = host;
      const adapter = session.current;
      const lengthBytes = bytes >>> 0;
      const { current } = session.environment.irql;
      void owner;
      if (kind !== OURS) {
        if (current > 2) {
          session.violate(adapter, {
            rule: "IrqlExAllocatePool",
            code: "WRONG_IRQL",
            call: "ExAllocatePoolWithTag",
            message: "nonpaged pool is allocated up to DISPATCH_LEVEL",
            value: current,
            unit: "IRQL",
            basis: "documented",
            bugCheck: { code: 0xc4, parameters: [0x02, current, 0, lengthBytes] },
          });
          return 0;
        }
        if (session.environment.faults?.strikes("synchronous", adapter?.number ?? 0, lengthBytes) === true) return 0;
        if (lengthBytes === 0 && kind === 0) {
          session.violate(adapter, {
            rule: "PoolLength",
            code: "INVALID_ARGUMENT",
            call: "ExAllocatePoolWithTag",
            message: "asked for no bytes",
            value: 0,
            unit: "bytes",
            basis: "documented",
            bugCheck: { code: 0xc4, parameters: [0x00, current, 0, 0] },
          });
        }
      }
      return session.pool.allocate(lengthBytes, tag >>> 0, kind, adapter?.number ?? -1, session.c.stack());
    },
    freePool(address, tag, length, kind) {
      const { session } = host;
      const at = address >>> 0;
      const call = FREED_BY[POOL_KINDS[kind] as string]?.split(",")[0] ?? "ExFreePool";
      const block = session.pool.blocks.get(at);
      const wrong = whyNotFreed(session, at, block, kind, length >>> 0);
      if (wrong !== null) {
        const also =
          block === undefined
            ? []
            : [
                `allocated at ${session.placeText(block.stack)}`,
                ...(block.freed === null ? [] : [`freed at ${session.placeText(block.freed)}`]),
              ];
        const near = session.blockAround(at);
        session.abort(
          session.current,
          {
            rule: "PoolFreeMatches",
            code: wrong.code,
            call,
            message: wrong.text,
            value: at,
            unit: "address",
            basis: "documented",
            ...(wrong.bugCheck === undefined
              ? {}
              : { bugCheck: { code: 0xc4, parameters: [wrong.bugCheck, at, 0, 0] as const } }),
          },
          undefined,
          near === undefined || block !== undefined
            ? also
            : [`shared memory allocated at ${session.placeText(near.stack)}`],
        );
      }
      const live = block as PoolBlock;
      if (kind !== OURS) {
        const inUse = objectsOf(session).inUse(at, live.lengthBytes);
        if (inUse !== null) {
          session.violate(
            session.current,
            {
              rule: "MemoryIsIdle",
              code: "WRONG_CONTEXT",
              call,
              message: `the memory holds ${inUse}`,
              value: at,
              unit: "address",
              basis: "documented",
            },
            undefined,
            [`allocated at ${session.placeText(live.stack)}`],
          );
        }
        if (tag !== 0 && tag >>> 0 !== live.tag) {
          session.violate(session.current, {
            rule: "PoolTagMatches",
            code: "INVALID_ARGUMENT",
            call,
            message: `freed with tag ${tagText(tag)}, allocated with ${tagText(live.tag)}`,
            value: tag >>> 0,
            unit: "tag",
            severity: "warning",
          });
        }
        objectsOf(session).forget(at, live.lengthBytes);
      }
      session.pool.free(live, session.c.stack());
    },
    lookaside(list, made) {
      const { session } = host;
      const { lookasides } = objectsOf(session);
      if (made !== 0) {
        lookasides.set(list, session.c.stack());
        session.current?.objects.set(list, { kind: "lookaside list", stack: session.c.stack() });
      } else {
        lookasides.delete(list);
        session.current?.objects.delete(list);
      }
    },

    // ---- shared memory ------------------------------------------------------------------------------------------------------
    registerDma(adapterHandle, flat, handleAt) {
      const { session } = host;
      const { u32 } = session.c;
      const call = "NdisMRegisterScatterGatherDma";
      const [type = 0, revision = 0, size = 0, flags = 0, largest = 0, processList = 0, complete = 0] = u32.subarray(
        flat >>> 2,
        (flat >>> 2) + 7,
      );
      u32[handleAt >>> 2] = 0;
      const adapter = session.adapter(adapterHandle, call);
      if (adapter === undefined) return NDIS_STATUS_FAILURE;
      if (processList !== 0 && !session.checkFunction(processList, "iiii>v", "ProcessSGListHandler", call))
        return NDIS_STATUS_FAILURE;
      if (complete !== 0 && !session.checkFunction(complete, "iiiii>v", "SharedMemAllocateCompleteHandler", call))
        return NDIS_STATUS_FAILURE;
      const description = {
        Header: {
          Type: type,
          Revision: revision,
          Size: revision >= 2 ? faceSize(size, 28, 48) : faceSize(size, 24, 36),
        },
        Flags: flags,
        MaximumPhysicalMapping: largest,
        ProcessSGListHandler:
          processList === 0
            ? null
            : (_pdo: null, _reserved: null, list: SCATTER_GATHER_LIST, context: unknown): void => {
                session.run(adapter, "MiniportProcessSGList", session.c.tableFunction(processList), [
                  0,
                  0,
                  addressOfList(list),
                  context as number,
                ]);
              },
        SharedMemAllocateCompleteHandler:
          complete === 0
            ? null
            : (
                _context: unknown,
                virtual: PVOID,
                physical: NDIS_PHYSICAL_ADDRESS | null,
                length: number,
                context: unknown,
              ): void | Promise<void> => {
                const request = context as { readonly stack: readonly number[]; readonly context: number };
                session.pendingStacks.delete(request);
                if (virtual !== null)
                  openShared(session, virtual, length, "NdisMAllocateSharedMemoryAsyncEx", request.stack);
                const pa = physical ?? 0;
                const answer = session.runPassive(
                  adapter,
                  "MiniportSharedMemoryAllocateComplete",
                  session.c.exported("nshm_call_complete"),
                  [
                    complete,
                    adapter.context,
                    virtual ?? 0,
                    (pa % 2 ** 32) | 0,
                    Math.floor(pa / 2 ** 32),
                    physical === null ? 0 : 1,
                    length,
                    request.context,
                  ],
                );
                return typeof answer === "number" ? undefined : answer.then(() => {});
              },
        ScatterGatherListSize: undefined as number | undefined,
      };
      const mark = session.mark();
      try {
        const { Status, NdisMiniportDmaHandle } = NdisMRegisterScatterGatherDma(
          adapter.record.handle,
          description as never,
        );
        if (NdisMiniportDmaHandle !== null) {
          u32[handleAt >>> 2] = session.handles.give("dma", NdisMiniportDmaHandle);
          const elements = listElements(description.ScatterGatherListSize ?? 0, session);
          u32[(flat >>> 2) + 7] = 8 + 16 * elements;
        }
        return Status;
      } finally {
        session.annotate(mark);
      }
    },
    deregisterDma(dma) {
      const { session } = host;
      const mark = session.mark();
      try {
        NdisMDeregisterScatterGatherDma(session.handles.faceHandle(dma) as DmaHandle);
        session.handles.release(dma);
      } finally {
        session.annotate(mark);
      }
    },
    allocateShared(adapterHandle, length, cached, physicalAt) {
      const { session } = host;
      const mark = session.mark();
      try {
        const { VirtualAddress, PhysicalAddress } = NdisMAllocateSharedMemory(
          faceAdapter(session, adapterHandle),
          length >>> 0,
          cached !== 0,
        );
        putPhysical(session, physicalAt, PhysicalAddress);
        if (VirtualAddress === null) return 0;
        openShared(session, VirtualAddress, length >>> 0, "NdisMAllocateSharedMemory", session.c.stack());
        return VirtualAddress;
      } finally {
        session.annotate(mark);
      }
    },
    allocateSharedAsync(handle, length, cached, context, legacy) {
      const { session } = host;
      const mark = session.mark();
      const request = { stack: session.c.stack(), context };
      session.pendingStacks.set(request, request.stack);
      let status: number = NDIS_STATUS_FAILURE;
      try {
        status =
          legacy !== 0
            ? NdisMAllocateSharedMemoryAsync(faceAdapter(session, handle), length >>> 0, cached !== 0, request)
            : NdisMAllocateSharedMemoryAsyncEx(
                session.handles.faceHandle(handle) as DmaHandle,
                length >>> 0,
                cached !== 0,
                request,
              );
        return status;
      } finally {
        if (status !== NDIS_STATUS_PENDING) session.pendingStacks.delete(request);
        session.annotate(mark);
      }
    },
    freeShared(adapterHandle, length, cached, virtual, low, high) {
      const { session } = host;
      const mark = session.mark();
      const at = virtual >>> 0;
      const owned = findOwned(session, at);
      try {
        const physical = ((high | 0) * 2 ** 32 + (low >>> 0)) as NDIS_PHYSICAL_ADDRESS;
        NdisMFreeSharedMemory(
          faceAdapter(session, adapterHandle),
          length >>> 0,
          cached !== 0,
          (at === 0 ? null : at) as PVOID,
          physical,
        );
        if (session.mark() === mark && owned) closeShared(session, at);
      } finally {
        session.annotate(mark);
      }
    },
    dmaAlignment: (adapterHandle) => NdisMGetDmaAlignment(faceAdapter(host.session, adapterHandle)),
    allocateShared620(owner, flat, handleAt) {
      const { session } = host;
      const { u32 } = session.c;
      const [
        type = 0,
        revision = 0,
        size = 0,
        flags = 0,
        queue = 0,
        node = 0,
        usage = 0,
        length = 0,
        listBytes = 0,
        listAt = 0,
      ] = u32.subarray(flat >>> 2, (flat >>> 2) + 10);
      u32[handleAt >>> 2] = 0;
      const mark = session.mark();
      try {
        const buffer = { NumberOfElements: 0, Elements: [] as SCATTER_GATHER_LIST["Elements"] };
        const parameters = {
          Header: {
            Type: type,
            Revision: revision,
            Size: revision >= 2 ? faceSize(size, 44, 68) : faceSize(size, 40, 64),
          },
          Flags: flags,
          QueueId: queue,
          PreferredNode: node,
          Usage: usage,
          Length: length,
          SGListBufferLength: listAt === 0 ? 0 : 16 + 24 * Math.max(0, Math.floor((listBytes - 8) / 16)),
          SGListBuffer: listAt === 0 ? null : buffer,
          SharedMemoryHandle: null as unknown,
          VirtualAddress: null as PVOID,
        };
        const { Status, AllocationHandle } = NdisAllocateSharedMemory(
          faceOwner(session, owner) as never,
          parameters as never,
        );
        if (Status === NDIS_STATUS_SUCCESS && AllocationHandle !== null) {
          u32[handleAt >>> 2] = session.handles.give("allocation", AllocationHandle);
          const va = parameters.VirtualAddress ?? 0;
          u32[(flat >>> 2) + 10] = va;
          openShared(session, va, length, "NdisAllocateSharedMemory", session.c.stack());
          if (listAt !== 0) writeList(session, listAt, buffer);
          BY_HANDLE.set(AllocationHandle as object, va);
        }
        return Status;
      } finally {
        session.annotate(mark);
      }
    },
    freeShared620(owner, allocation) {
      const { session } = host;
      const mark = session.mark();
      try {
        const handle = session.handles.faceHandle(allocation);
        NdisFreeSharedMemory(faceOwner(session, owner) as never, handle as AllocationHandle);
        const va = typeof handle === "object" && handle !== null ? BY_HANDLE.get(handle) : undefined;
        if (va !== undefined) closeShared(session, va);
        session.handles.release(allocation);
      } finally {
        session.annotate(mark);
      }
    },
    physicalOf(address, where) {
      const { session } = host;
      session.violate(session.current, {
        rule: "SharedMemoryHasItsAddress",
        code: "INVALID_ARGUMENT",
        call: "MmGetPhysicalAddress",
        message: "the device's address of shared memory is the one that came with it, and is not asked for",
        value: address >>> 0,
        unit: "address",
        basis: "documented",
        severity: "warning",
      });
      const at = address >>> 0;
      putPhysical(session, where, session.blockAt(at) === undefined ? 0 : at + session.window);
    },

    // ---- scatter/gather lists --------------------------------------------------------------------------------------------------
    allocateSgList(dma, netBuffer, flat, count, context, flags, buffer, size, offset, length) {
      const { session } = host;
      const { u32 } = session.c;
      let next: MDL | null = null;
      for (let k = count - 1; k >= 0; k--) {
        next = {
          MappedSystemVa: u32[(flat >>> 2) + 2 * k] as number as VirtualAddress,
          ByteCount: u32[(flat >>> 2) + 2 * k + 1] as number,
          Next: next,
        };
      }
      const mark = session.mark();
      const faceBuffer = { CurrentMdl: next as MDL, CurrentMdlOffset: offset, DataLength: length };
      PLACES.push({ buffer, size, netBuffer, faceBuffer });
      try {
        return NdisMAllocateNetBufferSGList(
          session.handles.faceHandle(dma) as DmaHandle,
          faceBuffer,
          context,
          flags,
          null,
          0,
        );
      } finally {
        PLACES.pop();
        session.annotate(mark);
      }
    },
    freeSgList(dma, listAt, netBuffer) {
      const { session } = host;
      const kept = listsOf(session).get(listAt);
      const mark = session.mark();
      try {
        NdisMFreeNetBufferSGList(
          session.handles.faceHandle(dma) as DmaHandle,
          (kept?.list ?? listAt) as SCATTER_GATHER_LIST,
          (kept !== undefined && kept.netBuffer === netBuffer ? kept.faceBuffer : null) as never,
        );
        listsOf(session).delete(listAt);
        const block = session.pool.blocks.get(listAt);
        if (kept?.own === true && block !== undefined) session.pool.free(block, session.c.stack());
      } finally {
        session.annotate(mark);
      }
    },
  };

  /** Where the driver finds a list: in its own buffer where that is large enough, in ours otherwise. */
  function addressOfList(list: SCATTER_GATHER_LIST): number {
    const { session } = host;
    const place = PLACES.at(-1);
    const needed = 8 + 16 * list.NumberOfElements;
    const own = place === undefined || place.buffer === 0 || place.size < needed;
    const at = own ? session.pool.allocate(needed, 0, OURS, -1, session.c.stack()) : place.buffer;
    writeList(session, at, list);
    listsOf(session).set(at, { list, own, netBuffer: place?.netBuffer ?? 0, faceBuffer: place?.faceBuffer ?? null });
    return at;
  }
}

/** Calls of NdisMAllocateNetBufferSGList that are under way: the face calls back inside. */
const PLACES: {
  readonly buffer: number;
  readonly size: number;
  readonly netBuffer: number;
  readonly faceBuffer: unknown;
}[] = [];
const BY_HANDLE: WeakMap<object, number> = new WeakMap();

function writeList(
  session: Session,
  at: number,
  list: SCATTER_GATHER_LIST | { readonly Elements: SCATTER_GATHER_LIST["Elements"] },
): void {
  const flat = session.pool.allocate(12 * list.Elements.length + 12, 0, OURS, -1, []);
  list.Elements.forEach(({ Address, Length }, k) => {
    session.c.u32[(flat >>> 2) + 3 * k] = Address % 2 ** 32;
    session.c.u32[(flat >>> 2) + 3 * k + 1] = Math.floor(Address / 2 ** 32);
    session.c.u32[(flat >>> 2) + 3 * k + 2] = Length;
  });
  session.c.plain("nshm_write_list", at, flat, list.Elements.length);
  const block = session.pool.blocks.get(flat);
  if (block !== undefined) session.pool.free(block, []);
}

/** Elements that a list of the face's size has room for. */
function listElements(bytes: number, session: Session): number {
  return session.environment.choices.sgListLayout === "x86" ? (bytes - 8) / 16 : (bytes - 16) / 24;
}

/** The face's adapter handle for a number of C's; what is none goes through, and the face says what it is. */
export function faceAdapter(session: Session, handle: number): AdapterHandle {
  return faceOwner(session, handle) as AdapterHandle;
}

function faceOwner(session: Session, handle: number): unknown {
  const object = session.handles.faceHandle(handle);
  return typeof object === "object" && object !== null && "record" in object
    ? (object as CAdapter).record.handle
    : object;
}

export function putPhysical(session: Session, at: number, physical: number): void {
  session.c.u32[at >>> 2] = physical % 2 ** 32;
  session.c.u32[(at >>> 2) + 1] = Math.floor(physical / 2 ** 32);
}

function findOwned(session: Session, at: number): boolean {
  return session.shared.get(at)?.freed === null;
}

function tagText(tag: number): string {
  let text = "";
  for (let k = 0; k < 4; k++) {
    const code = (tag >>> (8 * k)) & 0xff;
    text += code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : ".";
  }
  return `'${text}'`;
}

function whyNotFreed(
  session: Session,
  address: number,
  block: PoolBlock | undefined,
  kind: number,
  length: number,
): {
  readonly code: "ALREADY_FREED" | "NEVER_ALLOCATED" | "INTERIOR_ADDRESS" | "LENGTH_MISMATCH" | "WRONG_HANDLE";
  readonly text: string;
  readonly bugCheck?: number;
} | null {
  if (block === undefined) {
    if (address === 0) return { code: "NEVER_ALLOCATED", text: "NULL is freed", bugCheck: 0x10 };
    if (session.blockAt(address) !== undefined)
      return {
        code: "NEVER_ALLOCATED",
        text: "this is shared memory, which NdisMFreeSharedMemory frees",
        bugCheck: 0x10,
      };
    const near = session.pool.nearest(address);
    if (near !== undefined && near.freed === null && address < near.address + near.lengthBytes) {
      return {
        code: "INTERIOR_ADDRESS",
        text: `this is ${address - near.address} bytes inside pool memory of ${near.lengthBytes} bytes`,
        bugCheck: 0x10,
      };
    }
    return { code: "NEVER_ALLOCATED", text: `${hex(address)} is no pool memory`, bugCheck: 0x10 };
  }
  if (block.freed !== null)
    return { code: "ALREADY_FREED", text: `${POOL_KINDS[block.kind]} is freed twice`, bugCheck: 0x13 };
  if (block.kind !== kind) {
    return {
      code: "WRONG_HANDLE",
      text: `this is a ${POOL_KINDS[block.kind]}, which ${FREED_BY[POOL_KINDS[block.kind] as string] ?? "nobody"} frees`,
    };
  }
  if (length !== 0 && length !== block.lengthBytes) {
    return { code: "LENGTH_MISMATCH", text: `length ${length}, allocated with ${block.lengthBytes}` };
  }
  return null;
}
