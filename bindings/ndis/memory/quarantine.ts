/**
 * Quarantine: blocks that have left their driver and that the core does not have back yet.
 *
 *   freed --quarantine--> filled with 0xDD, oldest first to the core when there are too many bytes, or none left
 *         --deferred----> to the core at the next PASSIVE turn (choice C26)
 *         --damaged-----> never handed out again
 *
 * To the core they are live; to drivers and devices they are gone.
 */
import type { VirtualAddress } from "../../addresses.js";
import type { CoreApi } from "../../core/api.js";
import type { AdapterRecord } from "../records/adapter.js";
import type { Scheduler } from "../records/host.js";
import type { Reporter, Violation } from "../records/reporter.js";
import { type Damage, damageFinding, type Guard, type GuardedBlock } from "./guard.js";

/** What the quarantine needs of its machine. */
export interface QuarantineParts {
  readonly core: CoreApi;
  readonly reporter: Reporter;
  readonly scheduler: Scheduler;
}

/** A block that has left its driver and is still live in the core. */
export interface WithheldBlock {
  readonly coreStart: number;
  readonly coreBytes: number;
  /** Start of the block as the driver knew it. */
  readonly driverAddress: number;
  readonly lengthBytes: number;
  readonly adapter: AdapterRecord;
  readonly why: "deferred" | "quarantine" | "damaged";
  readonly guarded: GuardedBlock | null;
}

/** Bytes that guard mode holds back. */
export interface GuardReport {
  readonly guardedBlocks: number;
  readonly quarantinedBlocks: number;
  readonly quarantinedBytes: number;
  readonly damagedBlocks: number;
}

export class Quarantine {
  readonly #parts: QuarantineParts;
  readonly #guard: Guard | null;
  readonly #withheld: Map<number, WithheldBlock> = new Map();
  #quarantinedBytes = 0;
  #passiveTurnIsDue = false;

  constructor(parts: QuarantineParts, guard: Guard | null) {
    this.#parts = parts;
    this.#guard = guard;
  }

  /** How many there are. */
  get size(): number {
    return this.#withheld.size;
  }

  /** By where its core block starts. */
  at(coreStart: number): WithheldBlock | undefined {
    return this.#withheld.get(coreStart);
  }

  /** Keep a freed block until the next PASSIVE turn (choice C26). */
  defer(adapter: AdapterRecord, coreStart: number, driverAddress: number, lengthBytes: number): void {
    this.#withhold({
      coreStart,
      coreBytes: lengthBytes,
      driverAddress,
      lengthBytes,
      adapter,
      why: "deferred",
      guarded: null,
    });
  }

  /** A guarded block was freed: look at its padding, fill it, keep it. Raises what was found when all is done. */
  withholdGuarded(block: GuardedBlock, call: string): void {
    const { reporter } = this.#parts;
    const guard = this.#guard as Guard;
    const damage = block.damaged ? null : guard.inspect(block);
    guard.drop(block);
    const { adapter, coreStart, coreBytes, driverAddress, lengthBytes } = block;
    const why = damage !== null || block.damaged ? "damaged" : "quarantine";
    guard.poison(block);
    this.#withhold({ coreStart, coreBytes, driverAddress, lengthBytes, adapter, why, guarded: block });
    const found = damage === null ? null : reporter.record(adapter, damageFinding(block, damage, call, "free"));
    this.#shrinkQuarantine(guard.quarantineBytes);
    if (found !== null) reporter.raise(found);
  }

  #withhold(block: WithheldBlock): void {
    this.#withheld.set(block.coreStart, block);
    if (block.why !== "damaged") this.#quarantinedBytes += block.coreBytes;
    if (block.why !== "deferred" || this.#passiveTurnIsDue) return;
    this.#passiveTurnIsDue = true;
    this.#parts.scheduler.later("passive", () => {
      this.#passiveTurnIsDue = false;
      for (const one of [...this.#withheld.values()]) if (one.why === "deferred") this.#return(one);
    });
  }

  /** Give the oldest quarantined blocks to the core until at most `limit` bytes are held. True where any was returned. */
  #shrinkQuarantine(limit: number): boolean {
    let returned = false;
    for (const one of [...this.#withheld.values()]) {
      if (this.#quarantinedBytes <= limit) break;
      if (one.why !== "quarantine") continue;
      returned = this.#return(one) || returned;
    }
    return returned;
  }

  /** Memory ran out: whatever is only withheld goes to the core now. True where that may have helped. */
  drain(): boolean {
    return this.#guard !== null && this.#shrinkQuarantine(0);
  }

  #return(block: WithheldBlock): boolean {
    const { reporter, core } = this.#parts;
    this.#quarantinedBytes -= block.coreBytes;
    const damage = block.guarded === null ? null : (this.#guard?.checkPoison(block.guarded) ?? null);
    if (damage !== null && block.guarded !== null) {
      this.#withheld.set(block.coreStart, { ...block, why: "damaged" });
      // Recorded and not raised: whoever triggers this is not the one to blame.
      reporter.record(block.adapter, damageFinding(block.guarded, damage, "quarantine", "allocation"));
      return false;
    }
    this.#withheld.delete(block.coreStart);
    core.free(block.coreStart as VirtualAddress);
    return true;
  }

  /** Look at a few guarded blocks, as Windows does during a later allocation: 0x7C/02. */
  inspectSome(call: string): void {
    if (this.#guard === null) return;
    const first = this.#inspect(this.#guard.toInspect(false), call, "allocation")[0];
    if (first !== undefined) this.#parts.reporter.raise(first);
  }

  /** Look at every guarded block and everything in quarantine. Records what is damaged, raises nothing. */
  sweep(): Violation[] {
    if (this.#guard === null) return [];
    const found = this.#inspect(this.#guard.toInspect(true), "sweep", "sweep");
    for (const one of [...this.#withheld.values()]) {
      if (one.why !== "quarantine" || one.guarded === null) continue;
      const damage = this.#guard.checkPoison(one.guarded);
      if (damage === null) continue;
      this.#quarantinedBytes -= one.coreBytes;
      this.#withheld.set(one.coreStart, { ...one, why: "damaged" });
      found.push(this.#parts.reporter.record(one.adapter, damageFinding(one.guarded, damage, "sweep", "sweep")));
    }
    return found;
  }

  #inspect(blocks: Iterable<GuardedBlock>, call: string, moment: "allocation" | "sweep"): Violation[] {
    const found: Violation[] = [];
    for (const block of blocks) {
      const damage: Damage | null = block.damaged ? null : (this.#guard?.inspect(block) ?? null);
      if (damage === null) continue;
      block.damaged = true;
      found.push(this.#parts.reporter.record(block.adapter, damageFinding(block, damage, call, moment)));
    }
    return found;
  }

  /** What guard mode holds. */
  report(): GuardReport {
    const withheld = [...this.#withheld.values()];
    return {
      guardedBlocks: this.#guard?.count ?? 0,
      quarantinedBlocks: withheld.filter((one) => one.why !== "damaged").length,
      quarantinedBytes: this.#quarantinedBytes,
      damagedBlocks: withheld.filter((one) => one.why === "damaged").length,
    };
  }
}
