/**
 * Services: what NDIS has beyond memory and a simulation needs, in our own style.
 *
 * Registers of the device, interrupts with their deferred call, timers, work items, spin locks, events to wait on,
 * checked access to bytes, frames going up, the error log. None of these has a documented name here, because none is the
 * documented routine; they do what a driver needs at the levels it expects. `src/machine` implements them.
 *
 * A driver waits on nothing but `wait` and `sleep`: a promise of the host (a timer, a fetch) is no event of the machine,
 * and the machine refuses to wait for it.
 */
import type { VirtualAddress } from "../../addresses.js";
import type { KIRQL } from "../documented/irql.js";

/** A notification event. */
export interface MachineEvent {
  /** Signalled, and not reset since. */
  readonly signalled: boolean;
  /** Signal; wakes every waiter, and stays signalled until `reset`. Any level up to DISPATCH_LEVEL. */
  set(): void;
  /** Not signalled any more. Any level up to DISPATCH_LEVEL. */
  reset(): void;
}

/** A spin lock. Not recursive. */
export interface SpinLock {
  /** Taken and not released. */
  readonly held: boolean;
  /** Raise to DISPATCH_LEVEL and take it. A lock that is held is a deadlock, refused as `WRONG_CONTEXT`. */
  acquire(): void;
  /** Release and return to the level before `acquire`. */
  release(): void;
}

/** A timer. Its callback runs at DISPATCH_LEVEL. */
export interface MachineTimer {
  /** Fire once after `delayNs`, and then every `periodNs` where given. Integers, at least 0 and 1. */
  set(delayNs: number, periodNs?: number): void;
  /** True where it was set and will not fire now. */
  cancel(): boolean;
}

/** A driver's interrupt. */
export interface InterruptHandlers {
  /**
   * The interrupt service routine, at the device's level: true where the device asked and the deferred call is to run.
   * Absent: the deferred call runs for every interrupt.
   */
  readonly isr?: () => boolean;
  /** The deferred procedure call, at DISPATCH_LEVEL. */
  readonly dpc: () => void;
}

/**
 * A frame that the driver hands up. The bytes are read before `indicate` returns.
 *
 * With `returned`, the memory stays with the upper layer for a while: `returned` is called once, later, at DISPATCH_LEVEL
 * (what MiniportReturnNetBufferLists is for). Without it, the memory is the driver's again when `indicate` returns (what
 * NDIS_RECEIVE_FLAGS_RESOURCES is for).
 */
export interface IndicatedFrame {
  /** The frame, 1 byte or more. */
  readonly bytes: Uint8Array;
  /** Called when the upper layer gives the memory back. */
  readonly returned?: () => void;
}

/** What the machine gives a driver beside the documented routines. */
export interface AdapterServices {
  /** Name of the adapter, for messages. */
  readonly name: string;
  /** Simulated time, nanoseconds. */
  readonly nowNs: number;
  /** Level of the processor that runs now. */
  readonly irql: KIRQL;
  /** What the machine's user set for the driver: the registry, so to speak. Own properties only. */
  readonly settings: Readonly<Record<string, unknown>>;

  /** Read a 32-bit register of the device. All ones after a surprise removal. */
  readRegister(offset: number): number;
  /** Write a 32-bit register of the device. */
  writeRegister(offset: number, value: number): void;

  /** Connect the interrupt. PASSIVE_LEVEL, in initialize. */
  registerInterrupt(handlers: InterruptHandlers): void;
  /** Disconnect; no interrupt or deferred call afterwards. PASSIVE_LEVEL. A no-op where none is connected. */
  deregisterInterrupt(): void;
  /** A timer that is not set. Any level up to DISPATCH_LEVEL. */
  createTimer(callback: () => void): MachineTimer;
  /** Run `callback` at PASSIVE_LEVEL, soon; it may be asynchronous. Up to DISPATCH_LEVEL. */
  queueWorkItem(callback: () => void | Promise<void>): void;
  /** A spin lock that is not held. */
  createSpinLock(): SpinLock;
  /** An event that is not signalled. */
  createEvent(): MachineEvent;
  /** Wait for an event. PASSIVE_LEVEL (choice C3). `timeoutNs` absent: for ever; the answer tells which came first. */
  wait(event: MachineEvent, timeoutNs?: number): Promise<"signalled" | "timeout">;
  /** Wait for a while. PASSIVE_LEVEL. */
  sleep(delayNs: number): Promise<void>;

  /** Raise the level; returns the level to give to `lowerIrql`. */
  raiseIrql(level: KIRQL): KIRQL;
  /** Lower the level to what `raiseIrql` returned. `WRONG_IRQL` where that is above the current level. */
  lowerIrql(level: KIRQL): void;

  /**
   * The bytes of a range inside one live block, as the processor sees them. The view is for now, not for keeping.
   * `TRANSLATION_FAULT` where the range leaves what was asked for, `NO_ARENA` in an address-only machine, `STALE_VIEW`
   * where the host has taken the bytes away.
   */
  bytes(address: VirtualAddress, lengthBytes: number): Uint8Array;
  /** 16 bits, little-endian. Refuses as `bytes` does. */
  readU16(address: VirtualAddress): number;
  /** 16 bits, little-endian; `value` 0 to 2^16 - 1. Refuses as `bytes` does. */
  writeU16(address: VirtualAddress, value: number): void;
  /** 32 bits, little-endian. Refuses as `bytes` does. */
  readU32(address: VirtualAddress): number;
  /** 32 bits, little-endian; `value` 0 to 2^32 - 1. Refuses as `bytes` does. */
  writeU32(address: VirtualAddress, value: number): void;

  /** Hand a received frame up. At DISPATCH_LEVEL or below. */
  indicate(frame: IndicatedFrame): void;
  /** The driver gives a received frame up: counted, with the reason. */
  drop(reason: string): void;
  /** Write an entry of the error log (what NdisWriteErrorLogEntry is for). */
  logError(code: number, ...values: number[]): void;
}
