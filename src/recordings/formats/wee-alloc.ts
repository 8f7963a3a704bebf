/**
 * wee_alloc's traces.
 *
 *     Alloc(552),       the n-th Alloc, from 0, is block n
 *     Free(3),
 */
import { ALLOCATE, type EventSink, FREE, RecordedEvent } from "../event.js";
import type { Cursor } from "../text/cursor.js";
import type { LineFormat } from "../text/line-reader.js";

export class WeeAllocFormat implements LineFormat {
  readonly #sink: EventSink;
  readonly #event = new RecordedEvent();
  #blocks = 0;

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  line(cursor: Cursor): void {
    const event = this.#event;
    event.line = cursor.line;
    event.kind = cursor.has("Alloc(") ? ALLOCATE : FREE;
    if (event.kind === ALLOCATE) {
      // Its number is taken even where the line makes no sense: those behind it count on it.
      event.id.setNumber(this.#blocks++);
      event.bytes = cursor.decimal("a size in bytes");
    } else {
      cursor.expect("Free(");
      event.id.setNumber(cursor.decimal("the number of an allocation"));
    }
    cursor.expect(")");
    cursor.has(",");
    cursor.done();
    this.#sink.take(event);
  }
}
