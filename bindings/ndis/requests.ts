/**
 * Asynchronous requests: the record of one, and the two places where records wait.
 *
 * Records are reused and linked through their own fields, so that a request costs no allocation. `RequestQueue` keeps them
 * in order of acceptance and lets a scheduler take any of them; `ServedQueue` keeps what the core has answered until it is
 * delivered, nearly always from the front.
 */
import type { AdapterRecord } from "./adapter.js";
import type { KIRQL } from "./irql.js";
import type { MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE } from "./structures.js";

/** How far a request is: to be served, reserved at acceptance (choice C23), or failed before the core was asked. */
export const WAITING = 0;
export const RESERVED = 1;
export const FAILED = 2;

/** Who asks, and how the answer is to come: one for each registration and level, shared by all its requests. */
export class RequestSource {
  readonly adapter: AdapterRecord;
  readonly handler: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE;
  /** Level of the callback. */
  readonly level: KIRQL;

  constructor(adapter: AdapterRecord, handler: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE, level: KIRQL) {
    this.adapter = adapter;
    this.handler = handler;
    this.level = level;
  }
}

/** One asynchronous request. Fields mean something only between acceptance and delivery. */
export class PendingRequest {
  source: RequestSource | null = null;
  lengthBytes = 0;
  /** Tag of the block: adapter and cached flag. */
  tag = 0;
  context: unknown = null;
  /** Order of acceptance in the machine, from 1. */
  sequence = 0;
  acceptedAtNs = 0;
  /** Step of the event log at which it was accepted. */
  step = 0;
  phase: 0 | 1 | 2 = WAITING;
  /** What was served: 0 where out of memory, or not served yet. */
  virtual = 0;
  logical = 0;
  previous: PendingRequest | null = null;
  next: PendingRequest | null = null;
}

/** Pending requests in order of acceptance: a doubly linked list through the records. */
export class RequestQueue {
  first: PendingRequest | null = null;
  last: PendingRequest | null = null;
  length = 0;

  push(request: PendingRequest): void {
    request.previous = this.last;
    request.next = null;
    if (this.last === null) this.first = request;
    else this.last.next = request;
    this.last = request;
    this.length++;
  }

  /** Take up to `limit` from the front into `chosen`; returns how many. Cheaper than one `remove` for each. */
  takeFirst(limit: number, chosen: PendingRequest[]): number {
    const count = Math.min(limit, this.length);
    let request = this.first;
    for (let i = 0; i < count && request !== null; i++) {
      chosen[i] = request;
      request = request.next;
    }
    this.first = request;
    if (request === null) this.last = null;
    else request.previous = null;
    this.length -= count;
    return count;
  }

  remove(request: PendingRequest): void {
    const { previous, next } = request;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.last = previous;
    else next.previous = previous;
    request.previous = null;
    request.next = null;
    this.length--;
  }
}

/** One bucket for each of 256 neighbouring pages; more than one block may share a bucket. */
const BUCKETS = 256;

function bucketOf(virtual: number): number {
  return ((virtual / 4096) >>> 0) & (BUCKETS - 1);
}

/** Requests that were served and not delivered, in order of service: a ring that grows. */
export class ServedQueue {
  #ring: (PendingRequest | null)[] = new Array<PendingRequest | null>(64).fill(null);
  #head = 0;
  #length = 0;
  /** How many undelivered blocks fall into each bucket: most frees learn here that theirs is none of them. */
  readonly #buckets: Uint16Array = new Uint16Array(BUCKETS);

  get length(): number {
    return this.#length;
  }

  /** Number `index` from the front, 0 to `length` - 1. */
  at(index: number): PendingRequest {
    return this.#ring[(this.#head + index) & (this.#ring.length - 1)] as PendingRequest;
  }

  push(request: PendingRequest): void {
    const { virtual } = request;
    if (virtual !== 0) {
      const bucket = bucketOf(virtual);
      this.#buckets[bucket] = (this.#buckets[bucket] as number) + 1;
    }
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = request;
    this.#length++;
  }

  /** Take number `index` out. */
  take(index: number): PendingRequest {
    const request = this.at(index);
    const { virtual } = request;
    if (virtual !== 0) {
      const bucket = bucketOf(virtual);
      this.#buckets[bucket] = (this.#buckets[bucket] as number) - 1;
    }
    const mask = this.#ring.length - 1;
    // Those before it move back by one: none where it is the first, as nearly always.
    for (let i = index; i > 0; i--)
      this.#ring[(this.#head + i) & mask] = this.#ring[(this.#head + i - 1) & mask] ?? null;
    this.#head = (this.#head + 1) & mask;
    this.#length--;
    return request;
  }

  /** True for the start of a block that waits for its delivery. */
  holds(virtual: number): boolean {
    if (this.#buckets[bucketOf(virtual)] === 0 || virtual === 0) return false;
    for (let i = 0; i < this.#length; i++) if (this.at(i).virtual === virtual) return true;
    return false;
  }

  #grow(): void {
    const larger = new Array<PendingRequest | null>(2 * this.#ring.length).fill(null);
    for (let i = 0; i < this.#length; i++) larger[i] = this.at(i);
    this.#ring = larger;
    this.#head = 0;
  }
}
