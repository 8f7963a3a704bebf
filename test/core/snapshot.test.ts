/**
 * Snapshots: the whole state there and back, and every damage refused. Misuse K08 to K10.
 *
 * timeout: 300 s
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CoreApi, CoreOptions, VirtualAddress } from "../../bindings/index.js";
import { FRAME, GIB, generator, loosely, MIB, refuses, SMALL, sound, take, untouched } from "./expect.js";
import { implementations } from "./implementations.js";

const TINY: CoreOptions = { zones: [{ base: 64 * 3, size: 64 * 20 }], frameSize: 64, tags: true, arena: null };

/** Blocks, a scattered block, a mapping, a tombstone, a failure. Answers addresses to ask about. */
function furnish(core: CoreApi): VirtualAddress[] {
  const { frameSize } = core;
  const tag = { tag: 3 };
  const blocks: VirtualAddress[] = [];
  for (;;) {
    const address = core.allocate(frameSize, tag);
    if (address === 0) break;
    blocks.push(address);
  }
  const freed = blocks.filter((address) => (core.physicalOf(address) / frameSize) % 2 === 0);
  for (const address of freed) core.free(address);
  const scattered = take(core, 3 * frameSize - 1, { contiguous: false, tag: 4 });
  core.map((2 ** 50) as VirtualAddress, [{ physical: 2 ** 41 + 1, lengthBytes: 33 }]);
  return [...blocks, scattered, (2 ** 50) as VirtualAddress];
}

/** Everything a core can be asked, as plain data. */
function answers(core: CoreApi, addresses: readonly VirtualAddress[]): unknown {
  const said = (ask: () => unknown): unknown => {
    try {
      return ask();
    } catch (error) {
      return (error as { code?: string }).code;
    }
  };
  const each = addresses.map((address) => [
    said(() => core.lengthOf(address)),
    said(() => core.translate(address)),
    core.explain(address).state,
  ]);
  return { digest: core.digest(), image: core.imageDigest(), stats: core.stats(), broken: core.verify(), each };
}

for (const { name, open } of implementations) {
  const test = suite(`snapshot, ${name}`);

  test("there and back: every answer is the same, in the same core and in another", () => {
    const core = open(TINY);
    const addresses = furnish(core);
    const before = answers(core, addresses);
    const image = core.snapshot();
    const copy = image.slice();
    const other = open(TINY);
    other.restore(image);
    assert.equal(answers(other, addresses), before);
    for (const address of addresses) if (core.explain(address).state === "live") core.free(address);
    core.unmap((2 ** 50) as VirtualAddress);
    core.restore(image);
    assert.equal(answers(core, addresses), before);
    assert.equal(image, copy, "restoring does not write to the snapshot");
    sound(core);
  });

  test("a snapshot is a copy: neither later calls nor writes to it reach the core", () => {
    const core = open(TINY);
    const image = core.snapshot();
    const copy = image.slice();
    take(core, 64);
    assert.equal(image, copy);
    const digest = core.digest();
    image.fill(0);
    assert.is(core.digest(), digest);
    core.restore(copy);
    copy.fill(0xff);
    sound(core);
    assert.is(core.stats().liveBlocks, 0);
  });

  test("a restored core goes on exactly as the first did", () => {
    const [one, two] = [open(TINY), open(TINY)];
    furnish(one);
    two.restore(one.snapshot());
    const below = generator(17);
    for (let i = 0; i < 300; i++) {
      const length = 1 + below(300);
      const options = { contiguous: below(3) !== 0, tag: below(9) };
      const address = one.allocate(length, options);
      assert.is(two.allocate(length, options), address);
      if (address !== 0 && below(3) !== 0) {
        one.free(address);
        two.free(address);
      }
      if (address === 0) assert.equal(two.lastFailure, one.lastFailure);
      if (i % 20 === 0)
        assert.equal([one.digest(), one.imageDigest(), one.stats()], [two.digest(), two.imageDigest(), two.stats()]);
    }
  });

  test("misuse K10: restoring replaces live blocks", () => {
    const core = open(TINY);
    const image = core.snapshot();
    const address = take(core, 100);
    core.restore(image);
    refuses(() => core.free(address), "NEVER_ALLOCATED");
    assert.is(core.stats().liveBlocks, 0);
    assert.is(core.digest(), open(TINY).digest());
    sound(core);
  });

  test("misuse K08: truncated at every length, and with a byte too many", () => {
    const core = open(TINY);
    furnish(core);
    const image = core.snapshot();
    const target = open(TINY);
    const live = take(target, 64);
    const before = [target.digest(), target.imageDigest(), JSON.stringify(target.stats())];
    // Every length of a long snapshot would take minutes to no purpose: all short ones, all near the end, and a sample.
    for (let length = 0; length < image.length; length += length < 600 || length > image.length - 600 ? 1 : 97)
      refuses(() => target.restore(image.subarray(0, length)), "BAD_SNAPSHOT", `${length} bytes`);
    refuses(() => target.restore(Uint8Array.of(...image.subarray(0, 100), 0)), "BAD_SNAPSHOT");
    const longer = new Uint8Array(image.length + 1);
    longer.set(image);
    refuses(() => target.restore(longer), "BAD_SNAPSHOT");
    assert.equal([target.digest(), target.imageDigest(), JSON.stringify(target.stats())], before);
    target.free(live);
  });

  test("misuse K08: any flipped byte", () => {
    const core = open(TINY);
    furnish(core);
    const image = core.snapshot();
    const target = open(TINY);
    const live = take(target, 64);
    const before = [target.digest(), target.imageDigest(), JSON.stringify(target.stats())];
    const step = Math.max(1, Math.floor(image.length / 20000));
    for (let at = 0; at < image.length; at += at < 4096 ? 1 : step) {
      for (const flip of at % 64 === 0 ? [0x01, 0x80, 0xff] : [1 << (at % 8)]) {
        const damaged = image.slice();
        damaged[at] = (damaged[at] as number) ^ flip;
        refuses(() => target.restore(damaged), "BAD_SNAPSHOT", `byte ${at} ^ ${flip}`);
      }
    }
    assert.equal([target.digest(), target.imageDigest(), JSON.stringify(target.stats())], before);
    assert.is(target.lengthOf(live), 64);
    target.restore(image);
    sound(target);
  });

  test("misuse K08: what is no snapshot", () => {
    const core = open(TINY);
    for (const bytes of [new Uint8Array(0), new Uint8Array(20), new Uint8Array(70000), new TextEncoder().encode("{}")])
      untouched(core, () => core.restore(bytes), "BAD_SNAPSHOT");
    for (const value of [
      undefined,
      null,
      "snapshot",
      7,
      {},
      [],
      new ArrayBuffer(64),
      new Float64Array(64),
      new DataView(new ArrayBuffer(64)),
    ])
      untouched(core, () => loosely(core, "restore", value), "BAD_SNAPSHOT");
  });

  test("misuse K08: of a core with other zones, frames, windows or tags", () => {
    const zone = { base: MIB, size: 64 * FRAME };
    const core = open(SMALL);
    const others: readonly CoreOptions[] = [
      { ...SMALL, tags: true },
      { ...SMALL, frameSize: 2048 },
      { ...SMALL, virtualBase: 2 ** 45 },
      { ...SMALL, virtualBase: "identity" },
      { zones: [{ ...zone, node: 1 }], arena: null },
      { zones: [{ ...zone, base: MIB + FRAME }], arena: null },
      { zones: [{ ...zone, base: MIB + GIB }], arena: null },
      { zones: [{ ...zone, size: 65 * FRAME }], arena: null },
      { zones: [{ ...zone, size: 128 * FRAME }], arena: null },
      { zones: [zone, { base: 8 * MIB, size: FRAME }], arena: null },
    ];
    for (const options of others) {
      const other = open(options);
      untouched(core, () => core.restore(other.snapshot()), "BAD_SNAPSHOT", JSON.stringify(options));
      untouched(other, () => other.restore(core.snapshot()), "BAD_SNAPSHOT", JSON.stringify(options));
    }
    const same = open({
      zones: [{ ...zone, node: 0, arenaOffset: 4096 }],
      frameSize: 4096,
      virtualBase: 2 ** 46,
      tags: false,
    });
    core.restore(same.snapshot());
    sound(core);
  });

  test("a snapshot may lie anywhere in a larger buffer", () => {
    const core = open(TINY);
    furnish(core);
    const image = core.snapshot();
    for (const offset of [1, 3, 8]) {
      const room = new Uint8Array(image.length + 20);
      room.set(image, offset);
      const other = open(TINY);
      other.restore(room.subarray(offset, offset + image.length));
      assert.is(other.digest(), core.digest());
    }
  });

  test.run();
}
