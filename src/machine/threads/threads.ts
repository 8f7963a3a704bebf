/**
 * Threads: driver code that waits. Each is one call of an asynchronous handler.
 *
 * A thread runs at PASSIVE_LEVEL until it waits for an event of the machine; the run loop resumes waiting threads one at a
 * time and lets each come to its next wait, or its end, before anything else happens. That keeps one seed one history:
 * the host's promise queue never decides an order. A thread that waits for a promise of the host is refused, because
 * nothing in the machine could ever resume it.
 */
import {
  type AdapterRecord,
  bugChecks,
  irqlName,
  type NdisEnvironment,
  PASSIVE_LEVEL,
  ShmemError,
  type Threads,
} from "../../../bindings/index.js";
import { integer, MAX_NS } from "../../../bindings/validate/index.js";
import type { EventQueue, MachineEventEntry } from "../time/clock.js";
import type { Processors } from "./processors.js";

const TIMEOUT = integer(0, MAX_NS, "ns");
/** Microtask turns that a resumed thread may take to reach its next wait. */
const PATIENCE = 10_000;

/** One wait of one thread. */
interface Waiter {
  thread: Thread | null;
  resolve: (outcome: "signalled" | "timeout") => void;
  outcome: "signalled" | "timeout" | null;
  timer: MachineEventEntry | null;
  event: WaitableEvent | null;
}

/** An event that threads wait for (see `MachineEvent`). */
export class WaitableEvent {
  readonly #threads: MachineThreads;
  readonly waiters: Set<Waiter> = new Set();
  #signalled = false;

  constructor(threads: MachineThreads) {
    this.#threads = threads;
  }

  get signalled(): boolean {
    return this.#signalled;
  }

  set(): void {
    this.#signalled = true;
    for (const waiter of this.waiters) this.#threads.wake(waiter, "signalled");
    this.waiters.clear();
  }

  reset(): void {
    this.#signalled = false;
  }
}

/** A running or waiting call. */
export class Thread {
  readonly adapter: AdapterRecord | null;
  readonly call: string;
  readonly settled: (error: unknown, failed: boolean) => void;
  /** Waits that the thread has not been resumed from. */
  waits = 0;
  done = false;
  /** Its adapter was shut down: it never goes on. */
  frozen = false;
  error: unknown = undefined;
  failed = false;

  constructor(adapter: AdapterRecord | null, call: string, settled: (error: unknown, failed: boolean) => void) {
    this.adapter = adapter;
    this.call = call;
    this.settled = settled;
  }
}

export class MachineThreads implements Threads {
  readonly #events: EventQueue;
  readonly #processors: Processors;
  readonly #live: Set<Thread> = new Set();
  readonly #ready: Waiter[] = [];
  /** Waits begun while no thread was known: they belong to the callback that `adopt` is about to report. */
  #nascent: Waiter[] = [];
  #current: Thread | null = null;
  #environment: NdisEnvironment | null = null;

  constructor(events: EventQueue, processors: Processors) {
    this.#events = events;
    this.#processors = processors;
  }

  bind(environment: NdisEnvironment): void {
    this.#environment = environment;
  }

  /** Threads that have not ended. */
  get alive(): number {
    return this.#live.size;
  }

  /** A thread can go on without an event of the machine. */
  get runnable(): boolean {
    if (this.#ready.length > 0) return true;
    if (this.#live.size === 0) return false;
    for (const thread of this.#live) if (thread.waits === 0) return true;
    return false;
  }

  adopt(
    adapter: AdapterRecord | null,
    call: string,
    promise: PromiseLike<unknown>,
    settled: (error: unknown, failed: boolean) => void,
  ): void {
    const thread = new Thread(adapter, call, settled);
    for (const waiter of this.#nascent) {
      waiter.thread = thread;
      // Counted whether or not it has been answered already: the count goes down when the thread is resumed.
      thread.waits++;
    }
    this.#nascent = [];
    this.#live.add(thread);
    promise.then(
      () => this.#end(thread),
      (error: unknown) => {
        thread.error = error;
        thread.failed = true;
        this.#end(thread);
      },
    );
  }

  /** A wait of the code that runs now. Throws at raised level (choice C3). */
  wait(
    adapter: AdapterRecord,
    event: WaitableEvent | null,
    timeoutNs: number | undefined,
  ): Promise<"signalled" | "timeout"> {
    const { current } = this.#processors;
    if (current > 1) this.#refuseWait(adapter, current);
    if (timeoutNs !== undefined) TIMEOUT.read(timeoutNs, "timeoutNs");
    return new Promise((resolve) => {
      const waiter: Waiter = { thread: this.#current, resolve, outcome: null, timer: null, event };
      if (this.#current === null) this.#nascent.push(waiter);
      else this.#current.waits++;
      if (event?.signalled === true) {
        this.wake(waiter, "signalled");
        return;
      }
      event?.waiters.add(waiter);
      if (timeoutNs !== undefined) {
        waiter.timer = this.#events.after(timeoutNs, () => {
          waiter.timer = null;
          event?.waiters.delete(waiter);
          this.wake(waiter, "timeout");
        });
      }
    });
  }

  /** A wait is over; its thread goes on when its turn comes. */
  wake(waiter: Waiter, outcome: "signalled" | "timeout"): void {
    if (waiter.outcome !== null || waiter.thread?.frozen === true) return;
    waiter.outcome = outcome;
    if (waiter.timer !== null) {
      this.#events.cancel(waiter.timer);
      waiter.timer = null;
    }
    this.#ready.push(waiter);
  }

  /**
   * The adapter is over: nothing of its driver runs any more, threads that wait included. Whoever follows such a thread
   * is told that it has ended, or its turn would never come; the thread that runs now ends at its next wait.
   */
  freeze(adapter: AdapterRecord): void {
    const frozen = [...this.#live].filter((thread) => thread.adapter === adapter && thread !== this.#current);
    for (const thread of this.#live) {
      if (thread.adapter !== adapter) continue;
      thread.frozen = true;
      if (thread !== this.#current) this.#live.delete(thread);
    }
    for (let i = this.#ready.length - 1; i >= 0; i--) {
      if (this.#ready[i]?.thread?.frozen === true) this.#ready.splice(i, 1);
    }
    for (const thread of frozen) thread.settled(undefined, false);
  }

  /**
   * Let one thread go on to its next wait or its end. The place is marked only when the caller has control back: whoever
   * calls into the machine in the same turn as `run` is not to be taken for the thread.
   *
   * Resolves with the thread where it ended; `conclude` then tells whoever follows it. That may begin another thread, and
   * must be followed by the next `resume` in the same turn, before the new thread's promises have theirs.
   */
  async resume(): Promise<Thread | null> {
    const waiter = this.#ready.shift();
    const thread = waiter === undefined ? this.#firstWithoutWait() : waiter.thread;
    const environment = this.#environment as NdisEnvironment;
    // Its next waits are its own, whenever the host's queue of promises comes to them.
    this.#current = thread;
    await null;
    if (thread !== null) environment.callbacks.enterThread(thread.call, thread.adapter);
    if (waiter !== undefined) {
      if (thread !== null) thread.waits--;
      waiter.resolve(waiter.outcome ?? "timeout");
    }
    try {
      await this.#untilWait(thread);
    } finally {
      this.#current = null;
      if (thread !== null) environment.callbacks.leaveThread();
    }
    return thread?.done === true && this.#live.delete(thread) ? thread : null;
  }

  /** Tell whoever follows a thread that it has ended. */
  conclude(thread: Thread | null): void {
    thread?.settled(thread.error, thread.failed);
  }

  #firstWithoutWait(): Thread | null {
    for (const thread of this.#live) if (thread.waits === 0) return thread;
    return null;
  }

  /** Give the thread microtasks until it waits for the machine again, or ends. */
  async #untilWait(thread: Thread | null): Promise<void> {
    for (let turn = 0; turn < PATIENCE; turn++) {
      await null;
      this.#checkLevel(thread);
      if (thread === null || thread.done || thread.frozen || thread.waits > 0) return;
    }
    if (thread !== null) this.#abandon(thread);
  }

  /** Whoever suspends itself must be at PASSIVE_LEVEL (choice C3). */
  #checkLevel(thread: Thread | null): void {
    const { current } = this.#processors;
    if (current === PASSIVE_LEVEL) return;
    this.#processors.restoreLevel(PASSIVE_LEVEL);
    const environment = this.#environment as NdisEnvironment;
    const call = thread?.call ?? "await";
    environment.callbacks.checkLevel(thread?.adapter ?? null, call, PASSIVE_LEVEL, current, thread?.done !== true);
  }

  #refuseWait(adapter: AdapterRecord, level: number): void {
    const environment = this.#environment as NdisEnvironment;
    const finding = {
      rule: "NoWaitAtDispatch",
      code: "WRONG_IRQL",
      call: "wait",
      message: `waiting is for PASSIVE_LEVEL, not for ${irqlName(level)}`,
      value: level,
      unit: "IRQL",
      bugCheck: bugChecks.waitAtHighIrql(level),
    } as const;
    environment.reporter.violate(adapter, finding);
    throw new ShmemError("WRONG_IRQL", finding.message, { value: level, unit: "IRQL" });
  }

  #end(thread: Thread): void {
    thread.done = true;
    // A thread that ends while it is not the one being resumed (its last waits were answered together) ends here.
    if (this.#current !== thread && this.#live.has(thread)) {
      thread.waits = 0;
    }
  }

  #abandon(thread: Thread): void {
    const message = `${thread.call} waits for something that is no event of the machine; use wait or sleep`;
    thread.error = new ShmemError("WRONG_CONTEXT", message, { value: thread.call });
    thread.failed = true;
    thread.done = true;
  }
}
