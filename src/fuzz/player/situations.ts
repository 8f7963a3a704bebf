/**
 * Situations: what has happened to a driver, and in which state of its adapter. The coverage of a search.
 *
 *     kind of event  x  lifecycle state  x  requests pending?  x  completions undelivered?  x  frames with the upper layer?
 *          19                 8                   2                        2                            2
 *
 * A scenario that pauses an adapter with a completion under way is another situation than one that pauses it at rest. Most
 * of the 1,216 cannot be reached by any driver (a halted adapter has nothing pending), so a number says how far a search has
 * come only beside the one of a moment ago. Lines of the driver would say more, but counting them through V8 costs between
 * half and five sixths of the speed (docs/fuzzing.md).
 *
 * Each situation is one bit of a fixed place, so that the situations of several searches are merged by `or`.
 */
import type { AdapterRecord } from "../../../bindings/index.js";
import { EVENT_KINDS, type ScenarioEventKind } from "../scenario/scenario.js";

const STATES = 8;
const NUMBER_OF: Readonly<Record<ScenarioEventKind, number>> = Object.fromEntries(
  EVENT_KINDS.map((kind, index) => [kind, index]),
) as Record<ScenarioEventKind, number>;

/** Bytes of a set of situations, one bit each. */
export const SITUATION_BYTES: number = EVENT_KINDS.length * STATES;

/** A set of situations. */
export class Situations {
  /** The set: `SITUATION_BYTES` bytes, bit `index % 8` of byte `index / 8`. */
  readonly bits: Uint8Array = new Uint8Array(SITUATION_BYTES);
  /** Different ones so far. */
  count = 0;

  /** An event is about to happen to an adapter. */
  note(kind: ScenarioEventKind, adapter: AdapterRecord, undelivered: number, framesOut: number): void {
    const place = NUMBER_OF[kind] * STATES + adapter.state;
    const bit = 1 << ((adapter.pending > 0 ? 4 : 0) + (undelivered > 0 ? 2 : 0) + (framesOut > 0 ? 1 : 0));
    const before = this.bits[place] as number;
    if ((before & bit) !== 0) return;
    this.bits[place] = before | bit;
    this.count++;
  }

  /** A copy of `bits`. The union of two searches is the or of their bytes. */
  toBits(): Uint8Array {
    return this.bits.slice();
  }

  /** Take over the situations of another set. `bits`: `SITUATION_BYTES` bytes. */
  merge(bits: Uint8Array): void {
    for (let at = 0; at < SITUATION_BYTES; at++) this.bits[at] = (this.bits[at] as number) | (bits[at] ?? 0);
    this.count = this.bits.reduce((sum, byte) => sum + bitsIn(byte), 0);
  }
}

function bitsIn(byte: number): number {
  let count = 0;
  for (let rest = byte; rest > 0; rest &= rest - 1) count++;
  return count;
}
