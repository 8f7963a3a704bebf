/**
 * A player thread, from outside: it is given ranges, it answers with pieces, or it is lost and says how.
 *
 * Whether a thread is stuck is counted in looks at the position it is at, not in time: a process that was stopped for a while
 * by the system has looked as seldom as its thread has run.
 */
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Assignment, Piece, Refusal, ThreadData, Told } from "./messages.js";
import { PACKAGE_ROOT } from "./package.js";

/** How a driver ended its thread. The code of such a finding. */
export type ThreadEnd = "SPIN" | "EXIT" | "MEMORY" | "THROW";

/** A thread that was lost. */
export interface ThreadEnded {
  readonly end: ThreadEnd;
  /** Position of the scenario that was being played. */
  readonly at: number;
  readonly message: string;
}

/** The thread's program. */
const THREAD: string = join(PACKAGE_ROOT, "dist", "campaign-player.js");
/** A scenario makes half a megabyte of garbage; a small young generation would move it into the old one. */
const YOUNG_MIB = 64;
const LOOK_MS = 250;

interface Running {
  readonly from: number;
  readonly take: (message: Piece | Told) => void;
  readonly settle: (ended: ThreadEnded | undefined) => void;
  readonly fail: (error: Error) => void;
}

/** See the head of this file. One range at a time. */
export class PlayerThread {
  readonly #worker: Worker;
  readonly #position: Float64Array;
  readonly #most: number;
  readonly #scenarioMs: number;
  #running: Running | undefined;
  /** True once the thread is lost or ended; it plays nothing any more. */
  isOver = false;

  constructor(limits: { readonly scenarioMs: number; readonly heapMiB: number }) {
    this.#scenarioMs = limits.scenarioMs;
    this.#most = Math.max(1, Math.ceil(limits.scenarioMs / LOOK_MS));
    const cell = new SharedArrayBuffer(8);
    this.#position = new Float64Array(cell);
    const workerData: ThreadData = { cell };
    this.#worker = new Worker(THREAD, {
      workerData,
      stdout: true, // What a driver prints in a million scenarios belongs into no log.
      stderr: true,
      execArgv: [],
      env: {}, // The environment may hold the password of the database; a driver has no business there.
      resourceLimits: { maxOldGenerationSizeMb: limits.heapMiB, maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    this.#worker.stdout.resume();
    this.#worker.stderr.resume();
    this.#worker.on("message", (message: Piece | Told | Refusal) => this.#hear(message));
    this.#worker.on("error", (error: Error & { readonly code?: string }) => {
      if (error.code === "ERR_WORKER_OUT_OF_MEMORY")
        this.#lost("MEMORY", `the driver exhausted a heap of ${limits.heapMiB} MiB`);
      else this.#lost("THROW", `the driver threw when nobody waited for it: ${error.stack ?? error.message}`);
    });
    this.#worker.on("exit", (code) => this.#lost("EXIT", `the driver ended its process with code ${code}`));
  }

  /** Play a range. Undefined where it came to its end; rejects where what was sent is no driver. */
  run(assignment: Assignment, take: (message: Piece | Told) => void): Promise<ThreadEnded | undefined> {
    this.#position[0] = -1;
    return new Promise((resolve, reject) => {
      let last = Number.NaN;
      let looks = 0;
      const watch = setInterval(() => {
        const at = this.#position[0] as number;
        looks = at === last ? looks + 1 : 0;
        last = at;
        if (looks > this.#most) this.#lost("SPIN", `the driver did not return for ${this.#scenarioMs} ms`);
      }, LOOK_MS);
      this.#running = {
        from: assignment.from,
        take,
        settle(ended) {
          clearInterval(watch);
          resolve(ended);
        },
        fail(error) {
          clearInterval(watch);
          reject(error);
        },
      };
      this.#worker.postMessage(assignment);
    });
  }

  #hear(message: Piece | Told | Refusal): void {
    const running = this.#running;
    if (running === undefined) return; // Of a thread that was given up.
    if (message.type === "refusal") {
      this.#running = undefined;
      running.fail(new Error(message.message));
      return;
    }
    running.take(message);
    if (message.type !== "piece" || !message.ended) return;
    this.#running = undefined;
    running.settle(undefined);
  }

  #lost(end: ThreadEnd, message: string): void {
    this.isOver = true;
    const running = this.#running;
    this.#running = undefined;
    running?.settle({ end, at: Math.max(running.from, this.#position[0] as number), message });
  }

  /** End the thread, whatever it is at. */
  async end(): Promise<void> {
    this.isOver = true;
    this.#running = undefined;
    await this.#worker.terminate();
  }
}
