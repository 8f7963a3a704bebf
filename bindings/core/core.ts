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
import { compareFields, explainAddress, refuseUnlessStart } from "./explain.js";
import { type FirstZone, firstZoneOf } from "./first-zone.js";
import { mapForeign, unmapForeign } from "./foreign.js";
import {
  type Constraints,
  type CorePlan,
  address as checkAddress,
  integer,
  lengthOfRequest,
  planCore,
  range,
  readConstraints,
  tagOf,
  UNCONSTRAINED,
} from "./options.js";
import { refuseIfClaimed } from "./ownership.js";
import { closedPaths, type Miss, Missed, type QuickPaths, quickPathsOf } from "./quick-paths.js";
import { anyFailed, longestLength, notedFailure, writeRequest } from "./requests.js";
import { findings, UNREADABLE } from "./rules.js";
import { packSnapshot, putSnapshot, unpackSnapshot } from "./snapshot.js";
import { CoreState } from "./state.js";
import { arenaOffsetOf, offsetOfRange, runsOf, translate, translatePhysical } from "./translation.js";
import { probe, refill } from "./translation-cache.js";
import { type CoreModule, MAX_PAGES, type MemoryLimit, releaseModule, releaseModuleAsync } from "./wasm.js";

/** How many call sites `#miss` has for each function of the core. */
const CALL_SITES = 4;

let opened = 0;

/** The allocator and translator over the Wasm core. Every method is documented at `CoreApi`. */
export class Core implements CoreApi {
  readonly frameSize: number;
  readonly #state: CoreState;
  readonly #firstZone: FirstZone;
  /** Which of its call sites `#miss` uses. */
  readonly #callSite: number;
  /** What the options of one allocation are read into. */
  readonly #constraints: Constraints = { ...UNCONSTRAINED };
  /** Every allocate and every free, while this core is open; then the misses, which refuse. */
  #paths: QuickPaths;
  readonly #missed: Miss = (missed, address, lengthBytes, tag) => this.#miss(missed, address, lengthBytes, tag);
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
    this.#firstZone = firstZoneOf(state);
    this.frameSize = plan.frameSize;
    this.#callSite = opened++ % CALL_SITES;
    this.#paths = quickPathsOf(state, this.#missed);
    state.views.onMove = () => {
      this.#paths = quickPathsOf(state, this.#missed);
    };
  }

  get lastFailure(): Failure | undefined {
    return this.#failure;
  }

  // ---- blocks --------------------------------------------------------------------------------------------------------

  allocate(lengthBytes: number, options?: AllocateOptions): VirtualAddress {
    if (options === undefined) return this.#paths.allocate(lengthBytes, 0) as VirtualAddress;
    // The sign tells an engine that this is a number too, so that it need not box the other.
    return +this.#allocateWith(lengthBytes, options) as VirtualAddress;
  }

  #allocateWith(lengthBytes: number, options: AllocateOptions): number {
    const state = this.#open();
    const bytes = lengthOfRequest(lengthBytes);
    const constraints = this.#constraints;
    if (!readConstraints(options, state.plan, constraints)) return this.#paths.allocate(bytes, constraints.tag);
    writeRequest(state, L.RING, bytes, constraints);
    this.#serve(1);
    return state.views.float(L.RING + L.R_VIRTUAL);
  }

  free(address: VirtualAddress, lengthBytes?: number, tag?: number): void {
    const paths = this.#paths;
    if (tag === undefined) paths.free(address, lengthBytes);
    else paths.freeTagged(address, lengthBytes, tag);
  }

  /**
   * Allocate or free where no cache decides it (`Miss`): one call of the core.
   *
   * Four call sites for one call: an engine that has seen one function at a call site calls it directly, 3 ns for a function
   * of an instance. At a site that has seen the functions of two instances it goes through a wrapper, for 10 ns, and never
   * comes back. So cores take the sites by turns, and a program with up to four cores pays for none.
   */
  #miss(missed: Missed, address: number, lengthBytes: number | undefined, tag: number | undefined): number {
    const state = this.#open();
    const { wasm, plan } = state;
    if (missed === Missed.Allocate) {
      const bytes = lengthOfRequest(lengthBytes);
      try {
        let frame: number;
        if (this.#callSite === 0) frame = wasm.allocate(bytes);
        else if (this.#callSite === 1) frame = wasm.allocate(bytes);
        else if (this.#callSite === 2) frame = wasm.allocate(bytes);
        else frame = wasm.allocate(bytes);
        frame >>>= 0;
        if (frame === 0) {
          wasm.noteFailure();
          this.#failure = notedFailure(state);
          return 0;
        }
        const zone = state.zoneHolding(frame);
        if (tag !== undefined && tag !== 0) state.views.u32[zone.tagWords + frame] = tag;
        return zone.window + (frame - zone.first) * state.frameSize;
      } catch (error) {
        return this.#poison(error);
      }
    }
    if (lengthBytes !== undefined) integer("lengthBytes", lengthBytes, 0, 0xffffffff, "bytes");
    if (missed === Missed.FreeTagged) tagOf(tag, plan);
    try {
      const frame = state.frameAt(address);
      const bytes = lengthBytes ?? (frame === 0 ? 0 : wasm.sizeOf(frame) >>> 0);
      if (frame !== 0 && bytes !== 0) {
        let code: number;
        if (missed === Missed.FreeTagged) code = wasm.freeTagged(frame, bytes, tag as number);
        else if (plan.tags) code = wasm.freeAny(frame, bytes);
        else if (this.#callSite === 0) code = wasm.free(frame, bytes);
        else if (this.#callSite === 1) code = wasm.free(frame, bytes);
        else if (this.#callSite === 2) code = wasm.free(frame, bytes);
        else code = wasm.free(frame, bytes);
        if (code === L.OK) return 0;
      }
      this.#freeOtherwise(address, lengthBytes, tag);
      return 0;
    } catch (error) {
      return this.#poison(error);
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
    const liveBytes = (views.word(L.H_PEAK_FRAMES) - views.word(L.W_PEAK_HEADROOM)) * frameSize;
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
    refuseIfClaimed(this, "restore");
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
    this.#paths = quickPathsOf(this.#state, this.#missed);
  }

  dispose(): void {
    this.#close("DISPOSED");
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

  #close(code: "DISPOSED" | "STATE_CORRUPT"): void {
    this.#closed = code;
    this.#paths = closedPaths(this.#missed);
  }

  #refuseClosed(code: "DISPOSED" | "STATE_CORRUPT"): never {
    if (code === "DISPOSED") throw new ShmemError(code, "this core was disposed");
    throw new ShmemError(code, "this core is poisoned", { cause: this.#cause });
  }

  /** Pass refusals on. Anything else is a trap or an answer that cannot be: nothing is handed out from here any more. */
  #poison(cause: unknown): never {
    if (cause instanceof ShmemError) throw cause;
    this.#close("STATE_CORRUPT");
    this.#cause = cause;
    throw new ShmemError("STATE_CORRUPT", "the core failed; it is poisoned now", { cause });
  }
}
