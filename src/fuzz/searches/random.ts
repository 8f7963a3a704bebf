/**
 * The random search: scenarios drawn from a seed, with swarm weights.
 *
 * In each scenario a third of the kinds of event is left out and some of the others are tripled, because many faults need
 * one kind often and another not at all (Groce and others, "Swarm testing", ISSTA 2012).
 */
import { Prng } from "../../machine/index.js";
import { allocationFaultByte } from "../scenario/allocation-fault.js";
import {
  EVENT_KINDS,
  EVENT_TABLE,
  MEMORIES,
  type Scenario,
  type ScenarioEvent,
  type ScenarioEventKind,
} from "../scenario/scenario.js";
import type { Search } from "./search.js";

const LIFECYCLE: readonly ScenarioEventKind[] = ["pause", "restart", "halt", "remove", "shutdown", "add"];
const USUAL_EVENTS = 30;
/** Streams of the seed below this one are the machine's. */
const FIRST_STREAM = 1000;

/**
 * Scenario number `index` of a seed. Each has a generator of its own, so that one can be played without those before it.
 *
 * `seed`: 0 to 2^53 - 1. `index`: from 0. `maxEvents`: events of seven in eight scenarios at most, plus 10.
 */
export function scenarioOf(seed: number, index: number, maxEvents: number = USUAL_EVENTS): Scenario {
  const draw = new Prng(seed, index + FIRST_STREAM);
  const kinds = swarm(draw);
  const length = 1 + draw.below(draw.below(8) === 0 ? maxEvents * 4 : maxEvents + 10);
  const adapters = draw.below(4) === 0 ? 2 : 1;
  const events: ScenarioEvent[] = [];
  for (let i = 0; i < length; i++) {
    const kind = kinds[draw.below(kinds.length)] as ScenarioEventKind;
    const word = draw.next();
    // Small amounts are likelier: one of something, or a few.
    const amount = draw.below(2) === 0 ? draw.below(4) : word & 0xff;
    events.push({ kind, adapter: (word >>> 8) % adapters, amount, detail: (word >>> 16) & 0xff });
  }
  const fails = drawFault(draw);
  const memory = draw.below(3) === 0 ? draw.below(MEMORIES.length) : 0;
  return { fails, memory, variant: draw.below(256), events };
}

/** Five scenarios of six fail nowhere. Of the others a third fails from some allocation on. */
function drawFault(draw: Prng): number {
  if (draw.below(6) !== 0) return 0;
  const persistent = draw.below(3) === 0;
  return allocationFaultByte({ nth: 1 + draw.below(persistent ? 24 : 40), persistent });
}

/** Each kind of event, and how often it stands among the kinds of a scenario that has it once. */
const SWARM: readonly (readonly [kind: ScenarioEventKind, count: number])[] = EVENT_KINDS.map((kind) => {
  const bytes = EVENT_TABLE.filter((one) => one === kind).length;
  return [kind, Math.max(LIFECYCLE.includes(kind) ? 1 : 2, bytes >> 1)];
});

/** Kinds of event of one scenario, in proportion: each is left out with a third's chance, some are tripled. */
function swarm(draw: Prng): ScenarioEventKind[] {
  const kinds: ScenarioEventKind[] = [];
  for (const [kind, once] of SWARM) {
    const factor = draw.below(3) === 0 ? 0 : draw.below(4) === 0 ? 3 : 1;
    for (let left = once * factor; left > 0; left--) kinds.push(kind);
  }
  return kinds.length === 0 ? ["frames", "event"] : kinds;
}

/** Scenarios `from`, `from + step`, ... below `until` of a seed. The position is the number of the scenario. */
export function randomSearch(seed: number, from: number, until: number, step = 1): Search {
  let index = from;
  return {
    name: "random",
    exact: false,
    next() {
      if (index >= until) return undefined;
      const position = index;
      index += step;
      return { scenario: scenarioOf(seed, position), position };
    },
  };
}
