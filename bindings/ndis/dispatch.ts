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
 * This is the hot path: records are reused, the batch arrays are made once, nothing is allocated for a request.
 */
import type { VirtualAddress } from "../addresses.js";
import type { AllocationBatch, Failure, FailureReason } from "../core/api.js";
import { type AdapterRecord, HALTED, INITIALIZING, SHUTDOWN } from "./adapter.js";
import { pages } from "./blocks.js";
import type { NdisEnvironment } from "./environment.js";
import { DISPATCH_LEVEL, irqlName, type KIRQL, PASSIVE_LEVEL } from "./irql.js";
import type { NDIS_PHYSICAL_ADDRESS } from "./physical.js";
import type { MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE } from "./structures.js";
import { TAG_CACHED } from "./tag.js";

const NO_LIMIT: number = 2 ** 52 - 1;
const BELOW_4_GIB: number = 2 ** 32 - 1;
const COMPLETE = "MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE";

/** One asynchronous request. Reused: fields mean something only between acceptance and delivery. */
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
  /** What was served: 0 where out of memory, or not served yet. */
  virtual = 0;
  logical = 0;
  /** Taken at acceptance (choice C23). */
  reserved = false;
  /** An injected fault at the service. */
  failed = false;
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
    if (request.previous === null) this.first = request.next;
    else request.previous.next = request.next;
    if (request.next === null) this.last = request.previous;
    else request.next.previous = request.previous;
    request.previous = null;
    request.next = null;
    this.length--;
  }
}

/** Completion latency in simulated time. */
export interface LatencySummary {
  count: number;
  minNs: number;
  maxNs: number;
  sumNs: number;
}

export class Dispatcher {
  readonly #environment: NdisEnvironment;
  readonly #batchSize: number;
  readonly pending: RequestQueue = new RequestQueue();
  readonly served: RequestQueue = new RequestQueue();
  readonly #free: PendingRequest[] = [];
  readonly #chosen: PendingRequest[] = [];
  readonly #batch: AllocationBatch;
  /** Guard mode: which entries of the batch are guarded. */
  readonly #sampled: Uint8Array;
  /** Batches served, and requests in them. */
  batches = 0;
  batchedRequests = 0;
  readonly latency: LatencySummary = { count: 0, minNs: 0, maxNs: 0, sumNs: 0 };
  /** Called for each completion with its latency, where somebody keeps them. */
  onLatency: ((latencyNs: number) => void) | null = null;
  /** Why the last allocation through NDIS failed. */
  lastFailure: Failure | undefined;
  #sequence = 0;
  /** A completion handler is on the stack. */
  #delivering = false;
  /** Adapters whose completion handler is suspended (its promise has not settled). */
  readonly #busy: Set<AdapterRecord> = new Set();

  constructor(environment: NdisEnvironment, batchSize: number) {
    this.#environment = environment;
    this.#batchSize = batchSize;
    this.#sampled = new Uint8Array(batchSize);
    this.#batch = {
      count: 0,
      lengths: new Uint32Array(batchSize),
      highest: new Float64Array(batchSize),
      tags: new Uint32Array(batchSize),
      addresses: new Float64Array(batchSize),
      physicals: new Float64Array(batchSize),
    };
  }

  /** True while a completion handler of any adapter runs or is suspended. */
  get busy(): boolean {
    return this.#delivering || this.#busy.size > 0;
  }

  /** True while a completion handler is on the stack. */
  get delivering(): boolean {
    return this.#delivering;
  }

  /** Take a request. The caller has checked everything; false where the queue is full, or memory reserved now is not there. */
  accept(
    adapter: AdapterRecord,
    handler: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE,
    level: KIRQL,
    lengthBytes: number,
    cached: boolean,
    context: unknown,
  ): PendingRequest | null {
    const environment = this.#environment;
    if (this.pending.length + this.served.length >= environment.choices.pendingLimit) return null;
    const request = this.#free.pop() ?? new PendingRequest();
    request.adapter = adapter;
    request.handler = handler;
    request.lengthBytes = lengthBytes;
    request.cached = cached;
    request.context = context;
    request.sequence = ++this.#sequence;
    request.acceptedAtNs = environment.clock.nowNs;
    request.step = environment.step;
    request.level = level;
    request.virtual = 0;
    request.logical = 0;
    request.reserved = false;
    request.failed = false;
    if (environment.choices.memoryTaken === "accepted") {
      const virtual = this.allocateOne(adapter, lengthBytes, cached, "NdisMAllocateSharedMemoryAsyncEx", false);
      if (virtual === 0) {
        this.#recycle(request);
        return null;
      }
      request.virtual = virtual;
      request.logical = this.logicalOfLast;
      request.reserved = true;
    }
    adapter.accepted++;
    this.pending.push(request);
    return request;
  }

  /** Logical address of what `allocateOne` handed out last. */
  logicalOfLast = 0;

  /** Serve one request now: the synchronous path. Returns the virtual address, 0 where out of memory. */
  allocateOne(adapter: AdapterRecord, lengthBytes: number, cached: boolean, call: string, mayFault: boolean): number {
    const environment = this.#environment;
    this.logicalOfLast = 0;
    if (mayFault && environment.faults?.strikes("synchronous", adapter.number, lengthBytes) === true) {
      this.#fail("injected");
      return 0;
    }
    if (!this.withinLimits(adapter, lengthBytes)) return 0;
    environment.blocks.inspectSome(call);
    const sampled = environment.blocks.guard?.sample() === true;
    if (!this.#serveOne(adapter, lengthBytes, cached, sampled)) {
      if (!environment.blocks.giveWhatIsHeldBack() || !this.#serveOne(adapter, lengthBytes, cached, sampled)) {
        this.#outOfMemory(lengthBytes, sampled);
        return 0;
      }
    }
    const start = this.#batch.addresses[0] as number;
    const physical = this.#batch.physicals[0] as number;
    return this.#grant(adapter, start, physical, lengthBytes, call, sampled);
  }

  /** Ask the core for one block; false where it has none. */
  #serveOne(adapter: AdapterRecord, lengthBytes: number, cached: boolean, sampled: boolean): boolean {
    const environment = this.#environment;
    const coreBytes = environment.blocks.coreBytes(lengthBytes, sampled);
    if (coreBytes === 0) return false;
    const batch = this.#batch;
    batch.count = 1;
    this.#fillEntry(0, adapter, coreBytes, cached);
    environment.core.serveBatch(batch);
    return batch.addresses[0] !== 0;
  }

  /** A block from the core becomes the adapter's. Returns what the driver is given; its address for the device is in `logicalOfLast`. */
  #grant(
    adapter: AdapterRecord,
    start: number,
    physical: number,
    lengthBytes: number,
    call: string,
    sampled: boolean,
  ): number {
    const environment = this.#environment;
    const given = environment.blocks.granted(adapter, start, physical, lengthBytes, call, sampled);
    const { iommu } = environment;
    const first = physical + (given - start);
    this.logicalOfLast = iommu === null ? first : iommu.map(adapter.number, first, lengthBytes, "both");
    return given;
  }

  #outOfMemory(lengthBytes: number, sampled: boolean): void {
    const { core } = this.#environment;
    this.lastFailure = core.lastFailure;
    if (sampled && core.stats().largestFreeBytes >= lengthBytes) this.#fail("guard");
  }

  /**
   * One turn: the scheduler chooses, the core serves what it chose in one call, and the results wait for delivery.
   * Returns how many were served.
   */
  turn(): number {
    const environment = this.#environment;
    const chosen = this.#chosen;
    chosen.length = 0;
    const count = environment.scheduler.select(this.pending, this.#batchSize, chosen);
    if (count === 0) return 0;
    environment.step++;
    const batch = this.#batch;
    const { guard } = environment.blocks;
    if (guard !== null) environment.blocks.inspectSome("serve");
    let entries = 0;
    for (let i = 0; i < count; i++) {
      const request = chosen[i] as PendingRequest;
      const adapter = request.adapter as AdapterRecord;
      if (request.reserved) continue;
      if (environment.faults?.strikes("service", adapter.number, request.lengthBytes) === true) {
        this.#fail("injected");
        request.failed = true;
        if (environment.log !== null) environment.note(adapter, `injected #${request.sequence}`);
        continue;
      }
      if (!this.withinLimits(adapter, request.lengthBytes)) {
        request.failed = true;
        continue;
      }
      const sampled = guard?.sample() === true;
      const coreBytes = sampled ? environment.blocks.coreBytes(request.lengthBytes, true) : request.lengthBytes;
      if (coreBytes === 0) {
        this.#fail("guard");
        request.failed = true;
        continue;
      }
      this.#sampled[entries] = sampled ? 1 : 0;
      this.#fillEntry(entries++, adapter, coreBytes, request.cached);
      // Counted now, so that a later entry of this batch sees it; taken back below where the core had no room.
      adapter.liveBytes += request.lengthBytes;
    }
    if (environment.log !== null) environment.note(null, `serve ${count} in one call`);
    if (entries > 0) {
      batch.count = entries;
      environment.core.serveBatch(batch);
      this.batches++;
      this.batchedRequests += entries;
    }
    let entry = 0;
    let short = false;
    for (let i = 0; i < count; i++) {
      const request = chosen[i] as PendingRequest;
      const adapter = request.adapter as AdapterRecord;
      if (!request.reserved && !request.failed) {
        const start = batch.addresses[entry] as number;
        const physical = batch.physicals[entry] as number;
        const sampled = this.#sampled[entry] === 1;
        entry++;
        adapter.liveBytes -= request.lengthBytes;
        if (start !== 0) {
          request.virtual = this.#grant(adapter, start, physical, request.lengthBytes, COMPLETE, sampled);
          request.logical = this.logicalOfLast;
        } else {
          this.#outOfMemory(request.lengthBytes, sampled);
          short = true;
        }
      }
      this.served.push(request);
    }
    if (short && guard !== null) this.#serveAgain(count);
    return count;
  }

  /** Some had no room while blocks were held in quarantine: those go back to the core now, and the losers try once more. */
  #serveAgain(count: number): void {
    const { blocks } = this.#environment;
    if (!blocks.giveWhatIsHeldBack()) return;
    for (let i = 0; i < count; i++) {
      const request = this.#chosen[i] as PendingRequest;
      const adapter = request.adapter as AdapterRecord;
      if (request.virtual !== 0 || request.failed) continue;
      request.virtual = this.allocateOne(adapter, request.lengthBytes, request.cached, COMPLETE, false);
      request.logical = this.logicalOfLast;
    }
  }

  /** Deliver the next completion, if there is one that may be delivered now. */
  deliver(): boolean {
    const request = this.#deliverable();
    if (request === null) return false;
    const environment = this.#environment;
    const adapter = request.adapter as AdapterRecord;
    const handler = request.handler as MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE;
    const { lengthBytes, context, virtual, logical, level } = request;
    environment.step++;
    this.#measure(environment.clock.nowNs - request.acceptedAtNs);
    adapter.completed++;
    if (virtual === 0) adapter.completedNull++;
    if (environment.log !== null) {
      const result = virtual === 0 ? "null" : `0x${virtual.toString(16)} 0x${logical.toString(16)}`;
      environment.note(adapter, `complete #${request.sequence} ${lengthBytes} -> ${result}`);
    }
    this.served.remove(request);
    this.#recycle(request);
    const physical =
      virtual === 0 && environment.choices.failedPhysical === "null" ? null : (logical as NDIS_PHYSICAL_ADDRESS);
    this.#call(
      adapter,
      handler,
      level,
      virtual === 0 ? null : (virtual as VirtualAddress),
      physical,
      lengthBytes,
      context,
    );
    return true;
  }

  /** How many could be delivered if nothing were in the way. */
  get undelivered(): number {
    return this.served.length;
  }

  /** True for the start of a block that was served and whose completion has not been delivered (misuse E07). */
  isUndelivered(virtual: number): boolean {
    for (let request = this.served.first; request !== null; request = request.next) {
      if (request.virtual === virtual) return virtual !== 0;
    }
    if (this.#environment.choices.memoryTaken === "accepted") {
      for (let request = this.pending.first; request !== null; request = request.next) {
        if (request.virtual === virtual) return virtual !== 0;
      }
    }
    return false;
  }

  /** The adapter goes: its requests are dropped without a callback, what was served for them is freed. Returns them for the report. */
  drop(adapter: AdapterRecord): DroppedRequest[] {
    const dropped: DroppedRequest[] = [];
    this.#dropFrom(this.pending, adapter, dropped);
    this.#dropFrom(this.served, adapter, dropped);
    return dropped;
  }

  #dropFrom(queue: RequestQueue, adapter: AdapterRecord, dropped: DroppedRequest[]): void {
    const environment = this.#environment;
    for (let request = queue.first; request !== null; ) {
      const { next } = request;
      if (request.adapter === adapter) {
        queue.remove(request);
        adapter.dropped++;
        dropped.push({ sequence: request.sequence, lengthBytes: request.lengthBytes, step: request.step });
        if (environment.log !== null) environment.note(adapter, `drop #${request.sequence} ${request.lengthBytes}`);
        if (request.virtual !== 0) {
          environment.blocks.reclaim(adapter, request.virtual, request.lengthBytes, request.logical);
        }
        this.#recycle(request);
      }
      request = next;
    }
  }

  #deliverable(): PendingRequest | null {
    if (this.#delivering) return null;
    const { choices } = this.#environment;
    const overlap = choices.completionOverlap === "acrossAdapters";
    if (this.#busy.size > 0 && !overlap) return null;
    for (let request = this.served.first; request !== null; request = request.next) {
      const adapter = request.adapter as AdapterRecord;
      if (adapter.state === HALTED || adapter.state === SHUTDOWN || this.#busy.has(adapter)) continue;
      if (adapter.state === INITIALIZING && choices.completionDuringInitialize === "holdBack") continue;
      return request;
    }
    return null;
  }

  #call(
    adapter: AdapterRecord,
    handler: MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE,
    level: KIRQL,
    virtual: VirtualAddress | null,
    physical: NDIS_PHYSICAL_ADDRESS | null,
    lengthBytes: number,
    context: unknown,
  ): void {
    const environment = this.#environment;
    const { irql } = environment;
    const insideBefore = environment.inside;
    const adapterBefore = environment.insideAdapter;
    const machineBefore = environment.enter();
    const levelBefore = irql.enter(level);
    environment.inside = COMPLETE;
    environment.insideAdapter = adapter;
    this.#delivering = true;
    let result: unknown;
    let levelAfter = level;
    try {
      result = handler(adapter.context, virtual, physical, lengthBytes, context);
    } catch (error) {
      environment.contain(adapter, COMPLETE, error);
    } finally {
      this.#delivering = false;
      levelAfter = irql.current;
      irql.leave(levelBefore);
      environment.inside = insideBefore;
      environment.insideAdapter = adapterBefore;
      environment.leave(machineBefore);
    }
    const suspended = typeof result === "object" && result !== null && "then" in result;
    if (suspended) this.#follow(adapter, level, result as object);
    if (levelAfter !== level) environment.levelNotRestored(adapter, COMPLETE, level, levelAfter, suspended);
  }

  /** The handler is asynchronous: the next completion of its adapter waits (choice C22). */
  #follow(adapter: AdapterRecord, level: KIRQL, promise: object): void {
    const environment = this.#environment;
    this.#busy.add(adapter);
    environment.threads.adopt(adapter, COMPLETE, promise as PromiseLike<unknown>, (error, failed) => {
      this.#busy.delete(adapter);
      if (failed) environment.contain(adapter, COMPLETE, error);
    });
    if (level >= DISPATCH_LEVEL) {
      environment.violate(adapter, {
        rule: "NoWaitAtDispatch",
        code: "WRONG_IRQL",
        call: COMPLETE,
        message: `the handler suspended itself at ${irqlName(level)}`,
        value: level,
        unit: "IRQL",
      });
    }
  }

  #fillEntry(entry: number, adapter: AdapterRecord, lengthBytes: number, cached: boolean): void {
    const batch = this.#batch;
    batch.lengths[entry] = lengthBytes;
    batch.highest[entry] = adapter.dma === null || adapter.dma.addresses64 ? NO_LIMIT : BELOW_4_GIB;
    batch.tags[entry] = cached ? adapter.tag + TAG_CACHED : adapter.tag;
  }

  /** Quota and map registers (choice C33). */
  withinLimits(adapter: AdapterRecord, lengthBytes: number): boolean {
    const { quotaBytes } = adapter.limits;
    if (quotaBytes !== null && adapter.liveBytes + lengthBytes > quotaBytes) {
      this.#fail("quota");
      return false;
    }
    const { mapRegisters } = this.#environment.choices;
    if (mapRegisters !== null && adapter.mappedPages + pages(lengthBytes) > mapRegisters) {
      this.#fail("quota");
      return false;
    }
    return true;
  }

  #fail(reason: FailureReason): void {
    const stats = this.#environment.core.stats();
    this.lastFailure = { reason, freeBytes: stats.freeBytes, largestFreeBytes: stats.largestFreeBytes };
  }

  #measure(latencyNs: number): void {
    const { latency } = this;
    if (latency.count === 0 || latencyNs < latency.minNs) latency.minNs = latencyNs;
    if (latencyNs > latency.maxNs) latency.maxNs = latencyNs;
    latency.sumNs += latencyNs;
    latency.count++;
    if (this.onLatency !== null) this.onLatency(latencyNs);
  }

  #recycle(request: PendingRequest): void {
    // The context may be large: the record must not keep it alive.
    request.context = null;
    request.adapter = null;
    request.handler = null;
    this.#free.push(request);
  }
}

/** A request that was dropped, for reports. */
export interface DroppedRequest {
  readonly sequence: number;
  readonly lengthBytes: number;
  /** Step at which it was accepted. */
  readonly step: number;
}
