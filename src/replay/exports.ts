/**
 * Exports: the operations of a recording in forms that other programs read, written while the recording is read.
 *
 *     csv         one line for each operation
 *     chrome      JSON of trace events, for Perfetto, chrome://tracing and Tracy: each block is a slice from its allocation to its
 *                 free, live bytes and blocks are counters. Where a recording has no times an operation takes a microsecond
 *     collapsed   `OWNER;SIZE BYTES`, for flame graphs: bytes allocated by owner and by power of two of the size
 */
import type { OperationSink, RecordedEvent } from "../recordings/index.js";
import { bucketOf } from "./statistics.js";

/** Takes the text of an export. */
export type TextSink = (text: string) => void;

/** An export under way. */
export interface Export extends OperationSink {
  /** The recording has ended. */
  end(): void;
}

export const EXPORT_NAMES = ["chrome", "csv", "collapsed"] as const;
export type ExportName = (typeof EXPORT_NAMES)[number];

const PIECE = 65536;

/** Joins lines into larger pieces. */
class Writer {
  readonly #sink: TextSink;
  #text = "";

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  write(text: string): void {
    this.#text += text;
    if (this.#text.length > PIECE) this.flush();
  }

  flush(): void {
    if (this.#text !== "") this.#sink(this.#text);
    this.#text = "";
  }
}

const KINDS = ["allocate", "free", "reallocate"] as const;

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csv(sink: TextSink): Export {
  const out = new Writer(sink);
  out.write("operation,line,time_ns,call,slot,bytes,alignment,thread,owner\n");
  let operation = 0;
  const line = (call: string, slot: number, bytes: string, alignment: string, event: RecordedEvent): void => {
    operation++;
    const time = Number.isNaN(event.timeNs) ? "" : String(event.timeNs);
    out.write(
      `${operation},${event.line},${time},${call},${slot},${bytes},${alignment},${event.thread},${csvField(event.owner)}\n`,
    );
  };
  return {
    allocate: (slot, bytes, alignment, event) =>
      line(KINDS[event.kind], slot, String(bytes), alignment > 0 ? String(alignment) : "", event),
    free: (slot, event) => line("free", slot, "", "", event),
    end: () => out.flush(),
  };
}

function chrome(sink: TextSink): Export {
  const out = new Writer(sink);
  out.write(
    '{"displayTimeUnit":"ns","traceEvents":[\n{"ph":"M","pid":1,"name":"process_name","args":{"name":"recording"}}',
  );
  const block = new Map<
    number,
    { readonly id: number; readonly bytes: number; readonly name: string; readonly category: string }
  >();
  let operation = 0;
  let blocks = 0;
  let bytesLive = 0;
  const timeOf = ({ timeNs }: RecordedEvent): number => (Number.isNaN(timeNs) ? operation : timeNs / 1000);
  const counters = (time: number): void =>
    out.write(`,\n{"ph":"C","pid":1,"ts":${time},"name":"live","args":{"bytes":${bytesLive},"blocks":${block.size}}}`);
  return {
    allocate(slot, bytes, _alignment, event) {
      operation++;
      const id = ++blocks;
      const name = JSON.stringify(`${bytes} bytes`);
      const category = JSON.stringify(event.owner === "" ? "block" : event.owner);
      const time = timeOf(event);
      block.set(slot, { id, bytes, name, category });
      bytesLive += bytes;
      out.write(
        `,\n{"ph":"b","pid":1,"tid":${event.thread},"ts":${time},"id":${id},"cat":${category},"name":${name},"args":{"bytes":${bytes},"line":${event.line}}}`,
      );
      counters(time);
    },
    free(slot, event) {
      operation++;
      const found = block.get(slot);
      if (found === undefined) return;
      const { id, bytes, name, category } = found;
      block.delete(slot);
      bytesLive -= bytes;
      const time = timeOf(event);
      out.write(`,\n{"ph":"e","pid":1,"tid":${event.thread},"ts":${time},"id":${id},"cat":${category},"name":${name}}`);
      counters(time);
    },
    end() {
      out.write("\n]}\n");
      out.flush();
    },
  };
}

function sizeRange(bucket: number): string {
  return bucket === 0 ? "1 B" : `${2 ** bucket} to ${2 ** (bucket + 1) - 1} B`;
}

function collapsed(sink: TextSink): Export {
  const sums = new Map<string, number>();
  return {
    allocate(_slot, bytes, _alignment, { owner }) {
      const key = `${owner === "" ? "unknown" : owner.replace(/[;\s]+/g, " ")};${sizeRange(bucketOf(bytes))}`;
      sums.set(key, (sums.get(key) ?? 0) + bytes);
    },
    free() {},
    end() {
      const out = new Writer(sink);
      for (const [key, bytes] of [...sums].sort(([a], [b]) => (a < b ? -1 : 1))) out.write(`${key} ${bytes}\n`);
      out.flush();
    },
  };
}

/** An export of that name, into `sink`. */
export function exportTo(name: ExportName, sink: TextSink): Export {
  return { chrome, csv, collapsed }[name](sink);
}
