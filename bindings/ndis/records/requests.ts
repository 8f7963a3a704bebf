/**
 * Asynchronous requests: the record of one, and the ring in which records wait.
 *
 *        head                 +served               +pending
 *     ... | served, undelivered | pending, unserved | free ...     a ring of records, each reused for ever
 *
 * Acceptance fills the next free record, a turn of the dispatcher moves the border between pending and served, delivery
 * moves the head: first come, first served moves no record at all. Whoever wants another order brings a record forward
 * within its part, and those that it passes move back by one.
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

/** The ring. Positions are counted from the front of their part. */
export class RequestRing {
  /** Requests that the core has answered and nobody has been told. */
  served = 0;
  /** Requests that wait for their turn. */
  pending = 0;
  #ring: (PendingRequest | null)[] = new Array<PendingRequest | null>(FIRST_SIZE).fill(null);
  #mask: number = FIRST_SIZE - 1;
  #head = 0;
  /** What was taken for delivery last, since anything was served: the block that is freed next, more often than not. */
  #lastTaken = 0;
  /** Choice C23: a pending request has its memory already. */
  readonly #reserves: boolean;

  constructor(reserves: boolean) {
    this.#reserves = reserves;
  }

  /** The record for the next request. It counts as pending only after `commit`. */
  next(): PendingRequest {
    if (this.served + this.pending > this.#mask) this.#grow();
    const at = (this.#head + this.served + this.pending) & this.#mask;
    const known = this.#ring[at];
    if (known) return known;
    const made = new PendingRequest();
    this.#ring[at] = made;
    return made;
  }

  /** The record that `next` gave is a pending request now. */
  commit(): void {
    this.pending++;
  }

  servedAt(position: number): PendingRequest {
    return this.#ring[(this.#head + position) & this.#mask] as PendingRequest;
  }

  pendingAt(position: number): PendingRequest {
    return this.#ring[(this.#head + this.served + position) & this.#mask] as PendingRequest;
  }

  /** Bring a pending request forward, from one position to another at or before it. */
  bring(from: number, to: number): void {
    if (from !== to) this.#bring(this.served + from, this.served + to);
  }

  /** The first `count` pending requests have been served. */
  advance(count: number): void {
    // The address may have been handed out again.
    this.#lastTaken = 0;
    this.served += count;
    this.pending -= count;
  }

  /** Take a served request out. The record is valid until a request is accepted. */
  takeServed(position: number): PendingRequest {
    if (position !== 0) this.#bring(position, 0);
    const request = this.#ring[this.#head] as PendingRequest;
    this.#lastTaken = request.virtual;
    this.#head = (this.#head + 1) & this.#mask;
    this.served--;
    return request;
  }

  /** Take a pending request out. The record is valid until a request is accepted. */
  takePending(position: number): PendingRequest {
    this.#bring(this.served + position, 0);
    const request = this.#ring[this.#head] as PendingRequest;
    this.#head = (this.#head + 1) & this.#mask;
    this.pending--;
    return request;
  }

  /** True for the start of a block that was served and whose completion has not been delivered (misuse E07). */
  isUndelivered(virtual: number): boolean {
    if (virtual === this.#lastTaken && !this.#reserves) return false;
    return this.#isHeld(virtual);
  }

  #isHeld(virtual: number): boolean {
    if (virtual === 0) return false;
    if (this.served !== 0 && virtual !== this.#lastTaken) {
      for (let i = 0; i < this.served; i++) if (this.servedAt(i).virtual === virtual) return true;
    }
    if (!this.#reserves) return false;
    for (let i = 0; i < this.pending; i++) if (this.pendingAt(i).virtual === virtual) return true;
    return false;
  }

  /** True for every byte of such a block: nobody has been given it yet. */
  hides(address: number): boolean {
    for (let i = 0; i < this.served; i++) if (covers(this.servedAt(i), address)) return true;
    if (!this.#reserves) return false;
    for (let i = 0; i < this.pending; i++) if (covers(this.pendingAt(i), address)) return true;
    return false;
  }

  #bring(from: number, to: number): void {
    const ring = this.#ring;
    const mask = this.#mask;
    const head = this.#head;
    const request = ring[(head + from) & mask] as PendingRequest;
    for (let i = from; i > to; i--) ring[(head + i) & mask] = ring[(head + i - 1) & mask] ?? null;
    ring[(head + to) & mask] = request;
  }

  #grow(): void {
    const size = this.#ring.length;
    const used = this.served + this.pending;
    const larger = Array.from({ length: 2 * size }, (_, i) => (i < used ? this.servedAt(i) : null));
    this.#ring = larger;
    this.#mask = 2 * size - 1;
    this.#head = 0;
  }
}

function covers({ virtual, lengthBytes }: PendingRequest, address: number): boolean {
  return virtual !== 0 && address >= virtual && address < virtual + lengthBytes;
}
