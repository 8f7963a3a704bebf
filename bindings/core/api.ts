/**
 * What a core does: the allocator and the translator, without any NDIS.
 *
 * Three things implement this: `Core` over the release WebAssembly module, `Core` over the debug module (asserts on),
 * and the reference model in `src/model`, which is slow and obviously right. The same tests run against all three.
 *
 * Units: every length is in bytes, every address in bytes, a `frame` is the unit of physical memory (`frameSize` bytes).
 *
 * Placement rule: a block holds `ceil(length / frameSize)` frames and no more. It starts on a multiple of the power of
 * two at or above its rounded length (in physical addresses; `alignment` can only raise that), and never spans zones.
 * Zones are tried from the highest base down, so that memory below 4 GiB is left for those who need it.
 */
import type { PhysicalAddress, VirtualAddress } from "../addresses.js";

/** A physical range. */
export interface ZoneOptions {
  /** First physical byte. A multiple of `frameSize`, at least `frameSize` (so 0 is never handed out). */
  readonly base: number;
  /** Bytes. A multiple of `frameSize`, at least one frame; `base + size` at most 2^52; zones must not overlap. */
  readonly size: number;
  /** NUMA node, 0 to 65535. Default 0. */
  readonly node?: number;
  /** Where the zone's bytes start in the arena. Default: where the previous zone's bytes end (0 for the first). */
  readonly arenaOffset?: number;
  /**
   * Where the zone's virtual window starts; positive, congruent to `base` modulo a group (64 frames) and 64 KiB. Windows do
   * not overlap. Default: behind the previous zone's, see `CoreOptions.virtualBase`.
   */
  readonly virtualBase?: number;
}

/** Bytes that the host owns. A `WebAssembly.Memory` is recognised by its `buffer`, which is looked up at every access. */
export type Arena = ArrayBuffer | SharedArrayBuffer | Uint8Array | { readonly buffer: ArrayBuffer | SharedArrayBuffer };

/** Options of `Core.open`. An unknown key, or a value out of its range, is `INVALID_ARGUMENT` naming the field. */
export interface CoreOptions {
  /** 1 to 64 zones. */
  readonly zones: readonly ZoneOptions[];
  /** Bytes in a frame: a power of two, 64 to 1 MiB. Default 4096. */
  readonly frameSize?: number;
  /**
   * Where the virtual windows start: a multiple of `frameSize`, or `"identity"` for virtual = physical. Default 2^46.
   * One window per zone in declared order, each congruent to its zone's base modulo 2^32, at least 1 GiB unmapped between.
   */
  readonly virtualBase?: number | "identity";
  /** Absent: a fresh buffer. `null`: address-only, `bytes` is refused with `NO_ARENA`. */
  readonly arena?: Arena | null;
  /** Keep an opaque 32-bit tag per block (4 more bytes of metadata per frame). Default false. */
  readonly tags?: boolean;
}

/** Options of one allocation. An unknown key is `INVALID_ARGUMENT`. */
export interface AllocateOptions {
  /** Power of two in bytes, at most the total size of the zones. Default: none beyond the placement rule. */
  readonly alignment?: number;
  /** Power of two in bytes, at most 2^52. No multiple of it may lie inside the block (physical). Smaller than the length is out of memory. */
  readonly boundary?: number;
  /** The last physical byte allowed, inclusive: 0 to 2^52 - 1. */
  readonly highest?: number;
  /** The NUMA node the memory must come from, 0 to 65535. */
  readonly node?: number;
  /** The NUMA node to try first, 0 to 65535. */
  readonly preferredNode?: number;
  /** `false` lets the core gather scattered runs under one virtual range when no single run serves. Default true. */
  readonly contiguous?: boolean;
  /** 0 to 2^32 - 1, kept with the block and compared at free. Only with `tags: true`. Default 0. */
  readonly tag?: number;
}

/** A stretch of physical memory. */
export interface PhysicalRun {
  /** Its first byte. */
  readonly physical: PhysicalAddress;
  /** How many bytes it has, at least 1. */
  readonly lengthBytes: number;
}

/** Why the last allocation that returned 0 did so. */
export type FailureReason =
  /** Fewer frames are free, in all zones together, than were asked for. */
  | "exhausted"
  /** Enough frames are free, but no run of them is long enough at a start that is aligned enough. */
  | "fragmented"
  /** `highest` or `node` excludes the memory that would have served. */
  | "addressing"
  /** `boundary` is smaller than the length. */
  | "boundary"
  /** The inflation of guard mode made it too large. */
  | "guard"
  /** The quota of the adapter. */
  | "quota"
  /** Injected by a fault plan. */
  | "injected";

/** `reason` beside the numbers that explain it. */
export interface Failure {
  /** Why the request found no memory. */
  readonly reason: FailureReason;
  /** Free bytes in all zones at that moment. */
  readonly freeBytes: number;
  /** The longest single allocation that would have succeeded without constraints at that moment. */
  readonly largestFreeBytes: number;
}

/** Counters. Bytes of blocks are counted in whole frames. */
export interface CoreStats {
  /** Bytes in all zones. totalBytes = freeBytes + liveBytes + withheldBytes. */
  readonly totalBytes: number;
  /** Bytes that an allocation may use, frames whose merging is deferred included. */
  readonly freeBytes: number;
  /** Bytes held by live blocks, in whole frames. */
  readonly liveBytes: number;
  /** Bytes neither free nor live. */
  readonly withheldBytes: number;
  /** The longest single allocation, in bytes, that would succeed now without constraints; 0 when nothing is free. */
  readonly largestFreeBytes: number;
  /** Live blocks; a scattered block is one. */
  readonly liveBlocks: number;
  /** The highest `liveBytes` so far. */
  readonly peakLiveBytes: number;
  /** Allocations answered with 0 so far. */
  readonly failures: number;
}

/** One broken invariant, found by `verify`. */
export interface BrokenRule {
  /** The name of the invariant, for example `"counts"`. Names are stable between versions. */
  readonly rule: string;
  /** The frame where it is broken, counted from 0 over all zones in declared order; -1 where it concerns no single frame. */
  readonly frame: number;
  /** One sentence for people; it may change between versions. */
  readonly message: string;
}

/** What is known of an address. */
export interface Explanation {
  /** The address that was asked about. */
  readonly address: number;
  /**
   * `live`: inside a live block. `freed`: the start of a block that is not live now. `free`: in the arena, in no block.
   * `foreign`: inside a mapping made by `map`. `unmapped`: nowhere.
   */
  readonly state: "live" | "freed" | "free" | "foreign" | "unmapped";
  /** Index of the zone, -1 if in none. */
  readonly zone: number;
  /** The block or mapping that holds the address, where there is one. */
  readonly block?: {
    /** Its first byte. */
    readonly virtual: VirtualAddress;
    /** The length asked for, in bytes. */
    readonly lengthBytes: number;
    /** log2 of the power of two of frames that the block's start is aligned to; -1 for mappings and scattered blocks. */
    readonly order: number;
    /** False for a scattered block, and for a range made by `map`. */
    readonly contiguous: boolean;
    /** Its tag; only on a core with `tags: true`, and not for a range made by `map`. */
    readonly tag?: number;
  };
  /** Bytes from the start of the block to the address. */
  readonly offset?: number;
  /** One sentence for people. */
  readonly text: string;
}

/**
 * Requests to be served in one call, and their answers; the arrays are the caller's and are reused from batch to batch.
 * All arrays are at least `count` long. Values are trusted to be in range: the caller has validated each request.
 */
export interface AllocationBatch {
  /** How many entries count. */
  count: number;
  /** In: bytes asked for, 1 to 2^32 - 1. */
  readonly lengths: Uint32Array;
  /** In: the last physical byte allowed, inclusive; 2^52 - 1 for no limit. */
  readonly highest: Float64Array;
  /** In: the tag to keep with the block; ignored without `tags: true`. */
  readonly tags: Uint32Array;
  /** Out: virtual address, 0 where out of memory. */
  readonly addresses: Float64Array;
  /** Out: physical address, 0 where out of memory. */
  readonly physicals: Float64Array;
}

/** The allocator and translator. See the head of this file for the placement rule. */
export interface CoreApi {
  /** Bytes in a frame: a power of two, 64 to 2^20. */
  readonly frameSize: number;
  /** Why the last allocation that found no memory found none; `undefined` before the first. Readable at any time. */
  readonly lastFailure: Failure | undefined;

  /**
   * Take a block. Returns its virtual address, or 0 when out of memory (then `lastFailure` says why).
   *
   * `lengthBytes`: bytes, an integer, 1 to 2^32 - 1. Anything else, an unknown option or one out of its range:
   * `INVALID_ARGUMENT`. `DISPOSED` and `STATE_CORRUPT` as for every call: see `dispose`.
   */
  allocate(lengthBytes: number, options?: AllocateOptions): VirtualAddress;

  /**
   * `allocate` for whoever allocates often under the same limit: the last physical byte allowed, 0 to 2^52 - 1, and the tag,
   * 0 to 2^32 - 1 (ignored without `tags: true`), as arguments. Otherwise it is `allocate(lengthBytes, { highest, tag })`.
   */
  allocateWithin(lengthBytes: number, highest: number, tag: number): VirtualAddress;

  /**
   * Give a block back. `lengthBytes` and `tag`, when given, must equal those of the allocation.
   *
   * `INVALID_ARGUMENT` (not an address, 0), `FOREIGN_ADDRESS`, `INTERIOR_ADDRESS`, `ALREADY_FREED`, `NEVER_ALLOCATED`,
   * `LENGTH_MISMATCH` (length, or length and tag), `WRONG_OWNER` (tag alone). Nothing changes on refusal. With plain
   * addresses a stale free of a start that was handed out again at the same length cannot be told apart.
   */
  free(address: VirtualAddress, lengthBytes?: number, tag?: number): void;

  /** The exact length in bytes that the live block at `address` was asked for with. Refuses as `free` does. */
  lengthOf(address: VirtualAddress): number;

  /** The physical address of one byte. `TRANSLATION_FAULT` where nothing is mapped, `INVALID_ARGUMENT` for a non-address. */
  physicalOf(address: VirtualAddress): PhysicalAddress;

  /** The exact inverse of `physicalOf`: the virtual address of one physical byte. Refuses as `physicalOf` does. */
  virtualOf(physical: PhysicalAddress): VirtualAddress;

  /**
   * `physicalOf`, and for how many bytes from there on the answer holds (to the end of the block's last frame, or of the
   * run). Refuses as `physicalOf` does.
   */
  translate(address: VirtualAddress): PhysicalRun;

  /** `virtualOf`, and for how many bytes from there on the answer holds. Refuses as `physicalOf` does. */
  translatePhysical(physical: PhysicalAddress): { readonly virtual: VirtualAddress; readonly lengthBytes: number };

  /**
   * The scatter/gather runs of a virtual range, in order, covering it exactly once, one run per physically contiguous
   * stretch. `TRANSLATION_FAULT` with the first unmapped address; `INVALID_ARGUMENT` for length 0 or an end past 2^52.
   */
  runs(address: VirtualAddress, lengthBytes: number): PhysicalRun[];

  /**
   * Register a foreign range: the runs, one after the other, appear at `virtual`. Any byte granularity.
   * `INVALID_ARGUMENT` when the virtual range meets a window or another mapping, or a run meets a zone or another mapping.
   */
  map(virtual: VirtualAddress, runs: readonly { readonly physical: number; readonly lengthBytes: number }[]): void;

  /**
   * Remove what `map` registered at exactly `virtual`. `INTERIOR_ADDRESS` inside such a range, `FOREIGN_ADDRESS` outside,
   * `INVALID_ARGUMENT` for what is no address and for a block.
   */
  unmap(virtual: VirtualAddress): void;

  /**
   * Try every entry in order; write the address, or 0 where out of memory. Returns how many succeeded.
   * One invalid length refuses all with its `index`. The output arrays are at least as long as `lengths`.
   */
  allocateBatch(lengths: Uint32Array, addresses: Float64Array, physicals?: Float64Array): number;

  /**
   * Serve a batch of constrained requests in order, in one crossing per ring's length (at least 32). Returns how many
   * succeeded. This is what a dispatcher of completions calls; `allocateBatch` is the plain form.
   */
  serveBatch(batch: AllocationBatch): number;

  /** Free all, or refuse all with the `index` of the first bad entry (a repeated address is `ALREADY_FREED` at its second index). */
  freeBatch(addresses: Float64Array): void;

  /**
   * The bytes of a range inside one live block's requested length. `TRANSLATION_FAULT` otherwise (also where a scattered
   * block's range is not one run), `NO_ARENA` when address-only, `STALE_VIEW` when the host has grown the memory under a
   * `Uint8Array` or transferred the buffer. The view lives until the host grows or moves the arena.
   */
  bytes(address: VirtualAddress, lengthBytes: number): Uint8Array;

  /**
   * Where those bytes lie in the arena, in bytes from its start: for who reads a word here and there, and would rather not
   * make a view for each. `TRANSLATION_FAULT` and `NO_ARENA` as for `bytes`. True until the block is freed.
   */
  offsetOf(address: VirtualAddress, lengthBytes: number): number;

  /** Where a physical byte lies in the arena, in bytes from its start. `TRANSLATION_FAULT` outside the zones. Works address-only. */
  arenaOffsetOf(physical: PhysicalAddress): number;

  /** What is known of a virtual address. Never throws for an address. */
  explain(address: VirtualAddress): Explanation;

  /** The counters at this moment. Answers on a poisoned core too (see `verify`), then with `largestFreeBytes` 0. */
  stats(): CoreStats;

  /**
   * Walk every structure. What is broken, empty when all is sound. Changes no answer. Time in proportion to the frames. A
   * core that failed (`STATE_CORRUPT`) still answers this, `stats` and `dispose`, and nothing else.
   */
  verify(): BrokenRule[];

  /** Finish whatever merging was deferred. Never changes `digest()`. */
  flush(): void;

  /** 16 hex digits over the logical state: zones, live blocks (start, exact length, tag), mappings. */
  digest(): string;

  /** 16 hex digits over everything that can affect a later answer: `digest`'s state, free memory, caches, thresholds. */
  imageDigest(): string;

  /** The whole state as bytes, versioned and checksummed; the arena's bytes are not in it. */
  snapshot(): Uint8Array;

  /** Replace the whole state. `BAD_SNAPSHOT` for any damage or for a core of other zones, frame size, virtual base or tags; then nothing changed. */
  restore(snapshot: Uint8Array): void;

  /** Release. Disposing twice is harmless; every other call afterwards is `DISPOSED`. */
  dispose(): void;
}
