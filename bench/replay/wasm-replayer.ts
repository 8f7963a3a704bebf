/**
 * Inside Wasm: one call, many operations.
 *
 *     0            state and arena of the allocator            | operations        | slots {at, bytes}    |
 *     +--------------------------------------------------------+-------------------+----------------------+
 *                                                              ^ grown for at the start, behind all that was there
 *
 * Every subject has the same loop (bench/assembly/replay.ts, or its C twin) linked to its own allocator, so what differs
 * is the allocator alone. An allocator that traps when it is out of memory is caught here and goes on behind the
 * operation that failed.
 */
import { FREE, SLOT, type Workload } from "../workloads/index.js";
import type { Replayer, Slots } from "./replayer.js";

/** A linear memory. Spelt out, because declarations must not need the `dom` library for WebAssembly's names. */
export interface LinearMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** An exported number that the module changes. */
export interface NumberGlobal {
  value: number;
}

/** The loop that is linked to an allocator. */
export interface LoopModule {
  readonly memory: LinearMemory;
  replay(ops: number, from: number, to: number, slots: number): void;
  lifo(bytes: number, pairs: number): number;
  /** Allocations that were answered with 0 since the count was last cleared. */
  failures(): number;
  clearFailures(): void;
  /** For an allocator that traps when it is out of memory: the byte address of the operation at which it did. */
  trappedAt?(): number;
}

/** What a module in AssemblyScript exports. */
export type InsideExports = {
  readonly memory: LinearMemory;
  readonly cursor: NumberGlobal;
  readonly failures: NumberGlobal;
  replay(ops: number, from: number, to: number, slots: number): void;
  lifo(bytes: number, pairs: number): number;
};

/** The loop of a module in AssemblyScript. `traps`: its allocator traps when it is out of memory. */
export function loopOf({ memory, cursor, failures, replay, lifo }: InsideExports, traps = false): LoopModule {
  return {
    memory,
    replay,
    lifo,
    failures: () => failures.value,
    clearFailures() {
      failures.value = 0;
    },
    ...(traps && { trappedAt: () => cursor.value >>> 0 }),
  };
}

const WASM_PAGE = 65536;

/** Pages of linear memory that the operations and slots of a workload take. */
export function pagesFor(workload: Workload): number {
  return Math.ceil((workload.ops.byteLength + 8 * workload.slots) / WASM_PAGE);
}

/** A `Replayer` over an instance whose allocator has been opened. */
export class WasmReplayer implements Replayer {
  readonly #wasm: LoopModule;
  readonly #replay: LoopModule["replay"];
  readonly #ops: number;
  readonly #slots: number;
  readonly #slotCount: number;

  constructor(wasm: LoopModule, workload: Workload) {
    this.#wasm = wasm;
    this.#replay = wasm.replay;
    const { memory } = wasm;
    this.#ops = memory.buffer.byteLength;
    this.#slots = this.#ops + workload.ops.byteLength;
    this.#slotCount = workload.slots;
    memory.grow(pagesFor(workload));
    this.#words(this.#ops, workload.ops.length).set(workload.ops);
  }

  #words(address: number, count: number): Uint32Array {
    return new Uint32Array(this.#wasm.memory.buffer, address, count);
  }

  replay(from: number, to: number): number {
    const wasm = this.#wasm;
    wasm.clearFailures();
    let trapped = 0;
    for (let at = from; ; ) {
      try {
        this.#replay(this.#ops, at, to, this.#slots);
        return wasm.failures() + trapped;
      } catch (error) {
        // The allocation at the cursor trapped, and left its slot as it was: empty. Any other trap passes on.
        if (wasm.trappedAt === undefined || !(error instanceof WebAssembly.RuntimeError)) throw error;
        const failed = (wasm.trappedAt() - this.#ops) / 8;
        if (failed < at || failed >= to || this.#isFull(failed)) throw error;
        trapped += 1;
        at = failed + 1;
      }
    }
  }

  #isFull(operation: number): boolean {
    const word = this.#words(this.#ops + 8 * operation, 1)[0] as number;
    return (word & FREE) !== 0 || this.#words(this.#slots + 8 * (word & SLOT), 1)[0] !== 0;
  }

  lifo(bytes: number, pairs: number): number {
    return this.#wasm.lifo(bytes, pairs) >>> 0;
  }

  /** Frees are written over the first operations, done, and the operations put back. */
  clear(): void {
    const { at } = this.slots();
    const full = [...at.keys()].filter((slot) => at[slot] !== 0);
    const ops = this.#words(this.#ops, 2 * full.length);
    const kept = ops.slice();
    for (const [i, slot] of full.entries()) {
      ops[2 * i] = slot | FREE;
      ops[2 * i + 1] = 0;
    }
    this.#replay(this.#ops, 0, full.length, this.#slots);
    ops.set(kept);
  }

  slots(): Slots {
    const words = this.#words(this.#slots, 2 * this.#slotCount);
    const at = new Float64Array(this.#slotCount);
    const bytes = new Uint32Array(this.#slotCount);
    for (let slot = 0; slot < this.#slotCount; slot += 1) {
      at[slot] = words[2 * slot] as number;
      bytes[slot] = words[2 * slot + 1] as number;
    }
    return { at, bytes };
  }
}
