/**
 * The allocation service: from requests to memory. A block is one call of the core, for a batch of requests as well: most of
 * them are served from its caches and cross nothing (bindings/core/quick-paths.ts).
 *
 * Quotas, map registers (choice C33), injected failures and guard mode decide
 * here whether the core is asked at all, and for how much.
 */
import type { CoreApi, Failure, FailureReason } from "../../core/api.js";
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
  /** The device's address of what was handed out last. */
  logicalOfLast = 0;
  /** Why the last allocation through NDIS failed. */
  lastFailure: Failure | undefined;
  /** Batches served, and requests in them. */
  batches = 0;
  batchedRequests = 0;

  constructor(parts: AllocationParts) {
    this.#parts = parts;
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
    let start = this.#ask(adapter, lengthBytes, cached, sampled);
    if (start === 0 && blocks.drainQuarantine()) start = this.#ask(adapter, lengthBytes, cached, sampled);
    if (start !== 0) return this.#grant(adapter, start, lengthBytes, call, sampled);
    this.#outOfMemory(lengthBytes, sampled);
    return 0;
  }

  /** Serve the first `count` pending requests, one after the other: `virtual` and `logical` of each are set afterwards. */
  serveBatch(ring: RequestRing, count: number): void {
    const { blocks, faults } = this.#parts;
    const { guard } = blocks;
    blocks.bytes.assertReachable();
    if (guard !== null) blocks.inspectSome("serve");
    const asks = faults === null && blocks.bare ? this.#serveBare(ring, count) : this.#serveAll(ring, count);
    if (asks === 0) return;
    this.batches++;
    this.batchedRequests += asks;
  }

  /** `serveBatch` where nothing but quotas stands between request and core. Returns how many times the core was asked. */
  #serveBare(ring: RequestRing, count: number): number {
    const { core, blocks } = this.#parts;
    let asks = 0;
    for (let i = 0; i < count; i++) {
      const request = ring.pendingAt(i);
      const adapter = request.adapter as AdapterRecord;
      const { lengthBytes } = request;
      if (request.phase !== WAITING) continue;
      if (adapter.limits.quotaBytes !== null && !this.withinLimits(adapter, lengthBytes)) {
        request.phase = FAILED;
        continue;
      }
      asks++;
      const start: number = core.allocateWithin(lengthBytes, adapter.highest, request.tag);
      if (start === 0) this.lastFailure = core.lastFailure;
      else {
        request.virtual = start;
        request.logical = blocks.zones.physicalOf(start);
        adapter.liveBlocks++;
        adapter.liveBytes += lengthBytes;
      }
    }
    return asks;
  }

  /** The same where faults, guards, contents, history or map registers are looked at. */
  #serveAll(ring: RequestRing, count: number): number {
    const { blocks, faults, reporter } = this.#parts;
    const { guard } = blocks;
    let asks = 0;
    let short = false;
    for (let i = 0; i < count; i++) {
      const request = ring.pendingAt(i);
      if (request.phase !== WAITING) continue;
      const adapter = request.adapter as AdapterRecord;
      const { lengthBytes } = request;
      if (faults?.strikes("service", adapter.number, lengthBytes) === true) {
        this.#fail("injected");
        request.phase = FAILED;
        if (reporter.log !== null) reporter.note(adapter, `injected #${request.sequence}`);
        continue;
      }
      const sampled = guard?.sample() === true;
      const coreBytes = blocks.coreBytes(lengthBytes, sampled);
      if (!this.withinLimits(adapter, lengthBytes) || coreBytes === 0) {
        if (coreBytes === 0) this.#fail("guard");
        request.phase = FAILED;
        continue;
      }
      asks++;
      const start = this.#parts.core.allocateWithin(coreBytes, adapter.highest, request.tag);
      if (start === 0) {
        this.#outOfMemory(lengthBytes, sampled);
        short = true;
        continue;
      }
      request.virtual = this.#grant(adapter, start, lengthBytes, COMPLETE, sampled);
      request.logical = this.logicalOfLast;
    }
    if (short && guard !== null) this.#retryAfterReclaim(ring, count);
    return asks;
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

  /** Ask the core for one block: where it starts, 0 where there is none. */
  #ask(adapter: AdapterRecord, lengthBytes: number, cached: boolean, sampled: boolean): number {
    const { blocks, core } = this.#parts;
    const coreBytes = blocks.coreBytes(lengthBytes, sampled);
    return coreBytes === 0 ? 0 : core.allocateWithin(coreBytes, adapter.highest, tagOf(adapter.number, cached));
  }

  /** A block from the core becomes the adapter's. Returns what the driver is given; the device's address is in `logicalOfLast`. */
  #grant(adapter: AdapterRecord, start: number, lengthBytes: number, call: string, sampled: boolean): number {
    const { blocks, iommu } = this.#parts;
    const physical = blocks.zones.physicalOf(start);
    const driverAddress = blocks.grant(adapter, start, physical, lengthBytes, call, sampled);
    const first = physical + (driverAddress - start);
    this.logicalOfLast = iommu === null ? first : iommu.map(adapter.number, first, lengthBytes, "both");
    return driverAddress;
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
