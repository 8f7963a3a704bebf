/**
 * The search that is guided by coverage: a life that showed something new is kept, and changed.
 *
 *     lives that were new ──pick one──► change 1 to 5 things ──play──► new? keep it
 *             ▲                                                          │
 *             └── every fourth life is a fresh one, as `random` draws ◄──┘
 *
 * New is a situation (situations.ts), or a combination of the driver's and the core's counters by their binary logarithms.
 * Lines of the driver are not looked at: counting them through V8 costs more speed than any guidance gives back
 * (docs/fuzzing.md has the figures, of both). The idea is that of AFL and libFuzzer; the unit is an event, not a byte.
 */
import { Prng } from "../machine/index.js";
import { EVENT_KINDS, type Life, type LifeEvent, type LifeEventKind, MEMORIES } from "./life.js";
import type { LifePlayer } from "./life-player.js";
import { type FoundLife, type GoOn, lifeOf, type SearchProgress, tryLife } from "./search.js";

/** Lives that are kept at most; beyond it a new one replaces some other. */
const KEPT = 4096;
/** Lives that are fresh before the first is changed. */
const FIRST = 8;
const MOST_EVENTS = 120;
/** The newest lives, one of which is taken half of the time. */
const NEWEST = 32;

/** `from` and `step` tell the workers of one seed apart, as for `searchRandom`. */
export async function searchGuided(
  player: LifePlayer,
  seed: number,
  runs: number,
  progress: SearchProgress,
  goOn: GoOn,
  from = 0,
  step = 1,
): Promise<FoundLife | undefined> {
  const kept: Life[] = [];
  const counters = new Set<string>();
  const draw = new Prng(seed, 7 + from);
  for (let run = from; run < runs; run += step) {
    const life = kept.length < FIRST || draw.below(4) === 0 ? lifeOf(seed, run) : changed(draw, kept);
    const before = player.situations.count;
    const { found } = await tryLife(player, life, progress);
    if (found !== undefined) return { ...found, run };
    const combination = player.counters();
    if (player.situations.count > before || !counters.has(combination)) {
      counters.add(combination);
      if (kept.length < KEPT) kept.push(life);
      else kept[draw.below(KEPT)] = life;
    }
    if (!(await goOn())) return undefined;
  }
  return undefined;
}

function pick(draw: Prng, kept: readonly Life[]): Life {
  const from = draw.below(2) === 0 ? Math.max(0, kept.length - NEWEST) : 0;
  return kept[from + draw.below(kept.length - from)] as Life;
}

function anyEvent(draw: Prng): LifeEvent {
  const kind = EVENT_KINDS[draw.below(EVENT_KINDS.length)] as LifeEventKind;
  return { kind, adapter: draw.below(2), amount: draw.below(8), detail: draw.below(256) };
}

/** A kept life with one to five changes. */
function changed(draw: Prng, kept: readonly Life[]): Life {
  const base = pick(draw, kept);
  let events = [...base.events];
  let { fails, memory, variant } = base;
  for (let left = 1 + draw.below(5); left > 0; left--) {
    const at = draw.below(events.length + 1);
    const here = events[at];
    switch (draw.below(9)) {
      case 0:
      case 1:
        events.splice(at, 0, anyEvent(draw));
        break;
      case 2:
        events.splice(at, 1 + draw.below(3));
        break;
      case 3:
        if (here !== undefined) events[at] = { ...here, amount: draw.below(256) };
        break;
      case 4:
        events.splice(at, 0, ...events.slice(at, at + 1 + draw.below(6)));
        break;
      case 5: {
        const other = pick(draw, kept).events;
        events = [...events.slice(0, at), ...other.slice(draw.below(other.length + 1))];
        break;
      }
      case 6:
        fails = draw.below(2) === 0 ? 0 : draw.below(3) === 0 ? 128 + draw.below(24) : 1 + draw.below(40);
        break;
      case 7:
        memory = draw.below(2) === 0 ? 0 : draw.below(MEMORIES.length);
        break;
      default:
        variant = draw.below(256);
    }
  }
  return { fails, memory, variant, events: events.slice(0, MOST_EVENTS) };
}
