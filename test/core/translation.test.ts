/**
 * Virtual to physical and back: every byte of every mapping, and a fault everywhere else. Misuse D01 to D07, D13, D14.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CoreApi, CoreOptions, PhysicalAddress, VirtualAddress } from "../../bindings/index.js";
import { FRAME, GIB, generator, MIB, refuses, SMALL, sound, take, untouched } from "./expect.js";
import { implementations } from "./implementations.js";

const virtual = (address: number): VirtualAddress => address as VirtualAddress;
const physical = (address: number): PhysicalAddress => address as PhysicalAddress;

/** Frames of 64 bytes, so that every byte of every block can be asked for. */
const TINY: CoreOptions = {
  zones: [
    { base: 64 * 5, size: 64 * 40 },
    { base: 64 * 1000, size: 64 * 23 },
  ],
  frameSize: 64,
  arena: null,
};

/** Every byte from `start` on for `bytes` faults in the direction given. */
function faults(core: CoreApi, direction: "virtual" | "physical", start: number, bytes: number): void {
  for (let at = start; at < start + bytes; at++) {
    const error =
      direction === "virtual"
        ? refuses(() => core.physicalOf(virtual(at)), "TRANSLATION_FAULT")
        : refuses(() => core.virtualOf(physical(at)), "TRANSLATION_FAULT");
    assert.is(error.value, at, "the fault names the address");
  }
}

/** Fill, then free every second frame: only single frames are left. */
function checkered(core: CoreApi): VirtualAddress[] {
  const kept: VirtualAddress[] = [];
  const freed: VirtualAddress[] = [];
  for (;;) {
    const address = core.allocate(core.frameSize);
    if (address === 0) break;
    ((core.physicalOf(address) / core.frameSize) % 2 === 0 ? kept : freed).push(address);
  }
  core.freeBatch(Float64Array.from(freed));
  return kept;
}

/** The runs of a live block in whole frames, for reverse questions. */
function everyByteAgrees(core: CoreApi, address: VirtualAddress): void {
  const bytes = Math.ceil(core.lengthOf(address) / core.frameSize) * core.frameSize;
  const runs = core.runs(address, bytes);
  let offset = 0;
  for (const run of runs) {
    for (let i = 0; i < run.lengthBytes; i++, offset++) {
      const at = virtual(address + offset);
      assert.is(core.physicalOf(at), run.physical + i);
      assert.is(core.virtualOf(physical(run.physical + i)), at as number, "the exact inverse");
      const there = core.translate(at);
      assert.is(there.physical, run.physical + i);
      const back = core.translatePhysical(physical(run.physical + i));
      assert.is(back.virtual, at as number);
      assert.ok(there.lengthBytes > 0 && there.lengthBytes <= run.lengthBytes - i, "never beyond the run");
      assert.is(back.lengthBytes, there.lengthBytes, "both directions hold for as long");
    }
  }
  assert.is(offset, bytes, "the runs cover the block exactly once");
}

for (const { name, open } of implementations) {
  const test = suite(`translation, ${name}`);

  test("misuse D01: nothing is mapped before the first block, in holes and behind the ends", () => {
    const core = open(TINY);
    const window = 2 ** 46 + 64 * 5;
    faults(core, "virtual", window - 64, 64 * 42);
    faults(core, "physical", 0, 64 * 50);
    for (const address of [0, 1, 2 ** 32, 2 ** 46 - 1, 2 ** 47, 2 ** 52 - 1]) {
      faults(core, "virtual", address, 1);
      faults(core, "physical", address, 1);
    }
  });

  test("misuse D14, L07: inside blocks both ways agree on every byte, and the neighbours' bytes fault", () => {
    const core = open(TINY);
    for (const length of [1, 63, 64, 65, 5 * 64, 13 * 64 - 1]) {
      const address = take(core, length);
      const bytes = Math.ceil(length / 64) * 64;
      everyByteAgrees(core, address);
      const at = core.physicalOf(address);
      faults(core, "virtual", address - 64, 64);
      faults(core, "virtual", address + bytes, 64);
      faults(core, "physical", at - 64, 64);
      faults(core, "physical", at + bytes, 64);
      core.free(address);
      faults(core, "virtual", address, bytes);
      faults(core, "physical", at, bytes);
    }
    sound(core);
  });

  test("misuse L07: with many blocks live, every byte of the windows is either agreed upon or a fault", () => {
    const core = open(TINY);
    const below = generator(12);
    const live = new Map<number, number>();
    for (let i = 0; i < 25; i++) {
      const length = 1 + below(5 * 64);
      const address = core.allocate(length);
      if (address !== 0) live.set(address, Math.ceil(length / 64) * 64);
    }
    for (const address of [...live.keys()].filter(() => below(3) === 0)) {
      core.free(virtual(address));
      live.delete(address);
    }
    const held = new Set([...live].flatMap(([address, bytes]) => Array.from({ length: bytes }, (_, i) => address + i)));
    for (const address of live.keys()) everyByteAgrees(core, virtual(address));
    let mapped = 0;
    for (const zone of TINY.zones) {
      for (let at = zone.base; at < zone.base + zone.size; at++) {
        try {
          assert.ok(held.delete(core.virtualOf(physical(at))), "each physical byte is the inverse of one held byte");
          mapped++;
        } catch (error) {
          assert.is((error as { code?: string }).code, "TRANSLATION_FAULT");
        }
      }
    }
    assert.is(held.size, 0);
    assert.is(mapped, core.stats().liveBytes);
  });

  test("misuse D02, D03: after a free the fault is at once, after a new allocation only the new answer", () => {
    const core = open(SMALL);
    const below = generator(3);
    const live = new Map<VirtualAddress, PhysicalAddress>();
    const gone = new Set<VirtualAddress>();
    for (let i = 0; i < 2000; i++) {
      if (below(2) === 0) {
        const address = core.allocate((1 + below(6)) * FRAME);
        if (address === 0) continue;
        live.set(address, core.physicalOf(address));
        gone.delete(address);
      } else {
        const [address] = [...live.keys()].slice(below(Math.max(1, live.size)));
        if (address === undefined) continue;
        core.physicalOf(address);
        core.free(address);
        faults(core, "virtual", address, 1);
        live.delete(address);
        gone.add(address);
      }
      for (const [address, at] of live) assert.is(core.physicalOf(address), at);
    }
    sound(core);
  });

  test("misuse D04, D06: runs cover a range exactly once in order, offsets kept, ends partial", () => {
    const core = open(SMALL);
    const kept = checkered(core);
    const scattered = take(core, 6 * FRAME - 100, { contiguous: false });
    everyByteAgreesSparsely(core, scattered, 6);
    const whole = core.runs(scattered, 6 * FRAME);
    assert.is(whole.length, 6, "single frames, none next to another");
    assert.ok(whole.every((run) => run.lengthBytes === FRAME));
    assert.equal(core.runs(virtual(scattered + 10), 20), [
      { physical: (whole[0]?.physical ?? 0) + 10, lengthBytes: 20 },
    ]);
    assert.equal(core.runs(virtual(scattered + FRAME - 1), FRAME + 2), [
      { physical: (whole[0]?.physical ?? 0) + FRAME - 1, lengthBytes: 1 },
      { physical: whole[1]?.physical, lengthBytes: FRAME },
      { physical: whole[2]?.physical, lengthBytes: 1 },
    ]);
    const [single] = kept as [VirtualAddress];
    assert.equal(core.runs(virtual(single + 5), FRAME - 5), [
      { physical: core.physicalOf(single) + 5, lengthBytes: FRAME - 5 },
    ]);
    const fault = untouched(core, () => core.runs(virtual(scattered + FRAME), 6 * FRAME), "TRANSLATION_FAULT");
    assert.is(fault.value, scattered + 6 * FRAME, "the first unmapped address");
    sound(core);
  });

  function everyByteAgreesSparsely(core: CoreApi, address: VirtualAddress, frames: number): void {
    for (let frame = 0; frame < frames; frame++) {
      for (const offset of [0, 1, FRAME / 2, FRAME - 1]) {
        const at = virtual(address + frame * FRAME + offset);
        const there = core.translate(at);
        assert.is(there.physical % FRAME, offset);
        assert.is(core.virtualOf(there.physical), at as number);
        assert.ok(there.lengthBytes >= FRAME - offset);
      }
    }
  }

  test("runs of neighbouring blocks join where the memory does", () => {
    const core = open(SMALL);
    const [one, two] = [take(core, FRAME), take(core, FRAME)].sort((a, b) => a - b) as [VirtualAddress, VirtualAddress];
    const apart = two - one;
    if (apart === FRAME)
      assert.equal(core.runs(one, 2 * FRAME), [{ physical: core.physicalOf(one), lengthBytes: 2 * FRAME }]);
    else refuses(() => core.runs(one, 2 * FRAME), "TRANSLATION_FAULT");
    const all = open(SMALL);
    for (let i = 0; i < 64; i++) take(all, FRAME);
    const first = all.virtualOf(physical(MIB));
    assert.equal(all.runs(first, 64 * FRAME), [{ physical: MIB, lengthBytes: 64 * FRAME }]);
    assert.is(all.translate(first).lengthBytes, FRAME, "a lookup holds to the end of its block");
    const fault = refuses(() => all.runs(first, 64 * FRAME + 1), "TRANSLATION_FAULT");
    assert.is(fault.value, first + 64 * FRAME);
  });

  test("misuse D05: no length, and ends past the address space", () => {
    const core = open(SMALL);
    const address = take(core, FRAME);
    for (const length of [0, -1, 2 ** 52 - address + 1, 2 ** 53, Number.NaN])
      untouched(core, () => core.runs(address, length), "INVALID_ARGUMENT");
    untouched(core, () => core.runs(virtual(2 ** 52 - 1), 2), "INVALID_ARGUMENT");
    untouched(core, () => core.runs(virtual(2 ** 52 - 1), 1), "TRANSLATION_FAULT");
    const fault = untouched(core, () => core.runs(address, 2 ** 52 - address), "TRANSLATION_FAULT");
    assert.is(fault.value, address + FRAME);
  });

  test("a scattered block is gathered only when no single run serves, and only when allowed", () => {
    const core = open(SMALL);
    const early = take(core, 4 * FRAME, { contiguous: false });
    assert.is(core.runs(early, 4 * FRAME).length, 1);
    assert.ok(early < 2 ** 46 + 2 * MIB, "in the window");
    core.free(early);
    checkered(core);
    assert.is(core.allocate(2 * FRAME), 0);
    assert.is(core.lastFailure?.reason, "fragmented");
    const block = take(core, 32 * FRAME, { contiguous: false });
    assert.is(core.stats().freeBytes, 0);
    assert.is(core.allocate(1, { contiguous: false }), 0);
    assert.is(core.lastFailure?.reason, "exhausted");
    assert.is(core.runs(block, 32 * FRAME).length, 32);
    faults(core, "virtual", block - 1, 1);
    faults(core, "virtual", block + 32 * FRAME, 1);
    core.free(block, 32 * FRAME);
    faults(core, "virtual", block, 1);
    sound(core);
  });

  test("scattered blocks lie behind the windows with an unmapped frame between neighbours", () => {
    const core = open(SMALL);
    checkered(core);
    const blocks = [3, 2, 5].map((frames) => take(core, frames * FRAME - 1, { contiguous: false }));
    const windowEnd = 2 ** 46 + MIB + 64 * FRAME;
    const base = Math.ceil((windowEnd + GIB) / GIB) * GIB;
    assert.equal(blocks, [base, base + 4 * FRAME, base + 7 * FRAME], "first gap first");
    for (const [i, frames] of [3, 2, 5].entries()) {
      faults(core, "virtual", (blocks[i] ?? 0) - 1, 1);
      faults(core, "virtual", (blocks[i] ?? 0) + frames * FRAME, 1);
    }
    core.free(blocks[1] as VirtualAddress);
    assert.is(take(core, 3 * FRAME, { contiguous: false }), base + 13 * FRAME, "too long for the gap");
    assert.is(take(core, 2 * FRAME, { contiguous: false }), base + 4 * FRAME, "as long as the gap");
    sound(core);
  });

  test("every piece of a scattered block keeps alignment, highest and node", () => {
    const zones = [
      { base: 16 * FRAME, size: 64 * FRAME, node: 1 },
      { base: 4 * GIB, size: 64 * FRAME, node: 2 },
    ];
    const core = open({ zones, arena: null });
    const kept: VirtualAddress[] = [];
    for (let i = 0; i < 128; i++) kept.push(take(core, FRAME));
    for (const address of kept) {
      const frame = core.physicalOf(address) / FRAME;
      if (frame % 8 >= 4 && frame % 8 < 7) core.free(address);
    }
    const low = take(core, 10 * FRAME, { contiguous: false, highest: 4 * GIB - 1 });
    assert.ok(core.runs(low, 10 * FRAME).every((run) => run.physical + run.lengthBytes <= 4 * GIB));
    const node = take(core, 5 * FRAME, { contiguous: false, node: 2 });
    assert.ok(core.runs(node, 5 * FRAME).every((run) => run.physical >= 4 * GIB));
    const aligned = take(core, 6 * FRAME, { contiguous: false, alignment: 2 * FRAME });
    let offset = 0;
    for (const run of core.runs(aligned, 6 * FRAME)) {
      assert.is(run.physical % (2 * FRAME), 0);
      assert.is(offset % (2 * FRAME), 0, "offset and physical address agree modulo the alignment");
      offset += run.lengthBytes;
    }
    assert.is(core.allocate(40 * FRAME, { contiguous: false, node: 1 }), 0);
    sound(core);
  });

  test("a foreign range appears run after run, at any byte, and both ways", () => {
    const core = open(TINY);
    const at = 2 ** 50 + 3;
    core.map(virtual(at), [
      { physical: 2 ** 40 + 7, lengthBytes: 5 },
      { physical: 2 ** 39, lengthBytes: 64 },
      { physical: 2 ** 40 + 100, lengthBytes: 1 },
    ]);
    const expected = [
      ...Array.from({ length: 5 }, (_, i) => 2 ** 40 + 7 + i),
      ...Array.from({ length: 64 }, (_, i) => 2 ** 39 + i),
      2 ** 40 + 100,
    ];
    expected.forEach((byte, i) => {
      assert.is(core.physicalOf(virtual(at + i)), byte);
      assert.is(core.virtualOf(physical(byte)), at + i);
    });
    assert.equal(core.runs(virtual(at + 4), 3), [
      { physical: 2 ** 40 + 11, lengthBytes: 1 },
      { physical: 2 ** 39, lengthBytes: 2 },
    ]);
    assert.equal(core.translate(virtual(at + 6)), { physical: 2 ** 39 + 1, lengthBytes: 63 });
    faults(core, "virtual", at - 1, 1);
    faults(core, "virtual", at + 70, 1);
    faults(core, "physical", 2 ** 40 + 12, 80);
    sound(core);
    core.unmap(virtual(at));
    faults(core, "virtual", at, 70);
    faults(core, "physical", 2 ** 39, 64);
    sound(core);
  });

  test("runs that follow each other physically are one run to whoever asks", () => {
    const core = open(TINY);
    core.map(virtual(2 ** 50), [
      { physical: 2 ** 40, lengthBytes: 10 },
      { physical: 2 ** 40 + 10, lengthBytes: 20 },
      { physical: 2 ** 40 + 31, lengthBytes: 1 },
    ]);
    assert.equal(core.runs(virtual(2 ** 50), 31), [
      { physical: 2 ** 40, lengthBytes: 30 },
      { physical: 2 ** 40 + 31, lengthBytes: 1 },
    ]);
    core.map(virtual(2 ** 50 + 31), [{ physical: 2 ** 40 + 32, lengthBytes: 8 }]);
    assert.equal(core.runs(virtual(2 ** 50 + 30), 9), [{ physical: 2 ** 40 + 31, lengthBytes: 9 }]);
    sound(core);
  });

  test("misuse D08, D15: a range that meets a window, a zone or another mapping is refused", () => {
    const core = open(SMALL);
    const window = 2 ** 46 + MIB;
    core.map(virtual(2 ** 50), [{ physical: 2 ** 40, lengthBytes: FRAME }]);
    checkered(core);
    const scattered = take(core, 3 * FRAME, { contiguous: false });
    const run = (at: number, lengthBytes: number): { physical: number; lengthBytes: number } => ({
      physical: at,
      lengthBytes,
    });
    const bad: readonly (readonly [string, number, readonly { physical: number; lengthBytes: number }[]])[] = [
      ["the window's first byte", window - 9, [run(2 ** 41, 10)]],
      ["the window's last byte", window + 64 * FRAME - 1, [run(2 ** 41, 10)]],
      ["the whole window", window - 10, [run(2 ** 41, MIB)]],
      ["inside the window", window + FRAME, [run(2 ** 41, 1)]],
      ["the same mapping", 2 ** 50, [run(2 ** 41, FRAME)]],
      ["a mapping's last byte", 2 ** 50 + FRAME - 1, [run(2 ** 41, 1)]],
      ["a mapping's first byte", 2 ** 50 - 9, [run(2 ** 41, 10)]],
      ["a scattered block", scattered + FRAME, [run(2 ** 41, 1)]],
      ["around a scattered block", scattered - 1, [run(2 ** 41, MIB)]],
      ["a zone", 2 ** 51, [run(MIB, FRAME)]],
      ["a zone's last byte", 2 ** 51, [run(MIB + 64 * FRAME - 1, 2)]],
      ["a zone by the second run", 2 ** 51, [run(2 ** 41, 1), run(MIB - 1, 2)]],
      ["another mapping's bytes", 2 ** 51, [run(2 ** 40 + FRAME - 1, 1)]],
      ["around another mapping's bytes", 2 ** 51, [run(2 ** 40 - 5, MIB)]],
      ["one run twice", 2 ** 51, [run(2 ** 41, 5), run(2 ** 41 + 4, 5)]],
      ["an end past 2^52", 2 ** 52 - 5, [run(2 ** 41, 3), run(2 ** 42, 3)]],
      ["a run past 2^52", 2 ** 51, [run(2 ** 52 - 5, 6)]],
      ["no runs", 2 ** 51, []],
      ["a run without bytes", 2 ** 51, [run(2 ** 41, 0)]],
      ["a run of half a byte", 2 ** 51, [run(2 ** 41, 0.5)]],
    ];
    for (const [what, at, runs] of bad) untouched(core, () => core.map(virtual(at), runs), "INVALID_ARGUMENT", what);
    for (const runs of [undefined, null, 7, "runs", [null], [undefined], [7], { length: 0 }])
      untouched(core, () => core.map(virtual(2 ** 51), runs as never), "INVALID_ARGUMENT", String(runs));
    core.map(virtual(2 ** 50 + FRAME), [run(2 ** 40 + FRAME, 1)]);
    core.map(virtual(window - 5), [run(MIB - 5, 5)]);
    core.map(virtual(window + 64 * FRAME), [run(MIB + 64 * FRAME, 5)]);
    core.map(virtual(2 ** 52 - 5), [run(2 ** 52 - 5, 5)]);
    sound(core);
  });

  test("misuse D09: only what map registered, by its start, is unmapped", () => {
    const core = open(SMALL);
    core.map(virtual(2 ** 50), [
      { physical: 2 ** 40, lengthBytes: 10 },
      { physical: 2 ** 41, lengthBytes: 10 },
    ]);
    core.map(virtual(2 ** 50 + 20), [{ physical: 2 ** 42, lengthBytes: 10 }]);
    checkered(core);
    const scattered = take(core, 3 * FRAME, { contiguous: false });
    for (const inside of [1, 9, 10, 19, 21, 29])
      untouched(core, () => core.unmap(virtual(2 ** 50 + inside)), "INTERIOR_ADDRESS", `${inside}`);
    for (const block of [scattered, scattered + FRAME])
      untouched(core, () => core.unmap(virtual(block)), "INVALID_ARGUMENT", `${block}`);
    for (const outside of [2 ** 50 - 1, 2 ** 50 + 30, 2 ** 40, 1, scattered + 3 * FRAME])
      untouched(core, () => core.unmap(virtual(outside)), "FOREIGN_ADDRESS", `${outside}`);
    const before = core.digest();
    core.unmap(virtual(2 ** 50));
    untouched(core, () => core.unmap(virtual(2 ** 50)), "FOREIGN_ADDRESS");
    core.map(virtual(2 ** 50), [
      { physical: 2 ** 40, lengthBytes: 10 },
      { physical: 2 ** 41, lengthBytes: 10 },
    ]);
    assert.is(core.digest(), before);
    sound(core);
  });

  test("many mappings: each is found, none is found between them", () => {
    const core = open(SMALL);
    const order = Array.from({ length: 300 }, (_, i) => (i * 7919) % 300);
    for (const i of order)
      core.map(virtual(2 ** 50 + i * 100), [{ physical: 2 ** 45 - i * 1000, lengthBytes: 60 + (i % 40) }]);
    sound(core);
    for (let i = 0; i < 300; i++) {
      const length = 60 + (i % 40);
      assert.equal(core.translate(virtual(2 ** 50 + i * 100 + 3)), {
        physical: 2 ** 45 - i * 1000 + 3,
        lengthBytes: length - 3,
      });
      assert.is(core.virtualOf(physical(2 ** 45 - i * 1000 + length - 1)), 2 ** 50 + i * 100 + length - 1);
      faults(core, "virtual", 2 ** 50 + i * 100 + length, 1);
      faults(core, "physical", 2 ** 45 - i * 1000 + length, 1);
    }
    for (const i of order) {
      core.unmap(virtual(2 ** 50 + i * 100));
      faults(core, "virtual", 2 ** 50 + i * 100, 1);
    }
    assert.is(core.digest(), open(SMALL).digest());
    sound(core);
  });

  test("address arithmetic is exact at the edges of windows and of the address space", () => {
    const top = { base: 2 ** 52 - 8 * FRAME, size: 8 * FRAME };
    const core = open({
      zones: [{ base: FRAME, size: 3 * FRAME }, top, { base: 4 * GIB - 2 * FRAME, size: 4 * FRAME }],
      arena: null,
    });
    const blocks: VirtualAddress[] = [];
    for (;;) {
      const address = core.allocate(1);
      if (address === 0) break;
      blocks.push(address);
    }
    assert.is(blocks.length, 15);
    for (const address of blocks) {
      const at = core.physicalOf(address);
      assert.is(core.physicalOf(virtual(address + FRAME - 1)), at + FRAME - 1);
      assert.is(core.virtualOf(physical(at + FRAME - 1)), address + FRAME - 1);
      assert.is(address % 2 ** 32, at % 2 ** 32, "the low words agree");
    }
    faults(core, "virtual", core.virtualOf(physical(2 ** 52 - 1)) + 1, 1);
    faults(core, "virtual", core.virtualOf(physical(FRAME)) - 1, 1);
    faults(core, "physical", 4 * GIB + 2 * FRAME, 1);
    faults(core, "physical", 4 * GIB - 2 * FRAME - 1, 1);
  });

  test("identity: scattered blocks have addresses of their own, above 2^46 and all zones", () => {
    for (const base of [MIB, 2 ** 47]) {
      const core = open({ zones: [{ base, size: 64 * FRAME }], virtualBase: "identity", arena: null });
      checkered(core);
      const block = take(core, 4 * FRAME, { contiguous: false });
      assert.is(block, base === MIB ? 2 ** 46 : 2 ** 47 + 2 * GIB);
      everyByteAgreesSparsely(core, block, 4);
      const [run] = core.runs(block, 1);
      faults(core, "virtual", run?.physical ?? 0, FRAME);
      sound(core);
    }
  });

  test("when the virtual space is full a scattered block is out of memory, and nothing is lost", () => {
    const zones = [{ base: 3 * GIB, size: 64 * FRAME }];
    const core = open({ zones, virtualBase: 2 ** 52 - 4 * GIB, arena: null });
    checkered(core);
    const before = [core.digest(), core.stats().freeBytes];
    assert.is(core.allocate(2 * FRAME, { contiguous: false }), 0);
    assert.equal([core.digest(), core.stats().freeBytes], before);
    sound(core);
  });

  test.run();
}
