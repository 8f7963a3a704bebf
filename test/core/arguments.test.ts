/**
 * Values that JavaScript lets through and the core must not. Misuse A01 to A11: the Wasm boundary would turn NaN into 0,
 * -1 into 4294967295 and 2^32 + 8 into 8 without a word.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CoreApi } from "../../bindings/index.js";
import { FRAME, loosely, SMALL, sound, take, untouched } from "./expect.js";
import { implementations } from "./implementations.js";

/** Counts how often a value is converted; misuse A04 allows none after validation. */
function converting(): { readonly value: object; readonly conversions: () => number } {
  let count = 0;
  const value = {
    valueOf: () => {
      count++;
      return FRAME;
    },
    toString: () => {
      count++;
      return String(FRAME);
    },
  };
  return { value, conversions: () => count };
}

const nonNumbers: readonly (readonly [string, unknown])[] = [
  ["NaN", Number.NaN],
  ["null", null],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["a fraction", 4096.5],
  ["the least positive number", Number.MIN_VALUE],
  ["a numeric string", "4096"],
  ["an empty string", ""],
  ["true", true],
  ["a bigint", 4096n],
  ["a symbol", Symbol("length")],
  ["an array of one", [4096]],
  ["a Number object", Object(4096)],
  ["a function", () => 4096],
];
const badLengths: readonly (readonly [string, unknown])[] = [
  ...nonNumbers,
  ["undefined", undefined],
  ["0 (misuse A01)", 0],
  ["-0", -0],
  ["-1 (misuse A03)", -1],
  ["-4096", -4096],
  ["2^32 (misuse A05)", 2 ** 32],
  ["2^32 + 8", 2 ** 32 + 8],
  ["2^32 + 4096", 2 ** 32 + FRAME],
  ["2^53", 2 ** 53],
  ["1e300", 1e300],
];
const badAddresses: readonly (readonly [string, unknown])[] = [
  ...nonNumbers,
  ["undefined", undefined],
  ["-1", -1],
  ["2^52 (misuse A10)", 2 ** 52],
  ["2^53", 2 ** 53],
];

/** A core with a live block, a freed one and a mapping, and the call under test. */
function furnished(open: (options: typeof SMALL) => CoreApi): { readonly core: CoreApi; readonly live: number } {
  const core = open(SMALL);
  const live = take(core, 3 * FRAME - 5);
  core.free(take(core, FRAME));
  core.map((2 ** 50) as typeof live, [{ physical: 2 ** 40, lengthBytes: 100 }]);
  return { core, live };
}

for (const { name, open } of implementations) {
  const test = suite(`arguments, ${name}`);

  test("misuse A01 to A05: every bad length is refused by every call that takes one", () => {
    const { core, live } = furnished(open);
    for (const [what, length] of badLengths) {
      const error = untouched(core, () => loosely(core, "allocate", length), "INVALID_ARGUMENT", what);
      assert.is(error.field, "lengthBytes");
      assert.ok(Object.is(error.value, length), `${what}: the value as given`);
      assert.is(error.unit, "bytes");
      untouched(
        core,
        () => loosely(core, "runs", live, typeof length === "number" && length > 0 ? -1 : length),
        "INVALID_ARGUMENT",
        what,
      );
    }
    sound(core);
  });

  test("misuse A04: no conversion of an object is ever asked for", () => {
    const { core, live } = furnished(open);
    const { value, conversions } = converting();
    for (const call of [
      () => loosely(core, "allocate", value),
      () => loosely(core, "allocate", 1, { alignment: value }),
      () => loosely(core, "allocate", 1, { boundary: value }),
      () => loosely(core, "allocate", 1, { highest: value }),
      () => loosely(core, "allocate", 1, { node: value }),
      () => loosely(core, "free", value),
      () => loosely(core, "free", live, value),
      () => loosely(core, "lengthOf", value),
      () => loosely(core, "physicalOf", value),
      () => loosely(core, "virtualOf", value),
      () => loosely(core, "runs", live, value),
      () => loosely(core, "map", value, [{ physical: 2 ** 41, lengthBytes: 8 }]),
      () => loosely(core, "map", 2 ** 51, [{ physical: value, lengthBytes: 8 }]),
      () => loosely(core, "map", 2 ** 51, [{ physical: 2 ** 41, lengthBytes: value }]),
    ]) {
      untouched(core, call, "INVALID_ARGUMENT", call.toString());
    }
    assert.is(conversions(), 0);
  });

  test("misuse A05: lengths inside 32 bits and above the arena are out of memory, and wrap to nothing", () => {
    const core = open(SMALL);
    for (const length of [64 * FRAME + 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - FRAME, 2 ** 32 - 2, 2 ** 32 - 1]) {
      const before = core.digest();
      assert.is(core.allocate(length), 0, `${length} bytes`);
      assert.is(core.lastFailure?.reason, "exhausted");
      assert.is(core.digest(), before);
    }
    assert.is(core.stats().failures, 6);
    sound(core);
  });

  test("misuse A08: bad alignments and other constraints are refused by name", () => {
    const core = open(SMALL);
    const bad: readonly (readonly [string, readonly unknown[]])[] = [
      ["alignment", [0, -0, 3, -64, 48, 1.5, "64", 64n, null, Number.NaN, 128 * FRAME, 2 ** 52]],
      ["boundary", [0, 3, -FRAME, 5000, "4096", 4096n, null, Number.NaN, 2 ** 53]],
      ["highest", [-1, 0.5, "4096", 4096n, null, Number.NaN, 2 ** 52]],
      ["node", [-1, 0.5, 65536, 2 ** 32, "0", null]],
      ["preferredNode", [-1, 0.5, 65536, 2 ** 32, "0", null]],
      ["contiguous", [0, 1, "true", null]],
      ["tag", [0, 1, -1, null]],
    ];
    for (const [key, values] of bad) {
      for (const value of values) {
        const error = untouched(core, () => loosely(core, "allocate", 1, { [key]: value }), "INVALID_ARGUMENT", key);
        assert.is(error.field, `options.${key}`);
        assert.ok(Object.is(error.value, value));
      }
    }
    for (const options of [null, 7, "alignment", [], true]) {
      if (Array.isArray(options)) continue;
      untouched(core, () => loosely(core, "allocate", 1, options), "INVALID_ARGUMENT", String(options));
    }
    const unknown = untouched(core, () => loosely(core, "allocate", 1, { align: 64 }), "INVALID_ARGUMENT");
    assert.is(unknown.field, "options.align");
    const failing = new TypeError("mine");
    const hostile = {
      get alignment(): number {
        throw failing;
      },
    };
    const before = [core.digest(), core.imageDigest()];
    assert.throws(
      () => core.allocate(1, hostile),
      (error: unknown) => error === failing,
    );
    assert.equal([core.digest(), core.imageDigest()], before);
    take(core, 1, { alignment: 64 * FRAME });
    sound(core);
  });

  test("tags out of range are refused, and tags without the option", () => {
    const core = open({ ...SMALL, tags: true });
    for (const tag of [-1, 0.5, 2 ** 32, "1", 1n, null, Number.NaN]) {
      untouched(core, () => loosely(core, "allocate", 1, { tag }), "INVALID_ARGUMENT");
      const live = take(core, 1, { tag: 2 ** 32 - 1 });
      untouched(core, () => loosely(core, "free", live, 1, tag), "INVALID_ARGUMENT");
      core.free(live, 1, 2 ** 32 - 1);
    }
    const plain = open(SMALL);
    const live = take(plain, 1);
    untouched(plain, () => plain.free(live, 1, 0), "INVALID_ARGUMENT");
    plain.free(live);
  });

  test("misuse A09, A10, A11: every bad address is refused by every call that takes one", () => {
    const { core, live } = furnished(open);
    for (const [what, address] of badAddresses) {
      for (const call of [
        () => loosely(core, "free", address),
        () => loosely(core, "free", address, 1),
        () => loosely(core, "lengthOf", address),
        () => loosely(core, "physicalOf", address),
        () => loosely(core, "virtualOf", address),
        () => loosely(core, "translate", address),
        () => loosely(core, "translatePhysical", address),
        () => loosely(core, "runs", address, 1),
        () => loosely(core, "bytes", address, 1),
        () => loosely(core, "arenaOffsetOf", address),
        () => loosely(core, "explain", address),
        () => loosely(core, "map", address, [{ physical: 2 ** 41, lengthBytes: 8 }]),
        () => loosely(core, "map", 2 ** 51, [{ physical: address, lengthBytes: 8 }]),
        () => loosely(core, "unmap", address),
      ]) {
        const error = untouched(core, call, "INVALID_ARGUMENT", `${what} in ${call.toString()}`);
        assert.is(error.unit, "address", call.toString());
        assert.ok(Object.is(error.value, address), `${what}: the value as given`);
      }
    }
    core.free(live as Parameters<CoreApi["free"]>[0], 3 * FRAME - 5);
  });

  test("misuse A09: a live address plus a multiple of 2^32 is somebody else's", () => {
    const { core, live } = furnished(open);
    for (const factor of [1, 2, 3, 7, 2 ** 4, 2 ** 10, -1, -1024]) {
      const alias = live + factor * 2 ** 32;
      untouched(core, () => loosely(core, "free", alias), "FOREIGN_ADDRESS", `${factor}`);
      untouched(core, () => loosely(core, "free", alias, 3 * FRAME - 5), "FOREIGN_ADDRESS", `${factor}`);
      untouched(core, () => loosely(core, "lengthOf", alias), "FOREIGN_ADDRESS");
      untouched(core, () => loosely(core, "physicalOf", alias), "TRANSLATION_FAULT");
      const physical = core.physicalOf(live as Parameters<CoreApi["free"]>[0]);
      if (physical + factor * 2 ** 32 >= 0)
        untouched(core, () => loosely(core, "virtualOf", physical + factor * 2 ** 32), "TRANSLATION_FAULT");
    }
    assert.is(core.lengthOf(live as Parameters<CoreApi["free"]>[0]), 3 * FRAME - 5);
  });

  test("address 0 is null: no block, no translation", () => {
    const { core } = furnished(open);
    untouched(core, () => loosely(core, "free", 0), "INVALID_ARGUMENT");
    untouched(core, () => loosely(core, "free", -0), "INVALID_ARGUMENT");
    untouched(core, () => loosely(core, "lengthOf", 0), "INVALID_ARGUMENT");
    untouched(core, () => loosely(core, "physicalOf", 0), "TRANSLATION_FAULT");
    untouched(core, () => loosely(core, "virtualOf", 0), "TRANSLATION_FAULT");
    assert.is(core.explain(0 as Parameters<CoreApi["free"]>[0]).state, "unmapped");
  });

  test("a length given to free is checked before it is compared", () => {
    const { core, live } = furnished(open);
    for (const [what, length] of badLengths) {
      if (length === undefined || length === 0) continue;
      untouched(core, () => loosely(core, "free", live, length), "INVALID_ARGUMENT", what);
    }
    untouched(core, () => loosely(core, "free", live, 0), "LENGTH_MISMATCH");
    untouched(core, () => loosely(core, "free", live, 2 ** 32 - 1), "LENGTH_MISMATCH");
    loosely(core, "free", live, undefined, undefined);
  });

  test.run();
}
