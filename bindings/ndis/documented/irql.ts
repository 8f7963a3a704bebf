/**
 * IRQL: the interrupt request levels, and the small interface through which this face sees them.
 *
 * One level per simulated processor. The face only asks for the level of the processor that runs now, and brackets the
 * callbacks that it makes; the machine (`src/machine/threads/processors.ts`) keeps the levels. Source of the values: `wdm.h`.
 */

declare const irqlBrand: unique symbol;

/** A level, 0 to 15 on x64 and 0 to 31 on x86. */
export type KIRQL = number & {
  /** For the compiler alone: no such property exists. */
  readonly [irqlBrand]: true;
};

/** 0: ordinary code, which may wait. */
export const PASSIVE_LEVEL: KIRQL = 0 as KIRQL;
/** 1: asynchronous procedure calls do not interrupt. */
export const APC_LEVEL: KIRQL = 1 as KIRQL;
/** 2: deferred procedure calls, timers, spin locks; no waiting. */
export const DISPATCH_LEVEL: KIRQL = 2 as KIRQL;
/** x64: the level of the clock interrupt. Device levels are 3 to 12. */
export const CLOCK_LEVEL: KIRQL = 13 as KIRQL;
/** 14 on x64: interrupts between processors. */
export const IPI_LEVEL: KIRQL = 14 as KIRQL;
/** 15 on x64: nothing interrupts. */
export const HIGH_LEVEL: KIRQL = 15 as KIRQL;

/** A device level (DIRQL) on x64. `level`: 3 to 12. */
export function deviceLevel(level: number): KIRQL {
  if (!Number.isInteger(level) || level < 3 || level > 12) {
    throw new RangeError(`a device level on x64 is 3 to 12, got ${level}`);
  }
  return level as KIRQL;
}

/** `PASSIVE`, `APC`, `DISPATCH`, `DIRQL 5`, ... */
export function irqlName(level: number): string {
  if (level === 0) return "PASSIVE";
  if (level === 1) return "APC";
  if (level === 2) return "DISPATCH";
  return level <= 12 ? `DIRQL ${level}` : level >= 15 ? "HIGH" : `IRQL ${level}`;
}

/** What the face needs to know of the processors. */
export interface Irql {
  /** Level of the processor that runs now. */
  readonly current: KIRQL;
  /** Number of the processor that runs now, from 0. */
  readonly processor: number;
  /** How many simulated spin locks are held on the processor that runs now. */
  readonly locksHeld: number;
  /** Go to `level`; returns the level before, for `restoreLevel`. */
  setLevel(level: KIRQL): KIRQL;
  /** The level is `level` again, whatever a callback left behind. */
  restoreLevel(level: KIRQL): void;
}
