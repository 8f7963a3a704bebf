/**
 * The judge: the core's interface in plain TypeScript, slow and obviously right.
 *
 * It plays two parts. Alone it is a core: the same suite runs against it and against the WebAssembly core. Beside
 * another core it follows: where inside a zone a block lies is each implementation's own choice, so `adopt` checks that
 * an answer is legal and takes it over, and `confirmFailure` checks that an answer of "out of memory" was true. After
 * either, both must give the same answer to every other question, digests included.
 *
 *     zone.ts       who holds each frame          placement.ts   where a block may lie
 *     mappings.ts   scattered and foreign ranges  state.ts       all of it, digests, verify
 *     image.ts      snapshots                     referee.ts     what is legal for another implementation
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
  hex,
  integer,
  lengthOfRequest,
  type Mismatch,
  type PhysicalAddress,
  type PhysicalRun,
  planCore,
  range,
  readOptions,
  ShmemError,
  tagOf,
  UNCONSTRAINED,
  type VirtualAddress,
} from "../../bindings/index.js";
import { arenaBytes, openArena } from "./arena.js";
import type { JudgeBlock } from "./block.js";
import { explain } from "./explain.js";
import { decodeImage, encodeImage } from "./image.js";
import { joined, type Mapping, meet, offsetOf, physicalAt, type Run } from "./mappings.js";
import { failureReason, framesOf, place } from "./placement.js";
import { judgeFailure, judgePlacement, type Verdict } from "./referee.js";
import { JudgeState } from "./state.js";

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

  free(address: VirtualAddress, lengthBytes?: number, tag?: number): void {
    this.#alive();
    addressOf(address);
    if (lengthBytes !== undefined) integer("lengthBytes", lengthBytes, 0, 0xffffffff, "bytes");
    if (tag !== undefined) tagOf(tag, this.#plan);
    const block = this.#blockAt(address);
    const mismatches: Mismatch[] = [];
    if (lengthBytes !== undefined && lengthBytes !== block.lengthBytes)
      mismatches.push({ field: "lengthBytes", given: lengthBytes, expected: block.lengthBytes, unit: "bytes" });
    if (tag !== undefined && tag !== block.tag)
      mismatches.push({ field: "tag", given: tag, expected: block.tag, unit: "tag" });
    const [first] = mismatches;
    if (first !== undefined) {
      const listed = mismatches.map((one) => `${one.field} is ${one.expected}, not ${one.given}`).join(", ");
      throw new ShmemError(
        first.field === "tag" ? "WRONG_OWNER" : "LENGTH_MISMATCH",
        `the block at ${hex(address)} does not match: ${listed}`,
        { value: first.given, unit: first.unit, field: first.field, mismatches, explain: this.explain(address) },
      );
    }
    this.#state.remove(block);
  }

  lengthOf(address: VirtualAddress): number {
    this.#alive();
    addressOf(address);
    return this.#blockAt(address).lengthBytes;
  }

  physicalOf(address: VirtualAddress): PhysicalAddress {
    return this.translate(address).physical;
  }

  virtualOf(physical: PhysicalAddress): VirtualAddress {
    return this.translatePhysical(physical).virtual;
  }

  translate(address: VirtualAddress): PhysicalRun {
    this.#alive();
    addressOf(address);
    return this.#translate(address) ?? this.#fault(address, "address");
  }

  translatePhysical(physical: PhysicalAddress): { readonly virtual: VirtualAddress; readonly lengthBytes: number } {
    this.#alive();
    addressOf(physical, "physical");
    const place = this.#state.inZone(physical);
    const block = place && this.#state.holderOf(place.zone, place.frame);
    if (place !== undefined && block?.contiguous === true) {
      const virtual = physical - place.zone.base + place.zone.window;
      return { virtual: virtual as VirtualAddress, lengthBytes: this.#bytesOf(block) - (virtual - block.virtual) };
    }
    for (const mapping of this.#state.mappings.all) {
      const found = offsetOf(mapping.runs, physical);
      if (found === undefined) continue;
      return { virtual: (mapping.virtual + found.offset) as VirtualAddress, lengthBytes: found.lengthBytes };
    }
    return this.#fault(physical, "physical address");
  }

  runs(address: VirtualAddress, lengthBytes: number): PhysicalRun[] {
    this.#alive();
    range(address, lengthBytes);
    const found: Run[] = [];
    for (let done = 0; done < lengthBytes; ) {
      const run = this.#translate(address + done) ?? this.#fault(address + done, "address");
      const take = Math.min(run.lengthBytes, lengthBytes - done);
      found.push({ physical: run.physical, lengthBytes: take });
      done += take;
    }
    return joined(found) as PhysicalRun[];
  }

  map(virtual: VirtualAddress, runs: readonly { readonly physical: number; readonly lengthBytes: number }[]): void {
    this.#alive();
    addressOf(virtual, "virtual");
    if (virtual === 0)
      throw new ShmemError("INVALID_ARGUMENT", "address 0 is null", { field: "virtual", value: 0, unit: "address" });
    const list = this.#checkedRuns(runs);
    const bytes = list.reduce((sum, run) => sum + run.lengthBytes, 0);
    const refuse = (field: string, value: number, why: string): never => {
      throw new ShmemError("INVALID_ARGUMENT", `${field} ${hex(value)} ${why}`, { field, value, unit: "address" });
    };
    if (virtual + bytes > ADDRESS_LIMIT) refuse("virtual", virtual, "and the runs' bytes end past 2^52");
    const window = this.#plan.zones.findIndex((zone) => meet(virtual, bytes, zone.window, zone.size));
    if (window >= 0) refuse("virtual", virtual, `meets the window of zones[${window}]`);
    const other = this.#state.mappings.meeting(virtual, bytes);
    if (other !== undefined) refuse("virtual", virtual, `meets the mapping at ${hex(other.virtual)}`);
    list.forEach(({ physical, lengthBytes }, i) => {
      const field = `runs[${i}].physical`;
      const zone = this.#plan.zones.findIndex((one) => meet(physical, lengthBytes, one.base, one.size));
      if (zone >= 0) refuse(field, physical, `meets zones[${zone}]`);
      const mapping = this.#state.mappings.meetingPhysical(physical, lengthBytes);
      if (mapping !== undefined) refuse(field, physical, `meets a run of the mapping at ${hex(mapping.virtual)}`);
      const twin = list.slice(0, i).findIndex((one) => meet(physical, lengthBytes, one.physical, one.lengthBytes));
      if (twin >= 0) refuse(field, physical, `meets runs[${twin}]`);
    });
    this.#state.mappings.add({ virtual, bytes, runs: joined(list), block: undefined });
  }

  unmap(virtual: VirtualAddress): void {
    this.#alive();
    addressOf(virtual, "virtual");
    const mapping = this.#foreignAt(virtual);
    if (mapping.virtual !== virtual)
      throw new ShmemError("INTERIOR_ADDRESS", `${hex(virtual)} lies inside the mapping at ${hex(mapping.virtual)}`, {
        value: virtual,
        unit: "address",
        explain: this.explain(virtual),
      });
    this.#state.mappings.remove(mapping);
  }

  allocateBatch(lengths: Uint32Array, addresses: Float64Array, physicals?: Float64Array): number {
    this.#alive();
    batchArray("lengths", lengths, Uint32Array, 0);
    batchArray("addresses", addresses, Float64Array, lengths.length);
    if (physicals !== undefined) batchArray("physicals", physicals, Float64Array, lengths.length);
    const asked = lengths.slice();
    const zero = asked.indexOf(0);
    if (zero >= 0)
      throw new ShmemError("INVALID_ARGUMENT", `lengths[${zero}] is 0`, {
        field: `lengths[${zero}]`,
        value: 0,
        unit: "bytes",
        index: zero,
      });
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
        const block = this.#blockAt(given);
        if (blocks.has(block)) this.#refuse("ALREADY_FREED", given, "is freed twice by this batch");
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
    this.#alive();
    range(address, lengthBytes);
    if (this.#arena === null)
      throw new ShmemError("NO_ARENA", "this core is address-only", { value: address, unit: "address" });
    const block = this.#liveAt(address);
    if (block === undefined || address + lengthBytes > block.virtual + block.lengthBytes)
      return this.#fault(address, "address");
    const runs = this.runs(address, lengthBytes);
    const [run] = runs;
    if (run === undefined || runs.length !== 1) return this.#fault(address, "address");
    const from = this.arenaOffsetOf(run.physical);
    return arenaBytes(this.#arena).subarray(from, from + lengthBytes);
  }

  arenaOffsetOf(physical: PhysicalAddress): number {
    this.#alive();
    addressOf(physical, "physical");
    const place = this.#state.inZone(physical);
    if (place === undefined) return this.#fault(physical, "physical address");
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

  #translate(address: number): PhysicalRun | undefined {
    const block = this.#state.windowBlock(address);
    const [piece] = block?.pieces ?? [];
    if (block !== undefined && piece !== undefined) {
      const physical = address - piece.zone.window + piece.zone.base;
      const lengthBytes = this.#bytesOf(block) - (address - block.virtual);
      return { physical: physical as PhysicalAddress, lengthBytes };
    }
    const mapping = this.#state.mappings.at(address);
    return mapping && (physicalAt(mapping.runs, address - mapping.virtual) as PhysicalRun);
  }

  /** The live block that holds an address, in a window or behind. */
  #liveAt(address: number): JudgeBlock | undefined {
    return this.#state.windowBlock(address) ?? this.#state.mappings.at(address)?.block;
  }

  /** The block that starts at an address, or the refusal that `free` and `lengthOf` share. */
  #blockAt(address: number): JudgeBlock {
    if (address === 0)
      throw new ShmemError("INVALID_ARGUMENT", "address 0 is null", { field: "address", value: 0, unit: "address" });
    const block = this.#liveAt(address);
    if (block !== undefined) {
      if (block.virtual === address) return block;
      return this.#refuse("INTERIOR_ADDRESS", address, `lies inside the block at ${hex(block.virtual)}`);
    }
    if (this.#state.mappings.at(address) !== undefined)
      return this.#refuse("FOREIGN_ADDRESS", address, "lies in a mapping, not in a block");
    if (this.#state.tombstones.has(address)) return this.#refuse("ALREADY_FREED", address, "is not live any more");
    if (this.#state.inWindow(address) !== undefined)
      return this.#refuse("NEVER_ALLOCATED", address, "was never handed out");
    return this.#refuse("FOREIGN_ADDRESS", address, "lies outside every zone and mapping");
  }

  #foreignAt(address: number): Mapping {
    const mapping = this.#state.mappings.at(address);
    if (mapping === undefined) return this.#refuse("FOREIGN_ADDRESS", address, "is in no mapping made by map");
    if (mapping.block === undefined) return mapping;
    const details = {
      field: "virtual",
      value: address,
      unit: "address",
      explain: this.explain(address as VirtualAddress),
    };
    throw new ShmemError("INVALID_ARGUMENT", `${hex(address)} lies in a block, which free ends`, details);
  }

  /** Bytes of a block in whole frames: what translates. */
  #bytesOf(block: JudgeBlock): number {
    return framesOf(block.lengthBytes, this.frameSize) * this.frameSize;
  }

  #checkedRuns(runs: unknown): Run[] {
    if (!Array.isArray(runs) || runs.length === 0)
      throw new ShmemError("INVALID_ARGUMENT", "runs must be an array of at least one run", {
        field: "runs",
        value: runs,
        unit: "runs",
      });
    return runs.map((run: unknown, i) => {
      const { physical, lengthBytes } = readOptions(`runs[${i}]`, run, ["physical", "lengthBytes"]);
      const start = addressOf(physical, `runs[${i}].physical`);
      return {
        physical: start,
        lengthBytes: integer(`runs[${i}].lengthBytes`, lengthBytes, 1, ADDRESS_LIMIT - start, "bytes"),
      };
    });
  }

  #refuse(
    code: "INTERIOR_ADDRESS" | "FOREIGN_ADDRESS" | "ALREADY_FREED" | "NEVER_ALLOCATED",
    address: number,
    why: string,
  ): never {
    const details = { value: address, unit: "address", explain: explain(this.#state, address) };
    throw new ShmemError(code, `${hex(address)} ${why}`, details);
  }

  #fault(address: number, unit: string): never {
    throw new ShmemError("TRANSLATION_FAULT", `nothing is mapped at ${unit} ${hex(address)}`, { value: address, unit });
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

function batchArray(
  field: string,
  value: unknown,
  kind: Uint32ArrayConstructor | Float64ArrayConstructor,
  least: number,
): void {
  if (value instanceof kind && value.length >= least) return;
  throw new ShmemError("INVALID_ARGUMENT", `${field} must be a ${kind.name} of at least ${least} entries`, {
    field,
    value: value instanceof kind ? value.length : value,
    unit: "entries",
  });
}
