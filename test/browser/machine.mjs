/**
 * A machine's life for the browser check: one driver under each schedule, and every line of its event log.
 *
 * The same module runs in Node over dist/, and in a page and a worker over dist/browser/; the logs must be equal byte for
 * byte (choice C20; misuse E16).
 */

/** The event logs of six requests, some of them refused or failed by a fault plan, under every schedule. */
export async function lives({ Machine }, Ndis, seed) {
  const logs = [];
  for (const schedule of ["fifo", "lifo", "random", "starved", "batched"]) {
    const faults = [{ at: "service", probability: 0.2 }];
    const machine = await Machine.open({ schedule, seed, faults });
    const adapter = await machine.add(await machine.load(sixRequests(Ndis)));
    await machine.run();
    await machine.halt(adapter);
    logs.push(...machine.log);
    machine.dispose();
  }
  return logs;
}

function sixRequests(Ndis) {
  const blocks = [];
  let dma = null;
  const header = (Type, Size) => ({ Type, Revision: 1, Size });
  return {
    name: "six",
    DriverEntry: (DriverObject, RegistryPath) =>
      Ndis.NdisMRegisterMiniportDriver(DriverObject, RegistryPath, null, {
        Header: header(Ndis.NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS, 136),
        MajorNdisVersion: 6,
        MinorNdisVersion: 0,
        InitializeHandlerEx(handle) {
          Ndis.NdisMSetMiniportAttributes(handle, {
            Header: header(Ndis.NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES, 28),
            MiniportAdapterContext: handle,
            AttributeFlags: Ndis.NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
          });
          const registered = Ndis.NdisMRegisterScatterGatherDma(handle, {
            Header: header(Ndis.NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION, 36),
            Flags: Ndis.NDIS_SG_DMA_64_BIT_ADDRESS,
            MaximumPhysicalMapping: 1514,
            SharedMemAllocateCompleteHandler(_adapter, va, pa, length) {
              if (va !== null && pa !== null) blocks.push({ va, pa, length });
            },
          });
          dma = registered.NdisMiniportDmaHandle;
          for (let i = 0; i < 6; i++) Ndis.NdisMAllocateSharedMemoryAsyncEx(dma, 1024 << (i % 3), false, i);
          return Ndis.NDIS_STATUS_SUCCESS;
        },
        HaltHandlerEx(handle) {
          for (const { va, pa, length } of blocks) Ndis.NdisMFreeSharedMemory(handle, length, false, va, pa);
          Ndis.NdisMDeregisterScatterGatherDma(dma);
        },
      }).Status,
  };
}
