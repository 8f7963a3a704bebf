/**
 * A core that cannot be loaded says so, and nothing takes its place unasked. Misuse G08.
 *
 * The first tests run before this process has compiled the core, because a compiled module is kept.
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Core, compileModule } from "../../bindings/core/index.js";
import { type ErrorCode, ShmemError } from "../../bindings/index.js";
import { Machine } from "../../src/index.js";
import { refuses, SMALL, sound, take } from "./expect.js";
import { judge } from "./implementations.js";

const NO_WASM: ErrorCode = "NO_WASM";
const world = globalThis as unknown as { WebAssembly?: unknown };

/** Run with another `WebAssembly`, or none. */
async function inWorld(engine: unknown, run: () => void | Promise<void>): Promise<void> {
  const real = world.WebAssembly;
  if (engine === undefined) delete world.WebAssembly;
  else world.WebAssembly = engine;
  try {
    await run();
  } finally {
    world.WebAssembly = real;
  }
}

async function refusesLater(promise: Promise<unknown>): Promise<ShmemError> {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof ShmemError)) throw error;
    assert.is(error.code, NO_WASM, error.message);
    return error;
  }
  throw new Error("it was loaded");
}

test("misuse G08: without WebAssembly, or where a page forbids it, opening is NO_WASM with the engine's error as its cause", async () => {
  class Forbidden extends Error {}
  const forbids = {
    Module: class {
      constructor() {
        throw new Forbidden("unsafe-eval is not allowed here");
      }
    },
    compile: () => Promise.reject(new Forbidden("unsafe-eval is not allowed here")),
  };
  const engines: readonly (readonly [unknown, string, unknown])[] = [
    [undefined, "WebAssembly is not defined", ReferenceError],
    [forbids, "unsafe-eval is not allowed here", Forbidden],
  ];
  for (const [engine, says, kind] of engines) {
    await inWorld(engine, async () => {
      const errors = [
        refuses(() => Core.openSync(SMALL), NO_WASM),
        refuses(() => Machine.openSync({}), NO_WASM),
        await refusesLater(Core.open(SMALL)),
        await refusesLater(Machine.open({})),
      ];
      for (const error of errors) {
        assert.instance(error.cause, kind as never);
        assert.ok(error.message.includes(says), error.message);
      }
      // Bad options are still told first: they are wrong anywhere.
      refuses(() => Core.openSync({ zones: [] }), "INVALID_ARGUMENT");
    });
  }
});

test("misuse G08: without WebAssembly another core serves where it was asked for, and only there", async () => {
  await inWorld(undefined, async () => {
    const machine = await Machine.open({ core: judge.open });
    const block = take(machine.core, 100);
    assert.is(machine.core.lengthOf(block), 100);
    await refusesLater(Machine.open({}));
  });
});

test("misuse G08: what failed to load is tried anew", async () => {
  const core = await Core.open(SMALL);
  take(core, 1);
  sound(core);
});

test("misuse G08: damaged bytes, another program's, and imports that nobody has, are NO_WASM; open cores do not mind", () => {
  const core = Core.openSync(SMALL);
  take(core, 5000);
  const before = [core.digest(), core.imageDigest()];
  const release = new Uint8Array(readFileSync("build/release.wasm"));
  for (const length of [0, 1, 7, 9, release.length >> 1, release.length - 1])
    assert.instance(refuses(() => compileModule(release.slice(0, length)), NO_WASM).cause, WebAssembly.CompileError);
  for (const at of [0, 4]) {
    const damaged = release.slice();
    damaged[at] = (damaged[at] as number) ^ 0xff;
    refuses(() => compileModule(damaged), NO_WASM);
  }
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const nothing = compileModule(Uint8Array.from(head));
  assert.match(refuses(() => Core.openOver(nothing, SMALL), NO_WASM).message, /it is not the core/);
  // (type (func)) (import "env" "f" (func (type 0)))
  const wanting = Uint8Array.from([...head, 1, 4, 1, 0x60, 0, 0, 2, 9, 1, 3, 0x65, 0x6e, 0x76, 1, 0x66, 0, 0]);
  const error = refuses(() => Core.openOver(compileModule(wanting), SMALL), NO_WASM);
  assert.instance(error.cause, Error);
  assert.match(error.message, /env/);
  assert.equal([core.digest(), core.imageDigest()], before);
});

test.run();
