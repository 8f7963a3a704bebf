/** Writing captures: classic pcap, whole or record by record. */
import { FILE_HEADER_BYTES, MAGIC_MICROSECONDS, MAGIC_NANOSECONDS, RECORD_HEADER_BYTES } from "./classic.js";

/** What goes into the header of a written capture. */
export interface CaptureFormat {
  /** Default 1, Ethernet. */
  readonly linkType?: number;
  /** Default 262,144. */
  readonly snapLengthBytes?: number;
  /** Default false. */
  readonly bigEndian?: boolean;
  /** Default false: microseconds, and what is finer is cut off. */
  readonly nanoseconds?: boolean;
  /** Stamp of a frame at `timeNs` 0, in seconds since 1970. Default 0. */
  readonly startSeconds?: number;
}

/** A frame to be written. */
export interface WrittenFrame {
  /** Nanoseconds after `startSeconds`; may go backwards. */
  readonly timeNs: number;
  readonly bytes: Uint8Array;
  /** Default: the length of the bytes. */
  readonly originalLengthBytes?: number;
}

/** The 24 bytes with which a file begins. */
export function captureHeader(format: CaptureFormat = {}): Uint8Array<ArrayBuffer> {
  const little = !(format.bigEndian ?? false);
  const file = new Uint8Array(FILE_HEADER_BYTES);
  const view = new DataView(file.buffer);
  view.setUint32(0, format.nanoseconds ? MAGIC_NANOSECONDS : MAGIC_MICROSECONDS, little);
  view.setUint16(4, 2, little);
  view.setUint16(6, 4, little);
  view.setUint32(16, format.snapLengthBytes ?? 262_144, little);
  view.setUint32(20, format.linkType ?? 1, little);
  return file;
}

/** One record: its header and the frame's bytes. */
export function captureRecord(frame: WrittenFrame, format: CaptureFormat = {}): Uint8Array<ArrayBuffer> {
  const little = !(format.bigEndian ?? false);
  const record = new Uint8Array(RECORD_HEADER_BYTES + frame.bytes.length);
  const view = new DataView(record.buffer);
  const seconds = Math.floor(frame.timeNs / 1_000_000_000);
  const restNs = frame.timeNs - seconds * 1_000_000_000;
  view.setUint32(0, (format.startSeconds ?? 0) + seconds, little);
  view.setUint32(4, format.nanoseconds ? restNs : Math.floor(restNs / 1000), little);
  view.setUint32(8, frame.bytes.length, little);
  view.setUint32(12, frame.originalLengthBytes ?? frame.bytes.length, little);
  record.set(frame.bytes, RECORD_HEADER_BYTES);
  return record;
}

/**
 * A whole file. What `readCapture` would mend or refuse can be written: nothing is checked here, so that a test can make a
 * bad file.
 */
export function writeCapture(frames: readonly WrittenFrame[], format: CaptureFormat = {}): Uint8Array<ArrayBuffer> {
  const parts = [captureHeader(format), ...frames.map((frame) => captureRecord(frame, format))];
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.length;
  }
  return file;
}
