/**
 * Lifecycles: drivers and adapters come and go as NDIS drives them.
 *
 * Each call of a driver's handler is a job: what NDIS does before, the handler as a thread at PASSIVE_LEVEL, what NDIS
 * checks afterwards. A job that begins outside of any callback lets things happen until it is through; one that a
 * callback asks for begins when that callback has returned (misuse E09). A watchdog ends what would never end.
 */
import {
  AdapterRecord,
  type Arena,
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
  forceRelease,
  HALTED,
  HALTING,
  HIGH_LEVEL,
  type KIRQL,
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
  statusName,
  type Violation,
  type ZoneOptions,
} from "../../../bindings/index.js";
import { implementing, line } from "../../../bindings/validate/index.js";
import { MachinePort } from "../devices/device-port.js";
import type { MachineOptions } from "../options.js";
import type { MachineParts } from "../parts.js";
import type { Pump } from "../time/pump.js";
import { ADAPTER_OPTIONS, Adapter, type AdapterOptions } from "./adapter.js";
import { MachineServices } from "./services.js";

/** A miniport driver: a name, and its DriverEntry. */
export interface MiniportDriver {
  readonly name: string;
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
  readonly name: string;
  readonly status: NDIS_STATUS;
}

/** One lifecycle call: what NDIS does before, the driver's handler, and what NDIS does with its value or failure. */
class Job {
  readonly adapter: AdapterRecord | null;
  readonly call: string;
  readonly begin: () => void;
  readonly handler: () => unknown;
  readonly end: (value: unknown, failed: boolean) => void;
  done = false;
  failed = false;
  error: unknown = undefined;
  #finish: (() => void) | null = null;

  constructor(
    adapter: AdapterRecord | null,
    call: string,
    begin: () => void,
    handler: () => unknown,
    end: (value: unknown, failed: boolean) => void,
  ) {
    this.adapter = adapter;
    this.call = call;
    this.begin = begin;
    this.handler = handler;
    this.end = end;
  }

  /** Settled when the job is done. Asked for once, and not at all where the handler is through at once. */
  finished(): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
  }

  settle(value: unknown, error: unknown, failed: boolean): void {
    this.failed = failed;
    this.error = error;
    try {
      this.end(value, failed);
    } catch (later) {
      // What the handler threw came first, and explains more.
      if (!this.failed) this.error = later;
      this.failed = true;
    }
    this.done = true;
    this.#finish?.();
  }
}

export class Lifecycle {
  readonly adapters: Adapter[] = [];
  readonly #parts: MachineParts;
  readonly #pump: Pump;
  readonly #watchdogNs: number;
  readonly #byHand: boolean;
  readonly #drivers: Map<LoadedDriver, { readonly object: DriverObjectHandle; readonly records: DriverRecord[] }> =
    new Map();

  constructor(parts: MachineParts, pump: Pump, options: MachineOptions) {
    this.#parts = parts;
    this.#pump = pump;
    this.#watchdogNs = options.watchdogNs ?? 600e9;
    this.#byHand = options.lifecycle === "byHand";
  }

  /** Run a driver's DriverEntry. The adapters come with `add`. */
  async load(driver: MiniportDriver): Promise<LoadedDriver> {
    this.#pump.assertUsable("load");
    DRIVER.read(driver, "driver");
    const name = DRIVER_NAME.read(driver.name, "driver.name");
    const object: DriverObjectHandle = new DriverObjectHandleClass(this.#parts.environment);
    const before = this.#parts.environment.drivers.length;
    let status: NDIS_STATUS = NDIS_STATUS_FAILURE;
    const job = new Job(
      null,
      "DriverEntry",
      () => {},
      () => driver.DriverEntry(object, `\\Registry\\Machine\\System\\CurrentControlSet\\Services\\${name}`),
      (value) => {
        status = value as NDIS_STATUS;
      },
    );
    const through = this.#finish(job);
    if (through !== null) await through;
    const loaded: LoadedDriver = Object.freeze({ name, status });
    const records = this.#parts.environment.drivers.slice(before);
    if (this.#parts.log !== null) this.#parts.environment.note(null, `DriverEntry ${name} -> ${statusName(status)}`);
    this.#drivers.set(loaded, { object, records });
    return loaded;
  }

  /**
   * Plug a device in and initialize an adapter for it; then restart it, so that it is Running.
   *
   * Where initialize fails the adapter comes back with its `status` and the state Halted; where it throws, this throws.
   */
  async add(driver: LoadedDriver, given: AdapterOptions = {}): Promise<Adapter> {
    this.#pump.assertUsable("add");
    const options = ADAPTER_OPTIONS.read(given, "");
    const record = this.#drivers.get(driver)?.records.find((one) => one.registered);
    if (record === undefined) {
      throw new ShmemError("INVALID_ARGUMENT", `${driver.name} has registered no miniport driver`, {
        value: driver.name,
      });
    }
    const adapter = this.#makeAdapter(record, driver.name, options);
    const one = adapter.record;
    const handlers = record.characteristics;
    const parameters = Object.freeze({
      Header: Object.freeze({ Type: NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS, Revision: 1, Size: 0 }),
      Flags: 0,
    });
    const job = new Job(
      one,
      "MiniportInitializeEx",
      () => beginInitialize(one),
      () => handlers.InitializeHandlerEx(one.handle, record.context, parameters),
      (value, failed) => {
        adapter.status = failed ? NDIS_STATUS_FAILURE : (value as NDIS_STATUS);
        if (adapter.status !== NDIS_STATUS_SUCCESS) adapter.unplug();
        endInitialize(one, adapter.status);
      },
    );
    const through = this.#finish(job);
    if (through !== null) await through;
    if (adapter.status === NDIS_STATUS_SUCCESS && options.start !== false) await this.restart(adapter);
    return adapter;
  }

  /** Paused to Running. */
  async restart(adapter: Adapter): Promise<NDIS_STATUS> {
    const one = adapter.record;
    this.#assertState(one, "restart", PAUSED);
    const handler = one.driver.characteristics.RestartHandler ?? null;
    let status: NDIS_STATUS = NDIS_STATUS_SUCCESS;
    const job = new Job(
      one,
      "MiniportRestart",
      () => setState(one, RESTARTING),
      () =>
        handler?.(one.context, { Header: { Type: NDIS_OBJECT_TYPE_DEFAULT, Revision: 1, Size: 0 }, Flags: 0 }) ??
        NDIS_STATUS_SUCCESS,
      (value, failed) => {
        status = failed ? NDIS_STATUS_FAILURE : (value as NDIS_STATUS);
        setState(one, status === NDIS_STATUS_SUCCESS ? RUNNING : PAUSED);
      },
    );
    const through = this.#finish(job);
    if (through !== null) await through;
    return status;
  }

  /** Running to Paused. */
  async pause(adapter: Adapter): Promise<void> {
    const one = adapter.record;
    this.#assertState(one, "pause", RUNNING);
    const handler = one.driver.characteristics.PauseHandler ?? null;
    const job = new Job(
      one,
      "MiniportPause",
      () => setState(one, PAUSING),
      () =>
        handler?.(one.context, {
          Header: { Type: NDIS_OBJECT_TYPE_DEFAULT, Revision: 1, Size: 0 },
          Flags: 0,
          PauseReason: 0,
        }) ?? NDIS_STATUS_SUCCESS,
      () => setState(one, PAUSED),
    );
    const through = this.#finish(job, 0x21);
    if (through !== null) await through;
  }

  /**
   * Pause if need be, and halt: MiniportHaltEx runs and may wait; completions go on meanwhile (choice C4).
   *
   * Called from inside a callback, it begins when that callback is through. Afterwards the adapter's handles are
   * released. Under the policy `throw` this throws the first of what was outstanding: PENDING_AT_RELEASE,
   * LEAK_AT_RELEASE; the blocks stay for inspection until `release`.
   */
  async halt(adapter: Adapter, action: NDIS_HALT_ACTION = NdisHaltDeviceDisabled): Promise<void> {
    const one = adapter.record;
    if (one.state === RUNNING && !this.#pump.inside) await this.pause(adapter);
    if (!this.#pump.inside || one.state === PAUSED) this.#assertState(one, "halt", PAUSED);
    const job = new Job(
      one,
      "MiniportHaltEx",
      () => {
        if (one.state === RUNNING) setState(one, PAUSED);
        beginHalt(one);
      },
      () => one.driver.characteristics.HaltHandlerEx(one.context, action),
      () => {
        adapter.unplug();
        endHalt(one);
      },
    );
    const through = this.#finish(job, 0x22);
    if (through !== null) await through;
  }

  /** Free what a halted adapter leaked, as one would by force. Returns what there was. */
  release(adapter: Adapter): readonly LiveBlock[] {
    return forceRelease(adapter.record);
  }

  /** MiniportShutdownEx: no other handler is called afterwards. PowerOff at PASSIVE_LEVEL, BugCheck at HIGH_LEVEL. */
  shutdown(adapter: Adapter, action: NDIS_SHUTDOWN_ACTION = NdisShutdownPowerOff): void {
    this.#pump.assertUsable("shutdown");
    const one = adapter.record;
    if (one.state === HALTED || one.state === SHUTDOWN || one.state === HALTING)
      this.#assertState(one, "shutdown", RUNNING);
    beginShutdown(one);
    const handler = one.driver.characteristics.ShutdownHandlerEx ?? null;
    const level = action === NdisShutdownPowerOff ? PASSIVE_LEVEL : HIGH_LEVEL;
    if (handler !== null) adapter.services.callback("MiniportShutdownEx", level, () => handler(one.context, action));
    adapter.unplug();
    this.#parts.threads.freeze(one);
  }

  /** The device is pulled out: registers read all ones, the driver is told, and halted. */
  async surpriseRemove(adapter: Adapter): Promise<void> {
    this.#pump.assertUsable("surpriseRemove");
    const one = adapter.record;
    one.surpriseRemoved = true;
    adapter.pullOut();
    const notify = one.driver.characteristics.DevicePnPEventNotifyHandler ?? null;
    if (notify !== null) {
      adapter.services.callback("MiniportDevicePnPEventNotify", PASSIVE_LEVEL, () =>
        notify(one.context, { DevicePnPEvent: NdisDevicePnPEventSurpriseRemoved }),
      );
    }
    await this.halt(adapter, NdisHaltDeviceSurpriseRemoved);
  }

  /** Run a driver's unload handler. Its adapters must be halted. */
  async unload(driver: LoadedDriver): Promise<void> {
    this.#pump.assertUsable("unload");
    const known = this.#drivers.get(driver);
    const record = known?.records.find((one) => one.registered);
    const handler = record?.characteristics.UnloadHandler ?? null;
    if (known === undefined || handler === null) return;
    await this.#finish(
      new Job(
        null,
        "DriverUnload",
        () => {},
        () => handler(known.object),
        () => {},
      ),
    );
  }

  #makeAdapter(record: DriverRecord, driverName: string, options: AdapterOptions): Adapter {
    const device = options.device ?? null;
    const adapters = this.#parts.environment.adapters.length;
    const name = options.name ?? `${driverName}${adapters === 0 ? "" : `-${adapters + 1}`}`;
    let services: MachineServices | null = null;
    const one = new AdapterRecord(
      this.#parts.environment,
      record,
      name,
      { quotaBytes: options.quotaBytes ?? null },
      (made) => {
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
      },
    );
    const made = services as unknown as MachineServices;
    const port = new MachinePort(one, this.#parts.iommu, this.#parts.clock, this.#parts.events, () =>
      made.raiseInterrupt(),
    );
    const adapter = new Adapter(one, made, device, port);
    device?.attach(port);
    this.adapters.push(adapter);
    return adapter;
  }

  #start(job: Job): void {
    job.begin();
    this.#callHandler(job);
  }

  /** The handler, as a thread at PASSIVE_LEVEL. */
  #callHandler(job: Job): void {
    const { adapter, call } = job;
    const { environment } = this.#parts;
    const processors = this.#parts.processors;
    const machineBefore = environment.enter();
    const levelBefore: KIRQL = processors.enter(PASSIVE_LEVEL);
    environment.inside = call;
    environment.insideAdapter = adapter;
    let value: unknown;
    let thrown: unknown;
    let failed = false;
    let levelAfter: KIRQL = PASSIVE_LEVEL;
    try {
      value = job.handler();
    } catch (error) {
      thrown = error;
      failed = true;
    } finally {
      levelAfter = processors.current;
      processors.leave(levelBefore);
      environment.inside = "";
      environment.insideAdapter = null;
      environment.leave(machineBefore);
    }
    if (levelAfter !== PASSIVE_LEVEL && !failed) {
      try {
        const suspended = typeof value === "object" && value !== null && "then" in value;
        environment.levelNotRestored(adapter, call, PASSIVE_LEVEL, levelAfter, suspended);
      } catch (error) {
        thrown = error;
        failed = true;
      }
    }
    if (typeof value === "object" && value !== null && "then" in value) {
      let result: unknown;
      const promise = (value as PromiseLike<unknown>).then((answer) => {
        result = answer;
      });
      this.#parts.threads.adopt(adapter, call, promise, (error, rejected) => job.settle(result, error, rejected));
      return;
    }
    job.settle(value, thrown, failed);
  }

  /**
   * Start a job and let things happen until it is done; from inside a callback it starts when that is through. Null where
   * it is through already, as most are: waiting for what has happened costs a fuzzer more than the call itself.
   */
  #finish(job: Job, watchdogCode: 0x21 | 0x22 | null = null): Promise<void> | null {
    if (this.#pump.inside) {
      this.#parts.events.after(0, () => this.#start(job));
      return this.#heard(job);
    }
    this.#start(job);
    if (!this.#byHand) return this.#pumped(job, watchdogCode);
    if (!job.done) return this.#heard(job);
    if (job.failed) throw job.error;
    return null;
  }

  async #heard(job: Job): Promise<void> {
    await job.finished();
    if (job.failed) throw job.error;
  }

  async #pumped(job: Job, watchdogCode: 0x21 | 0x22 | null): Promise<void> {
    const bitesAt = this.#parts.clock.nowNs + this.#watchdogNs;
    await this.#pump.run(() => job.done || this.#parts.clock.nowNs > bitesAt);
    if (!job.done) this.#watchdog(watchdogCode);
    if (job.failed) throw job.error;
  }

  /** A lifecycle call that nothing in the machine can end any more, or that took too long. */
  #watchdog(code: 0x21 | 0x22 | null): void {
    const { environment } = this.#parts;
    const one = environment.adapters.find((adapter) => adapter.state === HALTING || adapter.state === PAUSING) ?? null;
    const finding = {
      rule: "HandlerReturns",
      code: "PENDING_AT_RELEASE",
      call: code === 0x22 ? "MiniportHaltEx" : code === 0x21 ? "MiniportPause" : "a handler",
      message: "the handler waits for something that will not happen",
      ...(one === null || code === null
        ? {}
        : { bugCheck: bugChecks.watchdog(one, code), basis: "documented" as const }),
    } as const;
    environment.violate(one, finding);
    throw new ShmemError("PENDING_AT_RELEASE", finding.message, {});
  }

  #assertState(one: AdapterRecord, call: string, wanted: number): void {
    this.#pump.assertUsable(call);
    if (one.state === wanted) return;
    const code = one.state === HALTED ? "ADAPTER_GONE" : "WRONG_CONTEXT";
    throw new ShmemError(code, `${one.name} cannot ${call} now`, { value: one.name });
  }
}
