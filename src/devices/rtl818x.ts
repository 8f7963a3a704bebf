/**
 * Rtl818x: the receive ring of a wireless LAN controller in the manner of the RTL8180 family, 32-bit addresses.
 *
 * Descriptors are 32 bytes, little-endian, one after the other from a base that is a multiple of 256:
 *
 *    0 status u32    4 reserved    8 buffer address u32    12 to 31 reserved
 *
 *    status   bit 31 OWN, the device's; bit 30 EOR, the ring begins anew after this one; bit 29 first and bit 28 last
 *             segment, both set by the device; bits 11-0: what the buffer holds, then what was received
 *
 * The radio's side (802.11 headers, beacons, transmit queues) does not matter to memory and is left out: frames arrive as
 * Ethernet. Registers beside the common ones: 0x10 base of the receive ring. Writing it starts at the first descriptor.
 */
import type { DevicePort } from "../machine/index.js";
import { type BusWords, NIC, RingNic, type RingNicOptions } from "./ring-nic.js";

/** A descriptor. */
export const RTL_DESCRIPTOR = { status: 0, address: 8, bytes: 32 } as const;
export const RTL_OWN = 0x8000_0000;
export const RTL_END_OF_RING = 0x4000_0000;
export const RTL_FIRST_SEGMENT = 0x2000_0000;
export const RTL_LAST_SEGMENT = 0x1000_0000;
export const RTL_LENGTH_MASK = 0xfff;
/** The base of a ring is a multiple of this. */
export const RTL_RING_ALIGNMENT = 256;
/** Register: base of the receive ring. */
export const RTL_RECEIVE_RING: number = NIC.own;

/** Payload of an 802.11 frame at most. */
const MAX_FRAME_BYTES = 2304;

export class Rtl818x extends RingNic {
  #base = 0;
  #current = 0;

  constructor(options: RingNicOptions = {}) {
    super(options, MAX_FRAME_BYTES);
  }

  protected clear(): void {
    this.#base = 0;
    this.#current = 0;
  }

  protected own(offset: number): number {
    return offset === RTL_RECEIVE_RING ? this.#base : 0;
  }

  protected setOwn(offset: number, value: number): void {
    if (offset !== RTL_RECEIVE_RING) return;
    // The low byte of the register is not wired: a ring that is not aligned is somewhere else.
    this.#base = value - (value % RTL_RING_ALIGNMENT);
    this.#current = this.#base;
  }

  protected store(bus: DevicePort, words: BusWords, frame: Uint8Array): boolean {
    const at = this.#current;
    const status = words.read32(at);
    if (status < RTL_OWN || (status & RTL_LENGTH_MASK) < frame.length) return false;
    bus.write(words.read32(at + RTL_DESCRIPTOR.address), frame);
    const ends = (status & RTL_END_OF_RING) !== 0;
    words.write32(at, (ends ? RTL_END_OF_RING : 0) + RTL_FIRST_SEGMENT + RTL_LAST_SEGMENT + frame.length);
    this.#current = ends ? this.#base : at + RTL_DESCRIPTOR.bytes;
    return true;
  }
}
