/**
 * Ready blocks against the judge: exhaustion, refill, deferred merging, and sizes that come to have a stack.
 *
 * A play goes through tides. One fills the zone to the last frame with sizes from a small palette, so that stacks are used
 * and requests fail; one frees most of it, so that stacks fill up and overflow; one asks for runs that exist only when
 * what is ready is merged, which is the last resort; one asks for odd sizes over and over, which are then given a stack of
 * their own. After every few operations the core's verify must find nothing and digests and counters must be the judge's;
 * every address and every failure is confirmed by the judge when it is given.
 *
 * That a play went where it should is read from the core's memory, not believed.
 */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Core } from "../../bindings/core/index.js";
import { planCore } from "../../bindings/core/options.js";
import { CoreState } from "../../bindings/core/state.js";
import { compileModule } from "../../bindings/core/wasm.js";
import { Layout as L } from "../../bindings/generated/layout.js";
import { type CoreOptions, ShmemError, type VirtualAddress } from "../../bindings/index.js";
import { Duel, seedOf } from "./duel.js";
import { generator } from "./expect.js";
import { debug, release } from "./implementations.js";

const ready = suite("ready blocks");

const KIB = 1024;
const geometries: readonly (readonly [string, CoreOptions])[] = [
  ["one zone of 4 KiB frames", { zones: [{ base: 2 ** 32, size: 3 * 1024 * KIB }], arena: null }],
  ["one zone of 64 B frames, odd", { zones: [{ base: 64 * 1021, size: 64 * 9_001 }], frameSize: 64, arena: null }],
  [
    "two zones, tags",
    {
      zones: [
        { base: 2 ** 20, size: 512 * KIB },
        { base: 2 ** 33, size: 768 * KIB },
      ],
      frameSize: 512,
      arena: null,
      tags: true,
    },
  ],
];

type Tide = "fill" | "ebb" | "large" | "odd";
const TIDES: readonly Tide[] = ["fill", "ebb", "large", "odd"];

function lengthFor(duel: Duel, tide: Tide, palette: readonly number[]): number {
  const { below, core } = duel;
  const { frameSize } = core;
  if (tide === "large") return frameSize * 2 ** (6 + below(4)) - below(2);
  if (tide === "odd") return frameSize * (65 + 13 * below(2)) - below(frameSize);
  return (duel.pick(palette) as number) * frameSize - below(frameSize);
}

function play(duel: Duel, operations: number): void {
  const { below, options } = duel;
  const total = options.zones.reduce((sum, { size }) => sum + size, 0) / duel.core.frameSize;
  for (let done = 0; done < operations; ) {
    const tide = duel.pick(TIDES) as Tide;
    const palette = Array.from({ length: 1 + below(4) }, () =>
      Math.min(1 + below(2 ** below(8)), Math.ceil(total / 8)),
    );
    for (let left = 100 + below(400); left > 0 && done < operations; left -= 1) {
      done += 1;
      const grows = tide === "ebb" ? below(8) === 0 : tide === "fill" ? below(8) !== 0 : below(2) === 0;
      if (grows) duel.allocate(lengthFor(duel, tide, palette), options.tags ? { tag: below(3) } : undefined);
      else {
        const block = duel.drop();
        if (block !== undefined) duel.free(block);
      }
      if (done % 50 === 0) duel.compare();
    }
  }
}

for (const [index, [what, options]] of geometries.entries()) {
  for (const [subject, operations] of [
    [release, 20_000],
    [debug, 6_000],
  ] as const) {
    const seed = seedOf(977 + index);
    ready(
      `misuse L01 to L05: ${what}, ${operations} operations of ${subject.name} against the judge, seed ${seed}`,
      () => {
        const duel = new Duel(subject.open, options, seed);
        const initial = duel.core.digest();
        try {
          play(duel, operations);
          assert.ok(duel.core.stats().failures > 20, `only ${duel.core.stats().failures} requests found no memory`);
          duel.drain(initial);
        } catch (error) {
          throw new Error(`seed ${seed} (NDIS_SHMEM_SEED=${seed} repeats it): ${String(error)}\n  ${duel.history()}`, {
            cause: error,
          });
        }
      },
    );
  }
}

/** The same kind of play on the debug build's exports, to see from inside where it went. */
ready(
  "a play of this kind refills four at a time, shuts the gate, opens it, merges as a last resort and dedicates",
  () => {
    const module = compileModule(new Uint8Array(readFileSync("build/debug.wasm")));
    const state = new CoreState(planCore({ zones: [{ base: 2 ** 32, size: 3 * 1024 * KIB }], arena: null }), module);
    const { wasm, views } = state;
    const below = generator(5);
    const seen = { refills: 0, overflows: 0, shut: 0, open: 0, resorts: 0, failures: 0, hot: new Set<number>() };
    const live: { frame: number; lengthBytes: number }[] = [];
    let tide: Tide = "fill";
    for (let i = 0; i < 20_000; i += 1) {
      if (below(300) === 0) tide = TIDES[below(4)] as Tide;
      const before = { ready: wasm.cachedBlocks(), blocks: views.word(L.H_BLOCKS), resorts: views.word(L.H_RESORTS) };
      const grows = tide === "ebb" ? below(8) === 0 : tide === "fill" ? below(8) !== 0 : below(2) === 0;
      if (grows) {
        const frames = tide === "large" ? 2 ** (6 + below(3)) : tide === "odd" ? 65 + 13 * below(2) : 2 ** below(5);
        const frame = wasm.allocate(frames * 4096) >>> 0;
        if (frame !== 0) live.push({ frame, lengthBytes: frames * 4096 });
        else seen.failures += 1;
        if (views.word(L.H_BLOCKS) - before.blocks === 4 && wasm.cachedBlocks() - before.ready === 3) seen.refills += 1;
      } else if (live.length > 0) {
        const [block] = live.splice(below(live.length), 1);
        assert.is(wasm.free(block?.frame as number, block?.lengthBytes as number), L.OK);
        if (wasm.cachedBlocks() <= before.ready && views.word(L.H_CACHE_LIMIT) !== 0) seen.overflows += 1;
      }
      if (views.word(L.H_RESORTS) !== before.resorts) seen.resorts += 1;
      if (views.word(L.H_CACHE_LIMIT) === 0) seen.shut += 1;
      else seen.open += 1;
      for (const frames of [65, 78]) {
        const stack = new DataView(wasm.memory.buffer as ArrayBuffer).getUint16(
          L.SIZE_CLASSES + 2 * (frames - 1),
          true,
        );
        if (stack !== L.CACHE_STACKS) seen.hot.add(frames);
      }
      if (i % 500 === 0) assert.is(state.audit.verify(), 0);
    }
    const { hot, ...counts } = seen;
    for (const [what, times] of Object.entries(counts)) assert.ok(times > 20, `${what}: ${times}`);
    assert.equal([...hot].sort(), [65, 78]);
  },
);

ready(
  "misuse L04: a request that only merging can serve is served, and one that nothing can serve leaves both digests",
  () => {
    const core = Core.openSync({ zones: [{ base: 2 ** 32, size: 64 * 4096 }], arena: null });
    const blocks = Array.from({ length: 64 }, () => core.allocate(4096));
    assert.ok(blocks.every((address) => address !== 0));
    for (const address of blocks.slice(0, 63)) core.free(address as never, 4096);
    const before = [core.digest(), core.imageDigest()];
    assert.is(core.allocate(64 * 4096), 0, "one frame is live");
    assert.equal([core.digest(), core.imageDigest()], before);
    core.free(blocks[63] as never, 4096);
    assert.ok(core.allocate(64 * 4096) !== 0, "all is free, whatever is ready");
  },
);

/** Length tags of these wrap to sentinels and are moved (assembly/length-tags.ts). */
for (const frameSize of [4096, 2 ** 20])
  ready(`the last lengths below 2^32 are exact like any other, in frames of ${frameSize} bytes`, () => {
    const zones = [{ base: 2 ** 33, size: 2 ** 33 }];
    for (const { open } of [release, debug]) {
      const core = open({ zones, frameSize, arena: null });
      for (let short = 1; short <= 12; short += 1) {
        const lengthBytes = 2 ** 32 - short;
        const address = core.allocate(lengthBytes) as VirtualAddress;
        assert.is(core.lengthOf(address), lengthBytes);
        assert.equal(core.verify(), []);
        for (const wrong of [lengthBytes - 1, 24 - short, 40 - short])
          assert.is(
            codeOf(() => core.free(address, wrong)),
            "LENGTH_MISMATCH",
            `${lengthBytes} freed as ${wrong}`,
          );
        core.free(address, lengthBytes);
        assert.is(
          codeOf(() => core.free(address, lengthBytes)),
          "ALREADY_FREED",
        );
        assert.is(core.stats().liveBlocks, 0);
      }
    }
  });

function codeOf(act: () => void): string | undefined {
  try {
    act();
  } catch (error) {
    return error instanceof ShmemError ? error.code : String(error);
  }
  return undefined;
}

ready.run();
