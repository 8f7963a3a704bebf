/**
 * I8255x: the receive unit of a Fast Ethernet controller in the manner of the 8255x.
 *
 * The device knows no driver and no allocator. It has four registers, and it reaches memory by physical address over the
 * bus alone; where nothing is mapped the bus faults, and the receive unit stops as the silicon would on a master abort.
 *
 * A receive frame descriptor lies in memory, little-endian, and the frame's bytes follow it:
 *
 *    0 status u16    2 command u16    4 link u32    8 reserved u32    12 actual count u16    14 size u16    16 data
 *
 *    status   bit 15 complete, bit 13 received without error
 *    command  bit 15 EL, the list ends here; bit 14 S, suspend after this one
 *    count    bit 15 end of frame, bit 14 count is valid, bits 13-0 bytes
 *
 *      idle --start--> ready --EL used up--> no resources        The driver gives the unit an address with `start`, or
 *       ^               | ^ \--S used up---> suspended           lets it go on at the link with `resume`.
 *       +----abort------+ +----resume--------+
 *
 * For a frame the unit reads the descriptor's header, writes the bytes, then the count, and the status last: whoever
 * sees "complete" sees the whole frame. A frame that finds no descriptor is lost (`no-buffer`), one that is longer than
 * the controller's limit is filtered (`oversize`). Interrupts are moderated: one is raised after `bundleFrames` frames,
 * or `bundleDelayNs` after the first of them, or at once when the unit runs out of descriptors.
 *
 * Registers (32 bits each; the names are those of the System Control Block):
 *
 *    0x00  status: bits 5-2 state of the unit, bits 15-8 causes, cleared by writing ones; bits 18-16 receive command,
 *          bit 24 masks the interrupt
 *    0x04  general pointer: the argument of `start`
 *    0x08  port: writing 0 resets
 *
 * Source: Intel 8255x 10/100 Mbps Ethernet Controller Family, Open Source Software Developer Manual, sections 6.3 and 6.4.
 * Left out: the transmit unit, statistics, the frame check sequence, header mode, and the flexible (buffer list) mode.
 */
import { ShmemError } from "../../bindings/index.js";
import { putHalfAt } from "../machine/devices/endian.js";
import type { DevicePort } from "../machine/index.js";
import type { ReceivingDevice } from "./receiving-device.js";

/** Byte offsets in a receive frame descriptor. */
export const RFD = {
  status: 0,
  command: 2,
  link: 4,
  count: 12,
  size: 14,
  data: 16,
} as const;

export const RFD_STATUS_COMPLETE = 0x8000;
export const RFD_STATUS_OK = 0x2000;
export const RFD_COMMAND_EL = 0x8000;
export const RFD_COMMAND_SUSPEND = 0x4000;
export const RFD_COUNT_END = 0x8000;
export const RFD_COUNT_VALID = 0x4000;
export const RFD_COUNT_MASK = 0x3fff;

/** Register offsets. */
export const SCB = { status: 0x00, pointer: 0x04, port: 0x08 } as const;
export const SCB_CAUSE_FRAME = 0x4000;
export const SCB_CAUSE_NOT_READY = 0x1000;
export const SCB_CAUSES = 0xff00;
export const SCB_COMMAND_START: number = 1 << 16;
export const SCB_COMMAND_RESUME: number = 2 << 16;
export const SCB_COMMAND_ABORT: number = 4 << 16;
export const SCB_MASK_INTERRUPT: number = 1 << 24;
const SCB_COMMAND_BITS = 7 << 16;

/** States of the receive unit, as bits 5-2 of the status register show them. */
export const RU_IDLE = 0;
export const RU_SUSPENDED = 1;
export const RU_NO_RESOURCES = 2;
export const RU_READY = 4;
export type ReceiveUnitState = typeof RU_IDLE | typeof RU_SUSPENDED | typeof RU_NO_RESOURCES | typeof RU_READY;

/** State of the receive unit in a value read from the status register. */
export function receiveUnitState(status: number): ReceiveUnitState {
  return ((status >>> 2) & 0xf) as ReceiveUnitState;
}

/** What was decided when the board was made. */
export interface I8255xOptions {
  /** Frames longer than this are filtered. Bytes; default 1514. */
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

/** The controller. */
export class I8255x implements ReceivingDevice {
  #port: DevicePort | null = null;
  readonly #onDrop: (reason: string) => void;
  readonly #latencyNs: () => number;
  readonly #maxFrameBytes: number;
  readonly #bundleFrames: number;
  readonly #bundleDelayNs: number;
  readonly #header = new Uint8Array(RFD.data);
  readonly #view = new DataView(this.#header.buffer);
  readonly #word = new Uint8Array(2);
  #state: ReceiveUnitState = RU_IDLE;
  #current = 0;
  #pointer = 0;
  #causes = 0;
  #masked = true;
  /** An interrupt is on its way to the processor. */
  #asking = false;
  #bundled = 0;
  /** Which wait for a bundle is the current one: an earlier one that fires is ignored. */
  #bundle = 0;
  #faults = 0;

  constructor(options: I8255xOptions = {}) {
    this.#onDrop = options.onDrop ?? (() => {});
    this.#latencyNs = options.interruptLatencyNs ?? (() => 0);
    this.#maxFrameBytes = options.maxFrameBytes ?? 1514;
    this.#bundleFrames = options.bundleFrames ?? 6;
    this.#bundleDelayNs = options.bundleDelayNs ?? 300_000;
  }

  attach(port: DevicePort): void {
    this.#port = port;
    this.reset();
  }

  detach(): void {
    this.reset();
    this.#port = null;
  }

  /** Bus faults since the last reset. */
  get faults(): number {
    return this.#faults;
  }

  /** A register as the processor reads it. Unknown offsets read 0. */
  readRegister(offset: number): number {
    if (offset === SCB.status) return (this.#state << 2) | this.#causes | (this.#masked ? SCB_MASK_INTERRUPT : 0);
    if (offset === SCB.pointer) return this.#pointer;
    return 0;
  }

  /** A register as the processor writes it. Unknown offsets ignore it. */
  writeRegister(offset: number, value: number): void {
    if (offset === SCB.pointer) {
      this.#pointer = value >>> 0;
    } else if (offset === SCB.port && value === 0) {
      this.reset();
    } else if (offset === SCB.status) {
      this.#causes &= ~(value & SCB_CAUSES);
      this.#masked = (value & SCB_MASK_INTERRUPT) !== 0;
      this.#command(value & SCB_COMMAND_BITS);
      if (this.#causes !== 0) this.#raise();
    }
  }

  /** Everything as at power-on. */
  reset(): void {
    this.#state = RU_IDLE;
    this.#current = 0;
    this.#pointer = 0;
    this.#causes = 0;
    this.#masked = true;
    this.#bundled = 0;
    this.#bundle += 1;
    this.#faults = 0;
  }

  /** A frame arrives. `wireLengthBytes`: its length on the wire, more than `frame.length` where the recorder cut it. */
  receive(frame: Uint8Array, wireLengthBytes: number = frame.length): void {
    if (wireLengthBytes > this.#maxFrameBytes || frame.length > this.#maxFrameBytes) {
      this.#onDrop("oversize");
    } else if (this.#state === RU_IDLE) {
      this.#onDrop("receiver-off");
    } else if (this.#state !== RU_READY) {
      this.#onDrop("no-buffer");
    } else {
      this.#store(this.#bus, frame);
    }
  }

  get #bus(): DevicePort {
    if (this.#port === null) throw new ShmemError("ADAPTER_GONE", "the controller is in no slot");
    return this.#port;
  }

  #command(command: number): void {
    if (command === SCB_COMMAND_START) {
      this.#current = this.#pointer;
      this.#state = RU_READY;
    } else if (command === SCB_COMMAND_RESUME && this.#state === RU_SUSPENDED) {
      this.#state = RU_READY;
    } else if (command === SCB_COMMAND_ABORT) {
      this.#state = RU_IDLE;
    }
  }

  /** One frame into one descriptor; the status is written last. */
  #store(bus: DevicePort, frame: Uint8Array): void {
    const at = this.#current;
    try {
      bus.read(at, this.#header);
      const command = this.#view.getUint16(RFD.command, true);
      const link = this.#view.getUint32(RFD.link, true);
      const size = this.#view.getUint16(RFD.size, true) & RFD_COUNT_MASK;
      const stored = Math.min(frame.length, size);
      bus.write(at + RFD.data, stored === frame.length ? frame : frame.subarray(0, stored));
      this.#write16(bus, at + RFD.count, stored | RFD_COUNT_END | RFD_COUNT_VALID);
      this.#write16(bus, at + RFD.status, RFD_STATUS_COMPLETE | (stored === frame.length ? RFD_STATUS_OK : 0));
      this.#current = link;
      if ((command & RFD_COMMAND_EL) !== 0) this.#state = RU_NO_RESOURCES;
      else if ((command & RFD_COMMAND_SUSPEND) !== 0) this.#state = RU_SUSPENDED;
    } catch (error) {
      if (!(error instanceof ShmemError) || error.code !== "TRANSLATION_FAULT") throw error;
      // The bus has recorded the fault with its address. What a controller can do about an aborted transfer is to stop.
      this.#faults += 1;
      this.#state = RU_NO_RESOURCES;
      this.#onDrop("bus-fault");
      this.#cause(SCB_CAUSE_NOT_READY);
      return;
    }
    if (this.#state === RU_READY) this.#bundleOne();
    else this.#cause(SCB_CAUSE_FRAME | SCB_CAUSE_NOT_READY);
  }

  #write16(bus: DevicePort, address: number, value: number): void {
    putHalfAt(this.#word, 0, value);
    bus.write(address, this.#word);
  }

  #bundleOne(): void {
    this.#bundled += 1;
    if (this.#bundled >= this.#bundleFrames) {
      this.#cause(SCB_CAUSE_FRAME);
    } else if (this.#bundled === 1) {
      this.#bundle += 1;
      const bundle = this.#bundle;
      this.#bus.after(this.#bundleDelayNs, () => {
        if (bundle === this.#bundle && this.#bundled > 0) this.#cause(SCB_CAUSE_FRAME);
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
      this.#bus.interrupt();
      return;
    }
    this.#asking = true;
    this.#bus.after(latencyNs, () => {
      this.#asking = false;
      if (!this.#masked && this.#causes !== 0) this.#bus.interrupt();
    });
  }
}
