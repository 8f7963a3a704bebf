/** A machine's zones are divided at every 4 GiB line, so that no block crosses one (choice C14). */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ShmemError } from "../../bindings/index.js";
import { Machine } from "../../src/index.js";
import { splitAtFourGib } from "../../src/machine/options.js";

const test = suite("a machine's zones");
const FOUR_GIB = 2 ** 32;
const MIB = 2 ** 20;

test("a zone over a line becomes two, with its bytes and its window where they were", () => {
  const zone = { base: FOUR_GIB - MIB, size: 3 * MIB, node: 2, arenaOffset: 512, virtualBase: 2 ** 40 };
  assert.equal(splitAtFourGib([zone]), [
    { base: FOUR_GIB - MIB, size: MIB, node: 2, arenaOffset: 512, virtualBase: 2 ** 40 },
    { base: FOUR_GIB, size: 2 * MIB, node: 2, arenaOffset: 512 + MIB, virtualBase: 2 ** 40 + MIB },
  ]);
  const apart = [
    { base: MIB, size: MIB },
    { base: FOUR_GIB, size: MIB },
    { base: 2 * FOUR_GIB - MIB, size: MIB },
  ];
  assert.equal(splitAtFourGib(apart), apart);
  assert.is(splitAtFourGib([{ base: 4096, size: 3 * FOUR_GIB }]).length, 4);
});

test("what is no zone is refused as before", async () => {
  for (const zone of [
    { base: Number.NaN, size: MIB },
    { base: 4096, size: -1 },
    { base: 2 ** 52, size: MIB },
  ]) {
    try {
      await Machine.open({ zones: [zone] });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, ShmemError);
      assert.is((error as ShmemError).code, "INVALID_ARGUMENT");
    }
  }
});

test("no block of any length crosses the line, however the memory is used (choice C14, D13)", async () => {
  const machine = await Machine.open({ zones: [{ base: FOUR_GIB - 3 * MIB, size: 5 * MIB }], arena: null });
  const { core } = machine;
  let blocks = 0;
  for (const length of [3 * 4096, 65 * 4096, 100 * 4096, 400 * 4096, 700 * 4096, 4096]) {
    for (let address = core.allocate(length); address !== 0; address = core.allocate(length)) {
      const first = core.translate(address).physical;
      assert.is(
        Math.floor(first / FOUR_GIB),
        Math.floor((first + length - 1) / FOUR_GIB),
        `${length} bytes at ${first}`,
      );
      blocks++;
    }
  }
  assert.ok(blocks > 20);
  assert.is(core.allocate(4 * MIB), 0, "longer than either part");
  assert.equal(core.verify(), []);
  machine.dispose();
});

test.run();
