/**
 * The duels of one configuration: the release build at full length, the debug build (asserts on) at a fifth of it.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CoreOptions } from "../../bindings/index.js";
import { fight, seedOf } from "./duel.js";
import { actions, rareActions } from "./duel-actions.js";
import { debug, release } from "./implementations.js";

/** Register and run the suite of one configuration. `NDIS_SHMEM_SEED` overrides the seed. */
export function duels(what: string, usualSeed: number, options: CoreOptions): void {
  const seed = seedOf(usualSeed);
  console.log(`random: ${what}, seed ${seed}`);
  const test = suite(`random, ${what}`);
  const all = [...actions, ...rareActions];
  for (const [subject, steps] of [
    [release, 100_000],
    [debug, 20_000],
  ] as const) {
    test(`misuse L01 to L07: ${steps} operations of ${subject.name} against the judge, seed ${seed}`, () => {
      const played = fight({ options, open: subject.open, actions: all, steps, seed });
      for (const [action, times] of played) assert.ok(times > steps / 5000, `${action} was played ${times} times`);
    });
  }
  test.run();
}
