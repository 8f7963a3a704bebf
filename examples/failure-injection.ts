/**
 * Fail the first allocation, then the second, and so on until nothing fails: every failure path of a driver, in order.
 *
 * The driver takes three blocks in MiniportInitializeEx. Where one is refused it must release what it has and return a
 * status, for there will be no halt that could do it. The careless variant forgets that on its third path, which no
 * ordinary run takes. The machine finds it and names the blocks (`error.message` says where each was allocated).
 *
 * Run: node examples/run.mjs failure-injection
 * Prints:
 *   careful: allocation 1 fails, initialize refuses, 0 blocks left
 *   careful: allocation 2 fails, initialize refuses, 0 blocks left
 *   careful: allocation 3 fails, initialize refuses, 0 blocks left
 *   careful: after 3 allocations none is left to fail, initialized and halted, 0 blocks left
 *   careless: allocation 1 fails, initialize refuses, 0 blocks left
 *   careless: allocation 2 fails, initialize refuses, 0 blocks left
 *   careless: allocation 3 fails, LEAK_AT_RELEASE: 1024 bytes and 10240 bytes left by MiniportInitializeEx
 *   careless: after 3 allocations none is left to fail, initialized and halted, 0 blocks left
 */
import { Machine, type MiniportDriver, ViolationError } from "ndis-shmem";
import * as Ndis from "ndis-shmem/ndis";

class Nic {
  readonly handle: Ndis.AdapterHandle;
  readonly careful: boolean;
  readonly blocks: { va: Ndis.VirtualAddress; pa: Ndis.NDIS_PHYSICAL_ADDRESS; length: number }[] = [];
  dma: Ndis.DmaHandle | null = null;

  constructor(handle: Ndis.AdapterHandle, careful: boolean) {
    this.handle = handle;
    this.careful = careful;
  }

  initialize(): Ndis.NDIS_STATUS {
    Ndis.NdisMSetMiniportAttributes(this.handle, {
      Header: { Type: Ndis.NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES, Revision: 1, Size: 28 },
      MiniportAdapterContext: this,
      AttributeFlags: Ndis.NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
    });
    this.dma = Ndis.NdisMRegisterScatterGatherDma(this.handle, {
      Header: { Type: Ndis.NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION, Revision: 1, Size: 36 },
      Flags: 0,
      MaximumPhysicalMapping: 1514,
    }).NdisMiniportDmaHandle;
    if (!this.take(1024)) return this.refuse();
    if (!this.take(10_240)) return this.refuse();
    if (!this.take(50_496)) return this.careful ? this.refuse() : Ndis.NDIS_STATUS_RESOURCES;
    return Ndis.NDIS_STATUS_SUCCESS;
  }

  take(length: number): boolean {
    const { VirtualAddress: va, PhysicalAddress: pa } = Ndis.NdisMAllocateSharedMemory(this.handle, length, false);
    if (va !== null) this.blocks.push({ va, pa, length });
    return va !== null;
  }

  refuse(): Ndis.NDIS_STATUS {
    Ndis.adapterServices(this.handle).logError(0x402); // the documents ask for an entry in the error log
    this.release();
    return Ndis.NDIS_STATUS_RESOURCES;
  }

  release(): void {
    for (const { va, pa, length } of this.blocks) Ndis.NdisMFreeSharedMemory(this.handle, length, false, va, pa);
    if (this.dma !== null) Ndis.NdisMDeregisterScatterGatherDma(this.dma);
  }
}

function driver(name: string, careful: boolean): MiniportDriver {
  return {
    name,
    DriverEntry: (DriverObject, RegistryPath) =>
      Ndis.NdisMRegisterMiniportDriver(DriverObject, RegistryPath, null, {
        Header: { Type: Ndis.NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS, Revision: 1, Size: 136 },
        MajorNdisVersion: 6,
        MinorNdisVersion: 0,
        InitializeHandlerEx: (handle) => new Nic(handle, careful).initialize(),
        HaltHandlerEx: (nic) => (nic as Nic).release(),
      }).Status,
  };
}

/** One life of the driver in which the n-th synchronous allocation fails. False when there was no n-th. */
async function failNth(name: string, careful: boolean, n: number): Promise<boolean> {
  let asked = 0;
  const faults = { strikes: (point: string): boolean => point === "synchronous" && ++asked === n };
  const machine = Machine.openSync({ faults });
  try {
    const adapter = await machine.add(await machine.load(driver(name, careful)));
    const running = adapter.status === Ndis.NDIS_STATUS_SUCCESS;
    if (running) await machine.halt(adapter);
    const left = `${machine.core.stats().liveBlocks} blocks left`;
    if (running)
      console.log(`${name}: after ${asked} allocations none is left to fail, initialized and halted, ${left}`);
    else console.log(`${name}: allocation ${n} fails, initialize refuses, ${left}`);
  } catch (error) {
    if (!(error instanceof ViolationError)) throw error;
    const leaked = machine.report().leaks.map((block) => `${block.lengthBytes} bytes`);
    console.log(
      `${name}: allocation ${n} fails, ${error.code}: ${leaked.join(" and ")} left by ${error.violation.call}`,
    );
    machine.release(machine.adapters[0] as NonNullable<(typeof machine.adapters)[0]>);
  }
  machine.dispose();
  return asked >= n;
}

for (let n = 1; await failNth("careful", true, n); n++);
for (let n = 1; await failNth("careless", false, n); n++);
