/**
 * Recordings: sequences of allocations that other people's programs made, as workloads.
 *
 *     bytes ─ unpack ─► pieces ─ lines ─► line ─ format ─► event ─ sequence ─► operations
 *
 * Formats and what is refused: formats.ts. A recording is hostile until it has been read to its end: `BAD_TRACE` with line
 * and column for anything else than a sequence of allocations, budgets on bytes and operations, and memory that does not
 * depend on what a header says.
 */
import { ShmemError } from "../../bindings/core/index.js";
import type { Workload } from "../workloads.js";
import { type Event, FORMATS, formatOf } from "./formats.js";
import { badTrace, LineSplitter } from "./lines.js";
import { type RecordingFacts, SequenceBuilder } from "./sequence.js";
import { unpack } from "./unpack.js";

export type { RecordingFacts } from "./sequence.js";

/** How to read a recording. */
export interface RecordingOptions {
  /** What to call it. Default `recording`. */
  readonly name?: string;
  /** `wee_alloc`, `android`, `minimalloc`, `plain` or `rep`. Default: told by the first line. */
  readonly format?: string;
  /** Refuse frees of unknown blocks and their like (`BAD_TRACE`); otherwise they are counted and skipped. Default true. */
  readonly strict?: boolean;
  /** Most bytes, unpacked. Default 1 GiB. */
  readonly mostBytes?: number;
  /** Most operations. Default 64 million. */
  readonly mostOperations?: number;
  /** Of the workload that is made. Default 64. */
  readonly frameSize?: number;
  /** Of the workload that is made. Default: twice the peak, rounded up to a power of two, at least 1 MiB. */
  readonly arenaBytes?: number;
}

/** A recording as a workload: nothing fills, all is timed, and what is left live is freed behind it. */
export interface Recording extends Workload {
  readonly format: string;
  readonly facts: RecordingFacts;
}

const LEAST_ARENA = 2 ** 20;

function arenaFor(peakBytes: number, peakBlocks: number, frameSize: number): number {
  let arena = LEAST_ARENA;
  while (arena < 2 * (peakBytes + peakBlocks * frameSize)) arena *= 2;
  return arena;
}

/** Read a recording. `BAD_TRACE` with line and column (`field` is `line:column`), `INVALID_ARGUMENT` for an unknown format. */
export async function readRecording(bytes: Uint8Array, options: RecordingOptions = {}): Promise<Recording> {
  const { mostBytes = 2 ** 30, mostOperations = 64_000_000, strict = true, frameSize = 64 } = options;
  let format = FORMATS.find((one) => one.name === options.format);
  if (options.format !== undefined && format === undefined) {
    throw new ShmemError("INVALID_ARGUMENT", `there is no format ${JSON.stringify(options.format)}`, {
      field: "format",
      value: options.format,
      unit: "name",
    });
  }
  const builder = new SequenceBuilder({ strict, mostOperations });
  let parse: ((line: string, number: number) => Event | undefined) | undefined;
  let last = 0;
  let blank = 0;
  const splitter = new LineSplitter((line, number) => {
    last = number;
    if (line === "") {
      blank ||= number; // Harmless at the end only.
      return;
    }
    if (blank !== 0) badTrace({ line: blank, column: 1 }, "an empty line");
    format ??= formatOf(line);
    parse ??= format.parser();
    const event = parse(line, number);
    if (event !== undefined) builder.take(event, number);
  });
  for await (const piece of unpack(bytes, mostBytes)) splitter.push(piece);
  splitter.end();
  if (format === undefined) return badTrace({ line: 1, column: 1 }, "an empty recording");
  const { ops, end, total, slots, facts } = builder.finish(Math.max(1, last));
  const arenaBytes = options.arenaBytes ?? arenaFor(facts.peakBytes, facts.peakBlocks, frameSize);
  const name = options.name ?? "recording";
  return { name, ops, pre: 0, end, total, slots, arenaBytes, frameSize, format: format.name, facts };
}
