/**
 * The sweep: for each base scenario the n-th allocation fails, for n = 1, 2, ... until the scenario has fewer; once, and
 * then from the n-th on.
 *
 *     base 0   n = 1, 2, ... once    n = 1, 2, ... from there on
 *     base 1   ...                                                  position = 256 * base + the byte of the failure
 */
import { allocationFaultByte, MOST_FAULTS } from "../scenario/allocation-fault.js";
import type { Scenario, ScenarioEvent, ScenarioEventKind } from "../scenario/scenario.js";
import { scenarioOf } from "./random.js";
import type { Search } from "./search.js";

/** Positions of one base scenario. */
export const SWEEP_STRIDE = 256;

/** Base scenario number `index` of a sweep: 0 is traffic, answers, a pause and a restart, more traffic; then the seed's. */
export function sweepScenario(seed: number, index: number): Scenario {
  if (index > 0) {
    const scenario = scenarioOf(seed, index);
    return { ...scenario, fails: 0, memory: 0 };
  }
  const event = (kind: ScenarioEventKind, amount: number, detail = 0): ScenarioEvent => ({
    kind,
    adapter: 0,
    amount,
    detail,
  });
  const busy = [event("frames", 7), event("event", 7), event("serve", 0), event("deliver", 3), event("event", 7)];
  const events = [
    ...busy,
    ...busy,
    ...busy,
    event("pause", 0),
    event("event", 7),
    event("restart", 0),
    ...busy,
    ...busy,
  ];
  return { fails: 0, memory: 0, variant: 0, events };
}

/** Sweeps over base scenarios `from` to `until - 1` of a seed. */
export function sweepSearch(seed: number, from: number, until: number): Search {
  let base = from;
  let nth = 0;
  let persistent = false;
  return {
    name: "sweep",
    exact: false,
    next(before) {
      // The scenario had fewer opportunities than that: nothing failed in it.
      if (before !== undefined && (before.opportunities < nth || nth === MOST_FAULTS)) {
        if (persistent) base++;
        persistent = !persistent;
        nth = 0;
      }
      if (base >= until) return undefined;
      nth++;
      const fails = allocationFaultByte({ nth, persistent });
      return { scenario: { ...sweepScenario(seed, base), fails }, position: base * SWEEP_STRIDE + fails };
    },
  };
}
