/**
 * Opening a core: what is refused, by the name of the field, and what odd arenas must still be. Misuse A12 to A14.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { VirtualAddress } from "../../bindings/index.js";
import { FRAME, GIB, MIB, refuses, sound, take } from "./expect.js";
import { implementations } from "./implementations.js";
import { type CoreOptions, type ShmemError, virtualWindowRules } from "./windows.js";

const zone = { base: MIB, size: MIB } as const;

/** Options that must be refused, and the field the error must name. */
const refusals: readonly (readonly [string, unknown, string])[] = [
  ["no options", undefined, "options"],
  ["null", null, "options"],
  ["no zones", {}, "zones"],
  ["an empty list", { zones: [] }, "zones"],
  ["zones of another type", { zones: { 0: zone, length: 1 } }, "zones"],
  ["65 zones", { zones: Array.from({ length: 65 }, (_, i) => ({ base: (i + 1) * MIB, size: FRAME })) }, "zones"],
  ["a zone that is null", { zones: [null] }, "zones[0]"],
  ["base 0", { zones: [{ base: 0, size: MIB }] }, "zones[0].base"],
  ["base below one frame", { zones: [{ base: 2048, size: MIB }], frameSize: 4096 }, "zones[0].base"],
  ["base off the frame", { zones: [{ base: MIB + 64, size: MIB }] }, "zones[0].base"],
  ["base NaN", { zones: [{ base: Number.NaN, size: MIB }] }, "zones[0].base"],
  ["base negative", { zones: [{ base: -4096, size: MIB }] }, "zones[0].base"],
  ["base as text", { zones: [{ base: "4096", size: MIB }] }, "zones[0].base"],
  ["base as bigint", { zones: [{ base: 4096n, size: MIB }] }, "zones[0].base"],
  ["base missing", { zones: [{ size: MIB }] }, "zones[0].base"],
  ["base at 2^52", { zones: [{ base: 2 ** 52, size: MIB }] }, "zones[0].base"],
  ["size 0", { zones: [{ base: MIB, size: 0 }] }, "zones[0].size"],
  ["size below one frame", { zones: [{ base: MIB, size: 2048 }] }, "zones[0].size"],
  ["size off the frame", { zones: [{ base: MIB, size: MIB + 1 }] }, "zones[0].size"],
  ["size infinite", { zones: [{ base: MIB, size: Number.POSITIVE_INFINITY }] }, "zones[0].size"],
  ["an end past 2^52", { zones: [{ base: 2 ** 52 - FRAME, size: 2 * FRAME }] }, "zones[0].size"],
  ["zones that overlap by a frame", { zones: [zone, { base: 2 * MIB - FRAME, size: MIB }] }, "zones[1].base"],
  ["one zone twice", { zones: [zone, zone] }, "zones[1].base"],
  [
    "a zone inside another",
    {
      zones: [
        { base: MIB, size: 4 * MIB },
        { base: 2 * MIB, size: FRAME },
      ],
    },
    "zones[1].base",
  ],
  ["node -1", { zones: [{ ...zone, node: -1 }] }, "zones[0].node"],
  ["node 65536", { zones: [{ ...zone, node: 65536 }] }, "zones[0].node"],
  ["arenaOffset -1", { zones: [{ ...zone, arenaOffset: -1 }] }, "zones[0].arenaOffset"],
  [
    "arena bytes of two zones that overlap",
    { zones: [zone, { base: 8 * MIB, size: MIB, arenaOffset: FRAME }] },
    "zones[1].arenaOffset",
  ],
  ["frameSize 0", { zones: [zone], frameSize: 0 }, "frameSize"],
  ["frameSize 32", { zones: [zone], frameSize: 32 }, "frameSize"],
  ["frameSize 3000", { zones: [zone], frameSize: 3000 }, "frameSize"],
  ["frameSize 2 MiB", { zones: [{ base: 2 * MIB, size: 2 * MIB }], frameSize: 2 * MIB }, "frameSize"],
  ["frameSize null", { zones: [zone], frameSize: null }, "frameSize"],
  ["tags 1", { zones: [zone], tags: 1 }, "tags"],
  ["virtualBase 0", { zones: [zone], virtualBase: 0 }, "virtualBase"],
  ["virtualBase off the frame", { zones: [zone], virtualBase: 2 ** 46 + 64 }, "virtualBase"],
  ["virtualBase that leaves no room", { zones: [zone], virtualBase: 2 ** 52 - FRAME }, "virtualBase"],
  ["virtualBase of a word", { zones: [zone], virtualBase: "same" }, "virtualBase"],
  ["an unknown key", { zones: [zone], frames: 3 }, "options.frames"],
  ["an unknown key of a zone", { zones: [{ ...zone, offset: 0 }] }, "zones[0].offset"],
  ["a symbol", { zones: [zone], [Symbol("odd")]: 1 }, "options.Symbol(odd)"],
  ["an arena that is too short", { zones: [zone], arena: new ArrayBuffer(MIB - 1) }, "arena"],
  [
    "an arena too short for the last zone",
    { zones: [{ ...zone, arenaOffset: 1 }], arena: new ArrayBuffer(MIB) },
    "arena",
  ],
  ["an arena of another type", { zones: [zone], arena: [1, 2, 3] }, "arena"],
  ["an arena that is text", { zones: [zone], arena: "bytes" }, "arena"],
  ["more frames than can be described", { zones: [{ base: MIB, size: 2 ** 50 }], frameSize: 64, arena: null }, "zones"],
];

for (const { name, open } of implementations) {
  const test = suite(`construction, ${name}`);

  test("misuse A13: each bad option is refused by the name of its field", () => {
    for (const [what, options, field] of refusals) {
      const error = refuses(() => open(options as CoreOptions), "INVALID_ARGUMENT", what);
      assert.is(error.field, field, `${what}: ${error.message}`);
      assert.ok(error.message.length < 300, `${what}: a short message`);
    }
  });

  test("misuse A13: refusing leaves nothing behind, so a thousand refusals are cheap", () => {
    for (let i = 0; i < 1000; i++) refuses(() => open({ zones: [zone, zone], arena: null }), "INVALID_ARGUMENT");
    sound(open({ zones: [zone], arena: null }));
  });

  test("misuse A12: a getter that throws passes through, a getter runs once", () => {
    const failing = new RangeError("mine");
    const hostile = {
      get zones(): never {
        throw failing;
      },
    };
    assert.throws(
      () => open(hostile),
      (error: unknown) => error === failing,
    );
    let reads = 0;
    const counting = {
      arena: null,
      zones: [
        {
          base: MIB,
          get size(): number {
            reads++;
            return reads === 1 ? MIB : 64 * MIB;
          },
        },
      ],
    };
    assert.is(open(counting).stats().totalBytes, MIB);
    assert.is(reads, 1);
  });

  test("misuse A12: a polluted Object.prototype supplies no defaults", () => {
    const polluted = Object.prototype as Record<string, unknown>;
    try {
      Object.assign(polluted, {
        frameSize: 64,
        tags: true,
        node: 7,
        alignment: 3,
        highest: 0,
        virtualBase: "identity",
      });
      const core = open({ zones: [zone], arena: null });
      assert.is(core.frameSize, 4096);
      const address = take(core, 1, {});
      assert.ok(address >= 2 ** 46);
      assert.is(core.explain(address).block?.tag, undefined);
      assert.is(core.allocate(1, { node: 7 }), 0, "the zone is on node 0");
    } finally {
      for (const key of ["frameSize", "tags", "node", "alignment", "highest", "virtualBase"]) delete polluted[key];
    }
  });

  test("misuse A14: arenas that are no power of two are used to the last byte, and no further", () => {
    const odd: readonly (readonly [string, CoreOptions])[] = [
      ["7 MiB", { zones: [{ base: MIB, size: 7 * MIB }], arena: null }],
      ["48 pages", { zones: [{ base: 0x5000, size: 48 * FRAME }], arena: null }],
      ["one frame", { zones: [{ base: FRAME, size: FRAME }], arena: null }],
      [
        "67 frames of 64 bytes off every alignment",
        { zones: [{ base: 64 * 13, size: 64 * 67 }], frameSize: 64, arena: null },
      ],
      ["frames of 1 MiB", { zones: [{ base: 3 * MIB, size: 5 * MIB }], frameSize: MIB, arena: null }],
      ["up to 2^52", { zones: [{ base: 2 ** 52 - 12 * FRAME, size: 12 * FRAME }], arena: null }],
      [
        "three zones",
        {
          zones: [
            { base: 9 * FRAME, size: 5 * FRAME },
            { base: 14 * FRAME, size: 67 * FRAME },
            { base: 2 ** 40 + FRAME, size: 3 * FRAME },
          ],
          arena: null,
        },
      ],
    ];
    for (const [what, options] of odd) {
      const core = open(options);
      const empty = { digest: core.digest(), stats: core.stats() };
      const total = options.zones.reduce((sum, one) => sum + one.size, 0);
      assert.is(empty.stats.totalBytes, total, what);
      assert.is(empty.stats.freeBytes, total, what);
      const seen = new Set<number>();
      const blocks = Array.from({ length: total / core.frameSize }, () => {
        const address = take(core, core.frameSize);
        const physical = core.physicalOf(address);
        assert.ok(
          options.zones.some((one) => physical >= one.base && physical + core.frameSize <= one.base + one.size),
          `${what}: ${physical} is inside`,
        );
        seen.add(physical);
        return address;
      });
      assert.is(seen.size, blocks.length, `${what}: every frame once`);
      assert.is(core.allocate(1), 0, `${what}: nothing beyond the end`);
      sound(core);
      for (const address of blocks) core.free(address);
      core.flush();
      assert.is(core.digest(), empty.digest, what);
      assert.is(core.stats().largestFreeBytes, empty.stats.largestFreeBytes, what);
      sound(core);
    }
  });

  test("64 zones serve, each from its own window", () => {
    const zones = Array.from({ length: 64 }, (_, i) => ({ base: (i + 1) * 8 * FRAME, size: 8 * FRAME, node: i }));
    const core = open({ zones, arena: null });
    zones.forEach(({ base, node }) => {
      const physical = core.physicalOf(take(core, 8 * FRAME, { node }));
      assert.is(physical, base);
    });
    assert.is(core.stats().freeBytes, 0);
    sound(core);
  });

  test("windows follow their rules, in declared order, also with a base of one's own", () => {
    const zones = [
      { base: 5 * GIB + 3 * FRAME, size: 2 * MIB },
      { base: 7 * FRAME, size: 64 * FRAME },
      { base: 2 ** 51, size: FRAME },
    ];
    for (const virtualBase of [undefined, 2 ** 46, FRAME, 2 ** 40 + 5 * FRAME]) {
      virtualWindowRules(
        open({ zones, arena: null, ...(virtualBase === undefined ? {} : { virtualBase }) }),
        zones,
        virtualBase ?? 2 ** 46,
      );
    }
  });

  test("identity makes virtual and physical equal", () => {
    const zones = [
      { base: 5 * GIB, size: MIB, node: 1 },
      { base: 16 * FRAME, size: 16 * FRAME, node: 2 },
    ];
    const core = open({ zones, virtualBase: "identity", arena: null });
    for (const node of [1, 2]) {
      const address = take(core, 3 * FRAME, { node });
      assert.is(core.physicalOf(address), address as number);
      assert.is(core.virtualOf(core.physicalOf(address)), address);
    }
    sound(core);
  });

  test("64 GiB of address-only memory open, and the far end is reached", () => {
    const core = open({ zones: [{ base: 4 * GIB, size: 64 * GIB }], arena: null });
    assert.is(core.stats().totalBytes, 64 * GIB);
    const blocks = Array.from({ length: 32 }, () => take(core, 2 ** 31));
    assert.is(core.stats().freeBytes, 0);
    assert.is(core.allocate(1), 0);
    const [low, high] = [Math.min(...blocks), Math.max(...blocks)];
    assert.is(high - low, 62 * GIB);
    assert.is(core.physicalOf((high + 2 ** 31 - 1) as typeof high & ReturnType<typeof take>), 68 * GIB - 1);
  });

  test("two cores share nothing (misuse B15)", () => {
    const options: CoreOptions = { zones: [zone], arena: null };
    const [one, two] = [open(options), open(options)];
    const address = take(one, 100);
    const error: ShmemError = refuses(() => two.free(address), "NEVER_ALLOCATED");
    assert.is(error.value, address as number);
    assert.is(two.digest(), open(options).digest());
    one.free(address);
  });

  test("nine cores by turns: each call reaches its own core (doors.ts shares call sites among them)", () => {
    const cores = Array.from({ length: 9 }, (_, i) => open({ zones: [{ ...zone, base: zone.base * (i + 1) }] }));
    const empty = cores.map((core) => core.digest());
    const blocks = cores.map((core, i) => core.allocate(FRAME * (i + 1)));
    for (const [i, core] of cores.entries()) {
      assert.is(core.stats().liveBytes, FRAME * (i + 1));
      assert.is(core.lengthOf(blocks[i] as VirtualAddress), FRAME * (i + 1));
    }
    for (const [i, core] of cores.entries()) {
      core.free(blocks[i] as VirtualAddress, FRAME * (i + 1));
      assert.equal(
        cores.map((other) => other.stats().liveBlocks),
        cores.map((_, k) => (k > i ? 1 : 0)),
      );
    }
    assert.equal(
      cores.map((core) => core.digest()),
      empty,
    );
  });

  test.run();
}
