/**
 * Nonpaged pool of a C driver: blocks with red zones, that remember who allocated and who freed them.
 *
 * Freed blocks wait in a queue before they are handed out again, so that a late access is found. What was never written
 * has one pattern, so that a run repeats.
 */
import type { CInstance } from "./instance.js";
import { TAG, UNINITIALIZED } from "./instance.js";
import type { Stack } from "./places.js";

/** What a block is for, as in shim/shim.c. */
export const POOL_KINDS = [
  "pool memory",
  "MDL",
  "net buffer list",
  "net buffer",
  "lock",
  "lookaside entry",
  "ours",
] as const;
export const OURS: number = POOL_KINDS.indexOf("ours");

export interface PoolBlock {
  readonly address: number;
  readonly lengthBytes: number;
  readonly tag: number;
  readonly kind: number;
  /** Number of the adapter in whose callback it was allocated; -1 for none. */
  readonly adapter: number;
  readonly stack: Stack;
  freed: Stack | null;
  /** Simulated IRQL at which it was allocated. */
  readonly room: number;
}

const RED_ZONE = 16;
/** Bytes of freed blocks that wait. */
const QUARANTINE = 65_536;

export class Pool {
  readonly #c: CInstance;
  /** By address: live ones, and freed ones that were not handed out again. */
  readonly blocks: Map<number, PoolBlock> = new Map();
  readonly #free: Map<number, number[]> = new Map();
  readonly #waiting: PoolBlock[] = [];
  #waitingBytes = 0;
  #next: number;

  constructor(c: CInstance) {
    this.#c = c;
    this.#next = c.poolBase + RED_ZONE;
  }

  /** Address of a new block, 0 where there is no room. */
  allocate(lengthBytes: number, tag: number, kind: number, adapter: number, stack: Stack): number {
    const c = this.#c;
    const room = roomOf(lengthBytes);
    let address = this.#free.get(room)?.pop() ?? 0;
    if (address === 0) {
      if (this.#next + room > c.poolEnd) {
        this.#release(0);
        address = this.#free.get(room)?.pop() ?? 0;
        if (address === 0) return 0;
      } else {
        address = this.#next;
        this.#next += room;
        c.poolHigh = this.#next;
      }
    }
    c.poison(address, room, TAG.redZone);
    c.unpoison(address, lengthBytes);
    c.u8.fill(UNINITIALIZED, address, address + lengthBytes);
    this.blocks.set(address, { address, lengthBytes, tag, kind, adapter, stack, freed: null, room });
    return address;
  }

  /** Free a live block. */
  free(block: PoolBlock, stack: Stack): void {
    const c = this.#c;
    block.freed = stack;
    c.poison(block.address, block.room, TAG.freedPool);
    this.#waiting.push(block);
    this.#waitingBytes += block.room;
    if (this.#waitingBytes > QUARANTINE) this.#release(QUARANTINE / 2);
  }

  #release(left: number): void {
    while (this.#waitingBytes > left) {
      const block = this.#waiting.shift();
      if (block === undefined) break;
      this.#waitingBytes -= block.room;
      this.blocks.delete(block.address);
      const list = this.#free.get(block.room);
      if (list === undefined) this.#free.set(block.room, [block.address]);
      else list.push(block.address);
    }
  }

  /** Live blocks of an adapter. */
  liveOf(adapter: number): PoolBlock[] {
    const live: PoolBlock[] = [];
    for (const block of this.blocks.values()) {
      if (block.adapter === adapter && block.freed === null && block.kind !== OURS) live.push(block);
    }
    return live;
  }

  /** The block at or nearest before an address, within a page. */
  nearest(address: number): PoolBlock | undefined {
    let best: PoolBlock | undefined;
    for (const block of this.blocks.values()) {
      if (block.address > address || address >= block.address + block.room + 4096) continue;
      if (best === undefined || block.address > best.address) best = block;
    }
    return best;
  }
}

/** Bytes that a block takes, red zone included: a few sizes, so that freed ones serve again. */
function roomOf(lengthBytes: number): number {
  const least = lengthBytes + RED_ZONE;
  if (least <= 1024) return Math.ceil(least / 32) * 32;
  let room = 2048;
  while (room < least) room *= 2;
  return least <= room * 0.75 ? room * 0.75 : room;
}
