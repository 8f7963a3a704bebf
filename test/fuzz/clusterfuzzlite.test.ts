/**
 * The targets of .clusterfuzzlite as far as they can be run here: each module loads and plays its corpus and seeded inputs
 * in Node, as Jazzer.js would call it; the build script names every target and is sound. What it builds outside of the
 * image (the native target) is built and run by test/fuzz/native/run.sh, which .ci/run calls.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeScenario, inputOf, scenarioOf, TARGETS } from "../../src/fuzz/index.js";

const test = suite("clusterfuzzlite");
const FOLDER = "test/fuzz/jazzer";
const require = createRequire(resolve("package.json"));
const names = [...TARGETS.map((entry) => entry.name), "driver"].sort();
const script = readFileSync(".clusterfuzzlite/build.sh", "utf8");

type Fuzz = (data: Buffer) => unknown;

test("every target of the registry, and the driver fuzzer, has a module, and the build script builds it", () => {
  const modules = readdirSync(FOLDER).filter((file) => file !== "target.cjs");
  assert.equal(modules.map((file) => file.replace(/\.cjs$/, "")).sort(), names);
  const listed = /for target in ([-a-z_ ]+);/.exec(script)?.[1]?.split(" ").sort();
  assert.equal(listed, names);
});

for (const name of names) {
  test(`${name}: loads, and plays a corpus and seeded inputs without a finding`, async () => {
    const { fuzz } = require(resolve(FOLDER, `${name}.cjs`)) as { readonly fuzz: Fuzz };
    const folder = `test/fuzz/corpus/${name}`;
    const corpus = existsSync(folder) ? readdirSync(folder).map((file) => readFileSync(`${folder}/${file}`)) : [];
    const target = TARGETS.find((entry) => entry.name === name)?.open();
    const seeded = Array.from({ length: 40 }, (_, run) =>
      Buffer.from(target === undefined ? encodeScenario(scenarioOf(4, run)) : inputOf(4, run, target)),
    );
    for (const input of [Buffer.alloc(0), Buffer.of(255), ...corpus, ...seeded]) await fuzz(input);
  });
}

test("a finding comes out as an exception, which is what Jazzer.js waits for", async () => {
  const program = `
    const fuzz = require(${JSON.stringify(resolve("dist/cjs/fuzz.js"))});
    const at = fuzz.TARGETS.findIndex((entry) => entry.name === "codec");
    const entry = fuzz.TARGETS[at];
    entry.open = entry.canary.open;
    const target = require(${JSON.stringify(resolve(FOLDER, "codec.cjs"))});
    const input = Buffer.of(0, 0, 255, 255, 0);
    try { target.fuzz(input); console.log("silent"); } catch (error) { console.log("thrown: " + error.message); }`;
  const { stdout } = spawnSync(process.execPath, ["-e", program], { encoding: "utf8" });
  assert.match(stdout, /^thrown: encoding and decoding does not give the sequence back/);
});

test("the build script is sound shell, and what it compiles is there", () => {
  assert.is(spawnSync("bash", ["-n", ".clusterfuzzlite/build.sh"]).status, 0);
  assert.is(spawnSync("bash", ["-n", "test/fuzz/native/run.sh"]).status, 0);
  for (const [file] of script.matchAll(/test\/fuzz\/[\w./]+\.(?:c|mjs|sh)\b/g)) assert.ok(existsSync(file), file);
});

test.run();
