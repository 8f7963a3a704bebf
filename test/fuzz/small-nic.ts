/**
 * A small receive driver and its device, with bugs and habits on demand: for tests of what the fuzzer sees and says.
 *
 *     device registers   0 status (write 1 to clear)   4 buffers posted: address low   8 high   12 length
 *     one buffer at a time is posted in each of SLOTS slots; a frame goes into the oldest
 */
import {
  type AdapterHandle,
  adapterServices,
  type DmaHandle,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemory,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  NdisMRegisterMiniportDriver,
  NdisMRegisterScatterGatherDma,
  NdisMSetMiniportAttributes,
  type VirtualAddress,
} from "../../bindings/index.js";
import type { FuzzDevice, FuzzDriver, FuzzWire } from "../../src/fuzz/index.js";
import type { DevicePort } from "../../src/machine/index.js";

const BUFFER_BYTES = 2048;
const BUFFERS = 4;

interface Filled {
  readonly address: number;
  readonly length: number;
}

/** Posts what is written to register 8, fills in order, and hands out lengths through register 12. */
export class SmallDevice implements FuzzDevice {
  readonly wire: FuzzWire;
  port: DevicePort | null = null;
  readonly posted: number[] = [];
  readonly filled: Filled[] = [];
  #low = 0;

  constructor(wire: FuzzWire) {
    this.wire = wire;
  }

  attach(port: DevicePort): void {
    this.port = port;
  }

  detach(): void {
    this.port = null;
    this.posted.length = 0;
  }

  readRegister(offset: number): number {
    if (offset === 12) return this.filled.shift()?.length ?? 0;
    return offset === 0 ? this.filled.length : 0;
  }

  writeRegister(offset: number, value: number): void {
    if (offset === 4) this.#low = value;
    else if (offset === 8) this.posted.push(value * 2 ** 32 + this.#low);
    else if (offset === 16) this.posted.length = 0;
  }

  receive(frame: Uint8Array): void {
    const address = this.posted.shift();
    if (address === undefined || this.port === null) {
      this.wire.onDrop("no buffer");
      return;
    }
    this.port.write(address, frame);
    this.filled.push({ address, length: frame.length });
    this.port.interrupt();
  }
}

interface Buffer {
  readonly va: VirtualAddress;
  readonly pa: NDIS_PHYSICAL_ADDRESS;
}

/** What may be wrong with the driver. */
export interface Habits {
  /** Changes the bytes and their order before frames are indicated. */
  readonly mangle?: (frames: Uint8Array[]) => Uint8Array[];
  /** Called in the handler of that name. */
  readonly at?: Partial<Record<"DriverEntry" | "initialize" | "dpc" | "halt" | "restart", () => void>>;
  readonly device?: (wire: FuzzWire) => FuzzDevice;
  readonly settings?: () => Readonly<Record<string, unknown>>;
}

/** A correct driver, but for its habits. */
export function smallNic(habits: Habits = {}): FuzzDriver {
  const { at = {}, mangle = (frames) => frames } = habits;
  const initialize = (handle: AdapterHandle): typeof NDIS_STATUS_SUCCESS | typeof NDIS_STATUS_RESOURCES => {
    const services = adapterServices(handle);
    const buffers: Buffer[] = [];
    NdisMSetMiniportAttributes(handle, {
      Header: { Type: 0x9e, Revision: 1, Size: 28 },
      MiniportAdapterContext: { handle, services, buffers, dma: null, running: false, order: [] },
      AttributeFlags: 0x40,
    });
    const { Status, NdisMiniportDmaHandle } = NdisMRegisterScatterGatherDma(handle, {
      Header: { Type: 0x83, Revision: 1, Size: 36 },
      Flags: 1,
      MaximumPhysicalMapping: 1514,
      SharedMemAllocateCompleteHandler: () => {},
    });
    if (Status !== NDIS_STATUS_SUCCESS) return NDIS_STATUS_RESOURCES;
    const dma = NdisMiniportDmaHandle as DmaHandle;
    at.initialize?.();
    while (buffers.length < BUFFERS) {
      const { VirtualAddress, PhysicalAddress } = NdisMAllocateSharedMemory(handle, BUFFER_BYTES, false);
      if (VirtualAddress === null) break;
      buffers.push({ va: VirtualAddress, pa: PhysicalAddress });
    }
    const release = (): void => {
      for (const { va, pa } of buffers.splice(0)) NdisMFreeSharedMemory(handle, BUFFER_BYTES, false, va, pa);
      NdisMDeregisterScatterGatherDma(dma);
    };
    if (buffers.length < BUFFERS) {
      services.logError(1);
      release();
      return NDIS_STATUS_RESOURCES;
    }
    let free: Buffer[] = [...buffers];
    let posted: Buffer[] = [];
    let isRunning = false;
    let out = 0;
    const quiet = services.createEvent();
    quiet.set();
    const post = (): void => {
      for (const buffer of free.splice(0)) {
        services.writeRegister(4, buffer.pa % 2 ** 32);
        services.writeRegister(8, Math.floor(buffer.pa / 2 ** 32));
        posted.push(buffer);
      }
    };
    const receive = (): void => {
      at.dpc?.();
      const taken: { buffer: Buffer; bytes: Uint8Array }[] = [];
      for (let left = services.readRegister(0); left > 0 && left < 1000; left--) {
        const length = services.readRegister(12);
        const buffer = posted.shift() as Buffer;
        taken.push({ buffer, bytes: services.bytes(buffer.va, length) });
      }
      const frames = mangle(taken.map((one) => one.bytes));
      for (const [index, bytes] of frames.entries()) {
        const buffer = taken[index]?.buffer;
        out++;
        quiet.reset();
        services.indicate({
          bytes,
          returned: () => {
            if (buffer !== undefined) free.push(buffer);
            if (isRunning) post();
            if (--out === 0) quiet.set();
          },
        });
      }
      // A buffer whose frame was swallowed is free at once.
      for (const { buffer } of taken.slice(frames.length)) free.push(buffer);
      if (isRunning) post();
    };
    services.registerInterrupt({ dpc: receive });
    contexts.set(handle, {
      restart: () => {
        at.restart?.();
        isRunning = true;
        post();
      },
      pause: async () => {
        isRunning = false;
        receive();
        services.writeRegister(16, 1);
        free = [...free, ...posted];
        posted = [];
        while (out > 0) await services.wait(quiet);
      },
      halt: () => {
        at.halt?.();
        services.deregisterInterrupt();
        release();
      },
    });
    return NDIS_STATUS_SUCCESS;
  };
  const contexts = new Map<AdapterHandle, { restart(): void; pause(): Promise<void>; halt(): void }>();
  const of = (context: unknown) => {
    const found = contexts.get((context as { handle: AdapterHandle }).handle);
    if (found === undefined) throw new Error("no such adapter");
    return found;
  };
  return {
    name: "small",
    device: habits.device ?? ((wire) => new SmallDevice(wire)),
    ...(habits.settings === undefined ? {} : { settings: habits.settings }),
    DriverEntry: (object, path) => {
      at.DriverEntry?.();
      return NdisMRegisterMiniportDriver(object, path, null, {
        Header: { Type: 0x8a, Revision: 1, Size: 136 },
        MajorNdisVersion: 6,
        MinorNdisVersion: 0,
        InitializeHandlerEx: initialize,
        RestartHandler: (context) => {
          of(context).restart();
          return NDIS_STATUS_SUCCESS;
        },
        PauseHandler: async (context) => {
          await of(context).pause();
          return NDIS_STATUS_SUCCESS;
        },
        HaltHandlerEx: (context) => of(context).halt(),
      }).Status;
    },
  };
}
