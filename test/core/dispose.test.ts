/**
 * The end of a core: twice is harmless, everything else is refused. Misuse F03.
 */
import { suite } from "uvu";
import type { CoreApi } from "../../bindings/index.js";
import { FRAME, loosely, refuses, SMALL, sound, take } from "./expect.js";
import { implementations } from "./implementations.js";

for (const { name, open } of implementations) {
  const test = suite(`dispose, ${name}`);

  test("after dispose every call is refused, whatever its arguments; disposing again is not", () => {
    const [core, bystander] = [open(SMALL), open(SMALL)];
    const address = take(core, FRAME);
    const image = core.snapshot();
    core.dispose();
    core.dispose();
    const calls: Readonly<Record<Exclude<keyof CoreApi, "frameSize" | "lastFailure" | "dispose">, readonly unknown[]>> =
      {
        allocate: [1],
        allocateWithin: [1, 2 ** 40, 0],
        free: [address],
        lengthOf: [address],
        physicalOf: [address],
        virtualOf: [1],
        translate: [address],
        translatePhysical: [1],
        runs: [address, 1],
        map: [2 ** 50, [{ physical: 2 ** 40, lengthBytes: 1 }]],
        unmap: [2 ** 50],
        allocateBatch: [Uint32Array.of(1), new Float64Array(1)],
        serveBatch: [
          {
            count: 1,
            lengths: Uint32Array.of(1),
            highest: Float64Array.of(2 ** 40),
            tags: Uint32Array.of(0),
            addresses: new Float64Array(1),
            physicals: new Float64Array(1),
          },
        ],
        freeBatch: [Float64Array.of(address)],
        bytes: [address, 1],
        offsetOf: [address, 1],
        arenaOffsetOf: [1],
        explain: [address],
        stats: [],
        verify: [],
        flush: [],
        digest: [],
        imageDigest: [],
        snapshot: [],
        restore: [image],
      };
    for (const [method, args] of Object.entries(calls)) {
      refuses(() => loosely(core, method as keyof CoreApi, ...args), "DISPOSED", method);
      if (args.length > 0)
        refuses(() => loosely(core, method as keyof CoreApi, ...args.map(() => Number.NaN)), "DISPOSED", method);
    }
    take(bystander, FRAME);
    sound(bystander);
  });

  test.run();
}
