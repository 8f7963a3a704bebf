/** docs/misuse.md names the tests that the sources hold, and no row of the required groups is forgotten. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "uvu";

test("docs/misuse.md is what the sources say, and nothing is missing", () => {
  const check = spawnSync(process.execPath, ["test/misuse-table.mjs", "--check"], { encoding: "utf8" });
  assert.equal(check.status, 0, check.stdout + check.stderr);
  assert.match(check.stdout, /^\d{3} rows, 0 missing/);
});

test.run();
