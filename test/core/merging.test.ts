/**
 * No free block has a free buddy. Misuse L03.
 *
 * The core keeps no list of free blocks that one could look at; what shows is what it can hand out. So the free frames are
 * counted from outside, frame by frame, and merged here as far as buddies go: the one way to cut them into blocks none of
 * which has a free buddy. Had the core left a pair unmerged, it would have fewer blocks of the pair's order, or of a
 * higher one, than that.
 *
 *     frames   . x . . x . . .     orders   0 - 1 1 - 0 1 1     (x: taken)
 *
 * What waits in front of the buddies (cached blocks) is the documented exception; `flush` ends it, and so does running out.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CoreApi, CoreOptions, VirtualAddress } from "../../bindings/index.js";
import { FRAME, GIB, generator, MIB, sound, take } from "./expect.js";
import { implementations } from "./implementations.js";

type Zones = CoreOptions["zones"];

/** A block that was handed out: where, and the frames that it takes. */
interface Live {
  readonly address: VirtualAddress;
  readonly first: number;
  readonly frames: number;
}

/** Free blocks by order: how many there are of each when every pair of free buddies has merged. */
function merged(live: readonly Live[], zones: Zones): number[] {
  const counts: number[] = [];
  for (const { base, size } of zones) {
    const free = new Set<number>(Array.from({ length: size / FRAME }, (_, i) => base / FRAME + i));
    for (const { first, frames } of live) for (let i = 0; i < frames; i++) free.delete(first + i);
    // Order by order: two free buddies become one block of the next order, the others stay what they are.
    for (let order = 0, blocks = free; blocks.size > 0; order++) {
      const parents = new Set<number>();
      let single = 0;
      for (const block of blocks) {
        const span = 2 ** order;
        const first = block % (2 * span) === 0;
        if (!blocks.has(first ? block + span : block - span)) single++;
        else if (first) parents.add(block);
      }
      counts[order] = (counts[order] ?? 0) + single;
      blocks = parents;
    }
  }
  return Array.from(counts, (count) => count ?? 0);
}

/**
 * Take everything there is, longest blocks first; how many of each order there were. Gives all of it back. A power of two up to
 * a group of 64 frames is naturally aligned; of more, it is asked for.
 */
function handedOut(core: CoreApi, orders: number): number[] {
  const taken: VirtualAddress[] = [];
  const counts = new Array<number>(orders).fill(0);
  for (let order = orders - 1; order >= 0; order--) {
    for (;;) {
      const bytes = 2 ** order * FRAME;
      const address = core.allocate(bytes, order > 6 && bytes <= core.stats().totalBytes ? { alignment: bytes } : {});
      if (address === 0) break;
      taken.push(address);
      counts[order] = (counts[order] as number) + 1;
    }
  }
  core.freeBatch(Float64Array.from(taken));
  core.flush();
  return counts;
}

const GEOMETRIES: Readonly<Record<string, Zones>> = {
  "a power of two": [{ base: MIB, size: 128 * FRAME }],
  "a zone off every alignment": [{ base: 4 * GIB + 37 * FRAME, size: 203 * FRAME }],
  "three zones": [
    { base: 5 * FRAME, size: 59 * FRAME },
    { base: 64 * FRAME, size: 64 * FRAME },
    { base: 2 ** 40 + 3 * FRAME, size: 33 * FRAME },
  ],
};

for (const { name, open } of implementations) {
  const test = suite(`merging, ${name}`);

  for (const [what, zones] of Object.entries(GEOMETRIES)) {
    test(`misuse L03: ${what}: after every step the longest block is that of merged buddies, after a flush every block is`, () => {
      const core = open({ zones, arena: null });
      const below = generator(40 + zones.length);
      const live: Live[] = [];
      let fragmented = 0;
      for (let step = 0; step < 600; step++) {
        // Now filling, now emptying, so that pairs meet at every order.
        const wantsMore = live.length === 0 || below(100) < (step % 200 < 120 ? 70 : 25);
        if (wantsMore) {
          const lengthBytes = 1 + below(below(8) === 0 ? 24 * FRAME : 3 * FRAME);
          const address = core.allocate(lengthBytes);
          if (address !== 0)
            live.push({ address, first: core.physicalOf(address) / FRAME, frames: Math.ceil(lengthBytes / FRAME) });
        } else core.free((live.splice(below(live.length), 1)[0] as Live).address);
        const expected = merged(live, zones);
        const longest = expected.length === 0 ? 0 : 2 ** (expected.length - 1) * FRAME;
        // A run that is longer than its longest buddy serves more: `largestFreeBytes` counts it.
        assert.ok(
          core.stats().largestFreeBytes >= longest,
          `step ${step}: ${core.stats().largestFreeBytes} < ${longest}`,
        );
        if (step % 20 !== 19) continue;
        core.flush();
        const before = core.digest();
        const counts = handedOut(core, expected.length + 1);
        assert.equal(counts, [...expected, 0], `step ${step}`);
        assert.is(core.digest(), before);
        sound(core);
        if (expected.filter((count) => count > 0).length > 2) fragmented++;
      }
      assert.ok(fragmented > 10, `${fragmented} looks at blocks of three orders and more`);
    });
  }

  test("misuse L03: a cached block has a free buddy for as long as it is cached; running out merges it, without a flush", () => {
    const core = open({ zones: [{ base: MIB, size: 64 * FRAME }], arena: null });
    for (let round = 0; round < 40; round++) {
      const all = Array.from({ length: 64 }, () => take(core, FRAME));
      for (const one of all) core.free(one);
      // Whatever waits in front of the buddies, the whole zone is one block for who asks for it.
      assert.is(core.stats().largestFreeBytes, 64 * FRAME);
      const whole = take(core, 64 * FRAME);
      core.free(whole);
    }
    core.flush();
    assert.equal(handedOut(core, 8), [0, 0, 0, 0, 0, 0, 1, 0]);
    sound(core);
  });

  test.run();
}
