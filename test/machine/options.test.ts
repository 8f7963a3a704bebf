/**
 * Every option is judged by one validator: each key of each table is fed the same wrong values, and each is refused with
 * its name, its value and what is allowed, or is a member of the rule's own kind.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NDIS_STATUS_SUCCESS, NdisMRegisterMiniportDriver, ShmemError } from "../../bindings/index.js";
import { nearest, problemOf, type Rule, type Table } from "../../bindings/validate/index.js";
import { Machine, type MiniportDriver, SharedMemoryPool } from "../../src/index.js";
import { FAULT_RULE } from "../../src/machine/faults.js";
import { ADAPTER_OPTIONS } from "../../src/machine/lifecycle/adapter.js";
import { MACHINE_OPTIONS } from "../../src/machine/options.js";
import { POOL_ALLOCATE_OPTIONS, POOL_CLOSE_OPTIONS, POOL_OPTIONS } from "../../src/machine/pool/pool.js";
import { SCHEDULE_OPTIONS } from "../../src/machine/time/completion-schedule.js";
import { WRONG_VALUES } from "./wrong-values.js";

const driver: MiniportDriver = {
  name: "x",
  DriverEntry: (object, path) =>
    NdisMRegisterMiniportDriver(object, path, null, {
      Header: { Type: 0x8a, Revision: 1, Size: 136 },
      MajorNdisVersion: 6,
      MinorNdisVersion: 0,
      InitializeHandlerEx: () => NDIS_STATUS_SUCCESS,
      HaltHandlerEx() {},
    }).Status,
};

interface Subject {
  readonly name: string;
  readonly table: Table<object>;
  /** Give one option to the real call. */
  readonly give: (options: object) => unknown;
  /** State that a refusal must leave as it was. */
  readonly digest: () => string;
}

const machine = Machine.openSync();
const loaded = await machine.load(driver);
const pool = await SharedMemoryPool.open();
const untouched = (one: Machine): string =>
  JSON.stringify([
    one.core.imageDigest(),
    one.adapters.length,
    one.logDigest(),
    one.environment.reporter.step,
    one.nowNs,
  ]);

const SUBJECTS: readonly Subject[] = [
  {
    name: "Machine.open",
    table: MACHINE_OPTIONS as Table<object>,
    give: (options) => Machine.openSync(options),
    digest: () => "",
  },
  {
    name: "schedule",
    table: SCHEDULE_OPTIONS as Table<object>,
    give: (options) => Machine.openSync({ schedule: { order: "fifo", ...options } }),
    digest: () => "",
  },
  {
    name: "faults",
    table: FAULT_RULE as Table<object>,
    give: (options) => machine.inject([options]),
    digest: () => untouched(machine),
  },
  {
    name: "guard",
    table: { rules: { sampleEvery: null, quarantineBytes: null } } as unknown as Table<object>,
    give: (options) => Machine.openSync({ guard: options }),
    digest: () => "",
  },
  {
    name: "choices",
    table: MACHINE_OPTIONS.rules.choices as unknown as Table<object>,
    give: (options) => Machine.openSync({ choices: options }),
    digest: () => "",
  },
  {
    name: "Machine.add",
    table: ADAPTER_OPTIONS as Table<object>,
    give: (options) => machine.add(loaded, options),
    digest: () => untouched(machine),
  },
  {
    name: "SharedMemoryPool.open",
    table: POOL_OPTIONS as Table<object>,
    give: (options) => SharedMemoryPool.open(options),
    digest: () => "",
  },
  {
    name: "pool.allocate",
    table: POOL_ALLOCATE_OPTIONS as Table<object>,
    give: (options) => pool.allocate(100, options),
    digest: () => untouched(pool.machine),
  },
  {
    name: "pool.close",
    table: POOL_CLOSE_OPTIONS as Table<object>,
    give: (options) => pool.close(options),
    digest: () => untouched(pool.machine),
  },
];

/** The rule of a key, and whether a value may be right for it. */
function mayBeRight(rule: Rule | null, member: readonly string[]): boolean {
  const kind = rule?.kind ?? "integer";
  return member.some((one) => kind.split(" | ").includes(one));
}

for (const subject of SUBJECTS) {
  test(`${subject.name}: each option refuses the wrong values by name, and changes nothing`, async () => {
    const keys = Object.keys(subject.table.rules);
    assert.ok(keys.length >= 1);
    let refused = 0;
    for (const key of keys) {
      const rule = (subject.table.rules as Record<string, Rule | null>)[key] ?? null;
      for (const wrong of WRONG_VALUES) {
        if (mayBeRight(rule, wrong.member)) continue;
        const what = `${subject.name}({ ${key}: ${wrong.name} })`;
        const before = subject.digest();
        let error: unknown;
        try {
          await subject.give({ [key]: wrong.value });
        } catch (thrown) {
          error = thrown;
        }
        assert.ok(error instanceof ShmemError, `${what} gave ${error === undefined ? "no error" : String(error)}`);
        assert.is(error.code, "INVALID_ARGUMENT", `${what}: ${error.message}`);
        assert.ok(error.field?.split(/[.[]/).includes(key), `${what} names ${error.field}`);
        assert.is(subject.digest(), before, `${what} changed something`);
        refused++;
      }
    }
    assert.ok(refused >= 25 * keys.length, `${refused} refusals of ${keys.length} options`);
  });

  test(`${subject.name}: an unknown key is refused, with the nearest known one`, async () => {
    const [first = ""] = Object.keys(subject.table.rules);
    const misspelt = `${first}x`;
    for (const [key, hint] of [
      [misspelt, `did you mean ${first}?`],
      ["banana_banana", "there is "],
    ] as const) {
      let error: unknown;
      try {
        await subject.give({ [key]: 1 });
      } catch (thrown) {
        error = thrown;
      }
      assert.ok(error instanceof ShmemError && error.code === "INVALID_ARGUMENT", `${key}: ${String(error)}`);
      assert.ok(error.message.includes(hint), error.message);
    }
  });
}

test("options that are no object are refused by every call", async () => {
  const calls: readonly ((options: never) => unknown)[] = [
    (options) => Machine.openSync(options),
    (options) => Machine.open(options),
    (options) => machine.add(loaded, options),
    (options) => SharedMemoryPool.open(options),
    (options) => pool.allocate(100, options),
    (options) => pool.close(options),
  ];
  for (const call of calls) {
    for (const wrong of WRONG_VALUES) {
      if (wrong.member.includes("object") || wrong.member.includes("record")) continue;
      let error: unknown;
      try {
        await call(wrong.value as never);
      } catch (thrown) {
        error = thrown;
      }
      assert.ok(error instanceof ShmemError && error.code === "INVALID_ARGUMENT", `${wrong.name}: ${String(error)}`);
    }
  }
});

test("a misspelt value is answered with the nearest one: remap, FIFO, byhand", () => {
  const hints: readonly (readonly [object, string])[] = [
    [{ iommu: "remap" }, 'did you mean "remapped"?'],
    [{ schedule: "FIFO" }, 'did you mean "fifo"?'],
    [{ lifecycle: "byhand" }, 'did you mean "byHand"?'],
    [{ choices: { policy: "colect" } }, 'did you mean "collect"?'],
    [{ faults: [{ at: "quue" }] }, 'did you mean "queue"?'],
  ];
  for (const [options, hint] of hints) {
    assert.throws(
      () => Machine.openSync(options),
      (error: Error) => error.message.includes(hint) || assert.unreachable(error.message),
    );
  }
});

test("the nearest name: prefixes, exchanged letters, case; and none where nothing is near", () => {
  const names = ["identity", "remapped", "seed", "schedule"];
  assert.is(nearest("remap", names), "remapped");
  assert.is(nearest("SEED", names), "seed");
  assert.is(nearest("scehdule", names), "schedule");
  assert.is(nearest("banana", names), undefined);
  assert.is(nearest("", names), undefined);
  assert.is(nearest("x".repeat(10_000), names), undefined);
});

test("a problem is told without throwing, a getter that throws included", () => {
  assert.is(problemOf(MACHINE_OPTIONS, { seed: 1 }, ""), null);
  const wrong = problemOf(MACHINE_OPTIONS, { processors: 65 }, "");
  assert.is(wrong?.field, "processors");
  assert.is(wrong?.unit, "processors");
  assert.match(wrong?.message ?? "", /^processors must be an integer from 1 to 64 processors, got 65/);
  const thrown = new RangeError("mine");
  const hostile = {
    get seed(): never {
      throw thrown;
    },
  };
  assert.is(problemOf(MACHINE_OPTIONS, hostile, "options")?.value, thrown);
});

test("options come from own properties only, each read once", () => {
  const polluted = Object.prototype as { seed?: number };
  polluted.seed = 99;
  try {
    assert.is(Machine.openSync({}).seed, 1);
  } finally {
    delete polluted.seed;
  }
  let reads = 0;
  const counted = {
    get seed(): number {
      reads++;
      return 5 + reads;
    },
  };
  assert.is(Machine.openSync(counted).seed, 6);
  assert.is(reads, 1);
});

test.run();
