/**
 * Android's memory_replay, as bionic's record_allocs writes it.
 *
 *     186: malloc 0xb6027400 1024 5000 5020     TID: CALL POINTER ARGUMENTS [START_NS END_NS]
 *
 *     malloc SIZE, calloc COUNT SIZE, memalign ALIGNMENT SIZE, realloc OLD_POINTER SIZE, free, thread_done 0x0 [END_NS]
 *
 * Blanks between the fields are free. Further integers behind the times are passed over: newer recorders add one. A call that
 * failed has the pointer 0 and changes nothing; a realloc to 0 bytes with the pointer 0 is a free.
 */
import { ALLOCATE, type EventSink, FREE, isAlignment, REALLOCATE, RecordedEvent } from "../event.js";
import type { Cursor } from "../text/cursor.js";
import type { LineFormat } from "../text/line-reader.js";

/** The commonest first. A string for each line would cost more than the rest of reading it. */
const CALLS = ["malloc", "free", "realloc", "calloc", "memalign", "thread_done"] as const;

function callAt(cursor: Cursor): (typeof CALLS)[number] {
  for (const call of CALLS) if (cursor.hasWord(call)) return call;
  const at = cursor.at;
  cursor.word("a call");
  return cursor.fail("an unknown call", at);
}

export class AndroidFormat implements LineFormat {
  readonly #sink: EventSink;
  readonly #event = new RecordedEvent();

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  line(cursor: Cursor): void {
    const event = this.#event;
    cursor.blanks();
    const isNegative = cursor.has("-");
    if (!isNegative) cursor.has("+");
    const thread = cursor.decimal("a thread");
    cursor.expect(":");
    cursor.blanks();
    const word = callAt(cursor);
    event.line = cursor.line;
    event.thread = isNegative ? -thread : thread;
    event.alignment = 0;
    if (word === "thread_done") {
      this.#threadDone(cursor);
      return;
    }
    cursor.gap("a pointer");
    cursor.hex("a pointer");
    const { high, low } = cursor;
    const isNull = high === 0 && low === 0;
    switch (word) {
      case "malloc":
        cursor.gap("a size in bytes");
        event.bytes = cursor.decimal("a size in bytes");
        break;
      case "calloc": {
        cursor.gap("a count");
        const count = cursor.decimal("a count");
        cursor.gap("a size in bytes");
        const sizeAt = cursor.at;
        event.bytes = count * cursor.decimal("a size in bytes");
        if (event.bytes > Number.MAX_SAFE_INTEGER) cursor.fail("a size in bytes above 2^53 - 1", sizeAt);
        break;
      }
      case "memalign": {
        cursor.gap("an alignment");
        const alignmentAt = cursor.at;
        const alignment = cursor.decimal("an alignment");
        if (alignment > 0 && !isAlignment(alignment)) cursor.fail("an alignment that is no power of two", alignmentAt);
        event.alignment = alignment;
        cursor.gap("a size in bytes");
        event.bytes = cursor.decimal("a size in bytes");
        break;
      }
      case "realloc":
        this.#realloc(cursor, high, low, isNull);
        return;
      case "free":
        this.#end(cursor);
        event.kind = FREE;
        event.id.setHalves(high, low);
        if (isNull) this.#sink.ignore();
        else this.#sink.take(event);
        return;
    }
    this.#end(cursor);
    event.kind = ALLOCATE;
    event.id.setHalves(high, low);
    if (isNull) this.#sink.ignore();
    else this.#sink.take(event);
  }

  #realloc(cursor: Cursor, high: number, low: number, isNull: boolean): void {
    const event = this.#event;
    cursor.gap("the old pointer");
    cursor.hex("the old pointer");
    const oldHigh = cursor.high;
    const oldLow = cursor.low;
    const hadNone = oldHigh === 0 && oldLow === 0;
    cursor.gap("a size in bytes");
    event.bytes = cursor.decimal("a size in bytes");
    this.#end(cursor);
    if (isNull && (hadNone || event.bytes > 0)) {
      this.#sink.ignore(); // It failed: the old block stays.
      return;
    }
    event.kind = hadNone ? ALLOCATE : isNull ? FREE : REALLOCATE;
    if (hadNone) event.id.setHalves(high, low);
    else event.id.setHalves(oldHigh, oldLow);
    event.to.setHalves(high, low);
    this.#sink.take(event);
  }

  #threadDone(cursor: Cursor): void {
    cursor.blanks();
    if (!cursor.isAtEnd) cursor.hex("a pointer");
    cursor.blanks();
    if (!cursor.isAtEnd) cursor.decimal("a time");
    cursor.done();
  }

  /** Both times or neither; what follows them must at least be integers. */
  #end(cursor: Cursor): void {
    const event = this.#event;
    event.timeNs = Number.NaN;
    cursor.blanks();
    if (cursor.isAtEnd) return;
    event.timeNs = cursor.decimal("a time");
    cursor.gap("the time of the end");
    cursor.decimal("the time of the end");
    for (cursor.blanks(); !cursor.isAtEnd; cursor.blanks()) {
      cursor.has("-");
      cursor.decimal("an integer");
    }
  }
}
