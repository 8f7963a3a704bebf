/**
 * Misuse L11: the worst single operation, in turns of loops, which the debug build counts (assembly/steps.ts).
 *
 * For a zone of G groups whose trees have D levels the bounds are those of docs/architecture.md. They are derived there from
 * the code; here long plays of every kind of size look for an operation that breaks one.
 */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planCore } from "../../bindings/core/options.js";
import { CoreState } from "../../bindings/core/state.js";
import { compileModule, releaseModule } from "../../bindings/core/wasm.js";
import { Layout as L } from "../../bindings/generated/layout.js";
import type { CoreOptions } from "../../bindings/index.js";
import { generator } from "./expect.js";

const debugModule = compileModule(new Uint8Array(readFileSync("build/debug.wasm")));
const steps = suite("steps");

/** The most turns that an operation takes when it needs no last resort. */
function ordinaryBound(levels: number): number {
  return 70 * levels + 120;
}

/** And the most that a last resort adds: every cached block given back and taken again, every group of the zone looked at twice. */
function resortBound(levels: number, groups: number, cached: number): number {
  const search = 2 * levels + 1;
  return (
    (cached + 2 * L.STACK_COUNT) * (8 * levels + 2 * L.CLASS_LIMIT * search) + 4 * (groups + L.CLASS_LIMIT) * search
  );
}

interface Play {
  readonly what: string;
  readonly options: CoreOptions;
  readonly operations: number;
}

const plays: readonly Play[] = [
  {
    what: "64 MiB in 64 B",
    options: { zones: [{ base: 2 ** 32, size: 2 ** 26 }], frameSize: 64 },
    operations: 120_000,
  },
  { what: "64 MiB in 4 KiB", options: { zones: [{ base: 2 ** 32, size: 2 ** 26 }] }, operations: 120_000 },
  {
    what: "an odd zone",
    options: { zones: [{ base: 64 * 1021, size: 64 * 49_999 }], frameSize: 64 },
    operations: 120_000,
  },
  { what: "one page", options: { zones: [{ base: 2 ** 20, size: 2 ** 18 }] }, operations: 30_000 },
];

for (const [index, { what, options, operations }] of plays.entries()) {
  steps(`misuse L11: ${what}: every operation stays under its bound, seed ${index + 1}`, () => {
    const state = new CoreState(planCore({ ...options, arena: null }), debugModule);
    const { wasm, views } = state;
    const zone = L.ZONES;
    const levels = views.word(zone + L.Z_TREE_DEPTH);
    const groups = views.word(zone + L.Z_GROUP_END) - views.word(zone + L.Z_GROUP_FIRST);
    const ordinary = ordinaryBound(levels);
    const below = generator(index + 1);
    const frameSize = options.frameSize ?? 4096;
    const total = views.word(L.H_TOTAL_FRAMES);
    const live: { frame: number; lengthBytes: number }[] = [];
    const most = { ordinary: 0, resort: 0 };
    const seen = { ordinary: 0, resort: 0 };
    const watch = <T>(operation: () => T): T => {
      const [before, resorts, ready] = [views.word(L.H_STEPS), views.word(L.H_RESORTS), wasm.cachedBlocks()];
      const answer = operation();
      const took = (views.word(L.H_STEPS) - before) >>> 0;
      const kind = views.word(L.H_RESORTS) === resorts ? "ordinary" : "resort";
      const bound = kind === "ordinary" ? ordinary : ordinary + resortBound(levels, groups, ready);
      assert.ok(took <= bound, `an ${kind} operation took ${took} steps, the bound is ${bound}`);
      most[kind] = Math.max(most[kind], took);
      seen[kind] += 1;
      return answer;
    };
    let growing = true;
    for (let i = 0; i < operations; i += 1) {
      if (below(2000) === 0) growing = !growing;
      if (below(8) < (growing ? 5 : 3)) {
        // A few frames, powers of two, any number of bytes, and now and then a large part of everything.
        const kind = below(16);
        const frames =
          kind < 6
            ? 1 + below(Math.min(8, total))
            : kind < 11
              ? 2 ** below(11)
              : kind < 15
                ? 1 + below(2 ** below(13))
                : 1 + below(total);
        const lengthBytes = Math.min(frames * frameSize - below(frameSize), 2 ** 32 - 1);
        const frame = watch(() => wasm.allocate(lengthBytes) >>> 0);
        if (frame !== 0) live.push({ frame, lengthBytes });
        else growing = false;
      } else if (live.length > 0) {
        const at = below(live.length);
        const { frame, lengthBytes } = live[at] as (typeof live)[number];
        live[at] = live[live.length - 1] as (typeof live)[number];
        live.pop();
        assert.is(
          watch(() => wasm.free(frame, lengthBytes)),
          L.OK,
        );
      }
    }
    // The count counts, both kinds were met, and neither bound is idle by orders of magnitude.
    assert.ok(most.ordinary > 4 * levels, `no ordinary operation took more than ${most.ordinary} steps`);
    assert.ok(seen.ordinary > 10_000 && seen.resort > 10, JSON.stringify(seen));
    console.log(
      `steps, ${what}: most of an ordinary operation ${most.ordinary} of ${ordinary}, with a last resort ${most.resort}`,
    );
  });
}

steps("the release build counts nothing", () => {
  const state = new CoreState(planCore({ zones: [{ base: 4096, size: 2 ** 24 }], arena: null }), releaseModule());
  for (let i = 0; i < 100; i += 1) state.wasm.allocate(4096 * (1 + (i % 7)));
  assert.is(state.views.word(L.H_STEPS), 0);
  assert.is(state.views.word(L.H_RESORTS), 0);
});

steps.run();
