/** Catalogue groups F and A (values), G (injected faults), through the NDIS face. */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemory,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  NdisMRegisterScatterGatherDma,
  type VirtualAddress,
} from "../../bindings/ndis/index.js";
import { lowMemory, Machine, type MachineOptions } from "../../src/index.js";
import { type Block, check, type DriverParts, makeDriver, type Nic, open, type Rig, refused } from "./rig.js";

const SMALL: MachineOptions = { zones: [{ base: 2 ** 28, size: 2 ** 18 }] };

test("misuse A01: Length 0 is INVALID_ARGUMENT with 0xE6/21, or fails quietly under choice C16", async () => {
  const rig = await open({}, SMALL);
  for (const act of [
    () => NdisMAllocateSharedMemory(rig.handle, 0, false),
    () => NdisMAllocateSharedMemory(rig.handle, -0, false),
    () => NdisMAllocateSharedMemoryAsyncEx(rig.dma, 0, false, 0),
  ]) {
    const error = refused(rig.machine, "INVALID_ARGUMENT", act);
    assert.deepEqual(error.bugCheck, { code: 0xe6, parameters: [0x21, 0, 0, 0] });
  }
  const quiet = await open({}, { ...SMALL, choices: { zeroLength: "fail" } });
  assert.equal(NdisMAllocateSharedMemory(quiet.handle, 0, false).VirtualAddress, null);
  assert.equal(NdisMAllocateSharedMemoryAsyncEx(quiet.dma, 0, false, 0), NDIS_STATUS_FAILURE);
  assert.deepEqual(quiet.machine.violations, []);
});

test("misuse A02, A03, A04, A05: a Length that is none is INVALID_ARGUMENT, and no completion is ever queued", async () => {
  const rig = await open({}, SMALL);
  const counting = {
    calls: 0,
    valueOf() {
      this.calls++;
      return 4096;
    },
    toString() {
      this.calls++;
      return "4096";
    },
  };
  const lengths: unknown[] = [
    Number.NaN,
    undefined,
    null,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    -1,
    -4096,
    4096.5,
    "4096",
    true,
    4096n,
    counting,
    [4096],
    2 ** 32,
    2 ** 32 + 4096,
    2 ** 53,
  ];
  for (const length of lengths) {
    refused(rig.machine, "INVALID_ARGUMENT", () => NdisMAllocateSharedMemory(rig.handle, length as number, false));
    refused(rig.machine, "INVALID_ARGUMENT", () =>
      NdisMAllocateSharedMemoryAsyncEx(rig.dma, length as number, false, 0),
    );
  }
  assert.ok(counting.calls <= 1);
  assert.equal(rig.adapter.pending, 0);
  await rig.machine.run();
  assert.equal(rig.nic.completions.length, 0);
  for (const length of [2 ** 31, 2 ** 32 - 1]) {
    assert.equal(NdisMAllocateSharedMemory(rig.handle, length, false).VirtualAddress, null, "out of memory");
  }
  refused(rig.machine, "INVALID_ARGUMENT", () => NdisMAllocateSharedMemory(rig.handle, 64, 1 as never));
});

test("misuse A06: the largest block, and one byte more", async () => {
  const rig = await open({}, SMALL);
  assert.equal(rig.nic.allocate(2 ** 18 + 1), null);
  const whole = rig.nic.allocate(2 ** 18) as Block;
  assert.equal(rig.nic.allocate(1), null);
  rig.nic.free(whole);
  assert.equal(rig.machine.core.stats().largestFreeBytes, 2 ** 18);
});

test("misuse A09, A10, A11: addresses that are none, or a multiple of 2^32 away", async () => {
  const rig = await open({}, SMALL);
  const block = rig.nic.allocate(4096) as Block;
  const free = (va: unknown, pa: unknown) => () =>
    NdisMFreeSharedMemory(rig.handle, 4096, false, va as VirtualAddress, pa as never);
  for (const va of [block.VirtualAddress + 0.5, Number.NaN, 2 ** 52, -1, BigInt(block.VirtualAddress), "1", {}]) {
    refused(rig.machine, "INVALID_ARGUMENT", free(va, block.PhysicalAddress));
  }
  for (const pa of [
    2 ** 52,
    block.PhysicalAddress + 0.5,
    BigInt(block.PhysicalAddress),
    -block.PhysicalAddress,
    null,
  ]) {
    refused(rig.machine, "INVALID_ARGUMENT", free(block.VirtualAddress, pa));
  }
  for (const apart of [2 ** 32, -(2 ** 32), 2 ** 33]) {
    refused(rig.machine, "FOREIGN_ADDRESS", free(block.VirtualAddress + apart, block.PhysicalAddress));
  }
  rig.nic.free(block);
});

test("misuse A12: an unknown option is refused by name, a getter that throws propagates, prototypes lend nothing", async () => {
  await assert.rejects(Machine.open({ sede: 1 } as never), { code: "INVALID_ARGUMENT", field: "sede" });
  await assert.rejects(Machine.open({ choices: { placement: "rows" } as never }), { field: "choices.placement" });
  await assert.rejects(Machine.open({ choices: { nothing: 1 } as never }), { field: "choices.nothing" });
  await assert.rejects(Machine.open({ faults: [{ nth: 0 }] }), { field: "faults[0].nth" });
  const throwing = {
    get seed(): number {
      throw new Error("mine");
    },
  };
  await assert.rejects(Machine.open(throwing), /mine/);
  const polluted = Object.prototype as unknown as Record<string, unknown>;
  polluted.seed = 99;
  try {
    const machine = await Machine.open({});
    assert.equal(machine.seed, 1);
  } finally {
    delete polluted.seed;
  }
});

test("misuse F01: release with live blocks: count, bytes, and each block with where it was allocated; force takes them back", async () => {
  const rig = await open({ halt() {} }, SMALL);
  for (const length of [100, 5000, 4096]) rig.nic.allocate(length);
  await assert.rejects(rig.machine.halt(rig.adapter), { code: "LEAK_AT_RELEASE", value: 3 });
  const leak = rig.machine.violations.find((one) => one.rule === "NothingLiveAtRelease");
  assert.match(leak?.message ?? "", /3 blocks of 9196 bytes/);
  const { leaks } = rig.machine.report();
  assert.deepEqual(leaks.map((one) => one.lengthBytes).sort(), [100, 4096, 5000]);
  for (const one of leaks) {
    assert.equal(one.adapter, "rig");
    assert.equal(one.explain.allocatedAt?.call, "NdisMAllocateSharedMemory");
    assert.ok((one.explain.allocatedAt?.step ?? 0) > 0);
  }
  assert.equal(rig.machine.release(rig.adapter).length, 3);
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("misuse F02: a forced release frees one adapter's blocks and touches no other", async () => {
  const machine = await Machine.open({ ...SMALL, choices: { policy: "collect" } });
  const nics: Nic[] = [];
  const driver = await machine.load(makeDriver({ halt() {} }, nics));
  const first = await machine.add(driver);
  const second = await machine.add(driver);
  const [a, b] = nics as [Nic, Nic];
  a.allocate(4096);
  const kept = b.allocate(4096) as Block;
  b.services.bytes(kept.VirtualAddress, 4096).fill(0x42);
  await machine.halt(first);
  machine.release(first);
  assert.equal(second.liveBlocks, 1);
  assert.ok(b.services.bytes(kept.VirtualAddress, 4096).every((byte) => byte === 0x42));
  check(machine);
});

test("misuse F03: a machine disposed with live adapters reports across them; twice is harmless; later calls are ADAPTER_GONE", async () => {
  const machine = await Machine.open(SMALL);
  const nics: Nic[] = [];
  const driver = await machine.load(makeDriver({}, nics));
  await machine.add(driver);
  await machine.add(driver);
  const [a, b] = nics as [Nic, Nic];
  a.allocate(100);
  b.allocate(200);
  assert.throws(() => machine.dispose(), { code: "LEAK_AT_RELEASE" });
  assert.deepEqual(
    machine.violations.map((one) => [one.code, one.adapter]),
    [
      ["LEAK_AT_RELEASE", "rig"],
      ["LEAK_AT_RELEASE", "rig-2"],
    ],
  );
  machine.dispose();
  assert.throws(() => machine.step(), { code: "ADAPTER_GONE" });
  assert.throws(() => NdisMAllocateSharedMemory(a.handle, 1, false), { code: "ADAPTER_GONE" });
});

test("misuse F04: initialize fails at its n-th step, for every n: all is released", async () => {
  for (let nth = 1; ; nth++) {
    const rig = await open(
      {
        initialize(nic) {
          for (const length of [50_496, 10_240, 31_080, 4096]) {
            if (nic.allocate(length) !== null) continue;
            nic.services.logError(1);
            nic.freeAll();
            if (nic.dma !== null) NdisMDeregisterScatterGatherDma(nic.dma);
            return NDIS_STATUS_RESOURCES;
          }
          return NDIS_STATUS_SUCCESS;
        },
      },
      { ...SMALL, faults: [{ at: "synchronous", nth }] },
    );
    assert.deepEqual(rig.machine.violations, []);
    assert.deepEqual(rig.machine.warnings, []);
    if (rig.adapter.status === NDIS_STATUS_SUCCESS) {
      assert.equal(nth, 5, "the sweep ends when nothing fails any more");
      break;
    }
    assert.equal(rig.adapter.state, "Halted");
    assert.equal(rig.machine.core.digest(), rig.emptyDigest);
  }
});

test("misuse F04: SDV rule WriteErrorLog: initialize that fails for want of memory without an entry is warned of", async () => {
  const rig = await open(
    {
      initialize(nic) {
        nic.allocate(4096);
        NdisMDeregisterScatterGatherDma(nic.dma as never);
        return NDIS_STATUS_RESOURCES;
      },
    },
    { ...SMALL, faults: [{ nth: 1 }] },
  );
  assert.equal(rig.machine.warnings[0]?.rule, "WriteErrorLog");
});

test("misuse F05: second registration refused, second deregistration ADAPTER_GONE, deregistration with live blocks as F01", async () => {
  const rig = await open({}, { ...SMALL, choices: { deregistrationOutside: "allow" } });
  assert.equal(NdisMRegisterScatterGatherDma(rig.handle, rig.nic.description).Status, NDIS_STATUS_RESOURCES);
  const block = rig.nic.allocate(4096) as Block;
  const error = refused(rig.machine, "LEAK_AT_RELEASE", () => NdisMDeregisterScatterGatherDma(rig.dma));
  assert.deepEqual(error.bugCheck, { code: 0xe6, parameters: [0x07, 1, 1, 0] });
  rig.nic.free(block);
  NdisMDeregisterScatterGatherDma(rig.dma);
  refused(rig.machine, "ADAPTER_GONE", () => NdisMDeregisterScatterGatherDma(rig.dma));
});

test("misuse F06: synchronous allocation after initialize: a warning, or WRONG_CONTEXT; choices C5 and C37", async () => {
  const relaxed = await open({}, SMALL);
  assert.notEqual(relaxed.nic.allocate(64), null);
  assert.equal(relaxed.machine.warnings[0]?.code, "WRONG_CONTEXT");
  const strict = await open({}, { ...SMALL, choices: { synchronousAfterInitialize: "violation" } });
  refused(strict.machine, "WRONG_CONTEXT", () => strict.nic.allocate(64));
  for (const synchronousWhileHalting of ["violation", "allow"] as const) {
    let code = "";
    const rig = await open(
      {
        halt(nic) {
          try {
            nic.allocate(64);
          } catch (error) {
            code = (error as { code: string }).code;
          }
          nic.freeAll();
          NdisMDeregisterScatterGatherDma(nic.dma as never);
        },
      },
      { ...SMALL, choices: { synchronousWhileHalting } },
    );
    await rig.machine.halt(rig.adapter);
    assert.equal(code, synchronousWhileHalting === "allow" ? "" : "WRONG_CONTEXT");
  }
});

test("choices C36 and C38: registration after initialize, deregistration outside initialize and halt", async () => {
  for (const registrationAfterInitialize of ["warn", "violation"] as const) {
    const rig = await open({ register: false }, { ...SMALL, choices: { registrationAfterInitialize } });
    const register = (): unknown => NdisMRegisterScatterGatherDma(rig.handle, rig.nic.description);
    if (registrationAfterInitialize === "violation") refused(rig.machine, "WRONG_CONTEXT", register);
    else {
      register();
      assert.equal(rig.machine.warnings[0]?.rule, "RegisterDmaInInitialize");
    }
  }
  const rig = await open({}, SMALL);
  refused(rig.machine, "WRONG_CONTEXT", () => NdisMDeregisterScatterGatherDma(rig.dma));
});

test("misuse F07: a handle kept after release is ADAPTER_GONE, whoever sits in the slot now", async () => {
  const machine = await Machine.open(SMALL);
  const nics: Nic[] = [];
  const driver = await machine.load(makeDriver({}, nics));
  const first = await machine.add(driver, { name: "nic" });
  await machine.halt(first);
  await machine.add(driver, { name: "nic" });
  const [old, now] = nics as [Nic, Nic];
  const block = now.allocate(4096) as Block;
  refused(machine, "ADAPTER_GONE", () => old.free(block));
  refused(machine, "ADAPTER_GONE", () => NdisMAllocateSharedMemoryAsyncEx(old.dma as never, 1, false, 0));
  now.free(block);
});

test("misuse F08: a handle that is collected frees nothing: the block stays the device's", async () => {
  const rig = await open({}, SMALL);
  const block = rig.nic.allocate(4096) as Block;
  // There is no finalizer anywhere in the face; what holds the block is the core, which knows no handles.
  assert.equal(rig.machine.core.lengthOf(block.VirtualAddress), 4096);
  assert.equal(rig.machine.report().memory.liveBlocks, 1);
});

test("misuse F09: a bug-check handler that throws, or calls back: heard once, the machine stays stopped", async () => {
  let heard = 0;
  const rig: Rig = await open(
    {},
    {
      ...SMALL,
      choices: { policy: "break" },
      onBugCheck() {
        heard++;
        NdisMAllocateSharedMemory(rig.handle, 0, false);
      },
    },
  );
  assert.throws(() => NdisMAllocateSharedMemory(rig.handle, 0, false), { code: "INVALID_ARGUMENT" });
  assert.equal(heard, 1);
  assert.equal(rig.machine.report().handlerErrors.length, 1);
  assert.throws(() => NdisMAllocateSharedMemory(rig.handle, 4096, false), { code: "STATE_CORRUPT" });
  assert.throws(() => rig.machine.step(), { code: "STATE_CORRUPT" });
  rig.machine.dispose();
});

test("misuse F10: a quota binds its adapter alone, for both kinds of allocation", async () => {
  const machine = await Machine.open(SMALL);
  const nics: Nic[] = [];
  const driver = await machine.load(makeDriver({}, nics));
  await machine.add(driver, { name: "bound", quotaBytes: 10_000 });
  await machine.add(driver, { name: "free" });
  const [bound, free] = nics as [Nic, Nic];
  assert.notEqual(bound.allocate(6000), null);
  assert.equal(bound.allocate(6000), null);
  assert.equal(machine.environment.dispatcher.lastFailure?.reason, "quota");
  for (let i = 0; i < 4; i++) NdisMAllocateSharedMemoryAsyncEx(bound.dma as never, 1500, false, i);
  await machine.run();
  assert.deepEqual(
    bound.completions.map((one) => one.VirtualAddress !== null),
    [true, true, false, false],
  );
  assert.notEqual(free.allocate(60_000), null);
  check(machine);
});

test("choice C33: map registers bound the pages of an adapter", async () => {
  const rig = await open({}, { ...SMALL, choices: { mapRegisters: 3 } });
  assert.equal(rig.nic.allocate(3 * 4096 + 1), null);
  const block = rig.nic.allocate(4097) as Block;
  assert.equal(rig.nic.allocate(4097), null);
  assert.notEqual(rig.nic.allocate(4096), null);
  rig.nic.free(block);
  assert.notEqual(rig.nic.allocate(8192), null);
});

/** A small scenario: allocate, ask, be called back, free, halt. Failing is allowed, losing is not. */
const SMALL_SCENARIO: DriverParts = {
  initialize(nic) {
    for (const length of [8192, 100, 31_080]) nic.allocate(length);
    return NDIS_STATUS_SUCCESS;
  },
};

async function live(options: MachineOptions): Promise<Rig> {
  const rig = await open(SMALL_SCENARIO, { ...SMALL, ...options });
  if (rig.nic.dma === null) return rig;
  for (let i = 0; i < 12; i++) {
    NdisMAllocateSharedMemoryAsyncEx(rig.dma, 1554, false, i);
    if (i % 3 === 0) await rig.machine.run();
  }
  await rig.machine.run();
  check(rig.machine);
  await rig.machine.halt(rig.adapter);
  return rig;
}

test("misuse G01: the n-th allocation fails, for n = 1, 2, 3 and so on until nothing fails: no leak, no violation", async () => {
  let n = 1;
  for (; ; n++) {
    const rig = await live({ faults: [{ nth: n }] });
    assert.deepEqual(rig.machine.violations, []);
    assert.equal(rig.machine.core.digest(), rig.emptyDigest);
    const { requests } = rig.machine.report();
    const failed = requests.failedAtOnce + requests.completedNull + (n <= 3 ? 1 : 0);
    if (failed === 0) break;
    assert.equal(failed, 1);
  }
  assert.equal(n, 28, "3 synchronous, 12 at the queue, 12 at the service");
});

test("misuse G02: everything fails from the n-th on; when the fault is lifted it goes again", async () => {
  const rig = await open(SMALL_SCENARIO, { ...SMALL, faults: [{ from: 2 }] });
  assert.equal(rig.adapter.liveBlocks, 1);
  assert.equal(NdisMAllocateSharedMemoryAsyncEx(rig.dma, 64, false, 0), NDIS_STATUS_FAILURE);
  rig.machine.inject(null);
  assert.equal(NdisMAllocateSharedMemoryAsyncEx(rig.dma, 64, false, 0), NDIS_STATUS_PENDING);
  await rig.machine.run();
  assert.notEqual(rig.nic.completions[0]?.VirtualAddress, null);
  await rig.machine.halt(rig.adapter);
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("misuse G03: failures with a probability repeat from the seed, and are in the log", async () => {
  const log = async (seed: number): Promise<readonly string[]> => {
    const { machine } = await live({ seed, faults: [{ probability: 0.3 }] });
    return machine.log;
  };
  const first = await log(1);
  assert.deepEqual(await log(1), first);
  assert.notDeepEqual(await log(2), first);
  assert.ok(first.some((line) => line.includes("injected")));
});

test("misuse G04: each call site fails the first time it is seen, and only then", async () => {
  const rig = await open({}, { ...SMALL, faults: [{ at: "synchronous", oncePerSite: true }] });
  const results: boolean[] = [];
  for (let i = 0; i < 3; i++) {
    results.push(rig.nic.allocate(64) !== null);
    results.push(NdisMAllocateSharedMemory(rig.handle, 64, false).VirtualAddress !== null);
  }
  assert.deepEqual(results, [false, false, true, true, true, true]);
});

test("low-memory mode: above a page nothing is found, as HAL's documentation warns", async () => {
  const rig = await open({}, { ...SMALL, faults: [lowMemory(4096)] });
  assert.equal(rig.nic.allocate(4097), null);
  assert.notEqual(rig.nic.allocate(4096), null);
});

test("misuse G05: fragmentation is told apart from exhaustion", async () => {
  const rig = await open({}, SMALL);
  const blocks = Array.from({ length: 64 }, () => rig.nic.allocate(4096) as Block);
  assert.equal(rig.nic.allocate(4096), null);
  assert.equal(rig.machine.environment.dispatcher.lastFailure?.reason, "exhausted");
  blocks.forEach((block, i) => {
    if (i % 2 === 0) rig.nic.free(block);
  });
  assert.equal(rig.nic.allocate(8192), null);
  const failure = rig.machine.environment.dispatcher.lastFailure;
  assert.deepEqual(failure, { reason: "fragmented", freeBytes: 32 * 4096, largestFreeBytes: 4096 });
});

test("misuse G09: latencies of nothing and of hours: the order stays, no delay is negative", async () => {
  for (const ns of [0, 3_600e9]) {
    const rig = await open({}, { ...SMALL, schedule: { order: "fifo", minNs: ns, maxNs: ns } });
    for (let i = 0; i < 40; i++) NdisMAllocateSharedMemoryAsyncEx(rig.dma, 64, false, i);
    rig.machine.after(-5, () => {});
    await rig.machine.run();
    assert.deepEqual(
      rig.nic.completions.map((one) => one.Context),
      Array.from({ length: 40 }, (_, i) => i),
    );
    const { latency } = rig.machine.report();
    assert.equal(latency.minNs, ns);
  }
});

test("misuse J05: a stopped machine reports and disposes; everything else is STATE_CORRUPT; others are untouched", async () => {
  const rig = await open({}, { ...SMALL, choices: { policy: "break" } });
  const other = await open({}, SMALL);
  assert.throws(() => NdisMAllocateSharedMemory(rig.handle, 0, false), { code: "INVALID_ARGUMENT" });
  assert.equal(rig.machine.report().violations.length, 1);
  assert.equal(typeof rig.machine.core.digest(), "string");
  for (const act of [
    () => NdisMAllocateSharedMemory(rig.handle, 1, false),
    () => NdisMAllocateSharedMemoryAsyncEx(rig.dma, 1, false, 0),
    () => NdisMRegisterScatterGatherDma(rig.handle, rig.nic.description),
    () => rig.machine.step(),
  ]) {
    assert.throws(act, { code: "STATE_CORRUPT" });
  }
  assert.notEqual(other.nic.allocate(64), null);
  rig.machine.dispose();
});

test("misuse L08: accepted = completed + pending + dropped, and blocks handed out = completions with an address", async () => {
  const rig = await open({}, { ...SMALL, faults: [{ at: "service", probability: 0.3 }], seed: 8 });
  for (let i = 0; i < 60; i++) NdisMAllocateSharedMemoryAsyncEx(rig.dma, 64, false, i);
  for (let i = 0; i < 20; i++) {
    rig.machine.step();
    const { accepted, completed, dropped } = rig.adapter.record;
    assert.equal(accepted, completed + rig.adapter.pending + dropped);
  }
  await rig.machine.run();
  const given = rig.nic.completions.filter((one) => one.VirtualAddress !== null).length;
  assert.equal(given, rig.adapter.liveBlocks);
  assert.ok(given > 20 && given < 60);
});

test.run();
