/**
 * Receive pool of e100bex: the descriptors, their order, and how there come to be more or fewer of them.
 *
 * A receive frame is 1554 bytes of shared memory: room to align by hand, a descriptor of 16 bytes, and 1514 for the
 * frame. The first twenty are cut from chunks taken in initialize; each further one is a block of its own that
 * NdisMAllocateSharedMemoryAsyncEx brings, and is given back when traffic has subsided.
 *
 *    original ->|. . . . 0x0A . . . .|descriptor 16|Ethernet 14|payload, 8-aligned ...
 *               ^ this VA and this PA go back to NDIS, not the aligned ones
 *
 *    list (the device's, in its order)     upper layer             NDIS
 *      [rfd][rfd][rfd][rfd EL]  --frame-->  holds it  --returned-->  back to the tail
 *           fewer than `lowWater` left: one more block is asked for
 *
 * Everything here happens under the receive lock, at DISPATCH_LEVEL; the lock is released while frames are indicated.
 * One request is pending at a time. The reference it holds on the adapter is taken before the call and given back
 * unless the answer is PENDING, so that a completion on another processor may come first (choice C19).
 */
import { addToPhysical, addToVirtual, type NDIS_PHYSICAL_ADDRESS, type VirtualAddress } from "../../bindings/index.js";
import { RFD, RFD_COMMAND_EL, RFD_COUNT_MASK, RFD_STATUS_COMPLETE, RFD_STATUS_OK } from "../devices/index.js";

/** Longest frame, bytes. */
export const MAX_FRAME_BYTES = 1514;
const ETHERNET_HEADER_BYTES = 14;
/** Least distance of a descriptor from the start of its memory; up to 7 more bytes align the payload. */
const SHIFT_BYTES = 8;
/** Bytes of one receive frame: descriptor, frame, and room to align. */
export const RECEIVE_FRAME_BYTES: number = RFD.data + MAX_FRAME_BYTES + ETHERNET_HEADER_BYTES + 0x0a;

/** A block exactly as NDIS handed it out: what a free must repeat. */
export interface SharedBlock {
  readonly virtual: VirtualAddress;
  readonly physical: NDIS_PHYSICAL_ADDRESS;
  readonly lengthBytes: number;
  readonly cached: boolean;
}

/** A receive frame. */
export interface ReceiveFrame {
  /** Where its descriptor lies: aligned by hand. */
  readonly virtual: VirtualAddress;
  readonly physical: NDIS_PHYSICAL_ADDRESS;
  /** Its own block, or null where it was cut from a chunk. */
  readonly block: SharedBlock | null;
}

/** Descriptors are read and written through this: checked access to shared memory. */
export interface SharedMemoryAccess {
  bytes(address: VirtualAddress, lengthBytes: number): Uint8Array;
  readU32(address: VirtualAddress): number;
  writeU32(address: VirtualAddress, value: number): void;
}

/** A frame in `lengthBytes` of memory, its payload 8-aligned. For a block on an 8-byte boundary the shift is 0x0A. */
export function alignedFrame(
  original: { readonly virtual: VirtualAddress; readonly physical: NDIS_PHYSICAL_ADDRESS },
  block: SharedBlock | null,
): ReceiveFrame {
  const payload = original.virtual + SHIFT_BYTES + RFD.data + ETHERNET_HEADER_BYTES;
  const shift = SHIFT_BYTES + ((8 - (payload % 8)) % 8);
  return {
    virtual: addToVirtual(original.virtual, shift),
    physical: addToPhysical(original.physical, shift),
    block,
  };
}

/** The descriptors that the device owns, in the order in which it uses them. */
export class ReceiveList {
  readonly #memory: SharedMemoryAccess;
  readonly #frames: ReceiveFrame[] = [];

  constructor(memory: SharedMemoryAccess) {
    this.#memory = memory;
  }

  get length(): number {
    return this.#frames.length;
  }

  /** The first frame, if the device is through with it. */
  completed(): ReceiveFrame | undefined {
    const head = this.#frames[0];
    return head !== undefined && this.isComplete(head) ? head : undefined;
  }

  isComplete(frame: ReceiveFrame): boolean {
    return (this.#memory.readU32(frame.virtual) & RFD_STATUS_COMPLETE) !== 0;
  }

  /** What the device received into a frame; undefined where it says that the frame is bad. */
  received(frame: ReceiveFrame): Uint8Array | undefined {
    if ((this.#memory.readU32(frame.virtual) & RFD_STATUS_OK) === 0) return undefined;
    const length = this.#memory.readU32(addToVirtual(frame.virtual, RFD.count)) & RFD_COUNT_MASK;
    return length === 0 ? new Uint8Array(0) : this.#memory.bytes(addToVirtual(frame.virtual, RFD.data), length);
  }

  /** Take the first frame off. */
  takeHead(): void {
    this.#frames.shift();
  }

  /** The first frame that the device has not filled: where its receive unit is to start. */
  firstOpen(): ReceiveFrame | undefined {
    return this.#frames.find((frame) => !this.isComplete(frame));
  }

  /** Put an empty frame at the end, for the device to use after all others. */
  append(frame: ReceiveFrame): void {
    const { virtual } = frame;
    this.#memory.writeU32(virtual, RFD_COMMAND_EL * 0x10000);
    this.#memory.writeU32(addToVirtual(virtual, RFD.link), 0);
    this.#memory.writeU32(addToVirtual(virtual, RFD.count), MAX_FRAME_BYTES * 0x10000);
    const tail = this.#frames.at(-1);
    this.#frames.push(frame);
    if (tail !== undefined) this.#link(tail, frame);
  }

  /** Take out a frame that has a block of its own and is empty, the last such one. The receive unit must be stopped. */
  takeGrown(): ReceiveFrame | undefined {
    let index = this.#frames.length - 1;
    while (index >= 0) {
      const frame = this.#frames[index] as ReceiveFrame;
      if (frame.block !== null && !this.isComplete(frame)) break;
      index -= 1;
    }
    const frame = this.#frames[index];
    if (frame === undefined) return undefined;
    const before = this.#frames[index - 1];
    if (before !== undefined) this.#link(before, this.#frames[index + 1]);
    this.#frames.splice(index, 1);
    return frame;
  }

  /** All frames, for the end. The list is empty afterwards. */
  takeAll(): ReceiveFrame[] {
    return this.#frames.splice(0);
  }

  /** Let `frame` be followed by `next`, or end the list. The device's status of the frame stays. */
  #link(frame: ReceiveFrame, next: ReceiveFrame | undefined): void {
    const status = this.#memory.readU32(frame.virtual) & 0xffff;
    this.#memory.writeU32(addToVirtual(frame.virtual, RFD.link), next?.physical ?? 0);
    this.#memory.writeU32(frame.virtual, status + (next === undefined ? RFD_COMMAND_EL * 0x10000 : 0));
  }
}
