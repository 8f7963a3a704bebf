/**
 * The bytes of a recording: as they are, or out of gzip, zstd or a zip, told by their first bytes, one in the other too.
 *
 * Lengths in headers are never believed: what is unpacked is counted as it comes, and a budget ends it.
 */
import { badTrace } from "../notes.js";
import { ByteQueue } from "./byte-queue.js";
import { inflate } from "./inflate.js";
import { crc32, isZip, onlyEntry } from "./zip.js";
import { isZstd, type OnCut, unzstd } from "./zstd.js";

export { ByteQueue } from "./byte-queue.js";
export { frameOf } from "./zstd.js";

const START = { line: 1, column: 1 } as const;
/** A zip in a gzip in a zip is as far as anybody goes. */
const MOST_LAYERS = 3;
const ZIP_MOST_BYTES = 2 ** 30;
const STORED = 0;
const DEFLATED = 8;

/** Bytes from memory or from a stream. */
export type ByteSource = Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

const PIECE = 65536;

async function* piecesOf(source: ByteSource): AsyncGenerator<Uint8Array> {
  if (source instanceof Uint8Array) {
    for (let at = 0; at < source.length; at += PIECE) yield source.subarray(at, at + PIECE);
  } else yield* source;
}

async function all(queue: ByteQueue): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of queue.rest()) {
    length += piece.length;
    if (length > ZIP_MOST_BYTES) badTrace(START, `a zip of more than ${ZIP_MOST_BYTES} bytes`);
    pieces.push(piece);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

async function* unzip(queue: ByteQueue): AsyncGenerator<Uint8Array> {
  const { method, packed, crc } = onlyEntry(await all(queue));
  if (method !== STORED && method !== DEFLATED) badTrace(START, "a zip packed by an unknown method", method);
  const cut: OnCut = () => badTrace(START, "a zip whose file is cut off");
  const unpacked = method === STORED ? piecesOf(packed) : inflate(piecesOf(packed), "deflate-raw", cut);
  let found = 0;
  for await (const piece of unpacked) {
    found = crc32(found, piece);
    yield piece;
  }
  if (found !== crc) badTrace(START, "damaged zip: the checksum is another one");
}

async function* counted(pieces: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let total = 0;
  for await (const piece of pieces) {
    total += piece.length;
    if (total > most) badTrace(START, `more than ${most} bytes when unpacked`);
    yield piece;
  }
}

/**
 * The unpacked bytes in pieces. `BAD_TRACE` for damage and beyond `most` bytes; packed data that only ends too early is told
 * to `onCut`, and what was whole of it has been handed on.
 */
export async function* unpack(source: ByteSource, most: number, onCut: OnCut): AsyncGenerator<Uint8Array> {
  let pieces = counted(piecesOf(source), most);
  for (let layer = 0; ; layer++) {
    const queue = new ByteQueue(pieces);
    await queue.fill(4);
    const head = queue.peek(Math.min(4, queue.length));
    const isGzip = head[0] === 0x1f && head[1] === 0x8b;
    const isPacked = isGzip || isZstd(head) || isZip(head);
    if (!isPacked) {
      yield* queue.rest();
      return;
    }
    if (layer === MOST_LAYERS) badTrace(START, `packed more than ${MOST_LAYERS} times`);
    const unpacked = isGzip ? inflate(queue.rest(), "gzip", onCut) : isZip(head) ? unzip(queue) : unzstd(queue, onCut);
    pieces = counted(unpacked, most);
  }
}
