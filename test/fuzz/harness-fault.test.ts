/**
 * A fault of the harness is no finding: an error that the subject did not throw ends the run as it is. What the subject
 * throws is a finding, with its message, a trap included.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Core, ShmemError } from "../../bindings/index.js";
import {
  CorePlayer,
  EXHAUSTIVE_OPTIONS,
  exhaust,
  type FuzzTarget,
  type OpenCore,
  playTarget,
  TARGETS,
} from "../../src/fuzz/index.js";
import { Decisions } from "../../src/fuzz/player/decisions.js";
import { DifferentialPlay } from "../../src/fuzz/sequences/differential-play.js";
import { decodeSequence } from "../../src/fuzz/sequences/sequence.js";
import { findingOf, guardSubject, refusalCode, SubjectFault } from "../../src/fuzz/sequences/subject-fault.js";
import { ProtocolPlay, ZONE } from "../../src/fuzz/targets/ndis-protocol.js";
import { Machine } from "../../src/machine/index.js";

const test = suite("harness faults");

/** Cores whose `method` throws what `make` makes. */
function throwing(method: string, make: () => unknown): OpenCore {
  return (options) =>
    new Proxy(Core.openSync(options), {
      get: (core, key) => {
        if (key === method)
          return () => {
            throw make();
          };
        const value: unknown = Reflect.get(core, key, core);
        return typeof value === "function" ? value.bind(core) : value;
      },
    });
}

/** One allocation of 64 bytes. */
const ALLOCATE = Uint8Array.of(0, 0, 63, 0, 0);

test("what the subject throws is a finding, and a trap names its cause", () => {
  const cases: readonly (readonly [() => unknown, RegExp])[] = [
    [() => new TypeError("no such table"), /it threw TypeError: no such table/],
    [() => new ShmemError("OUT_OF_RANGE" as never, "odd"), /it threw ShmemError: .*odd/],
    [
      () => new ShmemError("STATE_CORRUPT", "trapped", { cause: new Error("unreachable") } as never),
      /it threw ShmemError: .*trapped/,
    ],
    [() => "a word", /it threw a word/],
  ];
  for (const [make, message] of cases) {
    const found = new CorePlayer(throwing("allocate", make)).play(decodeSequence(ALLOCATE));
    assert.match(found?.message ?? "nothing found", message);
    const play = new DifferentialPlay(throwing("allocate", make), decodeSequence(ALLOCATE), false);
    assert.match(play.play(decodeSequence(ALLOCATE).operations)?.message ?? "nothing found", message);
  }
  const { finding } = exhaust(throwing("free", () => new TypeError("lost"))(EXHAUSTIVE_OPTIONS), 2);
  assert.match(finding?.message ?? "nothing found", /it threw TypeError: lost/);
});

test("what the harness throws by itself ends the play: it is thrown on, as it is", () => {
  const own = new TypeError("a slip of the harness");
  const slip = (): never => {
    throw own;
  };
  // The line writer is the harness's; it throws in the middle of a play.
  const core: OpenCore = (options) => Core.openSync(options);
  for (const play of [
    () => new CorePlayer(core).play(decodeSequence(ALLOCATE), slip),
    () => new DifferentialPlay(core, decodeSequence(ALLOCATE), false, slip).play(decodeSequence(ALLOCATE).operations),
  ]) {
    try {
      play();
      assert.unreachable("a fault of the harness was told as a finding, or not at all");
    } catch (error) {
      assert.is(error, own);
    }
  }
});

test("the protocol target: an error of the scripted driver is no finding, one of a routine is", async () => {
  const own = new TypeError("a slip of the script");
  const machine = Machine.openSync({ zones: [ZONE], choices: { policy: "collect" }, schedule: { order: "manual" } });
  const play = new ProtocolPlay(machine, new Decisions(), () => {
    throw own;
  });
  try {
    await play.play(Uint8Array.of(0, 0, 0, 0, 0));
    assert.unreachable("told as a finding");
  } catch (error) {
    assert.is(error, own);
  }
});

test("every target: an error of the harness ends the run, and playTarget does not tell it as a finding", async () => {
  for (const entry of TARGETS) {
    const sound = entry.open();
    const broken: FuzzTarget = {
      name: sound.name,
      summary: sound.summary,
      maxBytes: sound.maxBytes,
      unitBytes: sound.unitBytes,
      operations: 0,
      play: () => {
        throw new RangeError("the harness");
      },
    };
    let thrown: unknown;
    try {
      await playTarget(broken, 1, { runs: 1 });
    } catch (error) {
      thrown = error;
    }
    assert.instance(thrown, RangeError, entry.name);
  }
});

test("guardSubject: getters, refusals and promises pass; errors are known again", async () => {
  class Subject {
    readonly #secret = 7;
    get size(): number {
      return this.#secret;
    }
    refuse(): never {
      throw new ShmemError("ALREADY_FREED", "freed");
    }
    async later(): Promise<number> {
      throw new TypeError("later");
    }
  }
  const guarded = guardSubject(new Subject());
  assert.is(guarded.size, 7);
  assert.is(
    refusalCode(() => guarded.refuse()),
    "ALREADY_FREED",
  );
  try {
    await guarded.later();
    assert.unreachable();
  } catch (error) {
    assert.equal(findingOf(error, 3), { step: 3, message: "it threw TypeError: later" });
  }
  assert.equal(findingOf(new SubjectFault("wrong"), 1), { step: 1, message: "wrong" });
  assert.throws(() => findingOf(new TypeError("mine"), 0), /mine/);
});

test.run();
