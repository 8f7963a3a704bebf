/**
 * The pump: lets things happen, one after the other. Completions come before events, threads that can go on before both.
 *
 * `step` and `drain` do without the host's event loop and refuse where a driver's thread is suspended; `run` resumes
 * threads, one at a time. `serve`, `deliver`, `event` and `settle` are the same by hand.
 */
import { ShmemError } from "../../../bindings/index.js";
import type { MachineParts } from "../parts.js";

/** Turns of threads at one moment before they count as spinning. */
const SPIN = 100_000;
/** What `settle` answers where no thread can go on. */
const AT_REST: Promise<boolean> = Promise.resolve(true);

export class Pump {
  readonly #parts: MachineParts;
  #loop: Promise<void> | null = null;
  /** The machine has been disposed. */
  disposed = false;

  constructor(parts: MachineParts) {
    this.#parts = parts;
  }

  /** See `Machine.step`. */
  step(): boolean {
    this.#assertMayPump("step");
    const { alive } = this.#parts.threads;
    if (alive > 0) {
      throw new ShmemError("WRONG_CONTEXT", "a driver's thread is suspended: use `await run()`", {
        value: alive,
        unit: "threads",
      });
    }
    return this.#happen(1);
  }

  /** See `Machine.drain`. */
  drain(): number {
    this.#assertMayPump("drain");
    const { threads } = this.#parts;
    let happened = 0;
    while (threads.alive === 0 && this.#happen(Number.POSITIVE_INFINITY)) happened++;
    return happened;
  }

  /** See `Machine.run`. */
  async run(until?: () => boolean): Promise<void> {
    this.#assertMayPump("run");
    while (this.#loop !== null) await this.#loop;
    const loop = this.#runLoop(until);
    this.#loop = loop.catch(() => {});
    try {
      await loop;
    } finally {
      this.#loop = null;
    }
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
      await threads.resume();
    }
    return true;
  }

  /** Refuse a call into a machine that is disposed, or stopped by a bug check. */
  assertUsable(call: string): void {
    if (this.disposed) throw new ShmemError("ADAPTER_GONE", "the machine has been disposed", { value: call });
    this.#parts.environment.assertAlive();
  }

  /** Called from inside a callback of a driver? */
  get inside(): boolean {
    const { environment } = this.#parts;
    return environment.inside !== "" || environment.dispatcher.delivering;
  }

  async #runLoop(until?: () => boolean): Promise<void> {
    const { environment, threads } = this.#parts;
    // With a condition to watch, one at a time; the order is the same either way.
    const atOnce = until === undefined ? Number.POSITIVE_INFINITY : 1;
    let turns = 0;
    for (;;) {
      if (until?.() === true || environment.poisoned !== null) return;
      if (threads.runnable) {
        if (++turns > SPIN) this.#spins();
        await threads.resume();
        continue;
      }
      turns = 0;
      if (!this.#happen(atOnce)) return;
    }
  }

  /** A thread waits, over and over, for what is there already: time would never pass again. */
  #spins(): never {
    const message =
      "a driver's thread goes on and on at one moment: it waits for an event that is signalled, and never resets it";
    this.#parts.environment.record(null, { rule: "HandlerReturns", code: "WRONG_CONTEXT", call: "run", message });
    throw new ShmemError("WRONG_CONTEXT", message, { value: SPIN, unit: "turns" });
  }

  /** One event, or up to `atOnce` completions. */
  #happen(atOnce: number): boolean {
    const { environment, scheduler } = this.#parts;
    const { dispatcher } = environment;
    if (dispatcher.undelivered > 0 && scheduler.order !== "manual" && dispatcher.deliverSome(atOnce) > 0) return true;
    return this.#takeEvent();
  }

  #takeEvent(): boolean {
    const event = this.#parts.events.take();
    event?.run();
    return event !== undefined;
  }

  #assertMayPump(call: string): void {
    this.assertUsable(call);
    if (!this.inside) return;
    const { inside } = this.#parts.environment;
    throw new ShmemError("REENTRANT_CALL", `${call} was called from inside ${inside}`, { value: inside });
  }
}
