/**
 * rtlnwifi: a miniport driver for a wireless LAN controller, as far as shared memory goes.
 *
 * What it asks for is that of the Realtek driver for NDIS 6.0: a 32-bit bus master, and
 *
 *    rings, 64, 24, 24 and 2 entries of 32 bytes, + 255 each     2,303  1,023  1,023  319
 *    receive buffers, 64 at first                                2,400
 *    management buffers, 48; beacons, 2                          2,500
 *    receive buffers later, asynchronous, up to 128 in all       2,400
 *
 * A ring has to begin on a multiple of 256. Nothing promises more than the alignment for DMA (choice C13), so the driver
 * asks for 255 bytes more, aligns by hand, and keeps the original addresses for the free.
 *
 *    original ->|. . . .|ring, 256-aligned ........|. .|
 *               ^ this VA and this PA go back to NDIS
 *
 * When fewer than `lowWater` receive buffers are left, it asks for several in one loop, through the NDIS 5 call although
 * it is an NDIS 6 driver (choice C40); each request holds a reference. A completion that finds the adapter going away
 * frees what it just got. Where memory is short it starts with fewer receive and management buffers, down to our figures
 * of 16 and 8.
 */
import {
  addToPhysical,
  addToVirtual,
  type DRIVER_INITIALIZE,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_STATUS_PENDING,
  NdisMAllocateSharedMemoryAsync,
  type PVOID,
  type VirtualAddress,
} from "../../bindings/index.js";
import {
  RTL_DESCRIPTOR,
  RTL_END_OF_RING,
  RTL_LAST_SEGMENT,
  RTL_LENGTH_MASK,
  RTL_OWN,
  RTL_RECEIVE_RING,
  RTL_RING_ALIGNMENT,
} from "../devices/index.js";
import type { SharedBlock } from "./e100bex-receive.js";
import { type DmaNeeds, RingMiniport, ringMiniportEntry, settingOf, upTo } from "./ring-miniport.js";

const RECEIVE_RING = 64;
/** Transmit, management and beacon rings: entries. */
const OTHER_RINGS: readonly number[] = [24, 24, 2];
const RECEIVE_BYTES = 2400;
const MANAGEMENT_BYTES = 2500;
const FIRST_BUFFERS = 64;
const LEAST_BUFFERS = 16;
const MOST_BUFFERS = 128;
const MANAGEMENT_BUFFERS = 48;
const LEAST_MANAGEMENT = 8;
const BEACONS = 2;
const GROW_AT_ONCE = 8;
const LOW_WATER = 48;
const MAX_MAPPING = 2500;

/** A frame that the device has completed, in its buffer. */
interface Received {
  readonly buffer: SharedBlock;
  readonly status: number;
}

/** Bytes to ask for so that a ring of so many entries can be aligned in them. */
function ringBytes(entries: number): number {
  return entries * RTL_DESCRIPTOR.bytes + RTL_RING_ALIGNMENT - 1;
}

class Adapter extends RingMiniport<Received> {
  readonly #lowWater = settingOf(this.services.settings, "lowWater", LOW_WATER, 0, MOST_BUFFERS);
  readonly #first = settingOf(this.services.settings, "receiveBuffers", FIRST_BUFFERS, LEAST_BUFFERS, MOST_BUFFERS);
  readonly #buffers: Set<SharedBlock> = new Set();
  /** Buffers that are neither in the ring nor with the upper layer. */
  readonly #spare: SharedBlock[] = [];
  readonly #slots: (SharedBlock | null)[] = new Array<SharedBlock | null>(RECEIVE_RING).fill(null);
  #ring = 0 as VirtualAddress;
  /** The slot that the device completes next, and the one that is next to get a buffer. */
  #next = 0;
  #fill = 0;
  #inRing = 0;
  #pending = 0;
  #requests = 0;

  protected needs(): DmaNeeds {
    return {
      flags: 0,
      maximumMapping: MAX_MAPPING,
      completed: (virtual, physical, lengthBytes) => this.#allocated(virtual, physical, lengthBytes),
    };
  }

  protected provide(): boolean {
    for (const entries of OTHER_RINGS) if (this.takeZeroed(ringBytes(entries), false) === null) return false;
    const ring = this.takeZeroed(ringBytes(RECEIVE_RING), false);
    if (ring === null) return false;
    const shift = (RTL_RING_ALIGNMENT - (ring.physical % RTL_RING_ALIGNMENT)) % RTL_RING_ALIGNMENT;
    this.#ring = addToVirtual(ring.virtual, shift);
    for (let count = 0; count < BEACONS; count += 1) if (this.take(MANAGEMENT_BYTES, false) === null) return false;
    const receive = upTo(this.#first, () => {
      const buffer = this.allocate(RECEIVE_BYTES, false);
      if (buffer === null) return false;
      this.#buffers.add(buffer);
      this.#spare.push(buffer);
      return true;
    });
    const management = upTo(MANAGEMENT_BUFFERS, () => this.take(MANAGEMENT_BYTES, false) !== null);
    if (receive < LEAST_BUFFERS || management < LEAST_MANAGEMENT) return false;
    this.#post();
    this.services.writeRegister(RTL_RECEIVE_RING, addToPhysical(ring.physical, shift));
    return true;
  }

  protected giveBackAll(): void {
    for (const buffer of this.#buffers) this.free(buffer);
    this.#buffers.clear();
  }

  protected completed(): Received | undefined {
    const buffer = this.#slots[this.#next];
    if (buffer === null || buffer === undefined) return undefined;
    const status = this.services.readU32(this.#descriptor(this.#next));
    if (status >= RTL_OWN) return undefined;
    this.#slots[this.#next] = null;
    this.#next = (this.#next + 1) % RECEIVE_RING;
    this.#inRing -= 1;
    return { buffer, status };
  }

  protected bytesOf({ buffer, status }: Received): Uint8Array | undefined {
    if ((status & RTL_LAST_SEGMENT) === 0) return undefined;
    const lengthBytes = status & RTL_LENGTH_MASK;
    return lengthBytes === 0 ? new Uint8Array(0) : this.services.bytes(buffer.virtual, lengthBytes);
  }

  protected takeBack({ buffer }: Received): void {
    this.#spare.push(buffer);
    this.#post();
  }

  protected replenish(): void {
    this.#post();
    this.#grow();
  }

  #descriptor(slot: number): VirtualAddress {
    return addToVirtual(this.#ring, slot * RTL_DESCRIPTOR.bytes);
  }

  /** Spare buffers into the ring, in its order; OWN is written last. */
  #post(): void {
    while (this.#slots[this.#fill] === null) {
      const buffer = this.#spare.pop();
      if (buffer === undefined) return;
      const descriptor = this.#descriptor(this.#fill);
      this.services.writeU32(addToVirtual(descriptor, RTL_DESCRIPTOR.address), buffer.physical);
      const end = this.#fill === RECEIVE_RING - 1 ? RTL_END_OF_RING : 0;
      this.services.writeU32(descriptor, RTL_OWN + end + RECEIVE_BYTES);
      this.#slots[this.#fill] = buffer;
      this.#fill = (this.#fill + 1) % RECEIVE_RING;
      this.#inRing += 1;
    }
  }

  /** Several requests in one loop. DISPATCH_LEVEL, under the lock. */
  #grow(): void {
    if (!this.running) return;
    for (let asked = 0; asked < GROW_AT_ONCE; asked += 1) {
      if (this.#buffers.size + this.#pending >= MOST_BUFFERS) return;
      if (this.#inRing + this.#spare.length + this.#pending >= this.#lowWater) return;
      this.#pending += 1;
      this.reference();
      const context = { request: ++this.#requests };
      const status = NdisMAllocateSharedMemoryAsync(this.handle, RECEIVE_BYTES, false, context);
      if (status === NDIS_STATUS_PENDING) continue;
      this.#over();
      return;
    }
  }

  /** The completion: at PASSIVE_LEVEL, or at DISPATCH_LEVEL where choice C40 says so. */
  #allocated(virtual: PVOID, physical: NDIS_PHYSICAL_ADDRESS | null, lengthBytes: number): void {
    if (virtual !== null && physical !== null) {
      const buffer: SharedBlock = { virtual, physical, lengthBytes, cached: false };
      if (this.halting) {
        this.free(buffer);
      } else {
        this.lock.acquire();
        this.#buffers.add(buffer);
        this.#spare.push(buffer);
        this.#post();
        this.lock.release();
      }
    }
    this.#over();
  }

  #over(): void {
    this.#pending -= 1;
    this.dereference();
  }
}

/** What a block of this length holds. */
export function rtlnwifiBlockKind(lengthBytes: number): string {
  if (lengthBytes === RECEIVE_BYTES) return "receive buffer";
  if (lengthBytes === MANAGEMENT_BYTES) return "management buffer or beacon";
  return lengthBytes === ringBytes(RECEIVE_RING) ? "receive ring" : "other ring";
}

/** DriverEntry. */
export const rtlnwifiEntry: DRIVER_INITIALIZE = ringMiniportEntry(
  { major: 6, minor: 0 },
  (handle) => new Adapter(handle),
);
