/**
 * Operations: lifecycle calls of the host, and the queue in which those of one adapter (or one driver) wait for their turn.
 *
 *     halt(a) --> [ MiniportPause, MiniportHaltEx ]        an operation is a generator of jobs, one handler each
 *
 *     queue of a:   halt under way | restart, waiting      one at a time, in the order of the calls
 *
 * Every operation settles: it succeeds, or fails with what its handler threw, with the state that forbids it, with the
 * watchdog's finding, or because the machine was disposed. A call that is the same as the last of its queue joins it.
 */
import type { Job } from "./job.js";

export type OperationKind = "load" | "unload" | "add" | "restart" | "pause" | "end";

/** One lifecycle call. */
export class Operation<T = unknown> {
  readonly kind: OperationKind;
  /** The job whose handler has been called and is not through. */
  job: Job | null = null;
  begun = false;
  done = false;
  failed = false;
  error: unknown = undefined;
  value: T | undefined = undefined;
  readonly #jobs: Generator<Job, T, void>;
  readonly #start: (job: Job) => void;
  readonly #after: (() => void)[] = [];
  #promise: Promise<T> | null = null;

  /** `jobs`: the handlers, one after the other; an error of a job is thrown where it was yielded. `start` calls one. */
  constructor(kind: OperationKind, jobs: Generator<Job, T, void>, start: (job: Job) => void) {
    this.kind = kind;
    this.#jobs = jobs;
    this.#start = start;
  }

  /** Take the first step. */
  begin(): void {
    if (this.begun || this.done) return;
    this.begun = true;
    this.#advance(null);
  }

  /** Call `run` when the operation is through. */
  whenDone(run: () => void): void {
    if (this.done) run();
    else this.#after.push(run);
  }

  /** Nothing more will happen: the job under way is abandoned. */
  fail(error: unknown): void {
    if (this.done) return;
    const { job } = this;
    this.job = null;
    this.#finish(undefined, error, true);
    job?.abandon(error);
  }

  /** Settles when the operation is through; the same promise for everybody who asks. */
  promise(): Promise<T> {
    this.#promise ??= new Promise<T>((resolve, reject) => {
      this.whenDone(() => (this.failed ? reject(this.error) : resolve(this.value as T)));
    });
    return this.#promise;
  }

  #advance(failure: { readonly error: unknown } | null): void {
    if (this.done) return;
    try {
      const step = failure === null ? this.#jobs.next() : this.#jobs.throw(failure.error);
      if (step.done === true) {
        this.#finish(step.value, undefined, false);
        return;
      }
      const job = step.value;
      this.job = job;
      job.onDone = () => {
        if (this.job === job) this.job = null;
        this.#advance(job.failed ? { error: job.error } : null);
      };
      this.#start(job);
    } catch (error) {
      this.#finish(undefined, error, true);
    }
  }

  #finish(value: T | undefined, error: unknown, failed: boolean): void {
    this.value = value;
    this.error = error;
    this.failed = failed;
    this.done = true;
    for (const run of this.#after.splice(0)) run();
  }
}

/** The operations of one adapter or driver, in the order of the calls. */
export class OperationQueue {
  readonly #operations: Operation[] = [];
  readonly #begin: (operation: Operation) => void;

  /** `begin` is called for an operation when its turn comes. */
  constructor(begin: (operation: Operation) => void) {
    this.#begin = begin;
  }

  /** The operation under way, or next to begin. */
  get first(): Operation | undefined {
    return this.#operations[0];
  }

  /** The operation that was asked for last. */
  get last(): Operation | undefined {
    return this.#operations.at(-1);
  }

  /** Enter an operation. Its turn comes at once where nothing is before it. */
  enter(operation: Operation): void {
    this.#operations.push(operation);
    operation.whenDone(() => this.#leave(operation));
    if (this.#operations.length === 1) this.#begin(operation);
  }

  #leave(operation: Operation): void {
    const at = this.#operations.indexOf(operation);
    if (at < 0) return;
    this.#operations.splice(at, 1);
    const next = this.#operations[0];
    if (at === 0 && next !== undefined && !next.begun) this.#begin(next);
  }

  /** Every operation that is not through fails with `error`. */
  failAll(error: unknown): void {
    for (const operation of [...this.#operations].reverse()) operation.fail(error);
  }
}
