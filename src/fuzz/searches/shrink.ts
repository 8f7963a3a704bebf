/**
 * The shortest scenario that still goes wrong in the same way.
 *
 * Events are cut out, halves first, then singly; what is left is made plainer (numbers lowered, failures and scarce memory
 * taken away) as long as the same rule is broken. A scenario of thirty events takes some hundred tries, a tenth of a second.
 */

import type { ScenarioPlayer } from "../player/player.js";
import { allocationFaultByte, allocationFaultOf, MOST_FAULTS } from "../scenario/allocation-fault.js";
import type { Scenario, ScenarioEvent } from "../scenario/scenario.js";
import type { FoundScenario } from "./run.js";

/** Shrink; at most `tries` scenarios are played. */
export async function shrinkScenario(
  player: ScenarioPlayer,
  found: FoundScenario,
  tries = 3000,
): Promise<FoundScenario> {
  let best = found;
  let left = tries;
  const attempt = async (scenario: Scenario): Promise<boolean> => {
    if (left-- <= 0) return false;
    const { finding } = await player.play(scenario);
    if (finding === null || finding.rule !== best.finding.rule || finding.code !== best.finding.code) return false;
    best = { ...best, scenario, finding };
    return true;
  };
  // What came after the finding did not matter; what the end showed needs every event.
  if (best.finding.step < best.scenario.events.length)
    await attempt({ ...best.scenario, events: best.scenario.events.slice(0, best.finding.step + 1) });
  for (let again = true; again && left > 0; ) {
    const before = JSON.stringify(best.scenario);
    await plainerSetup(() => best.scenario, attempt);
    for (let size = best.scenario.events.length; size >= 1; size = size > 1 ? size >> 1 : 0) {
      for (let from = 0; from + size <= best.scenario.events.length; ) {
        const { events } = best.scenario;
        if (!(await attempt({ ...best.scenario, events: [...events.slice(0, from), ...events.slice(from + size)] })))
          from += size;
      }
    }
    for (let index = 0; index < best.scenario.events.length; index++) {
      for (const field of ["adapter", "amount", "detail"] as const) {
        await lower(index, field, () => best.scenario, attempt);
      }
    }
    again = JSON.stringify(best.scenario) !== before;
  }
  return best;
}

async function plainerSetup(
  scenario: () => Scenario,
  attempt: (scenario: Scenario) => Promise<boolean>,
): Promise<void> {
  for (const field of ["fails", "memory", "variant"] as const) {
    if (scenario()[field] !== 0) await attempt({ ...scenario(), [field]: 0 });
  }
  const fault = allocationFaultOf(scenario().fails);
  if (fault?.persistent === true && fault.nth <= MOST_FAULTS)
    await attempt({ ...scenario(), fails: allocationFaultByte({ nth: fault.nth, persistent: false }) });
}

/** The least value that still fails, by halving. */
async function lower(
  index: number,
  field: "adapter" | "amount" | "detail",
  scenario: () => Scenario,
  attempt: (scenario: Scenario) => Promise<boolean>,
): Promise<void> {
  let passes = -1;
  for (;;) {
    const now = (scenario().events[index] as ScenarioEvent)[field];
    if (passes + 1 >= now) return;
    const value = passes < 0 ? 0 : (passes + now) >> 1;
    const events = scenario().events.map((event, at) => (at === index ? { ...event, [field]: value } : event));
    if (!(await attempt({ ...scenario(), events }))) passes = value;
  }
}
