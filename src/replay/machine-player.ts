/**
 * The modes `sync`, `async` and `chaos`: every operation goes through the NDIS face of a machine, as a driver's would.
 *
 *     sync     NdisMAllocateSharedMemory, NdisMFreeSharedMemory
 *     async    NdisMAllocateSharedMemoryAsyncEx; up to 32 requests are pending before the machine goes on until all have been
 *              completed, and none is pending when a block is freed or moved: so the bytes that are live follow the recording
 *     chaos    async, with the completions in a random order drawn from a seed, and with injected failures: at the call
 *              (NDIS_STATUS_FAILURE) and at the completion (no memory). A failed allocation is asked for again, or dropped
 *
 * Drops are counted and the first of them listed: a dropped block is not there, so its free does nothing.
 */
import {
  type AdapterHandle,
  type DmaHandle,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMFreeSharedMemory,
  type PVOID,
  planCore,
  type VirtualAddress,
} from "../../bindings/index.js";
import { type Adapter, type LogOptions, Machine } from "../machine/index.js";
import { Failures, type PlayerOptions } from "./core-player.js";
import { replayDriver } from "./driver.js";
import type { Player } from "./spool.js";
import { Statistics } from "./statistics.js";

export type MachineMode = "sync" | "async" | "chaos";

export interface MachinePlayerOptions extends PlayerOptions {
  readonly mode: MachineMode;
  /** Of the schedule and of the injected failures. */
  readonly seed: number;
  /** Probability that one allocation fails, 0 to 1; in `chaos` only. */
  readonly failing: number;
  /** What becomes of an allocation that failed, in `chaos`. */
  readonly onFailure: "retry" | "drop";
  readonly log?: LogOptions;
}

/** An allocation that was given up. */
export interface Drop {
  readonly operation: number;
  readonly bytes: number;
}

interface Request {
  readonly slot: number;
  bytes: number;
  moves: boolean;
  tries: number;
}

const ZONE_BASE = 2 ** 32;
const MOST_PENDING = 32;
const MOST_TRIES = 16;
const MOST_DROPS = 20;
const MOST_FINDINGS = 20;

export class MachinePlayer implements Player {
  readonly statistics: Statistics = new Statistics();
  readonly failures: Failures = new Failures();
  readonly findings: string[] = [];
  readonly drops: Drop[] = [];
  dropped = 0;
  retried = 0;
  readonly #options: MachinePlayerOptions;
  readonly #machine: Machine;
  readonly #origin: number;
  #adapter: Adapter | undefined;
  #handle!: AdapterHandle;
  #dma!: DmaHandle;
  /** Per slot: addresses of its block, 0 for none. */
  #virtual = new Float64Array(1024);
  #physical = new Float64Array(1024);
  readonly #requests: Request[] = [];
  #again: Request[] = [];
  #pending = 0;
  #highest = 0;
  #moments = 0;

  private constructor(options: MachinePlayerOptions, machine: Machine, origin: number) {
    this.#options = options;
    this.#machine = machine;
    this.#origin = origin;
  }

  /** A machine with the driver started. */
  static async open(options: MachinePlayerOptions): Promise<MachinePlayer> {
    const { arenaBytes, frameSize, mode, seed, failing, log } = options;
    const zones = [{ base: ZONE_BASE, size: arenaBytes }];
    const machine = await Machine.open({
      zones,
      arena: null,
      seed,
      schedule: mode === "chaos" ? "random" : "fifo",
      choices: { placement: frameSize === 64 ? "packed" : "page", policy: "throw" },
      log: log ?? "off",
      batch: MOST_PENDING,
    });
    const player = new MachinePlayer(
      options,
      machine,
      planCore({ zones, frameSize, arena: null }).zones[0]?.window ?? 0,
    );
    const loaded = await machine.load(
      replayDriver({
        initialized: (adapter, dma) => {
          player.#handle = adapter;
          player.#dma = dma;
        },
        completed: (va, pa, _length, context) => player.#completed(va, pa, context as Request),
        halting: () => player.#freeAll(),
      }),
    );
    const adapter = await machine.add(loaded);
    if (adapter.status !== NDIS_STATUS_SUCCESS) throw new Error("the replaying driver did not start");
    player.#adapter = adapter;
    if (mode === "chaos" && failing > 0) {
      machine.inject([{ at: ["queue", "service"], probability: failing }]);
    }
    return player;
  }

  allocate(slot: number, bytes: number, _alignment: number, moves: boolean): void {
    if (slot >= this.#virtual.length) this.#grow(slot);
    if (moves) this.#settleAll();
    this.#requests[slot] ??= { slot, bytes, moves, tries: 0 };
    const request = this.#requests[slot] as Request;
    request.bytes = bytes;
    request.moves = moves;
    request.tries = 0;
    if (bytes >= 2 ** 32) this.#failed(request);
    else if (this.#options.mode === "sync") this.#allocateNow(request);
    else this.#ask(request);
    if (this.#pending >= MOST_PENDING) this.#settle();
    if (this.statistics.isDue) this.#look();
  }

  #allocateNow(request: Request): void {
    const { VirtualAddress, PhysicalAddress } = NdisMAllocateSharedMemory(this.#handle, request.bytes, false);
    if (VirtualAddress === null) this.#failed(request);
    else this.#arrived(request, VirtualAddress, PhysicalAddress);
  }

  #ask(request: Request): void {
    request.tries++;
    const status = NdisMAllocateSharedMemoryAsyncEx(this.#dma, request.bytes, false, request);
    if (status === NDIS_STATUS_PENDING) this.#pending++;
    else this.#refused(request);
  }

  #completed(va: PVOID, pa: NDIS_PHYSICAL_ADDRESS | null, request: Request): void {
    this.#pending--;
    if (va === null) this.#refused(request);
    else this.#arrived(request, va as VirtualAddress, pa as NDIS_PHYSICAL_ADDRESS);
  }

  /** It failed: asked for again when the machine has come to rest, or given up. */
  #refused(request: Request): void {
    const { mode, onFailure } = this.#options;
    if (mode === "chaos" && onFailure === "retry" && request.tries < MOST_TRIES) {
      this.retried++;
      this.#again.push(request);
      return;
    }
    this.#failed(request);
  }

  #failed({ bytes }: Request): void {
    const { statistics } = this;
    statistics.nothing();
    const operation = statistics.operations;
    const { reason, freeBytes, largestFreeBytes } = this.#machine.environment.dispatcher.lastFailure ?? {
      reason: "injected",
      freeBytes: 0,
      largestFreeBytes: 0,
    };
    this.failures.add({
      operation,
      bytes,
      reason,
      freeBytes,
      largestFreeBytes,
    });
    if (this.#options.mode !== "chaos") return;
    this.dropped++;
    if (this.drops.length < MOST_DROPS) this.drops.push({ operation, bytes });
  }

  #arrived(request: Request, virtual: VirtualAddress, physical: NDIS_PHYSICAL_ADDRESS): void {
    const { slot, bytes, moves } = request;
    this.#virtual[slot] = virtual;
    this.#physical[slot] = physical;
    this.statistics.allocated(slot, bytes, moves);
    const end = virtual - this.#origin + bytes;
    if (end > this.#highest) this.#highest = end;
  }

  free(slot: number): void {
    this.#settleAll();
    const virtual = this.#virtual[slot] as number;
    if (virtual === 0) this.statistics.nothing();
    else {
      this.#give(slot);
      this.statistics.freed(slot);
    }
    if (this.statistics.isDue) this.#look();
  }

  #give(slot: number): void {
    NdisMFreeSharedMemory(
      this.#handle,
      this.statistics.bytesOf(slot),
      false,
      this.#virtual[slot] as VirtualAddress,
      this.#physical[slot] as NDIS_PHYSICAL_ADDRESS,
    );
    this.#virtual[slot] = 0;
  }

  /** The machine goes on until every request has been completed; failed ones are asked for again then. */
  #settle(): void {
    this.#machine.drain();
    const again = this.#again;
    this.#again = [];
    for (const request of again) this.#ask(request);
  }

  #settleAll(): void {
    while (this.#pending > 0 || this.#again.length > 0) this.#settle();
  }

  get highWaterBytes(): number {
    return this.#highest;
  }

  /** The core's own word for how many blocks are live. */
  get liveBlocks(): number {
    return this.#machine.core.stats().liveBlocks;
  }

  get digest(): string {
    return this.#machine.core.digest();
  }

  finish(): void {
    this.#settleAll();
    this.#look();
    this.verify();
  }

  /** Halt: the driver frees what is left; then nothing may be live, and nothing may have been found wrong. */
  async close(): Promise<void> {
    if (this.#adapter !== undefined) await this.#machine.halt(this.#adapter);
    this.#machine.endLog();
    const { violations, leaks, handlerErrors } = this.#machine.report();
    for (const { code, call, message } of violations) this.findings.push(`${code} in ${call}: ${message}`);
    for (const { call, error } of handlerErrors) this.findings.push(`${call} threw ${String(error)}`);
    if (leaks.length > 0) this.findings.push(`${leaks.length} blocks are live after the halt`);
    this.verify();
  }

  #freeAll(): void {
    for (let slot = 0; slot < this.#virtual.length; slot++) if (this.#virtual[slot] !== 0) this.#give(slot);
  }

  verify(): void {
    for (const { rule, message } of this.#machine.core.verify()) {
      if (this.findings.length < MOST_FINDINGS) this.findings.push(`${rule}: ${message}`);
    }
  }

  #look(): void {
    const { statistics } = this;
    const { liveBytes, freeBytes, largestFreeBytes } = this.#machine.core.stats();
    statistics.keep({
      operation: statistics.operations,
      payloadBytes: statistics.liveBytes,
      heldBytes: liveBytes,
      freeBytes,
      largestFreeBytes,
      highWaterBytes: this.#highest,
    });
    const { verifyEvery } = this.#options;
    if (verifyEvery > 0 && ++this.#moments % verifyEvery === 0) this.verify();
  }

  #grow(slot: number): void {
    let { length } = this.#virtual;
    while (length <= slot) length *= 2;
    const virtual = new Float64Array(length);
    virtual.set(this.#virtual);
    this.#virtual = virtual;
    const physical = new Float64Array(length);
    physical.set(this.#physical);
    this.#physical = physical;
  }
}
