/**
 * The systematic search: every sequence of a small alphabet of events up to a bound, shortest first.
 *
 *     []  ─ 14 events ─►  [a] [b] [c] ...  ─ 14 events each ─►  [a a] [a b] ...     the position counts what was played
 *
 * A sequence that leaves the machine as an earlier one did is not continued, because the two have the same future. What
 * cannot be seen of a driver's state does not count: where a driver keeps state in private fields or closures two states
 * may look alike, and then the cut is too coarse (docs/fuzzing.md). `cut: false` continues every sequence.
 *
 * The bound counts events of this alphabet. An event of another search may stand for more of them: up to eight frames or
 * eight events of the machine at once, or a failure that the alphabet does not have. That a bound of 4 is exhausted says
 * nothing about a random scenario of four events.
 */
import type { ScenarioEvent } from "../scenario/scenario.js";
import type { Search } from "./search.js";

/** The alphabet: each answer, each failure, each lifecycle event. */
export const SYSTEMATIC_ALPHABET: readonly ScenarioEvent[] = [
  { kind: "frames", adapter: 0, amount: 3, detail: 4 },
  { kind: "event", adapter: 0, amount: 0, detail: 0 },
  { kind: "serve", adapter: 0, amount: 0, detail: 0 },
  { kind: "serve", adapter: 0, amount: 1, detail: 0 },
  { kind: "deliver", adapter: 0, amount: 0, detail: 0 },
  { kind: "failQueue", adapter: 0, amount: 0, detail: 0 },
  { kind: "failService", adapter: 0, amount: 0, detail: 0 },
  { kind: "race", adapter: 0, amount: 0, detail: 0 },
  { kind: "time", adapter: 0, amount: 5, detail: 0 },
  { kind: "pause", adapter: 0, amount: 0, detail: 0 },
  { kind: "restart", adapter: 0, amount: 0, detail: 0 },
  { kind: "halt", adapter: 0, amount: 0, detail: 0 },
  { kind: "remove", adapter: 0, amount: 0, detail: 0 },
  { kind: "shutdown", adapter: 0, amount: 0, detail: 0 },
];

/** See the head of this file. `bound`: events at most, from 1. `exhausted` once every sequence was given. */
export function systematicSearch(bound: number, cut = true): Search & { readonly exhausted: boolean } {
  const seen = new Set<string>();
  let level: (readonly ScenarioEvent[])[] = [[]];
  let next: (readonly ScenarioEvent[])[] = [];
  let depth = 1;
  let at = 0;
  let event = 0;
  let position = 0;
  let last: readonly ScenarioEvent[] = [];
  let exhausted = false;
  return {
    name: "systematic",
    exact: true,
    get exhausted() {
      return exhausted;
    },
    next(before) {
      // Where a sequence has failed its continuations fail alike.
      if (before !== undefined && !before.failed && !(cut && seen.has(before.state))) {
        seen.add(before.state);
        if (depth < bound) next.push(last);
      }
      if (at === level.length) {
        depth++;
        level = next;
        next = [];
        at = 0;
      }
      const prefix = level[at];
      if (depth > bound || prefix === undefined) {
        exhausted = true;
        return undefined;
      }
      last = [...prefix, SYSTEMATIC_ALPHABET[event] as ScenarioEvent];
      event++;
      if (event === SYSTEMATIC_ALPHABET.length) {
        event = 0;
        at++;
      }
      return { scenario: { fails: 0, memory: 0, variant: 0, events: last }, position: position++ };
    },
  };
}
