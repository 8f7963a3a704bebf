/**
 * The planted bugs: every pattern leads to exactly one place in the sources as they are, so that the score is about what it
 * says.
 * Whether each is found is `ndis-shmem fuzz --score`: it takes minutes.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PLANTED_BUGS, type PlantedBug, plant } from "../planted/index.js";
import { bodiesOf, matchesOf, tokensOf } from "../planted/match.js";
import { sourcesOf } from "../planted/planted.js";

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
    const changed = plant(bug);
    assert.ok(changed.size > 0);
    for (const [file, text] of changed) {
      const [{ folder }] = bug.changes as [PlantedBug["changes"][number]];
      assert.is.not(text, sourcesOf(folder).get(file), file);
    }
  });
}

/** A bug with one change in a folder of one file. */
function bugOf(find: string, put: string, within?: string): PlantedBug {
  const change = { folder: "f", find, put, ...(within === undefined ? {} : { within }) };
  return { name: "core/none", where: "core", kind: "none", pattern: "none", changes: [change] };
}
const planted = (text: string, bug: PlantedBug): string | undefined =>
  plant(bug, () => new Map([["f/a.ts", text]])).get("f/a.ts");

test("a pattern survives renames, reformatting, comments and a move", () => {
  const bug = bugOf("$give($zone, $old, 0); $count += $old;", "$give($zone, $old, 1);");
  assert.is(planted("function a() { give(zone, old, 0); n += old; }", bug), "function a() { give(zone, old, 1); }");
  const renamed = "function b() {\n  put(area, // why\n    was, 0);\n  total += was;\n}";
  assert.is(planted(renamed, bug), "function b() {\n  put(area, was, 1);\n}");
  // The same name must stand for the same thing.
  assert.throws(() => planted("give(zone, old, 0); n += other;", bug), /matches 0 times/);
});

test("a pattern that leads to no place, or to several, is an error that names the bug", () => {
  assert.throws(() => planted("some text", bugOf("no such text", "")), /core\/none: its pattern matches 0 times in f/);
  const twice =
    "function a(): void { n = 1; }\nfunction b(x: { y: number }): { z: number } { n = 1; }\na(); if (b(1)) { n = 2; }";
  assert.throws(() => planted(twice, bugOf("n = 1;", "")), /matches 2 times in f/);
  assert.match(
    planted(twice, bugOf("n = 1;", "n = 3;", "b")) ?? "",
    /function a\(\): void { n = 1; }\n.*{ n = 3; }\na\(\)/,
  );
  assert.throws(() => planted(twice, bugOf("n = 1;", "", "c")), /0 times in c/);
});

test("tokens: strings, templates, private names and comments are whole", () => {
  const text = "this.#a(`x ${y}`, \"z // no\", 'w') // end\n/* c */ 0x1f";
  assert.equal(
    tokensOf(text).map((token) => token.text),
    ["this", ".", "#a", "(", "`x ${y}`", ",", '"z // no"', ",", "'w'", ")", "0x1f"],
  );
  assert.is(matchesOf("$f($x)", tokensOf("a(b) c(1) d(e, f)")).length, 2);
  assert.equal(bodiesOf("m", tokensOf("class C { m(a) { return { b: 1 }; } } m(2);")).length, 1);
});

test.run();
