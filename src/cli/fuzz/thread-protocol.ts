/**
 * What a player thread and the thread that watches it say to each other.
 *
 *     watching thread ── Task ──►  player thread       a message; one at a time
 *                     ◄─ Message ─                     progress, new scenarios, the end
 *                     ◄─ Watched ─                     shared memory: which scenario is played, how far it is
 *
 * The shared memory can be read although the player does not return from a handler: that is how the scenario is known then.
 */
import type { FoundBy, FuzzReport } from "../../fuzz/index.js";

/** What a player thread is to do. */
export type Task =
  | {
      readonly what: "search";
      readonly seed: number;
      readonly search: "all" | "random" | "sweep" | "systematic";
      readonly seconds: number;
      readonly runs: number;
      readonly bound: number;
      readonly from: number;
      /** Excluded; null for no end. */
      readonly until: number | null;
      readonly step: number;
      readonly keepGoing: boolean;
      readonly knownClasses: readonly string[];
      readonly shrink: boolean;
      /** Scenarios to be played first, in hexadecimal. */
      readonly corpus: readonly string[];
      /** Count the lines of the driver's files that run. */
      readonly lcov: boolean;
    }
  | { readonly what: "replay"; readonly scenario: string; readonly lcov: boolean };

/** Data of a player thread. */
export interface ThreadData {
  /** A module's path, or the name of a built-in driver. */
  readonly driver: string;
  /** Of a driver compiled from C: the module with the model of its device. */
  readonly device: string | undefined;
  /** See `Watched`. */
  readonly shared: SharedArrayBuffer;
}

/** Where a search stands: numbers for the progress line. */
export interface ThreadProgress {
  readonly runs: number;
  readonly states: number;
  readonly situations: number;
  readonly lastNewState: number;
}

/** What a replay gave. */
export interface Replayed {
  /** The driver's own name. */
  readonly driver: string;
  readonly text: string;
  readonly finding: NonNullable<FuzzReport["found"]>["finding"] | null;
}

/** What a player thread says. The last one of a task is none of `progress` and `new`. */
export type Message =
  | ({ readonly type: "progress" } & ThreadProgress)
  | { readonly type: "new"; readonly scenario: string }
  | {
      readonly type: "report";
      readonly report: FuzzReport;
      readonly stateNumbers: Float64Array;
      readonly situationBits: Uint8Array;
      readonly lcov: string | null;
    }
  | { readonly type: "replayed"; readonly replayed: Replayed; readonly lcov: string | null }
  /** The driver's module cannot be used: a usage error. */
  | { readonly type: "refused"; readonly message: string }
  /** The fuzzer itself is at fault. */
  | { readonly type: "fault"; readonly message: string };

const COUNTER = 0;
const LENGTH = 1;
const STEP = 2;
const STOP = 3;
const BY = 4;
const HEADER_WORDS = 6;
/** Where the position lies, a double. */
const POSITION_BYTES = 8;
const HEADER_BYTES = 4 * HEADER_WORDS + POSITION_BYTES;
const ORIGINS: readonly FoundBy[] = ["random", "sweep", "systematic", "corpus"];
/** The longest scenario that is kept: 16,000 events. */
const MOST_BYTES = 64 * 1024;

/** Shared memory between a player and its watcher. */
export class Watched {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #position: Float64Array;
  readonly #bytes: Uint8Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(HEADER_BYTES + MOST_BYTES)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer, 0, HEADER_WORDS);
    this.#position = new Float64Array(buffer, 4 * HEADER_WORDS, 1);
    this.#bytes = new Uint8Array(buffer, HEADER_BYTES);
  }

  /** Player: a scenario begins. */
  begin(scenario: Uint8Array): void {
    const kept = scenario.subarray(0, MOST_BYTES);
    this.#bytes.set(kept);
    Atomics.store(this.#words, LENGTH, kept.length);
    Atomics.store(this.#words, STEP, -1);
    Atomics.add(this.#words, COUNTER, 1);
  }

  /** Player: a scenario of the search is about to begin. */
  planned(by: FoundBy, position: number): void {
    this.#words[BY] = ORIGINS.indexOf(by);
    this.#position[0] = position;
  }

  /** The search and the position of the scenario that was begun last, or that is being shrunk. */
  get origin(): { readonly by: FoundBy; readonly position: number } {
    return { by: ORIGINS[this.#words[BY] as number] ?? "random", position: this.#position[0] as number };
  }

  /** Player: a step of it begins. */
  set step(step: number) {
    Atomics.store(this.#words, STEP, step);
  }

  get step(): number {
    return Atomics.load(this.#words, STEP);
  }

  /** Scenarios begun so far. */
  get counter(): number {
    return Atomics.load(this.#words, COUNTER);
  }

  /** The scenario that is played, as bytes. */
  get scenario(): Uint8Array {
    return this.#bytes.slice(0, Atomics.load(this.#words, LENGTH));
  }

  /** Watcher: end the search after the scenario that is played; `false` before the next one. */
  stop(isStopped = true): void {
    Atomics.store(this.#words, STOP, isStopped ? 1 : 0);
  }

  get stopped(): boolean {
    return Atomics.load(this.#words, STOP) === 1;
  }
}
