/**
 * VirtioNet: the receive queue of a virtio network device, a split virtqueue with 64-bit addresses.
 *
 *    descriptors   16 bytes each: 0 address u64, 8 length u32, 12 flags u16 (1 NEXT, 2 the device writes), 14 next u16
 *    available     0 flags u16, 2 index u16, 4 heads of chains u16 each       the driver writes, the device reads
 *    used          0 flags u16, 2 index u16, 4 pairs of head u32, length u32  the device writes, the driver reads
 *
 * Before a frame lie twelve bytes of header; the number of buffers that the frame takes is a u16 at offset 10. With
 * mergeable buffers a frame goes on in the next chain where one is too short; without, one chain must hold it. The used
 * index is written last: whoever sees it sees the frame.
 *
 * Registers beside the common ones: the three parts' addresses, low and high half each, the queue's size, and whether
 * buffers merge. Source: Virtual I/O Device specification 1.1, sections 2.6 and 5.1.6. Left out: transmit and control
 * queues, offloads, event suppression (the common mask stands for it), packed rings.
 */

import { putHalfAt } from "../machine/devices/endian.js";
import type { DevicePort } from "../machine/index.js";
import { type BusWords, RingNic, type RingNicOptions } from "./ring-nic.js";

/** Registers. */
export const VIRTIO = {
  descriptorsLow: 0x10,
  descriptorsHigh: 0x14,
  availableLow: 0x18,
  availableHigh: 0x1c,
  usedLow: 0x20,
  usedHigh: 0x24,
  queueSize: 0x28,
  mergeable: 0x2c,
} as const;
export const VIRTQ_DESCRIPTOR = { address: 0, length: 8, flags: 12, next: 14, bytes: 16 } as const;
export const VIRTQ_NEXT = 1;
export const VIRTQ_WRITE = 2;
/** Of the available and the used ring. */
export const VIRTQ_RING = { index: 2, entries: 4 } as const;
export const VIRTIO_HEADER_BYTES = 12;
/** Of the number of buffers, u16, in the header. */
export const VIRTIO_BUFFERS_OFFSET = 10;
const MAX_FRAME_BYTES = 65_535;

/** The header and the frame that are being stored. Of the header all but the number of buffers stays 0. */
const WHOLE = new Uint8Array(VIRTIO_HEADER_BYTES + MAX_FRAME_BYTES);

interface Chain {
  readonly head: number;
  readonly parts: readonly { readonly address: number; readonly lengthBytes: number }[];
  readonly lengthBytes: number;
}

export class VirtioNet extends RingNic {
  readonly #registers: Uint32Array = new Uint32Array(VIRTIO.mergeable / 4 + 1);
  #taken = 0;
  #used = 0;

  constructor(options: RingNicOptions = {}) {
    super(options, MAX_FRAME_BYTES);
  }

  protected clear(): void {
    this.#registers.fill(0);
    this.#taken = 0;
    this.#used = 0;
  }

  protected own(offset: number): number {
    return this.#registers[offset / 4] ?? 0;
  }

  protected setOwn(offset: number, value: number): void {
    if (offset <= VIRTIO.mergeable) this.#registers[offset / 4] = value;
  }

  protected store(bus: DevicePort, words: BusWords, frame: Uint8Array): boolean {
    const whole = WHOLE.subarray(0, VIRTIO_HEADER_BYTES + frame.length);
    whole.set(frame, VIRTIO_HEADER_BYTES);
    const chains: Chain[] = [];
    const offered = words.read16(this.#address(VIRTIO.availableLow) + VIRTQ_RING.index);
    for (let room = 0; room < whole.length; ) {
      const next = (this.#taken + chains.length) & 0xffff;
      if (next === offered || (chains.length > 0 && this.own(VIRTIO.mergeable) === 0)) return false;
      const chain = this.#chain(words, next);
      chains.push(chain);
      room += chain.lengthBytes;
    }
    putHalfAt(whole, VIRTIO_BUFFERS_OFFSET, chains.length);
    let done = 0;
    for (const chain of chains) {
      const begun = done;
      for (const { address, lengthBytes } of chain.parts) {
        const end = Math.min(whole.length, done + lengthBytes);
        if (end > done) bus.write(address, whole.subarray(done, end));
        done = end;
      }
      const entry = this.#address(VIRTIO.usedLow) + VIRTQ_RING.entries + 8 * (this.#used % this.own(VIRTIO.queueSize));
      words.write32(entry, chain.head);
      words.write32(entry + 4, done - begun);
      this.#used = (this.#used + 1) & 0xffff;
    }
    this.#taken = (this.#taken + chains.length) & 0xffff;
    words.write16(this.#address(VIRTIO.usedLow) + VIRTQ_RING.index, this.#used);
    return true;
  }

  #address(low: number): number {
    return this.own(low) + this.own(low + 4) * 2 ** 32;
  }

  #chain(words: BusWords, index: number): Chain {
    const size = this.own(VIRTIO.queueSize);
    const head = words.read16(this.#address(VIRTIO.availableLow) + VIRTQ_RING.entries + 2 * (index % size));
    const parts: { address: number; lengthBytes: number }[] = [];
    let lengthBytes = 0;
    let at = head;
    // A chain has each descriptor once at most: a loop that a driver made ends here.
    while (parts.length < size) {
      const descriptor = this.#address(VIRTIO.descriptorsLow) + at * VIRTQ_DESCRIPTOR.bytes;
      const length = words.read32(descriptor + VIRTQ_DESCRIPTOR.length);
      parts.push({ address: words.readAddress(descriptor), lengthBytes: length });
      lengthBytes += length;
      if ((words.read16(descriptor + VIRTQ_DESCRIPTOR.flags) & VIRTQ_NEXT) === 0) break;
      at = words.read16(descriptor + VIRTQ_DESCRIPTOR.next);
    }
    return { head, parts, lengthBytes };
  }
}
