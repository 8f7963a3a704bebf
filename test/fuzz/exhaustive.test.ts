/**
 * Small inputs, all of them: misuse L01 to L07 on eight frames, to depth 6. The image counts slow requests by size, so one step
 * more means four times as many states: depth 7 takes minutes.
 *
 * timeout: 300 s
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Core } from "../../bindings/index.js";
import { EXHAUSTIVE_OPTIONS, EXHAUSTIVE_STEPS, exhaust } from "../../src/fuzz/index.js";

const test = suite("exhaustive");

test("every sequence of six operations on eight frames is answered as the reference model says", () => {
  const result = exhaust(Core.openSync(EXHAUSTIVE_OPTIONS), 6);
  assert.is(result.finding, null, `${result.finding?.message} after ${result.finding?.path.join(", ")}`);
  assert.is(result.sequences, EXHAUSTIVE_STEPS ** 6);
  // The number of images is a fact about the state space; it moves only when the image or the operations do.
  assert.ok(result.states > 1000, `${result.states} states`);
  assert.ok(result.transitions > 10_000, `${result.transitions} transitions`);
});

test("a core with a bug three operations deep is found by the shortest path to it", () => {
  const core = Core.openSync(EXHAUSTIVE_OPTIONS);
  const forgetful = new Proxy(core, {
    get: (_, key) => {
      if (key === "free") {
        return (...given: Parameters<Core["free"]>) => {
          if (core.stats().liveBlocks === 2) core.allocate(64);
          core.free(...given);
        };
      }
      const value: unknown = Reflect.get(core, key, core);
      return typeof value === "function" ? value.bind(core) : value;
    },
  });
  const { finding } = exhaust(forgetful, 7);
  assert.is(finding?.path.length, 3);
  assert.match(finding?.path.at(-1) ?? "", /^free/);
});

test.run();
