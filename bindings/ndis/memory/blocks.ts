/**
 * Blocks as NDIS sees them: from what the core hands out to what a driver is given, and back.
 *
 * A contiguous block lies at the same offset in its zone and in the zone's virtual window, so the physical address of a
 * virtual one is an addition: that lets the free compare PhysicalAddress without a call of its own. What is live, and
 * how long it is, only the core knows.
 *
 * Two things stand between driver and core where they are asked for, and `plain` is false then: guard mode lays a block
 * out inside a larger core block (see guard.ts), and a freed block may be withheld, not yet given to the core: in
 * quarantine, damaged for ever, or until the next PASSIVE turn (choice C26).
 */
import { hex, type VirtualAddress } from "../../addresses.js";
import type { CoreApi } from "../../core/api.js";
import type { NdisChoices } from "../choices/choices.js";
import type { AdapterRecord } from "../records/adapter.js";
import type { BlockHistory } from "../records/history.js";
import type { LogicalMap, Scheduler } from "../records/host.js";
import type { BlockExplanation, LiveBlock, Reporter, Violation } from "../records/reporter.js";
import type { RequestRing } from "../records/requests.js";
import { adapterOfTag, TAG_PROVIDER } from "../records/tag.js";
import { callSite } from "../verifier/reporter.js";
import type { ZoneBytes } from "./arena-bytes.js";
import { damageFinding, Guard, type GuardOptions } from "./guard.js";
import { type GuardReport, Quarantine } from "./quarantine.js";
import type { Zones } from "./zones.js";

/** The pattern of fresh blocks (choice C15). */
const FRESH_PATTERN = 0xcd;

/** What the blocks of a machine need of it. */
export interface BlocksParts {
  readonly core: CoreApi;
  readonly choices: NdisChoices;
  readonly reporter: Reporter;
  readonly scheduler: Scheduler;
  readonly iommu: LogicalMap | null;
  readonly history: BlockHistory | null;
  /** Served requests whose completion has not been delivered. */
  readonly ring: RequestRing;
  /** Keep the caller's stack with each block. */
  readonly sites: boolean;
  explain(address: number): BlockExplanation;
}

/** What is at a virtual address, for a free that has to be explained. */
export interface BlockInfo {
  /** `block`: the start of a live block. `freed`, `free`, `foreign` as the core says, with what is withheld counted as freed. */
  readonly state: "block" | "interior" | "freed" | "free" | "foreign";
  /** Start, as the driver knows it, of the block that holds the address. */
  readonly driverAddress: number;
  readonly lengthBytes: number;
  readonly tag: number;
  /** Its first byte. */
  readonly physical: number;
  readonly coreStart: number;
}

export class Blocks {
  /** Nothing stands between driver and core: a free may go straight down. */
  readonly plain: boolean;
  /** `plain`, and a block that is handed out needs no filling, no history and no count of pages either. */
  readonly bare: boolean;
  readonly guard: Guard | null;
  readonly quarantine: Quarantine;
  readonly bytes: ZoneBytes;
  readonly #parts: BlocksParts;
  readonly zones: Zones;
  readonly #fills: boolean;
  #random: number;

  constructor(parts: BlocksParts, bytes: ZoneBytes, seed: number, guard: GuardOptions | null) {
    this.#parts = parts;
    this.zones = bytes.zones;
    this.#random = seed >>> 0 || 1;
    this.bytes = bytes;
    const { choices, core, history } = parts;
    this.#fills = bytes.present && choices.contents !== "untouched";
    this.guard =
      guard === null ? null : new Guard(guard, core.frameSize, choices.guardTail === "checked", this.bytes, seed);
    this.quarantine = new Quarantine(parts, this.guard);
    this.plain = guard === null && parts.iommu === null && choices.freedFrames === "atOnce";
    this.bare = this.plain && !this.#fills && history === null && choices.mapRegisters === null;
  }

  /** Where a physical byte of a zone appears, mapped or not; 0 outside the zones. For explanations. */
  virtualOf(physical: number): number {
    const zone = this.zones.ofPhysical(physical);
    return zone === undefined ? 0 : physical - zone.base + zone.window;
  }

  /** What is at an address. */
  lookup(virtual: number): BlockInfo {
    const { core, history } = this.#parts;
    const known = core.explain(virtual as VirtualAddress);
    const nothing = { driverAddress: 0, lengthBytes: 0, tag: 0, physical: 0, coreStart: 0 };
    const wasBlock = history?.of(virtual)?.freedAt !== null && history?.of(virtual)?.freedAt !== undefined;
    if (known.state === "foreign" || known.state === "unmapped") return { ...nothing, state: "foreign" };
    if (known.state !== "live") return { ...nothing, state: known.state === "freed" || wasBlock ? "freed" : "free" };
    const coreStart = known.block?.virtual ?? 0;
    if (this.quarantine.at(coreStart) !== undefined)
      return { ...nothing, state: this.#isWithheldStart(coreStart, virtual) ? "freed" : "free" };
    const guarded = this.guard?.findByCore(coreStart);
    const driverAddress = guarded?.driverAddress ?? coreStart;
    const lengthBytes = guarded?.lengthBytes ?? known.block?.lengthBytes ?? 0;
    if (guarded !== undefined && (virtual < driverAddress || virtual >= driverAddress + lengthBytes))
      return { ...nothing, state: "free" };
    const physical = core.physicalOf(driverAddress as VirtualAddress);
    const state = virtual === driverAddress ? "block" : "interior";
    return { state, driverAddress, lengthBytes, tag: known.block?.tag ?? 0, physical, coreStart };
  }

  #isWithheldStart(coreStart: number, virtual: number): boolean {
    return this.quarantine.at(coreStart)?.driverAddress === virtual;
  }

  /** The start that the driver was given for a block that starts at `coreStart` in the core. */
  driverStart(coreStart: number): number {
    return (
      this.guard?.findByCore(coreStart)?.driverAddress ?? this.quarantine.at(coreStart)?.driverAddress ?? coreStart
    );
  }

  /** A sentence where the block is in a state that the core does not know. */
  specialStateOf(address: number): string | null {
    if (this.#parts.ring.isUndelivered(address)) {
      return "Its completion has not been delivered yet: the driver has not received it.";
    }
    if (this.plain) return null;
    const coreStart = this.#parts.core.explain(address as VirtualAddress).block?.virtual ?? 0;
    const withheld = this.quarantine.at(coreStart);
    if (withheld !== undefined) {
      const why = {
        deferred: "its frames return at the next PASSIVE turn",
        quarantine: "it is in quarantine",
        damaged: "it is damaged and withheld",
      };
      return `The block of ${withheld.lengthBytes} bytes at ${hex(withheld.driverAddress)} of ${withheld.adapter.name} was freed: ${why[withheld.why]}.`;
    }
    const guarded = this.guard?.findByCore(coreStart);
    if (guarded === undefined) return null;
    const offset = address - guarded.driverAddress;
    if (offset >= 0 && offset < guarded.lengthBytes) return null;
    return `The address lies in the guard ${offset < 0 ? "before" : "behind"} the block of ${guarded.lengthBytes} bytes at ${hex(guarded.driverAddress)}.`;
  }

  /** False for a block that the core holds and no device may touch any more. */
  deviceMayReach(virtual: number): boolean {
    if (this.quarantine.size === 0) return true;
    const start = this.#parts.core.explain(virtual as VirtualAddress).block?.virtual ?? 0;
    return this.quarantine.at(start) === undefined;
  }

  /** Bytes to ask the core for, 0 where guarding makes it more than any length. `sampled` as `guard.sample()` said. */
  coreBytes(lengthBytes: number, sampled: boolean): number {
    if (!sampled || this.guard === null) return lengthBytes;
    const wanted = this.guard.coreBytes(lengthBytes);
    return wanted > 0xffffffff ? 0 : wanted;
  }

  /** A block goes to an adapter: layout, contents, counters, history. Returns the start that the driver is given. */
  grant(
    adapter: AdapterRecord,
    coreStart: number,
    corePhysical: number,
    lengthBytes: number,
    call: string,
    sampled: boolean,
  ): number {
    if (!sampled || this.guard === null) {
      if (this.#fills) this.#fill(corePhysical, lengthBytes);
      this.counted(adapter, coreStart, lengthBytes, call);
      return coreStart;
    }
    const block = this.guard.layOut(adapter, coreStart, corePhysical, lengthBytes);
    if (this.#fills) this.#fillExactly(block.physical, lengthBytes);
    this.counted(adapter, block.driverAddress, lengthBytes, call);
    return block.driverAddress;
  }

  /** Contents of a stretch (choice C15), where an arena exists. */
  fillRun(physical: number, lengthBytes: number): void {
    if (this.#fills) this.#fill(physical, lengthBytes);
  }

  /** Counters and history of a block that an adapter gets. */
  counted(adapter: AdapterRecord, virtual: number, lengthBytes: number, call: string): void {
    const parts = this.#parts;
    adapter.liveBlocks++;
    adapter.liveBytes += lengthBytes;
    if (parts.choices.mapRegisters !== null) adapter.mappedPages += pages(lengthBytes);
    if (parts.history !== null) {
      parts.history.allocated(virtual, lengthBytes, adapter.number, this.#where(call));
    }
  }

  /** A block left an adapter. */
  released(adapter: AdapterRecord, virtual: number, lengthBytes: number, call: string): void {
    const parts = this.#parts;
    adapter.liveBlocks--;
    adapter.liveBytes -= lengthBytes;
    if (parts.choices.mapRegisters !== null) adapter.mappedPages -= pages(lengthBytes);
    if (parts.history !== null) parts.history.freed(virtual, this.#where(call));
  }

  /** The free of a block whose every field was found right, where `plain` is false. Reports damage when all is done. */
  free(adapter: AdapterRecord, found: BlockInfo, logical: number, call: string): void {
    const parts = this.#parts;
    parts.iommu?.unmap(logical);
    this.released(adapter, found.driverAddress, found.lengthBytes, call);
    const guarded = this.guard?.find(found.driverAddress) ?? null;
    if (guarded !== null) {
      this.quarantine.withholdGuarded(guarded, call);
      return;
    }
    if (parts.choices.freedFrames === "deferred" && parts.reporter.irql.current >= 2) {
      this.quarantine.defer(adapter, found.coreStart, found.driverAddress, found.lengthBytes);
      return;
    }
    parts.core.free(found.coreStart as VirtualAddress);
  }

  /** Memory ran out: whatever is only withheld goes to the core now. True where that may have helped. */
  drainQuarantine(): boolean {
    return this.quarantine.drain();
  }

  /** Look at a few guarded blocks, as Windows does during a later allocation: 0x7C/02. */
  inspectSome(call: string): void {
    if (this.guard !== null) this.quarantine.inspectSome(call);
  }

  /** Look at every guarded block and everything in quarantine. Records what is damaged, raises nothing. */
  sweep(): Violation[] {
    return this.quarantine.sweep();
  }

  /** What guard mode holds. */
  guardReport(): GuardReport {
    return this.quarantine.report();
  }

  /** NDIS itself gives a block back: at halt, shutdown, or a forced release. `virtual`: as given to the driver. */
  reclaim(adapter: AdapterRecord, virtual: number, lengthBytes: number, logical: number): void {
    const parts = this.#parts;
    const { reporter } = parts;
    const guarded = this.guard?.find(virtual);
    if (guarded !== undefined) {
      const damage = guarded.damaged || !this.bytes.reachable ? null : (this.guard?.inspect(guarded) ?? null);
      if (damage !== null) parts.reporter.record(adapter, damageFinding(guarded, damage, "reclaim", "free"));
      this.guard?.drop(guarded);
    }
    parts.core.free((guarded?.coreStart ?? virtual) as VirtualAddress);
    if (parts.iommu !== null && logical !== 0) parts.iommu.unmap(logical);
    this.released(adapter, virtual, lengthBytes, "reclaim");
    if (reporter.log !== null) reporter.note(adapter, `reclaim ${hex(virtual)} ${lengthBytes}`);
  }

  /** The live blocks of an adapter, by walking the core: slow, for reports. Ends early once all are found. */
  liveBlocksOf(adapter: AdapterRecord): LiveBlock[] {
    const parts = this.#parts;
    const { core } = parts;
    const found: LiveBlock[] = [];
    const wanted = adapter.liveBlocks;
    const add = (virtual: number, lengthBytes: number): void => {
      found.push({ virtual, lengthBytes, explain: parts.explain(virtual) });
    };
    for (const one of adapter.allocations) if (one.virtual !== 0) add(one.virtual, one.lengthBytes);
    for (const zone of this.zones.all) {
      let address = zone.window;
      const end = zone.window + zone.size;
      while (address < end && found.length < wanted) {
        const known = core.explain(address as VirtualAddress);
        const block = known.state === "live" ? known.block : undefined;
        if (block === undefined) {
          address += core.frameSize;
          continue;
        }
        const tag = block.tag ?? 0;
        if (
          adapterOfTag(tag) === adapter.number &&
          (tag & TAG_PROVIDER) === 0 &&
          this.quarantine.at(block.virtual) === undefined
        ) {
          const guarded = this.guard?.findByCore(block.virtual);
          add(guarded?.driverAddress ?? block.virtual, guarded?.lengthBytes ?? block.lengthBytes);
        }
        address = block.virtual + Math.ceil(block.lengthBytes / core.frameSize) * core.frameSize;
      }
    }
    return found;
  }

  #where(call: string): { step: number; call: string; site?: string } {
    const { reporter, sites } = this.#parts;
    const { step } = reporter;
    return sites ? { step, call, site: callSite() } : { step, call };
  }

  /** The whole frames of a block, so that the slack is defined too (misuse C07). */
  #fill(physical: number, lengthBytes: number): void {
    const { frameSize } = this.#parts.core;
    this.#fillExactly(physical, Math.ceil(lengthBytes / frameSize) * frameSize);
  }

  #fillExactly(physical: number, lengthBytes: number): void {
    const { contents } = this.#parts.choices;
    if (contents !== "random") {
      this.bytes.fill(physical, lengthBytes, contents === "zero" ? 0 : FRESH_PATTERN);
      return;
    }
    const bytes = this.bytes.at(physical, lengthBytes);
    let state = this.#random;
    for (let at = 0; at < bytes.length; at++) {
      // xorshift32: cheap, and only meant to differ from byte to byte.
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      bytes[at] = state;
    }
    this.#random = state >>> 0 || 1;
  }
}

/** BYTES_TO_PAGES. */
export function pages(lengthBytes: number): number {
  return Math.ceil(lengthBytes / 4096);
}
