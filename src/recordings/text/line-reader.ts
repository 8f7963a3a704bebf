/**
 * Bytes to lines, without holding more than the line that has begun.
 *
 * A byte-order mark and `\r\n` are harmless. A line that is too long, or that its format refuses, is left out and counted; in
 * strict reading it is refused with line and column.
 */
import { badTrace, type Notes } from "../notes.js";
import { Cursor, LineError } from "./cursor.js";

/** Longer lines occur in no form that is read here, names of C++ functions included. */
export const LONGEST_LINE: number = 65536;

const LF = 10;
const CR = 13;

/** What a format makes of its lines. */
export interface LineFormat {
  /** One line, without its end. May throw `LineError`. */
  line(cursor: Cursor): void;
  /** No line follows. May refuse what is missing. */
  end?(lines: number): void;
  /** Empty lines are nothing special in this form. */
  readonly allowsEmptyLines?: boolean;
}

export class LineReader {
  readonly #format: LineFormat;
  readonly #notes: Notes;
  readonly #cursor = new Cursor();
  /** The beginning of a line whose end has not come. */
  #begun: Uint8Array = new Uint8Array(0);
  /** Passing over a line that is too long. */
  #isPassing = false;
  #line = 0;
  #emptyAt = 0;

  constructor(format: LineFormat, notes: Notes) {
    this.#format = format;
    this.#notes = notes;
  }

  push(piece: Uint8Array): void {
    let start = 0;
    if (this.#begun.length > 0 || this.#isPassing) {
      const end = piece.indexOf(LF);
      this.#keep(end < 0 ? piece : piece.subarray(0, end));
      if (end < 0) return;
      this.#finishBegun();
      start = end + 1;
    }
    for (let end = piece.indexOf(LF, start); end >= 0; end = piece.indexOf(LF, start)) {
      this.#one(piece, start, end);
      start = end + 1;
    }
    if (start < piece.length) this.#keep(piece.subarray(start));
  }

  /** The last line needs no line feed. */
  end(): void {
    if (this.#begun.length > 0 || this.#isPassing) this.#finishBegun();
    this.#format.end?.(Math.max(1, this.#line));
  }

  #keep(bytes: Uint8Array): void {
    if (this.#isPassing) return;
    const length = this.#begun.length + bytes.length;
    if (length > LONGEST_LINE + 1) {
      this.#tooLong(this.#line + 1);
      this.#isPassing = true;
      this.#begun = new Uint8Array(0);
      return;
    }
    const joined = new Uint8Array(length);
    joined.set(this.#begun);
    joined.set(bytes, this.#begun.length);
    this.#begun = joined;
  }

  #tooLong(line: number): void {
    this.#notes.add("skipped", `a line longer than ${LONGEST_LINE} bytes`, { line, column: LONGEST_LINE + 1 });
  }

  #finishBegun(): void {
    const line = this.#begun;
    this.#begun = new Uint8Array(0);
    if (this.#isPassing) {
      this.#isPassing = false;
      this.#line++;
    } else this.#one(line, 0, line.length);
  }

  #one(bytes: Uint8Array, from: number, to: number): void {
    this.#line++;
    const cursor = this.#cursor;
    let start = from;
    if (
      this.#line === 1 &&
      to - from >= 3 &&
      bytes[from] === 0xef &&
      bytes[from + 1] === 0xbb &&
      bytes[from + 2] === 0xbf
    )
      start += 3;
    const end = to > start && bytes[to - 1] === CR ? to - 1 : to;
    if (end - start > LONGEST_LINE) {
      this.#tooLong(this.#line);
      return;
    }
    cursor.bytes = bytes;
    cursor.start = start;
    cursor.at = start;
    cursor.end = end;
    cursor.line = this.#line;
    if (start === end && this.#format.allowsEmptyLines !== true) {
      this.#emptyAt ||= this.#line; // Harmless at the end only.
      return;
    }
    if (this.#emptyAt !== 0) {
      this.#notes.add("mended", "an empty line", { line: this.#emptyAt, column: 1 });
      this.#emptyAt = 0;
    }
    try {
      this.#format.line(cursor);
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      const { column, message, value } = error;
      if (this.#notes.strict) badTrace({ line: this.#line, column }, message, value);
      this.#notes.add("skipped", message, { line: this.#line, column }, value);
    }
  }
}
