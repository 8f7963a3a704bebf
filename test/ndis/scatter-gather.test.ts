/** Scatter/gather lists, the 6.20 pair, providers: sections 9 and 10 of the spec, sequences 23 and 25, group D through NDIS. */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  type AllocationHandle,
  type MDL,
  NDIS_SG_LIST_WRITE_TO_DEVICE,
  NDIS_SHARED_MEM_PARAMETERS_CONTIGUOUS,
  type NDIS_SHARED_MEMORY_PARAMETERS,
  NDIS_STATUS_BUFFER_TOO_SHORT,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_INVALID_PARAMETER,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NdisAllocateSharedMemory,
  NdisBuildScatterGatherList,
  NdisFreeScatterGatherList,
  NdisFreeSharedMemory,
  NdisMAllocateNetBufferSGList,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeNetBufferSGList,
  NdisMFreeSharedMemory,
  NdisSetOptionalHandlers,
  type NET_BUFFER,
  type SCATTER_GATHER_LIST,
  type ScatterGatherListBuffer,
  type VirtualAddress,
} from "../../bindings/ndis/index.js";
import type { DeviceModel, DevicePort, MachineOptions } from "../../src/index.js";
import { Machine } from "../../src/index.js";
import {
  type Block,
  check,
  type DriverParts,
  makeDriver,
  type Nic,
  open,
  type Rig,
  refused,
  sharedMemoryParameters,
} from "./rig.js";

/** A rig whose ProcessSGListHandler keeps what it gets. */
async function withLists(
  parts: DriverParts = {},
  options: MachineOptions = {},
): Promise<Rig & { lists: { list: SCATTER_GATHER_LIST; context: unknown; irql: number }[] }> {
  const lists: { list: SCATTER_GATHER_LIST; context: unknown; irql: number }[] = [];
  const rig: Rig = await open(
    {
      ...parts,
      description: {
        ProcessSGListHandler: (pDO, Reserved, list, context) => {
          assert.equal(pDO, null);
          assert.equal(Reserved, null);
          lists.push({ list, context, irql: rig.nic.services.irql });
        },
        ...parts.description,
      },
    },
    options,
  );
  return { ...rig, lists };
}

/** A NET_BUFFER over pages that the host mapped: two MDLs, the second of two separate pages. */
function foreignBuffer(machine: Machine): { buffer: NET_BUFFER; expected: [number, number][] } {
  const at = (2 ** 40) as VirtualAddress;
  const second = (2 ** 40 + 2 ** 20) as VirtualAddress;
  machine.core.map(at, [{ physical: 0x9000, lengthBytes: 4096 }]);
  machine.core.map(second, [
    { physical: 0x20000, lengthBytes: 4096 },
    { physical: 0x40000, lengthBytes: 4096 },
  ]);
  const tail: MDL = { MappedSystemVa: (second + 100) as VirtualAddress, ByteCount: 5000, Next: null };
  const head: MDL = { MappedSystemVa: (at + 4000) as VirtualAddress, ByteCount: 96, Next: tail };
  const buffer = { CurrentMdl: head, CurrentMdlOffset: 32, DataLength: 64 + 5000 };
  return {
    buffer,
    expected: [
      [0x9000 + 4000, 96],
      [0x20000 + 100, 3996],
      [0x40000, 1004],
    ],
  };
}

function shape(list: SCATTER_GATHER_LIST): [number, number][] {
  return list.Elements.map((one) => [one.Address, one.Length]);
}

test("a list covers the data from the start of CurrentMdl, one element for each stretch; misuse D04, D06", async () => {
  const { machine, nic, dma, lists } = await withLists();
  const { buffer, expected } = foreignBuffer(machine);
  const context = {};
  const status = nic.atDispatch(() => NdisMAllocateNetBufferSGList(dma, buffer, context, NDIS_SG_LIST_WRITE_TO_DEVICE));
  assert.equal(status, NDIS_STATUS_SUCCESS);
  assert.equal(lists.length, 1, "choice C30: inside the call");
  assert.deepEqual(shape(lists[0]?.list as SCATTER_GATHER_LIST), expected);
  assert.equal(lists[0]?.list.NumberOfElements, 3);
  assert.equal(lists[0]?.context, context);
  assert.equal(lists[0]?.irql, 2);
  nic.atDispatch(() => NdisMFreeNetBufferSGList(dma, lists[0]?.list as SCATTER_GATHER_LIST, buffer));
});

test("choice C30: the process handler at the next DISPATCH turn", async () => {
  const { machine, nic, dma, lists } = await withLists({}, { choices: { sgCallback: "nextTurn" } });
  const { buffer } = foreignBuffer(machine);
  nic.atDispatch(() => NdisMAllocateNetBufferSGList(dma, buffer, null, 0));
  assert.equal(lists.length, 0);
  await machine.run();
  assert.equal(lists.length, 1);
  assert.equal(lists[0]?.irql, 2);
});

test("a buffer that is too small is no error: NDIS uses its own; misuse D07", async () => {
  const { machine, nic, dma, lists } = await withLists();
  const { buffer } = foreignBuffer(machine);
  const mine: ScatterGatherListBuffer = { NumberOfElements: 0, Elements: [] };
  nic.atDispatch(() => NdisMAllocateNetBufferSGList(dma, buffer, null, 0, mine, 16 + 24 * 3 - 1));
  assert.notEqual(lists[0]?.list, mine);
  assert.equal(mine.NumberOfElements, 0);
  nic.atDispatch(() => NdisMAllocateNetBufferSGList(dma, buffer, null, 0, mine, 16 + 24 * 3));
  assert.equal(lists[1]?.list, mine);
  assert.equal(mine.NumberOfElements, 3);
});

test("sequence 23: a list at PASSIVE_LEVEL is 0xE6/13 with 1, 2 and 0", async () => {
  const { machine, dma, lists } = await withLists();
  const { buffer } = foreignBuffer(machine);
  const error = refused(machine, "WRONG_IRQL", () => NdisMAllocateNetBufferSGList(dma, buffer, null, 0));
  assert.deepEqual(error.bugCheck, { code: 0xe6, parameters: [0x13, 1, 2, 0] });
  assert.equal(lists.length, 0);
});

test("freeing a list twice, or for another NET_BUFFER, is 0xE6/06, WRONG_OWNER", async () => {
  const { machine, nic, dma, lists } = await withLists();
  const { buffer } = foreignBuffer(machine);
  nic.atDispatch(() => NdisMAllocateNetBufferSGList(dma, buffer, null, 0));
  const list = lists[0]?.list as SCATTER_GATHER_LIST;
  refused(machine, "WRONG_OWNER", () => nic.atDispatch(() => NdisMFreeNetBufferSGList(dma, list, { ...buffer })));
  nic.atDispatch(() => NdisMFreeNetBufferSGList(dma, list, buffer));
  const error = refused(machine, "ALREADY_FREED", () =>
    nic.atDispatch(() => NdisMFreeNetBufferSGList(dma, list, buffer)),
  );
  assert.deepEqual(error.bugCheck, { code: 0xe6, parameters: [0x06, 1, 2, 0] });
});

test("deregistering with a list outstanding is 0xE6/0A, choice C10", async () => {
  const rig = await withLists({}, { choices: { deregistrationOutside: "allow" } });
  const { buffer } = foreignBuffer(rig.machine);
  rig.nic.atDispatch(() => NdisMAllocateNetBufferSGList(rig.dma, buffer, null, 0));
  const error = refused(rig.machine, "LEAK_AT_RELEASE", () => NdisMDeregisterScatterGatherDma(rig.dma));
  assert.deepEqual(error.bugCheck, { code: 0xe6, parameters: [0x0a, 1, 1, 0] });
});

test("misuse D01, D05: data that is mapped nowhere, no data, data past the chain", async () => {
  const { machine, nic, dma } = await withLists();
  const { buffer } = foreignBuffer(machine);
  const list = (wrong: NET_BUFFER) => () => nic.atDispatch(() => NdisMAllocateNetBufferSGList(dma, wrong, null, 0));
  const nowhere: MDL = { MappedSystemVa: (2 ** 41) as VirtualAddress, ByteCount: 100, Next: null };
  refused(machine, "TRANSLATION_FAULT", list({ CurrentMdl: nowhere, CurrentMdlOffset: 0, DataLength: 100 }));
  refused(machine, "TRANSLATION_FAULT", list({ ...buffer, DataLength: 64 + 5001 }));
  const none = refused(machine, "INVALID_ARGUMENT", list({ ...buffer, DataLength: 0 }));
  assert.deepEqual(none.bugCheck, { code: 0xe6, parameters: [0x21, 0, 0, 0] });
  refused(machine, "INVALID_ARGUMENT", list({ ...buffer, CurrentMdlOffset: 97 }));
  refused(machine, "INVALID_ARGUMENT", list(null as never));
});

test("misuse D12: data above what a 32-bit device can address is RESOURCES", async () => {
  const { machine, nic, dma, lists } = await withLists({ description: { Flags: 0 } });
  machine.core.map((2 ** 40) as VirtualAddress, [{ physical: 2 ** 36, lengthBytes: 4096 }]);
  const high: MDL = { MappedSystemVa: (2 ** 40) as VirtualAddress, ByteCount: 100, Next: null };
  const status = nic.atDispatch(() =>
    NdisMAllocateNetBufferSGList(dma, { CurrentMdl: high, CurrentMdlOffset: 0, DataLength: 100 }, null, 0),
  );
  assert.equal(status, NDIS_STATUS_RESOURCES);
  assert.equal(lists.length, 0);
});

test("an injected failure of a list is RESOURCES and no callback", async () => {
  const { machine, nic, dma, lists } = await withLists({}, { faults: [{ at: "list", nth: 1 }] });
  const { buffer } = foreignBuffer(machine);
  const list = (): number => nic.atDispatch(() => NdisMAllocateNetBufferSGList(dma, buffer, null, 0));
  assert.equal(list(), NDIS_STATUS_RESOURCES);
  assert.equal(lists.length, 0);
  assert.equal(list(), NDIS_STATUS_SUCCESS);
});

test("NdisBuildScatterGatherList: in the caller's buffer, inside the call, or BUFFER_TOO_SHORT with what it takes; misuse D07", async () => {
  const { machine, nic } = await withLists();
  const { buffer } = foreignBuffer(machine);
  const mine: ScatterGatherListBuffer = { NumberOfElements: 0, Elements: [] };
  const got: SCATTER_GATHER_LIST[] = [];
  const parameters = {
    Header: { Type: 0x80, Revision: 1, Size: 72 },
    Flags: 0,
    QueueId: 0,
    SharedMemoryUsage: 1,
    Mdl: buffer.CurrentMdl,
    CurrentVa: (buffer.CurrentMdl.MappedSystemVa + 32) as VirtualAddress,
    Length: 64 + 100,
    ProcessSGListHandler: (_pDO: null, _reserved: null, list: SCATTER_GATHER_LIST) => {
      got.push(list);
    },
    Context: null,
    ScatterGatherListBuffer: mine,
    ScatterGatherListBufferSize: 16 + 24,
    ScatterGatherListBufferSizeNeeded: 0,
  } as const;
  const small = { ...parameters };
  assert.equal(
    nic.atDispatch(() => NdisBuildScatterGatherList(nic.handle, small)),
    NDIS_STATUS_BUFFER_TOO_SHORT,
  );
  assert.equal(small.ScatterGatherListBufferSizeNeeded, 16 + 48);
  assert.equal(mine.NumberOfElements, 0, "nothing was written");
  const large = { ...parameters, ScatterGatherListBufferSize: 16 + 48 };
  assert.equal(
    nic.atDispatch(() => NdisBuildScatterGatherList(nic.handle, large)),
    NDIS_STATUS_SUCCESS,
  );
  assert.deepEqual(got, [mine]);
  assert.deepEqual(shape(mine), [
    [0x9000 + 4032, 64],
    [0x20000 + 100, 100],
  ]);
  nic.atDispatch(() => NdisFreeScatterGatherList(nic.handle, mine, true));
  refused(machine, "ALREADY_FREED", () => nic.atDispatch(() => NdisFreeScatterGatherList(nic.handle, mine, true)));
});

test("misuse C10: remapped: a list for transmission may be read by the device and not written: reason direction", async () => {
  let port: DevicePort | null = null;
  const device: DeviceModel = {
    attach(given) {
      port = given;
    },
    readRegister: () => 0,
    writeRegister: () => {},
  };
  const lists: SCATTER_GATHER_LIST[] = [];
  const rig = await open(
    { description: { ProcessSGListHandler: (_p, _r, list) => void lists.push(list) } },
    { iommu: "remapped", choices: { policy: "collect" } },
    { device },
  );
  const block = rig.nic.allocate(4096) as Block;
  const mdl: MDL = { MappedSystemVa: block.VirtualAddress, ByteCount: 100, Next: null };
  const buffer = { CurrentMdl: mdl, CurrentMdlOffset: 0, DataLength: 100 };
  const made = port as unknown as DevicePort;
  for (const [flags, allowed, refusedWay] of [
    [NDIS_SG_LIST_WRITE_TO_DEVICE, "read", "write"],
    [0, "write", "read"],
  ] as const) {
    rig.nic.atDispatch(() => NdisMAllocateNetBufferSGList(rig.dma, buffer, null, flags));
    const list = lists.at(-1) as SCATTER_GATHER_LIST;
    const address = list.Elements[0]?.Address as number;
    made[allowed](address, new Uint8Array(10));
    assert.throws(() => made[refusedWay](address, new Uint8Array(10)), { code: "TRANSLATION_FAULT" });
    assert.match(rig.machine.violations.at(-1)?.message ?? "", /direction/);
    rig.nic.atDispatch(() => NdisMFreeNetBufferSGList(rig.dma, list, buffer));
    assert.throws(() => made[allowed](address, new Uint8Array(10)), { code: "TRANSLATION_FAULT" });
  }
});

test("the 6.20 pair: one element, SharedMemoryHandle NULL, freed by its handle; choice C34", async () => {
  const rig = await open();
  const asked = sharedMemoryParameters(100_000);
  const { Status, AllocationHandle } = NdisAllocateSharedMemory(rig.handle, asked);
  assert.equal(Status, NDIS_STATUS_SUCCESS);
  assert.equal(asked.SharedMemoryHandle, null);
  assert.equal(asked.SGListBuffer.NumberOfElements, 1);
  assert.equal(
    asked.SGListBuffer.Elements[0]?.Address,
    rig.machine.core.physicalOf(asked.VirtualAddress as VirtualAddress),
  );
  assert.equal(asked.SGListBuffer.Elements[0]?.Length, 100_000);
  check(rig.machine);
  refused(rig.machine, "WRONG_HANDLE", () =>
    NdisMFreeSharedMemory(
      rig.handle,
      100_000,
      false,
      asked.VirtualAddress ?? null,
      asked.SGListBuffer.Elements[0]?.Address as never,
    ),
  );
  NdisFreeSharedMemory(rig.handle, AllocationHandle as AllocationHandle);
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
  const error = refused(rig.machine, "ALREADY_FREED", () =>
    NdisFreeSharedMemory(rig.handle, AllocationHandle as AllocationHandle),
  );
  assert.equal(error.bugCheck?.parameters[0], 0x03);
});

test("choice C34: several elements, when contiguity was not asked for", async () => {
  const rig = await open({}, { choices: { elementsWithoutProvider: "several" } });
  const scattered = sharedMemoryParameters(10_000, { SGListBufferLength: 16 + 24 * 3 });
  assert.equal(NdisAllocateSharedMemory(rig.handle, scattered).Status, NDIS_STATUS_SUCCESS);
  assert.deepEqual(
    scattered.SGListBuffer.Elements.map((one) => one.Length),
    [4096, 4096, 1808],
  );
  const whole = sharedMemoryParameters(10_000, { Flags: NDIS_SHARED_MEM_PARAMETERS_CONTIGUOUS });
  assert.equal(NdisAllocateSharedMemory(rig.handle, whole).Status, NDIS_STATUS_SUCCESS);
  assert.equal(whole.SGListBuffer.NumberOfElements, 1);
});

test("sequence 25: room for one element, CONTIGUOUS clear, no free run long enough: INVALID_PARAMETER, nothing allocated", async () => {
  const rig = await open({}, { zones: [{ base: 2 ** 28, size: 2 ** 16 }] });
  const blocks = Array.from({ length: 16 }, () => rig.nic.allocate(4096) as Block);
  blocks.forEach((block, i) => {
    if (i % 2 === 0) rig.nic.free(block);
  });
  const before = rig.machine.core.digest();
  assert.deepEqual(NdisAllocateSharedMemory(rig.handle, sharedMemoryParameters(8192)), {
    Status: NDIS_STATUS_INVALID_PARAMETER,
    AllocationHandle: null,
  });
  assert.equal(rig.machine.core.digest(), before);
  const contiguous = sharedMemoryParameters(8192, { Flags: NDIS_SHARED_MEM_PARAMETERS_CONTIGUOUS });
  assert.equal(NdisAllocateSharedMemory(rig.handle, contiguous).Status, NDIS_STATUS_RESOURCES);
  const roomy = sharedMemoryParameters(8192, { SGListBufferLength: 16 + 48 });
  assert.equal(NdisAllocateSharedMemory(rig.handle, roomy).Status, NDIS_STATUS_SUCCESS);
  assert.equal(roomy.SGListBuffer.NumberOfElements, 2);
  check(rig.machine);
});

test("the 6.20 pair refuses what it does not know", async () => {
  const rig = await open();
  const status = (more: Partial<NDIS_SHARED_MEMORY_PARAMETERS>): number =>
    NdisAllocateSharedMemory(rig.handle, sharedMemoryParameters(4096, more)).Status;
  assert.equal(status({ Header: { Type: 0x80, Revision: 1, Size: 63 } }), NDIS_STATUS_INVALID_PARAMETER);
  assert.equal(status({ Header: { Type: 0x80, Revision: 3, Size: 99 } }), NDIS_STATUS_INVALID_PARAMETER);
  assert.equal(status({ Header: { Type: 0x80, Revision: 2, Size: 68 }, VPortId: 0 }), NDIS_STATUS_SUCCESS);
  assert.equal(status({ Usage: 0 }), NDIS_STATUS_INVALID_PARAMETER);
  assert.equal(status({ Flags: 2 }), NDIS_STATUS_INVALID_PARAMETER);
  assert.equal(status({ PreferredNode: -1 }), NDIS_STATUS_INVALID_PARAMETER);
  assert.equal(status({ SGListBufferLength: 39 }), NDIS_STATUS_INVALID_PARAMETER);
  refused(rig.machine, "INVALID_ARGUMENT", () => NdisAllocateSharedMemory(rig.handle, sharedMemoryParameters(0)));
  refused(rig.machine, "WRONG_IRQL", () =>
    rig.nic.atDispatch(() => NdisAllocateSharedMemory(rig.handle, sharedMemoryParameters(1))),
  );
  const early = await open({ register: false });
  refused(early.machine, "NOT_REGISTERED", () => NdisAllocateSharedMemory(early.handle, sharedMemoryParameters(4096)));
});

test("the 6.20 pair takes memory from the node that it prefers, and from another where that is full", async () => {
  const zones = [
    { base: 2 ** 32, size: 2 ** 16, node: 0 },
    { base: 2 ** 33, size: 2 ** 16, node: 1 },
  ];
  const rig = await open({}, { zones });
  const node = (PreferredNode: number): number => {
    const asked = sharedMemoryParameters(2 ** 16, { PreferredNode });
    NdisAllocateSharedMemory(rig.handle, asked);
    return (asked.SGListBuffer.Elements[0]?.Address ?? 0) >= 2 ** 33 ? 1 : 0;
  };
  assert.equal(node(0), 0);
  assert.equal(node(0), 1);
});

test("a registered provider allocates and frees instead", async () => {
  const calls: unknown[] = [];
  const nics: Nic[] = [];
  const machine = await Machine.open();
  const driver = makeDriver(
    {
      version: [6, 20],
      characteristics: {
        SetOptionsHandler: (NdisDriverHandle) =>
          NdisSetOptionalHandlers(NdisDriverHandle, {
            Header: { Type: 0xb0, Revision: 1, Size: 32 },
            Flags: 0,
            ProviderContext: "provider",
            AllocateSharedMemoryHandler: (context, asked) => {
              calls.push(["allocate", context, asked.Length]);
              asked.VirtualAddress = 0x1234000 as VirtualAddress;
              return {
                Status: asked.Length > 10_000 ? NDIS_STATUS_RESOURCES : NDIS_STATUS_SUCCESS,
                SharedMemoryProviderContext: "block",
              };
            },
            FreeSharedMemoryHandler: (context, block) => {
              calls.push(["free", context, block]);
            },
          }),
      },
    },
    nics,
  );
  await machine.add(await machine.load(driver));
  const { handle } = nics[0] as Nic;
  const { Status, AllocationHandle } = NdisAllocateSharedMemory(handle, sharedMemoryParameters(8192));
  assert.equal(Status, NDIS_STATUS_SUCCESS);
  NdisFreeSharedMemory(handle, AllocationHandle as AllocationHandle);
  assert.equal(NdisAllocateSharedMemory(handle, sharedMemoryParameters(20_000)).Status, NDIS_STATUS_RESOURCES);
  assert.deepEqual(calls, [
    ["allocate", "provider", 8192],
    ["free", "provider", "block"],
    ["allocate", "provider", 20_000],
  ]);
});

test("a 6.20 block that is not freed is a leak, and is taken back by force", async () => {
  const rig = await open({ halt() {} }, { choices: { policy: "collect" } });
  assert.equal(NdisAllocateSharedMemory(rig.handle, sharedMemoryParameters(9000)).Status, NDIS_STATUS_SUCCESS);
  await rig.machine.halt(rig.adapter);
  assert.equal(rig.machine.report().leaks[0]?.lengthBytes, 9000);
  rig.machine.release(rig.adapter);
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("a driver handle has no DMA registration: FAILURE", async () => {
  let status = 0;
  await open({
    characteristics: {
      SetOptionsHandler: (NdisDriverHandle) => {
        status = NdisAllocateSharedMemory(NdisDriverHandle, sharedMemoryParameters(1)).Status;
        return NDIS_STATUS_SUCCESS;
      },
    },
  });
  assert.equal(status, NDIS_STATUS_FAILURE);
});

test.run();
