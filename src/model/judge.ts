/**
 * The judge: the core's interface in plain TypeScript, slow and obviously right.
 *
 * It plays two parts. Alone it is a core: the same suite runs against it and against the WebAssembly core. Beside
 * another core it follows: where inside a zone a block lies is each implementation's own choice, so `adopt` checks that
 * an answer is legal and takes it over, and `confirmFailure` checks that an answer of "out of memory" was true. After
 * either, both must give the same answer to every other question, digests included.
 *
 *     zone.ts         who holds each frame            placement.ts   where a block may lie
 *     mappings.ts     scattered and foreign ranges    foreign.ts     what map and unmap refuse
 *     blocks.ts       which block an address means    translation.ts virtual to physical and back
 *     state.ts        all of it, digests, verify      image.ts       snapshots
 *     explain.ts      what is known of an address     referee.ts     what is legal for another implementation
 *
 * Not judged: validation of arguments and the layout of windows, which core and judge share (`bindings/core/options`).
 */
import {
  ADDRESS_LIMIT,
  type AllocateOptions,
  type AllocationBatch,
  type Arena,
  address as addressOf,
  type BrokenRule,
  type Constraints,
  type CoreApi,
  type CoreOptions,
  type CorePlan,
  type CoreStats,
  constraintsOf,
  type Explanation,
  type Failure,
  integer,
  lengthOfRequest,
  type PhysicalAddress,
  type PhysicalRun,
  planCore,
  range,
  ShmemError,
  tagOf,
  UNCONSTRAINED,
  type VirtualAddress,
} from "../../bindings/index.js";
import { arenaBytes, openArena } from "./arena.js";
import { batchArray, batchLengths } from "./batch.js";
import type { JudgeBlock } from "./block.js";
import { blockAt, liveAt, mustMatch, refuse } from "./blocks.js";
import { explain } from "./explain.js";
import { foreignAt, foreignMapping } from "./foreign.js";
import { decodeImage, encodeImage } from "./image.js";
import type { Run } from "./mappings.js";
import { failureReason, framesOf, place } from "./placement.js";
import { judgeFailure, judgePlacement, type Verdict } from "./referee.js";
import { JudgeState } from "./state.js";
import { fault, runsAt, translate, translatePhysical } from "./translation.js";

/** See the head of this file, and `CoreApi` for what each method does and refuses. */
export class Judge implements CoreApi {
  readonly frameSize: number;
  readonly #plan: CorePlan;
  readonly #arena: Arena | null;
  #state: JudgeState;
  #lastFailure: Failure | undefined;
  #disposed = false;

  /** Throws what `Core.openSync` throws for the same options. */
  constructor(options: CoreOptions) {
    this.#plan = planCore(options);
    this.#arena = openArena(this.#plan);
    this.#state = freshState(this.#plan);
    this.frameSize = this.#plan.frameSize;
  }

  get lastFailure(): Failure | undefined {
    return this.#lastFailure;
  }

  allocate(lengthBytes: number, options?: AllocateOptions): VirtualAddress {
    this.#alive();
    const length = lengthOfRequest(lengthBytes);
    return this.#allocate(length, constraintsOf(options, this.#plan));
  }

  allocateWithin(lengthBytes: number, highest: number, tag: number): VirtualAddress {
    this.#alive();
    const length = lengthOfRequest(lengthBytes);
    addressOf(highest, "highest");
    integer("tag", tag, 0, 0xffffffff, "tag");
    return this.#allocate(length, { ...UNCONSTRAINED, highest, tag: this.#plan.tags ? tag : 0 });
  }

  free(address: VirtualAddress, lengthBytes?: number, tag?: number): void {
    this.#alive();
    addressOf(address);
    if (lengthBytes !== undefined) integer("lengthBytes", lengthBytes, 0, 0xffffffff, "bytes");
    if (tag !== undefined) tagOf(tag, this.#plan);
    const block = blockAt(this.#state, address);
    mustMatch(this.#state, block, lengthBytes, tag);
    this.#state.remove(block);
  }

  lengthOf(address: VirtualAddress): number {
    this.#alive();
    addressOf(address);
    return blockAt(this.#state, address).lengthBytes;
  }

  physicalOf(address: VirtualAddress): PhysicalAddress {
    return this.translate(address).physical;
  }

  virtualOf(physical: PhysicalAddress): VirtualAddress {
    return this.translatePhysical(physical).virtual;
  }

  translate(address: VirtualAddress): PhysicalRun {
    this.#alive();
    return translate(this.#state, addressOf(address));
  }

  translatePhysical(physical: PhysicalAddress): { readonly virtual: VirtualAddress; readonly lengthBytes: number } {
    this.#alive();
    return translatePhysical(this.#state, addressOf(physical, "physical"));
  }

  runs(address: VirtualAddress, lengthBytes: number): PhysicalRun[] {
    this.#alive();
    range(address, lengthBytes);
    return runsAt(this.#state, address, lengthBytes);
  }

  map(virtual: VirtualAddress, runs: readonly { readonly physical: number; readonly lengthBytes: number }[]): void {
    this.#alive();
    this.#state.mappings.add(foreignMapping(this.#state, addressOf(virtual, "virtual"), runs));
  }

  unmap(virtual: VirtualAddress): void {
    this.#alive();
    this.#state.mappings.remove(foreignAt(this.#state, addressOf(virtual, "virtual")));
  }

  allocateBatch(lengths: Uint32Array, addresses: Float64Array, physicals?: Float64Array): number {
    this.#alive();
    const asked = batchLengths(lengths, addresses, physicals);
    let served = 0;
    asked.forEach((length, i) => {
      const address = this.#allocate(length, UNCONSTRAINED);
      addresses[i] = address;
      if (physicals !== undefined) physicals[i] = address === 0 ? 0 : this.physicalOf(address);
      if (address !== 0) served++;
    });
    return served;
  }

  serveBatch(batch: AllocationBatch): number {
    this.#alive();
    let served = 0;
    for (let i = 0; i < batch.count; i++) {
      const highest = batch.highest[i] as number;
      const tag = this.#plan.tags ? (batch.tags[i] as number) : 0;
      const address = this.#allocate(batch.lengths[i] as number, { ...UNCONSTRAINED, highest, tag });
      batch.addresses[i] = address;
      batch.physicals[i] = address === 0 ? 0 : this.physicalOf(address);
      if (address !== 0) served++;
    }
    return served;
  }

  freeBatch(addresses: Float64Array): void {
    this.#alive();
    batchArray("addresses", addresses, Float64Array, 0);
    const blocks = new Set<JudgeBlock>();
    addresses.forEach((given, index) => {
      try {
        addressOf(given, `addresses[${index}]`);
        const block = blockAt(this.#state, given);
        if (blocks.has(block)) refuse(this.#state, "ALREADY_FREED", given, "is freed twice by this batch");
        blocks.add(block);
      } catch (error) {
        if (!(error instanceof ShmemError)) throw error;
        const { code, message, value, unit, field } = error;
        throw new ShmemError(code, `addresses[${index}]: ${message}`, {
          index,
          value,
          cause: error,
          ...(unit === undefined ? {} : { unit }),
          ...(field === undefined ? {} : { field }),
          ...(error.explain === undefined ? {} : { explain: error.explain }),
        });
      }
    });
    for (const block of blocks) this.#state.remove(block);
  }

  bytes(address: VirtualAddress, lengthBytes: number): Uint8Array {
    const from = this.offsetOf(address, lengthBytes);
    return arenaBytes(this.#arena as Arena, this.#plan.arenaBytes).subarray(from, from + lengthBytes);
  }

  offsetOf(address: VirtualAddress, lengthBytes: number): number {
    this.#alive();
    range(address, lengthBytes);
    if (this.#arena === null)
      throw new ShmemError("NO_ARENA", "this core is address-only", { value: address, unit: "address" });
    const block = liveAt(this.#state, address);
    if (block === undefined || address + lengthBytes > block.virtual + block.lengthBytes)
      return fault(address, "address");
    const runs = this.runs(address, lengthBytes);
    const [run] = runs;
    if (run === undefined || runs.length !== 1) return fault(address, "address");
    return this.arenaOffsetOf(run.physical);
  }

  arenaOffsetOf(physical: PhysicalAddress): number {
    this.#alive();
    addressOf(physical, "physical");
    const place = this.#state.inZone(physical);
    if (place === undefined) return fault(physical, "physical address");
    return place.zone.arenaOffset + (physical - place.zone.base);
  }

  explain(address: VirtualAddress): Explanation {
    this.#alive();
    return explain(this.#state, addressOf(address));
  }

  stats(): CoreStats {
    this.#alive();
    const { freeBytes, liveBytes, largestFreeBytes, peakLiveBytes, failures, blocks } = this.#state;
    const { totalBytes } = this.#plan;
    return {
      totalBytes,
      freeBytes,
      liveBytes,
      withheldBytes: 0,
      largestFreeBytes,
      liveBlocks: blocks.size,
      peakLiveBytes,
      failures,
    };
  }

  verify(): BrokenRule[] {
    this.#alive();
    return this.#state.verify();
  }

  /** Nothing is ever deferred here. */
  flush(): void {
    this.#alive();
  }

  digest(): string {
    this.#alive();
    return this.#state.digest().text();
  }

  imageDigest(): string {
    this.#alive();
    return this.#state.imageDigest().text();
  }

  snapshot(): Uint8Array {
    this.#alive();
    return encodeImage(this.#state);
  }

  restore(snapshot: Uint8Array): void {
    this.#alive();
    this.#state = decodeImage(snapshot, this.#plan);
  }

  dispose(): void {
    this.#disposed = true;
  }

  /**
   * Follow another core: it answered `address` and, for `runs(address, lengthBytes)`, `runs`. Answers why that is
   * illegal, or takes the block over and answers undefined.
   */
  adopt(address: number, runs: readonly Run[], lengthBytes: number, options?: AllocateOptions): Verdict {
    this.#alive();
    const constraints = constraintsOf(options, this.#plan);
    const judged = judgePlacement(this.#state, address, runs, lengthOfRequest(lengthBytes), constraints);
    if (typeof judged === "string") return judged;
    this.#state.add(judged.pieces, address, lengthBytes, constraints.tag, judged.contiguous);
    return undefined;
  }

  /**
   * Follow another core: it answered 0 and, where known, `failure`. Answers why that is wrong (a place exists, or the
   * reason or the numbers differ), or counts the failure and answers undefined.
   */
  confirmFailure(lengthBytes: number, options?: AllocateOptions, failure?: Failure): Verdict {
    this.#alive();
    const constraints = constraintsOf(options, this.#plan);
    const verdict = judgeFailure(this.#state, lengthOfRequest(lengthBytes), constraints, failure);
    if (verdict === undefined) this.#state.failures++;
    return verdict;
  }

  #allocate(lengthBytes: number, constraints: Constraints): VirtualAddress {
    const { zones, mappings } = this.#state;
    const { frameSize, scatterBase } = this.#plan;
    const placement = place(zones, lengthBytes, constraints, frameSize);
    const [first] = placement?.pieces ?? [];
    if (placement === undefined || first === undefined) return this.#outOfMemory(lengthBytes, constraints);
    const { pieces, contiguous } = placement;
    const bytes = framesOf(lengthBytes, frameSize) * frameSize;
    const virtual = contiguous
      ? first.zone.window + first.start * frameSize
      : mappings.gap(scatterBase, bytes, frameSize, ADDRESS_LIMIT);
    if (virtual === undefined) return this.#outOfMemory(lengthBytes, constraints);
    this.#state.add(pieces, virtual, lengthBytes, constraints.tag, contiguous);
    return virtual as VirtualAddress;
  }

  #outOfMemory(lengthBytes: number, constraints: Constraints): VirtualAddress {
    const { zones, freeBytes, largestFreeBytes } = this.#state;
    const reason = failureReason(zones, lengthBytes, constraints, this.frameSize);
    this.#lastFailure = { reason, freeBytes, largestFreeBytes };
    this.#state.failures++;
    return 0 as VirtualAddress;
  }

  #alive(): void {
    if (this.#disposed) throw new ShmemError("DISPOSED", "this core was disposed");
  }
}

/** An empty state. The engine's limit on one array of owners is this judge's limit on frames. */
function freshState(plan: CorePlan): JudgeState {
  try {
    return new JudgeState(plan);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const frames = plan.totalBytes / plan.frameSize;
    const details = { field: "zones", value: frames, unit: "frames", cause };
    throw new ShmemError("INVALID_ARGUMENT", `zones have more frames than can be described, got ${frames}`, details);
  }
}
