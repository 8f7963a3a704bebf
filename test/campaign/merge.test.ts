/** The merges of a campaign: the same whatever the order, and the sketch within its stated error. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type Coverage,
  countSituations,
  countStates,
  coverageOf,
  EXACT_STATES,
  mergeCoverage,
} from "../../src/campaign/coverage.js";
import { type FindingClass, mergeFindings } from "../../src/campaign/findings.js";
import { addState, estimateStates, mergeRegisters, REGISTERS, STANDARD_ERROR } from "../../src/campaign/hyperloglog.js";
import { jobId, missingJobs, parseMultirange, rangeAt, sizeOf, totalOf } from "../../src/campaign/plan.js";
import { Prng } from "../../src/machine/index.js";

const test = suite("campaign merges");

function sketchOf(states: Iterable<number>): Uint8Array {
  const registers = new Uint8Array(REGISTERS);
  for (const state of states) addState(registers, state);
  return registers;
}

test("the sketch's error over 90 sets is the one that is stated, and no estimate is off by more than four of it", () => {
  let squares = 0;
  let sets = 0;
  for (const size of [1000, 5000, 9000, 10_240, 12_000, 20_000, 50_000, 100_000, 200_000]) {
    for (let seed = 0; seed < 10; seed++) {
      // Consecutive numbers, and numbers far apart: what a hash that mixes badly would show.
      const stride = seed % 2 === 0 ? 1 : 2 ** 21 + 1;
      const registers = new Uint8Array(REGISTERS);
      for (let i = 0; i < size; i++) addState(registers, seed * 1e9 + i * stride);
      const error = estimateStates(registers) / size - 1;
      assert.ok(Math.abs(error) < 4 * STANDARD_ERROR, `${size} states, seed ${seed}: off by ${error}`);
      squares += error ** 2;
      sets++;
    }
  }
  const measured = Math.sqrt(squares / sets);
  assert.ok(measured > STANDARD_ERROR / 2 && measured < STANDARD_ERROR * 1.5, `the error measured is ${measured}`);
});

test("a merge of sketches is the sketch of the union", () => {
  const all = sketchOf(Array.from({ length: 3000 }, (_, i) => i));
  const merged = sketchOf(Array.from({ length: 2000 }, (_, i) => i));
  mergeRegisters(merged, sketchOf(Array.from({ length: 2000 }, (_, i) => i + 1000)));
  assert.equal(merged, all);
});

test("coverage merges to the same bytes in every order, across the limit of exact sets", () => {
  const draw = new Prng(7, 0);
  const parts: Coverage[] = Array.from({ length: 7 }, (_, part) => {
    const situations = new Uint8Array(4);
    situations[part % 4] = 1 << part;
    return coverageOf(
      Array.from({ length: 150 }, () => draw.below(1000)),
      situations,
    );
  });
  const merged = (order: readonly number[]): Coverage =>
    order.map((at) => parts[at] as Coverage).reduce((sum, one) => mergeCoverage(sum, one));
  const first = merged([0, 1, 2, 3, 4, 5, 6]);
  assert.not.equal(first.registers, null); // more than EXACT_STATES different ones
  for (const order of [
    [6, 5, 4, 3, 2, 1, 0],
    [3, 0, 6, 1, 5, 2, 4],
    [2, 2, 1, 1, 0, 6, 5, 4, 3],
  ]) {
    assert.equal(merged(order), first);
  }
  assert.is(countSituations(first), 7);
  const few = mergeCoverage(coverageOf([3, 1, 2], new Uint8Array(0)), coverageOf([2, 9], new Uint8Array(1)));
  assert.equal(few.exact, [1, 2, 3, 9]);
  assert.equal(countStates(few), { states: 4, exact: true });
  assert.is(
    coverageOf(
      Array.from({ length: EXACT_STATES }, (_, i) => i),
      new Uint8Array(0),
    ).registers,
    null,
  );
  assert.is(
    coverageOf(
      Array.from({ length: EXACT_STATES + 1 }, (_, i) => i),
      new Uint8Array(0),
    ).exact,
    null,
  );
});

test("findings merge to the same class in every order: least first occurrence, shortest reproductions", () => {
  const one = (search: "random" | "sweep", seed: number, scenario: number, bytes: string): FindingClass => ({
    rule: "R",
    code: "C",
    call: "NdisMFreeSharedMemory",
    count: 2,
    first: { search, seed, scenario, bytes },
    message: `${search} ${seed} ${scenario}`,
    reproductions: [{ bytes, text: `text of ${bytes}` }],
  });
  const parts = [
    one("sweep", 1, 0, "aa"),
    one("random", 2, 5, "bbbb"),
    one("random", 1, 900, "cc"),
    one("random", 1, 20, "dddddd"),
    one("random", 3, 1, "aa"),
  ];
  const merged = (order: readonly number[]): FindingClass =>
    order.map((at) => parts[at] as FindingClass).reduce((sum, part) => mergeFindings(sum, part));
  const first = merged([0, 1, 2, 3, 4]);
  assert.equal(first.first, { search: "random", seed: 1, scenario: 20, bytes: "dddddd" });
  assert.is(first.message, "random 1 20");
  assert.is(first.count, 10);
  assert.equal(
    first.reproductions.map(({ bytes }) => bytes),
    ["aa", "cc", "bbbb"],
  );
  for (const order of [
    [4, 3, 2, 1, 0],
    [2, 4, 0, 3, 1],
    [1, 0, 4, 2, 3],
  ]) {
    assert.equal(merged(order), first);
  }
});

test("a part is cut at multiples of its size, and what is missing is found from what is done", () => {
  const part = { total: 1000, size: 300 };
  assert.equal(rangeAt(part, 900), { first: 900, count: 100 });
  assert.equal(missingJobs(part, [], 10), [0, 300, 600, 900]);
  assert.equal(missingJobs(part, parseMultirange("{[0,300),[600,900)}"), 10), [300, 900]);
  assert.equal(missingJobs(part, parseMultirange("{[300,1000)}"), 10), [0]);
  assert.equal(missingJobs(part, parseMultirange("{[0,1000)}"), 10), []);
  assert.equal(missingJobs(part, [], 2), [0, 300]);
  assert.is(totalOf("sweep", 1000), 1024);
  assert.is(totalOf("systematic", 1000), 1);
  assert.is(sizeOf("sweep", 100, 10) % 256, 0);
  assert.is(sizeOf("random", 12_345, 10), 120_000);
  const key = { campaign: "a:b", hash: "f".repeat(64), search: "random", seed: 3 } as const;
  assert.is(jobId(key, { first: 600, count: 300 }), `a%3Ab-${"f".repeat(16)}-random-3-600`);
});

test.run();
