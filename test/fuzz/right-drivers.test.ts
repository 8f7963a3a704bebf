/** Correct drivers of several designs get no alarm: random scenarios, a sweep, and every short sequence. */
// timeout: 240 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fuzzDriver } from "../../src/fuzz/index.js";
import { RIGHT_DRIVERS } from "./right-drivers.js";

const test = suite("right drivers");

for (const driver of RIGHT_DRIVERS) {
  test(`${driver.name}: no alarm in 700 scenarios and in every sequence of two events`, async () => {
    const drawn = await fuzzDriver(driver, { seed: 7, runs: 700 });
    assert.is(drawn.found, null, drawn.found?.reproduction);
    assert.is(drawn.drift, null, drawn.drift?.message);
    const every = await fuzzDriver(driver, { search: "systematic", bound: 2, cut: false });
    assert.is(every.found, null, every.found?.reproduction);
    assert.is(every.exhausted, true);
  });
}

test.run();
