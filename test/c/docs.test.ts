/** The table of docs/c-drivers.md is the one that the command prints, and names every routine that the headers declare. */
import * as assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "uvu";
import { REFUSED, routinesOf, routineTable, SIMPLE } from "../../src/cli/cc/routines.js";

const shim = readFileSync("src/c/shim/shim.c", "utf8");

test("docs/c-drivers.md has the table of routines", () => {
  assert.ok(readFileSync("docs/c-drivers.md", "utf8").includes(routineTable()), "npx ndis-shmem cc --routines");
});

test("every routine that ndis.h and wdm.h declare is in the C half", () => {
  const here = new Set(routinesOf(shim));
  assert.ok(here.size > 120);
  for (const header of ["ndis.h", "wdm.h"]) {
    const text = readFileSync(`src/c/include/${header}`, "utf8");
    const declared = [...text.matchAll(/^[A-Z]\w*[\w *]*?\b((?:Ndis|Ke|Ex|Mm|Rtl|Io)[A-Z]\w+)\([^;{]*\);/gm)].map(
      (one) => one[1] as string,
    );
    assert.ok(declared.length > 20);
    assert.deepEqual(
      declared.filter((name) => !here.has(name)),
      [],
    );
  }
});

test("what is simple is here, and what is refused is not", () => {
  const here = new Set(routinesOf(shim));
  assert.deepEqual(
    Object.keys(SIMPLE).filter((name) => !here.has(name)),
    [],
  );
  for (const name of REFUSED.flatMap((line) => line.match(/\b[A-Z][a-z]+[A-Z]\w+/g) ?? []))
    assert.ok(!here.has(name), name);
});

test.run();
