/** `ndis-shmem run` on captures as they occur: damaged, packed, of other kinds, from a pipe; and the capture it writes. */
import * as assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import { readCapture, writeCapture } from "../../src/capture/index.js";
import type { RunReport } from "../../src/report/index.js";
import { contentOf, gzipped, joined, Pcapng } from "../capture/files.js";
import { KeptIo, ndisShmem, ndisShmemOn } from "../repository/command.js";

const folder = mkdtempSync(join(tmpdir(), "ndis-shmem-traffic-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const frames = readCapture(readFileSync("examples/traffic/two-hosts.pcap")).frames.slice(80, 160);
const whole = writeCapture(frames, { startSeconds: 1_700_000_000 });
const pcapng = (() => {
  const make = new Pcapng(false);
  const stamp = (timeNs: number): bigint => 1_700_000_000_000_000n + BigInt(Math.floor(timeNs / 1000));
  return joined(
    make.section(),
    make.interface(1),
    ...frames.map((one) => make.enhanced(0, stamp(one.timeNs), one.bytes)),
  );
})();

async function played(...args: string[]): Promise<RunReport> {
  const { code, out, err } = await ndisShmem("run", "--json", ...args);
  assert.equal(code, 0, err);
  return JSON.parse(out) as RunReport;
}

test("traffic: pcap, pcapng and gzip of either are one run", async () => {
  const reports = [];
  for (const [name, bytes] of [
    ["a.pcap", whole],
    ["a.pcapng", pcapng],
    ["a.pcap.gz", gzipped(whole)],
    ["a.pcapng.gz", gzipped(pcapng)],
  ] as const) {
    const { capture, timing, ...rest } = await played("--traffic", file(name, bytes));
    assert.equal(capture.format, name.includes("ng") ? "pcapng" : "pcap");
    assert.equal(capture.compressed, name.endsWith("gz"));
    assert.equal(capture.frames, frames.length);
    assert.ok(timing.wallMs >= 0);
    reports.push(rest);
  }
  for (const report of reports) assert.deepEqual(report, reports[0]);
});

test("traffic: what is whole of a damaged file is played; the table, the JSON and stderr say what was not", async () => {
  const cut = file("cut.pcap", whole.subarray(0, whole.length - 1));
  const report = await played("--traffic", cut);
  assert.equal(report.packets.offered, frames.length - 1);
  assert.deepEqual(report.capture.skipped, { "cut-record": 1 });
  assert.ok(report.capture.skippedBytes > 0);
  const table = await ndisShmem("run", "--traffic", cut);
  assert.equal(table.code, 0);
  assert.match(table.out, / {2}skipped +1 +record cut by the end of the\s+file/);
  const strict = await ndisShmem("run", "--strict", "--traffic", cut);
  assert.equal(strict.code, 2);
  assert.match(strict.err, /--traffic .*cut\.pcap: .*cut record/);
});

test("traffic: other link types are converted and said, or refused by name unless they are asked for", async () => {
  const ip = frames.map(({ timeNs, bytes }) => ({ timeNs, bytes: bytes.subarray(14) }));
  const raw = await ndisShmem("run", "--traffic", file("raw.pcap", writeCapture(ip, { linkType: 101 })));
  assert.equal(raw.code, 0);
  assert.match(raw.out, /raw IP converted to\s+Ethernet/);
  const usb = file("usb.pcap", writeCapture(frames, { linkType: 189 }));
  const refused = await ndisShmem("run", "--traffic", usb);
  assert.equal(refused.code, 2);
  assert.equal(refused.out, "");
  assert.match(refused.err, /USB on Linux.*189.*--any-link-type/);
  const asIs = await played("--traffic", usb, "--any-link-type");
  assert.equal(asIs.packets.offered, frames.length);
  assert.equal(asIs.capture.linkTypes[0]?.played, "as-is");
});

test("traffic: - is standard input, once", async () => {
  const io = new KeptIo();
  io.standardInput = gzipped(whole);
  const { code, out } = await ndisShmemOn(io, "run", "--json", "--traffic", "-");
  assert.equal(code, 0);
  assert.equal((JSON.parse(out) as RunReport).packets.offered, frames.length);
  assert.equal((await ndisShmem("run", "--traffic", "-", "--soak", "2")).code, 2);
});

const short = file("short.pcap", whole);

test("traffic: --capture-out is a capture of what the driver handed up, in its order", async () => {
  const path = join(folder, "out.pcap");
  const report = await played("--traffic", short, "--capture-out", path);
  const written = readCapture(readFileSync(path), { strict: true });
  assert.equal(written.summary.frames, report.packets.delivered);
  assert.deepEqual(
    contentOf(written).map((line) => line.replace(/^\d+ /, "")),
    contentOf({ frames }).map((line) => line.replace(/^\d+ /, "")),
  );
  const io = new KeptIo();
  const { code } = await ndisShmemOn(io, "run", "--traffic", short, "--capture-out", "-");
  assert.equal(code, 0);
  assert.deepEqual(io.bytes, readFileSync(path));
  assert.match(io.errors.join(""), /\nclean\n$/, "the table goes to stderr");
});

test("traffic: - for a picture is standard output, and two things do not share it", async () => {
  const { code, out, err } = await ndisShmem("run", "--traffic", short, "--picture", "-");
  assert.equal(code, 0);
  assert.match(out, /^<svg[\s\S]*<\/svg>\s*$/);
  assert.match(err, /\nclean\n$/);
  assert.ok(!existsSync("-"));
  for (const args of [
    ["--json", "--picture", "-"],
    ["--picture", "-", "--capture-out", "-"],
  ]) {
    const both = await ndisShmem("run", "--traffic", short, ...args);
    assert.equal(both.code, 2);
    assert.match(both.err, /both go to standard output/);
  }
});

test("traffic: the same run whatever the pieces in which the file comes", async () => {
  const one = await played("--traffic", short);
  const io = new KeptIo();
  io.standardInput = whole;
  const { out } = await ndisShmemOn(io, "run", "--json", "--traffic", "-");
  assert.deepEqual({ ...(JSON.parse(out) as RunReport), timing: null }, { ...one, timing: null });
});

test("traffic: Ctrl-C ends the traffic, halts the driver, and shows what was done, with exit code 130", async () => {
  const many = Array.from({ length: 20_000 }, (_, at) => ({ timeNs: at * 1_000_000, bytes: new Uint8Array(60) }));
  const path = file("many.pcap", writeCapture(many));
  const io = new KeptIo();
  io.interruptAfter = 5;
  const { code, out, err } = await ndisShmemOn(io, "run", "--traffic", path);
  assert.equal(code, 130);
  const offered = Number(/offered +([\d,]+)/.exec(out)?.[1]?.replace(",", ""));
  assert.ok(offered > 0 && offered < 20_000, `${offered} frames`);
  assert.match(out, /leaks +0/);
  assert.match(err, new RegExp(`interrupted after ${offered} frames`));

  const soaking = new KeptIo();
  soaking.interruptAfter = 6;
  const soak = await ndisShmemOn(soaking, "run", "--traffic", short, "--soak", "1000", "--json");
  assert.equal(soak.code, 130);
  const { scenarios, clean } = JSON.parse(soak.out) as { scenarios: number; clean: number };
  assert.ok(scenarios > 0 && scenarios < 1000);
  assert.equal(clean, scenarios);
  assert.match(soak.err, new RegExp(`interrupted after ${scenarios} of 1000 scenarios`));
});

const CASES = "../shared/cases/captures";
if (existsSync(CASES)) {
  for (const name of readdirSync(CASES)) {
    test(`field report: \`run --traffic ${name}\` plays what is whole`, async () => {
      const report = await played("--traffic", join(CASES, name));
      assert.ok(report.packets.offered >= 2);
      assert.equal(report.packets.offered, report.capture.frames);
      assert.deepEqual(report.violations, []);
    });
  }
} else {
  test.skip(`field reports: skipped: ${CASES} is not here`, () => {});
}

test.run();
