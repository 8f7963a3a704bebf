/**
 * The pump: lets things happen, one after the other. Completions come before events, threads that can go on before both.
 *
 * `step`, `drain` and `advance` do without the host's event loop: they stop where a driver's thread can go on, because
 * only a promise can resume it. `run` resumes threads, one at a time, and gives the host's loop a turn now and then.
 * `serve`, `deliver`, `event` and `settle` are the same by hand.
 *
 * There is one loop for all who wait. Each waits for a condition of its own, or until nothing is left to happen; the loop
 * goes on as long as anybody waits, so two runs or halts at the same time never wait for each other.
 */
import { irqlName, PASSIVE_LEVEL, ShmemError } from "../../../bindings/index.js";
import type { MachineParts } from "../parts.js";
import { hostTurn } from "./host-turn.js";

/** Turns of threads at one moment before they count as spinning. */
const SPIN = 100_000;
/** What `settle` answers where no thread can go on. */
const AT_REST: Promise<boolean> = Promise.resolve(true);
/** Things that happen between two turns of the host's event loop: some milliseconds; a turn itself costs microseconds. */
const HOST_TURN_EVERY = 4096;
/** Completions that are delivered in one row: bounded, so that a million of them leaves the host its turns. */
const MOST_IN_A_ROW = 1024;

/** Somebody who waits for the loop. */
interface Waiter {
  /** Null: until nothing is left to happen. */
  readonly until: (() => boolean) | null;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Pump {
  readonly #parts: MachineParts;
  readonly #waiters: Waiter[] = [];
  #looping = false;
  /** The machine has been disposed. */
  disposed = false;

  constructor(parts: MachineParts) {
    this.#parts = parts;
  }

  /** See `Machine.step`. */
  step(): boolean {
    this.#assertMayPump("step");
    if (this.#parts.threads.runnable) {
      throw new ShmemError("WRONG_CONTEXT", "a driver's thread can go on: use `await run()`", {
        value: this.#parts.threads.alive,
        unit: "threads",
      });
    }
    return this.#happen(1) > 0;
  }

  /** See `Machine.drain`. */
  drain(): number {
    this.#assertMayPump("drain");
    const { threads } = this.#parts;
    let happened = 0;
    while (!threads.runnable && this.#happen(Number.POSITIVE_INFINITY) > 0) happened++;
    return happened;
  }

  /** See `Machine.advance`. */
  advance(toNs: number): number {
    this.#assertMayPump("advance");
    const { clock, events, threads, environment, scheduler } = this.#parts;
    const delivers = (): boolean => environment.dispatcher.undelivered > 0 && scheduler.order !== "manual";
    while (!threads.runnable) {
      if (delivers() && environment.dispatcher.deliverSome(MOST_IN_A_ROW) > 0) continue;
      if (events.nextNs > toNs) break;
      this.#takeEvent();
    }
    if (!threads.runnable && toNs > clock.nowNs) clock.nowNs = toNs;
    return clock.nowNs;
  }

  /** See `Machine.advanceAsync`. */
  async advanceAsync(toNs: number): Promise<void> {
    this.#assertOutside("advanceAsync");
    const { clock, events } = this.#parts;
    // An event of its own at the end: what is due until then happens before it, and time stops there. It is not counted
    // among what is left to happen once it has been taken.
    if (toNs < clock.nowNs) return;
    let reached = false;
    const end = events.lastAt(toNs, () => {
      reached = true;
    });
    try {
      await this.wait(() => reached);
    } finally {
      events.cancel(end);
    }
  }

  /** See `Machine.run`. */
  async run(until?: () => boolean): Promise<void> {
    this.#assertOutside("run");
    await this.wait(until ?? null);
  }

  /**
   * Let things happen until `until` says so, or nothing is left. For lifecycle calls too, which may come from inside a
   * callback: then the loop begins when that is through.
   */
  wait(until: (() => boolean) | null): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ until, resolve, reject });
      if (this.#looping) return;
      this.#looping = true;
      if (this.inside) queueMicrotask(() => void this.#loop());
      else void this.#loop();
    });
  }

  serve(): number {
    this.#assertMayPump("serve");
    return this.#parts.environment.dispatcher.turn();
  }

  deliver(): boolean {
    this.#assertMayPump("deliver");
    return this.#parts.environment.dispatcher.deliver();
  }

  event(): boolean {
    this.#assertMayPump("event");
    return this.#takeEvent();
  }

  settle(most: number): Promise<boolean> {
    this.#assertMayPump("settle");
    return this.#parts.threads.runnable ? this.#resumeAll(most) : AT_REST;
  }

  async #resumeAll(most: number): Promise<boolean> {
    const { threads } = this.#parts;
    for (let turns = 0; threads.runnable; turns++) {
      if (turns >= most) return false;
      threads.conclude(await threads.resume());
    }
    return true;
  }

  /** Refuse a call into a machine that is disposed, or stopped by a bug check. */
  assertUsable(call: string): void {
    if (this.disposed) throw new ShmemError("ADAPTER_GONE", "the machine has been disposed", { value: call });
    this.#parts.environment.reporter.assertAlive();
  }

  /** A callback of a driver is on the stack, or a thread of one is being resumed. */
  get inside(): boolean {
    const { environment } = this.#parts;
    return environment.callbacks.call !== "" || environment.dispatcher.delivering;
  }

  /** The loop is under way: whoever calls now came in between two turns of it. */
  get looping(): boolean {
    return this.#looping;
  }

  /** The host must be at PASSIVE_LEVEL without a lock to let things happen: callbacks would run under both. */
  assertLevel(call: string): void {
    const { processors } = this.#parts;
    if (processors.locksHeld > 0) {
      throw new ShmemError("WRONG_CONTEXT", `${call} was called while ${processors.locksHeld} spin locks are held`, {
        value: processors.locksHeld,
        unit: "locks",
      });
    }
    if (processors.current > PASSIVE_LEVEL) {
      throw new ShmemError("WRONG_IRQL", `${call} was called at ${irqlName(processors.current)}, not at PASSIVE`, {
        value: processors.current,
        unit: "IRQL",
      });
    }
  }

  /** Everybody who waits is told that nothing will come of it. */
  rejectAll(error: unknown): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  async #loop(): Promise<void> {
    const { environment, threads } = this.#parts;
    let turns = 0;
    let untilHostTurn = HOST_TURN_EVERY;
    for (;;) {
      try {
        this.#answer();
        if (this.#waiters.length === 0) break;
        if (this.disposed) {
          this.rejectAll(new ShmemError("ADAPTER_GONE", "the machine has been disposed"));
          break;
        }
        if (environment.reporter.poisoned !== null) {
          this.#resolveAll();
          break;
        }
        if (untilHostTurn <= 0) {
          untilHostTurn = HOST_TURN_EVERY;
          await hostTurn();
          continue;
        }
        this.assertLevel("run");
        if (threads.runnable) {
          untilHostTurn--;
          if (++turns > SPIN) this.#spins();
          threads.conclude(await threads.resume());
          continue;
        }
        turns = 0;
        // With a condition to watch, one at a time; the order is the same either way.
        const happened = this.#happen(this.#waiters.some(({ until }) => until !== null) ? 1 : MOST_IN_A_ROW);
        untilHostTurn -= happened;
        if (happened === 0) {
          this.#resolveAll();
          break;
        }
      } catch (error) {
        turns = 0;
        // One is told; the others go on waiting for what they wait for.
        this.#waiters.shift()?.reject(error);
      }
    }
    this.#looping = false;
  }

  /** Tell those whose condition holds. */
  #answer(): void {
    for (let i = 0; i < this.#waiters.length; ) {
      const waiter = this.#waiters[i] as Waiter;
      let holds = false;
      try {
        holds = waiter.until?.() === true;
      } catch (error) {
        this.#waiters.splice(i, 1);
        waiter.reject(error);
        continue;
      }
      if (holds) {
        this.#waiters.splice(i, 1);
        waiter.resolve();
      } else i++;
    }
  }

  #resolveAll(): void {
    for (const waiter of this.#waiters.splice(0)) waiter.resolve();
  }

  /** A thread waits, over and over, for what is there already: time would never pass again. */
  #spins(): never {
    const message =
      "a driver's thread goes on and on at one moment: it waits for an event that is signalled, and never resets it";
    this.#parts.environment.reporter.record(null, {
      rule: "HandlerReturns",
      code: "WRONG_CONTEXT",
      call: "run",
      message,
    });
    throw new ShmemError("WRONG_CONTEXT", message, { value: SPIN, unit: "turns" });
  }

  /** One event, or up to `atOnce` completions. Returns how many; 0 where nothing is left. */
  #happen(atOnce: number): number {
    const { environment, scheduler } = this.#parts;
    const { dispatcher } = environment;
    if (dispatcher.undelivered > 0 && scheduler.order !== "manual") {
      const delivered = dispatcher.deliverSome(atOnce);
      if (delivered > 0) return delivered;
    }
    return this.#takeEvent() ? 1 : 0;
  }

  #takeEvent(): boolean {
    const event = this.#parts.events.take();
    event?.run();
    return event !== undefined;
  }

  /** For what happens in the call itself: between two turns of a loop that is under way, its order would not be one. */
  #assertMayPump(call: string): void {
    this.#assertOutside(call);
    if (this.#looping) {
      throw new ShmemError("REENTRANT_CALL", `${call} was called while a run is under way`, { value: "run" });
    }
  }

  #assertOutside(call: string): void {
    this.assertUsable(call);
    const inside = this.#parts.environment.callbacks.call;
    if (this.inside)
      throw new ShmemError("REENTRANT_CALL", `${call} was called from inside ${inside}`, { value: inside });
    this.assertLevel(call);
  }
}
