/** docs/ndis.md says what the code says: every choice, every routine, every option; and every choice has an answer. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as ndis from "../../bindings/ndis/index.js";
import { CHOICES, DEFAULT_CHOICES } from "../../bindings/ndis/index.js";
import { SCHEDULES } from "../../src/index.js";

const page = readFileSync("docs/ndis.md", "utf8");
const source = readFileSync("bindings/ndis/index.ts", "utf8");

test("choices C1 to C40 are listed, in the code and on the page, word for word", () => {
  assert.deepEqual(
    CHOICES.map((one) => one.id),
    Array.from({ length: 40 }, (_, i) => `C${i + 1}`),
  );
  for (const one of CHOICES) {
    const names = one.option?.split(", ") ?? [];
    const options = names.map((name) => `\`${name}\``).join(", ");
    const values = one.values.map((value) => `\`${value}\``).join(", ");
    const option = one.option === null ? "none" : `${options}: ${values}`;
    const line = `| ${one.id} | ${one.point} | ${one.answer} | ${option} | ${one.reason} |`;
    assert.ok(page.includes(line), `docs/ndis.md lacks: ${line}`);
  }
});

test("every option of a choice exists, with the default that is listed first, and no option is missing", () => {
  const listed = new Set<string>();
  for (const one of CHOICES) {
    for (const name of one.option?.split(", ") ?? []) {
      listed.add(name);
      if (name === "schedule") {
        for (const value of one.values) assert.ok((SCHEDULES as readonly string[]).includes(value), value);
        continue;
      }
      const value = String(DEFAULT_CHOICES[name as keyof typeof DEFAULT_CHOICES]);
      assert.equal(value, one.values[0], `${one.id} ${name}`);
    }
  }
  for (const name of Object.keys(DEFAULT_CHOICES)) assert.ok(listed.has(name), `${name} belongs to no choice`);
});

test("every routine that is exported is on the page", () => {
  const names = Object.entries(ndis).flatMap(([name, value]) =>
    /^NdisM?[A-Z]/.test(name) && typeof value === "function" ? [name] : [],
  );
  assert.ok(names.length >= 24, names.join());
  // The macros are listed by the half they take.
  for (const name of names) assert.ok(page.includes(name.replace(/(Low|High)$/, "")), `docs/ndis.md lacks ${name}`);
});

test("the deviations at the head of the module are those of the page", () => {
  const words = (text: string): string =>
    text
      .replace(/^[ *]+/gm, " ")
      .replace(/\s+/g, " ")
      .trim();
  const head = words(source.slice(0, source.indexOf("*/")));
  const section = words(page.slice(page.indexOf("## Deviations"), page.indexOf("## Choices")));
  for (let number = 1; number <= 10; number++) {
    const from = section.indexOf(` ${number}. `);
    const to = number === 10 ? section.length : section.indexOf(` ${number + 1}. `);
    assert.ok(from > 0 && to > from, `deviation ${number}`);
    assert.ok(head.includes(section.slice(from, to).trim()), section.slice(from, to));
  }
});

test.run();
