/** `ndis-shmem replay` as a user types it: what it prints, what it refuses, how it ends. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ndisShmem, type Outcome } from "../repository/command.js";

const folder = mkdtempSync(join(tmpdir(), "replay-command-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const replay = (...args: string[]): Promise<Outcome> => ndisShmem("replay", ...args);

function written(name: string, text: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const WEE = "Alloc(552),\nAlloc(8),\nFree(0),\nAlloc(16),\nFree(9),\n";

test("one recording in full; --json has the fields that are promised, and nothing else on stdout", async () => {
  const file = written("one.trace", WEE);
  const { code, out } = await replay(file);
  assert.is(code, 0);
  for (const word of ["wee_alloc", "peak payload", "least arena", "left over: 2 blocks", "skipped 1", "sizes"])
    assert.ok(out.includes(word), word);
  const json = await replay(file, "--json");
  const report = JSON.parse(json.out) as Record<string, unknown>;
  const { format, operations, skipped, peakLiveBytes, finalLiveBlocks, finalLiveBytes, failures } = report;
  assert.equal(
    { format, operations, skipped, peakLiveBytes, finalLiveBlocks, finalLiveBytes, failures },
    {
      format: "wee_alloc",
      operations: 4,
      skipped: 1,
      peakLiveBytes: 560,
      finalLiveBlocks: 2,
      finalLiveBytes: 24,
      failures: 0,
    },
  );
  for (const key of ["file", "highWaterBytes", "leastArenaBytes", "utilization", "opsPerSecond", "digest"])
    assert.ok(key in report, key);
});

test("a folder: a table of what can be read; one bad file ends nothing and is named", async () => {
  const inner = join(folder, "many");
  mkdirSync(inner);
  writeFileSync(join(inner, "a.trace"), WEE);
  writeFileSync(join(inner, "b.rep.gz"), gzipSync("100 1 2 1 a 0 10 f 0"));
  writeFileSync(join(inner, "LICENSE"), "Permission is hereby granted\n");
  writeFileSync(join(inner, "c.trace"), "Alloc(5),\nnonsense\n");
  writeFileSync(join(inner, "d.gz"), gzipSync(WEE).fill(7, 12));
  const { code, out, err } = await replay(inner);
  assert.is(code, 2);
  assert.equal(
    out
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]),
    ["recording", "a", "b", "c"],
  );
  assert.match(err, /d\.gz: BAD_TRACE.*damaged/);
  assert.match(err, /1 files are no recordings: .*LICENSE/);
});

test("strict reading refuses what lenient reading counts", async () => {
  const { code, err } = await replay(written("strict.trace", WEE), "--strict");
  assert.is(code, 2);
  assert.match(err, /line 5, column 1: a free of an id that is not live/);
});

test("a recorded run is made again; a changed event is found where it is", async () => {
  const log = join(folder, "run.ndlog");
  assert.is((await ndisShmem("run", "--seed", "5", "--record", log, "--json")).code, 0);
  const same = await replay(log);
  assert.is(same.code, 0);
  assert.match(same.out, /the same run, [\d,]+ events/);
  const cut = written("cut.ndlog", readFileSync(log).subarray(0, 3000));
  assert.match((await replay(cut)).out, /the same run, [\d,]+ events \(the log was cut off there\)/);
  // Another seed in the header, as long as the old one: the first interrupt comes at another time.
  const bytes = Buffer.from(readFileSync(log));
  const at = bytes.indexOf('"driver":"e100bex","seed":5');
  assert.ok(at > 0);
  bytes[at + 26] = 0x36;
  const other = await replay(written("other.ndlog", bytes));
  assert.is(other.code, 1);
  assert.match(other.out, /another run from event \d+ on[\s\S]*expected .*interrupt[\s\S]*got .*interrupt/);
  const recording = await replay(log, "--mode", "core", "--json");
  assert.is((JSON.parse(recording.out) as { format: string }).format, "event-log");
});

test("--compare, exports, profiles and --record", async () => {
  const first = written("x.trace", WEE);
  const second = written("y.trace", WEE.replace("Alloc(16)", "Alloc(17)"));
  const compared = await replay("--compare", first, second);
  assert.is(compared.code, 1);
  assert.match(compared.out, /first event that differs is number 4/);
  assert.is((await replay("--compare", first, first)).code, 0);
  const csv = join(folder, "out.csv");
  const chrome = join(folder, "out.json");
  assert.is((await replay(first, "--csv", csv, "--chrome", chrome)).code, 0);
  assert.is(readFileSync(csv, "utf8").trim().split("\n").length, 5);
  assert.ok(Array.isArray((JSON.parse(readFileSync(chrome, "utf8")) as { traceEvents: unknown }).traceEvents));
  const log = join(folder, "machine.ndlog");
  assert.is((await replay(first, "--mode", "async", "--record", log)).code, 0);
  assert.is(readFileSync(log).subarray(0, 8).toString(), "NDISLOG1");
  const profile = written("profile.csv", "64, 3, 30\n4096, 1, 5\n");
  const drawn = await replay(profile, "--profile", "--allocations", "500", "--json");
  assert.is((JSON.parse(drawn.out) as { allocations: number }).allocations, 500);
});

const WRONG: readonly (readonly [args: readonly string[], why: RegExp])[] = [
  [[], /which recording/],
  [["missing.trace"], /ENOENT/],
  [["--mode", "fast", "x"], /--mode takes core, sync, async, chaos/],
  [["--format", "tar", "x"], /--format takes .*heaptrack/],
  [["--frame", "100", "."], /power of two/],
  [["--mode", "sync", "--frame", "128", "."], /64 or 4096/],
  [["--failing", "2", "."], /probability/],
  [["--on-failure", "cry", "."], /retry or drop/],
  [["--allocations", "0", "."], /--allocations/],
  [["--fast", "."], /fast/],
];

test("what a user gets wrong is said in one line, with exit code 2", async () => {
  for (const [args, why] of WRONG) {
    const { code, out, err } = await replay(...args);
    assert.is(code, 2, args.join(" "));
    assert.is(out, "", args.join(" "));
    assert.match(err, why);
  }
  const empty = join(folder, "empty");
  mkdirSync(empty);
  assert.match((await replay(empty)).err, /holds no file/);
  assert.match((await replay(written("text.txt", "hello\n"))).err, /no known format/);
  const one = written("one-more.trace", WEE);
  assert.match((await replay(one, "--record", "x")).err, /with --mode sync/);
  assert.match((await replay("--compare", one)).err, /two files/);
  assert.match((await replay(one, "--csv", join(folder, "no", "where"))).err, /--csv .*no such file or folder/);
});

test("--help in 80 columns", async () => {
  const { code, out } = await replay("--help");
  assert.is(code, 0);
  for (const line of out.split("\n")) assert.ok(line.length <= 80, line);
});

test.run();
