/**
 * The bytes of a recording: as they are, out of a gzip, or out of the one file in a zip.
 *
 * Lengths in headers are never believed: what is inflated is counted as it comes, and a budget ends it.
 */
import { badTrace } from "./lines.js";

const START = { line: 1, column: 1 } as const;

const ZIP_END = 0x06054b50;
const ZIP_ENTRY = 0x02014b50;
const ZIP_LOCAL = 0x04034b50;
const ZIP_END_BYTES = 22;
const ZIP_ENTRY_BYTES = 46;
const ZIP_LOCAL_BYTES = 30;
const ZIP_LONGEST_COMMENT = 0xffff;
const STORED = 0;
const DEFLATED = 8;

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5);
}

/** Where the one file of a zip lies. `BAD_TRACE` for a damaged zip, and for one with more files or none. */
function zipEntry(bytes: Uint8Array): { readonly method: number; readonly packed: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const within = (at: number, length: number): number =>
    at >= 0 && at + length <= bytes.length ? at : badTrace(START, "a zip with an offset beyond its end", at);
  const last = bytes.length - ZIP_END_BYTES;
  let end = last;
  while (end >= 0 && end >= last - ZIP_LONGEST_COMMENT && view.getUint32(end, true) !== ZIP_END) end -= 1;
  if (end < 0 || end < last - ZIP_LONGEST_COMMENT) badTrace(START, "a zip without its directory");
  const files = view.getUint16(end + 10, true);
  if (files !== 1) badTrace(START, "a zip must hold one file", files);
  const entry = within(view.getUint32(end + 16, true), ZIP_ENTRY_BYTES);
  if (view.getUint32(entry, true) !== ZIP_ENTRY) badTrace(START, "a zip with a damaged directory");
  const method = view.getUint16(entry + 10, true);
  const length = view.getUint32(entry + 20, true);
  const local = within(view.getUint32(entry + 42, true), ZIP_LOCAL_BYTES);
  if (view.getUint32(local, true) !== ZIP_LOCAL) badTrace(START, "a zip with a damaged file");
  const data = local + ZIP_LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  return { method, packed: bytes.subarray(within(data, length), data + length) };
}

async function* inflated(packed: Uint8Array, format: "gzip" | "deflate-raw", most: number): AsyncGenerator<Uint8Array> {
  const inflate = new DecompressionStream(format);
  const writer = inflate.writable.getWriter();
  const reader = inflate.readable.getReader();
  // The reader hears of damage; the writer's promises only repeat it.
  const silent = (): void => {};
  writer.write(packed).then(silent, silent);
  writer.close().then(silent, silent);
  let total = 0;
  for (;;) {
    let chunk: { readonly done: boolean; readonly value?: Uint8Array | undefined };
    try {
      chunk = await reader.read();
    } catch (error) {
      return badTrace(START, "damaged compressed data", undefined, error);
    }
    if (chunk.done || chunk.value === undefined) return;
    total += chunk.value.length;
    if (total > most) {
      await reader.cancel();
      badTrace(START, `more than ${most} bytes when unpacked`);
    }
    yield chunk.value;
  }
}

/** The bytes of a recording in pieces; `BAD_TRACE` for damage, and beyond `most` bytes. */
export async function* unpack(bytes: Uint8Array, most: number): AsyncGenerator<Uint8Array> {
  if (isGzip(bytes)) {
    yield* inflated(bytes, "gzip", most);
  } else if (isZip(bytes)) {
    const { method, packed } = zipEntry(bytes);
    if (method === DEFLATED) yield* inflated(packed, "deflate-raw", most);
    else if (method === STORED) yield packed;
    else badTrace(START, "a zip packed by an unknown method", method);
  } else {
    if (bytes.length > most) badTrace(START, `more than ${most} bytes`);
    yield bytes;
  }
}
