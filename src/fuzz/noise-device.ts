/**
 * A device that means nothing: for drivers whose user brings no model of theirs.
 *
 * Registers keep what was written to them; the first one counts the frames that came since it was last read. A frame
 * raises the interrupt and does nothing else, because nobody knows where this device would put it.
 */
import type { DeviceModel, DevicePort } from "../machine/index.js";

/** A device that traffic can be sent to. */
export interface FuzzDevice extends DeviceModel {
  /** A frame arrives. */
  receive(frame: Uint8Array, wireLengthBytes?: number): void;
}

export class NoiseDevice implements FuzzDevice {
  #port: DevicePort | null = null;
  readonly #registers: Map<number, number> = new Map();
  #frames = 0;

  attach(port: DevicePort): void {
    this.#port = port;
  }

  detach(): void {
    this.#port = null;
  }

  readRegister(offset: number): number {
    if (offset !== 0) return this.#registers.get(offset) ?? 0;
    const frames = this.#frames;
    this.#frames = 0;
    return frames;
  }

  writeRegister(offset: number, value: number): void {
    this.#registers.set(offset, value);
  }

  receive(_frame: Uint8Array): void {
    this.#frames++;
    this.#port?.interrupt();
  }
}
