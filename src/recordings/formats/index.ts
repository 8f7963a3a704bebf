/** Every form of recording: its name, how it is told by its first bytes, and its reader. */
import { ShmemError } from "../../../bindings/index.js";
import type { EventSink, FormatReader } from "../event.js";
import type { LogHeader } from "../log/index.js";
import { badTrace, type Notes } from "../notes.js";
import { type LineFormat, LineReader } from "../text/line-reader.js";
import { AndroidFormat } from "./android.js";
import { EventLogReader } from "./event-log.js";
import { HeaptrackFormat } from "./heaptrack.js";
import { isMallocBench, MallocBenchReader } from "./malloc-bench.js";
import { isMinimallocHeader, MinimallocFormat } from "./minimalloc.js";
import { PlainFormat } from "./plain.js";
import { RepFormat } from "./rep.js";
import { ValgrindFormat } from "./valgrind.js";
import { VmaFormat } from "./vma.js";
import { WeeAllocFormat } from "./wee-alloc.js";

/** What a reader is made with. */
export interface ReaderContext {
  readonly sink: EventSink;
  readonly notes: Notes;
  /** Hears the header of an event log. */
  readonly onLogHeader: (header: LogHeader) => void;
}

export interface Format {
  readonly name: string;
  /** Does a recording that begins like this have this form? `text` is the beginning as text, `line` its first line. */
  matches(head: Uint8Array, text: string, line: string): boolean;
  reader(context: ReaderContext): FormatReader;
}

function lines(make: (context: ReaderContext) => LineFormat): Format["reader"] {
  return (context) => new LineReader(make(context), context.notes);
}

/** In the order in which they are tried. */
export const FORMATS: readonly Format[] = [
  {
    name: "event-log",
    matches: (_head, text) => text.startsWith("NDISLOG"),
    reader: ({ sink, notes, onLogHeader }) => new EventLogReader(sink, notes, onLogHeader),
  },
  {
    name: "malloc-bench",
    matches: (head) => isMallocBench(head),
    reader: ({ sink, notes }) => new MallocBenchReader(sink, notes),
  },
  {
    name: "heaptrack",
    matches: (_head, text) => /^(?:#[^\n]*\n|\r?\n)*v [0-9a-f]{1,8}(?: [0-9a-f]{1,8})?\r?\n/.test(text),
    reader: lines(({ sink }) => new HeaptrackFormat(sink)),
  },
  {
    name: "vma",
    matches: (_head, _text, line) => line.startsWith("Vulkan Memory Allocator,Calls recording"),
    reader: lines(({ sink, notes }) => new VmaFormat(sink, notes)),
  },
  {
    name: "minimalloc",
    matches: (_head, _text, line) => isMinimallocHeader(line),
    reader: lines(({ sink, notes }) => new MinimallocFormat(sink, notes)),
  },
  {
    name: "valgrind",
    matches: (_head, _text, line) => /^(?:==|--)\d+(?:==|--) /.test(line),
    reader: lines(({ sink }) => new ValgrindFormat(sink)),
  },
  {
    name: "wee_alloc",
    matches: (_head, _text, line) => /^(?:Alloc|Free)\(/.test(line),
    reader: lines(({ sink }) => new WeeAllocFormat(sink)),
  },
  {
    name: "android",
    matches: (_head, _text, line) => /^[ \t]*[+-]?\d+:[ \t]*[a-z]/.test(line),
    reader: lines(({ sink }) => new AndroidFormat(sink)),
  },
  {
    name: "plain",
    matches: (_head, _text, line) => line.startsWith("#") || /^[afrto],/.test(line),
    reader: lines(({ sink }) => new PlainFormat(sink)),
  },
  {
    name: "rep",
    matches: (_head, text) =>
      /^\s*\d+(?:\s+\d+){3}(?:\s|$)/.test(text) || /^\s*\d+\s*$/.test(text.split("\n", 1)[0] ?? ""),
    reader: lines(({ sink, notes }) => new RepFormat(sink, notes)),
  },
];

/** Names for `--format`. */
export const FORMAT_NAMES: readonly string[] = FORMATS.map((format) => format.name);

/** What people bring that holds no sequence of allocations, with what to do about it. */
const NOT_RECORDINGS: readonly { readonly pattern: RegExp; readonly why: string }[] = [
  { pattern: /^desc: .*\ncmd: /, why: "a massif profile, which has snapshots and no single calls" },
  {
    pattern: /^heap(?: profile:|_v2\/)/,
    why: "a heap profile of jemalloc or gperftools, which has sums and no single calls",
  },
  { pattern: /^memray/, why: "a memray file: `memray transform csv` makes text of it" },
  {
    pattern: /^\d+ *, *[\d.]+(?:e[+-]\d+)? *(?:, *[\d.]+(?:e[+-]\d+)? *)?\r?\n/,
    why: "a size profile: draw a sequence from it with --profile",
  },
  { pattern: /^\s*[{[]/, why: "JSON, which no form here is" },
];

/** The form of that name, `INVALID_ARGUMENT`. */
export function formatNamed(name: string): Format {
  const found = FORMATS.find((format) => format.name === name);
  if (found !== undefined) return found;
  throw new ShmemError(
    "INVALID_ARGUMENT",
    `there is no format ${JSON.stringify(name)}; there is ${FORMAT_NAMES.join(", ")}`,
    {
      field: "format",
      value: name,
      unit: "name",
    },
  );
}

/** The form of a recording by its first bytes, or `BAD_TRACE`. */
export function formatOf(head: Uint8Array): Format {
  let text = "";
  for (const byte of head) text += String.fromCharCode(byte);
  if (text.startsWith("\xef\xbb\xbf")) text = text.slice(3);
  const [line = ""] = text.split(/\r?\n/, 1);
  const found = FORMATS.find((format) => format.matches(head, text, line));
  if (found !== undefined) return found;
  const start = { line: 1, column: 1 };
  if (head.length === 0) return badTrace(start, "an empty recording");
  const other = NOT_RECORDINGS.find(({ pattern }) => pattern.test(text));
  return badTrace(start, other === undefined ? "no known format begins like this" : `this is ${other.why}`, line);
}
