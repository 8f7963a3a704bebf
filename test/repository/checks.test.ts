/** The repository checks: each finds what is planted, and holds the tree at the number it has reached. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ApiEntry, type ApiExport, publicInterface, undocumented } from "./api.js";
import { CHECKS } from "./checks.js";
import { cyclesOf } from "./cycles.js";
import { commentsOf, danglingReferences, type Known } from "./references.js";

/** Checks whose number is 0 and stays there. */
const HELD: readonly string[] = ["cycles", "references"];

for (const check of CHECKS.filter(({ name }) => HELD.includes(name))) {
  test(`the tree has no ${check.counts}`, () => {
    const findings = check.findings();
    assert.equal(findings, [], `\n${findings.join("\n")}`);
  });
}

test("cycles: a round of two, one of three through a type import, and a file that imports itself", () => {
  const texts = new Map([
    ["src/a.ts", 'import { b } from "./b.js";\nimport { own } from "./a.js";'],
    ["src/b.ts", 'import type { C } from "./deep/c.js";'],
    ["src/deep/c.ts", 'export type A = import("../a.js").A;'],
    ["src/d.ts", 'import { a } from "./a.js";\nexport * from "./e.js";'],
    ["src/e.ts", 'import { x } from "node:fs";\nimport { y } from "../outside/y.js";'],
    ["src/f.ts", 'import "./g.js";'],
    ["src/g.ts", 'const f = await import("./f.js"); // import "./e.js"'],
    ["src/self.ts", 'import { me } from "./self.js";'],
  ]);
  const found = cyclesOf(texts);
  assert.equal(
    found.map(({ files }) => files),
    [["src/a.ts", "src/b.ts", "src/deep/c.ts"], ["src/f.ts", "src/g.ts"], ["src/self.ts"]],
  );
  assert.equal(found[1]?.round, ["src/f.ts", "src/g.ts", "src/f.ts"]);
  assert.equal(found[2]?.round, ["src/self.ts", "src/self.ts"]);
});

test("cycles: a tree that is only deep has none", () => {
  const chain = Array.from({ length: 500 }, (_, at): [string, string] => [
    `src/f${at}.ts`,
    `import "./f${at + 1}.js";`,
  ]);
  assert.equal(cyclesOf(new Map(chain)), []);
});

const planted: Known = {
  names: new Set(["knownName", "KNOWN_LIMIT"]),
  files: new Set(["src/known.ts", "docs/page.md"]),
  choices: new Set(["C1"]),
  misuse: new Set(["B07"]),
  deviations: new Set(["3"]),
  text: () => "/** R1: nothing overlaps. */",
};

test("references: what exists is not reported", () => {
  const text = [
    "/** `knownName`, `KNOWN_LIMIT` and `knownName()`; `x + y` and `NdisMPauseComplete` are not judged. */",
    "// See known.ts, src/known.ts and docs/page.md; choice C1, misuse B07, deviation 3, R1 of known.ts.",
    " *     node a-sample.mjs --of src/absent.ts",
    "const text = 'choice C99 of absent.ts'; // build/made.ts is made",
  ].join("\n");
  assert.equal(danglingReferences("src/a.ts", text, planted), []);
});

test("references: a name, a file, a page, a choice, a row, a deviation and a rule that are not there are", () => {
  const lines = [
    "// `unknownName` is gone",
    "/* so is known.mjs */",
    "// and docs/absent.md",
    "// choices C1 and C2",
    "// misuse B07, B08",
    "// deviation 4",
    "// R1 to R9 of known.ts",
  ];
  const found = danglingReferences("src/a.ts", lines.join("\n"), planted);
  assert.equal(found.map((line) => Number(line.split(":")[1])).sort(), [1, 2, 3, 4, 5, 6, 7], found.join("\n"));
});

test("references: comments are told from strings, templates and regular expressions", () => {
  const text = 'const a = "// no"; // yes\nconst b = `/* no */`;\nconst c = /\\/\\/ no/; /* yes\nyes */ f();';
  assert.equal(
    commentsOf(text)
      .split("\n")
      .map((line) => line.trim()),
    ["// yes", "", "/* yes", "yes */"],
  );
});

test("texts: what has none is named, whatever its kind, once", () => {
  const bare: ApiExport = {
    name: "bare",
    kind: "const",
    file: "a.d.ts",
    line: 1,
    signature: "",
    text: "",
    members: [],
  };
  const known: ApiExport = { ...bare, name: "known", kind: "interface", text: "A text.", line: 5 };
  const members = [
    { name: "told", signature: "told: number", text: "In bytes." },
    { name: "untold", signature: "untold: number", text: "" },
  ];
  const entry: ApiEntry = { name: "p", file: "index.d.ts", text: "A head.", exports: [bare, { ...known, members }] };
  assert.equal(undocumented([entry, { ...entry, name: "p/other" }]), ["a.d.ts:1: bare", "a.d.ts:5: known.untold"]);
  assert.equal(undocumented([{ ...entry, text: "", exports: [] }]), ["index.d.ts: the head of p"]);
});

test("texts: the declarations are read: every entry, functions, classes, interfaces and their members", () => {
  const entries = publicInterface();
  assert.ok(entries.length >= 5);
  const core = entries.find(({ name }) => name === "ndis-shmem/core")?.exports ?? [];
  const names = core.map(({ name }) => name);
  for (const name of ["Core", "ShmemError", "CoreOptions", "VirtualAddress"]) assert.ok(names.includes(name), name);
  const members = core.find(({ name }) => name === "Core")?.members.map(({ name }) => name) ?? [];
  for (const member of ["allocate", "free", "openSync"]) assert.ok(members.includes(member), member);
  const hidden = entries
    .flatMap(({ exports }) => exports.flatMap((one) => one.members))
    .filter(({ name }) => /^#/.test(name));
  assert.equal(hidden, []);
});

test.run();
