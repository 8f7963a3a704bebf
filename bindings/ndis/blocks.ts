/**
 * Blocks as NDIS sees them: from what the core hands out to what a driver is given, and back.
 *
 * A contiguous block lies at the same offset in its zone and in the zone's virtual window, so the physical address of a
 * virtual one is an addition: that lets the free compare PhysicalAddress without a call of its own. What is live, and
 * how long it is, only the core knows.
 *
 * Contents (choice C15) are written here, over whole frames, when a block is handed out and an arena exists.
 */
import type { Arena } from "../core/api.js";
import type { ZonePlan } from "../core/options.js";
import type { AdapterRecord } from "./adapter.js";
import type { NdisEnvironment } from "./environment.js";
import { callSite } from "./environment.js";
import { adapterOfTag, TAG_PROVIDER } from "./tag.js";
import type { BlockExplanation } from "./violations.js";

/** The pattern of fresh blocks (choice C15). */
export const FRESH_PATTERN = 0xcd;

/** One live block, as reports name it. */
export interface LiveBlock {
  readonly virtual: number;
  readonly lengthBytes: number;
  readonly explain: BlockExplanation;
}

export class Blocks {
  readonly #environment: NdisEnvironment;
  readonly #arena: Arena | null;
  readonly #zones: readonly ZonePlan[];
  #zone: ZonePlan;
  #view: Uint8Array | null = null;
  #random: number;

  constructor(environment: NdisEnvironment, arena: Arena | null, seed: number) {
    this.#environment = environment;
    this.#arena = arena;
    this.#zones = environment.zones;
    const first = environment.zones[0];
    if (first === undefined) throw new RangeError("a machine needs a zone");
    this.#zone = first;
    this.#random = seed >>> 0;
  }

  /** True where `physical` is where the byte at `virtual` lies, both being in one zone of contiguous blocks. */
  matches(virtual: number, physical: number): boolean {
    const zone = this.#zone;
    if (physical >= zone.base && physical < zone.base + zone.size) {
      return virtual - physical === zone.window - zone.base;
    }
    for (const other of this.#zones) {
      if (physical >= other.base && physical < other.base + other.size) {
        this.#zone = other;
        return virtual - physical === other.window - other.base;
      }
    }
    return false;
  }

  /** Where the byte at `virtual` of a contiguous block lies; 0 outside the windows. */
  physicalOf(virtual: number): number {
    for (const zone of this.#zones) {
      if (virtual >= zone.window && virtual < zone.window + zone.size) return virtual - zone.window + zone.base;
    }
    return 0;
  }

  /** The start that the driver was given for a block that starts at `coreStart` in the core. */
  givenStart(coreStart: number): number {
    return coreStart;
  }

  /** A sentence where the block is in a state that the core does not know (served and not delivered, for one). */
  specialStateOf(address: number): string | null {
    return this.#environment.dispatcher.isUndelivered(address)
      ? "Its completion has not been delivered yet: the driver has not received it."
      : null;
  }

  /** False for a block that the core holds and no device may touch any more. */
  deviceMayReach(_virtual: number): boolean {
    return true;
  }

  /** A block goes to an adapter: counters, contents, history. */
  granted(adapter: AdapterRecord, virtual: number, physical: number, lengthBytes: number, call: string): void {
    if (this.#arena !== null && this.#environment.choices.contents !== "untouched") this.#fill(physical, lengthBytes);
    this.counted(adapter, virtual, lengthBytes, call);
  }

  /** Contents of a stretch (choice C15), where an arena exists. */
  fillRun(physical: number, lengthBytes: number): void {
    if (this.#arena !== null && this.#environment.choices.contents !== "untouched") this.#fill(physical, lengthBytes);
  }

  /** Counters and history of a block that an adapter gets. */
  counted(adapter: AdapterRecord, virtual: number, lengthBytes: number, call: string): void {
    const environment = this.#environment;
    adapter.liveBlocks++;
    adapter.liveBytes += lengthBytes;
    if (environment.choices.mapRegisters !== null) adapter.mappedPages += pages(lengthBytes);
    if (environment.history !== null) {
      environment.history.allocated(virtual, lengthBytes, adapter.number, this.#where(call));
    }
  }

  /** A block left an adapter. */
  released(adapter: AdapterRecord, virtual: number, lengthBytes: number, call: string): void {
    const environment = this.#environment;
    adapter.liveBlocks--;
    adapter.liveBytes -= lengthBytes;
    if (environment.choices.mapRegisters !== null) adapter.mappedPages -= pages(lengthBytes);
    if (environment.history !== null) environment.history.freed(virtual, this.#where(call));
  }

  /** NDIS itself gives a block back: at halt, shutdown, or a forced release. */
  reclaim(adapter: AdapterRecord, virtual: number, lengthBytes: number, logical: number): void {
    const environment = this.#environment;
    environment.core.free(virtual as never);
    if (environment.iommu !== null && logical !== 0) environment.iommu.unmap(logical);
    this.released(adapter, virtual, lengthBytes, "reclaim");
    if (environment.log !== null) environment.note(adapter, `reclaim 0x${virtual.toString(16)} ${lengthBytes}`);
  }

  /** The live blocks of an adapter, by walking the core: slow, for reports. Ends early once all are found. */
  liveBlocksOf(adapter: AdapterRecord): LiveBlock[] {
    const { core } = this.#environment;
    const found: LiveBlock[] = [];
    const wanted = adapter.liveBlocks;
    for (const one of adapter.allocations) {
      if (one.virtual !== 0) {
        found.push({ virtual: one.virtual, lengthBytes: one.lengthBytes, explain: this.#explain(one.virtual) });
      }
    }
    for (const zone of this.#zones) {
      let address = zone.window;
      const end = zone.window + zone.size;
      while (address < end && found.length < wanted) {
        const known = core.explain(address as never);
        const block = known.state === "live" ? known.block : undefined;
        if (block === undefined) {
          address += core.frameSize;
          continue;
        }
        const tag = block.tag ?? 0;
        if (adapterOfTag(tag) === adapter.number && (tag & TAG_PROVIDER) === 0) {
          found.push({ virtual: block.virtual, lengthBytes: block.lengthBytes, explain: this.#explain(block.virtual) });
        }
        address = block.virtual + Math.ceil(block.lengthBytes / core.frameSize) * core.frameSize;
      }
    }
    return found;
  }

  #explain(address: number): BlockExplanation {
    return this.#environment.explain(address);
  }

  #where(call: string): { step: number; call: string; site?: string } {
    const { step, sites } = this.#environment;
    return sites ? { step, call, site: callSite() } : { step, call };
  }

  /** The whole frames of a block, so that the slack is defined too (misuse C07). */
  #fill(physical: number, lengthBytes: number): void {
    const { core, choices } = this.#environment;
    const bytes = this.#bytes();
    const zone = this.#zoneOf(physical);
    const start = zone.arenaOffset + (physical - zone.base);
    const end = start + Math.ceil(lengthBytes / core.frameSize) * core.frameSize;
    if (choices.contents === "random") {
      let state = this.#random;
      for (let at = start; at < end; at++) {
        // xorshift32: cheap, and only meant to differ from byte to byte.
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        bytes[at] = state;
      }
      this.#random = state === 0 ? 1 : state >>> 0;
      return;
    }
    bytes.fill(choices.contents === "zero" ? 0 : FRESH_PATTERN, start, end);
  }

  #zoneOf(physical: number): ZonePlan {
    for (const zone of this.#zones) {
      if (physical >= zone.base && physical < zone.base + zone.size) return zone;
    }
    return this.#zone;
  }

  /** The arena's bytes now: a host may have grown its memory, which replaces the buffer. */
  #bytes(): Uint8Array {
    const arena = this.#arena;
    if (arena instanceof Uint8Array) return arena;
    const buffer = bufferOf(arena);
    if (this.#view === null || this.#view.buffer !== buffer) this.#view = new Uint8Array(buffer);
    return this.#view;
  }
}

function bufferOf(arena: Arena | null): ArrayBuffer | SharedArrayBuffer {
  if (arena === null) throw new TypeError("an address-only machine has no bytes");
  if (arena instanceof ArrayBuffer) return arena;
  if (typeof SharedArrayBuffer !== "undefined" && arena instanceof SharedArrayBuffer) return arena;
  return (arena as { readonly buffer: ArrayBuffer | SharedArrayBuffer }).buffer;
}

/** BYTES_TO_PAGES. */
export function pages(lengthBytes: number): number {
  return Math.ceil(lengthBytes / 4096);
}
