/**
 * Bytes to lines, without ever holding more than one line.
 *
 * A byte-order mark and `\r\n` are harmless and go away. A NUL, a byte that is no ASCII, or a line longer than the limit
 * is `BAD_TRACE` with its line and column: no format read here has any of them.
 */
import { ShmemError } from "../../bindings/index.js";

/** No format comes near this. */
export const LONGEST_LINE: number = 1024;

const LF = 10;
const SHOWN = 40;

/** Where in a recording: counted from 1, in bytes. */
export interface At {
  readonly line: number;
  readonly column: number;
}

/** Refuse a recording. `value` is what stands there. */
export function badTrace({ line, column }: At, why: string, value?: unknown, cause?: unknown): never {
  const shown = typeof value === "string" && value.length > SHOWN ? `${value.slice(0, SHOWN)}...` : value;
  const said = shown === undefined ? "" : `, got ${typeof shown === "string" ? JSON.stringify(shown) : String(shown)}`;
  throw new ShmemError("BAD_TRACE", `line ${line}, column ${column}: ${why}${said}`, {
    value: shown,
    unit: "text",
    field: `${line}:${column}`,
    cause,
  });
}

const BYTE_ORDER_MARK = "\xef\xbb\xbf";
/** Anything but printable ASCII and the tab. */
const NO_TEXT = /[^\t\x20-\x7e]/;

/** Splits what is pushed into lines and hands each on, with its number. */
export class LineSplitter {
  readonly #take: (line: string, number: number) => void;
  /** The line that has begun, one character for each byte. */
  #begun = "";
  #line = 1;

  constructor(take: (line: string, number: number) => void) {
    this.#take = take;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      this.#add(chunk, start, end);
      this.#finish();
      start = end + 1;
    }
    this.#add(chunk, start, chunk.length);
  }

  #add(bytes: Uint8Array, start: number, end: number): void {
    const most = LONGEST_LINE + 1 - this.#begun.length;
    this.#begun += String.fromCharCode(...bytes.subarray(start, Math.min(end, start + most)));
    if (this.#begun.length > LONGEST_LINE)
      badTrace({ line: this.#line, column: LONGEST_LINE + 1 }, `a line longer than ${LONGEST_LINE} bytes`);
  }

  #finish(): void {
    let text = this.#begun.endsWith("\r") ? this.#begun.slice(0, -1) : this.#begun;
    if (this.#line === 1 && text.startsWith(BYTE_ORDER_MARK)) text = text.slice(BYTE_ORDER_MARK.length);
    const odd = text.search(NO_TEXT);
    if (odd >= 0) {
      const byte = `0x${text.charCodeAt(odd).toString(16).padStart(2, "0")}`;
      badTrace({ line: this.#line, column: odd + 1 }, "a byte that is no text", byte);
    }
    this.#begun = "";
    this.#take(text, this.#line);
    this.#line += 1;
  }

  /** The last line needs no line feed. */
  end(): void {
    if (this.#begun !== "") this.#finish();
  }
}
