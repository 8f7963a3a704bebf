/**
 * The planted bugs: every anchor stands exactly once in the sources as they are, so that the score is about what it says.
 * Whether each is found is `ndis-shmem fuzz --score`: it takes minutes.
 */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PLANTED_BUGS, type PlantedBug, planted } from "../../src/cli/planted/index.js";

const test = suite("planted bugs");
const inDrivers = PLANTED_BUGS.filter((bug) => bug.where !== "core");

test("there are as many as promised, each with a name of its own and the pattern it comes from", () => {
  assert.ok(inDrivers.length >= 40, `${inDrivers.length} in drivers`);
  assert.ok(PLANTED_BUGS.length - inDrivers.length >= 20, `${PLANTED_BUGS.length - inDrivers.length} in the core`);
  assert.is(new Set(PLANTED_BUGS.map((bug) => bug.name)).size, PLANTED_BUGS.length);
  for (const bug of PLANTED_BUGS) {
    assert.ok(bug.name.startsWith(`${bug.where}/`), bug.name);
    assert.ok(bug.kind.length > 2 && bug.pattern.length > 20, bug.name);
  }
  // All four drivers, and the kinds of mistake that the drivers' bugs have to cover.
  assert.equal([...new Set(inDrivers.map((bug) => bug.where))].sort(), ["e100bex", "gvnic", "netkvm", "rtlnwifi"]);
  const kinds = new Set(inDrivers.map((bug) => bug.kind));
  const wanted = ["lifetime", "order", "failure path", "halt race", "wrong length", "level", "reference counting"];
  for (const kind of [...wanted, "address width", "leak", "re-entrancy"])
    assert.ok(kinds.has(kind), `no bug of the kind ${kind}`);
});

for (const bug of PLANTED_BUGS) {
  test(`${bug.name} can be planted`, () => {
    for (const file of new Set(bug.changes.map((change) => change.file))) {
      const text = readFileSync(file, "utf8");
      assert.is.not(planted(bug, file, text), text, file);
    }
  });
}

test("an anchor that is gone is heard", () => {
  const bug: PlantedBug = {
    name: "core/none",
    where: "core",
    kind: "none",
    pattern: "none",
    changes: [{ file: "assembly/bits.ts", find: "no such text", put: "" }],
  };
  assert.throws(() => planted(bug, "assembly/bits.ts", "some text"), /its anchor occurs 0 times/);
});

test.run();
