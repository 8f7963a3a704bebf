/**
 * A player thread and its watch: whatever the driver does there, this thread goes on and says what it was.
 *
 *     done     the task is through: a report, a replay, or why the driver cannot be used; the thread takes the next one
 *     SPIN     no scenario has begun for some seconds: a handler does not return, or starves the thread
 *     EXIT     the driver has ended the thread with process.exit
 *     MEMORY   the thread's heap is full
 *     LATE     an error reached nobody: a callback of the host, or a rejected promise
 *
 * Time is counted in turns of this thread's own timer, so that a machine that was asleep or busy accuses nobody.
 */
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { FoundBy } from "../../fuzz/index.js";
import { ownPackage } from "./package.js";
import { type Spin, whereIs } from "./spin.js";
import { type Message, type Task, type ThreadData, type ThreadProgress, Watched } from "./thread-protocol.js";

/** How a thread was ended by its driver. */
export type Kill = "SPIN" | "EXIT" | "MEMORY" | "LATE";

/** What came of a thread. */
export type ThreadEnd =
  | { readonly how: "done"; readonly message: Exclude<Message, { type: "progress" | "new" }> }
  | {
      readonly how: Kill;
      /** Canonical bytes of the scenario that was played; empty where the driver's module was being loaded. */
      readonly scenario: Uint8Array;
      /** The search that chose it, and its position there; of the one that was being shrunk, if any. */
      readonly by: FoundBy;
      readonly position: number;
      /** Whether a scenario was being played at all. */
      readonly playing: boolean;
      /** The step that was played: -1 power-on, an index of the events, their number for the end. */
      readonly step: number;
      /** SPIN: the handler, where it is known. */
      readonly call: string;
      /** Where it happened, a line each, innermost first. */
      readonly frames: readonly string[];
      /** LATE: the error in words. EXIT: the exit code. */
      readonly detail: string;
    };

/** Limits of a thread, and what it is asked meanwhile. */
export interface ThreadOptions {
  /** Of a driver compiled from C: the module with the model of its device. */
  readonly device?: string | undefined;
  /** Seconds that a scenario, or loading the driver, may take. */
  readonly scenarioSeconds: number;
  /** Megabytes of heap. Default 1024. */
  readonly memoryMb?: number;
  readonly onProgress?: (progress: ThreadProgress) => void;
  /** A scenario that showed something new, in hexadecimal. */
  readonly onNew?: (scenario: string) => void;
}

const TURN_MS = 250;
const DEFAULT_MEMORY_MB = 1024;
/** A thread may take so long to start and to import the driver, whatever a scenario may take. */
const LEAST_LOADING_SECONDS = 20;

/** See the head of this file. */
export class PlayerThread {
  readonly #worker: Worker;
  readonly #watched: Watched = new Watched();
  readonly #options: ThreadOptions;
  /** Settles the task under way; undefined while there is none. */
  #settle: ((end: ThreadEnd) => void) | undefined;
  /** What ended the thread, if anything did. */
  #killed: ThreadEnd | undefined;

  /** `driver`: a module's path or the name of a built-in driver. It is imported with the first task. */
  constructor(driver: string, options: ThreadOptions) {
    this.#options = options;
    const data: ThreadData = { driver, device: options.device, shared: this.#watched.buffer };
    this.#worker = new Worker(join(ownPackage(), "dist", "fuzz-worker.js"), {
      workerData: data,
      resourceLimits: { maxOldGenerationSizeMb: options.memoryMb ?? DEFAULT_MEMORY_MB },
    });
    this.#listen();
  }

  /** Whether the thread was ended by its driver: it takes no more tasks. */
  get isEnded(): boolean {
    return this.#killed !== undefined;
  }

  /** Play a task. One at a time. Never rejects: the end says what came of it. */
  run(task: Task): Promise<ThreadEnd> {
    if (this.#killed !== undefined) return Promise.resolve(this.#killed);
    this.#watched.stop(false);
    const end = new Promise<ThreadEnd>((done) => {
      this.#settle = done;
    });
    this.#worker.postMessage(task);
    void this.#watch();
    return end;
  }

  /** End the search after the scenario that is played: `run` gives the report so far. */
  stop(): void {
    this.#watched.stop();
  }

  /** End the thread. */
  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #listen(): void {
    const worker = this.#worker;
    worker.on("message", (message: Message) => {
      if (message.type === "progress") this.#options.onProgress?.(message);
      else if (message.type === "new") this.#options.onNew?.(message.scenario);
      else this.#end({ how: "done", message });
    });
    worker.on("error", (error: NodeJS.ErrnoException) => {
      if (error?.code === "ERR_WORKER_OUT_OF_MEMORY") this.#kill("MEMORY", { call: "", frames: [] }, "");
      else this.#kill("LATE", { call: "", frames: framesOf(error) }, errorText(error));
    });
    worker.on("exit", (code) => this.#kill("EXIT", { call: "", frames: [] }, String(code)));
  }

  /** A thread that begins no scenario for too long is stopped and asked where it is. */
  async #watch(): Promise<void> {
    const turnsIn = (seconds: number): number => Math.max(1, Math.ceil((seconds * 1000) / TURN_MS));
    const { scenarioSeconds } = this.#options;
    const most = turnsIn(scenarioSeconds);
    const mostToLoad = turnsIn(Math.max(scenarioSeconds, LEAST_LOADING_SECONDS));
    const task = this.#settle;
    let seen = -1;
    let turns = 0;
    while (this.#settle === task && task !== undefined) {
      await new Promise((turn) => setTimeout(turn, TURN_MS).unref());
      const { counter } = this.#watched;
      turns = counter === seen ? turns + 1 : 0;
      seen = counter;
      if (turns < (counter === 0 ? mostToLoad : most) || this.#settle !== task) continue;
      const spin = await whereIs(this.#worker);
      this.#kill("SPIN", spin, "");
    }
  }

  #kill(how: Kill, spin: Spin, detail: string): void {
    if (this.#killed !== undefined) return;
    const { scenario, step, counter, origin } = this.#watched;
    this.#killed = { how, scenario, ...origin, playing: counter > 0, step, ...spin, detail };
    this.#end(this.#killed);
  }

  #end(end: ThreadEnd): void {
    const settle = this.#settle;
    if (settle === undefined) return;
    this.#settle = undefined;
    if (end.how === "done") settle(end);
    else void this.#worker.terminate().then(() => settle(end));
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function framesOf(error: unknown): string[] {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  return stack
    .split("\n")
    .filter((line) => /^\s+at /.test(line) && !line.includes("node:internal"))
    .slice(0, 12)
    .map((line) => line.trim().replace(/^at /, ""));
}
