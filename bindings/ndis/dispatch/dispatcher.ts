/**
 * The dispatcher: asynchronous requests from acceptance to completion.
 *
 *   AsyncEx --accept--> pending ..scheduler chooses..> batch --one call--> core
 *                                                        |
 *   driver's handler <--deliver, one at a time-- served <+
 *
 * The core serves a whole batch before the first handler runs, and no handler ever runs inside the call that asked
 * (choice C19; the schedule `racing` does so on purpose). Each accepted request is called back exactly once, or dropped
 * when its adapter goes: accepted = completed + pending + dropped (misuse L08).
 *
 * This is the hot path: records are reused, and what brackets a handler is set up once for a row of completions.
 */
import type { VirtualAddress } from "../../addresses.js";
import type { Failure } from "../../core/api.js";
import { PASSIVE_LEVEL } from "../documented/irql.js";
import type { NDIS_PHYSICAL_ADDRESS } from "../documented/physical.js";
import { Supply } from "../memory/allocation.js";
import { type PendingRequest, RESERVED, RequestRing, type RequestSource, WAITING } from "../records/requests.js";
import { cachedOfTag } from "../records/tag.js";
import { type AdapterRecord, HALTED, INITIALIZING, SHUTDOWN } from "../routines/attributes.js";
import type { NdisEnvironment } from "./environment.js";

const COMPLETE = "MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE";

/** Completion latency in simulated time. */
export interface LatencySummary {
  count: number;
  minNs: number;
  maxNs: number;
  sumNs: number;
}

/** A request that was dropped, for reports. */
export interface DroppedRequest {
  readonly sequence: number;
  readonly lengthBytes: number;
  /** Step at which it was accepted. */
  readonly step: number;
}

export class Dispatcher {
  readonly ring: RequestRing = new RequestRing();
  readonly supply: Supply;
  readonly latency: LatencySummary = { count: 0, minNs: 0, maxNs: 0, sumNs: 0 };
  /** Called for each completion with its latency, where somebody keeps them. */
  onLatency: ((latencyNs: number) => void) | null = null;
  readonly #environment: NdisEnvironment;
  readonly #batchSize: number;
  readonly #pendingLimit: number;
  /** Choice C23. */
  readonly #reserves: boolean;
  #sequence = 0;
  /** A completion handler is on the stack. */
  #delivering = false;
  /** Adapters whose completion handler is suspended (its promise has not settled). */
  readonly #busy: Set<AdapterRecord> = new Set();

  constructor(environment: NdisEnvironment, batchSize: number) {
    this.#environment = environment;
    this.#batchSize = batchSize;
    this.#pendingLimit = environment.choices.pendingLimit;
    this.#reserves = environment.choices.memoryTaken === "accepted";
    this.supply = new Supply(environment, batchSize);
  }

  /** True while a completion handler of any adapter runs or is suspended. */
  get busy(): boolean {
    return this.#delivering || this.#busy.size > 0;
  }

  /** True while a completion handler is on the stack. */
  get delivering(): boolean {
    return this.#delivering;
  }

  /** How many could be delivered if nothing were in the way. */
  get undelivered(): number {
    return this.ring.served;
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.ring.pending;
  }

  /** Why the last allocation through NDIS failed. */
  get lastFailure(): Failure | undefined {
    return this.supply.lastFailure;
  }

  /** Batches served so far. */
  get batches(): number {
    return this.supply.batches;
  }

  /** Take a request that was checked in full; null where the queue is full, or memory to be reserved now is not there. */
  accept(source: RequestSource, lengthBytes: number, tag: number, context: unknown): PendingRequest | null {
    const { ring } = this;
    if (ring.served + ring.pending >= this.#pendingLimit) return null;
    const environment = this.#environment;
    const request = ring.next();
    request.source = source;
    request.context = context;
    request.lengthBytes = lengthBytes;
    request.tag = tag;
    request.sequence = ++this.#sequence;
    request.acceptedAtNs = environment.clock.nowNs;
    request.step = environment.step;
    request.phase = WAITING;
    request.virtual = 0;
    if (this.#reserves && !this.#reserve(request, source.adapter)) return null;
    ring.commit();
    source.adapter.accepted++;
    return request;
  }

  /** Choice C23: the memory is taken at acceptance. */
  #reserve(request: PendingRequest, adapter: AdapterRecord): boolean {
    const { lengthBytes, tag } = request;
    const call = "NdisMAllocateSharedMemoryAsyncEx";
    request.virtual = this.supply.one(adapter, lengthBytes, cachedOfTag(tag), call, "none");
    request.logical = this.supply.logicalOfLast;
    request.phase = RESERVED;
    if (request.virtual !== 0) return true;
    forget(request);
    return false;
  }

  /**
   * One turn: the scheduler chooses, the core serves what it chose in one call, and the results wait for delivery.
   * Returns how many were served.
   */
  turn(): number {
    const environment = this.#environment;
    const { ring } = this;
    if (ring.pending === 0) return 0;
    const count = environment.scheduler.select(ring, Math.min(this.#batchSize, ring.pending));
    if (count === 0) return 0;
    environment.step++;
    if (environment.log !== null) environment.note(null, `serve ${count} in one call`);
    this.supply.many(ring, count);
    ring.advance(count);
    return count;
  }

  /** Deliver the next completion, if there is one that may be delivered now. */
  deliver(): boolean {
    return this.deliverSome(1) === 1;
  }

  /** Deliver up to `limit` completions, one after the other; fewer as soon as a thread can go on. Returns how many. */
  deliverSome(limit: number): number {
    if (this.#delivering) return 0;
    let index = this.#deliverable();
    if (index < 0) return 0;
    const environment = this.#environment;
    const { irql, threads } = environment;
    const insideBefore = environment.inside;
    const adapterBefore = environment.insideAdapter;
    const machineBefore = environment.enter();
    let done = 0;
    const { ring } = this;
    let level = ring.servedAt(index).source?.level ?? PASSIVE_LEVEL;
    const levelBefore = irql.enter(level);
    this.#delivering = true;
    environment.inside = COMPLETE;
    try {
      do {
        const request = ring.takeServed(index);
        const source = request.source as RequestSource;
        if (source.level !== level) {
          level = source.level;
          irql.leave(level);
        }
        environment.insideAdapter = source.adapter;
        const result = this.#call(request, source);
        done++;
        const suspended = typeof result === "object" && result !== null && "then" in result;
        if (suspended) this.#follow(source.adapter, result);
        const levelAfter = irql.current;
        if (levelAfter !== level) {
          irql.leave(level);
          environment.levelNotRestored(source.adapter, COMPLETE, level, levelAfter, suspended);
        }
        index = done < limit && !threads.runnable ? this.#deliverable() : -1;
      } while (index >= 0);
    } finally {
      this.#delivering = false;
      irql.leave(levelBefore);
      environment.inside = insideBefore;
      environment.insideAdapter = adapterBefore;
      environment.leave(machineBefore);
    }
    return done;
  }

  /** Call one handler; what it throws is contained (choice C24). */
  #call(request: PendingRequest, source: RequestSource): unknown {
    const environment = this.#environment;
    const { adapter } = source;
    const { lengthBytes, context, virtual, logical } = request;
    environment.step++;
    this.#measure(environment.clock.nowNs - request.acceptedAtNs);
    adapter.completed++;
    if (environment.log !== null) this.#noteCompletion(request, adapter);
    forget(request);
    try {
      if (virtual !== 0) {
        return source.handler(
          adapter.context,
          virtual as VirtualAddress,
          logical as NDIS_PHYSICAL_ADDRESS,
          lengthBytes,
          context,
        );
      }
      adapter.completedNull++;
      const nothing = environment.choices.failedPhysical === "null" ? null : (0 as NDIS_PHYSICAL_ADDRESS);
      return source.handler(adapter.context, null, nothing, lengthBytes, context);
    } catch (error) {
      environment.contain(adapter, COMPLETE, error);
      return undefined;
    }
  }

  #noteCompletion(request: PendingRequest, adapter: AdapterRecord): void {
    const { virtual, logical, sequence, lengthBytes } = request;
    const result = virtual === 0 ? "null" : `0x${virtual.toString(16)} 0x${logical.toString(16)}`;
    this.#environment.note(adapter, `complete #${sequence} ${lengthBytes} -> ${result}`);
  }

  /** True for the start of a block that was served and whose completion has not been delivered (misuse E07). */
  isUndelivered(virtual: number): boolean {
    if (this.ring.holds(virtual)) return true;
    if (!this.#reserves || virtual === 0) return false;
    for (let i = 0; i < this.ring.pending; i++) if (this.ring.pendingAt(i).virtual === virtual) return true;
    return false;
  }

  /** True for every byte of such a block: nobody has been given it yet. */
  hides(address: number): boolean {
    const { ring } = this;
    for (let i = 0; i < ring.served; i++) if (covers(ring.servedAt(i), address)) return true;
    if (!this.#reserves) return false;
    for (let i = 0; i < ring.pending; i++) if (covers(ring.pendingAt(i), address)) return true;
    return false;
  }

  /** The requests of an adapter that have not been called back, for reports. */
  requestsOf(adapter: AdapterRecord): DroppedRequest[] {
    const { ring } = this;
    const found: DroppedRequest[] = [];
    const look = (request: PendingRequest): void => {
      const { sequence, lengthBytes, step } = request;
      if (request.source?.adapter === adapter) found.push({ sequence, lengthBytes, step });
    };
    for (let i = 0; i < ring.served; i++) look(ring.servedAt(i));
    for (let i = 0; i < ring.pending; i++) look(ring.pendingAt(i));
    return found;
  }

  /** The adapter goes: its requests are dropped without a callback, what was served for them is freed. Returns them for the report. */
  drop(adapter: AdapterRecord): DroppedRequest[] {
    const { ring } = this;
    const dropped: DroppedRequest[] = [];
    for (let i = 0; i < ring.pending; ) {
      if (ring.pendingAt(i).source?.adapter === adapter) dropped.push(this.#dropOne(ring.takePending(i), adapter));
      else i++;
    }
    for (let i = 0; i < ring.served; ) {
      if (ring.servedAt(i).source?.adapter === adapter) dropped.push(this.#dropOne(ring.takeServed(i), adapter));
      else i++;
    }
    return dropped;
  }

  #dropOne(request: PendingRequest, adapter: AdapterRecord): DroppedRequest {
    const environment = this.#environment;
    const { sequence, lengthBytes, step, virtual, logical } = request;
    adapter.dropped++;
    if (environment.log !== null) environment.note(adapter, `drop #${sequence} ${lengthBytes}`);
    if (virtual !== 0) environment.blocks.reclaim(adapter, virtual, lengthBytes, logical);
    forget(request);
    return { sequence, lengthBytes, step };
  }

  /** Which of the served may be delivered now; -1 for none. */
  #deliverable(): number {
    const { ring } = this;
    const length = ring.served;
    if (length === 0) return -1;
    const { choices } = this.#environment;
    const anyBusy = this.#busy.size > 0;
    if (anyBusy && choices.completionOverlap === "serial") return -1;
    for (let index = 0; index < length; index++) {
      const { adapter } = ring.servedAt(index).source as RequestSource;
      const { state } = adapter;
      if (state === HALTED || state === SHUTDOWN || (anyBusy && this.#busy.has(adapter))) continue;
      if (state === INITIALIZING && choices.completionDuringInitialize === "holdBack") continue;
      return index;
    }
    return -1;
  }

  /** The handler is asynchronous: the next completion of its adapter waits (choice C22). */
  #follow(adapter: AdapterRecord, promise: object): void {
    const environment = this.#environment;
    this.#busy.add(adapter);
    environment.threads.adopt(adapter, COMPLETE, promise as PromiseLike<unknown>, (error, failed) => {
      this.#busy.delete(adapter);
      if (failed) environment.contain(adapter, COMPLETE, error);
    });
  }

  #measure(latencyNs: number): void {
    const { latency } = this;
    if (latency.count === 0 || latencyNs < latency.minNs) latency.minNs = latencyNs;
    if (latencyNs > latency.maxNs) latency.maxNs = latencyNs;
    latency.sumNs += latencyNs;
    latency.count++;
    if (this.onLatency !== null) this.onLatency(latencyNs);
  }
}

/** The context may be large: a record that waits to be used again must not keep it alive. */
function forget(request: PendingRequest): void {
  request.context = null;
  request.source = null;
}

function covers({ virtual, lengthBytes }: PendingRequest, address: number): boolean {
  return virtual !== 0 && address >= virtual && address < virtual + lengthBytes;
}
