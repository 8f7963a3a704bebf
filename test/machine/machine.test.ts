/** The machine: one seed is one history, adapters come and go, and the parts that time and chance are made of. */
import assert from "node:assert/strict";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { test } from "uvu";
import { AdapterHandleClass, stateName } from "../../bindings/index.js";
import {
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterMiniportDriver,
  NdisMDeregisterScatterGatherDma,
} from "../../bindings/ndis/index.js";
import { Machine, type MachineOptions, Prng, SCHEDULES } from "../../src/index.js";
import { EventQueue, SimulatedClock } from "../../src/machine/time/clock.js";
import { Judge } from "../../src/model/index.js";
import { counterMovedByHand } from "../ndis/invariants.js";
import { type Block, check, makeDriver, type Nic, open } from "../ndis/rig.js";

/** A scenario with every kind of event in it; only the seed and the schedule decide what happens. */
async function scenario(options: MachineOptions): Promise<{ digest: string; core: string; log: readonly string[] }> {
  const rig = await open(
    {
      complete(nic, completion) {
        if (completion.VirtualAddress === null) return;
        const block = { ...completion, Cached: false } as unknown as Block;
        if ((completion.Context as number) % 3 === 0) nic.free(block);
        else nic.blocks.push(block);
      },
    },
    {
      zones: [
        { base: 2 ** 28, size: 2 ** 18 },
        { base: 2 ** 32, size: 2 ** 17 },
      ],
      faults: [{ probability: 0.05 }],
      ...options,
    },
  );
  const { machine, nic, dma } = rig;
  const prng = new Prng(machine.seed, 99);
  const timer = nic.services.createTimer(() => {
    for (let i = prng.below(6); i > 0; i--) {
      NdisMAllocateSharedMemoryAsyncEx(dma, 1 + prng.below(20_000), false, prng.below(100));
    }
    if (nic.blocks.length > 6) nic.free(nic.blocks[prng.below(nic.blocks.length)] as Block);
    if (nic.services.nowNs > 20_000_000) timer.cancel();
  });
  timer.set(1000, 100_000);
  await machine.run(() => machine.nowNs > 25_000_000);
  await machine.run();
  check(machine);
  await machine.halt(rig.adapter);
  assert.deepEqual(machine.violations, []);
  return { digest: machine.logDigest(), core: machine.core.digest(), log: machine.log };
}

test("misuse L09: the same seed gives the same log to the byte, under every schedule; another seed another", async () => {
  for (const schedule of SCHEDULES) {
    if (schedule === "manual") continue;
    const first = await scenario({ schedule, seed: 5 });
    const again = await scenario({ schedule, seed: 5 });
    assert.deepEqual(again.log, first.log, schedule);
    assert.equal(again.digest, first.digest);
    assert.notEqual((await scenario({ schedule, seed: 6 })).digest, first.digest, schedule);
    assert.ok(first.log.length > 500, `${first.log.length} lines`);
  }
});

test("the log's digest is the same whether its lines are kept or not", async () => {
  const kept = await scenario({ seed: 2 });
  const digest = await scenario({ seed: 2, log: "digest" });
  assert.equal(digest.digest, kept.digest);
  assert.deepEqual(digest.log, []);
  assert.equal((await scenario({ seed: 2, log: "off" })).core, kept.core);
});

test("misuse E16: the judge in place of the WebAssembly core gives the same log, but for where blocks lie", async () => {
  const zones = [{ base: 2 ** 28, size: 2 ** 24 }];
  const unplaced = (log: readonly string[]): string[] => log.map((line) => line.replace(/0x[0-9a-f]+/g, "0x"));
  const wasm = await scenario({ seed: 3, schedule: "random", zones });
  const judge = await scenario({ seed: 3, schedule: "random", zones, core: (options) => new Judge(options) });
  assert.deepEqual(unplaced(judge.log), unplaced(wasm.log));
  assert.equal(judge.core, wasm.core);
});

test("misuse E16: a worker gives the same log", async () => {
  const here = (await scenario({ seed: 4, schedule: "racing" })).digest;
  const worker = new Worker(new URL(import.meta.url), { workerData: { seed: 4 }, stdout: true });
  const there = await new Promise<string>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  await worker.terminate();
  assert.equal(there, here);
});

test("pause, restart and halt call the handlers in order, with the states that the documents give", async () => {
  const seen: string[] = [];
  const rig = await open({
    characteristics: {
      PauseHandler: (nic) => {
        seen.push(`pause ${stateOf(nic as Nic)}`);
        return NDIS_STATUS_SUCCESS;
      },
      RestartHandler: (nic) => {
        seen.push(`restart ${stateOf(nic as Nic)}`);
        return NDIS_STATUS_SUCCESS;
      },
    },
    initialize: (nic) => {
      seen.push(`initialize ${stateOf(nic)}`);
      return NDIS_STATUS_SUCCESS;
    },
    halt: (nic) => {
      seen.push(`halt ${stateOf(nic)}`);
      NdisMDeregisterScatterGatherDma(nic.dma as never);
    },
  });
  await rig.machine.pause(rig.adapter);
  await rig.machine.restart(rig.adapter);
  await rig.machine.halt(rig.adapter);
  assert.deepEqual(seen, [
    "initialize Initializing",
    "restart Restarting",
    "pause Pausing",
    "restart Restarting",
    "pause Pausing",
    "halt Halting",
  ]);
  await assert.rejects(rig.machine.pause(rig.adapter), { code: "ADAPTER_GONE" });
});

function stateOf(nic: Nic): string {
  return stateName(AdapterHandleClass.recordOf(nic.handle)?.state ?? 0);
}

test("the watchdog bites a pause that does not end, 0x7C/25 with 0x21, and a halt that only goes round and round", async () => {
  const stuck = await open({
    characteristics: { PauseHandler: (nic) => (nic as Nic).services.wait(never(nic as Nic)) as never },
  });
  await assert.rejects(stuck.machine.pause(stuck.adapter), { code: "PENDING_AT_RELEASE" });
  assert.deepEqual(stuck.machine.violations[0]?.bugCheck, { code: 0x7c, parameters: [0x25, 0x21, 1, 0] });
  const round = await open(
    {
      async halt(nic) {
        for (;;) await nic.services.sleep(2_000_000_000);
      },
    },
    { watchdogNs: 60_000_000_000, choices: { policy: "collect" } },
  );
  await assert.rejects(round.machine.halt(round.adapter), { code: "PENDING_AT_RELEASE" });
  assert.deepEqual(round.machine.violations[0]?.bugCheck?.parameters.slice(0, 2), [0x25, 0x22]);
  assert.ok(round.machine.nowNs > 60_000_000_000 && round.machine.nowNs < 70_000_000_000);
});

function never(nic: Nic): ReturnType<Nic["services"]["createEvent"]> {
  return nic.services.createEvent();
}

test("a driver that refuses to initialize leaves nothing, and one that throws is heard", async () => {
  const refusing = await open({
    initialize: (nic) => {
      NdisMDeregisterScatterGatherDma(nic.dma as never);
      return NDIS_STATUS_FAILURE;
    },
  });
  assert.equal(refusing.adapter.status, NDIS_STATUS_FAILURE);
  assert.equal(refusing.adapter.state, "Halted");
  await assert.rejects(
    open({
      initialize: () => {
        throw new Error("no device");
      },
    }),
    /no device/,
  );
});

test("surprise removal: registers read all ones, the driver is told and halted, and must still free", async () => {
  const seen: unknown[] = [];
  const rig = await open({
    characteristics: {
      DevicePnPEventNotifyHandler: (nic, event) => {
        seen.push(event.DevicePnPEvent, (nic as Nic).services.readRegister(0));
      },
    },
    halt: (nic) => {
      nic.freeAll();
      NdisMDeregisterScatterGatherDma(nic.dma as never);
    },
  });
  rig.nic.allocate(4096);
  await rig.machine.surpriseRemove(rig.adapter);
  assert.deepEqual(seen, [2, 0xffffffff]);
  assert.equal(rig.adapter.state, "Halted");
  assert.equal(rig.machine.core.digest(), rig.emptyDigest);
});

test("shutdown drops what is pending without a word, and nothing of the driver runs afterwards", async () => {
  const rig = await open();
  NdisMAllocateSharedMemoryAsyncEx(rig.dma, 64, false, 0);
  let after = 0;
  rig.nic.services.createTimer(() => after++).set(10);
  rig.nic.services.queueWorkItem(async () => {
    await rig.nic.services.sleep(10);
    after++;
  });
  assert.equal(rig.machine.step(), true, "the work item begins, and waits");
  rig.nic.services.queueWorkItem(() => void after++);
  rig.machine.shutdown(rig.adapter);
  await rig.machine.run();
  assert.equal(after, 0);
  assert.equal(rig.machine.suspended, 0);
  assert.equal(rig.nic.completions.length, 0);
  assert.equal(rig.machine.report().requests.dropped, 1);
  assert.deepEqual(rig.machine.violations, []);
  assert.throws(() => rig.machine.shutdown(rig.adapter), { code: "WRONG_CONTEXT" });
});

test("unload: deregistration is refused while an adapter is there", async () => {
  let driverHandle: unknown = null;
  const nics: Nic[] = [];
  const machine = await Machine.open({ choices: { policy: "collect" } });
  const driver = await machine.load(
    makeDriver(
      {
        characteristics: {
          SetOptionsHandler: (handle) => {
            driverHandle = handle;
            return NDIS_STATUS_SUCCESS;
          },
          UnloadHandler: () => NdisMDeregisterMiniportDriver(driverHandle as never),
        },
      },
      nics,
    ),
  );
  const adapter = await machine.add(driver);
  await machine.unload(driver);
  assert.equal(machine.violations[0]?.rule, "HaltBeforeUnload");
  await machine.halt(adapter);
  await machine.unload(driver);
  assert.equal(machine.violations.length, 1);
  await assert.rejects(machine.add(driver), { code: "ADAPTER_GONE" });
  await assert.rejects(machine.unload(driver), { code: "ADAPTER_GONE" });
});

test("placement: `page` gives each block a page, `packed` lets small blocks share one; choice C13", async () => {
  for (const placement of ["page", "packed"] as const) {
    const { nic, machine } = await open({}, { choices: { placement } });
    const [a, b] = [nic.allocate(100) as Block, nic.allocate(100) as Block];
    const samePage = Math.floor(a.PhysicalAddress / 4096) === Math.floor(b.PhysicalAddress / 4096);
    assert.equal(samePage, placement === "packed");
    assert.equal(a.PhysicalAddress % (placement === "page" ? 4096 : 64), 0);
    assert.equal((nic.allocate(4096) as Block).PhysicalAddress % 4096, 0, "whole pages stay aligned");
    check(machine);
  }
});

test("misuse G10: counters go past 2^32 and stay exact", async () => {
  const { machine, adapter, dma, handle } = await open();
  const far = 2 ** 32 - 2;
  counterMovedByHand(handle);
  machine.environment.reporter.step = far;
  adapter.record.accepted = far;
  adapter.record.completed = far;
  for (let i = 0; i < 5; i++) NdisMAllocateSharedMemoryAsyncEx(dma, 64, false, i);
  await machine.run();
  assert.equal(adapter.record.accepted, far + 5);
  assert.equal(adapter.record.completed, far + 5);
  assert.ok(machine.environment.reporter.step > 2 ** 32);
  assert.match(machine.log.at(-1) ?? "", /^42949673\d\d /);
  const { requests } = machine.report();
  assert.equal(requests.completed, far + 5);
});

test("drain lets everything happen without the event loop, and stops where a thread begins", async () => {
  const { machine, dma, nic } = await open();
  for (let i = 0; i < 100; i++) NdisMAllocateSharedMemoryAsyncEx(dma, 64, false, i);
  assert.ok(machine.drain() >= 4);
  assert.equal(nic.completions.length, 100);
  assert.equal(machine.drain(), 0);
  nic.services.queueWorkItem(() => nic.services.sleep(10));
  assert.equal(machine.drain(), 2, "the work item begins, and its sleep is over; going on takes a promise");
  assert.equal(machine.drain(), 0);
  await machine.run();
});

test("`batched` serves when enough wait; the batch size bounds one call into the core", async () => {
  const { machine, dma, nic } = await open(
    {},
    { schedule: { order: "batched", batchedAt: 10, maxNs: 1_000_000 }, batch: 4 },
  );
  for (let i = 0; i < 9; i++) NdisMAllocateSharedMemoryAsyncEx(dma, 64, false, i);
  assert.equal(nic.completions.length, 0);
  NdisMAllocateSharedMemoryAsyncEx(dma, 64, false, 9);
  await machine.run();
  assert.equal(nic.completions.length, 10);
  assert.equal(machine.environment.dispatcher.batches, 3);
});

test("the clock never runs backwards; ties go to whoever came first; cancelled entries do not happen", () => {
  const clock = new SimulatedClock();
  const queue = new EventQueue(clock);
  const prng = new Prng(1);
  const seen: number[] = [];
  const entries = Array.from({ length: 500 }, (_, i) => {
    const delay = prng.below(50);
    return { delay, i, entry: queue.after(delay, () => seen.push(i)) };
  });
  for (const one of entries) if (one.i % 7 === 0) queue.cancel(one.entry);
  let before = 0;
  for (let entry = queue.take(); entry !== undefined; entry = queue.take()) {
    assert.ok(clock.nowNs >= before);
    before = clock.nowNs;
    entry.run();
  }
  const expected = entries
    .filter((one) => one.i % 7 !== 0)
    .sort((a, b) => a.delay - b.delay || a.i - b.i)
    .map((one) => one.i);
  assert.deepEqual(seen, expected);
  assert.equal(queue.length, 0);
  queue.after(-10, () => {});
  queue.take();
  assert.equal(clock.nowNs, before);
});

test("the generator: known values, independent streams, bounds, fairness", () => {
  const one = new Prng(7);
  const known = Array.from({ length: 3 }, () => one.next());
  assert.deepEqual(known, [100587536, 2849664703, 2976894644]);
  assert.notEqual(new Prng(7, 1).next(), new Prng(7, 2).next());
  assert.notEqual(new Prng(7).next(), new Prng(7 + 2 ** 32).next());
  const counts = new Array<number>(6).fill(0);
  for (let i = 0; i < 60_000; i++) {
    const at = one.below(6);
    counts[at] = (counts[at] as number) + 1;
  }
  for (const count of counts) assert.ok(count > 9_500 && count < 10_500, counts.join());
  assert.equal(one.chance(0), false);
  assert.equal(one.chance(1), true);
  assert.equal(one.below(1), 0);
});

// This very file, bundled, runs again in the worker of E16, which only reports its digest.
if (isMainThread) test.run();
else
  parentPort?.postMessage((await scenario({ seed: (workerData as { seed: number }).seed, schedule: "racing" })).digest);
