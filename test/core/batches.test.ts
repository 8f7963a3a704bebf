/**
 * Many requests in one call: the same answers as one by one, in order. Misuse B18 and B19 are in freeing.test.ts.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { AllocationBatch, PhysicalAddress } from "../../bindings/index.js";
import { FRAME, GIB, generator, loosely, MIB, SMALL, sound, take, untouched } from "./expect.js";
import { implementations } from "./implementations.js";

function batchOf(
  lengths: readonly number[],
  highest: readonly number[] = [],
  tags: readonly number[] = [],
): AllocationBatch {
  return {
    count: lengths.length,
    lengths: Uint32Array.from(lengths),
    highest: Float64Array.from(lengths.map((_, i) => highest[i] ?? 2 ** 52 - 1)),
    tags: Uint32Array.from(lengths.map((_, i) => tags[i] ?? 0)),
    addresses: new Float64Array(lengths.length).fill(-1),
    physicals: new Float64Array(lengths.length).fill(-1),
  };
}

for (const { name, open } of implementations) {
  const test = suite(`batches, ${name}`);

  test("a batch is the same requests one by one", () => {
    const below = generator(21);
    const [many, single] = [open(SMALL), open(SMALL)];
    for (let round = 0; round < 30; round++) {
      const lengths = Uint32Array.from({ length: 1 + below(20) }, () => 1 + below(4 * FRAME));
      const addresses = new Float64Array(lengths.length);
      const physicals = new Float64Array(lengths.length);
      const served = many.allocateBatch(lengths, addresses, physicals);
      const expected = [...lengths].map((length) => single.allocate(length));
      assert.equal([...addresses], expected);
      assert.is(served, expected.filter((address) => address !== 0).length);
      addresses.forEach((address, i) => {
        if (address === 0) assert.is(physicals[i], 0);
        else assert.is(many.virtualOf(physicals[i] as PhysicalAddress), address);
      });
      assert.equal(many.stats(), single.stats());
      assert.equal(many.lastFailure, single.lastFailure);
      const live = addresses.filter((address) => address !== 0);
      many.freeBatch(live.filter((_, i) => i % 3 !== round % 3));
      for (const address of live.filter((_, i) => i % 3 !== round % 3)) single.free(address as never);
      assert.is(many.digest(), single.digest());
      assert.is(many.imageDigest(), single.imageDigest());
    }
    sound(many);
  });

  test("entries behind one that is out of memory are tried too", () => {
    const core = open(SMALL);
    const addresses = new Float64Array(6).fill(7);
    const served = core.allocateBatch(Uint32Array.of(32 * FRAME, 33 * FRAME, 32 * FRAME, 1, 2 ** 32 - 1), addresses);
    assert.is(served, 2);
    assert.equal(
      [...addresses].map((address) => address > 0),
      [true, false, true, false, false, true],
    );
    assert.is(addresses[5], 7, "behind the lengths nothing is written");
    assert.is(core.stats().failures, 3);
    assert.is(core.stats().freeBytes, 0);
    sound(core);
  });

  test("a batch longer than any ring", () => {
    const core = open({ zones: [{ base: MIB, size: 4 * MIB }], frameSize: 1024, arena: null });
    const lengths = new Uint32Array(5000).fill(1000);
    const addresses = new Float64Array(5000);
    assert.is(core.allocateBatch(lengths, addresses), 4096);
    assert.is(new Set(addresses).size, 4097);
    core.freeBatch(addresses.filter((address) => address !== 0));
    assert.is(core.stats().liveBlocks, 0);
    sound(core);
  });

  test("one invalid length refuses all, with its index", () => {
    const core = open(SMALL);
    for (const index of [0, 3, 7]) {
      const lengths = new Uint32Array(8).fill(FRAME);
      lengths[index] = 0;
      const addresses = new Float64Array(8).fill(-5);
      const error = untouched(core, () => core.allocateBatch(lengths, addresses), "INVALID_ARGUMENT");
      assert.is(error.index, index);
      assert.ok(
        addresses.every((address) => address === -5),
        "nothing written",
      );
    }
  });

  test("arrays of another kind, or too short, are refused", () => {
    const core = open(SMALL);
    const live = take(core, FRAME);
    const two = Uint32Array.of(1, 2);
    for (const args of [
      [undefined, new Float64Array(2)],
      [[1, 2], new Float64Array(2)],
      [Float64Array.of(1, 2), new Float64Array(2)],
      [two, undefined],
      [two, [0, 0]],
      [two, new Float32Array(2)],
      [two, new BigInt64Array(2)],
      [two, new Float64Array(1)],
      [two, new Float64Array(2), new Float64Array(1)],
      [two, new Float64Array(2), new Uint32Array(2)],
      [two, new Float64Array(2), null],
    ]) {
      untouched(core, () => loosely(core, "allocateBatch", ...args), "INVALID_ARGUMENT");
    }
    for (const list of [undefined, null, [live], Uint32Array.of(1), new BigUint64Array(1), live])
      untouched(core, () => loosely(core, "freeBatch", list), "INVALID_ARGUMENT");
    core.free(live);
  });

  test("an empty batch is served", () => {
    const core = open(SMALL);
    const before = [core.digest(), core.imageDigest()];
    assert.is(core.allocateBatch(new Uint32Array(0), new Float64Array(0)), 0);
    core.freeBatch(new Float64Array(0));
    assert.is(core.serveBatch(batchOf([])), 0);
    assert.equal([core.digest(), core.imageDigest()], before);
  });

  test("serveBatch keeps each entry's limit and tag", () => {
    const zones = [
      { base: MIB, size: MIB },
      { base: 4 * GIB, size: MIB },
    ];
    const core = open({ zones, tags: true, arena: null });
    const batch = batchOf(
      [FRAME, 5 * FRAME, 100, MIB, MIB + 1, FRAME],
      [4 * GIB - 1, 2 ** 52 - 1, MIB + FRAME - 1, 4 * GIB - 1],
      [1, 2, 3, 4, 5, 6],
    );
    const served = core.serveBatch(batch);
    const [one, two, three, four, five, six] = batch.physicals;
    assert.ok(one !== undefined && one < 2 * MIB);
    assert.ok(two !== undefined && two >= 4 * GIB);
    assert.is(three === MIB || three === 0, true);
    assert.is(three === 0, one === MIB, "only if its one frame was free");
    assert.is(four, 0);
    assert.is(five, 0);
    assert.ok(six !== undefined && six >= 4 * GIB);
    assert.is(served, batch.addresses.filter((address) => address !== 0).length);
    batch.addresses.forEach((address, i) => {
      if (address === 0) return;
      const at = address as Parameters<typeof core.free>[0];
      assert.is(core.physicalOf(at), batch.physicals[i]);
      assert.is(core.explain(at).block?.tag, i + 1);
      assert.is(core.lengthOf(at), batch.lengths[i]);
      core.free(at, batch.lengths[i], i + 1);
    });
    sound(core);
  });

  test("serveBatch looks at no more entries than count, ignores tags where there are none, and may be long", () => {
    const core = open({ zones: [{ base: MIB, size: 4 * MIB }], arena: null });
    const batch = batchOf(
      Array.from({ length: 700 }, () => FRAME),
      [],
      Array.from({ length: 700 }, (_, i) => i),
    );
    batch.count = 600;
    assert.is(core.serveBatch(batch), 600);
    assert.is(core.stats().liveBlocks, 600);
    assert.ok(batch.addresses.subarray(600).every((address) => address === -1));
    assert.ok(batch.physicals.subarray(600).every((address) => address === -1));
    core.freeBatch(batch.addresses.subarray(0, 600));
    assert.is(core.stats().liveBlocks, 0);
    sound(core);
  });

  test.run();
}
