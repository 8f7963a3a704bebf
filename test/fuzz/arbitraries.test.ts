/** The arbitraries as a user would use them: in properties of fast-check, on cores, machines and drivers, right and wrong ones. */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Core, type ShmemError } from "../../bindings/index.js";
import { allocationSequence, faultPlan, scenario, schedule } from "../../src/fuzz/arbitraries.js";
import {
  BUILT_IN_DRIVERS,
  CorePlayer,
  decodeScenario,
  decodeSequence,
  encodeScenario,
  encodeSequence,
  type FuzzDriver,
  ScenarioPlayer,
} from "../../src/fuzz/index.js";
import { Machine } from "../../src/machine/index.js";
import { racer } from "./racer.js";

const test = suite("arbitraries");
const SEED = 5;

test("allocationSequence: any of them is answered as the reference model says, and is its bytes", () => {
  const player = new CorePlayer((options) => Core.openSync(options));
  fc.assert(
    fc.property(allocationSequence(), (sequence) => {
      assert.equal(decodeSequence(encodeSequence(sequence)), sequence);
      assert.is(player.play(sequence), undefined);
    }),
    { seed: SEED, numRuns: 400 },
  );
  assert.ok(player.operations > 2000, `${player.operations} operations`);
});

test("allocationSequence: a core that forgets to free is found, and fast-check shrinks it to two operations", () => {
  const player = new CorePlayer((options) => {
    const core = Core.openSync(options);
    return new Proxy(core, {
      get: (_, key) => {
        if (key === "free") return () => {};
        const value: unknown = Reflect.get(core, key, core);
        return typeof value === "function" ? value.bind(core) : value;
      },
    });
  });
  const property = fc.property(allocationSequence({ geometry: 0, kinds: ["allocate", "free"] }), (sequence) => {
    return player.play(sequence) === undefined;
  });
  const result = fc.check(property, { seed: SEED });
  assert.is(result.failed, true);
  const [sequence] = result.counterexample as [ReturnType<typeof decodeSequence>];
  assert.ok(sequence.operations.length <= 2, JSON.stringify(sequence));
});

/** A user's property: whatever the order and the failures, traffic and a halt leave nothing behind. */
async function playOn(driver: FuzzDriver, options: Parameters<typeof Machine.open>[0]): Promise<string | undefined> {
  const machine = await Machine.open({
    zones: [{ base: 2 ** 24, size: 2 ** 18 }],
    ...options,
    choices: { policy: "collect" },
  });
  const device = driver.device?.({ onDrop: () => {}, interruptLatencyNs: () => 0 });
  const settings = driver.settings?.(0) ?? {};
  const adapter = await machine.add(await machine.load(driver), device === undefined ? {} : { device, settings });
  for (let i = 0; i < 6 && adapter.state === "Running"; i++) {
    if (device === undefined) adapter.services.raiseInterrupt();
    else device.receive(new Uint8Array(64).fill(i));
    machine.step();
    machine.step();
  }
  if (adapter.state === "Running") await machine.halt(adapter);
  const [first] = machine.violations;
  return first === undefined ? undefined : `${first.rule}: ${first.message}`;
}

test("schedule and faultPlan: a right driver survives all of them", async () => {
  let failed = 0;
  const driver = BUILT_IN_DRIVERS[0] as FuzzDriver;
  await fc.assert(
    fc.asyncProperty(schedule(), faultPlan(), async (order, faults) => {
      if (faults.length > 0) failed++;
      assert.is(await playOn(driver, { schedule: order, faults }), undefined);
    }),
    { seed: SEED, numRuns: 150 },
  );
  assert.ok(failed > 50, `${failed} plans with a failure`);
});

test("schedule and faultPlan: a driver that does not wait at halt is found, and no failure is needed for it", async () => {
  const property = fc.asyncProperty(schedule(), faultPlan(), async (order, faults) => {
    return (await playOn(racer(false), { schedule: order, faults })) === undefined;
  });
  const result = await fc.check(property, { seed: SEED });
  assert.is(result.failed, true);
  const [, faults] = result.counterexample as [unknown, readonly unknown[]];
  assert.equal(faults, []);
});

test("scenario: fast-check finds and shrinks a halt race to at most three events", async () => {
  const player = new ScenarioPlayer(racer(false));
  const property = fc.asyncProperty(scenario(), async (one) => (await player.play(one)).finding === null);
  const result = await fc.check(property, { seed: SEED, numRuns: 2000 });
  assert.is(result.failed, true);
  const [small] = result.counterexample as [ReturnType<typeof decodeScenario>];
  assert.ok(small.events.length <= 3, JSON.stringify(small));
  assert.equal(decodeScenario(encodeScenario(small)), small);
  const mended = new ScenarioPlayer(racer(true));
  assert.is((await mended.play(small)).finding, null);
});

test("limits are kept, and what is out of range is refused by name", () => {
  const kinds = ["pause", "restart"] as const;
  for (const one of fc.sample(scenario({ maxEvents: 5, kinds, adapters: 1 }), { seed: SEED, numRuns: 200 })) {
    assert.ok(one.events.length <= 5);
    assert.ok(one.events.every((event) => kinds.some((kind) => kind === event.kind) && event.adapter === 0));
  }
  for (const one of fc.sample(schedule({ orders: ["lifo"], mostNs: 7 }), { seed: SEED, numRuns: 200 }))
    assert.ok(one.order === "lifo" && (one.minNs ?? 0) <= (one.maxNs ?? 0) && (one.maxNs ?? 0) <= 7);
  for (const rules of fc.sample(faultPlan({ maxRules: 2, mostNth: 3 }), { seed: SEED, numRuns: 200 })) {
    assert.ok(rules.length <= 2 && rules.every((rule) => (rule.nth ?? 1) <= 3 && (rule.from ?? 1) <= 3));
    Machine.openSync({ zones: [{ base: 4096, size: 65536 }], faults: rules }).dispose(); // every rule is a legal one
  }
  const refused: readonly (readonly [() => unknown, string])[] = [
    [() => allocationSequence({ maxOperations: -1 }), "maxOperations"],
    [() => allocationSequence({ geometry: 8 }), "geometry"],
    [() => allocationSequence({ kinds: [] }), "kinds"],
    [() => scenario({ adapters: 5 }), "adapters"],
    [() => scenario({ events: 5 } as never), "events"],
    [() => schedule({ orders: ["manual"] }), "orders"],
    [() => schedule({ mostNs: 0.5 }), "mostNs"],
    [() => faultPlan({ mostNth: 0 }), "mostNth"],
  ];
  for (const [call, field] of refused) {
    try {
      call();
      assert.unreachable(field);
    } catch (error) {
      assert.is((error as ShmemError).code, "INVALID_ARGUMENT", field);
      assert.is((error as ShmemError).field, field);
    }
  }
});

test.run();
