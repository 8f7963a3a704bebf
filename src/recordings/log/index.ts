/** Event logs of machines as files: written while a machine runs, read as a stream. docs/recordings.md has the form. */
export { LineDigest, type LogHeader, type RunOfLog } from "./format.js";
export { type LogEnd, LogReader, type RawEvent } from "./reader.js";
export type { LogKind, LogShape } from "./shape.js";
export { type ByteSink, LogWriter } from "./writer.js";
