/**
 * A search: which scenario is played next, given what the one before came to.
 *
 *     search.next() ─► scenario ─► player ─► outcome ─► search.next(outcome) ...
 *
 * A search is pulled, so that one loop (run.ts) plays, counts and decides when to end, whatever is searched. Each scenario
 * has a position: a number that names it within its search and seed, whoever plays it and in whichever order. "First found
 * at" is the least position, so that it does not depend on the number of threads.
 */
import type { Scenario } from "../scenario/scenario.js";

/** How scenarios are chosen (docs/fuzzing.md, "Scenarios and searches"). */
export type SearchName = "random" | "sweep" | "systematic";

/** What a scenario came from: a search, or the corpus of an earlier one. */
export type FoundBy = SearchName | "corpus";

/** Every search. */
export const SEARCHES: readonly SearchName[] = ["random", "sweep", "systematic"];

/** What a search wants to know of the scenario that it gave last. */
export interface Outcome {
  /** Whether something was wrong in it. */
  readonly failed: boolean;
  /** Allocations that could have failed. */
  readonly opportunities: number;
  /** The state that the events left the machine in; see player/state.ts. */
  readonly state: string;
}

/** A scenario, and where it stands in its search. */
export interface Planned {
  readonly scenario: Scenario;
  /** An integer from 0; see the head of this file. */
  readonly position: number;
}

/** One search over one range. */
export interface Search {
  readonly name: FoundBy;
  /** States count as equal only where the bytes of live blocks and the armed failures are: it leaves equal states once. */
  readonly exact: boolean;
  /** The next scenario; undefined at the end. `before`: what the last one came to, undefined at the beginning. */
  next(before: Outcome | undefined): Planned | undefined;
}
