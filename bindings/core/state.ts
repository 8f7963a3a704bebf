/**
 * What one open core consists of, and where an address lies in it.
 *
 *     virtual   window ┐                      ┌ first + offset / frameSize ─► frame number
 *                      ├─ offset in the zone ─┤
 *     physical  base   ┘                      └ arenaOffset + offset ───────► byte of the arena
 *
 * The files beside this one are functions over it; `Core` is the class that users hold.
 */
import type { VirtualAddress } from "../addresses.js";
import { Layout as L } from "../generated/layout.js";
import { type ArenaBytes, arenaFor } from "./arena.js";
import { openWasm } from "./open.js";
import type { CorePlan, ZonePlan } from "./options.js";
import { CoreViews } from "./views.js";
import { type AuditExports, type CoreExports, type CoreModule, instantiateAudit, MAX_PAGES } from "./wasm.js";

/** A zone with its frame numbers. */
export interface ZoneInfo extends ZonePlan {
  readonly first: number;
  readonly count: number;
  /** Index of its first frame among all frames, zones in declared order. */
  readonly dense: number;
  /**
   * Where the tags are, on a core that keeps them: `views.u32[tagWords + frame]`. It may be negative, because the arrays of
   * a zone are addressed by frame number and frame numbers do not begin at 0.
   */
  readonly tagWords: number;
}

/** A place in a zone. There is one for each core, good until the next one is asked for: translation makes no garbage. */
export interface Place {
  zone: ZoneInfo;
  /** Bytes from the start of the zone. */
  offset: number;
  frame: number;
}

/** One open core. */
export class CoreState {
  readonly plan: CorePlan;
  readonly frameSize: number;
  /** 1 / frameSize: exact, because a frame is a power of two. */
  readonly inverse: number;
  readonly zones: readonly ZoneInfo[];
  /** The zone whose blocks are cached: the one with the highest base, where requests without constraints go first. */
  readonly cachedZone: ZoneInfo;
  readonly wasm: CoreExports;
  readonly views: CoreViews;
  readonly arena: ArenaBytes | null;
  readonly #place = {} as Place;
  #audit: AuditExports | undefined;

  constructor(plan: CorePlan, module: CoreModule, maximumPages: number = MAX_PAGES) {
    this.plan = plan;
    this.frameSize = plan.frameSize;
    this.inverse = 1 / plan.frameSize;
    this.arena = arenaFor(plan);
    this.wasm = openWasm(plan, module, maximumPages);
    this.views = new CoreViews(this.wasm.memory);
    let dense = 0;
    this.zones = plan.zones.map((zone, i) => {
      const record = L.ZONES + i * L.ZONE_SIZE;
      const first = this.views.word(record + L.Z_FIRST);
      const count = this.views.word(record + L.Z_COUNT);
      const tagWords = (this.views.word(record + L.Z_TAGS) | 0) / 4;
      const info = { ...zone, first, count, dense, tagWords };
      dense += count;
      return info;
    });
    this.cachedZone = this.zones.reduce((highest, zone) => (zone.base > highest.base ? zone : highest));
  }

  /** The auditor over this core's memory, made at the first question. */
  get audit(): AuditExports {
    this.#audit ??= instantiateAudit(this.wasm.memory);
    return this.#audit;
  }

  /** Where a virtual address lies in a window, if it lies in one. */
  placeOf(address: number): Place | undefined {
    for (const zone of this.zones) {
      const offset = address - zone.window;
      if (offset >= 0 && offset < zone.size) return this.#placed(zone, offset);
    }
    return undefined;
  }

  /** Where a physical address lies in a zone, if it lies in one. */
  placeOfPhysical(physical: number): Place | undefined {
    for (const zone of this.zones) {
      const offset = physical - zone.base;
      if (offset >= 0 && offset < zone.size) return this.#placed(zone, offset);
    }
    return undefined;
  }

  #placed(zone: ZoneInfo, offset: number): Place {
    const place = this.#place;
    place.zone = zone;
    place.offset = offset;
    place.frame = zone.first + Math.floor(offset * this.inverse);
    return place;
  }

  /** The frame number of an address that starts a frame of a window; 0 for any other value whatever. */
  frameAt(address: number): number {
    if (typeof address !== "number") return 0;
    for (const zone of this.zones) {
      const offset = address - zone.window;
      if (offset >= 0 && offset < zone.size) {
        const ahead = offset * this.inverse;
        return Number.isInteger(ahead) ? zone.first + ahead : 0;
      }
    }
    return 0;
  }

  /** The zone of a frame number, if it is one of this core's. */
  zoneOf(frame: number): ZoneInfo | undefined {
    return this.zones.find(({ first, count }) => frame >= first && frame < first + count);
  }

  /** The zone of a frame number that the core gave. A number that is no frame of this core can only come from damage. */
  zoneHolding(frame: number): ZoneInfo {
    const cached = this.cachedZone;
    if (frame - cached.first >= 0 && frame - cached.first < cached.count) return cached;
    const zone = this.zoneOf(frame);
    if (zone === undefined) throw new RangeError(`frame ${frame} is in no zone`);
    return zone;
  }

  /** The virtual address of a frame. */
  windowOf(frame: number): VirtualAddress {
    const zone = this.zoneHolding(frame);
    return (zone.window + (frame - zone.first) * this.frameSize) as VirtualAddress;
  }

  /** Bytes from the start of the zone to the end of the block that `holder` has just found. */
  foundEnd(zone: ZoneInfo): number {
    const { views } = this;
    return (views.word(L.H_FOUND_HEAD) + views.word(L.H_FOUND_FRAMES) - zone.first) * this.frameSize;
  }

  /** The record of the scattered block that starts at an address; 0 if none does. */
  scatteredAt(address: number): number {
    const record = this.wasm.mappingAt(address) >>> 0;
    const starts =
      record !== 0 &&
      this.views.word(record + L.M_KIND) === L.KIND_SCATTERED &&
      this.views.float(record + L.M_OWNER) === address;
    return starts ? record : 0;
  }
}
