/**
 * Giving blocks back, and every wrong way to do it. Misuse B01 to B11, B13, B18, B19, B22.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CoreApi, ErrorCode, VirtualAddress } from "../../bindings/index.js";
import { FRAME, MIB, SMALL, sound, take, untouched } from "./expect.js";
import { implementations } from "./implementations.js";

/** `free` (with and without a length), `lengthOf` and a batch all refuse an address in the same way (misuse B22). */
function refusedEverywhere(core: CoreApi, address: number, code: ErrorCode, context = ""): void {
  const bad = address as VirtualAddress;
  const what = `${context} ${address}`;
  for (const call of [
    () => core.free(bad),
    () => core.free(bad, FRAME),
    () => core.free(bad, 1),
    () => core.lengthOf(bad),
  ]) {
    const error = untouched(core, call, code, what);
    assert.is(error.value, address, what);
    assert.is(error.unit, "address", what);
  }
  assert.is(untouched(core, () => core.freeBatch(Float64Array.of(address)), code, what).index, 0);
}

for (const { name, open } of implementations) {
  const test = suite(`freeing, ${name}`);

  test("misuse B01: a second free while the buddy is live", () => {
    const core = open(SMALL);
    const [one, two] = [take(core, FRAME), take(core, FRAME)];
    core.free(one, FRAME);
    refusedEverywhere(core, one, "ALREADY_FREED");
    core.free(two);
    sound(core);
  });

  test("misuse B02: a second free after the block merged with its buddy", () => {
    const core = open(SMALL);
    const blocks = Array.from({ length: 64 }, () => take(core, FRAME));
    for (const address of blocks) core.free(address);
    core.flush();
    for (const address of blocks) refusedEverywhere(core, address, "ALREADY_FREED");
    sound(core);
  });

  test("misuse B03: a second free after the frames were handed out again in a larger block", () => {
    const core = open({ zones: SMALL.zones });
    const blocks = Array.from({ length: 64 }, () => take(core, FRAME));
    for (const address of blocks) core.free(address);
    const large = take(core, 64 * FRAME);
    const bytes = core.bytes(large, 64 * FRAME).fill(0x5a);
    for (const address of blocks) {
      if (address !== large) refusedEverywhere(core, address, "INTERIOR_ADDRESS");
    }
    untouched(core, () => core.free(large, FRAME), "LENGTH_MISMATCH");
    assert.ok(bytes.every((byte) => byte === 0x5a));
    core.free(large, 64 * FRAME);
    for (const address of blocks) refusedEverywhere(core, address, "ALREADY_FREED");
    sound(core);
  });

  test("misuse B05: interior addresses, with the owning block in the error", () => {
    const core = open(SMALL);
    for (const length of [FRAME, 5 * FRAME - 100, 16 * FRAME]) {
      const address = take(core, length);
      const frames = Math.ceil(length / FRAME);
      for (const offset of [1, 8, FRAME - 1, FRAME, length - 1, frames * FRAME - 1]) {
        if (offset <= 0 || offset >= frames * FRAME) continue;
        refusedEverywhere(core, address + offset, "INTERIOR_ADDRESS", `offset ${offset} of ${length}`);
        const { explain } = untouched(core, () => core.free((address + offset) as VirtualAddress), "INTERIOR_ADDRESS");
        const { block } = explain as ReturnType<CoreApi["explain"]>;
        assert.is(block?.virtual, address);
        assert.is(block?.lengthBytes, length);
      }
      assert.is(core.lengthOf(address), length);
    }
    sound(core);
  });

  test("misuse B06: an address of the arena that was never handed out", () => {
    const core = open(SMALL);
    const address = take(core, FRAME);
    const window = 2 ** 46 + MIB;
    assert.ok(address >= window && address < window + 64 * FRAME);
    for (let at = window; at < window + 64 * FRAME; at += FRAME) {
      if (at === address) continue;
      refusedEverywhere(core, at, "NEVER_ALLOCATED");
      refusedEverywhere(core, at + 7, "NEVER_ALLOCATED");
    }
    sound(core);
  });

  test("misuse B07: addresses outside every zone", () => {
    const core = open(SMALL);
    const window = 2 ** 46 + MIB;
    for (const address of [1, FRAME, MIB, MIB + FRAME, 2 ** 32, window - 1, window + 64 * FRAME, 2 ** 47, 2 ** 52 - 1])
      refusedEverywhere(core, address, "FOREIGN_ADDRESS");
    untouched(core, () => core.free(0 as VirtualAddress), "INVALID_ARGUMENT");
  });

  test("misuse B08, B09: a length that differs by anything at all", () => {
    const core = open(SMALL);
    for (const length of [1, FRAME - 1, FRAME, FRAME + 1, 13 * FRAME - 7, 16 * FRAME]) {
      const address = take(core, length);
      const wrong = [
        0,
        length - 1,
        length + 1,
        length + FRAME,
        length * 2,
        Math.floor(length / 2),
        FRAME * Math.ceil(length / FRAME),
        64 * FRAME,
        2 ** 32 - 1,
      ];
      for (const given of wrong) {
        if (given === length) continue;
        const error = untouched(core, () => core.free(address, given), "LENGTH_MISMATCH", `${given} for ${length}`);
        assert.equal(error.mismatches, [{ field: "lengthBytes", given, expected: length, unit: "bytes" }]);
      }
      untouched(
        core,
        () => core.free((address + FRAME) as VirtualAddress, length),
        length > FRAME ? "INTERIOR_ADDRESS" : "NEVER_ALLOCATED",
      );
      core.free(address, length);
      core.restore(open(SMALL).snapshot());
    }
    sound(core);
  });

  test("misuse B11: virtual and physical exchanged", () => {
    const core = open(SMALL);
    const address = take(core, FRAME);
    refusedEverywhere(core, core.physicalOf(address), "FOREIGN_ADDRESS");
    untouched(core, () => core.virtualOf(address as number as ReturnType<CoreApi["physicalOf"]>), "TRANSLATION_FAULT");
  });

  test("misuse B13: several fields wrong at once are all listed, in the order length, tag", () => {
    const core = open({ ...SMALL, tags: true });
    const address = take(core, 100, { tag: 7 });
    const both = untouched(core, () => core.free(address, 101, 8), "LENGTH_MISMATCH");
    assert.equal(both.mismatches, [
      { field: "lengthBytes", given: 101, expected: 100, unit: "bytes" },
      { field: "tag", given: 8, expected: 7, unit: "tag" },
    ]);
    const tag = untouched(core, () => core.free(address, 100, 8), "WRONG_OWNER");
    assert.equal(tag.mismatches, [{ field: "tag", given: 8, expected: 7, unit: "tag" }]);
    untouched(core, () => core.free(address, undefined, 0), "WRONG_OWNER");
    untouched(core, () => core.free(address, 101, 7), "LENGTH_MISMATCH");
    core.free(address, 100, 7);
    refusedEverywhere(core, address, "ALREADY_FREED");
  });

  test("tags may be any 32 bits, default to 0, and do not outlive their block", () => {
    const core = open({ ...SMALL, tags: true });
    for (const tag of [0, 1, 2 ** 31, 2 ** 32 - 1]) {
      const address = take(core, FRAME, { tag });
      assert.is(core.explain(address).block?.tag, tag);
      if (tag !== 5) untouched(core, () => core.free(address, FRAME, 5), "WRONG_OWNER");
      core.free(address, FRAME, tag);
    }
    const untagged = take(core, 64 * FRAME);
    assert.is(core.explain(untagged).block?.tag, 0);
    core.free(untagged, 64 * FRAME, 0);
    sound(core);
  });

  test("misuse B18: one bad entry in a batch frees nothing and is named by its index", () => {
    const core = open(SMALL);
    const blocks = Array.from({ length: 8 }, () => take(core, FRAME)) as number[];
    const freed = take(core, FRAME);
    core.free(freed);
    const bad: readonly (readonly [number, ErrorCode])[] = [
      [freed, "ALREADY_FREED"],
      [0, "INVALID_ARGUMENT"],
      [Number.NaN, "INVALID_ARGUMENT"],
      [-1, "INVALID_ARGUMENT"],
      [2 ** 52, "INVALID_ARGUMENT"],
      [(blocks[3] as number) + 8, "INTERIOR_ADDRESS"],
      [2 ** 46 + MIB + 60 * FRAME + 1, "NEVER_ALLOCATED"],
      [12, "FOREIGN_ADDRESS"],
    ];
    for (const [address, code] of bad) {
      for (const index of [0, 1, 7, 8]) {
        const list = Float64Array.from([...blocks.slice(0, index), address, ...blocks.slice(index)]);
        const error = untouched(core, () => core.freeBatch(list), code, `${address} at ${index}`);
        assert.is(error.index, index);
      }
    }
    core.freeBatch(Float64Array.from(blocks));
    assert.is(core.stats().liveBlocks, 0);
    sound(core);
  });

  test("misuse B19: the same block twice in a batch is refused at its second index", () => {
    const core = open(SMALL);
    const [one, two, three] = [take(core, FRAME), take(core, 3 * FRAME), take(core, FRAME)];
    const twice = untouched(core, () => core.freeBatch(Float64Array.of(one, two, three, two)), "ALREADY_FREED");
    assert.is(twice.index, 3);
    assert.is(twice.value, two as number);
    const adjacent = untouched(core, () => core.freeBatch(Float64Array.of(one, one)), "ALREADY_FREED");
    assert.is(adjacent.index, 1);
    core.freeBatch(Float64Array.of());
    core.freeBatch(Float64Array.of(three, one, two));
    for (const address of [one, two, three]) refusedEverywhere(core, address, "ALREADY_FREED");
    sound(core);
  });

  test("a scattered block is freed by its start, its exact length and nothing else", () => {
    const core = open(SMALL);
    const blocks = Array.from({ length: 64 }, () => take(core, FRAME));
    const holes = blocks.filter((address) => (core.physicalOf(address) / FRAME) % 2 === 1);
    for (const address of holes) core.free(address);
    const empty = core.digest();
    const scattered = take(core, 5 * FRAME - 9, { contiguous: false });
    assert.is(core.stats().liveBlocks, 33);
    assert.is(core.stats().freeBytes, 27 * FRAME);
    for (const offset of [1, FRAME, 5 * FRAME - 9, 5 * FRAME - 1])
      refusedEverywhere(core, scattered + offset, "INTERIOR_ADDRESS", `offset ${offset}`);
    refusedEverywhere(core, scattered + 5 * FRAME, "FOREIGN_ADDRESS");
    for (const address of holes) refusedEverywhere(core, address, "ALREADY_FREED");
    untouched(core, () => core.free(scattered, 5 * FRAME), "LENGTH_MISMATCH");
    assert.is(core.lengthOf(scattered), 5 * FRAME - 9);
    const twice = untouched(
      core,
      () => core.freeBatch(Float64Array.of(scattered, blocks[0] as number, scattered)),
      "ALREADY_FREED",
    );
    assert.is(twice.index, 2);
    core.free(scattered, 5 * FRAME - 9);
    assert.is(core.digest(), empty);
    assert.is(core.stats().liveBlocks, 32);
    sound(core);
  });

  test("a mapping is no block: freeing one is foreign, unmapping a block is too", () => {
    const core = open(SMALL);
    const at = 2 ** 50;
    core.map(at as VirtualAddress, [{ physical: 2 ** 40, lengthBytes: 2 * FRAME }]);
    refusedEverywhere(core, at, "FOREIGN_ADDRESS");
    refusedEverywhere(core, at + 1, "FOREIGN_ADDRESS");
    const live = take(core, FRAME);
    untouched(core, () => core.unmap(live), "FOREIGN_ADDRESS");
    sound(core);
  });

  test.run();
}
