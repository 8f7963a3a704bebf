/**
 * e100bex: a miniport driver for a Fast Ethernet controller, as far as shared memory goes.
 *
 * What it asks for and when is that of Microsoft's e100bex sample for NDIS 6.0: a 32-bit bus master, mappings of 1514
 * bytes at most, and
 *
 *    transmit bounce block            32 x (1514 + a cache line), cached              50,496
 *    transmit descriptors             32 x (256 + 64)                                 10,240
 *    control block                    self-test, statistics dump, configuration        1,024 (our figure)
 *    receive chunk                    20 x 1554, halved while above 4 on failure      31,080
 *    one receive frame, asynchronous  one pending at a time, up to max(20, 128) frames 1,554
 *
 * Sequence: initialize takes the synchronous blocks; the interrupt's deferred call receives and, when receive frames run low,
 * asks for one more at DISPATCH_LEVEL; a timer gives them back one at a time when the wire is silent; halt stops the
 * hardware, waits in rounds of two seconds until every frame and every request has come back, and frees everything.
 *
 * Where it departs from the sample, and why: a burst of a capture is over in 15 milliseconds.
 *
 *  - It asks when fewer than sixteen frames are left for the device, not four, and asks again when one has come and they
 *    are still too few. The sample asks once in a deferred call, too slowly to keep ahead of a full wire.
 *  - It hands every frame over to the upper layer. The sample lends the last four (the upper layer must copy them at
 *    once), so that it never runs dry; with `lendBelow: 4` this driver does so too.
 *  - It gives frames back by a timer of its own. The sample counts ten silent rounds of CheckForHang, two seconds each,
 *    and frees one of the frames that come back after that.
 */
import {
  type AdapterHandle,
  type AdapterServices,
  adapterServices,
  addToPhysical,
  addToVirtual,
  type DmaHandle,
  type DRIVER_INITIALIZE,
  type MachineEvent,
  type MachineTimer,
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
  type PVOID,
  type SpinLock,
} from "../../bindings/index.js";
import {
  RU_READY,
  receiveUnitState,
  SCB,
  SCB_CAUSES,
  SCB_COMMAND_ABORT,
  SCB_COMMAND_START,
  SCB_MASK_INTERRUPT,
} from "../devices/index.js";
import {
  alignedFrame,
  RECEIVE_FRAME_BYTES,
  type ReceiveFrame,
  ReceiveList,
  type SharedBlock,
} from "./e100bex-receive.js";

/** Revision 1 of the table on x64: header, versions and flags in 16 bytes, then fifteen handlers. */
const CHARACTERISTICS_BYTES = 136;
const CONTROL_BYTES = 1024;
const TRANSMIT_BOUNCE_BYTES = 50_496;
const TRANSMIT_DESCRIPTOR_BYTES = 10_240;
const MIN_FRAMES = 4;
const DEFAULT_FRAMES = 20;
const MAX_FRAMES = 1024;
const LOW_WATER = 16;
const MAX_GROWN_FRAMES = 128;
const HALT_ROUND_NS = 2_000_000_000;
/** What the sample writes into the error log when shared memory is refused. */
const ERRLOG_OUT_OF_SHARED_MEMORY = 0x402;

/** What may be set for an adapter (`settings` of the machine). */
export interface E100bexSettings {
  /** Receive frames to start with, 4 to 1024. Default 20. */
  readonly receiveFrames: number;
  /** With fewer than this many frames left for the device, ask for one more. Default 16; the sample: 4. */
  readonly lowWater: number;
  /** With fewer than this many left, lend a frame instead of handing it over. Default 0: never; the sample: 4. */
  readonly lendBelow: number;
  /** Between two looks at whether the wire is silent, nanoseconds. Default 100 ms. */
  readonly checkIntervalNs: number;
  /** Silent rounds before the first frame is given back. Default 3. */
  readonly silentRounds: number;
}

/** Context of an asynchronous request: an entry of a lookaside list, as the sample's MP_RFD is. */
interface RequestContext {
  /** Which entry of the list, from 1. */
  readonly entry: number;
}

/** One adapter: MiniportAdapterContext. */
class Adapter {
  readonly #handle: AdapterHandle;
  readonly #services: AdapterServices;
  readonly #settings: E100bexSettings;
  readonly #lock: SpinLock;
  readonly #list: ReceiveList;
  readonly #timer: MachineTimer;
  /** Set when the last reference is given back. */
  readonly #released: MachineEvent;
  /** Set when no frame is with the upper layer. */
  readonly #returned: MachineEvent;
  readonly #blocks: SharedBlock[] = [];
  readonly #lookaside: RequestContext[] = [];
  #contexts = 0;
  #dma: DmaHandle | null = null;
  /** One for the adapter itself, one for each request that is pending. */
  #references = 1;
  #held = 0;
  #frames = 0;
  #requestPending = false;
  #running = false;
  #halting = false;
  #masked = true;
  #timerSet = false;
  #silent = 0;
  #receivedSinceCheck = 0;

  constructor(handle: AdapterHandle) {
    this.#handle = handle;
    this.#services = adapterServices(handle);
    this.#settings = settingsOf(this.#services.settings);
    this.#lock = this.#services.createSpinLock();
    this.#list = new ReceiveList(this.#services);
    this.#released = this.#services.createEvent();
    this.#returned = this.#services.createEvent();
    this.#returned.set();
    this.#timer = this.#services.createTimer(() => this.#check());
  }

  /** MiniportInitializeEx: everything, or nothing and a status. */
  initialize(): NDIS_STATUS {
    const attributes = NdisMSetMiniportAttributes(this.#handle, {
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
    const registration = NdisMRegisterScatterGatherDma(this.#handle, {
      Header: {
        Type: NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION,
        Revision: NDIS_SG_DMA_DESCRIPTION_REVISION_1,
        Size: NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1,
      },
      Flags: 0,
      MaximumPhysicalMapping: 1514,
      ProcessSGListHandler: null,
      SharedMemAllocateCompleteHandler: (context, virtual, physical, length, request) =>
        (context as Adapter).#allocated(virtual, physical, length, request as RequestContext),
    });
    if (registration.Status !== NDIS_STATUS_SUCCESS) return registration.Status;
    this.#dma = registration.NdisMiniportDmaHandle;
    if (!this.#allocateTransmit() || !this.#allocateReceive()) {
      this.#services.logError(ERRLOG_OUT_OF_SHARED_MEMORY);
      this.#release();
      return NDIS_STATUS_RESOURCES;
    }
    this.#services.writeRegister(SCB.port, 0);
    this.#services.registerInterrupt({ isr: () => this.#isr(), dpc: () => this.#dpc() });
    return NDIS_STATUS_SUCCESS;
  }

  /** MiniportRestart: frames may come. */
  restart(): NDIS_STATUS {
    this.#lock.acquire();
    this.#running = true;
    this.#masked = false;
    this.#startReceiver();
    this.#lock.release();
    return NDIS_STATUS_SUCCESS;
  }

  /** MiniportPause: no frame comes, and those that went up have come back. */
  async pause(): Promise<NDIS_STATUS> {
    this.#lock.acquire();
    this.#running = false;
    this.#masked = true;
    this.#command(SCB_COMMAND_ABORT);
    this.#receive();
    this.#lock.release();
    while (this.#held > 0) await this.#services.wait(this.#returned, HALT_ROUND_NS);
    return NDIS_STATUS_SUCCESS;
  }

  /** MiniportHaltEx: wait for what is outstanding, give everything back, in the reverse order. */
  async halt(): Promise<void> {
    this.#halting = true;
    this.#running = false;
    this.#timer.cancel();
    this.#services.deregisterInterrupt();
    this.#services.writeRegister(SCB.port, 0);
    this.#dereference();
    while (this.#references > 0) await this.#services.wait(this.#released, HALT_ROUND_NS);
    while (this.#held > 0) await this.#services.wait(this.#returned, HALT_ROUND_NS);
    this.#release();
  }

  /** MiniportShutdownEx: quiet the hardware and touch nothing else. */
  shutdown(): void {
    this.#services.writeRegister(SCB.port, 0);
  }

  #allocateTransmit(): boolean {
    if (this.#allocate(TRANSMIT_BOUNCE_BYTES, true) === null) return false;
    for (const lengthBytes of [TRANSMIT_DESCRIPTOR_BYTES, CONTROL_BYTES]) {
      const block = this.#allocate(lengthBytes, false);
      if (block === null) return false;
      // Nothing promises zeros (choice C15), and the device reads these.
      this.#services.bytes(block.virtual, lengthBytes).fill(0);
    }
    return true;
  }

  /** Chunks until there are as many frames as configured; at least four, or the driver does not start. */
  #allocateReceive(): boolean {
    const wanted = this.#settings.receiveFrames;
    let count = Math.min(DEFAULT_FRAMES, wanted);
    while (this.#frames < wanted) {
      count = Math.min(count, wanted - this.#frames);
      const chunk = this.#allocate(count * RECEIVE_FRAME_BYTES, false);
      if (chunk === null) {
        if (count <= MIN_FRAMES) break;
        count >>= 1;
        continue;
      }
      for (let index = 0; index < count; index += 1) {
        const at = index * RECEIVE_FRAME_BYTES;
        const original = { virtual: addToVirtual(chunk.virtual, at), physical: addToPhysical(chunk.physical, at) };
        this.#list.append(alignedFrame(original, null));
      }
      this.#frames += count;
    }
    return this.#frames >= MIN_FRAMES;
  }

  #allocate(lengthBytes: number, cached: boolean): SharedBlock | null {
    const { VirtualAddress, PhysicalAddress } = NdisMAllocateSharedMemory(this.#handle, lengthBytes, cached);
    if (VirtualAddress === null) return null;
    const block = { virtual: VirtualAddress, physical: PhysicalAddress, lengthBytes, cached };
    this.#blocks.push(block);
    return block;
  }

  #free(block: SharedBlock): void {
    NdisMFreeSharedMemory(this.#handle, block.lengthBytes, block.cached, block.virtual, block.physical);
  }

  /** Everything that initialize took and the pool grew by. No frame is out and no request pending. */
  #release(): void {
    for (const frame of this.#list.takeAll()) {
      if (frame.block !== null) this.#free(frame.block);
    }
    for (const block of this.#blocks.splice(0).reverse()) this.#free(block);
    if (this.#dma !== null) NdisMDeregisterScatterGatherDma(this.#dma);
    this.#dma = null;
    this.#frames = 0;
  }

  /** Interrupt service routine, at the device's level: is it ours? Then acknowledge, and mask until the deferred call is through. */
  #isr(): boolean {
    const status = this.#services.readRegister(SCB.status);
    const causes = status & SCB_CAUSES;
    if (causes === 0 || status >>> 0 === 0xffff_ffff) return false;
    this.#masked = true;
    this.#services.writeRegister(SCB.status, causes | SCB_MASK_INTERRUPT);
    return true;
  }

  #dpc(): void {
    this.#lock.acquire();
    this.#receive();
    this.#startReceiver();
    this.#masked = !this.#running;
    this.#command(0);
    this.#lock.release();
  }

  /** Hand up what the device has completed. Called and left under the lock; the lock is open while frames go up. */
  #receive(): void {
    let low = false;
    for (;;) {
      const handed: ReceiveFrame[] = [];
      const lent: ReceiveFrame[] = [];
      while (handed.length + lent.length < DEFAULT_FRAMES) {
        const frame = this.#list.completed();
        if (frame === undefined) break;
        this.#list.takeHead();
        this.#receivedSinceCheck += 1;
        low ||= this.#list.length < this.#settings.lowWater;
        if (this.#list.length >= this.#settings.lendBelow) handed.push(frame);
        else lent.push(frame);
      }
      if (handed.length + lent.length === 0) break;
      this.#held += handed.length;
      if (this.#held > 0) this.#returned.reset();
      this.#lock.release();
      const bad = [...handed.filter((frame) => !this.#indicate(frame, true)), ...lent];
      for (const frame of lent) this.#indicate(frame, false);
      this.#lock.acquire();
      for (const frame of bad) this.#list.append(frame);
    }
    if (low) this.#grow();
  }

  /** One frame up. False where there was nothing to hand over. */
  #indicate(frame: ReceiveFrame, handOver: boolean): boolean {
    const bytes = this.#list.received(frame);
    if (bytes === undefined) {
      this.#services.drop("bad-frame");
      if (handOver) this.#unhold();
      return false;
    }
    this.#services.indicate(handOver ? { bytes, returned: () => this.#takeBack(frame) } : { bytes });
    return true;
  }

  /** The upper layer is through with a frame. DISPATCH_LEVEL. */
  #takeBack(frame: ReceiveFrame): void {
    this.#lock.acquire();
    this.#list.append(frame);
    this.#unhold();
    this.#startReceiver();
    this.#lock.release();
  }

  #unhold(): void {
    this.#held -= 1;
    if (this.#held === 0) this.#returned.set();
  }

  /** Ask for one more receive frame. DISPATCH_LEVEL, under the receive lock. */
  #grow(): void {
    if (this.#requestPending || this.#dma === null || !this.#running) return;
    if (this.#frames >= Math.max(this.#settings.receiveFrames, MAX_GROWN_FRAMES)) return;
    const context = this.#lookaside.pop() ?? { entry: ++this.#contexts };
    this.#references += 1;
    this.#requestPending = true;
    const status = NdisMAllocateSharedMemoryAsyncEx(this.#dma, RECEIVE_FRAME_BYTES, false, context);
    if (status !== NDIS_STATUS_PENDING) this.#requestOver(context);
  }

  /** MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE. PASSIVE_LEVEL. */
  #allocated(
    virtual: PVOID,
    physical: NDIS_PHYSICAL_ADDRESS | null,
    lengthBytes: number,
    context: RequestContext,
  ): void {
    if (virtual !== null && physical !== null) {
      const block: SharedBlock = { virtual, physical, lengthBytes, cached: false };
      if (this.#halting) {
        this.#free(block);
      } else {
        this.#lock.acquire();
        this.#frames += 1;
        this.#list.append(alignedFrame(block, block));
        this.#startReceiver();
        this.#setTimer();
        this.#lock.release();
      }
    }
    this.#requestOver(context);
    if (virtual === null || this.#list.length >= this.#settings.lowWater) return;
    this.#lock.acquire();
    this.#grow();
    this.#lock.release();
  }

  /** The request is answered, one way or the other: its context goes back to the lookaside list, its reference away. */
  #requestOver(context: RequestContext): void {
    this.#lookaside.push(context);
    this.#requestPending = false;
    this.#dereference();
  }

  #dereference(): void {
    this.#references -= 1;
    if (this.#references === 0) this.#released.set();
  }

  /** The timer, at DISPATCH_LEVEL: when the wire has been silent for some rounds, give one frame back. */
  #check(): void {
    this.#lock.acquire();
    this.#timerSet = false;
    this.#silent = this.#receivedSinceCheck === 0 ? this.#silent + 1 : 0;
    this.#receivedSinceCheck = 0;
    if (this.#silent >= this.#settings.silentRounds) this.#shrink();
    this.#setTimer();
    this.#lock.release();
  }

  /** The timer runs only while there is something to give back: silence costs nothing. */
  #setTimer(): void {
    if (this.#timerSet || this.#halting || this.#frames <= this.#settings.receiveFrames) return;
    this.#timerSet = true;
    this.#timer.set(this.#settings.checkIntervalNs);
  }

  /** Stop the receive unit, unlink one grown frame, start again where it stood, free the frame's block. */
  #shrink(): void {
    if (this.#list.completed() !== undefined) return;
    this.#command(SCB_COMMAND_ABORT);
    const frame = this.#list.takeGrown();
    this.#startReceiver();
    if (frame === undefined || frame.block === null) return;
    this.#frames -= 1;
    this.#free(frame.block);
  }

  /** Start the receive unit at the first open descriptor, unless it runs. */
  #startReceiver(): void {
    if (!this.#running) return;
    const state = receiveUnitState(this.#services.readRegister(SCB.status));
    if (state === RU_READY) return;
    const frame = this.#list.firstOpen();
    if (frame === undefined) return;
    this.#services.writeRegister(SCB.pointer, frame.physical);
    this.#command(SCB_COMMAND_START);
  }

  #command(command: number): void {
    this.#services.writeRegister(SCB.status, command | (this.#masked ? SCB_MASK_INTERRUPT : 0));
  }
}

function settingsOf(given: Readonly<Record<string, unknown>>): E100bexSettings {
  const number = (key: keyof E100bexSettings, fallback: number, least: number, most: number): number => {
    const value = Object.hasOwn(given, key) ? given[key] : undefined;
    return typeof value === "number" && Number.isInteger(value) ? Math.min(most, Math.max(least, value)) : fallback;
  };
  return {
    receiveFrames: number("receiveFrames", DEFAULT_FRAMES, MIN_FRAMES, MAX_FRAMES),
    lowWater: number("lowWater", LOW_WATER, 1, MAX_FRAMES),
    lendBelow: number("lendBelow", 0, 0, MAX_FRAMES),
    checkIntervalNs: number("checkIntervalNs", 100_000_000, 1_000_000, 60_000_000_000),
    silentRounds: number("silentRounds", 3, 1, 1000),
  };
}

/** What a block of this length holds. */
export function e100bexBlockKind(lengthBytes: number): string {
  if (lengthBytes === CONTROL_BYTES) return "control block";
  if (lengthBytes === TRANSMIT_BOUNCE_BYTES) return "transmit bounce block";
  if (lengthBytes === TRANSMIT_DESCRIPTOR_BYTES) return "transmit descriptors";
  return lengthBytes === RECEIVE_FRAME_BYTES ? "receive frame, asynchronous" : "receive chunk";
}

/** DriverEntry. */
export const e100bexEntry: DRIVER_INITIALIZE = (DriverObject, RegistryPath) =>
  NdisMRegisterMiniportDriver(DriverObject, RegistryPath, null, {
    Header: {
      Type: NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS,
      Revision: NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1,
      Size: CHARACTERISTICS_BYTES,
    },
    MajorNdisVersion: 6,
    MinorNdisVersion: 0,
    MajorDriverVersion: 6,
    MinorDriverVersion: 0,
    InitializeHandlerEx: (handle) => new Adapter(handle).initialize(),
    HaltHandlerEx: (context) => (context as Adapter).halt(),
    PauseHandler: (context) => (context as Adapter).pause(),
    RestartHandler: (context) => (context as Adapter).restart(),
    ShutdownHandlerEx: (context) => (context as Adapter).shutdown(),
  }).Status;
