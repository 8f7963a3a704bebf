/**
 * docs/wire-format.md against the constants that the core is compiled from: every number on the page is right, every
 * constant of the layout is on the page, and the types agree. (That the page is enough to translate by is shown by the
 * program at its end, which readme.test.ts runs.)
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Layout as generated } from "../../bindings/generated/layout.js";

interface Constant {
  readonly value: number;
  readonly isF64: boolean;
}

/** `export const NAME: u32 = 4096; // f64: ...` of assembly/layout.ts. */
function constantsOf(source: string): Map<string, Constant> {
  const found = new Map<string, Constant>();
  for (const [, name = "", text = "", comment = ""] of source.matchAll(
    /^export const (\w+): u32 = ([^;]+);(?: \/\/ (.*))?$/gm,
  )) {
    const shift = /^1 << (\d+)$/.exec(text);
    const value = shift === null ? Number(text) : 2 ** Number(shift[1]);
    found.set(name, { value, isF64: /\bf64\b/.test(comment) });
  }
  return found;
}

/** Every "`NAME` value" and "| `NAME` | value |" of a page; the type is that of a table's third column. */
function statementsOf(page: string): { name: string; value: number; type: string }[] {
  const text = page.slice(0, page.indexOf("```ts"));
  return [
    ...text.matchAll(/`([A-Z][A-Z0-9_]+)`(?: \| | )(0x[0-9a-f]+|\d+)\b(?: \| (?:in \| |out \| )?(u32|f64) \|)?/g),
  ].map(([, name = "", value = "", type = ""]) => ({ name, value: Number(value), type }));
}

const constants = constantsOf(readFileSync("assembly/layout.ts", "utf8"));
const statements = statementsOf(readFileSync("docs/wire-format.md", "utf8"));

test("every number on the page is that of the layout", () => {
  assert.ok(constants.size > 100, `only ${constants.size} constants found in assembly/layout.ts`);
  assert.ok(statements.length > 90, `only ${statements.length} numbers found in docs/wire-format.md`);
  const known = generated as unknown as Readonly<Record<string, number>>;
  for (const { name, value } of statements) {
    assert.is(value, constants.get(name)?.value, name);
    if (name in known) assert.is(value, known[name], `${name} of bindings/generated/layout.ts`);
  }
});

test("the types on the page are those of the layout", () => {
  const typed = statements.filter(({ type }) => type !== "");
  assert.ok(typed.length > 60, `only ${typed.length} rows have a type`);
  for (const { name, type } of typed) assert.is(type, constants.get(name)?.isF64 ? "f64" : "u32", name);
});

test("the page leaves no constant of the layout out", () => {
  const stated = new Set(statements.map(({ name }) => name));
  const shown =
    /^(?:H|S|Z|R|M|I)_|^(?:MARK|KIND|HAS|MAY|REASON|FLAG|STACK)_|^STACKS$|^KEY|^PAGE_(?:PIECE|FREED|READY|LONG)/;
  const missing = [...constants.keys()].filter((name) => shown.test(name) && !stated.has(name));
  assert.equal(missing, []);
});

test("the checker sees a wrong number, a wrong type and a wrong name", () => {
  const planted = statementsOf("| `H_MAGIC` | 4100 | f64 | x |\nthe `ZONES` 21505 of `NOTHING` 3\n```ts");
  assert.equal(planted, [
    { name: "H_MAGIC", value: 4100, type: "f64" },
    { name: "ZONES", value: 21505, type: "" },
    { name: "NOTHING", value: 3, type: "" },
  ]);
  assert.equal(
    [...constantsOf("export const A: u32 = 1 << 20; // records\nexport const B: u32 = 0x10; // in: f64\n")],
    [
      ["A", { value: 1048576, isF64: false }],
      ["B", { value: 16, isF64: true }],
    ],
  );
});

test.run();
