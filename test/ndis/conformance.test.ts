/**
 * The conformance sequences of the NDIS spec, section 17, one test for each number, under both answers where a choice
 * has two. The invariants of that section are checked after each step (`check`, `refused`).
 */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  DISPATCH_LEVEL,
  deviceLevel,
  NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE,
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_SG_DMA_64_BIT_ADDRESS,
  NDIS_STATUS_BAD_VERSION,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NdisGetPhysicalAddressHigh,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  NdisMRegisterScatterGatherDma,
  type VirtualAddress,
} from "../../bindings/ndis/index.js";
import { Machine } from "../../src/index.js";
import { type Block, check, DESCRIPTION, makeDriver, type Nic, open, refused } from "./rig.js";

const HIGH_ZONE = [{ base: 2 ** 33, size: 2 ** 20 }];

function ask(
  rig: { dma: Parameters<typeof NdisMAllocateSharedMemoryAsyncEx>[0] },
  length = 1554,
  context?: unknown,
): number {
  return NdisMAllocateSharedMemoryAsyncEx(rig.dma, length, false, context);
}

test("sequence 01: register, allocate, free, deregister, halt is clean", async () => {
  const rig = await open();
  const block = rig.nic.allocate(4096) as Block;
  check(rig.machine);
  rig.nic.free(block);
  check(rig.machine);
  await rig.machine.halt(rig.adapter);
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
  assert.deepEqual(rig.machine.violations, []);
});

test("sequence 02: without BUS_MASTER the registration is NOT_SUPPORTED", async () => {
  const { nic, machine } = await open({ attributeFlags: NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE });
  assert.equal(nic.registerStatus, NDIS_STATUS_NOT_SUPPORTED);
  assert.equal(nic.dma, null, "choice C9: no handle");
  assert.equal(nic.description.ScatterGatherListSize, undefined, "choice C9: the size is left alone");
  check(machine);
});

test("sequence 03: an unknown revision is BAD_VERSION", async () => {
  for (const Revision of [0, 3, 99]) {
    const { nic } = await open({ description: { Header: { ...DESCRIPTION, Revision } } });
    assert.equal(nic.registerStatus, NDIS_STATUS_BAD_VERSION);
    assert.equal(nic.dma, null);
  }
});

test("sequence 03, choice C1: sizes at, above and below the macro, at least or exactly", async () => {
  const status = async (Revision: number, Size: number, headerSize: "atLeast" | "exact"): Promise<number | null> => {
    const { nic } = await open(
      { description: { Header: { Type: 0x83, Revision, Size } } },
      { choices: { headerSize } },
    );
    return nic.registerStatus;
  };
  assert.equal(await status(1, 36, "atLeast"), NDIS_STATUS_SUCCESS);
  assert.equal(await status(1, 40, "atLeast"), NDIS_STATUS_SUCCESS);
  assert.equal(await status(1, 35, "atLeast"), NDIS_STATUS_BAD_VERSION);
  assert.equal(await status(2, 48, "atLeast"), NDIS_STATUS_SUCCESS);
  assert.equal(await status(2, 47, "atLeast"), NDIS_STATUS_BAD_VERSION);
  assert.equal(await status(1, 36, "exact"), NDIS_STATUS_SUCCESS);
  assert.equal(await status(1, 40, "exact"), NDIS_STATUS_BAD_VERSION);
});

test("sequence 04: synchronous allocation at DISPATCH_LEVEL is 0x7C/01", async () => {
  const { machine, nic, handle } = await open();
  const error = refused(machine, "WRONG_IRQL", () =>
    nic.atDispatch(() => NdisMAllocateSharedMemory(handle, 5000, false)),
  );
  assert.deepEqual(error.bugCheck, { code: 0x7c, parameters: [0x01, 1, 5000, DISPATCH_LEVEL] });
  assert.equal(error.violation.basis, "documented");
});

test("sequence 04, choice C2: APC_LEVEL is a static rule and goes on, or a bug check", async () => {
  const relaxed = await open();
  const before = relaxed.nic.services.raiseIrql(1 as never);
  const block = relaxed.nic.allocate(4096);
  relaxed.nic.services.lowerIrql(before);
  assert.ok(block !== null, "the call went on");
  assert.equal(relaxed.machine.violations[0]?.rule, "Irql_Miniport_Driver_Function");
  assert.equal(relaxed.machine.violations[0]?.severity, "rule");
  const strict = await open({}, { choices: { apcWherePassive: "bugCheck" } });
  strict.nic.services.raiseIrql(1 as never);
  assert.throws(() => strict.nic.allocate(4096), { code: "WRONG_IRQL" });
  strict.nic.services.lowerIrql(before);
});

test("sequence 05: AsyncEx is PENDING at PASSIVE_LEVEL and at DISPATCH_LEVEL", async () => {
  const rig = await open();
  assert.equal(ask(rig), NDIS_STATUS_PENDING);
  assert.equal(
    rig.nic.atDispatch(() => ask(rig)),
    NDIS_STATUS_PENDING,
  );
  await rig.machine.run();
  assert.equal(rig.nic.completions.length, 2);
  check(rig.machine);
});

test("sequence 06: the completion comes once, at PASSIVE_LEVEL, with the right context and length", async () => {
  const rig = await open();
  const context = Symbol("context");
  ask(rig, 1554, context);
  await rig.machine.run();
  await rig.machine.run();
  assert.equal(rig.nic.completions.length, 1);
  const [one] = rig.nic.completions;
  assert.equal(one?.irql, 0);
  assert.equal(one?.miniportContext, rig.nic);
  assert.notEqual(one?.VirtualAddress, null);
  assert.equal(one?.Length, 1554, "choice C18: as asked, not rounded");
  assert.equal(one?.Context, context);
});

test("sequence 07: with the pool full, PENDING and then NULL; choice C17 gives PhysicalAddress null or 0", async () => {
  for (const failedPhysical of ["null", "zero"] as const) {
    const rig = await open({}, { zones: [{ base: 2 ** 28, size: 8192 }], choices: { failedPhysical } });
    rig.nic.allocate(8192);
    assert.equal(ask(rig, 1554), NDIS_STATUS_PENDING);
    await rig.machine.run();
    assert.equal(rig.nic.completions[0]?.VirtualAddress, null);
    assert.equal(rig.nic.completions[0]?.PhysicalAddress, failedPhysical === "null" ? null : 0);
    assert.equal(rig.nic.completions[0]?.Length, 1554);
    check(rig.machine);
  }
});

test("sequence 07, choice C23: memory reserved at acceptance is FAILURE at once", async () => {
  const rig = await open({}, { zones: [{ base: 2 ** 28, size: 8192 }], choices: { memoryTaken: "accepted" } });
  assert.equal(ask(rig, 8192), NDIS_STATUS_PENDING);
  assert.equal(ask(rig, 4096), NDIS_STATUS_FAILURE, "the memory is already taken");
  await rig.machine.run();
  assert.equal(rig.nic.completions.length, 1);
  check(rig.machine);
});

test("sequence 08: an injected failure at the queue is FAILURE and no completion, ever", async () => {
  let asked = 0;
  const rig = await open({}, { faults: { strikes: (point) => point === "queue" && ++asked === 1 } });
  assert.equal(ask(rig), NDIS_STATUS_FAILURE);
  await rig.machine.run();
  assert.equal(rig.nic.completions.length, 0);
  assert.equal(ask(rig), NDIS_STATUS_PENDING, "the same call may succeed later");
  await rig.machine.run();
  assert.equal(rig.nic.completions.length, 1);
});

test("sequence 09: a hundred requests, a hundred completions, in order, none overlapping", async () => {
  let inside = 0;
  const rig = await open({
    complete(nic, completion) {
      assert.equal(++inside, 1, "choice C22");
      nic.blocks.push({ ...completion, Cached: false } as unknown as Block);
      inside--;
    },
  });
  for (let i = 0; i < 100; i++) assert.equal(ask(rig, 1554, i), NDIS_STATUS_PENDING);
  await rig.machine.run();
  assert.deepEqual(
    rig.nic.completions.map((one) => one.Context),
    Array.from({ length: 100 }, (_, i) => i),
    "choice C20",
  );
  assert.deepEqual(rig.machine.report().handlerErrors, []);
  check(rig.machine);
});

test("sequence 09, choice C22: an asynchronous handler holds the next completion of its adapter back", async () => {
  for (const completionOverlap of ["serial", "acrossAdapters"] as const) {
    const order: string[] = [];
    const nics: Nic[] = [];
    const machine = await Machine.open({ choices: { completionOverlap } });
    const driver = await machine.load(
      makeDriver(
        {
          async complete(nic, completion) {
            order.push(`${nic.services.name} ${String(completion.Context)} begins`);
            await nic.services.sleep(1000);
            order.push(`${nic.services.name} ${String(completion.Context)} ends`);
          },
        },
        nics,
      ),
    );
    await machine.add(driver, { name: "a" });
    await machine.add(driver, { name: "b" });
    const [a, b] = nics as [Nic, Nic];
    for (const nic of [a, a, b]) NdisMAllocateSharedMemoryAsyncEx(nic.dma as never, 4096, false, nics.indexOf(nic));
    await machine.run();
    const serial = ["a 0 begins", "a 0 ends", "a 0 begins", "a 0 ends", "b 1 begins", "b 1 ends"];
    const across = ["a 0 begins", "b 1 begins", "a 0 ends", "b 1 ends", "a 0 begins", "a 0 ends"];
    const sorted = completionOverlap === "serial" ? serial : across;
    if (completionOverlap === "serial") assert.deepEqual(order, sorted);
    else {
      assert.equal(order.length, 6);
      assert.ok(order.indexOf("b 1 begins") < order.indexOf("a 0 ends"), "b does not wait for a");
      assert.ok(order.indexOf("a 0 ends") < order.lastIndexOf("a 0 begins"), "a waits for itself");
    }
  }
});

test("sequence 10: freeing inside the completion is legal, and so is freeing at DISPATCH_LEVEL", async () => {
  const rig = await open({
    complete(nic, { Length, VirtualAddress, PhysicalAddress }) {
      NdisMFreeSharedMemory(nic.handle, Length, false, VirtualAddress, PhysicalAddress as NDIS_PHYSICAL_ADDRESS);
    },
  });
  ask(rig);
  await rig.machine.run();
  assert.deepEqual(rig.machine.report().handlerErrors, []);
  const block = rig.nic.allocate(8192) as Block;
  rig.nic.atDispatch(() => rig.nic.free(block));
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("sequence 11: freeing twice is 0x7C/03", async () => {
  const rig = await open();
  const block = rig.nic.allocate(4096) as Block;
  rig.nic.free(block);
  const error = refused(rig.machine, "ALREADY_FREED", () => rig.nic.free(block));
  assert.deepEqual(error.bugCheck, { code: 0x7c, parameters: [0x03, 1, block.VirtualAddress, block.VirtualAddress] });
});

test("sequence 12: freeing inside a block is 0x7C/03 and names the block", async () => {
  const rig = await open();
  const block = rig.nic.allocate(8192) as Block;
  const inside = { ...block, VirtualAddress: (block.VirtualAddress + 4096) as VirtualAddress, Length: 4096 };
  const error = refused(rig.machine, "INTERIOR_ADDRESS", () => rig.nic.free(inside));
  assert.equal(error.bugCheck?.parameters[0], 0x03);
  assert.match(error.message, new RegExp(`4096 bytes inside the block at 0x${block.VirtualAddress.toString(16)}`));
});

test("sequence 13: a wrong Length, Cached or PhysicalAddress is a violation and the block stays", async () => {
  const rig = await open();
  const block = rig.nic.allocate(8192) as Block;
  refused(rig.machine, "LENGTH_MISMATCH", () => rig.nic.free({ ...block, Length: 8191 }));
  refused(rig.machine, "CACHED_MISMATCH", () => rig.nic.free({ ...block, Cached: true }));
  refused(rig.machine, "PHYSICAL_MISMATCH", () =>
    rig.nic.free({ ...block, PhysicalAddress: (block.PhysicalAddress + 1) as NDIS_PHYSICAL_ADDRESS }),
  );
  assert.equal(rig.adapter.liveBlocks, 1);
  rig.nic.free(block);
});

test("sequence 13, choice C27: lenient frees by address and warns", async () => {
  const rig = await open({}, { choices: { freeMismatch: "freeByAddress" } });
  const block = rig.nic.allocate(8192) as Block;
  rig.nic.free({ ...block, Length: 1 });
  assert.equal(rig.adapter.liveBlocks, 0);
  assert.equal(rig.machine.warnings.at(-1)?.code, "LENGTH_MISMATCH");
  assert.deepEqual(rig.machine.violations, []);
  check(rig.machine);
});

test("sequence 14: halt that returns with a request pending is a violation, and nothing is called back", async () => {
  for (const pendingAtHalt of ["violation", "reclaim"] as const) {
    const rig = await open(
      {
        halt(nic) {
          if (pendingAtHalt === "reclaim" && nic.dma !== null) NdisMDeregisterScatterGatherDma(nic.dma);
        },
      },
      { choices: { pendingAtHalt } },
    );
    ask(rig, 1554, "lost");
    if (pendingAtHalt === "violation") {
      await assert.rejects(rig.machine.halt(rig.adapter), { code: "PENDING_AT_RELEASE" });
      assert.match(rig.machine.violations[0]?.message ?? "", /#1 \(1554 bytes, asked at step \d+\)/);
    } else {
      await rig.machine.halt(rig.adapter);
      assert.deepEqual(rig.machine.violations, []);
    }
    await rig.machine.run();
    assert.equal(rig.nic.completions.length, 0);
    assert.equal(rig.adapter.record.dropped, 1);
    assert.equal(rig.machine.core.digest(), rig.emptyDigest);
    check(rig.machine);
  }
});

test("sequence 15: halt that waits for its requests is clean", async () => {
  const rig = await open({
    async halt(nic) {
      while (nic.completions.length < 2) await nic.services.sleep(2_000_000_000);
      nic.freeAll();
      NdisMDeregisterScatterGatherDma(nic.dma as never);
    },
  });
  ask(rig);
  ask(rig);
  await rig.machine.halt(rig.adapter);
  assert.deepEqual(rig.machine.violations, []);
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("sequence 15: a halt that never ends meets the watchdog, 0x7C/25 with 0x22", async () => {
  const rig = await open({
    async halt(nic) {
      await nic.services.wait(nic.services.createEvent());
    },
  });
  await assert.rejects(rig.machine.halt(rig.adapter), { code: "PENDING_AT_RELEASE" });
  assert.deepEqual(rig.machine.violations[0]?.bugCheck, { code: 0x7c, parameters: [0x25, 0x22, 1, 0] });
});

test("sequence 16: halt without freeing: deregistration is 0xE6/07, and the leak is listed", async () => {
  const forgetful = await open({
    halt(nic) {
      NdisMDeregisterScatterGatherDma(nic.dma as never);
    },
  });
  const block = forgetful.nic.allocate(5000) as Block;
  await assert.rejects(forgetful.machine.halt(forgetful.adapter), { code: "LEAK_AT_RELEASE" });
  const [deregister, leak, registration] = forgetful.machine.violations;
  assert.deepEqual(deregister?.bugCheck, { code: 0xe6, parameters: [0x07, 1, 1, 0] });
  assert.equal(leak?.call, "MiniportHaltEx");
  assert.match(
    leak?.message ?? "",
    new RegExp(
      `0x${block.VirtualAddress.toString(16)} \\(5000 bytes, allocated at step \\d+ by NdisMAllocateSharedMemory\\)`,
    ),
  );
  assert.equal(registration?.rule, "Init_RegisterSG");
  const { leaks } = forgetful.machine.report();
  assert.equal(leaks.length, 1);
  assert.equal(leaks[0]?.lengthBytes, 5000);
  check(forgetful.machine);
  forgetful.machine.release(forgetful.adapter);
  assert.equal(forgetful.machine.core.digest(), forgetful.emptyDigest);
});

test("sequence 16, choice C32: reclaim warns and frees", async () => {
  const rig = await open({ halt() {} }, { choices: { leakAtHalt: "reclaim", policy: "collect" } });
  rig.nic.allocate(5000);
  await rig.machine.halt(rig.adapter);
  assert.equal(
    rig.machine.warnings.some((one) => one.code === "LEAK_AT_RELEASE"),
    true,
  );
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("sequence 17: a free in MiniportShutdownEx breaks SDV rule NdisMFreeSharedMemory", async () => {
  const seen: unknown[] = [];
  const rig = await open({
    characteristics: {
      ShutdownHandlerEx(context) {
        const nic = context as Nic;
        try {
          nic.freeAll();
        } catch (error) {
          seen.push(error);
        }
      },
    },
  });
  rig.nic.allocate(4096);
  const before = rig.machine.core.digest();
  rig.machine.shutdown(rig.adapter);
  assert.equal((seen[0] as { code: string }).code, "WRONG_CONTEXT");
  assert.equal(rig.machine.violations[0]?.rule, "NdisMFreeSharedMemory");
  assert.equal(rig.machine.violations[0]?.basis, "documented");
  assert.equal(rig.machine.core.digest(), before);
});

test("sequence 18: a 32-bit adapter gets nothing from a pool above 4 GiB", async () => {
  const rig = await open({ description: { Flags: 0 } }, { zones: HIGH_ZONE });
  const { VirtualAddress, PhysicalAddress } = NdisMAllocateSharedMemory(rig.handle, 4096, false);
  assert.equal(VirtualAddress, null);
  assert.equal(PhysicalAddress, 0, "choice C12");
  assert.equal(rig.machine.environment.dispatcher.lastFailure?.reason, "addressing");
  assert.equal(ask(rig), NDIS_STATUS_PENDING);
  await rig.machine.run();
  assert.equal(rig.nic.completions[0]?.VirtualAddress, null);
  check(rig.machine);
});

test("sequence 18, choice C12: `poisoned` leaves something in PhysicalAddress that nobody should read", async () => {
  const rig = await open(
    { description: { Flags: 0 } },
    { zones: HIGH_ZONE, choices: { physicalOnFailure: "poisoned" } },
  );
  const { VirtualAddress, PhysicalAddress } = NdisMAllocateSharedMemory(rig.handle, 4096, false);
  assert.equal(VirtualAddress, null);
  assert.notEqual(PhysicalAddress, 0);
});

test("sequence 19: a 64-bit adapter gets addresses with a high half", async () => {
  const rig = await open({ description: { Flags: NDIS_SG_DMA_64_BIT_ADDRESS } }, { zones: HIGH_ZONE });
  const block = rig.nic.allocate(4096) as Block;
  assert.equal(NdisGetPhysicalAddressHigh(block.PhysicalAddress), 2);
  check(rig.machine);
});

test("sequence 21: AsyncEx with a deregistered DMA handle is 0xE6/18", async () => {
  const rig = await open({}, { choices: { deregistrationOutside: "allow" } });
  NdisMDeregisterScatterGatherDma(rig.dma);
  const error = refused(rig.machine, "ADAPTER_GONE", () => ask(rig));
  assert.deepEqual(error.bugCheck, { code: 0xe6, parameters: [0x18, 1, 0, 0] });
});

test("sequence 22: a failing initialize that undoes everything is clean, and is not halted", async () => {
  let halted = 0;
  const rig = await open({
    initialize(nic) {
      nic.allocate(4096);
      nic.freeAll();
      NdisMDeregisterScatterGatherDma(nic.dma as never);
      return NDIS_STATUS_RESOURCES;
    },
    halt() {
      halted++;
    },
  });
  assert.equal(rig.adapter.state, "Halted");
  assert.equal(rig.adapter.status, NDIS_STATUS_RESOURCES);
  await assert.rejects(rig.machine.halt(rig.adapter), { code: "ADAPTER_GONE" });
  assert.equal(halted, 0);
  assert.deepEqual(rig.machine.violations, []);
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("sequence 23: AsyncEx above DISPATCH_LEVEL is 0xE6/13 with 2, 2 and the level", async () => {
  const rig = await open();
  const before = rig.nic.services.raiseIrql(deviceLevel(5));
  let error: unknown;
  try {
    ask(rig);
  } catch (thrown) {
    error = thrown;
  }
  rig.nic.services.lowerIrql(before);
  assert.deepEqual((error as { bugCheck: unknown }).bugCheck, { code: 0xe6, parameters: [0x13, 2, 2, 5] });
  check(rig.machine);
});

test("sequence 24: AsyncEx without a handler is FAILURE and a violation", async () => {
  const rig = await open({ description: { SharedMemAllocateCompleteHandler: null } });
  refused(rig.machine, "NOT_REGISTERED", () => ask(rig));
  const collecting = await open(
    { description: { SharedMemAllocateCompleteHandler: null } },
    { choices: { policy: "collect" } },
  );
  assert.equal(ask(collecting), NDIS_STATUS_FAILURE);
  assert.equal(collecting.machine.violations[0]?.code, "NOT_REGISTERED");
  await collecting.machine.run();
  assert.equal(collecting.adapter.liveBlocks, 0, "nothing was allocated and lost");
  check(collecting.machine);
});

test("a second registration is RESOURCES, choice C6; unknown flags are choice C7", async () => {
  const rig = await open({
    initialize(nic) {
      const again = NdisMRegisterScatterGatherDma(nic.handle, nic.description);
      assert.equal(again.Status, NDIS_STATUS_RESOURCES);
      assert.equal(again.NdisMiniportDmaHandle, null);
      return NDIS_STATUS_SUCCESS;
    },
  });
  assert.equal(rig.nic.registerStatus, NDIS_STATUS_SUCCESS);
  const flags = async (version: [number, number], unknownSgFlags: "refuseFrom650" | "ignore"): Promise<unknown> => {
    const { nic } = await open({ version, description: { Flags: 0x100 } }, { choices: { unknownSgFlags } });
    return nic.registerStatus;
  };
  assert.equal(await flags([6, 30], "refuseFrom650"), NDIS_STATUS_SUCCESS);
  assert.notEqual(await flags([6, 50], "refuseFrom650"), NDIS_STATUS_SUCCESS);
  assert.equal(await flags([6, 50], "ignore"), NDIS_STATUS_SUCCESS);
});

test.run();
