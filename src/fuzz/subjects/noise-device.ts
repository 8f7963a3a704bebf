/**
 * A device without a function of its own, for drivers whose user brings no device model.
 *
 * Registers keep what was written to them; the first one counts the frames that arrived since it was last read. A frame
 * raises the interrupt and goes nowhere, because it is not known where this device would put it.
 */
import type { DevicePort } from "../../machine/index.js";
import type { FuzzDevice } from "./subject.js";

/** See the head of this file. */
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
