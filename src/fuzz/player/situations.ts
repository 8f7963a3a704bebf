/**
 * Situations: what has happened to a driver, and in which state of its adapter. The coverage of a search.
 *
 *     kind of event  x  lifecycle state  x  requests pending?  x  completions undelivered?  x  frames with the upper layer?
 *          19                 8                   2                        2                            2
 *
 * A scenario that pauses an adapter with a completion on its way is another situation than one that pauses it at rest. Most of
 * the 1,216 cannot be reached by any driver (a halted adapter has nothing pending), so the number that was reached says how
 * far a search has come only beside the one of a moment ago. Lines of the driver would say more, but counting them through
 * V8 costs between half and five sixths of the speed (docs/fuzzing.md).
 */
import type { AdapterRecord } from "../../../bindings/index.js";
import { EVENT_KINDS, type ScenarioEventKind } from "../scenario/scenario.js";

const STATES = 8;
const NUMBER_OF: Readonly<Record<ScenarioEventKind, number>> = Object.fromEntries(
  EVENT_KINDS.map((kind, index) => [kind, index]),
) as Record<ScenarioEventKind, number>;

export class Situations {
  readonly #reached: Uint8Array = new Uint8Array(EVENT_KINDS.length * STATES * 8);
  /** Different ones so far. */
  count = 0;

  /** An event is about to happen to an adapter. */
  note(kind: ScenarioEventKind, adapter: AdapterRecord, undelivered: number, framesOut: number): void {
    const place = NUMBER_OF[kind] * STATES + adapter.state;
    const index = place * 8 + (adapter.pending > 0 ? 4 : 0) + (undelivered > 0 ? 2 : 0) + (framesOut > 0 ? 1 : 0);
    if (this.#reached[index] === 1) return;
    this.#reached[index] = 1;
    this.count++;
  }

  /** One bit for each situation, set where it was reached. The union of two workers is the or of their bytes. */
  toBits(): Uint8Array {
    const bits = new Uint8Array(this.#reached.length >> 3);
    for (const [index, reached] of this.#reached.entries())
      bits[index >> 3] = (bits[index >> 3] as number) | (reached << (index & 7));
    return bits;
  }
}
