/**
 * One play of the NDIS protocol: what the scripted driver calls, and the model that says what must come of it.
 *
 *     bytes ─► call ─► NDIS face ─► what came of it ─┐
 *                 └──► model ─────► what must ───────┴─ compared after each step
 *
 * The model is the contract in small: an accepted request is answered once, in the order in which requests were served,
 * with its own length and context; a block that is handed out overlaps no other and its physical address is that of its
 * window; a call that is right is recorded nowhere, one that is wrong is recorded once, under the code of the documents,
 * and changes nothing. When all is given back and halted, the core is as it was at the beginning.
 */
import {
  type AdapterHandle,
  adapterServices,
  DISPATCH_LEVEL,
  type DmaHandle,
  deviceLevel,
  type ErrorCode,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_PENDING,
  type NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  NdisMRegisterMiniportDriver,
  NdisMRegisterScatterGatherDma,
  NdisMSetMiniportAttributes,
  planCore,
  type VirtualAddress,
  type ZoneOptions,
} from "../../../bindings/index.js";
import type { Adapter, Machine, MiniportDriver } from "../../machine/index.js";
import type { Decisions } from "../player/decisions.js";
import { findingOf, guardSubject, isOfSubject, SubjectFault } from "../sequences/subject-fault.js";
import type { TargetFinding } from "./target.js";

/** The routines under test: what they throw is theirs, also where it comes up through a handler of the scripted driver. */
const ndis = guardSubject({
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  NdisMRegisterMiniportDriver,
  NdisMRegisterScatterGatherDma,
  NdisMSetMiniportAttributes,
});
const FRAME_BYTES = 4096;
/** All the memory there is: a few requests fill it. */
export const ZONE: ZoneOptions = { base: 2 ** 33, size: 40 * FRAME_BYTES };
const WINDOW = planCore({ zones: [ZONE] }).zones[0]?.window ?? 0;
/** Requests that may wait, the choice `pendingLimit` made small. */
export const PENDING_LIMIT = 12;
const LENGTHS = [1, 64, 1554, 4095, 4096, 4097, 8192, 12_000, 16_384, 40_000];
const BAD_LENGTHS = [0, -1, 1.5, 2 ** 32, Number.NaN];

/** What the driver knows of one of its adapters. */
interface ScriptedAdapter {
  readonly handle: AdapterHandle;
  dma: DmaHandle | null;
  readonly adapter: () => Adapter;
}

interface Block {
  readonly scripted: ScriptedAdapter;
  readonly virtual: VirtualAddress;
  readonly physical: NDIS_PHYSICAL_ADDRESS;
  readonly lengthBytes: number;
  readonly cached: boolean;
}

/** A request from acceptance to completion. It is its own context. */
interface Request {
  readonly scripted: ScriptedAdapter;
  readonly lengthBytes: number;
  readonly cached: boolean;
}

export class ProtocolPlay {
  readonly #machine: Machine;
  readonly #decisions: Decisions;
  readonly #log: ((line: string) => void) | undefined;
  readonly #scripted: ScriptedAdapter[] = [];
  readonly #pending: Request[] = [];
  /** Served, in the order in which the driver must be told. */
  readonly #served: Request[] = [];
  readonly #live: Block[] = [];
  #accepted = 0;
  #completed = 0;
  /** Violations that the driver has earned. */
  #earned = 0;
  /** An error of the scripted driver itself. */
  #ownError: unknown;
  /** A broken promise that a callback saw. */
  #wrong: string | undefined;
  operations = 0;

  constructor(machine: Machine, decisions: Decisions, log?: (line: string) => void) {
    this.#machine = guardSubject(machine);
    this.#decisions = decisions;
    this.#log = log;
  }

  async play(bytes: Uint8Array): Promise<TargetFinding | undefined> {
    let step = -1;
    const { core } = this.#machine;
    const digest = core.digest();
    try {
      const loaded = await this.#machine.load(this.#driver());
      for (let i = 0; i < 2; i++) await this.#machine.add(loaded);
      for (step = 0; 1 + 4 * step + 4 <= bytes.length; step++) {
        const at = 1 + 4 * step;
        this.operations++;
        this.#step(bytes[at] as number, bytes[at + 1] as number, bytes[at + 2] as number, bytes[at + 3] as number);
        this.#compare();
      }
      await this.#end();
      if (core.digest() !== digest)
        throw new SubjectFault("all is given back, and the digest is not that of the beginning");
    } catch (error) {
      // An error of the scripted driver comes back through the machine, which must not be blamed for it.
      if (this.#ownError !== undefined) throw this.#ownError;
      return findingOf(error, step);
    }
    return undefined;
  }

  #driver(): MiniportDriver {
    return {
      name: "scripted",
      DriverEntry: (object, path) =>
        ndis.NdisMRegisterMiniportDriver(object, path, null, {
          Header: { Type: 0x8a, Revision: 1, Size: 136 },
          MajorNdisVersion: 6,
          MinorNdisVersion: 0,
          InitializeHandlerEx: (handle) => this.#handler(() => this.#initialize(handle)),
          HaltHandlerEx: (context) =>
            this.#handler(() => {
              const { dma } = context as ScriptedAdapter;
              if (dma !== null) ndis.NdisMDeregisterScatterGatherDma(dma);
            }),
        }).Status,
    };
  }

  /** The body of a handler. What it throws by itself is an error of the harness, and is kept. */
  #handler<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (!isOfSubject(error)) this.#ownError ??= error;
      throw error;
    }
  }

  #initialize(handle: AdapterHandle): typeof NDIS_STATUS_SUCCESS {
    const index = this.#scripted.length;
    const scripted: ScriptedAdapter = { handle, dma: null, adapter: () => this.#machine.adapters[index] as Adapter };
    this.#scripted.push(scripted);
    ndis.NdisMSetMiniportAttributes(handle, {
      Header: { Type: 0x9e, Revision: 1, Size: 28 },
      MiniportAdapterContext: scripted,
      AttributeFlags: 0x40,
    });
    const { Status, NdisMiniportDmaHandle } = ndis.NdisMRegisterScatterGatherDma(handle, {
      Header: { Type: 0x83, Revision: 1, Size: 36 },
      Flags: 1,
      MaximumPhysicalMapping: 1514,
      SharedMemAllocateCompleteHandler: (context, virtual, physical, length, request) => {
        this.#handler(() => {
          this.#wrong ??= this.#completedWith(context, virtual, physical, length, request);
        });
      },
    });
    scripted.dma = NdisMiniportDmaHandle;
    return Status;
  }

  /** A completion: undefined where it is the one that is due. */
  #completedWith(
    context: unknown,
    virtual: unknown,
    physical: unknown,
    length: number,
    request: unknown,
  ): string | undefined {
    const due = this.#served.shift();
    this.#completed++;
    if (due === undefined) return "a completion, and none is due";
    if (request !== due) return "the context of a completion is not that of the request that is due";
    if (context !== due.scripted) return "a completion came to another adapter than its request";
    if (length !== due.lengthBytes) return `a completion of ${length} bytes for a request of ${due.lengthBytes}`;
    if (virtual === null) return physical === null ? undefined : "a completion with NULL has a physical address";
    return this.#given(due, virtual as number, physical as number);
  }

  /** A block was handed out. Undefined where it may be. */
  #given(request: Request, virtual: number, physical: number): string | undefined {
    if (physical !== ZONE.base + (virtual - WINDOW)) return `the block at ${virtual} is not at ${physical}`;
    if (physical % FRAME_BYTES !== 0 || physical < ZONE.base || physical + request.lengthBytes > ZONE.base + ZONE.size)
      return `the block at ${virtual} is no block of the zone`;
    for (const other of this.#live) {
      if (virtual < other.virtual + other.lengthBytes && other.virtual < virtual + request.lengthBytes)
        return `the block at ${virtual} overlaps the one at ${other.virtual}`;
    }
    this.#live.push({
      ...request,
      virtual: virtual as VirtualAddress,
      physical: physical as NDIS_PHYSICAL_ADDRESS,
    });
    return undefined;
  }

  #step(kind: number, which: number, amount: number, detail: number): void {
    const scripted = this.#scripted[which & 1] as ScriptedAdapter;
    if (kind < 80) this.#request(scripted, amount, detail);
    else if (kind < 120) this.#serve(amount);
    else if (kind < 160) this.#deliver();
    else if (kind < 200) this.#free(amount, detail);
    else if (kind < 216) this.#synchronous(scripted, amount, detail);
    else if (kind < 240) this.#freeWrong(scripted, amount, detail);
    else this.#requestWrong(scripted, amount, detail);
  }

  /** Half of the calls come at DISPATCH_LEVEL. */
  #at<T>(scripted: ScriptedAdapter, level: number, call: () => T): T {
    const services = adapterServices(scripted.handle);
    const before = services.raiseIrql(level as never);
    try {
      return call();
    } finally {
      services.lowerIrql(before);
    }
  }

  #request(scripted: ScriptedAdapter, amount: number, detail: number): void {
    const lengthBytes = LENGTHS[amount % LENGTHS.length] as number;
    const request: Request = { scripted, lengthBytes, cached: (detail & 1) === 1 };
    const fails = (detail & 0x38) === 0x38;
    if (fails) this.#decisions.armed.queue = 1;
    // A request that was served is pending until the driver has been told.
    const full = this.#pending.length + this.#served.length >= PENDING_LIMIT;
    const expected = fails || full ? NDIS_STATUS_FAILURE : NDIS_STATUS_PENDING;
    const status = this.#at(scripted, (detail & 2) === 0 ? 0 : DISPATCH_LEVEL, () =>
      ndis.NdisMAllocateSharedMemoryAsyncEx(scripted.dma as DmaHandle, lengthBytes, request.cached, request),
    );
    this.#decisions.armed.queue = 0;
    this.#log?.(`AsyncEx ${lengthBytes} -> 0x${(status >>> 0).toString(16)}`);
    if (status !== expected) throw new SubjectFault(`AsyncEx returned ${status}, not ${expected}`);
    if (status !== NDIS_STATUS_PENDING) return;
    this.#accepted++;
    this.#pending.push(request);
  }

  #serve(amount: number): void {
    const due = this.#pending.length;
    this.#decisions.next = amount;
    this.#log?.(`serve, ${due} wait`);
    if (this.#machine.serve() !== Math.min(1, due))
      throw new SubjectFault(`${due} requests wait, and it served another number`);
    if (due > 0) this.#served.push(this.#pending.splice(amount % due, 1)[0] as Request);
  }

  #deliver(): void {
    const due = this.#served.length;
    this.#log?.(`deliver, ${due} are served`);
    if (this.#machine.deliver() !== due > 0)
      throw new SubjectFault(`${due} completions are due, and deliver says otherwise`);
    if (this.#served.length !== Math.max(0, due - 1)) throw new SubjectFault("not one completion, but another number");
  }

  #synchronous(scripted: ScriptedAdapter, amount: number, detail: number): void {
    const lengthBytes = LENGTHS[amount % LENGTHS.length] as number;
    const cached = (detail & 1) === 1;
    const { VirtualAddress, PhysicalAddress } = ndis.NdisMAllocateSharedMemory(scripted.handle, lengthBytes, cached);
    this.#log?.(`AllocateSharedMemory ${lengthBytes} -> ${VirtualAddress}`);
    if (VirtualAddress === null) {
      if (PhysicalAddress !== 0) throw new SubjectFault("a failed allocation has a physical address");
      return;
    }
    const wrong = this.#given({ scripted, lengthBytes, cached }, VirtualAddress, PhysicalAddress);
    if (wrong !== undefined) throw new SubjectFault(wrong);
  }

  #free(amount: number, detail: number): void {
    const at = amount % Math.max(1, this.#live.length);
    const block = this.#live[at];
    if (block === undefined) return;
    const { scripted, lengthBytes, cached, virtual, physical } = block;
    this.#log?.(`free ${virtual} (${lengthBytes} bytes)`);
    this.#at(scripted, (detail & 2) === 0 ? 0 : DISPATCH_LEVEL, () =>
      ndis.NdisMFreeSharedMemory(scripted.handle, lengthBytes, cached, virtual, physical),
    );
    this.#live.splice(at, 1);
    // The same once more must be found out, unless the address was handed out again meanwhile: nothing has been.
    if ((detail & 4) === 4)
      this.#refused("ALREADY_FREED", () =>
        ndis.NdisMFreeSharedMemory(scripted.handle, lengthBytes, cached, virtual, physical),
      );
  }

  /** One field of a free is wrong. */
  #freeWrong(stranger: ScriptedAdapter, amount: number, detail: number): void {
    const block = this.#live[amount % Math.max(1, this.#live.length)];
    if (block === undefined) return;
    const { scripted, lengthBytes, cached, virtual, physical } = block;
    const inside = (1 + (detail % Math.max(1, lengthBytes - 1))) as number;
    const free = (h: unknown, l: unknown, c: unknown, v: unknown, p: unknown): void =>
      ndis.NdisMFreeSharedMemory(h as never, l as never, c as never, v as never, p as never);
    const other = this.#scripted.find((one) => one !== scripted) as ScriptedAdapter;
    const wrongs: readonly (readonly [ErrorCode, () => void])[] = [
      ["LENGTH_MISMATCH", () => free(scripted.handle, lengthBytes + 1 + (detail >> 3), cached, virtual, physical)],
      ["CACHED_MISMATCH", () => free(scripted.handle, lengthBytes, !cached, virtual, physical)],
      ["PHYSICAL_MISMATCH", () => free(scripted.handle, lengthBytes, cached, virtual, physical % 2 ** 32)],
      ["WRONG_OWNER", () => free(other.handle, lengthBytes, cached, virtual, physical)],
      ["INVALID_ARGUMENT", () => free(scripted.handle, lengthBytes, cached, null, null)],
      ["FOREIGN_ADDRESS", () => free(scripted.handle, lengthBytes, cached, physical, physical)],
      ["WRONG_HANDLE", () => free(scripted.dma, lengthBytes, cached, virtual, physical)],
      ["NULL_ADAPTER", () => free(null, lengthBytes, cached, virtual, physical)],
      ["INTERIOR_ADDRESS", () => free(scripted.handle, lengthBytes, cached, virtual + inside, physical + inside)],
      [
        "WRONG_IRQL",
        () => this.#at(stranger, deviceLevel(5), () => free(scripted.handle, lengthBytes, cached, virtual, physical)),
      ],
    ];
    const [code, call] = wrongs[detail % wrongs.length] as (typeof wrongs)[number];
    if (code === "INTERIOR_ADDRESS" && lengthBytes === 1) return;
    this.#refused(code, call);
  }

  #requestWrong(scripted: ScriptedAdapter, amount: number, detail: number): void {
    const ask = (dma: unknown, length: unknown, cached: unknown): void => {
      const status = ndis.NdisMAllocateSharedMemoryAsyncEx(dma as never, length as never, cached as never, null);
      if (status !== NDIS_STATUS_FAILURE) throw new SubjectFault(`a wrong AsyncEx returned ${status}`);
    };
    const wrongs: readonly (readonly [ErrorCode, () => void])[] = [
      ["INVALID_ARGUMENT", () => ask(scripted.dma, BAD_LENGTHS[amount % BAD_LENGTHS.length], false)],
      ["INVALID_ARGUMENT", () => ask(scripted.dma, 64, 1)],
      ["WRONG_HANDLE", () => ask(scripted.handle, 64, false)],
      ["WRONG_IRQL", () => this.#at(scripted, deviceLevel(5), () => ask(scripted.dma, 64, false))],
      [
        "WRONG_IRQL",
        () => {
          const { VirtualAddress } = this.#at(scripted, DISPATCH_LEVEL, () =>
            ndis.NdisMAllocateSharedMemory(scripted.handle, 64, false),
          );
          if (VirtualAddress !== null)
            throw new SubjectFault("a synchronous allocation at DISPATCH_LEVEL gave a block");
        },
      ],
    ];
    const [code, call] = wrongs[detail % wrongs.length] as (typeof wrongs)[number];
    this.#refused(code, call);
  }

  /** A call that is wrong: recorded once, under its code, and nothing has changed. */
  #refused(code: ErrorCode, call: () => void): void {
    const { core, violations } = this.#machine;
    const [digest, image] = [core.digest(), core.imageDigest()];
    // A driver's call: handles that are none are blamed on the machine whose code runs.
    this.#inside(call);
    this.#earned++;
    this.#log?.(`wrong: expected ${code}, got ${violations.at(-1)?.code}`);
    if (violations.length !== this.#earned)
      throw new SubjectFault(`a wrong call (${code}) has led to ${violations.length - this.#earned + 1} violations`);
    if (violations.at(-1)?.code !== code)
      throw new SubjectFault(`${violations.at(-1)?.code} was recorded, not ${code}`);
    if (core.digest() !== digest || core.imageDigest() !== image)
      throw new SubjectFault(`a call refused as ${code} has changed the core`);
  }

  #inside(call: () => void): void {
    const { callbacks, irql } = this.#machine.environment;
    callbacks.enter("", null, irql.current);
    try {
      call();
    } finally {
      callbacks.leave();
    }
  }

  #compare(): void {
    if (this.#wrong !== undefined) throw new SubjectFault(this.#wrong);
    const { violations, environment } = this.#machine;
    if (violations.length !== this.#earned)
      throw new SubjectFault(`a right call was recorded: ${violations.at(-1)?.rule} ${violations.at(-1)?.message}`);
    const [thrown] = environment.reporter.handlerErrors;
    if (thrown !== undefined) throw thrown.error;
    const sum = (of: (adapter: Adapter) => number): number =>
      this.#scripted.reduce((total, one) => total + of(one.adapter()), 0);
    const counts = [sum((one) => one.record.accepted), sum((one) => one.record.completed), sum((one) => one.pending)];
    const expected = [this.#accepted, this.#completed, this.#pending.length + this.#served.length];
    if (counts.join() !== expected.join())
      throw new SubjectFault(`accepted, completed, pending are ${counts}, not ${expected}`);
    if (this.#served.length > 0) return; // whether those got memory is not known yet
    const live = [sum((one) => one.liveBlocks), sum((one) => one.liveBytes)];
    const held = [this.#live.length, this.#live.reduce((bytes, one) => bytes + one.lengthBytes, 0)];
    if (live.join() !== held.join()) throw new SubjectFault(`${live} blocks and bytes are live, not ${held}`);
  }

  /** Everything is answered, given back and halted. */
  async #end(): Promise<void> {
    while (this.#pending.length > 0) this.#serve(0);
    while (this.#served.length > 0) this.#deliver();
    this.#compare();
    while (this.#live.length > 0) this.#free(0, 0);
    this.#compare();
    for (const scripted of this.#scripted) await this.#machine.halt(scripted.adapter());
    this.#compare();
  }
}
