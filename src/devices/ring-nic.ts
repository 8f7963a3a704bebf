/**
 * RingNic: what the NICs with descriptor rings have in common: registers for the interrupt and for start and stop, the
 * moderation of interrupts, and what becomes of a frame that cannot be stored.
 *
 * Each model adds how it finds a buffer. All reach memory by physical address over the bus alone; where nothing is mapped
 * the bus faults, and the receiver stops.
 *
 *    wire --receive--> off? long? --store--> memory --cause--> (6 frames, or 300 us) --> interrupt
 *                       |     |       \-- no buffer: lost, and an interrupt that says so
 *                       v     v
 *                  receiver-off  oversize
 *
 * Common registers (32 bits each):
 *
 *    0x00  causes: bit 0 a frame is stored, bit 1 a frame found no buffer, bit 2 the bus faulted; writing ones clears
 *    0x04  mask: 1 keeps the interrupt back
 *    0x08  command: 0 reset, 1 start receiving, 2 stop
 */
import { ShmemError } from "../../bindings/index.js";
import { halfAt, putHalfAt, wordAt } from "../machine/devices/endian.js";
import type { DevicePort } from "../machine/index.js";
import type { ReceivingDevice } from "./receiving-device.js";

/** Offsets of the common registers; those of a model begin at `NIC.own`. */
export const NIC = { causes: 0x00, mask: 0x04, command: 0x08, own: 0x10 } as const;
export const NIC_CAUSE_FRAME = 1;
export const NIC_CAUSE_STARVED = 2;
export const NIC_CAUSE_FAULT = 4;
export const NIC_RESET = 0;
export const NIC_START = 1;
export const NIC_STOP = 2;

/** What was decided when the board was made. */
export interface RingNicOptions {
  /** Frames longer than this are filtered. Bytes; the default is the model's. */
  readonly maxFrameBytes?: number;
  /** Frames that share one interrupt at most. Default 6. */
  readonly bundleFrames?: number;
  /** The longest that a received frame waits for its interrupt, in nanoseconds. Default 300,000. */
  readonly bundleDelayNs?: number;
  /** Told of each frame that is lost before it reaches memory. */
  readonly onDrop?: (reason: string) => void;
  /** How long the processor takes to notice an interrupt, nanoseconds. Default 0. */
  readonly interruptLatencyNs?: () => number;
}

/** Bytes of memory as a device sees them: little-endian words at physical addresses. */
export class BusWords {
  readonly #bus: DevicePort;
  readonly #two = new Uint8Array(2);
  readonly #eight = new Uint8Array(8);

  constructor(bus: DevicePort) {
    this.#bus = bus;
  }

  read16(address: number): number {
    const two = this.#two;
    this.#bus.read(address, two);
    return halfAt(two, 0);
  }

  read32(address: number): number {
    return this.#bus.readU32(address);
  }

  /** A 64-bit physical address; addresses are below 2^52. */
  readAddress(address: number): number {
    const eight = this.#eight;
    this.#bus.read(address, eight);
    return wordAt(eight, 0) + wordAt(eight, 4) * 2 ** 32;
  }

  write16(address: number, value: number): void {
    const two = this.#two;
    putHalfAt(two, 0, value);
    this.#bus.write(address, two);
  }

  write32(address: number, value: number): void {
    this.#bus.writeU32(address, value);
  }
}

/** See the head of this file. */
export abstract class RingNic implements ReceivingDevice {
  #port: DevicePort | null = null;
  #words: BusWords | null = null;
  readonly #onDrop: (reason: string) => void;
  readonly #latencyNs: () => number;
  readonly #maxFrameBytes: number;
  readonly #bundleFrames: number;
  readonly #bundleDelayNs: number;
  #receiving = false;
  #causes = 0;
  #masked = true;
  /** An interrupt is on its way to the processor. */
  #asking = false;
  #bundled = 0;
  /** Which wait for a bundle is the current one: an earlier one that fires is ignored. */
  #bundle = 0;
  #faults = 0;

  protected constructor(options: RingNicOptions, maxFrameBytes: number) {
    this.#onDrop = options.onDrop ?? (() => {});
    this.#latencyNs = options.interruptLatencyNs ?? (() => 0);
    this.#maxFrameBytes = options.maxFrameBytes ?? maxFrameBytes;
    this.#bundleFrames = options.bundleFrames ?? 6;
    this.#bundleDelayNs = options.bundleDelayNs ?? 300_000;
  }

  /** Put a frame into memory; false where the driver has provided no buffer for it. The frame's bytes come first, what says "done" last. */
  protected abstract store(bus: DevicePort, words: BusWords, frame: Uint8Array): boolean;
  /** The model's registers and rings as at power-on. */
  protected abstract clear(): void;
  /** A register of the model. */
  protected abstract own(offset: number): number;
  protected abstract setOwn(offset: number, value: number): void;

  attach(port: DevicePort): void {
    this.#port = port;
    this.#words = new BusWords(port);
    this.reset();
  }

  detach(): void {
    this.reset();
    this.#port = null;
    this.#words = null;
  }

  /** Bus faults since the last reset. */
  get faults(): number {
    return this.#faults;
  }

  /** Frames are taken from the wire. */
  get receiving(): boolean {
    return this.#receiving;
  }

  /** A register as the processor reads it. Unknown offsets read 0. */
  readRegister(offset: number): number {
    if (offset === NIC.causes) return this.#causes;
    if (offset === NIC.mask) return this.#masked ? 1 : 0;
    return offset >= NIC.own ? this.own(offset) >>> 0 : 0;
  }

  /** A register as the processor writes it. Unknown offsets ignore it. */
  writeRegister(offset: number, value: number): void {
    if (offset === NIC.causes) {
      this.#causes &= ~value;
    } else if (offset === NIC.mask) {
      this.#masked = (value & 1) !== 0;
      if (this.#causes !== 0) this.#raise();
    } else if (offset === NIC.command) {
      if (value === NIC_RESET) this.reset();
      else this.#receiving = value === NIC_START;
    } else if (offset >= NIC.own) {
      this.setOwn(offset, value >>> 0);
    }
  }

  /** Everything as at power-on. */
  reset(): void {
    this.#receiving = false;
    this.#causes = 0;
    this.#masked = true;
    this.#bundled = 0;
    this.#bundle += 1;
    this.#faults = 0;
    this.clear();
  }

  /** A frame arrives. `wireLengthBytes`: its length on the wire, more than `frame.length` where the recorder cut it. */
  receive(frame: Uint8Array, wireLengthBytes: number = frame.length): void {
    if (wireLengthBytes > this.#maxFrameBytes || frame.length > this.#maxFrameBytes) {
      this.#onDrop("oversize");
    } else if (!this.#receiving) {
      this.#onDrop("receiver-off");
    } else if (this.reach((bus, words) => this.store(bus, words, frame), "bus-fault")) {
      this.#bundleOne();
    }
  }

  /**
   * Do something with memory. False where it answers false, or where the bus faulted: the bus has recorded the fault with
   * its address, and what a NIC can do about an aborted transfer is to stop.
   */
  protected reach(act: (bus: DevicePort, words: BusWords) => boolean, lost: string | null): boolean {
    if (this.#port === null || this.#words === null) {
      throw new ShmemError("ADAPTER_GONE", "the controller is in no slot");
    }
    try {
      if (act(this.#port, this.#words)) return true;
      if (lost !== null) this.#onDrop("no-buffer");
      this.#cause(NIC_CAUSE_STARVED);
    } catch (error) {
      if (!(error instanceof ShmemError) || error.code !== "TRANSLATION_FAULT") throw error;
      this.#faults += 1;
      this.#receiving = false;
      if (lost !== null) this.#onDrop(lost);
      this.#cause(NIC_CAUSE_FAULT);
    }
    return false;
  }

  #bundleOne(): void {
    this.#bundled += 1;
    if (this.#bundled >= this.#bundleFrames) {
      this.#cause(NIC_CAUSE_FRAME);
    } else if (this.#bundled === 1) {
      this.#bundle += 1;
      const bundle = this.#bundle;
      this.#port?.after(this.#bundleDelayNs, () => {
        if (bundle === this.#bundle && this.#bundled > 0) this.#cause(NIC_CAUSE_FRAME);
      });
    }
  }

  #cause(causes: number): void {
    this.#bundled = 0;
    this.#bundle += 1;
    this.#causes |= causes;
    this.#raise();
  }

  #raise(): void {
    if (this.#masked || this.#asking) return;
    const latencyNs = this.#latencyNs();
    if (latencyNs === 0) {
      this.#port?.interrupt();
      return;
    }
    this.#asking = true;
    this.#port?.after(latencyNs, () => {
      this.#asking = false;
      if (!this.#masked && this.#causes !== 0) this.#port?.interrupt();
    });
  }
}
