/**
 * The plain form: the one to write from a program of one's own (docs/recordings.md).
 *
 *     # comment
 *     a,ID,BYTES[,ALIGNMENT[,THREAD]]       an allocation
 *     f,ID[,THREAD]                         a free
 *     r,ID,NEWID,BYTES[,THREAD]             a reallocation
 *     t,NANOSECONDS                         the time of what follows
 *     o,NAME                                who asks for what follows
 *
 * Ids are letters, digits, `_`, `$`, `.` and `-`, up to 64 of them, and are compared as text.
 */
import { ALLOCATE, type BlockId, type EventSink, FREE, isAlignment, REALLOCATE, RecordedEvent } from "../event.js";
import type { Cursor } from "../text/cursor.js";
import type { LineFormat } from "../text/line-reader.js";

const COMMA = 44;
const HASH = 35;
const LONGEST_ID = 64;
const LONGEST_OWNER = 64;
const DIGIT_0 = 48;
const DIGIT_9 = 57;

function readId(cursor: Cursor, id: BlockId): void {
  const from = cursor.at;
  let isNumber = true;
  let value = 0;
  for (let byte = cursor.byte; cursor.at < cursor.end && byte !== COMMA; byte = cursor.byte) {
    if (byte >= DIGIT_0 && byte <= DIGIT_9) value = 10 * value + (byte - DIGIT_0);
    else if (
      (byte >= 65 && byte <= 90) ||
      (byte >= 97 && byte <= 122) ||
      byte === 95 ||
      byte === 36 ||
      byte === 46 ||
      byte === 45
    )
      isNumber = false;
    else cursor.fail("expected an id", cursor.at === from ? from : cursor.at);
    cursor.at++;
  }
  const length = cursor.at - from;
  if (length === 0) cursor.fail("expected an id", from);
  if (length > LONGEST_ID) cursor.fail(`an id of more than ${LONGEST_ID} characters`, from);
  const isPlain = isNumber && length <= 15 && (length === 1 || cursor.bytes[from] !== DIGIT_0);
  if (isPlain) id.setNumber(value);
  else id.text = cursor.text(from, cursor.at);
}

export class PlainFormat implements LineFormat {
  readonly #sink: EventSink;
  readonly #event = new RecordedEvent();

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  line(cursor: Cursor): void {
    const event = this.#event;
    if (cursor.byte === HASH) return;
    event.line = cursor.line;
    event.thread = 0;
    event.alignment = 0;
    if (cursor.has("a,")) {
      event.kind = ALLOCATE;
      readId(cursor, event.id);
      cursor.expect(",");
      event.bytes = cursor.decimal("a size in bytes");
      if (cursor.has(",")) this.#alignment(cursor);
      if (cursor.has(",")) event.thread = cursor.decimal("a thread");
    } else if (cursor.has("f,")) {
      event.kind = FREE;
      readId(cursor, event.id);
      if (cursor.has(",")) event.thread = cursor.decimal("a thread");
    } else if (cursor.has("r,")) {
      event.kind = REALLOCATE;
      readId(cursor, event.id);
      cursor.expect(",");
      readId(cursor, event.to);
      cursor.expect(",");
      event.bytes = cursor.decimal("a size in bytes");
      if (cursor.has(",")) event.thread = cursor.decimal("a thread");
    } else if (cursor.has("t,")) {
      const timeNs = cursor.decimal("a time in nanoseconds");
      cursor.done();
      event.timeNs = timeNs;
      return;
    } else if (cursor.has("o,")) {
      event.owner = cursor.rest.slice(0, LONGEST_OWNER);
      return;
    } else cursor.fail("an unknown call");
    cursor.done();
    this.#sink.take(event);
  }

  #alignment(cursor: Cursor): void {
    const at = cursor.at;
    const alignment = cursor.decimal("an alignment");
    if (alignment > 0 && !isAlignment(alignment)) cursor.fail("an alignment that is no power of two", at);
    this.#event.alignment = alignment;
  }
}
