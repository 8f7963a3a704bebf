/** DMA channels: what a NIC that is no bus master may do with shared memory, and the claim's beginning and end. */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  type AdapterHandle,
  DISPATCH_LEVEL,
  type DmaHandle,
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
  NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE,
  type NDIS_STATUS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_RESOURCE_CONFLICT,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NdisAllocateSharedMemory,
  NdisBuildScatterGatherList,
  NdisFreeSharedMemory,
  NdisInterfaceIsa,
  NdisMAllocateNetBufferSGList,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsync,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterDmaChannel,
  NdisMDeregisterScatterGatherDma,
  NdisMGetDmaAlignment,
  NdisMRegisterDmaChannel,
  NdisMRegisterScatterGatherDma,
  NdisMSetMiniportAttributes,
  NdisSharedMemoryUsageOther,
} from "../../bindings/ndis/index.js";
import { Machine, type MachineOptions } from "../../src/index.js";
import {
  ATTRIBUTES,
  type Block,
  check,
  DESCRIPTION,
  type DriverParts,
  makeDriver,
  Nic,
  open,
  type Rig,
  refused,
  sharedMemoryParameters,
} from "./rig.js";

/** Channel 3 of the system's DMA controller. */
const CHANNEL = { DmaChannelSpecified: true, DmaChannel: 3 } as const;

/** A driver of a subordinate NIC. */
function subordinate(parts: DriverParts = {}, lines32 = true): DriverParts {
  return {
    attributeFlags: NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE,
    register: false,
    initialize(nic) {
      const { Status, MiniportDmaHandle } = NdisMRegisterDmaChannel(nic.handle, 0, lines32, CHANNEL, 65_536);
      nic.registerStatus = Status;
      nic.dma = MiniportDmaHandle;
      return NDIS_STATUS_SUCCESS;
    },
    halt(nic) {
      nic.freeAll();
      if (nic.dma !== null) NdisMDeregisterDmaChannel(nic.dma);
    },
    ...parts,
  };
}

function claim(
  rig: Rig | { handle: Rig["handle"] },
  description: object = CHANNEL,
): { Status: NDIS_STATUS; MiniportDmaHandle: DmaHandle | null } {
  return NdisMRegisterDmaChannel(rig.handle, 0, true, description, 65_536);
}

/** An initialize that does what the test says, sets no attributes of its own, and fails. */
async function initializing(act: (nic: Nic) => void): Promise<void> {
  const machine = await Machine.open();
  let done = false;
  const InitializeHandlerEx = (handle: AdapterHandle): NDIS_STATUS => {
    act(new Nic(handle, { Header: DESCRIPTION, Flags: 0, MaximumPhysicalMapping: 1514 }));
    done = true;
    return NDIS_STATUS_FAILURE;
  };
  await machine.add(await machine.load(makeDriver({ characteristics: { InitializeHandlerEx } }, [])));
  assert.ok(done);
}

test("a subordinate NIC claims a channel, allocates synchronously, and gives the claim back in halt", async () => {
  const rig = await open(subordinate());
  assert.equal(rig.nic.registerStatus, NDIS_STATUS_SUCCESS);
  assert.equal(NdisMGetDmaAlignment(rig.handle), 64);
  const block = rig.nic.allocate(4096) as Block;
  assert.ok(block.PhysicalAddress + 4096 <= 2 ** 32);
  check(rig.machine);
  await rig.machine.halt(rig.adapter);
  assert.deepEqual(rig.machine.violations, []);
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
  check(rig.machine);
});

test("it may not allocate asynchronously, nor gather", async () => {
  const rig = await open(subordinate());
  for (const ask of [
    () => NdisMAllocateSharedMemoryAsyncEx(rig.dma, 64, false, 0),
    () => NdisMAllocateSharedMemoryAsync(rig.handle, 64, false, 0),
    () => rig.nic.atDispatch(() => NdisMAllocateNetBufferSGList(rig.dma, {} as never, 0, 0)),
    () => rig.nic.atDispatch(() => NdisBuildScatterGatherList(rig.handle, {} as never)),
  ]) {
    refused(rig.machine, "NOT_REGISTERED", ask);
  }
  assert.equal(rig.machine.violations[0]?.rule, "BusMasterOnly");
  assert.equal(rig.machine.violations[0]?.basis, "documented");
  await rig.machine.run();
  assert.equal(rig.nic.completions.length, 0);
  const registration = await open({ attributeFlags: NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE });
  assert.equal(registration.nic.registerStatus, NDIS_STATUS_NOT_SUPPORTED, "and no bus-master registration either");
});

test("24 address lines: no byte at or above 16 MiB, for either allocation", async () => {
  const zones = [
    { base: 2 ** 24 - 8192, size: 8192 },
    { base: 2 ** 25, size: 2 ** 16 },
  ];
  for (const lines32 of [false, true]) {
    const rig = await open(subordinate({}, lines32), { zones });
    const blocks = Array.from({ length: 3 }, () => NdisMAllocateSharedMemory(rig.handle, 4096, false));
    assert.equal(blocks.filter((one) => one.VirtualAddress === null).length, lines32 ? 0 : 1);
    if (!lines32) {
      assert.equal(rig.machine.environment.dispatcher.lastFailure?.reason, "addressing");
      for (const { VirtualAddress, PhysicalAddress } of blocks)
        if (VirtualAddress !== null) assert.ok(PhysicalAddress + 4096 <= 2 ** 24);
    }
    const { Status, AllocationHandle } = NdisAllocateSharedMemory(
      rig.handle,
      sharedMemoryParameters(4096, { Usage: NdisSharedMemoryUsageOther }),
    );
    assert.equal(Status, lines32 ? NDIS_STATUS_SUCCESS : NDIS_STATUS_RESOURCES);
    if (AllocationHandle !== null) NdisFreeSharedMemory(rig.handle, AllocationHandle);
    check(rig.machine);
  }
});

test("one adapter has a channel at a time; the argument DmaChannel is ignored; who names none meets nobody", async () => {
  const nics: Nic[] = [];
  const machine = await Machine.open();
  const driver = await machine.load(makeDriver(subordinate(), nics));
  const first = await machine.add(driver);
  await machine.add(driver);
  const statuses = (): unknown[] => nics.map((nic) => nic.registerStatus);
  assert.deepEqual(statuses(), [NDIS_STATUS_SUCCESS, NDIS_STATUS_RESOURCE_CONFLICT]);
  assert.equal(nics[1]?.dma, null, "choice C9");
  assert.ok(machine.log.some((line) => line.includes("DMA channel 3 is another adapter's")));
  const second = nics[1] as Nic;
  assert.equal(claim(second, { DmaChannelSpecified: true, DmaChannel: 4 }).Status, NDIS_STATUS_SUCCESS);
  await machine.halt(first);
  await machine.add(driver);
  assert.deepEqual(statuses()[2], NDIS_STATUS_SUCCESS, "the halted adapter's channel is free again");
  // Two that leave the choice to the system, with the same number in the argument that is ignored.
  for (const _ of [0, 1]) {
    await machine.add(
      await machine.load(
        makeDriver(
          subordinate({
            initialize(nic) {
              const { Status, MiniportDmaHandle } = NdisMRegisterDmaChannel(nic.handle, 3, true, { DmaChannel: 3 }, -1);
              nic.registerStatus = Status;
              nic.dma = MiniportDmaHandle;
              return NDIS_STATUS_SUCCESS;
            },
          }),
          nics,
        ),
      ),
    );
  }
  assert.deepEqual(statuses().slice(3), [NDIS_STATUS_SUCCESS, NDIS_STATUS_SUCCESS]);
});

test("a second claim of one adapter is RESOURCES, an injected fault too, a bus master off ISA is FAILURE, on ISA it is not", async () => {
  const rig = await open(subordinate());
  assert.equal(claim(rig, { DmaChannelSpecified: true, DmaChannel: 5 }).Status, NDIS_STATUS_RESOURCES);
  const injected = await open(subordinate(), { faults: [{ at: "registration", nth: 2 }] });
  assert.equal(injected.nic.registerStatus, NDIS_STATUS_RESOURCES);
  assert.equal(injected.nic.dma, null);
  const master = await open({ register: false });
  assert.equal(claim(master).Status, NDIS_STATUS_FAILURE);
  let isa: NDIS_STATUS | null = null;
  await initializing((nic) => {
    NdisMSetMiniportAttributes(nic.handle, {
      Header: ATTRIBUTES,
      MiniportAdapterContext: nic,
      AttributeFlags: NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
      InterfaceType: NdisInterfaceIsa,
    });
    const { Status, MiniportDmaHandle } = claim(nic);
    isa = Status;
    NdisMDeregisterDmaChannel(MiniportDmaHandle as DmaHandle);
  });
  assert.equal(isa, NDIS_STATUS_SUCCESS);
});

test("arguments, level and place are checked, and nothing is claimed where they are wrong", async () => {
  const rig = await open({ ...subordinate(), initialize: () => NDIS_STATUS_SUCCESS });
  const wrong: readonly (readonly [string, () => unknown])[] = [
    ["Dma32BitAddresses", () => NdisMRegisterDmaChannel(rig.handle, 0, 1 as never, CHANNEL, 65_536)],
    ["DmaDescription", () => NdisMRegisterDmaChannel(rig.handle, 0, true, null as never, 65_536)],
    ["DmaDescription.DmaChannel", () => claim(rig, { DmaChannelSpecified: true, DmaChannel: 0.5 })],
    ["DmaDescription.DmaPort", () => claim(rig, { ...CHANNEL, DmaPort: 1 })],
    ...[-2, 0.5, 2 ** 32, Number.NaN, "4096"].map(
      (length) =>
        ["MaximumLength", () => NdisMRegisterDmaChannel(rig.handle, 0, true, CHANNEL, length as never)] as const,
    ),
  ];
  for (const [field, act] of wrong) assert.equal(refused(rig.machine, "INVALID_ARGUMENT", act).field, field);
  const error = refused(rig.machine, "WRONG_IRQL", () => rig.nic.atDispatch(() => claim(rig)));
  assert.deepEqual(error.bugCheck, { code: 0xe6, parameters: [0x13, 1, 0, DISPATCH_LEVEL] });
  assert.equal(error.violation.rule, "Irql_Miniport_Driver_Function");
  const strict: MachineOptions = { choices: { registrationAfterInitialize: "violation" } };
  const late = await open({ ...subordinate(), initialize: () => NDIS_STATUS_SUCCESS }, strict);
  refused(late.machine, "WRONG_CONTEXT", () => claim(late));
  assert.equal(claim(rig).Status, NDIS_STATUS_SUCCESS, "nothing was claimed; late it is a warning, choice C36");
  assert.equal(rig.machine.warnings.at(-1)?.rule, "RegisterDmaInInitialize");
});

test("attributes come first: SDV rule NdisMRegisterIoPortRange, for a channel, a registration and an interrupt", async () => {
  const seen: unknown[] = [];
  for (const act of [
    claim,
    (nic: Nic) => NdisMRegisterScatterGatherDma(nic.handle, nic.description),
    (nic: Nic) => nic.services.registerInterrupt({ isr: () => false, dpc: () => {} }),
  ]) {
    await initializing((nic) => {
      assert.throws(
        () => act(nic),
        (error: { code: string; violation: { rule: string } }) => {
          seen.push(error.violation.rule);
          return error.code === "WRONG_CONTEXT";
        },
      );
    });
  }
  assert.deepEqual(seen, ["NdisMRegisterIoPortRange", "NdisMRegisterIoPortRange", "NdisMRegisterIoPortRange"]);
});

test("deregistration: in halt only (choice C38), not with blocks (choice C10), once, and by the call of the registration", async () => {
  const rig = await open(subordinate());
  refused(rig.machine, "WRONG_CONTEXT", () => NdisMDeregisterDmaChannel(rig.dma));
  refused(rig.machine, "WRONG_IRQL", () => rig.nic.atDispatch(() => NdisMDeregisterDmaChannel(rig.dma)));
  refused(rig.machine, "WRONG_HANDLE", () => NdisMDeregisterDmaChannel(rig.handle as never));
  refused(rig.machine, "NULL_ADAPTER", () => NdisMDeregisterDmaChannel(null as never));
  const free = await open(subordinate(), { choices: { deregistrationOutside: "allow" } });
  const block = free.nic.allocate(4096) as Block;
  refused(free.machine, "WRONG_HANDLE", () => NdisMDeregisterScatterGatherDma(free.dma));
  const error = refused(free.machine, "LEAK_AT_RELEASE", () => NdisMDeregisterDmaChannel(free.dma));
  assert.deepEqual(error.bugCheck, { code: 0xe6, parameters: [0x07, 1, 1, 0] });
  free.nic.free(block);
  NdisMDeregisterDmaChannel(free.dma);
  const gone = refused(free.machine, "ADAPTER_GONE", () => NdisMDeregisterDmaChannel(free.dma));
  assert.deepEqual(gone.bugCheck, { code: 0xe6, parameters: [0x18, 1, 0, 0] });
  const master = await open({}, { choices: { deregistrationOutside: "allow" } });
  refused(master.machine, "WRONG_HANDLE", () => NdisMDeregisterDmaChannel(master.dma));
});

test("a claim that is left behind is a violation, at halt and after an initialize that fails; the channel is free again", async () => {
  const rig = await open(subordinate({ halt() {} }));
  await assert.rejects(rig.machine.halt(rig.adapter), { code: "LEAK_AT_RELEASE" });
  assert.deepEqual(
    rig.machine.violations.map((one) => [one.rule, one.call]),
    [["DmaChannelIsDeregistered", "MiniportHaltEx"]],
  );
  check(rig.machine);
  const nics: Nic[] = [];
  const failing = await rig.machine.load(
    makeDriver(
      subordinate({
        initialize(nic) {
          nic.registerStatus = claim(nic).Status;
          return NDIS_STATUS_RESOURCES;
        },
      }),
      nics,
    ),
  );
  await assert.rejects(rig.machine.add(failing), { code: "LEAK_AT_RELEASE" });
  assert.equal(nics[0]?.registerStatus, NDIS_STATUS_SUCCESS, "the halted adapter's claim went with it");
  assert.equal(rig.machine.violations.at(-1)?.call, "MiniportInitializeEx");
});

test.run();
