/** The TypeScript twin decides as the core does: the same address for every request. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openReplayer } from "../../bench/subjects/index.js";
import { ndisShmem } from "../../bench/subjects/ndis-shmem.js";
import { Twin, typescriptTwin } from "../../bench/subjects/twin/index.js";
import {
  FREE,
  MIB,
  WORKLOADS,
  type Workload,
  type WorkloadOptions,
  workload,
  xorshift32,
} from "../../bench/workloads/index.js";
import { Core, type VirtualAddress } from "../../bindings/core/index.js";

const ZONE = 2 ** 32;

/** Replays on both, operation by operation, and compares every address from the start of the arena. */
function compare(given: Workload): { readonly allocations: number; readonly failures: number } {
  const { arenaBytes, frameSize, ops, total, slots, name } = given;
  const core = Core.openSync({ zones: [{ base: ZONE, size: arenaBytes }], frameSize, arena: null });
  const twin = new Twin(given);
  const start = 2 ** 46;
  const held = new Float64Array(slots);
  const bytes = new Uint32Array(slots);
  let allocations = 0;
  let failures = 0;
  for (let i = 0; i < total; i += 1) {
    const word = ops[2 * i] as number;
    const slot = word & ~FREE;
    if ((word & FREE) !== 0) {
      if (held[slot] === 0) continue;
      core.free(held[slot] as number as VirtualAddress, bytes[slot]);
      const frame = ((held[slot] as number) - start) / frameSize + twin.first;
      assert.is(twin.free(frame, bytes[slot] as number), 0, `${name}: operation ${i}, the twin refuses to free`);
      held[slot] = 0;
      continue;
    }
    const length = ops[2 * i + 1] as number;
    const address = core.allocate(length);
    const frame = twin.allocate(length);
    const twinAddress = frame === 0 ? 0 : start + (frame - twin.first) * frameSize;
    if (twinAddress !== address)
      assert.unreachable(
        `${name}: operation ${i}, ${length} bytes: core ${address - start}, twin ${twinAddress - start}`,
      );
    allocations += 1;
    if (address === 0) failures += 1;
    held[slot] = address;
    bytes[slot] = length;
  }
  assert.is(core.stats().liveBlocks, twin.liveBlocks);
  return { allocations, failures };
}

for (const { name } of WORKLOADS) {
  const options: WorkloadOptions = name.startsWith("gib") ? { arenaBytes: 16 * MIB, steps: 20_000 } : { steps: 20_000 };
  if (name === "fill4k") continue;
  test(`${name}: the twin and the core give the same addresses`, () => {
    compare(workload(name, options));
  });
}

test("fill4k: the twin and the core give the same addresses", () => {
  compare(workload("fill4k"));
});

test("exhausted and fragmented arenas of odd sizes: the same addresses and the same failures", () => {
  for (const frames of [1, 3, 63, 64, 65, 127, 200, 1000, 4097]) {
    const random = xorshift32(frames);
    const ops: number[] = [];
    for (let i = 0; i < 6000; i += 1) {
      const slot = random() % 64;
      // A full slot is freed by the first of two words, an empty one stays empty: both sides skip alike.
      ops.push((slot | FREE) >>> 0, 0, slot, 1 + (random() % (64 * Math.max(1, frames >> 2))));
    }
    const arenaBytes = 64 * frames;
    const given: Workload = {
      name: `odd ${frames}`,
      ops: Uint32Array.from(ops),
      pre: 0,
      end: ops.length / 2,
      total: ops.length / 2,
      slots: 64,
      arenaBytes,
      frameSize: 64,
    };
    const { failures } = compare(given);
    if (frames >= 63) assert.ok(failures > 0, `${frames} frames: nothing failed, so the last resort was not met`);
  }
});

test("the twin refuses what the core refuses: a second free, a wrong length, an inner frame", () => {
  const twin = new Twin({ arenaBytes: MIB, frameSize: 64 });
  for (const bytes of [100, 8192]) {
    const frame = twin.allocate(bytes);
    assert.is.not(twin.free(frame, bytes + 1), 0);
    assert.is.not(twin.free(frame + 1, bytes), 0);
    assert.is(twin.free(frame, bytes), 0);
    assert.is.not(twin.free(frame, bytes), 0);
  }
});

test("both replay alike in the bench's own loops", () => {
  const made = workload("churn90", { steps: 2000 });
  for (const where of ["wasm", "js"] as const) {
    const [core, twin] = [ndisShmem, typescriptTwin].map((subject) => {
      const replayer = openReplayer(subject, where, made);
      assert.ok(replayer);
      replayer.replay(0, made.end);
      return [...replayer.slots().at];
    });
    assert.ok(core !== undefined && twin !== undefined && core.some((at) => at !== 0));
    const least = (places: readonly number[]): number => Math.min(...places.filter((at) => at !== 0));
    const relative = (places: readonly number[]): number[] => places.map((at) => (at === 0 ? -1 : at - least(places)));
    assert.equal(relative(core), relative(twin), where);
  }
});

test.run();
