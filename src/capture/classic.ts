/**
 * Classic pcap, as tcpdump reads it: a header of 24 bytes, then records.
 *
 *   header   0 magic u32   4 major u16   6 minor u16   8 zone i32   12 figures u32   16 snap length u32   20 link type u32
 *   record   0 seconds u32   4 fraction u32   8 included length u32   12 original length u32   16 bytes
 *
 *   magic a1b2c3d4: the fraction counts microseconds.   a1b23c4d: nanoseconds.   Either in either byte order.
 *   magic a1b2cd34: microseconds, and eight more bytes behind the lengths, which are skipped.
 *   versions 2.0 to 2.2 have the two lengths the other way round, 2.3 sometimes (the larger one is then the original).
 *   link type, upper half: bit 26 says that the four bits above it count the 16-bit words of check bytes behind each frame.
 *
 * The snap length is a hint of the recorder, not a bound on what follows, and is not judged. Where a record cannot be one
 * (a length above 16 MiB, or one that leads past the end of the file), the next place that looks like a record is searched:
 * a stamp within a day of the last, a fraction below a second, lengths of at most 256 KiB in order, and behind the frame
 * another such header or the end of the file. The search goes forward only, so its cost is in proportion to the file's length.
 *
 * Format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap (PCAP Capture File Format).
 */
import type { ByteQueue } from "./byte-queue.js";
import { badCapture } from "./errors.js";
import { type CaptureFrame, MAX_FRAME_BYTES, type Skipped } from "./frame.js";
import type { FrameBuilder, LinkLayer } from "./frame-builder.js";
import type { Tally } from "./tally.js";

export const MAGIC_MICROSECONDS = 0xa1b2c3d4;
export const MAGIC_NANOSECONDS = 0xa1b23c4d;
const MAGIC_LONG_HEADERS = 0xa1b2cd34;
export const FILE_HEADER_BYTES = 24;
export const RECORD_HEADER_BYTES = 16;
/** Behind the lengths of a long record header: interface u32, protocol u16, kind u8, zero u8. */
const LONG_HEADER_EXTRA_BYTES = 8;
/** tcpdump's longest frame: in a search, a longer one is not believed. */
const PLAUSIBLE_BYTES = 262_144;
const SECONDS_A_DAY = 86_400;

/** What kind of pcap file begins with these four bytes: its byte order, or undefined when none does. */
export function classicMagic(view: DataView): { readonly magic: number; readonly little: boolean } | undefined {
  for (const little of [true, false]) {
    const magic = view.getUint32(0, little);
    if (magic === MAGIC_MICROSECONDS || magic === MAGIC_NANOSECONDS || magic === MAGIC_LONG_HEADERS) {
      return { magic, little };
    }
  }
  return undefined;
}

/** One record's header. */
interface RecordHeader {
  readonly seconds: number;
  readonly fraction: number;
  readonly includedBytes: number;
  readonly originalBytes: number;
}

export class ClassicReader {
  readonly #queue: ByteQueue;
  readonly #tally: Tally;
  readonly #builder: FrameBuilder;
  readonly #little: boolean;
  readonly #perSecond: number;
  readonly #headerBytes: number;
  readonly #minor: number;
  readonly #link: LinkLayer;
  /** The last record's stamp in seconds, which the next one's is near to; 0 before the first. */
  #lastSeconds = 0;
  /** Bytes passed over by the search that is under way, or -1. */
  #searched = -1;
  /** What those bytes are, where no record follows them. */
  #searchedKind: Skipped = "damaged-bytes";

  /** The file's header must be in the queue; it is taken. Refuses a version above 2.4, and a link type that is not played. */
  constructor(queue: ByteQueue, tally: Tally, builder: FrameBuilder) {
    const header = queue.peek(FILE_HEADER_BYTES);
    const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
    const { magic, little } = classicMagic(view) ?? { magic: 0, little: true };
    const major = view.getUint16(4, little);
    const minor = view.getUint16(6, little);
    // 543.0 is what a firewall of Nokia's writes; tcpdump reads it too.
    if (!(major === 2 && minor <= 4) && !(major === 543 && minor === 0)) {
      throw badCapture(4, `pcap version ${major}.${minor}, not 2.0 to 2.4`);
    }
    const field = view.getUint32(20, little);
    const checkBytes = (field & 0x0400_0000) === 0 ? 0 : (field >>> 28) * 2;
    this.#link = { linkType: field & 0xffff, checkBytes };
    this.#queue = queue;
    this.#tally = tally;
    this.#builder = builder;
    this.#little = little;
    this.#perSecond = magic === MAGIC_NANOSECONDS ? 1_000_000_000 : 1_000_000;
    this.#headerBytes = RECORD_HEADER_BYTES + (magic === MAGIC_LONG_HEADERS ? LONG_HEADER_EXTRA_BYTES : 0);
    this.#minor = major === 2 ? minor : 4;
    queue.drop(FILE_HEADER_BYTES);
  }

  /** The link type of every frame of the file. */
  get linkType(): number {
    return this.#link.linkType;
  }

  /** The next frame; "more" when bytes are missing that may still come, "end" when nothing is left. */
  next(atEnd: boolean): CaptureFrame | "more" | "end" {
    for (;;) {
      if (this.#searched >= 0 && !this.#search(atEnd)) return atEnd ? "end" : "more";
      const { length } = this.#queue;
      if (length < this.#headerBytes) {
        if (!atEnd) return "more";
        if (length > 0) this.#tally.skip("cut-record", this.#queue.drop(length));
        return "end";
      }
      const head = this.#queue.peek(this.#headerBytes);
      const header = this.#headerAt(new DataView(head.buffer, head.byteOffset, head.byteLength), 0);
      if (header.includedBytes > MAX_FRAME_BYTES) {
        this.#startSearch("damaged-bytes");
        continue;
      }
      const wholeBytes = this.#headerBytes + header.includedBytes;
      if (length < wholeBytes) {
        if (!atEnd) return "more";
        // Either the file was cut here, or a wrong length hides records behind it.
        this.#startSearch("cut-record");
        continue;
      }
      const record = this.#queue.peek(wholeBytes);
      this.#queue.drop(wholeBytes);
      const frame = this.#frame(header, record.subarray(this.#headerBytes));
      if (frame !== undefined) return frame;
    }
  }

  #frame(header: RecordHeader, bytes: Uint8Array): CaptureFrame | undefined {
    const { seconds, fraction, originalBytes } = header;
    if (bytes.length === 0 && originalBytes === 0 && seconds === 0 && fraction === 0) {
      this.#tally.skip("empty-record", this.#headerBytes);
      return undefined;
    }
    if (fraction >= this.#perSecond) this.#tally.mend("fraction-carried");
    const carried = Math.floor(fraction / this.#perSecond);
    const nsPerUnit = 1_000_000_000 / this.#perSecond;
    const stamp = { seconds: seconds + carried, ns: (fraction - carried * this.#perSecond) * nsPerUnit };
    this.#lastSeconds = seconds;
    return this.#builder.build(this.#link, stamp, bytes, originalBytes);
  }

  #headerAt(view: DataView, at: number): RecordHeader {
    const first = view.getUint32(at + 8, this.#little);
    const second = view.getUint32(at + 12, this.#little);
    const swapped = this.#minor < 3 || (this.#minor === 3 && first > second);
    return {
      seconds: view.getUint32(at, this.#little),
      fraction: view.getUint32(at + 4, this.#little),
      includedBytes: swapped ? second : first,
      originalBytes: swapped ? first : second,
    };
  }

  #startSearch(kind: Skipped): void {
    this.#searched = 0;
    this.#searchedKind = kind;
  }

  /** Go on to the next place that looks like a record. False when it is not among the bytes that are there. */
  #search(atEnd: boolean): boolean {
    const bytes = this.#queue.peek(this.#queue.length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = this.#searched === 0 ? 1 : 0; ; at += 1) {
      const isThere = at + this.#headerBytes <= bytes.length;
      const found = isThere ? this.#recordAt(view, at, atEnd) : atEnd ? false : undefined;
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

  /** Whether a record begins here: undefined when that cannot be told before more bytes have come. */
  #recordAt(view: DataView, at: number, atEnd: boolean): boolean | undefined {
    // Nearly every place fails here, before anything is made of it.
    if (view.getUint32(at + 8, this.#little) > PLAUSIBLE_BYTES) return false;
    const header = this.#headerAt(view, at);
    if (!this.#isPlausible(header, this.#lastSeconds)) return false;
    const next = at + this.#headerBytes + header.includedBytes;
    if (next + this.#headerBytes <= view.byteLength) {
      return this.#isPlausible(this.#headerAt(view, next), header.seconds);
    }
    if (!atEnd) return undefined;
    return next <= view.byteLength;
  }

  #isPlausible({ seconds, fraction, includedBytes, originalBytes }: RecordHeader, lastSeconds: number): boolean {
    return (
      includedBytes > 0 &&
      includedBytes <= originalBytes &&
      originalBytes <= PLAUSIBLE_BYTES &&
      fraction < this.#perSecond &&
      (lastSeconds === 0 || Math.abs(seconds - lastSeconds) <= SECONDS_A_DAY)
    );
  }
}
