/**
 * What a finding says: the driver's own exception first and with its stack, frames by number and offset, limits, drift. Each
 * kind of fault is planted in a small correct driver (small-nic.ts).
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  acceptsHandles,
  driverOf,
  encodeScenario,
  type FuzzDriver,
  findingClass,
  fuzzDriver,
  replayScenario,
  reproduce,
  type Scenario,
  type ScenarioEventKind,
  ScenarioPlayer,
  Situations,
  SWEEP_STRIDE,
  scenarioOf,
  stateNumber,
  sweepScenario,
} from "../../src/fuzz/index.js";
import { racer } from "./racer.js";
import { SmallDevice, smallNic } from "./small-nic.js";

const test = suite("findings");

function scenario(
  ...events: readonly (readonly [kind: ScenarioEventKind, amount: number, detail?: number])[]
): Scenario {
  const all = events.map(([kind, amount, detail = 0]) => ({ kind, adapter: 0, amount, detail }));
  return { fails: 0, memory: 0, variant: 0, events: all };
}
const TRAFFIC = scenario(["frames", 2], ["event", 7], ["frames", 1, 3], ["event", 7]);

test("the small driver is correct: 1,500 scenarios and a sweep without an alarm", async () => {
  const report = await fuzzDriver(smallNic(), { seed: 4, runs: 1500 });
  assert.is(report.found, null, report.found?.reproduction);
  assert.is(report.drift, null);
});

const boom = (): never => {
  throw new RangeError("boom");
};
const THROWING: readonly (readonly [where: string, driver: FuzzDriver, call: string])[] = [
  ["DriverEntry", smallNic({ at: { DriverEntry: boom } }), "DriverEntry"],
  ["initialize", smallNic({ at: { initialize: boom } }), "MiniportInitializeEx"],
  ["restart", smallNic({ at: { restart: boom } }), "MiniportRestart"],
  ["dpc", smallNic({ at: { dpc: boom } }), "dpc"],
  ["halt", smallNic({ at: { halt: boom } }), "MiniportHaltEx"],
  ["device()", smallNic({ device: boom }), "device"],
  ["settings()", smallNic({ settings: boom }), "settings"],
  ...(["attach", "readRegister", "writeRegister", "receive"] as const).map((name) => {
    const device = (wire: ConstructorParameters<typeof SmallDevice>[0]) =>
      Object.assign(new SmallDevice(wire), { [name]: boom });
    return [`device.${name}`, smallNic({ device }), `device.${name}`] as const;
  }),
];
for (const [where, driver, call] of THROWING) {
  test(`an exception in ${where} is the finding, first, with its stack`, async () => {
    const { text, finding } = await reproduce(new ScenarioPlayer(driver), TRAFFIC);
    assert.ok(finding !== null, text);
    assert.is(finding.rule, "HandlerDoesNotThrow", text);
    assert.is(finding.code, "RangeError");
    assert.match(finding.call, call);
    assert.match(finding.message, /threw RangeError: boom/);
    assert.match(finding.stack ?? "no stack", /boom .*findings\.test/);
    // What follows from it is told after it.
    const lines = finding.message.split("\n");
    const besides = lines.findIndex((line) => line.startsWith("besides: "));
    assert.ok(besides !== 0, finding.message);
    assert.match(text, /threw RangeError: boom\n +at .*boom/);
  });
}

test("an exception in initialize is told before the leak that it leads to", async () => {
  const { finding } = await replayScenario(smallNic({ at: { initialize: boom } }), TRAFFIC);
  assert.match(finding?.message ?? "", /threw RangeError: boom\nbesides: Init_RegisterSG \(LEAK_AT_RELEASE\)/);
});

test("a device that is none is refused by what it lacks", async () => {
  const { finding } = await replayScenario(smallNic({ device: () => ({ attach() {} }) as never }), TRAFFIC);
  assert.is(finding?.rule, "DeviceModel");
  assert.match(
    finding?.message ?? "",
    /an object with readRegister, writeRegister, receive; it returned an object with attach/,
  );
});

const changed = (frame: Uint8Array, at: number): Uint8Array => {
  const copy = frame.slice();
  copy[at] = (copy[at] as number) ^ 0xff;
  return copy;
};
let kept: Uint8Array | undefined;
const MANGLED: readonly (readonly [what: string, mangle: (frames: Uint8Array[]) => Uint8Array[], message: RegExp])[] = [
  [
    "reordered",
    (frames) => [...frames].reverse(),
    /frame 1 \(60 bytes\) was indicated out of order, after a later one; none was due/,
  ],
  [
    "duplicated",
    (frames) => [...frames, frames[0] as Uint8Array],
    /frame 0 \(60 bytes\) was indicated a second time; /,
  ],
  [
    "truncated",
    (frames) => frames.map((one) => one.subarray(0, 40)),
    /frame 0 \(60 bytes\) was indicated wrongly: cut to 40 bytes/,
  ],
  [
    "too long",
    (frames) => frames.map((one) => Uint8Array.from([...one, 1, 2])),
    /frame 0 \(60 bytes\) was indicated wrongly: 62 bytes, 2 too many \(01 02 from offset 60\)/,
  ],
  [
    "damaged",
    (frames) => frames.map((one) => changed(one, 33)),
    /frame 0 .* wrongly: at offset 33 expected [0-9a-f]{2} .*, got [0-9a-f]{2} /,
  ],
  [
    "stale",
    (frames) =>
      frames.map((one) => {
        const stale = kept === undefined ? one : Uint8Array.from([...one.subarray(0, 20), ...kept.subarray(20)]);
        kept = one.slice();
        return stale;
      }),
    /frame 1 .* wrongly: at offset 20 expected .* got .* \(there frame 0 has those bytes\)/,
  ],
  [
    "of no frame",
    (frames) => [Uint8Array.of(9, 9, 9, 9), ...frames],
    /frame 0 \(60 bytes\) was indicated wrongly: at offset 0 expected 00 00 .*, got 09 09/,
  ],
];
for (const [what, mangle, message] of MANGLED) {
  test(`frames that are ${what}: the finding names frame, offset, expected and got`, async () => {
    kept = undefined;
    const { text, finding } = await reproduce(new ScenarioPlayer(smallNic({ mangle })), TRAFFIC);
    assert.is(finding?.rule, "FramesArriveIntact", text);
    assert.match(finding?.message ?? "", message);
    // The step at fault is shown in full, with what went into the device and what came out.
    assert.match(text, /frame 0 \(60 bytes\) is in the device/);
    assert.match(text, /indicated/);
    assert.not.match(text.slice(text.lastIndexOf("step ")), /\.\.\. \d+ lines \.\.\./);
  });
}

test("frames that are swallowed are named", async () => {
  const { finding } = await replayScenario(smallNic({ mangle: (frames) => frames.slice(1) }), TRAFFIC);
  assert.is(finding?.rule, "FramesAreAccountedFor");
  assert.match(finding?.message ?? "", /^frame 0 \(60 bytes\), .*neither indicated nor dropped with a reason/);
});

test("a scenario ends: too many events of the machine are a finding", async () => {
  class Chatterbox extends SmallDevice {
    override attach(port: Parameters<SmallDevice["attach"]>[0]): void {
      super.attach(port);
      const again = (): void => {
        port.after(1, again);
      };
      again();
    }
  }
  const events = Array.from({ length: 1200 }, () => ["time", 7] as const);
  const { finding } = await replayScenario(smallNic({ device: (wire) => new Chatterbox(wire) }), scenario(...events));
  assert.is(finding, null, "64 events for each time step are within the limit");
  let count = 0;
  const endless: FuzzDriver = smallNic({ at: { dpc: () => void count++ } });
  assert.is((await replayScenario(endless, TRAFFIC)).finding, null);
});

test("state that survives from scenario to scenario is noticed and told", async () => {
  let scenarios = 0;
  const fading = smallNic({ at: { restart: () => void scenarios++ }, mangle: (frames) => frames });
  assert.is((await fuzzDriver(fading, { runs: 40 })).drift, null, "a counter that changes nothing is no drift");
  const driver = racer(true);
  let loads = 0;
  const drifting: FuzzDriver = {
    ...driver,
    DriverEntry: (object, path) => {
      loads++;
      return driver.DriverEntry(object, loads > 20 ? `${path}\\again` : path);
    },
  };
  const { drift } = await fuzzDriver(drifting, { runs: 100 });
  assert.ok(drift !== null, "nothing was noticed");
  assert.match(
    drift.message,
    /the same scenario was played twice and did not go the same way: first `.*`, later `.*again.*`/,
  );
});

test("a finding that does not repeat says so, and is not shrunk", async () => {
  let loads = 0;
  const flaky = smallNic({
    at: {
      initialize: () => {
        if (++loads === 30) throw new Error("only once");
      },
    },
  });
  const { found } = await fuzzDriver(flaky, { runs: 200, search: "random" });
  assert.ok(found !== null);
  assert.is(found.repeats, false);
  assert.equal(found.scenario, found.original);
  assert.match(found.finding.message, /only once/);
});

test("createDriver is called before each scenario: nothing survives", async () => {
  let made = 0;
  const module = {
    createDriver: () => {
      made++;
      let loads = 0;
      return smallNic({
        at: {
          initialize: () => {
            if (++loads === 30) throw new Error("only once");
          },
        },
      });
    },
  };
  const { driver } = driverOf(module);
  const { found, drift } = await fuzzDriver(driver, { runs: 60, search: "random" });
  assert.is(found, null, found?.reproduction);
  assert.is(drift, null);
  assert.ok(made > 60, `${made}`);
});

test("modules: ESM, CommonJS behind ESM, CommonJS itself, a factory; others are refused by what they export", async () => {
  const driver = racer(true);
  const check = (): undefined => undefined;
  for (const module of [
    { driver, check },
    { default: driver, check },
    { default: { driver, check } },
    { default: { default: driver, check } },
  ]) {
    const found = driverOf(module);
    assert.is(found.driver.name, "racer");
    assert.is(found.check, check);
  }
  assert.is(driverOf(driver).driver.name, "racer", "module.exports = driver, required");
  assert.throws(() => driverOf({ drivr: driver }), /exports no driver: a driver is .*; it exports drivr/);
  assert.throws(() => driverOf({ driver: { name: "", DriverEntry() {} } }), /exports no driver/);
  assert.throws(() => driverOf({ createDriver: () => 7 }), /createDriver\(\) returned no driver/);
  assert.is(await acceptsHandles(driver), true);
  assert.is(await acceptsHandles(smallNic({ at: { DriverEntry: boom } })), false);
});

test("known classes are counted and gone past; a new one ends the search, or is one of several", async () => {
  const wrong = racer(false);
  const first = await fuzzDriver(wrong, { runs: 2000, search: "random" });
  const key = first.classes[0]?.key ?? "";
  assert.is(first.found === null, false);
  assert.is(key, findingClass((first.found as NonNullable<typeof first.found>).finding));
  const on = await fuzzDriver(wrong, { runs: 600, search: "random", keepGoing: true, shrink: false });
  assert.is(on.runs, 600);
  const counted = on.classes.reduce((sum, one) => sum + one.count, 0);
  assert.ok(
    counted > 1 && on.classes.every((one) => one.report !== null),
    JSON.stringify(on.classes.map((one) => one.key)),
  );
  const knownClasses = on.classes.map((one) => one.key);
  const again = await fuzzDriver(wrong, { runs: 600, search: "random", knownClasses });
  assert.is(again.found, null);
  assert.equal(
    again.classes.map(({ key: one, count, first: met }) => [one, count, met.position, met.hex]),
    on.classes.map(({ key: one, count, first: met }) => [one, count, met.position, met.hex]),
  );
  assert.ok(again.classes.every((one) => one.report === null));
});

test("ranges: cut in pieces, random and sweep come to what one search comes to", async () => {
  const options = { keepGoing: true, shrink: false, runs: 1e9 } as const;
  for (const [search, wrong, until, cuts] of [
    ["random", racer(false), 400, [0, 90, 91, 250, 400]],
    ["sweep", racer(true, "leaks where initialize fails"), 4, [0, 1, 3, 4]],
  ] as const) {
    const whole = await fuzzDriver(wrong, { ...options, search, until });
    const parts = [];
    for (let i = 0; i + 1 < cuts.length; i++) {
      const range = { from: cuts[i] as number, until: cuts[i + 1] as number };
      parts.push(await fuzzDriver(wrong, { ...options, search, ...range }));
    }
    assert.is(
      parts.reduce((sum, one) => sum + one.runs, 0),
      whole.runs,
      search,
    );
    const counts = new Map<string, { count: number; position: number }>();
    for (const { key, count, first } of parts.flatMap((one) => one.classes)) {
      const met = counts.get(key);
      counts.set(key, {
        count: count + (met?.count ?? 0),
        position: Math.min(first.position, met?.position ?? first.position),
      });
    }
    assert.equal(
      Object.fromEntries([...counts].sort()),
      Object.fromEntries(
        whole.classes.map(({ key, count, first }) => [key, { count, position: first.position }]).sort(),
      ),
    );
    // Coverage merges: states by union, situations by or.
    const states = new Set(parts.flatMap((one) => [...one.coverage.stateNumbers]));
    assert.equal([...states].sort(), [...whole.coverage.stateNumbers].sort());
    const situations = new Situations();
    for (const one of parts) situations.merge(one.coverage.situationBits);
    assert.is(situations.count, whole.situations);
    assert.equal(situations.bits, whole.coverage.situationBits);
    // A position gives its scenario again.
    const [{ first }] = whole.classes as [(typeof whole.classes)[number]];
    const base = Math.floor(first.position / SWEEP_STRIDE);
    const scenarioAgain =
      search === "random"
        ? scenarioOf(1, first.position)
        : { ...sweepScenario(1, base), fails: first.position % SWEEP_STRIDE };
    assert.is(Buffer.from(encodeScenario(scenarioAgain)).toString("hex"), first.hex);
  }
  assert.is(stateNumber("a state"), stateNumber("a state"));
  assert.is.not(stateNumber("a state"), stateNumber("another"));
});

test("a corpus is played first, and what shows something new is handed over", async () => {
  const kept: Uint8Array[] = [];
  const first = await fuzzDriver(racer(true), { runs: 300, search: "random", onNew: (bytes) => kept.push(bytes) });
  assert.ok(kept.length > 5 && kept.length <= first.situations, `${kept.length}`);
  const again = await fuzzDriver(racer(true), { runs: kept.length, search: "random", corpus: kept });
  assert.is(again.situations, first.situations, "the corpus alone shows what the search had shown");
  const found = await fuzzDriver(racer(false), { runs: 5000, search: "random" });
  const bytes = Buffer.from(found.found?.hex ?? "", "hex");
  const met = await fuzzDriver(racer(false), { runs: 5000, corpus: [Uint8Array.from(bytes)] });
  assert.is(met.found?.by, "corpus");
  assert.is(met.runs, 1);
});

test.run();
