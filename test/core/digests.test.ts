/**
 * Digests: the same state has the same digest, every difference shows, and what is no state does not. Misuse L05, L06.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CoreApi, CoreOptions, PhysicalAddress, VirtualAddress } from "../../bindings/index.js";
import { FRAME, generator, MIB, SMALL, shuffled, sound, take } from "./expect.js";
import { implementations } from "./implementations.js";

// Computed from the definition by a program of its own (docs/wire-format.md has the words); a core that disagrees has
// another wire format.
const EMPTY_SMALL = "d4d837fe2a275d46";
const FULL_SMALL = "049431e0c59a4beb";

const TAGGED: CoreOptions = { ...SMALL, tags: true };

for (const { name, open } of implementations) {
  const test = suite(`digests, ${name}`);

  test("16 lower-case hex digits, the same in every implementation", () => {
    assert.is(open(SMALL).digest(), EMPTY_SMALL);
    const full = open(TAGGED);
    const address = take(full, 64 * FRAME - 1, { tag: 0xdeadbeef });
    full.map((2 ** 50 + 1) as VirtualAddress, [
      { physical: 2 ** 40, lengthBytes: 3 },
      { physical: 2 ** 40 + 3, lengthBytes: 4 },
      { physical: 2 ** 51 + 5, lengthBytes: 2 ** 33 },
    ]);
    assert.is(full.digest(), FULL_SMALL);
    full.free(address);
    for (const core of [open(SMALL), full]) {
      assert.match(core.digest(), /^[0-9a-f]{16}$/);
      assert.match(core.imageDigest(), /^[0-9a-f]{16}$/);
    }
  });

  test("every part of the logical state shows", () => {
    const zone = { base: MIB, size: 64 * FRAME };
    const variants: readonly (() => CoreApi)[] = [
      () => open(SMALL),
      () => open({ zones: [{ ...zone, base: 2 * MIB }], arena: null }),
      () => open({ zones: [{ ...zone, size: 32 * FRAME }], arena: null }),
      () => open({ zones: [{ ...zone, node: 1 }], arena: null }),
      () => open({ zones: [zone], frameSize: 2048, arena: null }),
      () => open({ zones: [zone], virtualBase: 2 ** 45, arena: null }),
      () => open({ zones: [zone], virtualBase: "identity", arena: null }),
      () => open({ zones: [zone, { base: 4 * MIB, size: FRAME }], arena: null }),
      () => open({ zones: [{ base: 4 * MIB, size: FRAME }, zone], arena: null }),
      ...[FRAME, FRAME - 1, FRAME + 1, 64 * FRAME, 63 * FRAME + 1].map((length) => () => {
        const core = open(TAGGED);
        take(core, length);
        return core;
      }),
      ...[1, 2, 2 ** 31, 2 ** 32 - 1].map((tag) => () => {
        const core = open(TAGGED);
        take(core, FRAME, { tag });
        return core;
      }),
      ...[1, 2, 3].map((start) => () => {
        const core = open(TAGGED);
        for (let i = 0; i < 64; i++) take(core, FRAME);
        for (let i = 0; i < 64; i++) {
          if (i !== start) core.free(core.virtualOf((MIB + i * FRAME) as PhysicalAddress));
        }
        return core;
      }),
      ...[
        [2 ** 50, 2 ** 40, 8, 0],
        [2 ** 50 + 1, 2 ** 40, 8, 0],
        [2 ** 50, 2 ** 40 + 1, 8, 0],
        [2 ** 50, 2 ** 40, 9, 0],
        [2 ** 50, 2 ** 40, 4, 4],
      ].map(([virtual = 0, physical = 0, first = 0, second = 0]) => () => {
        const core = open(SMALL);
        const runs = [{ physical, lengthBytes: first }];
        if (second > 0) runs.push({ physical: physical + 100, lengthBytes: second });
        core.map(virtual as VirtualAddress, runs);
        return core;
      }),
    ];
    const digests = variants.map((make) => make().digest());
    assert.is(new Set(digests).size, variants.length);
    const images = variants.map((make) => make().imageDigest());
    assert.is(new Set(images).size, variants.length);
  });

  test("the order of operations does not show, and neither does what was freed", () => {
    const below = generator(8);
    const lengths = [FRAME, 3 * FRAME, 5 * FRAME - 1, 16 * FRAME, 100];
    const core = open(TAGGED);
    const list = lengths.map((length, i) => ({ address: take(core, length, { tag: i }), length, tag: i }));
    const digest = core.digest();
    for (let round = 0; round < 20; round++) {
      const other = open(TAGGED);
      const fillers: VirtualAddress[] = [];
      for (let i = 0; i < 64; i++) fillers.push(take(other, FRAME));
      const wanted = shuffled(list, below);
      for (const { address, length, tag } of wanted) {
        const frames = Math.ceil(length / FRAME);
        const inside = fillers.filter((one) => one >= address && one < address + frames * FRAME);
        for (const filler of inside) other.free(filler);
        assert.is(take(other, length, { tag, alignment: 1 }), address, "the only place left");
      }
      for (const filler of shuffled(fillers, below)) {
        if (!list.some(({ address, length }) => filler >= address && filler < address + length)) other.free(filler);
      }
      assert.is(other.digest(), digest, "the same blocks, the same digest");
      assert.is.not(other.imageDigest(), "");
      sound(other);
    }
  });

  test("counters and flushing do not show", () => {
    const core = open(SMALL);
    const address = take(core, FRAME);
    const [digest, image] = [core.digest(), core.imageDigest()];
    core.allocate(2 ** 30);
    core.flush();
    core.flush();
    assert.is(core.digest(), digest);
    assert.is(core.imageDigest(), image);
    core.free(address);
    core.flush();
    assert.is(core.digest(), open(SMALL).digest());
  });

  test("the image shows what the digest does not: an address that was a start once answers differently", () => {
    const [used, fresh] = [open(SMALL), open(SMALL)];
    used.free(take(used, FRAME));
    used.flush();
    assert.is(used.digest(), fresh.digest());
    assert.is.not(used.imageDigest(), fresh.imageDigest());
  });

  test("misuse L05: everything freed, in any order, is the beginning", () => {
    const below = generator(99);
    const core = open(TAGGED);
    const empty = core.digest();
    for (let round = 0; round < 40; round++) {
      const live: VirtualAddress[] = [];
      const mapped: VirtualAddress[] = [];
      for (let i = 0; i < 60; i++) {
        const address = core.allocate(1 + below(6 * FRAME), { contiguous: below(2) === 0, tag: below(5) });
        if (address !== 0) live.push(address);
        if (below(4) === 0 && live.length > 0) core.free(live.splice(below(live.length), 1)[0] as VirtualAddress);
        if (below(10) === 0) {
          const at = (2 ** 50 + i * 1000) as VirtualAddress;
          core.map(at, [{ physical: 2 ** 40 + i * 1000, lengthBytes: 1 + below(1000) }]);
          mapped.push(at);
        }
      }
      for (const at of shuffled(mapped, below)) core.unmap(at);
      for (const address of shuffled(live, below)) core.free(address);
      assert.is(core.digest(), empty);
      sound(core);
    }
  });

  test.run();
}
