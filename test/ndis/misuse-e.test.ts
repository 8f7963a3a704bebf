/** Catalogue group E: the asynchronous protocol. */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  type NDIS_PHYSICAL_ADDRESS,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_PENDING,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  type VirtualAddress,
} from "../../bindings/ndis/index.js";
import { SCHEDULES, type ScheduleName } from "../../src/index.js";
import { type Block, type Completion, check, open, type Rig, refused } from "./rig.js";

function ask(rig: Pick<Rig, "dma">, length: number, context: unknown): number {
  return NdisMAllocateSharedMemoryAsyncEx(rig.dma, length, false, context);
}

function blockOf(completion: Completion): Block {
  return { ...completion, Cached: false } as unknown as Block;
}

test("misuse E01: one completion for each PENDING, none for FAILURE, never before the call has returned", async () => {
  let inside = false;
  const rig = await open(
    {
      complete() {
        assert.equal(inside, false);
      },
    },
    { faults: [{ at: "queue", probability: 0.4 }], choices: { handlerThrows: "stop" } },
  );
  let pending = 0;
  for (let i = 0; i < 200; i++) {
    inside = true;
    const status = ask(rig, 100, i);
    inside = false;
    if (status === NDIS_STATUS_PENDING) pending++;
    else assert.equal(status, NDIS_STATUS_FAILURE);
    if (i % 7 === 0) rig.machine.step();
  }
  await rig.machine.run();
  assert.ok(pending > 60 && pending < 180, `${pending}`);
  assert.equal(rig.nic.completions.length, pending);
});

test("misuse E02: the completion's arguments, for a block and for none", async () => {
  const rig = await open({}, { zones: [{ base: 2 ** 32, size: 4096 }] });
  const contexts = [Symbol("one"), Object.freeze({})];
  for (const context of contexts) ask(rig, 1554, context);
  await rig.machine.run();
  const [given, none] = rig.nic.completions;
  assert.equal(given?.miniportContext, rig.nic);
  assert.equal(rig.machine.core.physicalOf(given?.VirtualAddress as VirtualAddress), given?.PhysicalAddress as number);
  assert.equal(given?.Context, contexts[0]);
  assert.equal(none?.VirtualAddress, null);
  assert.equal(none?.PhysicalAddress, null, "choice C17");
  assert.equal(none?.Length, 1554);
  assert.equal(none?.Context, contexts[1]);
});

test("misuse A15: any context comes back by identity, uninspected", async () => {
  const trap = (): never => {
    throw new Error("the context was looked at");
  };
  const proxy = new Proxy(
    {},
    { get: trap, has: trap, ownKeys: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap },
  );
  const contexts = [undefined, Number.NaN, Symbol("s"), Object.freeze([]), proxy, null, 0, "", () => 1];
  const rig = await open();
  for (const context of contexts) assert.equal(ask(rig, 64, context), NDIS_STATUS_PENDING);
  await rig.machine.run();
  assert.equal(rig.nic.completions.length, contexts.length);
  for (const [i, one] of rig.nic.completions.entries()) assert.ok(Object.is(one.Context, contexts[i]));
});

test("misuse E03: a handler that throws: heard once, the block is the driver's, later completions come", async () => {
  const rig = await open({
    complete(nic, completion) {
      nic.blocks.push(blockOf(completion));
      if (completion.Context === 1) throw new Error("driver bug");
    },
  });
  for (let i = 0; i < 3; i++) ask(rig, 64, i);
  await rig.machine.run();
  assert.deepEqual(
    rig.nic.completions.map((one) => one.Context),
    [0, 1, 2],
  );
  const { handlerErrors } = rig.machine.report();
  assert.equal(handlerErrors.length, 1);
  assert.match(String(handlerErrors[0]?.error), /driver bug/);
  assert.equal(rig.adapter.liveBlocks, 3);
  rig.nic.freeAll();
  check(rig.machine);
});

test("misuse E03, choice C24: `stop` ends the run with the handler's error", async () => {
  const rig = await open(
    {
      complete() {
        throw new Error("driver bug");
      },
    },
    { choices: { handlerThrows: "stop" } },
  );
  ask(rig, 64, 0);
  await assert.rejects(rig.machine.run(), /driver bug/);
});

test("misuse E04: a handler whose promise rejects is contained, and nothing escapes", async () => {
  const rig = await open({
    async complete(nic, completion) {
      nic.blocks.push(blockOf(completion));
      await nic.services.sleep(10);
      throw new Error("later");
    },
  });
  for (let i = 0; i < 2; i++) ask(rig, 64, i);
  await rig.machine.run();
  assert.equal(rig.nic.completions.length, 2);
  assert.deepEqual(
    rig.machine.report().handlerErrors.map((one) => (one.error as Error).message),
    ["later", "later"],
  );
});

test("misuse E05: a handler frees the block that it was just given", async () => {
  const rig = await open({ complete: (nic, completion) => nic.free(blockOf(completion)) });
  for (let i = 0; i < 40; i++) ask(rig, 1554, i);
  await rig.machine.run();
  assert.deepEqual(rig.machine.report().handlerErrors, []);
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("misuse E06: a handler asks again, a hundred thousand times: no recursion, and behind what was queued before", async () => {
  const order: unknown[] = [];
  const rig: Rig = await open(
    {
      complete(nic, completion) {
        nic.free(blockOf(completion));
        const count = completion.Context as number;
        if (order.length < 6) order.push(count);
        if (count >= 0 && count < 100_000) ask({ dma: nic.dma as never }, 64, count + 1);
      },
    },
    { log: "off", arena: null },
  );
  ask(rig, 64, 0);
  ask(rig, 64, -1);
  ask(rig, 64, -2);
  await rig.machine.run();
  assert.deepEqual(order, [0, -1, -2, 1, 2, 3]);
  assert.equal(rig.adapter.record.completed, 100_003);
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("misuse E07: a handler frees another block; one whose completion is still queued is not the driver's yet", async () => {
  const codes: string[] = [];
  const rig = await open({
    complete(nic, completion) {
      if (completion.Context === "first") {
        nic.freeAll();
        // The core places blocks of one frame side by side, so the next one of the batch is known.
        for (const offset of [4096, -4096]) {
          const VirtualAddress = ((completion.VirtualAddress as number) + offset) as VirtualAddress;
          const PhysicalAddress = ((completion.PhysicalAddress as number) + offset) as NDIS_PHYSICAL_ADDRESS;
          try {
            NdisMFreeSharedMemory(nic.handle, 4096, false, VirtualAddress, PhysicalAddress);
          } catch (error) {
            codes.push((error as { code: string }).code);
          }
        }
      }
      nic.blocks.push(blockOf(completion));
    },
  });
  rig.nic.allocate(4096);
  for (const context of ["first", "second", "third"]) ask(rig, 4096, context);
  await rig.machine.run();
  assert.ok(codes.includes("NEVER_ALLOCATED"), codes.join());
  assert.match(rig.machine.violations[0]?.message ?? "", /completion has not been delivered/);
  assert.equal(rig.nic.completions.length, 3);
  assert.equal(rig.adapter.liveBlocks, 3);
  check(rig.machine);
});

test("misuse E08: a handler that pumps is REENTRANT_CALL, and the order stays", async () => {
  const codes: string[] = [];
  const rig: Rig = await open({
    complete(nic, completion) {
      nic.blocks.push(blockOf(completion));
      for (const pump of [() => rig.machine.step(), () => rig.machine.serve(), () => rig.machine.deliver()]) {
        try {
          pump();
        } catch (error) {
          codes.push((error as { code: string }).code);
        }
      }
    },
  });
  for (let i = 0; i < 3; i++) ask(rig, 64, i);
  await rig.machine.run();
  assert.deepEqual(new Set(codes), new Set(["REENTRANT_CALL"]));
  assert.equal(codes.length, 9);
  assert.deepEqual(
    rig.nic.completions.map((one) => one.Context),
    [0, 1, 2],
  );
});

test("misuse E09: a handler halts its adapter: the halt begins when the handler is through", async () => {
  let halted: Promise<void> | null = null;
  let during = "";
  const rig: Rig = await open(
    {
      complete(nic, completion) {
        nic.blocks.push(blockOf(completion));
        halted ??= rig.machine.halt(rig.adapter);
        during = rig.adapter.state;
      },
    },
    { choices: { pendingAtHalt: "reclaim" } },
  );
  for (let i = 0; i < 3; i++) ask(rig, 64, i);
  await rig.machine.run();
  await halted;
  assert.equal(during, "Running");
  assert.equal(rig.adapter.state, "Halted");
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
  const { accepted, completed, dropped } = rig.adapter.record;
  assert.equal(accepted, completed + dropped);
});

test("misuse E10: no handler: refused with NOT_REGISTERED before queuing; replacing one while requests are pending", async () => {
  const rig = await open({ description: { SharedMemAllocateCompleteHandler: null } });
  refused(rig.machine, "NOT_REGISTERED", () => ask(rig, 64, 0));
  assert.equal(rig.adapter.pending, 0);
  // The only way to another handler is another registration, and the old one cannot go while requests are pending.
  const held = await open({}, { choices: { deregistrationOutside: "allow" } });
  ask(held, 64, 0);
  refused(held.machine, "PENDING_AT_RELEASE", () => NdisMDeregisterScatterGatherDma(held.dma));
  await held.machine.run();
  assert.equal(held.nic.completions.length, 1);
});

test("misuse E11: a request after deregistration is ADAPTER_GONE; on a paused adapter it is allowed", async () => {
  const rig = await open({}, { choices: { deregistrationOutside: "allow" } });
  await rig.machine.pause(rig.adapter);
  assert.equal(rig.adapter.state, "Paused");
  assert.equal(ask(rig, 64, 0), NDIS_STATUS_PENDING);
  await rig.machine.run();
  rig.nic.freeAll();
  NdisMDeregisterScatterGatherDma(rig.dma);
  refused(rig.machine, "ADAPTER_GONE", () => ask(rig, 64, 0));
});

test("misuse E12: halt with k pending: reported with the list, nothing delivered afterwards, nothing lost", async () => {
  for (const k of [1, 5, 40]) {
    const rig = await open({ halt() {} }, { choices: { policy: "collect" }, schedule: "manual" });
    for (let i = 0; i < k; i++) ask(rig, 4096, i);
    // Some are served already: their blocks must not be lost.
    rig.machine.serve();
    await rig.machine.halt(rig.adapter);
    const pending = rig.machine.violations.find((one) => one.code === "PENDING_AT_RELEASE");
    assert.equal(pending?.value, k);
    await rig.machine.run();
    while (rig.machine.deliver());
    assert.equal(rig.nic.completions.length, 0);
    assert.equal(rig.machine.core.digest(), rig.emptyDigest);
    assert.equal(rig.adapter.record.dropped, k);
  }
});

test("misuse E13: memory is taken when a request is served, so a block freed before that helps it", async () => {
  for (const memoryTaken of ["served", "accepted"] as const) {
    const rig = await open({}, { zones: [{ base: 2 ** 28, size: 4096 }], choices: { memoryTaken } });
    const block = rig.nic.allocate(4096) as Block;
    const status = ask(rig, 4096, 0);
    rig.nic.free(block);
    await rig.machine.run();
    if (memoryTaken === "served") assert.notEqual(rig.nic.completions[0]?.VirtualAddress, null);
    else assert.equal(status, NDIS_STATUS_FAILURE);
  }
});

test("misuse E14: FAILURE leaves everything as it was, and the same call may succeed later", async () => {
  const rig = await open({}, { choices: { pendingLimit: 1 } });
  assert.equal(ask(rig, 64, 0), NDIS_STATUS_PENDING);
  const before = [rig.machine.core.digest(), rig.machine.core.imageDigest(), rig.adapter.pending];
  assert.equal(ask(rig, 64, 1), NDIS_STATUS_FAILURE);
  assert.deepEqual([rig.machine.core.digest(), rig.machine.core.imageDigest(), rig.adapter.pending], before);
  await rig.machine.run();
  assert.equal(ask(rig, 64, 1), NDIS_STATUS_PENDING);
});

test("misuse E15: every schedule delivers each request once; the orders are those that it promises", async () => {
  const orders = new Map<ScheduleName, unknown[]>();
  for (const schedule of SCHEDULES) {
    const rig = await open({}, { schedule, seed: 3 });
    for (let i = 0; i < 70; i++) ask(rig, 64, i);
    if (schedule === "manual") while (rig.machine.serve() > 0) while (rig.machine.deliver());
    await rig.machine.run();
    const order = rig.nic.completions.map((one) => one.Context as number);
    assert.deepEqual(
      [...order].sort((a, b) => a - b),
      Array.from({ length: 70 }, (_, i) => i),
      schedule,
    );
    orders.set(schedule, order);
    rig.nic.freeAll();
    check(rig.machine);
    assert.equal(rig.machine.core.digest(), rig.emptyDigest);
  }
  const upwards = Array.from({ length: 70 }, (_, i) => i);
  assert.deepEqual(orders.get("fifo"), upwards);
  assert.deepEqual(orders.get("manual"), upwards);
  assert.deepEqual(orders.get("lifo"), [...upwards].reverse());
  assert.notDeepEqual(orders.get("random"), upwards);
  assert.equal(orders.get("starved")?.at(-1), 0, "the oldest comes last");
  assert.deepEqual(orders.get("batched"), upwards);
});

test("misuse E15: racing: completions come inside the call, but never while the caller holds a lock", async () => {
  const rig = await open({}, { schedule: "racing", seed: 9 });
  let early = 0;
  for (let i = 0; i < 100; i++) {
    const before = rig.nic.completions.length;
    rig.nic.atDispatch(() => ask(rig, 64, i));
    if (rig.nic.completions.length > before) early++;
  }
  assert.ok(early > 20 && early < 90, `${early} of 100 came inside the call`);
  assert.ok(
    rig.nic.completions.every((one) => one.irql === 0),
    "at PASSIVE_LEVEL, on the other processor",
  );
  const lock = rig.nic.services.createSpinLock();
  for (let i = 0; i < 100; i++) {
    lock.acquire();
    const before = rig.nic.completions.length;
    ask(rig, 64, i);
    assert.equal(rig.nic.completions.length, before);
    lock.release();
  }
  await rig.machine.run();
  assert.equal(rig.nic.completions.length, 200);
});

test("misuse E17: a full queue is FAILURE at once, with the limit in the choices", async () => {
  const rig = await open();
  const statuses = new Map<number, number>();
  for (let i = 0; i < 5000; i++) {
    const status = ask(rig, 64, i);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  assert.equal(statuses.get(NDIS_STATUS_PENDING), rig.machine.choices.pendingLimit);
  assert.equal(statuses.get(NDIS_STATUS_FAILURE), 5000 - 4096);
});

test("misuse E20: without the host's event loop: step by step", async () => {
  const rig = await open();
  for (let i = 0; i < 3; i++) ask(rig, 64, i);
  let steps = 0;
  while (rig.machine.step()) steps++;
  assert.equal(rig.nic.completions.length, 3);
  assert.ok(steps >= 4);
});

test("choice C39: completions during initialize are delivered, or held back until it is over", async () => {
  for (const completionDuringInitialize of ["deliver", "holdBack"] as const) {
    let during = -1;
    const rig = await open(
      {
        async initialize(nic) {
          ask({ dma: nic.dma as never }, 64, 0);
          await nic.services.sleep(1_000_000);
          during = nic.completions.length;
          return 0 as never;
        },
      },
      { choices: { completionDuringInitialize } },
    );
    await rig.machine.run();
    assert.equal(during, completionDuringInitialize === "deliver" ? 1 : 0);
    assert.equal(rig.nic.completions.length, 1);
  }
});

test.run();
