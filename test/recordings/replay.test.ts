/** Replays: four modes with one outcome, two counts that agree, exports, comparisons, profiles. No time is asserted. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ShmemError } from "../../bindings/index.js";
import { drawProfile, readOperations, readProfile } from "../../src/recordings/index.js";
import {
  exportTo,
  firstDifference,
  REPLAY_MODES,
  type ReplayOptions,
  type ReplayReport,
  replayRecording,
} from "../../src/replay/index.js";

/** A recording of some thousand operations with reallocations, owners and left-over blocks. */
function made(seed = 1, operations = 3000): Buffer {
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  const lines = ["# made"];
  const live: number[] = [];
  for (let i = 0; i < operations; i++) {
    const what = random(10);
    if (what < 5 || live.length < 5) {
      lines.push(`a,${i},${1 + random(2 ** (4 + random(10)))}`);
      live.push(i);
    } else if (what < 6) {
      const [old] = live.splice(random(live.length), 1);
      lines.push(`r,${old},${i},${1 + random(5000)}`);
      live.push(i);
    } else lines.push(`f,${live.splice(random(live.length), 1)[0]}`);
  }
  return Buffer.from(`${lines.join("\n")}\n`);
}

const replay = (bytes: Uint8Array, options: ReplayOptions = {}): Promise<ReplayReport> =>
  replayRecording("made", () => bytes, options);

test("core, sync and async end as the recording says, with nothing found wrong", async () => {
  const bytes = made();
  const core = await replay(bytes, { verifyEvery: 1 });
  assert.equal(core.findings, []);
  assert.is(core.failures, 0);
  assert.is(core.operations, 3000);
  assert.is(core.finalLiveBlocks, core.left.length);
  assert.is(
    core.finalLiveBytes,
    core.left.reduce((sum, { bytes: one }) => sum + one, 0),
  );
  assert.is(
    core.sizes.reduce((sum, one) => sum + one, 0),
    core.allocations + core.reallocations,
  );
  assert.is(
    core.lifetimes.reduce((sum, one) => sum + one, 0),
    core.frees + core.reallocations,
  );
  assert.ok(core.utilization > 0 && core.utilization <= 1 && core.fragmentation >= 0 && core.fragmentation < 1);
  assert.ok((core.leastArenaBytes ?? 0) >= core.peakLiveBytes && (core.arenaScore ?? 0) >= 1);
  for (const mode of ["sync", "async"] as const) {
    const other = await replay(bytes, { mode, verifyEvery: 1 });
    assert.equal(other.findings, []);
    for (const key of ["peakLiveBytes", "finalLiveBlocks", "finalLiveBytes", "operations", "failures"] as const)
      assert.is(other[key], core[key], `${mode} ${key}`);
    assert.equal(other.sizes, core.sizes);
  }
});

test("a recording too long for its spool is read twice and replays alike", async () => {
  const bytes = made(2, 20_000);
  const whole = await replay(bytes);
  const twice = await replay(bytes, { spoolBytes: 1 });
  assert.is(twice.leastArenaBytes, null);
  assert.is(twice.digest, whole.digest);
  assert.is(twice.peakLiveBytes, whole.peakLiveBytes);
});

test("chaos repeats from its seed; what it drops is listed and missing from its counts", async () => {
  const bytes = made(3);
  const options = { mode: "chaos", failing: 0.1, onFailure: "drop", seed: 9 } as const;
  const first = await replay(bytes, options);
  const again = await replay(bytes, options);
  assert.equal({ ...again, readMs: 0, replayMs: 0 }, { ...first, readMs: 0, replayMs: 0 });
  assert.equal(first.findings, []);
  assert.ok(first.dropped > 50, String(first.dropped));
  assert.is(first.failures, first.dropped);
  assert.is(first.drops.length, 20);
  const served = first.sizes.reduce((sum, one) => sum + one, 0);
  assert.is(served + first.dropped, first.allocations + first.reallocations);
  const retried = await replay(bytes, { ...options, onFailure: "retry" });
  assert.is(retried.dropped, 0);
  assert.ok(retried.retried > 50);
  assert.is(retried.finalLiveBytes, (await replay(bytes)).finalLiveBytes);
});

test("an arena that is too small fails by name, and the least arena is one in which nothing fails", async () => {
  const bytes = made(4);
  const small = await replay(bytes, { arenaBytes: 16384 });
  assert.ok(small.failures > 0);
  assert.ok(small.firstFailures[0]?.reason === "exhausted" || small.firstFailures[0]?.reason === "fragmented");
  assert.is(
    small.failures,
    Object.values(small.failureReasons).reduce((sum, one) => sum + one, 0),
  );
  assert.is((await replay(bytes, { arenaBytes: small.leastArenaBytes ?? 0 })).failures, 0);
});

test("options that cannot be are refused by name", async () => {
  for (const [options, field] of [
    [{ mode: "quick" as "core" }, "mode"],
    [{ frameSize: 100 }, "frameSize"],
    [{ mode: "async", frameSize: 128 }, "frameSize"],
    [{ failing: 2 }, "failing"],
    [{ seed: -1 }, "seed"],
    [{ onFailure: "cry" as "drop" }, "onFailure"],
    [{ verifyEvery: 0.5 }, "verifyEvery"],
    [{ mostBytes: 0 }, "mostBytes"],
    [{ format: "tar" }, "format"],
  ] as const) {
    try {
      await replay(made(), options);
      assert.unreachable(field);
    } catch (error) {
      assert.ok(
        error instanceof ShmemError && error.code === "INVALID_ARGUMENT" && error.field === field,
        `${field}: ${error}`,
      );
    }
  }
});

test("the event log of a replay is a recording of the same blocks", async () => {
  const bytes = made(5);
  const pieces: Uint8Array[] = [];
  const report = await replay(bytes, { mode: "async", log: { file: { write: (piece) => pieces.push(piece) } } });
  const log = await replay(Buffer.concat(pieces), { leastArena: false });
  assert.is(log.format, "event-log");
  assert.is(log.peakLiveBytes <= report.peakLiveBytes + 5000 && log.peakLiveBytes >= report.peakLiveBytes, true);
  assert.is(log.finalLiveBlocks, 0); // at the halt the driver frees what the recording leaves
  assert.equal(log.sizes, report.sizes);
});

async function exported(name: "chrome" | "csv" | "collapsed", bytes: Uint8Array): Promise<string> {
  let text = "";
  const out = exportTo(name, (piece) => {
    text += piece;
  });
  await readOperations(bytes, out);
  out.end();
  return text;
}

test("exports: csv has every operation, chrome is JSON whose slices pair, collapsed adds up", async () => {
  const bytes = Buffer.from('t,1000\no,rx "1", a\na,1,100\nt,2000\nr,1,2,300\no,tx\na,3,64\nf,2\n');
  assert.equal((await exported("csv", bytes)).split("\n"), [
    "operation,line,time_ns,call,slot,bytes,alignment,thread,owner",
    '1,3,1000,allocate,0,100,,0,"rx ""1"", a"',
    '2,5,2000,reallocate,1,300,,0,"rx ""1"", a"',
    '3,5,2000,free,0,,,0,"rx ""1"", a"',
    "4,7,2000,allocate,0,64,,0,tx",
    "5,8,2000,free,1,,,0,tx",
    "",
  ]);
  const { traceEvents } = JSON.parse(await exported("chrome", made())) as {
    traceEvents: { ph: string; id?: number; args?: { bytes?: number } }[];
  };
  const begun = traceEvents.filter(({ ph }) => ph === "b").map(({ id }) => id);
  const ended = traceEvents.filter(({ ph }) => ph === "e").map(({ id }) => id);
  assert.is(new Set(begun).size, begun.length);
  assert.ok(ended.length > 0 && ended.every((id) => begun.includes(id)));
  const folded = (await exported("collapsed", bytes)).trim().split("\n");
  assert.equal(folded, ['rx "1", a;256 to 511 B 300', 'rx "1", a;64 to 127 B 100', "tx;64 to 127 B 64"]);
});

test("two recordings: equal, different, one longer; with the state of both", async () => {
  const same = await firstDifference(made(), made(), "operations");
  assert.equal([same.at, same.equal > 3000], [null, true]);
  const text = "a,1,10\na,2,20\nf,1\na,3,30\n";
  const other = await firstDifference(Buffer.from(text), Buffer.from(text.replace("a,3,30", "a,3,31")), "operations");
  assert.is(other.at, 4);
  assert.equal([other.first.event, other.second.event], ["allocate 30 bytes", "allocate 31 bytes"]);
  assert.equal([other.first.liveBlocks, other.first.liveBytes], [1, 20]);
  assert.is(other.first.before.at(-1), "free the 10 bytes of operation 1");
  const longer = await firstDifference(Buffer.from(text), Buffer.from(`${text}f,3\n`), "operations");
  assert.equal([longer.at, longer.first.event, longer.second.event], [5, null, "free the 30 bytes of operation 4"]);
});

test("a profile is drawn from its seed: sizes by their rates, live counts as it says", () => {
  const sizes = readProfile("64, 3, 300\n4096, 1, 50\n10, 0, 5\n");
  const draw = (seed: number): { ops: string; counts: number[]; live: number[] } => {
    const held: number[] = [];
    const counts = [0, 0];
    const live = [0, 0];
    let ops = "";
    drawProfile(
      sizes,
      {
        allocate(slot, bytes) {
          const which = bytes === 64 ? 0 : 1;
          held[slot] = which;
          counts[which] = (counts[which] as number) + 1;
          live[which] = (live[which] as number) + 1;
          ops += `a${bytes}`;
        },
        free(slot) {
          const which = held[slot] as number;
          live[which] = (live[which] as number) - 1;
          ops += "f";
        },
      },
      { allocations: 40_000, seed },
    );
    return { ops, counts, live };
  };
  const first = draw(1);
  assert.is(draw(1).ops, first.ops);
  assert.is.not(draw(2).ops, first.ops);
  const [small = 0, large = 0] = first.counts;
  assert.ok(Math.abs(small / large - 3) < 0.15, String(small / large));
  assert.ok(Math.abs((first.live[0] as number) - 300) < 60, String(first.live));
  assert.ok(Math.abs((first.live[1] as number) - 50) < 25, String(first.live));
  assert.throws(() => readProfile("x\n"), /line 1/);
  assert.throws(() => readProfile("5, 0, 1\n"), /without a size/);
});

const TRACES = join("..", "shared", "traces");
if (existsSync(TRACES)) {
  for (const mode of REPLAY_MODES) {
    test(`recordings of real programs replay in ${mode}`, async () => {
      for (const name of ["wee_alloc/ffmpeg.trace", "wee_alloc/gcc-hello.trace", "minimalloc/F.1048576.csv"]) {
        const report = await replay(readFileSync(join(TRACES, name)), { mode, leastArena: false });
        assert.equal(report.findings, [], name);
        assert.is(report.dropped, 0, name);
      }
    });
  }
} else test.skip(`recordings of real programs replay, skipped: no ${TRACES}`);

test.run();
