/**
 * Two recordings, or the event logs of two runs, side by side: where do they first differ, and what was the state of both there?
 *
 * Both are read at the same pace, so that neither is kept: what is held are the events between the two places and a few
 * before.
 */
import { type ByteSource, LogReader, type ReadOptions, readOperations } from "../recordings/index.js";

/** The state before an event. */
export interface SideState {
  /** The event, as text; null where this side has ended. */
  readonly event: string | null;
  readonly liveBlocks: number;
  readonly liveBytes: number;
  /** The events before it, the last one last. */
  readonly before: readonly string[];
}

export interface Difference {
  /** Number of the first event that differs, from 1; null where there is none. */
  readonly at: number | null;
  /** Events that were equal. */
  readonly equal: number;
  readonly first: SideState;
  readonly second: SideState;
}

interface Item {
  readonly text: string;
  readonly liveBlocks: number;
  readonly liveBytes: number;
}

const KEPT_BEFORE = 5;

/** A side, read when its reader is asked for more: the items that one piece of the file gave. */
class Side {
  readonly #queue: Item[] = [];
  readonly #reading: Promise<unknown>;
  #at = 0;
  #ended = false;
  #wake: (() => void) | undefined;
  #goOn: (() => void) | undefined;
  #error: { readonly error: unknown } | undefined;

  constructor(source: ByteSource, read: (source: ByteSource, take: (item: Item) => void) => Promise<unknown>) {
    this.#reading = read(this.#paced(source), (item) => this.#queue.push(item))
      .catch((error: unknown) => {
        this.#error = { error };
      })
      .finally(() => {
        this.#ended = true;
        this.#wake?.();
      });
  }

  /** Each piece waits until what the one before it gave has been taken. */
  async *#paced(source: ByteSource): AsyncGenerator<Uint8Array> {
    const pieces = source instanceof Uint8Array ? [source] : source;
    for await (const piece of pieces) {
      yield piece;
      if (this.#queue.length === this.#at) continue;
      this.#wake?.();
      await new Promise<void>((resolve) => {
        this.#goOn = resolve;
      });
    }
  }

  /** The next item, or undefined at the end. */
  async next(): Promise<Item | undefined> {
    while (this.#at === this.#queue.length) {
      this.#queue.length = 0;
      this.#at = 0;
      if (this.#ended) {
        await this.#reading;
        if (this.#error !== undefined) throw this.#error.error;
        return undefined;
      }
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#goOn?.();
      this.#goOn = undefined;
      await woken;
    }
    return this.#queue[this.#at++];
  }
}

async function readItems(source: ByteSource, options: ReadOptions, take: (item: Item) => void): Promise<unknown> {
  const held = new Map<number, number>();
  const born = new Map<number, number>();
  let operation = 0;
  let liveBytes = 0;
  return readOperations(
    source,
    {
      allocate(slot, bytes, alignment) {
        operation++;
        take({
          text: `allocate ${bytes} bytes${alignment > 1 ? ` at a multiple of ${alignment}` : ""}`,
          liveBlocks: held.size,
          liveBytes,
        });
        held.set(slot, bytes);
        born.set(slot, operation);
        liveBytes += bytes;
      },
      free(slot) {
        operation++;
        const bytes = held.get(slot) ?? 0;
        take({
          text: `free the ${bytes} bytes of operation ${born.get(slot) ?? 0}`,
          liveBlocks: held.size,
          liveBytes,
        });
        held.delete(slot);
        born.delete(slot);
        liveBytes -= bytes;
      },
    },
    options,
  );
}

async function readLines(source: ByteSource, take: (item: Item) => void): Promise<void> {
  const held = new Map<number, number>();
  let liveBytes = 0;
  const reader = new LogReader(
    () => {},
    ({ shape, values, step, timeNs }) => {
      take({ text: shape.line({ step, timeNs, values }), liveBlocks: held.size, liveBytes });
      const virtual = shape.virtualOf(values);
      if (shape.kind === "complete" || shape.kind === "allocate") {
        held.set(virtual, shape.lengthOf(values));
        liveBytes += shape.lengthOf(values);
      } else if (shape.kind === "free" || shape.kind === "reclaim") {
        liveBytes -= held.get(virtual) ?? 0;
        held.delete(virtual);
      }
    },
  );
  const pieces = source instanceof Uint8Array ? [source] : source;
  for await (const piece of pieces) reader.push(piece);
  reader.end();
}

/** Compare until the first difference. `as`: operations of recordings, or lines of event logs. */
export async function firstDifference(
  first: ByteSource,
  second: ByteSource,
  as: "operations" | "lines",
  options: ReadOptions = {},
): Promise<Difference> {
  const read = (source: ByteSource, take: (item: Item) => void): Promise<unknown> =>
    as === "lines" ? readLines(source, take) : readItems(source, options, take);
  const sides = [new Side(first, read), new Side(second, read)] as const;
  const before: string[] = [];
  for (let equal = 0; ; equal++) {
    const left = await sides[0].next();
    const right = await sides[1].next();
    const isSame = left?.text === right?.text;
    if (!isSame || left === undefined) {
      return { at: isSame ? null : equal + 1, equal, first: stateOf(left, before), second: stateOf(right, before) };
    }
    before.push(left.text);
    if (before.length > KEPT_BEFORE) before.shift();
  }
}

function stateOf(item: Item | undefined, before: readonly string[]): SideState {
  return {
    event: item?.text ?? null,
    liveBlocks: item?.liveBlocks ?? 0,
    liveBytes: item?.liveBytes ?? 0,
    before: [...before],
  };
}
