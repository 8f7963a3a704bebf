/**
 * The services of one adapter: registers, interrupt, timers, work items, locks, events, bytes, frames.
 *
 * The other half of `AdapterServices` in the bindings. Every callback is bracketed with its level and contained if it
 * throws, like a completion (choice C24).
 */
import {
  type AdapterRecord,
  type AdapterServices,
  DISPATCH_LEVEL,
  deviceLevel,
  environmentOf,
  type IndicatedFrame,
  type InterruptHandlers,
  type KIRQL,
  type MachineEvent,
  type MachineTimer,
  type NdisEnvironment,
  PASSIVE_LEVEL,
  ShmemError,
  type SpinLock,
  type VirtualAddress,
} from "../../../bindings/index.js";
import { func, implementing, integer, MAX_NS, madeBy } from "../../../bindings/validate/index.js";
import type { DeviceModel } from "../devices/device-port.js";
import { halfAt, putHalfAt, putWordAt, wordAt } from "../devices/endian.js";
import { callIntoDriver, isPromise } from "../threads/call.js";
import type { Processors } from "../threads/processors.js";
import { type MachineThreads, WaitableEvent } from "../threads/threads.js";
import type { EventQueue, MachineEventEntry, SimulatedClock } from "../time/clock.js";

/** What the services share with their machine. */
export interface ServiceParts {
  readonly clock: SimulatedClock;
  readonly events: EventQueue;
  readonly processors: Processors;
  readonly threads: MachineThreads;
  readonly device: DeviceModel | null;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly onFrame: ((bytes: Uint8Array) => void) | null;
  readonly onDrop: ((reason: string) => void) | null;
  /** How long the upper layer keeps a frame that it was handed, nanoseconds. Absent: until the current turn is over. */
  readonly holdNs?: ((lengthBytes: number) => number) | null;
}

const DEVICE_LEVEL: KIRQL = deviceLevel(5);
/**
 * A line that is still up after its deferred call interrupts again after so long: the time of a service routine, and more
 * than nothing, so that time passes for a driver that never makes its device lower the line.
 */
const LINE_AGAIN_NS = 1000;

const DELAY = integer(0, MAX_NS, "ns");
const PERIOD = integer(1, MAX_NS, "ns");
const LEVEL = integer(0, 15, "IRQL");
const EVENT = madeBy<WaitableEvent>("an event made by createEvent", (value) => value instanceof WaitableEvent);
const CALLBACK = func<() => void>("called without arguments");
const HANDLERS = implementing<InterruptHandlers>("interrupt handlers", ["dpc"], ["isr"]);

export class MachineServices implements AdapterServices {
  readonly #adapter: AdapterRecord;
  readonly #environment: NdisEnvironment;
  readonly #parts: ServiceParts;
  #interrupt: InterruptHandlers | null = null;
  #interruptIsDue: MachineEventEntry | null = null;
  /** The device holds its line up. */
  #lineIsUp = false;
  /** The device raised an interrupt that nobody has looked at, because none was registered. */
  #latched = false;
  #dpcIsDue: MachineEventEntry | null = null;
  /** What is to happen to the driver: timers, work items, frames that come back. */
  readonly #timers: Set<MachineEventEntry> = new Set();
  /** Frames and bytes that the driver indicated; frames it dropped, by reason. */
  framesIndicated = 0;
  bytesIndicated = 0;
  /** Frames that the upper layer keeps now. */
  framesOut = 0;
  readonly dropped: Map<string, number> = new Map();
  readonly errorLog: { readonly timeNs: number; readonly code: number; readonly values: readonly number[] }[] = [];

  constructor(adapter: AdapterRecord, parts: ServiceParts) {
    this.#adapter = adapter;
    this.#environment = environmentOf(adapter.machine);
    this.#parts = parts;
  }

  get name(): string {
    return this.#adapter.name;
  }

  get nowNs(): number {
    return this.#parts.clock.nowNs;
  }

  get irql(): KIRQL {
    return this.#parts.processors.current;
  }

  get settings(): Readonly<Record<string, unknown>> {
    return this.#parts.settings;
  }

  get interruptConnected(): boolean {
    return this.#interrupt !== null;
  }

  readRegister(offset: number): number {
    const { device } = this.#parts;
    if (device === null || this.#adapter.surpriseRemoved) return 0xffffffff;
    return device.readRegister(offset) >>> 0;
  }

  writeRegister(offset: number, value: number): void {
    const { device } = this.#parts;
    if (device === null || this.#adapter.surpriseRemoved) return;
    device.writeRegister(offset, value >>> 0);
  }

  registerInterrupt(handlers: InterruptHandlers): void {
    this.#atPassive("registerInterrupt");
    HANDLERS.read(handlers, "handlers");
    if (this.#adapter.attributes === null) {
      this.#environment.reporter.violate(this.#adapter, {
        rule: "NdisMRegisterIoPortRange",
        code: "WRONG_CONTEXT",
        call: "registerInterrupt",
        message: "NdisMSetMiniportAttributes comes before anything that claims hardware",
        basis: "documented",
      });
      return;
    }
    this.#interrupt = handlers;
    // A line that is up, or was pulsed, is seen by whoever looks at it first.
    if (this.#latched || this.#lineIsUp) this.#interruptAfter(0);
    this.#latched = false;
  }

  deregisterInterrupt(): void {
    this.#atPassive("deregisterInterrupt");
    this.#interrupt = null;
    const { events } = this.#parts;
    if (this.#interruptIsDue !== null) events.cancel(this.#interruptIsDue);
    if (this.#dpcIsDue !== null) events.cancel(this.#dpcIsDue);
    this.#interruptIsDue = null;
    this.#dpcIsDue = null;
  }

  /** The device raised its interrupt: the service routine runs as soon as the processor is free. */
  raiseInterrupt(): void {
    if (this.#interrupt === null) this.#latched = true;
    else this.#interruptAfter(0);
  }

  /** The level of the device's line: while it is up, the service routine runs again after each deferred call. */
  setInterruptLine(isUp: boolean): void {
    if (isUp && !this.#lineIsUp) this.#interruptAfter(0);
    this.#lineIsUp = isUp;
  }

  #interruptAfter(delayNs: number): void {
    if (this.#interrupt === null || this.#interruptIsDue !== null) return;
    this.#interruptIsDue = this.#parts.events.after(delayNs, () => this.#serviceInterrupt());
  }

  createTimer(callback: () => void): MachineTimer {
    CALLBACK.read(callback, "callback");
    const { events } = this.#parts;
    let entry: MachineEventEntry | null = null;
    const set = (delayNs: number, periodNs?: number): void => {
      DELAY.read(delayNs, "delayNs");
      if (periodNs !== undefined) PERIOD.read(periodNs, "periodNs");
      cancel();
      entry = events.after(delayNs, () => {
        if (entry !== null) this.#timers.delete(entry);
        entry = null;
        if (periodNs !== undefined) set(periodNs, periodNs);
        this.callback("timer", DISPATCH_LEVEL, callback);
      });
      this.#timers.add(entry);
    };
    const cancel = (): boolean => {
      if (entry === null) return false;
      events.cancel(entry);
      this.#timers.delete(entry);
      entry = null;
      return true;
    };
    return { set, cancel };
  }

  queueWorkItem(callback: () => void | Promise<void>): void {
    CALLBACK.read(callback, "callback");
    const entry = this.#parts.events.after(0, () => {
      this.#timers.delete(entry);
      this.callback("work item", PASSIVE_LEVEL, callback);
    });
    this.#timers.add(entry);
  }

  createSpinLock(): SpinLock {
    return new MachineLock(this.#parts.processors, this.name);
  }

  createEvent(): MachineEvent {
    return new WaitableEvent(this.#parts.threads);
  }

  wait(event: MachineEvent, timeoutNs?: number): Promise<"signalled" | "timeout"> {
    return this.#parts.threads.wait(this.#adapter, EVENT.read(event, "event"), timeoutNs);
  }

  async sleep(delayNs: number): Promise<void> {
    DELAY.read(delayNs, "delayNs");
    await this.#parts.threads.wait(this.#adapter, null, delayNs);
  }

  raiseIrql(level: KIRQL): KIRQL {
    LEVEL.read(level, "level");
    return this.#parts.processors.raise(level);
  }

  lowerIrql(level: KIRQL): void {
    LEVEL.read(level, "level");
    this.#parts.processors.lower(level);
  }

  bytes(address: VirtualAddress, lengthBytes: number): Uint8Array {
    const { blocks } = this.#environment;
    const offset = this.#offsetOf(address, lengthBytes);
    return blocks.bytes.whole().subarray(offset, offset + lengthBytes);
  }

  /** Where a range that the driver owns lies among the machine's bytes. */
  #offsetOf(address: VirtualAddress, lengthBytes: number): number {
    const { blocks, core, ring } = this.#environment;
    const offset = core.offsetOf(address, lengthBytes);
    if (blocks.plain && !ring.mayHide(address)) return offset;
    const found = blocks.lookup(address);
    const inside = found.state === "block" || found.state === "interior";
    if (
      inside &&
      address + lengthBytes <= found.driverAddress + found.lengthBytes &&
      !ring.isUndelivered(found.driverAddress)
    ) {
      return offset;
    }
    const why = blocks.specialStateOf(address) ?? `the range leaves the block of ${found.lengthBytes} bytes`;
    throw new ShmemError("TRANSLATION_FAULT", why, { value: address, unit: "address" });
  }

  readU16(address: VirtualAddress): number {
    const at = this.#offsetOf(address, 2);
    return halfAt(this.#environment.blocks.bytes.whole(), at);
  }

  writeU16(address: VirtualAddress, value: number): void {
    const at = this.#offsetOf(address, 2);
    putHalfAt(this.#environment.blocks.bytes.whole(), at, value);
  }

  readU32(address: VirtualAddress): number {
    const at = this.#offsetOf(address, 4);
    return wordAt(this.#environment.blocks.bytes.whole(), at);
  }

  writeU32(address: VirtualAddress, value: number): void {
    const at = this.#offsetOf(address, 4);
    putWordAt(this.#environment.blocks.bytes.whole(), at, value);
  }

  indicate(frame: IndicatedFrame): void {
    const environment = this.#environment;
    environment.reporter.step++;
    this.framesIndicated++;
    this.bytesIndicated += frame.bytes.length;
    if (environment.reporter.log !== null) environment.reporter.note(this.#adapter, `indicate ${frame.bytes.length}`);
    this.#parts.onFrame?.(frame.bytes);
    const { returned } = frame;
    if (returned === undefined) return;
    const { events, holdNs } = this.#parts;
    this.framesOut++;
    const entry = events.after(holdNs?.(frame.bytes.length) ?? 0, () => {
      this.#timers.delete(entry);
      this.framesOut--;
      this.callback("frame returned", DISPATCH_LEVEL, returned);
    });
    this.#timers.add(entry);
  }

  drop(reason: string): void {
    const environment = this.#environment;
    environment.reporter.step++;
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1);
    if (environment.reporter.log !== null) environment.reporter.note(this.#adapter, `drop ${reason}`);
    this.#parts.onDrop?.(reason);
  }

  logError(code: number, ...values: number[]): void {
    const adapter = this.#adapter;
    adapter.owesErrorLog = false;
    this.errorLog.push({ timeNs: this.nowNs, code, values });
    if (this.#environment.reporter.log !== null)
      this.#environment.reporter.note(adapter, `error log ${code} ${values.join(" ")}`);
  }

  /** Nothing of the driver runs any more: timers, interrupt. */
  stop(): void {
    const { events } = this.#parts;
    for (const entry of this.#timers) events.cancel(entry);
    this.#timers.clear();
    this.#interrupt = null;
    this.#lineIsUp = false;
    if (this.#interruptIsDue !== null) events.cancel(this.#interruptIsDue);
    if (this.#dpcIsDue !== null) events.cancel(this.#dpcIsDue);
  }

  /** Call into the driver at a level; contain what it throws; follow it if it is asynchronous. */
  callback(call: string, level: KIRQL, run: () => unknown): void {
    const adapter = this.#adapter;
    const environment = this.#environment;
    const { callbacks, reporter } = environment;
    reporter.step++;
    if (reporter.log !== null) reporter.note(adapter, call);
    const { value, error, failed, levelAfter } = callIntoDriver(environment, adapter, call, level, run);
    if (failed) reporter.contain(adapter, call, error);
    const suspended = isPromise(value);
    if (suspended) {
      this.#parts.threads.adopt(adapter, call, value, (error, failed) => {
        if (failed) reporter.contain(adapter, call, error);
      });
    }
    callbacks.checkLevel(adapter, call, level, levelAfter, suspended);
  }

  #serviceInterrupt(): void {
    this.#interruptIsDue = null;
    const handlers = this.#interrupt;
    if (handlers === null) return;
    let ours = handlers.isr === undefined;
    const { isr } = handlers;
    if (isr !== undefined) {
      this.callback("interrupt", DEVICE_LEVEL, () => {
        ours = isr();
      });
    }
    // Not ours, with the line up: it is asked again, as a line that several devices share would be.
    if (!ours && this.#lineIsUp) this.#interruptAfter(LINE_AGAIN_NS);
    if (!ours || this.#dpcIsDue !== null) return;
    this.#dpcIsDue = this.#parts.events.after(0, () => {
      this.#dpcIsDue = null;
      if (this.#interrupt === null) return;
      this.callback("dpc", DISPATCH_LEVEL, this.#interrupt.dpc);
      if (this.#lineIsUp) this.#interruptAfter(LINE_AGAIN_NS);
    });
  }

  #atPassive(what: string): void {
    const { current } = this.#parts.processors;
    if (current > PASSIVE_LEVEL) {
      throw new ShmemError("WRONG_IRQL", `${what} is for PASSIVE_LEVEL`, { value: current, unit: "IRQL" });
    }
  }
}

/**
 * A spin lock. A class and no literal: an accessor in a literal gives each object a hidden class of its own, which lives in
 * the engine's old space and keeps the whole machine alive from there until a full collection.
 */
class MachineLock implements SpinLock {
  readonly #processors: Processors;
  readonly #owner: string;
  #held = false;
  #before: KIRQL = PASSIVE_LEVEL;

  constructor(processors: Processors, owner: string) {
    this.#processors = processors;
    this.#owner = owner;
  }

  get held(): boolean {
    return this.#held;
  }

  acquire(): void {
    if (this.#held) this.#refuse("the spin lock is held: acquiring it again would wait for ever");
    const { current } = this.#processors;
    this.#before = this.#processors.raise(current > DISPATCH_LEVEL ? current : DISPATCH_LEVEL);
    this.#processors.lockTaken();
    this.#held = true;
  }

  release(): void {
    if (!this.#held) this.#refuse("the spin lock is not held");
    this.#held = false;
    this.#processors.lockGiven();
    this.#processors.lower(this.#before);
  }

  #refuse(what: string): never {
    throw new ShmemError("WRONG_CONTEXT", what, { value: this.#owner });
  }
}
