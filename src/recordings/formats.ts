/**
 * The formats of recordings, each as a function from a line to what happened.
 *
 *     wee_alloc    Alloc(552),                 the n-th Alloc, from 0, is block n
 *                  Free(3),
 *     android      186: malloc 0xb6027400 64   calloc P N SIZE, memalign P ALIGN SIZE, realloc NEW OLD SIZE, free P,
 *                                              thread_done
 *     minimalloc   id,lower,upper,size         a buffer's lifetime, half open, in any unit of time
 *     plain        # comment                   first line
 *                  a,ID,BYTES,ALIGN,THREAD     f,ID,THREAD     r,ID,NEWID,BYTES,THREAD
 *     rep          20000 2 4 1                 four header lines: heap size, ids, operations, weight
 *                  a 0 512                     r ID BYTES, f ID
 *
 * Ids are kept as the text that they are, so no number loses a digit and no name of JavaScript's own means anything.
 * Sizes are plain decimal integers below 2^32.
 */
import { type At, badTrace } from "./lines.js";

/** What a line says. Ids are compared as text. */
export type Event =
  | { readonly do: "allocate"; readonly id: string; readonly bytes: number }
  | { readonly do: "free"; readonly id: string }
  | { readonly do: "reallocate"; readonly id: string; readonly to: string; readonly bytes: number }
  | { readonly do: "live"; readonly id: string; readonly from: number; readonly until: number; readonly bytes: number }
  | { readonly do: "claim"; readonly what: "blocks" | "operations"; readonly count: number };

/** One format. A parser is made for one recording, because some count lines. */
export interface Format {
  readonly name: string;
  /** Does a recording with this first line have this format? */
  matches(firstLine: string): boolean;
  parser(): (line: string, number: number) => Event | undefined;
}

const MOST_BYTES = 2 ** 32 - 1;

/** A line, read from left to right. Every refusal names the column. */
class Scanner {
  readonly #text: string;
  readonly #line: number;
  #at = 0;

  constructor(text: string, line: number) {
    this.#text = text;
    this.#line = line;
  }

  get at(): At {
    return { line: this.#line, column: this.#at + 1 };
  }

  get rest(): string {
    return this.#text.slice(this.#at);
  }

  refuse(why: string): never {
    return badTrace(this.at, why, this.rest === "" ? undefined : this.rest);
  }

  /** Is this next? Then it is read. */
  has(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  expect(text: string): void {
    if (!this.has(text)) this.refuse(`expected ${JSON.stringify(text)}`);
  }

  /** The longest match of a sticky expression, not empty. */
  #match(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) return this.refuse(`expected ${what}`);
    this.#at += found.length;
    return found;
  }

  id(): string {
    return this.#match(/[A-Za-z0-9_$.-]{1,64}/y, "an id");
  }

  pointer(): string {
    return this.#match(/0x[0-9a-f]{1,16}(?![0-9a-f])/y, "a pointer");
  }

  word(): string {
    return this.#match(/[a-z_]{1,16}/y, "a word");
  }

  /** A decimal integer from 0 to `most`, with nothing before or behind it that could belong to it. */
  integer(most: number, what: string): number {
    const at = this.at;
    const text = this.#match(/\d{1,16}(?![\w.])/y, what);
    const value = Number(text);
    if (value > most) badTrace(at, `${what} above ${most}`, text);
    return value;
  }

  bytes(): number {
    return this.integer(MOST_BYTES, "a size in bytes");
  }

  end(): void {
    if (this.#at !== this.#text.length) this.refuse("expected the end of the line");
  }
}

const MOST = Number.MAX_SAFE_INTEGER;

const weeAlloc: Format = {
  name: "wee_alloc",
  matches: (line) => /^(?:Alloc|Free)\(/.test(line),
  parser: () => {
    let blocks = 0;
    return (line, number) => {
      const scan = new Scanner(line, number);
      if (scan.has("Alloc(")) {
        const bytes = scan.bytes();
        scan.expect(")");
        scan.has(",");
        scan.end();
        const id = String(blocks);
        blocks += 1;
        return { do: "allocate", id, bytes };
      }
      scan.expect("Free(");
      const id = String(scan.integer(MOST, "the number of an allocation"));
      scan.expect(")");
      scan.has(",");
      scan.end();
      return { do: "free", id };
    };
  },
};

const NULL_POINTER = /^0x0+$/;

function androidEvent(scan: Scanner): Event | undefined {
  const at = scan.at;
  const word = scan.word();
  if (word === "thread_done") {
    if (scan.has(" ")) scan.pointer();
    return undefined;
  }
  scan.expect(" ");
  const id = scan.pointer();
  if (word === "free") return NULL_POINTER.test(id) ? undefined : { do: "free", id };
  scan.expect(" ");
  if (word === "malloc") return { do: "allocate", id, bytes: scan.bytes() };
  if (word === "calloc" || word === "memalign") {
    const first = scan.bytes();
    scan.expect(" ");
    const sizeAt = scan.at;
    const second = scan.bytes();
    const bytes = word === "calloc" ? first * second : second;
    if (bytes > MOST_BYTES) badTrace(sizeAt, `a size in bytes above ${MOST_BYTES}`, String(bytes));
    return { do: "allocate", id, bytes };
  }
  if (word !== "realloc") badTrace(at, "an unknown call", word);
  const old = scan.pointer();
  scan.expect(" ");
  const bytes = scan.bytes();
  if (NULL_POINTER.test(old)) return { do: "allocate", id, bytes };
  return NULL_POINTER.test(id) ? { do: "free", id: old } : { do: "reallocate", id: old, to: id, bytes };
}

const android: Format = {
  name: "android",
  matches: (line) => /^\d+: [a-z]/.test(line),
  parser: () => (line, number) => {
    const scan = new Scanner(line, number);
    scan.integer(MOST, "a thread");
    scan.expect(": ");
    const event = androidEvent(scan);
    scan.end();
    return event;
  },
};

const minimalloc: Format = {
  name: "minimalloc",
  matches: (line) => line === "id,lower,upper,size",
  parser: () => (line, number) => {
    if (number === 1) return undefined;
    const scan = new Scanner(line, number);
    const id = scan.id();
    scan.expect(",");
    const from = scan.integer(MOST, "a time");
    scan.expect(",");
    const untilAt = scan.at;
    const until = scan.integer(MOST, "a time");
    if (until <= from) badTrace(untilAt, `a lifetime that ends before it begins (${from})`, String(until));
    scan.expect(",");
    const bytes = scan.bytes();
    scan.end();
    return { do: "live", id, from, until, bytes };
  },
};

const plain: Format = {
  name: "plain",
  matches: (line) => line.startsWith("#") || /^[afr],/.test(line),
  parser: () => (line, number) => {
    if (number === 1 && line.startsWith("#")) return undefined;
    const scan = new Scanner(line, number);
    const at = scan.at;
    const call = scan.word();
    scan.expect(",");
    const id = scan.id();
    let event: Event | undefined;
    if (call === "a") {
      scan.expect(",");
      const bytes = scan.bytes();
      if (scan.has(",")) scan.integer(MOST_BYTES, "an alignment");
      event = { do: "allocate", id, bytes };
    } else if (call === "r") {
      scan.expect(",");
      const to = scan.id();
      scan.expect(",");
      event = { do: "reallocate", id, to, bytes: scan.bytes() };
    } else if (call === "f") {
      event = { do: "free", id };
    } else {
      badTrace(at, "an unknown call", call);
    }
    if (scan.has(",")) scan.integer(MOST_BYTES, "a thread");
    scan.end();
    return event;
  },
};

const REP_HEADER_LINES = 4;

const rep: Format = {
  name: "rep",
  matches: (line) => /^\d+$/.test(line),
  parser: () => (line, number) => {
    const scan = new Scanner(line, number);
    if (number <= REP_HEADER_LINES) {
      const count = scan.integer(MOST, "a number");
      scan.end();
      if (number === 2) return { do: "claim", what: "blocks", count };
      return number === 3 ? { do: "claim", what: "operations", count } : undefined;
    }
    const at = scan.at;
    const call = scan.word();
    scan.expect(" ");
    const id = String(scan.integer(MOST, "an id"));
    if (call === "f") {
      scan.end();
      return { do: "free", id };
    }
    if (call !== "a" && call !== "r") badTrace(at, "an unknown call", call);
    scan.expect(" ");
    const bytes = scan.bytes();
    scan.end();
    return call === "a" ? { do: "allocate", id, bytes } : { do: "reallocate", id, to: id, bytes };
  },
};

/** Every format that can be read. */
export const FORMATS: readonly Format[] = [weeAlloc, android, minimalloc, plain, rep];

/** The format of a recording by its first line, or `BAD_TRACE`. */
export function formatOf(firstLine: string): Format {
  const found = FORMATS.find((format) => format.matches(firstLine));
  return found ?? badTrace({ line: 1, column: 1 }, "no known format begins like this", firstLine);
}
