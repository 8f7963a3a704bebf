/**
 * The host's bytes behind the zones: for filling and checking blocks, and for devices. Looked up at each use, because a
 * host may grow its memory, which replaces the buffer under every view.
 */

import { hex } from "../../addresses.js";
import type { Arena } from "../../core/api.js";
import { ArenaBytes } from "../../core/arena.js";
import { ShmemError } from "../../errors.js";
import type { Zones } from "./zones.js";

export class ZoneBytes {
  readonly #arena: ArenaBytes | null;
  readonly zones: Zones;
  readonly #neededBytes: number;

  constructor(arena: Arena | null, zones: Zones) {
    this.#neededBytes = Math.max(...zones.all.map((zone) => zone.arenaOffset + zone.size));
    this.#arena = arena === null ? null : new ArenaBytes(arena, this.#neededBytes);
    this.zones = zones;
  }

  /** False in an address-only machine: then nothing is filled and nothing can be checked. */
  get present(): boolean {
    return this.#arena !== null;
  }

  /** False where the host has taken the bytes away: nothing can be looked at any more. */
  get reachable(): boolean {
    return this.#arena !== null && this.#arena.left().length >= this.#neededBytes;
  }

  /** Before something is changed that ends in a write: `STALE_VIEW` where the host has taken the bytes away. */
  assertReachable(): void {
    this.#arena?.whole();
  }

  /**
   * The bytes of a physical stretch inside one zone. `TRANSLATION_FAULT` outside the zones, `NO_ARENA` without bytes,
   * `STALE_VIEW` where the host has taken them away.
   */
  at(physical: number, lengthBytes: number): Uint8Array {
    const start = this.offsetOf(physical);
    return this.whole().subarray(start, start + lengthBytes);
  }

  /** Where a physical byte lies among all bytes. `TRANSLATION_FAULT` outside the zones. */
  offsetOf(physical: number): number {
    const zone = this.zones.ofPhysical(physical);
    if (zone !== undefined) return zone.arenaOffset + (physical - zone.base);
    throw new ShmemError(
      "TRANSLATION_FAULT",
      `${hex(physical)} lies in no zone: there are no bytes of this machine there`,
      {
        value: physical,
        unit: "address",
      },
    );
  }

  /** Fill a physical stretch inside one zone, without making a view of it. Refuses as `at` does. */
  fill(physical: number, lengthBytes: number, value: number): void {
    const start = this.offsetOf(physical);
    this.whole().fill(value, start, start + lengthBytes);
  }

  /** All bytes. `NO_ARENA` without any, `STALE_VIEW` where the host has taken them away. */
  whole(): Uint8Array {
    if (this.#arena === null) throw new ShmemError("NO_ARENA", "the machine is address-only: there are no bytes", {});
    return this.#arena.whole();
  }
}
