/**
 * Preloaded into every test process by test/repository/coverage.mjs, which see: reads of build/debug.wasm get the counting
 * module, its import `coverage.hit` is supplied, and what was hit is written when the process ends.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const out = process.env.HOUSE_COVERAGE;
const counting = join(out, "debug.wasm");
const plain = resolve("build/debug.wasm");
const seen = new Set();

function redirected(path) {
  if (typeof path !== "string" && !(path instanceof URL)) return path;
  return resolve(path instanceof URL ? fileURLToPath(path) : path) === plain ? counting : path;
}

const { readFileSync } = fs;
fs.readFileSync = (path, ...rest) => readFileSync(redirected(path), ...rest);
const { readFile } = fs.promises;
fs.promises.readFile = (path, ...rest) => readFile(redirected(path), ...rest);
syncBuiltinESMExports();

const supplied = (imports) => ({ ...imports, coverage: { hit: (place) => void seen.add(place) } });
const { Instance, instantiate } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(module, imports) {
    super(module, supplied(imports));
  }
};
WebAssembly.instantiate = (source, imports) => instantiate(source, supplied(imports));

process.on("exit", () => {
  if (seen.size === 0) return;
  fs.writeFileSync(join(out, "hits", `${process.pid}-${process.hrtime.bigint()}.json`), JSON.stringify([...seen]));
});
