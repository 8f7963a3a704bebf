/**
 * `ndis-shmem/recordings`: sequences of allocations that real programs made, and event logs of machines.
 *
 *     bytes ─ unpack ─► pieces ─ format ─► events ─ sequencer ─► operations
 *             gzip, zstd, zip    by content          names become slots
 *
 * Everything streams: memory is bounded by the blocks that are live, whatever the length of a recording (of minimalloc's form:
 * by its buffers). A recording is hostile until it has been read to its end.
 */

export { type BlockId, type EventKind, RecordedEvent } from "./event.js";
export { FORMAT_NAMES } from "./formats/index.js";
export {
  type ByteSink,
  LineDigest,
  type LogEnd,
  type LogHeader,
  type LogKind,
  LogReader,
  type LogShape,
  LogWriter,
  type RawEvent,
  type RunOfLog,
} from "./log/index.js";
export type { Note, NoteKind } from "./notes.js";
export { type DrawOptions, drawProfile, isProfile, type ProfileSize, readProfile } from "./profile.js";
export { type ReadOptions, type ReadResult, readOperations } from "./read.js";
export type { LeftBlock, OperationSink, SequenceFacts } from "./sequence/sequencer.js";
export { type ByteSource, frameOf } from "./unpack/index.js";
