/**
 * Lifecycles: drivers and adapters come and go as NDIS drives them.
 *
 * A lifecycle call of the host is an operation: one or more handlers of the driver's, each a job, run as a thread at
 * PASSIVE_LEVEL. Operations may be asked for at any time, from anywhere, together: those of one adapter wait for each
 * other in the order of the calls, those of different adapters go side by side. docs/embedding.md, "Lifecycle calls at the
 * same time", has the rule for each pair.
 *
 *  - Asked for outside of any callback, with nothing under way, an operation begins at once. Otherwise it begins when the
 *    callback, or the turn of the loop, is through (misuse E09).
 *  - Unless `lifecycle` is "byHand", the call lets things happen until its operation is through, and a watchdog ends
 *    what would never end.
 */
import {
  type AdapterRecord,
  type Arena,
  addAdapter,
  beginHalt,
  beginInitialize,
  beginShutdown,
  bugChecks,
  type DRIVER_INITIALIZE,
  type DriverObjectHandle,
  DriverObjectHandleClass,
  type DriverRecord,
  endHalt,
  endInitialize,
  environmentOf,
  forceRelease,
  HALTED,
  HALTING,
  HIGH_LEVEL,
  type LiveBlock,
  type NDIS_HALT_ACTION,
  NDIS_OBJECT_TYPE_DEFAULT,
  NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS,
  type NDIS_SHUTDOWN_ACTION,
  type NDIS_STATUS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_SUCCESS,
  NdisDevicePnPEventSurpriseRemoved,
  NdisHaltDeviceDisabled,
  NdisHaltDeviceSurpriseRemoved,
  NdisShutdownPowerOff,
  PASSIVE_LEVEL,
  PAUSED,
  PAUSING,
  RESTARTING,
  RUNNING,
  SHUTDOWN,
  ShmemError,
  setState,
  stateName,
  statusName,
  type Violation,
  type ZoneOptions,
} from "../../../bindings/index.js";
import { implementing, line, refuse } from "../../../bindings/validate/index.js";
import { MachinePort } from "../devices/device-port.js";
import type { MachineOptions } from "../options.js";
import type { MachineParts } from "../parts.js";
import { callIntoDriver, isPromise } from "../threads/call.js";
import type { Pump } from "../time/pump.js";
import { ADAPTER_OPTIONS, Adapter, type AdapterOptions } from "./adapter.js";
import { Job } from "./job.js";
import { Operation, type OperationKind, OperationQueue } from "./operation.js";
import { MachineServices } from "./services.js";

/** A miniport driver: a name, and its DriverEntry. */
export interface MiniportDriver {
  /** 1 to 100 characters in one line. */
  readonly name: string;
  /** Called once by `Machine.load`, at PASSIVE_LEVEL; it registers the driver and returns a status. */
  readonly DriverEntry: DRIVER_INITIALIZE;
  /**
   * Where its machine's shared memory lies, for a driver that has an address space of its own (one compiled from C): zones
   * and arena for so many bytes from this physical address.
   */
  readonly memory?: (
    lengthBytes: number,
    physicalBase: number,
  ) => { readonly zones: readonly ZoneOptions[]; readonly arena: Arena };
  /** A violation in words, with what the driver's own sources say of it. Default: `describeViolation`. */
  readonly explain?: (violation: Violation) => string;
}

const DRIVER = implementing<MiniportDriver>("a miniport driver", ["DriverEntry"]);
const DRIVER_NAME = line(100);

/** A driver that was loaded. */
export interface LoadedDriver {
  /** The name that the driver was loaded under. */
  readonly name: string;
  /** What DriverEntry returned. */
  readonly status: NDIS_STATUS;
}

/** What the machine keeps of a loaded driver. */
interface DriverEntryPoint {
  readonly object: DriverObjectHandle;
  readonly queue: OperationQueue;
  /** DriverUnload has run, and the driver has deregistered. */
  unloaded: boolean;
}

export class Lifecycle {
  readonly adapters: Adapter[] = [];
  readonly #parts: MachineParts;
  readonly #pump: Pump;
  readonly #watchdogNs: number;
  readonly #byHand: boolean;
  readonly #drivers: WeakMap<LoadedDriver, DriverEntryPoint> = new WeakMap();
  readonly #queues: WeakMap<Adapter, OperationQueue> = new WeakMap();
  /** Operations that are not through, for the end of the machine. */
  readonly #underWay: Set<Operation> = new Set();

  constructor(parts: MachineParts, pump: Pump, options: MachineOptions) {
    this.#parts = parts;
    this.#pump = pump;
    this.#watchdogNs = options.watchdogNs ?? 600e9;
    this.#byHand = options.lifecycle === "byHand";
  }

  /** Run a driver's DriverEntry. The adapters come with `add`. */
  async load(driver: MiniportDriver): Promise<LoadedDriver> {
    this.#assertUsable("load");
    DRIVER.read(driver, "driver");
    const name = DRIVER_NAME.read(driver.name, "driver.name");
    const operation = this.#operation("load", this.#load(driver, name));
    this.#beginWhenFree(operation);
    return this.#through(operation);
  }

  *#load(driver: MiniportDriver, name: string): Generator<Job, LoadedDriver, void> {
    const { environment } = this.#parts;
    const object: DriverObjectHandle = DriverObjectHandleClass.make(environment);
    let status: NDIS_STATUS = NDIS_STATUS_FAILURE;
    yield new Job({
      adapter: null,
      call: "DriverEntry",
      handler: () => driver.DriverEntry(object, `\\Registry\\Machine\\System\\CurrentControlSet\\Services\\${name}`),
      end: (value) => {
        status = value as NDIS_STATUS;
      },
    });
    if (environment.reporter.log !== null)
      environment.reporter.note(null, `DriverEntry ${name} -> ${statusName(status)}`);
    const loaded: LoadedDriver = Object.freeze({ name, status });
    this.#drivers.set(loaded, { object, queue: this.#driverQueue(), unloaded: false });
    return loaded;
  }

  /**
   * Plug a device in and initialize an adapter for it; then restart it, so that it is Running.
   *
   * Where initialize fails the adapter comes back with its `status` and the state Halted; where it throws, this throws.
   */
  async add(driver: LoadedDriver, given: AdapterOptions = {}): Promise<Adapter> {
    this.#assertUsable("add");
    const entry = this.#entryOf(driver);
    const options = ADAPTER_OPTIONS.read(given, "");
    if (entry.unloaded || entry.queue.last?.kind === "unload") {
      throw new ShmemError("ADAPTER_GONE", `${driver.name} has been unloaded`, { value: driver.name });
    }
    const record = this.#recordOf(entry);
    if (record === undefined) {
      throw new ShmemError("INVALID_ARGUMENT", `${driver.name} has registered no miniport driver`, {
        field: "driver",
        value: driver.name,
      });
    }
    const adapter = this.#makeAdapter(record, driver.name, options);
    const operation = this.#operation("add", this.#add(adapter, options.start !== false));
    this.#enter(adapter, operation);
    // A driver is unloaded when those of its adapters that are on their way have come.
    entry.queue.enter(operation);
    return this.#through(operation);
  }

  *#add(adapter: Adapter, start: boolean): Generator<Job, Adapter, void> {
    const one = adapter.record;
    const { driver } = one;
    const parameters = Object.freeze({
      Header: Object.freeze({ Type: NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS, Revision: 1, Size: 0 }),
      Flags: 0,
    });
    yield new Job({
      adapter: one,
      call: "MiniportInitializeEx",
      begin: () => beginInitialize(one),
      handler: () => driver.characteristics.InitializeHandlerEx(one.handle, driver.context, parameters),
      end: (value, failed) => {
        adapter.status = failed ? NDIS_STATUS_FAILURE : (value as NDIS_STATUS);
        if (adapter.status !== NDIS_STATUS_SUCCESS) this.#unplug(adapter);
        endInitialize(one, adapter.status);
      },
    });
    if (adapter.status === NDIS_STATUS_SUCCESS && start) yield* this.#restart(adapter);
    return adapter;
  }

  /** Paused to Running. */
  async restart(adapter: Adapter): Promise<NDIS_STATUS> {
    return this.#ask("restart", adapter, () => this.#restart(adapter));
  }

  *#restart(adapter: Adapter): Generator<Job, NDIS_STATUS, void> {
    const one = adapter.record;
    const handler = one.driver.characteristics.RestartHandler ?? null;
    let status: NDIS_STATUS = NDIS_STATUS_SUCCESS;
    yield new Job({
      adapter: one,
      call: "MiniportRestart",
      begin: () => {
        this.#assertState(one, "restart", PAUSED);
        setState(one, RESTARTING);
      },
      handler: () =>
        handler?.(one.context, { Header: { Type: NDIS_OBJECT_TYPE_DEFAULT, Revision: 1, Size: 0 }, Flags: 0 }) ??
        NDIS_STATUS_SUCCESS,
      end: (value, failed) => {
        status = failed ? NDIS_STATUS_FAILURE : (value as NDIS_STATUS);
        setState(one, status === NDIS_STATUS_SUCCESS ? RUNNING : PAUSED);
      },
    });
    return status;
  }

  /** Running to Paused. */
  async pause(adapter: Adapter): Promise<void> {
    return this.#ask("pause", adapter, () => this.#pause(adapter));
  }

  *#pause(adapter: Adapter): Generator<Job, void, void> {
    const one = adapter.record;
    const handler = one.driver.characteristics.PauseHandler ?? null;
    yield new Job({
      adapter: one,
      call: "MiniportPause",
      watchdogCode: 0x21,
      begin: () => {
        this.#assertState(one, "pause", RUNNING);
        setState(one, PAUSING);
      },
      handler: () =>
        handler?.(one.context, {
          Header: { Type: NDIS_OBJECT_TYPE_DEFAULT, Revision: 1, Size: 0 },
          Flags: 0,
          PauseReason: 0,
        }) ?? NDIS_STATUS_SUCCESS,
      end: () => setState(one, PAUSED),
    });
  }

  /** Pause if need be, and halt. */
  async halt(adapter: Adapter, action: NDIS_HALT_ACTION = NdisHaltDeviceDisabled): Promise<void> {
    return this.#ask("end", adapter, () => this.#halt(adapter, action));
  }

  *#halt(adapter: Adapter, action: NDIS_HALT_ACTION): Generator<Job, void, void> {
    const one = adapter.record;
    if (one.state === RUNNING) yield* this.#pause(adapter);
    yield new Job({
      adapter: one,
      call: "MiniportHaltEx",
      watchdogCode: 0x22,
      begin: () => {
        this.#assertState(one, "halt", PAUSED);
        beginHalt(one);
      },
      handler: () => one.driver.characteristics.HaltHandlerEx(one.context, action),
      end: () => {
        this.#unplug(adapter);
        endHalt(one);
      },
    });
  }

  /** The device is pulled out: registers read all ones from now on, the driver is told, and halted. */
  async surpriseRemove(adapter: Adapter): Promise<void> {
    this.#assertUsable("surpriseRemove");
    this.#assertOurs(adapter);
    const one = adapter.record;
    if (one.state !== HALTED && one.state !== SHUTDOWN) {
      one.surpriseRemoved = true;
      adapter.pullOut();
    }
    return this.#ask("end", adapter, () => this.#removed(adapter));
  }

  *#removed(adapter: Adapter): Generator<Job, void, void> {
    const one = adapter.record;
    const notify = one.driver.characteristics.DevicePnPEventNotifyHandler ?? null;
    if (one.state === HALTED || one.state === SHUTDOWN) this.#assertState(one, "surpriseRemove", RUNNING);
    if (notify !== null) {
      adapter.services.callback("MiniportDevicePnPEventNotify", PASSIVE_LEVEL, () =>
        notify(one.context, { DevicePnPEvent: NdisDevicePnPEventSurpriseRemoved }),
      );
    }
    yield* this.#halt(adapter, NdisHaltDeviceSurpriseRemoved);
  }

  /** Free what a halted adapter leaked, as one would by force. Returns what there was. `WRONG_CONTEXT` before its end. */
  release(adapter: Adapter): readonly LiveBlock[] {
    this.#assertUsable("release");
    this.#assertOurs(adapter);
    const { record } = adapter;
    if (record.state !== HALTED && record.state !== SHUTDOWN) {
      throw new ShmemError("WRONG_CONTEXT", `${record.name} is ${stateName(record.state)}: halt it before release`, {
        value: record.name,
      });
    }
    return forceRelease(record);
  }

  /**
   * MiniportShutdownEx: no other handler is called afterwards. PowerOff at PASSIVE_LEVEL, BugCheck at HIGH_LEVEL. What is
   * under way for the adapter ends with `ADAPTER_GONE`: its threads never go on.
   */
  shutdown(adapter: Adapter, action: NDIS_SHUTDOWN_ACTION = NdisShutdownPowerOff): void {
    this.#assertUsable("shutdown");
    this.#assertOurs(adapter);
    const one = adapter.record;
    if (one.state === HALTED || one.state === SHUTDOWN || one.state === HALTING)
      this.#assertState(one, "shutdown", RUNNING);
    beginShutdown(one);
    const gone = new ShmemError("ADAPTER_GONE", `${one.name} was shut down`, { value: one.name });
    this.#queueOf(adapter).failAll(gone);
    const handler = one.driver.characteristics.ShutdownHandlerEx ?? null;
    const level = action === NdisShutdownPowerOff ? PASSIVE_LEVEL : HIGH_LEVEL;
    if (handler !== null) adapter.services.callback("MiniportShutdownEx", level, () => handler(one.context, action));
    adapter.unplug();
    this.#parts.threads.freeze(one);
  }

  /** Run a driver's unload handler, when what is under way for its adapters is through. */
  async unload(driver: LoadedDriver): Promise<void> {
    this.#assertUsable("unload");
    const entry = this.#entryOf(driver);
    const { last } = entry.queue;
    if (last?.kind === "unload") return this.#through(last as Operation<void>);
    if (entry.unloaded) {
      throw new ShmemError("ADAPTER_GONE", `${driver.name} has been unloaded`, { value: driver.name });
    }
    const operation = this.#operation("unload", this.#unload(entry));
    for (const adapter of this.adapters) {
      const pending = adapter.record.driver.object === entry.object ? this.#queueOf(adapter).last : undefined;
      if (pending !== undefined && pending.kind !== "add") entry.queue.enter(pending);
    }
    entry.queue.enter(operation);
    return this.#through(operation);
  }

  *#unload(entry: DriverEntryPoint): Generator<Job, void, void> {
    const handler = this.#recordOf(entry)?.characteristics.UnloadHandler ?? null;
    if (handler === null) return;
    yield new Job({
      adapter: null,
      call: "DriverUnload",
      handler: () => handler(entry.object),
      // A driver that did not deregister is there still, and may be asked again.
      end: () => {
        entry.unloaded = this.#recordOf(entry) === undefined;
      },
    });
  }

  /** The machine is disposed: nothing that is under way will be through. */
  end(error: unknown): void {
    for (const operation of [...this.#underWay].reverse()) operation.fail(error);
    this.#pump.rejectAll(error);
  }

  /** A call on one adapter: joins the last of its queue where that is the same, else waits for its turn. */
  #ask<T>(kind: OperationKind, adapter: Adapter, jobs: () => Generator<Job, T, void>): Promise<T> {
    const call = kind === "end" ? "halt" : kind;
    this.#assertUsable(call);
    this.#assertOurs(adapter);
    const { last } = this.#queueOf(adapter);
    if (last?.kind === kind) return this.#through(last as Operation<T>);
    const operation = this.#operation(kind, jobs());
    this.#enter(adapter, operation);
    return this.#through(operation);
  }

  #operation<T>(kind: OperationKind, jobs: Generator<Job, T, void>): Operation<T> {
    const operation = new Operation(kind, jobs, (job) => this.#start(job));
    this.#underWay.add(operation);
    operation.whenDone(() => this.#underWay.delete(operation));
    return operation;
  }

  #enter(adapter: Adapter, operation: Operation): void {
    this.#queueOf(adapter).enter(operation);
  }

  /** Begin now, or as an event of its own where a callback or the loop's turn is under way. */
  #beginWhenFree(operation: Operation): void {
    if (this.#pump.inside || this.#pump.looping) this.#parts.events.after(0, () => operation.begin());
    else operation.begin();
  }

  #queueOf(adapter: Adapter): OperationQueue {
    let queue = this.#queues.get(adapter);
    if (queue === undefined) {
      queue = new OperationQueue((operation) => this.#beginWhenFree(operation));
      this.#queues.set(adapter, queue);
    }
    return queue;
  }

  /** What a driver's unload waits for begins by its adapter's queue, the unload itself by this one. */
  #driverQueue(): OperationQueue {
    return new OperationQueue((operation) => {
      if (operation.kind === "unload") this.#beginWhenFree(operation);
    });
  }

  #entryOf(driver: LoadedDriver): DriverEntryPoint {
    const isObject = typeof driver === "object" && driver !== null;
    const entry = isObject ? this.#drivers.get(driver) : undefined;
    return entry ?? refuse("driver", driver, { allowed: "a driver that this machine has loaded" });
  }

  #recordOf(entry: DriverEntryPoint): DriverRecord | undefined {
    return this.#parts.environment.drivers.find((one) => one.object === entry.object && one.registered);
  }

  #makeAdapter(record: DriverRecord, driverName: string, options: AdapterOptions): Adapter {
    const device = options.device ?? null;
    const adapters = this.#parts.environment.adapters.length;
    const name = options.name ?? `${driverName}${adapters === 0 ? "" : `-${adapters + 1}`}`;
    let services: MachineServices | null = null;
    const one = addAdapter(record, name, { quotaBytes: options.quotaBytes ?? null }, (made) => {
      services = new MachineServices(made, {
        clock: this.#parts.clock,
        events: this.#parts.events,
        processors: this.#parts.processors,
        threads: this.#parts.threads,
        device,
        settings: Object.freeze(Object.assign({}, options.settings)),
        onFrame: options.onFrame ?? null,
        onDrop: options.onDrop ?? null,
        holdNs: options.holdNs ?? null,
      });
      return services;
    });
    const made = services as unknown as MachineServices;
    const port = new MachinePort(one, this.#parts.iommu, this.#parts.clock, this.#parts.events, made);
    const adapter = new Adapter(one, made, device, port);
    this.adapters.push(adapter);
    device?.attach(port);
    return adapter;
  }

  #start(job: Job): void {
    const { parts } = job;
    parts.begin?.();
    job.startedNs = this.#parts.clock.nowNs;
    const { environment, threads } = this.#parts;
    const { adapter, call } = parts;
    const outcome = callIntoDriver(environment, adapter, call, PASSIVE_LEVEL, parts.handler);
    if (isPromise(outcome.value)) {
      let result: unknown;
      const promise = outcome.value.then((answer) => {
        result = answer;
      });
      threads.adopt(adapter, call, promise, (error, failed) => job.settle(result, error, failed));
    }
    let { error, failed } = outcome;
    if (outcome.levelAfter !== PASSIVE_LEVEL && !failed) {
      try {
        environment.callbacks.checkLevel(adapter, call, PASSIVE_LEVEL, outcome.levelAfter, isPromise(outcome.value));
      } catch (violation) {
        error = violation;
        failed = true;
      }
    }
    if (!isPromise(outcome.value) || failed) job.settle(outcome.value, error, failed);
  }

  /** The outcome of an operation, letting things happen until there is one. */
  async #through<T>(operation: Operation<T>): Promise<T> {
    if (!operation.done) {
      if (this.#byHand) return operation.promise();
      while (!operation.done) {
        await this.#pump.wait(() => operation.done || this.#isLate(operation));
        if (!operation.done) this.#watchdog(operation);
      }
    }
    if (operation.failed) throw operation.error;
    return operation.value as T;
  }

  #isLate(operation: Operation): boolean {
    const { job } = operation;
    return job !== null && this.#parts.clock.nowNs > job.startedNs + this.#watchdogNs;
  }

  /** A lifecycle call that nothing in the machine can end any more, or that took too long. */
  #watchdog(operation: Operation): void {
    const { environment } = this.#parts;
    // Where the operation has not begun, what is before it in its queue hangs, and will be found by its own watchdog.
    const hanging = operation.job === null ? this.#hanging(operation) : operation;
    const parts = hanging?.job?.parts ?? null;
    const message = `${parts?.call ?? "a handler"} waits for something that will not happen`;
    const { adapter = null, call = "a handler", watchdogCode } = parts ?? {};
    const finding = {
      rule: "HandlerReturns",
      code: "PENDING_AT_RELEASE",
      call,
      message,
      ...(adapter === null || watchdogCode === undefined
        ? {}
        : { bugCheck: bugChecks.watchdog(adapter, watchdogCode), basis: "documented" as const }),
    } as const;
    try {
      environment.reporter.violate(adapter, finding);
    } catch (violation) {
      (hanging ?? operation).fail(violation);
      return;
    }
    (hanging ?? operation).fail(
      new ShmemError("PENDING_AT_RELEASE", message, adapter === null ? {} : { value: adapter.name }),
    );
  }

  /** An operation whose handler has been called and is not through, other than this one. */
  #hanging(operation: Operation): Operation | null {
    for (const other of this.#underWay) if (other !== operation && other.job !== null) return other;
    return null;
  }

  /** The adapter is over: nothing of its driver runs any more, threads that wait included. */
  #unplug(adapter: Adapter): void {
    adapter.unplug();
    this.#parts.threads.freeze(adapter.record);
  }

  #assertUsable(call: string): void {
    this.#pump.assertUsable(call);
    if (!this.#pump.inside) this.#pump.assertLevel(call);
  }

  #assertOurs(adapter: Adapter): void {
    if (adapter instanceof Adapter && environmentOf(adapter.record.machine) === this.#parts.environment) return;
    refuse("adapter", adapter, { allowed: "an adapter of this machine" });
  }

  #assertState(one: AdapterRecord, call: string, wanted: number): void {
    if (one.state === wanted) return;
    const code = one.state === HALTED ? "ADAPTER_GONE" : "WRONG_CONTEXT";
    throw new ShmemError(code, `${one.name} is ${stateName(one.state)}: it cannot ${call} now`, { value: one.name });
  }
}
