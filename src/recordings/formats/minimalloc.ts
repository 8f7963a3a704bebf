/**
 * minimalloc's sets of buffers.
 *
 *     id,lower,upper,size            a header that names its columns, in any order
 *     b1,0,3,4
 *
 *     id | buffer | buffer_id        lower | start | begin        upper | end        size
 *     alignment, hint, gaps, offset are optional; gaps and offset say nothing about when the buffer is live, and are passed over
 *
 * A lifetime is half open; `end` counts its last moment in. Reading stops at the first empty line. Buffers come in any order of
 * time, so all of them are kept until the file ends: of this form the memory is bounded by its buffers.
 */
import { ALLOCATE, type EventKind, type EventSink, FREE, isAlignment, RecordedEvent } from "../event.js";
import type { Notes } from "../notes.js";
import type { Cursor } from "../text/cursor.js";
import type { LineFormat } from "../text/line-reader.js";

const COMMA = 44;
const MOST_BUFFERS = 2 ** 24;

const NAMES: Readonly<Record<string, Column>> = {
  id: "id",
  buffer: "id",
  buffer_id: "id",
  lower: "lower",
  start: "lower",
  begin: "lower",
  upper: "upper",
  end: "upper",
  size: "size",
  alignment: "alignment",
  hint: "hint",
  gaps: "gaps",
  offset: "offset",
};
type Column = "id" | "lower" | "upper" | "size" | "alignment" | "hint" | "gaps" | "offset";

interface Buffer {
  readonly lower: number;
  readonly upper: number;
  readonly bytes: number;
  readonly alignment: number;
  readonly line: number;
}

/** Is this a header of the form? */
export function isMinimallocHeader(line: string): boolean {
  const columns = line.split(",").map((name) => NAMES[name.trim()]);
  return (["id", "lower", "upper", "size"] as const).every((name) => columns.includes(name));
}

export class MinimallocFormat implements LineFormat {
  readonly allowsEmptyLines = true;
  readonly #sink: EventSink;
  readonly #notes: Notes;
  readonly #buffers: Buffer[] = [];
  readonly #ids = new Set<string>();
  #columns: readonly (Column | undefined)[] = [];
  #endIsInclusive = false;
  #ended = false;

  constructor(sink: EventSink, notes: Notes) {
    this.#sink = sink;
    this.#notes = notes;
  }

  line(cursor: Cursor): void {
    if (cursor.line === 1) this.#header(cursor);
    else if (cursor.isAtEnd) this.#ended = true;
    else if (!this.#ended) this.#buffer(cursor);
  }

  #header(cursor: Cursor): void {
    const names = cursor.rest.split(",").map((name) => name.trim());
    this.#columns = names.map((name) => (Object.hasOwn(NAMES, name) ? NAMES[name] : undefined));
    this.#endIsInclusive = names.includes("end");
    for (const [i, column] of this.#columns.entries()) {
      if (column === undefined) {
        this.#notes.add("skipped", `the column ${JSON.stringify(names[i])}`, { line: 1, column: 1 });
      } else if (this.#columns.indexOf(column) !== i) cursor.fail(`the column ${column} twice`);
    }
  }

  #buffer(cursor: Cursor): void {
    const found = { lower: 0, upper: 0, size: 0, alignment: 0 };
    let id = "";
    let upperAt = cursor.at;
    for (const [i, column] of this.#columns.entries()) {
      if (i > 0) cursor.expect(",");
      const at = cursor.at;
      const field = cursor.field(COMMA);
      if (column === undefined || column === "hint" || column === "gaps" || column === "offset") continue;
      if (column === "id") {
        if (!/^[^\s]{1,64}$/.test(field)) cursor.fail("expected an id", at);
        id = field;
        continue;
      }
      if (column === "upper") upperAt = at;
      const value = /^\d{1,16}$/.test(field) ? Number(field) : Number.NaN;
      if (!Number.isSafeInteger(value))
        cursor.fail(column === "size" ? "expected a size in bytes" : `expected ${column}`, at);
      found[column] = value;
    }
    if (!cursor.isAtEnd) cursor.fail("expected the end of the line");
    if (this.#ids.has(id)) cursor.fail("a buffer twice", cursor.start);
    const upper = found.upper + (this.#endIsInclusive ? 1 : 0);
    if (upper <= found.lower) cursor.fail(`a lifetime that ends before it begins (${found.lower})`, upperAt);
    if (this.#buffers.length === MOST_BUFFERS) cursor.fail("too many buffers", cursor.start);
    const alignment = isAlignment(found.alignment) ? found.alignment : 0;
    this.#ids.add(id);
    this.#buffers.push({ lower: found.lower, upper, bytes: found.size, alignment, line: cursor.line });
  }

  /** Lifetimes become allocations and frees in the order of time; at one time, frees come first. */
  end(): void {
    const buffers = this.#buffers;
    const ends = buffers.map(({ upper }, i) => ({ time: upper, order: FREE as EventKind, i }));
    const starts = buffers.map(({ lower }, i) => ({ time: lower, order: ALLOCATE as EventKind, i }));
    const moments = [...ends, ...starts].sort((a, b) => a.time - b.time || b.order - a.order || a.i - b.i);
    const event = new RecordedEvent();
    for (const { time, order, i } of moments) {
      const { bytes, alignment, line } = buffers[i] as Buffer;
      event.kind = order;
      event.id.setNumber(i);
      event.bytes = bytes;
      event.alignment = alignment;
      event.line = line;
      event.timeNs = time;
      this.#sink.take(event);
    }
  }
}
