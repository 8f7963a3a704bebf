/**
 * One algorithm in two places: the quick paths of bindings/core/quick-paths.ts and those of assembly/ write the same words.
 *
 * Two cores of the same options take the same operations, one through the quick paths, one through the exports of the core.
 * After every operation their answers and every byte of their memories are equal.
 */

import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planCore } from "../../bindings/core/options.js";
import { Missed, type QuickPaths, quickPathsOf } from "../../bindings/core/quick-paths.js";
import { CoreState } from "../../bindings/core/state.js";
import { compileModule, releaseModule } from "../../bindings/core/wasm.js";
import { Layout as L } from "../../bindings/generated/layout.js";
import type { CoreOptions } from "../../bindings/index.js";
import { GIB, generator, MIB } from "./expect.js";

/** Frames of every width of length tags, zones off the groups, in both orders, beyond 4 GiB; with tags and without. */
const GEOMETRIES: Readonly<Record<string, CoreOptions>> = {
  "frames of 64 bytes": { zones: [{ base: 64 * 37, size: 64 * 5000 }], frameSize: 64 },
  "frames of 64 bytes, tags": { zones: [{ base: 64 * 64, size: 64 * 9000 }], frameSize: 64, tags: true },
  "frames of 512 bytes, the low zone first": {
    zones: [
      { base: MIB, size: MIB },
      { base: 16 * MIB, size: 2 * MIB },
    ],
    frameSize: 512,
    tags: true,
  },
  "frames of 1 KiB, the high zone first": {
    zones: [
      { base: 16 * MIB, size: 4 * MIB },
      { base: MIB, size: MIB },
    ],
    frameSize: 1024,
  },
  "frames of 4 KiB, virtual is physical": { zones: [{ base: MIB, size: 16 * MIB }], virtualBase: "identity" },
  "beyond 4 GiB": { zones: [{ base: 3 * GIB, size: 9 * GIB }], frameSize: MIB, tags: true },
};

interface Block {
  readonly address: number;
  readonly lengthBytes: number;
  readonly tag: number;
}

/** Two cores side by side. */
class Pair {
  readonly #quick: CoreState;
  readonly #plain: CoreState;
  readonly #paths: QuickPaths;
  misses = 0;

  constructor(options: CoreOptions, module: ReturnType<typeof compileModule>) {
    const plan = planCore({ ...options, arena: null });
    this.#quick = new CoreState(plan, module);
    this.#plain = new CoreState(plan, module);
    this.#paths = quickPathsOf(this.#quick, (missed, address, lengthBytes, tag) => {
      this.misses++;
      if (missed === Missed.Allocate) return allocateIn(this.#quick, lengthBytes as number, tag as number);
      this.#refused = freeIn(this.#quick, address, lengthBytes as number, tag);
      return 0;
    });
  }

  #refused = 0;

  allocate(lengthBytes: number, tag: number): number {
    const address = this.#paths.allocate(lengthBytes, tag);
    assert.is(allocateIn(this.#plain, lengthBytes, tag), address, `allocate ${lengthBytes}`);
    this.#same(`allocate ${lengthBytes} -> ${address}`);
    return address;
  }

  free(address: number, lengthBytes: number, tag: number | undefined): void {
    this.#refused = L.OK;
    this.#paths.free(address, lengthBytes, tag);
    assert.is(freeIn(this.#plain, address, lengthBytes, tag), this.#refused, `free ${address} ${lengthBytes}`);
    this.#same(`free ${address} ${lengthBytes} ${tag}`);
  }

  flush(): void {
    for (const { wasm } of [this.#quick, this.#plain]) wasm.flush();
    this.#same("flush");
  }

  /** Both memories, for going back to. */
  save(): readonly Uint8Array[] {
    return [this.#quick, this.#plain].map(({ views }) => views.u8.slice());
  }

  load(saved: readonly Uint8Array[]): void {
    for (const [i, { views }] of [this.#quick, this.#plain].entries()) views.u8.set(saved[i] as Uint8Array);
  }

  /** Break one word of the quick core: what the comparison must find. */
  damage(word: number): void {
    const { u32 } = this.#quick.views;
    u32[word] = (u32[word] as number) ^ 1;
  }

  get words(): number {
    return this.#quick.views.u32.length;
  }

  #same(after: string): void {
    const [one, other] = [this.#quick.views.u8, this.#plain.views.u8];
    if (Buffer.compare(one, other) === 0) return;
    const at = one.findIndex((byte, i) => byte !== other[i]);
    throw new Error(`after ${after}, the byte at ${at} is ${one[at]} and ${other[at]}`);
  }

  compare(): void {
    this.#same("nothing");
  }
}

/** What `Core` does with a miss. */
function allocateIn(state: CoreState, lengthBytes: number, tag: number): number {
  const frame = state.wasm.allocate(lengthBytes) >>> 0;
  if (frame === 0) return 0;
  const zone = state.zoneHolding(frame);
  if (state.plan.tags) state.views.u32[zone.tagWords + frame] = tag;
  return state.windowOf(frame);
}

function freeIn(state: CoreState, address: number, lengthBytes: number, tag: number | undefined): number {
  const frame = state.frameAt(address);
  if (frame === 0) return -1;
  if (!state.plan.tags) return tag === undefined ? state.wasm.free(frame, lengthBytes) : -1;
  return tag === undefined ? state.wasm.freeAny(frame, lengthBytes) : state.wasm.freeTagged(frame, lengthBytes, tag);
}

for (const build of ["release", "debug"] as const) {
  const module =
    build === "release" ? releaseModule() : compileModule(new Uint8Array(readFileSync("build/debug.wasm")));
  const operations = build === "release" ? 12_000 : 1500;

  for (const [name, options] of Object.entries(GEOMETRIES)) {
    const test = suite(`quick paths, ${name}, ${build}`);
    const frameSize = options.frameSize ?? 4096;

    test("any play writes the same words and answers alike", () => {
      const pair = new Pair(options, module);
      const below = generator(frameSize + operations);
      const live: Block[] = [];
      const gone: Block[] = [];
      const sizes = [1, 1, 1, 2, 3, 5, 16, 17, 31, 63, 64, 65, 100, 128, 192, 4096];
      let most = 12;
      for (let i = 0; i < operations; i++) {
        if (i % 500 === 0) most = [3, 12, 40, 200][below(4)] as number;
        const tag = below(3) === 0 ? 0 : below(1000) + 1;
        if (below(400) === 0) pair.flush();
        else if (live.length < below(most)) {
          const frames = sizes[below(sizes.length)] as number;
          const lengthBytes = Math.min(frames * frameSize - (below(2) === 0 ? 0 : below(frameSize)), 0xffffffff);
          const address = pair.allocate(lengthBytes, tag);
          if (address !== 0) live.push({ address, lengthBytes, tag });
        } else if (live.length > 0) {
          const [block] = live.splice(below(live.length), 1) as [Block];
          const { address, lengthBytes } = block;
          // First what must be refused, now and then.
          const wrong = below(12);
          if (wrong === 0) pair.free(address, lengthBytes === 0xffffffff ? 1 : lengthBytes + 1, undefined);
          if (wrong === 1) pair.free(address + frameSize * below(64), lengthBytes, undefined);
          if (wrong === 2) pair.free(address + 1 + below(frameSize - 1), lengthBytes, undefined);
          if (wrong === 3 && options.tags) pair.free(address, lengthBytes, block.tag + 1);
          const old = gone[below(gone.length + 1)];
          if (
            wrong === 4 &&
            old !== undefined &&
            !live.some((one) => one.address === old.address) &&
            old.address !== address
          )
            pair.free(old.address, old.lengthBytes, undefined);
          if (live.some((one) => one.address === address)) continue;
          if (wrong > 1 || wrong === 0)
            pair.free(address, lengthBytes, options.tags && below(2) === 0 ? block.tag : undefined);
          else live.push(block);
          if (wrong > 1 || wrong === 0) gone.push(block);
        }
      }
      assert.ok(pair.misses < operations * 0.9, `${pair.misses} of ${operations} operations missed`);
    });

    test("a difference of one bit anywhere is found", () => {
      const pair = new Pair(options, module);
      pair.allocate(frameSize, 0);
      for (let i = 0; i < 40; i++) {
        const word = Math.floor(((i + 0.5) * pair.words) / 40);
        pair.damage(word);
        assert.throws(() => pair.compare(), /the byte at/);
        pair.damage(word);
      }
      pair.compare();
    });

    test.run();
  }
}

/** Every sequence of so many steps, from a state in which caches are on, one stack is full and one has a single block. */
const every = suite("quick paths, every short sequence");
const DEPTH = 5;

for (const name of ["frames of 64 bytes, tags", "frames of 1 KiB, the high zone first", "beyond 4 GiB"]) {
  every(`${name}: ${DEPTH} steps`, () => {
    const options = GEOMETRIES[name] as CoreOptions;
    const frameSize = options.frameSize ?? 4096;
    const pair = new Pair(options, releaseModule());
    const blocks = Array.from({ length: 120 }, () => pair.allocate(frameSize, 0));
    for (const address of blocks) pair.free(address, frameSize, undefined);
    pair.free(pair.allocate(64 * frameSize, 0), 64 * frameSize, undefined);
    const start: Block = { address: pair.allocate(frameSize, 5), lengthBytes: frameSize, tag: options.tags ? 5 : 0 };
    const lengths = [frameSize, 3 * frameSize - 1, 64 * frameSize];
    let nodes = 0;
    const play = (live: readonly Block[], depth: number): void => {
      nodes++;
      if (depth === DEPTH) return;
      const saved = pair.save();
      const then = (next: readonly Block[]): void => {
        play(next, depth + 1);
        pair.load(saved);
      };
      for (const lengthBytes of lengths) {
        const tag = options.tags ? lengthBytes : 0;
        then([...live, { address: pair.allocate(lengthBytes, tag), lengthBytes, tag }]);
      }
      const last = live.at(-1);
      if (last === undefined) return;
      pair.free(last.address, last.lengthBytes, options.tags ? last.tag : undefined);
      then(live.slice(0, -1));
      const [first] = live as [Block];
      if (first !== last) {
        pair.free(first.address, first.lengthBytes, undefined);
        then(live.slice(1));
      }
      // Refused: they leave everything as it was, so nothing follows.
      pair.free(last.address, last.lengthBytes + 1, undefined);
      pair.free(last.address + frameSize, last.lengthBytes, undefined);
      if (options.tags) pair.free(last.address, last.lengthBytes, last.tag + 1);
      pair.load(saved);
    };
    play([start], 0);
    assert.ok(nodes > 500, `${nodes} states`);
  });
}
every.run();
