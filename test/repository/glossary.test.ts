/** The glossary: each term stands once, its list of retired words is read, and each kind of retired word is found. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Retired, retiredWords, uses } from "./glossary.js";

const page = readFileSync("docs/glossary.md", "utf8");

/** The terms of the page: the first cells of the tables before "Retired", divided at commas. */
function termsOf(text: string): string[] {
  const [before = ""] = text.split(/^## Retired$/m);
  const rows = [...before.matchAll(/^\| ([^|`-][^|]*) \| [^|]+ \|$/gm)].map(([, cell = ""]) => cell);
  return rows.filter((cell) => cell !== "term").flatMap((cell) => cell.split(", "));
}

test("each term is defined once", () => {
  const terms = termsOf(page);
  assert.ok(terms.length > 80, `only ${terms.length} terms`);
  assert.equal(
    terms.filter((term, at) => terms.indexOf(term) !== at),
    [],
  );
});

test("the list of retired words is read, and no retired word is a term", () => {
  const words = retiredWords(page);
  for (const kind of ["identifier", "option", "phrase"])
    assert.ok(
      words.some((one) => one.kind === kind),
      kind,
    );
  const terms = new Set(termsOf(page));
  assert.equal(
    words.filter(({ word }) => terms.has(word)).map(({ word }) => word),
    [],
  );
  assert.throws(() => retiredWords("## Retired\n\n| `x` | nonsense | y |\n"), /nonsense/);
});

const words: Retired[] = [
  { word: "life", kind: "identifier", instead: "scenario" },
  { word: "give back", kind: "identifier", instead: "drain" },
  { word: "--haste", kind: "option", instead: "--speed-up" },
  { word: "front door", kind: "phrase", instead: "entry point" },
];

const planted: readonly (readonly [string, string, string])[] = [
  ["src/a.ts", "const playLife = 1;", "1: `life`"],
  ["src/a.ts", "\nconst LIFE_BYTES = 1;", "2: `life`"],
  ["src/life-state.ts", "", "1: `life`"],
  ["src/a.ts", "this.#giveBackAll();", "1: `give back`"],
  ["docs/a.md", "The function `playLife` does it.", "1: `life`"],
  ["docs/a.md", "```sh\nrun --haste 4\n```", "2: `--haste`"],
  ["src/a.ts", "/** The Front\n * door of it. */", "1: `front door`"],
  ["src/a.ts", 'out("the front door");', "1: `front door`"],
];

for (const [file, text, found] of planted) {
  test(`found: ${file}: ${JSON.stringify(text)}`, () => {
    const told = uses(file, text, words);
    assert.is(told.length, 1, told.join("\n"));
    assert.ok(told[0]?.startsWith(`${file}:${found}`), told[0]);
  });
}

test("not found: longer words, words of comments and strings that are no phrase, other options", () => {
  const text = "// life is good\nconst lifetime = 'life'; const lifecycle = `life of one`; run --hastens; front doors";
  assert.equal(uses("src/lifetime.ts", text, words), []);
});

test.run();
