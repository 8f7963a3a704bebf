/**
 * The capture reader on hostile files: a capture whose numbers agree with each other, or `BAD_CAPTURE`; and the same frames
 * when the file comes in pieces.
 */
import { ShmemError } from "../../../bindings/index.js";
import { type CaptureFrame, CaptureParser, type CaptureSummary, MAX_GAP_NS } from "../../capture/index.js";
import type { FuzzTarget, TargetEntry, TargetFinding } from "./target.js";

const HEADER_BYTES = 24;
const MAGICS = [0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34];
/** Ethernet mostly, and kinds that are converted, of which one is skipped. */
const LINK_TYPES = [1, 1, 1, 0, 101, 113, 276, 105];
const BLOCK_TYPES = [6, 6, 6, 3, 2, 1, 4, 0x0a0d0d0a];

/**
 * The file that an input stands for. The first byte says how much of a sound file surrounds the bytes (nothing, a pcap
 * header, a header and records cut to the bytes that are there, a pcapng section, a section and such blocks), the byte order
 * and the link type.
 */
export function fileOf(bytes: Uint8Array): Uint8Array {
  const first = bytes[0] ?? 0;
  const how = first & 7;
  const little = (first & 8) === 0;
  const linkType = LINK_TYPES[(first >> 4) & 7] ?? 1;
  const body = bytes.subarray(1);
  if (how === 0) return body;
  if (how <= 4) return classicOf(body, little, linkType, how > 1);
  return pcapngOf(body, little, linkType, how > 5);
}

function classicOf(body: Uint8Array, little: boolean, linkType: number, records: boolean): Uint8Array {
  const file = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(file.buffer);
  view.setUint32(0, MAGICS[(body[0] ?? 0) % MAGICS.length] as number, little);
  view.setUint16(4, 2, little);
  view.setUint16(6, 2 + ((body[1] ?? 0) % 3), little);
  view.setUint32(16, 65535, little);
  view.setUint32(20, linkType, little);
  file.set(body, HEADER_BYTES);
  for (let at = HEADER_BYTES; records && at + 16 <= file.length; ) {
    const length = Math.min(view.getUint8(at + 8) & 63, file.length - at - 16);
    // One in sixteen keeps its wild length, so that the search for the next record is played too.
    if ((view.getUint8(at + 9) & 15) === 0) return file;
    view.setUint32(at, 1_700_000_000 + (view.getUint8(at) & 3), little);
    view.setUint32(at + 4, view.getUint32(at + 4, little) % 1_100_000, little);
    view.setUint32(at + 8, length, little);
    view.setUint32(at + 12, length + (view.getUint8(at + 12) & 3), little);
    at += 16 + length;
  }
  return file;
}

function pcapngOf(body: Uint8Array, little: boolean, linkType: number, blocks: boolean): Uint8Array {
  const file = new Uint8Array(28 + 32 + body.length);
  const view = new DataView(file.buffer);
  const words = [0x0a0d0d0a, 28, 0x1a2b3c4d, little ? 1 : 0x10000, 0xffff_ffff, 0xffff_ffff, 28, 1, 32];
  for (const [at, word] of words.entries()) view.setUint32(at * 4, word, little);
  view.setUint16(36, linkType, little);
  view.setUint16(44, 9, little);
  view.setUint16(46, 1, little);
  view.setUint8(48, [6, 9, 0, 0x80 | 20][(body[0] ?? 0) & 3] as number);
  view.setUint32(56, 32, little);
  file.set(body, 60);
  for (let at = 60; blocks && at + 32 <= file.length; ) {
    const length = Math.min(12 + (view.getUint8(at + 4) & 31) * 4, (file.length - at) & ~3);
    if ((view.getUint8(at + 5) & 15) === 0) return file;
    view.setUint32(at, BLOCK_TYPES[view.getUint8(at) & 7] as number, little);
    view.setUint32(at + 4, length, little);
    view.setUint32(at + 8, view.getUint8(at + 8) & 1, little);
    if (length >= 32) view.setUint32(at + 20, Math.min(view.getUint8(at + 20), length - 32), little);
    view.setUint32(at + length - 4, length, little);
    at += length;
  }
  return file;
}

/** What a reading of a file came to. */
interface Reading {
  readonly frames: readonly CaptureFrame[];
  readonly summary: CaptureSummary;
}

/** Reads a file in pieces of `size` bytes. */
function readIn(file: Uint8Array, size: number): Reading {
  const parser = new CaptureParser({});
  const frames: CaptureFrame[] = [];
  for (let at = 0; at < file.length; at += size) {
    parser.push(file.subarray(at, at + size));
    for (let found = parser.next(false); typeof found === "object"; found = parser.next(false)) frames.push(found);
  }
  for (let found = parser.next(true); typeof found === "object"; found = parser.next(true)) frames.push(found);
  return { frames, summary: parser.tally.summary() };
}

function wrong(file: Uint8Array, { frames, summary }: Reading): string | undefined {
  let time = 0;
  let total = 0;
  for (const [index, { timeNs, bytes, originalLengthBytes }] of frames.entries()) {
    if (!Number.isSafeInteger(timeNs) || timeNs < time) return `frame ${index} is earlier than the one before`;
    if (index === 0 && timeNs !== 0) return "the first frame is not at 0";
    if (timeNs - time > MAX_GAP_NS) return `frame ${index} is more than a day behind the one before`;
    if (originalLengthBytes < bytes.length) return `frame ${index} has an impossible length`;
    time = timeNs;
    total += bytes.length;
  }
  if (total !== summary.totalBytes) return `totalBytes is ${summary.totalBytes}, the frames have ${total}`;
  if (frames.length !== summary.frames) return `frames is ${summary.frames}, there are ${frames.length}`;
  if (time !== summary.durationNs) return `durationNs is ${summary.durationNs}, the last frame is at ${time}`;
  // A converted frame has a header of 14 bytes in place of the record's, which has at least 12.
  return total > file.length + 2 * frames.length ? "there is more in it than in its file" : undefined;
}

function differs(one: Reading, other: Reading, size: number): string | undefined {
  const summaries = [one, other].map(({ summary }) => JSON.stringify(summary));
  if (summaries[0] !== summaries[1]) return `in pieces of ${size}: ${summaries[1]}; whole: ${summaries[0]}`;
  const at = one.frames.findIndex(({ timeNs, bytes, originalLengthBytes }, index) => {
    const twin = other.frames[index];
    if (twin === undefined || twin.timeNs !== timeNs || twin.originalLengthBytes !== originalLengthBytes) return true;
    return twin.bytes.length !== bytes.length || bytes.some((byte, place) => byte !== twin.bytes[place]);
  });
  return at < 0 ? undefined : `in pieces of ${size} frame ${at} is another than in the whole file`;
}

function openCapture(read: (file: Uint8Array, size: number) => Reading): FuzzTarget {
  let operations = 0;
  return {
    name: captureTarget.name,
    summary: captureTarget.summary,
    maxBytes: 600,
    unitBytes: 1,
    play(bytes, log): TargetFinding | undefined {
      operations++;
      const file = fileOf(bytes);
      const size = 1 + (bytes.length % 37);
      let whole: Reading;
      let inPieces: Reading;
      try {
        whole = read(file, Math.max(1, file.length));
        inPieces = read(file, size);
      } catch (error) {
        if (!(error instanceof ShmemError) || error.code !== "BAD_CAPTURE") {
          return { step: 0, message: `it threw ${error instanceof Error ? error.stack : String(error)}` };
        }
        log?.(error.message);
        const { value, unit } = error;
        const isOffset = typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= file.length;
        return isOffset || unit === "link type"
          ? undefined
          : { step: 0, message: `BAD_CAPTURE names the offset ${String(value)}` };
      }
      log?.(`${file.length} bytes are a ${whole.summary.format} of ${whole.frames.length} frames`);
      const message = wrong(file, whole) ?? differs(whole, inPieces, size);
      return message === undefined ? undefined : { step: 0, message };
    },
    get operations() {
      return operations;
    },
  };
}

export const captureTarget: TargetEntry = {
  name: "capture",
  summary: "the capture readers (pcap, pcapng) on hostile files, whole and in pieces",
  open: () => openCapture(readIn),
  canary: {
    bug: "frames that lie across two pieces lose their last byte",
    open: () =>
      openCapture((file, size) => {
        const { frames, summary } = readIn(file, size);
        const cut = frames.map((frame) =>
          size < file.length && frame.bytes.length > size ? { ...frame, bytes: frame.bytes.subarray(0, -1) } : frame,
        );
        return { frames: cut, summary };
      }),
  },
};
