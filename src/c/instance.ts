/**
 * One instance of a compiled driver: its memory, and calls into it.
 *
 *     0        NULL page and guard      64 KiB   below the stack: whoever goes there has overrun it, or followed NULL
 *     64 KiB   the stack of calls that do not wait
 *     128 KiB  data of the driver, edges, shadow (an eighth of the address space that is covered)
 *     ...      stacks of threads: calls that may wait have one each, with room for Asyncify beside it
 *     ...      pool
 *     ...      registers of devices
 *     ...      shared memory: the arena of the machine, where virtual addresses are addresses of this memory
 *
 * A run begins by rewinding: data as after loading, stacks and shadow as new. That costs some microseconds, where a new
 * instance costs a millisecond.
 */
import { ShmemError } from "../../bindings/index.js";
import type { CModule } from "./module.js";
import type { Stack } from "./places.js";

const PAGE = 65_536;
/** The stack of calls that do not wait lies below this, and ends at `NULL_PAGE`. */
const MAIN_STACK_TOP = 131_072;
const NULL_PAGE = 65_536;
const MOST_THREADS = 16;
const THREAD_BYTES = 65_536;
/** Of a thread's bytes, what Asyncify may use. */
const ASYNCIFY_BYTES = 16_384;
const REGISTER_BYTES = 2 ** 20;
/** Blocks of shared memory are placed by groups: a window is congruent to its zone modulo this. */
const GROUP_BYTES = 2 ** 18;
/** Bytes that uninitialized memory has, so that one run is like another. */
export const UNINITIALIZED = 0xcd;
/** Frames of the C call stack that are kept, as in shim/check.h. */
const MAX_FRAMES = 128;
const MAX_EDGES = 65_536;
/** Edges that one call into the driver may cross before it counts as endless. A busy call crosses some thousands. */
export const FUEL = 4_000_000;

/** Why a byte may not be touched: the tags of the shadow, as in shim/check.h. */
export const TAG = {
  nullPage: 0xe1,
  nothing: 0xe2,
  redZone: 0xe3,
  freedPool: 0xe4,
  notAllocated: 0xe5,
  freedShared: 0xe6,
  device: 0xe7,
  registers: 0xe8,
  global: 0xe9,
  threadStack: 0xea,
} as const;

/** What was thrown out of the driver's code to end it: the finding is recorded already. */
export class CAbort extends ShmemError {
  override readonly name: string = "CAbort";
}

type Export = (...args: number[]) => number | undefined;

/** A call that waits: it goes on when its promise is settled. */
interface CThread {
  readonly slot: number;
  stackPointer: number;
  /** What the wait is for, and what it answered. */
  waiting: Promise<unknown> | null;
  answer: number;
  frames: Int32Array;
  site: number;
}

/** Called before and after each stretch of C code: whose code it is. */
export interface Surroundings {
  enter(): unknown;
  leave(before: unknown): void;
}

export class CInstance {
  readonly module: CModule;
  /** @internal */
  readonly memory: WebAssembly.Memory;
  readonly #exports: Readonly<Record<string, Export>>;
  readonly #stackPointer: WebAssembly.Global;
  readonly #functions: WebAssembly.Table;
  readonly #table: Export[] = [];
  readonly #data: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  readonly #at: Readonly<
    Record<"site" | "frames" | "depth" | "fuel" | "stackEnd" | "edges" | "limit" | "shadow", number>
  >;
  readonly #shadowEnd: number;
  readonly threadBase: number;
  readonly poolBase: number;
  readonly poolEnd: number;
  readonly registerBase: number;
  readonly #asyncify: boolean;
  /** Start and end of the shared memory: set by `place`. */
  arenaStart = 0;
  arenaEnd = 0;
  /** Pool in use goes up to here; for rewinding. */
  poolHigh: number;
  /** Registers are mapped up to here; for rewinding. */
  registerHigh: number;
  #threads: (CThread | null)[] = new Array(MOST_THREADS).fill(null);
  #threadsUsed = 0;
  #current: CThread | null = null;
  /** Where the driver was when something was thrown out of it. */
  faultStack: Stack | null = null;
  u8: Uint8Array = new Uint8Array(0);
  u32: Uint32Array = new Uint32Array(0);
  i32: Int32Array = new Int32Array(0);

  constructor(
    module: CModule,
    imports: Readonly<Record<string, (...args: number[]) => unknown>>,
    poolBytes: number,
    arenaBytes: number,
  ) {
    this.module = module;
    const missing = module.imports.filter(
      (name) => !(name.startsWith("nshm.") && Object.hasOwn(imports, name.slice(5))),
    );
    if (missing.length > 0) {
      throw new ShmemError("INVALID_ARGUMENT", `the driver imports what is not here: ${missing.join(", ")}`, {
        field: "module",
        value: missing,
        unit: "imports",
      });
    }
    const { exports } = new WebAssembly.Instance(module.module, { nshm: imports });
    this.#exports = exports as unknown as Record<string, Export>;
    this.memory = exports.memory as WebAssembly.Memory;
    this.#stackPointer = exports.__stack_pointer as WebAssembly.Global;
    this.#functions = exports.__indirect_function_table as WebAssembly.Table;
    this.#asyncify = "asyncify_start_unwind" in exports;
    const address = (name: string): number => (exports[name] as WebAssembly.Global).value as number;
    const shadow = address("nshm_shadow");
    this.#at = {
      site: address("nshm_site") >>> 2,
      frames: address("nshm_frames") >>> 2,
      depth: address("nshm_depth") >>> 2,
      fuel: address("nshm_fuel") >>> 2,
      stackEnd: address("nshm_stack_end") >>> 2,
      limit: address("nshm_limit") >>> 2,
      edges: address("nshm_edges"),
      shadow,
    };
    this.#shadowEnd = shadow + module.sites.memoryBytes / 8;
    const heapBase = address("__heap_base");
    this.threadBase = roundUp(heapBase, PAGE);
    this.poolBase = this.threadBase + MOST_THREADS * THREAD_BYTES;
    this.poolEnd = this.poolBase + roundUp(poolBytes, PAGE);
    this.poolHigh = this.poolBase;
    this.registerBase = this.poolEnd;
    this.registerHigh = this.registerBase;
    // Room for the shared memory as well, so that views of it stay.
    this.#grow(Math.min(module.sites.memoryBytes, this.registerBase + REGISTER_BYTES + arenaBytes + 3 * GROUP_BYTES));
    this.#views();
    this.u8.fill(TAG.nothing, shadow, this.#shadowEnd);
    this.unpoison(NULL_PAGE, heapBase - NULL_PAGE);
    this.u8.fill(TAG.nullPage, shadow, shadow + (NULL_PAGE >>> 3));
    this.u8.fill(TAG.nothing, shadow + (shadow >>> 3), shadow + (this.#shadowEnd >>> 3));
    this.#exports.__wasm_call_ctors?.();
    // Everything but the shadow and the edges, which are put back in other ways. Where the linker put them is its business.
    const apart = [
      [shadow, this.#shadowEnd],
      [this.#at.edges, this.#at.edges + MAX_EDGES],
    ].sort(([a = 0], [b = 0]) => a - b);
    const data: { at: number; bytes: Uint8Array }[] = [];
    let from = address("__global_base");
    for (const [start = 0, end = 0] of [...apart, [heapBase, heapBase]]) {
      if (start > from) data.push({ at: from, bytes: this.u8.slice(from, start) });
      from = end;
    }
    this.#data = data;
    this.rewind();
  }

  /** Lay the shared memory of a machine behind the rest; its first byte's address. */
  place(lengthBytes: number, physicalBase: number): number {
    const from = this.registerBase + REGISTER_BYTES + GROUP_BYTES;
    const congruent = (((physicalBase - from) % GROUP_BYTES) + GROUP_BYTES) % GROUP_BYTES;
    let start = from + congruent;
    // A virtual address is never also a physical one: swapped arguments are found.
    if (start < physicalBase + lengthBytes && physicalBase < start + lengthBytes)
      start = roundUp(physicalBase + lengthBytes - start, GROUP_BYTES) + start;
    const end = start + lengthBytes;
    if (end > this.module.sites.memoryBytes) {
      throw new ShmemError(
        "INVALID_ARGUMENT",
        `${lengthBytes} bytes of shared memory end at ${end}, and the driver was compiled for ${this.module.sites.memoryBytes} bytes of addresses: give cc a larger --memory`,
        { field: "arenaBytes", value: lengthBytes, unit: "bytes" },
      );
    }
    this.#grow(end);
    this.#views();
    if (start !== this.arenaStart || end > this.arenaEnd) {
      this.arenaStart = start;
      this.arenaEnd = Math.max(end, this.arenaEnd);
      this.poison(this.arenaStart, this.arenaEnd - this.arenaStart, TAG.notAllocated);
    }
    return start;
  }

  #grow(end: number): void {
    const pages = Math.ceil(end / PAGE) - this.memory.buffer.byteLength / PAGE;
    if (pages > 0) this.memory.grow(pages);
  }

  #views(): void {
    const { buffer } = this.memory;
    if (this.u8.buffer === buffer) return;
    this.u8 = new Uint8Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
  }

  /** As after loading, for the next run. */
  rewind(): void {
    const { u8 } = this;
    for (const { at, bytes } of this.#data) u8.set(bytes, at);
    u8.fill(0, this.#at.edges, this.#at.edges + this.module.sites.edges.length);
    u8.fill(UNINITIALIZED, NULL_PAGE, MAIN_STACK_TOP);
    for (let slot = 0; slot < this.#threadsUsed; slot++) {
      const at = this.threadBase + slot * THREAD_BYTES;
      u8.fill(UNINITIALIZED, at, at + THREAD_BYTES);
      this.poison(at, THREAD_BYTES, TAG.threadStack);
    }
    this.#threadsUsed = 0;
    this.#threads.fill(null);
    this.#current = null;
    this.faultStack = null;
    if (this.poolHigh > this.poolBase) this.poison(this.poolBase, this.poolHigh - this.poolBase, TAG.nothing);
    this.poolHigh = this.poolBase;
    if (this.registerHigh > this.registerBase)
      this.poison(this.registerBase, this.registerHigh - this.registerBase, TAG.nothing);
    this.registerHigh = this.registerBase;
    if (this.arenaEnd > this.arenaStart)
      this.poison(this.arenaStart, this.arenaEnd - this.arenaStart, TAG.notAllocated);
    this.#stackPointer.value = MAIN_STACK_TOP;
    this.u32[this.#at.stackEnd] = NULL_PAGE;
    this.u32[this.#at.fuel] = FUEL;
    if (this.#asyncify && this.#exports.asyncify_get_state?.() !== 0) this.#resetAsyncify();
  }

  #resetAsyncify(): void {
    // A run that ended in the middle of a wait; the state is a global of the module.
    if (this.#exports.asyncify_get_state?.() === 1) this.#exports.asyncify_stop_unwind?.();
    else this.#exports.asyncify_stop_rewind?.();
  }

  // ---- shadow --------------------------------------------------------------------------------------------------------

  /** Nothing of these bytes may be touched. Whole granules of eight: starts are aligned. */
  poison(start: number, lengthBytes: number, tag: number): void {
    const { shadow } = this.#at;
    this.u8.fill(tag, shadow + (start >>> 3), shadow + ((start + lengthBytes + 7) >>> 3));
  }

  /** Exactly these bytes may be touched. `start` is a multiple of eight. */
  unpoison(start: number, lengthBytes: number): void {
    const { shadow } = this.#at;
    this.u8.fill(0, shadow + (start >>> 3), shadow + ((start + lengthBytes) >>> 3));
    if ((lengthBytes & 7) !== 0) this.u8[shadow + ((start + lengthBytes) >>> 3)] = lengthBytes & 7;
  }

  tagAt(address: number): number {
    return this.u8[this.#at.shadow + (address >>> 3)] as number;
  }

  /** May these bytes be touched by the driver? */
  isFree(address: number, lengthBytes: number): boolean {
    for (let at = address; at < address + lengthBytes; at++) {
      if (at >= this.module.sites.memoryBytes) return false;
      const tag = this.tagAt(at);
      if (tag !== 0 && (tag >= 0x80 || (at & 7) >= tag)) return false;
    }
    return true;
  }

  // ---- where -----------------------------------------------------------------------------------------------------------

  /** Where the driver's code is: site numbers, innermost first. */
  stack(): Stack {
    const { u32 } = this;
    const stack = [u32[this.#at.site] as number];
    const depth = Math.min(u32[this.#at.depth] as number, MAX_FRAMES);
    for (let k = depth - 1; k > 0; k--) {
      const site = u32[this.#at.frames + 2 * k + 1] as number;
      if (site !== 0) stack.push(site);
    }
    return stack;
  }

  /** Edges that were crossed in this run: a counter each, 255 at most. */
  get edges(): Uint8Array {
    return this.u8.subarray(this.#at.edges, this.#at.edges + this.module.sites.edges.length);
  }

  // ---- calls -------------------------------------------------------------------------------------------------------------

  /** An exported function of the C half. */
  plain(name: string, ...args: number[]): number {
    return (this.#exports[name] as Export)(...args) ?? 0;
  }

  /** The function at an index of the table; the caller has compared its signature. */
  tableFunction(index: number): Export {
    this.#table[index] ??= this.#functions.get(index) as Export;
    return this.#table[index] as Export;
  }

  exported(name: string): Export {
    return this.#exports[name] as Export;
  }

  /** Call into the driver, where it may not wait. On the stack that is in use, or the main one. */
  call(run: Export, args: readonly number[]): number {
    const { u32 } = this;
    const at = this.#at;
    const depth = u32[at.depth] as number;
    const site = u32[at.site] as number;
    const stackPointer = this.#stackPointer.value as number;
    const thread = this.#current;
    const fuel = u32[at.fuel] as number;
    if (depth === 0) u32[at.fuel] = FUEL;
    u32[at.site] = 0;
    this.#current = null;
    try {
      const answer = run(...args);
      this.#flush();
      return answer ?? 0;
    } catch (error) {
      this.faultStack ??= this.stack();
      throw error;
    } finally {
      this.#stackPointer.value = stackPointer;
      u32[at.depth] = depth;
      u32[at.site] = site;
      if (depth > 0) u32[at.fuel] = fuel;
      this.#current = thread;
    }
  }

  /** Call into the driver, where it may wait: on a stack of its own. A promise where it does. */
  start(run: Export, args: readonly number[], surroundings: Surroundings): number | Promise<number> {
    const slot = this.#threads.indexOf(null);
    if (!this.#asyncify || slot < 0) return this.call(run, args);
    const base = this.threadBase + slot * THREAD_BYTES;
    if (slot >= this.#threadsUsed) this.#threadsUsed = slot + 1;
    this.unpoison(base + ASYNCIFY_BYTES, THREAD_BYTES - ASYNCIFY_BYTES);
    const thread: CThread = {
      slot,
      stackPointer: base + THREAD_BYTES,
      waiting: null,
      answer: 0,
      frames: new Int32Array(0),
      site: 0,
    };
    this.#threads[slot] = thread;
    const answer = this.#stretch(thread, run, args, false);
    if (thread.waiting === null) return answer;
    return this.#goOn(thread, run, args, surroundings);
  }

  async #goOn(thread: CThread, run: Export, args: readonly number[], surroundings: Surroundings): Promise<number> {
    for (;;) {
      const outcome = await thread.waiting;
      if (this.#threads[thread.slot] !== thread) return 0; // rewound meanwhile
      thread.answer = outcome === "signalled" ? 1 : 0;
      thread.waiting = null;
      const before = surroundings.enter();
      let answer = 0;
      try {
        answer = this.#stretch(thread, run, args, true);
      } finally {
        surroundings.leave(before);
      }
      if (thread.waiting === null) return answer;
    }
  }

  /** Run a thread up to its next wait, or its end. */
  #stretch(thread: CThread, run: Export, args: readonly number[], again: boolean): number {
    const { u32 } = this;
    const at = this.#at;
    const base = this.threadBase + thread.slot * THREAD_BYTES;
    const depth = u32[at.depth] as number;
    const site = u32[at.site] as number;
    const fuel = u32[at.fuel] as number;
    const stackEnd = u32[at.stackEnd] as number;
    const stackPointer = this.#stackPointer.value as number;
    const current = this.#current;
    this.#current = thread;
    u32[at.fuel] = FUEL;
    u32[at.stackEnd] = base + ASYNCIFY_BYTES;
    // What this thread had on the shadow of the call stack goes on top of what is there now.
    this.i32.set(thread.frames, at.frames + 2 * depth);
    u32[at.depth] = depth + thread.frames.length / 2;
    u32[at.site] = thread.site;
    this.#stackPointer.value = thread.stackPointer;
    let over = true;
    try {
      if (again) this.#exports.asyncify_start_rewind?.(base);
      const answer = run(...args) ?? 0;
      if (this.#exports.asyncify_get_state?.() === 1) {
        this.#exports.asyncify_stop_unwind?.();
        over = false;
        thread.frames = this.i32.slice(at.frames + 2 * depth, at.frames + 2 * (u32[at.depth] as number));
        thread.site = u32[at.site] as number;
        return 0;
      }
      this.#flush();
      return answer;
    } catch (error) {
      this.faultStack ??= this.stack();
      throw error;
    } finally {
      if (over) {
        thread.waiting = null;
        if (this.#threads[thread.slot] === thread) this.#threads[thread.slot] = null;
        this.poison(base, THREAD_BYTES, TAG.threadStack);
      }
      this.#stackPointer.value = stackPointer;
      u32[at.depth] = depth;
      u32[at.site] = site;
      u32[at.fuel] = fuel;
      u32[at.stackEnd] = stackEnd;
      this.#current = current;
    }
  }

  /** May the code that runs now wait? It has a stack of its own. */
  get mayWait(): boolean {
    return this.#current !== null;
  }

  /** A wait was answered, and the code comes by it again. */
  get resuming(): boolean {
    return this.#asyncify && this.#exports.asyncify_get_state?.() === 2;
  }

  /** The answer of the wait that is resumed. */
  resumed(): number {
    this.#exports.asyncify_stop_rewind?.();
    return (this.#current as CThread).answer;
  }

  /** Leave the driver's code until a promise is settled. The answer is of no meaning. */
  suspend(waiting: Promise<unknown>): number {
    const thread = this.#current as CThread;
    const base = this.threadBase + thread.slot * THREAD_BYTES;
    thread.waiting = waiting;
    // The frames that are left do not put it back, and those that are entered again do not move it.
    thread.stackPointer = this.#stackPointer.value as number;
    // Asyncify's header: where it may write, and up to where.
    this.u32[base >>> 2] = base + 8;
    this.u32[(base >>> 2) + 1] = base + ASYNCIFY_BYTES;
    this.#exports.asyncify_start_unwind?.(base);
    return 0;
  }

  /** Stores to registers that wait for the next access are handed over now. */
  #flush(): void {
    if (this.u32[this.#at.limit] === 0) this.#exports.nshm_flush?.();
  }

  flush(): void {
    this.#flush();
  }
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
