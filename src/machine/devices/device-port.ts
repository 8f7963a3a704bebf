/**
 * Devices: what a model of one sees of the machine, and how it reaches memory.
 *
 * A device knows logical addresses only, those that NDIS calls physical. Each access is translated and checked in full
 * before a byte moves: an address outside every live block is `TRANSLATION_FAULT`, recorded as a violation (0xE6/26).
 * Mappings cover whole frames, so an overrun inside the last frame happens, and can be found.
 */

import {
  type AdapterRecord,
  bugChecks,
  environmentOf,
  hex,
  type NdisEnvironment,
  type PhysicalAddress,
  ShmemError,
} from "../../../bindings/index.js";
import { boolean, func, integer, MAX_NS } from "../../../bindings/validate/index.js";
import type { EventQueue, MachineEventEntry, SimulatedClock } from "../time/clock.js";
import { putWordAt, wordAt } from "./endian.js";
import type { Iommu } from "./iommu.js";

/** A model of a device. Registers are 32 bits wide; offsets are bytes. */
export interface DeviceModel {
  /** The device is plugged in. Keep the port. */
  attach(port: DevicePort): void;
  /** The driver reads the 32-bit register at `offset` bytes. Returns 0 to 2^32 - 1. */
  readRegister(offset: number): number;
  /** The driver writes the 32-bit register at `offset` bytes; `value` is 0 to 2^32 - 1. */
  writeRegister(offset: number, value: number): void;
  /** The device is pulled out, or its adapter halted: stop everything. */
  detach?(): void;
}

/** What a device sees of the machine. */
export interface DevicePort {
  /** Simulated time, nanoseconds. */
  readonly nowNs: number;
  /** Read memory at a logical address into `into`. `TRANSLATION_FAULT` before any byte moves. */
  read(logical: number, into: Uint8Array): void;
  /** Write memory at a logical address. `TRANSLATION_FAULT` before any byte moves. */
  write(logical: number, bytes: Uint8Array): void;
  /** 32 bits, little-endian. */
  readU32(logical: number): number;
  /** Write 32 bits, little-endian. `TRANSLATION_FAULT` before any byte moves. */
  writeU32(logical: number, value: number): void;
  /**
   * Pulse the interrupt line. Coalesced until the service routine has run; a pulse before the driver registers its interrupt
   * is seen when it does.
   */
  interrupt(): void;
  /**
   * Set the level of the interrupt line. While it is up, the service routine runs again after each deferred call, and as soon
   * as the driver registers its interrupt. `INVALID_ARGUMENT` for what is no boolean.
   */
  setLine(isUp: boolean): void;
  /** Do something after `delayNs` nanoseconds, an integer (below 0 counts as 0); returns how to call it off. */
  after(delayNs: number, run: () => void): () => void;
}

/** Where a device's interrupts go. */
export interface InterruptLine {
  raiseInterrupt(): void;
  setInterruptLine(isUp: boolean): void;
}

const IS_UP = boolean();
/** A delay below 0 counts as 0. */
const DELAY = integer(-MAX_NS, MAX_NS, "ns");
const RUN = func<() => void>("called without arguments");

/** Up to here bytes are moved one by one: making a view of them would cost more. */
const FEW_BYTES = 64;

/** The port of one adapter's device. */
export class MachinePort implements DevicePort {
  readonly #adapter: AdapterRecord;
  readonly #environment: NdisEnvironment;
  readonly #iommu: Iommu | null;
  readonly #clock: SimulatedClock;
  readonly #events: EventQueue;
  readonly #line: InterruptLine;
  readonly #pending: Set<MachineEventEntry> = new Set();
  readonly #word: Uint8Array = new Uint8Array(4);
  /** Bytes that the last stretch that was reached goes on for. */
  #reached = 0;
  #attached = true;

  constructor(
    adapter: AdapterRecord,
    iommu: Iommu | null,
    clock: SimulatedClock,
    events: EventQueue,
    line: InterruptLine,
  ) {
    this.#adapter = adapter;
    this.#environment = environmentOf(adapter.machine);
    this.#iommu = iommu;
    this.#clock = clock;
    this.#events = events;
    this.#line = line;
  }

  get nowNs(): number {
    return this.#clock.nowNs;
  }

  read(logical: number, into: Uint8Array): void {
    this.#move(logical, into, false);
  }

  write(logical: number, bytes: Uint8Array): void {
    this.#move(logical, bytes, true);
  }

  readU32(logical: number): number {
    const word = this.#word;
    this.#move(logical, word, false);
    return wordAt(word, 0);
  }

  writeU32(logical: number, value: number): void {
    const word = this.#word;
    putWordAt(word, 0, value);
    this.#move(logical, word, true);
  }

  interrupt(): void {
    if (this.#attached) this.#line.raiseInterrupt();
  }

  setLine(isUp: boolean): void {
    IS_UP.read(isUp, "isUp");
    if (this.#attached) this.#line.setInterruptLine(isUp);
  }

  after(delayNs: number, run: () => void): () => void {
    DELAY.read(delayNs, "delayNs");
    RUN.read(run, "run");
    const entry = this.#events.after(delayNs, () => {
      this.#pending.delete(entry);
      if (this.#attached) run();
    });
    this.#pending.add(entry);
    return () => {
      this.#pending.delete(entry);
      this.#events.cancel(entry);
    };
  }

  /** The device is gone: nothing it had planned happens. */
  detach(): void {
    this.#attached = false;
    this.#line.setInterruptLine(false);
    for (const entry of this.#pending) this.#events.cancel(entry);
    this.#pending.clear();
  }

  /** Find every stretch first, so that a fault in the last byte leaves the first untouched (misuse C08). */
  #move(logical: number, bytes: Uint8Array, write: boolean): void {
    const { length } = bytes;
    let physical = this.#reach(logical, write);
    if (this.#reached >= length) {
      this.#copy(physical, bytes, 0, length, write);
      return;
    }
    const stretches: { physical: number; lengthBytes: number }[] = [];
    let done = 0;
    while (done < length) {
      if (done > 0) physical = this.#reach(logical + done, write);
      const lengthBytes = Math.min(this.#reached, length - done);
      stretches.push({ physical, lengthBytes });
      done += lengthBytes;
    }
    done = 0;
    for (const stretch of stretches) {
      this.#copy(stretch.physical, bytes, done, stretch.lengthBytes, write);
      done += stretch.lengthBytes;
    }
  }

  /** Where the byte at `logical` lies, and in `#reached` for how many bytes that holds; a fault where nothing is mapped. */
  #reach(logical: number, write: boolean): number {
    const environment = this.#environment;
    const iommu = this.#iommu;
    let physical = logical;
    let reach = Number.POSITIVE_INFINITY;
    if (iommu !== null) {
      const there = iommu.reach(this.#adapter.number, logical, write);
      if ("reason" in there) return this.#fault(logical, write, there.reason);
      physical = there.physical;
      reach = there.lengthBytes;
    }
    let virtual = 0;
    try {
      const there = environment.core.translatePhysical(physical as PhysicalAddress);
      virtual = there.virtual;
      if (environment.blocks.deviceMayReach(virtual)) {
        this.#reached = Math.min(reach, there.lengthBytes);
        return physical;
      }
    } catch (error) {
      if (!(error instanceof ShmemError)) throw error;
    }
    return this.#fault(logical, write, "unmapped", virtual);
  }

  #fault(logical: number, write: boolean, reason: "unmapped" | "direction" | "another device", virtual = 0): never {
    const adapter = this.#adapter;
    const environment = this.#environment;
    environment.reporter.step++;
    const why = {
      unmapped: "which no live block holds",
      direction: `which is mapped for ${write ? "reading" : "writing"} only (direction)`,
      "another device": "which is mapped for another device",
    };
    const at = virtual === 0 ? environment.blocks.virtualOf(logical) : virtual;
    const message = `the device ${write ? "wrote to" : "read from"} ${hex(logical)}, ${why[reason]}`;
    const details = { value: logical, unit: "address" } as const;
    const finding = {
      rule: "DeviceReachesMappings",
      code: "TRANSLATION_FAULT",
      call: write ? "device write" : "device read",
      message,
      basis: environment.iommu === null ? "choice" : "documented",
      bugCheck: bugChecks.deviceFault(adapter, logical, write),
      ...details,
      ...(at === 0 ? {} : { address: at }),
    } as const;
    environment.reporter.violate(adapter, finding);
    // Under `collect` the violation is recorded only, but the access must not happen all the same.
    throw new ShmemError("TRANSLATION_FAULT", message, details);
  }

  #copy(physical: number, bytes: Uint8Array, at: number, lengthBytes: number, write: boolean): void {
    const { bytes: memory } = this.#environment.blocks;
    const from = memory.offsetOf(physical);
    const whole = memory.whole();
    if (lengthBytes <= FEW_BYTES) {
      if (write) for (let i = 0; i < lengthBytes; i++) whole[from + i] = bytes[at + i] as number;
      else for (let i = 0; i < lengthBytes; i++) bytes[at + i] = whole[from + i] as number;
    } else if (write)
      whole.set(at === 0 && lengthBytes === bytes.length ? bytes : bytes.subarray(at, at + lengthBytes), from);
    else bytes.set(whole.subarray(from, from + lengthBytes), at);
  }
}
