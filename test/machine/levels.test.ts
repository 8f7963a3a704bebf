/** Levels, locks, timers, interrupts, threads: what the machine does at which level, and what it refuses (choice C3). */
import assert from "node:assert/strict";
import { test } from "uvu";
import {
  APC_LEVEL,
  DISPATCH_LEVEL,
  deviceLevel,
  HIGH_LEVEL,
  NDIS_STATUS_SUCCESS,
  NdisMAllocateSharedMemoryAsyncEx,
  PASSIVE_LEVEL,
} from "../../bindings/ndis/index.js";
import type { DeviceModel, DevicePort } from "../../src/index.js";
import { type Nic, open, type Rig } from "../ndis/rig.js";

test("raise and lower are bracketed: never the wrong way", async () => {
  const { nic } = await open();
  const { services } = nic;
  const before = services.raiseIrql(DISPATCH_LEVEL);
  assert.equal(before, PASSIVE_LEVEL);
  assert.equal(services.irql, DISPATCH_LEVEL);
  assert.throws(() => services.raiseIrql(APC_LEVEL), { code: "WRONG_IRQL" });
  assert.throws(() => services.lowerIrql(HIGH_LEVEL), { code: "WRONG_IRQL" });
  services.lowerIrql(before);
  assert.equal(services.irql, PASSIVE_LEVEL);
  assert.throws(() => deviceLevel(13));
});

test("a spin lock raises to DISPATCH_LEVEL and back, nests with others, and is not recursive", async () => {
  const { nic } = await open();
  const { services } = nic;
  const [a, b] = [services.createSpinLock(), services.createSpinLock()];
  a.acquire();
  assert.equal(services.irql, DISPATCH_LEVEL);
  b.acquire();
  assert.throws(() => a.acquire(), { code: "WRONG_CONTEXT" });
  b.release();
  assert.equal(services.irql, DISPATCH_LEVEL);
  a.release();
  assert.equal(services.irql, PASSIVE_LEVEL);
  assert.throws(() => a.release(), { code: "WRONG_CONTEXT" });
});

test("timers fire at DISPATCH_LEVEL at their time, once or again and again, and not after cancel", async () => {
  const { machine, nic } = await open();
  const { services } = nic;
  const seen: string[] = [];
  const once = services.createTimer(() => seen.push(`once ${services.nowNs} ${services.irql}`));
  const often = services.createTimer(() => {
    seen.push(`often ${services.nowNs}`);
    if (services.nowNs >= 700) often.cancel();
  });
  const never = services.createTimer(() => seen.push("never"));
  once.set(500);
  often.set(100, 300);
  never.set(50);
  assert.equal(never.cancel(), true);
  assert.equal(never.cancel(), false);
  await machine.run();
  assert.deepEqual(seen, ["often 100", "often 400", "once 500 2", "often 700"]);
  assert.throws(() => once.set(-1), { code: "INVALID_ARGUMENT" });
  assert.throws(() => once.set(1.5), { code: "INVALID_ARGUMENT" });
});

test("work items run at PASSIVE_LEVEL, may wait, and are asked for at DISPATCH_LEVEL", async () => {
  const { machine, nic } = await open();
  const { services } = nic;
  const seen: string[] = [];
  nic.atDispatch(() =>
    services.queueWorkItem(async () => {
      seen.push(`begins ${services.irql}`);
      await services.sleep(100);
      seen.push(`ends ${services.nowNs}`);
    }),
  );
  assert.deepEqual(seen, []);
  await machine.run();
  assert.deepEqual(seen, ["begins 0", "ends 100"]);
});

/** A device that interrupts when its register 0 is written. */
class Bell implements DeviceModel {
  port!: DevicePort;
  rung = 0;
  attach(port: DevicePort): void {
    this.port = port;
  }
  readRegister(): number {
    return this.rung;
  }
  writeRegister(): void {
    this.rung++;
    this.port.interrupt();
  }
}

test("an interrupt: service routine at the device's level, deferred call at DISPATCH_LEVEL, coalesced", async () => {
  const bell = new Bell();
  const seen: string[] = [];
  const { machine, nic, adapter } = await open(
    {
      initialize(one) {
        one.services.registerInterrupt({
          isr: () => {
            seen.push(`isr ${one.services.irql}`);
            return one.services.readRegister(0) !== 3;
          },
          dpc: () => seen.push(`dpc ${one.services.irql}`),
        });
        return NDIS_STATUS_SUCCESS;
      },
    },
    {},
    { device: bell },
  );
  nic.services.writeRegister(0, 1);
  nic.services.writeRegister(0, 1);
  assert.deepEqual(seen, [], "not inside the write");
  await machine.run();
  assert.deepEqual(seen, ["isr 5", "dpc 2"], "two requests, one interrupt");
  nic.services.writeRegister(0, 1);
  await machine.run();
  assert.deepEqual(seen.slice(2), ["isr 5"], "not ours: no deferred call");
  nic.services.writeRegister(0, 1);
  nic.services.deregisterInterrupt();
  await machine.run();
  assert.equal(seen.length, 3);
  await machine.halt(adapter);
  assert.deepEqual(machine.violations, []);
});

test("choice C3: waiting at DISPATCH_LEVEL is a violation, and so is suspending there", async () => {
  const rig: Rig = await open({}, { choices: { policy: "collect" } });
  const { services } = rig.nic;
  assert.throws(() => rig.nic.atDispatch(() => services.wait(services.createEvent())), { code: "WRONG_IRQL" });
  assert.deepEqual(rig.machine.violations[0]?.bugCheck, { code: 0x7c, parameters: [0x14, 2, 0, 0] });
  services.queueWorkItem(async () => {
    services.raiseIrql(DISPATCH_LEVEL);
    await Promise.resolve();
  });
  await rig.machine.run();
  assert.equal(rig.machine.violations[1]?.rule, "NoWaitAtDispatch");
  assert.equal(services.irql, PASSIVE_LEVEL, "the level is put right");
});

test("choice C3: a handler that comes back at another level is a violation, and the level is put right", async () => {
  const rig = await open(
    { complete: (nic: Nic) => void nic.services.raiseIrql(DISPATCH_LEVEL) },
    { choices: { policy: "collect" } },
  );
  NdisMAllocateSharedMemoryAsyncEx(rig.dma, 64, false, 0);
  await rig.machine.run();
  assert.equal(rig.machine.violations[0]?.rule, "LevelIsRestored");
  assert.match(rig.machine.violations[0]?.message ?? "", /entered at PASSIVE and returned at DISPATCH/);
  assert.equal(rig.nic.services.irql, PASSIVE_LEVEL);
});

test("choice C3: a timer, too, must come back at DISPATCH_LEVEL", async () => {
  const { machine, nic } = await open({}, { choices: { policy: "collect" } });
  nic.services.createTimer(() => nic.services.lowerIrql(PASSIVE_LEVEL)).set(1);
  await machine.run();
  assert.match(machine.violations[0]?.message ?? "", /timer was entered at DISPATCH and returned at PASSIVE/);
});

test("events wake every waiter, in the order in which they came; timeouts are told apart", async () => {
  const { machine, nic } = await open();
  const { services } = nic;
  const event = services.createEvent();
  const seen: string[] = [];
  for (const name of ["a", "b", "c"]) {
    services.queueWorkItem(async () => {
      const outcome = await services.wait(event, name === "b" ? 50 : undefined);
      seen.push(`${name} ${outcome} ${services.nowNs}`);
    });
  }
  machine.after(200, () => event.set());
  await machine.run();
  assert.deepEqual(seen, ["b timeout 50", "a signalled 200", "c signalled 200"]);
  assert.equal(event.signalled, true);
  services.queueWorkItem(async () => {
    seen.push(await services.wait(event));
    event.reset();
    seen.push(await services.wait(event, 10));
  });
  await machine.run();
  assert.deepEqual(seen.slice(3), ["signalled", "timeout"]);
});

test("step goes on while a thread sleeps, and refuses where it can go on; run goes on with it", async () => {
  const { machine, nic } = await open();
  const seen: number[] = [];
  nic.services.queueWorkItem(async () => {
    await nic.services.sleep(1000);
    seen.push(machine.nowNs);
  });
  machine.after(500, () => seen.push(machine.nowNs));
  assert.equal(machine.step(), true, "the work item begins, and sleeps");
  assert.equal(machine.step(), true, "what the host planned meanwhile happens");
  assert.deepEqual(seen, [500]);
  assert.equal(machine.step(), true, "the sleep is over");
  assert.throws(() => machine.step(), { code: "WRONG_CONTEXT", unit: "threads" });
  assert.equal(machine.drain(), 0, "drain stops there");
  await machine.run();
  assert.deepEqual(seen, [500, 1000]);
  assert.equal(machine.step(), false);
});

test("a thread whose first wait is answered at once goes on like any other", async () => {
  const { machine, nic } = await open();
  const { services } = nic;
  const event = services.createEvent();
  event.set();
  const seen: string[] = [];
  services.queueWorkItem(async () => {
    seen.push(await services.wait(event));
    seen.push(await services.wait(event));
    await services.sleep(10);
    seen.push(`${services.nowNs}`);
  });
  await machine.run();
  assert.deepEqual(seen, ["signalled", "signalled", "10"]);
  assert.deepEqual(machine.report().handlerErrors, []);
});

test("a thread that spins on a signalled event is refused, not waited for", async () => {
  const { machine, nic } = await open();
  const event = nic.services.createEvent();
  event.set();
  nic.services.queueWorkItem(async () => {
    for (;;) await nic.services.wait(event);
  });
  await assert.rejects(machine.run(), { code: "WRONG_CONTEXT", unit: "turns" });
  assert.equal(machine.violations[0]?.rule, "HandlerReturns");
});

test("threads that compute between waits in many small awaits stay one at a time", async () => {
  const { machine, nic } = await open();
  const { services } = nic;
  const seen: string[] = [];
  const busy = async (name: string): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await services.sleep(10);
      for (let k = 0; k < 5; k++) {
        await null;
        seen.push(name);
      }
    }
  };
  services.queueWorkItem(() => busy("a"));
  services.queueWorkItem(() => busy("b"));
  await machine.run();
  assert.equal(seen.join(""), "aaaaabbbbb".repeat(3));
});

test("processors have a level each: what races a caller at DISPATCH_LEVEL runs on another one, at PASSIVE_LEVEL", async () => {
  for (const processors of [1, 2, 5]) {
    const inside: [number, number][] = [];
    const rig: Rig = await open(
      {
        complete(nic) {
          inside.push([nic.services.irql, rig.machine.environment.irql.processor]);
          // Raised here, nothing is raised there.
          const before = nic.services.raiseIrql(DISPATCH_LEVEL);
          nic.services.lowerIrql(before);
        },
      },
      { schedule: "racing", processors, seed: 3 },
    );
    const { irql } = rig.machine.environment;
    let early = 0;
    for (let i = 0; i < 40; i++) {
      const before = rig.nic.services.raiseIrql(DISPATCH_LEVEL);
      const had = inside.length;
      NdisMAllocateSharedMemoryAsyncEx(rig.dma, 64, false, i);
      if (inside.length > had) early++;
      assert.equal(irql.current, DISPATCH_LEVEL, "the caller's level is its own");
      assert.equal(irql.processor, 0, "and so is its processor");
      rig.nic.services.lowerIrql(before);
    }
    if (processors === 1)
      assert.equal(early, 0, "a single processor at DISPATCH_LEVEL leaves nobody to run a completion");
    else assert.ok(early > 5, `${early} of 40 came inside the call`);
    const raced = inside.slice(0, early);
    await rig.machine.run();
    assert.equal(inside.length, 40);
    assert.ok(inside.every(([level]) => level === PASSIVE_LEVEL));
    if (processors > 1) assert.ok(inside.some(([, processor]) => processor === 1));
    assert.ok(raced.every(([, processor]) => processor < processors));
    assert.deepEqual(rig.machine.violations, []);
    assert.equal(
      rig.machine.log.some((line) => / p1 PASSIVE/.test(line)),
      processors > 1,
      "the log tells which processor it was",
    );
  }
  for (const processors of [0, 65, 1.5, Number.NaN]) {
    await assert.rejects(open({}, { processors }), { code: "INVALID_ARGUMENT", field: "processors" });
  }
});

test.run();
