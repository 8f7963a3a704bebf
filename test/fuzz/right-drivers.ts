/**
 * Correct drivers of several designs, written without the drivers of this package in mind: none may ever get an alarm.
 *
 *     keeps     four buffers from initialize to halt                     the plain design
 *     lazy      buffers only while Running: taken in restart, given back in pause
 *     grows     none to begin with; asks for two more when its device reports that it had none
 *     polls     no interrupt: a timer looks at the device every millisecond
 *     copies    one buffer; a frame is copied out of it, and the buffer posted again before the copy is indicated
 *     threads   a work item takes memory at PASSIVE_LEVEL, one buffer at a time, and sleeps between
 *     batches   asks for four at once and takes whatever subset comes, in any order; gives back what it has too much of
 *     maps      a scatter/gather list for each frame that it sends: built, waited for, freed
 *
 * They share registration and the device of small-nic.ts, and differ in whose memory is where, and when.
 */
import {
  type AdapterHandle,
  type AdapterServices,
  adapterServices,
  type DmaHandle,
  type MachineEvent,
  type MachineTimer,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  NdisMRegisterMiniportDriver,
  NdisMRegisterScatterGatherDma,
  NdisMSetMiniportAttributes,
  type VirtualAddress,
} from "../../bindings/index.js";
import type { FuzzDriver } from "../../src/fuzz/index.js";
import { SmallDevice } from "./small-nic.js";

const BUFFER_BYTES = 1664;

interface Buffer {
  readonly va: VirtualAddress;
  readonly pa: NDIS_PHYSICAL_ADDRESS;
  readonly length: number;
}

/** What the designs have in common: buffers on the device, frames out, requests pending, and waiting for them. */
class Nic {
  readonly handle: AdapterHandle;
  readonly services: AdapterServices;
  readonly dma: DmaHandle;
  readonly free: Buffer[] = [];
  readonly posted: Buffer[] = [];
  isRunning = false;
  isHalting = false;
  pending = 0;
  out = 0;
  readonly #quiet: MachineEvent;
  readonly #idle: MachineEvent;

  constructor(handle: AdapterHandle, services: AdapterServices, dma: DmaHandle) {
    this.handle = handle;
    this.services = services;
    this.dma = dma;
    this.#quiet = services.createEvent();
    this.#idle = services.createEvent();
    this.#quiet.set();
    this.#idle.set();
  }

  get buffers(): number {
    return this.free.length + this.posted.length + this.out;
  }

  /** Take one buffer now, at PASSIVE_LEVEL. */
  take(): boolean {
    const { VirtualAddress: va, PhysicalAddress: pa } = NdisMAllocateSharedMemory(this.handle, BUFFER_BYTES, false);
    if (va === null) return false;
    this.free.push({ va, pa, length: BUFFER_BYTES });
    return true;
  }

  /** Ask for one buffer. */
  ask(): boolean {
    this.pending++;
    this.#idle.reset();
    const status = NdisMAllocateSharedMemoryAsyncEx(this.dma, BUFFER_BYTES, false, this);
    if (status === NDIS_STATUS_PENDING) return true;
    this.answered();
    return false;
  }

  answered(): void {
    if (--this.pending === 0) this.#idle.set();
  }

  give(buffer: Buffer): void {
    NdisMFreeSharedMemory(this.handle, buffer.length, false, buffer.va, buffer.pa);
  }

  post(): void {
    if (!this.isRunning) return;
    for (const buffer of this.free.splice(0)) {
      this.services.writeRegister(4, buffer.pa % 2 ** 32);
      this.services.writeRegister(8, Math.floor(buffer.pa / 2 ** 32));
      this.posted.push(buffer);
    }
  }

  /** Frames that the device has filled, oldest first. */
  *filled(): Generator<{ readonly buffer: Buffer; readonly length: number }> {
    for (let left = this.services.readRegister(0); left > 0 && left < 1000; left--) {
      const length = this.services.readRegister(12);
      const buffer = this.posted.shift();
      if (buffer === undefined) return;
      yield { buffer, length };
    }
  }

  indicate(bytes: Uint8Array, returned: () => void): void {
    this.out++;
    this.#quiet.reset();
    this.services.indicate({
      bytes,
      returned: () => {
        returned();
        this.post();
        if (--this.out === 0) this.#quiet.set();
      },
    });
  }

  receive(): void {
    for (const { buffer, length } of this.filled())
      this.indicate(this.services.bytes(buffer.va, length), () => this.free.push(buffer));
    this.post();
  }

  /** The device forgets what is posted. */
  unpost(): void {
    this.services.writeRegister(16, 1);
    this.free.push(...this.posted.splice(0));
  }

  async framesBack(): Promise<void> {
    while (this.out > 0) await this.services.wait(this.#quiet);
  }

  async requestsBack(): Promise<void> {
    while (this.pending > 0) await this.services.wait(this.#idle);
  }
}

/** One design. Each part has a usual one. */
interface Design {
  /** False: the adapter cannot be. */
  initialize?(nic: Nic): boolean;
  restart?(nic: Nic): void;
  completed?(nic: Nic): void;
  interrupt?(nic: Nic): void;
  /** Before the device is told to stop. */
  pause?(nic: Nic): Promise<void> | void;
  /** After the device was stopped and every frame is back. */
  paused?(nic: Nic): void;
  halt?(nic: Nic): Promise<void> | void;
  /** No interrupt is registered. */
  readonly silent?: boolean;
  readonly device?: FuzzDriver["device"];
}

function driverOf(name: string, design: () => Design): FuzzDriver {
  const contexts = new WeakMap<object, { nic: Nic; own: Design }>();
  const of = (context: unknown) => contexts.get(context as object) as { nic: Nic; own: Design };
  const initialize = (handle: AdapterHandle) => {
    const services = adapterServices(handle);
    const context = {};
    NdisMSetMiniportAttributes(handle, {
      Header: { Type: 0x9e, Revision: 1, Size: 28 },
      MiniportAdapterContext: context,
      AttributeFlags: 0x40,
    });
    const { Status, NdisMiniportDmaHandle } = NdisMRegisterScatterGatherDma(handle, {
      Header: { Type: 0x83, Revision: 1, Size: 36 },
      Flags: 1,
      MaximumPhysicalMapping: 1514,
      SharedMemAllocateCompleteHandler: (_context, va, pa, length) => {
        const { nic, own } = of(context);
        if (va !== null && pa !== null) {
          const buffer = { va, pa: pa as NDIS_PHYSICAL_ADDRESS, length };
          if (nic.isHalting) nic.give(buffer);
          else nic.free.push(buffer);
        }
        own.completed?.(nic);
        nic.post();
        nic.answered();
      },
    });
    if (Status !== NDIS_STATUS_SUCCESS) return NDIS_STATUS_FAILURE;
    const nic = new Nic(handle, services, NdisMiniportDmaHandle as DmaHandle);
    const own = design();
    contexts.set(context, { nic, own });
    if (own.initialize?.(nic) === false) {
      services.logError(1);
      for (const buffer of nic.free.splice(0)) nic.give(buffer);
      NdisMDeregisterScatterGatherDma(nic.dma);
      return NDIS_STATUS_RESOURCES;
    }
    if (own.silent !== true)
      services.registerInterrupt({ dpc: () => (own.interrupt ?? ((one) => one.receive()))(nic) });
    return NDIS_STATUS_SUCCESS;
  };
  return {
    name,
    device: design().device ?? ((wire) => new SmallDevice(wire)),
    DriverEntry: (object, path) =>
      NdisMRegisterMiniportDriver(object, path, null, {
        Header: { Type: 0x8a, Revision: 1, Size: 136 },
        MajorNdisVersion: 6,
        MinorNdisVersion: 20,
        InitializeHandlerEx: initialize,
        RestartHandler: (context) => {
          const { nic, own } = of(context);
          nic.isRunning = true;
          own.restart?.(nic);
          nic.post();
          return NDIS_STATUS_SUCCESS;
        },
        PauseHandler: async (context) => {
          const { nic, own } = of(context);
          await own.pause?.(nic);
          nic.isRunning = false;
          nic.receive();
          nic.unpost();
          await nic.framesBack();
          own.paused?.(nic);
          return NDIS_STATUS_SUCCESS;
        },
        HaltHandlerEx: async (context) => {
          const { nic, own } = of(context);
          nic.isHalting = true;
          if (own.silent !== true) nic.services.deregisterInterrupt();
          await own.halt?.(nic);
          await nic.requestsBack();
          for (const buffer of nic.free.splice(0)) nic.give(buffer);
          NdisMDeregisterScatterGatherDma(nic.dma);
        },
      }).Status,
  };
}

const takeFour = (nic: Nic): boolean => {
  for (let i = 0; i < 4; i++) if (!nic.take()) return false;
  return true;
};

/** A device that interrupts for a frame that it has no buffer for. */
class ReportingDevice extends SmallDevice {
  override receive(frame: Uint8Array): void {
    const isStarved = this.posted.length === 0;
    super.receive(frame);
    if (isStarved) this.port?.interrupt();
  }
}

/** Each a fresh driver. */
export const RIGHT_DRIVERS: readonly FuzzDriver[] = [
  driverOf("keeps", () => ({ initialize: takeFour })),
  driverOf("lazy", () => ({
    restart: (nic) => {
      for (let i = 0; i < 4; i++) nic.take();
    },
    paused: (nic) => {
      for (const buffer of nic.free.splice(0)) nic.give(buffer);
    },
    device: (wire) => new ReportingDevice(wire),
    // Where memory was short at restart it tries again when the device reports it.
    interrupt: (nic) => {
      nic.receive();
      if (nic.buffers === 0 && nic.pending === 0) nic.ask();
    },
  })),
  driverOf("grows", () => ({
    device: (wire) => new ReportingDevice(wire),
    interrupt: (nic) => {
      nic.receive();
      if (nic.posted.length === 0 && nic.pending === 0 && nic.buffers < 12) for (let i = 0; i < 2; i++) nic.ask();
    },
  })),
  driverOf("polls", () => {
    let timer: MachineTimer | undefined;
    return {
      silent: true,
      initialize: (nic) => {
        timer = nic.services.createTimer(() => nic.receive());
        return takeFour(nic);
      },
      restart: () => timer?.set(1_000_000, 1_000_000),
      pause: () => void timer?.cancel(),
    };
  }),
  driverOf("copies", () => ({
    initialize: (nic) => nic.take(),
    interrupt: (nic) => {
      for (const { buffer, length } of nic.filled()) {
        const copy = nic.services.bytes(buffer.va, length).slice();
        nic.free.push(buffer);
        nic.post();
        nic.indicate(copy, () => {});
      }
    },
  })),
  driverOf("threads", () => {
    let isBusy = false;
    const grow = (nic: Nic): void => {
      if (isBusy || !nic.isRunning || nic.isHalting) return;
      isBusy = true;
      nic.services.queueWorkItem(async () => {
        while (nic.isRunning && !nic.isHalting && nic.buffers < 6) {
          if (!nic.take()) break;
          nic.post();
          await nic.services.sleep(10_000);
        }
        isBusy = false;
      });
    };
    return {
      restart: grow,
      device: (wire) => new ReportingDevice(wire),
      interrupt: (nic) => {
        nic.receive();
        if (nic.posted.length === 0) grow(nic);
      },
      pause: async (nic) => {
        nic.isRunning = false;
        while (isBusy) await nic.services.sleep(10_000);
      },
    };
  }),
  driverOf("batches", () => ({
    restart: (nic) => {
      while (nic.buffers + nic.pending < 4 && nic.ask());
    },
    device: (wire) => new ReportingDevice(wire),
    interrupt: (nic) => {
      nic.receive();
      while (nic.buffers + nic.pending < 4 && nic.ask());
    },
    completed: (nic) => {
      while (nic.buffers > 6) nic.give(nic.free.pop() as Buffer);
    },
  })),
];
