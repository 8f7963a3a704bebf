/**
 * What a scenario decides in place of the machine's seed: which request is served next, which one is answered before its
 * call returns, and which allocation fails.
 */
import type { FaultPlan, FaultPoint } from "../../../bindings/index.js";
import type { ScheduleChooser } from "../../machine/index.js";
import { allocationFaultOf } from "../scenario/allocation-fault.js";
import type { Scenario } from "../scenario/scenario.js";

/** Decides for one scenario after another: which request is served, which one races, which allocation fails. */
export class Decisions implements ScheduleChooser, FaultPlan {
  /** Which of the waiting requests is served next, modulo their number. */
  next = 0;
  /** The next asynchronous request is answered before its call returns. */
  raceNext = false;
  /** Armed failures, by point. */
  readonly armed: Record<"synchronous" | "queue" | "service", number> = { synchronous: 0, queue: 0, service: 0 };
  /** Allocations that could have failed so far. */
  opportunities = 0;
  /** Failures injected so far. */
  injected = 0;
  #nth = 0;
  #persistent = false;

  /** Another scenario begins. */
  begin(scenario: Pick<Scenario, "fails">): void {
    this.quiesce();
    this.next = 0;
    this.opportunities = 0;
    this.injected = 0;
    const fault = allocationFaultOf(scenario.fails);
    this.#nth = fault?.nth ?? 0;
    this.#persistent = fault?.persistent === true;
  }

  /** Ends every injected failure, so that what is under way can end. */
  quiesce(): void {
    this.#nth = 0;
    this.raceNext = false;
    this.armed.synchronous = 0;
    this.armed.queue = 0;
    this.armed.service = 0;
  }

  pick(_waiting: number): number {
    return this.next;
  }

  races(): boolean {
    const race = this.raceNext;
    this.raceNext = false;
    return race;
  }

  strikes(point: FaultPoint): boolean {
    const { armed } = this;
    let strikes = false;
    // One case each: a look-up by name would cost more than all the rest, and every allocation comes by here.
    if (point === "synchronous") {
      strikes = armed.synchronous > 0;
      if (strikes) armed.synchronous--;
    } else if (point === "queue") {
      strikes = armed.queue > 0;
      if (strikes) armed.queue--;
    } else if (point === "service") {
      strikes = armed.service > 0;
      if (strikes) armed.service--;
    } else return false;
    this.opportunities++;
    const nth = this.#nth;
    if (nth > 0 && (this.opportunities === nth || (this.#persistent && this.opportunities > nth))) strikes = true;
    if (strikes) this.injected++;
    return strikes;
  }
}
