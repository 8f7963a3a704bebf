/**
 * zstd (RFC 8878): frames one after the other, each decoded by fzstd, each checked here.
 *
 * fzstd decodes well and checks nothing: of 24 files with one wrong bit it gave wrong bytes for 22 without a word. So the
 * frame's header and blocks are walked here, block by block, and what comes out is compared with the frame's XXH64 and, where it
 * is given, with the length that the header promises. Windows above 128 MiB, dictionaries, and what unpacks to more than the
 * budget are refused.
 */
import { Decompress } from "fzstd";
import { badTrace } from "../notes.js";
import type { ByteQueue } from "./byte-queue.js";
import { Xxh64 } from "./xxh64.js";

const START = { line: 1, column: 1 } as const;

const ZSTD_MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const BLOCK_MOST = 128 * 1024;
const WINDOW_MOST = 2 ** 27;
const RAW_BLOCK = 0;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

function u32(bytes: Uint8Array, at = 0): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 4);
  return view.getUint32(0, true);
}

/** Does a zstd frame, or one to be skipped, begin like this? */
export function isZstd(head: Uint8Array): boolean {
  return head.length >= 4 && (u32(head) === ZSTD_MAGIC || (u32(head) & 0xfffffff0) >>> 0 === SKIPPABLE);
}

interface FrameHeader {
  readonly bytes: number;
  readonly hasChecksum: boolean;
  /** Bytes of content, where the header says. */
  readonly content: number | undefined;
}

/** The header behind the magic; at most 14 bytes are looked at. */
function frameHeader(head: Uint8Array): FrameHeader {
  const descriptor = head[0] as number;
  const isSingle = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x08) !== 0) badTrace(START, "a zstd frame of a later version");
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  const contentBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  let at = 1;
  let window = 0;
  if (!isSingle) {
    const byte = head[at++] as number;
    const base = 2 ** (10 + (byte >> 3));
    window = base + (base / 8) * (byte & 7);
  }
  for (let i = 0; i < dictionaryBytes; i++) {
    if (head[at + i] !== 0) badTrace(START, "a zstd frame that needs a dictionary");
  }
  at += dictionaryBytes;
  let content = 0;
  for (let i = 0; i < contentBytes; i++) content += (head[at + i] ?? 0) * 2 ** (8 * i);
  if (contentBytes === 2) content += 256;
  if (isSingle) window = content;
  if (window > WINDOW_MOST) badTrace(START, `a zstd window above ${WINDOW_MOST} bytes`, window);
  return {
    bytes: at + contentBytes,
    hasChecksum: (descriptor & 4) !== 0,
    content: contentBytes === 0 ? undefined : content,
  };
}

/** Said once where the data ends inside a frame. */
export type OnCut = (why: string) => void;

/** What the frames hold. */
export async function* unzstd(queue: ByteQueue, onCut: OnCut): AsyncGenerator<Uint8Array> {
  while (await queue.fill(1)) {
    if (!(await queue.fill(4))) return onCut("a zstd frame that is cut off");
    const magic = u32(queue.peek(4));
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) {
      if (!(await skipFrame(queue))) return onCut("a zstd frame that is cut off");
    } else if (magic === ZSTD_MAGIC) {
      if (!(yield* oneFrame(queue))) return onCut("a zstd frame that is cut off");
    } else badTrace(START, "bytes behind a zstd frame that are none");
  }
}

async function skipFrame(queue: ByteQueue): Promise<boolean> {
  if (!(await queue.fill(8))) return false;
  let left = u32(queue.take(8), 4);
  while (left > 0 && (await queue.fill(1))) left -= queue.take(Math.min(left, queue.length)).length;
  return left === 0;
}

/** Returns false where the frame is cut off. */
async function* oneFrame(queue: ByteQueue): AsyncGenerator<Uint8Array, boolean> {
  if (!(await queue.fill(5))) return false;
  await queue.fill(18);
  const header = frameHeader(queue.peek(Math.min(queue.length, 18)).subarray(4));
  if (!(await queue.fill(4 + header.bytes))) return false;
  let out: Uint8Array[] = [];
  const decoder = new Decompress((data) => {
    if (data.length > 0) out.push(data);
  });
  const push = (bytes: Uint8Array): void => {
    try {
      decoder.push(bytes.slice());
    } catch (error) {
      badTrace(START, "damaged zstd data", undefined, error);
    }
  };
  push(queue.take(4 + header.bytes));
  const hash = new Xxh64();
  let length = 0;
  for (let isLast = false; !isLast; ) {
    if (!(await queue.fill(3))) return false;
    const [a, b, c] = queue.peek(3) as unknown as [number, number, number];
    isLast = (a & 1) !== 0;
    const type = (a >> 1) & 3;
    const size = (a | (b << 8) | (c << 16)) >>> 3;
    if (type === RESERVED_BLOCK) badTrace(START, "damaged zstd data: a reserved kind of block");
    if (size > BLOCK_MOST) badTrace(START, "damaged zstd data: a block above 128 KiB", size);
    const packed = type === RLE_BLOCK ? 1 : size;
    if (!(await queue.fill(3 + packed))) return false;
    push(queue.take(3 + packed));
    for (const data of out) {
      if (data.length > BLOCK_MOST || (type <= RLE_BLOCK && type >= RAW_BLOCK && data.length > size)) {
        badTrace(START, "damaged zstd data: a block that is too long");
      }
      hash.update(data);
      length += data.length;
      yield data;
    }
    out = [];
  }
  if (header.content !== undefined && length !== header.content) {
    badTrace(START, `damaged zstd data: ${header.content} bytes were promised`, length);
  }
  if (header.hasChecksum) {
    if (!(await queue.fill(4))) return false;
    if (u32(queue.take(4)) !== hash.digest()[1]) badTrace(START, "damaged zstd data: the checksum is another one");
  }
  return true;
}

/** A sound frame that holds `body` unpacked, with its checksum: for tests and for fuzzing. At most 128 KiB. */
export function frameOf(body: Uint8Array): Uint8Array {
  if (body.length > BLOCK_MOST) throw new RangeError(`a frame of more than ${BLOCK_MOST} bytes`);
  const hash = new Xxh64();
  hash.update(body);
  const frame = new Uint8Array(4 + 2 + 3 + body.length + 4);
  const view = new DataView(frame.buffer);
  view.setUint32(0, ZSTD_MAGIC, true);
  frame[4] = 4; // a checksum, no content size
  frame[5] = 0x38; // a window of 128 KiB
  const block = body.length * 8 + 1;
  frame.set([block & 0xff, (block >> 8) & 0xff, (block >> 16) & 0xff], 6);
  frame.set(body, 9);
  view.setUint32(9 + body.length, hash.digest()[1], true);
  return frame;
}
