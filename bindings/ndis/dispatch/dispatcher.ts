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
import { hex, type VirtualAddress } from "../../addresses.js";
import type { Failure } from "../../core/api.js";
import type { NdisChoices } from "../choices/choices.js";
import { type KIRQL, PASSIVE_LEVEL } from "../documented/irql.js";
import type { NDIS_PHYSICAL_ADDRESS } from "../documented/physical.js";
import type { AllocationService } from "../memory/allocation-service.js";
import type { Blocks } from "../memory/blocks.js";
import { type AdapterRecord, HALTED, INITIALIZING, SHUTDOWN } from "../records/adapter.js";
import type { CompletionTarget } from "../records/dma.js";
import type { Clock, Scheduler, Threads } from "../records/host.js";
import type { Reporter } from "../records/reporter.js";
import { type DroppedRequest, type PendingRequest, RESERVED, type RequestRing, WAITING } from "../records/requests.js";
import { cachedOfTag } from "../records/tag.js";
import { type Callbacks, isPromise } from "../verifier/callbacks.js";

const COMPLETE = "MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE";

/** Completion latency in simulated time. */
export interface LatencySummary {
  count: number;
  minNs: number;
  maxNs: number;
  sumNs: number;
}

/** What the dispatcher needs of its machine. */
export interface DispatcherParts {
  readonly choices: NdisChoices;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly threads: Threads;
  readonly reporter: Reporter;
  readonly callbacks: Callbacks;
  readonly ring: RequestRing;
  readonly blocks: Blocks;
  readonly allocationService: AllocationService;
}

export class Dispatcher {
  readonly ring: RequestRing;
  readonly latency: LatencySummary = { count: 0, minNs: 0, maxNs: 0, sumNs: 0 };
  /** Called for each completion with its latency, where somebody keeps them. */
  onLatency: ((latencyNs: number) => void) | null = null;
  readonly #parts: DispatcherParts;
  readonly #batchSize: number;
  readonly #pendingLimit: number;
  /** Choice C23. */
  readonly #reserves: boolean;
  #sequence = 0;
  /** A completion handler is on the stack. */
  #delivering = false;
  /** Adapters whose completion handler is suspended (its promise has not settled). */
  readonly #busy: Set<AdapterRecord> = new Set();

  constructor(parts: DispatcherParts, batchSize: number) {
    this.#parts = parts;
    this.ring = parts.ring;
    this.#batchSize = batchSize;
    this.#pendingLimit = parts.choices.pendingLimit;
    this.#reserves = parts.choices.memoryTaken === "accepted";
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
    return this.#parts.allocationService.lastFailure;
  }

  /** Batches served so far. */
  get batches(): number {
    return this.#parts.allocationService.batches;
  }

  /** Take a request that was checked in full; null where the queue is full, or memory to be reserved now is not there. */
  accept(
    adapter: AdapterRecord,
    target: CompletionTarget,
    lengthBytes: number,
    tag: number,
    context: unknown,
  ): PendingRequest | null {
    const { ring } = this;
    if (ring.served + ring.pending >= this.#pendingLimit) return null;
    const { clock, reporter } = this.#parts;
    const request = ring.next();
    request.adapter = adapter;
    request.target = target;
    request.context = context;
    request.lengthBytes = lengthBytes;
    request.tag = tag;
    request.sequence = ++this.#sequence;
    request.acceptedAtNs = clock.nowNs;
    request.step = reporter.step;
    request.phase = WAITING;
    request.virtual = 0;
    if (this.#reserves && !this.#reserve(request, adapter)) return null;
    ring.commit(request);
    adapter.accepted++;
    return request;
  }

  /** Choice C23: the memory is taken at acceptance. */
  #reserve(request: PendingRequest, adapter: AdapterRecord): boolean {
    const { lengthBytes, tag } = request;
    const call = "NdisMAllocateSharedMemoryAsyncEx";
    const { allocationService } = this.#parts;
    request.virtual = allocationService.allocateOne(adapter, lengthBytes, cachedOfTag(tag), call, "none");
    request.logical = allocationService.logicalOfLast;
    request.phase = RESERVED;
    if (request.virtual !== 0) return true;
    this.#forget(request);
    return false;
  }

  /**
   * One turn: the scheduler chooses, the core serves what it chose in one call, and the results wait for delivery.
   * Returns how many were served.
   */
  turn(): number {
    const { reporter, scheduler, allocationService } = this.#parts;
    const { ring } = this;
    if (ring.pending === 0) return 0;
    const count = scheduler.select(ring, Math.min(this.#batchSize, ring.pending));
    if (count === 0) return 0;
    reporter.step++;
    if (reporter.log !== null) reporter.note(null, `serve ${count} in one call`);
    allocationService.serveBatch(ring, count);
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
    const { callbacks, reporter, threads } = this.#parts;
    const { irql } = reporter;
    const { ring } = this;
    let done = 0;
    let level: KIRQL = ring.servedAt(index).target?.level ?? PASSIVE_LEVEL;
    callbacks.enter(COMPLETE, null, level);
    this.#delivering = true;
    try {
      do {
        const request = ring.takeServed(index);
        const adapter = request.adapter as AdapterRecord;
        const target = request.target as CompletionTarget;
        if (target.level !== level) {
          level = target.level;
          irql.restoreLevel(level);
        }
        callbacks.adapter = adapter;
        const result = this.#call(request, adapter, target);
        done++;
        const suspended = isPromise(result);
        if (suspended) this.#follow(adapter, result);
        const levelAfter = irql.current;
        if (levelAfter !== level || (suspended && level !== PASSIVE_LEVEL)) {
          irql.restoreLevel(level);
          callbacks.checkLevel(adapter, COMPLETE, level, levelAfter, suspended);
        }
        index = done < limit && !threads.runnable ? this.#deliverable() : -1;
      } while (index >= 0);
    } finally {
      this.#delivering = false;
      callbacks.leave();
    }
    return done;
  }

  /** Call one handler; what it throws is contained (choice C24). */
  #call(request: PendingRequest, adapter: AdapterRecord, target: CompletionTarget): unknown {
    const { choices, clock, reporter } = this.#parts;
    const { lengthBytes, context, virtual, logical } = request;
    reporter.step++;
    this.#measure(clock.nowNs - request.acceptedAtNs);
    adapter.completed++;
    if (reporter.log !== null) this.#noteCompletion(request, adapter);
    this.#forget(request);
    try {
      if (virtual !== 0) {
        return target.handler(
          adapter.context,
          virtual as VirtualAddress,
          logical as NDIS_PHYSICAL_ADDRESS,
          lengthBytes,
          context,
        );
      }
      adapter.completedNull++;
      const nothing = choices.failedPhysical === "null" ? null : (0 as NDIS_PHYSICAL_ADDRESS);
      return target.handler(adapter.context, null, nothing, lengthBytes, context);
    } catch (error) {
      reporter.contain(adapter, COMPLETE, error);
      return undefined;
    }
  }

  #noteCompletion(request: PendingRequest, adapter: AdapterRecord): void {
    const { virtual, logical, sequence, lengthBytes } = request;
    const result = virtual === 0 ? "null" : `${hex(virtual)} ${hex(logical)}`;
    this.#parts.reporter.note(adapter, `complete #${sequence} ${lengthBytes} -> ${result}`);
  }

  /** The requests of an adapter that have not been called back, for reports. */
  requestsOf(adapter: AdapterRecord): DroppedRequest[] {
    const { ring } = this;
    const found: DroppedRequest[] = [];
    const look = (request: PendingRequest): void => {
      const { sequence, lengthBytes, step } = request;
      if (request.adapter === adapter) found.push({ sequence, lengthBytes, step });
    };
    for (let i = 0; i < ring.served; i++) look(ring.servedAt(i));
    for (let i = 0; i < ring.pending; i++) look(ring.pendingAt(i));
    return found;
  }

  /** The adapter goes: its requests are dropped without a callback, what was served for them is freed. Returns them for the report. */
  drop(adapter: AdapterRecord): DroppedRequest[] {
    return this.ring.takeAllOf(adapter).map((request) => this.#dropOne(request, adapter));
  }

  #dropOne(request: PendingRequest, adapter: AdapterRecord): DroppedRequest {
    const { blocks, reporter } = this.#parts;
    const { sequence, lengthBytes, step, virtual, logical } = request;
    adapter.dropped++;
    if (reporter.log !== null) reporter.note(adapter, `drop #${sequence} ${lengthBytes}`);
    if (virtual !== 0) blocks.reclaim(adapter, virtual, lengthBytes, logical);
    this.#forget(request);
    return { sequence, lengthBytes, step };
  }

  /** Which of the served may be delivered now; -1 for none. */
  #deliverable(): number {
    const { ring } = this;
    const length = ring.served;
    if (length === 0) return -1;
    const { choices } = this.#parts;
    const anyBusy = this.#busy.size > 0;
    if (anyBusy && choices.completionOverlap === "serial") return -1;
    for (let index = 0; index < length; index++) {
      const adapter = ring.servedAt(index).adapter as AdapterRecord;
      const { state } = adapter;
      if (state === HALTED || state === SHUTDOWN || (anyBusy && this.#busy.has(adapter))) continue;
      if (state === INITIALIZING && choices.completionDuringInitialize === "holdBack") continue;
      return index;
    }
    return -1;
  }

  /** The handler is asynchronous: the next completion of its adapter waits (choice C22). */
  #follow(adapter: AdapterRecord, promise: object): void {
    const { reporter, threads } = this.#parts;
    this.#busy.add(adapter);
    threads.adopt(adapter, COMPLETE, promise as PromiseLike<unknown>, (error, failed) => {
      this.#busy.delete(adapter);
      if (failed) reporter.contain(adapter, COMPLETE, error);
    });
  }

  /** The context may be large: a record that waits to be used again must not keep it alive. */
  #forget(request: PendingRequest): void {
    request.context = null;
    request.adapter = null;
    request.target = null;
    this.ring.recycle(request);
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
