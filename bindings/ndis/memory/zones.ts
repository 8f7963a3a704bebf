/**
 * Zones: in which one a physical address lies. Contents, explanations and the check of PhysicalAddress ask here.
 *
 * A contiguous block lies at the same offset in its zone and in the zone's virtual window, and the host's bytes of a zone
 * are one stretch: what is at a physical address follows from its zone by an addition.
 */
import type { ZonePlan } from "../../core/options.js";

export class Zones {
  readonly all: readonly ZonePlan[];
  /** The zone that was asked for last: the next question is mostly about the same. */
  #last: ZonePlan;

  /** `all`: at least one zone; they do not overlap. */
  constructor(all: readonly ZonePlan[]) {
    const first = all[0];
    if (first === undefined) throw new RangeError("a machine needs a zone");
    this.all = all;
    this.#last = first;
  }

  /** The physical address of a byte of a contiguous block, which lies in a window. */
  physicalOf(virtual: number): number {
    let zone = this.#last;
    if (virtual < zone.window || virtual >= zone.window + zone.size) {
      zone = this.all.find((one) => virtual >= one.window && virtual < one.window + one.size) ?? zone;
      this.#last = zone;
    }
    return virtual - zone.window + zone.base;
  }

  /** True where `physical` is where the byte at `virtual` lies, both being in one zone of contiguous blocks. */
  isPhysicalOf(virtual: number, physical: number): boolean {
    const last = this.#last;
    const ahead = physical - last.base;
    if (ahead >= 0 && ahead < last.size) return virtual - last.window === ahead;
    const zone = this.ofPhysical(physical);
    return zone !== undefined && virtual - zone.window === physical - zone.base;
  }

  /** The zone that holds a physical address; undefined outside all zones. */
  ofPhysical(physical: number): ZonePlan | undefined {
    const last = this.#last;
    if (physical >= last.base && physical < last.base + last.size) return last;
    for (const zone of this.all) {
      if (physical < zone.base || physical >= zone.base + zone.size) continue;
      this.#last = zone;
      return zone;
    }
    return undefined;
  }
}
