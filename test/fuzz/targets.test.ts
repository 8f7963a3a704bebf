/** Every target plays a while and finds nothing; every canary is found; past failures stay mended. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { inputOf, playTarget, shrinkInput, TARGETS } from "../../src/fuzz/index.js";

const test = suite("targets");
const SMOKE_MS = 1500;
/** The readers of recordings are many. */
const READER_SMOKE_MS = 300;
const CANARY_RUNS = 20_000;

for (const entry of TARGETS) {
  test(`${entry.name}: ${entry.summary}`, async () => {
    const end = performance.now() + (entry.name.startsWith("recording-") ? READER_SMOKE_MS : SMOKE_MS);
    const target = entry.open();
    const result = await playTarget(target, 1, { runs: 1e9, goOn: () => performance.now() < end });
    assert.is(result.finding, null, `seed 1, run ${result.finding?.run}: ${result.finding?.message}`);
    assert.ok(result.runs > 20 && result.operations > 20, `${result.runs} runs, ${result.operations} operations`);
  });

  test(`canary of ${entry.name} is found: ${entry.canary.bug}`, async () => {
    const result = await playTarget(entry.canary.open(), 1, { runs: CANARY_RUNS });
    assert.ok(result.finding !== null, `not found in ${CANARY_RUNS} runs`);
    const again = await entry.canary.open().play(result.finding.input);
    assert.ok(again !== undefined, "the shrunk input finds it in a fresh target");
    assert.is(await entry.open().play(result.finding.input), undefined, "and finds nothing without the bug");
  });

  const folder = `test/fuzz/corpus/${entry.name}`;
  const corpus = existsSync(folder) ? readdirSync(folder).sort() : [];
  for (const file of corpus) {
    test(`corpus of ${entry.name}: ${file}`, async () => {
      const found = await entry.open().play(readFileSync(`${folder}/${file}`));
      assert.is(found, undefined, found?.message);
    });
  }
}

test("the corpus names targets that exist", () => {
  const names = TARGETS.map((entry) => entry.name);
  for (const folder of readdirSync("test/fuzz/corpus")) assert.ok(names.includes(folder), folder);
});

test("one seed is one history: the same inputs, run by run, and each alone", () => {
  for (const entry of TARGETS) {
    const target = entry.open();
    for (const run of [0, 1, 77]) assert.equal(inputOf(5, run, target), inputOf(5, run, target));
    assert.not.equal(inputOf(5, 3, target), inputOf(6, 3, target));
  }
});

test("shrinking keeps the first byte and whole units", async () => {
  const target = {
    name: "needle",
    summary: "finds 7 in the first place of a unit",
    maxBytes: 1001,
    unitBytes: 4,
    operations: 0,
    play(bytes: Uint8Array) {
      const at = bytes.findIndex((byte, i) => i % 4 === 1 && byte >= 7);
      return at < 0 || bytes[0] === 0 ? undefined : { step: at, message: "found" };
    },
  };
  const input = new Uint8Array(401).fill(200);
  assert.equal(await shrinkInput(target, input), Uint8Array.of(1, 7, 0, 0, 0));
});

test.run();
