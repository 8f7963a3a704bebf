/**
 * Recordings: sequences of allocations that real programs made, read event by event.
 *
 *     bytes ─ unpack ─► pieces ─ lines ─► line ─ format ─► event
 *
 * Formats and what is refused: formats.ts. A recording is hostile until it has been read to its end: `BAD_TRACE` with line
 * and column for anything else than a sequence of allocations, budgets on bytes and operations, and memory that does not
 * depend on what a header says.
 */
import { ShmemError } from "../../bindings/index.js";
import { type Event, FORMATS, formatOf } from "./formats.js";
import { badTrace, LineSplitter } from "./lines.js";
import { unpack } from "./unpack.js";

export type { Event } from "./formats.js";
export { badTrace } from "./lines.js";
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

/** How to read the events of a recording. */
export interface ReadOptions {
  /** `wee_alloc`, `android`, `minimalloc`, `plain` or `rep`. Default: told by the first line. */
  readonly format?: string;
  /** Most bytes, unpacked. Default 1 GiB. */
  readonly mostBytes?: number;
}

/** What was read. */
export interface ReadResult {
  /** The name of the format. */
  readonly format: string;
  /** The number of the last line. */
  readonly lines: number;
}

/**
 * Read a recording and hand each event to `take`, with the number of its line. `BAD_TRACE` with line and column (`field` is
 * `line:column`), `INVALID_ARGUMENT` for an unknown format.
 */
export async function readEvents(
  bytes: Uint8Array,
  options: ReadOptions,
  take: (event: Event, line: number) => void,
): Promise<ReadResult> {
  const { mostBytes = 2 ** 30 } = options;
  let format = FORMATS.find((one) => one.name === options.format);
  if (options.format !== undefined && format === undefined) {
    throw new ShmemError("INVALID_ARGUMENT", `there is no format ${JSON.stringify(options.format)}`, {
      field: "format",
      value: options.format,
      unit: "name",
    });
  }
  let parse: ((line: string, number: number) => Event | undefined) | undefined;
  let last = 0;
  let blank = 0;
  const splitter = new LineSplitter((line, number) => {
    last = number;
    if (line === "") {
      blank ||= number; // Harmless at the end only.
      return;
    }
    if (blank !== 0) badTrace({ line: blank, column: 1 }, "an empty line");
    format ??= formatOf(line);
    parse ??= format.parser();
    const event = parse(line, number);
    if (event !== undefined) take(event, number);
  });
  for await (const piece of unpack(bytes, mostBytes)) splitter.push(piece);
  splitter.end();
  if (format === undefined) return badTrace({ line: 1, column: 1 }, "an empty recording");
  return { format: format.name, lines: Math.max(1, last) };
}
