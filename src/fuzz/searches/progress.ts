/** Where a search stands: what was played, how many states and situations it has shown. */

/** Counters of a search, updated after each scenario. */
export interface SearchProgress {
  /** Scenarios played. */
  runs: number;
  /** Events of those scenarios, and of the machine in them. */
  events: number;
  /** Different states at the ends of scenarios, each as its `stateNumber`. Holds `STATES_KEPT` at most. */
  readonly states: Set<number>;
  /** Different situations: see player/situations.ts. */
  situations: number;
  /** The run, from 0, that showed the last new state. */
  lastNewState: number;
  /** systematic: whether the bound was exhausted; undefined for the others. */
  exhausted: boolean | undefined;
}

/** States that are remembered; beyond it new ones are no longer counted. A set of that size takes some 40 MB. */
export const STATES_KEPT = 1_000_000;

/** Counters at zero. */
export function newProgress(): SearchProgress {
  return { runs: 0, events: 0, states: new Set(), situations: 0, lastNewState: 0, exhausted: undefined };
}

/**
 * The number of a state: 53 bits of its text (player/state.ts), two FNV-1a hashes side by side. Equal on every machine, so
 * that states of several workers can be merged. Among a million states two share a number with a chance of one in ten
 * thousand.
 */
export function stateNumber(state: string): number {
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (let at = 0; at < state.length; at++) {
    const code = state.charCodeAt(at);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b);
  }
  return (high & 0x1fffff) * 2 ** 32 + (low >>> 0);
}
