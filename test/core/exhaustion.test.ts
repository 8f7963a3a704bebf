/**
 * The end of memory: exact lengths, every order, fragmentation. Misuse A05 to A07, G05, G06, L04, L05.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CoreOptions, VirtualAddress } from "../../bindings/index.js";
import { FRAME, generator, MIB, mayStart, SMALL, shuffled, sound, take } from "./expect.js";
import { implementations } from "./implementations.js";

for (const { name, open } of implementations) {
  const test = suite(`exhaustion, ${name}`);

  test("misuse A06: the largest block succeeds, one byte more does not, and afterwards the arena is whole again", () => {
    for (const frames of [1, 2, 64, 67, 1792]) {
      const core = open({ zones: [{ base: 2048 * FRAME, size: frames * FRAME }], arena: null });
      const empty = core.digest();
      assert.is(core.allocate(frames * FRAME + 1), 0);
      assert.equal(core.lastFailure, {
        reason: "exhausted",
        freeBytes: frames * FRAME,
        largestFreeBytes: frames * FRAME,
      });
      const all = take(core, frames * FRAME);
      assert.is(core.allocate(1), 0);
      assert.equal(core.lastFailure, { reason: "exhausted", freeBytes: 0, largestFreeBytes: 0 });
      core.free(all, frames * FRAME);
      assert.is(core.digest(), empty);
      assert.is(core.stats().largestFreeBytes, frames * FRAME);
      sound(core);
    }
  });

  test("misuse G05: every second frame free is fragmentation, with the numbers that say so", () => {
    const core = open(SMALL);
    const all = Array.from({ length: 64 }, () => take(core, FRAME));
    for (const address of all) if ((core.physicalOf(address) / FRAME) % 2 === 0) core.free(address);
    assert.is(core.allocate(2 * FRAME), 0);
    assert.equal(core.lastFailure, { reason: "fragmented", freeBytes: 32 * FRAME, largestFreeBytes: FRAME });
    assert.is(core.allocate(32 * FRAME), 0);
    assert.is(core.lastFailure?.reason, "fragmented");
    assert.is(core.allocate(32 * FRAME + 1), 0);
    assert.is(core.lastFailure?.reason, "exhausted");
    sound(core);
  });

  test("single frames all over a large zone are single frames, whatever lies behind the zone's books", () => {
    // A walk over the pages that hold single frames ends with the zone's last page, although the top word of its tree
    // covers more: what lies behind the last leaf word is another array.
    for (const frames of [4096, 8192, 3 * 4096]) {
      const core = open({ zones: [{ base: 64 * 65536, size: frames * 64 }], frameSize: 64, arena: null });
      const lengths = new Uint32Array(frames).fill(64);
      const addresses = new Float64Array(frames);
      assert.is(core.allocateBatch(lengths, addresses), frames);
      core.freeBatch(addresses.filter((address) => (address / 64) % 2 === 1));
      assert.is(core.stats().largestFreeBytes, 64, `${frames} frames`);
      assert.is(core.allocate(65), 0);
      assert.equal(core.lastFailure, { reason: "fragmented", freeBytes: frames * 32, largestFreeBytes: 64 });
      assert.is(core.allocate(3 * 64), 0);
      core.freeBatch(addresses.filter((address) => (address / 64) % 2 === 0));
      assert.is(core.stats().freeBytes, frames * 64);
      sound(core);
    }
  });

  test("two adjacent free frames at an odd start serve no pair", () => {
    const core = open(SMALL);
    const all = Array.from({ length: 64 }, () => take(core, FRAME));
    for (const address of all) if ([17, 18].includes(core.physicalOf(address) / FRAME - 256)) core.free(address);
    assert.is(core.allocate(2 * FRAME), 0);
    assert.equal(core.lastFailure, { reason: "fragmented", freeBytes: 2 * FRAME, largestFreeBytes: FRAME });
    take(core, FRAME);
    take(core, FRAME);
    assert.is(core.stats().freeBytes, 0);
  });

  const order: Readonly<Record<string, (list: VirtualAddress[]) => VirtualAddress[]>> = {
    up: (list) => [...list].sort((a, b) => a - b),
    down: (list) => [...list].sort((a, b) => b - a),
    "as allocated": (list) => list,
    reversed: (list) => [...list].reverse(),
    random: (list) => shuffled(list, generator(list.length + 1)),
    "every second first": (list) => [...list.filter((_, i) => i % 2 === 0), ...list.filter((_, i) => i % 2 === 1)],
  };
  const arenas: Readonly<Record<string, CoreOptions>> = {
    "256 frames of 4 KiB": { zones: [{ base: MIB, size: MIB }], arena: null },
    "256 frames of 64 B": { zones: [{ base: 16384, size: 16384 }], frameSize: 64, arena: null },
    "3 + 67 + 186 frames": {
      zones: [
        { base: 3 * FRAME, size: 3 * FRAME },
        { base: 61 * FRAME, size: 67 * FRAME },
        { base: 2 ** 33 + 7 * FRAME, size: 186 * FRAME },
      ],
      arena: null,
    },
  };
  for (const [what, options] of Object.entries(arenas)) {
    test(`misuse G06, L05: ${what}, filled at every order, freed in every order, are whole again`, () => {
      const core = open(options);
      const empty = { digest: core.digest(), stats: core.stats() };
      for (let frames = 1; frames <= 256; frames *= 2) {
        for (const [how, arrange] of Object.entries(order)) {
          const blocks: VirtualAddress[] = [];
          for (let size = frames; size >= 1; size /= 2) {
            for (;;) {
              const address = core.allocate(size * core.frameSize);
              if (address === 0) break;
              blocks.push(address);
            }
          }
          assert.is(core.stats().freeBytes, 0, `${how} at ${frames}: filled to the last frame`);
          let free = 0;
          for (const address of arrange(blocks)) {
            free += core.lengthOf(address);
            core.free(address);
            assert.is(core.stats().freeBytes, free, "the free count is exact after each step");
          }
          assert.is(core.digest(), empty.digest, `${how} at ${frames}`);
          assert.is(core.stats().largestFreeBytes, empty.stats.largestFreeBytes, `${how} at ${frames}: merged`);
          sound(core);
        }
      }
    });
  }

  test("misuse L04: a hole of n frames serves n frames wherever its start allows it", () => {
    for (let frames = 1; frames <= 16; frames++) {
      for (let start = 0; start + frames <= 40; start++) {
        const core = open({ zones: [{ base: 64 * 64, size: 40 * 64 }], frameSize: 64, arena: null });
        const all = new Map(
          Array.from({ length: 40 }, () => take(core, 64)).map((a) => [core.physicalOf(a) / 64 - 64, a]),
        );
        for (let i = start; i < start + frames; i++) core.free(all.get(i) as VirtualAddress);
        const aligned = mayStart(start, frames);
        const address = core.allocate(frames * 64);
        assert.is(address !== 0, aligned, `${frames} frames at ${start}`);
        if (address === 0) assert.is(core.lastFailure?.reason, "fragmented");
        else assert.is(core.physicalOf(address) / 64 - 64, start);
        const { largestFreeBytes } = core.stats();
        if (address === 0) assert.ok(take(core, largestFreeBytes) !== 0);
      }
    }
  });

  test("failures are counted, and lastFailure is that of the last answer of 0", () => {
    const core = open(SMALL);
    assert.is(core.lastFailure, undefined);
    core.allocate(65 * FRAME);
    core.allocate(2, { boundary: 1 });
    assert.is(core.lastFailure?.reason, "boundary");
    take(core, 1);
    assert.is(core.lastFailure?.reason, "boundary", "a success leaves it");
    assert.is(core.stats().failures, 2);
    core.allocate(1, { node: 3 });
    assert.is(core.lastFailure?.reason, "addressing");
    assert.is(core.stats().failures, 3);
  });

  test("a failed request changes nothing but the count of failures", () => {
    const core = open(SMALL);
    const kept = Array.from({ length: 64 }, () => take(core, FRAME)).filter((_, i) => i % 3 !== 0 || void 0);
    for (const address of kept.filter((_, i) => i % 2 === 0)) core.free(address);
    const before = { digest: core.digest(), image: core.imageDigest(), stats: core.stats() };
    for (const options of [
      {},
      { contiguous: false, node: 4 },
      { contiguous: false, highest: 5 },
      { highest: MIB + 9 * FRAME },
    ]) {
      assert.is(core.allocate(60 * FRAME, options), 0);
      const { failures, ...rest } = core.stats();
      const { failures: earlier, ...expected } = before.stats;
      assert.equal(rest, expected);
      assert.ok(failures > earlier);
      assert.equal([core.digest(), core.imageDigest()], [before.digest, before.image]);
    }
    sound(core);
  });

  test.run();
}
