/** The small model against the reference model: on legal answers and on made-up ones, their verdicts are the same. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type AllocateOptions,
  floorPowerOfTwo,
  planCore,
  ShmemError,
  type VirtualAddress,
} from "../../bindings/index.js";
import { GEOMETRIES, SmallModel } from "../../src/fuzz/index.js";
import { Prng } from "../../src/machine/index.js";
import { Judge } from "../../src/model/index.js";

const test = suite("small model");
const STEPS = 3000;

for (const [index, { name, options }] of GEOMETRIES.entries()) {
  test(`${name}: ${STEPS} answers, true and false, get the reference model's verdict`, () => {
    const draw = new Prng(17, index);
    const plan = planCore(options);
    const model = new Judge(options);
    const small = new SmallModel(plan);
    const counts = { legal: 0, illegal: 0, refusals: 0 };
    const zone = () => plan.zones[draw.below(plan.zones.length)] as (typeof plan.zones)[number];
    const constraints = (): AllocateOptions => ({
      ...(draw.below(3) === 0
        ? { alignment: Math.min(plan.frameSize * 2 ** draw.below(5), floorPowerOfTwo(plan.totalBytes)) }
        : {}),
      ...(draw.below(4) === 0 ? { boundary: plan.frameSize * 2 ** draw.below(6) } : {}),
      ...(draw.below(3) === 0 ? { highest: zone().base + draw.below(zone().size + 2) - 1 } : {}),
      ...(draw.below(4) === 0 ? { node: draw.below(2) } : {}),
      ...(draw.below(4) === 0 ? { preferredNode: draw.below(3) } : {}),
    });
    for (let step = 0; step < STEPS; step++) {
      const lengthBytes = 1 + draw.below(draw.below(3) === 0 ? plan.totalBytes : plan.frameSize * 6);
      const given = constraints();
      // What a core that is out of its mind might answer: no state may change where it is refused.
      const window = zone();
      const address = window.window + draw.below(window.size / plan.frameSize) * plan.frameSize;
      const physical = address - window.window + window.base;
      const run = [{ physical, lengthBytes }] as never;
      const sentence = small.adopt(address, physical, lengthBytes, given);
      const other = model.adopt(address as VirtualAddress, run, lengthBytes, given);
      assert.is(sentence === undefined, other === undefined, `${sentence} / ${other}`);
      if (sentence === undefined) counts.legal++;
      else counts.illegal++;
      const failure = small.confirmFailure(lengthBytes, given, undefined);
      const failureOther = model.confirmFailure(lengthBytes, given);
      assert.is(failure === undefined, failureOther === undefined, `${failure} / ${failureOther}`);
      if (draw.below(3) === 0 || small.freeFrames === 0) {
        const asked = zone().window + draw.below(zone().size + 64) - 32;
        const expected = codeOf(() => model.free(asked as VirtualAddress));
        assert.is(small.refusalOf(asked, undefined, undefined) ?? "success", expected);
        if (expected === "success") small.remove(small.blockAt(asked) as never);
        counts.refusals++;
      }
      const block = small.live[draw.below(small.live.length + 1)];
      if (block !== undefined) {
        assert.is(small.refusalOf(block.address, block.lengthBytes, undefined), undefined);
        assert.is(small.refusalOf(block.address, block.lengthBytes + 1, undefined), "LENGTH_MISMATCH");
        assert.is(small.around(block.address + 1), block);
        small.remove(block);
        model.free(block.address as VirtualAddress);
      }
      const stats = model.stats();
      assert.is(small.freeFrames * plan.frameSize, stats.freeBytes);
      assert.is(small.largestFreeBytes(), stats.largestFreeBytes);
      assert.is(small.peakFrames * plan.frameSize, stats.peakLiveBytes);
      if (step % 500 === 0) small.load(small.save());
    }
    assert.ok(counts.legal > STEPS / 100 && counts.illegal > STEPS / 20, JSON.stringify(counts));
  });
}

function codeOf(call: () => void): string {
  try {
    call();
    return "success";
  } catch (error) {
    if (!(error instanceof ShmemError)) throw error;
    return error.code;
  }
}

test.run();
