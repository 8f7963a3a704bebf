/**
 * A place in a line of bytes, moved from left to right by those who read it.
 *
 * Lines are never made into strings where that can be avoided: a recording has millions of them. What does not fit is thrown
 * as a `LineError`, which the line reader turns into a refusal or a count.
 */

/** A line that makes no sense. `column` from 1. */
export class LineError extends Error {
  override readonly name: string = "LineError";

  constructor(
    readonly column: number,
    message: string,
    readonly value?: string,
  ) {
    super(message);
  }
}

const SPACE = 32;
const TAB = 9;
const DIGIT_0 = 48;
const DIGIT_9 = 57;
const LOWER_A = 97;
const SHOWN = 64;

/** Value of each hexadecimal digit's byte, 255 for the others. */
const HEX: Uint8Array = new Uint8Array(256).fill(255);
for (const [value, digit] of [..."0123456789abcdef"].entries()) {
  HEX[digit.charCodeAt(0)] = value;
  HEX[digit.toUpperCase().charCodeAt(0)] = value;
}

export class Cursor {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;
  /** Where the line begins in `bytes`. */
  start = 0;
  /** Number of the line, from 1. */
  line = 0;
  /** Halves of the last number that `hex` read. */
  high = 0;
  low = 0;

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  /** The byte here, 0 at the end. */
  get byte(): number {
    return this.at < this.end ? (this.bytes[this.at] as number) : 0;
  }

  /** What is left of the line. */
  get rest(): string {
    return this.text(this.at, this.end);
  }

  /** Some of the line as text, a character for each byte. */
  text(from: number, to: number): string {
    let text = "";
    for (let at = from; at < to; at += 1024) {
      text += String.fromCharCode(...this.bytes.subarray(at, Math.min(to, at + 1024)));
    }
    return text;
  }

  fail(why: string, at: number = this.at): never {
    const shown = this.text(at, Math.min(this.end, at + SHOWN));
    throw new LineError(at - this.start + 1, why, shown === "" ? undefined : shown);
  }

  /** Is this next? Then it is passed. */
  has(text: string): boolean {
    if (this.end - this.at < text.length) return false;
    for (let i = 0; i < text.length; i++) if (this.bytes[this.at + i] !== text.charCodeAt(i)) return false;
    this.at += text.length;
    return true;
  }

  /** Is this word next, with no lower-case letter behind it? Then it is passed. */
  hasWord(text: string): boolean {
    const next = this.at + text.length;
    if (next < this.end && isLower(this.bytes[next] as number)) return false;
    return this.has(text);
  }

  expect(text: string): void {
    if (!this.has(text)) this.fail(`expected ${JSON.stringify(text)}`);
  }

  /** Pass blanks and tabs. */
  blanks(): void {
    while (this.at < this.end && (this.bytes[this.at] === SPACE || this.bytes[this.at] === TAB)) this.at++;
  }

  /** Blanks, at least one. */
  gap(what: string): void {
    if (this.byte !== SPACE && this.byte !== TAB) this.fail(`expected ${what}`);
    this.blanks();
  }

  /** Only blanks may be left. */
  done(): void {
    this.blanks();
    if (this.at < this.end) this.fail("expected the end of the line");
  }

  /** A decimal integer up to 2^53 - 1, with nothing behind it that could belong to it. */
  decimal(what: string): number {
    const from = this.at;
    let value = 0;
    let digit = this.byte;
    while (digit >= DIGIT_0 && digit <= DIGIT_9) {
      value = 10 * value + (digit - DIGIT_0);
      this.at++;
      digit = this.byte;
    }
    if (this.at === from || isWordByte(digit) || digit === 46) this.fail(`expected ${what}`, from);
    if (this.at - from > 16 || value > Number.MAX_SAFE_INTEGER) this.fail(`${what} above 2^53 - 1`, from);
    return value;
  }

  /** A hexadecimal integer of up to 64 bits, `0x` in front or not; its halves are left in `high` and `low`. */
  hex(what: string): void {
    const from = this.at;
    if (this.byte === DIGIT_0 && (this.bytes[this.at + 1] === 120 || this.bytes[this.at + 1] === 88)) this.at += 2;
    const first = this.at;
    let high = 0;
    let low = 0;
    let value = this.at < this.end ? (HEX[this.bytes[this.at] as number] as number) : 255;
    while (value !== 255) {
      high = ((high << 4) | (low >>> 28)) >>> 0;
      low = ((low << 4) | value) >>> 0;
      this.at++;
      value = this.at < this.end ? (HEX[this.bytes[this.at] as number] as number) : 255;
    }
    if (this.at === first || isWordByte(this.byte)) this.fail(`expected ${what}`, from);
    if (this.at - first > 16) this.fail(`${what} of more than 16 digits`, from);
    this.high = high;
    this.low = low;
  }

  /** The same as a number; above 2^53 - 1 it is refused. */
  hexNumber(what: string): number {
    const from = this.at;
    this.hex(what);
    if (this.high >= 0x200000) this.fail(`${what} above 2^53 - 1`, from);
    return this.high * 2 ** 32 + this.low;
  }

  /** Lower-case letters and underscores. */
  word(what: string): string {
    const from = this.at;
    while (this.at < this.end && isLower(this.bytes[this.at] as number)) this.at++;
    if (this.at === from) this.fail(`expected ${what}`);
    return this.text(from, this.at);
  }

  /** Bytes up to a separator or the end, which may be none. */
  field(separator: number): string {
    const from = this.at;
    while (this.at < this.end && this.bytes[this.at] !== separator) this.at++;
    return this.text(from, this.at);
  }
}

function isLower(byte: number): boolean {
  return (byte >= LOWER_A && byte <= 122) || byte === 95;
}

/** Letters, digits and the underscore. */
function isWordByte(byte: number): boolean {
  return isLower(byte) || (byte >= DIGIT_0 && byte <= DIGIT_9) || (byte >= 65 && byte <= 90);
}
