/** The pcap reader: what it reads, and that no file, however hostile, gets anything but frames or BAD_CAPTURE out of it. */
import * as assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { test } from "uvu";
import { ShmemError } from "../../bindings/index.js";
import { type Capture, type CaptureFormat, readCapture, writeCapture } from "../../src/capture/index.js";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

/** Frames, or the refusal; anything else escapes and fails the test. */
function attempt(file: Uint8Array): Capture | ShmemError {
  try {
    return readCapture(file);
  } catch (error) {
    if (error instanceof ShmemError && error.code === "BAD_CAPTURE") {
      assert.equal(error.unit, "offset");
      assert.ok(Number.isInteger(error.value) && (error.value as number) >= 0, `an offset: ${String(error.value)}`);
      assert.ok((error.value as number) <= file.length, `offset ${String(error.value)} within ${file.length} bytes`);
      return error;
    }
    throw error;
  }
}

function refusedAt(file: Uint8Array): unknown {
  const result = attempt(file);
  assert.ok(result instanceof ShmemError, "the file is refused");
  return result.value;
}

const formats: CaptureFormat[] = [
  { bigEndian: false, nanoseconds: false },
  { bigEndian: true, nanoseconds: false },
  { bigEndian: false, nanoseconds: true },
  { bigEndian: true, nanoseconds: true },
];

for (const format of formats) {
  test(`pcap: ${format.bigEndian ? "big" : "little"}-endian, ${format.nanoseconds ? "nano" : "micro"}seconds`, () => {
    const file = writeCapture(
      [
        { timeNs: 999_999_000, bytes: bytes(1, 2, 3) },
        { timeNs: 1_000_001_500, bytes: bytes() },
        { timeNs: 3_000_000_000, bytes: filled(60, 9), originalLengthBytes: 1514 },
      ],
      { ...format, linkType: 113, startSeconds: 1_700_000_000, snapLengthBytes: 262_144 },
    );
    const capture = readCapture(file);
    assert.equal(capture.linkType, 113);
    assert.equal(capture.snapLengthBytes, 262_144);
    assert.equal(capture.bigEndian, format.bigEndian);
    assert.equal(capture.nanoseconds, format.nanoseconds);
    assert.equal(capture.totalBytes, 63);
    assert.equal(capture.clampedStamps, 0);
    assert.deepEqual(
      capture.frames.map((frame) => [frame.timeNs, frame.bytes.length, frame.originalLengthBytes]),
      [
        [0, 3, 3],
        [format.nanoseconds ? 2500 : 2000, 0, 0],
        [2_000_001_000, 60, 1514],
      ],
    );
    assert.deepEqual([...(capture.frames[0]?.bytes ?? [])], [1, 2, 3]);
  });
}

test("pcap: a header alone is a capture of no frames", () => {
  assert.deepEqual(readCapture(writeCapture([])).frames, []);
});

test("pcap: a stamp before its predecessor is moved to it, and counted", () => {
  const stamps = [5_000_000, 3_000_000, 3_500_000, 9_000_000, 8_999_000];
  const capture = readCapture(writeCapture(stamps.map((timeNs) => ({ timeNs, bytes: bytes(1) }))));
  assert.deepEqual(
    capture.frames.map((frame) => frame.timeNs),
    [0, 0, 0, 4_000_000, 4_000_000],
  );
  assert.equal(capture.clampedStamps, 3);
});

test("pcap: a frame of 65,535 bytes is read, one byte more is refused at its length", () => {
  assert.equal(readCapture(writeCapture([{ timeNs: 0, bytes: filled(65_535, 1) }])).frames[0]?.bytes.length, 65_535);
  assert.equal(refusedAt(writeCapture([{ timeNs: 0, bytes: filled(65_536, 1) }])), 24 + 8);
});

test("pcap: each thing that cannot be is refused at its offset", () => {
  const frame = { timeNs: 0, bytes: filled(10, 1) };
  const second = 24 + 16 + 10;
  const patched = (at: number, value: number): Uint8Array => {
    const file = writeCapture([frame, frame]);
    new DataView(file.buffer).setUint32(at, value, true);
    return file;
  };
  assert.equal(refusedAt(bytes()), 0);
  assert.equal(refusedAt(bytes(0xd4, 0xc3, 0xb2)), 0);
  assert.equal(refusedAt(filled(100, 0)), 0);
  assert.equal(refusedAt(patched(4, 0x0005_0002)), 4);
  assert.equal(refusedAt(patched(second + 4, 1_000_000)), second + 4);
  assert.equal(refusedAt(patched(second + 8, 0xffff_ffff)), second + 8);
  assert.equal(refusedAt(patched(second + 8, 11)), second + 8);
  assert.equal(refusedAt(patched(second + 12, 9)), second + 12);
  assert.equal(refusedAt(patched(second, 0xffff_ffff)), second);
  assert.equal(refusedAt(writeCapture([frame]).subarray(0, 24 + 15)), 24);
  assert.equal(refusedAt(writeCapture([frame]).subarray(0, 23)), 23);
});

test("pcap: other kinds of file are named", () => {
  const message = (...start: number[]): string => {
    const result = attempt(Uint8Array.from([...start, ...new Array<number>(60).fill(0)]));
    assert.ok(result instanceof ShmemError);
    return result.message;
  };
  assert.match(message(0x0a, 0x0d, 0x0d, 0x0a), /pcapng/);
  assert.match(message(0x1f, 0x8b, 8, 0), /gzip/);
  assert.match(message(0x34, 0xcd, 0xb2, 0xa1), /modified/);
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
  const file = writeCapture([{ timeNs: 0, bytes: bytes(7, 8) }]);
  const larger = new Uint8Array(file.length + 37).fill(0xee);
  larger.set(file, 13);
  const capture = readCapture(larger.subarray(13, 13 + file.length));
  assert.deepEqual([...(capture.frames[0]?.bytes ?? [])], [7, 8]);
});

/** A small file with everything in it that a record can have. */
const small = writeCapture(
  [
    { timeNs: 0, bytes: filled(42, 1) },
    { timeNs: 1_000_000, bytes: filled(3, 2), originalLengthBytes: 1514 },
    { timeNs: 500_000, bytes: filled(0, 0) },
    { timeNs: 2_000_000_000, bytes: filled(61, 3) },
  ],
  { startSeconds: 1_700_000_000 },
);

test("pcap: every truncation gives fewer frames or BAD_CAPTURE, and frames only at a record's end", () => {
  const ends = new Set([24, 24 + 58, 24 + 58 + 19, 24 + 58 + 19 + 16, small.length]);
  for (let length = 0; length <= small.length; length += 1) {
    const result = attempt(small.subarray(0, length));
    assert.equal(!(result instanceof ShmemError), ends.has(length), `cut to ${length} bytes`);
  }
});

test("pcap: every flipped bit and every byte set to 0 or 255 gives frames or BAD_CAPTURE", () => {
  let refused = 0;
  let read = 0;
  for (let at = 0; at < small.length; at += 1) {
    const original = small[at] ?? 0;
    for (const value of [0, 255, ...[0, 1, 2, 3, 4, 5, 6, 7].map((bit) => original ^ (1 << bit))]) {
      const file = small.slice();
      file[at] = value;
      const result = attempt(file);
      if (result instanceof ShmemError) {
        refused += 1;
      } else {
        read += 1;
        assert.ok(result.totalBytes <= file.length, "frames hold no more than the file");
        assert.ok(result.frames.every((frame) => Number.isSafeInteger(frame.timeNs) && frame.timeNs >= 0));
      }
    }
  }
  assert.ok(refused > 100 && read > 100, `both happen: ${refused} refused, ${read} read`);
});

test("pcap: random bytes behind a good header give frames or BAD_CAPTURE", () => {
  fc.assert(
    fc.property(fc.constantFrom(...formats), fc.uint8Array({ maxLength: 300 }), (format, tail) => {
      const header = writeCapture([], format);
      const file = new Uint8Array(header.length + tail.length);
      file.set(header);
      file.set(tail, header.length);
      attempt(file);
    }),
    { numRuns: 2000, seed: 7 },
  );
});

test("pcap: what is written is what is read", () => {
  const frame = fc.record({
    timeNs: fc.integer({ min: 0, max: 2 ** 40 }),
    bytes: fc.uint8Array({ maxLength: 90 }),
    extra: fc.integer({ min: 0, max: 5000 }),
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), fc.boolean(), (frames, bigEndian) => {
      const input = frames
        .sort((left, right) => left.timeNs - right.timeNs)
        .map(({ timeNs, bytes, extra }) => ({ timeNs, bytes, originalLengthBytes: bytes.length + extra }));
      const capture = readCapture(writeCapture(input, { bigEndian, nanoseconds: true }));
      const start = input[0]?.timeNs ?? 0;
      assert.deepEqual(
        capture.frames.map((read) => ({ ...read, bytes: [...read.bytes] })),
        input.map((given) => ({ ...given, timeNs: given.timeNs - start, bytes: [...given.bytes] })),
      );
    }),
    { numRuns: 200, seed: 11 },
  );
});

test("pcap: the capture of the project holds what its page says", () => {
  const capture = readCapture(readFileSync("examples/traffic/two-hosts.pcap"));
  assert.equal(capture.frames.length, 579);
  assert.equal(capture.totalBytes, 428_761);
  assert.equal(capture.linkType, 1);
  assert.equal(capture.frames.filter((frame) => frame.bytes.length === 1514).length, 222);
  assert.ok(
    capture.frames.every((frame) => frame.bytes.length <= 1514 && frame.bytes.length === frame.originalLengthBytes),
  );
  const page = readFileSync("examples/traffic/README.md", "utf8");
  assert.match(page, /579 Ethernet frames, 428,761 bytes/);
});

test.run();
