/**
 * The counters, each against a count made from outside, and what explain and verify say. Misuse L02, J06.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CoreApi, CoreStats, VirtualAddress } from "../../bindings/index.js";
import { FRAME, generator, MIB, SMALL, sound, take } from "./expect.js";
import { implementations } from "./implementations.js";

for (const { name, open } of implementations) {
  const test = suite(`stats, ${name}`);

  test("a fresh core", () => {
    const core = open({
      zones: [
        { base: MIB, size: 3 * MIB },
        { base: 16 * MIB, size: 5 * FRAME },
      ],
      arena: null,
    });
    assert.equal(core.stats(), {
      totalBytes: 3 * MIB + 5 * FRAME,
      freeBytes: 3 * MIB + 5 * FRAME,
      liveBytes: 0,
      withheldBytes: 0,
      largestFreeBytes: 3 * MIB,
      liveBlocks: 0,
      peakLiveBytes: 0,
      failures: 0,
    } satisfies CoreStats);
  });

  test("misuse L02: every counter equals a count made from outside, after every step", () => {
    const core = open({
      zones: [
        { base: 5 * FRAME, size: 61 * FRAME },
        { base: MIB, size: 35 * FRAME, node: 1 },
      ],
      arena: null,
    });
    const below = generator(31);
    const live = new Map<VirtualAddress, number>();
    let peak = 0;
    let failures = 0;
    for (let step = 0; step < 4000; step++) {
      if (below(100) < 55) {
        const length = 1 + below(below(3) === 0 ? 20 * FRAME : 2 * FRAME);
        const contiguous = below(2) === 0;
        const address = core.allocate(length, { contiguous, ...(below(4) === 0 ? { node: below(3) } : {}) });
        if (address === 0) failures++;
        else live.set(address, length);
      } else {
        const [address, length] = [...live][below(Math.max(1, live.size))] ?? [];
        if (address === undefined) continue;
        core.free(address, length);
        live.delete(address);
      }
      const liveBytes = [...live.values()].reduce((sum, length) => sum + Math.ceil(length / FRAME) * FRAME, 0);
      peak = Math.max(peak, liveBytes);
      const stats = core.stats();
      assert.is(stats.liveBytes, liveBytes);
      assert.is(stats.liveBlocks, live.size);
      assert.is(stats.peakLiveBytes, peak);
      assert.is(stats.failures, failures);
      assert.is(stats.totalBytes, 96 * FRAME);
      assert.is(stats.freeBytes + stats.liveBytes + stats.withheldBytes, stats.totalBytes);
      assert.is(stats.withheldBytes, 0);
      assert.ok(stats.largestFreeBytes <= stats.freeBytes && stats.largestFreeBytes > 0 === stats.freeBytes > 0);
      if (step % 50 === 0) sound(core);
    }
    assert.ok(failures > 50 && live.size > 0, "the walk met both outcomes");
  });

  test("a gathering that fails half-way does not raise the peak", () => {
    const core = open(SMALL);
    for (let i = 0; i < 64; i++) take(core, FRAME);
    for (let frame = 0; frame < 64; frame += 2)
      core.free(core.virtualOf((MIB + frame * FRAME) as ReturnType<CoreApi["physicalOf"]>));
    for (let frame = 1; frame < 40; frame += 2)
      core.free(core.virtualOf((MIB + frame * FRAME) as ReturnType<CoreApi["physicalOf"]>));
    const fresh = open(SMALL);
    fresh.restore(core.snapshot());
    const before = fresh.stats();
    assert.is(fresh.allocate(50 * FRAME, { contiguous: false, alignment: 4 * FRAME }), 0);
    assert.equal(fresh.stats(), { ...before, failures: before.failures + 1 });
    sound(fresh);
  });

  test("reading changes nothing: stats, verify, explain, lookups (misuse J06)", () => {
    const core = open({ ...SMALL, tags: true });
    const address = take(core, 5 * FRAME - 3, { tag: 9 });
    const before = [core.digest(), core.imageDigest(), core.stats()];
    for (let i = 0; i < 3; i++) {
      core.stats();
      core.verify();
      core.explain(address);
      core.physicalOf(address);
      core.virtualOf(core.physicalOf(address));
      core.runs(address, 5 * FRAME);
      core.lengthOf(address);
      core.snapshot();
      core.digest();
      core.imageDigest();
    }
    assert.equal([core.digest(), core.imageDigest(), core.stats()], before);
  });

  test("explain tells live, freed, free, foreign and unmapped apart", () => {
    const core = open({
      zones: [
        { base: MIB, size: 4 * FRAME },
        { base: 64 * FRAME, size: 64 * FRAME },
      ],
      tags: true,
      arena: null,
    });
    const explained = (address: number): ReturnType<CoreApi["explain"]> => core.explain(address as VirtualAddress);
    const top = take(core, 3 * FRAME - 1, { tag: 5 });
    const live = explained(top + FRAME + 7);
    assert.is(live.state, "live");
    assert.is(live.zone, 0);
    assert.is(live.offset, FRAME + 7);
    assert.equal(live.block, { virtual: top, lengthBytes: 3 * FRAME - 1, order: 2, contiguous: true, tag: 5 });
    assert.is(explained(top + 3 * FRAME - 1).state, "live", "the slack belongs to the block");
    assert.is(explained(top + 3 * FRAME).state, "free");
    core.free(top);
    assert.is(explained(top).state, "freed");
    assert.is(explained(top).zone, 0);
    assert.is(explained(top).block, undefined);
    assert.is(explained(top + 1).state, "free");
    assert.is(explained(2 ** 46 - 1).state, "unmapped");
    assert.is(explained(2 ** 46 - 1).zone, -1);
    assert.is(explained(0).state, "unmapped");
    assert.is(explained(2 ** 52 - 1).state, "unmapped");
    core.map((2 ** 50) as VirtualAddress, [
      { physical: 2 ** 40, lengthBytes: 10 },
      { physical: 2 ** 41, lengthBytes: 10 },
    ]);
    const foreign = explained(2 ** 50 + 15);
    assert.is(foreign.state, "foreign");
    assert.is(foreign.offset, 15);
    assert.is(foreign.block?.virtual, 2 ** 50);
    assert.is(foreign.block?.lengthBytes, 20);
    assert.is(foreign.block?.contiguous, false);
    for (;;) if (core.allocate(FRAME) === 0) break;
    for (let frame = 65; frame < 128; frame += 2)
      core.free(core.virtualOf((frame * FRAME) as ReturnType<CoreApi["physicalOf"]>));
    const scattered = take(core, 3 * FRAME - 8, { contiguous: false, tag: 77 });
    const inside = explained(scattered + FRAME);
    assert.is(inside.state, "live");
    assert.equal(inside.block, {
      virtual: scattered,
      lengthBytes: 3 * FRAME - 8,
      order: -1,
      contiguous: false,
      tag: 77,
    });
    assert.is(inside.offset, FRAME);
    assert.is(inside.zone, -1);
    for (const address of [top, top + 1, 2 ** 50, scattered, 0]) {
      const { text } = explained(address);
      assert.ok(text.length > 10 && text.length < 300, text);
      assert.is(explained(address).address, address);
    }
  });

  test.run();
}
