/** Allocation sequences as bytes: total, documented, stable. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  decodeSequence,
  encodeSequence,
  GEOMETRIES,
  GEOMETRY_COUNT,
  KIND_TABLE,
  kindByte,
  OPERATION_HELP,
  OPERATION_KINDS,
} from "../../src/fuzz/index.js";
import { Prng } from "../../src/machine/index.js";

const test = suite("sequence");

test("every byte names a kind, every kind has bytes and an explanation", () => {
  assert.is(KIND_TABLE.length, 256);
  assert.equal([...new Set(KIND_TABLE)].sort(), [...OPERATION_KINDS].sort());
  assert.equal(Object.keys(OPERATION_HELP).sort(), [...OPERATION_KINDS].sort());
  assert.is(GEOMETRIES.length, GEOMETRY_COUNT);
});

test("any byte string is a sequence, and its canonical bytes give it back", () => {
  const draw = new Prng(11);
  for (let i = 0; i < 2000; i++) {
    const bytes = Uint8Array.from({ length: draw.below(60) }, () => draw.below(256));
    const sequence = decodeSequence(bytes);
    assert.is(sequence.operations.length, Math.max(0, Math.floor((bytes.length - 1) / 4)));
    const canonical = encodeSequence(sequence);
    assert.equal(decodeSequence(canonical), sequence);
    assert.equal(encodeSequence(decodeSequence(canonical)), canonical);
  }
});

test("no bytes at all are the empty sequence of the first geometry", () => {
  assert.equal(decodeSequence(new Uint8Array(0)), { geometry: 0, operations: [] });
});

test("the meaning of bytes is what it was when corpora were written", () => {
  assert.equal(
    OPERATION_KINDS.map((kind) => [kind, kindByte(kind)]),
    [
      ["allocate", 0],
      ["free", 100],
      ["allocateLarge", 184],
      ["freeWrong", 198],
      ["translate", 208],
      ["translatePhysical", 216],
      ["allocateBatch", 222],
      ["freeBatch", 230],
      ["runs", 238],
      ["map", 242],
      ["unmap", 245],
      ["snapshot", 248],
      ["restore", 249],
      ["flush", 251],
      ["check", 252],
    ],
  );
  assert.equal(decodeSequence(Uint8Array.of(11, 99, 0x34, 0x12, 7, 183, 1, 0, 2, 255, 0, 0, 0, 9, 9)), {
    geometry: 3,
    operations: [
      { kind: "allocate", value: 0x1234, modifier: 7 },
      { kind: "free", value: 1, modifier: 2 },
      { kind: "check", value: 0, modifier: 0 },
    ],
  });
});

test.run();
