/**
 * Writes an event log file: lines come in, bytes go out in pieces of up to 64 KiB.
 *
 * What is kept is one state for each shape of line, whatever the length of the log. See format.ts for the form.
 */
import {
  DECIMAL,
  FIRST_PREDICTED,
  HEXADECIMAL,
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

/** Where the bytes of a log go: a Node stream, a socket, an array of pieces. */
export interface ByteSink {
  write(bytes: Uint8Array): unknown;
}

const PIECE_BYTES = 65536;
/** A number that can be written back exactly as it stood: no leading zero, at most 2^53 - 1, no letter or point beside it. */
const NUMBERS = /(?<![\w.])(?:0x(?:0|[1-9a-f][0-9a-f]{0,13})|0|[1-9]\d{0,15})(?![\w.])/g;
const STEP_AND_TIME = /^(0|[1-9]\d{0,15}) (0|[1-9]\d{0,15}) /;
/** More numbers than this in one line are left in its text. */
const MOST_NUMBERS = 64;
/** A longer line is cut, so that its UTF-8 stays within what a reader takes. */
const LONGEST_LINE = LONGEST_TEXT / 4;

export class LogWriter {
  readonly #sink: ByteSink;
  readonly #shapes = new Map<string, { readonly number: number; readonly state: ShapeState }>();
  readonly #digest = new LineDigest();
  readonly #values = new Float64Array(MOST_NUMBERS);
  readonly #encoder = new TextEncoder();
  #piece = new Uint8Array(PIECE_BYTES);
  #at = 0;
  #step = 0;
  #timeNs = 0;
  #count = 0;
  #written = 0;
  #ended = false;

  constructor(sink: ByteSink, header: LogHeader) {
    this.#sink = sink;
    this.#bytes(LOG_MAGIC);
    this.#text(JSON.stringify(header));
  }

  /** Lines so far. */
  get count(): number {
    return this.#count;
  }

  /** Bytes so far, those that are not handed on yet included. */
  get bytes(): number {
    return this.#written + this.#at;
  }

  /** One event: `step time what`, as a machine writes it. */
  line(given: string): void {
    if (this.#ended) return;
    const line = given.length > LONGEST_LINE ? given.slice(0, LONGEST_LINE) : given;
    this.#count++;
    this.#digest.add(line);
    const head = STEP_AND_TIME.exec(line);
    const step = Number(head?.[1]);
    const timeNs = Number(head?.[2]);
    if (head !== null && step >= this.#step && timeNs >= this.#timeNs && timeNs <= Number.MAX_SAFE_INTEGER) {
      const what = line.slice(head[0].length);
      const shape = this.#shapeOf(what);
      if (shape === undefined) this.#textEvent(REST_PREDICTED, step, timeNs, what);
      else this.#event(shape.number, shape.state, step, timeNs);
    } else this.#textEvent(0, this.#step, this.#timeNs, line);
    if (this.#at > PIECE_BYTES / 2) this.flush();
  }

  /** Hand on what is written so far. */
  flush(): void {
    if (this.#at === 0) return;
    this.#written += this.#at;
    this.#sink.write(this.#piece.subarray(0, this.#at));
    this.#piece = new Uint8Array(PIECE_BYTES);
    this.#at = 0;
  }

  /** The last record, with count and digest. Lines that come later are left out. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#varint(TAG_END);
    this.#varint(this.#count);
    for (const word of this.#digest.words) {
      for (let shift = 0; shift < 32; shift += 8) this.#byte((word >>> shift) & 0xff);
    }
    this.flush();
  }

  /** 16 hex digits over all lines. */
  digest(): string {
    return this.#digest.digest();
  }

  /** Its shape; the numbers are left in `#values`. */
  #shapeOf(what: string): { readonly number: number; readonly state: ShapeState } | undefined {
    let count = 0;
    const text = what.replace(NUMBERS, (number) => {
      const value = Number(number);
      if (count === MOST_NUMBERS || value > Number.MAX_SAFE_INTEGER) return number;
      this.#values[count++] = value;
      return number.startsWith("0x") ? HEXADECIMAL : DECIMAL;
    });
    let shape = this.#shapes.get(text);
    if (shape === undefined) {
      // A text that holds the marks themselves could not be read back.
      if (this.#shapes.size === MOST_SHAPES || what.includes(DECIMAL) || what.includes(HEXADECIMAL)) return undefined;
      shape = { number: this.#shapes.size, state: new ShapeState(text) };
      this.#shapes.set(text, shape);
      this.#varint(TAG_SHAPE);
      this.#text(text);
    }
    return shape;
  }

  #event(number: number, state: ShapeState, step: number, timeNs: number): void {
    const values = this.#values;
    const { count } = state;
    let bits = 0;
    let restPredicted = true;
    for (let k = 0; k < count; k++) {
      const isPredicted = state.predict(k, k === 0 ? 0 : (values[k - 1] as number)) === values[k];
      if (k >= OWN_BITS) restPredicted &&= isPredicted;
      else if (isPredicted) bits |= FIRST_PREDICTED << k;
    }
    if (restPredicted) bits |= REST_PREDICTED;
    this.#varint(TAG_FIRST_EVENT + number);
    this.#moment(bits, step, timeNs);
    for (let k = 0; k < count; k++) {
      if (k < OWN_BITS ? (bits & (FIRST_PREDICTED << k)) !== 0 : restPredicted) continue;
      this.#signed((values[k] as number) - state.predict(k, k === 0 ? 0 : (values[k - 1] as number)));
    }
    state.learn(values);
  }

  #textEvent(bits: number, step: number, timeNs: number, text: string): void {
    this.#varint(TAG_TEXT);
    this.#moment(bits, step, timeNs);
    this.#text(text);
  }

  #moment(bits: number, step: number, timeNs: number): void {
    const steps = step - this.#step;
    const time = timeNs - this.#timeNs;
    this.#byte(bits | Math.min(steps, STEP_EXPLICIT) | (time === 0 ? 0 : TIME_CHANGES));
    if (steps >= STEP_EXPLICIT) this.#varint(steps);
    if (time !== 0) this.#varint(time);
    this.#step = step;
    this.#timeNs = timeNs;
  }

  #byte(value: number): void {
    if (this.#at === this.#piece.length) this.flush();
    this.#piece[this.#at++] = value;
  }

  #bytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#byte(byte);
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#byte((rest % 0x80) | 0x80);
    this.#byte(rest);
  }

  #signed(value: number): void {
    const magnitude = Math.abs(value);
    const first = ((magnitude % 0x40) << 1) | (value < 0 ? 1 : 0);
    const rest = Math.floor(magnitude / 0x40);
    this.#byte(rest === 0 ? first : first | 0x80);
    if (rest !== 0) this.#varint(rest);
  }

  #text(text: string): void {
    const bytes = this.#encoder.encode(text);
    this.#varint(bytes.length);
    this.#bytes(bytes);
  }
}
