/** examples/c-driver, from its sources: the capture played through, and what the fuzzer says of it. */
import * as assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { test } from "uvu";
import { type CDriverOptions, loadC } from "../../src/c/index.js";
import { readCapture } from "../../src/capture/index.js";
import { fuzzDriver } from "../../src/fuzz/index.js";
import { play } from "../../src/run/index.js";
import { compiled, testC } from "./compiled.js";

const FOLDER = "examples/c-driver";
const model = (await import(pathToFileURL(`${FOLDER}/nic-device.mjs`).href)) as CDriverOptions;

testC("the correct driver plays the capture without a finding, and grows by AsyncEx", async () => {
  const driver = loadC(await compiled([`${FOLDER}/nic.c`, `${FOLDER}/hw.c`]), { ...model, name: "nic" });
  const device = driver.device;
  assert.ok(device !== undefined);
  const { report, refused } = await play({
    driver: {
      name: "nic",
      summary: "",
      DriverEntry: driver.DriverEntry,
      explain: driver.explain,
      memory: (lengthBytes, base) => driver.memory(lengthBytes, base),
      device,
      addressing: 64,
      arenaBytes: driver.arenaBytes,
      blockKind: () => "shared memory",
    },
    capture: readCapture(readFileSync("examples/traffic/two-hosts.pcap")),
    title: "two-hosts",
    seed: 1,
    wallMs: () => 0,
  });
  assert.equal(refused, null);
  assert.deepEqual(report.violations, []);
  assert.equal(report.packets.mismatched, 0);
  assert.ok(report.packets.delivered > 400);
  assert.ok(report.requests.asynchronous > 5);
  assert.equal(report.requests.freed, report.requests.synchronous + report.requests.completed);
  const { found } = await fuzzDriver(driver, { runs: 150 });
  assert.equal(found, null, found?.finding.message);
});

test.run();
