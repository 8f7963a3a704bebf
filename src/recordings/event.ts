/**
 * What a recording says, one event at a time.
 *
 * A block is named by the recording: by a number (a pointer, an index) in two halves, or by a text. There is one event
 * object for each reader, filled anew for each event: copy what you keep.
 */

export const ALLOCATE = 0;
export const FREE = 1;
export const REALLOCATE = 2;
export type EventKind = typeof ALLOCATE | typeof FREE | typeof REALLOCATE;

/** The name of a block. */
export class BlockId {
  high = 0;
  low = 0;
  /** Instead of the number, where it is none. */
  text: string | undefined;

  /** A number up to 2^53 - 1. */
  setNumber(value: number): void {
    this.high = Math.floor(value / 2 ** 32);
    this.low = value >>> 0;
    this.text = undefined;
  }

  setHalves(high: number, low: number): void {
    this.high = high;
    this.low = low;
    this.text = undefined;
  }

  /** Exactly as it is written: `5` and `05` are two. */
  setText(value: string): void {
    if (/^(?:0|[1-9]\d{0,14})$/.test(value)) this.setNumber(Number(value));
    else this.text = value;
  }

  get isNull(): boolean {
    return this.high === 0 && this.low === 0 && this.text === undefined;
  }

  /** For messages. */
  toString(): string {
    if (this.text !== undefined) return this.text;
    if (this.high < 0x200000) return String(this.high * 2 ** 32 + this.low);
    return `0x${this.high.toString(16)}${this.low.toString(16).padStart(8, "0")}`;
  }
}

export class RecordedEvent {
  kind: EventKind = ALLOCATE;
  /** The block; of a reallocation the old one. */
  readonly id: BlockId = new BlockId();
  /** The new block of a reallocation. */
  readonly to: BlockId = new BlockId();
  /** Bytes asked for; an integer from 0 to 2^53 - 1. */
  bytes = 0;
  /** A power of two; 0 where the recording does not say. */
  alignment = 0;
  thread = 0;
  /** Nanoseconds since the recording began, or any beginning; NaN where the recording does not say. */
  timeNs: number = Number.NaN;
  /** Who asked: an adapter, a call stack's number, a thread; empty where the recording does not say. */
  owner = "";
  /** Number of the line, or of the record, from 1. */
  line = 0;
}

/** Takes events as they are read. */
export interface EventSink {
  take(event: RecordedEvent): void;
  /** A call that changed nothing: a free of NULL, an allocation that failed. */
  ignore(): void;
}

/** Reads the bytes of one form, as they come. */
export interface FormatReader {
  push(piece: Uint8Array): void;
  /** The bytes have ended. */
  end(): void;
}

const MOST_ALIGNMENT = 2 ** 40;

/** Is it an alignment: a power of two from 1 to 2^40? */
export function isAlignment(value: number): boolean {
  if (!Number.isSafeInteger(value) || value < 1 || value > MOST_ALIGNMENT) return false;
  const high = Math.floor(value / 2 ** 20);
  return high === 0 ? (value & (value - 1)) === 0 : value % 2 ** 20 === 0 && (high & (high - 1)) === 0;
}
