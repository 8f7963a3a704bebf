/**
 * The core as its users see it: addresses in, addresses out.
 *
 * This class is the seam's upper half. It proves every JavaScript number before it crosses (options.ts), turns addresses
 * into frame numbers and back (state.ts), and turns the core's codes into typed errors (explain.ts). It keeps no second
 * truth: what is live, free or mapped is asked of the core every time.
 *
 *     address ─ window ─► offset ─► frame number ─► core ─► frame number ─► window + offset ─► address
 *
 * A trap in the core means that its invariants were broken: the instance is poisoned, and from then on answers nothing
 * but `stats`, `verify` and `dispose` (misuse J04, J05).
 */
import type { PhysicalAddress, VirtualAddress } from "../addresses.js";
import { ShmemError } from "../errors.js";
import { Layout as L } from "../generated/layout.js";
import type {
  AllocateOptions,
  AllocationBatch,
  BrokenRule,
  CoreApi,
  CoreOptions,
  CoreStats,
  Explanation,
  Failure,
  PhysicalRun,
} from "./api.js";
import type { ArenaBytes } from "./arena.js";
import { allocateMany, freeMany, serveMany } from "./batches.js";
import { callAllocate, callFree, nextCallSite } from "./call-sites.js";
import { compareFields, explainAddress, refuseUnlessStart } from "./explain.js";
import { type FirstZone, firstZoneOf } from "./first-zone.js";
import { mapForeign, unmapForeign } from "./foreign.js";
import {
  type CorePlan,
  address as checkAddress,
  constraintsOf,
  integer,
  lengthOfRequest,
  planCore,
  range,
  tagOf,
} from "./options.js";
import { anyFailed, longestLength, notedFailure, writeRequest } from "./requests.js";
import { findings, UNREADABLE } from "./rules.js";
import { packSnapshot, putSnapshot, unpackSnapshot } from "./snapshot.js";
import { CoreState } from "./state.js";
import { arenaOffsetOf, offsetOfRange, runsOf, translate, translatePhysical } from "./translation.js";
import { probe, refill } from "./translation-cache.js";
import { type CoreModule, MAX_PAGES, type MemoryLimit, releaseModule, releaseModuleAsync } from "./wasm.js";

/** The allocator and translator over the Wasm core. Every method is documented at `CoreApi`. */
export class Core implements CoreApi {
  readonly frameSize: number;
  readonly #state: CoreState;
  readonly #firstZone: FirstZone;
  readonly #tags: boolean;
  readonly #serveRing: (count: number) => number = (count) => this.#serve(count);
  #closed: "DISPOSED" | "STATE_CORRUPT" | undefined;
  #cause: unknown;
  #failure: Failure | undefined;

  /** Open a core; compiles off the main thread where the host can. Refuses as `CoreOptions` says. */
  static async open(options: CoreOptions): Promise<Core> {
    const plan = planCore(options);
    return new Core(plan, await releaseModuleAsync());
  }

  /** Open a core now. */
  static openSync(options: CoreOptions): Core {
    return new Core(planCore(options), releaseModule());
  }

  /**
   * Open a core over another build of it (`compileModule`), for example the one with asserts. For tests and tools.
   * `maximumPages`: how many pages of 64 KiB its memory may have at most, 1 to 65,536 (the default); a core that does not
   * fit is refused, and one whose mapping tables may not grow is out of memory.
   */
  static openOver(module: CoreModule, options: CoreOptions, { maximumPages = MAX_PAGES }: MemoryLimit = {}): Core {
    return new Core(planCore(options), module, integer("maximumPages", maximumPages, 1, MAX_PAGES, "pages"));
  }

  private constructor(plan: CorePlan, module: CoreModule, maximumPages: number = MAX_PAGES) {
    const state = new CoreState(plan, module, maximumPages);
    this.#state = state;
    this.#firstZone = firstZoneOf(state, nextCallSite());
    this.frameSize = plan.frameSize;
    this.#tags = plan.tags;
  }

  get lastFailure(): Failure | undefined {
    return this.#failure;
  }

  // ---- blocks --------------------------------------------------------------------------------------------------------

  allocate(lengthBytes: number, options?: AllocateOptions): VirtualAddress {
    // The common case first, each proof one compare; whatever fails one of them is looked at with care.
    if (
      typeof lengthBytes !== "number" ||
      lengthBytes >>> 0 !== lengthBytes ||
      lengthBytes === 0 ||
      options !== undefined ||
      this.#closed !== undefined
    )
      return this.#allocateCarefully(lengthBytes, options);
    const zone = this.#firstZone;
    try {
      const frame = callAllocate(zone.callSite, zone.wasm, lengthBytes);
      const ahead = (frame - zone.first) >>> 0;
      if (ahead < zone.count) return (zone.window + ahead * zone.frameSize) as VirtualAddress;
      return this.#allocatedElsewhere(frame >>> 0);
    } catch (error) {
      return this.#poison(error);
    }
  }

  #allocateCarefully(lengthBytes: number, options: AllocateOptions | undefined): VirtualAddress {
    this.#open();
    const bytes = lengthOfRequest(lengthBytes);
    return options === undefined ? this.allocate(bytes) : this.#allocateConstrained(bytes, options);
  }

  /** The address of a block outside the first zone; 0 where there is none, and the reason noted. */
  #allocatedElsewhere(frame: number): VirtualAddress {
    const state = this.#state;
    if (frame !== 0) return state.windowOf(frame);
    state.wasm.noteFailure();
    this.#failure = notedFailure(state);
    return 0 as VirtualAddress;
  }

  #allocateConstrained(bytes: number, options: AllocateOptions): VirtualAddress {
    const state = this.#state;
    writeRequest(state, L.RING, bytes, constraintsOf(options, state.plan));
    this.#serve(1);
    return state.views.float(L.RING + L.R_VIRTUAL) as VirtualAddress;
  }

  free(address: VirtualAddress, lengthBytes?: number, tag?: number): void {
    if (this.#closed === undefined && this.#freesAtOnce(address, lengthBytes, tag)) return;
    this.#freeCarefully(address, lengthBytes, tag);
  }

  /** The common case: a block of the first zone with all that is to be compared. False where nothing was freed. */
  #freesAtOnce(address: number, lengthBytes: number | undefined, tag: number | undefined): boolean {
    if (typeof address !== "number" || typeof lengthBytes !== "number") return false;
    const zone = this.#firstZone;
    const ahead = (address - zone.window) * zone.inverse;
    const index = ahead >>> 0;
    if (index !== ahead || index >= zone.count || lengthBytes >>> 0 !== lengthBytes || lengthBytes === 0) return false;
    const frame = zone.first + index;
    try {
      if (!this.#tags) return tag === undefined && callFree(zone.callSite, zone.wasm, frame, lengthBytes) === L.OK;
      if (typeof tag !== "number" || tag >>> 0 !== tag) return false;
      return zone.wasm.freeTagged(frame, lengthBytes, tag) === L.OK;
    } catch (error) {
      return this.#poison(error);
    }
  }

  #freeCarefully(address: VirtualAddress, lengthBytes: number | undefined, tag: number | undefined): void {
    const { wasm } = this.#open();
    if (lengthBytes !== undefined) integer("lengthBytes", lengthBytes, 0, 0xffffffff, "bytes");
    if (tag !== undefined) tagOf(tag, this.#state.plan);
    try {
      const frame = this.#state.frameAt(address);
      const bytes = lengthBytes ?? (frame === 0 ? 0 : wasm.sizeOf(frame) >>> 0);
      if (frame !== 0 && bytes !== 0) {
        const code = tag === undefined ? wasm.freeAny(frame, bytes) : wasm.freeTagged(frame, bytes, tag);
        if (code === L.OK) return;
      }
      this.#freeOtherwise(address, lengthBytes, tag);
    } catch (error) {
      this.#poison(error);
    }
  }

  /** What is left: a scattered block to free, or a refusal to word. */
  #freeOtherwise(address: number, lengthBytes: number | undefined, tag: number | undefined): void {
    const { wasm, views } = this.#state;
    const expected = this.#fieldsAt(address);
    compareFields(this.#state, address, expected, { lengthBytes, tag });
    if (expected.record === 0) throw new RangeError("a free that matches was refused");
    wasm.freeScattered(views.float(expected.record + L.M_OWNER));
  }

  lengthOf(address: VirtualAddress): number {
    this.#open();
    return this.#fieldsAt(address).lengthBytes;
  }

  /** Length and tag of the live block that starts at an address, and its record if it is scattered; or why there is none. */
  #fieldsAt(address: number): { readonly lengthBytes: number; readonly tag: number; readonly record: number } {
    const state = this.#state;
    refuseUnlessStart(state, checkAddress(address));
    const frame = state.frameAt(address);
    if (frame !== 0)
      return { lengthBytes: state.wasm.sizeOf(frame) >>> 0, tag: state.wasm.tagOf(frame) >>> 0, record: 0 };
    const record = state.scatteredAt(address);
    const { views } = state;
    return { lengthBytes: views.float(record + L.M_OWNER_BYTES), tag: views.word(record + L.M_TAG), record };
  }

  allocateBatch(lengths: Uint32Array, addresses: Float64Array, physicals?: Float64Array): number {
    return allocateMany(this.#open(), this.#serveRing, lengths, addresses, physicals);
  }

  serveBatch(batch: AllocationBatch): number {
    return serveMany(this.#open(), this.#serveRing, batch);
  }

  freeBatch(addresses: Float64Array): void {
    const state = this.#open();
    try {
      freeMany(state, addresses);
    } catch (error) {
      this.#poison(error);
    }
  }

  // ---- translation ---------------------------------------------------------------------------------------------------

  physicalOf(address: VirtualAddress): PhysicalAddress {
    const zone = this.#firstZone;
    if (
      typeof address === "number" &&
      this.#closed === undefined &&
      (probe(zone, address) > 0 || refill(zone, address))
    )
      return (address + zone.toPhysical) as PhysicalAddress;
    return this.translate(address).physical;
  }

  virtualOf(physical: PhysicalAddress): VirtualAddress {
    return this.translatePhysical(physical).virtual;
  }

  translate(address: VirtualAddress): PhysicalRun {
    return translate(this.#open(), checkAddress(address));
  }

  translatePhysical(physical: PhysicalAddress): { readonly virtual: VirtualAddress; readonly lengthBytes: number } {
    const state = this.#open();
    checkAddress(physical, "physical");
    const zone = this.#firstZone;
    const virtual = (physical - zone.toPhysical) as VirtualAddress;
    const left = probe(zone, virtual);
    const mask = zone.frameSize - 1;
    // The frames of the block to the end, less what lies before the address in its own.
    if (left > 0) return { virtual, lengthBytes: ((left + mask) & ~mask) - (physical & mask) };
    return translatePhysical(state, physical);
  }

  runs(address: VirtualAddress, lengthBytes: number): PhysicalRun[] {
    const state = this.#open();
    range(address, lengthBytes);
    return runsOf(state, address, lengthBytes);
  }

  map(virtual: VirtualAddress, runs: readonly { readonly physical: number; readonly lengthBytes: number }[]): void {
    mapForeign(this.#open(), virtual, runs);
  }

  unmap(virtual: VirtualAddress): void {
    unmapForeign(this.#open(), virtual);
  }

  bytes(address: VirtualAddress, lengthBytes: number): Uint8Array {
    const offset = this.offsetOf(address, lengthBytes);
    return (this.#state.arena as ArenaBytes).whole().subarray(offset, offset + lengthBytes);
  }

  offsetOf(address: VirtualAddress, lengthBytes: number): number {
    const state = this.#open();
    range(address, lengthBytes);
    if (state.arena === null)
      throw new ShmemError("NO_ARENA", "this core is address-only", { value: address, unit: "address" });
    const zone = this.#firstZone;
    let left = probe(zone, address);
    if (left <= 0 && refill(zone, address)) left = probe(zone, address);
    if ((address & (zone.frameSize - 1)) + lengthBytes <= left) return address + zone.toArena;
    return offsetOfRange(state, address, lengthBytes);
  }

  arenaOffsetOf(physical: PhysicalAddress): number {
    return arenaOffsetOf(this.#open(), checkAddress(physical, "physical"));
  }

  // ---- asking --------------------------------------------------------------------------------------------------------

  explain(address: VirtualAddress): Explanation {
    return explainAddress(this.#open(), checkAddress(address));
  }

  stats(): CoreStats {
    const { views, wasm, frameSize } = this.#standing();
    const totalBytes = views.word(L.H_TOTAL_FRAMES) * frameSize;
    const liveBytes = (views.word(L.H_PEAK_FRAMES) - views.word(L.H_PEAK_HEADROOM)) * frameSize;
    const withheldBytes = views.word(L.H_WITHHELD_FRAMES) * frameSize;
    // A poisoned core counts, but does not walk.
    const walks = this.#closed === undefined;
    const largest = walks ? (wasm.longestBlock() >>> 0) * frameSize : 0;
    const ready = walks ? wasm.cachedBlocks() : 0;
    return {
      totalBytes,
      freeBytes: totalBytes - liveBytes - withheldBytes,
      liveBytes,
      withheldBytes,
      largestFreeBytes: longestLength(largest),
      liveBlocks: views.word(L.H_BLOCKS) - ready,
      peakLiveBytes: views.word(L.H_PEAK_FRAMES) * frameSize,
      failures: views.float(L.H_FAILURES),
    };
  }

  verify(): BrokenRule[] {
    const state = this.#standing();
    try {
      return findings(state, state.audit.verify() >>> 0);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) return [UNREADABLE];
      throw error;
    }
  }

  flush(): void {
    this.#open().wasm.flush();
  }

  digest(): string {
    this.#open().audit.digest();
    return this.#lastDigest();
  }

  imageDigest(): string {
    this.#open().audit.imageDigest();
    return this.#lastDigest();
  }

  #lastDigest(): string {
    const lane = (offset: number): string => this.#state.views.word(offset).toString(16).padStart(8, "0");
    return lane(L.H_DIGEST_A) + lane(L.H_DIGEST_B);
  }

  snapshot(): Uint8Array {
    return packSnapshot(this.#open().views);
  }

  restore(snapshot: Uint8Array): void {
    const undo = unpackSnapshot(this.#open().views, snapshot);
    const broken = this.verify()[0];
    if (broken === undefined) return;
    undo();
    throw new ShmemError("BAD_SNAPSHOT", `its state is not sound: ${broken.rule}: ${broken.message}`, {
      value: broken.frame,
      unit: "frame",
    });
  }

  /** `restore` of a snapshot that this core itself made, for searches: nothing is checked, and a poisoned core is sound again. */
  rewind(snapshot: Uint8Array): void {
    putSnapshot(this.#standing().views, snapshot);
    this.#closed = this.#failure = undefined;
  }

  dispose(): void {
    this.#closed = "DISPOSED";
  }

  // ---- within --------------------------------------------------------------------------------------------------------

  #serve(count: number): number {
    const state = this.#state;
    try {
      const served = state.wasm.serve(count);
      state.views.refresh(); // gathering may have grown the mapping tables
      if (served < count && anyFailed(state, count)) this.#failure = notedFailure(state);
      return served;
    } catch (error) {
      return this.#poison(error);
    }
  }

  /** The state, for calls that a disposed or poisoned core refuses. */
  #open(): CoreState {
    if (this.#closed !== undefined) this.#refuseClosed(this.#closed);
    return this.#state;
  }

  /** The state, for calls that a poisoned core still answers. */
  #standing(): CoreState {
    if (this.#closed === "DISPOSED") this.#refuseClosed("DISPOSED");
    return this.#state;
  }

  #refuseClosed(code: "DISPOSED" | "STATE_CORRUPT"): never {
    if (code === "DISPOSED") throw new ShmemError(code, "this core was disposed");
    throw new ShmemError(code, "this core is poisoned", { cause: this.#cause });
  }

  /** Pass refusals on. Anything else is a trap or an answer that cannot be: nothing is handed out from here any more. */
  #poison(cause: unknown): never {
    if (cause instanceof ShmemError) throw cause;
    this.#closed = "STATE_CORRUPT";
    this.#cause = cause;
    throw new ShmemError("STATE_CORRUPT", "the core failed; it is poisoned now", { cause });
  }
}
