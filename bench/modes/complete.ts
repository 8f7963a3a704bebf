/**
 * Complete: what one asynchronous request costs, from NdisMAllocateSharedMemoryAsyncEx over its completion to the free.
 *
 * A driver keeps `batch` requests in flight: it asks for so many, the machine goes on until all are completed, and each
 * completion handler frees its block. The rows differ in the batch, in what the machine does besides (log, fill, guard),
 * and in what stands for it where there is no machine at all: a promise, a microtask.
 */
import {
  type DmaHandle,
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_SG_DMA_64_BIT_ADDRESS,
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
import { Machine, type MachineOptions, type MiniportDriver } from "../../src/index.js";
import { MIB } from "../workloads.js";
import { type Probe, probe, probeAsync } from "./probe.js";

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
  "promise",
  "microtask",
];

interface Nic {
  dma: DmaHandle | null;
  completed: number;
  sum: number;
}

function driverFor(nic: Nic): MiniportDriver {
  return {
    name: "bench",
    DriverEntry: (DriverObject, RegistryPath) =>
      NdisMRegisterMiniportDriver(DriverObject, RegistryPath, null, {
        Header: { Type: 0x8a, Revision: 1, Size: 0 },
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
            SharedMemAllocateCompleteHandler(
              _context: unknown,
              va: PVOID,
              pa: NDIS_PHYSICAL_ADDRESS | null,
              length: number,
            ) {
              if (va === null || pa === null) return;
              nic.completed += 1;
              nic.sum += pa;
              NdisMFreeSharedMemory(handle, length, false, va as VirtualAddress, pa);
            },
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

async function measureMachine(name: string, extra: MachineOptions, batch: number, rounds: number): Promise<Probe> {
  const machine = await Machine.open({ zones: ZONES, batch, ...extra });
  const nic: Nic = { dma: null, completed: 0, sum: 0 };
  const adapter = await machine.add(await machine.load(driverFor(nic)));
  const { dma } = nic;
  if (adapter.status !== NDIS_STATUS_SUCCESS || dma === null) throw new Error("the bench's driver did not start");
  const body = (count: number): number => {
    const before = nic.completed;
    for (let asked = 0; asked < count; asked += batch) {
      for (let i = 0; i < batch; i += 1) {
        const status = NdisMAllocateSharedMemoryAsyncEx(dma, LENGTH, false, nic);
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

const RIVALS: Readonly<Record<string, (count: number) => Promise<number>>> = {
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
  const rival = Object.hasOwn(RIVALS, variant) ? RIVALS[variant] : undefined;
  if (rival !== undefined) return probeAsync("complete", variant, REQUESTS, rounds, rival);
  const [name = "", batch = ""] = variant.split(" ");
  const extra = EXTRAS[name];
  if (extra === undefined) throw new Error(`there is no completion ${variant}`);
  return measureMachine(variant, extra, Number(batch), rounds);
}
