/** Classic pcap: what is read, what is mended and counted, what is skipped and counted, and what is refused. */
import * as assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { test } from "uvu";
import { ShmemError } from "../../bindings/index.js";
import {
  type Capture,
  type CaptureFormat,
  MAX_FRAME_BYTES,
  MAX_GAP_NS,
  readCapture,
  writeCapture,
} from "../../src/capture/index.js";
import { Fields, filled, framesOf, joined, refusalOf } from "./files.js";

const formats: CaptureFormat[] = [
  { bigEndian: false, nanoseconds: false },
  { bigEndian: true, nanoseconds: false },
  { bigEndian: false, nanoseconds: true },
  { bigEndian: true, nanoseconds: true },
];

/** The numbers of a capture agree with each other; returns it. */
function sound(capture: Capture): Capture {
  const { frames, summary } = capture;
  let previous = 0;
  for (const { timeNs, bytes, originalLengthBytes } of frames) {
    assert.ok(Number.isSafeInteger(timeNs) && timeNs >= previous && timeNs - previous <= MAX_GAP_NS, `${timeNs}`);
    assert.ok(originalLengthBytes >= bytes.length);
    previous = timeNs;
  }
  assert.equal(frames[0]?.timeNs ?? 0, 0);
  assert.equal(summary.frames, frames.length);
  assert.equal(summary.durationNs, previous);
  assert.equal(
    summary.totalBytes,
    frames.reduce((sum, { bytes }) => sum + bytes.length, 0),
  );
  assert.equal(
    summary.linkTypes.reduce((sum, one) => sum + one.frames, 0),
    frames.length,
  );
  return capture;
}

for (const format of formats) {
  test(`pcap: ${format.bigEndian ? "big" : "little"}-endian, ${format.nanoseconds ? "nano" : "micro"}seconds`, () => {
    const file = writeCapture(
      [
        { timeNs: 999_999_000, bytes: Uint8Array.of(1, 2, 3) },
        { timeNs: 1_000_001_500, bytes: filled(14, 7) },
        { timeNs: 3_000_000_000, bytes: filled(60, 9), originalLengthBytes: 1514 },
      ],
      { ...format, startSeconds: 1_700_000_000, snapLengthBytes: 262_144 },
    );
    const capture = sound(readCapture(file));
    const { frames, summary } = capture;
    assert.deepEqual(
      frames.map((frame) => [frame.timeNs, frame.bytes.length, frame.originalLengthBytes]),
      [
        [0, 3, 3],
        [format.nanoseconds ? 2500 : 2000, 14, 14],
        [2_000_001_000, 60, 1514],
      ],
    );
    assert.deepEqual([...(frames[0]?.bytes ?? [])], [1, 2, 3]);
    assert.ok(
      frames.every(({ bytes }) => bytes.buffer === file.buffer),
      "views into the file",
    );
    assert.deepEqual(summary, {
      format: "pcap",
      compressed: false,
      frames: 3,
      totalBytes: 77,
      cutFrames: 1,
      durationNs: 2_000_001_000,
      linkTypes: [{ linkType: 1, name: "Ethernet", frames: 3, played: "ethernet" }],
      mended: {},
      skipped: {},
      skippedBytes: 0,
    });
  });
}

test("pcap: a header alone is a capture of no frames", () => {
  assert.deepEqual(sound(readCapture(writeCapture([]))).frames, []);
});

test("pcap: a stamp before its predecessor is moved to it, and counted", () => {
  const stamps = [5_000_000, 3_000_000, 3_500_000, 9_000_000, 8_999_000];
  const capture = sound(readCapture(writeCapture(stamps.map((timeNs) => ({ timeNs, bytes: filled(1, 1) })))));
  assert.deepEqual(
    capture.frames.map((frame) => frame.timeNs),
    [0, 0, 0, 4_000_000, 4_000_000],
  );
  assert.deepEqual(capture.summary.mended, { "stamp-before-predecessor": 3 });
});

test("pcap: a clock set back by hours, and gaps of months, cost no frame and at most a day each", () => {
  const hour = 3_600_000_000_000;
  const second = 1_000_000_000;
  const stamps = [10 * hour, 10 * hour + second, second, 2 * second, 4000 * hour, 4000 * hour + second];
  const capture = sound(readCapture(writeCapture(stamps.map((timeNs) => ({ timeNs, bytes: filled(1, 1) })))));
  assert.deepEqual(
    capture.frames.map(({ timeNs }) => timeNs / second),
    [0, 1, 1, 2, 86_402, 86_403],
  );
  assert.deepEqual(capture.summary.mended, { "clock-set-back": 1, "gap-shortened": 1 });
});

test("pcap: thousands of long gaps never pass what a time can hold", () => {
  const record = (seconds: number): Uint8Array => joined(new Fields(true).u32(seconds, 0, 1, 1).bytes, filled(1, 1));
  const records = Array.from({ length: 6000 }, (_, at) => record((at % 2) * 4_000_000_000));
  const { summary } = sound(readCapture(joined(writeCapture([]), ...records)));
  assert.equal(summary.frames, 6000);
  assert.ok(summary.durationNs <= Number.MAX_SAFE_INTEGER);
});

test("pcap: frames of any length are read; above 16 MiB a length is damage", () => {
  for (const length of [65_535, 65_536, 262_145, MAX_FRAME_BYTES]) {
    const { frames, summary } = readCapture(writeCapture([{ timeNs: 0, bytes: filled(length, 1) }]));
    assert.equal(frames[0]?.bytes.length, length);
    assert.deepEqual(summary.skipped, {});
  }
  const { summary } = readCapture(writeCapture([{ timeNs: 0, bytes: filled(MAX_FRAME_BYTES + 1, 1) }]));
  assert.equal(summary.frames, 0);
  assert.deepEqual(summary.skipped, { "damaged-bytes": 1 });
});

test("pcap: more bytes recorded than the frame had, and a fraction of more than a second, are mended", () => {
  const file = writeCapture([{ timeNs: 0, bytes: filled(116, 1), originalLengthBytes: 100 }]);
  const { frames, summary } = sound(readCapture(file));
  assert.deepEqual([frames[0]?.bytes.length, frames[0]?.originalLengthBytes], [116, 116]);
  assert.deepEqual(summary.mended, { "original-length-raised": 1 });

  const late = joined(
    writeCapture([]),
    ...[1_000_063, 1_000_163].map((fraction) => joined(new Fields(true).u32(5, fraction, 2, 2).bytes, filled(2, 1))),
  );
  const carried = sound(readCapture(late));
  assert.deepEqual(
    carried.frames.map(({ timeNs }) => timeNs),
    [0, 100_000],
  );
  assert.deepEqual(carried.summary.mended, { "fraction-carried": 2 });
});

test("pcap: versions 2.0 to 2.4 and the firewall's 543.0; the lengths change places before 2.4", () => {
  const file = (major: number, minor: number, first: number, second: number): Uint8Array =>
    joined(
      new Fields(true).u32(0xa1b2c3d4).u16(major, minor).u32(0, 0, 65_535, 1, 7, 0, first, second).bytes,
      filled(20, 1),
    );
  for (const minor of [0, 1, 2]) assert.deepEqual(framesOf(readCapture(file(2, minor, 60, 20)))[0]?.[2], 60);
  for (const [first, second] of [
    [60, 20],
    [20, 60],
  ] as const) {
    assert.deepEqual(framesOf(readCapture(file(2, 3, first, second)))[0]?.[2], 60);
  }
  assert.deepEqual(framesOf(readCapture(file(2, 4, 20, 60)))[0]?.[2], 60);
  assert.deepEqual(framesOf(readCapture(file(543, 0, 20, 60)))[0]?.[2], 60);
  for (const [major, minor] of [
    [2, 5],
    [1, 4],
    [3, 0],
  ] as const) {
    assert.match(refusalOf(file(major, minor, 20, 60)).message, new RegExp(`version ${major}.${minor}`));
  }
});

test("pcap: long record headers are read", () => {
  const head = new Fields(true).u32(0xa1b2cd34).u16(2, 4).u32(0, 0, 65_535, 1).bytes;
  const record = joined(new Fields(true).u32(7, 8, 3, 3, 99, 99).bytes, Uint8Array.of(1, 2, 3));
  assert.deepEqual(framesOf(readCapture(joined(head, record, record))), [
    [0, [1, 2, 3], 3],
    [0, [1, 2, 3], 3],
  ]);
});

test("pcap: check bytes that the header announces are removed, from whole frames only", () => {
  const file = writeCapture([
    { timeNs: 0, bytes: filled(64, 1) },
    { timeNs: 0, bytes: filled(60, 1), originalLengthBytes: 64 },
  ]);
  new DataView(file.buffer).setUint32(20, 0x2400_0001, true);
  const { frames, summary } = sound(readCapture(file));
  assert.deepEqual(
    frames.map(({ bytes, originalLengthBytes }) => [bytes.length, originalLengthBytes]),
    [
      [60, 60],
      [60, 64],
    ],
  );
  assert.deepEqual(summary.mended, { "check-bytes-removed": 1 });
});

test("pcap: each file that cannot be read is refused at its offset", () => {
  const file = writeCapture([{ timeNs: 0, bytes: filled(10, 1) }]);
  const offsetOf = (bytes: Uint8Array): unknown => {
    const { value, unit } = refusalOf(bytes);
    assert.equal(unit, "offset");
    return value;
  };
  assert.equal(offsetOf(new Uint8Array(0)), 0);
  assert.equal(offsetOf(Uint8Array.of(0xd4, 0xc3, 0xb2)), 0);
  assert.equal(offsetOf(filled(100, 0)), 0);
  assert.equal(offsetOf(new TextEncoder().encode("this is no capture at all")), 0);
  assert.equal(offsetOf(file.subarray(0, 23)), 23);
  assert.match(refusalOf(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0)).message, /gzip.*openCapture/);
});

test("pcap: what is no Uint8Array is INVALID_ARGUMENT", () => {
  for (const value of [undefined, null, "file.pcap", new ArrayBuffer(24), [1, 2]]) {
    assert.throws(
      () => readCapture(value as unknown as Uint8Array),
      (error) => error instanceof ShmemError && error.code === "INVALID_ARGUMENT",
    );
  }
});

test("pcap: a view into a larger buffer is read from its own start", () => {
  const file = writeCapture([{ timeNs: 0, bytes: Uint8Array.of(7, 8) }]);
  const larger = filled(file.length + 37, 0xee);
  larger.set(file, 13);
  const capture = readCapture(larger.subarray(13, 13 + file.length));
  assert.deepEqual([...(capture.frames[0]?.bytes ?? [])], [7, 8]);
});

const SECONDS = 1_700_000_000;
/** Four frames of 42, 3, 20 and 61 bytes, as a recorder writes them today. */
const small = writeCapture(
  [
    { timeNs: 0, bytes: filled(42, 1) },
    { timeNs: 1_000_000, bytes: filled(3, 2), originalLengthBytes: 1514 },
    { timeNs: 500_000, bytes: filled(20, 0) },
    { timeNs: 2_000_000_000, bytes: filled(61, 3) },
  ],
  { startSeconds: SECONDS },
);
const starts = [24, 24 + 58, 24 + 58 + 19, 24 + 58 + 19 + 36];

test("pcap: every truncation keeps the frames before it, and counts the rest", () => {
  const ends = [...starts.slice(1), small.length];
  for (let length = 24; length <= small.length; length += 1) {
    const { frames, summary } = sound(readCapture(small.subarray(0, length)));
    assert.equal(frames.length, ends.filter((end) => end <= length).length, `cut to ${length} bytes`);
    const isWhole = length === 24 || ends.includes(length);
    assert.deepEqual(summary.skipped, isWhole ? {} : { "cut-record": 1 }, `cut to ${length} bytes`);
    const last = ends.findLast((end) => end <= length) ?? 24;
    assert.equal(summary.skippedBytes, length - last);
  }
});

test("pcap: a record whose length is damaged costs that record, not those behind it", () => {
  for (const wrong of [0xffff_ffff, 0x0200_0000, 5000]) {
    const file = small.slice();
    new DataView(file.buffer).setUint32((starts[1] ?? 0) + 8, wrong, true);
    const { frames, summary } = sound(readCapture(file));
    assert.deepEqual(
      frames.map(({ bytes }) => bytes.length),
      [42, 20, 61],
      `length ${wrong}`,
    );
    assert.deepEqual(summary.skipped, { "damaged-bytes": 1 });
    assert.equal(summary.skippedBytes, 19);
  }
});

test("pcap: bytes inserted between records, and behind the last, are skipped", () => {
  const at = starts[2] ?? 0;
  for (const count of [1, 15, 16, 100]) {
    const junk = filled(count, 0xee);
    const inserted = sound(readCapture(joined(small.subarray(0, at), junk, small.subarray(at))));
    assert.equal(inserted.frames.length, 4, `${count} bytes between`);
    assert.equal(inserted.summary.skippedBytes, count);
    const behind = sound(readCapture(joined(small, junk)));
    assert.equal(behind.frames.length, 4, `${count} bytes behind`);
    assert.equal(behind.summary.skippedBytes, count);
  }
});

test("pcap: zeros behind the last record are padding, and are skipped", () => {
  const { frames, summary } = sound(readCapture(joined(small, filled(100, 0))));
  assert.equal(frames.length, 4);
  assert.deepEqual(summary.skipped, { "cut-record": 1, "empty-record": 6 });
});

test("pcap: strict refuses what would be mended or skipped, and reads the rest", () => {
  assert.equal(readCapture(writeCapture([{ timeNs: 0, bytes: filled(9, 1) }]), { strict: true }).frames.length, 1);
  assert.match(refusalOf(small, { strict: true }).message, /stamp before predecessor/);
  assert.match(refusalOf(small.subarray(0, 70), { strict: true }).message, /cut record/);
});

test("pcap: every flipped bit and every byte set to 0 or 255 gives a sound capture or BAD_CAPTURE", () => {
  let refused = 0;
  let read = 0;
  for (let at = 0; at < small.length; at += 1) {
    const original = small[at] ?? 0;
    for (const value of [0, 255, ...[0, 1, 2, 3, 4, 5, 6, 7].map((bit) => original ^ (1 << bit))]) {
      const file = small.slice();
      file[at] = value;
      try {
        sound(readCapture(file));
        read += 1;
      } catch (error) {
        assert.ok(error instanceof ShmemError && error.code === "BAD_CAPTURE", String(error));
        assert.ok(at < 24, `refused for byte ${at}, which is no byte of the header`);
        refused += 1;
      }
    }
  }
  assert.ok(refused > 30 && read > 1000, `both happen: ${refused} refused, ${read} read`);
});

test("pcap: random bytes behind a good header are a sound capture", () => {
  fc.assert(
    fc.property(fc.constantFrom(...formats), fc.uint8Array({ maxLength: 300 }), (format, tail) => {
      sound(readCapture(joined(writeCapture([], format), tail)));
    }),
    { numRuns: 2000, seed: 7 },
  );
});

test("pcap: what is written is what is read", () => {
  const frame = fc.record({
    timeNs: fc.integer({ min: 0, max: 2 ** 40 }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 90 }),
    extra: fc.integer({ min: 0, max: 5000 }),
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), fc.boolean(), (frames, bigEndian) => {
      const input = frames
        .sort((left, right) => left.timeNs - right.timeNs)
        .map(({ timeNs, bytes, extra }) => ({ timeNs, bytes, originalLengthBytes: bytes.length + extra }));
      const capture = sound(readCapture(writeCapture(input, { bigEndian, nanoseconds: true }), { strict: true }));
      const start = input[0]?.timeNs ?? 0;
      assert.deepEqual(
        framesOf(capture),
        input.map(({ timeNs, bytes, originalLengthBytes }) => [timeNs - start, [...bytes], originalLengthBytes]),
      );
    }),
    { numRuns: 200, seed: 11 },
  );
});

test("pcap: the capture of the project holds what its page says", () => {
  const { frames, summary } = readCapture(readFileSync("examples/traffic/two-hosts.pcap"), { strict: true });
  assert.equal(frames.length, 579);
  assert.equal(summary.totalBytes, 428_761);
  assert.equal(frames.filter((frame) => frame.bytes.length === 1514).length, 222);
  assert.ok(frames.every((frame) => frame.bytes.length <= 1514 && frame.bytes.length === frame.originalLengthBytes));
  const page = readFileSync("examples/traffic/README.md", "utf8");
  assert.match(page, /579 Ethernet frames, 428,761 bytes/);
});

test.run();
