/**
 * The form of an event log file, version 1, and the arithmetic that its writer and its reader share.
 *
 *     "NDISLOG1"   8 bytes
 *     header       varint length, then so many bytes of UTF-8 JSON: `LogHeader`
 *     records      until the end of the file
 *
 * A record begins with a varint, the tag:
 *
 *     0   end      varint number of events, 8 bytes digest (two u32, little-endian, high first). Nothing follows. A file
 *                  without it was cut off: what is whole of it can be read.
 *     1   shape    varint length, UTF-8. Defines the next shape; shapes are numbered from 0.
 *     2   text     an event without a shape: the byte of an event, step and time, then varint length and UTF-8
 *     3+n event    of shape n
 *
 * A log line is `step time what`. A *shape* is `what` with its numbers taken out: U+0001 stands for a decimal number,
 * U+0002 for a hexadecimal one with `0x`. An event has, after its tag, one byte:
 *
 *     bits 0-1   step: 0 the same as before, 1 one more, 2 two more, 3 a varint delta follows
 *     bit  2     time: 0 the same as before, 1 a varint delta follows
 *     bit  3     every number from the fifth on is as predicted
 *     bits 4-7   number 1 to 4 is as predicted
 *
 * then the varints of step and time that the byte announces, then a signed varint for each number that is not as predicted:
 * its difference to the prediction. Numbers from the fifth on are all written where bit 3 is 0.
 *
 * The prediction for a number: as far from the number before it in its line as in the last event of this shape, where both
 * are hexadecimal (virtual and physical address of one block); otherwise the value in the last event of this shape plus the
 * change that it had there, if it had the same change the time before (a sequence number). Before the first event of a
 * shape all its numbers are taken to be 0, and a prediction outside 0 to 2^53 - 1 is the value in the last event.
 *
 * A text event (tag 2) has the same byte: bit 3 is 1 where step and time were told from the line, and 0 where the text is
 * the whole line.
 *
 * All varints are LEB128, low seven bits first, up to 2^53 - 1. A signed varint has its sign in bit 0 of its first byte (1:
 * negative), the low six bits of the magnitude in bits 1 to 6, and continues like a varint.
 */

/** The first bytes of a log file: "NDISLOG1". The last of them is the version. */
export const LOG_MAGIC: Uint8Array = Uint8Array.of(0x4e, 0x44, 0x49, 0x53, 0x4c, 0x4f, 0x47, 0x31);

export const TAG_END = 0;
export const TAG_SHAPE = 1;
export const TAG_TEXT = 2;
export const TAG_FIRST_EVENT = 3;

/** More shapes than this are not made: what comes then is written as text. Two bytes of tag reach so far. */
export const MOST_SHAPES: number = 2 ** 14 - TAG_FIRST_EVENT;
/** A longer text in a log file is damage: no line of a machine comes near it. */
export const LONGEST_TEXT: number = 2 ** 20;

export const DECIMAL = "\u0001";
export const HEXADECIMAL = "\u0002";

/** Bits of the byte after the tag. */
export const STEP_EXPLICIT = 3;
export const TIME_CHANGES = 4;
export const REST_PREDICTED = 8;
export const FIRST_PREDICTED = 16;
/** Numbers that have a bit of their own. */
export const OWN_BITS = 4;

/** What a log says of itself before its first event. */
export interface LogHeader {
  /** Version of the package that wrote it. */
  readonly package?: string;
  /** Seed of the machine. */
  readonly seed?: number;
  /** Zones of the machine: physical base and size in bytes, and the first virtual address of the zone. */
  readonly zones?: readonly { readonly base: number; readonly size: number; readonly virtual?: number }[];
  /** Bytes in a frame. */
  readonly frameSize?: number;
  /** How to make the same run again; written by `ndis-shmem run --record`. */
  readonly run?: RunOfLog;
}

/** The options of `ndis-shmem run` that decide its history. */
export interface RunOfLog {
  readonly driver: string;
  /** Path of the capture as it was given; absent for the built-in traffic. */
  readonly traffic?: string;
  readonly seed: number;
  readonly schedule: string;
  readonly arenaBytes?: number;
  readonly speedUp?: number;
}

/** What the prediction of a shape's numbers remembers. */
export class ShapeState {
  readonly text: string;
  /** Is number k hexadecimal? */
  readonly hexadecimal: readonly boolean[];
  /** The numbers of the last event. */
  readonly last: Float64Array;
  /** How much they changed there. */
  readonly #step: Float64Array;
  /** The same, where it was the same twice: one jump must not spoil two predictions. */
  readonly #stride: Float64Array;

  constructor(text: string) {
    this.text = text;
    const marks = [...text].filter((one) => one === DECIMAL || one === HEXADECIMAL);
    this.hexadecimal = marks.map((one) => one === HEXADECIMAL);
    this.last = new Float64Array(marks.length);
    this.#step = new Float64Array(marks.length);
    this.#stride = new Float64Array(marks.length);
  }

  /** How many numbers an event of this shape has. */
  get count(): number {
    return this.last.length;
  }

  /** What number `k` is expected to be; `previous` is the number before it in the same event. */
  predict(k: number, previous: number): number {
    const last = this.last[k] as number;
    const isPair = k > 0 && this.hexadecimal[k] === true && this.hexadecimal[k - 1] === true;
    const expected = isPair ? previous + last - (this.last[k - 1] as number) : last + (this.#stride[k] as number);
    return expected >= 0 && expected <= Number.MAX_SAFE_INTEGER ? expected : last;
  }

  /** Remember the numbers of an event. */
  learn(values: Float64Array): void {
    for (let k = 0; k < this.last.length; k++) {
      const step = (values[k] as number) - (this.last[k] as number);
      this.#stride[k] = step === this.#step[k] ? step : 0;
      this.#step[k] = step;
      this.last[k] = values[k] as number;
    }
  }
}

/** Digest over the lines of a log: the one that a machine reports as `logDigest`. */
export class LineDigest {
  #high = 0x6295c58d;
  #low = 0x62b82175;

  add(text: string): void {
    let high = this.#high;
    let low = this.#low;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      low = Math.imul(low ^ unit, 0x01000193);
      high = Math.imul(high ^ unit ^ (low >>> 15), 0x85ebca6b);
    }
    // A line end of its own, so that "a" "b" differs from "ab".
    this.#low = Math.imul(low ^ 0x0a, 0x01000193);
    this.#high = Math.imul(high ^ (this.#low >>> 13), 0xc2b2ae35);
  }

  /** The two halves, high first. */
  get words(): readonly [number, number] {
    return [this.#high >>> 0, this.#low >>> 0];
  }

  /** 16 hex digits over all lines so far. */
  digest(): string {
    return this.words.map((word) => word.toString(16).padStart(8, "0")).join("");
  }
}
