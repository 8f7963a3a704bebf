/**
 * A zip that holds one file.
 *
 * Its directory stands at its end, so the packed bytes are kept, up to a budget. Lengths and offsets are held against the
 * file; what is unpacked is compared with the directory's CRC-32.
 */
import { badTrace } from "../notes.js";

const START = { line: 1, column: 1 } as const;

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const LONGEST_COMMENT = 0xffff;
const MOST_ENTRIES = 4096;

export interface ZipEntry {
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly packed: Uint8Array;
  readonly crc: number;
}

export function isZip(head: Uint8Array): boolean {
  return head[0] === 0x50 && head[1] === 0x4b && (head[2] === 3 || head[2] === 5);
}

/** The one file of a zip; folders and the notes of an operating system beside it do not count. `BAD_TRACE` otherwise. */
export function onlyEntry(bytes: Uint8Array): ZipEntry {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const within = (at: number, length: number): number =>
    at >= 0 && at + length <= bytes.length ? at : badTrace(START, "a zip with an offset beyond its end", at);
  const last = bytes.length - END_BYTES;
  let end = last;
  while (end >= 0 && end >= last - LONGEST_COMMENT && view.getUint32(end, true) !== END) end -= 1;
  if (end < 0 || end < last - LONGEST_COMMENT) badTrace(START, "a zip without its directory");
  const count = view.getUint16(end + 10, true);
  if (count > MOST_ENTRIES) badTrace(START, "a zip of too many files", count);
  const files: number[] = [];
  let entry = view.getUint32(end + 16, true);
  for (let i = 0; i < count; i++) {
    within(entry, ENTRY_BYTES);
    if (view.getUint32(entry, true) !== ENTRY) badTrace(START, "a zip with a damaged directory");
    const nameLength = view.getUint16(entry + 28, true);
    within(entry + ENTRY_BYTES, nameLength);
    const name = String.fromCharCode(
      ...bytes.subarray(entry + ENTRY_BYTES, entry + ENTRY_BYTES + Math.min(nameLength, 1024)),
    );
    if (!name.endsWith("/") && !name.startsWith("__MACOSX/")) files.push(entry);
    entry += ENTRY_BYTES + nameLength + view.getUint16(entry + 30, true) + view.getUint16(entry + 32, true);
  }
  if (files.length !== 1) badTrace(START, "a zip must hold one file", files.length);
  const file = files[0] as number;
  if ((view.getUint16(file + 8, true) & 1) !== 0) badTrace(START, "a zip with a password");
  const length = view.getUint32(file + 20, true);
  const local = within(view.getUint32(file + 42, true), LOCAL_BYTES);
  if (view.getUint32(local, true) !== LOCAL) badTrace(START, "a zip with a damaged file");
  const data = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  return {
    method: view.getUint16(file + 10, true),
    packed: bytes.subarray(within(data, length), data + length),
    crc: view.getUint32(file + 16, true),
  };
}

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) !== 0 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 of zip, a piece at a time; begin with 0. */
export function crc32(before: number, bytes: Uint8Array): number {
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ (TABLE[(crc ^ (bytes[i] as number)) & 0xff] as number);
  return ~crc >>> 0;
}
