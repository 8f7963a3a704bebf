/**
 * A user's device model, with what its methods throw kept: the machine contains it, and the fuzzer must tell it.
 *
 * A refusal of the machine (`ShmemError`) passes: it is recorded as a violation where it arose.
 */
import { ShmemError } from "../../../bindings/index.js";
import type { DevicePort } from "../../machine/index.js";
import type { FuzzDevice } from "../subjects/subject.js";

/** Something that user code threw, and where it was called. */
export interface Thrown {
  readonly call: string;
  /** The adapter's name, where it is one adapter's. */
  readonly adapter?: string;
  readonly error: unknown;
}

/** Calls a user's function. What it throws by itself is handed to `keep`, and thrown on. */
export function keepingThrown<T>(call: string, keep: (thrown: Thrown) => void, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof ShmemError)) keep({ call, error });
    throw error;
  }
}

/** See the head of this file. */
export class GuardedDevice implements FuzzDevice {
  readonly #device: FuzzDevice;
  readonly #keep: (thrown: Thrown) => void;

  constructor(device: FuzzDevice, keep: (thrown: Thrown) => void) {
    this.#device = device;
    this.#keep = keep;
  }

  attach(port: DevicePort): void {
    keepingThrown("device.attach", this.#keep, () => this.#device.attach(port));
  }

  detach(): void {
    keepingThrown("device.detach", this.#keep, () => this.#device.detach?.());
  }

  readRegister(offset: number): number {
    try {
      return this.#device.readRegister(offset);
    } catch (error) {
      if (!(error instanceof ShmemError)) this.#keep({ call: "device.readRegister", error });
      throw error;
    }
  }

  writeRegister(offset: number, value: number): void {
    try {
      this.#device.writeRegister(offset, value);
    } catch (error) {
      if (!(error instanceof ShmemError)) this.#keep({ call: "device.writeRegister", error });
      throw error;
    }
  }

  receive(frame: Uint8Array, wireLengthBytes?: number): void {
    keepingThrown("device.receive", this.#keep, () => this.#device.receive(frame, wireLengthBytes));
  }
}

const METHODS = ["attach", "readRegister", "writeRegister", "receive"] as const;

/** What a device lacks that the fuzzer calls; empty where it has all. */
export function missingMethods(device: unknown): string[] {
  if (typeof device !== "object" || device === null) return [...METHODS];
  return METHODS.filter((name) => typeof (device as Record<string, unknown>)[name] !== "function");
}
