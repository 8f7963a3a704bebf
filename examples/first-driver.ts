/**
 * A small miniport driver, whole: it asks for memory asynchronously, is called back, and gives everything back at halt.
 *
 * The routines, structures and handlers carry the names that Microsoft documents, so the driver reads like one in C. What
 * is not memory (events, the interrupt level) is in `adapterServices`. Halt waits for what is pending, as a driver must:
 * nothing cancels a request.
 *
 * Run: node examples/run.mjs first-driver
 * Prints:
 *   asked at DISPATCH_LEVEL: PENDING
 *   completed at PASSIVE_LEVEL: 1554 bytes at 0x400010000000, physical 0x10000000, context "first"
 *   asked again, then halted at once
 *   completed at PASSIVE_LEVEL: 1554 bytes at 0x400010001000, physical 0x10001000, context "second"
 *   halted: 2 requests, 2 completions, 2 frees, 0 leaks, 0 violations
 */
import { Machine } from "ndis-shmem";
import * as Ndis from "ndis-shmem/ndis";

class Nic {
  readonly blocks: { va: Ndis.VirtualAddress; pa: Ndis.NDIS_PHYSICAL_ADDRESS; length: number }[] = [];
  readonly services: Ndis.AdapterServices;
  readonly idle: Ndis.MachineEvent;
  readonly handle: Ndis.AdapterHandle;
  dma: Ndis.DmaHandle | null = null;
  pending = 0;

  constructor(handle: Ndis.AdapterHandle) {
    this.handle = handle;
    this.services = Ndis.adapterServices(handle);
    this.idle = this.services.createEvent();
    this.idle.set();
  }

  initialize(): Ndis.NDIS_STATUS {
    Ndis.NdisMSetMiniportAttributes(this.handle, {
      Header: { Type: Ndis.NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES, Revision: 1, Size: 28 },
      MiniportAdapterContext: this,
      AttributeFlags: Ndis.NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
    });
    const { Status, NdisMiniportDmaHandle } = Ndis.NdisMRegisterScatterGatherDma(this.handle, {
      Header: { Type: Ndis.NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION, Revision: 1, Size: 36 },
      Flags: 0, // a 32-bit device
      MaximumPhysicalMapping: 1514,
      SharedMemAllocateCompleteHandler: (nic, va, pa, length, context) =>
        (nic as Nic).completed(va, pa, length, String(context)),
    });
    this.dma = NdisMiniportDmaHandle;
    return Status;
  }

  /** Asked from a deferred call, as a receive path would: DISPATCH_LEVEL. */
  ask(context: string): Ndis.NDIS_STATUS {
    const before = this.services.raiseIrql(Ndis.DISPATCH_LEVEL);
    // Counted before the call: on another processor the completion may come first.
    this.pending++;
    this.idle.reset();
    const status = Ndis.NdisMAllocateSharedMemoryAsyncEx(this.dma as Ndis.DmaHandle, 1554, false, context);
    if (status !== Ndis.NDIS_STATUS_PENDING) this.answered();
    this.services.lowerIrql(before);
    return status;
  }

  completed(va: Ndis.PVOID, pa: Ndis.NDIS_PHYSICAL_ADDRESS | null, length: number, context: string): void {
    if (va !== null && pa !== null) this.blocks.push({ va, pa, length });
    const where = va === null || pa === null ? "no memory" : `at 0x${va.toString(16)}, physical 0x${pa.toString(16)}`;
    const level = this.services.irql === Ndis.PASSIVE_LEVEL ? "PASSIVE_LEVEL" : "a raised level";
    console.log(`completed at ${level}: ${length} bytes ${where}, context "${context}"`);
    this.answered();
  }

  answered(): void {
    if (--this.pending === 0) this.idle.set();
  }

  async halt(): Promise<void> {
    await this.services.wait(this.idle);
    for (const { va, pa, length } of this.blocks) Ndis.NdisMFreeSharedMemory(this.handle, length, false, va, pa);
    Ndis.NdisMDeregisterScatterGatherDma(this.dma as Ndis.DmaHandle);
  }
}

const nics: Nic[] = [];
const machine = await Machine.open({ seed: 7 });
const driver = await machine.load({
  name: "first",
  DriverEntry: (DriverObject, RegistryPath) =>
    Ndis.NdisMRegisterMiniportDriver(DriverObject, RegistryPath, null, {
      Header: { Type: Ndis.NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS, Revision: 1, Size: 136 },
      MajorNdisVersion: 6,
      MinorNdisVersion: 0,
      InitializeHandlerEx: (handle) => {
        const nic = new Nic(handle);
        nics.push(nic);
        return nic.initialize();
      },
      HaltHandlerEx: (nic) => (nic as Nic).halt(),
    }).Status,
});
const adapter = await machine.add(driver); // initialized and restarted: Running
const nic = nics[0] as Nic;

const status = nic.ask("first");
console.log(`asked at DISPATCH_LEVEL: ${status === Ndis.NDIS_STATUS_PENDING ? "PENDING" : "FAILURE"}`);
await machine.run(); // until nothing is left to happen

nic.ask("second");
console.log("asked again, then halted at once");
await machine.halt(adapter);

const { requests, leaks, violations } = machine.report();
console.log(
  `halted: ${requests.asynchronous} requests, ${requests.completed} completions, ${requests.freed} frees, ` +
    `${leaks.length} leaks, ${violations.length} violations`,
);
machine.dispose();
