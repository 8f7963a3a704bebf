/**
 * Recordings as workloads: the operations of a recording, kept in memory to be replayed many times.
 *
 * Reading is lenient unless asked otherwise, and counts what it skipped, mended or invented (docs/recordings.md).
 */
import { ShmemError } from "../../bindings/core/index.js";
import { type ByteSource, type Note, readOperations, type SequenceFacts } from "../../src/recordings/index.js";
import { FREE, SLOT, type Workload } from "./form.js";

/** What is known of a recording besides its operations. */
export interface RecordingFacts extends SequenceFacts {
  /** Lines that were left out, read as something near them, or added. */
  readonly skipped: number;
  readonly mended: number;
  readonly invented: number;
  /** The reasons of these. */
  readonly notes: readonly Note[];
}

/** How to make a workload of a recording. */
export interface RecordingOptions {
  /** What to call it. Default `recording`. */
  readonly name?: string;
  /** A name of the forms that docs/recordings.md lists. Default: told by the first bytes. */
  readonly format?: string;
  /** Refuse (`BAD_TRACE`) what is otherwise counted. Default false. */
  readonly strict?: boolean;
  /** Most bytes, unpacked. Default 64 GiB. */
  readonly mostBytes?: number;
  /** Most operations; eight bytes of memory each. Default 64 million. */
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
const MOST_BYTES = 2 ** 32 - 1;

function arenaFor(peakBytes: number, peakBlocks: number, frameSize: number): number {
  let arena = LEAST_ARENA;
  while (arena < 2 * (peakBytes + peakBlocks * frameSize)) arena *= 2;
  return arena;
}

/** Operations as they come, eight bytes each. */
class Operations {
  #words = new Uint32Array(1024);
  #length = 0;

  get count(): number {
    return this.#length / 2;
  }

  push(first: number, second: number): void {
    if (this.#length === this.#words.length) {
      const more = new Uint32Array(2 * this.#words.length);
      more.set(this.#words);
      this.#words = more;
    }
    this.#words[this.#length] = first;
    this.#words[this.#length + 1] = second;
    this.#length += 2;
  }

  words(): Uint32Array {
    return this.#words.slice(0, this.#length);
  }
}

/**
 * Read a recording. `BAD_TRACE` with line and column (`field` is `line:column`) for what makes no sense and for a block of 4 GiB
 * or more, which no subject could hold; `INVALID_ARGUMENT` for an unknown format.
 */
export async function readRecording(bytes: ByteSource, options: RecordingOptions = {}): Promise<Recording> {
  const { frameSize = 64, name = "recording", arenaBytes, mostOperations = 64_000_000, ...reading } = options;
  const operations = new Operations();
  const result = await readOperations(
    bytes,
    {
      allocate(slot, lengthBytes, _alignment, { line }) {
        if (lengthBytes > MOST_BYTES || slot > SLOT) {
          throw new ShmemError("BAD_TRACE", `line ${line}, column 1: a size in bytes above ${MOST_BYTES}`, {
            value: lengthBytes,
            unit: "bytes",
            field: `${line}:1`,
          });
        }
        operations.push(slot, lengthBytes);
      },
      free: (slot) => operations.push((slot | FREE) >>> 0, 0),
    },
    { ...reading, mostOperations, mostLeft: Number.MAX_SAFE_INTEGER },
  );
  const { format, facts, skipped, mended, invented, notes, left, slots } = result;
  const end = operations.count;
  for (const { slot } of left) operations.push((slot | FREE) >>> 0, 0);
  return {
    name,
    ops: operations.words(),
    pre: 0,
    end,
    total: operations.count,
    slots,
    arenaBytes: arenaBytes ?? arenaFor(facts.peakBytes, facts.peakBlocks, frameSize),
    frameSize,
    format,
    facts: { ...facts, skipped, mended, invented, notes },
  };
}
