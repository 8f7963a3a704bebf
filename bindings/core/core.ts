/**
 * The core as its users see it: addresses in, addresses out.
 *
 * This class is the seam's upper half. It proves every JavaScript number before it crosses (options.ts), turns addresses
 * into frame numbers and back, and turns the core's codes into typed errors. It keeps no second truth: what is live, free
 * or mapped is asked of the core every time.
 *
 *     address ─ window ─► zone, offset ─► frame number ─► core ─► frame number ─► window + offset ─► address
 *
 * A trap in the core means that its invariants were broken: the instance is poisoned and answers nothing but `stats`,
 * `verify`, `explain` and `dispose` from then on.
 */
import { ADDRESS_LIMIT, hex, type PhysicalAddress, type VirtualAddress } from "../addresses.js";
import { type ErrorCode, type Mismatch, ShmemError } from "../errors.js";
import * as L from "../generated/layout.js";
import type {
  AllocateOptions,
  AllocationBatch,
  BrokenRule,
  CoreApi,
  CoreOptions,
  CoreStats,
  Explanation,
  Failure,
  FailureReason,
  PhysicalRun,
} from "./api.js";
import { type ArenaBytes, arenaFor } from "./arena.js";
import {
  type Constraints,
  type CorePlan,
  address as checkAddress,
  constraintsOf,
  integer,
  lengthOfRequest,
  planCore,
  range,
  readOptions,
  show,
  tagOf,
  UNCONSTRAINED,
  type ZonePlan,
} from "./options.js";
import { packSnapshot, unpackSnapshot } from "./snapshot.js";
import { CoreViews } from "./views.js";
import { type CoreExports, type CoreModule, instantiate, releaseModule, releaseModuleAsync } from "./wasm.js";

/** A zone with its frame numbers. */
interface ZoneSeat extends ZonePlan {
  readonly first: number;
  readonly count: number;
  /** Index of its first frame among all frames, zones in declared order. */
  readonly dense: number;
}

/** A place in a zone. */
interface Place {
  readonly zone: ZoneSeat;
  /** Bytes from the start of the zone. */
  readonly offset: number;
  readonly frame: number;
}

const REASONS: Record<number, FailureReason> = {
  [L.REASON_EXHAUSTED]: "exhausted",
  [L.REASON_FRAGMENTED]: "fragmented",
  [L.REASON_ADDRESSING]: "addressing",
  [L.REASON_BOUNDARY]: "boundary",
};

const REFUSALS: Record<number, ErrorCode> = {
  [L.BAD_LENGTH]: "LENGTH_MISMATCH",
  [L.BAD_TAG]: "WRONG_OWNER",
  [L.INTERIOR]: "INTERIOR_ADDRESS",
  [L.FREED]: "ALREADY_FREED",
  [L.NEVER]: "NEVER_ALLOCATED",
  [L.FOREIGN]: "FOREIGN_ADDRESS",
};

/** The rules of `verify` by number; the head of assembly/verify.ts says what each demands. */
const RULES: readonly (readonly [name: string, sentence: string])[] = [
  ["unreadable", "the walk left the memory: pointers are damaged"],
  ["geometry", "what opening wrote once is no longer as it was written"],
  ["partition", "a frame is both free and live, or neither, or lies outside its zone"],
  ["counts", "free + live + withheld is not the total, or blocks are miscounted"],
  ["words", "a page whose frames are all free is not kept as a run"],
  ["classes", "a page is not in the tree of its longest free run, or is in another"],
  ["runs", "a run of free pages leaves its zone or meets another"],
  ["buddies", "two free buddies are not merged"],
  ["trees", "a tree's upper level does not match the level below, or it has members outside the zone"],
  ["blocks", "a live block leaves its zone, is misaligned, or overlaps another"],
  ["lengths", "the length of a block stands in the array of another size"],
  ["tags", "a frame where no block starts has a tag"],
  ["mappings", "mappings overlap, meet a window, or do not add up to their range"],
  ["index", "the mappings by physical address are not those by virtual address"],
  ["pieces", "a piece of a scattered block and its mark in the zone do not match"],
];

/** The allocator and translator over the Wasm core. Every method is documented at `CoreApi`. */
export class Core implements CoreApi {
  readonly frameSize: number;
  readonly #plan: CorePlan;
  readonly #zones: readonly ZoneSeat[];
  readonly #wasm: CoreExports;
  readonly #views: CoreViews;
  readonly #arena: ArenaBytes | null;
  readonly #inverse: number;
  // The first zone, flat, because most cores have one.
  readonly #window: number;
  readonly #size: number;
  readonly #first: number;
  readonly #count: number;
  #closed: "DISPOSED" | "STATE_CORRUPT" | undefined;
  #cause: unknown;
  #failure: Failure | undefined;

  /** Open a core. Compiles off the main thread where the host can. See `CoreOptions`; refuses as it says. */
  static async open(options: CoreOptions): Promise<Core> {
    const plan = planCore(options);
    return new Core(plan, await releaseModuleAsync());
  }

  /** Open a core now. */
  static openSync(options: CoreOptions): Core {
    return new Core(planCore(options), releaseModule());
  }

  /** Open a core over another build of it (`compileModule`), for example the one with asserts. For tests and tools. */
  static openOver(module: CoreModule, options: CoreOptions): Core {
    return new Core(planCore(options), module);
  }

  private constructor(plan: CorePlan, module: CoreModule) {
    this.#plan = plan;
    this.frameSize = plan.frameSize;
    this.#inverse = 1 / plan.frameSize;
    this.#arena = arenaFor(plan);
    const wasm = instantiate(module);
    this.#wasm = wasm;
    build(wasm, plan);
    this.#views = new CoreViews(wasm.memory);
    let dense = 0;
    this.#zones = plan.zones.map((zone, i) => {
      const record = L.ZONES + i * L.ZONE_SIZE;
      const seat = {
        ...zone,
        first: this.#views.word(record + L.Z_FIRST),
        count: this.#views.word(record + L.Z_COUNT),
        dense,
      };
      dense += seat.count;
      return seat;
    });
    const only = this.#zones[0] as ZoneSeat;
    this.#window = only.window;
    this.#size = only.size;
    this.#first = only.first;
    this.#count = only.count;
  }

  get lastFailure(): Failure | undefined {
    return this.#failure;
  }

  // ---- blocks --------------------------------------------------------------------------------------------------------

  allocate(lengthBytes: number, options?: AllocateOptions): VirtualAddress {
    if (this.#closed !== undefined) this.#refuseClosed();
    const bytes = lengthOfRequest(lengthBytes);
    if (options !== undefined) return this.#allocateConstrained(bytes, constraintsOf(options, this.#plan));
    try {
      const frame = this.#wasm.allocate(bytes, 0) >>> 0;
      if (frame === 0) {
        this.#wasm.noteFailure();
        return this.#outOfMemory();
      }
      const ahead = frame - this.#first;
      if (ahead >= 0 && ahead < this.#count) return (this.#window + ahead * this.frameSize) as VirtualAddress;
      return this.#windowOf(frame);
    } catch (error) {
      return this.#poison(error);
    }
  }

  #allocateConstrained(bytes: number, constraints: Constraints): VirtualAddress {
    this.#writeRequest(L.RING, bytes, constraints);
    this.#serve(1);
    const virtual = this.#views.float(L.RING + L.R_VIRTUAL);
    return virtual === 0 ? this.#outOfMemory() : (virtual as VirtualAddress);
  }

  free(address: VirtualAddress, lengthBytes?: number, tag?: number): void {
    if (this.#closed !== undefined) this.#refuseClosed();
    if (lengthBytes !== undefined && !(Number.isInteger(lengthBytes) && lengthBytes >= 0 && lengthBytes <= 0xffffffff))
      integer("lengthBytes", lengthBytes, 0, 0xffffffff, "bytes");
    if (tag !== undefined) tagOf(tag, this.#plan);
    const frame = this.#frameAt(address);
    if (frame === 0) return this.#freeElsewhere(address, lengthBytes, tag);
    try {
      const bytes = lengthBytes === undefined ? this.#wasm.sizeOf(frame) >>> 0 : lengthBytes;
      if (bytes !== 0) {
        const code = tag === undefined ? this.#wasm.free(frame, bytes) : this.#wasm.freeTagged(frame, bytes, tag);
        if (code === L.OK) return;
      }
    } catch (error) {
      this.#poison(error);
    }
    this.#refuseBlock(address, frame, lengthBytes, tag);
  }

  /** A free outside the windows, or off the start of a frame. */
  #freeElsewhere(address: number, lengthBytes: number | undefined, tag: number | undefined): void {
    const group = this.#scatteredAt(address);
    const bytes = this.#views.float(group + L.M_GROUP_BYTES);
    const owner = this.#views.word(group + L.M_TAG);
    this.#compare(address, bytes, owner, lengthBytes, tag);
    try {
      this.#wasm.freeScattered(address);
    } catch (error) {
      this.#poison(error);
    }
  }

  lengthOf(address: VirtualAddress): number {
    if (this.#closed !== undefined) this.#refuseClosed();
    const frame = this.#frameAt(address);
    if (frame === 0) return this.#views.float(this.#scatteredAt(address) + L.M_GROUP_BYTES);
    const bytes = this.#wasm.sizeOf(frame) >>> 0;
    if (bytes === 0) this.#refuseBlock(address, frame, undefined, undefined);
    return bytes;
  }

  /** The record of the scattered block that starts at an address outside the windows, or why there is none. */
  #scatteredAt(address: number): number {
    checkAddress(address);
    if (address === 0)
      throw new ShmemError("INVALID_ARGUMENT", "address 0 is null", { value: 0, unit: "address", field: "address" });
    const place = this.#placeOf(address);
    if (place !== undefined) this.#refuseBlock(address, place.frame, undefined, undefined);
    const record = this.#wasm.mappingAt(address) >>> 0;
    if (record === 0 || this.#views.word(record + L.M_KIND) !== L.KIND_SCATTERED)
      this.#refuse(
        "FOREIGN_ADDRESS",
        address,
        `${hex(address)} lies in no block of this core${this.#exchanged(address)}`,
      );
    if (this.#views.float(record + L.M_GROUP) !== address)
      this.#refuse("INTERIOR_ADDRESS", address, `${hex(address)} is not the start of its block`);
    return record;
  }

  /** Throw for a free, or a question, at a frame where it cannot be answered. */
  #refuseBlock(address: number, frame: number, lengthBytes: number | undefined, tag: number | undefined): never {
    const misplaced = !Number.isInteger((address - this.#windowOf(frame)) * this.#inverse);
    let code = this.#wasm.inspect(frame);
    if (misplaced && code === L.OK) code = L.INTERIOR;
    else if (misplaced && code === L.FREED) code = L.NEVER;
    else if (misplaced && code === L.NEVER && this.#wasm.holder(frame) === 1) code = L.INTERIOR;
    if (code === L.OK) {
      this.#compare(address, this.#wasm.sizeOf(frame) >>> 0, this.#wasm.tagOf(frame) >>> 0, lengthBytes, tag);
      throw new ShmemError("STATE_CORRUPT", "a block was refused that matches in every field", { value: address });
    }
    const what: Record<number, string> = {
      [L.INTERIOR]: "lies inside a live block and is not its start",
      [L.FREED]: "was freed before",
      [L.NEVER]: "was never handed out as the start of a block",
    };
    this.#refuse(REFUSALS[code] as ErrorCode, address, `${hex(address)} ${what[code]}`);
  }

  /** Refuse when the length or the tag differs from that of the block; every wrong field is listed. */
  #compare(address: number, bytes: number, owner: number, lengthBytes?: number, tag?: number): void {
    const mismatches: Mismatch[] = [];
    if (lengthBytes !== undefined && lengthBytes !== bytes)
      mismatches.push({ field: "lengthBytes", given: lengthBytes, expected: bytes, unit: "bytes" });
    if (tag !== undefined && tag !== owner) mismatches.push({ field: "tag", given: tag, expected: owner, unit: "tag" });
    const first = mismatches[0];
    if (first === undefined) return;
    const list = mismatches.map(({ field, given, expected }) => `${field} ${given}, allocated with ${expected}`);
    throw new ShmemError(
      first.field === "lengthBytes" ? "LENGTH_MISMATCH" : "WRONG_OWNER",
      `block ${hex(address)}: ${list.join("; ")}`,
      { value: first.given, unit: first.unit, field: first.field, mismatches, explain: this.#explain(address) },
    );
  }

  // ---- translation ---------------------------------------------------------------------------------------------------

  physicalOf(address: VirtualAddress): PhysicalAddress {
    return this.translate(address).physical;
  }

  virtualOf(physical: PhysicalAddress): VirtualAddress {
    return this.translatePhysical(physical).virtual;
  }

  translate(address: VirtualAddress): PhysicalRun {
    if (this.#closed !== undefined) this.#refuseClosed();
    checkAddress(address);
    const place = this.#placeOf(address);
    if (place !== undefined) {
      if (this.#wasm.holder(place.frame) === 1) {
        const { zone, offset } = place;
        const end = this.#views.word(L.H_FOUND_HEAD) + this.#views.word(L.H_FOUND_FRAMES) - zone.first;
        return {
          physical: (zone.base + offset) as PhysicalAddress,
          lengthBytes: end * this.frameSize - offset,
        };
      }
      return this.#fault(address, "virtual");
    }
    const record = this.#wasm.mappingAt(address) >>> 0;
    if (record === 0) return this.#fault(address, "virtual");
    const ahead = address - this.#views.float(record + L.M_VIRTUAL);
    return {
      physical: (this.#views.float(record + L.M_PHYSICAL) + ahead) as PhysicalAddress,
      lengthBytes: this.#views.float(record + L.M_BYTES) - ahead,
    };
  }

  translatePhysical(physical: PhysicalAddress): { readonly virtual: VirtualAddress; readonly lengthBytes: number } {
    if (this.#closed !== undefined) this.#refuseClosed();
    checkAddress(physical, "physical");
    const place = this.#placeOfPhysical(physical);
    if (place !== undefined) {
      const { zone, offset } = place;
      const holder = this.#wasm.holder(place.frame);
      if (holder === 1) {
        const end = this.#views.word(L.H_FOUND_HEAD) + this.#views.word(L.H_FOUND_FRAMES) - zone.first;
        return { virtual: (zone.window + offset) as VirtualAddress, lengthBytes: end * this.frameSize - offset };
      }
      if (holder === 0) return this.#fault(physical, "physical");
    }
    const entry = this.#wasm.mappingAtPhysical(physical) >>> 0;
    if (entry === 0) return this.#fault(physical, "physical");
    const ahead = physical - this.#views.float(entry + L.I_PHYSICAL);
    return {
      virtual: (this.#views.float(entry + L.I_VIRTUAL) + ahead) as VirtualAddress,
      lengthBytes: this.#views.float(entry + L.I_BYTES) - ahead,
    };
  }

  runs(address: VirtualAddress, lengthBytes: number): PhysicalRun[] {
    if (this.#closed !== undefined) this.#refuseClosed();
    range(address, lengthBytes);
    const runs: { physical: PhysicalAddress; lengthBytes: number }[] = [];
    let at: number = address;
    let left = lengthBytes;
    while (left > 0) {
      const step = this.translate(at as VirtualAddress);
      const bytes = Math.min(step.lengthBytes, left);
      const last = runs.at(-1);
      if (last !== undefined && last.physical + last.lengthBytes === step.physical) last.lengthBytes += bytes;
      else runs.push({ physical: step.physical, lengthBytes: bytes });
      at += bytes;
      left -= bytes;
    }
    return runs;
  }

  map(virtual: VirtualAddress, runs: readonly { readonly physical: number; readonly lengthBytes: number }[]): void {
    if (this.#closed !== undefined) this.#refuseClosed();
    checkAddress(virtual, "virtual");
    if (virtual === 0) this.#bad("virtual", 0, "address", "address 0 is null");
    if (!Array.isArray(runs) || runs.length === 0) this.#bad("runs", runs, "runs", "runs must be a non-empty array");
    const list = runs.map((run, i) => {
      const given = readOptions(`runs[${i}]`, run, ["physical", "lengthBytes"] as const);
      const physical = checkAddress(given.physical, `runs[${i}].physical`);
      const bytes = integer(`runs[${i}].lengthBytes`, given.lengthBytes, 1, ADDRESS_LIMIT - physical, "bytes");
      return { physical, bytes };
    });
    const total = list.reduce((sum, run) => sum + run.bytes, 0);
    if (virtual + total > ADDRESS_LIMIT) this.#bad("runs", total, "bytes", "the range ends past 2^52");
    this.#checkFree(virtual, total, list);
    if (this.#wasm.reserve(list.length) === 0)
      this.#bad("runs", list.length, "runs", "no room for more mappings (at most 2^20 runs)");
    this.#views.refresh();
    let at: number = virtual;
    for (const { physical, bytes } of list) {
      this.#wasm.insert(at, physical, bytes, virtual, total, L.KIND_FOREIGN, 0);
      at += bytes;
    }
  }

  /** A foreign range may meet nothing: no window, no zone, no other mapping, and not itself. */
  #checkFree(virtual: number, total: number, runs: readonly { physical: number; bytes: number }[]): void {
    const met = (from: number, bytes: number, start: number, size: number): boolean =>
      from < start + size && start < from + bytes;
    for (const [i, zone] of this.#zones.entries()) {
      if (met(virtual, total, zone.window, zone.size))
        this.#bad("virtual", virtual, "address", `the range meets the window of zones[${i}] at ${hex(zone.window)}`);
    }
    const record = this.#wasm.meeting(virtual, total) >>> 0;
    if (record !== 0)
      this.#bad("virtual", virtual, "address", `it meets the mapping at ${hex(this.#views.float(record + L.M_GROUP))}`);
    for (const [i, { physical, bytes }] of runs.entries()) {
      const name = `runs[${i}].physical`;
      for (const [k, zone] of this.#zones.entries()) {
        if (met(physical, bytes, zone.base, zone.size))
          this.#bad(name, physical, "address", `the run meets zones[${k}] at ${hex(zone.base)}`);
      }
      const entry = this.#wasm.meetingPhysical(physical, bytes) >>> 0;
      if (entry !== 0)
        this.#bad(
          name,
          physical,
          "address",
          `it meets the mapped run at ${hex(this.#views.float(entry + L.I_PHYSICAL))}`,
        );
    }
    const sorted = runs.map((run, i) => ({ ...run, i })).sort((a, b) => a.physical - b.physical);
    for (let k = 1; k < sorted.length; k++) {
      const before = sorted[k - 1] as (typeof sorted)[number];
      const run = sorted[k] as (typeof sorted)[number];
      if (before.physical + before.bytes > run.physical)
        this.#bad(`runs[${run.i}].physical`, run.physical, "address", `the run meets runs[${before.i}]`);
    }
  }

  unmap(virtual: VirtualAddress): void {
    if (this.#closed !== undefined) this.#refuseClosed();
    checkAddress(virtual, "virtual");
    const record = this.#wasm.mappingAt(virtual) >>> 0;
    if (record === 0) this.#refuse("FOREIGN_ADDRESS", virtual, `${hex(virtual)} lies in no range made by map`);
    if (this.#views.word(record + L.M_KIND) === L.KIND_SCATTERED)
      this.#bad("virtual", virtual, "address", `${hex(virtual)} lies in a block: free it`);
    const group = this.#views.float(record + L.M_GROUP);
    if (group !== virtual)
      this.#refuse("INTERIOR_ADDRESS", virtual, `${hex(virtual)} is not the start of its range, ${hex(group)} is`);
    this.#wasm.unmapGroup(virtual);
  }

  // ---- batches -------------------------------------------------------------------------------------------------------

  allocateBatch(lengths: Uint32Array, addresses: Float64Array, physicals?: Float64Array): number {
    if (this.#closed !== undefined) this.#refuseClosed();
    if (!(lengths instanceof Uint32Array)) this.#bad("lengths", lengths, "array", "lengths must be a Uint32Array");
    this.#checkOutput("addresses", addresses, lengths.length);
    if (physicals !== undefined) this.#checkOutput("physicals", physicals, lengths.length);
    const zero = lengths.indexOf(0);
    if (zero >= 0)
      throw new ShmemError("INVALID_ARGUMENT", `lengths[${zero}] is 0; nothing was allocated`, {
        field: `lengths[${zero}]`,
        value: 0,
        unit: "bytes",
        index: zero,
      });
    let served = 0;
    for (let from = 0; from < lengths.length; from += L.RING_CAPACITY) {
      const count = Math.min(L.RING_CAPACITY, lengths.length - from);
      for (let i = 0; i < count; i++)
        this.#writeRequest(L.RING + i * L.RING_ENTRY, lengths[from + i] as number, UNCONSTRAINED);
      served += this.#serve(count);
      for (let i = 0; i < count; i++) {
        const entry = L.RING + i * L.RING_ENTRY;
        addresses[from + i] = this.#views.float(entry + L.R_VIRTUAL);
        if (physicals !== undefined) physicals[from + i] = this.#views.float(entry + L.R_PHYSICAL);
      }
      this.#noteRing(count);
    }
    return served;
  }

  #checkOutput(field: string, array: unknown, least: number): void {
    if (!(array instanceof Float64Array)) this.#bad(field, array, "array", `${field} must be a Float64Array`);
    if (array.length < least)
      this.#bad(field, array.length, "entries", `${field} has ${array.length} entries, ${least} are needed`);
  }

  serveBatch(batch: AllocationBatch): number {
    if (this.#closed !== undefined) this.#refuseClosed();
    const { count, lengths, highest, tags, addresses, physicals } = batch;
    const { u32, f64 } = this.#views;
    const keepsTags = this.#plan.tags;
    let served = 0;
    for (let from = 0; from < count; from += L.RING_CAPACITY) {
      const size = Math.min(L.RING_CAPACITY, count - from);
      for (let i = 0; i < size; i++) {
        const entry = L.RING + i * L.RING_ENTRY;
        const limit = highest[from + i] as number;
        u32[(entry + L.R_LENGTH) >>> 2] = lengths[from + i] as number;
        u32[(entry + L.R_FLAGS) >>> 2] = limit < ADDRESS_LIMIT - 1 ? L.HAS_HIGHEST : 0;
        u32[(entry + L.R_TAG) >>> 2] = keepsTags ? (tags[from + i] as number) : 0;
        f64[(entry + L.R_HIGHEST) >>> 3] = limit;
      }
      const now = this.#serve(size);
      for (let i = 0; i < size; i++) {
        const entry = L.RING + i * L.RING_ENTRY;
        addresses[from + i] = f64[(entry + L.R_VIRTUAL) >>> 3] as number;
        physicals[from + i] = f64[(entry + L.R_PHYSICAL) >>> 3] as number;
      }
      if (now < size) this.#noteRing(size);
      served += now;
    }
    return served;
  }

  freeBatch(addresses: Float64Array): void {
    if (this.#closed !== undefined) this.#refuseClosed();
    if (!(addresses instanceof Float64Array))
      this.#bad("addresses", addresses, "array", "addresses must be a Float64Array");
    // First every block is claimed, which makes its second mention fail; then all are released, which cannot fail.
    const frames = new Uint32Array(addresses.length);
    const lengths = new Uint32Array(addresses.length);
    const scattered = new Set<number>();
    for (let i = 0; i < addresses.length; i++) {
      const address = addresses[i] as number;
      const frame = this.#frameAt(address);
      const length = frame === 0 ? 0 : this.#wasm.claim(frame) >>> 0;
      frames[i] = frame;
      lengths[i] = length;
      if (length !== 0) continue;
      if (frame === 0 && this.#startsScattered(address) && !scattered.has(address)) {
        scattered.add(address);
        continue;
      }
      for (let k = 0; k < i; k++) if (lengths[k] !== 0) this.#wasm.reclaim(frames[k] as number, lengths[k] as number);
      this.#refuseEntry(addresses, i);
    }
    try {
      for (let i = 0; i < addresses.length; i++)
        if (lengths[i] !== 0) this.#wasm.release(frames[i] as number, lengths[i] as number);
      for (const group of scattered) this.#wasm.freeScattered(group);
    } catch (error) {
      this.#poison(error);
    }
  }

  #startsScattered(address: number): boolean {
    const record = address > 0 && address < ADDRESS_LIMIT ? this.#wasm.mappingAt(address) >>> 0 : 0;
    return (
      record !== 0 &&
      this.#views.word(record + L.M_KIND) === L.KIND_SCATTERED &&
      this.#views.float(record + L.M_GROUP) === address
    );
  }

  /** Refuse a whole batch for its entry `index`: named twice, or not to be freed for itself. */
  #refuseEntry(addresses: Float64Array, index: number): never {
    const address = addresses[index] as number;
    const earlier = addresses.indexOf(address);
    if (earlier >= 0 && earlier < index)
      throw new ShmemError("ALREADY_FREED", `${hex(address)} is entry ${earlier} and ${index}; nothing was freed`, {
        value: address,
        unit: "address",
        index,
        explain: this.#explain(address),
      });
    try {
      this.lengthOf(address as VirtualAddress);
    } catch (error) {
      if (!(error instanceof ShmemError)) throw error;
      throw new ShmemError(error.code, `addresses[${index}] ${show(address)} cannot be freed; nothing was freed`, {
        value: address,
        unit: "address",
        index,
        explain: error.explain,
        cause: error,
      });
    }
    throw new ShmemError("STATE_CORRUPT", "an entry was refused that can be freed", { value: address, index });
  }

  // ---- bytes ---------------------------------------------------------------------------------------------------------

  bytes(address: VirtualAddress, lengthBytes: number): Uint8Array {
    if (this.#closed !== undefined) this.#refuseClosed();
    range(address, lengthBytes);
    const arena = this.#arena;
    if (arena === null)
      throw new ShmemError("NO_ARENA", "this core is address-only (arena: null)", { value: address, unit: "address" });
    const offset = this.#offsetOfRange(address, lengthBytes);
    return arena.whole().subarray(offset, offset + lengthBytes);
  }

  /** Where a range inside one block's length lies in the arena, in bytes. */
  #offsetOfRange(address: number, lengthBytes: number): number {
    const place = this.#placeOf(address);
    if (place !== undefined && this.#wasm.holder(place.frame) === 1) {
      const { zone, offset } = place;
      const start = (this.#views.word(L.H_FOUND_HEAD) - zone.first) * this.frameSize;
      const end = start + this.#views.word(L.H_FOUND_LENGTH);
      if (offset + lengthBytes <= end) return zone.arenaOffset + offset;
      this.#refuse("TRANSLATION_FAULT", address, `${lengthBytes} bytes at ${hex(address)} leave their block`);
    }
    const record = place === undefined ? this.#wasm.mappingAt(address) >>> 0 : 0;
    if (record === 0 || this.#views.word(record + L.M_KIND) !== L.KIND_SCATTERED) this.#fault(address, "virtual");
    const end = this.#views.float(record + L.M_GROUP) + this.#views.float(record + L.M_GROUP_BYTES);
    const runs = address + lengthBytes <= end ? this.runs(address as VirtualAddress, lengthBytes) : [];
    const only = runs[0];
    if (runs.length !== 1 || only === undefined)
      this.#refuse(
        "TRANSLATION_FAULT",
        address,
        `${lengthBytes} bytes at ${hex(address)} are not one run of one block`,
      );
    return this.arenaOffsetOf(only.physical);
  }

  arenaOffsetOf(physical: PhysicalAddress): number {
    if (this.#closed !== undefined) this.#refuseClosed();
    checkAddress(physical, "physical");
    const place = this.#placeOfPhysical(physical);
    if (place === undefined) return this.#fault(physical, "physical");
    return place.zone.arenaOffset + place.offset;
  }

  // ---- asking --------------------------------------------------------------------------------------------------------

  explain(address: VirtualAddress): Explanation {
    if (this.#closed === "DISPOSED") this.#refuseClosed();
    checkAddress(address);
    return this.#explain(address);
  }

  #explain(address: number): Explanation {
    const place = this.#placeOf(address);
    if (place !== undefined) return this.#explainPlace(address, place);
    const record = this.#wasm.mappingAt(address) >>> 0;
    if (record === 0) return { address, state: "unmapped", zone: -1, text: `${hex(address)} is mapped nowhere` };
    const group = this.#views.float(record + L.M_GROUP);
    const lengthBytes = this.#views.float(record + L.M_GROUP_BYTES);
    const scattered = this.#views.word(record + L.M_KIND) === L.KIND_SCATTERED;
    const offset = address - group;
    const what = scattered ? "the scattered block" : "the foreign range";
    return {
      address,
      state: scattered ? "live" : "foreign",
      zone: -1,
      block: {
        virtual: group as VirtualAddress,
        lengthBytes,
        order: -1,
        contiguous: false,
        ...(this.#plan.tags && scattered ? { tag: this.#views.word(record + L.M_TAG) } : {}),
      },
      offset,
      text: `${hex(address)} is byte ${offset} of ${what} at ${hex(group)} (${lengthBytes} bytes)`,
    };
  }

  #explainPlace(address: number, { zone, frame }: Place): Explanation {
    const index = this.#zones.indexOf(zone);
    if (this.#wasm.holder(frame) === 1) {
      const head = this.#views.word(L.H_FOUND_HEAD);
      const frames = this.#views.word(L.H_FOUND_FRAMES);
      const lengthBytes = this.#views.word(L.H_FOUND_LENGTH);
      const start = this.#windowOf(head);
      const offset = address - start;
      const within = offset < lengthBytes ? "" : `, ${offset - lengthBytes} past its end`;
      return {
        address,
        state: "live",
        zone: index,
        block: {
          virtual: start,
          lengthBytes,
          order: frames === 1 ? 0 : 32 - Math.clz32(frames - 1),
          contiguous: true,
          ...(this.#plan.tags ? { tag: this.#wasm.tagOf(head) >>> 0 } : {}),
        },
        offset,
        text: `${hex(address)} is byte ${offset} of the live block at ${hex(start)} (${lengthBytes} bytes)${within}`,
      };
    }
    const freed = this.#frameAt(address) !== 0 && this.#wasm.inspect(frame) === L.FREED;
    return {
      address,
      state: freed ? "freed" : "free",
      zone: index,
      text: `${hex(address)} ${freed ? "was the start of a block that is not live now" : "is in no block"} (zone ${index})`,
    };
  }

  stats(): CoreStats {
    if (this.#closed === "DISPOSED") this.#refuseClosed();
    const views = this.#views;
    const bytes = (field: number): number => views.word(field) * this.frameSize;
    const totalBytes = bytes(L.H_TOTAL_FRAMES);
    const freeBytes = bytes(L.H_FREE_FRAMES);
    const withheldBytes = bytes(L.H_WITHHELD_FRAMES);
    return {
      totalBytes,
      freeBytes,
      liveBytes: totalBytes - freeBytes - withheldBytes,
      withheldBytes,
      largestFreeBytes: this.#closed === undefined ? this.#largestFree() : 0,
      liveBlocks: views.word(L.H_LIVE_BLOCKS),
      peakLiveBytes: bytes(L.H_PEAK_FRAMES),
      failures: views.float(L.H_FAILURES),
    };
  }

  /** A length is 32 bits: the longest free run may be longer than any block can be. */
  #largestFree(): number {
    return Math.min((this.#wasm.longestBlock() >>> 0) * this.frameSize, 0xffffffff);
  }

  verify(): BrokenRule[] {
    if (this.#closed === "DISPOSED") this.#refuseClosed();
    let count: number;
    try {
      count = this.#wasm.verify() >>> 0;
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      return [this.#brokenRule(0, 0)];
    }
    const broken: BrokenRule[] = [];
    for (let i = 0; i < Math.min(count, L.REPORT_CAPACITY); i++)
      broken.push(this.#brokenRule(this.#views.word(L.REPORT + i * 8), this.#views.word(L.REPORT + i * 8 + 4)));
    return broken;
  }

  #brokenRule(rule: number, frame: number): BrokenRule {
    const [name, sentence] = RULES[rule] ?? ["unreadable", "the report itself is damaged"];
    const zone = this.#zones.find(({ first, count }) => frame >= first && frame < first + count);
    const where =
      zone === undefined ? "" : ` (frame at physical ${hex(zone.base + (frame - zone.first) * this.frameSize)})`;
    return {
      rule: name,
      frame: zone === undefined ? -1 : zone.dense + (frame - zone.first),
      message: `${sentence}${where}`,
    };
  }

  flush(): void {
    if (this.#closed !== undefined) this.#refuseClosed();
    this.#wasm.flush();
  }

  digest(): string {
    if (this.#closed !== undefined) this.#refuseClosed();
    this.#wasm.digest();
    return this.#digestString();
  }

  imageDigest(): string {
    if (this.#closed !== undefined) this.#refuseClosed();
    this.#wasm.imageDigest();
    return this.#digestString();
  }

  #digestString(): string {
    const hex8 = (offset: number): string => this.#views.word(offset).toString(16).padStart(8, "0");
    return hex8(L.H_DIGEST_A) + hex8(L.H_DIGEST_B);
  }

  snapshot(): Uint8Array {
    if (this.#closed !== undefined) this.#refuseClosed();
    return packSnapshot(this.#views);
  }

  restore(snapshot: Uint8Array): void {
    if (this.#closed !== undefined) this.#refuseClosed();
    const undo = unpackSnapshot(this.#views, snapshot);
    const broken = this.verify()[0];
    if (broken === undefined) return;
    undo();
    throw new ShmemError("BAD_SNAPSHOT", `its state is not sound: ${broken.rule}: ${broken.message}`, {
      value: broken.frame,
      unit: "frame",
    });
  }

  dispose(): void {
    this.#closed = "DISPOSED";
  }

  // ---- places --------------------------------------------------------------------------------------------------------

  /** The frame number of an address that starts a frame of a window, 0 for any other. */
  #frameAt(address: number): number {
    if (typeof address !== "number") return 0;
    let offset = address - this.#window;
    let first = this.#first;
    if (!(offset >= 0 && offset < this.#size)) {
      const place = this.#zones.length > 1 ? this.#placeOf(address) : undefined;
      if (place === undefined) return 0;
      offset = place.offset;
      first = place.zone.first;
    }
    const ahead = offset * this.#inverse;
    return Number.isInteger(ahead) ? first + ahead : 0;
  }

  #placeOf(address: number): Place | undefined {
    for (const zone of this.#zones) {
      const offset = address - zone.window;
      if (offset >= 0 && offset < zone.size)
        return { zone, offset, frame: zone.first + Math.floor(offset * this.#inverse) };
    }
    return undefined;
  }

  #placeOfPhysical(physical: number): Place | undefined {
    for (const zone of this.#zones) {
      const offset = physical - zone.base;
      if (offset >= 0 && offset < zone.size)
        return { zone, offset, frame: zone.first + Math.floor(offset * this.#inverse) };
    }
    return undefined;
  }

  #windowOf(frame: number): VirtualAddress {
    for (const { first, count, window } of this.#zones) {
      const ahead = frame - first;
      if (ahead >= 0 && ahead < count) return (window + ahead * this.frameSize) as VirtualAddress;
    }
    return this.#poison(new Error(`frame ${frame} is in no zone`));
  }

  // ---- requests ------------------------------------------------------------------------------------------------------

  #writeRequest(entry: number, bytes: number, constraints: Constraints): void {
    const { u32, f64 } = this.#views;
    u32[(entry + L.R_LENGTH) >>> 2] = bytes;
    u32[(entry + L.R_TAG) >>> 2] = constraints.tag;
    let flags = 0;
    if (constraints !== UNCONSTRAINED) {
      const { alignment, boundary, highest, node, preferredNode, contiguous } = constraints;
      if (alignment > this.frameSize) {
        flags |= L.HAS_ALIGN;
        u32[(entry + L.R_ALIGN_ORDER) >>> 2] = Math.round(Math.log2(alignment * this.#inverse));
      }
      if (boundary < ADDRESS_LIMIT) {
        flags |= L.HAS_BOUNDARY;
        f64[(entry + L.R_BOUNDARY) >>> 3] = boundary;
      }
      if (highest < ADDRESS_LIMIT - 1) {
        flags |= L.HAS_HIGHEST;
        f64[(entry + L.R_HIGHEST) >>> 3] = highest;
      }
      if (node >= 0) {
        flags |= L.HAS_NODE;
        u32[(entry + L.R_NODE) >>> 2] = node;
      }
      if (preferredNode >= 0) {
        flags |= L.HAS_PREFERRED;
        u32[(entry + L.R_PREFERRED) >>> 2] = preferredNode;
      }
      if (!contiguous) flags |= L.MAY_SCATTER;
    }
    u32[(entry + L.R_FLAGS) >>> 2] = flags;
  }

  #serve(count: number): number {
    try {
      const served = this.#wasm.serve(count);
      this.#views.refresh(); // gathering may have grown the mapping tables
      return served;
    } catch (error) {
      return this.#poison(error);
    }
  }

  /** Take over why the last failed entry of the ring failed, if one did. */
  #noteRing(count: number): void {
    for (let i = count - 1; i >= 0; i--) {
      if (this.#views.word(L.RING + i * L.RING_ENTRY + L.R_REASON) === 0) continue;
      this.#outOfMemory();
      return;
    }
  }

  #outOfMemory(): VirtualAddress {
    const reason = REASONS[this.#views.word(L.H_REASON)];
    if (reason === undefined) return this.#poison(new Error("an allocation failed without a reason"));
    this.#failure = {
      reason,
      freeBytes: this.#views.word(L.H_FAIL_FREE) * this.frameSize,
      largestFreeBytes: Math.min(this.#views.word(L.H_FAIL_LONGEST) * this.frameSize, 0xffffffff),
    };
    return 0 as VirtualAddress;
  }

  // ---- refusing ------------------------------------------------------------------------------------------------------

  #refuse(code: ErrorCode, address: number, message: string): never {
    const explain = this.#explain(address);
    throw new ShmemError(code, `${message} (${explain.text})`, { value: address, unit: "address", explain });
  }

  #bad(field: string, value: unknown, unit: string, message: string): never {
    throw new ShmemError("INVALID_ARGUMENT", `${field}: ${message}`, { field, value, unit });
  }

  #fault(address: number, space: "virtual" | "physical"): never {
    const message = `${space} address ${hex(address)} is not mapped`;
    if (space === "virtual") this.#refuse("TRANSLATION_FAULT", address, message);
    throw new ShmemError("TRANSLATION_FAULT", message, { value: address, unit: "physical address" });
  }

  /** Says so when a foreign virtual address looks like a physical one (misuse B11). */
  #exchanged(address: number): string {
    const place = this.#placeOfPhysical(address);
    if (place === undefined) return "";
    return `; it is a physical address of this core, so virtual and physical look exchanged`;
  }

  #refuseClosed(): never {
    if (this.#closed === "DISPOSED") throw new ShmemError("DISPOSED", "this core was disposed");
    throw new ShmemError("STATE_CORRUPT", "this core is poisoned after an internal failure", { cause: this.#cause });
  }

  /** A trap, or an answer that cannot be: nothing may be handed out from here any more (misuse J04, J05). */
  #poison(cause: unknown): never {
    if (cause instanceof ShmemError) throw cause;
    this.#closed = "STATE_CORRUPT";
    this.#cause = cause;
    throw new ShmemError("STATE_CORRUPT", "the core failed an internal check; this instance is poisoned", { cause });
  }
}

/** Lay a plan out in a fresh instance. `INVALID_ARGUMENT` when it needs more than linear memory can have. */
function build(wasm: CoreExports, plan: CorePlan): void {
  const shift = Math.round(Math.log2(plan.frameSize));
  const flags = plan.tags ? L.FLAG_TAGS : 0;
  const refuse = (code: number): void => {
    if (code === L.OK) return;
    const frames = plan.totalBytes / plan.frameSize;
    const reason =
      code === L.TOO_MANY_FRAMES
        ? "frame numbers are 32 bits"
        : `${code === L.TOO_MUCH_METADATA ? "linear memory ends at 4 GiB, they need" : "the engine refused"} ${wasm.metadataBytes()} bytes of metadata`;
    throw new ShmemError("INVALID_ARGUMENT", `zones hold ${frames} frames, too many for one core: ${reason}`, {
      field: "zones",
      value: frames,
      unit: "frames",
    });
  };
  refuse(wasm.openCore(shift, plan.zones.length, flags, plan.scatterBase));
  for (const { base, size, node, window } of plan.zones) refuse(wasm.openZone(base, size, node, window));
  refuse(wasm.openMemory());
}
