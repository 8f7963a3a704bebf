/** pcapng: sections, interfaces, both byte orders, every kind of packet block, resolutions, and damage. */
import * as assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "uvu";
import { ShmemError } from "../../bindings/index.js";
import { readCapture } from "../../src/capture/index.js";
import { Fields, filled, framesOf, joined, Pcapng, refusalOf } from "./files.js";

const START = 1_700_000_000n;

for (const little of [true, false]) {
  const make = new Pcapng(little);
  const order = little ? "little" : "big";

  test(`pcapng: ${order}-endian: enhanced, obsolete and simple packets, and blocks that are skipped`, () => {
    const file = joined(
      make.section(),
      make.interface(1, 60),
      make.block(4, filled(8, 0)),
      make.enhanced(0, START * 1_000_000n, Uint8Array.of(1, 2, 3)),
      make.block(0xbad, filled(40, 9)),
      make.block(0x7777_7777, filled(4, 9)),
      make.obsolete(0, START * 1_000_000n + 5n, Uint8Array.of(4)),
      make.simple(filled(60, 5), 100),
      make.enhanced(0, START * 1_000_000n + 9n, Uint8Array.of(6), 1514),
      make.block(5, filled(20, 0)),
    );
    const capture = readCapture(file, { strict: true });
    assert.deepEqual(framesOf(capture), [
      [0, [1, 2, 3], 3],
      [5000, [4], 1],
      [5000, [...filled(60, 5)], 100],
      [9000, [6], 1514],
    ]);
    assert.equal(capture.summary.format, "pcapng");
    assert.equal(capture.summary.cutFrames, 2);
  });

  test(`pcapng: ${order}-endian: units of a stamp, decimal and binary, and its offset`, () => {
    const cases: readonly (readonly [number, bigint, number])[] = [
      [0, 2n, 2_000_000_000],
      [3, 1500n, 1_500_000_000],
      [6, 7n, 7000],
      [9, 7n, 7],
      [12, 7999n, 7],
      [0x80 | 10, 512n, 500_000_000],
      [0x80 | 32, 1n << 31n, 500_000_000],
    ];
    for (const [given, units, ns] of cases) {
      const perSecond = BigInt(given & 0x80 ? 2 : 10) ** BigInt(given & 0x7f);
      // An origin as late as 64 bits of these units allow, and an offset that brings it to today.
      const from = 1000n * perSecond;
      const options = [[9, Uint8Array.of(given)], make.offset(START)] as const;
      const file = joined(
        make.section(),
        make.interface(1, 0, options),
        make.enhanced(0, from, filled(1, 1)),
        make.enhanced(0, from + units, filled(1, 2)),
      );
      const { frames } = readCapture(file, { strict: true });
      assert.equal(frames[1]?.timeNs, ns, `resolution ${given}`);
    }
  });
}

test("pcapng: today in nanoseconds, which no double holds, is exact", () => {
  const make = new Pcapng(true);
  const now = START * 1_000_000_000n;
  const file = joined(
    make.section(),
    make.interface(1, 0, [[9, Uint8Array.of(9)]]),
    ...[0n, 1n, 3n].map((more) => make.enhanced(0, now + more, filled(1, 1))),
  );
  assert.deepEqual(
    readCapture(file).frames.map(({ timeNs }) => timeNs),
    [0, 1, 3],
  );
});

test("pcapng: sections of different byte orders and interfaces of different kinds in one file", () => {
  const little = new Pcapng(true);
  const big = new Pcapng(false);
  const ip = Uint8Array.of(0x45, 0, 0, 20);
  const file = joined(
    little.section(),
    little.interface(1),
    little.interface(101),
    little.interface(127),
    little.enhanced(1, START * 1_000_000n, ip),
    little.enhanced(0, START * 1_000_000n + 1n, filled(14, 1)),
    little.enhanced(2, START * 1_000_000n + 2n, filled(14, 1)),
    big.section(),
    big.interface(1),
    big.enhanced(0, START * 1_000_000n + 3n, filled(14, 2)),
    big.enhanced(1, START * 1_000_000n + 4n, filled(14, 3)),
  );
  const { frames, summary } = readCapture(file);
  assert.deepEqual(
    frames.map(({ timeNs, bytes }) => [timeNs, bytes.length]),
    [
      [0, 18],
      [1000, 14],
      [3000, 14],
    ],
  );
  assert.deepEqual(summary.linkTypes, [
    { linkType: 1, name: "Ethernet", frames: 2, played: "ethernet" },
    { linkType: 101, name: "raw IP", frames: 1, played: "converted" },
  ]);
  assert.deepEqual(summary.skipped, { "other-link-type": 1, "unknown-interface": 1 });
});

test("pcapng: a file of which nothing can be played is refused by the name of its link type", () => {
  const make = new Pcapng(true);
  const file = joined(make.section(), make.interface(105), make.enhanced(0, 0n, filled(9, 1)));
  const refusal = refusalOf(file);
  assert.deepEqual([refusal.value, refusal.unit], [105, "link type"]);
  assert.match(refusal.message, /IEEE 802.11/);
  assert.equal(readCapture(file, { anyLinkType: true }).summary.linkTypes[0]?.played, "as-is");
});

test("pcapng: check bytes by the interface's option", () => {
  const make = new Pcapng(true);
  const file = joined(
    make.section(),
    make.interface(1, 0, [[13, Uint8Array.of(4)]]),
    make.enhanced(0, 0n, filled(64, 1)),
  );
  const { frames, summary } = readCapture(file);
  assert.equal(frames[0]?.bytes.length, 60);
  assert.deepEqual(summary.mended, { "check-bytes-removed": 1 });
});

test("pcapng: a section header that is none, of another version, or cut is refused", () => {
  const make = new Pcapng(true);
  assert.match(refusalOf(make.section(2)).message, /version 2/);
  const wrong = make.section();
  new DataView(wrong.buffer).setUint32(8, 0x1234_5678, true);
  assert.match(refusalOf(wrong).message, /byte-order magic|bytes/);
  assert.equal(readCapture(make.section()).frames.length, 0);
});

const make = new Pcapng(true);
const blocks = [
  make.section(),
  make.interface(1),
  ...[1, 2, 3, 4].map((at) => make.enhanced(0, START * 1_000_000n + BigInt(at), filled(20 + at, at))),
];
const file = joined(...blocks);
/** Where each block ends. */
const ends = blocks.map((_, at) => joined(...blocks.slice(0, at + 1)).length);

test("pcapng: every truncation keeps the frames before it, and counts the rest", () => {
  for (let length = ends[1] ?? 0; length <= file.length; length += 1) {
    const { frames, summary } = readCapture(file.subarray(0, length));
    assert.equal(frames.length, ends.filter((end) => end <= length).length - 2, `cut to ${length} bytes`);
    assert.deepEqual(summary.skipped, ends.includes(length) ? {} : { "cut-record": 1 });
  }
});

test("pcapng: a block whose length is damaged costs that block, not those behind it", () => {
  const at = ends[2] ?? 0;
  for (const wrong of [0, 7, 13, 0xffff_fffc, 0x0400_0000, 4096]) {
    const damaged = file.slice();
    new DataView(damaged.buffer).setUint32(at + 4, wrong, true);
    const { frames, summary } = readCapture(damaged);
    assert.deepEqual(
      frames.map(({ bytes }) => bytes.length),
      [21, 23, 24],
      `length ${wrong}`,
    );
    assert.deepEqual(summary.skipped, { "damaged-bytes": 1 });
  }
});

test("pcapng: lengths that differ at the two ends, captured lengths beyond the block, and junk between", () => {
  const patched = (offset: number, value: number): Uint8Array => {
    const damaged = file.slice();
    new DataView(damaged.buffer).setUint32(offset, value, true);
    return damaged;
  };
  const second = ends[2] ?? 0;
  const differs = readCapture(patched((ends[3] ?? 0) - 4, 999));
  assert.deepEqual([differs.frames.length, differs.summary.mended], [4, { "block-length-differs": 1 }]);
  const beyond = readCapture(patched(second + 20, 5000));
  assert.deepEqual([beyond.frames.length, beyond.summary.skipped], [3, { "short-block": 1 }]);
  const between = readCapture(joined(file.subarray(0, second), filled(33, 0xee), file.subarray(second)));
  assert.deepEqual([between.frames.length, between.summary.skippedBytes], [4, 33]);
});

test("pcapng: any bytes behind a section header are a sound capture or BAD_CAPTURE", () => {
  const word = fc.constantFrom(0, 1, 2, 3, 6, 12, 16, 20, 32, 36, 0x0a0d0d0a, 0x1a2b3c4d, 0xffff_ffff);
  const words = fc.array(fc.oneof(word, fc.integer({ min: 0, max: 0xffff_ffff })), { maxLength: 60 });
  fc.assert(
    fc.property(words, fc.boolean(), (values, little) => {
      const own = new Pcapng(little);
      const tail = new Fields(little).u32(...values).bytes;
      try {
        const { frames, summary } = readCapture(joined(own.section(), own.interface(1), tail));
        assert.equal(frames.length, summary.frames);
        assert.ok(frames.every((frame, at) => frame.timeNs >= (frames[at - 1]?.timeNs ?? 0)));
        assert.ok(frames.every(({ timeNs }) => Number.isSafeInteger(timeNs)));
      } catch (error) {
        assert.ok(error instanceof ShmemError && error.code === "BAD_CAPTURE", String(error));
      }
    }),
    { numRuns: 3000, seed: 3 },
  );
});

test.run();
