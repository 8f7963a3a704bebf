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

/** `export const NAME: u32 = ...; // f64: ...` of assembly/layout.ts: its value as the compiler has it, its type as said there. */
function constantsOf(source: string, values: Readonly<Record<string, number>>): Map<string, Constant> {
  const found = new Map<string, Constant>();
  for (const [, name = "", comment = ""] of source.matchAll(/^export const (\w+): u32 = [^;]+;(?: \/\/ (.*))?$/gm))
    found.set(name, { value: values[name] ?? Number.NaN, isF64: /\bf64\b/.test(comment) });
  return found;
}

/** Every "`NAME` value" and "| `NAME` | value |" of a page; the type is that of a table's third column. */
function statementsOf(page: string): { name: string; value: number; type: string }[] {
  const text = page.slice(0, page.indexOf("```ts"));
  return [
    ...text.matchAll(/`([A-Z][A-Z0-9_]+)`(?: \| | )(0x[0-9a-f]+|\d+)\b(?: \| (?:in \| |out \| )?(u32|f64) \|)?/g),
  ].map(([, name = "", value = "", type = ""]) => ({ name, value: Number(value), type }));
}

const source = readFileSync("assembly/layout.ts", "utf8");
const constants = constantsOf(source, generated as unknown as Readonly<Record<string, number>>);
const statements = statementsOf(readFileSync("docs/wire-format.md", "utf8"));

test("every number on the page is that of the layout", () => {
  assert.ok(constants.size > 100, `only ${constants.size} constants found in assembly/layout.ts`);
  assert.ok(statements.length > 90, `only ${statements.length} numbers found in docs/wire-format.md`);
  for (const { name, value } of statements) assert.is(value, constants.get(name)?.value, name);
});

test("the types on the page are those of the layout", () => {
  const typed = statements.filter(({ type }) => type !== "");
  assert.ok(typed.length > 60, `only ${typed.length} rows have a type`);
  for (const { name, type } of typed) assert.is(type, constants.get(name)?.isF64 ? "f64" : "u32", name);
});

test("the page leaves no constant of the layout out", () => {
  const stated = new Set(statements.map(({ name }) => name));
  const shown = /^(?:H|W|S|Z|R|M|I)_|^(?:SENTINEL|KIND|HAS|MAY|REASON|FLAG|STACK)_|^CACHE_STACKS$|^SIZE_CLASSES$/;
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
    [
      ...constantsOf("export const A: u32 = B + U32; // records\nexport const B: u32 = 0; // in: f64\n", {
        A: 4,
        B: 0,
      }),
    ],
    [
      ["A", { value: 4, isF64: false }],
      ["B", { value: 0, isF64: true }],
    ],
  );
});

/** The fields of each record and the header, in the order of the layout, with the size that their comment states. */
test("every offset is derived from the one before it, and none overlaps another", () => {
  const fields = [...source.matchAll(/^export const ((H|W|S|Z|R|M|I)_\w+): u32 = ([^;]+);(?: \/\/ (.*))?$/gm)];
  assert.ok(fields.length > 90, `only ${fields.length} fields found`);
  let before: { record: string; name: string; end: number } | undefined;
  for (const [, name = "", record = "", expression = "", comment = ""] of fields) {
    const at = constants.get(name)?.value ?? Number.NaN;
    const size = /\bf64\b/.test(comment) ? 8 : 4;
    assert.is(at % size, 0, `${name} is aligned`);
    if (before?.record === record) {
      assert.ok(expression.includes(before.name), `${name} is derived from ${before.name}`);
      assert.ok(at >= before.end, `${name} starts behind ${before.name}`);
    } else assert.match(expression, /^(?:0|HEADER|WORKER)$/, `${name} is the first`);
    before = { record, name, end: at + size };
  }
});

test.run();
