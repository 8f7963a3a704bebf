/** The workloads are those that published figures were made with: their hashes say so. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FREE, hashWords, SLOT, WORKLOADS, workload, xorshift32 } from "../../bench/workloads/index.js";
import { ShmemError } from "../../bindings/core/index.js";

/** Of issue 4 and of every table in docs/performance.md. */
const PUBLISHED: Readonly<Record<string, string>> = {
  churn50: "8b4ffd3a",
  churn90: "cc53a777",
  churn95: "7d3d7cf0",
  churn98: "89f180c1",
  page50: "9796e166",
  page90: "b46eb328",
  nic: "9ae9027c",
  fill4k: "20e81609",
  gib50: "47bb49ac",
  gib90: "15517569",
};

for (const [name, hash] of Object.entries(PUBLISHED)) {
  test(`${name} is the published sequence ${hash}`, () => {
    assert.is(hashWords(workload(name).ops), hash);
  });
}

test("every workload fills, frees what it allocated and ends empty", () => {
  for (const { name } of WORKLOADS.filter((one) => !one.name.startsWith("gib"))) {
    const { ops, pre, end, total, slots } = workload(name, { steps: 500 });
    assert.ok(0 <= pre && pre < end && end <= total && total === ops.length / 2, name);
    const held = new Map<number, number>();
    let most = 0;
    for (let i = 0; i < total; i += 1) {
      const word = ops[2 * i] as number;
      const slot = word & SLOT;
      if ((word & FREE) !== 0) {
        assert.ok(held.delete(slot), `${name}: operation ${i} frees the empty slot ${slot}`);
      } else {
        assert.not(held.has(slot), `${name}: operation ${i} allocates into the full slot ${slot}`);
        held.set(slot, ops[2 * i + 1] as number);
      }
      most = Math.max(most, slot + 1);
    }
    assert.is(held.size, 0, name);
    assert.is(most, slots, name);
  }
});

test("a workload holds at most what it says of its arena", () => {
  for (const [name, share] of [
    ["churn90", 0.9],
    ["any50", 0.5],
    ["page50", 0.5],
  ] as const) {
    const { ops, total, arenaBytes, slots } = workload(name, { steps: 2000 });
    const bytes = new Float64Array(slots);
    let held = 0;
    let peak = 0;
    for (let i = 0; i < total; i += 1) {
      const slot = (ops[2 * i] as number) & SLOT;
      held += (ops[2 * i + 1] as number) - (bytes[slot] as number);
      bytes[slot] = ops[2 * i + 1] as number;
      peak = Math.max(peak, held);
    }
    assert.ok(peak <= arenaBytes * share, `${name} holds ${peak}`);
    assert.ok(peak > arenaBytes * share * 0.98, `${name} holds ${peak}`);
  }
});

test("a seed changes the sequence and repeats it", () => {
  const seeded = (seed: number): string => hashWords(workload("churn50", { seed, steps: 100 }).ops);
  assert.is(seeded(7), seeded(7));
  assert.is.not(seeded(7), seeded(8));
});

test("xorshift32 never sticks at 0", () => {
  const random = xorshift32(0);
  for (let i = 0; i < 1000; i += 1) assert.is.not(random(), 0);
});

test("an unknown workload is refused by name", () => {
  assert.throws(
    () => workload("churn51"),
    (error: unknown) => error instanceof ShmemError && error.code === "INVALID_ARGUMENT" && error.value === "churn51",
  );
});

test.run();
