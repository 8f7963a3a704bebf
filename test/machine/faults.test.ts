/** Injected failures: every form of a rule, alone and together, repeated from the seed. */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_PENDING,
  NDIS_STATUS_RESOURCES,
  NdisMAllocateSharedMemoryAsyncEx,
} from "../../bindings/ndis/index.js";
import { type FaultRule, lowMemory, Machine } from "../../src/index.js";
import { makeDriver, type Nic, open, type Rig } from "../ndis/rig.js";

const ZONES = [{ base: 2 ** 28, size: 2 ** 20 }];

function withRules(...faults: FaultRule[]): Promise<Rig> {
  return open({}, { zones: ZONES, faults });
}

function ask(nic: Nic, length = 64): number {
  return NdisMAllocateSharedMemoryAsyncEx(nic.dma as never, length, false, length);
}

/** Which of so many synchronous allocations fail. */
function failing(rig: Rig, count: number, length = 64): number[] {
  return Array.from({ length: count }, (_, i) => (rig.nic.allocate(length) === null ? i + 1 : 0)).filter((i) => i > 0);
}

test("the n-th, and from the n-th on", async () => {
  assert.deepEqual(failing(await withRules({ at: "synchronous", nth: 3 }), 6), [3]);
  assert.deepEqual(failing(await withRules({ at: "synchronous", from: 4 }), 6), [4, 5, 6]);
  assert.deepEqual(failing(await withRules({ nth: 1 }, { nth: 5 }), 6), [1, 5], "of several rules any may strike");
});

test("each point by itself: synchronous NULL, FAILURE at the queue, PENDING and then NULL, RESOURCES of a registration", async () => {
  const synchronous = await withRules({ at: "synchronous" });
  assert.equal(synchronous.nic.allocate(64), null);
  assert.equal(ask(synchronous.nic), NDIS_STATUS_PENDING);
  await synchronous.machine.run();
  assert.notEqual(synchronous.nic.completions[0]?.VirtualAddress, null);
  const queue = await withRules({ at: "queue" });
  assert.equal(ask(queue.nic), NDIS_STATUS_FAILURE);
  await queue.machine.run();
  assert.equal(queue.nic.completions.length, 0);
  const service = await withRules({ at: "service" });
  assert.equal(ask(service.nic), NDIS_STATUS_PENDING);
  await service.machine.run();
  assert.equal(service.nic.completions[0]?.VirtualAddress, null);
  assert.equal(service.nic.completions[0]?.Length, 64);
  const registration = await withRules({ at: "registration", nth: 2 });
  assert.equal(registration.nic.registerStatus, NDIS_STATUS_RESOURCES);
  for (const rig of [synchronous, queue, service, registration]) assert.deepEqual(rig.machine.violations, []);
});

test("one adapter, by its number; the other never fails", async () => {
  const machine = await Machine.open({ zones: ZONES, faults: [{ adapter: 2, at: ["synchronous", "queue"] }] });
  const nics: Nic[] = [];
  const driver = await machine.load(makeDriver({}, nics));
  await machine.add(driver);
  await machine.add(driver);
  const [first, second] = nics as [Nic, Nic];
  for (let i = 0; i < 5; i++) {
    assert.notEqual(first.allocate(64), null);
    assert.equal(second.allocate(64), null);
    assert.equal(ask(first), NDIS_STATUS_PENDING);
    assert.equal(ask(second), NDIS_STATUS_FAILURE);
  }
});

test("a range of lengths: from, up to, both; low memory is above a length, from a time on", async () => {
  const between = await withRules({ at: "synchronous", leastBytes: 100, mostBytes: 200 });
  const lengths = [99, 100, 150, 200, 201];
  assert.deepEqual(
    lengths.filter((length) => between.nic.allocate(length) === null),
    [100, 150, 200],
  );
  const low = await withRules(lowMemory(4096, 1_000_000));
  assert.notEqual(low.nic.allocate(8192), null, "early there is plenty");
  low.machine.after(1_000_000, () => {});
  await low.machine.run();
  assert.equal(low.nic.allocate(4097), null);
  assert.notEqual(low.nic.allocate(4096), null);
});

test("a stretch of simulated time: from its first nanosecond, up to its last", async () => {
  const rig = await withRules({ at: "synchronous", fromNs: 100, untilNs: 300 });
  const seen: [number, boolean][] = [];
  for (const at of [99, 100, 299, 300]) {
    rig.machine.after(at, () => seen.push([rig.machine.nowNs, rig.nic.allocate(64) === null]));
  }
  await rig.machine.run();
  assert.deepEqual(seen, [
    [99, false],
    [100, true],
    [299, true],
    [300, false],
  ]);
});

test("conditions hold together, and opportunities are counted over what the rule covers", async () => {
  const rig = await withRules({ at: "synchronous", leastBytes: 1000, nth: 2 });
  assert.deepEqual(
    [1000, 64, 64, 2000, 3000].map((length) => rig.nic.allocate(length) === null),
    [false, false, false, true, false],
  );
});

test("a probability: the same seed strikes the same opportunities, a rule more moves nothing in the others", async () => {
  const struck = async (seed: number, ...faults: FaultRule[]): Promise<number[]> =>
    failing(await open({}, { zones: ZONES, seed, faults }), 100);
  const first = await struck(5, { probability: 0.2 });
  assert.ok(first.length > 8 && first.length < 35, `${first.length} of 100`);
  assert.deepEqual(await struck(5, { probability: 0.2 }), first);
  assert.notDeepEqual(await struck(6, { probability: 0.2 }), first);
  assert.deepEqual(await struck(5, { probability: 0.2 }, { leastBytes: 4096, nth: 1 }), first);
  assert.deepEqual(await struck(5, { probability: 0 }), []);
  assert.equal((await struck(5, { probability: 1 })).length, 100);
});

test("rules that are none are refused by name when the machine opens", async () => {
  const wrong: readonly (readonly [object, string])[] = [
    [{ nth: 0 }, "nth"],
    [{ from: 1.5 }, "from"],
    [{ adapter: 0 }, "adapter"],
    [{ probability: 1.5 }, "probability"],
    [{ probability: Number.NaN }, "probability"],
    [{ at: "somewhere" }, "at"],
    [{ at: ["queue", "somewhere"] }, "at[1]"],
    [{ often: true }, "often"],
  ];
  for (const [rule, field] of wrong) {
    await assert.rejects(Machine.open({ faults: [{}, rule as FaultRule] }), {
      code: "INVALID_ARGUMENT",
      field: `faults[1].${field}`,
    });
  }
});

test.run();
