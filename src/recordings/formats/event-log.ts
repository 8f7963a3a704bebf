/** An event log of a machine (log/format.ts), as a recording: what its drivers allocated and gave back. */
import { ALLOCATE, type EventSink, type FormatReader, FREE, RecordedEvent } from "../event.js";
import { type LogHeader, LogReader } from "../log/index.js";
import type { Notes } from "../notes.js";

export class EventLogReader implements FormatReader {
  readonly #notes: Notes;
  readonly #reader: LogReader;
  #index = 0;

  constructor(sink: EventSink, notes: Notes, onHeader: (header: LogHeader) => void) {
    this.#notes = notes;
    const event = new RecordedEvent();
    this.#reader = new LogReader(onHeader, ({ index, timeNs, shape, values }) => {
      this.#index = index;
      const { kind } = shape;
      if (kind === "complete" || kind === "allocate") event.kind = ALLOCATE;
      else if (kind === "free" || kind === "reclaim") event.kind = FREE;
      else {
        if (kind === "complete-null" || kind === "allocate-failed" || kind === "refused") sink.ignore();
        return;
      }
      event.id.setNumber(shape.virtualOf(values));
      event.bytes = shape.lengthOf(values);
      event.timeNs = timeNs;
      event.owner = shape.adapter;
      event.line = index + 1;
      sink.take(event);
    });
  }

  push(piece: Uint8Array): void {
    this.#reader.push(piece);
  }

  end(): void {
    if (!this.#reader.end().complete) {
      this.#notes.add("mended", "an event log that is cut off", { line: this.#index + 1, column: 1 });
    }
  }
}
