/**
 * Is it an allocator at all? A workload is replayed once, untimed, and every answer is held against a map of what is live.
 *
 * An address must be a whole number, 0 where there is no memory; a multiple of 8 for a block of 8 bytes or more; apart from every
 * live block; and all blocks of a run must lie within twice the arena, which an allocator with headers of its own may need. Each
 * block is entered in the pages of 16 KiB that it touches, so that an overlap is found among a few neighbours.
 */
import { FREE, SLOT, type Workload } from "../workloads/index.js";
import type { Allocator } from "./replayer.js";

/** The first operation that no allocator may answer so. */
export interface WrongAnswer {
  /** Number of the operation, from 1. */
  readonly operation: number;
  readonly message: string;
}

const PAGE = 16384;
const ALIGNMENT = 8;
/** What an allocator may need beside twice the arena. */
const SLACK = 65536;

class Shadow {
  readonly #pages = new Map<number, Set<number>>();
  readonly #at: Float64Array;
  readonly #bytes: Float64Array;
  readonly #most: number;
  #lowest = Number.POSITIVE_INFINITY;
  #highest = 0;

  constructor({ slots, arenaBytes }: Workload) {
    this.#at = new Float64Array(slots);
    this.#bytes = new Float64Array(slots);
    this.#most = 2 * arenaBytes + SLACK;
  }

  /** What is wrong with a block at this place, if anything; it is live from then on. */
  enter(slot: number, address: unknown, bytes: number): string | undefined {
    if (typeof address !== "number" || !Number.isSafeInteger(address) || address < 0) {
      return `answered ${bytes} bytes with ${String(address)}, which is no address`;
    }
    if (address === 0) return undefined;
    if (bytes >= ALIGNMENT && address % ALIGNMENT !== 0) {
      return `answered ${bytes} bytes with ${address}, which is no multiple of ${ALIGNMENT}`;
    }
    this.#lowest = Math.min(this.#lowest, address);
    this.#highest = Math.max(this.#highest, address + bytes);
    if (this.#highest - this.#lowest > this.#most) {
      return `answered ${bytes} bytes with ${address}: its blocks reach over ${this.#highest - this.#lowest} bytes, more than twice the arena`;
    }
    for (let page = Math.floor(address / PAGE); page * PAGE < address + bytes; page += 1) {
      const there = this.#pages.get(page);
      if (there === undefined) {
        this.#pages.set(page, new Set([slot]));
        continue;
      }
      for (const other of there) {
        const at = this.#at[other] as number;
        if (at < address + bytes && address < at + (this.#bytes[other] as number)) {
          return `answered ${bytes} bytes with ${address}, inside the ${this.#bytes[other]} live bytes at ${at}`;
        }
      }
      there.add(slot);
    }
    this.#at[slot] = address;
    this.#bytes[slot] = bytes;
    return undefined;
  }

  /** The block of a slot, 0 for none; it is live no longer. */
  leave(slot: number): { readonly address: number; readonly bytes: number } {
    const address = this.#at[slot] as number;
    const bytes = this.#bytes[slot] as number;
    if (address !== 0) {
      for (let page = Math.floor(address / PAGE); page * PAGE < address + bytes; page += 1) {
        this.#pages.get(page)?.delete(slot);
      }
    }
    this.#at[slot] = 0;
    return { address, bytes };
  }
}

/** Replay until something is wrong or the budget is spent. The allocator is left as it is: measure a fresh one. */
export function firstWrongAnswer(allocator: Allocator, workload: Workload, budgetMs: number): WrongAnswer | undefined {
  const { ops, total } = workload;
  const shadow = new Shadow(workload);
  const began = performance.now();
  for (let i = 0; i < total; i += 1) {
    if ((i & 1023) === 0 && performance.now() - began > budgetMs) return undefined;
    const word = ops[2 * i] as number;
    const slot = word & SLOT;
    let message: string | undefined;
    try {
      if ((word & FREE) === 0) {
        const bytes = ops[2 * i + 1] as number;
        message = shadow.enter(slot, allocator.allocate(bytes), bytes);
      } else {
        const { address, bytes } = shadow.leave(slot);
        if (address !== 0) allocator.free(address, bytes);
      }
    } catch (error) {
      const call = (word & FREE) === 0 ? "allocate" : "free";
      message = `${call} threw ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
    }
    if (message !== undefined) return { operation: i + 1, message };
  }
  return undefined;
}
