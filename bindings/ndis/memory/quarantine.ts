/**
 * Retirement: blocks that have left their driver and that the core does not have back yet.
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
export interface RetiredBlock {
  readonly coreStart: number;
  readonly coreBytes: number;
  readonly given: number;
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

export class Retirement {
  readonly #parts: QuarantineParts;
  readonly #guard: Guard | null;
  readonly #retired: Map<number, RetiredBlock> = new Map();
  #quarantinedBytes = 0;
  #passiveTurnIsDue = false;

  constructor(parts: QuarantineParts, guard: Guard | null) {
    this.#parts = parts;
    this.#guard = guard;
  }

  /** How many there are. */
  get size(): number {
    return this.#retired.size;
  }

  /** By where its core block starts. */
  at(coreStart: number): RetiredBlock | undefined {
    return this.#retired.get(coreStart);
  }

  /** Keep a freed block until the next PASSIVE turn (choice C26). */
  defer(adapter: AdapterRecord, coreStart: number, given: number, lengthBytes: number): void {
    this.#retire({ coreStart, coreBytes: lengthBytes, given, lengthBytes, adapter, why: "deferred", guarded: null });
  }

  /** A guarded block was freed: look at its padding, fill it, keep it. Raises what was found when all is done. */
  retireGuarded(block: GuardedBlock, call: string): void {
    const { reporter } = this.#parts;
    const guard = this.#guard as Guard;
    const damage = block.damaged ? null : guard.inspect(block);
    guard.drop(block);
    const { adapter, coreStart, coreBytes, given, lengthBytes } = block;
    const why = damage !== null || block.damaged ? "damaged" : "quarantine";
    guard.bury(block);
    this.#retire({ coreStart, coreBytes, given, lengthBytes, adapter, why, guarded: block });
    const found = damage === null ? null : reporter.record(adapter, damageFinding(block, damage, call, "free"));
    this.#shrinkQuarantine(guard.quarantineBytes);
    if (found !== null) reporter.raise(found);
  }

  #retire(block: RetiredBlock): void {
    this.#retired.set(block.coreStart, block);
    if (block.why !== "damaged") this.#quarantinedBytes += block.coreBytes;
    if (block.why !== "deferred" || this.#passiveTurnIsDue) return;
    this.#passiveTurnIsDue = true;
    this.#parts.scheduler.later("passive", () => {
      this.#passiveTurnIsDue = false;
      for (const one of [...this.#retired.values()]) if (one.why === "deferred") this.#return(one);
    });
  }

  /** Give the oldest quarantined blocks to the core until at most `limit` bytes are held. True where any was given. */
  #shrinkQuarantine(limit: number): boolean {
    let given = false;
    for (const one of [...this.#retired.values()]) {
      if (this.#quarantinedBytes <= limit) break;
      if (one.why !== "quarantine") continue;
      given = this.#return(one) || given;
    }
    return given;
  }

  /** Memory ran out: whatever is only held back goes to the core now. True where that may have helped. */
  giveWhatIsHeldBack(): boolean {
    return this.#guard !== null && this.#shrinkQuarantine(0);
  }

  #return(block: RetiredBlock): boolean {
    const { reporter, core } = this.#parts;
    this.#quarantinedBytes -= block.coreBytes;
    const damage = block.guarded === null ? null : (this.#guard?.exhume(block.guarded) ?? null);
    if (damage !== null && block.guarded !== null) {
      this.#retired.set(block.coreStart, { ...block, why: "damaged" });
      // Recorded and not raised: whoever triggers this is not the one to blame.
      reporter.record(block.adapter, damageFinding(block.guarded, damage, "quarantine", "allocation"));
      return false;
    }
    this.#retired.delete(block.coreStart);
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
    for (const one of [...this.#retired.values()]) {
      if (one.why !== "quarantine" || one.guarded === null) continue;
      const damage = this.#guard.exhume(one.guarded);
      if (damage === null) continue;
      this.#quarantinedBytes -= one.coreBytes;
      this.#retired.set(one.coreStart, { ...one, why: "damaged" });
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
    const retired = [...this.#retired.values()];
    return {
      guardedBlocks: this.#guard?.count ?? 0,
      quarantinedBlocks: retired.filter((one) => one.why !== "damaged").length,
      quarantinedBytes: this.#quarantinedBytes,
      damagedBlocks: retired.filter((one) => one.why === "damaged").length,
    };
  }
}
