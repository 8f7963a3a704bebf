/**
 * gvnic: a miniport driver for a virtual NIC with an admin queue and page lists, as far as shared memory goes.
 *
 * What it asks for is that of the gVNIC driver: 32 or 64 bits as the device says, mappings of 65,536 bytes at most,
 * everything cached, and for rings of n entries, as many as the device says
 *
 *    admin queue               4,096; the device is given its physical address >> 12
 *    page lists                4,096 x n for the receive queue, as many for the transmit queue
 *    table of page addresses   8 x n, for as long as a list is being registered
 *    receive ring              16 x n (our layout)
 *    transmit pools            n/8 x 182, n/32 x 512, n/64 x 4,096, 1 x 65,535; one block each
 *
 * Degrade, do not fail: a page list that comes out short makes a short ring, down to 16 (our figure); of the pools only
 * the first must be there. No pool's length is kept: the free computes count x element size again, which is right
 * because neither changes, and a bad-free violation the day that one does (choice C27).
 */
import {
  addToVirtual,
  type DRIVER_INITIALIZE,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_SG_DMA_64_BIT_ADDRESS,
  type VirtualAddress,
} from "../../bindings/index.js";
import {
  GVE,
  GVE_COMMAND,
  GVE_CREATE_RECEIVE,
  GVE_CREATE_TRANSMIT,
  GVE_DESCRIBE,
  GVE_DESCRIPTOR,
  GVE_DONE,
  GVE_PAGE_BYTES,
  GVE_REGISTER_PAGES,
} from "../devices/index.js";
import type { SharedBlock } from "./e100bex-receive.js";
import { type DmaNeeds, RingMiniport, ringMiniportEntry, upTo } from "./ring-miniport.js";

const RECEIVE_LIST = 1;
const TRANSMIT_LIST = 2;
const LEAST_PAGES = 16;
/** Elements per ring entry (one of so many) and bytes each; the last has one element. */
const POOLS: readonly { readonly per: number; readonly bytes: number; readonly optional: boolean }[] = [
  { per: 8, bytes: 182, optional: false },
  { per: 32, bytes: 512, optional: true },
  { per: 64, bytes: 4096, optional: true },
  { per: Number.POSITIVE_INFINITY, bytes: 65_535, optional: true },
];

/** A pool of transmit memory: what the driver keeps of its block. The length is not among it. */
interface Pool {
  readonly virtual: VirtualAddress;
  readonly physical: NDIS_PHYSICAL_ADDRESS;
  readonly count: number;
  readonly elementBytes: number;
}

/** A frame in a page of the receive list. */
interface Received {
  readonly page: number;
  readonly lengthBytes: number;
}

class Adapter extends RingMiniport<Received> {
  readonly #pages: SharedBlock[] = [];
  readonly #transmitPages: SharedBlock[] = [];
  readonly #pools: Pool[] = [];
  /** Which page each descriptor of the ring has, in the order of the ring. */
  readonly #slots: number[] = [];
  #admin = 0 as VirtualAddress;
  #commands = 0;
  #ring = 0 as VirtualAddress;
  /** Descriptors ever posted, and ever completed. */
  #posted = 0;
  #done = 0;

  protected needs(): DmaNeeds {
    const wide = this.services.readRegister(GVE.addressBits) === 64;
    return { flags: wide ? NDIS_SG_DMA_64_BIT_ADDRESS : 0, maximumMapping: 65_536, completed: null };
  }

  protected provide(): boolean {
    const admin = this.takeZeroed(GVE_COMMAND.bytes * GVE_COMMAND.count, true);
    if (admin === null) return false;
    this.#admin = admin.virtual;
    // A page's frame number names a page: a queue that did not begin on one would be somewhere else (choice C13).
    this.services.writeRegister(GVE.adminFrame, Math.floor(admin.physical / GVE_PAGE_BYTES));
    const described = this.#command(GVE_DESCRIBE, 0, 0, 0);
    if (described === null) return false;
    const entries = this.services.readU32(addToVirtual(described, GVE_COMMAND.first));
    return this.#provideReceive(entries) && this.#provideTransmit(entries);
  }

  protected giveBackAll(): void {
    for (const { virtual, physical, count, elementBytes } of this.#pools.splice(0)) {
      this.free({ virtual, physical, lengthBytes: count * elementBytes, cached: true });
    }
    for (const page of [...this.#transmitPages.splice(0), ...this.#pages.splice(0)]) this.free(page);
  }

  protected completed(): Received | undefined {
    if (this.#done === this.#posted) return undefined;
    const slot = this.#done % this.#pages.length;
    const descriptor = this.#descriptor(slot);
    if (this.services.readU32(addToVirtual(descriptor, GVE_DESCRIPTOR.done)) !== GVE_DONE) return undefined;
    this.#done = (this.#done + 1) >>> 0;
    const lengthBytes = this.services.readU32(addToVirtual(descriptor, GVE_DESCRIPTOR.length));
    return { page: this.#slots[slot] as number, lengthBytes };
  }

  protected bytesOf({ page, lengthBytes }: Received): Uint8Array | undefined {
    if (lengthBytes > GVE_PAGE_BYTES) return undefined;
    const block = this.#pages[page] as SharedBlock;
    return lengthBytes === 0 ? new Uint8Array(0) : this.services.bytes(block.virtual, lengthBytes);
  }

  protected takeBack({ page }: Received): void {
    this.#post(page);
    this.services.writeRegister(GVE.receiveDoorbell, this.#posted);
  }

  protected replenish(): void {}

  #provideReceive(entries: number): boolean {
    if (!this.#pageList(RECEIVE_LIST, entries, this.#pages)) return false;
    const count = this.#pages.length;
    const ring = this.takeZeroed(count * GVE_DESCRIPTOR.bytes, true);
    if (ring === null) return false;
    this.#ring = ring.virtual;
    if (this.#command(GVE_CREATE_RECEIVE, RECEIVE_LIST, count, ring.physical) === null) return false;
    for (let page = 0; page < count; page += 1) this.#post(page);
    this.services.writeRegister(GVE.receiveDoorbell, this.#posted);
    return true;
  }

  #provideTransmit(entries: number): boolean {
    if (!this.#pageList(TRANSMIT_LIST, entries, this.#transmitPages)) return false;
    const count = this.#transmitPages.length;
    if (this.#command(GVE_CREATE_TRANSMIT, TRANSMIT_LIST, count, 0) === null) return false;
    for (const { per, bytes, optional } of POOLS) {
      const elements = Math.max(1, Math.floor(entries / per));
      const block = this.allocate(elements * bytes, true);
      if (block !== null) {
        const { virtual, physical } = block;
        this.#pools.push({ virtual, physical, count: elements, elementBytes: bytes });
      } else if (!optional) {
        return false;
      }
    }
    return true;
  }

  /** A list as long as the ring, or as long as memory allows; registered by a table that lives that long. */
  #pageList(list: number, entries: number, into: SharedBlock[]): boolean {
    const count = upTo(entries, () => {
      const page = this.allocate(GVE_PAGE_BYTES, true);
      if (page !== null) into.push(page);
      return page !== null;
    });
    if (count < LEAST_PAGES) return false;
    const table = this.#table(into.length);
    if (table === null) return false;
    into.forEach(({ physical }, index) => {
      this.services.writeU32(addToVirtual(table.virtual, 8 * index), physical % 2 ** 32);
      this.services.writeU32(addToVirtual(table.virtual, 8 * index + 4), Math.floor(physical / 2 ** 32));
    });
    const done = this.#command(GVE_REGISTER_PAGES, list, into.length, table.physical) !== null;
    this.free(table);
    return done;
  }

  /** The table of addresses. Memory that short-lived is worth a few attempts. */
  #table(pages: number): SharedBlock | null {
    let table: SharedBlock | null = null;
    upTo(1, () => {
      table = this.allocate(8 * pages, true);
      return table !== null;
    });
    return table;
  }

  /** Run one command. The entry with its answer, or null where the device refused. */
  #command(opcode: number, list: number, count: number, address: number): VirtualAddress | null {
    const at = addToVirtual(this.#admin, (this.#commands % GVE_COMMAND.count) * GVE_COMMAND.bytes);
    for (const [offset, value] of [
      [GVE_COMMAND.opcode, opcode],
      [GVE_COMMAND.status, 0],
      [GVE_COMMAND.first, list],
      [GVE_COMMAND.second, count],
      [GVE_COMMAND.address, address % 2 ** 32],
      [GVE_COMMAND.address + 4, Math.floor(address / 2 ** 32)],
    ] as const) {
      this.services.writeU32(addToVirtual(at, offset), value);
    }
    this.#commands += 1;
    this.services.writeRegister(GVE.adminDoorbell, this.#commands);
    return this.services.readU32(addToVirtual(at, GVE_COMMAND.status)) === GVE_DONE ? at : null;
  }

  #descriptor(slot: number): VirtualAddress {
    return addToVirtual(this.#ring, slot * GVE_DESCRIPTOR.bytes);
  }

  #post(page: number): void {
    const slot = this.#posted % this.#pages.length;
    const descriptor = this.#descriptor(slot);
    const offset = page * GVE_PAGE_BYTES;
    this.services.writeU32(descriptor, offset);
    this.services.writeU32(addToVirtual(descriptor, 4), 0);
    this.services.writeU32(addToVirtual(descriptor, GVE_DESCRIPTOR.done), 0);
    this.#slots[slot] = page;
    this.#posted = (this.#posted + 1) >>> 0;
  }
}

/** What a block of this length holds. */
export function gvnicBlockKind(lengthBytes: number): string {
  if (lengthBytes === GVE_PAGE_BYTES) return "page of a list, or admin queue";
  return lengthBytes % GVE_DESCRIPTOR.bytes === 0 && lengthBytes < 16_384 && lengthBytes % 182 !== 0
    ? "receive ring"
    : "transmit pool";
}

/** DriverEntry. */
export const gvnicEntry: DRIVER_INITIALIZE = ringMiniportEntry({ major: 6, minor: 0 }, (handle) => new Adapter(handle));
