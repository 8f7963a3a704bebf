/**
 * Complete: what one asynchronous request costs, from NdisMAllocateSharedMemoryAsyncEx over its completion to the free.
 *
 * A driver keeps `batch` requests in flight: it asks for so many, the machine goes on until all are completed, and each
 * completion handler frees its block. The rows differ in the batch, in what the machine does besides (log, fill, guard),
 * and in what stands for it where there is no machine at all: a promise, a microtask.
 *
 * What the checks cost shows against two rows without them. `unchecked` is the same machine with the face's two routines
 * replaced by what they do once everything has been found right: the request goes straight to the dispatcher, the free
 * straight to the core, and both keep the counters; handles, level, state, arguments, ownership and physical address go
 * unlooked at. `core` has no machine either: a batch served in one call, a plain function called for each block, and the
 * core's own free. The core proves the start of every block that is freed; that cannot be turned off.
 */
import { Core } from "../../bindings/core/index.js";
import {
  type AdapterHandle,
  type DmaHandle,
  type MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE,
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_SG_DMA_64_BIT_ADDRESS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  NdisMRegisterMiniportDriver,
  NdisMRegisterScatterGatherDma,
  NdisMSetMiniportAttributes,
  type PVOID,
  type VirtualAddress,
} from "../../bindings/ndis/index.js";
import { type Adapter, Machine, type MachineOptions, type MiniportDriver } from "../../src/index.js";
import { type Probe, probe, probeAsync } from "../timing/index.js";
import { MIB } from "../workloads/index.js";

const LENGTH = 1554;
const ARENA = 64 * MIB;
const REQUESTS = 8192;
const ZONES = [{ base: 2 ** 32, size: ARENA }] as const;

/** What the machine does besides, by name. */
const EXTRAS: Readonly<Record<string, MachineOptions>> = {
  plain: { arena: null, log: "off" },
  digest: { arena: null, log: "digest" },
  log: { arena: null, log: "lines" },
  fill: { log: "off" },
  guard: { log: "off", guard: true },
};

/** The rows: `plain 32` and so on, and what they are compared with. */
export const COMPLETIONS: readonly string[] = [
  ...[1, 8, 32, 256].map((batch) => `plain ${batch}`),
  ...["digest", "log", "fill", "guard"].map((extra) => `${extra} 32`),
  "unchecked 32",
  "core 32",
  "promise",
  "microtask",
];

/** Rows that do without something, by name; the machine is that of `plain`. */
const WITHOUT_CHECKS = "unchecked";
const WITHOUT_MACHINE = "core";

interface Nic {
  dma: DmaHandle | null;
  completed: number;
  sum: number;
}

type Completion = MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE;
/** What NDIS keeps of an adapter. */
type AdapterRecord = Adapter["record"];

/** The completion handler of a driver: count, and give the block back. */
function withChecks(handle: AdapterHandle, nic: Nic): Completion {
  return (_context: unknown, va: PVOID, pa: NDIS_PHYSICAL_ADDRESS | null, length: number) => {
    if (va === null || pa === null) return;
    nic.completed += 1;
    nic.sum += pa;
    NdisMFreeSharedMemory(handle, length, false, va, pa);
  };
}

function driverFor(nic: Nic, completed: Completion | null): MiniportDriver {
  return {
    name: "bench",
    DriverEntry: (DriverObject, RegistryPath) =>
      NdisMRegisterMiniportDriver(DriverObject, RegistryPath, null, {
        Header: { Type: 0x8a, Revision: 1, Size: 136 },
        MajorNdisVersion: 6,
        MinorNdisVersion: 0,
        InitializeHandlerEx(handle) {
          NdisMSetMiniportAttributes(handle, {
            Header: { Type: 0x9e, Revision: 1, Size: 28 },
            MiniportAdapterContext: nic,
            AttributeFlags: NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
          });
          const { Status, NdisMiniportDmaHandle } = NdisMRegisterScatterGatherDma(handle, {
            Header: { Type: 0x83, Revision: 1, Size: 36 },
            Flags: NDIS_SG_DMA_64_BIT_ADDRESS, // the zone lies above what 32 bits can name
            MaximumPhysicalMapping: LENGTH,
            SharedMemAllocateCompleteHandler: completed ?? withChecks(handle, nic),
          });
          if (NdisMiniportDmaHandle === null) return Status;
          nic.dma = NdisMiniportDmaHandle;
          return Status;
        },
        HaltHandlerEx() {
          if (nic.dma !== null) NdisMDeregisterScatterGatherDma(nic.dma);
        },
      }).Status,
  };
}

/** What NdisMAllocateSharedMemoryAsyncEx does when all is right, and nothing to find out whether it is. */
function askUnchecked({ environment }: Machine, record: AdapterRecord, nic: Nic): () => number {
  const { dispatcher, scheduler } = environment;
  const target = record.dma?.completions ?? null;
  if (target === null) throw new Error("the bench's driver has no completion handler");
  return () => {
    environment.reporter.step++;
    const request = dispatcher.accept(record, target, LENGTH, record.tag, nic);
    if (request === null) return NDIS_STATUS_FAILURE;
    scheduler.accepted(request);
    return NDIS_STATUS_PENDING;
  };
}

/** A completion handler whose free does what NdisMFreeSharedMemory does when all is right. */
function withoutChecks({ environment, core }: Machine, nic: Nic): Completion {
  return (_context: unknown, va: PVOID, pa: NDIS_PHYSICAL_ADDRESS | null, length: number) => {
    if (va === null || pa === null) return;
    nic.completed += 1;
    nic.sum += pa;
    const record = environment.adapters[0] as AdapterRecord;
    environment.reporter.step++;
    core.free(va, length, record.tag);
    record.freed++;
    record.liveBlocks--;
    record.liveBytes -= length;
  };
}

/** No machine: the core serves a batch in one call, and a function is called for each block. */
function measureCore(name: string, batch: number, rounds: number): Probe {
  const core = Core.openSync({ zones: ZONES, arena: null, tags: true });
  const entries = {
    count: batch,
    lengths: new Uint32Array(batch).fill(LENGTH),
    highest: new Float64Array(batch).fill(2 ** 52 - 1),
    tags: new Uint32Array(batch).fill(1),
    addresses: new Float64Array(batch),
    physicals: new Float64Array(batch),
  };
  let sum = 0;
  const completed = (_context: unknown, va: VirtualAddress, pa: number, length: number, _request: unknown): void => {
    sum += pa;
    core.free(va, length, 1);
  };
  return probe("complete", name, REQUESTS, rounds, (count) => {
    for (let asked = 0; asked < count; asked += batch) {
      if (core.serveBatch(entries) !== batch) throw new Error("the core had no memory");
      for (let i = 0; i < batch; i += 1) {
        completed(entries, entries.addresses[i] as VirtualAddress, entries.physicals[i] as number, LENGTH, entries);
      }
    }
    return sum;
  });
}

async function measureMachine(name: string, extra: MachineOptions, batch: number, rounds: number): Promise<Probe> {
  const machine = await Machine.open({ zones: ZONES, batch, ...extra });
  const nic: Nic = { dma: null, completed: 0, sum: 0 };
  const trusting = name === `${WITHOUT_CHECKS} ${batch}`;
  const adapter = await machine.add(await machine.load(driverFor(nic, trusting ? withoutChecks(machine, nic) : null)));
  const { dma } = nic;
  if (adapter.status !== NDIS_STATUS_SUCCESS || dma === null) throw new Error("the bench's driver did not start");
  const askChecked = (): number => NdisMAllocateSharedMemoryAsyncEx(dma, LENGTH, false, nic);
  const ask = trusting ? askUnchecked(machine, adapter.record, nic) : askChecked;
  const body = (count: number): number => {
    const before = nic.completed;
    for (let asked = 0; asked < count; asked += batch) {
      for (let i = 0; i < batch; i += 1) {
        const status = ask();
        if (status !== NDIS_STATUS_PENDING) throw new Error(`a request was refused with status ${status}`);
      }
      machine.drain();
    }
    if (nic.completed - before !== count) throw new Error("requests are missing, or got no memory");
    return nic.sum;
  };
  // The lines of a log are kept, so less of it is asked for.
  const count = extra.log === "lines" ? REQUESTS / 8 : REQUESTS;
  const measured = probe("complete", name, count, rounds, body);
  await machine.halt(adapter);
  const { violations, leaks } = machine.report();
  if (violations.length + leaks.length > 0) throw new Error("the bench's driver broke a rule or left blocks behind");
  return measured;
}

const PROMISES: Readonly<Record<string, (count: number) => Promise<number>>> = {
  async promise(count) {
    let sum = 0;
    for (let i = 0; i < count; i += 1) sum += await new Promise<number>((resolve) => resolve(i));
    return sum;
  },
  microtask(count) {
    let sum = 0;
    return new Promise((resolve) => {
      let left = count;
      const next = (): void => {
        sum += left;
        left -= 1;
        if (left === 0) resolve(sum);
        else queueMicrotask(next);
      };
      next();
    });
  },
};

/** The task `complete`. */
export async function measureCompletion({
  variant,
  rounds,
}: {
  readonly variant: string;
  readonly rounds: number;
}): Promise<Probe> {
  const peer = Object.hasOwn(PROMISES, variant) ? PROMISES[variant] : undefined;
  if (peer !== undefined) return probeAsync("complete", variant, REQUESTS, rounds, peer);
  const [name = "", batch = ""] = variant.split(" ");
  if (name === WITHOUT_MACHINE) return measureCore(variant, Number(batch), rounds);
  const extra = EXTRAS[name === WITHOUT_CHECKS ? "plain" : name];
  if (extra === undefined) throw new Error(`there is no completion ${variant}`);
  return measureMachine(variant, extra, Number(batch), rounds);
}
