/** Link types other than Ethernet: named, converted where IP lies behind a short header, refused elsewhere. */
import * as assert from "node:assert/strict";
import { test } from "uvu";
import { readCapture, writeCapture } from "../../src/capture/index.js";
import { filled, joined, refusalOf } from "./files.js";

const MADE = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
const IPV4 = Uint8Array.of(0x45, 0, 0, 24, 1, 2, 3, 4);
const IPV6 = Uint8Array.of(0x60, 0, 0, 0, 1, 2, 3, 4);
const OTHER = Uint8Array.of(0x10, 0, 0, 0);
const address = [10, 11, 12, 13, 14, 15];

const cooked = (type: number, length = 6): Uint8Array =>
  Uint8Array.of(0, 0, 0, 1, 0, length, ...address, 0, 0, type >> 8, type & 255);
const cookedSecond = (type: number): Uint8Array =>
  Uint8Array.of(type >> 8, type & 255, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, ...address, 0, 0);

/** Link type, recorded bytes, and the header that is made: its last eight bytes at least; null for a frame that is skipped. */
const cases: readonly (readonly [number, Uint8Array, readonly number[] | null])[] = [
  [101, IPV4, [...MADE, 8, 0]],
  [101, IPV6, [...MADE, 0x86, 0xdd]],
  [101, OTHER, null],
  [12, IPV4, [...MADE, 8, 0]],
  [14, IPV4, [...MADE, 8, 0]],
  [228, IPV4, [...MADE, 8, 0]],
  [229, IPV6, [...MADE, 0x86, 0xdd]],
  [0, joined(Uint8Array.of(2, 0, 0, 0), IPV4), [...MADE, 8, 0]],
  [0, joined(Uint8Array.of(0, 0, 0, 2), IPV4), [...MADE, 8, 0]],
  [0, joined(Uint8Array.of(30, 0, 0, 0), IPV6), [...MADE, 0x86, 0xdd]],
  [0, joined(Uint8Array.of(9, 9, 9, 9), IPV4), null],
  [0, Uint8Array.of(2, 0), null],
  [108, joined(Uint8Array.of(0, 0, 0, 24), IPV6), [...MADE, 0x86, 0xdd]],
  [113, joined(cooked(0x0800), IPV4), [...MADE.slice(0, 6), ...address, 8, 0]],
  [113, joined(cooked(0x0806), filled(28, 1)), [...MADE.slice(0, 6), ...address, 8, 6]],
  [113, joined(cooked(0x0800, 0), IPV4), [...MADE, 8, 0]],
  [113, joined(cooked(4), filled(30, 1)), [...MADE.slice(0, 6), ...address, 0, 30]],
  [113, filled(15, 1), null],
  [276, joined(cookedSecond(0x86dd), IPV6), [...MADE.slice(0, 6), ...address, 0x86, 0xdd]],
  [276, filled(19, 1), null],
];

for (const [linkType, bytes, header] of cases) {
  test(`link type ${linkType}: ${[...bytes.subarray(0, 16)].join(" ")} ${header === null ? "is skipped" : "is converted"}`, () => {
    const { frames, summary } = readCapture(writeCapture([{ timeNs: 0, bytes }], { linkType }));
    if (header === null) {
      assert.equal(frames.length, 0);
      assert.deepEqual(summary.skipped, { "no-ethernet-equivalent": 1 });
      return;
    }
    const [frame] = frames;
    assert.ok(frame !== undefined);
    assert.deepEqual([...frame.bytes.subarray(0, 14)], header);
    const payload = frame.bytes.subarray(14);
    assert.deepEqual([...payload], [...bytes.subarray(bytes.length - payload.length)]);
    assert.equal(frame.originalLengthBytes, frame.bytes.length);
    assert.equal(summary.linkTypes[0]?.played, "converted");
  });
}

test("link types: a frame that was cut stays cut by as much", () => {
  const file = writeCapture([{ timeNs: 0, bytes: IPV4, originalLengthBytes: 1500 }], { linkType: 101 });
  const [frame] = readCapture(file).frames;
  assert.deepEqual([frame?.bytes.length, frame?.originalLengthBytes], [22, 1514]);
});

test("link types: every other kind is refused by name and number, and played as it is when that is asked for", () => {
  const names: readonly (readonly [number, RegExp])[] = [
    [105, /IEEE 802\.11/],
    [127, /radiotap/],
    [189, /USB/],
    [6, /token ring/],
    [9, /PPP/],
    [276 + 7, /link type 283/],
  ];
  for (const [linkType, name] of names) {
    const file = writeCapture([{ timeNs: 0, bytes: filled(40, 1) }], { linkType });
    const refusal = refusalOf(file);
    assert.deepEqual([refusal.code, refusal.value, refusal.unit], ["BAD_CAPTURE", linkType, "link type"]);
    assert.match(refusal.message, name);
    const { frames, summary } = readCapture(file, { anyLinkType: true });
    assert.deepEqual([...(frames[0]?.bytes ?? [])], [...filled(40, 1)]);
    assert.equal(summary.linkTypes[0]?.played, "as-is");
  }
});

test.run();
