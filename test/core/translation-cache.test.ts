/**
 * The translation cache (bindings/core/translation-cache.ts): `physicalOf`, `translatePhysical` and `offsetOf` answer most questions without a call,
 * from entries that nobody corrects. Whatever an entry says, they must answer as the walk inside the core does, which
 * `translate` always asks.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CoreApi, CoreOptions, PhysicalAddress, VirtualAddress } from "../../bindings/index.js";
import { ShmemError } from "../../bindings/index.js";
import { generator, MIB, refuses, take } from "./expect.js";
import { debug, release } from "./implementations.js";

/** What a question comes to: an address, or the code and value of a refusal. */
function answer(ask: () => unknown): unknown {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof ShmemError)) throw error;
    return [error.code, error.value, error.message];
  }
}

function agrees(core: CoreApi, address: number, context: string): void {
  const virtual = address as VirtualAddress;
  const walked = answer(() => core.translate(virtual).physical);
  // Twice: the first question may fill the entry that answers the second.
  assert.equal(
    answer(() => core.physicalOf(virtual)),
    walked,
    context,
  );
  assert.equal(
    answer(() => core.physicalOf(virtual)),
    walked,
    `${context}, again`,
  );
  if (typeof walked !== "number") return;
  const { lengthBytes } = core.translate(virtual);
  assert.equal(core.translatePhysical(walked as PhysicalAddress), { virtual, lengthBytes }, `${context}, and back`);
}

/** Zones whose first frame starts no page of the core, small and large frames, with and without a second zone. */
const ARENAS: Readonly<Record<string, CoreOptions>> = {
  "frames of 64 bytes, base off the page": { zones: [{ base: 64 * 37, size: 64 * 5000 }], frameSize: 64, arena: null },
  "frames of 512 bytes": { zones: [{ base: MIB, size: MIB }], frameSize: 512, arena: null },
  "frames of 1 KiB": { zones: [{ base: 1024 * 61, size: 1024 * 700 }], frameSize: 1024, arena: null },
  "frames of 1 MiB, windows below the zones of others": {
    zones: [
      { base: 3 * MIB, size: 200 * MIB },
      { base: 2 ** 40, size: 64 * MIB },
    ],
    frameSize: MIB,
    virtualBase: "identity",
    arena: null,
  },
  "more frames than entries": { zones: [{ base: 64 * 3, size: 64 * 150_000 }], frameSize: 64, arena: null },
  "beyond 4 GiB": { zones: [{ base: 2 ** 33, size: 2 ** 33 }], frameSize: MIB, arena: null },
};

/** Lookups in the first zone are cached; the second is asked for. */
const WITH_BYTES: readonly CoreOptions[] = [
  { zones: [{ base: 64 * 37, size: 64 * 5000 }], frameSize: 64 },
  { zones: [{ base: 4096 * 61, size: 4096 * 700, arenaOffset: 12_345 }] },
  {
    zones: [
      { base: 512 * 9, size: 512 * 600, arenaOffset: 512 * 600 },
      { base: MIB, size: 512 * 600, arenaOffset: 0 },
    ],
    frameSize: 512,
    virtualBase: "identity",
  },
];

for (const { name, open } of [release, debug]) {
  const test = suite(`translation cache, ${name}`);

  for (const [index, [what, options]] of Object.entries(ARENAS).entries()) {
    test(`random blocks come and go, ${what}`, () => {
      const seed = 7100 + index;
      const below = generator(seed);
      const core = open(options);
      const { frameSize } = core;
      const held: VirtualAddress[] = [];
      const places: number[] = [];
      for (let step = 0; step < 1500; step++) {
        const context = `seed ${seed}, step ${step}`;
        if (held.length === 0 || below(5) < 3) {
          const frames = 1 + below(2 ** below(9));
          const address = core.allocate(frames * frameSize - below(frameSize), { contiguous: below(8) > 0 });
          if (address !== 0) {
            held.push(address);
            places.push(address, address + (frames - 1) * frameSize);
          }
        } else {
          const [gone] = held.splice(below(held.length), 1);
          core.free(gone as VirtualAddress);
        }
        // Ends of blocks that are or were, a frame to each side, and anywhere near.
        for (let k = 0; k < 4; k++) {
          const place = places[below(places.length)] ?? 2 ** 46;
          agrees(core, place + below(frameSize), context);
          agrees(core, Math.max(0, place + (below(130) - 65) * frameSize), context);
        }
      }
    });
  }

  for (const [index, options] of WITH_BYTES.entries()) {
    test(`offsetOf knows the requested length of every block, arena ${index}`, () => {
      const seed = 7200 + index;
      const below = generator(seed);
      const core = open(options);
      const { frameSize } = core;
      const held: { readonly address: number; readonly lengthBytes: number }[] = [];
      const places: number[] = [];
      for (let step = 0; step < 1200; step++) {
        if (held.length === 0 || below(5) < 3) {
          const lengthBytes = 1 + below(frameSize * 2 ** below(8));
          const address = core.allocate(lengthBytes);
          if (address !== 0) {
            held.push({ address, lengthBytes });
            places.push(address, address + lengthBytes);
          }
        } else {
          const [gone] = held.splice(below(held.length), 1);
          core.free(gone?.address as VirtualAddress);
        }
        for (let k = 0; k < 6; k++) {
          const near =
            (places[below(places.length)] ?? 2 ** 46) + (below(130) - 65) * ([1, frameSize][k % 2] as number);
          const start = Math.max(1, near + below(3) - 1);
          const lengthBytes = 1 + below([4, 70, 3 * frameSize][k % 3] as number);
          const inside = held.some(
            (one) => start >= one.address && start + lengthBytes <= one.address + one.lengthBytes,
          );
          const expected = inside ? core.arenaOffsetOf(core.translate(start as VirtualAddress).physical) : "refused";
          const context = `seed ${seed}, step ${step}, ${start} ${lengthBytes}`;
          for (let again = 0; again < 2; again++) {
            const said = answer(() => core.offsetOf(start as VirtualAddress, lengthBytes));
            assert.equal(Array.isArray(said) && said[0] === "TRANSLATION_FAULT" ? "refused" : said, expected, context);
          }
        }
      }
    });
  }

  test("what is no address is refused however well the byte before it is known", () => {
    const core = open({ zones: [{ base: MIB, size: MIB }], arena: null });
    const address = take(core, 4096);
    assert.is(core.physicalOf(address), core.physicalOf(address));
    const objects: readonly unknown[] = [String(address), { valueOf: () => address }, [address], BigInt(address), null];
    const bytes = open({ zones: [{ base: MIB, size: MIB }] });
    assert.is(take(bytes, 4096), address);
    for (const bad of [address + 0.5, Number.NaN, -1, Number.POSITIVE_INFINITY, 2 ** 52, ...objects]) {
      refuses(() => core.physicalOf(bad as VirtualAddress), "INVALID_ARGUMENT");
      refuses(() => bytes.offsetOf(bad as VirtualAddress, 4), "INVALID_ARGUMENT");
      refuses(() => bytes.offsetOf(address, bad === null ? Number.NaN : (bad as number)), "INVALID_ARGUMENT");
    }
    refuses(() => core.physicalOf((address + 2 ** 32) as VirtualAddress), "TRANSLATION_FAULT");
    refuses(() => bytes.offsetOf((address + 2 ** 32) as VirtualAddress, 4), "TRANSLATION_FAULT");
  });

  test("a hint outlives the block, growth of memory, a restore and a second core", () => {
    const options: CoreOptions = { zones: [{ base: MIB, size: MIB }], arena: null };
    const core = open(options);
    const empty = core.snapshot();
    const address = take(core, 5 * 4096);
    const last = (address + 5 * 4096 - 1) as VirtualAddress;
    const expected = core.physicalOf(last);
    assert.is(core.physicalOf(last), expected);
    const full = core.snapshot();
    core.free(address);
    refuses(() => core.physicalOf(last), "TRANSLATION_FAULT");
    const small = take(core, 4096);
    assert.is(small, address, "the lowest place again");
    refuses(() => core.physicalOf(last), "TRANSLATION_FAULT");
    core.free(small);
    core.restore(full);
    assert.is(core.physicalOf(last), expected);
    // Enough runs that the tables, and with them the memory, must grow.
    const runs = Array.from({ length: 4000 }, (_, i) => ({ physical: 2 ** 40 + i * 8192, lengthBytes: 4096 }));
    core.map((2 ** 50) as VirtualAddress, runs);
    assert.is(core.physicalOf(last), expected, "through new views");
    assert.is(core.physicalOf((2 ** 50 + 4096) as VirtualAddress), 2 ** 40 + 8192);
    core.unmap((2 ** 50) as VirtualAddress);
    core.restore(empty);
    refuses(() => core.physicalOf(last), "TRANSLATION_FAULT");
    refuses(() => open(options).physicalOf(last), "TRANSLATION_FAULT");
  });

  test("a disposed core translates nothing, known or not", () => {
    const core = open({ zones: [{ base: MIB, size: MIB }], arena: null });
    const address = take(core, 4096);
    assert.is(core.physicalOf(address), core.physicalOf(address));
    core.dispose();
    refuses(() => core.physicalOf(address), "DISPOSED");
    refuses(() => core.offsetOf(address, 1), "DISPOSED");
  });

  test.run();
}
