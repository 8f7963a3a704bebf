/**
 * Recorded calls of the VulkanMemoryAllocator (file versions 1.0 to 1.8; the recorder went with version 3 of the library).
 *
 *     Vulkan Memory Allocator,Calls recording
 *     1,8
 *     Config,Begin ... Config,End
 *     THREAD,SECONDS,FRAME,CALL,PARAMETERS...
 *
 * Pointers are handles in hexadecimal without `0x`, not addresses. Images have no size in the file (only extent and
 * format), so they are passed over and counted; so are their frees. Calls that allocate nothing are passed over.
 */
import { ALLOCATE, type EventSink, FREE, isAlignment, REALLOCATE, RecordedEvent } from "../event.js";
import type { Notes } from "../notes.js";
import type { Cursor } from "../text/cursor.js";
import type { LineFormat } from "../text/line-reader.js";

const COMMA = 44;
const NS_PER_S = 1e9;
const MOST_PARAMETERS = 64;

/** Which parameter, from 0, is what. */
interface Call {
  readonly size?: number;
  readonly alignment?: number;
  /** The pointer that the call returns, or a list of them. */
  readonly out?: number;
  /** The pointer that it frees, or a list of them. */
  readonly free?: number;
}

const CALLS: Readonly<Record<string, Call>> = {
  vmaCreateBuffer: { size: 1, out: 10 },
  vmaAllocateMemory: { size: 0, alignment: 1, out: 9 },
  vmaAllocateMemoryForBuffer: { size: 0, alignment: 1, out: 11 },
  vmaAllocateMemoryForImage: { size: 0, alignment: 1, out: 11 },
  vmaAllocateMemoryPages: { size: 0, alignment: 1, out: 9 },
  vmaDestroyBuffer: { free: 0 },
  vmaDestroyImage: { free: 0 },
  vmaFreeMemory: { free: 0 },
  vmaFreeMemoryPages: { free: 0 },
};
const NO_SIZE: ReadonlySet<string> = new Set(["vmaCreateImage"]);

export class VmaFormat implements LineFormat {
  readonly #sink: EventSink;
  readonly #notes: Notes;
  readonly #event = new RecordedEvent();
  /** Handles of images, whose frees mean nothing here. */
  readonly #images = new Set<string>();
  #inConfiguration = false;

  constructor(sink: EventSink, notes: Notes) {
    this.#sink = sink;
    this.#notes = notes;
  }

  line(cursor: Cursor): void {
    if (cursor.line === 1) return;
    if (cursor.line === 2) {
      if (cursor.decimal("a version") !== 1) cursor.fail("a recording of a later version than 1", cursor.start);
      return;
    }
    if (cursor.has("Config,Begin")) this.#inConfiguration = true;
    else if (cursor.has("Config,End")) this.#inConfiguration = false;
    else if (!this.#inConfiguration) this.#call(cursor);
  }

  #call(cursor: Cursor): void {
    const event = this.#event;
    event.line = cursor.line;
    event.thread = cursor.decimal("a thread");
    cursor.expect(",");
    const at = cursor.at;
    const seconds = Number(cursor.field(COMMA));
    if (!Number.isFinite(seconds) || seconds < 0) cursor.fail("expected a time in seconds", at);
    event.timeNs = Math.round(seconds * NS_PER_S);
    cursor.expect(",");
    cursor.decimal("a frame");
    cursor.expect(",");
    const name = cursor.field(COMMA);
    const columns: number[] = [];
    const parameters: string[] = [];
    while (cursor.has(",") && parameters.length < MOST_PARAMETERS) {
      columns.push(cursor.at);
      parameters.push(cursor.field(COMMA));
    }
    const parameter = (k: number): string =>
      parameters[k] ?? cursor.fail(`${name} without its parameter ${k + 1}`, cursor.end);
    if (NO_SIZE.has(name)) {
      this.#notes.add("skipped", `${name} records no size`, { line: cursor.line, column: 1 });
      const handle = parameters[19];
      if (handle !== undefined) this.#images.add(handle);
      return;
    }
    const call = Object.hasOwn(CALLS, name) ? CALLS[name] : undefined;
    if (name === "vmaResizeAllocation") {
      this.#resize(cursor, parameter);
      return;
    }
    if (call === undefined) return;
    if (call.free !== undefined) {
      event.kind = FREE;
      for (const handle of parameter(call.free).split(" ")) {
        if (this.#images.delete(handle)) continue;
        if (this.#handle(cursor, handle, columns[call.free])) this.#sink.take(event);
        else this.#sink.ignore();
      }
      return;
    }
    event.kind = ALLOCATE;
    event.bytes = this.#integer(cursor, parameter(call.size ?? 0), columns[call.size ?? 0]);
    event.alignment = 0;
    if (call.alignment !== undefined) {
      const alignment = this.#integer(cursor, parameter(call.alignment), columns[call.alignment]);
      event.alignment = isAlignment(alignment) ? alignment : 0;
    }
    for (const handle of parameter(call.out ?? 0).split(" ")) {
      if (this.#handle(cursor, handle, columns[call.out ?? 0])) this.#sink.take(event);
      else this.#sink.ignore();
    }
  }

  #resize(cursor: Cursor, parameter: (k: number) => string): void {
    const event = this.#event;
    event.kind = REALLOCATE;
    event.alignment = 0;
    if (!this.#handle(cursor, parameter(0), cursor.start)) {
      this.#sink.ignore();
      return;
    }
    event.to.setHalves(event.id.high, event.id.low);
    event.bytes = this.#integer(cursor, parameter(1), cursor.start);
    this.#sink.take(event);
  }

  #integer(cursor: Cursor, text: string, at: number | undefined): number {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    return Number.isSafeInteger(value) ? value : cursor.fail("expected an integer", at);
  }

  /** Sets the id; false for a null handle. */
  #handle(cursor: Cursor, text: string, at: number | undefined): boolean {
    if (!/^[0-9A-Fa-f]{1,16}$/.test(text)) cursor.fail("expected a handle", at);
    const digits = text.padStart(16, "0");
    this.#event.id.setHalves(Number.parseInt(digits.slice(0, 8), 16), Number.parseInt(digits.slice(8), 16));
    return !this.#event.id.isNull;
  }
}
