/** The table and the picture: what they show, that they fit, and that nothing in a name or a message breaks out of them. */
import * as assert from "node:assert/strict";
import { test } from "uvu";
import {
  bytesText,
  durationText,
  grouped,
  HistoryRecorder,
  percentText,
  progressBar,
  type ReportedViolation,
  reportPicture,
  reportTable,
  SpreadRecorder,
  spreadOf,
} from "../../src/report/index.js";
import { TimeAxis } from "../../src/report/picture/time-axis.js";
import { madeUpRun } from "./fixture.js";
import { parseXml, textsOf } from "./xml.js";

const violation: ReportedViolation = {
  rule: "FreeMatchesAllocation",
  code: "LENGTH_MISMATCH",
  bugCheck: null,
  call: "NdisMFreeSharedMemory",
  message: `a message with <tags> & "quotes", a bell \u0007, a colour \u001b[31m and ${"many words ".repeat(20)}`,
};

test("report: every line of the table fits into the terminal, from 60 columns on, and breaks inside no word", () => {
  for (const frames of [40, 60, 96, 3000]) {
    const { report, history } = madeUpRun(frames);
    const huge = {
      ...report,
      seed: 4294967295,
      packets: { ...report.packets, offered: 1e9, bytes: 1e15, reasons: { "no-buffer": 1e9, oversize: 123456789 } },
      memory: { ...report.memory, arenaBytes: 2 ** 40, peakLiveBytes: 2 ** 40 },
      violations: [violation, violation],
      leaks: 3,
      capture: {
        ...report.capture,
        compressed: true,
        linkTypes: [{ linkType: 113, name: "Linux cooked", frames: 1e9, played: "converted" as const }],
        mended: { "original-length-raised": 123_456_789, "gap-shortened": 1 },
        skipped: { "unknown-interface": 7 },
        skippedBytes: 1e12,
        cutFrames: 5,
      },
    };
    const long = { ...history, title: "x".repeat(300) };
    const words = (table: string): string[] => table.split(/\s+/).filter((word) => !word.includes("..."));
    for (const columns of [60, 72, 80, 132]) {
      for (const table of [
        reportTable(report, history, null, columns),
        reportTable(huge, long, null, columns),
        reportTable(huge, long, "RESOURCES", columns),
      ]) {
        for (const line of table.split("\n")) assert.ok([...line].length <= columns, `${columns} columns: ${line}`);
        assert.ok(!/\p{Cc}/u.test(table.replaceAll("\n", "")), "no control characters reach the terminal");
      }
      assert.deepEqual(words(reportTable(huge, long, null, columns)), words(reportTable(huge, long, null, 300)));
    }
  }
});

test("report: the table says what happened", () => {
  const { report, history } = madeUpRun(60);
  const table = reportTable(report, history);
  assert.match(table, /^ndis-shmem run: e100bex, seed 7$/m);
  assert.match(table, /^packets +offered +360$/m);
  assert.match(table, /^ +no-buffer +34$/m);
  assert.match(table, /^ +of them with NULL +34 /m);
  assert.match(table, /fragmentation/);
  assert.match(table, /digest +0123456789abcdef/);
  assert.match(table, /\nclean\n$/);
  const bad = reportTable({ ...report, violations: [violation] }, history);
  assert.match(bad, /FreeMatchesAllocation in NdisMFreeSharedMemory \(LENGTH_MISMATCH\)/);
  assert.match(bad, /\nNOT CLEAN\n$/);
  assert.match(reportTable({ ...report, leaks: 1 }, history), /\nNOT CLEAN\n$/);
});

test("report: a run without one asynchronous request has a table and a picture", () => {
  const { report, history } = madeUpRun();
  const quiet = { ...report, timing: { ...report.timing, completionLatency: null } };
  const none = { ...history, memory: [], traffic: [], markers: [], peak: { ...history.peak, blocks: [] } };
  assert.match(reportTable(quiet, none), /latency +none/);
  parseXml(reportPicture(quiet, none));
});

test("report: the picture is well-formed, self-contained, and escapes what it shows", () => {
  const { report, history } = madeUpRun(60);
  const picture = reportPicture(report, history);
  const root = parseXml(picture);
  assert.equal(root.name, "svg");
  const texts = textsOf(root);
  assert.ok(texts.includes('e100bex playing made-up <&> "traffic".pcap'), "the name is text, not markup");
  assert.ok(texts.some((line) => /34 with NULL/.test(line)));
  assert.ok(texts.some((line) => /^\d+ dropped: no-buffer$/.test(line)));
  assert.ok(texts.some((line) => /^receive frame, grown: 36 blocks/.test(line)));
  assert.ok(texts.some((line) => /^2.8 s silent$/.test(line)));
  assert.ok(texts.some((line) => /^peak 240 KiB$/.test(line)));
  assert.doesNotMatch(picture, /href|<script|<image|@import|url\((?!#)/, "nothing is fetched");
  assert.doesNotMatch(picture, /NaN|Infinity|undefined/);
});

test("report: names that are not XML are made harmless", () => {
  const { report, history } = madeUpRun(60);
  for (const title of ["\u0000\u0001", "]]>", "<!--", "\ud800", "a\ufffeb", "&amp;", "'\"</text><script>"]) {
    parseXml(reportPicture({ ...report, driver: title }, { ...history, title }));
  }
});

test("report: arenas of one frame to millions draw, and the file stays small", () => {
  for (const frames of [1, 33, 96, 193, 1025, 4097, 1 << 20]) {
    const { report, history } = madeUpRun(Math.max(frames, 60));
    const zones = [{ base: 0x100000, size: Math.max(frames, 1) * 4096 }];
    const picture = reportPicture(report, { ...history, zones });
    parseXml(picture);
    assert.doesNotMatch(picture, /NaN/);
    assert.ok(picture.length < 400_000, `${picture.length} characters for ${frames} frames`);
  }
});

test("report: the same run draws the same bytes", () => {
  const one = madeUpRun();
  const other = madeUpRun();
  assert.equal(reportPicture(one.report, one.history), reportPicture(other.report, other.history));
});

test("report: a history over its limit keeps the peak, the sum of bytes and the order", () => {
  const recorder = new HistoryRecorder(64);
  const whole = 10_000;
  for (let index = 0; index < whole; index += 1) {
    const liveBytes = index === 6543 ? 1_000_000 : index;
    recorder.memory({ timeNs: index, liveBytes, freeBytes: 0, largestFreeBytes: 0, pending: 0 });
    recorder.traffic({ timeNs: index, bytes: 10 });
    recorder.mark({ timeNs: index, kind: "drop", label: "no-buffer" });
  }
  const peak = { timeNs: 0, liveBytes: 0, freeBytes: 0, largestFreeBytes: 0, blocks: [] };
  const history = recorder.finish({ title: "", frameSize: 4096, zones: [], peak });
  assert.ok(history.memory.length <= 64 && history.traffic.length <= 64 && history.markers.length <= 64);
  assert.equal(Math.max(...history.memory.map((sample) => sample.liveBytes)), 1_000_000);
  assert.equal(
    history.traffic.reduce((sum, sample) => sum + sample.bytes, 0),
    whole * 10,
  );
  assert.equal(recorder.markersLeftOut, whole - 64);
  const sizes = history.traffic.slice(0, -1).map(({ bytes }) => bytes);
  assert.equal(new Set(sizes).size, 1, "early traffic is thinned as often as late traffic");
  for (const list of [history.memory, history.traffic]) {
    assert.ok(list.every((sample, index) => index === 0 || sample.timeNs >= (list[index - 1]?.timeNs ?? 0)));
  }
});

test("report: the time axis is monotone, meets its ends and finds its way back", () => {
  const events = [0, 1000, 120_000, 240_000, 3_000_000_000, 3_000_100_000, 9_000_000_000];
  const axis = new TimeAxis(events, 50, 1050);
  assert.equal(axis.placeOf(0), 50);
  assert.equal(axis.placeOf(9_000_000_000), 1050);
  assert.equal(axis.placeOf(99_000_000_000), 1050);
  let before = 0;
  for (let time = 0; time <= 9_000_000_000; time += 9_000_000) {
    const place = axis.placeOf(time);
    assert.ok(place >= before, `not decreasing at ${time}`);
    assert.ok(Math.abs(axis.timeAt(place) - time) <= 2, `there and back at ${time}`);
    before = place;
  }
  assert.equal(new TimeAxis([], 0, 10).placeOf(5), 0);
  assert.equal(new TimeAxis([7], 0, 10).placeOf(7), 0);
});

test("report: numbers read as people write them", () => {
  assert.equal(grouped(0), "0");
  assert.equal(grouped(1_234_567), "1,234,567");
  assert.equal(grouped(-1000), "-1,000");
  assert.equal(bytesText(1554), "1.52 KiB");
  assert.equal(bytesText(4096), "4 KiB");
  assert.equal(bytesText(1_048_576), "1 MiB");
  assert.equal(durationText(999), "999 ns");
  assert.equal(durationText(55_700), "55.7 µs");
  assert.equal(durationText(19_700_000_000), "19.7 s");
  assert.equal(percentText(1, 3), "33.3 %");
  assert.equal(percentText(5, 0), "0 %");
});

test("report: a spread over its limit is exact at its ends and near in between", () => {
  const recorder = new SpreadRecorder(64);
  assert.equal(recorder.spread(), null);
  for (let at = 0; at < 100_000; at += 1) recorder.add(at === 77_777 ? 9_000_000 : 1000 + at);
  const spread = recorder.spread();
  assert.equal(spread?.minNs, 1000);
  assert.equal(spread?.maxNs, 9_000_000);
  assert.ok(Math.abs((spread?.medianNs ?? 0) - 51_000) < 4000, `${spread?.medianNs}`);
  assert.ok(Math.abs((spread?.p99Ns ?? 0) - 100_000) < 4000, `${spread?.p99Ns}`);
});

test("report: the spread is of the nearest rank", () => {
  assert.equal(spreadOf([]), null);
  assert.deepEqual(spreadOf([5]), { minNs: 5, medianNs: 5, p99Ns: 5, maxNs: 5 });
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.deepEqual(spreadOf(hundred), { minNs: 1, medianNs: 50, p99Ns: 99, maxNs: 100 });
});

test("report: the progress bar never leaves its line", () => {
  for (let done = 0; done <= 50; done += 1) {
    for (const columns of [20, 40, 80, 200]) {
      const bar = progressBar("play", done * 1_000_000, 50_000_000, "frames", columns);
      assert.ok(bar.length <= columns, `${bar.length} of ${columns}`);
    }
  }
  assert.match(progressBar("play", 0, 0, "frames"), /100 %/);
  assert.match(progressBar("play", 1, 2, "frames"), /\[#+ +\] {3}50 % {2}1 of 2 frames/);
});

test.run();
