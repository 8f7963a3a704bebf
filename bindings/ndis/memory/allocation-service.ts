/**
 * The allocation service: from requests to memory. One call into the core for a batch of them, one for a synchronous allocation.
 *
 * The arrays that cross the seam are made once. Quotas, map registers (choice C33), injected failures and guard mode decide
 * here whether the core is asked at all, and for how much.
 */
import type { AllocationBatch, CoreApi, Failure, FailureReason } from "../../core/api.js";
import type { NdisChoices } from "../choices/choices.js";
import type { AdapterRecord } from "../records/adapter.js";
import type { FaultPlan, LogicalMap } from "../records/host.js";
import type { Reporter } from "../records/reporter.js";
import { FAILED, type RequestRing, WAITING } from "../records/requests.js";
import { cachedOfTag, tagOf } from "../records/tag.js";
import { type Blocks, pages } from "./blocks.js";

/** What the allocations of a machine need of it. */
export interface AllocationParts {
  readonly core: CoreApi;
  readonly blocks: Blocks;
  readonly choices: NdisChoices;
  readonly iommu: LogicalMap | null;
  readonly reporter: Reporter;
  /** May be replaced between calls. */
  readonly faults: FaultPlan | null;
}

const COMPLETE = "MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE";

export class AllocationService {
  readonly #parts: AllocationParts;
  readonly #batch: AllocationBatch;
  /** Guard mode: which entries of the batch are guarded. */
  readonly #sampled: Uint8Array;
  /** The device's address of what was handed out last. */
  logicalOfLast = 0;
  /** Why the last allocation through NDIS failed. */
  lastFailure: Failure | undefined;
  /** Batches served, and requests in them. */
  batches = 0;
  batchedRequests = 0;

  constructor(parts: AllocationParts, batchSize: number) {
    this.#parts = parts;
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

  /** Serve one request now. Returns what the driver is given, 0 where out of memory; `point`: where a fault may strike. */
  allocateOne(
    adapter: AdapterRecord,
    lengthBytes: number,
    cached: boolean,
    call: string,
    point: "synchronous" | "none",
  ): number {
    const { blocks, faults } = this.#parts;
    this.logicalOfLast = 0;
    if (point === "synchronous" && faults?.strikes(point, adapter.number, lengthBytes) === true) {
      this.#fail("injected");
      return 0;
    }
    if (!this.withinLimits(adapter, lengthBytes)) return 0;
    blocks.bytes.assertReachable();
    blocks.inspectSome(call);
    const sampled = blocks.guard?.sample() === true;
    if (!this.#ask(adapter, lengthBytes, cached, sampled)) {
      if (!blocks.drainQuarantine() || !this.#ask(adapter, lengthBytes, cached, sampled)) {
        this.#outOfMemory(lengthBytes, sampled);
        return 0;
      }
    }
    const { addresses, physicals } = this.#batch;
    return this.#grant(adapter, addresses[0] as number, physicals[0] as number, lengthBytes, call, sampled);
  }

  /** Serve the first `count` pending requests in one call into the core: `virtual` and `logical` of each are set afterwards. */
  serveBatch(ring: RequestRing, count: number): void {
    const parts = this.#parts;
    const { blocks, faults } = parts;
    const { guard } = blocks;
    blocks.bytes.assertReachable();
    if (guard !== null) blocks.inspectSome("serve");
    const limited = parts.choices.mapRegisters !== null;
    let entries = 0;
    for (let i = 0; i < count; i++) {
      const request = ring.pendingAt(i);
      if (request.phase !== WAITING) continue;
      const adapter = request.adapter as AdapterRecord;
      const { lengthBytes } = request;
      if (faults?.strikes("service", adapter.number, lengthBytes) === true) {
        this.#fail("injected");
        request.phase = FAILED;
        if (parts.reporter.log !== null) parts.reporter.note(adapter, `injected #${request.sequence}`);
        continue;
      }
      const bound = limited || adapter.limits.quotaBytes !== null;
      const sampled = guard?.sample() === true;
      const coreBytes = sampled ? blocks.coreBytes(lengthBytes, true) : lengthBytes;
      if ((bound && !this.withinLimits(adapter, lengthBytes)) || coreBytes === 0) {
        if (coreBytes === 0) this.#fail("guard");
        request.phase = FAILED;
        continue;
      }
      if (guard !== null) this.#sampled[entries] = sampled ? 1 : 0;
      this.#fillEntry(entries++, adapter, coreBytes, request.tag);
      // Counted now, so that a later entry of this batch sees it; taken back when the answers are read.
      if (bound) this.#count(adapter, lengthBytes, 1);
    }
    if (entries > 0) {
      this.#batch.count = entries;
      parts.core.serveBatch(this.#batch);
      this.batches++;
      this.batchedRequests += entries;
    }
    this.#readAnswers(ring, count, limited);
  }

  #readAnswers(ring: RequestRing, count: number, limited: boolean): void {
    const { addresses, physicals } = this.#batch;
    const { guard } = this.#parts.blocks;
    let entry = 0;
    let short = false;
    for (let i = 0; i < count; i++) {
      const request = ring.pendingAt(i);
      if (request.phase !== WAITING) continue;
      const adapter = request.adapter as AdapterRecord;
      const { lengthBytes } = request;
      const start = addresses[entry] as number;
      const physical = physicals[entry] as number;
      const sampled = guard !== null && this.#sampled[entry] === 1;
      entry++;
      if (limited || adapter.limits.quotaBytes !== null) this.#count(adapter, lengthBytes, -1);
      if (start === 0) {
        this.#outOfMemory(lengthBytes, sampled);
        short = true;
        continue;
      }
      request.virtual = this.#grant(adapter, start, physical, lengthBytes, COMPLETE, sampled);
      request.logical = this.logicalOfLast;
    }
    if (short && guard !== null) this.#retryAfterReclaim(ring, count);
  }

  /** Some had no room while blocks were held in quarantine: those go back to the core now, and the losers try once more. */
  #retryAfterReclaim(ring: RequestRing, count: number): void {
    if (!this.#parts.blocks.drainQuarantine()) return;
    for (let i = 0; i < count; i++) {
      const request = ring.pendingAt(i);
      if (request.virtual !== 0 || request.phase !== WAITING) continue;
      const adapter = request.adapter as AdapterRecord;
      request.virtual = this.allocateOne(adapter, request.lengthBytes, cachedOfTag(request.tag), COMPLETE, "none");
      request.logical = this.logicalOfLast;
    }
  }

  /** Ask the core for one block; false where it has none. */
  #ask(adapter: AdapterRecord, lengthBytes: number, cached: boolean, sampled: boolean): boolean {
    const parts = this.#parts;
    const coreBytes = parts.blocks.coreBytes(lengthBytes, sampled);
    if (coreBytes === 0) return false;
    const batch = this.#batch;
    batch.count = 1;
    this.#fillEntry(0, adapter, coreBytes, tagOf(adapter.number, cached));
    parts.core.serveBatch(batch);
    return batch.addresses[0] !== 0;
  }

  /** A block from the core becomes the adapter's. Returns what the driver is given; the device's address is in `logicalOfLast`. */
  #grant(
    adapter: AdapterRecord,
    start: number,
    physical: number,
    lengthBytes: number,
    call: string,
    sampled: boolean,
  ): number {
    const { blocks, iommu } = this.#parts;
    const driverAddress = blocks.grant(adapter, start, physical, lengthBytes, call, sampled);
    const first = physical + (driverAddress - start);
    this.logicalOfLast = iommu === null ? first : iommu.map(adapter.number, first, lengthBytes, "both");
    return driverAddress;
  }

  #fillEntry(entry: number, adapter: AdapterRecord, lengthBytes: number, tag: number): void {
    const batch = this.#batch;
    batch.lengths[entry] = lengthBytes;
    batch.highest[entry] = adapter.highest;
    batch.tags[entry] = tag;
  }

  #count(adapter: AdapterRecord, lengthBytes: number, by: 1 | -1): void {
    adapter.liveBytes += by * lengthBytes;
    adapter.mappedPages += by * pages(lengthBytes);
  }

  /** Quota and map registers (choice C33). */
  withinLimits(adapter: AdapterRecord, lengthBytes: number): boolean {
    const { quotaBytes } = adapter.limits;
    const { mapRegisters } = this.#parts.choices;
    const fits =
      (quotaBytes === null || adapter.liveBytes + lengthBytes <= quotaBytes) &&
      (mapRegisters === null || adapter.mappedPages + pages(lengthBytes) <= mapRegisters);
    if (!fits) this.#fail("quota");
    return fits;
  }

  #outOfMemory(lengthBytes: number, sampled: boolean): void {
    const { core } = this.#parts;
    this.lastFailure = core.lastFailure;
    if (sampled && core.stats().largestFreeBytes >= lengthBytes) this.#fail("guard");
  }

  #fail(reason: FailureReason): void {
    const { freeBytes, largestFreeBytes } = this.#parts.core.stats();
    this.lastFailure = { reason, freeBytes, largestFreeBytes };
  }
}
