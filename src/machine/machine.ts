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
  type BlockExplanation,
  type BrokenRule,
  Core,
  type CoreApi,
  type CoreOptions,
  claimCore,
  type FaultPlan,
  HALTED,
  type LiveBlock,
  type NDIS_HALT_ACTION,
  type NDIS_SHUTDOWN_ACTION,
  type NDIS_STATUS,
  type NdisChoices,
  type NdisEnvironment,
  NdisHaltDeviceDisabled,
  NdisShutdownPowerOff,
  planCore,
  refuseIfClaimed,
  ShmemError,
  startedAdapters,
  type Violation,
  type VirtualAddress,
  type ZonePlan,
} from "../../bindings/index.js";
import { func, integer, MAX_NS } from "../../bindings/validate/index.js";
import { FAULTS, type FaultRule } from "./faults.js";
import type { Adapter, AdapterOptions } from "./lifecycle/adapter.js";

import { Lifecycle, type LoadedDriver, type MiniportDriver } from "./lifecycle/lifecycle.js";
import { logDigest, type MachineReport, reportOf } from "./machine-report.js";
import { coreOptionsOf, type MachineOptions, ownOptions } from "./options.js";
import { assemble, faultPlan, type MachineParts } from "./parts.js";
import { Pump } from "./time/pump.js";

/** Blocks that the message of a leak describes; the report has them all. */
const BLOCKS_NAMED = 8;
const TIME = integer(0, MAX_NS, "ns");
/** A delay below 0 counts as 0. */
const DELAY = integer(-MAX_NS, MAX_NS, "ns");
const RUN = func<() => void>("called without arguments");
const UNTIL = func<() => boolean>("tells whether the run is over");

/** See the head of this file. */
export class Machine {
  /** Where everything random in the machine comes from, 0 to 2^53 - 1. */
  readonly seed: number;
  /** The allocator and translator. `restore` is refused with `WRONG_CONTEXT`: the machine keeps more than its core. */
  readonly core: CoreApi;
  /** The choices in force, defaults filled in. */
  readonly choices: NdisChoices;
  /** NDIS itself, for tools and tests: nothing in it is for drivers. */
  readonly environment: NdisEnvironment;
  readonly #parts: MachineParts;
  readonly #pump: Pump;
  readonly #lifecycle: Lifecycle;

  private constructor(options: MachineOptions, core: CoreApi, coreOptions: CoreOptions, zones: readonly ZonePlan[]) {
    this.#parts = assemble(options, core, coreOptions, zones);
    this.#pump = new Pump(this.#parts);
    this.#lifecycle = new Lifecycle(this.#parts, this.#pump, options);
    this.environment = this.#parts.environment;
    this.seed = this.#parts.seed;
    this.core = claimed(core);
    this.choices = this.environment.choices;
  }

  /** Make a machine. `INVALID_ARGUMENT` naming the option that is wrong. */
  static async open(given: MachineOptions = {}): Promise<Machine> {
    const options = ownOptions(given);
    const coreOptions = coreOptionsOf(options);
    const core = options.core === undefined ? await Core.open(coreOptions) : options.core(coreOptions);
    return new Machine(options, core, coreOptions, planCore(coreOptions).zones);
  }

  /** `open` without waiting, where the host compiles WebAssembly synchronously. */
  static openSync(given: MachineOptions = {}): Machine {
    return Machine.opener(given)();
  }

  /** `openSync` for many machines that are alike: the options are read and checked once, each call opens a fresh machine. */
  static opener(given: MachineOptions): () => Machine {
    const options = ownOptions(given);
    const coreOptions = coreOptionsOf(options);
    const { zones } = planCore(coreOptions);
    return () => {
      const core = options.core === undefined ? Core.openSync(coreOptions) : options.core(coreOptions);
      return new Machine(options, core, coreOptions, zones);
    };
  }

  /** Other injected failures from now on; `null` lifts them. */
  inject(faults: readonly FaultRule[] | FaultPlan | null): void {
    this.environment.faults = faultPlan(FAULTS.read(faults, "faults"), this.seed, this.#parts.clock);
  }

  /** Guard mode: look at every guarded block and at what is in quarantine. Returns what was found, which is also recorded. */
  sweep(): readonly Violation[] {
    return this.environment.blocks.sweep();
  }

  /** Simulated time, nanoseconds. */
  get nowNs(): number {
    return this.#parts.clock.nowNs;
  }

  /** Broken rules so far, in the order in which they were found. */
  get violations(): readonly Violation[] {
    return this.environment.reporter.violations;
  }

  /** What is permitted and unwise, each kind once for an adapter. */
  get warnings(): readonly Violation[] {
    return this.environment.reporter.warnings;
  }

  /** Lines of the event log that are kept, oldest first: the last 10,000 unless `log` says otherwise. */
  get log(): readonly string[] {
    return this.#parts.log?.lines ?? [];
  }

  /** Every adapter that was added, halted ones included. */
  get adapters(): readonly Adapter[] {
    return this.#lifecycle.adapters;
  }

  /** Run a driver's DriverEntry. The adapters come with `add`. */
  load(driver: MiniportDriver): Promise<LoadedDriver> {
    return this.#lifecycle.load(driver);
  }

  /**
   * Plug a device in and initialize an adapter for it; then restart it, so that it is Running.
   *
   * Where initialize fails the adapter comes back with its `status` and the state Halted; where it throws, this throws.
   */
  add(driver: LoadedDriver, options: AdapterOptions = {}): Promise<Adapter> {
    return this.#lifecycle.add(driver, options);
  }

  /** Paused to Running. Returns what MiniportRestart returned. */
  restart(adapter: Adapter): Promise<NDIS_STATUS> {
    return this.#lifecycle.restart(adapter);
  }

  /** Running to Paused. */
  pause(adapter: Adapter): Promise<void> {
    return this.#lifecycle.pause(adapter);
  }

  /**
   * Pause if need be, and halt: MiniportHaltEx runs and may wait; completions go on meanwhile (choice C4).
   *
   * Called from inside a callback, it begins when that callback is through. Afterwards the adapter's handles are
   * released. Under the policy `throw` this throws the first of what was outstanding: PENDING_AT_RELEASE,
   * LEAK_AT_RELEASE; the blocks stay for inspection until `release`.
   */
  halt(adapter: Adapter, action: NDIS_HALT_ACTION = NdisHaltDeviceDisabled): Promise<void> {
    return this.#lifecycle.halt(adapter, action);
  }

  /** Free what a halted adapter leaked, as one would by force. Returns what there was. */
  release(adapter: Adapter): readonly LiveBlock[] {
    return this.#lifecycle.release(adapter);
  }

  /** MiniportShutdownEx: no other handler is called afterwards. PowerOff at PASSIVE_LEVEL, BugCheck at HIGH_LEVEL. */
  shutdown(adapter: Adapter, action: NDIS_SHUTDOWN_ACTION = NdisShutdownPowerOff): void {
    this.#lifecycle.shutdown(adapter, action);
  }

  /** The device is pulled out: registers read all ones, the driver is told, and halted. */
  surpriseRemove(adapter: Adapter): Promise<void> {
    return this.#lifecycle.surpriseRemove(adapter);
  }

  /** Run a driver's unload handler. Its adapters must be halted. */
  unload(driver: LoadedDriver): Promise<void> {
    return this.#lifecycle.unload(driver);
  }

  /**
   * Let one thing happen: a completion, or the next event. False where nothing is left.
   *
   * `REENTRANT_CALL` from inside a callback; `WRONG_CONTEXT` while a thread is suspended (use `run`).
   */
  step(): boolean {
    return this.#pump.step();
  }

  /**
   * Let everything happen that needs no thread, without the host's event loop. Returns how many events and rows of
   * completions there were; 0 while a thread is suspended, and a thread that begins meanwhile ends it.
   */
  drain(): number {
    return this.#pump.drain();
  }

  /**
   * Let things happen until nothing is left, or `until` says so. Suspended threads go on one at a time.
   *
   * `REENTRANT_CALL` from inside a callback.
   */
  async run(until?: () => boolean): Promise<void> {
    return this.#pump.run(until === undefined ? undefined : UNTIL.read(until, "until"));
  }

  /**
   * Let everything happen that is due up to the simulated time `toNs`, and set the clock to it: for hosts that own time. The
   * log is the same whatever the slices. Without the host's event loop, and so it stops where a driver's thread can go on
   * (`runnable`): only a promise can resume that, `settle` or `advanceAsync`. Returns the time that was reached, nanoseconds.
   *
   * `INVALID_ARGUMENT` for what is no integer from 0; a time that is past is reached already. Refused as `drain` is.
   */
  advance(toNs: number): number {
    return this.#pump.advance(TIME.read(toNs, "toNs"));
  }

  /** `advance`, threads of drivers included: they go on one at a time. Resolves at `toNs` exactly. */
  async advanceAsync(toNs: number): Promise<void> {
    await this.#pump.advanceAsync(TIME.read(toNs, "toNs"));
  }

  /** Schedule `manual`: serve at most one batch of pending requests. Returns how many. */
  serve(): number {
    return this.#pump.serve();
  }

  /** Schedule `manual`: deliver one completion. False where none can be. */
  deliver(): boolean {
    return this.#pump.deliver();
  }

  /** Take the next event, although threads may be suspended. False where none is left. */
  event(): boolean {
    return this.#pump.event();
  }

  /**
   * Let every thread go on that can, one at a time, until each waits for something that has to happen first. False where
   * that took more than `most` turns: a thread waits, over and over, for what is there already.
   */
  settle(most: number = Number.POSITIVE_INFINITY): Promise<boolean> {
    return this.#pump.settle(most);
  }

  /** When the next event is due, nanoseconds; infinite where none is. */
  get nextEventNs(): number {
    return this.#parts.events.nextNs;
  }

  /** Driver threads that have not ended. */
  get suspended(): number {
    return this.#parts.threads.alive;
  }

  /** A driver thread can go on before anything else happens. */
  get runnable(): boolean {
    return this.#parts.threads.runnable;
  }

  /** Do something at a simulated time from now, for traffic sources and tests. */
  after(delayNs: number, run: () => void): void {
    this.#parts.events.after(DELAY.read(delayNs, "delayNs"), RUN.read(run, "run"));
  }

  /** What is known of a virtual address. */
  explain(address: VirtualAddress): BlockExplanation {
    return this.environment.explain(address);
  }

  /** Every invariant of the core that is broken; empty when sound. */
  verify(): BrokenRule[] {
    return this.core.verify();
  }

  /** Write the end of the log's file, where `log` has one; lines that come later are not written. Repeating it does nothing. */
  endLog(): void {
    this.#parts.log?.end();
  }

  /** 16 hex digits over the event log. */
  logDigest(): string {
    return logDigest(this.#parts.log);
  }

  /** What happened so far, in numbers. */
  report(): MachineReport {
    return reportOf(this.#parts);
  }

  /**
   * Release everything. What started adapters still held is reported as at halt; then every handle is released and every
   * later call refused. Twice is harmless.
   */
  dispose(): void {
    if (this.#pump.disposed) return;
    this.#pump.disposed = true;
    this.#lifecycle.end(new ShmemError("ADAPTER_GONE", "the machine has been disposed"));
    const { environment } = this;
    const found: Violation[] = [];
    for (const one of startedAdapters(environment)) {
      environment.dispatcher.drop(one);
      if (one.liveBlocks > 0) {
        const blocks = environment.blocks.liveBlocksOf(one);
        const named = blocks.slice(0, BLOCKS_NAMED).map((block) => block.explain.text);
        if (blocks.length > BLOCKS_NAMED) named.push(`And ${blocks.length - BLOCKS_NAMED} more.`);
        found.push(
          environment.reporter.record(one, {
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
    if (first !== undefined) environment.reporter.raise(first);
  }

  /** `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The core as the machine's user sees it: all but `restore`. */
function claimed(core: CoreApi): CoreApi {
  claimCore(core);
  if (core instanceof Core) return core;
  // A core of another kind does not know that it is claimed.
  return new Proxy(core, {
    get(target, key) {
      if (key === "restore") return () => refuseIfClaimed(target, "restore");
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
