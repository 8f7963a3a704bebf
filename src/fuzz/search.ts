/**
 * Searches for a life that goes wrong.
 *
 *   random      lives drawn from a seed, with swarm weights: whole kinds of event are switched off in each life
 *   sweep       for each of some lives: fail the n-th allocation for n = 1, 2, ... until a life has fewer, once and then
 *               from n on
 *   systematic  every sequence of a small alphabet up to a bound, shortest first, equal states cut; says whether it
 *               came to the end of the bound
 *
 * The default, `"all"`, plays some random lives, a sweep over the lives it started with, and random lives from there on.
 */
import { Prng } from "../machine/index.js";
import { EVENT_KINDS, EVENT_TABLE, type Life, type LifeEvent, type LifeEventKind, MEMORIES } from "./life.js";
import type { DriverFinding } from "./life-judge.js";
import type { LifePlayer } from "./life-player.js";

export type SearchName = "random" | "sweep" | "systematic";
export const SEARCHES: readonly SearchName[] = ["random", "sweep", "systematic"];

/** A life that went wrong. */
export interface FoundLife {
  readonly life: Life;
  readonly finding: DriverFinding;
  /** Number of the run, from 0. */
  readonly run: number;
}

/** Where a search stands. */
export interface SearchProgress {
  runs: number;
  events: number;
  /** Different states at the ends of lives, each as a number made of its fingerprint. */
  readonly states: Set<number>;
  /** Different situations: see situations.ts. */
  situations: number;
  /** Run that showed the last new state. */
  lastNewState: number;
  /** systematic: whether the bound was exhausted; undefined for the others. */
  exhausted: boolean | undefined;
}

export function newProgress(): SearchProgress {
  return { runs: 0, events: 0, states: new Set(), situations: 0, lastNewState: 0, exhausted: undefined };
}

/** States that are remembered; beyond it new ones are counted no more. */
const STATES_KEPT = 1_000_000;

/** Asked after each run; false ends the search. */
export type GoOn = () => boolean | Promise<boolean>;

/** Play one life of a search and count what it showed. */
async function tryLife(
  player: LifePlayer,
  life: Life,
  progress: SearchProgress,
): Promise<{ found: FoundLife | undefined; opportunities: number; state: string }> {
  const run = progress.runs++;
  const { finding, state, opportunities, events } = await player.play(life);
  progress.events += events;
  progress.situations = player.situations.count;
  const number = numberOf(state);
  if (progress.states.size < STATES_KEPT && !progress.states.has(number)) {
    progress.states.add(number);
    progress.lastNewState = run;
  }
  return { found: finding === null ? undefined : { life, finding, run }, opportunities, state };
}

/** 53 bits of a text: two FNV-1a hashes side by side. A million states collide with a chance of one in ten thousand. */
function numberOf(text: string): number {
  let low = 0x811c9dc5;
  let high = 0x01000193;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ code, 0x85ebca6b);
  }
  return (high & 0x1fffff) * 2 ** 32 + (low >>> 0);
}

// ---- random ----------------------------------------------------------------------------------------------------------

const LIFECYCLE: readonly LifeEventKind[] = ["pause", "restart", "halt", "remove", "shutdown", "add"];
const USUAL_EVENTS = 30;

/** Life number `run` of a seed. Its own generator, so that a run can be repeated without those before it. */
export function lifeOf(seed: number, run: number, maxEvents: number = USUAL_EVENTS): Life {
  const draw = new Prng(seed, run + 1000);
  const kinds = swarm(draw);
  const length = 1 + draw.below(draw.below(8) === 0 ? maxEvents * 4 : maxEvents + 10);
  const adapters = draw.below(4) === 0 ? 2 : 1;
  const events: LifeEvent[] = [];
  for (let i = 0; i < length; i++) {
    const kind = kinds[draw.below(kinds.length)] as LifeEventKind;
    const word = draw.next();
    // Small amounts are likelier: one of something, or a few.
    const amount = draw.below(2) === 0 ? draw.below(4) : word & 0xff;
    events.push({ kind, adapter: (word >>> 8) % adapters, amount, detail: (word >>> 16) & 0xff });
  }
  const fails = draw.below(6) !== 0 ? 0 : draw.below(3) === 0 ? 128 + draw.below(24) : 1 + draw.below(40);
  const memory = draw.below(3) === 0 ? draw.below(MEMORIES.length) : 0;
  return { fails, memory, variant: draw.below(256), events };
}

/** Each kind of event, and how often it stands among the kinds of a life that has it once. */
const SWARM: readonly (readonly [kind: LifeEventKind, count: number])[] = EVENT_KINDS.map((kind) => {
  const bytes = EVENT_TABLE.filter((one) => one === kind).length;
  return [kind, Math.max(LIFECYCLE.includes(kind) ? 1 : 2, bytes >> 1)];
});

/** Kinds of event of one life, in proportion: each is left out with a third's chance, some are tripled. */
function swarm(draw: Prng): LifeEventKind[] {
  const kinds: LifeEventKind[] = [];
  for (const [kind, once] of SWARM) {
    const factor = draw.below(3) === 0 ? 0 : draw.below(4) === 0 ? 3 : 1;
    for (let left = once * factor; left > 0; left--) kinds.push(kind);
  }
  return kinds.length === 0 ? ["frames", "event"] : kinds;
}

export async function searchRandom(
  player: LifePlayer,
  seed: number,
  runs: number,
  progress: SearchProgress,
  goOn: GoOn,
  from = 0,
  step = 1,
): Promise<FoundLife | undefined> {
  for (let run = from; run < runs; run += step) {
    const { found } = await tryLife(player, lifeOf(seed, run), progress);
    if (found !== undefined) return { ...found, run };
    if (!(await goOn())) return undefined;
  }
  return undefined;
}

// ---- sweep -----------------------------------------------------------------------------------------------------------

const MOST_FAILURES = 127;

/** The plain life of a sweep: traffic, answers, a pause and a restart, more traffic. Then lives of the seed. */
export function sweepLife(seed: number, index: number): Life {
  if (index > 0) {
    const life = lifeOf(seed, index);
    return { ...life, fails: 0, memory: 0 };
  }
  const event = (kind: LifeEventKind, amount: number, detail = 0): LifeEvent => ({ kind, adapter: 0, amount, detail });
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

export async function searchSweep(
  player: LifePlayer,
  seed: number,
  lives: number,
  progress: SearchProgress,
  goOn: GoOn,
): Promise<FoundLife | undefined> {
  for (let index = 0; index < lives; index++) {
    const life = sweepLife(seed, index);
    for (const persistent of [false, true]) {
      for (let n = 1; n <= MOST_FAILURES; n++) {
        const fails = persistent ? 127 + n : n;
        const { found, opportunities } = await tryLife(player, { ...life, fails }, progress);
        if (found !== undefined) return found;
        if (!(await goOn())) return undefined;
        // The life had fewer than n opportunities: nothing failed in it.
        if (opportunities < n || fails === 255) break;
      }
    }
  }
  return undefined;
}

// ---- systematic ------------------------------------------------------------------------------------------------------

/** What a systematic life is made of: each answer, each failure, each lifecycle event, at every moment. */
const ALPHABET: readonly LifeEvent[] = [
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

/**
 * Every sequence of up to `bound` events of the alphabet, shortest first. A sequence that leaves the machine as an
 * earlier one did is not continued. What cannot be seen of a driver's state does not count: a driver that keeps all of it
 * in private fields may have two states that look alike, and then the cut is too coarse (docs/fuzzing.md).
 */
export async function searchSystematic(
  player: LifePlayer,
  bound: number,
  progress: SearchProgress,
  goOn: GoOn,
  cut = true,
): Promise<FoundLife | undefined> {
  progress.exhausted = false;
  player.exact = true;
  const seen = new Set<string>();
  let level: (readonly LifeEvent[])[] = [[]];
  for (let depth = 1; depth <= bound; depth++) {
    const next: (readonly LifeEvent[])[] = [];
    for (const before of level) {
      for (const event of ALPHABET) {
        const life: Life = { fails: 0, memory: 0, variant: 0, events: [...before, event] };
        const { found, state } = await tryLife(player, life, progress);
        if (found !== undefined) return found;
        if (!(await goOn())) return undefined;
        if (cut && seen.has(state)) continue;
        seen.add(state);
        next.push(life.events);
      }
    }
    level = next;
  }
  progress.exhausted = true;
  return undefined;
}
