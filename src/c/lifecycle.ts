/**
 * A driver's table and its adapters: the face calls these handlers, and they call C.
 *
 * After halt, or an initialize that failed, nothing of the adapter may be left: see `assertReleased`.
 */
import {
  type AdapterHandle,
  type NDIS_HALT_ACTION,
  type NDIS_STATUS,
  NDIS_STATUS_BAD_CHARACTERISTICS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_SUCCESS,
  NdisMRegisterMiniportDriver,
} from "../../bindings/index.js";
import { ADAPTER_STRIDE, barOffsets, barPhysical, FIRST_PORT, INTERRUPT_VECTOR } from "./pci.js";
import { OURS, POOL_KINDS } from "./pool.js";
import { CAdapter, type Session } from "./session.js";
import { UpperProtocol } from "./upper.js";

/** Handlers in the order of the flat table of shim.c, from word 8 on: name, type, whether it must be there. */
const HANDLERS: readonly (readonly [name: string, signature: string, needed: boolean])[] = [
  ["SetOptionsHandler", "ii>i", false],
  ["InitializeHandlerEx", "iii>i", true],
  ["HaltHandlerEx", "ii>v", true],
  ["UnloadHandler", "i>v", false],
  ["PauseHandler", "ii>i", false],
  ["RestartHandler", "ii>i", false],
  ["OidRequestHandler", "ii>i", false],
  ["SendNetBufferListsHandler", "iiii>v", false],
  ["ReturnNetBufferListsHandler", "iii>v", false],
  ["CancelSendHandler", "ii>v", false],
  ["CheckForHangHandlerEx", "i>i", false],
  ["ResetHandlerEx", "ii>i", false],
  ["DevicePnPEventNotifyHandler", "ii>v", false],
  ["ShutdownHandlerEx", "ii>v", false],
  ["CancelOidRequestHandler", "ii>v", false],
];
const FIRST_HANDLER = 8;
/** NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1 on x86. */
const LEAST_SIZE = 72;
const CALL = "NdisMRegisterMiniportDriver";

/** Bytes on x64 of a table that has `size` bytes on x86: 12 before the handlers, aligned to 16, then 8 for each. */
function sizeOn64(size: number): number {
  return 16 + 2 * (size - 12);
}

/** NdisMRegisterMiniportDriver. */
export function registerDriver(
  session: Session,
  object: number,
  context: number,
  flat: number,
  handleAt: number,
): number {
  const { c } = session;
  const { u32 } = c;
  u32[handleAt >>> 2] = 0;
  const words = u32.slice(flat >>> 2, (flat >>> 2) + FIRST_HANDLER + HANDLERS.length);
  if (object !== c.plain("nshm_driver_object")) {
    session.violate(null, {
      rule: "HandleIsValid",
      code: "WRONG_HANDLE",
      call: CALL,
      message: "DriverObject is not that of DriverEntry",
      value: object >>> 0,
      unit: "handle",
    });
    return NDIS_STATUS_FAILURE;
  }
  const handlers: Record<string, number> = {};
  for (let k = 0; k < HANDLERS.length; k++) {
    const [name, signature, needed] = HANDLERS[k] as (typeof HANDLERS)[number];
    const index = words[FIRST_HANDLER + k] as number;
    handlers[name] = index;
    if (index === 0) {
      if (!needed) continue;
      session.violate(null, {
        rule: "HandlerIsRegistered",
        code: "NOT_REGISTERED",
        call: CALL,
        message: `${name} is NULL`,
        basis: "documented",
      });
      return NDIS_STATUS_BAD_CHARACTERISTICS;
    }
    if (!session.checkFunction(index, signature, name, CALL)) return NDIS_STATUS_BAD_CHARACTERISTICS;
  }
  session.handlers = handlers;
  session.driverContext = context;
  const size = words[2] as number;
  const has = (name: string): number => handlers[name] ?? 0;
  const mark = session.mark();
  try {
    const { Status, NdisMiniportDriverHandle } = NdisMRegisterMiniportDriver(
      session.driverObject,
      "\\Registry\\Machine",
      context,
      {
        Header: {
          Type: words[0] as number,
          Revision: words[1] as number,
          Size: size >= LEAST_SIZE ? sizeOn64(size) : size,
        },
        MajorNdisVersion: words[3] as number,
        MinorNdisVersion: words[4] as number,
        MajorDriverVersion: words[5] as number,
        MinorDriverVersion: words[6] as number,
        Flags: words[7] as number,
        InitializeHandlerEx: (handle) => initialize(session, handle),
        HaltHandlerEx: (adapter, action) => halt(session, adapter as CAdapter, action),
        PauseHandler: has("PauseHandler") === 0 ? null : (adapter) => pause(session, adapter as CAdapter),
        RestartHandler: (adapter) => restart(session, adapter as CAdapter),
        UnloadHandler:
          has("UnloadHandler") === 0
            ? null
            : () => {
                session.run(null, "DriverUnload", c.tableFunction(has("UnloadHandler")), [object]);
                unloaded(session);
              },
        ShutdownHandlerEx:
          has("ShutdownHandlerEx") === 0
            ? null
            : (adapter, action) => {
                const one = adapter as CAdapter;
                session.run(one, "MiniportShutdownEx", c.tableFunction(has("ShutdownHandlerEx")), [
                  one.context,
                  action,
                ]);
              },
        DevicePnPEventNotifyHandler:
          has("DevicePnPEventNotifyHandler") === 0
            ? null
            : (adapter, event) => {
                const one = adapter as CAdapter;
                session.run(one, "MiniportDevicePnPEventNotify", c.exported("nshm_call_pnp"), [
                  has("DevicePnPEventNotifyHandler"),
                  one.context,
                  event.DevicePnPEvent,
                ]);
              },
        SetOptionsHandler:
          has("SetOptionsHandler") === 0
            ? null
            : (handle) => {
                u32[handleAt >>> 2] = session.handles.give("driver", handle);
                return session.run(
                  null,
                  "SetOptions",
                  c.tableFunction(has("SetOptionsHandler")),
                  [u32[handleAt >>> 2] as number, context],
                  NDIS_STATUS_FAILURE,
                ) as NDIS_STATUS;
              },
      },
    );
    if (NdisMiniportDriverHandle !== null && u32[handleAt >>> 2] === 0)
      u32[handleAt >>> 2] = session.handles.give("driver", NdisMiniportDriverHandle);
    return Status;
  } finally {
    session.annotate(mark);
  }
}

/** Rows of the resource list: type, flags, low, high, length. */
function resources(session: Session, number: number): number[] {
  const rows: number[] = [];
  const offsets = barOffsets(session.pci);
  session.pci.bars.forEach((bar, index) => {
    if (bar.kind === "io") rows.push(1, 1, FIRST_PORT + number * 0x100 + (offsets[index] as number), 0, bar.bytes);
    else rows.push(3, 0, barPhysical(session.pci, number, index), 0, bar.bytes);
  });
  rows.push(2, 0, 5, INTERRUPT_VECTOR, 1);
  return rows;
}

function initialize(session: Session, handle: AdapterHandle): NDIS_STATUS | Promise<NDIS_STATUS> {
  const { c } = session;
  if (session.dead) return NDIS_STATUS_FAILURE as NDIS_STATUS;
  const number = session.adapters.length;
  const adapter = new CAdapter(
    handle,
    number,
    (one) => session.handles.give("adapter", one),
    c.registerBase + number * ADAPTER_STRIDE,
  );
  session.adapters.push(adapter);
  adapter.device = session.takeDevice();
  const rows = resources(session, number);
  const count = rows.length / 5;
  const at = session.pool.allocate(4 * rows.length, 0, OURS, -1, []);
  c.u32.set(rows, at >>> 2);
  const list = session.pool.allocate(c.plain("nshm_resource_size", count), 0, OURS, -1, []);
  const done = (status: number): NDIS_STATUS => {
    for (const address of [at, list]) {
      const block = session.pool.blocks.get(address);
      if (block !== undefined) session.pool.free(block, []);
    }
    if (status !== NDIS_STATUS_SUCCESS) {
      assertReleased(session, adapter, "MiniportInitializeEx");
      adapter.halted = true;
    }
    return (status | 0) as NDIS_STATUS;
  };
  const answer = session.runPassive(
    adapter,
    "MiniportInitializeEx",
    c.exported("nshm_call_initialize"),
    [session.handlers.InitializeHandlerEx as number, adapter.handle, session.driverContext, at, count, list],
    NDIS_STATUS_FAILURE,
  );
  return typeof answer === "number" ? done(answer) : answer.then(done);
}

function halt(session: Session, adapter: CAdapter, action: NDIS_HALT_ACTION): void | Promise<void> {
  const done = (): void => {
    giveUpFrames(adapter);
    assertReleased(session, adapter, "MiniportHaltEx");
    adapter.halted = true;
  };
  const answer = session.runPassive(
    adapter,
    "MiniportHaltEx",
    session.c.tableFunction(session.handlers.HaltHandlerEx as number),
    [adapter.context, action],
  );
  return typeof answer === "number" ? done() : answer.then(done);
}

/** MiniportPause: SUCCESS, or PENDING and NdisMPauseComplete later. It cannot fail. */
function pause(session: Session, adapter: CAdapter): NDIS_STATUS | Promise<NDIS_STATUS> {
  adapter.upper?.stop();
  adapter.completion = {
    what: "MiniportPause",
    event: adapter.services.createEvent(),
    done: false,
    status: NDIS_STATUS_SUCCESS,
  };
  const done = (status: number): NDIS_STATUS | Promise<NDIS_STATUS> => {
    if (session.dead) return NDIS_STATUS_SUCCESS as NDIS_STATUS;
    if (status === NDIS_STATUS_PENDING) return later(adapter).then(paused);
    adapter.completion = null;
    if (status !== NDIS_STATUS_SUCCESS) {
      session.violate(adapter, {
        rule: "PauseSucceeds",
        code: "INVALID_ARGUMENT",
        call: "MiniportPause",
        message: `returned 0x${(status >>> 0).toString(16)}: it returns NDIS_STATUS_SUCCESS or NDIS_STATUS_PENDING`,
        value: status,
        basis: "documented",
      });
    }
    return paused();
  };
  const paused = (): NDIS_STATUS => {
    if (adapter.sends.size > 0 && !session.dead) {
      session.violate(adapter, {
        rule: "PauseCompletesSends",
        code: "PENDING_AT_RELEASE",
        call: "MiniportPause",
        message: `${adapter.sends.size} packets were not completed`,
        value: adapter.sends.size,
        unit: "packets",
        basis: "documented",
      });
    }
    return NDIS_STATUS_SUCCESS as NDIS_STATUS;
  };
  const answer = session.runPassive(adapter, "MiniportPause", session.c.exported("nshm_call_pause"), [
    session.handlers.PauseHandler as number,
    adapter.context,
    0,
  ]);
  return typeof answer === "number" ? done(answer) : answer.then(done);
}

function restart(session: Session, adapter: CAdapter): NDIS_STATUS | Promise<NDIS_STATUS> {
  const begin = (status: NDIS_STATUS): NDIS_STATUS => {
    if (status === NDIS_STATUS_SUCCESS && !session.dead) {
      const upper = new UpperProtocol(session, adapter);
      adapter.upper = upper;
      upper.start();
    }
    return status;
  };
  const handler = session.handlers.RestartHandler ?? 0;
  if (handler === 0) return begin(NDIS_STATUS_SUCCESS as NDIS_STATUS);
  adapter.completion = {
    what: "MiniportRestart",
    event: adapter.services.createEvent(),
    done: false,
    status: NDIS_STATUS_SUCCESS,
  };
  const done = (status: number): NDIS_STATUS | Promise<NDIS_STATUS> => {
    if (status === NDIS_STATUS_PENDING) return later(adapter).then(begin);
    adapter.completion = null;
    return begin((status | 0) as NDIS_STATUS);
  };
  const answer = session.runPassive(
    adapter,
    "MiniportRestart",
    session.c.exported("nshm_call_restart"),
    [handler, adapter.context],
    NDIS_STATUS_FAILURE,
  );
  return typeof answer === "number" ? done(answer) : answer.then(done);
}

/** Frames that lie in memory when an adapter is halted are nobody's: a driver may leave them there. */
function giveUpFrames(adapter: CAdapter): void {
  const left = (adapter.device?.stored ?? 0) - adapter.accounted;
  for (let k = 0; k < left; k++) adapter.services.drop("discarded at halt");
  adapter.accounted += Math.max(0, left);
}

/** Until the driver says that what it answered PENDING is done. */
async function later(adapter: CAdapter): Promise<NDIS_STATUS> {
  const { completion } = adapter;
  if (completion === null) return NDIS_STATUS_SUCCESS as NDIS_STATUS;
  if (!completion.done) await adapter.services.wait(completion.event);
  adapter.completion = null;
  return completion.status as NDIS_STATUS;
}

/** What must be gone when an adapter is through, and is not. */
function assertReleased(session: Session, adapter: CAdapter, call: string): void {
  if (session.dead) return;
  adapter.upper?.stop();
  // Shared memory and requests are the face's to report, and what hangs on them follows from them.
  if (adapter.record.liveBlocks > 0 || adapter.record.pending > 0) return;
  for (const [, object] of adapter.objects) {
    if (object.armed?.() !== true || object.kind !== "timer object") continue;
    session.violate(
      adapter,
      {
        rule: "TimerIsCancelled",
        code: "LEAK_AT_RELEASE",
        call,
        message: "a timer is set and would fire into an adapter that is gone",
        basis: "documented",
      },
      object.stack,
    );
    return;
  }
  for (const timer of session.armedTimers(adapter)) {
    session.violate(
      adapter,
      {
        rule: "TimerIsCancelled",
        code: "LEAK_AT_RELEASE",
        call,
        message: "a timer is set and would fire into an adapter that is gone",
        basis: "documented",
      },
      timer,
    );
    return;
  }
  for (const [, object] of adapter.objects) {
    session.violate(
      adapter,
      {
        rule: "EverythingIsReleased",
        code: "LEAK_AT_RELEASE",
        call,
        message: `a ${object.kind} is left`,
        value: object.kind,
        basis: "documented",
      },
      object.stack,
    );
    return;
  }
  if (adapter.requests.size > 0) {
    session.violate(adapter, {
      rule: "OidIsCompleted",
      code: "PENDING_AT_RELEASE",
      call,
      message: `${adapter.requests.size} OID requests were not completed`,
      value: adapter.requests.size,
      unit: "requests",
      basis: "documented",
    });
    return;
  }
  const [first, ...more] = session.pool.liveOf(adapter.number);
  if (first === undefined) return;
  session.violate(
    adapter,
    {
      rule: "PoolIsFreed",
      code: "LEAK_AT_RELEASE",
      call,
      message: `a ${POOL_KINDS[first.kind]} of ${first.lengthBytes} bytes is left${more.length === 0 ? "" : `, and ${more.length} more`}`,
      value: first.lengthBytes,
      unit: "bytes",
      basis: "documented",
    },
    first.stack,
  );
}

/** After the unload routine: what DriverEntry took is given back. */
function unloaded(session: Session): void {
  const [first] = session.pool.liveOf(-1);
  if (session.dead || first === undefined) return;
  session.violate(
    null,
    {
      rule: "PoolIsFreed",
      code: "LEAK_AT_RELEASE",
      call: "DriverUnload",
      message: `a ${POOL_KINDS[first.kind]} of ${first.lengthBytes} bytes is left`,
      basis: "documented",
      bugCheck: { code: 0xc4, parameters: [0x62, 0, 0, 1] },
    },
    first.stack,
  );
}
