/**
 * Asynchronous requests: the record of one, and the two places where records wait.
 *
 * Records are reused and linked through their own fields, so that a request costs no allocation. `RequestQueue` keeps them
 * in order of acceptance and lets a scheduler take any of them; `ServedQueue` keeps what the core has answered until it is
 * delivered, nearly always from the front.
 */
import type { AdapterRecord } from "./adapter.js";
import { type KIRQL, PASSIVE_LEVEL } from "./irql.js";
import type { MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE } from "./structures.js";

/** How far a request is: to be served, reserved at acceptance (choice C23), or failed before the core was asked. */
export const WAITING = 0;
export const RESERVED = 1;
export const FAILED = 2;

/** One asynchronous request. Fields mean something only between acceptance and delivery. */
export class PendingRequest {
  adapter: AdapterRecord | null = null;
  handler: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE | null = null;
  lengthBytes = 0;
  cached = false;
  context: unknown = null;
  /** Order of acceptance in the machine, from 1. */
  sequence = 0;
  acceptedAtNs = 0;
  /** Step of the event log at which it was accepted. */
  step = 0;
  /** Level of the callback. */
  level: KIRQL = PASSIVE_LEVEL;
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

/** Requests that were served and not delivered, in order of service. */
export class ServedQueue {
  readonly #entries: PendingRequest[] = [];
  #head = 0;
  /** How many undelivered blocks fall into each bucket: most frees learn here that theirs is none of them. */
  readonly #buckets: Uint16Array = new Uint16Array(BUCKETS);

  get length(): number {
    return this.#entries.length - this.#head;
  }

  /** Number `index` from the front, 0 to `length` - 1. */
  at(index: number): PendingRequest {
    return this.#entries[this.#head + index] as PendingRequest;
  }

  push(request: PendingRequest): void {
    if (request.virtual !== 0) this.#count(request.virtual, 1);
    this.#entries.push(request);
  }

  /** Take number `index` out. */
  take(index: number): PendingRequest {
    const request = this.at(index);
    if (request.virtual !== 0) this.#count(request.virtual, -1);
    if (index > 0) this.#entries.splice(this.#head + index, 1);
    else if (++this.#head === this.#entries.length) {
      this.#entries.length = 0;
      this.#head = 0;
    }
    return request;
  }

  /** True for the start of a block that waits for its delivery. */
  holds(virtual: number): boolean {
    if (this.#buckets[bucketOf(virtual)] === 0 || virtual === 0) return false;
    for (let i = this.#head; i < this.#entries.length; i++) {
      if ((this.#entries[i] as PendingRequest).virtual === virtual) return true;
    }
    return false;
  }

  #count(virtual: number, by: 1 | -1): void {
    const bucket = bucketOf(virtual);
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + by;
  }
}
