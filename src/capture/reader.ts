/**
 * Reading captures: the format by content, classic pcap or pcapng, either of them in gzip; whole or in pieces.
 *
 * The file is somebody else's, so nothing in it is believed: no length is used before it was compared with a limit, and
 * nothing is allocated from a number in a header. What is whole in a damaged file is read, and what was mended or skipped
 * is counted (`CaptureSummary`); with `strict` the first such thing refuses the file. At most one frame (16 MiB) and a chunk
 * of the input are held, whatever the file's length, and a file that is no capture is refused by its first bytes.
 */
import { ShmemError } from "../../bindings/index.js";
import { ByteQueue } from "./byte-queue.js";
import { ClassicReader, classicMagic, FILE_HEADER_BYTES } from "./classic.js";
import { badCapture, badLinkType } from "./errors.js";
import type { CaptureFrame, CaptureSummary } from "./frame.js";
import { FrameBuilder } from "./frame-builder.js";
import { gunzip } from "./gunzip.js";
import { linkTypeName } from "./link-types.js";
import { PcapngReader, SECTION_HEADER } from "./pcapng.js";
import { Tally } from "./tally.js";

/** How a capture is read. */
export interface CaptureOptions {
  /** Play frames of every link type as they are, where they are neither Ethernet nor converted to it. Default false. */
  readonly anyLinkType?: boolean;
  /** Refuse the file, with `BAD_CAPTURE`, at the first thing that would be mended or skipped. Default false. */
  readonly strict?: boolean;
}

/** A capture that is being read, from its first frame on. */
export interface CaptureReader {
  /** The next frames, in order: at least one, or none at the end. Rejects with `BAD_CAPTURE` for what is no capture. */
  next(): Promise<readonly CaptureFrame[]>;
  /** What was read so far. */
  readonly summary: CaptureSummary;
  /** Lets go of the input. */
  close(): Promise<void>;
}

/** A capture that can be read as often as needed. */
export interface CaptureSource {
  /** Begin at the first frame. */
  open(): CaptureReader;
}

/** A whole capture in memory. */
export interface Capture extends CaptureSource {
  readonly frames: readonly CaptureFrame[];
  readonly summary: CaptureSummary;
}

/** The bytes of a file, in order, in chunks of any size. They must not change after they were handed over. */
export type ByteChunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Frames that are handed out at once, at most: enough to make the waiting cheap, few enough to be nothing in memory. */
const BATCH_FRAMES = 1024;
const GZIP_MAGIC = 0x1f8b;
const EMPTY: readonly CaptureFrame[] = [];

/** From bytes to frames, without waiting: pushed by whoever has the bytes. */
export class CaptureParser {
  readonly #queue = new ByteQueue();
  readonly tally: Tally;
  readonly #builder: FrameBuilder;
  #format: ClassicReader | PcapngReader | undefined;

  constructor({ anyLinkType = false, strict = false }: CaptureOptions) {
    const refuse = (kind: string): void => {
      if (strict) throw badCapture(this.#queue.offset, `${kind.replaceAll("-", " ")}, and \`strict\` mends nothing`);
    };
    this.tally = new Tally(refuse);
    this.#builder = new FrameBuilder(this.tally, anyLinkType);
  }

  push(chunk: Uint8Array): void {
    this.#queue.push(chunk);
  }

  /** The next frame; "more" when bytes are missing, which never happens `atEnd`. */
  next(atEnd: boolean): CaptureFrame | "more" | "end" {
    this.#format ??= this.#recognize(atEnd);
    if (this.#format === undefined) return "more";
    const found = this.#format.next(atEnd);
    if (found === "end") this.#expectFrames(this.#format);
    return found;
  }

  #recognize(atEnd: boolean): ClassicReader | PcapngReader | undefined {
    const { length } = this.#queue;
    if (length < 4) {
      if (atEnd) throw badCapture(0, `no capture: ${length} bytes`);
      return undefined;
    }
    const head = this.#queue.peek(4);
    const view = new DataView(head.buffer, head.byteOffset, 4);
    const magic = view.getUint32(0, false);
    if (magic === SECTION_HEADER) {
      this.tally.format = "pcapng";
      return new PcapngReader(this.#queue, this.tally, this.#builder);
    }
    if (classicMagic(view) === undefined) {
      throw badCapture(
        0,
        magic >>> 16 === GZIP_MAGIC
          ? "not a capture: a gzip file (in a gzip file, or read by `readCapture`, which does not unpack; `openCapture` does)"
          : "not a capture: neither pcap nor pcapng begins like this",
      );
    }
    if (length < FILE_HEADER_BYTES) {
      if (atEnd) throw badCapture(length, `the file ends inside its header: ${length} of ${FILE_HEADER_BYTES} bytes`);
      return undefined;
    }
    const reader = new ClassicReader(this.#queue, this.tally, this.#builder);
    if (!this.#builder.plays(reader.linkType)) throw badLinkType(reader.linkType, linkTypeName(reader.linkType));
    return reader;
  }

  /** A pcapng file of which no frame can be played, because of its link types, is refused like a pcap file. */
  #expectFrames(reader: ClassicReader | PcapngReader): void {
    if (!(reader instanceof PcapngReader) || this.tally.frames > 0 || reader.refusedLinkType < 0) return;
    throw badLinkType(reader.refusedLinkType, linkTypeName(reader.refusedLinkType));
  }
}

/**
 * Read a capture held in memory. Frames are views into `file` where they are played as recorded.
 *
 * Refuses with `BAD_CAPTURE`, `value` the byte offset and `unit` `offset`: what is neither pcap nor pcapng (gzip included: see
 * `openCapture`), a version that tcpdump does not read, a header that is cut. With `unit` `link type` and `value` its number:
 * frames of another kind than Ethernet that are not converted, unless `anyLinkType`. `INVALID_ARGUMENT` when `file` is no
 * Uint8Array. Cost: in proportion to the file's length.
 */
export function readCapture(file: Uint8Array, options: CaptureOptions = {}): Capture {
  if (!(file instanceof Uint8Array)) {
    throw new ShmemError("INVALID_ARGUMENT", "a capture is read from a Uint8Array", {
      value: file,
      unit: "bytes",
      field: "file",
    });
  }
  const parser = new CaptureParser(options);
  parser.push(file);
  const frames: CaptureFrame[] = [];
  for (let found = parser.next(true); typeof found === "object"; found = parser.next(true)) frames.push(found);
  const summary = parser.tally.summary();
  return { frames, summary, open: () => readerOfFrames(frames, summary) };
}

/** The frames of a capture in memory, as a reader gives them. */
function readerOfFrames(frames: readonly CaptureFrame[], summary: CaptureSummary): CaptureReader {
  let at = 0;
  return {
    summary,
    next: async () => {
      const batch = at < frames.length ? frames.slice(at, at + BATCH_FRAMES) : EMPTY;
      at += batch.length;
      return batch;
    },
    close: async () => {
      at = frames.length;
    },
  };
}

/**
 * Read a capture as its bytes come, packed by gzip or not. Holds one frame and a few chunks at a time. Refuses what
 * `readCapture` does, when `next` first meets it. Frames are views into the chunks where one holds them whole.
 */
export function openCapture(chunks: ByteChunks, options: CaptureOptions = {}): CaptureReader {
  const parser = new CaptureParser(options);
  const input = unpacked(chunks, parser.tally);
  let isOver = false;
  return {
    get summary() {
      return parser.tally.summary();
    },
    async next() {
      const batch: CaptureFrame[] = [];
      while (!isOver && batch.length < BATCH_FRAMES) {
        const found = parser.next(false);
        if (typeof found === "object") {
          batch.push(found);
          continue;
        }
        // What is there is handed out before more is waited for: a capture may be a pipe.
        if (batch.length > 0) return batch;
        const { done, value } = await input.next();
        if (!done) {
          parser.push(value);
          continue;
        }
        isOver = true;
        for (let last = parser.next(true); typeof last === "object"; last = parser.next(true)) batch.push(last);
      }
      return batch;
    },
    async close() {
      isOver = true;
      await input.return(undefined);
    },
  };
}

/** A capture whose bytes can be had as often as needed: `openCapture` at every `open`. */
export function captureSource(chunks: () => ByteChunks, options: CaptureOptions = {}): CaptureSource {
  return { open: () => openCapture(chunks(), options) };
}

/** The input, through the decoder where it begins like a gzip file. */
async function* unpacked(chunks: ByteChunks, tally: Tally): AsyncGenerator<Uint8Array, void, undefined> {
  const input = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  const rest = (head: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> =>
    (async function* () {
      try {
        yield* head;
        for (let next = await input.next(); next.done !== true; next = await input.next()) yield next.value;
      } finally {
        await input.return?.();
      }
    })();
  const head: Uint8Array[] = [];
  let magic = 0;
  for (let count = 0; count < 2; ) {
    const { done, value } = await input.next();
    if (done === true) break;
    head.push(value);
    for (const byte of value.subarray(0, 2 - count)) {
      magic = (magic << 8) | byte;
      count += 1;
    }
  }
  tally.compressed = magic === GZIP_MAGIC;
  yield* tally.compressed ? gunzip(rest(head), () => tally.skip("gzip-damaged")) : rest(head);
}
