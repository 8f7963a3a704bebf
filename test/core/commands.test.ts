/**
 * The same duel in small, by fast-check: sequences of commands on tiny zones, which it shrinks to the shortest that fails.
 *
 * The model is the judge, the real thing the core. `NDIS_SHMEM_SEED` overrides the seed; a failure prints the seed, the
 * path and the replay path that repeat it.
 *
 * timeout: 300 s
 */
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type AllocateOptions,
  type CoreApi,
  type CoreOptions,
  ShmemError,
  type VirtualAddress,
} from "../../bindings/index.js";
import { Judge } from "../../src/model/index.js";
import { seedOf } from "./duel.js";
import { debug, judge as judgeItself, release } from "./implementations.js";

const FRAME = 64;
const SCATTERED = 2 ** 46 + 2 ** 31;
const FOREIGN = 2 ** 50;

interface Model {
  readonly judge: Judge;
  /** Addresses handed out so far, live or not, in order. */
  readonly known: VirtualAddress[];
  snapshot: { readonly core: Uint8Array; readonly judge: Uint8Array } | undefined;
}

type Command = fc.Command<Model, CoreApi>;

function ask(call: () => unknown): unknown {
  try {
    return { value: call() };
  } catch (error) {
    if (!(error instanceof ShmemError)) throw error;
    return { code: error.code, mismatches: error.mismatches };
  }
}

/** After every command: sound, and the same state. */
function agree({ judge }: Model, core: CoreApi): void {
  assert.equal(core.verify(), []);
  assert.is(core.digest(), judge.digest());
  assert.equal(core.stats(), judge.stats());
}

function command(text: string, play: (model: Model, core: CoreApi) => void): Command {
  return {
    check: () => true,
    run: (model, core) => {
      play(model, core);
      agree(model, core);
    },
    toString: () => text,
  };
}

/** The same question to both, at an address that is known by its number, moved by some bytes. */
function question(name: string, call: (core: CoreApi, address: VirtualAddress) => unknown): fc.Arbitrary<Command> {
  const shift = fc.constantFrom(0, 0, 1, FRAME - 1, FRAME, -1, -FRAME, 2 ** 32);
  return fc.tuple(fc.nat(20), shift).map(([which, by]) =>
    command(`${name} #${which}${by === 0 ? "" : ` + ${by}`}`, ({ judge, known }, core) => {
      const base = known[which % Math.max(1, known.length)] ?? SCATTERED;
      const address = (base + by) as VirtualAddress;
      assert.equal(
        ask(() => call(core, address)),
        ask(() => call(judge, address)),
      );
    }),
  );
}

const options: fc.Arbitrary<AllocateOptions> = fc.record(
  {
    alignment: fc.constantFrom(1, 64, 128, 256, 512),
    boundary: fc.constantFrom(32, 64, 256, 1024),
    highest: fc.integer({ min: 300, max: 64 * 40 }),
    node: fc.constantFrom(0, 1, 2),
    preferredNode: fc.constantFrom(0, 1, 2),
    contiguous: fc.boolean(),
    tag: fc.constantFrom(0, 1, 2 ** 32 - 1),
  },
  { requiredKeys: [] },
);

const allocate = fc
  .tuple(fc.integer({ min: 1, max: FRAME * 12 }), fc.option(options, { nil: undefined, freq: 3 }))
  .map(([length, chosen]) =>
    command(`allocate ${length} ${JSON.stringify(chosen)}`, ({ judge, known }, core) => {
      const address = core.allocate(length, chosen);
      const verdict =
        address === 0
          ? judge.confirmFailure(length, chosen, core.lastFailure)
          : judge.adopt(address, core.runs(address, length), length, chosen);
      assert.is(verdict, undefined, verdict);
      if (address !== 0) known.push(address);
    }),
  );

const map = fc
  .tuple(
    fc.nat(300),
    fc.array(fc.record({ physical: fc.nat(400), lengthBytes: fc.integer({ min: 0, max: 50 }) }), { maxLength: 3 }),
  )
  .map(([at, list]) => {
    const runs = list.map(({ physical, lengthBytes }) => ({ physical: 2 ** 40 + physical, lengthBytes }));
    const virtual = (FOREIGN + at) as VirtualAddress;
    return command(`map ${at} ${JSON.stringify(list)}`, ({ judge, known }, core) => {
      assert.equal(
        ask(() => core.map(virtual, runs)),
        ask(() => judge.map(virtual, runs)),
      );
      known.push(virtual);
    });
  });

const save = fc.constant(
  command("snapshot", (model, core) => {
    model.snapshot = { core: core.snapshot(), judge: model.judge.snapshot() };
  }),
);
const load = fc.constant(
  command("restore", ({ judge, snapshot }, core) => {
    if (snapshot === undefined) return;
    core.restore(snapshot.core);
    judge.restore(snapshot.judge);
  }),
);

const commands: readonly fc.Arbitrary<Command>[] = [
  allocate,
  allocate,
  allocate,
  question("free", (core, address) => core.free(address)),
  question("free", (core, address) => core.free(address)),
  question("free by 65 bytes", (core, address) => core.free(address, 65)),
  question("free twice in one batch", (core, address) => core.freeBatch(Float64Array.of(address, address))),
  question("free as a batch", (core, address) => core.freeBatch(Float64Array.of(address))),
  question("length", (core, address) => core.lengthOf(address)),
  question("runs", (core, address) => core.runs(address, 100)),
  question("physical", (core, address) => core.physicalOf(address)),
  question("explain", (core, address) => ({ ...core.explain(address), text: "" })),
  question("unmap", (core, address) => core.unmap(address)),
  map,
  save,
  load,
];

const zones: Readonly<Record<string, CoreOptions>> = {
  "24 frames from frame 5 on": {
    zones: [{ base: 5 * FRAME, size: 24 * FRAME }],
    frameSize: FRAME,
    tags: true,
    arena: null,
  },
  "three zones that touch, two nodes": {
    zones: [
      { base: 3 * FRAME, size: 7 * FRAME, node: 1 },
      { base: 10 * FRAME, size: 9 * FRAME },
      { base: 19 * FRAME, size: 3 * FRAME, node: 1 },
    ],
    frameSize: FRAME,
    tags: true,
    virtualBase: "identity",
    arena: null,
  },
};

function check(open: (options: CoreOptions) => CoreApi, plan: CoreOptions, runs: number, seed: number): void {
  fc.assert(
    fc.property(fc.commands([...commands], { maxCommands: 60, size: "max" }), (sequence) => {
      fc.modelRun(
        () => ({ model: { judge: new Judge(plan), known: [], snapshot: undefined }, real: open(plan) }),
        sequence,
      );
    }),
    { numRuns: runs, seed },
  );
}

const seed = seedOf(77);
console.log(`commands: seed ${seed}`);
for (const { name, open } of [judgeItself, release, debug]) {
  const test = suite(`commands, ${name}`);
  for (const [what, plan] of Object.entries(zones)) {
    test(`${what}: 500 sequences of up to 60 commands, seed ${seed}`, () => check(open, plan, 500, seed));
  }
  test.run();
}

const canary = suite("commands, canary");
canary("a planted bug is found and shrunk to a few commands", () => {
  const broken = (plan: CoreOptions): CoreApi => {
    const judge = new Judge(plan);
    return Object.assign(judge, {
      lengthOf: (address: VirtualAddress) => Math.min(Judge.prototype.lengthOf.call(judge, address), 500),
    });
  };
  let message = "";
  try {
    check(broken, zones["24 frames from frame 5 on"] as CoreOptions, 500, 1);
  } catch (error) {
    message = error instanceof Error ? error.message : String(error);
  }
  assert.match(message, /Counterexample: \[allocate 501 undefined,length #\d+ \/\*replayPath/);
});
canary.run();
