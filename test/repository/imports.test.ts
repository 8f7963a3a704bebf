/** Imports run one way. The rules are checked on every file, and the checker on planted violations of each rule. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blanked, importsOf, type Rule, violations } from "./imports.js";

const ROOMS = ["bindings", "src", "bench", "examples"];

/** Breaks exactly `rule`, on line 2. */
interface Planted {
  readonly rule: Rule;
  readonly file: string;
  readonly text: string;
}

const planted: readonly Planted[] = [
  { rule: "one-way", file: "bindings/ndis/dispatch.ts", text: 'import { Machine } from "../../src/index.js";' },
  { rule: "one-way", file: "bindings/index.ts", text: 'export * from "../src/machine/clock.js";' },
  { rule: "one-way", file: "src/machine/clock.ts", text: 'import type { Bench } from "../../bench/index.js";' },
  { rule: "one-way", file: "src/machine/clock.ts", text: 'import { main } from "../cli/index.js";' },
  { rule: "one-way", file: "src/machine/clock.ts", text: 'const x = await import("../../examples/first.js");' },
  { rule: "one-way", file: "bench/index.ts", text: 'import { x } from "../examples/first.js";' },
  { rule: "one-way", file: "src/pool.ts", text: 'import { x } from "../assembly/index.js";' },
  { rule: "front-door", file: "src/pool.ts", text: 'import { Core } from "../bindings/core/core.js";' },
  { rule: "front-door", file: "src/pool.ts", text: 'import { Core } from "../bindings/core/index.js";' },
  { rule: "front-door", file: "bench/index.ts", text: 'import { twin } from "../src/model/core.js";' },
  { rule: "front-door", file: "examples/first.ts", text: "import { Clock } from '../src/machine/clock.js';" },
  { rule: "front-door", file: "src/cli/bench.ts", text: 'import { x } from "../../bench/workloads.js";' },
  { rule: "subfolder-order", file: "bindings/core/state.ts", text: 'import type { KIRQL } from "../ndis/index.js";' },
  {
    rule: "subfolder-order",
    file: "bindings/ndis/records/adapter.ts",
    text: 'import type { Blocks } from "../memory/blocks.js";',
  },
  {
    rule: "subfolder-order",
    file: "bindings/ndis/documented/status.ts",
    text: 'import { CHOICES } from "../choices/choice-table.js";',
  },
  {
    rule: "subfolder-order",
    file: "bindings/ndis/dispatch/dispatcher.ts",
    text: 'export { NdisMFreeSharedMemory } from "../routines/shared-memory.js";',
  },
  { rule: "subfolder-order", file: "bindings/ndis/routines/driver.ts", text: 'import { x } from "../new/x.js";' },
  { rule: "subfolder-order", file: "bindings/ndis/new/x.ts", text: 'import { x } from "../records/tag.js";' },
  { rule: "subfolder-order", file: "src/fuzz/player/play.ts", text: 'import { x } from "../searches/x.js";' },
  { rule: "subfolder-order", file: "bench/replay/x.ts", text: 'type X = import("../subjects/x.js").X;' },
  { rule: "nothing-imports-test", file: "src/pool.ts", text: 'import { x } from "../test/support.js";' },
  { rule: "nothing-imports-test", file: "bench/index.ts", text: 'import "../test/support.js";' },
  { rule: "no-node-modules", file: "src/report/svg.ts", text: 'import { readFileSync } from "node:fs";' },
  { rule: "no-node-modules", file: "bindings/core/core.ts", text: 'type B = import("node:buffer").Buffer;' },
  { rule: "no-dependencies", file: "src/pool.ts", text: 'import fc from "fast-check";' },
  { rule: "no-dependencies", file: "src/fuzz/arbitraries.ts", text: 'import { test } from "uvu";' },
  { rule: "no-dependencies", file: "src/fuzz/index.ts", text: 'export { life } from "./arbitraries.js";' },
  { rule: "no-dependencies", file: "src/pool.ts", text: 'import { readFileSync } from "fs";' },
  { rule: "one-file-touches-the-core", file: "src/pool.ts", text: 'import { x } from "@assemblyscript/loader";' },
  {
    rule: "one-file-touches-the-core",
    file: "bindings/core/core.ts",
    text: 'import { b } from "../generated/wasm.js";',
  },
  { rule: "one-file-touches-the-core", file: "bindings/ndis/x.ts", text: "const m = new WebAssembly.Module(bytes);" },
  {
    rule: "one-file-makes-views",
    file: "bindings/core/core.ts",
    text: "const v = new Uint32Array(exports.memory.buffer);",
  },
  { rule: "one-file-makes-views", file: "src/machine/clock.ts", text: "const v = new DataView(core.memory!.buffer);" },
  { rule: "deterministic", file: "src/machine/clock.ts", text: "const now = Date.now();" },
  { rule: "deterministic", file: "bindings/ndis/dispatch.ts", text: "const dice = Math.random();" },
  { rule: "deterministic", file: "src/drivers/e100.ts", text: "const wave = Math.sin(1);" },
  { rule: "deterministic", file: "src/drivers/e100.ts", text: "const order = Math.log2(frames);" },
  { rule: "deterministic", file: "src/run/play.ts", text: "const t = performance.now();" },
  { rule: "deterministic", file: "src/machine/clock.ts", text: "const t = `at $" + "{Date.now()} ms`;" },
];

const sound: readonly { readonly file: string; readonly text: string }[] = [
  { file: "src/pool.ts", text: 'import { Core } from "../bindings/index.js";' },
  { file: "src/machine/clock.ts", text: 'import { x } from "../report/table.js";' },
  {
    file: "src/cli/run.ts",
    text: 'import { readFileSync } from "node:fs";\nimport { table } from "../report/table.js";',
  },
  { file: "src/cli/bench.ts", text: 'import { bench } from "../../bench/index.js";' },
  { file: "bench/index.ts", text: 'import { Core } from "../bindings/core/index.js";\nimport "node:perf_hooks";' },
  { file: "examples/first.ts", text: 'import { Core } from "ndis-shmem/core";' },
  { file: "bindings/ndis/routines/driver.ts", text: 'import { stateName } from "../records/adapter.js";' },
  { file: "bindings/ndis/memory/guard.ts", text: 'import { hex } from "../../addresses.js";\nimport "./blocks.js";' },
  { file: "bindings/ndis/index.ts", text: 'export * from "./routines/shared-memory.js";' },
  { file: "bindings/core/wasm.ts", text: 'import { instantiateSync } from "@assemblyscript/loader";' },
  { file: "bindings/core/views.ts", text: "const v = new Uint32Array(exports.memory.buffer);" },
  {
    file: "src/machine/clock.ts",
    text: '// Date and Math.random are banned here.\nconst s = "Date Math.sin"; /* performance */',
  },
  { file: "src/machine/clock.ts", text: "const r = /[\"'/]Date/; const root = Math.sqrt(2) + 2 ** 3;" },
  { file: "src/report/svg.ts", text: "const angle = Math.sin(1);" },
  { file: "test/support.ts", text: 'import { x } from "../src/model/core.js";' },
];

for (const { rule, file, text } of planted) {
  test(`${rule} is reported: ${file}: ${text}`, () => {
    const found = violations(file, `// a first line\n${text}\n`);
    assert.equal(
      found.map(({ rule, file, line }) => ({ rule, file, line })),
      [{ rule, file, line: 2 }],
    );
  });
}

for (const { file, text } of sound) {
  test(`nothing is reported: ${file}: ${text.split("\n")[0]}`, () => {
    assert.equal(violations(file, text), []);
  });
}

test("every rule has a planted violation", () => {
  const rules: readonly Rule[] = [
    "one-way",
    "front-door",
    "subfolder-order",
    "nothing-imports-test",
    "no-node-modules",
    "no-dependencies",
    "one-file-touches-the-core",
    "one-file-makes-views",
    "deterministic",
  ];
  assert.equal([...new Set(planted.map(({ rule }) => rule))].sort(), [...rules].sort());
});

test("imports are read over several lines, and not out of comments", () => {
  const text =
    '// import { no } from "./no.js";\nimport {\n  a,\n  type b,\n} from "./yes.js";\nexport * from "./also.js";\n';
  assert.equal(importsOf(text), [
    { specifier: "./yes.js", line: 5 },
    { specifier: "./also.js", line: 6 },
  ]);
  assert.is(blanked('a /* x\ny */ "z" b', false), "a     \n         b");
});

test("every file of the project keeps the rules", () => {
  let checked = 0;
  const broken: string[] = [];
  for (const folder of ROOMS) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      const file = join(folder, name).split(sep).join("/");
      if (!file.endsWith(".ts")) continue;
      checked += 1;
      for (const { rule, line, detail } of violations(file, readFileSync(file, "utf8"))) {
        broken.push(`${file}:${line}: ${rule}: ${detail}`);
      }
    }
  }
  assert.ok(checked >= 10, `only ${checked} files found: is the working directory the project?`);
  assert.equal(broken, [], broken.join("\n"));
});

test.run();
