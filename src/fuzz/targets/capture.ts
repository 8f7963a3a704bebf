/** The capture reader on hostile files: a capture whose numbers agree with each other, or `BAD_CAPTURE`. */
import { ShmemError } from "../../../bindings/index.js";
import { type Capture, readCapture } from "../../capture/index.js";
import type { FuzzTarget, TargetEntry, TargetFinding } from "./target.js";

const HEADER_BYTES = 24;
const MAGICS = [0xa1b2c3d4, 0xa1b23c4d];

/**
 * The file that an input stands for. The first byte says how much of a sound file surrounds the bytes: nothing (7 of 16
 * inputs), a header (5), a header and records cut to the bytes that are there (4), in either byte order.
 */
export function fileOf(bytes: Uint8Array): Uint8Array {
  const how = (bytes[0] ?? 0) & 15;
  const body = bytes.subarray(1);
  if (how < 7) return body;
  const little = ((bytes[0] ?? 0) & 16) === 0;
  const file = new Uint8Array(HEADER_BYTES + body.length);
  const view = new DataView(file.buffer);
  view.setUint32(0, MAGICS[((bytes[0] ?? 0) >> 5) & 1] as number, little);
  view.setUint16(4, 2, little);
  view.setUint16(6, 4, little);
  view.setUint32(16, 65535, little);
  view.setUint32(20, 1, little);
  file.set(body, HEADER_BYTES);
  if (how < 12) return file;
  for (let at = HEADER_BYTES; at + 16 <= file.length; ) {
    const length = Math.min(view.getUint8(at + 8) & 63, file.length - at - 16);
    view.setUint32(at + 4, view.getUint32(at + 4, little) % 1_000_000, little);
    view.setUint32(at + 8, length, little);
    view.setUint32(at + 12, length + (view.getUint8(at + 12) & 3), little);
    at += 16 + length;
    if (file.length - at < 16) return file.subarray(0, at);
  }
  return file;
}

function wrong(file: Uint8Array, capture: Capture): string | undefined {
  let time = 0;
  let total = 0;
  for (const [index, { timeNs, bytes, originalLengthBytes }] of capture.frames.entries()) {
    if (!Number.isSafeInteger(timeNs) || timeNs < time) return `frame ${index} is earlier than the one before`;
    if (index === 0 && timeNs !== 0) return "the first frame is not at 0";
    if (bytes.buffer !== file.buffer) return `frame ${index} is no view into the file`;
    if (bytes.byteOffset < file.byteOffset || bytes.byteOffset + bytes.length > file.byteOffset + file.length)
      return `frame ${index} leaves the file`;
    if (bytes.length > 65_535 || originalLengthBytes < bytes.length) return `frame ${index} has an impossible length`;
    time = timeNs;
    total += bytes.length;
  }
  if (total !== capture.totalBytes) return `totalBytes is ${capture.totalBytes}, the frames have ${total}`;
  return total + 16 * capture.frames.length + HEADER_BYTES > file.length
    ? "there is more in it than in its file"
    : undefined;
}

function openCapture(read: (file: Uint8Array) => Capture): FuzzTarget {
  let operations = 0;
  return {
    name: captureTarget.name,
    summary: captureTarget.summary,
    maxBytes: 600,
    unitBytes: 1,
    play(bytes, log): TargetFinding | undefined {
      operations++;
      const file = fileOf(bytes);
      let capture: Capture;
      try {
        capture = read(file);
      } catch (error) {
        if (!(error instanceof ShmemError) || error.code !== "BAD_CAPTURE") {
          return { step: 0, message: `it threw ${error instanceof Error ? error.stack : String(error)}` };
        }
        log?.(error.message);
        const offset = error.value;
        const inside = typeof offset === "number" && Number.isInteger(offset) && offset >= 0 && offset <= file.length;
        return inside ? undefined : { step: 0, message: `BAD_CAPTURE names the offset ${String(offset)}` };
      }
      log?.(`${file.length} bytes are a capture of ${capture.frames.length} frames`);
      const message = wrong(file, capture);
      return message === undefined ? undefined : { step: 0, message };
    },
    get operations() {
      return operations;
    },
  };
}

export const captureTarget: TargetEntry = {
  name: "capture",
  summary: "the pcap reader on hostile files",
  open: () => openCapture(readCapture),
  canary: {
    bug: "frames of more than 40 bytes lose their last byte",
    open: () =>
      openCapture((file) => {
        const capture = readCapture(file);
        const frames = capture.frames.map((frame) =>
          frame.bytes.length > 40 ? { ...frame, bytes: frame.bytes.subarray(0, -1) } : frame,
        );
        return { ...capture, frames };
      }),
  },
};
