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
  HALTED,
  type IndicatedFrame,
  type InterruptHandlers,
  isPromise,
  type KIRQL,
  type LeftArmed,
  type MachineEvent,
  type MachineTimer,
  type NdisEnvironment,
  PASSIVE_LEVEL,
  requireAtMostDispatch,
  SHUTDOWN,
  ShmemError,
  type SpinLock,
  stateName,
  type VirtualAddress,
} from "../../../bindings/index.js";
import type { DeviceModel } from "../devices/device-port.js";
import { halfAt, putHalfAt, putWordAt, wordAt } from "../devices/endian.js";
import { callIntoDriver } from "../threads/call.js";
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

export class MachineServices implements AdapterServices {
  readonly #adapter: AdapterRecord;
  readonly #environment: NdisEnvironment;
  readonly #parts: ServiceParts;
  #interrupt: InterruptHandlers | null = null;
  #interruptIsDue: MachineEventEntry | null = null;
  #dpcIsDue: MachineEventEntry | null = null;
  /** Timers that are set. */
  readonly #timers: Set<MachineEventEntry> = new Set();
  /** What else is to happen to the driver: work items, frames that come back. */
  readonly #queued: Set<MachineEventEntry> = new Set();
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

  /** What a halt, or a failed initialize, finds connected and set. */
  get leftArmed(): LeftArmed {
    return { interrupt: this.#interrupt !== null, timers: this.#timers.size };
  }

  registerInterrupt(handlers: InterruptHandlers): void {
    this.#atPassive("registerInterrupt");
    if (!this.#isLive("registerInterrupt")) return;
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
    if (this.#interrupt === null || this.#interruptIsDue !== null) return;
    this.#interruptIsDue = this.#parts.events.after(0, () => this.#serviceInterrupt());
  }

  createTimer(callback: () => void): MachineTimer {
    const { events } = this.#parts;
    let entry: MachineEventEntry | null = null;
    const set = (delayNs: number, periodNs?: number): void => {
      checkDelay("delayNs", delayNs, 0);
      if (periodNs !== undefined) checkDelay("periodNs", periodNs, 1);
      if (!this.#isLive("timer.set") || !this.#mayCall("timer.set")) return;
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
    if (!this.#isLive("queueWorkItem") || !this.#mayCall("queueWorkItem")) return;
    const entry = this.#parts.events.after(0, () => {
      this.#queued.delete(entry);
      this.callback("work item", PASSIVE_LEVEL, callback);
    });
    this.#queued.add(entry);
  }

  createSpinLock(): SpinLock {
    return new MachineLock(this.#parts.processors, this.name);
  }

  createEvent(): MachineEvent {
    return new WaitableEvent(this.#parts.threads, () => this.#mayCall("event.set"));
  }

  wait(event: MachineEvent, timeoutNs?: number): Promise<"signalled" | "timeout"> {
    if (!(event instanceof WaitableEvent)) {
      throw new ShmemError("INVALID_ARGUMENT", "wait takes an event made by createEvent", {
        field: "event",
        value: event,
      });
    }
    if (!this.#isLive("wait")) return Promise.reject(this.#gone("wait"));
    return this.#parts.threads.wait(this.#adapter, event, timeoutNs);
  }

  async sleep(delayNs: number): Promise<void> {
    checkDelay("delayNs", delayNs, 0);
    if (!this.#isLive("sleep")) throw this.#gone("sleep");
    await this.#parts.threads.wait(this.#adapter, null, delayNs);
  }

  raiseIrql(level: KIRQL): KIRQL {
    return this.#parts.processors.raise(level);
  }

  lowerIrql(level: KIRQL): void {
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
    if (!this.#isLive("indicate") || !this.#mayCall("indicate")) return;
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
      this.#queued.delete(entry);
      this.framesOut--;
      this.callback("frame returned", DISPATCH_LEVEL, returned);
    });
    this.#queued.add(entry);
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
    for (const set of [this.#timers, this.#queued]) {
      for (const entry of set) events.cancel(entry);
      set.clear();
    }
    this.#interrupt = null;
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
    if (!ours || this.#dpcIsDue !== null) return;
    this.#dpcIsDue = this.#parts.events.after(0, () => {
      this.#dpcIsDue = null;
      if (this.#interrupt !== null) this.callback("dpc", DISPATCH_LEVEL, this.#interrupt.dpc);
    });
  }

  /** False, after the violation, where the adapter is over: nothing runs for it any more. */
  #isLive(call: string): boolean {
    const { state } = this.#adapter;
    if (state !== HALTED && state !== SHUTDOWN) return true;
    this.#environment.reporter.violate(this.#adapter, {
      rule: "HandleIsLive",
      code: "ADAPTER_GONE",
      call,
      message: `${call} was called and the adapter is ${stateName(state)}: nothing runs for it any more`,
    });
    return false;
  }

  #gone(call: string): ShmemError {
    return new ShmemError("ADAPTER_GONE", `${call}: the adapter is over`, { value: this.name });
  }

  /** Up to DISPATCH_LEVEL; false after the violation. */
  #mayCall(call: string): boolean {
    return requireAtMostDispatch(this.#environment.reporter, this.#adapter, call);
  }

  #atPassive(what: string): void {
    const { current } = this.#parts.processors;
    if (current > PASSIVE_LEVEL) {
      throw new ShmemError("WRONG_IRQL", `${what} is for PASSIVE_LEVEL`, { value: current, unit: "IRQL" });
    }
  }
}

function checkDelay(field: string, value: number, least: number): void {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least) {
    throw new ShmemError("INVALID_ARGUMENT", `${field} must be an integer from ${least}, got ${String(value)}`, {
      field,
      value,
      unit: "ns",
    });
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
