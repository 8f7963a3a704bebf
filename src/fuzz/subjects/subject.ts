/** What is fuzzed: a miniport driver, the device behind it, and how much memory it is given. */
import type { DeviceModel, MiniportDriver } from "../../machine/index.js";

/** A device model that traffic can be sent to. */
export interface FuzzDevice extends DeviceModel {
  /** A frame arrives from the wire: its bytes, and its length there where that was more. */
  receive(frame: Uint8Array, wireLengthBytes?: number): void;
}

/** What a device gets from its surroundings: the same as the device models of this package take. */
export interface FuzzWire {
  /** To be called for each frame that the device cannot take: it is not expected at the upper layer. */
  readonly onDrop: (reason: string) => void;
  /** Nanoseconds from an event of the device to its interrupt. */
  readonly interruptLatencyNs: () => number;
}

/** A driver to fuzz. */
export interface FuzzDriver extends MiniportDriver {
  /** Makes the device of an adapter. Default: a `NoiseDevice`. */
  readonly device?: (wire: FuzzWire) => FuzzDevice;
  /** Bytes of shared memory that the driver is comfortable with. Default 256 KiB. */
  readonly arenaBytes?: number;
  /** 32: all of it below 4 GiB. 64 (default): above it, so that a lost high half is found. */
  readonly addressing?: 32 | 64;
  /** Makes the driver again, for each scenario: nothing of it is left from the one before. */
  readonly fresh?: () => MiniportDriver;
  /** What the driver reads as its settings, for the scenario's `variant`, 0 to 255. */
  readonly settings?: (variant: number) => Readonly<Record<string, unknown>>;
}
