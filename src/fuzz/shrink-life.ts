/**
 * The shortest life that still goes wrong in the same way.
 *
 * Events are cut out, halves first, then singly; what is left is made plainer (numbers lowered, failures and scarce memory
 * taken away) as long as the same rule is broken. A life of thirty events takes some hundred tries, a tenth of a second.
 */

import type { Life, LifeEvent } from "./life.js";
import type { LifePlayer } from "./life-player.js";
import type { FoundLife } from "./search.js";

/** Shrink; at most `tries` lives are played. */
export async function shrinkLife(player: LifePlayer, found: FoundLife, tries = 3000): Promise<FoundLife> {
  let best = found;
  let left = tries;
  const attempt = async (life: Life): Promise<boolean> => {
    if (left-- <= 0) return false;
    const { finding } = await player.play(life);
    if (finding === null || finding.rule !== best.finding.rule || finding.code !== best.finding.code) return false;
    best = { ...best, life, finding };
    return true;
  };
  // What came after the finding did not matter; what the end showed needs every event.
  if (best.finding.step < best.life.events.length)
    await attempt({ ...best.life, events: best.life.events.slice(0, best.finding.step + 1) });
  for (let again = true; again && left > 0; ) {
    const before = JSON.stringify(best.life);
    await plainerSetup(() => best.life, attempt);
    for (let size = best.life.events.length; size >= 1; size = size > 1 ? size >> 1 : 0) {
      for (let from = 0; from + size <= best.life.events.length; ) {
        const { events } = best.life;
        if (!(await attempt({ ...best.life, events: [...events.slice(0, from), ...events.slice(from + size)] })))
          from += size;
      }
    }
    for (let index = 0; index < best.life.events.length; index++) {
      for (const field of ["adapter", "amount", "detail"] as const) {
        await lower(index, field, () => best.life, attempt);
      }
    }
    again = JSON.stringify(best.life) !== before;
  }
  return best;
}

async function plainerSetup(life: () => Life, attempt: (life: Life) => Promise<boolean>): Promise<void> {
  for (const field of ["fails", "memory", "variant"] as const) {
    if (life()[field] !== 0) await attempt({ ...life(), [field]: 0 });
  }
  const { fails } = life();
  if (fails >= 128) await attempt({ ...life(), fails: fails - 127 });
}

/** The least value that still fails, by halving. */
async function lower(
  index: number,
  field: "adapter" | "amount" | "detail",
  life: () => Life,
  attempt: (life: Life) => Promise<boolean>,
): Promise<void> {
  let passes = -1;
  for (;;) {
    const now = (life().events[index] as LifeEvent)[field];
    if (passes + 1 >= now) return;
    const value = passes < 0 ? 0 : (passes + now) >> 1;
    const events = life().events.map((event, at) => (at === index ? { ...event, [field]: value } : event));
    if (!(await attempt({ ...life(), events }))) passes = value;
  }
}
