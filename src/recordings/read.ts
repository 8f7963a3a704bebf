/** Reading a recording, from its bytes to its operations. */
import { ShmemError } from "../../bindings/index.js";
import { type Format, formatNamed, formatOf } from "./formats/index.js";
import type { LogHeader } from "./log/index.js";
import { type Note, Notes } from "./notes.js";
import { type LeftBlock, type OperationSink, type SequenceFacts, Sequencer } from "./sequence/sequencer.js";
import { ByteQueue, type ByteSource, unpack } from "./unpack/index.js";

/** How to read a recording. */
export interface ReadOptions {
  /** One of `FORMAT_NAMES`. Default: told by the first bytes. */
  readonly format?: string;
  /** Refuse (`BAD_TRACE`) what is otherwise skipped, mended or invented, and counted. Default false. */
  readonly strict?: boolean;
  /** Most bytes, unpacked. Default 64 GiB: what unpacks without end is stopped there. */
  readonly mostBytes?: number;
  /** Most operations. Default 2^40. */
  readonly mostOperations?: number;
  /** Most left-over blocks in the list. Default 1000. */
  readonly mostLeft?: number;
  /** Called when the form is known, before the first operation. */
  readonly onFormat?: (format: string) => void;
  /** Called with the header of an event log. */
  readonly onLogHeader?: (header: LogHeader) => void;
}

/** What was read. */
export interface ReadResult {
  readonly format: string;
  readonly facts: SequenceFacts;
  readonly skipped: number;
  readonly mended: number;
  readonly invented: number;
  /** The reasons of these, each with its count. */
  readonly notes: readonly Note[];
  /** The blocks that are never freed. */
  readonly left: readonly LeftBlock[];
  /** Slots that were used. */
  readonly slots: number;
}

const HEAD_BYTES = 4096;

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new ShmemError("INVALID_ARGUMENT", `${name} must be an integer from 1, got ${String(value)}`, {
    field: name,
    value,
  });
}

/**
 * Read a recording and hand its operations to `sink`, in order.
 *
 * Throws `BAD_TRACE` (field `line:column`) for what no reading can make sense of: damage to compressed data, no known form, no
 * operation at all, a budget passed; in strict reading for everything that does not fit. `INVALID_ARGUMENT` for an unknown
 * format or a budget that is no positive integer. What `source` throws passes through.
 */
export async function readOperations(
  source: ByteSource,
  sink: OperationSink,
  options: ReadOptions = {},
): Promise<ReadResult> {
  const mostBytes = positive("mostBytes", options.mostBytes ?? 2 ** 36);
  const mostOperations = positive("mostOperations", options.mostOperations ?? 2 ** 40);
  const given: Format | undefined = options.format === undefined ? undefined : formatNamed(options.format);
  const notes = new Notes(options.strict === true);
  const sequencer = new Sequencer(sink, notes, { mostOperations });
  const onCut = (why: string): void => notes.add("mended", why, { line: 1, column: 1 });
  const queue = new ByteQueue(unpack(source, mostBytes, onCut));
  await queue.fill(HEAD_BYTES);
  const head = queue.peek(Math.min(HEAD_BYTES, queue.length));
  const format = given ?? formatOf(head);
  options.onFormat?.(format.name);
  const reader = format.reader({ sink: sequencer, notes, onLogHeader: options.onLogHeader ?? (() => {}) });
  for await (const piece of queue.rest()) reader.push(piece);
  reader.end();
  const facts = sequencer.finish();
  const { skipped, mended, invented, list } = notes;
  const left = sequencer.leftBlocks(options.mostLeft ?? 1000);
  return { format: format.name, facts, skipped, mended, invented, notes: list, left, slots: sequencer.slots };
}
