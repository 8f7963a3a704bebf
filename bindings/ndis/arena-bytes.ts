/**
 * The host's bytes behind the zones: for filling and checking blocks, and for devices. Looked up at each use, because a host may grow its
 * memory, which replaces the buffer under every view.
 */

import { hex } from "../addresses.js";
import type { Arena } from "../core/api.js";
import type { ZonePlan } from "../core/options.js";
import { ShmemError } from "../errors.js";

export class ZoneBytes {
  readonly #arena: Arena | null;
  readonly #zones: readonly ZonePlan[];
  #view: Uint8Array | null = null;

  constructor(arena: Arena | null, zones: readonly ZonePlan[]) {
    this.#arena = arena;
    this.#zones = zones;
  }

  /** False in an address-only machine: then nothing is filled and nothing can be checked. */
  get present(): boolean {
    return this.#arena !== null;
  }

  /** The bytes of a physical stretch inside one zone. `TRANSLATION_FAULT` outside the zones, `NO_ARENA` without bytes. */
  at(physical: number, lengthBytes: number): Uint8Array {
    for (const zone of this.#zones) {
      if (physical >= zone.base && physical < zone.base + zone.size) {
        const start = zone.arenaOffset + (physical - zone.base);
        return this.#bytes().subarray(start, start + lengthBytes);
      }
    }
    throw new ShmemError(
      "TRANSLATION_FAULT",
      `${hex(physical)} lies in no zone: there are no bytes of this machine there`,
      {
        value: physical,
        unit: "address",
      },
    );
  }

  /** Fill a physical stretch inside one zone, without making a view of it. */
  fill(physical: number, lengthBytes: number, value: number): void {
    for (const zone of this.#zones) {
      if (physical >= zone.base && physical < zone.base + zone.size) {
        const start = zone.arenaOffset + (physical - zone.base);
        this.#bytes().fill(value, start, start + lengthBytes);
        return;
      }
    }
  }

  #bytes(): Uint8Array {
    const arena = this.#arena;
    if (arena instanceof Uint8Array) return arena;
    const buffer = bufferOf(arena);
    if (this.#view === null || this.#view.buffer !== buffer) this.#view = new Uint8Array(buffer);
    return this.#view;
  }
}

function bufferOf(arena: Arena | null): ArrayBuffer | SharedArrayBuffer {
  if (arena === null) throw new ShmemError("NO_ARENA", "the machine is address-only: there are no bytes", {});
  if (arena instanceof ArrayBuffer) return arena;
  if (typeof SharedArrayBuffer !== "undefined" && arena instanceof SharedArrayBuffer) return arena;
  return (arena as { readonly buffer: ArrayBuffer | SharedArrayBuffer }).buffer;
}
