/**
 * One driver, every order: the completions of six requests under each schedule, and under two seeds.
 *
 * NDIS promises that each request is completed once, later; it promises no order. A driver that needs one works for years
 * and then does not. Here the order is an option, and everything left to chance comes from the seed: the same seed gives
 * the same event log, byte for byte, on every engine.
 *
 * Run: node examples/run.mjs deterministic-orders
 * Prints:
 *   fifo     seed 1: A B C D E F
 *   lifo     seed 1: F E D C B A
 *   random   seed 1: E A D C B F
 *   random   seed 2: E C A F D B
 *   starved  seed 1: B C D E F A
 *   batched  seed 1: A B C D E F
 *   random, seed 1, once more: the same log
 */
import { Machine, type MiniportDriver, type ScheduleName } from "ndis-shmem";
import * as Ndis from "ndis-shmem/ndis";

const LETTERS = ["A", "B", "C", "D", "E", "F"] as const;

/** Asks for six blocks in initialize, notes the order of the answers, gives everything back at halt. */
function sixRequests(order: string[]): MiniportDriver {
  const blocks: { va: Ndis.VirtualAddress; pa: Ndis.NDIS_PHYSICAL_ADDRESS; length: number }[] = [];
  let dma: Ndis.DmaHandle | null = null;
  return {
    name: "six",
    DriverEntry: (DriverObject, RegistryPath) =>
      Ndis.NdisMRegisterMiniportDriver(DriverObject, RegistryPath, null, {
        Header: { Type: Ndis.NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS, Revision: 1, Size: 136 },
        MajorNdisVersion: 6,
        MinorNdisVersion: 0,
        InitializeHandlerEx(handle) {
          Ndis.NdisMSetMiniportAttributes(handle, {
            Header: { Type: Ndis.NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES, Revision: 1, Size: 28 },
            MiniportAdapterContext: handle,
            AttributeFlags: Ndis.NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
          });
          const registered = Ndis.NdisMRegisterScatterGatherDma(handle, {
            Header: { Type: Ndis.NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION, Revision: 1, Size: 36 },
            Flags: Ndis.NDIS_SG_DMA_64_BIT_ADDRESS,
            MaximumPhysicalMapping: 1514,
            SharedMemAllocateCompleteHandler(_adapter, va, pa, length, context) {
              order.push(String(context));
              if (va !== null && pa !== null) blocks.push({ va, pa, length });
            },
          });
          dma = registered.NdisMiniportDmaHandle;
          if (dma === null) return registered.Status;
          for (const letter of LETTERS) Ndis.NdisMAllocateSharedMemoryAsyncEx(dma, 2048, false, letter);
          return Ndis.NDIS_STATUS_SUCCESS;
        },
        HaltHandlerEx(handle) {
          for (const { va, pa, length } of blocks)
            Ndis.NdisMFreeSharedMemory(handle as Ndis.AdapterHandle, length, false, va, pa);
          if (dma !== null) Ndis.NdisMDeregisterScatterGatherDma(dma);
        },
      }).Status,
  };
}

async function play(schedule: ScheduleName, seed: number): Promise<{ order: string[]; log: readonly string[] }> {
  const order: string[] = [];
  const machine = await Machine.open({ schedule, seed });
  const adapter = await machine.add(await machine.load(sixRequests(order)));
  await machine.run();
  await machine.halt(adapter); // throws if a request were pending, or a block left
  const log = [...machine.log];
  machine.dispose();
  return { order, log };
}

const plays: readonly (readonly [ScheduleName, number])[] = [
  ["fifo", 1],
  ["lifo", 1],
  ["random", 1],
  ["random", 2],
  ["starved", 1],
  ["batched", 1],
];
for (const [schedule, seed] of plays) {
  const { order } = await play(schedule, seed);
  console.log(`${schedule.padEnd(8)} seed ${seed}: ${order.join(" ")}`);
}
const [once, again] = [await play("random", 1), await play("random", 1)];
const same = once.log.join("\n") === again.log.join("\n") ? "the same log" : "another log";
console.log(`random, seed 1, once more: ${same}`);
