/**
 * The text of `valgrind --trace-malloc=yes`.
 *
 *     --4711-- malloc(24) = 0x4A5C040
 *     --4711-- calloc(4,16) = 0x4A5C0A0
 *     --4711-- realloc(0x4A5C040,48)malloc(48) = 0x4A5C120        or without the part in the middle
 *     --4711-- memalign(al 64, size 100) = 0x4A5C180,  _ZnwmSt11align_val_t(size 100, al 64) = ...
 *     --4711-- free(0x4A5C0A0)                                    _ZdlPv, _ZdaPv and their kin
 *
 * Every other line is valgrind's or the program's own talk and is passed over. The process of the first line counts; lines of
 * its children are passed over.
 */
import { ALLOCATE, type EventSink, FREE, REALLOCATE, RecordedEvent } from "../event.js";
import type { Cursor } from "../text/cursor.js";
import type { LineFormat } from "../text/line-reader.js";

const CALL = /^--(\d+)-- (\w+)\((.*?)\)(?:malloc\(\d+\))?(?: = (0x[0-9A-Fa-f]{1,16}))?$/;
const NEW = /^(?:malloc|_Zn[wa][jm](?:RKSt9nothrow_t)?)$/;
const ALIGNED = /^(?:memalign|aligned_alloc|posix_memalign|_Zn[wa][jm]St11align_val_t(?:RKSt9nothrow_t)?)$/;
const DELETE = /^(?:free|_Zd[la]Pv\w*)$/;

export class ValgrindFormat implements LineFormat {
  readonly allowsEmptyLines = true;
  readonly #sink: EventSink;
  readonly #event = new RecordedEvent();
  #process: string | undefined;

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  line(cursor: Cursor): void {
    const [, process, name = "", given = "", result] = CALL.exec(cursor.rest) ?? [];
    if (process === undefined) return;
    this.#process ??= process;
    if (process !== this.#process) return;
    const event = this.#event;
    event.line = cursor.line;
    event.alignment = 0;
    const values = given.split(",").map((one) => one.trim());
    const size = (text: string | undefined): number => {
      const bytes = /^(?:size )?\d{1,16}$/.test(text ?? "") ? Number((text ?? "").replace("size ", "")) : Number.NaN;
      return Number.isSafeInteger(bytes) ? bytes : cursor.fail("expected a size in bytes", cursor.start);
    };
    if (DELETE.test(name)) {
      event.kind = FREE;
      if (pointer(values[0], event.id)) this.#sink.take(event);
      else this.#sink.ignore();
    } else if (name === "realloc") {
      event.bytes = size(values[1]);
      const had = pointer(values[0], event.id);
      if (!pointer(result, event.to)) {
        if (!had || event.bytes > 0) {
          this.#sink.ignore();
          return;
        }
        event.kind = FREE;
      } else event.kind = REALLOCATE;
      if (!had) {
        event.kind = ALLOCATE;
        pointer(result, event.id);
      }
      this.#sink.take(event);
    } else if (NEW.test(name) || ALIGNED.test(name) || name === "calloc") {
      const alignment = values.find((one) => one.startsWith("al "));
      if (alignment !== undefined) event.alignment = size(alignment.slice(3));
      const bytes = values.find((one) => !one.startsWith("al "));
      event.bytes = name === "calloc" ? size(values[0]) * size(values[1]) : size(bytes);
      if (!Number.isSafeInteger(event.bytes)) cursor.fail("a size in bytes above 2^53 - 1", cursor.start);
      event.kind = ALLOCATE;
      if (pointer(result, event.id)) this.#sink.take(event);
      else this.#sink.ignore();
    }
  }
}

/** Sets the id; false for NULL and for what is no pointer. */
function pointer(text: string | undefined, id: RecordedEvent["id"]): boolean {
  if (text === undefined || !/^0x[0-9A-Fa-f]{1,16}$/.test(text)) return false;
  const digits = text.slice(2).padStart(16, "0");
  id.setHalves(Number.parseInt(digits.slice(0, 8), 16), Number.parseInt(digits.slice(8), 16));
  return !id.isNull;
}
