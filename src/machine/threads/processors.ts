/**
 * Simulated processors: one current level each, raised and lowered in brackets (choice C3).
 *
 * The machine runs one piece of code at a time, on the processor that `processor` names. Others matter when a completion
 * races a caller that holds its own processor at DISPATCH_LEVEL: it then runs on another one (choice C19).
 */

import type { Irql } from "../../../bindings/index.js";
import { irqlName, type KIRQL, PASSIVE_LEVEL, ShmemError } from "../../../bindings/index.js";

export class Processors implements Irql {
  readonly count: number;
  readonly #levels: KIRQL[];
  readonly #locks: number[];
  /** Number of the processor that runs now. */
  processor = 0;
  /** Its level: what `#levels` holds for it, kept here because every routine asks. */
  current: KIRQL = PASSIVE_LEVEL;

  constructor(count: number) {
    this.count = count;
    this.#levels = new Array<KIRQL>(count).fill(PASSIVE_LEVEL);
    this.#locks = new Array<number>(count).fill(0);
  }

  get locksHeld(): number {
    return this.#locks[this.processor] as number;
  }

  setLevel(level: KIRQL): KIRQL {
    const previous = this.current;
    this.current = level;
    return previous;
  }

  restoreLevel(level: KIRQL): void {
    this.current = level;
  }

  /** KeRaiseIrql: never downwards. Returns the level before. */
  raise(level: KIRQL): KIRQL {
    const { current } = this;
    if (level < current) throw this.#refuse(`raiseIrql from ${irqlName(current)} to ${irqlName(level)} lowers`, level);
    return this.setLevel(level);
  }

  /** KeLowerIrql: never upwards. */
  lower(level: KIRQL): void {
    const { current } = this;
    if (level > current) throw this.#refuse(`lowerIrql from ${irqlName(current)} to ${irqlName(level)} raises`, level);
    this.restoreLevel(level);
  }

  lockTaken(): void {
    this.#locks[this.processor] = this.locksHeld + 1;
  }

  lockGiven(): void {
    this.#locks[this.processor] = this.locksHeld - 1;
  }

  /** Go on as another processor; returns the one to come back to. */
  switchTo(processor: number): number {
    const previous = this.processor;
    this.#levels[previous] = this.current;
    this.processor = processor;
    this.current = this.#levels[processor] as KIRQL;
    return previous;
  }

  /** A processor other than the current one that is at PASSIVE_LEVEL, -1 where there is none. */
  idleOther(): number {
    for (let other = 0; other < this.count; other++) {
      if (other !== this.processor && this.#levels[other] === PASSIVE_LEVEL) return other;
    }
    return -1;
  }

  #refuse(message: string, level: KIRQL): ShmemError {
    return new ShmemError("WRONG_IRQL", message, { value: level, unit: "IRQL" });
  }
}
