/**
 * netkvm: a miniport driver for a virtio network device, as far as shared memory goes.
 *
 * What it asks for is that of the NetKVM driver: 64-bit addresses, the version 3 DMA interface, mappings of 65,536 bytes
 * at most, everything cached, and
 *
 *    receive queue                     descriptors, available, used, each part on a page of its own (our layout)
 *    control block                     512
 *    transmit descriptor memory        8,192 x 1024 per queue; two queues, 16 MiB in 2,048 blocks of two pages
 *    receive pages, buffers merge      4,096 x 16 at the start, then one in a millisecond, up to 256
 *    receive chunks, buffers do not    16 pages a buffer: 65,536, halved on failure down to one page
 *
 * Growth is a thread at PASSIVE_LEVEL that allocates synchronously while the adapter runs, which the documents allow in
 * initialize only and practice everywhere (choice C5: a warning). It holds a reference; halt wakes it and waits for it.
 * Sixteen failures in a row end it: the driver runs with what it has.
 *
 * A receive buffer of chunks begins with the header's page, the first of its first chunk. The parts are chained by NEXT.
 *
 *    descriptor 0 --NEXT--> descriptor 1 --NEXT--> ...      one per chunk; the pages are the buffer's, the chunks NDIS's
 *
 * Where transmit memory runs short it starts with fewer descriptors, as NetKVM does, one per queue at least; below four
 * receive buffers (our figure) it does not start.
 */
import {
  addToPhysical,
  addToVirtual,
  type DRIVER_INITIALIZE,
  type MachineEvent,
  NDIS_SG_DMA_64_BIT_ADDRESS,
  NDIS_SG_DMA_V3_HAL_API,
  type VirtualAddress,
} from "../../bindings/index.js";
import {
  VIRTIO,
  VIRTIO_BUFFERS_OFFSET,
  VIRTIO_HEADER_BYTES,
  VIRTQ_DESCRIPTOR,
  VIRTQ_NEXT,
  VIRTQ_RING,
  VIRTQ_WRITE,
} from "../devices/index.js";
import type { SharedBlock } from "./e100bex-receive.js";
import { type DmaNeeds, RingMiniport, ringMiniportEntry, settingOf, upTo } from "./ring-miniport.js";

const PAGE = 4096;
const TRANSMIT_BYTES = 8192;
const TRANSMIT_PER_QUEUE = 1024;
const TRANSMIT_QUEUES = 2;
const CONTROL_BYTES = 512;
const MAX_CHUNK = 65_536;
const RECEIVE_BUFFERS = 256;
const FAST_START = 16;
const LEAST_BUFFERS = 4;
const GROWTH_INTERVAL_NS = 1_000_000;
const FAILURES_IN_A_ROW = 16;

/** A receive buffer: its blocks in order, and the first of its descriptors, one for each block. */
interface ReceiveBuffer {
  readonly blocks: readonly SharedBlock[];
  readonly head: number;
}

/** Buffers that a frame takes, with what the device wrote into each. */
interface Received {
  readonly buffers: readonly { readonly buffer: ReceiveBuffer; readonly lengthBytes: number }[];
}

class Adapter extends RingMiniport<Received> {
  readonly #most = settingOf(this.services.settings, "receiveBuffers", RECEIVE_BUFFERS, 16, 4096);
  readonly #merges = settingOf(this.services.settings, "mergeable", 1, 0, 1) === 1;
  readonly #transmit = settingOf(this.services.settings, "transmitDescriptors", TRANSMIT_PER_QUEUE, 1, 1024);
  readonly #queues = settingOf(this.services.settings, "queues", TRANSMIT_QUEUES, 1, 64);
  readonly #wake: MachineEvent = this.services.createEvent();
  readonly #buffers: Map<number, ReceiveBuffer> = new Map();
  /** Entries of the queue, and of its descriptor table: a buffer of chunks has up to sixteen. */
  readonly #size = powerOfTwo(this.#most * (this.#merges ? 1 : 16));
  #descriptorsMade = 0;
  #descriptors = 0 as VirtualAddress;
  #available = 0 as VirtualAddress;
  #usedRing = 0 as VirtualAddress;
  #offered = 0;
  #seen = 0;

  protected needs(): DmaNeeds {
    return { flags: NDIS_SG_DMA_64_BIT_ADDRESS | NDIS_SG_DMA_V3_HAL_API, maximumMapping: 65_536, completed: null };
  }

  protected provide(): boolean {
    if (!this.#provideQueue() || this.take(CONTROL_BYTES, true) === null) return false;
    for (let queue = 0; queue < this.#queues; queue += 1) {
      let made = 0;
      while (made < this.#transmit && this.take(TRANSMIT_BYTES, true) !== null) made += 1;
      if (made === 0) return false;
    }
    const first = Math.min(FAST_START, this.#most);
    return upTo(first, () => this.#addBuffer()) >= LEAST_BUFFERS;
  }

  protected giveBackAll(): void {
    for (const { blocks } of this.#buffers.values()) for (const block of blocks) this.free(block);
    this.#buffers.clear();
  }

  protected override started(): void {
    this.reference();
    this.services.queueWorkItem(() => this.#growth());
  }

  protected override stopping(): void {
    this.#wake.set();
  }

  protected completed(): Received | undefined {
    if (this.#usedIndex() === this.#seen) return undefined;
    const buffers = [this.#takeUsed()];
    const [first] = buffers;
    const header = first?.buffer.blocks[0]?.virtual as VirtualAddress;
    const whole = this.services.readU16(addToVirtual(header, VIRTIO_BUFFERS_OFFSET));
    while (buffers.length < whole) buffers.push(this.#takeUsed());
    return { buffers };
  }

  /** One part is handed up where it lies; several are put together. */
  protected bytesOf({ buffers }: Received): Uint8Array | undefined {
    const parts: Uint8Array[] = [];
    for (const { buffer, lengthBytes } of buffers) {
      let left = lengthBytes;
      for (const block of buffer.blocks) {
        const here = Math.min(left, block.lengthBytes);
        if (here > 0) parts.push(this.services.bytes(block.virtual, here));
        left -= here;
      }
    }
    const [only] = parts;
    if (only !== undefined && parts.length === 1) return only.subarray(VIRTIO_HEADER_BYTES);
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let done = 0;
    for (const part of parts) {
      whole.set(part, done);
      done += part.length;
    }
    return whole.subarray(VIRTIO_HEADER_BYTES);
  }

  protected takeBack({ buffers }: Received): void {
    for (const { buffer } of buffers) this.#offer(buffer);
  }

  protected replenish(): void {}

  /** The queue's memory, and the device told of it: both halves of every address. */
  #provideQueue(): boolean {
    const table = pages(this.#size * VIRTQ_DESCRIPTOR.bytes);
    const available = pages(VIRTQ_RING.entries + 2 * this.#size);
    const used = pages(VIRTQ_RING.entries + 8 * this.#size);
    const block = this.takeZeroed(table + available + used, true);
    if (block === null) return false;
    this.#descriptors = block.virtual;
    this.#available = addToVirtual(block.virtual, table);
    this.#usedRing = addToVirtual(block.virtual, table + available);
    for (const [register, offset] of [
      [VIRTIO.descriptorsLow, 0],
      [VIRTIO.availableLow, table],
      [VIRTIO.usedLow, table + available],
    ] as const) {
      const physical = addToPhysical(block.physical, offset);
      this.services.writeRegister(register, lowPart(physical));
      this.services.writeRegister(register + 4, highPart(physical));
    }
    this.services.writeRegister(VIRTIO.queueSize, this.#size);
    this.services.writeRegister(VIRTIO.mergeable, this.#merges ? 1 : 0);
    return true;
  }

  /** One buffer in a millisecond until there are as many as configured. PASSIVE_LEVEL. */
  async #growth(): Promise<void> {
    let failures = 0;
    while (!this.ending && this.#buffers.size < this.#most && failures < FAILURES_IN_A_ROW) {
      await this.services.wait(this.#wake, GROWTH_INTERVAL_NS);
      if (this.ending) break;
      failures = this.#addBuffer() ? 0 : failures + 1;
    }
    this.dereference();
  }

  /** Allocate a buffer, describe it, offer it. PASSIVE_LEVEL. */
  #addBuffer(): boolean {
    const blocks = this.#merges ? this.#page() : this.#chunks();
    if (blocks === null) return false;
    const head = this.#descriptorsMade;
    this.#descriptorsMade += blocks.length;
    blocks.forEach((block, index) => {
      const at = addToVirtual(this.#descriptors, (head + index) * VIRTQ_DESCRIPTOR.bytes);
      const last = index === blocks.length - 1;
      this.services.writeU32(at, lowPart(block.physical));
      this.services.writeU32(addToVirtual(at, 4), highPart(block.physical));
      this.services.writeU32(addToVirtual(at, VIRTQ_DESCRIPTOR.length), block.lengthBytes);
      const next = last ? 0 : head + index + 1;
      const flags = VIRTQ_WRITE + (last ? 0 : VIRTQ_NEXT);
      this.services.writeU32(addToVirtual(at, VIRTQ_DESCRIPTOR.flags), flags + next * 0x10000);
    });
    const buffer = { blocks, head };
    this.lock.acquire();
    this.#buffers.set(head, buffer);
    this.#offer(buffer);
    this.lock.release();
    return true;
  }

  #page(): SharedBlock[] | null {
    const block = this.allocate(PAGE, true);
    return block === null ? null : [block];
  }

  /** Sixteen pages in as few chunks as there are to be had, or nothing. */
  #chunks(): SharedBlock[] | null {
    const blocks: SharedBlock[] = [];
    let chunk = MAX_CHUNK;
    for (let left = MAX_CHUNK; left > 0; ) {
      chunk = Math.min(chunk, left);
      const block = this.allocate(chunk, true);
      if (block !== null) {
        blocks.push(block);
        left -= chunk;
      } else if (chunk > PAGE) {
        chunk /= 2;
      } else {
        for (const one of blocks) this.free(one);
        return null;
      }
    }
    return blocks;
  }

  /** A buffer into the available ring; the index is written last. */
  #offer({ head }: ReceiveBuffer): void {
    const entry = VIRTQ_RING.entries + 2 * (this.#offered % this.#size);
    this.services.writeU16(addToVirtual(this.#available, entry), head);
    this.#offered = (this.#offered + 1) & 0xffff;
    this.services.writeU16(addToVirtual(this.#available, VIRTQ_RING.index), this.#offered);
  }

  #usedIndex(): number {
    return this.services.readU16(addToVirtual(this.#usedRing, VIRTQ_RING.index));
  }

  #takeUsed(): { readonly buffer: ReceiveBuffer; readonly lengthBytes: number } {
    const entry = addToVirtual(this.#usedRing, VIRTQ_RING.entries + 8 * (this.#seen % this.#size));
    const buffer = this.#buffers.get(this.services.readU32(entry)) as ReceiveBuffer;
    this.#seen = (this.#seen + 1) & 0xffff;
    return { buffer, lengthBytes: this.services.readU32(addToVirtual(entry, 4)) };
  }
}

function pages(bytes: number): number {
  return Math.ceil(bytes / PAGE) * PAGE;
}

function powerOfTwo(least: number): number {
  let size = 1;
  while (size < least) size *= 2;
  return Math.min(size, 32_768);
}

function lowPart(physical: number): number {
  return physical % 2 ** 32;
}

function highPart(physical: number): number {
  return Math.floor(physical / 2 ** 32);
}

/** What a block of this length holds. */
export function netkvmBlockKind(lengthBytes: number): string {
  if (lengthBytes === TRANSMIT_BYTES) return "transmit descriptor memory";
  if (lengthBytes === CONTROL_BYTES) return "control block";
  if (lengthBytes === PAGE) return "receive page";
  return (lengthBytes & (lengthBytes - 1)) === 0 ? "receive chunk" : "receive queue";
}

/** DriverEntry. The version 3 DMA interface exists from NDIS 6.50 on. */
export const netkvmEntry: DRIVER_INITIALIZE = ringMiniportEntry(
  { major: 6, minor: 50 },
  (handle) => new Adapter(handle),
);
