/**
 * Lifecycle calls at the same time: every pair of calls, and triples drawn from a seed, asked for in one turn or some
 * microtasks apart, with handlers that wait and handlers that do not. Every promise settles; every handler runs at most as
 * often as the documents say; handlers of one adapter never overlap; every adapter ends in a state that lasts.
 *
 * LIFECYCLE_DRAWS=10000 LIFECYCLE_SEED=7 draws more, or others.
 */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  type AdapterServices,
  adapterServices,
  DISPATCH_LEVEL,
  type DmaHandle,
  type DriverHandle,
  NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemoryAsyncEx,
  NdisMDeregisterMiniportDriver,
  NdisMDeregisterScatterGatherDma,
  NdisMFreeSharedMemory,
  NdisMRegisterMiniportDriver,
  NdisMRegisterScatterGatherDma,
  NdisMSetMiniportAttributes,
  ShmemError,
} from "../../bindings/index.js";
import {
  type Adapter,
  type LoadedDriver,
  Machine,
  type MachineOptions,
  type MiniportDriver,
  Prng,
  SharedMemoryPool,
} from "../../src/index.js";

const DRAWS = Number(process.env.LIFECYCLE_DRAWS ?? 250);
const SEED = Number(process.env.LIFECYCLE_SEED ?? 1);

/** What the tests count: for each adapter, and for the driver. */
interface Counts {
  readonly of: Map<string, number>;
  /** Handlers of one adapter that are under way. */
  readonly busy: Map<string, string>;
  readonly overlaps: string[];
}

/** A driver that keeps one request pending and two blocks; `waits(handler)` decides which handlers wait. */
function driverOf(name: string, waits: (handler: string) => boolean, counts: Counts): MiniportDriver {
  interface Nic {
    readonly services: AdapterServices;
    readonly blocks: (() => void)[];
    dma: DmaHandle | null;
    pending: number;
  }
  const during = (nic: Nic | null, handler: string, run: () => void): undefined | Promise<void> => {
    const who = nic?.services.name ?? name;
    const before = counts.busy.get(who);
    if (before !== undefined) counts.overlaps.push(`${who}: ${handler} during ${before}`);
    counts.busy.set(who, handler);
    counts.of.set(`${who} ${handler}`, (counts.of.get(`${who} ${handler}`) ?? 0) + 1);
    const end = (): void => {
      run();
      counts.busy.delete(who);
    };
    if (nic === null || handler === "shutdown" || handler === "notify" || !waits(handler)) {
      end();
      return undefined;
    }
    return nic.services.sleep(300_000).then(end);
  };
  let handle: DriverHandle | null = null;
  return {
    name,
    DriverEntry(object, path) {
      const { Status, NdisMiniportDriverHandle } = NdisMRegisterMiniportDriver(object, path, null, {
        Header: { Type: 0x8a, Revision: 1, Size: 136 },
        MajorNdisVersion: 6,
        MinorNdisVersion: 0,
        async InitializeHandlerEx(adapter) {
          const nic: Nic = { services: adapterServices(adapter), blocks: [], dma: null, pending: 0 };
          NdisMSetMiniportAttributes(adapter, {
            Header: { Type: 0x9e, Revision: 1, Size: 28 },
            MiniportAdapterContext: nic,
            AttributeFlags: NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
          });
          nic.dma = NdisMRegisterScatterGatherDma(adapter, {
            Header: { Type: 0x83, Revision: 1, Size: 36 },
            Flags: 1,
            MaximumPhysicalMapping: 1514,
            SharedMemAllocateCompleteHandler: (_context, va, pa, length) => {
              nic.pending--;
              if (va !== null && pa !== null)
                nic.blocks.push(() => NdisMFreeSharedMemory(adapter, length, false, va, pa));
            },
          }).NdisMiniportDmaHandle;
          await during(nic, "initialize", () => {});
          return NDIS_STATUS_SUCCESS;
        },
        async RestartHandler(context) {
          const nic = context as Nic;
          nic.pending++;
          NdisMAllocateSharedMemoryAsyncEx(nic.dma as DmaHandle, 1554, false, null);
          await during(nic, "restart", () => {});
          return NDIS_STATUS_SUCCESS;
        },
        async PauseHandler(context) {
          await during(context as Nic, "pause", () => {});
          return NDIS_STATUS_SUCCESS;
        },
        async HaltHandlerEx(context) {
          const nic = context as Nic;
          await during(nic, "halt", () => {});
          for (let rounds = 0; nic.pending > 0; rounds++) {
            if (rounds > 20) throw new Error("a request is never answered");
            await nic.services.sleep(100_000);
          }
          for (const free of nic.blocks.splice(0)) free();
          NdisMDeregisterScatterGatherDma(nic.dma as DmaHandle);
        },
        ShutdownHandlerEx(context) {
          // What was under way never ends.
          counts.busy.delete((context as Nic).services.name);
          during(context as Nic, "shutdown", () => {});
        },
        DevicePnPEventNotifyHandler(context) {
          during(context as Nic, "notify", () => {});
        },
        UnloadHandler() {
          return during(null, "unload", () => NdisMDeregisterMiniportDriver(handle as DriverHandle));
        },
      });
      handle = NdisMiniportDriverHandle;
      counts.of.set(`${name} entry`, (counts.of.get(`${name} entry`) ?? 0) + 1);
      return Status;
    },
  };
}

/** A machine with two Running adapters of one driver, and a pool. */
interface Stage {
  readonly machine: Machine;
  readonly counts: Counts;
  readonly driver: LoadedDriver;
  readonly adapters: readonly Adapter[];
  readonly pool: SharedMemoryPool;
  readonly waits: (handler: string) => boolean;
  loads: number;
}

async function stage(waits: (handler: string) => boolean, options: MachineOptions = {}): Promise<Stage> {
  const counts: Counts = { of: new Map(), busy: new Map(), overlaps: [] };
  const zones = [{ base: 2 ** 28, size: 2 ** 18 }];
  const machine = await Machine.open({ zones, choices: { policy: "collect" }, ...options });
  const driver = await machine.load(driverOf("nic", waits, counts));
  const adapters = [await machine.add(driver), await machine.add(driver)];
  const pool = await SharedMemoryPool.open({ machine });
  return { machine, counts, driver, adapters, pool, waits, loads: 0 };
}

type Call = (stage: Stage, which: number) => unknown;

const at = (s: Stage, which: number): Adapter => s.adapters[which] as Adapter;
const CALLS: Readonly<Record<string, Call>> = {
  load: (s) => s.machine.load(driverOf(`more-${++s.loads}`, s.waits, s.counts)),
  add: (s) => s.machine.add(s.driver),
  restart: (s, which) => s.machine.restart(at(s, which)),
  pause: (s, which) => s.machine.pause(at(s, which)),
  halt: (s, which) => s.machine.halt(at(s, which)),
  "surprise removal": (s, which) => s.machine.surpriseRemove(at(s, which)),
  shutdown: (s, which) => s.machine.shutdown(at(s, which)),
  unload: (s) => s.machine.unload(s.driver),
  run: (s) => s.machine.run(),
  drain: (s) => s.machine.drain(),
  "pool close": (s) => s.pool.close(),
  "pool allocate": (s) => s.pool.allocate(1554).then((block) => block?.free()),
  dispose: (s) => s.machine.dispose(),
};
const NAMES = Object.keys(CALLS);

/** What a refusal may say. */
const REFUSALS = ["ADAPTER_GONE", "WRONG_CONTEXT", "REENTRANT_CALL", "LEAK_AT_RELEASE"];
/** How often a handler may run for one adapter, whatever is asked for. */
const AT_MOST: Readonly<Record<string, number>> = {
  initialize: 1,
  halt: 1,
  shutdown: 1,
  notify: 1,
  entry: 1,
};
const LASTING = ["Halted", "Paused", "Running", "Shutdown"];

/** Ask for all of them, and see that they settle. Returns what became of each. */
async function play(
  what: string,
  s: Stage,
  calls: readonly { readonly name: string; readonly which: number; readonly gap: number }[],
): Promise<string[]> {
  const outcomes: Promise<string>[] = [];
  for (const { name, which, gap } of calls) {
    for (let i = 0; i < gap; i++) await null;
    const call = CALLS[name] as Call;
    let result: unknown;
    try {
      result = call(s, which);
    } catch (error) {
      result = Promise.reject(error);
    }
    outcomes.push(
      Promise.resolve(result).then(
        () => "done",
        (error: unknown) => {
          assert.ok(error instanceof ShmemError, `${what}: ${name} threw ${String(error)}`);
          assert.ok(REFUSALS.includes(error.code), `${what}: ${name}: ${error.message}`);
          return error.code;
        },
      ),
    );
  }
  let alarm: ReturnType<typeof setTimeout> | undefined;
  const never = new Promise<never>((_, reject) => {
    alarm = setTimeout(() => reject(new Error(`${what}: not every call settled`)), 20_000);
  });
  const settled = await Promise.race([Promise.all(outcomes), never]).finally(() => clearTimeout(alarm));
  if (!calls.some(({ name }) => name === "dispose")) {
    await s.machine.run();
    for (const adapter of s.machine.adapters)
      assert.ok(LASTING.includes(adapter.state), `${what}: ${adapter.name} is ${adapter.state} for ever`);
    assert.equal(s.machine.suspended, 0, `${what}: a thread is left`);
    assert.deepEqual(s.machine.verify(), []);
    assert.deepEqual(
      s.machine.report().handlerErrors.map(({ call, error }) => `${call}: ${String(error)}`),
      [],
      what,
    );
    s.machine.dispose();
  }
  assert.deepEqual(s.counts.overlaps, [], what);
  for (const [handler, times] of s.counts.of) {
    const most = AT_MOST[handler.split(" ").at(-1) ?? ""] ?? Number.POSITIVE_INFINITY;
    assert.ok(times <= most, `${what}: ${handler} ran ${times} times`);
  }
  return settled;
}

for (const [title, waits] of [
  ["wait", () => true],
  ["do not wait", () => false],
] as const) {
  test(`every pair of lifecycle calls on one adapter and on two, where handlers ${title}, settles`, async () => {
    let pairs = 0;
    for (const first of NAMES) {
      for (const second of NAMES) {
        for (const which of [0, 1]) {
          const what = `${first} and ${second} on ${which === 0 ? "one adapter" : "two"}`;
          await play(what, await stage(waits), [
            { name: first, which: 0, gap: 0 },
            { name: second, which, gap: 0 },
          ]);
          pairs++;
        }
      }
    }
    assert.equal(pairs, 2 * NAMES.length ** 2);
  });
}

test(`${DRAWS} triples drawn from seed ${SEED} settle, and a seed gives the same outcomes and the same log again`, async () => {
  const prng = new Prng(SEED, 40);
  for (let draw = 0; draw < DRAWS; draw++) {
    const mask = prng.next();
    const handlers = ["initialize", "restart", "pause", "halt"];
    const waits = (handler: string): boolean => ((mask >>> handlers.indexOf(handler)) & 1) === 1;
    const calls = Array.from({ length: 3 }, () => ({
      name: NAMES[prng.below(NAMES.length)] as string,
      which: prng.below(2),
      gap: prng.chance(0.5) ? 0 : prng.below(40),
    }));
    const what = `draw ${draw}: ${calls.map(({ name, which, gap }) => `${name} ${which} after ${gap}`).join(", ")}`;
    const seed = 1 + prng.below(1000);
    const once = await stage(waits, { seed });
    const outcomes = await play(what, once, calls);
    if (draw % 10 !== 0) continue;
    const again = await stage(waits, { seed });
    assert.deepEqual(await play(what, again, calls), outcomes, what);
    assert.equal(again.machine.logDigest(), once.machine.logDigest(), what);
  }
});

test("a second halt while the first is under way gets its end; afterwards it is ADAPTER_GONE", async () => {
  const s = await stage(() => true);
  const [one] = s.adapters as [Adapter];
  const first = s.machine.halt(one);
  const second = s.machine.halt(one);
  const removed = s.machine.surpriseRemove(one);
  await Promise.all([first, second, removed]);
  assert.equal(one.state, "Halted");
  assert.equal(s.counts.of.get("nic halt"), 1);
  await assert.rejects(s.machine.halt(one), { code: "ADAPTER_GONE" });
  await assert.rejects(s.machine.pause(one), { code: "ADAPTER_GONE" });
});

test("calls of one adapter are taken in order: pause, restart, halt", async () => {
  const s = await stage(() => true);
  const [one] = s.adapters as [Adapter];
  await Promise.all([s.machine.pause(one), s.machine.restart(one), s.machine.halt(one)]);
  const order = s.machine.log.filter((line) => / nic (Pausing|Paused|Restarting|Running|Halting|Halted)$/.test(line));
  assert.deepEqual(
    order.map((line) => line.split(" ").at(-1)),
    [
      "Paused",
      "Restarting",
      "Running",
      "Pausing",
      "Paused",
      "Restarting",
      "Running",
      "Pausing",
      "Paused",
      "Halting",
      "Halted",
    ],
  );
});

test("shutdown while a handler waits: what is under way ends with ADAPTER_GONE, and other adapters go on", async () => {
  const s = await stage(() => true);
  const [one, other] = s.adapters as [Adapter, Adapter];
  const pausing = s.machine.pause(one);
  s.machine.shutdown(one);
  await assert.rejects(pausing, { code: "ADAPTER_GONE" });
  assert.equal(one.state, "Shutdown");
  await s.machine.halt(other);
  assert.equal(other.state, "Halted");
});

test("a pause that hangs is found for its own adapter while another one halts", async () => {
  const counts: Counts = { of: new Map(), busy: new Map(), overlaps: [] };
  const machine = await Machine.open({ choices: { policy: "collect" } });
  const hangs: MiniportDriver = {
    name: "hangs",
    DriverEntry: (object, path) =>
      NdisMRegisterMiniportDriver(object, path, null, {
        Header: { Type: 0x8a, Revision: 1, Size: 136 },
        MajorNdisVersion: 6,
        MinorNdisVersion: 0,
        InitializeHandlerEx(handle) {
          NdisMSetMiniportAttributes(handle, {
            Header: { Type: 0x9e, Revision: 1, Size: 28 },
            MiniportAdapterContext: adapterServices(handle),
            AttributeFlags: NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER,
          });
          return NDIS_STATUS_SUCCESS;
        },
        async PauseHandler(context) {
          const services = context as AdapterServices;
          await services.wait(services.createEvent());
          return NDIS_STATUS_SUCCESS;
        },
        HaltHandlerEx() {},
      }).Status,
  };
  const good = await machine.add(await machine.load(driverOf("good", () => true, counts)));
  const bad = await machine.add(await machine.load(hangs));
  const [halted, paused] = await Promise.allSettled([machine.halt(good), machine.halt(bad)]);
  assert.equal(halted.status, "fulfilled");
  assert.equal(paused.status, "rejected");
  const found = machine.violations.filter(({ rule }) => rule === "HandlerReturns");
  assert.deepEqual(
    found.map(({ adapter, call }) => ({ adapter, call })),
    [{ adapter: "hangs-2", call: "MiniportPause" }],
  );
});

test("two pools of one machine close at once, with requests on their way", async () => {
  const machine = await Machine.open();
  const pools = [await SharedMemoryPool.open({ machine }), await SharedMemoryPool.open({ machine, name: "other" })];
  const asked = pools.map((pool) => pool.allocate(1554));
  await Promise.all(pools.map((pool) => pool.close({ force: true })));
  for (const block of await Promise.all(asked)) assert.equal(block?.freed, true);
  await Promise.all(pools.map((pool) => pool.close()));
});

test("halt asked for from three completions runs MiniportHaltEx once", async () => {
  const s = await stage(() => false);
  const [one] = s.adapters as [Adapter];
  const asked: Promise<void>[] = [];
  for (let i = 0; i < 3; i++) s.machine.after(0, () => asked.push(s.machine.halt(one)));
  await s.machine.run();
  await Promise.all(asked);
  assert.equal(s.counts.of.get("nic halt"), 1);
});

test("pumping at a raised level or under a lock is refused by name, and the machine goes on afterwards", async () => {
  const s = await stage(() => true);
  const [one] = s.adapters as [Adapter];
  const before = one.services.raiseIrql(DISPATCH_LEVEL);
  const digest = s.machine.logDigest();
  for (const call of [
    () => s.machine.step(),
    () => s.machine.drain(),
    () => s.machine.serve(),
    () => s.machine.deliver(),
    () => s.machine.event(),
    () => s.machine.settle(),
  ])
    assert.throws(call, { code: "WRONG_IRQL", value: 2, unit: "IRQL" });
  for (const call of [
    () => s.machine.run(),
    () => s.machine.halt(one),
    () => s.machine.pause(one),
    () => s.machine.add(s.driver),
    () => s.machine.surpriseRemove(one),
    () => s.machine.unload(s.driver),
  ])
    await assert.rejects(call, { code: "WRONG_IRQL", value: 2, unit: "IRQL" });
  assert.equal(s.machine.logDigest(), digest);
  one.services.lowerIrql(before);
  const lock = one.services.createSpinLock();
  lock.acquire();
  assert.throws(() => s.machine.drain(), { code: "WRONG_CONTEXT", value: 1, unit: "locks" });
  lock.release();
  await s.machine.halt(one);
  assert.equal(one.state, "Halted");
});

test("a long run gives the host's event loop its turns", async () => {
  const s = await stage(() => false);
  let hostTurns = 0;
  const beat = setInterval(() => hostTurns++, 0);
  let left = 400_000;
  const next = (): void => {
    if (--left > 0) s.machine.after(1, next);
  };
  s.machine.after(1, next);
  await s.machine.run();
  clearInterval(beat);
  assert.equal(left, 0);
  assert.ok(hostTurns >= 10, `${hostTurns} turns of the host in 400,000 events`);
});

test("release of an adapter that is not over is WRONG_CONTEXT; one of another machine is refused by name", async () => {
  const s = await stage(() => false);
  const [one] = s.adapters as [Adapter];
  const digest = s.machine.core.digest();
  assert.throws(() => s.machine.release(one), { code: "WRONG_CONTEXT" });
  assert.equal(s.machine.core.digest(), digest);
  const other = await Machine.open();
  await assert.rejects(other.halt(one), { code: "INVALID_ARGUMENT", field: "adapter" });
  await assert.rejects(other.add(s.driver), { code: "INVALID_ARGUMENT", field: "driver" });
  for (const wrong of [null, undefined, {}, 5, "nic"]) {
    await assert.rejects(s.machine.halt(wrong as never), { code: "INVALID_ARGUMENT", field: "adapter" });
    await assert.rejects(s.machine.unload(wrong as never), { code: "INVALID_ARGUMENT", field: "driver" });
  }
});

test.run();
