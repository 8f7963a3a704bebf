/**
 * The bytes behind the addresses: every kind of arena, and nothing outside one live block's requested length.
 * Misuse C04 (checked accessor), H01 and H03 (growth), J (metadata is not in the arena).
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Arena, CoreApi, CoreOptions, VirtualAddress } from "../../bindings/index.js";
import { FRAME, MIB, SMALL, sound, take, untouched } from "./expect.js";
import { implementations } from "./implementations.js";

const ZONES = [
  { base: MIB, size: 16 * FRAME },
  { base: 8 * MIB, size: 8 * FRAME },
];
const TOTAL = 24 * FRAME;
const at = (address: number): VirtualAddress => address as VirtualAddress;

/** Each kind of arena, with a view of its own over the bytes that the zones use. */
const arenas: Readonly<Record<string, () => { readonly arena: Arena | undefined; readonly view?: () => Uint8Array }>> =
  {
    "a fresh buffer": () => ({ arena: undefined }),
    "an ArrayBuffer": () => {
      const arena = new ArrayBuffer(TOTAL);
      return { arena, view: () => new Uint8Array(arena) };
    },
    "a SharedArrayBuffer": () => {
      const arena = new SharedArrayBuffer(TOTAL + 5);
      return { arena, view: () => new Uint8Array(arena) };
    },
    "a Uint8Array in the middle of a buffer": () => {
      const arena = new Uint8Array(new ArrayBuffer(TOTAL + 200), 100, TOTAL);
      return { arena, view: () => arena };
    },
    "a WebAssembly.Memory": () => {
      const arena = new WebAssembly.Memory({ initial: 2, maximum: 8 });
      return { arena, view: () => new Uint8Array(arena.buffer) };
    },
    "a Buffer": () => {
      const arena = Buffer.alloc(TOTAL);
      return { arena, view: () => arena };
    },
  };

for (const { name, open } of implementations) {
  const test = suite(`bytes, ${name}`);
  const over = (arena: Arena | undefined, more: Partial<CoreOptions> = {}): CoreApi =>
    open({ zones: ZONES, ...(arena === undefined ? {} : { arena }), ...more });

  for (const [what, make] of Object.entries(arenas)) {
    test(`${what}: each byte is where arenaOffsetOf says`, () => {
      const { arena, view } = make();
      const core = over(arena);
      const blocks = Array.from({ length: 24 }, () => take(core, FRAME));
      blocks.forEach((address, i) => {
        core.bytes(address, FRAME).fill(i + 1);
      });
      blocks.forEach((address, i) => {
        const bytes = core.bytes(address, FRAME);
        assert.is(bytes.length, FRAME);
        assert.ok(
          bytes.every((byte) => byte === i + 1),
          "no two blocks share a byte",
        );
        const offset = core.arenaOffsetOf(core.physicalOf(address));
        assert.is(core.offsetOf(address, FRAME), offset);
        assert.is(core.offsetOf(at(address + 5), FRAME - 5), offset + 5);
        if (view !== undefined) assert.is(view()[offset + FRAME - 1], i + 1);
        assert.is(core.bytes(at(address + FRAME - 1), 1)[0], i + 1);
      });
      if (view !== undefined) assert.is(view().subarray(0, TOTAL).indexOf(0), -1, "the zones fill the arena");
      sound(core);
    });
  }

  test("arenaOffset places each zone's bytes, and the next zone follows where none is given", () => {
    const arena = new Uint8Array(40 * FRAME);
    const zones = [
      { base: MIB, size: 4 * FRAME, arenaOffset: 20 * FRAME + 3 },
      { base: 8 * MIB, size: 4 * FRAME },
      { base: 9 * MIB, size: 4 * FRAME, arenaOffset: 1 },
    ];
    const core = open({ zones, arena });
    const physical = (address: number): ReturnType<CoreApi["physicalOf"]> =>
      address as ReturnType<CoreApi["physicalOf"]>;
    assert.is(core.arenaOffsetOf(physical(MIB)), 20 * FRAME + 3);
    assert.is(core.arenaOffsetOf(physical(MIB + 4 * FRAME - 1)), 24 * FRAME + 2);
    assert.is(core.arenaOffsetOf(physical(8 * MIB)), 24 * FRAME + 3);
    assert.is(core.arenaOffsetOf(physical(9 * MIB + 5)), 6);
    for (const outside of [0, MIB - 1, MIB + 4 * FRAME, 9 * MIB + 4 * FRAME, 2 ** 52 - 1])
      untouched(core, () => core.arenaOffsetOf(physical(outside)), "TRANSLATION_FAULT");
    const address = take(core, FRAME, { highest: MIB + FRAME - 1 });
    core.bytes(address, FRAME).set([7], 5);
    assert.is(arena[20 * FRAME + 8], 7);
  });

  test("address-only: bytes are refused, offsets are known", () => {
    const core = open({ ...SMALL, zones: [{ base: MIB, size: 64 * FRAME, arenaOffset: 77 }] });
    const address = take(core, FRAME);
    untouched(core, () => core.bytes(address, 1), "NO_ARENA");
    untouched(core, () => core.offsetOf(address, 1), "NO_ARENA");
    assert.is(core.arenaOffsetOf(core.physicalOf(address)) - 77, core.physicalOf(address) - MIB);
  });

  test("misuse C03, C04: only the requested length, never the slack, the neighbour or a hole", () => {
    const core = over(undefined);
    const address = take(core, FRAME + 100);
    const neighbours = Array.from({ length: 10 }, () => take(core, FRAME));
    assert.is(core.bytes(address, FRAME + 100).length, FRAME + 100);
    assert.is(core.bytes(at(address + 99), FRAME + 1).length, FRAME + 1);
    const bad: readonly (readonly [number, number])[] = [
      [address, FRAME + 101],
      [address + 1, FRAME + 100],
      [address + FRAME + 100, 1],
      [address + 2 * FRAME - 1, 1],
      [address - 1, 2],
      [address, 2 ** 40],
      [neighbours[0] as number, FRAME + 1],
      [0, 1],
      [2 ** 52 - 1, 1],
    ];
    for (const [start, length] of bad) {
      untouched(core, () => core.bytes(at(start), length), "TRANSLATION_FAULT", `${start} ${length}`);
      untouched(core, () => core.offsetOf(at(start), length), "TRANSLATION_FAULT", `${start} ${length}`);
    }
    for (const length of [0, -1, 0.5, Number.NaN, 2 ** 52, 2 ** 53]) {
      untouched(core, () => core.bytes(address, length), "INVALID_ARGUMENT", `${length}`);
      untouched(core, () => core.offsetOf(address, length), "INVALID_ARGUMENT", `${length}`);
    }
    core.free(address);
    untouched(core, () => core.bytes(address, 1), "TRANSLATION_FAULT");
    sound(core);
  });

  test("bytes of a scattered block run by run, never across", () => {
    const core = over(undefined);
    const blocks = Array.from({ length: 24 }, () => take(core, FRAME));
    for (const address of blocks) if ((core.physicalOf(address) / FRAME) % 2 === 1) core.free(address);
    const scattered = take(core, 3 * FRAME - 10, { contiguous: false });
    for (let frame = 0; frame < 3; frame++) {
      const length = frame === 2 ? FRAME - 10 : FRAME;
      core.bytes(at(scattered + frame * FRAME), length).fill(frame + 1);
      const { physical } = core.translate(at(scattered + frame * FRAME));
      assert.is(core.bytes(at(scattered + frame * FRAME), 1).byteOffset % FRAME, core.arenaOffsetOf(physical) % FRAME);
    }
    untouched(core, () => core.bytes(at(scattered + FRAME - 1), 2), "TRANSLATION_FAULT");
    untouched(core, () => core.bytes(at(scattered + 2 * FRAME), FRAME - 9), "TRANSLATION_FAULT");
    core.map(at(2 ** 50), [{ physical: 2 ** 40, lengthBytes: 8 }]);
    untouched(core, () => core.bytes(at(2 ** 50), 8), "TRANSLATION_FAULT");
    for (const address of blocks.filter((one) => core.explain(one).state === "live"))
      assert.ok(
        core.bytes(address, FRAME).every((byte) => byte === 0),
        "the others' bytes are as they were",
      );
  });

  test("misuse H01, H03: a WebAssembly.Memory may grow, and the next view is over the new buffer", () => {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 8 });
    const core = over(memory);
    const address = take(core, FRAME);
    const old = core.bytes(address, 4);
    old.set([1, 2, 3, 4]);
    for (const pages of [0, 1, 3]) {
      memory.grow(pages);
      assert.is(old.length, 0, "the engine detached the old view");
      const fresh = core.bytes(address, 4);
      assert.equal([...fresh], [1, 2, 3, 4]);
      assert.is(fresh.buffer, memory.buffer);
    }
  });

  test("misuse H01: an arena that its host took away is STALE_VIEW, with what is left, and everything else goes on", () => {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 8 });
    const transferred = new ArrayBuffer(TOTAL);
    const away: readonly (readonly [string, Arena, () => unknown])[] = [
      ["a view of a memory that grows", new Uint8Array(memory.buffer, 0, TOTAL), () => memory.grow(1)],
      ["a buffer that is transferred", transferred, () => structuredClone(null, { transfer: [transferred] })],
    ];
    for (const [what, arena, takeAway] of away) {
      const core = over(arena);
      const address = take(core, FRAME);
      assert.is(core.bytes(address, FRAME).length, FRAME, what);
      takeAway();
      const refusal = untouched(core, () => core.bytes(address, FRAME), "STALE_VIEW", what);
      assert.is(refusal.field, "arena");
      assert.is(refusal.unit, "bytes");
      assert.ok((refusal.value as number) < TOTAL, what);
      // The core's books are not in the arena: what needs no byte of it goes on.
      const other = take(core, FRAME);
      core.free(other);
      core.free(address);
      sound(core);
    }
  });

  test("a shared memory that grows leaves its old views as they were, and they serve on", () => {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 8, shared: true });
    const core = over(new Uint8Array(memory.buffer, 0, TOTAL));
    const address = take(core, FRAME);
    core.bytes(address, FRAME).fill(7);
    memory.grow(1);
    assert.is(core.bytes(address, FRAME)[FRAME - 1], 7);
  });

  test("whatever is written to the arena, the core does not mind", () => {
    const arena = new Uint8Array(TOTAL);
    const core = over(arena);
    const addresses = Array.from({ length: 6 }, () => take(core, 3 * FRAME));
    const before = [core.digest(), core.imageDigest()];
    arena.fill(0xff);
    assert.equal([core.digest(), core.imageDigest()], before);
    sound(core);
    core.freeBatch(Float64Array.from(addresses));
    assert.ok(
      arena.every((byte) => byte === 0xff),
      "the core never touches arena bytes",
    );
    assert.is(core.digest(), over(undefined).digest());
  });

  test.run();
}
