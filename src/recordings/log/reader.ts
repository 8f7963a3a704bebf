/**
 * Reads an event log file as it comes: pieces of any length in, events out.
 *
 * Whatever the bytes are, reading ends, keeps one state for each shape, and refuses damage with `BAD_TRACE` and the offset at
 * which it stands. A file that ends before its end record was cut off: its whole events have been handed on by then.
 */
import { ShmemError } from "../../../bindings/index.js";
import {
  FIRST_PREDICTED,
  LineDigest,
  LOG_MAGIC,
  LONGEST_TEXT,
  type LogHeader,
  MOST_SHAPES,
  OWN_BITS,
  REST_PREDICTED,
  ShapeState,
  STEP_EXPLICIT,
  TAG_END,
  TAG_FIRST_EVENT,
  TAG_SHAPE,
  TAG_TEXT,
  TIME_CHANGES,
} from "./format.js";
import { LogShape } from "./shape.js";

/** One event, as it stands in the file. Valid during the call only: the object and its numbers are used again. */
export interface RawEvent {
  /** Number of the event, from 0. */
  readonly index: number;
  readonly step: number;
  /** Simulated time, nanoseconds. */
  readonly timeNs: number;
  /** What kind of line it is. */
  readonly shape: LogShape;
  /** Its numbers, in the order of the line. */
  readonly values: Float64Array;
}

/** How a log ended. */
export interface LogEnd {
  readonly events: number;
  /** False: the file was cut off before its end record. */
  readonly complete: boolean;
  /** 16 hex digits over the lines that were read; equal to the machine's `logDigest` where the file is complete. */
  readonly digest: string;
}

/** Thrown inside to say that a record is not whole yet. */
const MORE = Symbol("more bytes");
const MOST_NUMBERS = 64;
const LONGEST_PENDING = 4 * LONGEST_TEXT;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class LogReader {
  readonly #take: (event: RawEvent) => void;
  readonly #onHeader: (header: LogHeader) => void;
  readonly #keepDigest: boolean;
  readonly #shapes: { readonly state: ShapeState; readonly shape: LogShape }[] = [];
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  readonly #digest = new LineDigest();
  readonly #event: Mutable<RawEvent>;
  readonly #texts = new Map<string, LogShape>();
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Bytes of the file before `#bytes`. */
  #before = 0;
  #state: "magic" | "header" | "records" | "ended" = "magic";
  #count = 0;
  #complete = false;

  /** `digest: false` saves making every line as text where nobody asks for the digest. */
  constructor(
    onHeader: (header: LogHeader) => void,
    take: (event: RawEvent) => void,
    { digest = true }: { readonly digest?: boolean } = {},
  ) {
    this.#take = take;
    this.#onHeader = onHeader;
    this.#keepDigest = digest;
    this.#event = { index: 0, step: 0, timeNs: 0, shape: new LogShape(""), values: new Float64Array(MOST_NUMBERS) };
  }

  push(piece: Uint8Array): void {
    if (this.#at === this.#bytes.length) {
      this.#before += this.#bytes.length;
      this.#bytes = piece;
    } else {
      const rest = this.#bytes.length - this.#at;
      const joined = new Uint8Array(rest + piece.length);
      joined.set(this.#bytes.subarray(this.#at));
      joined.set(piece, rest);
      this.#before += this.#at;
      this.#bytes = joined;
    }
    this.#at = 0;
    while (this.#at < this.#bytes.length) {
      const began = this.#at;
      try {
        this.#record();
      } catch (error) {
        if (error !== MORE) throw error;
        this.#at = began;
        if (this.#bytes.length - began > LONGEST_PENDING) this.#refuse("a record without an end");
        return;
      }
    }
  }

  /** `BAD_TRACE` where not even the header was whole. */
  end(): LogEnd {
    if (this.#state === "magic" || this.#state === "header") this.#refuse("an event log that is cut off in its header");
    return { events: this.#count, complete: this.#complete, digest: this.#digest.digest() };
  }

  #refuse(why: string): never {
    const offset = this.#before + this.#at;
    throw new ShmemError("BAD_TRACE", `event log, byte ${offset}: ${why}`, {
      value: offset,
      unit: "byte",
      field: `1:${offset + 1}`,
    });
  }

  #record(): void {
    switch (this.#state) {
      case "magic":
        for (const byte of LOG_MAGIC) {
          if (this.#byte() !== byte) this.#refuse("no event log, or one of another version than 1");
        }
        this.#state = "header";
        return;
      case "header":
        this.#header();
        this.#state = "records";
        return;
      case "ended":
        this.#refuse("bytes behind the end of the log");
        return;
      case "records": {
        const tag = this.#varint();
        if (tag >= TAG_FIRST_EVENT) this.#shaped(tag - TAG_FIRST_EVENT);
        else if (tag === TAG_SHAPE) this.#define();
        else if (tag === TAG_TEXT) this.#textEvent();
        else if (tag === TAG_END) this.#finish();
      }
    }
  }

  #header(): void {
    const text = this.#text();
    let header: unknown;
    try {
      header = JSON.parse(text);
    } catch {
      this.#refuse("a header that is no JSON");
    }
    if (typeof header !== "object" || header === null || Array.isArray(header))
      this.#refuse("a header that is no object");
    this.#onHeader(header as LogHeader);
  }

  #define(): void {
    const text = this.#text();
    if (this.#shapes.length === MOST_SHAPES) this.#refuse("too many shapes");
    const state = new ShapeState(text);
    if (state.count > MOST_NUMBERS) this.#refuse("a shape with too many numbers");
    this.#shapes.push({ state, shape: new LogShape(text) });
  }

  #shaped(number: number): void {
    const found = this.#shapes[number];
    if (found === undefined) this.#refuse(`shape ${number} was never defined`);
    const { state, shape } = found;
    const event = this.#event;
    const bits = this.#byte();
    const [step, timeNs] = this.#moment(bits);
    const { values } = event;
    for (let k = 0; k < state.count; k++) {
      const mask = k < OWN_BITS ? FIRST_PREDICTED << k : REST_PREDICTED;
      const expected = state.predict(k, k === 0 ? 0 : (values[k - 1] as number));
      const value = (bits & mask) !== 0 ? expected : expected + this.#signed();
      if (value < 0 || value > Number.MAX_SAFE_INTEGER) this.#refuse("a number out of range");
      values[k] = value;
    }
    state.learn(values);
    this.#hand(step, timeNs, shape);
  }

  #textEvent(): void {
    const bits = this.#byte();
    const [step, timeNs] = this.#moment(bits);
    const text = this.#text();
    const isWhole = (bits & REST_PREDICTED) === 0;
    let shape = this.#texts.get(text);
    if (shape === undefined || shape.isWhole !== isWhole) {
      shape = new LogShape(text, { literal: true, isWhole });
      if (this.#texts.size < 1024) this.#texts.set(text, shape);
    }
    this.#hand(step, timeNs, shape);
  }

  #hand(step: number, timeNs: number, shape: LogShape): void {
    const event = this.#event;
    event.index = this.#count++;
    event.step = step;
    event.timeNs = timeNs;
    event.shape = shape;
    if (this.#keepDigest) this.#digest.add(shape.line(event));
    this.#take(event);
  }

  #finish(): void {
    const count = this.#varint();
    let words = "";
    for (let word = 0; word < 2; word++) {
      let value = 0;
      for (let i = 0; i < 4; i++) value += this.#byte() * 2 ** (8 * i);
      words += value.toString(16).padStart(8, "0");
    }
    if (count !== this.#count) this.#refuse(`the end names ${count} events, the log has ${this.#count}`);
    if (this.#keepDigest && words !== this.#digest.digest()) this.#refuse("the digest at the end is another one");
    this.#complete = true;
    this.#state = "ended";
  }

  #moment(bits: number): [step: number, timeNs: number] {
    const few = bits & STEP_EXPLICIT;
    const step = this.#event.step + (few === STEP_EXPLICIT ? this.#varint() : few);
    const timeNs = this.#event.timeNs + ((bits & TIME_CHANGES) !== 0 ? this.#varint() : 0);
    if (step > Number.MAX_SAFE_INTEGER || timeNs > Number.MAX_SAFE_INTEGER) this.#refuse("a time out of range");
    return [step, timeNs];
  }

  #byte(): number {
    if (this.#at === this.#bytes.length) throw MORE;
    return this.#bytes[this.#at++] as number;
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (value > Number.MAX_SAFE_INTEGER) this.#refuse("a number above 2^53 - 1");
      if (byte < 0x80) return value;
      if (factor > 2 ** 50) this.#refuse("a number of too many bytes");
    }
  }

  #signed(): number {
    const first = this.#byte();
    const rest = (first & 0x80) === 0 ? 0 : this.#varint();
    const magnitude = ((first >> 1) & 0x3f) + 0x40 * rest;
    if (magnitude > Number.MAX_SAFE_INTEGER) this.#refuse("a number above 2^53 - 1");
    return (first & 1) === 0 ? magnitude : -magnitude;
  }

  #text(): string {
    const length = this.#varint();
    if (length > LONGEST_TEXT) this.#refuse(`a text of ${length} bytes`);
    if (this.#at + length > this.#bytes.length) throw MORE;
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    try {
      return this.#decoder.decode(bytes);
    } catch {
      return this.#refuse("a text that is no UTF-8");
    }
  }
}
