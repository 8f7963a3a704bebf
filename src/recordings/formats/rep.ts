/**
 * `.rep`: the traces of the malloc lab (CS:APP), in its dialects.
 *
 *     20000 2 4 1        four integers: heap size or weight, ids, operations, weight or "ignore ranges"
 *     a 0 512            allocate
 *     r 0 640            reallocate; the id stays. Of an id that is not live: allocate. To 0 bytes: free
 *     f 0                free; f -1 frees NULL
 *
 * Everything is separated by white space, as the lab's fscanf reads it: line ends mean nothing. The request letters `s` and `h`
 * (self-tests of one port) are passed over. Counts of the header that are wrong are noted; what stands behind the promised
 * number of operations is read all the same, and noted.
 */
import { ALLOCATE, type EventSink, FREE, REALLOCATE, RecordedEvent } from "../event.js";
import type { Notes, Place } from "../notes.js";
import type { Cursor } from "../text/cursor.js";
import type { LineFormat } from "../text/line-reader.js";

const HEADER = 4;
const LETTERS = ["a", "f", "r", "s", "h"] as const;
type Wanted = "header" | "request" | "id" | "bytes";

export class RepFormat implements LineFormat {
  readonly allowsEmptyLines = true;
  readonly #sink: EventSink;
  readonly #notes: Notes;
  readonly #event = new RecordedEvent();
  readonly #live = new Set<number>();
  #wanted: Wanted = "header";
  #headers = 0;
  #promisedIds = 0;
  #promisedOperations = 0;
  #ids = 0;
  #operations = 0;
  #freesOfNull = 0;
  #letter = "";
  #id = 0;

  constructor(sink: EventSink, notes: Notes) {
    this.#sink = sink;
    this.#notes = notes;
  }

  line(cursor: Cursor): void {
    for (cursor.blanks(); !cursor.isAtEnd; cursor.blanks()) {
      const from = cursor.at;
      try {
        this.#token(cursor);
      } catch (error) {
        // What has begun is lost with its line; the next line begins anew.
        if (this.#wanted !== "header") this.#wanted = "request";
        throw error;
      }
      if (cursor.at === from) cursor.fail("expected a request");
    }
  }

  #token(cursor: Cursor): void {
    switch (this.#wanted) {
      case "header": {
        const count = cursor.decimal("a number");
        this.#headers += 1;
        if (this.#headers === 2) this.#promisedIds = count;
        if (this.#headers === 3) this.#promisedOperations = count;
        if (this.#headers === HEADER) this.#wanted = "request";
        return;
      }
      case "request": {
        const at = cursor.at;
        this.#letter = LETTERS.find((letter) => cursor.hasWord(letter)) ?? cursor.fail("an unknown call", at);
        if (this.#letter === "a" || this.#letter === "r" || this.#letter === "f") this.#wanted = "id";
        return;
      }
      case "id":
        if (cursor.has("-1")) {
          if (this.#letter !== "f") cursor.fail("expected an id", cursor.at - 2);
          this.#sink.ignore();
          this.#freesOfNull += 1;
          this.#wanted = "request";
          return;
        }
        this.#id = cursor.decimal("an id");
        if (this.#letter === "f") this.#emit(cursor, 0);
        else this.#wanted = "bytes";
        return;
      case "bytes":
        this.#emit(cursor, cursor.decimal("a size in bytes"));
    }
  }

  #emit(cursor: Cursor, bytes: number): void {
    const event = this.#event;
    const id = this.#id;
    this.#wanted = "request";
    this.#operations += 1;
    this.#ids = Math.max(this.#ids, id + 1);
    event.line = cursor.line;
    event.id.setNumber(id);
    event.to.setNumber(id);
    event.bytes = bytes;
    if (this.#letter === "a") event.kind = ALLOCATE;
    else if (this.#letter === "f") event.kind = FREE;
    else if (!this.#live.has(id)) event.kind = ALLOCATE;
    else event.kind = bytes === 0 ? FREE : REALLOCATE;
    if (event.kind === FREE) this.#live.delete(id);
    else this.#live.add(id);
    this.#sink.take(event);
  }

  end(lines: number): void {
    const place = { line: lines, column: 1 };
    if (this.#wanted === "header") {
      this.#notes.add("mended", "a header that is cut off", place);
      return;
    }
    if (this.#wanted !== "request") this.#notes.add("skipped", "a request that is cut off", place);
    const operations = this.#operations;
    // Some labs count frees of NULL, some do not.
    const isRight = [operations, operations + this.#freesOfNull].includes(this.#promisedOperations);
    if (!isRight) this.#promise("operations", this.#promisedOperations, operations, place);
    if (this.#ids !== this.#promisedIds) this.#promise("ids", this.#promisedIds, this.#ids, place);
  }

  #promise(what: string, promised: number, found: number, place: Place): void {
    this.#notes.add(
      "mended",
      `a header that promises another number of ${what} than there are`,
      place,
      `${promised} for ${found}`,
    );
  }
}
