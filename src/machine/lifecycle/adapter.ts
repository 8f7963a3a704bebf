/**
 * An adapter as the machine's user sees it: its state, its counters, its driver's frames.
 */
import {
  type AdapterHandle,
  type AdapterRecord,
  type AdapterStateName,
  type NDIS_STATUS,
  NDIS_STATUS_FAILURE,
  stateName,
} from "../../../bindings/index.js";
import {
  boolean,
  func,
  implementing,
  integer,
  line,
  record,
  type Table,
  table,
} from "../../../bindings/validate/index.js";
import type { DeviceModel, MachinePort } from "../devices/device-port.js";
import type { MachineServices } from "./services.js";

/** Options of `Machine.add`. */
export interface AdapterOptions {
  /** For logs and messages. Default: the driver's name, with a number where it is not the first adapter. */
  readonly name?: string;
  /** The device behind the adapter. Default none: registers read all ones. */
  readonly device?: DeviceModel;
  /** What the driver reads as its settings. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Bytes that the adapter's live blocks may hold together. Default: no quota. */
  readonly quotaBytes?: number;
  /** Restart after initialize, so that the adapter is Running. Default true. */
  readonly start?: boolean;
  /** Each frame that the driver indicates. The bytes are valid during the call. */
  readonly onFrame?: (bytes: Uint8Array) => void;
  /** Each frame that the driver gives up, with its reason. */
  readonly onDrop?: (reason: string) => void;
  /** How long the upper layer keeps a frame that it was handed, nanoseconds. Default: until the current turn is over. */
  readonly holdNs?: (lengthBytes: number) => number;
}

/** What each option of an adapter may be. */
export const ADAPTER_OPTIONS: Table<AdapterOptions> = table<AdapterOptions>("an adapter", {
  name: line(100),
  device: implementing<DeviceModel>("a device model", ["attach", "readRegister", "writeRegister"], ["detach"]),
  settings: record("the driver's settings"),
  quotaBytes: integer(0, Number.MAX_SAFE_INTEGER, "bytes"),
  start: boolean(),
  onFrame: func("called with the bytes of a frame"),
  onDrop: func("called with the reason"),
  holdNs: func("gives nanoseconds for a number of bytes"),
});

/** An adapter of a machine, as `Machine.add` gives it. */
export class Adapter {
  /** What NDIS keeps of the adapter: its counters, its registration. */
  readonly record: AdapterRecord;
  /** What the driver gets from `adapterServices`. */
  readonly services: MachineServices;
  /** The device that was plugged in, null where there is none. */
  readonly device: DeviceModel | null;
  /** What MiniportInitializeEx returned. */
  status: NDIS_STATUS = NDIS_STATUS_FAILURE;
  readonly #port: MachinePort;

  /** Made by `Machine.add`. */
  constructor(record: AdapterRecord, services: MachineServices, device: DeviceModel | null, port: MachinePort) {
    this.record = record;
    this.services = services;
    this.device = device;
    this.#port = port;
  }

  /** Its name in logs and messages. */
  get name(): string {
    return this.record.name;
  }

  /** Its state: Halted, Initializing, Paused, Restarting, Running, Pausing, Halting or Shutdown. */
  get state(): AdapterStateName {
    return stateName(this.record.state);
  }

  /** MiniportAdapterHandle, for tests that speak for the driver. */
  get handle(): AdapterHandle {
    return this.record.handle;
  }

  /** Blocks of shared memory that it holds, those whose completion is still to come included. */
  get liveBlocks(): number {
    return this.record.liveBlocks;
  }

  /** Bytes of live blocks, as asked for. */
  get liveBytes(): number {
    return this.record.liveBytes;
  }

  /** Asynchronous requests without their completion so far. */
  get pending(): number {
    return this.record.pending;
  }

  /** The adapter is over: nothing of its device, of the driver's timers or of frames that are out happens any more. */
  unplug(): void {
    this.services.stop();
    this.pullOut();
  }

  /** The device is gone. Timers go on, and the upper layer gives back what it holds: the driver is still there. */
  pullOut(): void {
    this.#port.detach();
    this.device?.detach?.();
  }
}
