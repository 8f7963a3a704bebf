/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The pool: shared memory with promises and disposal, for those who do not want to write a driver.
 *
 *     const pool = await SharedMemoryPool.open({ seed: 7 });
 *     using block = await pool.allocate(1554);            // null when out of memory
 *     block?.bytes.fill(0);
 *     await pool.close();
 *
 * It is a miniport driver like any other: it registers, asks with NdisMAllocateSharedMemoryAsyncEx, gets its blocks in the
 * completion handler and frees them with NdisMFreeSharedMemory. A block is a handle: freeing it twice is found even where
 * its address has been handed out again, which plain addresses cannot promise (misuse B04).
 *
 * Simulated time passes while somebody waits: unless `pump` is false, a request sets the machine going.
 */
import {
  type AdapterHandle,
  type DmaHandle,
  type DriverObjectHandle,
  type Failure,
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_SG_DMA_64_BIT_ADDRESS,
  NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1,
  type NDIS_STATUS,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  NdisMRegisterMiniportDriver,
  NdisMRegisterScatterGatherDma,
  NdisMSetMiniportAttributes,
  ShmemError,
  statusName,
  type VirtualAddress,
} from "../../../bindings/index.js";
import {
  boolean,
  func,
  implementing,
  line,
  madeBy,
  oneOf,
  type Table,
  table,
} from "../../../bindings/validate/index.js";
import type { Adapter } from "../lifecycle/adapter.js";
import type { MiniportDriver } from "../lifecycle/lifecycle.js";
import { Machine } from "../machine.js";
import { MACHINE_OPTIONS, type MachineOptions } from "../options.js";

/** Options of `SharedMemoryPool.open`: those of the machine it makes, and its own. */
export interface PoolOptions extends MachineOptions {
  /** A machine to live in, instead of one of its own. Then no option of a machine may be given. */
  readonly machine?: Machine;
  /** For logs and messages. Default "pool". */
  readonly name?: string;
  /** What the device behind the pool can address: 32 or 64 bits. Default 64. */
  readonly addressBits?: 32 | 64;
  /** `false`: the caller lets time pass (`machine.run`, `machine.step`). Default true. */
  readonly pump?: boolean;
}

/** What each option of a pool may be. */
export const POOL_OPTIONS: Table<PoolOptions> = table<PoolOptions>("a pool", {
  ...MACHINE_OPTIONS.rules,
  machine: madeBy("a machine made by Machine.open", (value) => value instanceof Machine),
  name: line(100),
  addressBits: oneOf(32, 64),
  pump: boolean(),
});

/** What a pool asks of an `AbortSignal`, spelt out, because a consumer without the dom library has no such name. */
export interface PoolSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Options of one allocation. */
export interface PoolAllocateOptions {
  /** Remembered, without effect on x86 and x64. Default false. */
  readonly cached?: boolean;
  /** Gives the request up: the promise rejects with the signal's reason; what still arrives is freed at once. */
  readonly signal?: PoolSignal;
  /** Called when the request completes, before the promise settles. Not called after an abort. */
  readonly completed?: (block: SharedBlock | null) => void;
}

/** What each option of an allocation may be. */
export const POOL_ALLOCATE_OPTIONS: Table<PoolAllocateOptions> = table<PoolAllocateOptions>("a pool's allocation", {
  cached: boolean(),
  signal: implementing<PoolSignal>("an AbortSignal", ["throwIfAborted", "addEventListener", "removeEventListener"]),
  completed: func("called with the block"),
});

/** What each option of a pool's end may be. */
export const POOL_CLOSE_OPTIONS: Table<{ readonly force?: boolean }> = table("a pool's close", { force: boolean() });

/** One request on its way: the Context of the asynchronous call. */
interface Request {
  readonly lengthBytes: number;
  readonly cached: boolean;
  settle: (block: SharedBlock | null) => void;
  aborted: boolean;
}

/** A block of shared memory. */
export class SharedBlock {
  /** Where the processor sees it. */
  readonly virtual: VirtualAddress;
  /** Where the device sees it. */
  readonly physical: NDIS_PHYSICAL_ADDRESS;
  /** Bytes, as asked for. */
  readonly lengthBytes: number;
  /** The Cached flag that it was asked for with. */
  readonly cached: boolean;
  readonly #pool: SharedMemoryPool;
  #freed = false;

  /** Made by the pool. */
  constructor(
    pool: SharedMemoryPool,
    virtual: VirtualAddress,
    physical: NDIS_PHYSICAL_ADDRESS,
    lengthBytes: number,
    cached: boolean,
  ) {
    this.#pool = pool;
    this.virtual = virtual;
    this.physical = physical;
    this.lengthBytes = lengthBytes;
    this.cached = cached;
  }

  /** True once it has been given back. */
  get freed(): boolean {
    return this.#freed;
  }

  /** Its bytes, looked up now. `ALREADY_FREED` afterwards, `NO_ARENA` in an address-only machine. */
  get bytes(): Uint8Array {
    if (this.#freed) throw this.#alreadyFreed();
    return this.#pool.adapter.services.bytes(this.virtual, this.lengthBytes);
  }

  /** Give it back. A second time is `ALREADY_FREED`, whoever has the address now. */
  free(): void {
    if (this.#freed) throw this.#alreadyFreed();
    this.#pool.giveBack(this);
    this.#freed = true;
  }

  /** Give it back, unless that was done. */
  [Symbol.dispose](): void {
    if (!this.#freed) this.free();
  }

  #alreadyFreed(): ShmemError {
    return new ShmemError("ALREADY_FREED", `the block of ${this.lengthBytes} bytes has been freed`, {
      value: this.virtual,
      unit: "address",
    });
  }
}

/** See the head of this file. */
export class SharedMemoryPool {
  /** The machine that the pool lives in. */
  readonly machine: Machine;
  /** The pool's adapter in its machine. */
  readonly adapter: Adapter;
  readonly #handle: AdapterHandle;
  readonly #dma: DmaHandle;
  readonly #ownsMachine: boolean;
  readonly #pumps: boolean;
  readonly #live: Set<SharedBlock>;
  #closed = false;
  #pumping = false;

  private constructor(machine: Machine, adapter: Adapter, parts: DriverParts, options: PoolOptions) {
    this.machine = machine;
    this.adapter = adapter;
    this.#handle = adapter.handle;
    this.#dma = parts.dma as DmaHandle;
    this.#live = parts.live;
    this.#ownsMachine = options.machine === undefined;
    this.#pumps = options.pump !== false;
    parts.pool = this;
  }

  /** Make a pool, in a machine of its own or in one that is there. Refuses as `Machine.open` does. */
  static async open(options: PoolOptions = {}): Promise<SharedMemoryPool> {
    const { machine: given, name = "pool", addressBits = 64, pump, ...machineOptions } = POOL_OPTIONS.read(options, "");
    const unwanted = given === undefined ? undefined : Object.keys(machineOptions)[0];
    if (unwanted !== undefined) {
      throw new ShmemError("INVALID_ARGUMENT", `${unwanted} is an option of the machine, which is there already`, {
        field: unwanted,
      });
    }
    const machine = given ?? (await Machine.open(machineOptions));
    const parts: DriverParts = { handle: null, dma: null, live: new Set(), pool: null };
    const adapter = await machine.add(await machine.load(poolDriver(name, addressBits, parts)), { name });
    if (adapter.status !== NDIS_STATUS_SUCCESS) {
      throw new ShmemError("NOT_REGISTERED", `the pool could not be initialized: ${statusName(adapter.status)}`, {
        value: adapter.status,
        unit: "status",
      });
    }
    return new SharedMemoryPool(machine, adapter, parts, { ...options, ...(pump === undefined ? {} : { pump }) });
  }

  /** Blocks that are out. */
  get liveBlocks(): number {
    return this.#live.size;
  }

  /** Why the last allocation was answered with `null`. */
  get lastFailure(): Failure | undefined {
    return this.machine.environment.dispatcher.lastFailure;
  }

  /**
   * Ask for a block. Resolves with it, or with `null` when out of memory (`lastFailure` says why).
   *
   * `lengthBytes`: 1 to 2^32 - 1, else `INVALID_ARGUMENT`. Rejects with the signal's reason when aborted.
   */
  allocate(lengthBytes: number, options: PoolAllocateOptions = {}): Promise<SharedBlock | null> {
    return new Promise((resolve, reject) => {
      const { cached = false, signal, completed } = POOL_ALLOCATE_OPTIONS.read(options, "");
      signal?.throwIfAborted();
      this.#assertOpen();
      const request: Request = { lengthBytes, cached, aborted: false, settle: () => {} };
      const abort = (): void => {
        request.aborted = true;
        reject(signal?.reason);
      };
      request.settle = (block) => {
        signal?.removeEventListener("abort", abort);
        completed?.(block);
        resolve(block);
      };
      const status = NdisMAllocateSharedMemoryAsyncEx(this.#dma, lengthBytes, cached, request);
      if (status !== NDIS_STATUS_PENDING) {
        request.settle(null);
        return;
      }
      signal?.addEventListener("abort", abort, { once: true });
      this.#pump(reject);
    });
  }

  /** Allocate at once; `null` when out of memory. For set-up code: NDIS documents it for initialize (choice C5). */
  allocateNow(lengthBytes: number, cached = false): SharedBlock | null {
    this.#assertOpen();
    const { VirtualAddress, PhysicalAddress } = NdisMAllocateSharedMemory(this.#handle, lengthBytes, cached);
    if (VirtualAddress === null) return null;
    const block = new SharedBlock(this, VirtualAddress, PhysicalAddress, lengthBytes, cached);
    this.#live.add(block);
    return block;
  }

  /**
   * Halt the pool's adapter, and dispose its machine if it is its own. Pending requests are waited for.
   *
   * `LEAK_AT_RELEASE` with the number of blocks that are out, and then nothing has changed; `force` frees them.
   */
  async close(options: { readonly force?: boolean } = {}): Promise<void> {
    const { force = false } = POOL_CLOSE_OPTIONS.read(options, "");
    if (this.#closed) return;
    if (this.#live.size > 0 && !force) {
      const named = [...this.#live].slice(0, 4).map((block) => this.machine.explain(block.virtual).text);
      throw new ShmemError("LEAK_AT_RELEASE", `${this.#live.size} blocks have not been freed: ${named.join(" ")}`, {
        value: this.#live.size,
        unit: "blocks",
      });
    }
    this.#closed = true;
    for (const block of [...this.#live]) block.free();
    await this.machine.halt(this.adapter);
    if (this.#ownsMachine) this.machine.dispose();
  }

  /** `close`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** For SharedBlock: the free itself. */
  giveBack(block: SharedBlock): void {
    NdisMFreeSharedMemory(this.#handle, block.lengthBytes, block.cached, block.virtual, block.physical);
    this.#live.delete(block);
  }

  /** Let time pass until nothing is left to happen. */
  #pump(failed: (error: unknown) => void): void {
    if (!this.#pumps || this.#pumping) return;
    this.#pumping = true;
    queueMicrotask(() => {
      this.#pumping = false;
      this.machine.run().catch(failed);
    });
  }

  #assertOpen(): void {
    if (this.#closed) throw new ShmemError("ADAPTER_GONE", "the pool has been closed", {});
  }
}

/** What the pool's driver and the pool share. */
interface DriverParts {
  handle: AdapterHandle | null;
  dma: DmaHandle | null;
  readonly live: Set<SharedBlock>;
  pool: SharedMemoryPool | null;
}

/** The pool's miniport driver. */
function poolDriver(name: string, addressBits: 32 | 64, parts: DriverParts): MiniportDriver {
  const complete = (va: VirtualAddress | null, pa: NDIS_PHYSICAL_ADDRESS | null, request: Request): void => {
    if (va === null || pa === null || parts.pool === null) {
      if (!request.aborted) request.settle(null);
      return;
    }
    if (request.aborted) {
      NdisMFreeSharedMemory(parts.handle as AdapterHandle, request.lengthBytes, request.cached, va, pa);
      return;
    }
    const block = new SharedBlock(parts.pool, va, pa, request.lengthBytes, request.cached);
    parts.live.add(block);
    request.settle(block);
  };
  return {
    name,
    DriverEntry: (DriverObject: DriverObjectHandle, RegistryPath: string): NDIS_STATUS =>
      NdisMRegisterMiniportDriver(DriverObject, RegistryPath, null, {
        Header: { Type: 0x8a, Revision: 1, Size: 0 },
        MajorNdisVersion: 6,
        MinorNdisVersion: 30,
        InitializeHandlerEx(handle) {
          parts.handle = handle;
          NdisMSetMiniportAttributes(handle, {
            Header: { Type: 0x9e, Revision: 1, Size: 28 },
            MiniportAdapterContext: parts,
            AttributeFlags: NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
          });
          const { Status, NdisMiniportDmaHandle } = NdisMRegisterScatterGatherDma(handle, {
            Header: { Type: 0x83, Revision: 1, Size: NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1 },
            Flags: addressBits === 64 ? NDIS_SG_DMA_64_BIT_ADDRESS : 0,
            MaximumPhysicalMapping: 65536,
            SharedMemAllocateCompleteHandler: (_context, va, pa, _length, request) =>
              complete(va, pa, request as Request),
          });
          parts.dma = NdisMiniportDmaHandle;
          return Status;
        },
        async HaltHandlerEx() {
          const adapter = parts.pool?.adapter;
          // Completions go on while halt runs (choice C4): whoever still waits gets an answer, and gives it back.
          while (adapter !== undefined && adapter.pending > 0) await adapter.services.sleep(1_000_000);
          for (const block of [...parts.live]) block.free();
          if (parts.dma !== null) NdisMDeregisterScatterGatherDma(parts.dma);
        },
      }).Status,
  };
}
