/**
 * Levels, locks, events, waiting, time, timers, deferred calls, work items: what the kernel has beside NDIS.
 *
 * A lock, an event or a timer in the driver's memory is known by its address. Using one that was never initialized is a
 * finding, and so is freeing memory that holds one which is in use.
 */
import {
  bugChecks,
  type Irql,
  irqlName,
  type KIRQL,
  type MachineEvent,
  type MachineTimer,
  type SpinLock,
} from "../../../bindings/index.js";
import type { Stack } from "../places.js";
import type { CAdapter, Session } from "../session.js";
import { anyAdapter, dueNs, EPOCH, type ImportHost, type Imports, nowNs, textAt } from "./host.js";

interface CLock {
  lock: SpinLock | null;
  held: boolean;
  /** Level before it was taken, and whether taking it raised. */
  before: number;
  raised: boolean;
  stack: Stack;
}

interface CEvent {
  event: MachineEvent | null;
  readonly synchronization: boolean;
  initial: boolean;
}

/** A timer: of the kernel, by address, or of NDIS, by handle. */
interface CTimer {
  readonly name: string;
  timer: MachineTimer | null;
  armed: boolean;
  adapter: CAdapter | null;
  stack: Stack;
}

interface TimerObject extends CTimer {
  readonly handle: number;
  readonly function: number;
  readonly context: number;
  readonly owner: CAdapter;
}

interface WorkItem {
  readonly owner: CAdapter;
  queued: boolean;
  freed: boolean;
}

/** Objects in the driver's memory, by address. A session has one set. */
export class KernelObjects {
  readonly locks: Map<number, CLock> = new Map();
  readonly events: Map<number, CEvent> = new Map();
  readonly timers: Map<number, CTimer> = new Map();
  readonly lookasides: Map<number, Stack> = new Map();
  readonly dpcs: Set<number> = new Set();

  /** Memory goes away: is something in it still in use? In words. */
  inUse(from: number, lengthBytes: number): string | null {
    const end = from + lengthBytes;
    for (const [at, timer] of this.timers) if (at >= from && at < end && timer.armed) return "a timer that is set";
    for (const [at, lock] of this.locks) if (at >= from && at < end && lock.held) return "a spin lock that is held";
    for (const at of this.dpcs) if (at >= from && at < end) return "a deferred call that is queued";
    return null;
  }

  /** And what was in it is gone. */
  forget(from: number, lengthBytes: number): void {
    for (const map of [this.locks, this.events, this.timers] as Map<number, unknown>[]) {
      if (map.size > 0) for (const at of map.keys()) if (at >= from && at < from + lengthBytes) map.delete(at);
    }
  }
}

export function objectsOf(session: Session): KernelObjects {
  let objects = session.kernel as KernelObjects | null;
  if (objects === null) {
    const made = new KernelObjects();
    objects = made;
    session.giveUpLocks = () => {
      for (const lock of made.locks.values()) {
        if (lock.held) lock.lock?.release();
        lock.held = false;
      }
      session.locksHeld.clear();
    };
    session.armedTimers = (adapter) =>
      [...made.timers.values()].filter((timer) => timer.armed && timer.adapter === adapter).map((timer) => timer.stack);
    session.kernel = objects;
  }
  return objects;
}

/** Flags_Irql: handlers that are told the level by a flag. */
const TOLD_BY_FLAG: readonly string[] = ["MiniportSendNetBufferLists", "MiniportReturnNetBufferLists"];

export function kernelImports(host: ImportHost): Imports {
  const irql = (): Irql => host.session.environment.irql;

  const lockAt = (address: number, call: string): CLock | undefined => {
    const { session } = host;
    const lock = objectsOf(session).locks.get(address);
    if (lock !== undefined) return lock;
    session.violate(session.current, {
      rule: "ObjectIsInitialized",
      code: "WRONG_CONTEXT",
      call,
      message: "the spin lock was never initialized, or its memory was freed",
      value: address,
      unit: "address",
    });
    return undefined;
  };

  const eventAt = (address: number, call: string): CEvent | undefined => {
    const { session } = host;
    const event = objectsOf(session).events.get(address);
    if (event === undefined) {
      session.violate(session.current, {
        rule: "ObjectIsInitialized",
        code: "WRONG_CONTEXT",
        call,
        message: "the event was never initialized, or its memory was freed",
        value: address,
        unit: "address",
      });
      return undefined;
    }
    if (event.event === null) {
      const adapter = anyAdapter(session);
      if (adapter !== null) {
        event.event = adapter.services.createEvent();
        if (event.initial) event.event.set();
      }
    }
    return event;
  };

  const stopTimer = (timer: CTimer): number => {
    const was = timer.armed;
    timer.armed = false;
    timer.timer?.cancel();
    return was ? 1 : 0;
  };

  const setTimer = (timer: CTimer, adapter: CAdapter, delayNs: number, periodMs: number, run: () => void): number => {
    const { session } = host;
    const was = timer.armed;
    stopTimer(timer);
    timer.adapter = adapter;
    timer.armed = true;
    timer.stack = session.c.stack();
    timer.timer = adapter.services.createTimer(() => {
      if (periodMs === 0) timer.armed = false;
      if (!session.dead) run();
    });
    if (periodMs > 0) timer.timer.set(Math.round(delayNs), periodMs * 1e6);
    else timer.timer.set(Math.round(delayNs));
    return was ? 1 : 0;
  };

  return {
    // ---- level ----------------------------------------------------------------------------------------------------------
    irql: () => irql().current,
    askedIrql() {
      const { session } = host;
      const adapter = session.current;
      if (adapter === null || !TOLD_BY_FLAG.includes(adapter.inside)) return;
      session.violate(adapter, {
        rule: "Flags_Irql",
        code: "WRONG_CONTEXT",
        call: "KeGetCurrentIrql",
        message: `${adapter.inside} is told the level by a flag, and asked for it`,
        basis: "documented",
        severity: "warning",
      });
    },
    raiseIrql(level) {
      const { session } = host;
      const { current } = irql();
      if (level < current) {
        session.violate(session.current, {
          rule: "IrqlIsRaised",
          code: "WRONG_IRQL",
          call: "KeRaiseIrql",
          message: `raising from ${irqlName(current)} to ${irqlName(level)} lowers`,
          value: level,
          unit: "IRQL",
          basis: "documented",
          bugCheck: { code: 0xc4, parameters: [0x30, current, level, 0] },
        });
        return current;
      }
      return irql().setLevel(Math.min(level, 15) as KIRQL);
    },
    lowerIrql(level) {
      const { session } = host;
      const { current } = irql();
      if (level > current) {
        session.violate(session.current, {
          rule: "IrqlIsLowered",
          code: "WRONG_IRQL",
          call: "KeLowerIrql",
          message: `lowering from ${irqlName(current)} to ${irqlName(level)} raises`,
          value: level,
          unit: "IRQL",
          basis: "documented",
          bugCheck: { code: 0xc4, parameters: [0x31, current, level, 0] },
        });
        return;
      }
      irql().restoreLevel(level as KIRQL);
    },

    // ---- locks ----------------------------------------------------------------------------------------------------------
    initializeLock(address) {
      objectsOf(host.session).locks.set(address, { lock: null, held: false, before: 0, raised: false, stack: [] });
    },
    freeLock(address) {
      const { session } = host;
      const lock = lockAt(address, "NdisFreeSpinLock");
      if (lock?.held === true) {
        session.violate(session.current, {
          rule: "SpinLock",
          code: "WRONG_CONTEXT",
          call: "NdisFreeSpinLock",
          message: "the spin lock is held",
          basis: "documented",
        });
      }
      objectsOf(session).locks.delete(address);
    },
    acquireLock(address, raise) {
      const { session } = host;
      const call = raise !== 0 ? "NdisAcquireSpinLock" : "NdisDprAcquireSpinLock";
      const lock = lockAt(address, call);
      const { current } = irql();
      if (lock === undefined) return current;
      if (lock.held) {
        session.abort(
          session.current,
          {
            rule: "SpinLock",
            code: "WRONG_CONTEXT",
            call,
            message: "the spin lock is held already: the processor would wait for ever",
            value: address,
            unit: "address",
            basis: "documented",
          },
          undefined,
          [`taken at ${session.placeText(lock.stack)}`],
        );
      }
      if (raise === 0 && current < 2) {
        session.violate(session.current, {
          rule: "SpinLockDpr",
          code: "WRONG_IRQL",
          call,
          message: `is for DISPATCH_LEVEL, and this is ${irqlName(current)}`,
          value: current,
          unit: "IRQL",
          basis: "documented",
        });
      }
      if (current > 2) {
        session.violate(session.current, {
          rule: "SpinLock",
          code: "WRONG_IRQL",
          call,
          message: `a spin lock is taken at DISPATCH_LEVEL or below, and this is ${irqlName(current)}`,
          value: current,
          unit: "IRQL",
          basis: "documented",
          bugCheck: { code: 0xc4, parameters: [0x41, current, 2, address] },
        });
      }
      lock.lock ??= anyAdapter(session)?.services.createSpinLock() ?? null;
      lock.held = true;
      lock.before = current;
      lock.raised = raise !== 0;
      lock.stack = session.c.stack();
      session.locksHeld.set(address, lock.stack);
      lock.lock?.acquire();
      if (raise === 0 && irql().current !== current) irql().restoreLevel(current);
      return current;
    },
    releaseLock(address, level, lower) {
      const { session } = host;
      const call = lower !== 0 ? "NdisReleaseSpinLock" : "NdisDprReleaseSpinLock";
      const lock = lockAt(address, call);
      if (lock === undefined) return;
      if (!lock.held) {
        session.violate(session.current, {
          rule: "SpinLock",
          code: "WRONG_CONTEXT",
          call,
          message: "the spin lock is not held",
          value: address,
          unit: "address",
          basis: "documented",
        });
        return;
      }
      if (lock.raised !== (lower !== 0)) {
        session.violate(
          session.current,
          {
            rule: "SpinLockDpr",
            code: "WRONG_CONTEXT",
            call,
            message: lock.raised
              ? "the spin lock was taken by NdisAcquireSpinLock: the level would not be restored"
              : "the spin lock was taken by NdisDprAcquireSpinLock: there is no level to restore",
            value: address,
            unit: "address",
            basis: "documented",
          },
          undefined,
          [`taken at ${session.placeText(lock.stack)}`],
        );
      }
      const { current } = irql();
      lock.held = false;
      session.locksHeld.delete(address);
      lock.lock?.release();
      if (lower === 0) irql().restoreLevel(current);
      else irql().restoreLevel(level as KIRQL);
    },

    // ---- events, waiting ----------------------------------------------------------------------------------------------------
    initializeEvent(address, synchronization, state) {
      objectsOf(host.session).events.set(address, {
        event: null,
        synchronization: synchronization !== 0,
        initial: state !== 0,
      });
    },
    setEvent(address) {
      const event = eventAt(address, "NdisSetEvent");
      if (event === undefined) return 0;
      const was = event.event?.signalled ?? event.initial;
      if (event.event === null) event.initial = true;
      else event.event.set();
      return was ? 1 : 0;
    },
    resetEvent(address) {
      const event = eventAt(address, "NdisResetEvent");
      if (event === undefined) return 0;
      const was = event.event?.signalled ?? event.initial;
      if (event.event === null) event.initial = false;
      else event.event.reset();
      return was ? 1 : 0;
    },
    readEvent(address) {
      const event = eventAt(address, "KeReadStateEvent");
      return (event?.event?.signalled ?? event?.initial) === true ? 1 : 0;
    },
    wait(address, low, high, forever) {
      const { session } = host;
      const { c } = session;
      if (c.resuming) return c.resumed();
      const call = address === 0 ? "NdisMSleep" : "NdisWaitEvent";
      const event = address === 0 ? null : eventAt(address, call);
      if (event === undefined) return 0;
      const timeoutNs = forever !== 0 ? undefined : dueNs(session, low, high);
      const { current } = irql();
      if (current > 1 && timeoutNs !== 0) {
        session.violate(session.current, {
          rule: "NoWaitAtDispatch",
          code: "WRONG_IRQL",
          call,
          message: `waiting is for PASSIVE_LEVEL, and this is ${irqlName(current)}`,
          value: current,
          unit: "IRQL",
          bugCheck: bugChecks.waitAtHighIrql(current),
          basis: "documented",
        });
        return 0;
      }
      if (event?.event?.signalled === true) {
        if (event.synchronization) event.event.reset();
        return 1;
      }
      if (timeoutNs === 0) return 0;
      const adapter = anyAdapter(session);
      if (adapter === null || !c.mayWait) {
        return session.abort(session.current, {
          rule: "HandlerReturns",
          code: "WRONG_CONTEXT",
          call,
          message: "waits where nothing can go on meanwhile: DriverEntry, unload, or a call inside another one",
        });
      }
      if (event === null) return c.suspend(adapter.services.sleep(Math.max(1, Math.round(timeoutNs ?? 0))));
      const { event: machineEvent, synchronization } = event;
      if (machineEvent === null) return 0;
      const waiting = adapter.services.wait(machineEvent, timeoutNs === undefined ? undefined : Math.round(timeoutNs));
      if (!synchronization) return c.suspend(waiting);
      return c.suspend(
        waiting.then((outcome) => {
          if (outcome === "signalled") machineEvent.reset();
          return outcome;
        }),
      );
    },

    // ---- time, timers ---------------------------------------------------------------------------------------------------------
    time(where, what) {
      const { session } = host;
      const ticks = Math.floor(nowNs(session) / 100);
      const low = (ticks % 2 ** 32) + (what === 0 ? EPOCH.low : 0);
      const high = Math.floor(ticks / 2 ** 32) + (what === 0 ? EPOCH.high : 0) + (low >= 2 ** 32 ? 1 : 0);
      session.c.u32[where >>> 2] = low;
      session.c.u32[(where >>> 2) + 1] = high;
    },
    stall(microseconds) {
      host.session.stalledNs += (microseconds >>> 0) * 1000;
    },
    initializeTimer(address, owner) {
      const { session } = host;
      const adapter = owner === 0 ? session.current : (session.adapter(owner, "NdisMInitializeTimer") ?? null);
      objectsOf(session).timers.set(address, { name: "KTIMER", timer: null, armed: false, adapter, stack: [] });
    },
    setTimer(address, low, high, period, dpc, routine, context) {
      const { session } = host;
      const call = dpc === 0 ? "NdisMSetTimer" : "KeSetTimer";
      const timer = objectsOf(session).timers.get(address);
      const found = timer?.adapter ?? anyAdapter(session);
      if (timer === undefined || found === null) {
        session.violate(session.current, {
          rule: "ObjectIsInitialized",
          code: "WRONG_CONTEXT",
          call,
          message: "the timer was never initialized, or its memory was freed",
          value: address,
          unit: "address",
        });
        return 0;
      }
      if (routine !== 0 && !session.checkFunction(routine, "iiii>v", "the timer's function", call)) return 0;
      const adapter: CAdapter = found;
      const run = (): void => {
        if (routine === 0) return;
        const args = dpc === 0 ? [0, context, 0, 0] : [dpc, context, 0, 0];
        session.run(adapter, "timer", session.c.tableFunction(routine), args);
      };
      return setTimer(timer, adapter, dueNs(session, low, high), period, run);
    },
    cancelTimer(address) {
      const timer = objectsOf(host.session).timers.get(address);
      return timer === undefined ? 0 : stopTimer(timer);
    },
    queueDpc(dpc, routine, context, one, two) {
      const { session } = host;
      const found = anyAdapter(session);
      const { dpcs } = objectsOf(session);
      if (found === null || dpcs.has(dpc)) return 0;
      const adapter: CAdapter = found;
      if (!session.checkFunction(routine, "iiii>v", "DeferredRoutine", "KeInsertQueueDpc")) return 0;
      dpcs.add(dpc);
      adapter.services
        .createTimer(() => {
          dpcs.delete(dpc);
          if (!session.dead) session.run(adapter, "dpc", session.c.tableFunction(routine), [dpc, context, one, two]);
        })
        .set(0);
      return 1;
    },
    makeTimerObject(owner, fn, context, type, size) {
      const { session } = host;
      const call = "NdisAllocateTimerObject";
      const adapter = session.adapter(owner, call);
      if (adapter === undefined) return 0;
      void size;
      if (type !== 0x97) {
        session.violate(adapter, {
          rule: "HeaderIsRight",
          code: "INVALID_ARGUMENT",
          call,
          message: `Header.Type is 0x${type.toString(16)}, not NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS`,
          value: type,
        });
        return 0;
      }
      if (!session.checkFunction(fn, "iiii>v", "TimerFunction", call)) return 0;
      const timer: { -readonly [K in keyof TimerObject]: TimerObject[K] } = {
        name: call,
        timer: null,
        armed: false,
        adapter,
        stack: session.c.stack(),
        handle: 0,
        function: fn,
        context,
        owner: adapter,
      };
      timer.handle = session.handles.give("timer", timer);
      adapter.objects.set(timer.handle, { kind: "timer object", stack: timer.stack, armed: () => timer.armed });
      return timer.handle;
    },
    setTimerObject(handle, low, high, period, context) {
      const { session } = host;
      const timer = session.find<TimerObject>(handle, "timer", "NdisSetTimerObject");
      if (timer === undefined) return 0;
      const what = context === 0 ? timer.context : context;
      return setTimer(timer, timer.owner, dueNs(session, low, high), period, () => {
        session.run(timer.owner, "timer", session.c.tableFunction(timer.function), [0, what, 0, 0]);
      });
    },
    cancelTimerObject(handle) {
      const timer = host.session.find<TimerObject>(handle, "timer", "NdisCancelTimerObject");
      return timer === undefined ? 0 : stopTimer(timer);
    },
    freeTimerObject(handle) {
      const { session } = host;
      const timer = session.find<TimerObject>(handle, "timer", "NdisFreeTimerObject");
      if (timer === undefined) return;
      if (timer.armed) {
        session.violate(
          timer.owner,
          {
            rule: "TimerIsCancelled",
            code: "WRONG_CONTEXT",
            call: "NdisFreeTimerObject",
            message: "the timer is set: it is cancelled before it is freed",
            basis: "documented",
          },
          undefined,
          [`set at ${session.placeText(timer.stack)}`],
        );
        stopTimer(timer);
      }
      timer.owner.objects.delete(handle >>> 0);
      session.handles.release(handle);
    },

    // ---- work items ------------------------------------------------------------------------------------------------------------
    makeWorkItem(owner) {
      const { session } = host;
      const adapter = session.adapter(owner, "NdisAllocateIoWorkItem");
      if (adapter === undefined) return 0;
      const item: WorkItem = { owner: adapter, queued: false, freed: false };
      const handle = session.handles.give("work item", item);
      adapter.objects.set(handle, { kind: "work item", stack: session.c.stack(), armed: () => item.queued });
      return handle;
    },
    freeWorkItem(handle) {
      const { session } = host;
      const item = session.find<WorkItem>(handle, "work item", "NdisFreeIoWorkItem");
      if (item === undefined) return;
      if (item.queued) {
        session.violate(item.owner, {
          rule: "WorkItemIsDone",
          code: "WRONG_CONTEXT",
          call: "NdisFreeIoWorkItem",
          message: "the work item is queued and has not run",
          basis: "documented",
        });
      }
      item.owner.objects.delete(handle >>> 0);
      session.handles.release(handle);
    },
    queueWorkItem(handle, routine, context) {
      const { session } = host;
      const call = "NdisQueueIoWorkItem";
      const item = session.find<WorkItem>(handle, "work item", call);
      if (item === undefined || !session.checkFunction(routine, "ii>v", "Routine", call)) return;
      if (item.queued) {
        session.violate(item.owner, {
          rule: "WorkItemIsDone",
          code: "WRONG_CONTEXT",
          call,
          message: "the work item is queued already",
          basis: "documented",
        });
        return;
      }
      item.queued = true;
      item.owner.services.queueWorkItem(() => {
        item.queued = false;
        const answer = session.runPassive(item.owner, "work item", session.c.tableFunction(routine), [context, handle]);
        return typeof answer === "number" ? undefined : answer.then(() => {});
      });
    },

    // ---- words -------------------------------------------------------------------------------------------------------------------
    debugPrint(format, args) {
      const { session } = host;
      session.debug(formatted(session, format, args));
    },
    bugCheck(code, p1, p2, p3, p4) {
      const { session } = host;
      session.abort(session.current, {
        rule: "DriverDoesNotBugCheck",
        code: "TRAP",
        call: "KeBugCheckEx",
        message: `the driver stopped the system with 0x${(code >>> 0).toString(16)}`,
        bugCheck: { code: code >>> 0, parameters: [p1 >>> 0, p2 >>> 0, p3 >>> 0, p4 >>> 0] },
      });
    },
    assertFailed(expression, file, line) {
      const { session } = host;
      session.abort(session.current, {
        rule: "AssertionHolds",
        code: "TRAP",
        call: "ASSERT",
        message: `${textAt(session, expression)} does not hold (${textAt(session, file)}:${line})`,
      });
    },
    stubCalled(name) {
      const { session } = host;
      session.abort(session.current, {
        rule: "StubIsNotCalled",
        code: "NOT_REGISTERED",
        call: textAt(session, name),
        message: "is a stub (cc --stub): what it does is not known here",
      });
    },
  };
}

/** printf as far as kernel messages go: d i u x X p s S c lu ld llu wZ, widths and zeros. */
function formatted(session: Session, format: number, args: number): string {
  const { u32 } = session.c;
  let at = args >>> 2;
  return textAt(session, format).replace(
    /%([-0#+ ]*)(\d*)(?:\.\d+)?(ll|I64|l|h|w)?([diuxXpsScZ%])/g,
    (_all, flags: string, width: string, size: string | undefined, kind: string) => {
      if (kind === "%") return "%";
      if (size === "ll" || size === "I64") at += at & 1;
      const low = u32[at++] ?? 0;
      let text: string;
      if (size === "ll" || size === "I64") {
        const value = (BigInt(u32[at++] ?? 0) << 32n) | BigInt(low);
        text = kind === "x" || kind === "X" ? value.toString(16) : value.toString();
      } else if (kind === "s") text = textAt(session, low);
      else if (kind === "c") text = String.fromCharCode(low & 0xff);
      else if (kind === "d" || kind === "i") text = String(low | 0);
      else if (kind === "u") text = String(low);
      else text = low.toString(16);
      if (kind === "X") text = text.toUpperCase();
      if (kind === "p") return text.padStart(8, "0");
      const wide = Number(width === "" ? 0 : width);
      return flags.includes("-") ? text.padEnd(wide) : text.padStart(wide, flags.includes("0") ? "0" : " ");
    },
  );
}
