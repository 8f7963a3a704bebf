/** The loop of every search: play the next scenario, count what it showed, hand over what was wrong. */
import type { DriverFinding } from "../player/checks.js";
import type { ScenarioPlayer } from "../player/player.js";
import type { Scenario } from "../scenario/scenario.js";
import { type SearchProgress, STATES_KEPT, stateNumber } from "./progress.js";
import type { FoundBy, Outcome, Search } from "./search.js";
import type { Witnesses } from "./witnesses.js";

/** A scenario in which something was wrong. */
export interface FoundScenario {
  readonly scenario: Scenario;
  readonly finding: DriverFinding;
  /** The search that chose it, and its position there (searches/search.ts). */
  readonly by: FoundBy;
  readonly position: number;
}

/** What a search asks its caller. Each may be asynchronous. */
export interface SearchCalls {
  /** Before each scenario. */
  planned(by: FoundBy, position: number): void;
  /** After each scenario: false ends the search. */
  goOn(): boolean | Promise<boolean>;
  /** For each scenario in which something was wrong: false ends the search. */
  found(found: FoundScenario): boolean | Promise<boolean>;
  /** For each scenario that showed a situation that none before it has. */
  shown(scenario: Scenario): void;
}

/** Play a search to its end, or until a call says false. Returns whether the end was reached. */
export async function runSearch(
  player: ScenarioPlayer,
  search: Search,
  progress: SearchProgress,
  calls: SearchCalls,
  witnesses: Witnesses,
): Promise<boolean> {
  player.exact = search.exact;
  let before: Outcome | undefined;
  for (let planned = search.next(undefined); planned !== undefined; planned = search.next(before)) {
    const { scenario, position } = planned;
    const run = progress.runs++;
    calls.planned(search.name, position);
    const { finding, state, opportunities, events } = await player.play(scenario);
    before = { failed: finding !== null, opportunities, state };
    progress.events += events;
    if (player.situations.count > progress.situations) calls.shown(scenario);
    progress.situations = player.situations.count;
    if (finding === null) await witnesses.watch(scenario, run);
    const number = stateNumber(state);
    if (progress.states.size < STATES_KEPT && !progress.states.has(number)) {
      progress.states.add(number);
      progress.lastNewState = run;
    }
    if (finding !== null && !(await calls.found({ scenario, finding, by: search.name, position }))) return false;
    const goesOn = calls.goOn();
    if (!(goesOn instanceof Promise ? await goesOn : goesOn)) return false;
  }
  return true;
}
