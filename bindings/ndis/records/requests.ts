/**
 * Asynchronous requests: the record of one, and the two queues in which records wait.
 *
 *     accepted --> pending, unserved --(a turn serves the first few)--> served, undelivered --(delivery)--> free records
 *
 * Each queue is a ring of records; a record is used again when its request has been called back. Acceptance, a turn and a
 * delivery each cost the same whatever waits: first come, first served moves no record within its queue, newest first takes
 * them from the other end (`bringNewest`), any order exchanges two (`exchange`). Whoever wants one from the middle without
 * changing the order of the rest brings it forward (`bring`), at the cost of those that it passes.
 */

import type { AdapterRecord } from "./adapter.js";
import type { CompletionTarget } from "./dma.js";

/** How far a request is: to be served, reserved at acceptance (choice C23), or failed before the core was asked. */
export const WAITING = 0;
export const RESERVED = 1;
export const FAILED = 2;

/** A request that was dropped, for reports. */
export interface DroppedRequest {
  readonly sequence: number;
  readonly lengthBytes: number;
  /** Step at which it was accepted. */
  readonly step: number;
}

/** One asynchronous request. Fields mean something only between acceptance and delivery. */
export class PendingRequest {
  /** Who asks. */
  adapter: AdapterRecord | null = null;
  /** How the answer is to come. */
  target: CompletionTarget | null = null;
  context: unknown = null;
  lengthBytes = 0;
  /** Tag of the block: adapter and cached flag. */
  tag = 0;
  /** Order of acceptance in the machine, from 1. */
  sequence = 0;
  acceptedAtNs = 0;
  /** Step of the event log at which it was accepted. */
  step = 0;
  phase: 0 | 1 | 2 = WAITING;
  /** What was served: 0 where out of memory, or not served yet. */
  virtual = 0;
  logical = 0;
}

/** Small, and empty at first, because a fuzzer opens ten thousand machines a second; `#grow` doubles it. */
const FIRST_SIZE = 8;
/** From so many undelivered on, addresses are looked up in an index: a walk is quicker below, and costs its length above. */
const INDEX_FROM = 64;

/** A queue of records with two ends. Positions are counted from the front. */
class RecordQueue {
  length = 0;
  #ring: (PendingRequest | null)[] = new Array<PendingRequest | null>(FIRST_SIZE).fill(null);
  #mask: number = FIRST_SIZE - 1;
  #head = 0;

  at(position: number): PendingRequest {
    return this.#ring[(this.#head + position) & this.#mask] as PendingRequest;
  }

  push(request: PendingRequest): void {
    if (this.length > this.#mask) this.#grow();
    this.#ring[(this.#head + this.length++) & this.#mask] = request;
  }

  shift(): PendingRequest {
    const request = this.#ring[this.#head] as PendingRequest;
    this.#ring[this.#head] = null;
    this.#head = (this.#head + 1) & this.#mask;
    this.length--;
    return request;
  }

  /** The `count` records at the back come to the front, the last of all first. */
  turnRound(count: number): void {
    const ring = this.#ring;
    const mask = this.#mask;
    const back: PendingRequest[] = [];
    for (let i = 0; i < count; i++) {
      const at = (this.#head + --this.length) & mask;
      back.push(ring[at] as PendingRequest);
      ring[at] = null;
    }
    for (let i = count - 1; i >= 0; i--) {
      this.#head = (this.#head - 1) & mask;
      ring[this.#head] = back[i] as PendingRequest;
      this.length++;
    }
  }

  exchange(one: number, other: number): void {
    const first = (this.#head + one) & this.#mask;
    const second = (this.#head + other) & this.#mask;
    const request = this.#ring[first] ?? null;
    this.#ring[first] = this.#ring[second] ?? null;
    this.#ring[second] = request;
  }

  /** Bring a record forward from one position to another; those between move back by one. */
  bring(from: number, to: number): void {
    const ring = this.#ring;
    const mask = this.#mask;
    const head = this.#head;
    const request = ring[(head + from) & mask] as PendingRequest;
    for (let i = from; i > to; i--) ring[(head + i) & mask] = ring[(head + i - 1) & mask] ?? null;
    ring[(head + to) & mask] = request;
  }

  /** Take out every record that `leaves` names, in order. */
  removeAll(leaves: (request: PendingRequest) => boolean): PendingRequest[] {
    const left: PendingRequest[] = [];
    let kept = 0;
    for (let i = 0; i < this.length; i++) {
      const request = this.at(i);
      if (leaves(request)) left.push(request);
      else this.#ring[(this.#head + kept++) & this.#mask] = request;
    }
    for (let i = kept; i < this.length; i++) this.#ring[(this.#head + i) & this.#mask] = null;
    this.length = kept;
    return left;
  }

  #grow(): void {
    const { length } = this;
    this.#ring = Array.from({ length: 2 * this.#ring.length }, (_, i) => (i < length ? this.at(i) : null));
    this.#mask = this.#ring.length - 1;
    this.#head = 0;
  }
}

/** The two queues, and the records that are free. */
export class RequestRing {
  readonly #served = new RecordQueue();
  readonly #pending = new RecordQueue();
  readonly #free: PendingRequest[] = [];
  /** What was taken for delivery last, since anything was served: the block that is freed next, more often than not. */
  #lastTaken = 0;
  /** Starts of undelivered blocks, while there are many. */
  #index: Set<number> | null = null;
  /** Choice C23: a pending request has its memory already. */
  readonly #reserves: boolean;

  constructor(reserves: boolean) {
    this.#reserves = reserves;
  }

  /** Requests that the core has answered and nobody has been told. */
  get served(): number {
    return this.#served.length;
  }

  /** Requests that wait for their turn. */
  get pending(): number {
    return this.#pending.length;
  }

  /** A record for the next request. It is pending only after `commit`; one that is not committed goes back by `recycle`. */
  next(): PendingRequest {
    return this.#free.pop() ?? new PendingRequest();
  }

  /** The record is a pending request now. */
  commit(request: PendingRequest): void {
    this.#pending.push(request);
    if (this.#reserves) this.#index?.add(request.virtual);
  }

  /** The record's request is over. */
  recycle(request: PendingRequest): void {
    this.#free.push(request);
  }

  servedAt(position: number): PendingRequest {
    return this.#served.at(position);
  }

  pendingAt(position: number): PendingRequest {
    return this.#pending.at(position);
  }

  /** Bring a pending request forward, from one position to another at or before it. */
  bring(from: number, to: number): void {
    if (from !== to) this.#pending.bring(from, to);
  }

  /** The newest `count` pending requests come to the front, the newest first. */
  bringNewest(count: number): void {
    this.#pending.turnRound(count);
  }

  /** Two pending requests change places. */
  exchange(one: number, other: number): void {
    if (one !== other) this.#pending.exchange(one, other);
  }

  /** The first `count` pending requests have been served. */
  advance(count: number): void {
    // The address may have been handed out again.
    this.#lastTaken = 0;
    for (let i = 0; i < count; i++) {
      const request = this.#pending.shift();
      this.#served.push(request);
      this.#index?.add(request.virtual);
    }
  }

  /** Take a served request out. The record is valid until it is recycled. */
  takeServed(position: number): PendingRequest {
    if (position !== 0) this.#served.bring(position, 0);
    const request = this.#served.shift();
    this.#lastTaken = request.virtual;
    this.#unindex(request);
    return request;
  }

  /** Take every request of an adapter out, the pending ones first. */
  takeAllOf(adapter: AdapterRecord): PendingRequest[] {
    const ofAdapter = (request: PendingRequest): boolean => request.adapter === adapter;
    const taken = [...this.#pending.removeAll(ofAdapter), ...this.#served.removeAll(ofAdapter)];
    for (const request of taken) this.#unindex(request);
    return taken;
  }

  /** True for the start of a block that was served and whose completion has not been delivered (misuse E07). */
  isUndelivered(virtual: number): boolean {
    if (virtual === 0) return false;
    if (this.#holders > INDEX_FROM) return this.#indexed().has(virtual);
    if (this.served !== 0 && virtual !== this.#lastTaken) {
      for (let i = 0; i < this.served; i++) if (this.servedAt(i).virtual === virtual) return true;
    }
    if (!this.#reserves) return false;
    for (let i = 0; i < this.pending; i++) if (this.pendingAt(i).virtual === virtual) return true;
    return false;
  }

  /**
   * False where the address certainly lies in no such block, true where it does or where that has to be looked up, block by
   * block: nobody has been given such a block yet.
   */
  mayHide(address: number): boolean {
    if (this.#holders > INDEX_FROM) return true;
    for (let i = 0; i < this.served; i++) if (covers(this.servedAt(i), address)) return true;
    if (!this.#reserves) return false;
    for (let i = 0; i < this.pending; i++) if (covers(this.pendingAt(i), address)) return true;
    return false;
  }

  /** Requests that may hold a block. */
  get #holders(): number {
    return this.#served.length + (this.#reserves ? this.#pending.length : 0);
  }

  /** Made when it is first asked for among many, kept up to date until there are few again. */
  #indexed(): Set<number> {
    if (this.#index !== null) return this.#index;
    const index = new Set<number>();
    for (let i = 0; i < this.served; i++) index.add(this.servedAt(i).virtual);
    if (this.#reserves) for (let i = 0; i < this.pending; i++) index.add(this.pendingAt(i).virtual);
    this.#index = index;
    return index;
  }

  #unindex(request: PendingRequest): void {
    if (this.#index === null) return;
    if (this.#holders === 0) this.#index = null;
    else this.#index.delete(request.virtual);
  }
}

function covers({ virtual, lengthBytes }: PendingRequest, address: number): boolean {
  return virtual !== 0 && address >= virtual && address < virtual + lengthBytes;
}
