/** The entry point of the capture layer: packet captures in, frames out, and back. */
export type { CaptureFrame, CaptureSummary, LinkTypeCount, Mended, Skipped } from "./frame.js";
export { MAX_FRAME_BYTES, MAX_GAP_NS } from "./frame.js";
export {
  type ByteChunks,
  type Capture,
  type CaptureOptions,
  CaptureParser,
  type CaptureReader,
  type CaptureSource,
  captureSource,
  openCapture,
  readCapture,
} from "./reader.js";
export { type CaptureFormat, captureHeader, captureRecord, type WrittenFrame, writeCapture } from "./writer.js";
