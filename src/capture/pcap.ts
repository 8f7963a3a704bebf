/**
 * Classic pcap: frames with the moment each was seen.
 *
 * The file is a 24-byte header and then records, each a 16-byte header and the frame's bytes. All integers are unsigned
 * and in the byte order that the magic number shows:
 *
 *   header   0 magic u32   4 major u16   6 minor u16   8 zone i32   12 figures u32   16 snap length u32   20 link type u32
 *   record   0 seconds u32   4 fraction u32   8 included length u32   12 original length u32   16 bytes
 *
 *   magic a1b2c3d4: the fraction counts microseconds.   magic a1b23c4d: it counts nanoseconds.
 *
 * The file is somebody else's, so nothing in it is believed: no length is used before it was compared with what is left,
 * and nothing is allocated from a number in a header. Frames are views into the input, never copies. A file that ends
 * in the middle of a record, or says what cannot be, is `BAD_CAPTURE` with the offset of the field at fault.
 *
 * The snap length is a hint of the recorder, not a bound on what follows (tcpdump writes 262,144 by default), so it is
 * reported and not judged. Files of the newer kind (pcapng) are refused by name.
 *
 * Format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap (PCAP Capture File Format).
 */
import { ShmemError } from "../../bindings/index.js";

/** One frame. */
export interface CaptureFrame {
  /** When it was seen, in nanoseconds after the first frame: an integer, 0 to 2^53 - 1, never less than its predecessor's. */
  readonly timeNs: number;
  /** The bytes that were recorded: 0 to 65,535 of them. A view into the input. */
  readonly bytes: Uint8Array;
  /** How long the frame was on the wire, in bytes. More than `bytes.length` when the recorder cut it. */
  readonly originalLengthBytes: number;
}

/** A file of frames. */
export interface Capture {
  /** What kind of frames these are, as registered at tcpdump.org (1 is Ethernet). The low 16 bits of the field. */
  readonly linkType: number;
  /** Where the recorder said it would cut, in bytes. */
  readonly snapLengthBytes: number;
  /** True when the file is in big-endian byte order. */
  readonly bigEndian: boolean;
  /** True when stamps were in nanoseconds, false for microseconds. */
  readonly nanoseconds: boolean;
  readonly frames: readonly CaptureFrame[];
  /** Frames whose stamp was earlier than their predecessor's; they were moved to its moment. */
  readonly clampedStamps: number;
  /** Bytes in all frames, as recorded. */
  readonly totalBytes: number;
}

/** The longest frame a capture may hold, in bytes. */
export const MAX_FRAME_BYTES = 65_535;

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;

/** What other files begin with, as a big-endian word, so that a mistake is answered with a hint. */
const OTHER_MAGICS: ReadonlyMap<number, string> = new Map([
  [0x0a0d0d0a, "this is a pcapng file; convert it with `editcap -F pcap` or `tcpdump -r IN -w OUT`"],
  [0xa1b2cd34, "this is a pcap file with modified record headers; convert it with `editcap -F pcap`"],
  [0x34cdb2a1, "this is a pcap file with modified record headers; convert it with `editcap -F pcap`"],
]);

/**
 * Read a classic pcap file held in memory.
 *
 * Refuses with `BAD_CAPTURE`, `value` the byte offset, unit `offset`: no pcap magic, a version other than 2.4, a record cut
 * off by the end of the file, a frame longer than 65,535 bytes, more bytes included than the frame had, a fraction of a
 * second that is a whole one, a stamp 2^53 nanoseconds (104 days) or more from the first. `INVALID_ARGUMENT` when `file`
 * is no Uint8Array. Cost: in proportion to the number of frames.
 */
export function readCapture(file: Uint8Array): Capture {
  if (!(file instanceof Uint8Array)) {
    throw new ShmemError("INVALID_ARGUMENT", "a capture is read from a Uint8Array", {
      value: file,
      unit: "bytes",
      field: "file",
    });
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const header = readHeader(view);
  const little = !header.bigEndian;
  const perSecond = header.nanoseconds ? 1_000_000_000 : 1_000_000;
  const nsPerUnit = 1_000_000_000 / perSecond;
  const frames: CaptureFrame[] = [];
  let totalBytes = 0;
  let clampedStamps = 0;
  let firstSeconds = 0;
  let firstFraction = 0;
  let previousNs = 0;

  for (let offset = FILE_HEADER_BYTES; offset < file.length; ) {
    const left = file.length - offset;
    if (left < RECORD_HEADER_BYTES) {
      throw bad(offset, `the file ends inside a record header: ${left} of ${RECORD_HEADER_BYTES} bytes`);
    }
    const seconds = view.getUint32(offset, little);
    const fraction = view.getUint32(offset + 4, little);
    const included = view.getUint32(offset + 8, little);
    const original = view.getUint32(offset + 12, little);
    if (fraction >= perSecond) {
      throw bad(offset + 4, `a fraction of a second of ${fraction}, of ${perSecond} in a second`);
    }
    if (included > MAX_FRAME_BYTES) {
      throw bad(offset + 8, `a frame of ${included} bytes, longer than ${MAX_FRAME_BYTES}`);
    }
    if (included > left - RECORD_HEADER_BYTES) {
      throw bad(offset + 8, `the file ends inside a frame: ${left - RECORD_HEADER_BYTES} of ${included} bytes`);
    }
    if (original < included) {
      throw bad(offset + 12, `${included} bytes recorded of a frame of ${original}`);
    }
    if (frames.length === 0) {
      firstSeconds = seconds;
      firstFraction = fraction;
    }
    // Both differences are exact, and so is the sum as long as it is a safe integer, which is checked before it is used.
    let timeNs = (seconds - firstSeconds) * 1_000_000_000 + (fraction - firstFraction) * nsPerUnit;
    if (timeNs > Number.MAX_SAFE_INTEGER) {
      throw bad(offset, `a stamp ${seconds - firstSeconds} seconds after the first frame, more than 2^53 nanoseconds`);
    }
    if (timeNs < previousNs) {
      timeNs = previousNs;
      clampedStamps += 1;
    }
    previousNs = timeNs;
    const start = offset + RECORD_HEADER_BYTES;
    frames.push({ timeNs, bytes: file.subarray(start, start + included), originalLengthBytes: original });
    totalBytes += included;
    offset = start + included;
  }
  return { ...header, frames, clampedStamps, totalBytes };
}

type Header = Pick<Capture, "linkType" | "snapLengthBytes" | "bigEndian" | "nanoseconds">;

function readHeader(view: DataView): Header {
  if (view.byteLength < 4) {
    throw bad(0, `no capture: ${view.byteLength} bytes`);
  }
  const magic = view.getUint32(0, false);
  const swapped = view.getUint32(0, true);
  const bigEndian = magic === MAGIC_MICROSECONDS || magic === MAGIC_NANOSECONDS;
  if (!bigEndian && swapped !== MAGIC_MICROSECONDS && swapped !== MAGIC_NANOSECONDS) {
    const hint =
      OTHER_MAGICS.get(magic) ?? (magic >>> 16 === 0x1f8b ? "this is a gzip file; unpack it first" : "no pcap magic");
    throw bad(0, `not a classic pcap file: ${hint}`);
  }
  if (view.byteLength < FILE_HEADER_BYTES) {
    throw bad(view.byteLength, `the file ends inside its header: ${view.byteLength} of ${FILE_HEADER_BYTES} bytes`);
  }
  const little = !bigEndian;
  const major = view.getUint16(4, little);
  const minor = view.getUint16(6, little);
  if (major !== 2 || minor !== 4) {
    throw bad(4, `pcap version ${major}.${minor}, not 2.4`);
  }
  return {
    bigEndian,
    nanoseconds: (bigEndian ? magic : swapped) === MAGIC_NANOSECONDS,
    snapLengthBytes: view.getUint32(16, little),
    // The upper half says how many check bytes end each frame; it does not change how frames are read.
    linkType: view.getUint32(20, little) & 0xffff,
  };
}

function bad(offset: number, why: string): ShmemError {
  return new ShmemError("BAD_CAPTURE", `${why} (at offset ${offset})`, { value: offset, unit: "offset" });
}

/** What `writeCapture` puts into the header. */
export interface CaptureFormat {
  /** Default 1, Ethernet. */
  readonly linkType?: number;
  /** Default 65,535. */
  readonly snapLengthBytes?: number;
  /** Default false. */
  readonly bigEndian?: boolean;
  /** Default false: microseconds, and what is finer is cut off. */
  readonly nanoseconds?: boolean;
  /** Stamp of a frame at `timeNs` 0, in seconds since 1970. Default 0. */
  readonly startSeconds?: number;
}

/**
 * Write frames as a classic pcap file. `timeNs` counts from `startSeconds` and may go backwards; `originalLengthBytes`
 * defaults to the length of the bytes. What `readCapture` would refuse can be written: nothing is checked here, so that
 * a test can make a bad file.
 */
export function writeCapture(
  frames: readonly { readonly timeNs: number; readonly bytes: Uint8Array; readonly originalLengthBytes?: number }[],
  format: CaptureFormat = {},
): Uint8Array {
  const little = !(format.bigEndian ?? false);
  const nanoseconds = format.nanoseconds ?? false;
  const size = frames.reduce((sum, frame) => sum + RECORD_HEADER_BYTES + frame.bytes.length, FILE_HEADER_BYTES);
  const file = new Uint8Array(size);
  const view = new DataView(file.buffer);
  view.setUint32(0, nanoseconds ? MAGIC_NANOSECONDS : MAGIC_MICROSECONDS, little);
  view.setUint16(4, 2, little);
  view.setUint16(6, 4, little);
  view.setUint32(16, format.snapLengthBytes ?? MAX_FRAME_BYTES, little);
  view.setUint32(20, format.linkType ?? 1, little);
  let offset = FILE_HEADER_BYTES;
  for (const frame of frames) {
    const seconds = Math.floor(frame.timeNs / 1_000_000_000);
    const restNs = frame.timeNs - seconds * 1_000_000_000;
    view.setUint32(offset, (format.startSeconds ?? 0) + seconds, little);
    view.setUint32(offset + 4, nanoseconds ? restNs : Math.floor(restNs / 1000), little);
    view.setUint32(offset + 8, frame.bytes.length, little);
    view.setUint32(offset + 12, frame.originalLengthBytes ?? frame.bytes.length, little);
    file.set(frame.bytes, offset + RECORD_HEADER_BYTES);
    offset += RECORD_HEADER_BYTES + frame.bytes.length;
  }
  return file;
}
