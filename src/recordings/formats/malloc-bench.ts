/**
 * malloc-bench's traces: one message of protocol buffers (proto2).
 *
 *     Tracefile { repeated TraceLine lines = 1; uint64 max_simultaneous_allocs = 2 }
 *     TraceLine is one of
 *       malloc  = 1 { result_id = 1, size = 2, alignment = 3 }      free   = 2 { id = 1, size = 2, alignment = 3 }
 *       realloc = 3 { result_id = 1, id = 2, size = 3 }             calloc = 4 { result_id = 1, count = 2, size = 3 }
 *
 * Everything is a varint. An absent id is NULL (0 is written), ids are used again. Field numbers that are not named here
 * are passed over, as protocol buffers ask for. Records are numbered like lines.
 */
import { ALLOCATE, type EventSink, type FormatReader, FREE, isAlignment, REALLOCATE, RecordedEvent } from "../event.js";
import { badTrace, type Notes } from "../notes.js";

const LINES = 0x0a;
const MOST_LINE_BYTES = 4096;
const VARINT = 0;
const FIXED_64 = 1;
const BYTES = 2;
const FIXED_32 = 5;
const MALLOC = 1;
const FREE_CALL = 2;
const REALLOC = 3;
const CALLOC = 4;
/** Values of fields 1 to 3 of a call; NaN where absent. */
const FIELDS = 3;

/** Does a trace begin like this: a line with a known call of the right length? */
export function isMallocBench(head: Uint8Array): boolean {
  const [tag, length = 0, call = 0, inner] = head;
  if (tag !== LINES || length < 2 || length > 64) return false;
  return (call & 7) === BYTES && call >> 3 >= MALLOC && call >> 3 <= CALLOC && inner === length - 2;
}

export class MallocBenchReader implements FormatReader {
  readonly #sink: EventSink;
  readonly #notes: Notes;
  readonly #event = new RecordedEvent();
  readonly #fields = new Float64Array(FIELDS);
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #records = 0;

  constructor(sink: EventSink, notes: Notes) {
    this.#sink = sink;
    this.#notes = notes;
  }

  push(piece: Uint8Array): void {
    const rest = this.#bytes.length - this.#at;
    const joined = rest === 0 ? piece : new Uint8Array(rest + piece.length);
    if (rest > 0) {
      joined.set(this.#bytes.subarray(this.#at));
      joined.set(piece, rest);
    }
    this.#bytes = joined;
    this.#at = 0;
    for (;;) {
      const began = this.#at;
      if (!this.#record()) {
        this.#at = began;
        return;
      }
    }
  }

  end(): void {
    if (this.#at < this.#bytes.length) {
      this.#notes.add("skipped", "a record that is cut off", { line: this.#records + 1, column: 1 });
    }
  }

  #refuse(why: string): never {
    return badTrace({ line: this.#records + 1, column: 1 }, why);
  }

  /** A varint at `#at`; -1 where its bytes end before it does. */
  #varint(end: number): number {
    let value = 0;
    for (let factor = 1, count = 0; this.#at < end; factor *= 0x80, count++) {
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) * factor;
      if (count === 10) this.#refuse("a number of too many bytes");
      if (byte < 0x80) return value > Number.MAX_SAFE_INTEGER ? this.#refuse("a number above 2^53 - 1") : value;
    }
    return -1;
  }

  /** One field of the file; false where it is not whole yet. */
  #record(): boolean {
    const { length } = this.#bytes;
    const tag = this.#varint(length);
    if (tag < 0) return false;
    if ((tag & 7) !== BYTES) return this.#skip(tag & 7, length);
    const size = this.#varint(length);
    if (size < 0) return false;
    if (size > MOST_LINE_BYTES) this.#refuse("a record of more than 4096 bytes");
    const end = this.#at + size;
    if (end > length) return false;
    this.#records++;
    if (tag === LINES) this.#line(end);
    this.#at = end;
    return true;
  }

  /** Pass over a value of a wire type; false where it is not whole yet. */
  #skip(type: number, end: number): boolean {
    if (type === VARINT) return this.#varint(end) >= 0;
    if (type === FIXED_64) this.#at += 8;
    else if (type === FIXED_32) this.#at += 4;
    else if (type === BYTES) {
      const size = this.#varint(end);
      if (size < 0) return false;
      this.#at += size;
    } else this.#refuse("a field of an unknown type");
    return this.#at <= end;
  }

  #line(end: number): void {
    while (this.#at < end) {
      const tag = this.#varint(end);
      const call = tag >> 3;
      if (tag < 0 || (tag & 7) !== BYTES || call < MALLOC || call > CALLOC) {
        if (tag < 0 || !this.#skip(tag & 7, end)) this.#refuse("a damaged record");
        continue;
      }
      const size = this.#varint(end);
      if (size < 0 || this.#at + size > end) this.#refuse("a damaged record");
      this.#call(call, this.#at + size);
    }
  }

  #call(call: number, end: number): void {
    const fields = this.#fields.fill(Number.NaN);
    while (this.#at < end) {
      const tag = this.#varint(end);
      const field = Math.floor(tag / 8);
      if ((tag & 7) === VARINT && field >= 1 && field <= FIELDS) {
        const value = this.#varint(end);
        if (value < 0) this.#refuse("a damaged record");
        fields[field - 1] = value;
      } else if (tag < 0 || !this.#skip(tag & 7, end)) this.#refuse("a damaged record");
    }
    this.#emit(call, fields[0] as number, fields[1] as number, fields[2] as number);
  }

  #emit(call: number, first: number, second: number, third: number): void {
    const event = this.#event;
    event.line = this.#records;
    event.alignment = 0;
    const numberOf = (value: number): number => (Number.isNaN(value) ? 0 : value);
    const name = (id: "id" | "to", value: number): boolean => {
      if (Number.isNaN(value)) return false;
      event[id].setNumber(value);
      return true;
    };
    let happens = false;
    if (call === MALLOC || call === CALLOC) {
      event.kind = ALLOCATE;
      event.bytes = call === MALLOC ? numberOf(second) : numberOf(second) * numberOf(third);
      if (!Number.isSafeInteger(event.bytes)) this.#refuse("a size in bytes above 2^53 - 1");
      if (call === MALLOC) event.alignment = isAlignment(third) ? third : 0;
      happens = name("id", first);
    } else if (call === FREE_CALL) {
      event.kind = FREE;
      happens = name("id", first);
    } else if (call === REALLOC) {
      event.kind = REALLOCATE;
      event.bytes = numberOf(third);
      const hadBlock = name("id", second);
      happens = name("to", first);
      if (!hadBlock && happens) {
        event.kind = ALLOCATE;
        event.id.setNumber(first);
      } else if (hadBlock && !happens && event.bytes === 0) {
        event.kind = FREE;
        happens = true;
      }
    }
    if (happens) this.#sink.take(event);
    else this.#sink.ignore();
  }
}
