#!/usr/bin/env node
/**
 * The build: assembly/ to Wasm, Wasm to the two generated sources, those and the library to dist/.
 *
 *     node src/build.mjs               the Wasm and the bundles
 *     node src/build.mjs --types       and the declarations (slower; what users install needs them)
 *     node src/build.mjs --if-stale    only the stages whose sources are newer than their outputs
 *     node src/build.mjs --sizes       builds nothing: refuses what is larger than its limit (the build itself only warns)
 *
 *     assembly/*.ts ──asc──▶ build/debug.wasm    asserts on, imports its memory and env.abort, for tests
 *                       ├──▶ build/release.wasm  imports its memory, at most 20 KB ──▶ bindings/generated/wasm.ts, as a string
 *                       └──▶ build/layout.wasm   constants alone ─────────────────▶ bindings/generated/layout.ts
 *     bench/assembly/*.ts ──asc──▶ dist/bench/*.wasm  the bench's subjects: an allocator and a replay loop each
 *     bindings/, src/ ──esbuild──▶ dist/*.js          ESM for Node; the loader stays a dependency
 *                              ├─▶ dist/cjs/*.js      the same files, translated one by one
 *                              └─▶ dist/browser/*.js  minified, everything inside, no node: module
 *     bindings/, src/ ──tsc──────▶ dist/types/, dist/types-cjs/, and the same for TypeScript before 5.7
 *
 * ESM and CJS are split into chunks that the entry points share, so that `ShmemError` is one class whichever door a
 * program comes in by. esbuild splits ESM only; the CommonJS files are therefore made from the split ESM files, each
 * `import` of a chunk becoming a `require` of the same chunk.
 *
 * Files appear whole, by renaming, and a lock keeps two builds apart, because `npm test` in two terminals is ordinary.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const at = (...parts) => join(ROOT, ...parts);

/**
 * What a page that uses the core alone has to load. A limit that broke the build would break every checkout, so
 * the build warns and `.ci/run` refuses (`--sizes`).
 */
const LIMITS = [
  { file: "build/release.wasm", limit: 20 * 1024, what: "bytes", sizeOf: (bytes) => bytes.length },
  {
    file: "dist/browser/core.standalone.js",
    limit: 26 * 1024,
    what: "bytes gzipped",
    sizeOf: (bytes) => gzipSync(bytes, { level: 9 }).length,
  },
];
const LOCK_PATIENCE_MS = 120_000;

/** Output name and source of each way into the package. */
const ENTRIES = {
  index: "src/index.ts",
  core: "bindings/core/index.ts",
  ndis: "bindings/ndis/index.ts",
  fuzz: "src/fuzz/index.ts",
  c: "src/c/index.ts",
  "fuzz-arbitraries": "src/fuzz/arbitraries.ts",
  recordings: "src/recordings/index.ts",
  bench: "bench/index.ts",
  "bench-child": "bench/process/child.ts",
  campaign: "src/campaign/index.ts",
  "fuzz-worker": "src/cli/fuzz/worker.ts",
  "campaign-player": "src/campaign/player-thread.ts",
  cli: "src/cli/index.ts",
};
/** For Node alone, or for test runners that bring fast-check: no browser bundle. */
const NODE_ONLY = new Set([
  "bench",
  "bench-child",
  "campaign",
  "campaign-player",
  "cli",
  "fuzz-arbitraries",
  "fuzz-worker",
]);
/** Programs, and what finds programs by the addresses of its own modules: no CommonJS twin. */
const ESM_ONLY = new Set(["bench", "bench-child", "campaign", "campaign-player", "cli", "fuzz-worker"]);

class BuildError extends Error {}

function say(line) {
  process.stderr.write(`build: ${line}\n`);
}

function write(path, contents) {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.new`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  if (statSync(folder).isFile()) return [folder];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesUnder(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}

// --- stages and their freshness -----------------------------------------------------------------------------------

const GENERATED = at("bindings", "generated");

/**
 * A stage's stamp lists what it read and made, and carries the time at which the stage began: fresh means the same
 * sources, none of them younger than the stamp, and every output still there.
 */
function isFresh(stage) {
  const stamp = at("build", `${stage.name}.stamp`);
  if (!existsSync(stamp)) return false;
  const { sources, outputs } = JSON.parse(readFileSync(stamp, "utf8"));
  const now = stage.sources();
  const began = statSync(stamp).mtimeMs;
  return (
    JSON.stringify(sources) === JSON.stringify(now.map((path) => relative(ROOT, path))) &&
    now.every((path) => statSync(path).mtimeMs <= began) &&
    outputs.every((path) => existsSync(at(path)))
  );
}

async function runStage(stage) {
  const began = new Date();
  const sources = stage.sources().map((path) => relative(ROOT, path));
  const outputs = (await stage.run()).map((path) => relative(ROOT, path));
  const stamp = at("build", `${stage.name}.stamp`);
  write(stamp, JSON.stringify({ sources, outputs }));
  utimesSync(stamp, began, began);
}

const librarySources = () =>
  [
    ...["bindings", "src", "bench"].flatMap((folder) => filesUnder(at(folder))),
    ...["package.json", "tsconfig.json", "tsconfig.lib.json", "tsconfig.build.json"].map((file) => at(file)),
  ].sort();

const STAGES = [
  {
    name: "wasm",
    sources: () => [...filesUnder(at("assembly")), at("asconfig.json"), at("src/build.mjs")].sort(),
    run: buildWasm,
  },
  {
    name: "subjects",
    sources: () =>
      [
        ...filesUnder(at("assembly")),
        ...filesUnder(at("bench/assembly")),
        at("asconfig.json"),
        at("src/build.mjs"),
      ].sort(),
    run: buildSubjects,
  },
  { name: "bundles", sources: librarySources, run: buildBundles },
  { name: "types", sources: librarySources, run: buildTypes },
];

// --- the Wasm and what is generated from it -----------------------------------------------------------------------

async function compile(target, entry = "assembly/index.ts", ...more) {
  const { main } = await import("assemblyscript/asc");
  const args = [entry, "--config", "asconfig.json", "--target", target, "--baseDir", ROOT, ...more];
  const { error, stderr } = await main(args);
  // With --converge asc says when the last pass made the module larger than the one before, which it then keeps.
  const messages = stderr.toString().replace("Last converge was suboptimal.\n", "");
  if (messages !== "") process.stderr.write(messages);
  if (error !== null) throw new BuildError(`asc refused ${dirname(entry)}/ (target ${target}): ${error.message}`);
}

/** The core calls nobody: what it imports is its memory, and of the debug build the report of a broken assert. */
function requireImports(file, allowed) {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(at(file))));
  const names = imports.map(({ module, name }) => `${module}.${name}`).sort();
  if (names.join() !== allowed.join()) throw new BuildError(`${file} imports ${names}; it must import ${allowed}`);
}

async function buildWasm() {
  if (!existsSync(at("assembly/index.ts")))
    throw new BuildError("assembly/index.ts is missing: there is no core to compile");
  await compile("debug");
  await compile("release");
  await compile("audit", "assembly/audit.ts");
  await compile("layout", "assembly/exports.ts");
  requireImports("build/debug.wasm", ["env.abort", "env.memory"]);
  const bytes = readFileSync(at("build/release.wasm"));
  const layout = new WebAssembly.Module(readFileSync(at("build/layout.wasm")));
  const audit = readFileSync(at("build/audit.wasm"));
  requireImports("build/release.wasm", ["env.memory"]);
  requireImports("build/audit.wasm", ["env.memory"]);
  write(join(GENERATED, "wasm.ts"), wasmSource(bytes, audit));
  write(join(GENERATED, "layout.ts"), layoutSource(new WebAssembly.Instance(layout, {})));
  sayIfTooLarge("build/release.wasm");
  return [
    at("build/debug.wasm"),
    at("build/release.wasm"),
    at("build/audit.wasm"),
    join(GENERATED, "wasm.ts"),
    join(GENERATED, "layout.ts"),
  ];
}

/** What each subject of the bench needs beyond the options of the release. */
const SUBJECTS = { "ndis-shmem": [], "as-tlsf": ["--runtime", "minimal", "--importMemory"], loop: [] };

async function buildSubjects() {
  const outputs = [];
  for (const [name, options] of Object.entries(SUBJECTS)) {
    const outFile = `dist/bench/${name}.wasm`;
    await compile("release", `bench/assembly/${name}.ts`, "--outFile", outFile, ...options);
    outputs.push(at(outFile));
  }
  return outputs;
}

/** A character is its byte with these bits exchanged: most of the bytes of a module then need no escape. */
const CHARACTER_BITS = 104;

/**
 * A character per byte: gzip sees the module itself, and makes 7.4 KB of it where base64 leaves 9.5 and hexadecimal 7.9
 * (of 15.8); with some bits exchanged, so that the commonest bytes are printable, 0.6 less for the two. Of the 256 ways to
 * do that this is the best. The source stays ASCII; the bundles are UTF-8, which is what module scripts are always read as.
 */
function wasmSource(release, audit) {
  const literal = (bytes) =>
    Array.from(bytes, (original) => {
      const byte = original ^ CHARACTER_BITS;
      const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
      return plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
    }).join("");
  return `/** Generated by src/build.mjs from build/release.wasm and build/audit.wasm. Do not edit. */

function bytesOf(characters: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(characters, (character) => character.charCodeAt(0) ^ ${CHARACTER_BITS});
}

/** The release module: a fresh copy of its ${release.length} bytes at every call. */
export function releaseBytes(): Uint8Array<ArrayBuffer> {
  return bytesOf("${literal(release)}");
}

/** The auditor: a fresh copy of its ${audit.length} bytes at every call. */
export function auditBytes(): Uint8Array<ArrayBuffer> {
  return bytesOf("${literal(audit)}");
}
`;
}

/** The value of an immutable global; undefined for a mutable one, which is no constant. i32 is read as unsigned. */
function constantOf(global) {
  const { value } = global;
  try {
    global.value = value;
  } catch {
    if (typeof value === "bigint") return Number(BigInt.asUintN(64, value));
    return Number.isInteger(value) && value < 0 ? value >>> 0 : value;
  }
  return undefined;
}

function layoutSource(instance) {
  const constants = Object.entries(instance.exports)
    .filter(([, value]) => value instanceof WebAssembly.Global)
    .map(([name, global]) => [name, constantOf(global)])
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of constants) {
    if (!/^[A-Za-z_$][\w$]*$/.test(name)) throw new BuildError(`the exported global ${name} is no name in TypeScript`);
    if (typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER) {
      throw new BuildError(`the exported global ${name} (${value}) does not fit a number exactly`);
    }
  }
  // An enum, because bundlers put its members into the code as literals. As exported constants they became variables of
  // the bundle, which an engine loads, tests for a small integer and untags at each use.
  const members = (list) => list.map(([name, value]) => `  ${name} = ${value},`).join("\n");
  const words = constants
    .filter(([name, value]) => /^[A-Z]_/.test(name) && value % 4 === 0)
    .map(([name, value]) => [name, value / 4]);
  return `/** Generated by src/build.mjs: the constants that build/layout.wasm exports. Do not edit. */
export enum Layout {
${members(constants)}
}

/** The offsets among them, counted in words of 32 bits: indices of a Uint32Array. */
export enum LayoutWords {
${members(words)}
}
`;
}

// --- sizes ----------------------------------------------------------------------------------------------------------

/** The sentence about a file's size, and whether it is above its limit. */
function sizeOfOutput({ file, limit, what, sizeOf }) {
  const size = sizeOf(readFileSync(at(file)));
  return { tooLarge: size > limit, sentence: `${file} has ${size} ${what}, the limit is ${limit}` };
}

function sayIfTooLarge(file) {
  const { tooLarge, sentence } = sizeOfOutput(LIMITS.find((entry) => entry.file === file));
  say(tooLarge ? `WARNING: ${sentence}` : sentence);
}

function checkSizes() {
  const sizes = LIMITS.map(sizeOfOutput);
  for (const { sentence } of sizes) say(sentence);
  const tooLarge = sizes.filter((size) => size.tooLarge);
  if (tooLarge.length > 0) throw new BuildError(tooLarge.map(({ sentence }) => sentence).join("; "));
}

// --- the bundles --------------------------------------------------------------------------------------------------

function presentEntries() {
  const present = {};
  for (const [name, source] of Object.entries(ENTRIES)) {
    if (existsSync(at(source))) present[name] = source;
    else say(`${source} does not exist: no dist/${name}.js`);
  }
  return present;
}

async function esbuildTo(outdir, entryPoints, options) {
  const { build } = await import("esbuild");
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints,
    outdir,
    bundle: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    chunkNames: "chunks/[name]-[hash]",
    write: false,
    logLevel: "silent",
    metafile: true,
    ...options,
  }).catch((error) => {
    const messages = (error.errors ?? []).map((e) => `\n  ${e.location?.file}:${e.location?.line}: ${e.text}`);
    throw new BuildError(`esbuild refused ${relative(ROOT, outdir)}:${messages.join("") || ` ${error}`}`);
  });
  return result.outputFiles;
}

/** The split ESM files, each translated by itself. */
async function commonJsFrom(files) {
  const { transform } = await import("esbuild");
  const out = [];
  for (const file of files) {
    const usesUrl = file.text.includes("import.meta.url");
    const { code } = await transform(file.text.replace(/^\/\/# sourceMappingURL=.*$/m, ""), {
      format: "cjs",
      platform: "node",
      target: "node20",
      ...(usesUrl && {
        define: { "import.meta.url": "__metaUrl" },
        banner: 'const __metaUrl = require("node:url").pathToFileURL(__filename).href;',
      }),
    });
    out.push({ path: at("dist/cjs", relative(at("dist"), file.path)), contents: code });
  }
  out.push({ path: at("dist/cjs/package.json"), contents: '{ "type": "commonjs" }\n' });
  return out;
}

/** The chunks that an entry reaches, itself included. */
function reachable(files, entry) {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const seen = new Set();
  const visit = (path) => {
    const file = byPath.get(path);
    if (file === undefined || seen.has(file)) return;
    seen.add(file);
    for (const [, specifier] of file.text.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)) {
      visit(resolve(dirname(path), specifier));
    }
  };
  visit(entry);
  return [...seen];
}

async function buildBundles() {
  const entries = presentEntries();
  const forNode = await esbuildTo(at("dist"), entries, {
    platform: "node",
    splitting: true,
    packages: "external",
    sourcemap: "linked",
  });
  const scripts = forNode.filter((file) => file.path.endsWith(".js"));
  const everywhere = Object.keys(entries).filter((name) => !NODE_ONLY.has(name));
  const required = Object.keys(entries).filter((name) => !ESM_ONLY.has(name));
  const shared = new Set(required.flatMap((name) => reachable(scripts, at("dist", `${name}.js`))));
  const outputs = [
    ...forNode.map(({ path, contents, text }) =>
      path === at("dist/cli.js") && !text.startsWith("#!")
        ? { path, contents: `#!/usr/bin/env node\n${text}` }
        : { path, contents },
    ),
    ...(await commonJsFrom([...shared])),
    ...(await buildBrowser(everywhere, entries)),
  ];
  for (const { path, contents } of outputs) write(path, contents);
  sayIfTooLarge("dist/browser/core.standalone.js");
  for (const part of ["include", "shim"]) cpSync(at("src/c", part), at("dist/c", part), { recursive: true });
  if (entries.cli !== undefined) chmodSync(at("dist/cli.js"), 0o755);
  removeLeftovers(new Set(outputs.map(({ path }) => path)));
  return outputs.map(({ path }) => path);
}

async function buildBrowser(names, entries) {
  // Of the loader a browser needs the two lines that instantiate: its string and array helpers serve managed objects,
  // which this core has none of, and they are 1.7 KB of the 20 that the core may have.
  const alias = { "@assemblyscript/loader": at("bindings/core/loader.browser.ts") };
  const options = { platform: "browser", minify: true, legalComments: "none", alias };
  const split = await esbuildTo(at("dist/browser"), Object.fromEntries(names.map((name) => [name, entries[name]])), {
    ...options,
    splitting: true,
  });
  if (entries.core === undefined) return split;
  const [alone] = await esbuildTo(at("dist/browser"), { "core.standalone": entries.core }, options);
  return [...split, alone];
}

/** Chunks carry a hash in their names: those of earlier builds go, what other stages made stays. */
function removeLeftovers(kept) {
  for (const path of filesUnder(at("dist"))) {
    const [top] = relative(at("dist"), path).split(sep);
    if (!["types", "types-cjs", "types-5.0", "types-5.0-cjs", "bench", "c"].includes(top) && !kept.has(path))
      rmSync(path);
  }
}

// --- the declarations ---------------------------------------------------------------------------------------------

/** The declarations, and beside them those for compilers before TypeScript 5.7; each for ESM and for CommonJS. */
function buildTypes() {
  const folders = ["dist/types", "dist/types-cjs", "dist/types-5.0", "dist/types-5.0-cjs"];
  for (const folder of folders) rmSync(at(folder), { recursive: true, force: true });
  const tsc = at("node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (status !== 0) throw new BuildError(`tsc refused the declarations:\n${stdout}`);
  writeOlderTypes();
  for (const folder of ["dist/types", "dist/types-5.0"]) {
    cpSync(at(folder), at(`${folder}-cjs`), { recursive: true });
    write(at(`${folder}-cjs`, "package.json"), '{ "type": "commonjs" }\n');
  }
  return folders.flatMap((folder) => filesUnder(at(folder)));
}

/** What `Disposable` is where the library has no such name: the same text that its own declaration has later. */
const DISPOSABLE = `declare global {
  interface SymbolConstructor {
    readonly dispose: unique symbol;
    readonly asyncDispose: unique symbol;
  }
  interface Disposable {
    [Symbol.dispose](): void;
  }
  interface AsyncDisposable {
    [Symbol.asyncDispose](): PromiseLike<void>;
  }
}
export {};
`;

/**
 * dist/types-5.0: the declarations as TypeScript 5.0 to 5.6 can read them. Typed arrays are generic from 5.7 on, and 5.0 and
 * 5.1 do not know the library of disposables; nothing else in the declarations is younger than 5.0.
 */
function writeOlderTypes() {
  for (const path of filesUnder(at("dist/types"))) {
    const name = relative(at("dist/types"), path);
    const up = "../".repeat(name.split(sep).length - 1) || "./";
    const text = readFileSync(path, "utf8")
      .replace(
        /\b((?:Big)?(?:Ui|I)nt(?:8|16|32|64)(?:Clamped)?Array|Float(?:32|64)Array|DataView)<ArrayBuffer(?:Like)?>/g,
        "$1",
      )
      .replace(/^\/\/\/ <reference lib="esnext\.disposable"[^\n]*$/m, `/// <reference path="${up}disposable.d.ts" />`);
    write(at("dist/types-5.0", name), text);
  }
  write(at("dist/types-5.0/disposable.d.ts"), DISPOSABLE);
}

// --- one build at a time ------------------------------------------------------------------------------------------

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

async function locked(work) {
  const lock = at("build/lock");
  mkdirSync(at("build"), { recursive: true });
  const deadline = Date.now() + LOCK_PATIENCE_MS;
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const owner = Number(existsSync(lock) ? readFileSync(lock, "utf8") : "");
    if (owner > 0 && !isAlive(owner)) rmSync(lock, { force: true });
    else if (Date.now() > deadline)
      throw new BuildError(`process ${owner} has been building for too long (build/lock)`);
    else await new Promise((done) => setTimeout(done, 100));
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

async function main(args) {
  const unknown = args.filter((arg) => !["--if-stale", "--types", "--sizes"].includes(arg));
  if (unknown.length > 0) throw new BuildError(`unknown argument ${unknown.join(" ")}`);
  if (args.includes("--sizes")) return checkSizes();
  const onlyStale = args.includes("--if-stale");
  const wanted = STAGES.filter((stage) => stage.name !== "types" || args.includes("--types"));
  await locked(async () => {
    for (const stage of wanted) {
      if (onlyStale && isFresh(stage)) continue;
      const began = performance.now();
      await runStage(stage);
      say(`${stage.name} in ${Math.round(performance.now() - began)} ms`);
    }
  });
}

main(process.argv.slice(2)).catch((error) => {
  say(error instanceof BuildError ? error.message : String(error.stack));
  process.exitCode = 1;
});
