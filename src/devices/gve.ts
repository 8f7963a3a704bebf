/**
 * Gve: a virtual NIC that is told everything through an admin queue, and reaches frames only through page lists.
 *
 * The driver gives the device the page frame number of one page, the admin queue: 64 commands of 64 bytes. A doorbell
 * counts the commands; the device runs each at once and writes its answer into the command.
 *
 *    0 opcode u32    4 status u32 (1 done, all ones refused)    then, little-endian:
 *
 *    1 describe         <- 8 entries of a ring u32
 *    2 register pages   -> 8 list u32, 12 pages u32, 16 address u64 of a table of page addresses, u64 each
 *    3 receive queue    -> 8 list u32, 12 entries u32, 16 address u64 of the ring
 *    4 transmit queue   -> 8 list u32, 12 entries u32
 *
 * A descriptor of the receive ring is 16 bytes: 0 offset into the page list u64, 8 length u32, 12 done u32, which is
 * written last. The driver says by a doorbell how many descriptors it has ever posted.
 *
 * Registers beside the common ones: 0x10 admin queue (physical address >> 12), 0x14 admin doorbell, 0x18 commands done,
 * 0x1c receive doorbell, 0x20 address bits, 32 or 64. A device of 32 bits refuses page lists above 4 GiB.
 */
import type { DevicePort } from "../machine/index.js";
import { type BusWords, RingNic, type RingNicOptions } from "./ring-nic.js";

/** Registers. */
export const GVE = {
  adminFrame: 0x10,
  adminDoorbell: 0x14,
  adminDone: 0x18,
  receiveDoorbell: 0x1c,
  addressBits: 0x20,
} as const;
export const GVE_COMMAND = { opcode: 0, status: 4, first: 8, second: 12, address: 16, bytes: 64, count: 64 } as const;
export const GVE_DESCRIBE = 1;
export const GVE_REGISTER_PAGES = 2;
export const GVE_CREATE_RECEIVE = 3;
export const GVE_CREATE_TRANSMIT = 4;
export const GVE_DONE = 1;
const REFUSED = 0xffff_ffff;
export const GVE_DESCRIPTOR = { offset: 0, length: 8, done: 12, bytes: 16 } as const;
export const GVE_PAGE_BYTES = 4096;

/** What was decided when the board was made. */
export interface GveOptions extends RingNicOptions {
  /** Entries of each ring, 16 to 512. Default 512. */
  readonly ringEntries?: number;
  /** Default 64. */
  readonly addressBits?: 32 | 64;
}

export class Gve extends RingNic {
  readonly #entries: number;
  readonly #addressBits: 32 | 64;
  readonly #lists: Map<number, readonly number[]> = new Map();
  #adminFrame = 0;
  #adminDone = 0;
  #posted = 0;
  #filled = 0;
  #ring: { readonly base: number; readonly entries: number; readonly pages: readonly number[] } | null = null;

  constructor(options: GveOptions = {}) {
    super(options, GVE_PAGE_BYTES);
    this.#entries = options.ringEntries ?? 512;
    this.#addressBits = options.addressBits ?? 64;
  }

  protected clear(): void {
    this.#lists.clear();
    this.#adminFrame = 0;
    this.#adminDone = 0;
    this.#posted = 0;
    this.#filled = 0;
    this.#ring = null;
  }

  protected own(offset: number): number {
    if (offset === GVE.adminFrame) return this.#adminFrame;
    if (offset === GVE.adminDone) return this.#adminDone;
    if (offset === GVE.receiveDoorbell) return this.#posted;
    return offset === GVE.addressBits ? this.#addressBits : 0;
  }

  protected setOwn(offset: number, value: number): void {
    if (offset === GVE.adminFrame) this.#adminFrame = value;
    else if (offset === GVE.receiveDoorbell) this.#posted = value;
    else if (offset === GVE.adminDoorbell) this.#admin(value);
  }

  protected store(bus: DevicePort, words: BusWords, frame: Uint8Array): boolean {
    const ring = this.#ring;
    if (ring === null || this.#filled === this.#posted) return false;
    const at = ring.base + (this.#filled % ring.entries) * GVE_DESCRIPTOR.bytes;
    const offset = words.readAddress(at);
    const page = ring.pages[Math.floor(offset / GVE_PAGE_BYTES)];
    if (page === undefined) return false;
    bus.write(page + (offset % GVE_PAGE_BYTES), frame);
    words.write32(at + GVE_DESCRIPTOR.length, frame.length);
    words.write32(at + GVE_DESCRIPTOR.done, GVE_DONE);
    this.#filled = (this.#filled + 1) >>> 0;
    return true;
  }

  #admin(doorbell: number): void {
    this.reach((_, words) => {
      while (this.#adminDone !== doorbell) {
        const slot = this.#adminDone % GVE_COMMAND.count;
        const at = this.#adminFrame * GVE_PAGE_BYTES + slot * GVE_COMMAND.bytes;
        const done = this.#command(words, at);
        words.write32(at + GVE_COMMAND.status, done ? GVE_DONE : REFUSED);
        this.#adminDone = (this.#adminDone + 1) >>> 0;
      }
      return true;
    }, null);
  }

  #command(words: BusWords, at: number): boolean {
    const opcode = words.read32(at);
    if (opcode === GVE_DESCRIBE) {
      words.write32(at + GVE_COMMAND.first, this.#entries);
      return true;
    }
    const list = words.read32(at + GVE_COMMAND.first);
    const count = words.read32(at + GVE_COMMAND.second);
    const address = words.readAddress(at + GVE_COMMAND.address);
    if (count === 0 || count > this.#entries) return false;
    if (opcode === GVE_REGISTER_PAGES) {
      const pages = Array.from({ length: count }, (_, index) => words.readAddress(address + 8 * index));
      if (pages.some((page) => this.#addressBits === 32 && page >= 2 ** 32)) return false;
      this.#lists.set(list, pages);
      return true;
    }
    const pages = this.#lists.get(list);
    if (pages === undefined) return false;
    if (opcode === GVE_CREATE_RECEIVE) this.#ring = { base: address, entries: count, pages };
    return opcode === GVE_CREATE_RECEIVE || opcode === GVE_CREATE_TRANSMIT;
  }
}
