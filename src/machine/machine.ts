/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The simulated machine: memory, processors, time, and NDIS over them, holding drivers and adapters.
 *
 *   Machine -- zones, arena --> core (allocator, translator)
 *      |------ seed --> scheduler, latencies, faults            everything random comes from here
 *      |------ processors, clock, events, threads
 *      `------ drivers -- adapters -- device models             memory only by what NDIS calls physical addresses
 *
 * A miniport driver in twenty lines (see also examples/):
 *
 *   const driver = {
 *     name: "tiny",
 *     DriverEntry(DriverObject, RegistryPath) {
 *       return NdisMRegisterMiniportDriver(DriverObject, RegistryPath, null, {
 *         Header: { Type: 0x8a, Revision: 1, Size: 0 }, MajorNdisVersion: 6, MinorNdisVersion: 0,
 *         InitializeHandlerEx(handle) {
 *           const nic = { handle, services: adapterServices(handle), dma: null, block: null };
 *           NdisMSetMiniportAttributes(handle, { Header: { Type: 0x9e, Revision: 1, Size: 28 },
 *             MiniportAdapterContext: nic, AttributeFlags: NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER });
 *           const { Status, NdisMiniportDmaHandle } = NdisMRegisterScatterGatherDma(handle, {
 *             Header: { Type: 0x83, Revision: 1, Size: 36 }, Flags: 0, MaximumPhysicalMapping: 1514,
 *             SharedMemAllocateCompleteHandler(context, va, pa, length, request) { ... } });
 *           nic.dma = NdisMiniportDmaHandle;
 *           nic.block = NdisMAllocateSharedMemory(handle, 4096, false);
 *           return Status;
 *         },
 *         HaltHandlerEx(nic) {
 *           NdisMFreeSharedMemory(nic.handle, 4096, false, nic.block.VirtualAddress, nic.block.PhysicalAddress);
 *           NdisMDeregisterScatterGatherDma(nic.dma);
 *         },
 *       }).Status;
 *     },
 *   };
 *   const machine = await Machine.open({ seed: 7 });
 *   const adapter = await machine.add(await machine.load(driver), { device: model });   // Running
 *   await machine.run();                                                                // until nothing is left to happen
 *   await machine.halt(adapter);
 *   machine.report();
 *
 * Nothing here reads a clock or a random source of the host: one seed is one history, to the byte of the event log.
 */

import {
  AdapterRecord,
  type Arena,
  type BlockExplanation,
  BlockHistory,
  type BrokenRule,
  beginHalt,
  beginInitialize,
  beginShutdown,
  bugChecks,
  Core,
  type CoreApi,
  type CoreOptions,
  type CoreStats,
  type DRIVER_INITIALIZE,
  type DriverObjectHandle,
  DriverObjectHandleClass,
  type DriverRecord,
  endHalt,
  endInitialize,
  type FaultPlan,
  forceRelease,
  type GuardOptions,
  type GuardReport,
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
  type NdisChoices,
  NdisDevicePnPEventSurpriseRemoved,
  NdisEnvironment,
  NdisHaltDeviceDisabled,
  NdisHaltDeviceSurpriseRemoved,
  NdisShutdownPowerOff,
  PASSIVE_LEVEL,
  PAUSED,
  PAUSING,
  planCore,
  RESTARTING,
  RUNNING,
  resolveChoices,
  SHUTDOWN,
  ShmemError,
  setState,
  startedAdapters,
  statusName,
  type Violation,
  type VirtualAddress,
  type ZoneOptions,
} from "../../bindings/index.js";
import { Adapter, type AdapterOptions } from "./adapter.js";
import { EventQueue, SimulatedClock } from "./clock.js";
import { ArenaBytes, MachinePort } from "./device.js";
import { type FaultRule, Faults } from "./faults.js";
import { Iommu } from "./iommu.js";
import { type LogMode, RunLog } from "./log.js";
import { Prng } from "./prng.js";
import { Processors } from "./processors.js";
import { MachineScheduler, type ScheduleName, type ScheduleOptions } from "./schedule.js";
import { MachineServices } from "./services.js";
import { MachineThreads } from "./threads.js";

/** A miniport driver: a name, and its DriverEntry. */
export interface MiniportDriver {
  readonly name: string;
  readonly DriverEntry: DRIVER_INITIALIZE;
}

/** Options of `Machine.open`. An unknown key is `INVALID_ARGUMENT`. */
export interface MachineOptions {
  /** Physical memory for shared blocks. Default: 32 MiB at 256 MiB and 32 MiB at 4 GiB, so that high addresses occur. */
  readonly zones?: readonly ZoneOptions[];
  /** The host's bytes behind the zones; `null` for address-only. Default: a fresh buffer. */
  readonly arena?: Arena | null;
  readonly virtualBase?: number | "identity";
  /** Another core than the WebAssembly one. It must honour `options` and be fresh. */
  readonly core?: (options: CoreOptions) => CoreApi;
  /** Everything random, an integer from 0 to 2^53 - 1. Default 1. */
  readonly seed?: number;
  /** Choices C19 and C20. Default "fifo". */
  readonly schedule?: ScheduleName | ScheduleOptions;
  /** The other choices. */
  readonly choices?: Partial<NdisChoices>;
  /** 1 to 64. Default 2. */
  readonly processors?: number;
  /**
   * Who lets things happen until a lifecycle call is through: the call itself, which `"waits"` (default), or its caller,
   * `"byHand"`, with `event`, `serve`, `deliver` and `settle`. By hand there is no watchdog.
   */
  readonly lifecycle?: "waits" | "byHand";
  /** Requests that the core serves in one call, 1 to 1024. Default 32. */
  readonly batch?: number;
  /** The event log. Default "lines". */
  readonly log?: LogMode;
  /** Keep stacks with violations and blocks. Slow. Default false. */
  readonly sites?: boolean;
  /** Injected failures: rules, or a plan of your own. Default none. */
  readonly faults?: readonly FaultRule[] | FaultPlan | null;
  /** Red zones, fill patterns, quarantine: see `GuardOptions`. Default off. */
  readonly guard?: boolean | GuardOptions;
  /** Between devices and memory: "identity" (default), or "remapped", an IOMMU with addresses of its own. */
  readonly iommu?: "identity" | "remapped";
  /** Simulated time that halt may take before the watchdog bites, nanoseconds. Default 600 s. */
  readonly watchdogNs?: number;
  /** Called once, under the policy `break`. */
  readonly onBugCheck?: (violation: Violation) => void;
}

const OPTION_KEYS: readonly string[] = [
  "zones",
  "arena",
  "virtualBase",
  "core",
  "seed",
  "schedule",
  "choices",
  "processors",
  "lifecycle",
  "batch",
  "log",
  "sites",
  "faults",
  "guard",
  "iommu",
  "watchdogNs",
  "onBugCheck",
];

/** Calls that let things happen: not from inside a callback. */
const PUMPS: readonly string[] = ["step", "run", "serve", "deliver", "event", "settle"];

const DEFAULT_ZONES: readonly ZoneOptions[] = [
  { base: 2 ** 28, size: 2 ** 25 },
  { base: 2 ** 32, size: 2 ** 25 },
];

/** What a machine can say about itself at any moment. */
export interface MachineReport {
  readonly seed: number;
  readonly nowNs: number;
  readonly steps: number;
  readonly memory: CoreStats;
  /** Asynchronous: accepted = completed + pending + dropped. */
  readonly requests: {
    readonly synchronous: number;
    readonly asynchronous: number;
    readonly failedAtOnce: number;
    readonly completed: number;
    readonly completedNull: number;
    readonly pending: number;
    readonly dropped: number;
    readonly freed: number;
  };
  readonly latency: { readonly count: number; readonly minNs: number; readonly maxNs: number; readonly meanNs: number };
  /** Blocks of adapters that are halted. */
  readonly leaks: readonly (LiveBlock & { readonly adapter: string })[];
  readonly violations: readonly Violation[];
  readonly warnings: readonly Violation[];
  readonly handlerErrors: readonly {
    readonly step: number;
    readonly adapter: string;
    readonly call: string;
    readonly error: unknown;
  }[];
  /** What guard mode holds back. */
  readonly guard: GuardReport;
  readonly coreDigest: string;
  readonly logDigest: string;
}

/** A driver that was loaded. */
export interface LoadedDriver {
  readonly name: string;
  readonly status: NDIS_STATUS;
}

/** One lifecycle call on its way. */
interface Job {
  start(): void;
  done: boolean;
  failed: boolean;
  error: unknown;
  readonly finished: Promise<void>;
}

/** See the head of this file. */
export class Machine {
  readonly seed: number;
  readonly core: CoreApi;
  readonly choices: NdisChoices;
  readonly adapters: Adapter[] = [];
  readonly environment: NdisEnvironment;
  readonly #arena: ArenaBytes;
  readonly #clock: SimulatedClock = new SimulatedClock();
  readonly #events: EventQueue = new EventQueue(this.#clock);
  readonly #processors: Processors;
  readonly #threads: MachineThreads;
  readonly #scheduler: MachineScheduler;
  readonly #log: RunLog | null;
  readonly #watchdogNs: number;
  readonly #byHand: boolean;
  readonly #iommu: Iommu | null;
  readonly #drivers: Map<LoadedDriver, { readonly object: DriverObjectHandle; readonly records: DriverRecord[] }> =
    new Map();
  #loop: Promise<void> | null = null;
  #disposed = false;

  private constructor(options: MachineOptions, core: CoreApi, coreOptions: CoreOptions) {
    const { seed = 1, processors = 2, batch = 32, log = "lines", sites = false, watchdogNs = 600e9 } = options;
    if (!Number.isInteger(batch) || batch < 1 || batch > 1024) {
      throw new ShmemError("INVALID_ARGUMENT", `batch must be 1 to 1024, got ${String(batch)}`, {
        field: "batch",
        value: batch,
      });
    }
    const schedule = typeof options.schedule === "object" ? options.schedule : { order: options.schedule ?? "fifo" };
    this.seed = seed;
    this.core = core;
    this.choices = resolveChoices(options.choices);
    this.#watchdogNs = watchdogNs;
    this.#byHand = options.lifecycle === "byHand";
    this.#processors = new Processors(processors);
    this.#threads = new MachineThreads(this.#events, this.#processors);
    this.#scheduler = new MachineScheduler(schedule, this.#events, new Prng(seed, 1), this.#processors);
    this.#log = log === "off" ? null : new RunLog(log);
    this.#iommu = options.iommu === "remapped" ? new Iommu() : null;
    const guard = options.guard === true ? {} : options.guard === false ? null : (options.guard ?? null);
    this.#arena = new ArenaBytes(coreOptions.arena ?? null);
    this.environment = new NdisEnvironment({
      core,
      zones: planCore(coreOptions).zones,
      arena: coreOptions.arena ?? null,
      choices: this.choices,
      irql: this.#processors,
      clock: this.#clock,
      scheduler: this.#scheduler,
      threads: this.#threads,
      log: this.#log,
      faults: Array.isArray(options.faults)
        ? this.#plan(options.faults)
        : ((options.faults ?? null) as FaultPlan | null),
      iommu: this.#iommu,
      history: log === "lines" || sites || guard !== null ? new BlockHistory() : null,
      guard,
      batch,
      sites,
      seed,
      onBugCheck: options.onBugCheck ?? null,
    });
    this.#scheduler.bind(this.environment.dispatcher);
    this.#threads.bind(this.environment);
    this.#scheduler.onLater = (level, turn) => {
      this.#events.after(0, () => this.#atLevel(level === "dispatch" ? 2 : 0, turn));
    };
  }

  /** Make a machine. `INVALID_ARGUMENT` naming the option that is wrong. */
  static async open(given: MachineOptions = {}): Promise<Machine> {
    const options = ownOptions(given);
    const coreOptions = coreOptionsOf(options);
    const core = options.core === undefined ? await Core.open(coreOptions) : options.core(coreOptions);
    return new Machine(options, core, coreOptions);
  }

  /** `open` without waiting, where the host compiles WebAssembly synchronously. */
  static openSync(given: MachineOptions = {}): Machine {
    const options = ownOptions(given);
    const coreOptions = coreOptionsOf(options);
    const core = options.core === undefined ? Core.openSync(coreOptions) : options.core(coreOptions);
    return new Machine(options, core, coreOptions);
  }
  /** Other injected failures from now on; `null` lifts them. */
  inject(faults: readonly FaultRule[] | FaultPlan | null): void {
    this.environment.faults = Array.isArray(faults) ? this.#plan(faults) : (faults as FaultPlan | null);
  }

  /** Guard mode: look at every guarded block and at what is in quarantine. Returns what was found, which is also recorded. */
  sweep(): readonly Violation[] {
    return this.environment.blocks.sweep();
  }

  /** Simulated time, nanoseconds. */
  get nowNs(): number {
    return this.#clock.nowNs;
  }

  get violations(): readonly Violation[] {
    return this.environment.violations;
  }

  get warnings(): readonly Violation[] {
    return this.environment.warnings;
  }

  /** Lines of the event log; empty unless `log` is "lines". */
  get log(): readonly string[] {
    return this.#log?.lines ?? [];
  }

  /** Run a driver's DriverEntry. The adapters come with `add`. */
  async load(driver: MiniportDriver): Promise<LoadedDriver> {
    this.#assertUsable("load");
    const object: DriverObjectHandle = new DriverObjectHandleClass(this.environment);
    const before = this.environment.drivers.length;
    let status: NDIS_STATUS = NDIS_STATUS_FAILURE;
    const job = this.#job(
      null,
      "DriverEntry",
      () => {},
      () => driver.DriverEntry(object, `\\Registry\\Machine\\System\\CurrentControlSet\\Services\\${driver.name}`),
      (value) => {
        status = value as NDIS_STATUS;
      },
    );
    await this.#finish(job);
    const loaded: LoadedDriver = Object.freeze({ name: driver.name, status });
    const records = this.environment.drivers.slice(before);
    if (this.#log !== null) this.environment.note(null, `DriverEntry ${driver.name} -> ${statusName(status)}`);
    this.#drivers.set(loaded, { object, records });
    return loaded;
  }

  /**
   * Plug a device in and initialize an adapter for it; then restart it, so that it is Running.
   *
   * Where initialize fails the adapter comes back with its `status` and the state Halted; where it throws, this throws.
   */
  async add(driver: LoadedDriver, options: AdapterOptions = {}): Promise<Adapter> {
    this.#assertUsable("add");
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
    const job = this.#job(
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
    await this.#finish(job);
    if (adapter.status === NDIS_STATUS_SUCCESS && options.start !== false) await this.restart(adapter);
    return adapter;
  }

  /** Paused to Running. */
  async restart(adapter: Adapter): Promise<NDIS_STATUS> {
    const one = adapter.record;
    this.#assertState(one, "restart", PAUSED);
    const handler = one.driver.characteristics.RestartHandler ?? null;
    let status: NDIS_STATUS = NDIS_STATUS_SUCCESS;
    const job = this.#job(
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
    await this.#finish(job);
    return status;
  }

  /** Running to Paused. */
  async pause(adapter: Adapter): Promise<void> {
    const one = adapter.record;
    this.#assertState(one, "pause", RUNNING);
    const handler = one.driver.characteristics.PauseHandler ?? null;
    const job = this.#job(
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
    await this.#finish(job, 0x21);
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
    if (one.state === RUNNING && this.environment.inside === "") await this.pause(adapter);
    if (this.environment.inside === "" || one.state === PAUSED) this.#assertState(one, "halt", PAUSED);
    const job = this.#job(
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
    await this.#finish(job, 0x22);
  }

  /** Free what a halted adapter leaked, as one would by force. Returns what there was. */
  release(adapter: Adapter): readonly LiveBlock[] {
    return forceRelease(adapter.record);
  }

  /** MiniportShutdownEx: no other handler is called afterwards. PowerOff at PASSIVE_LEVEL, BugCheck at HIGH_LEVEL. */
  shutdown(adapter: Adapter, action: NDIS_SHUTDOWN_ACTION = NdisShutdownPowerOff): void {
    this.#assertUsable("shutdown");
    const one = adapter.record;
    if (one.state === HALTED || one.state === SHUTDOWN || one.state === HALTING)
      this.#assertState(one, "shutdown", RUNNING);
    beginShutdown(one);
    const handler = one.driver.characteristics.ShutdownHandlerEx ?? null;
    const level = action === NdisShutdownPowerOff ? PASSIVE_LEVEL : HIGH_LEVEL;
    if (handler !== null) adapter.services.callback("MiniportShutdownEx", level, () => handler(one.context, action));
    adapter.unplug();
  }

  /** The device is pulled out: registers read all ones, the driver is told, and halted. */
  async surpriseRemove(adapter: Adapter): Promise<void> {
    this.#assertUsable("surpriseRemove");
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
    this.#assertUsable("unload");
    const known = this.#drivers.get(driver);
    const record = known?.records.find((one) => one.registered);
    const handler = record?.characteristics.UnloadHandler ?? null;
    if (known === undefined || handler === null) return;
    await this.#finish(
      this.#job(
        null,
        "DriverUnload",
        () => {},
        () => handler(known.object),
        () => {},
      ),
    );
  }

  /**
   * Let one thing happen: a completion, or the next event. False where nothing is left.
   *
   * `REENTRANT_CALL` from inside a callback; `WRONG_CONTEXT` while a thread is suspended (use `run`).
   */
  step(): boolean {
    this.#assertUsable("step");
    if (this.#threads.alive > 0) {
      throw new ShmemError("WRONG_CONTEXT", "a driver's thread is suspended: use `await run()`", {
        value: this.#threads.alive,
        unit: "threads",
      });
    }
    return this.#happen(1);
  }

  /**
   * Let everything happen that needs no thread: `step` until it says false, without the host's event loop. Returns how
   * many events and rows of completions there were. Refuses as `step` does; a thread that begins meanwhile ends it.
   */
  drain(): number {
    this.#assertUsable("step");
    let happened = 0;
    while (this.#threads.alive === 0 && this.#happen(Number.POSITIVE_INFINITY)) happened++;
    return happened;
  }

  /**
   * Let things happen until nothing is left, or `until` says so. Suspended threads go on one at a time.
   *
   * `REENTRANT_CALL` from inside a callback.
   */
  async run(until?: () => boolean): Promise<void> {
    this.#assertUsable("run");
    while (this.#loop !== null) await this.#loop;
    const loop = this.#runLoop(until);
    this.#loop = loop.catch(() => {});
    try {
      await loop;
    } finally {
      this.#loop = null;
    }
  }

  /** Schedule `manual`: serve at most one batch of pending requests. Returns how many. */
  serve(): number {
    this.#assertUsable("serve");
    return this.environment.dispatcher.turn();
  }

  /** Schedule `manual`: deliver one completion. False where none can be. */
  deliver(): boolean {
    this.#assertUsable("deliver");
    return this.environment.dispatcher.deliver();
  }

  /** Take the next event, although threads may be suspended. False where none is left. */
  event(): boolean {
    this.#assertUsable("event");
    const event = this.#events.take();
    event?.run();
    return event !== undefined;
  }

  /** Let every thread go on that can, one at a time, until each waits for something that has to happen first. */
  async settle(): Promise<void> {
    this.#assertUsable("settle");
    while (this.#threads.runnable) await this.#threads.resume();
  }

  /** When the next event is due, nanoseconds; infinite where none is. */
  get nextEventNs(): number {
    return this.#events.nextNs;
  }

  /** Driver threads that have not ended. */
  get suspended(): number {
    return this.#threads.alive;
  }

  /** Do something at a simulated time from now, for traffic sources and tests. */
  after(delayNs: number, run: () => void): void {
    this.#events.after(delayNs, run);
  }

  /** What is known of a virtual address. */
  explain(address: VirtualAddress): BlockExplanation {
    return this.environment.explain(address);
  }

  /** Every invariant of the core that is broken; empty when sound. */
  verify(): BrokenRule[] {
    return this.core.verify();
  }

  /** 16 hex digits over the event log. */
  logDigest(): string {
    return this.#log?.digest() ?? "0000000000000000";
  }

  /** What happened so far, in numbers. */
  report(): MachineReport {
    const { environment } = this;
    const sum = (of: (adapter: AdapterRecord) => number): number =>
      environment.adapters.reduce((all, one) => all + of(one), 0);
    const { latency } = environment.dispatcher;
    const accepted = sum((one) => one.accepted);
    const refused = sum((one) => one.refused);
    const leaks = environment.adapters
      .filter((one) => one.state === HALTED && one.liveBlocks > 0)
      .flatMap((one) => environment.blocks.liveBlocksOf(one).map((block) => ({ ...block, adapter: one.name })));
    return {
      seed: this.seed,
      nowNs: this.nowNs,
      steps: environment.step,
      memory: this.core.stats(),
      requests: {
        synchronous: sum((one) => one.synchronous),
        asynchronous: accepted + refused,
        failedAtOnce: refused,
        completed: sum((one) => one.completed),
        completedNull: sum((one) => one.completedNull),
        pending: sum((one) => one.pending),
        dropped: sum((one) => one.dropped),
        freed: sum((one) => one.freed),
      },
      latency: {
        count: latency.count,
        minNs: latency.minNs,
        maxNs: latency.maxNs,
        meanNs: latency.count === 0 ? 0 : Math.round(latency.sumNs / latency.count),
      },
      leaks,
      violations: environment.violations,
      warnings: environment.warnings,
      handlerErrors: environment.handlerErrors,
      guard: environment.blocks.guardReport(),
      coreDigest: this.core.digest(),
      logDigest: this.logDigest(),
    };
  }

  /**
   * Release everything. What started adapters still held is reported as at halt; then every handle is released and every
   * later call refused. Twice is harmless.
   */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const { environment } = this;
    const found: Violation[] = [];
    for (const one of startedAdapters(environment)) {
      environment.dispatcher.drop(one);
      if (one.liveBlocks > 0) {
        const named = environment.blocks.liveBlocksOf(one).map((block) => block.explain.text);
        found.push(
          environment.record(one, {
            rule: "NothingLiveAtRelease",
            code: "LEAK_AT_RELEASE",
            call: "dispose",
            message: `the machine was disposed with ${one.liveBlocks} blocks of ${one.liveBytes} bytes of ${one.name}: ${named.join(" ")}`,
            value: one.liveBlocks,
            unit: "blocks",
          }),
        );
      }
      one.state = HALTED;
    }
    this.core.dispose();
    const first = found[0];
    if (first !== undefined) environment.raise(first);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #plan(rules: readonly FaultRule[]): Faults {
    return new Faults(rules, this.seed, () => this.#clock.nowNs);
  }

  #makeAdapter(record: DriverRecord, driverName: string, options: AdapterOptions): Adapter {
    const device = options.device ?? null;
    const adapters = this.environment.adapters.length;
    const name = options.name ?? `${driverName}${adapters === 0 ? "" : `-${adapters + 1}`}`;
    let services: MachineServices | null = null;
    const one = new AdapterRecord(
      this.environment,
      record,
      name,
      { quotaBytes: options.quotaBytes ?? null },
      (made) => {
        services = new MachineServices(made, {
          clock: this.#clock,
          events: this.#events,
          processors: this.#processors,
          threads: this.#threads,
          device,
          settings: Object.freeze({ ...options.settings }),
          onFrame: options.onFrame ?? null,
          onDrop: options.onDrop ?? null,
          holdNs: options.holdNs ?? null,
        });
        return services;
      },
    );
    const made = services as unknown as MachineServices;
    const port = new MachinePort(one, this.#arena, this.#iommu, this.#clock, this.#events, () => made.raiseInterrupt());
    const adapter = new Adapter(one, made, device, port);
    device?.attach(port);
    this.adapters.push(adapter);
    return adapter;
  }

  /** One lifecycle call: `begin`, the driver's handler as a thread at PASSIVE_LEVEL, `end` with its value or failure. */
  #job(
    adapter: AdapterRecord | null,
    call: string,
    begin: () => void,
    handler: () => unknown,
    end: (value: unknown, failed: boolean) => void,
  ): Job {
    let finish: () => void = () => {};
    const job: Job = {
      done: false,
      failed: false,
      error: undefined,
      finished: new Promise<void>((resolve) => {
        finish = resolve;
      }),
      start: () => {
        begin();
        this.#callHandler(adapter, call, handler, (value, error, failed) => {
          job.failed = failed;
          job.error = error;
          try {
            end(value, failed);
          } catch (later) {
            // What the handler threw came first, and explains more.
            if (!job.failed) job.error = later;
            job.failed = true;
          }
          job.done = true;
          finish();
        });
      },
    };
    return job;
  }

  #callHandler(
    adapter: AdapterRecord | null,
    call: string,
    handler: () => unknown,
    settled: (value: unknown, error: unknown, failed: boolean) => void,
  ): void {
    const { environment } = this;
    const processors = this.#processors;
    const machineBefore = environment.enter();
    const levelBefore: KIRQL = processors.enter(PASSIVE_LEVEL);
    environment.inside = call;
    environment.insideAdapter = adapter;
    let value: unknown;
    let thrown: unknown;
    let failed = false;
    let levelAfter: KIRQL = PASSIVE_LEVEL;
    try {
      value = handler();
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
      this.#threads.adopt(adapter, call, promise, (error, rejected) => settled(result, error, rejected));
      return;
    }
    settled(value, thrown, failed);
  }

  /** Start a job and let things happen until it is done; from inside a callback it starts when that is through. */
  async #finish(job: Job, watchdogCode: 0x21 | 0x22 | null = null): Promise<void> {
    if (this.environment.inside !== "" || this.environment.dispatcher.delivering) {
      this.#events.after(0, job.start);
      await job.finished;
    } else if (this.#byHand) {
      job.start();
      await job.finished;
    } else {
      job.start();
      const bitesAt = this.nowNs + this.#watchdogNs;
      await this.run(() => job.done || this.nowNs > bitesAt);
      if (!job.done) this.#watchdog(watchdogCode);
    }
    if (job.failed) throw job.error;
  }

  /** A lifecycle call that nothing in the machine can end any more, or that took too long. */
  #watchdog(code: 0x21 | 0x22 | null): void {
    const { environment } = this;
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

  async #runLoop(until?: () => boolean): Promise<void> {
    const threads = this.#threads;
    // With a condition to watch, one at a time; the order is the same either way.
    const atOnce = until === undefined ? Number.POSITIVE_INFINITY : 1;
    for (;;) {
      if (until?.() === true) return;
      if (this.environment.poisoned !== null) return;
      if (threads.runnable) {
        await threads.resume();
        continue;
      }
      if (!this.#happen(atOnce)) return;
    }
  }

  /** One event, or up to `atOnce` completions. */
  #happen(atOnce: number): boolean {
    const { dispatcher } = this.environment;
    if (dispatcher.undelivered > 0 && this.#scheduler.order !== "manual" && dispatcher.deliverSome(atOnce) > 0) {
      return true;
    }
    const event = this.#events.take();
    if (event === undefined) return false;
    event.run();
    return true;
  }

  #atLevel(level: 0 | 2, turn: () => void): void {
    const before = this.#processors.enter(level as KIRQL);
    try {
      turn();
    } finally {
      this.#processors.leave(before);
    }
  }

  #assertUsable(call: string): void {
    const { environment } = this;
    if (this.#disposed) throw new ShmemError("ADAPTER_GONE", "the machine has been disposed", { value: call });
    environment.assertAlive();
    const pumps = PUMPS.includes(call);
    if (pumps && (environment.inside !== "" || environment.dispatcher.delivering)) {
      throw new ShmemError("REENTRANT_CALL", `${call} was called from inside ${environment.inside}`, {
        value: environment.inside,
      });
    }
  }

  #assertState(one: AdapterRecord, call: string, wanted: number): void {
    this.#assertUsable(call);
    if (one.state === wanted) return;
    const code = one.state === HALTED ? "ADAPTER_GONE" : "WRONG_CONTEXT";
    throw new ShmemError(code, `${one.name} cannot ${call} now`, { value: one.name });
  }
}

/** The options given, each read once; defaults are never read from `Object.prototype` (misuse A12). */
function ownOptions(given: MachineOptions): MachineOptions {
  const options = Object.assign(Object.create(null), given) as MachineOptions;
  for (const key of Object.keys(options)) {
    if (!OPTION_KEYS.includes(key)) {
      throw new ShmemError("INVALID_ARGUMENT", `${key} is no option of a machine`, { field: key, value: key });
    }
  }
  return options;
}

/** What the core is opened with: validated here, before anything is made. */
function coreOptionsOf(options: MachineOptions): CoreOptions {
  const { seed = 1, zones = DEFAULT_ZONES } = options;
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new ShmemError("INVALID_ARGUMENT", `seed must be an integer from 0, got ${String(seed)}`, {
      field: "seed",
      value: seed,
    });
  }
  const packed = resolveChoices(options.choices).placement === "packed";
  const sized: CoreOptions = {
    zones,
    tags: true,
    frameSize: packed ? 64 : 4096,
    ...(options.virtualBase === undefined ? {} : { virtualBase: options.virtualBase }),
  };
  const arena = options.arena === undefined ? new ArrayBuffer(planCore(sized).arenaBytes) : options.arena;
  return { ...sized, arena };
}
