/**
 * Where blocks lie: exactly as many frames as the length needs, aligned, inside every constraint, from the right zone.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { AllocateOptions, CoreApi, CoreOptions, VirtualAddress } from "../../bindings/index.js";
import { FRAME, GIB, generator, MIB, mayStart, naturalStep, SMALL, shuffled, sound, take } from "./expect.js";
import { implementations } from "./implementations.js";

function ceilPowerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}

/** The placement rule of `CoreApi`, seen from outside. */
function obeys(core: CoreApi, address: VirtualAddress, lengthBytes: number, options: AllocateOptions = {}): void {
  const frames = Math.ceil(lengthBytes / core.frameSize);
  const runs = core.runs(address, lengthBytes);
  assert.is(runs.length, 1, "one run");
  const physical: number = core.physicalOf(address);
  // A boundary is kept by starting at a multiple of the power of two at or above the length.
  const natural = Math.max(naturalStep(frames), options.boundary === undefined ? 1 : ceilPowerOfTwo(frames));
  const step = Math.max(natural * core.frameSize, options.alignment ?? 1);
  assert.is(physical % step, 0, `${physical} is a multiple of ${step}`);
  assert.ok(mayStart(physical / core.frameSize, frames), `${frames} frames lie inside one group, or start one`);
  assert.is(core.translate(address).lengthBytes, frames * core.frameSize, "whole frames translate");
  assert.is(core.lengthOf(address), lengthBytes);
  const last = physical + frames * core.frameSize - 1;
  if (options.highest !== undefined) assert.ok(last <= options.highest, `${last} is at most ${options.highest}`);
  if (options.boundary !== undefined)
    assert.is(Math.floor(physical / options.boundary), Math.floor((physical + lengthBytes - 1) / options.boundary));
}

for (const { name, open } of implementations) {
  const test = suite(`placement, ${name}`);

  test("13 frames cost 13, and the other three of the sixteen are free for others at once", () => {
    const core = open({ zones: [{ base: MIB, size: 16 * FRAME }], arena: null });
    const block = take(core, 13 * FRAME);
    assert.is(core.stats().liveBytes, 13 * FRAME);
    assert.is(core.stats().freeBytes, 3 * FRAME);
    assert.is(core.stats().largestFreeBytes, 3 * FRAME);
    obeys(core, block, 13 * FRAME);
    const two = take(core, 2 * FRAME);
    const one = take(core, FRAME);
    assert.is(core.stats().freeBytes, 0);
    assert.is(core.stats().largestFreeBytes, 0);
    sound(core);
    for (const address of [block, one, two]) core.free(address);
    assert.is(take(core, 16 * FRAME) > 0, true);
  });

  test("every length from one byte to all frames and a byte costs its frames and no more", () => {
    const core = open({ zones: [{ base: 64 * FRAME, size: 32 * FRAME }], arena: null });
    const empty = core.digest();
    for (let frames = 1; frames <= 32; frames++) {
      for (const length of [(frames - 1) * FRAME + 1, frames * FRAME - 1, frames * FRAME]) {
        const address = take(core, length);
        assert.is(core.stats().liveBytes, frames * FRAME, `${length} bytes`);
        obeys(core, address, length);
        core.free(address, length);
        assert.is(core.digest(), empty);
      }
    }
    assert.is(core.allocate(32 * FRAME + 1), 0);
    sound(core);
  });

  test("alignment raises the start and costs no frame", () => {
    const core = open({ zones: [{ base: FRAME, size: 200 * FRAME }], arena: null });
    for (let alignment = 1; alignment <= 128 * FRAME; alignment *= 2) {
      const address = take(core, 5, { alignment });
      obeys(core, address, 5, { alignment });
      assert.is(core.stats().liveBytes, FRAME);
      core.free(address);
    }
    for (const length of [1, FRAME + 1, 3 * FRAME, 7 * FRAME - 1]) {
      const held = [64, 2 * FRAME, 16 * FRAME].map((alignment) => {
        const address = take(core, length, { alignment });
        obeys(core, address, length, { alignment });
        return address;
      });
      for (const address of held) core.free(address);
    }
    sound(core);
  });

  test("an alignment that no free start has is fragmentation, not exhaustion", () => {
    const core = open({ zones: [{ base: 33 * FRAME, size: 64 * FRAME }], arena: null });
    const only = take(core, FRAME, { alignment: 64 * FRAME });
    assert.is(core.physicalOf(only), 64 * FRAME);
    assert.is(core.allocate(FRAME, { alignment: 64 * FRAME }), 0);
    assert.is(core.lastFailure?.reason, "fragmented");
    core.free(only);
    take(core, FRAME, { alignment: 64 * FRAME });
    sound(core);
  });

  test("an alignment wider than its zone is physical too, wherever in the zone its one multiple lies", () => {
    for (const [first, frames] of [
      [255, 5],
      [256, 5],
      [257, 5],
      [40, 3],
      [2 ** 20 - 70, 100],
    ] as const) {
      for (let alignment = FRAME; alignment <= 2 ** 20 * FRAME; alignment *= 2) {
        const zones = [
          { base: first * FRAME, size: frames * FRAME, node: 1 },
          { base: 2 ** 40, size: 2 ** 32 },
        ];
        const core = open({ zones, arena: null });
        const step = alignment / FRAME;
        const start = Math.ceil(first / step) * step;
        const address = core.allocate(1, { alignment, node: 1 });
        assert.is(address !== 0, start < first + frames, `frames ${first} on, ${frames} of them, by ${step}`);
        if (address === 0) continue;
        assert.is((core.physicalOf(address) / FRAME) % step, 0);
        obeys(core, address, 1, { alignment });
        sound(core);
      }
    }
  });

  test("misuse D13: no block crosses its boundary, and one that must is out of memory with the reason boundary", () => {
    const core = open({ zones: [{ base: 3 * FRAME, size: 61 * FRAME }], arena: null });
    const below = generator(13);
    for (let i = 0; i < 400; i++) {
      const boundary = FRAME * 2 ** below(5);
      const length = 1 + below(boundary);
      const address = core.allocate(length, { boundary });
      if (address !== 0) obeys(core, address, length, { boundary });
      else assert.is.not(core.lastFailure?.reason, "boundary");
      if (address !== 0 && below(3) !== 0) core.free(address);
    }
    const fresh = open(SMALL);
    for (const [length, boundary] of [
      [FRAME + 1, FRAME],
      [2, 1],
      [5 * FRAME, 4 * FRAME],
      [64 * FRAME, 32 * FRAME],
    ] as const) {
      const before = fresh.digest();
      assert.is(fresh.allocate(length, { boundary }), 0);
      assert.is(fresh.lastFailure?.reason, "boundary");
      assert.is(fresh.digest(), before);
    }
    obeys(fresh, take(fresh, 100, { boundary: 128 }), 100, { boundary: 128 });
    sound(fresh);
  });

  test("highest is the last byte allowed, inclusive, of the whole last frame", () => {
    const zones = [{ base: 16 * FRAME, size: 64 * FRAME }];
    for (let frames = 1; frames <= 16; frames++) {
      const core = open({ zones, arena: null });
      const length = frames * FRAME - 1;
      const least = 16 * FRAME + frames * FRAME - 1;
      const address = take(core, length, { highest: least });
      obeys(core, address, length, { highest: least });
      core.free(address);
      assert.is(core.allocate(length, { highest: least - 1 }), 0);
      assert.is(core.lastFailure?.reason, "addressing");
      assert.is(core.allocate(1, { highest: 0 }), 0);
      assert.is(core.lastFailure?.reason, "addressing");
      sound(core);
    }
  });

  test("highest finds the low frames below blocks that are in the way", () => {
    const core = open({ zones: [{ base: 16 * FRAME, size: 48 * FRAME }], arena: null });
    const all = Array.from({ length: 48 }, () => take(core, FRAME));
    for (const address of shuffled(all, generator(5))) {
      const physical: number = core.physicalOf(address);
      core.free(address);
      assert.is(core.allocate(1, { highest: physical + FRAME - 2 }), 0);
      assert.is(core.lastFailure?.reason, "addressing");
      assert.is(core.physicalOf(take(core, FRAME, { highest: physical + FRAME - 1 })), physical);
    }
    sound(core);
  });

  const FAR: CoreOptions = {
    zones: [
      { base: 16 * MIB, size: MIB, node: 0 },
      { base: 4 * GIB - MIB, size: 2 * MIB, node: 1 },
      { base: 2 ** 40, size: MIB, node: 1 },
      { base: MIB, size: MIB, node: 2 },
    ],
    arena: null,
  };

  test("zones are tried from the highest base down, so that low memory is left for who needs it", () => {
    const core = open(FAR);
    const bases = Array.from({ length: 5 }, () => core.physicalOf(take(core, MIB)) as number);
    assert.equal(bases, [2 ** 40, ...bases.slice(1, 3), 16 * MIB, MIB]);
    assert.equal(bases.slice(1, 3).sort(), [4 * GIB - MIB, 4 * GIB]);
    assert.is(core.allocate(1), 0);
    assert.is(core.lastFailure?.reason, "exhausted");
  });

  test("misuse D12: a 32-bit device never owns a byte at or above 4 GiB", () => {
    const core = open(FAR);
    const highest = 4 * GIB - 1;
    const low: VirtualAddress[] = [];
    for (;;) {
      const address = core.allocate(64 * FRAME, { highest });
      if (address === 0) break;
      obeys(core, address, 64 * FRAME, { highest });
      low.push(address);
    }
    assert.is(low.length, 12, "3 MiB lie below 4 GiB");
    assert.is(core.lastFailure?.reason, "addressing");
    assert.is(core.stats().freeBytes, 2 * MIB);
    take(core, MIB);
    sound(core);
  });

  test("a node is a requirement, a preferred node is a wish", () => {
    const core = open(FAR);
    const preferred = take(core, MIB, { preferredNode: 2 });
    assert.is(core.physicalOf(preferred), MIB);
    assert.is(core.allocate(1, { node: 2 }), 0);
    assert.is(core.lastFailure?.reason, "addressing");
    assert.is(core.allocate(1, { node: 65535 }), 0);
    assert.is(core.lastFailure?.reason, "addressing");
    assert.is(core.physicalOf(take(core, MIB, { preferredNode: 2 })), 2 ** 40, "then the usual order");
    assert.is(
      core.physicalOf(take(core, MIB, { preferredNode: 77 })) >= 4 * GIB - MIB,
      true,
      "an unknown node is no error",
    );
    assert.is(core.physicalOf(take(core, MIB, { node: 0, preferredNode: 1 })), 16 * MIB, "the requirement wins");
    core.free(preferred);
    assert.is(core.physicalOf(take(core, 1, { node: 2, highest: MIB + FRAME - 1 })), MIB);
    sound(core);
  });

  test("no block spans two zones, not even where they touch", () => {
    const core = open({
      zones: [
        { base: 8 * FRAME, size: 8 * FRAME },
        { base: 16 * FRAME, size: 16 * FRAME },
        { base: 32 * FRAME, size: 3 * FRAME },
      ],
      arena: null,
    });
    assert.is(core.stats().largestFreeBytes, 16 * FRAME);
    assert.is(core.allocate(17 * FRAME), 0);
    assert.is(core.lastFailure?.reason, "fragmented");
    const blocks = [16, 8, 2, 1].map((frames) => take(core, frames * FRAME));
    assert.equal(
      blocks.map((address) => core.physicalOf(address) / FRAME).sort((a, b) => a - b),
      [8, 16, 32, 34],
    );
    assert.is(core.stats().freeBytes, 0);
    sound(core);
  });

  test("zones at bases off every power of two serve all they can, and know what that is", () => {
    for (let first = 1; first <= 40; first++) {
      for (const frames of [1, 2, 3, 7, 13, 64, 67]) {
        const core = open({ zones: [{ base: first * 64, size: frames * 64 }], frameSize: 64, arena: null });
        let expected = 0;
        for (let n = 1; n <= frames; n++) {
          for (let start = first; start + n <= first + frames; start++) if (mayStart(start, n)) expected = n;
        }
        const { largestFreeBytes } = core.stats();
        assert.is(largestFreeBytes, expected * 64, `${frames} frames from frame ${first} on`);
        obeys(core, take(core, largestFreeBytes), largestFreeBytes);
      }
    }
  });

  test("the longest run is found wherever other blocks lie", () => {
    const below = generator(77);
    for (let round = 0; round < 60; round++) {
      const core = open({ zones: [{ base: (1 + below(9)) * FRAME, size: (50 + below(150)) * FRAME }], arena: null });
      for (let i = 0; i < 40; i++) {
        const address = core.allocate((1 + below(12)) * FRAME);
        if (address !== 0 && below(2) === 0) core.free(address);
      }
      const { largestFreeBytes } = core.stats();
      const digest = core.digest();
      assert.is(core.allocate(largestFreeBytes + 1), 0, "nothing longer");
      const failure = core.lastFailure;
      assert.is(failure?.largestFreeBytes, largestFreeBytes);
      assert.is(failure?.freeBytes, core.stats().freeBytes);
      if (largestFreeBytes === 0) continue;
      core.free(take(core, largestFreeBytes), largestFreeBytes);
      assert.is(core.digest(), digest);
      sound(core);
    }
  });

  test("random constraints all at once are all kept", () => {
    const core = open(FAR);
    const below = generator(4);
    const live: VirtualAddress[] = [];
    const zoneOf = (physical: number): number =>
      FAR.zones.findIndex((one) => physical >= one.base && physical < one.base + one.size);
    for (let i = 0; i < 3000; i++) {
      if (below(2) === 0 && live.length > 0) {
        core.free(live.splice(below(live.length), 1)[0] as VirtualAddress);
        continue;
      }
      const length = 1 + below(below(4) === 0 ? 40 * FRAME : 3 * FRAME);
      const options: AllocateOptions = {
        ...(below(2) === 0 ? { alignment: 2 ** below(18) } : {}),
        ...(below(3) === 0 ? { boundary: 2 ** (8 + below(12)) } : {}),
        ...(below(3) === 0
          ? { highest: [4 * GIB - 1, 2 ** 24 - 1, 2 ** 40 + 77 * FRAME, 17 * MIB][below(4)] as number }
          : {}),
        ...(below(3) === 0 ? { node: below(3) } : {}),
      };
      const address = core.allocate(length, options);
      if (address === 0) continue;
      obeys(core, address, length, options);
      if (options.node !== undefined) assert.is(FAR.zones[zoneOf(core.physicalOf(address))]?.node, options.node);
      live.push(address);
    }
    sound(core);
  });

  test.run();
}
