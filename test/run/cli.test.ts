/** The command line: what it prints where, that `--json` is one object with exactly its keys, and every exit code. */
import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import { readCapture, writeCapture } from "../../src/capture/index.js";
import { exitCodeOf, isClean, type RunReport } from "../../src/report/index.js";
import { parseXml, textsOf } from "../report/xml.js";
import { KeptIo, ndisShmem, ndisShmemOn } from "../repository/command.js";

const folder = mkdtempSync(join(tmpdir(), "ndis-shmem-cli-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const twoHosts = readCapture(readFileSync("examples/traffic/two-hosts.pcap"));
/** A short capture, so that runs are quick. */
const short = file("short.pcap", writeCapture(twoHosts.frames.slice(80, 160)));

const KEYS = {
  report: ["driver", "seed", "capture", "packets", "requests", "memory", "leaks", "violations", "digest", "timing"],
  packets: ["offered", "delivered", "dropped", "mismatched", "bytes", "reasons"],
  requests: ["synchronous", "asynchronous", "completed", "completedNull", "failedAtOnce", "freed"],
  memory: ["arenaBytes", "peakLiveBytes", "finalLiveBytes", "largestFreeBytes"],
};

test("cli: run --json prints one object with exactly the keys of the report, twice the same but for timing", async () => {
  const one = await ndisShmem("run", "--json", "--seed", "7");
  const other = await ndisShmem("run", "--json", "--seed", "7");
  assert.equal(one.code, 0);
  assert.equal(one.err, "");
  const report = JSON.parse(one.out) as RunReport;
  assert.deepEqual(Object.keys(report), KEYS.report);
  assert.deepEqual(Object.keys(report.packets), KEYS.packets);
  assert.deepEqual(Object.keys(report.requests), KEYS.requests);
  assert.deepEqual(Object.keys(report.memory), KEYS.memory);
  assert.deepEqual({ ...report, timing: 0 }, { ...JSON.parse(other.out), timing: 0 });
  assert.equal(report.seed, 7);
  assert.equal(report.driver, "e100bex");
  assert.ok(report.packets.delivered > 100 && report.packets.mismatched === 0);
  assert.ok(report.requests.asynchronous > 20);
  assert.equal(report.requests.completed, report.requests.asynchronous - report.requests.failedAtOnce);
  assert.equal(report.memory.finalLiveBytes, 0);
  assert.equal(report.leaks, 0);
  assert.deepEqual(report.violations, []);
});

test("cli: the table of the default run fits 80 columns and ends in clean", async () => {
  const { code, out, err } = await ndisShmem("run");
  assert.equal(code, 0);
  assert.equal(err, "");
  for (const line of out.split("\n")) assert.ok([...line].length <= 80, line);
  assert.match(out, /\nclean\n$/);
});

test("cli: help of the program and of each command goes to stdout with exit code 0, at 80 columns", async () => {
  for (const args of [["--help"], ["-h"], ["help"], ["run", "--help"], ["run", "--seed", "x", "--help"]]) {
    const { code, out, err } = await ndisShmem(...args);
    assert.equal(code, 0);
    assert.equal(err, "");
    assert.match(out, /usage: ndis-shmem/);
    assert.match(out, /0 clean, 1 findings/);
    for (const line of out.split("\n")) assert.ok(line.length <= 80, line);
  }
  const { out } = await ndisShmem("run", "--help");
  for (const option of ["driver", "traffic", "arena", "seed", "schedule", "json", "picture", "soak", "speed-up"]) {
    assert.match(out, new RegExp(`--${option}\\b`));
  }
});

test("cli: wrong usage is exit code 2, with a reason on stderr and nothing on stdout", async () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /usage/],
    [["walk"], /no command `walk`/],
    [["run", "--nonsense"], /nonsense/],
    [["run", "extra"], /extra/],
    [["run", "--seed"], /seed/],
    [["run", "--seed", "-1"], /seed/],
    [["run", "--seed", "1.5"], /--seed takes an integer/],
    [["run", "--seed", "0x10"], /--seed/],
    [["run", "--seed", "99999999999999999999"], /--seed/],
    [["run", "--arena", "many"], /--arena takes/],
    [["run", "--arena", "0"], /--arena: .*4096/],
    [["run", "--arena", "4095"], /--arena/],
    [["run", "--arena", "8G"], /--arena/],
    [["run", "--arena", "-1"], /arena/],
    [["run", "--arena", "1e6"], /--arena takes/],
    [["run", "--schedule", "manual"], /--schedule takes/],
    [["run", "--driver", "e1000"], /--driver takes e100bex/],
    [["run", "--json=yes"], /json/],
    [["run", "--soak", "0"], /--soak/],
    [["run", "--speed-up", "0"], /--speed-up/],
    [["run", "--speed-up", "1.5"], /--speed-up/],
    [["run", "--soak", "2", "--picture", "x.svg"], /--picture/],
    [
      ["run", "--picture", join(folder, "no", "such", "folder.svg"), "--traffic", short],
      /--picture .*no such file or folder/,
    ],
  ];
  for (const [args, reason] of wrong) {
    const { code, out, err } = await ndisShmem(...args);
    assert.equal(code, 2, args.join(" "));
    assert.equal(out, "", args.join(" "));
    assert.match(err, reason);
    assert.doesNotMatch(err, /\n {4}at /, "a reason, not a stack");
  }
});

test("cli: a file that is not there, a folder, and what is no capture are exit code 2 with the offset", async () => {
  const damaged: readonly (readonly [string, RegExp])[] = [
    [join(folder, "absent.pcap"), /--traffic .*absent.pcap: there is no such file/],
    [folder, /--traffic .*: it is a folder/],
    [file("empty.pcap", new Uint8Array(0)), /BAD_CAPTURE.*offset 0/],
    [file("text.pcap", new TextEncoder().encode("this is no capture at all, is it?")), /BAD_CAPTURE/],
  ];
  for (const [path, reason] of damaged) {
    for (const json of [[], ["--json"]]) {
      const { code, out, err } = await ndisShmem("run", "--traffic", path, ...json);
      assert.equal(code, 2, path);
      assert.equal(out, "");
      assert.match(err, reason);
    }
  }
});

test("cli: every truncation of a capture ends with exit code 0 or 2, and never otherwise", async () => {
  const whole = writeCapture(twoHosts.frames.slice(82, 85));
  const codes = new Set<number>();
  for (let length = 0; length <= whole.length; length += 7) {
    const { code } = await ndisShmem("run", "--json", "--traffic", file("part.pcap", whole.subarray(0, length)));
    codes.add(code);
  }
  codes.add((await ndisShmem("run", "--traffic", file("part.pcap", whole))).code);
  assert.deepEqual([...codes].sort(), [0, 2]);
});

test("cli: a small arena drops with a reason and ends clean, a smaller one is exit code 3", async () => {
  const small = await ndisShmem("run", "--json", "--arena", "128K");
  assert.equal(small.code, 0);
  const report = JSON.parse(small.out) as RunReport;
  assert.equal(report.memory.arenaBytes, 131_072);
  assert.ok(report.requests.completedNull > 0 && (report.packets.reasons["no-buffer"] ?? 0) > 0);
  assert.equal(report.memory.finalLiveBytes, 0);

  const none = await ndisShmem("run", "--json", "--arena", "64K");
  assert.equal(none.code, 3);
  assert.deepEqual(Object.keys(JSON.parse(none.out) as RunReport), KEYS.report);
  assert.match(none.err, /refused to initialize: NDIS_STATUS_RESOURCES/);
  assert.match(
    (await ndisShmem("run", "--arena", "64K")).out,
    /\ne100bex refused to initialize: NDIS_STATUS_RESOURCES\n$/,
  );
});

test("cli: findings are exit code 1, whatever else happened", async () => {
  const { out } = await ndisShmem("run", "--json", "--traffic", short);
  const report = JSON.parse(out) as RunReport;
  assert.ok(isClean(report));
  assert.equal(exitCodeOf(report, null), 0);
  assert.equal(exitCodeOf(report, "RESOURCES"), 3);
  const violation = { rule: "r", code: null, bugCheck: null, call: "c", message: "m" };
  const findings: RunReport[] = [
    { ...report, leaks: 1 },
    { ...report, violations: [violation] },
    { ...report, packets: { ...report.packets, mismatched: 1 } },
    { ...report, packets: { ...report.packets, reasons: { lost: 1 } } },
  ];
  for (const finding of findings) {
    assert.equal(exitCodeOf(finding, null), 1);
    assert.equal(exitCodeOf(finding, "RESOURCES"), 1);
  }
});

test("cli: sizes take K, M and G, schedules and drivers their names", async () => {
  for (const [given, bytes] of [
    ["262144", 262_144],
    ["256K", 262_144],
    ["256k", 262_144],
    ["256KiB", 262_144],
    ["1M", 1_048_576],
    ["16MB", 16_777_216],
  ] as const) {
    const { code, out } = await ndisShmem("run", "--json", "--traffic", short, "--arena", given);
    assert.equal(code, 0);
    assert.equal((JSON.parse(out) as RunReport).memory.arenaBytes, bytes);
  }
  for (const schedule of ["fifo", "lifo", "random", "starved", "batched", "racing"]) {
    assert.equal((await ndisShmem("run", "--driver=e100bex", "--schedule", schedule, "--traffic", short)).code, 0);
  }
});

test("cli: --picture writes a picture that is well-formed and says what the table says", async () => {
  const path = join(folder, "run.svg");
  const { code, out } = await ndisShmem("run", "--seed", "7", "--arena", "128K", "--picture", path);
  assert.equal(code, 0);
  const texts = textsOf(parseXml(readFileSync(path, "utf8")));
  const dropped = /no-buffer +(\d+)/.exec(out)?.[1];
  assert.ok(texts.some((line) => line.includes(`${dropped} no-buffer`)));
  assert.ok(texts.includes("e100bex playing two-hosts.pcap"));
});

test("cli: stamps that go backwards are said, in the table and beside the JSON", async () => {
  const frames = [5, 3, 9].map((ms) => ({ timeNs: ms * 1_000_000, bytes: new Uint8Array(60) }));
  const path = file("back.pcap", writeCapture(frames));
  assert.match((await ndisShmem("run", "--traffic", path)).out, / {2}mended +1 +stamp before its/);
  const { code, err } = await ndisShmem("run", "--json", "--traffic", path);
  assert.equal(code, 0);
  assert.match(err, /mended 1 \(stamp before its predecessor's/);
});

test("cli: a soak counts its scenarios and repeats by its seed", async () => {
  const soak = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, out } = await ndisShmem("run", "--json", "--traffic", short, ...args);
    assert.equal(code, 0);
    return { ...(JSON.parse(out) as Record<string, unknown>), timing: 0 };
  };
  const whole = await soak("--soak", "12", "--seed", "5");
  assert.equal(whole.scenarios, 12);
  assert.equal(whole.clean, 12);
  assert.deepEqual(whole.findings, []);
  assert.ok((whole.injected as number) > 0);
  assert.deepEqual(await soak("--soak", "12", "--seed", "5"), whole);
  const { out } = await ndisShmem("run", "--traffic", short, "--soak", "3");
  for (const line of out.split("\n")) assert.ok([...line].length <= 80, line);
  assert.match(out, /3 scenarios from seed 1/);
  for (const said of [/FAILURE at once +\d/, /completed, NULL +\d/, /asynchronous +\d/]) assert.match(out, said);
  assert.match(out, /\nclean\n$/);
});

test("cli: a run of seconds shows its progress on a terminal, and wipes it away", async () => {
  const frames = Array.from({ length: 60_000 }, (_, index) => ({
    timeNs: index * 100_000,
    bytes: new Uint8Array(60).fill(index & 255),
  }));
  const path = file("many.pcap", writeCapture(frames));
  const io = new KeptIo({ progress: true, columns: 80 });
  const began = performance.now();
  const { code, out } = await ndisShmemOn(io, "run", "--traffic", path);
  const tookMs = performance.now() - began;
  const bars = io.errors;
  assert.equal(code, 0);
  assert.match(out, /\nclean\n$/);
  if (tookMs < 1100) {
    assert.ok(bars.length <= 2, "a run under a second shows nothing, or hardly anything");
    return;
  }
  assert.ok(bars.length >= 2, `${bars.length} writes in ${tookMs} ms`);
  assert.match(bars[0] ?? "", /^\rplaying {2}\[#* *\] +\d+ % {2}[\d,]+ of [\d,]+ bytes/);
  assert.equal(bars.at(-1), "\r\u001b[K");
});

const built = existsSync("dist/cli.js");
const program = built ? test : test.skip;
program(
  `cli: the built program runs, and survives a closed pipe${built ? "" : " skipped: dist/cli.js is not built"}`,
  () => {
    const run = spawnSync(process.execPath, ["dist/cli.js", "run", "--json", "--seed", "7"], { encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
    assert.equal(run.stderr, "");
    assert.deepEqual(Object.keys(JSON.parse(run.stdout) as RunReport), KEYS.report);
    assert.equal(spawnSync(process.execPath, ["dist/cli.js", "run", "--traffic", folder]).status, 2);
    assert.equal(spawnSync(process.execPath, ["dist/cli.js", "run", "--arena", "64K"]).status, 3);
    const piped = spawnSync("sh", ["-c", `"${process.execPath}" dist/cli.js run --help | head -1`], {
      encoding: "utf8",
    });
    assert.match(piped.stdout, /usage: ndis-shmem run/);
    assert.equal(piped.stderr, "");
  },
);

test.run();
