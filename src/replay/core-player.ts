/** The mode `core`: every operation is one call of the core, with all its checks, in one zone without a driver or a machine. */
import { Core, planCore, type VirtualAddress } from "../../bindings/index.js";
import type { Player } from "./spool.js";
import { Statistics } from "./statistics.js";

/** What a player is opened with. */
export interface PlayerOptions {
  readonly arenaBytes: number;
  readonly frameSize: number;
  /** How often `verify` walks the memory, in moments kept; 0 for never. */
  readonly verifyEvery: number;
}

/** An allocation that found no memory. */
export interface Failure {
  /** Number of the operation, from 1. */
  readonly operation: number;
  readonly bytes: number;
  readonly reason: string;
  readonly freeBytes: number;
  readonly largestFreeBytes: number;
}

const ZONE_BASE = 2 ** 32;
const MOST_FAILURES = 20;
const MOST_FINDINGS = 20;

/** What every mode keeps of failures. */
export class Failures {
  readonly first: Failure[] = [];
  readonly reasons: Map<string, number> = new Map();
  count = 0;

  add(failure: Failure): void {
    this.count++;
    this.reasons.set(failure.reason, (this.reasons.get(failure.reason) ?? 0) + 1);
    if (this.first.length < MOST_FAILURES) this.first.push(failure);
  }
}

export class CorePlayer implements Player {
  readonly core: Core;
  readonly statistics: Statistics = new Statistics();
  readonly failures: Failures = new Failures();
  /** What `verify` found; empty when all is well. */
  readonly findings: string[] = [];
  readonly #origin: number;
  readonly #options: PlayerOptions;
  #addresses = new Float64Array(1024);
  #highest = 0;
  #moments = 0;

  constructor(options: PlayerOptions) {
    const { arenaBytes, frameSize } = options;
    const opened = { zones: [{ base: ZONE_BASE, size: arenaBytes }], frameSize, arena: null };
    this.core = Core.openSync(opened);
    this.#options = options;
    // Window and zone are equally long, so how far an address lies from the window's first says where the block is.
    this.#origin = planCore(opened).zones[0]?.window ?? 0;
  }

  allocate(slot: number, bytes: number, alignment: number, moves: boolean): void {
    const { core, statistics } = this;
    const address =
      alignment > this.#options.frameSize
        ? core.allocate(bytes, { alignment })
        : bytes < 2 ** 32
          ? core.allocate(bytes)
          : 0;
    if (slot >= this.#addresses.length) this.#grow(slot);
    this.#addresses[slot] = address;
    if (address === 0) this.#failed(bytes);
    else {
      statistics.allocated(slot, bytes, moves);
      const end = address - this.#origin + bytes;
      if (end > this.#highest) this.#highest = end;
    }
    if (statistics.isDue) this.#look();
  }

  free(slot: number): void {
    const address = this.#addresses[slot] as number;
    if (address === 0) this.statistics.nothing();
    else {
      this.core.free(address as VirtualAddress, this.statistics.bytesOf(slot));
      this.#addresses[slot] = 0;
      this.statistics.freed(slot);
    }
    if (this.statistics.isDue) this.#look();
  }

  /** From the beginning of the zone to the highest byte of any block so far. */
  get highWaterBytes(): number {
    return this.#highest;
  }

  /** The core's own word for how many blocks are live. */
  get liveBlocks(): number {
    return this.core.stats().liveBlocks;
  }

  get digest(): string {
    return this.core.digest();
  }

  /** The last look at the memory. */
  finish(): void {
    this.#look();
    this.verify();
  }

  verify(): void {
    for (const { rule, message } of this.core.verify()) {
      if (this.findings.length < MOST_FINDINGS) this.findings.push(`${rule}: ${message}`);
    }
  }

  #failed(bytes: number): void {
    const { statistics } = this;
    statistics.nothing();
    const { reason, freeBytes, largestFreeBytes } = this.core.lastFailure ?? {
      reason: "exhausted",
      freeBytes: 0,
      largestFreeBytes: 0,
    };
    this.failures.add({ operation: statistics.operations, bytes, reason, freeBytes, largestFreeBytes });
  }

  #look(): void {
    const { statistics } = this;
    const { liveBytes, freeBytes, largestFreeBytes } = this.core.stats();
    statistics.keep({
      operation: statistics.operations,
      payloadBytes: statistics.liveBytes,
      heldBytes: liveBytes,
      freeBytes,
      largestFreeBytes,
      highWaterBytes: this.#highest,
    });
    const { verifyEvery } = this.#options;
    if (verifyEvery > 0 && ++this.#moments % verifyEvery === 0) this.verify();
  }

  #grow(slot: number): void {
    let { length } = this.#addresses;
    while (length <= slot) length *= 2;
    const more = new Float64Array(length);
    more.set(this.#addresses);
    this.#addresses = more;
  }
}
