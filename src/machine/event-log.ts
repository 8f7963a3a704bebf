/**
 * The event log: one line for each call, delivery and change of state, and a digest over all of them.
 *
 * A line is `step time processor level adapter what`. Nothing in it depends on the host: two runs with one seed give the
 * same lines on every engine. `recent`, the default, keeps the last 10,000 lines and the digest of all of them, so that a
 * long run holds no more than a short one; `digest` keeps no lines, `lines` keeps every one, `off` makes none. A log that
 * goes somewhere (`LogOptions`) is written as a file of a few bytes for each line, or handed on line by line.
 */
import type { EventLog } from "../../bindings/index.js";
import { boolean, elsewhere, func, implementing, type Table, table } from "../../bindings/validate/index.js";
import { type ByteSink, LineDigest, type LogHeader, LogWriter } from "../recordings/index.js";

/** What becomes of the lines: see the head of this file. */
export type LogMode = "off" | "digest" | "recent" | "lines";

/** Lines that `recent` keeps: about 1 MB, and some seconds of a busy adapter. */
const RECENT_LINES = 10_000;

/** Where an event log goes. All of it is optional; without any the log is only a digest. */
export interface LogOptions {
  /**
   * Takes the bytes of an event log file (docs/recordings.md) as they are made, in pieces of up to 64 KiB that it may keep:
   * a Node stream, for example. `machine.endLog()` writes its end.
   */
  readonly file?: ByteSink;
  /** Called with every line. It must not call the machine. */
  readonly onLine?: (line: string) => void;
  /** Keep the lines for `machine.log`. Default false. */
  readonly lines?: boolean;
  /** More for the file's header, for example how the run was made. */
  readonly header?: LogHeader;
}

/** What each of them may be; the header is the writer's to judge: it must be JSON. */
export const LOG_OPTIONS: Table<LogOptions> = table<LogOptions>("a log", {
  file: implementing<ByteSink>("a file", ["write"]),
  onLine: func("called with each line"),
  lines: boolean(),
  header: elsewhere<LogHeader>("more of a log's header"),
});

export class RunLog implements EventLog {
  /** Kept lines; with a limit, a ring that begins at `#begin`. */
  readonly #lines: string[] = [];
  readonly #most: number;
  #begin = 0;
  readonly #onLine: ((line: string) => void) | undefined;
  readonly #writer: LogWriter | undefined;
  readonly #digest = new LineDigest();
  #count = 0;

  /** `header`: what the machine itself says in the header of a file. */
  constructor(to: "digest" | "recent" | "lines" | LogOptions, header: LogHeader) {
    const options: LogOptions = typeof to === "string" ? { lines: to === "lines" } : to;
    this.#most = to === "recent" ? RECENT_LINES : options.lines === true ? Number.POSITIVE_INFINITY : 0;
    this.#onLine = options.onLine;
    this.#writer = options.file && new LogWriter(options.file, { ...header, ...options.header });
  }

  /** The lines that are kept, oldest first. */
  get lines(): readonly string[] {
    return this.#begin === 0 ? this.#lines : [...this.#lines.slice(this.#begin), ...this.#lines.slice(0, this.#begin)];
  }

  /** Lines so far. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the file so far; 0 where none is written. */
  get fileBytes(): number {
    return this.#writer?.bytes ?? 0;
  }

  line(text: string): void {
    this.#count++;
    if (this.#lines.length < this.#most) {
      this.#lines.push(text);
    } else if (this.#most > 0) {
      this.#lines[this.#begin] = text;
      this.#begin = (this.#begin + 1) % this.#most;
    }
    this.#digest.add(text);
    this.#writer?.line(text);
    this.#onLine?.(text);
  }

  /** The end of the file. */
  end(): void {
    this.#writer?.end();
  }

  /** 16 hex digits over all lines so far. */
  digest(): string {
    return this.#digest.digest();
  }
}
