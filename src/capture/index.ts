/** The front door of the capture room: packet captures in, frames out. */
export {
  type Capture,
  type CaptureFormat,
  type CaptureFrame,
  MAX_FRAME_BYTES,
  readCapture,
  writeCapture,
} from "./pcap.js";
