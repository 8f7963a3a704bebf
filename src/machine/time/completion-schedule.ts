/**
 * Schedules: when asynchronous requests are served, and in which order (choices C19, C20).
 *
 *   fifo     first come, first served, after a latency
 *   lifo     the newest first
 *   random   any order, from the seed
 *   starved  one request of each queue is passed over until nothing else is left
 *   batched  nothing is served until `batchedAt` wait, or `maxNs` has passed
 *   racing   like fifo, but about every second request is served and called back before its call returns, as another
 *            processor would; not while the caller holds a lock
 *   manual   nothing happens by itself: `machine.serve`, `machine.deliver`; `choose` may decide which request is next,
 *            and which is answered before its call returns
 *
 * The latency of a turn is drawn from `minNs` to `maxNs`: a work item's way through the system.
 */

import type { Dispatcher } from "../../../bindings/index.js";
import { PASSIVE_LEVEL, type PendingRequest, type RequestRing, type Scheduler } from "../../../bindings/index.js";
import { implementing, integer, MAX_NS, oneOf, refuse, type Table, table } from "../../../bindings/validate/index.js";
import type { Prng } from "../prng.js";
import type { Processors } from "../threads/processors.js";
import type { EventQueue } from "./clock.js";

/** The schedules by name: see the head of this file. */
export const SCHEDULES = ["fifo", "lifo", "random", "starved", "batched", "racing", "manual"] as const;
/** One of `SCHEDULES`. */
export type ScheduleName = (typeof SCHEDULES)[number];

/** A schedule with its figures. */
export interface ScheduleOptions {
  /** Which order. Required. */
  readonly order: ScheduleName;
  /** The shortest latency of a turn, nanoseconds: an integer, 0 up. Default 20,000. */
  readonly minNs?: number;
  /** The longest latency of a turn, nanoseconds, from `minNs` to 2^32 - 1 above it. Default 200,000. */
  readonly maxNs?: number;
  /** `batched`: how many wait before a turn. Default 16. */
  readonly batchedAt?: number;
  /** `manual`: who decides. Default: the first of those that wait, and no races. */
  readonly choose?: ScheduleChooser;
}

/** Decides what the schedule `manual` leaves open: for searches that name every decision. */
export interface ScheduleChooser {
  /** Which of `waiting` requests is served next: 0 is the oldest. Taken modulo their number. */
  pick(waiting: number): number;
  /** Is the request that was just accepted answered before its call returns, as far as locks allow? */
  races(): boolean;
}

/** What each option of a schedule may be. */
export const SCHEDULE_OPTIONS: Table<ScheduleOptions> = table<ScheduleOptions>(
  "a schedule",
  {
    order: oneOf(...SCHEDULES),
    minNs: integer(0, MAX_NS, "ns"),
    maxNs: integer(0, MAX_NS, "ns"),
    batchedAt: integer(1, 1_000_000, "requests"),
    choose: implementing<ScheduleChooser>("a chooser", ["pick", "races"]),
  },
  ["order"],
);

export class MachineScheduler implements Scheduler {
  readonly order: ScheduleName;
  readonly #minNs: number;
  readonly #maxNs: number;
  readonly #batchedAt: number;
  readonly #choose: ScheduleChooser | null;
  readonly #events: EventQueue;
  readonly #prng: Prng;
  readonly #processors: Processors;
  #dispatcher: Dispatcher | null = null;
  #turnIsDue = false;
  readonly #turn: () => void;
  /** Set by the machine: runs a callback as a deferred call or a work item. */
  onLater: (level: "dispatch" | "passive", turn: () => void) => void = () => {};

  constructor(options: ScheduleOptions, events: EventQueue, prng: Prng, processors: Processors) {
    const { minNs = 20_000, maxNs = 200_000, batchedAt = 16 } = options;
    // The generator draws from at most 2^32 values.
    if (maxNs < minNs || maxNs - minNs >= 2 ** 32) {
      refuse("schedule.maxNs", maxNs, {
        allowed: `from schedule.minNs (${minNs}) to 2^32 - 1 ns above it`,
        unit: "ns",
      });
    }
    this.order = options.order;
    this.#minNs = minNs;
    this.#maxNs = maxNs;
    this.#batchedAt = batchedAt;
    this.#choose = options.choose ?? null;
    this.#events = events;
    this.#prng = prng;
    this.#processors = processors;
    this.#turn = () => this.#takeTurn();
  }

  /** The dispatcher whose turns these are. */
  bind(dispatcher: Dispatcher): void {
    this.#dispatcher = dispatcher;
  }

  accepted(_request: PendingRequest): void {
    if (this.order === "manual") {
      if (this.#choose?.races() === true) this.#race();
      return;
    }
    if (this.order === "racing" && this.#race()) return;
    if (this.order === "batched") {
      const waiting = this.#dispatcher?.waiting ?? 0;
      if (waiting >= this.#batchedAt) this.#schedule(0);
      else this.#schedule(this.#maxNs);
      return;
    }
    // The latency belongs to the turn, not to the request: nothing is drawn where a turn is due already.
    if (!this.#turnIsDue) this.#schedule(this.#latency());
  }

  select(ring: RequestRing, limit: number): number {
    const { order } = this;
    if (order === "fifo" || order === "racing" || order === "batched") return limit;
    if (order === "lifo") {
      ring.bringNewest(limit);
      return limit;
    }
    if (order === "random") {
      for (let chosen = 0; chosen < limit; chosen++)
        ring.exchange(chosen, chosen + this.#prng.below(ring.pending - chosen));
      return limit;
    }
    if (order === "starved") {
      // The oldest is left out as long as there is anybody else.
      const count = ring.pending > 1 ? Math.min(limit, ring.pending - 1) : limit;
      for (let chosen = 0; chosen < count && ring.pending > 1; chosen++) ring.bring(chosen + 1, chosen);
      return count;
    }
    for (let chosen = 0; chosen < limit; chosen++) {
      const waiting = ring.pending - chosen;
      ring.bring(chosen + (this.#choose === null ? 0 : this.#choose.pick(waiting) % waiting), chosen);
    }
    return limit;
  }

  later(level: "dispatch" | "passive", turn: () => void): void {
    this.onLater(level, turn);
  }

  #latency(): number {
    return this.#minNs === this.#maxNs ? this.#minNs : this.#prng.between(this.#minNs, this.#maxNs);
  }

  #schedule(delayNs: number): void {
    if (this.#turnIsDue) return;
    this.#turnIsDue = true;
    this.#events.after(delayNs, this.#turn);
  }

  #takeTurn(): void {
    this.#turnIsDue = false;
    const dispatcher = this.#dispatcher as Dispatcher;
    dispatcher.turn();
    if (dispatcher.waiting > 0) this.#schedule(this.#latency());
  }

  /** Serve and call back now, on another processor, while the caller is inside its call. */
  #race(): boolean {
    const processors = this.#processors;
    const dispatcher = this.#dispatcher as Dispatcher;
    if (processors.locksHeld > 0 || dispatcher.busy) return false;
    if (this.order === "racing" && !this.#prng.chance(0.5)) return false;
    const here = processors.current === PASSIVE_LEVEL ? processors.processor : processors.idleOther();
    if (here < 0) return false;
    const back = processors.switchTo(here);
    try {
      dispatcher.turn();
      while (dispatcher.deliver());
    } finally {
      processors.switchTo(back);
    }
    if (dispatcher.waiting > 0 && this.order !== "manual") this.#schedule(this.#latency());
    return true;
  }
}
