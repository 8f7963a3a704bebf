/** The calls of NDIS 5, alignment, and choice C40. */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  type AdapterHandle,
  adapterServices,
  type DriverObjectHandle,
  NDIS_ATTRIBUTE_BUS_MASTER,
  type NDIS_STATUS,
  NDIS_STATUS_BAD_VERSION,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_SUCCESS,
  NdisGetSharedDataAlignment,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsync,
  NdisMFreeSharedMemory,
  NdisMGetDmaAlignment,
  NdisMInitializeScatterGatherDma,
  NdisMRegisterMiniport,
  NdisMSetAttributesEx,
  NdisMUpdateSharedMemory,
  type VirtualAddress,
} from "../../bindings/ndis/index.js";
import { Machine, type MachineOptions } from "../../src/index.js";
import { watch } from "./invariants.js";
import { type Block, check, open, refused } from "./rig.js";

interface Five {
  handle: AdapterHandle;
  registered: NDIS_STATUS;
  completions: unknown[][];
}

async function openFive(
  options: MachineOptions = {},
  flags = NDIS_ATTRIBUTE_BUS_MASTER,
): Promise<{ machine: Machine; five: Five }> {
  const machine = await Machine.open(options);
  const five: Five = { handle: null as never, registered: NDIS_STATUS_FAILURE, completions: [] };
  const driver = {
    name: "five",
    DriverEntry: (object: DriverObjectHandle) => {
      watch(object);
      return NdisMRegisterMiniport(object, {
        MajorNdisVersion: 5,
        MinorNdisVersion: 1,
        InitializeHandler(handle) {
          five.handle = handle;
          NdisMSetAttributesEx(handle, five, 2, flags, 5);
          five.registered = NdisMInitializeScatterGatherDma(handle, false, 1514);
          return NDIS_STATUS_SUCCESS;
        },
        HaltHandler() {},
        AllocateCompleteHandler(...completion) {
          five.completions.push([...completion, adapterServices(five.handle).irql]);
          const [, va, pa, length] = completion;
          NdisMFreeSharedMemory(five.handle, length, false, va, pa as never);
        },
      });
    },
  };
  await machine.add(await machine.load(driver));
  return { machine, five };
}

test("an NDIS 5 driver asks through its adapter handle and is called back at DISPATCH_LEVEL", async () => {
  const { machine, five } = await openFive();
  const empty = machine.core.digest();
  assert.equal(five.registered, NDIS_STATUS_SUCCESS);
  assert.equal(NdisMAllocateSharedMemoryAsync(five.handle, 2400, false, "mine"), NDIS_STATUS_PENDING);
  await machine.run();
  const [completion] = five.completions;
  assert.equal(completion?.[0], five, "peer bug: the first argument is the driver's context, not a handle");
  assert.equal(completion?.[3], 2400);
  assert.equal(completion?.[4], "mine");
  assert.equal(completion?.[5], 2);
  assert.equal(machine.core.digest(), empty);
  await machine.halt(machine.adapters[0] as never);
  assert.deepEqual(machine.violations, [], "no deregistration is asked of an NDIS 5 driver");
  assert.deepEqual(machine.report().handlerErrors, []);
});

test("an NDIS 5 driver's bug checks are those of 0x7C, on a machine that runs NDIS 6", async () => {
  const { machine, five } = await openFive();
  const services = adapterServices(five.handle);
  const before = services.raiseIrql(2 as never);
  let error: unknown;
  try {
    NdisMAllocateSharedMemory(five.handle, 777, false);
  } catch (thrown) {
    error = thrown;
  }
  services.lowerIrql(before);
  assert.deepEqual((error as { bugCheck: unknown }).bugCheck, { code: 0x7c, parameters: [1, 1, 777, 2] });
  check(machine);
});

test("an NDIS 5 driver's bad free and its overwriting are 0x7C/03 and 02", async () => {
  const { machine, five } = await openFive({ guard: true });
  const first = NdisMAllocateSharedMemory(five.handle, 5000, false);
  const address = first.VirtualAddress as VirtualAddress;
  const free = (): void =>
    NdisMFreeSharedMemory(five.handle, 4096, false, (address + 2 ** 20) as VirtualAddress, first.PhysicalAddress);
  const unknown = refused(machine, "NEVER_ALLOCATED", free);
  const page = address + 2 ** 20;
  assert.deepEqual(unknown.bugCheck, { code: 0x7c, parameters: [3, 1, page, page] });
  // Past the end of the block: seen by the next allocation.
  const bytes = machine.core.bytes(address, 5000);
  new Uint8Array(bytes.buffer, bytes.byteOffset, 8192)[5003] = 1;
  assert.throws(
    () => NdisMAllocateSharedMemory(five.handle, 64, false),
    (error: { code: string; bugCheck: unknown }) => {
      assert.equal(error.code, "OVERRUN");
      assert.deepEqual(error.bugCheck, { code: 0x7c, parameters: [2, 1, address + 4096, 0] });
      return true;
    },
  );
});

test("NDIS 5 registration: BUS_MASTER is another bit, and only for NDIS 5 drivers", async () => {
  const { five } = await openFive({}, 0x40);
  assert.equal(five.registered, NDIS_STATUS_NOT_SUPPORTED);
  const rig = await open();
  assert.equal(NdisMInitializeScatterGatherDma(rig.handle, true, 1514), NDIS_STATUS_NOT_SUPPORTED);
  const machine = await Machine.open();
  const loaded = await machine.load({
    name: "six",
    DriverEntry: (object) =>
      NdisMRegisterMiniport(object, {
        MajorNdisVersion: 6,
        MinorNdisVersion: 0,
        InitializeHandler: () => NDIS_STATUS_SUCCESS,
        HaltHandler() {},
      }),
  });
  assert.equal(loaded.status, NDIS_STATUS_BAD_VERSION);
});

test("choice C40: an NDIS 6 driver makes the NDIS 5 call; its SG handler is called, at PASSIVE_LEVEL or DISPATCH_LEVEL", async () => {
  for (const ndis6CallsNdis5Async of ["passive", "dispatch"] as const) {
    const rig = await open({}, { choices: { ndis6CallsNdis5Async } });
    assert.equal(NdisMAllocateSharedMemoryAsync(rig.handle, 2400, false, 7), NDIS_STATUS_PENDING);
    await rig.machine.run();
    assert.equal(rig.nic.completions[0]?.irql, ndis6CallsNdis5Async === "passive" ? 0 : 2);
    assert.equal(rig.nic.completions[0]?.Context, 7);
    check(rig.machine);
  }
  const early = await open({ register: false });
  refused(early.machine, "NOT_REGISTERED", () => NdisMAllocateSharedMemoryAsync(early.handle, 1, false, 0));
});

test("alignment: 64, or as chosen; choice C11", async () => {
  const rig = await open();
  assert.equal(NdisMGetDmaAlignment(rig.handle), 64);
  assert.equal(NdisGetSharedDataAlignment(), 64);
  const other = await open({}, { choices: { dmaAlignment: 16 } });
  assert.equal(NdisMGetDmaAlignment(other.handle), 16);
  const early = await open({ register: false });
  refused(early.machine, "NOT_REGISTERED", () => NdisMGetDmaAlignment(early.handle));
  refused(rig.machine, "WRONG_IRQL", () => rig.nic.atDispatch(() => NdisMGetDmaAlignment(rig.handle)));
});

test("NdisMUpdateSharedMemory does nothing", async () => {
  const rig = await open();
  const block = rig.nic.allocate(4096) as Block;
  const before = rig.machine.core.imageDigest();
  NdisMUpdateSharedMemory(rig.handle, 4096, block.VirtualAddress, block.PhysicalAddress);
  assert.equal(rig.machine.core.imageDigest(), before);
});

test.run();
