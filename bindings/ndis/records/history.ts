/**
 * The history of blocks: where each address was last allocated and freed. For people, never for decisions.
 *
 * Kept only where somebody looks (an event log, `sites`, guard mode): the core stays the only truth about what is live.
 * One small object per address that was ever a block's start.
 */
import type { Provenance } from "./reporter.js";

export interface BlockPast {
  /** Number of the adapter that had it last. */
  adapter: number;
  lengthBytes: number;
  allocatedAt: Provenance;
  freedAt: Provenance | null;
}

export class BlockHistory {
  readonly #blocks: Map<number, BlockPast> = new Map();

  allocated(address: number, lengthBytes: number, adapter: number, where: Provenance): void {
    this.#blocks.set(address, { adapter, lengthBytes, allocatedAt: where, freedAt: null });
  }

  freed(address: number, where: Provenance): void {
    const past = this.#blocks.get(address);
    if (past !== undefined) past.freedAt = where;
  }

  of(address: number): BlockPast | undefined {
    return this.#blocks.get(address);
  }
}
