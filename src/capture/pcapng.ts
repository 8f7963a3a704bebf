/**
 * pcapng: blocks, each `type u32, length u32, body, length u32`, in sections of either byte order.
 *
 *   0a0d0d0a section header      1a2b3c4d u32, major u16, minor u16, section length i64; ends the section before
 *   1 interface description      link type u16, zero u16, snap length u32, options; numbered from 0 in each section
 *   2 packet (obsolete)          interface u16, drops u16, stamp u64 (upper half first), captured u32, original u32, bytes
 *   3 simple packet              original u32, bytes: of interface 0, without a stamp
 *   6 enhanced packet            interface u32, stamp u64 (upper half first), captured u32, original u32, bytes, options
 *
 *   options of an interface      9: units of stamps, 10^-n of a second, or 2^-n with bit 7 (default 6: microseconds)
 *                                13: check bytes at the end of each frame     14: seconds to add to each stamp, i64
 *
 * Every other block is skipped by its length, unread. Where a block cannot be one (a length below 12 or no multiple of
 * four, a packet of more than 16 MiB, one that leads past the end of the file), the next place that looks like a block of a
 * known type is searched: its length stands at both its ends.
 *
 * Format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng.
 */
import type { ByteQueue } from "./byte-queue.js";
import { badCapture } from "./errors.js";
import { type CaptureFrame, MAX_FRAME_BYTES, type Skipped } from "./frame.js";
import type { FrameBuilder, LinkLayer, Stamp } from "./frame-builder.js";
import type { Tally } from "./tally.js";

export const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const INTERFACE = 1;
const PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
/** Name resolution, statistics, secrets and custom blocks: known, and skipped. */
const SKIPPED_TYPES: ReadonlySet<number> = new Set([4, 5, 9, 10, 0xbad, 0x40000bad]);
const READ_TYPES: ReadonlySet<number> = new Set([SECTION_HEADER, INTERFACE, PACKET, SIMPLE_PACKET, ENHANCED_PACKET]);
const HEAD_BYTES = 8;
const LEAST_BLOCK_BYTES = 12;
const SECTION_HEAD_BYTES = 12;
/** A packet block holds a frame, its header, and options. */
const MOST_BLOCK_BYTES: number = MAX_FRAME_BYTES + 65_536;
/** In a search, a longer block is not believed: no recorder writes frames above 256 KiB, and each guess is waited for. */
const PLAUSIBLE_BLOCK_BYTES = 262_144 + 65_536;
const OPTION_RESOLUTION = 9;
const OPTION_CHECK_BYTES = 13;
const OPTION_OFFSET = 14;
/** An offset beyond 35,000 years is damage, and is taken for none. */
const MOST_OFFSET_SECONDS: number = 2 ** 40;

/** One interface of the section. */
interface Interface extends LinkLayer {
  /** Where the recorder cut, in bytes; 0 for nowhere. */
  readonly snapLengthBytes: number;
  /** Units of a stamp in a second. */
  readonly unitsPerSecond: bigint;
  readonly offsetSeconds: number;
}

export class PcapngReader {
  readonly #queue: ByteQueue;
  readonly #tally: Tally;
  readonly #builder: FrameBuilder;
  #little = true;
  #interfaces: Interface[] = [];
  /** Bytes of a skipped block that have not come yet. */
  #toDrop = 0;
  /** Bytes passed over by the search that is under way, or -1. */
  #searched = -1;
  /** What those bytes are, where no block follows them. */
  #searchedKind: Skipped = "damaged-bytes";
  #sections = 0;
  /** The first link type that is not played, or -1. */
  refusedLinkType = -1;

  constructor(queue: ByteQueue, tally: Tally, builder: FrameBuilder) {
    this.#queue = queue;
    this.#tally = tally;
    this.#builder = builder;
  }

  /** The next frame; "more" when bytes are missing that may still come, "end" when nothing is left. */
  next(atEnd: boolean): CaptureFrame | "more" | "end" {
    const queue = this.#queue;
    for (;;) {
      this.#toDrop -= queue.drop(this.#toDrop);
      if (this.#toDrop > 0) {
        if (atEnd) this.#tally.skip("cut-record");
        return atEnd ? "end" : "more";
      }
      if (this.#searched >= 0 && !this.#search(atEnd)) return atEnd ? "end" : "more";
      const { length } = queue;
      const head = length >= HEAD_BYTES ? this.#headOf(queue.peek(Math.min(length, SECTION_HEAD_BYTES))) : undefined;
      if (head === undefined) {
        if (!atEnd) return "more";
        if (length > 0) this.#tally.skip("cut-record", queue.drop(length));
        return "end";
      }
      const { type, lengthBytes, little } = head;
      const isRead = READ_TYPES.has(type);
      if (lengthBytes < LEAST_BLOCK_BYTES || lengthBytes % 4 !== 0 || (isRead && lengthBytes > MOST_BLOCK_BYTES)) {
        if (this.#sections === 0) throw badCapture(queue.offset + 4, `a section header of ${lengthBytes} bytes`);
        this.#startSearch("damaged-bytes");
        continue;
      }
      if (!isRead) {
        this.#toDrop = lengthBytes;
        continue;
      }
      if (length < lengthBytes) {
        if (!atEnd) return "more";
        this.#startSearch("cut-record");
        continue;
      }
      const block = queue.peek(lengthBytes);
      const view = new DataView(block.buffer, block.byteOffset, lengthBytes);
      if (view.getUint32(lengthBytes - 4, little) !== lengthBytes) this.#tally.mend("block-length-differs");
      const offset = queue.offset;
      queue.drop(lengthBytes);
      const frame = this.#block(type, view, block, little, offset);
      if (frame !== undefined) return frame;
    }
  }

  /** Type and length; of a section header, its byte order with them. Undefined while the order is not known. */
  #headOf(bytes: Uint8Array): { type: number; lengthBytes: number; little: boolean } | undefined {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const type = view.getUint32(0, this.#little);
    if (type !== SECTION_HEADER) return { type, lengthBytes: view.getUint32(4, this.#little), little: this.#little };
    if (bytes.length < SECTION_HEAD_BYTES) return undefined;
    const little = view.getUint32(8, true) === BYTE_ORDER_MAGIC;
    return { type, lengthBytes: view.getUint32(4, little), little };
  }

  #block(type: number, view: DataView, block: Uint8Array, little: boolean, offset: number): CaptureFrame | undefined {
    if (type === SECTION_HEADER) this.#section(view, little, offset);
    else if (type === INTERFACE) this.#interface(view);
    else if (type === SIMPLE_PACKET) return this.#simple(view, block);
    else return this.#packet(type, view, block);
    return undefined;
  }

  #section(view: DataView, little: boolean, offset: number): void {
    const isMagic = view.byteLength >= 28 && view.getUint32(8, little) === BYTE_ORDER_MAGIC;
    const major = isMagic ? view.getUint16(12, little) : 0;
    if (!isMagic || major !== 1) {
      const why = isMagic ? `pcapng version ${major}, not 1` : "a section header without its byte-order magic";
      if (this.#sections === 0) throw badCapture(offset + 8, why);
      this.#tally.skip("short-block", view.byteLength);
      return;
    }
    this.#sections += 1;
    this.#little = little;
    this.#interfaces = [];
  }

  #interface(view: DataView): void {
    const little = this.#little;
    if (view.byteLength < 20) {
      this.#tally.skip("short-block", view.byteLength);
      return;
    }
    let unitsPerSecond = 1_000_000n;
    let checkBytes = 0;
    let offsetSeconds = 0;
    for (let at = 16; at + 4 <= view.byteLength - 4; ) {
      const code = view.getUint16(at, little);
      const length = view.getUint16(at + 2, little);
      const value = at + 4;
      if (code === 0 || value + length > view.byteLength - 4) break;
      if (code === OPTION_RESOLUTION && length >= 1) {
        const given = view.getUint8(value);
        unitsPerSecond = BigInt(given & 0x80 ? 2 : 10) ** BigInt(given & 0x7f);
      } else if (code === OPTION_CHECK_BYTES && length >= 1) {
        checkBytes = Math.min(view.getUint8(value), 15);
      } else if (code === OPTION_OFFSET && length >= 8) {
        const upper = view.getInt32(little ? value + 4 : value, little);
        const lower = view.getUint32(little ? value : value + 4, little);
        const seconds = upper * 2 ** 32 + lower;
        if (Math.abs(seconds) <= MOST_OFFSET_SECONDS) offsetSeconds = seconds;
      }
      at = value + Math.ceil(length / 4) * 4;
    }
    const linkType = view.getUint16(8, little);
    if (!this.#builder.plays(linkType) && this.refusedLinkType < 0) this.refusedLinkType = linkType;
    const snapLengthBytes = view.getUint32(12, little);
    this.#interfaces.push({ linkType, snapLengthBytes, checkBytes, unitsPerSecond, offsetSeconds });
  }

  #packet(type: number, view: DataView, block: Uint8Array): CaptureFrame | undefined {
    const little = this.#little;
    const room = view.byteLength - 32;
    const capturedBytes = room < 0 ? 0 : view.getUint32(20, little);
    if (room < 0 || capturedBytes > room) {
      this.#tally.skip("short-block", view.byteLength);
      return undefined;
    }
    const one = this.#interfaces[type === PACKET ? view.getUint16(8, little) : view.getUint32(8, little)];
    if (one === undefined) {
      this.#tally.skip("unknown-interface", view.byteLength);
      return undefined;
    }
    const stamp = stampOf(view.getUint32(12, little), view.getUint32(16, little), one);
    const bytes = block.subarray(28, 28 + capturedBytes);
    return this.#builder.build(one, stamp, bytes, view.getUint32(24, little));
  }

  #simple(view: DataView, block: Uint8Array): CaptureFrame | undefined {
    const [one] = this.#interfaces;
    if (view.byteLength < 16 || one === undefined) {
      this.#tally.skip(one === undefined ? "unknown-interface" : "short-block", view.byteLength);
      return undefined;
    }
    const original = view.getUint32(8, this.#little);
    const cut = one.snapLengthBytes === 0 ? original : Math.min(original, one.snapLengthBytes);
    const bytes = block.subarray(12, 12 + Math.min(cut, view.byteLength - 16));
    return this.#builder.build(one, null, bytes, original);
  }

  #startSearch(kind: Skipped): void {
    this.#searched = 0;
    this.#searchedKind = kind;
  }

  /** Go on to the next place that looks like a block. False when it is not among the bytes that are there. */
  #search(atEnd: boolean): boolean {
    const bytes = this.#queue.peek(this.#queue.length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = this.#searched === 0 ? 1 : 0; ; at += 1) {
      const isThere = at + LEAST_BLOCK_BYTES <= bytes.length;
      const found = isThere ? this.#blockAt(view, at, atEnd) : atEnd ? false : undefined;
      if (found === undefined) {
        this.#searched += this.#queue.drop(at);
        return false;
      }
      if (found || at >= bytes.length) {
        const kind = found ? "damaged-bytes" : this.#searchedKind;
        this.#tally.skip(kind, this.#searched + this.#queue.drop(at));
        this.#searched = -1;
        return true;
      }
    }
  }

  /** Whether a block begins here: undefined when that cannot be told before more bytes have come. */
  #blockAt(view: DataView, at: number, atEnd: boolean): boolean | undefined {
    const own = view.getUint32(at, this.#little);
    if (!READ_TYPES.has(own) && !SKIPPED_TYPES.has(own)) return false;
    const little = own === SECTION_HEADER ? view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC : this.#little;
    const lengthBytes = view.getUint32(at + 4, little);
    if (lengthBytes < LEAST_BLOCK_BYTES || lengthBytes % 4 !== 0 || lengthBytes > PLAUSIBLE_BLOCK_BYTES) return false;
    const end = at + lengthBytes;
    if (end > view.byteLength) return atEnd ? false : undefined;
    return view.getUint32(end - 4, little) === lengthBytes;
  }
}

/** A stamp in the units of its interface. */
function stampOf(upper: number, lower: number, { unitsPerSecond, offsetSeconds }: Interface): Stamp {
  const value = upper * 2 ** 32 + lower;
  if (unitsPerSecond === 1_000_000n && value <= Number.MAX_SAFE_INTEGER) {
    const seconds = Math.floor(value / 1_000_000);
    return { seconds: seconds + offsetSeconds, ns: (value - seconds * 1_000_000) * 1000 };
  }
  const exact = (BigInt(upper) << 32n) | BigInt(lower);
  const seconds = exact / unitsPerSecond;
  const ns = Number(((exact - seconds * unitsPerSecond) * 1_000_000_000n) / unitsPerSecond);
  return { seconds: Number(seconds) + offsetSeconds, ns };
}
