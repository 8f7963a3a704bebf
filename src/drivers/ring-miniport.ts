/**
 * RingMiniport: what the drivers of ring NICs do alike, so that each says only what it keeps in which memory.
 *
 *    initialize   attributes, DMA registration, the driver's memory; all of it, or nothing and RESOURCES
 *    interrupt    acknowledge and mask at the device's level; in the deferred call hand frames up, provide buffers, unmask
 *    pause        stop the device; wait until the upper layer has given every frame back
 *    halt         say so, quiet the device, wait in rounds of two seconds for references and frames, free, deregister
 *
 * Everything about frames happens under one spin lock, at DISPATCH_LEVEL; it is open while frames go up. A reference is
 * taken before a request or a thread begins and given back when it is over, so that a completion on another processor may
 * come first (choice C19).
 */
import {
  type AdapterHandle,
  type AdapterServices,
  adapterServices,
  type DmaHandle,
  type DRIVER_INITIALIZE,
  type MachineEvent,
  NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1,
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
  NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE,
  NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1,
  NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
  NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
  NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_SG_DMA_DESCRIPTION_REVISION_1,
  NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1,
  NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1,
  type NDIS_STATUS,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemory,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  NdisMRegisterMiniportDriver,
  NdisMRegisterScatterGatherDma,
  NdisMSetMiniportAttributes,
  type PVOID,
  type SpinLock,
} from "../../bindings/index.js";
import { NIC, NIC_RESET, NIC_START, NIC_STOP } from "../devices/index.js";
import type { SharedBlock } from "./e100bex-receive.js";

/** Revision 1 of the table on x64: header, versions and flags in 16 bytes, then fifteen handlers. */
const CHARACTERISTICS_BYTES = 136;
const HALT_ROUND_NS = 2_000_000_000;
const FRAMES_AT_ONCE = 20;
/** What goes into the error log when shared memory is refused. */
const ERRLOG_OUT_OF_SHARED_MEMORY = 0x402;

/** What a driver tells the DMA registration. */
export interface DmaNeeds {
  /** Flags of NDIS_SG_DMA_DESCRIPTION. */
  readonly flags: number;
  readonly maximumMapping: number;
  /** Where asynchronous requests are answered; null where none is made. */
  readonly completed:
    | ((virtual: PVOID, physical: NDIS_PHYSICAL_ADDRESS | null, lengthBytes: number, context: unknown) => void)
    | null;
}

/** One adapter: MiniportAdapterContext. `Held` is what the upper layer keeps with a frame. */
export abstract class RingMiniport<Held> {
  protected readonly handle: AdapterHandle;
  protected readonly services: AdapterServices;
  protected readonly lock: SpinLock;
  /** Set when the last reference is given back. */
  readonly #released: MachineEvent;
  /** Set when no frame is with the upper layer. */
  readonly #returned: MachineEvent;
  readonly #blocks: SharedBlock[] = [];
  #dma: DmaHandle | null = null;
  /** One for the adapter itself, one for each request or thread that is under way. */
  #references = 1;
  #held = 0;
  #running = false;
  #halting = false;
  #down = false;

  constructor(handle: AdapterHandle) {
    this.handle = handle;
    this.services = adapterServices(handle);
    this.lock = this.services.createSpinLock();
    this.#released = this.services.createEvent();
    this.#returned = this.services.createEvent();
    this.#returned.set();
  }

  /** What the DMA registration is asked for. */
  protected abstract needs(): DmaNeeds;
  /** Take the driver's memory and show it to the device, which has been reset. False where it is too little. */
  protected abstract provide(): boolean;
  /** Free what `take` did not record. Called once, after everything has come back, or when `provide` said false. */
  protected abstract giveBackAll(): void;
  /** The next frame that the device has completed. Under the lock. */
  protected abstract completed(): Held | undefined;
  /** A frame's bytes; undefined where the device says that it is bad. */
  protected abstract bytesOf(held: Held): Uint8Array | undefined;
  /** The upper layer is through with a frame. Under the lock. */
  protected abstract takeBack(held: Held): void;
  /** After frames have gone up, under the lock: provide buffers, ask for more. */
  protected abstract replenish(): void;
  /** Initialize has succeeded. */
  protected started(): void {}
  /** Halt has begun: let threads end. */
  protected stopping(): void {}

  protected get running(): boolean {
    return this.#running;
  }

  protected get halting(): boolean {
    return this.#halting;
  }

  /** Halted, or shut down: no memory is asked for any more. */
  protected get ending(): boolean {
    return this.#halting || this.#down;
  }

  /** A block that is kept until the halt, or null. */
  protected take(lengthBytes: number, cached: boolean): SharedBlock | null {
    const block = this.allocate(lengthBytes, cached);
    if (block !== null) this.#blocks.push(block);
    return block;
  }

  /** As `take`, zeroed: nothing promises zeros (choice C15), and the device reads it. */
  protected takeZeroed(lengthBytes: number, cached: boolean): SharedBlock | null {
    const block = this.take(lengthBytes, cached);
    if (block !== null) this.services.bytes(block.virtual, lengthBytes).fill(0);
    return block;
  }

  /** A block that the driver frees itself, or null. PASSIVE_LEVEL. */
  protected allocate(lengthBytes: number, cached: boolean): SharedBlock | null {
    const { VirtualAddress, PhysicalAddress } = NdisMAllocateSharedMemory(this.handle, lengthBytes, cached);
    if (VirtualAddress === null) return null;
    return { virtual: VirtualAddress, physical: PhysicalAddress, lengthBytes, cached };
  }

  protected free(block: SharedBlock): void {
    NdisMFreeSharedMemory(this.handle, block.lengthBytes, block.cached, block.virtual, block.physical);
  }

  protected reference(): void {
    this.#references += 1;
  }

  protected dereference(): void {
    this.#references -= 1;
    if (this.#references === 0) this.#released.set();
  }

  /** MiniportInitializeEx: everything, or nothing and a status. */
  initialize(): NDIS_STATUS {
    const attributes = NdisMSetMiniportAttributes(this.handle, {
      Header: {
        Type: NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES,
        Revision: NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1,
        Size: NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1,
      },
      MiniportAdapterContext: this,
      AttributeFlags: NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE | NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
      CheckForHangTimeInSeconds: 2,
    });
    if (attributes !== NDIS_STATUS_SUCCESS) return attributes;
    this.services.writeRegister(NIC.command, NIC_RESET);
    const { flags, maximumMapping, completed } = this.needs();
    const registration = NdisMRegisterScatterGatherDma(this.handle, {
      Header: {
        Type: NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION,
        Revision: NDIS_SG_DMA_DESCRIPTION_REVISION_1,
        Size: NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1,
      },
      Flags: flags,
      MaximumPhysicalMapping: maximumMapping,
      ProcessSGListHandler: null,
      SharedMemAllocateCompleteHandler:
        completed === null
          ? null
          : (_context, virtual, physical, length, request) => completed(virtual, physical, length, request),
    });
    if (registration.Status !== NDIS_STATUS_SUCCESS) return registration.Status;
    this.#dma = registration.NdisMiniportDmaHandle;
    if (!this.provide()) {
      this.services.writeRegister(NIC.command, NIC_RESET);
      this.services.logError(ERRLOG_OUT_OF_SHARED_MEMORY);
      this.#release();
      return NDIS_STATUS_RESOURCES;
    }
    this.services.registerInterrupt({ isr: () => this.#isr(), dpc: () => this.#dpc() });
    this.started();
    return NDIS_STATUS_SUCCESS;
  }

  /** MiniportRestart: frames may come. */
  restart(): NDIS_STATUS {
    this.lock.acquire();
    this.#running = true;
    this.services.writeRegister(NIC.command, NIC_START);
    this.services.writeRegister(NIC.mask, 0);
    this.lock.release();
    return NDIS_STATUS_SUCCESS;
  }

  /** MiniportPause: no frame comes, and those that went up have come back. */
  async pause(): Promise<NDIS_STATUS> {
    this.lock.acquire();
    this.#running = false;
    this.services.writeRegister(NIC.mask, 1);
    this.services.writeRegister(NIC.command, NIC_STOP);
    this.#receive();
    this.lock.release();
    await this.#untilReturned();
    return NDIS_STATUS_SUCCESS;
  }

  /** MiniportHaltEx. */
  async halt(): Promise<void> {
    this.#halting = true;
    this.#running = false;
    this.services.deregisterInterrupt();
    this.services.writeRegister(NIC.command, NIC_RESET);
    this.stopping();
    this.dereference();
    while (this.#references > 0) await this.services.wait(this.#released, HALT_ROUND_NS);
    await this.#untilReturned();
    this.#release();
  }

  /** MiniportShutdownEx: quiet the hardware, let nothing begin any more, and touch nothing else: the level may be HIGH. */
  shutdown(): void {
    this.#down = true;
    this.#running = false;
    this.services.writeRegister(NIC.command, NIC_RESET);
  }

  async #untilReturned(): Promise<void> {
    while (this.#held > 0) await this.services.wait(this.#returned, HALT_ROUND_NS);
  }

  #release(): void {
    this.giveBackAll();
    for (const block of this.#blocks.splice(0).reverse()) this.free(block);
    if (this.#dma !== null) NdisMDeregisterScatterGatherDma(this.#dma);
    this.#dma = null;
  }

  /** At the device's level: is it ours? Then acknowledge, and mask until the deferred call is through. */
  #isr(): boolean {
    const causes = this.services.readRegister(NIC.causes);
    if (causes === 0 || causes === 0xffff_ffff) return false;
    this.services.writeRegister(NIC.mask, 1);
    this.services.writeRegister(NIC.causes, causes);
    return true;
  }

  #dpc(): void {
    this.lock.acquire();
    this.#receive();
    this.replenish();
    if (this.#running) this.services.writeRegister(NIC.mask, 0);
    this.lock.release();
  }

  /** Hand up what the device has completed. Called and left under the lock; the lock is open while frames go up. */
  #receive(): void {
    for (;;) {
      const frames: Held[] = [];
      while (frames.length < FRAMES_AT_ONCE) {
        const frame = this.completed();
        if (frame === undefined) break;
        frames.push(frame);
      }
      if (frames.length === 0) return;
      this.#held += frames.length;
      this.#returned.reset();
      this.lock.release();
      for (const frame of frames) this.#indicate(frame);
      this.lock.acquire();
      this.replenish();
    }
  }

  #indicate(frame: Held): void {
    const bytes = this.bytesOf(frame);
    if (bytes !== undefined) {
      this.services.indicate({ bytes, returned: () => this.#back(frame) });
      return;
    }
    this.services.drop("bad-frame");
    this.#back(frame);
  }

  #back(frame: Held): void {
    this.lock.acquire();
    this.takeBack(frame);
    this.#held -= 1;
    if (this.#held === 0) this.#returned.set();
    this.lock.release();
  }
}

/** An integer setting held to its range; the fallback where it is none. */
export function settingOf(
  given: Readonly<Record<string, unknown>>,
  key: string,
  fallback: number,
  least: number,
  most: number,
): number {
  const value = Object.hasOwn(given, key) ? given[key] : undefined;
  return typeof value === "number" && Number.isInteger(value) ? Math.min(most, Math.max(least, value)) : fallback;
}

/** Failures in a row after which a driver believes that there is no memory; a single one may be bad luck. */
const FAILURES_IN_A_ROW = 8;

/** Do something that may fail, `wanted` times; how often it succeeded before it failed eight times in a row. */
export function upTo(wanted: number, attempt: () => boolean): number {
  let done = 0;
  for (let failures = 0; done < wanted && failures < FAILURES_IN_A_ROW; ) {
    const success = attempt();
    if (success) done += 1;
    failures = success ? 0 : failures + 1;
  }
  return done;
}

/** DriverEntry of a driver whose adapters `make` makes. */
export function ringMiniportEntry<Held>(
  version: { readonly major: number; readonly minor: number },
  make: (handle: AdapterHandle) => RingMiniport<Held>,
): DRIVER_INITIALIZE {
  return (DriverObject, RegistryPath) =>
    NdisMRegisterMiniportDriver(DriverObject, RegistryPath, null, {
      Header: {
        Type: NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
        Revision: NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1,
        Size: CHARACTERISTICS_BYTES,
      },
      MajorNdisVersion: version.major,
      MinorNdisVersion: version.minor,
      MajorDriverVersion: 1,
      MinorDriverVersion: 0,
      InitializeHandlerEx: (handle) => make(handle).initialize(),
      HaltHandlerEx: (context) => (context as RingMiniport<Held>).halt(),
      PauseHandler: (context) => (context as RingMiniport<Held>).pause(),
      RestartHandler: (context) => (context as RingMiniport<Held>).restart(),
      ShutdownHandlerEx: (context) => (context as RingMiniport<Held>).shutdown(),
    }).Status;
}
