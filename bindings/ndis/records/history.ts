/**
 * The history of blocks: where each address was last allocated and freed. For people, never for decisions.
 *
 * Kept only where somebody looks (an event log, `sites`, guard mode): the core stays the only truth about what is live.
 * One small object per address that was a block's start, for the 32,768 to 65,536 addresses that were last
 * allocated: what was allocated long before is forgotten first, so a long run holds no more than a short one.
 */
import type { Provenance } from "./reporter.js";

export interface BlockPast {
  /** Number of the adapter that had it last. */
  adapter: number;
  lengthBytes: number;
  allocatedAt: Provenance;
  freedAt: Provenance | null;
}

/** Addresses of one generation. Two generations are remembered: some 10 MB at most. */
const GENERATION = 32_768;

export class BlockHistory {
  /** Addresses that were allocated since the last change of generations, and those of the generation before. */
  #young: Map<number, BlockPast> = new Map();
  #old: Map<number, BlockPast> = new Map();

  allocated(address: number, lengthBytes: number, adapter: number, where: Provenance): void {
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(address, { adapter, lengthBytes, allocatedAt: where, freedAt: null });
  }

  freed(address: number, where: Provenance): void {
    const past = this.of(address);
    if (past !== undefined) past.freedAt = where;
  }

  of(address: number): BlockPast | undefined {
    return this.#young.get(address) ?? this.#old.get(address);
  }
}
