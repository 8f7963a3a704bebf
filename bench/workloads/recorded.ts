/**
 * Events to operations: ids become slots, and what cannot have happened is found.
 *
 * What is held while reading is one entry for each live block (for minimalloc, one for each buffer), whatever the length
 * of the recording; only the operations themselves grow with it, eight bytes each, up to a budget.
 *
 * A recording that frees what is not live, or makes a live id live again, is refused; in lenient reading the line is
 * counted and skipped, because real recordings begin in the middle of a program's life. Either way no block is ever freed
 * that the recording did not allocate.
 */
import { badTrace, type Event, type ReadOptions, readEvents } from "../../src/recordings/index.js";
import { FREE, type Workload } from "./form.js";

/** What is known of a recording besides its operations. */
export interface RecordingFacts {
  /** Lines that made no sense and were left out, in lenient reading. */
  readonly skipped: number;
  readonly allocations: number;
  readonly frees: number;
  readonly reallocations: number;
  /** Most payload bytes live at once; the two blocks of a reallocation do not count together. */
  readonly peakBytes: number;
  /** Most blocks live at once. */
  readonly peakBlocks: number;
  /** The longest block. */
  readonly longestBytes: number;
  /** Blocks that are never freed. */
  readonly leftLive: number;
}

export interface SequenceLimits {
  /** Refuse what makes no sense, rather than skip it. */
  readonly strict: boolean;
  /** More operations than this are `BAD_TRACE`. */
  readonly mostOperations: number;
}

interface Live {
  readonly slot: number;
  readonly bytes: number;
}

interface Buffer {
  readonly id: string;
  readonly from: number;
  readonly until: number;
  readonly bytes: number;
  readonly line: number;
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

/** Takes events and makes a sequence of them. */
class SequenceBuilder {
  readonly #limits: SequenceLimits;
  readonly #operations = new Operations();
  readonly #live = new Map<string, Live>();
  readonly #empty: number[] = [];
  readonly #buffers: Buffer[] = [];
  readonly #claims = new Map<string, number>();
  #slots = 0;
  #bytes = 0;
  #facts = { skipped: 0, allocations: 0, frees: 0, reallocations: 0, peakBytes: 0, peakBlocks: 0, longestBytes: 0 };

  constructor(limits: SequenceLimits) {
    this.#limits = limits;
  }

  take(event: Event, line: number): void {
    const events = this.#facts.allocations + this.#facts.frees + this.#facts.reallocations + this.#buffers.length;
    if (events >= this.#limits.mostOperations)
      badTrace({ line, column: 1 }, `more than ${this.#limits.mostOperations} operations`);
    switch (event.do) {
      case "allocate":
        this.#allocate(event.id, event.bytes, line);
        break;
      case "free":
        this.#free(event.id, line);
        break;
      case "reallocate":
        this.#reallocate(event.id, event.to, event.bytes, line);
        break;
      case "live":
        this.#buffers.push({ ...event, line });
        break;
      case "claim":
        this.#claims.set(event.what, event.count);
    }
  }

  #senseless(line: number, why: string, id: string): void {
    if (this.#limits.strict) badTrace({ line, column: 1 }, why, id);
    this.#facts.skipped += 1;
  }

  #allocate(id: string, bytes: number, line: number): void {
    if (this.#live.has(id)) {
      this.#senseless(line, "an allocation of an id that is live", id);
    } else {
      this.#facts.allocations += 1;
      this.#begin(id, bytes);
      this.#note();
    }
  }

  #free(id: string, line: number): void {
    if (!this.#live.has(id)) {
      this.#senseless(line, "a free of an id that is not live", id);
    } else {
      this.#facts.frees += 1;
      this.#finish(id);
    }
  }

  /** The new block is there before the old one goes, as where the bytes are copied. */
  #reallocate(id: string, to: string, bytes: number, line: number): void {
    const old = this.#live.get(id);
    if (old === undefined) {
      this.#senseless(line, "a reallocation of an id that is not live", id);
    } else if (to !== id && this.#live.has(to)) {
      this.#senseless(line, "a reallocation to an id that is live", to);
    } else {
      this.#facts.reallocations += 1;
      this.#live.delete(id);
      this.#begin(to, bytes);
      this.#release(old);
      this.#note();
    }
  }

  #begin(id: string, bytes: number): void {
    const length = Math.max(1, bytes); // malloc(0) is a block too
    const slot = this.#empty.pop() ?? this.#slots++;
    this.#operations.push(slot, length);
    this.#live.set(id, { slot, bytes: length });
    this.#bytes += length;
    this.#facts.longestBytes = Math.max(this.#facts.longestBytes, length);
  }

  #note(): void {
    this.#facts.peakBytes = Math.max(this.#facts.peakBytes, this.#bytes);
    this.#facts.peakBlocks = Math.max(this.#facts.peakBlocks, this.#live.size);
  }

  #finish(id: string): void {
    const block = this.#live.get(id);
    if (block === undefined) throw new Error(`block ${id} is not live`);
    this.#live.delete(id);
    this.#release(block);
  }

  #release({ slot, bytes }: Live): void {
    this.#operations.push((slot | FREE) >>> 0, 0);
    this.#empty.push(slot);
    this.#bytes -= bytes;
  }

  /** Lifetimes become allocations and frees in the order of time; at one time, frees come first. */
  #playBuffers(): void {
    const ends = this.#buffers.map((buffer, i) => ({ time: buffer.until, order: 0, i }));
    const starts = this.#buffers.map((buffer, i) => ({ time: buffer.from, order: 1, i }));
    const moments = [...ends, ...starts].sort((a, b) => a.time - b.time || a.order - b.order || a.i - b.i);
    for (const { order, i } of moments) {
      const { id, bytes, line } = this.#buffers[i] as Buffer;
      if (order === 1) this.#allocate(id, bytes, line);
      else this.#free(id, line);
    }
  }

  /** The operations, with frees of what is left live behind `end`. `BAD_TRACE` when a header promised another number. */
  finish(lastLine: number): { ops: Uint32Array; end: number; total: number; slots: number; facts: RecordingFacts } {
    this.#playBuffers();
    const { allocations, frees, reallocations } = this.#facts;
    const found = { operations: allocations + frees + reallocations, blocks: allocations };
    for (const what of ["operations", "blocks"] as const) {
      const claimed = this.#claims.get(what);
      if (claimed === undefined || claimed === found[what]) continue;
      this.#senseless(lastLine, `the header promises ${claimed} ${what}, the recording has ${found[what]}`, "");
    }
    const end = this.#operations.count;
    if (end === 0) badTrace({ line: lastLine, column: 1 }, "no operations");
    const facts = { ...this.#facts, leftLive: this.#live.size };
    for (const id of [...this.#live.keys()]) this.#finish(id);
    return { ops: this.#operations.words(), end, total: this.#operations.count, slots: this.#slots, facts };
  }
}

/** How to make a workload of a recording. */
export interface RecordingOptions extends ReadOptions {
  /** What to call it. Default `recording`. */
  readonly name?: string;
  /** Refuse frees of unknown blocks and their like (`BAD_TRACE`); otherwise they are counted and skipped. Default true. */
  readonly strict?: boolean;
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
  const { mostOperations = 64_000_000, strict = true, frameSize = 64, name = "recording" } = options;
  const builder = new SequenceBuilder({ strict, mostOperations });
  const { format, lines } = await readEvents(bytes, options, (event, line) => builder.take(event, line));
  const { ops, end, total, slots, facts } = builder.finish(lines);
  const arenaBytes = options.arenaBytes ?? arenaFor(facts.peakBytes, facts.peakBlocks, frameSize);
  return { name, ops, pre: 0, end, total, slots, arenaBytes, frameSize, format, facts };
}
