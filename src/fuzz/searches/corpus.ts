/** Scenarios that an earlier search kept, played before anything is drawn. The position is their place in the list. */
import type { Scenario } from "../scenario/scenario.js";
import type { Search } from "./search.js";

/** See the head of this file. */
export function corpusSearch(scenarios: readonly Scenario[]): Search {
  let position = 0;
  return {
    name: "corpus",
    exact: false,
    next() {
      const scenario = scenarios[position];
      return scenario === undefined ? undefined : { scenario, position: position++ };
    },
  };
}
