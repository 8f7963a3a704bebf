/** Drivers and adapters, pools of network buffers, receive, send, requests, status, and what completes later. */
import {
  type NDIS_STATUS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_SUCCESS,
  NdisMDeregisterMiniportDriver,
  NdisMSetMiniportAttributes,
  PAUSING,
  RUNNING,
  stateName,
} from "../../../bindings/index.js";
import { registerDriver } from "../lifecycle.js";
import type { Stack } from "../places.js";
import { POOL_KINDS } from "../pool.js";
import { completeRequest } from "../requests.js";
import type { CAdapter } from "../session.js";
import type { ImportHost, Imports } from "./host.js";

interface NetPool {
  readonly owner: CAdapter | null;
  readonly contextBytes: number;
  readonly dataBytes: number;
  live: number;
  readonly stack: Stack;
}

const NET_BUFFER_LIST = POOL_KINDS.indexOf("net buffer list");

export function netImports(host: ImportHost): Imports {
  const poolKind = (kind: number): "net buffer list pool" | "net buffer pool" =>
    kind === 0 ? "net buffer list pool" : "net buffer pool";

  return {
    registerDriver: (object, context, flat, handleAt) => registerDriver(host.session, object, context, flat, handleAt),
    deregisterDriver(handle) {
      const { session } = host;
      const mark = session.mark();
      try {
        NdisMDeregisterMiniportDriver(session.handles.faceHandle(handle) as never);
        session.handles.release(handle);
      } finally {
        session.annotate(mark);
      }
    },
    setAttributes(adapterHandle, type, revision, size, context, flags, seconds, interfaceType) {
      const { session } = host;
      const call = "NdisMSetMiniportAttributes";
      const adapter = session.adapter(adapterHandle, call);
      if (adapter === undefined) return NDIS_STATUS_FAILURE;
      const mark = session.mark();
      try {
        if (type !== 0x9e) {
          return NdisMSetMiniportAttributes(adapter.record.handle, {
            Header: { Type: type, Revision: revision, Size: size },
          } as never);
        }
        adapter.context = context;
        return NdisMSetMiniportAttributes(adapter.record.handle, {
          // 20 bytes on x86, 28 on x64.
          Header: { Type: type, Revision: revision, Size: size >= 20 ? size + 8 : size },
          MiniportAdapterContext: adapter,
          AttributeFlags: flags >>> 0,
          CheckForHangTimeInSeconds: seconds >>> 0,
          InterfaceType: interfaceType,
        });
      } finally {
        session.annotate(mark);
      }
    },

    // ---- pools of network buffers --------------------------------------------------------------------------------------------
    makePool(owner, kind, withBuffer, contextBytes, dataBytes, tag, type, size) {
      const { session } = host;
      void withBuffer;
      void tag;
      void size;
      const call = kind === 0 ? "NdisAllocateNetBufferListPool" : "NdisAllocateNetBufferPool";
      const isDriver = typeof session.handles.find(owner, "driver") !== "string";
      const adapter = isDriver ? null : session.adapter(owner, call);
      if (adapter === undefined) return 0;
      if (type !== 0x80) {
        session.violate(adapter, {
          rule: "HeaderIsRight",
          code: "INVALID_ARGUMENT",
          call,
          message: `Header.Type is 0x${type.toString(16)}, not NDIS_OBJECT_TYPE_DEFAULT`,
          value: type,
        });
        return 0;
      }
      if (session.environment.faults?.strikes("synchronous", adapter?.number ?? 0, 0) === true) return 0;
      const pool: NetPool = { owner: adapter, contextBytes, dataBytes, live: 0, stack: session.c.stack() };
      const handle = session.handles.give(poolKind(kind), pool);
      adapter?.objects.set(handle, { kind: poolKind(kind), stack: pool.stack });
      return handle;
    },
    freeNetPool(handle, kind) {
      const { session } = host;
      const call = kind === 0 ? "NdisFreeNetBufferListPool" : "NdisFreeNetBufferPool";
      const pool = session.find<NetPool>(handle, poolKind(kind), call);
      if (pool === undefined) return;
      if (pool.live > 0) {
        session.violate(pool.owner, {
          rule: "PoolIsEmpty",
          code: "LEAK_AT_RELEASE",
          call,
          message: `${pool.live} of its buffers are not freed`,
          value: pool.live,
          unit: "buffers",
          basis: "documented",
        });
      }
      pool.owner?.objects.delete(handle >>> 0);
      session.handles.release(handle);
    },
    netPool(handle, kind, what) {
      const { session } = host;
      // A pool of lists that allocates net buffers serves where a pool of net buffers is due.
      const found = session.handles.find(handle, "net buffer list pool");
      if (kind === 1 && typeof found !== "string")
        return (found.object as NetPool)[what === 0 ? "contextBytes" : "dataBytes"];
      const pool = session.find<NetPool>(
        handle,
        poolKind(kind),
        kind === 0 ? "NdisAllocateNetBufferList" : "NdisAllocateNetBuffer",
      );
      return pool === undefined ? 0 : what === 0 ? pool.contextBytes : pool.dataBytes;
    },
    countInPool(handle, more) {
      const object = host.session.handles.faceHandle(handle);
      if (typeof object === "object" && object !== null && "live" in object) (object as NetPool).live += more;
    },

    // ---- receive ----------------------------------------------------------------------------------------------------------------
    indicated(adapterHandle, said, found, flags) {
      const { session } = host;
      const call = "NdisMIndicateReceiveNetBufferLists";
      const adapter = session.adapter(adapterHandle, call);
      if (adapter === undefined) return;
      if (said !== found) {
        session.violate(adapter, {
          rule: "CountIsRight",
          code: "INVALID_ARGUMENT",
          call,
          message: `NumberOfNetBufferLists is ${said}, and the chain has ${found}`,
          value: said,
        });
      }
      const { state } = adapter.record;
      if (state !== RUNNING && state !== PAUSING) {
        session.violate(adapter, {
          rule: "IndicatesWhenRunning",
          code: "WRONG_CONTEXT",
          call,
          message: `the adapter is ${stateName(state)}`,
          basis: "documented",
        });
      }
      const atDispatch = session.environment.irql.current === 2;
      if ((flags & 1) !== 0 && !atDispatch) {
        session.violate(adapter, {
          rule: "Flags_Irql",
          code: "WRONG_IRQL",
          call,
          message: "NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL is set below DISPATCH_LEVEL",
          basis: "documented",
        });
      }
    },
    indicate(adapterHandle, list, data, length, flags) {
      const { session } = host;
      const found = session.handles.find(adapterHandle, "adapter");
      if (typeof found === "string") return;
      const adapter = found.object as CAdapter;
      if (adapter.halted) return;
      adapter.accounted++;
      const bytes = session.c.u8.subarray(data >>> 0, (data >>> 0) + length);
      if ((flags & 2) !== 0) {
        adapter.services.indicate({ bytes });
        return;
      }
      const block = session.pool.blocks.get(list >>> 0);
      if (block === undefined || block.kind !== NET_BUFFER_LIST) {
        session.violate(adapter, {
          rule: "ListComesFromPool",
          code: "NEVER_ALLOCATED",
          call: "NdisMIndicateReceiveNetBufferLists",
          message: "the list was not allocated from a pool",
          value: list >>> 0,
          unit: "address",
          basis: "documented",
        });
        return;
      }
      if (adapter.held.has(list)) {
        session.violate(
          adapter,
          {
            rule: "ListIsIndicatedOnce",
            code: "WRONG_OWNER",
            call: "NdisMIndicateReceiveNetBufferLists",
            message: "the list is with the upper layer already",
            value: list >>> 0,
            unit: "address",
          },
          undefined,
          [`indicated at ${session.placeText(adapter.held.get(list) as Stack)}`],
        );
        return;
      }
      const handler = session.handlers.ReturnNetBufferListsHandler ?? 0;
      adapter.held.set(list, session.c.stack());
      adapter.services.indicate({
        bytes,
        returned: () => {
          adapter.held.delete(list);
          if (session.dead || handler === 0) return;
          session.run(adapter, "MiniportReturnNetBufferLists", session.c.tableFunction(handler), [
            adapter.context,
            list,
            1,
          ]);
        },
      });
    },

    // ---- send, requests, status ---------------------------------------------------------------------------------------------------
    sendComplete(adapterHandle, list, status) {
      const { session } = host;
      const call = "NdisMSendNetBufferListsComplete";
      const adapter = session.adapter(adapterHandle, call);
      if (adapter === undefined) return;
      const at = list >>> 0;
      if (!adapter.sends.delete(at)) {
        session.violate(adapter, {
          rule: "SendIsCompletedOnce",
          code: "ALREADY_FREED",
          call,
          message: "the list was not sent, or is completed already",
          value: at,
          unit: "address",
          basis: "documented",
        });
        return;
      }
      void status;
      const block = session.pool.blocks.get(at);
      if (block !== undefined && block.freed === null) session.pool.free(block, session.c.stack());
    },
    oidComplete(adapterHandle, request, status) {
      const { session } = host;
      const call = "NdisMOidRequestComplete";
      const adapter = session.adapter(adapterHandle, call);
      if (adapter === undefined) return;
      if ((status | 0) === NDIS_STATUS_PENDING) {
        session.violate(adapter, {
          rule: "OidIsCompleted",
          code: "INVALID_ARGUMENT",
          call,
          message: "a request is not completed with NDIS_STATUS_PENDING",
          basis: "documented",
        });
      }
      if (!completeRequest(session, adapter, request >>> 0)) {
        session.violate(adapter, {
          rule: "OidIsCompletedOnce",
          code: "ALREADY_FREED",
          call,
          message: "no such request is pending",
          value: request >>> 0,
          unit: "address",
          basis: "documented",
          bugCheck: { code: 0xc4, parameters: [0x91001, request >>> 0, 0, 0] },
        });
      }
    },
    status(adapterHandle, code, source, buffer, size) {
      const { session } = host;
      const adapter = session.adapter(adapterHandle, "NdisMIndicateStatusEx");
      void code;
      void buffer;
      void size;
      if (adapter === undefined) return;
      if (source !== 0 && source >>> 0 !== adapter.handle) {
        session.violate(adapter, {
          rule: "SourceHandleIsRight",
          code: "WRONG_HANDLE",
          call: "NdisMIndicateStatusEx",
          message: "SourceHandle is the adapter's handle",
          value: source >>> 0,
          unit: "handle",
          severity: "warning",
          basis: "documented",
        });
      }
      adapter.statusIndications++;
    },
    pauseComplete(adapterHandle) {
      complete(adapterHandle, "MiniportPause", "NdisMPauseComplete", NDIS_STATUS_SUCCESS);
    },
    restartComplete(adapterHandle, status) {
      complete(adapterHandle, "MiniportRestart", "NdisMRestartComplete", (status | 0) as NDIS_STATUS);
    },
    resetComplete(adapterHandle, status) {
      const { session } = host;
      void status;
      const call = "NdisMResetComplete";
      const adapter = session.adapter(adapterHandle, call);
      if (adapter === undefined) return;
      if (!adapter.resetPending) {
        session.violate(adapter, {
          rule: "ResetIsPending",
          code: "WRONG_CONTEXT",
          call,
          message: "no reset is pending",
          basis: "documented",
        });
      }
      adapter.resetPending = false;
    },
    removeMiniport(adapterHandle) {
      host.session.adapter(adapterHandle, "NdisMRemoveMiniport");
    },
  };

  function complete(adapterHandle: number, what: string, call: string, status: NDIS_STATUS): void {
    const { session } = host;
    const adapter = session.adapter(adapterHandle, call);
    if (adapter === undefined) return;
    const { completion } = adapter;
    if (completion === null || completion.what !== what || completion.done) {
      session.violate(adapter, {
        rule: "CompletesWhatIsPending",
        code: "WRONG_CONTEXT",
        call,
        message: `${what} is not pending`,
        basis: "documented",
      });
      return;
    }
    completion.done = true;
    completion.status = status;
    completion.event.set();
  }
}
