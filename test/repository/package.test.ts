/**
 * What users install: the tarball is packed for real, unpacked into a temporary program's node_modules, and used from
 * there as ESM, as CommonJS, as a browser would take it, and by the TypeScript compiler with library checks on.
 */
// timeout: 180 s
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { programsOf } from "./markdown.js";

const PROJECT = process.cwd();
const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
  readonly name: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
};
const doors = Object.keys(manifest.exports).filter((door) => door !== "./package.json");
const names = doors.map((door) => manifest.name + door.slice(1));

/** A program that has installed the package, its dependencies and what one of its doors wants beside them. */
const program = mkdtempSync(join(tmpdir(), "ndis-shmem-"));
const installed = join(program, "node_modules", manifest.name);
let packed: readonly string[] = [];

function call(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  assert.is(status, 0, `${command} ${args.join(" ")}\n${error ?? ""}${stdout}${stderr}`);
  return stdout;
}

function node(file: string, text: string): unknown {
  writeFileSync(join(program, file), text);
  return JSON.parse(call(process.execPath, [file], program));
}

function targetsOf(entry: unknown): string[] {
  if (typeof entry === "string") return [entry];
  return Object.values(entry as object).flatMap(targetsOf);
}

test.before(() => {
  const output = call("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", program], PROJECT);
  const [{ filename, files }] = JSON.parse(output) as [{ filename: string; files: { path: string }[] }];
  packed = files.map(({ path }) => path);
  mkdirSync(installed, { recursive: true });
  call("tar", ["-xzf", join(program, filename), "-C", installed, "--strip-components=1"], program);
  for (const dependency of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    const link = join(program, "node_modules", dependency);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(resolve("node_modules", dependency), link, "dir");
  }
});

test.after(() => rmSync(program, { recursive: true, force: true }));

test("the tarball holds what users need and nothing of the workshop", () => {
  for (const file of ["package.json", "README.md", "LICENSE", "CHANGELOG.md", "dist/index.js", "dist/cli.js"]) {
    assert.ok(packed.includes(file), `${file} is missing`);
  }
  const allowed = /^(?:dist\/|docs\/(?!contributing)|examples\/|(?:package\.json|README\.md|LICENSE|CHANGELOG\.md)$)/;
  const strange = packed.filter((file) => !allowed.test(file) || /\.(?:stamp|new)$|\.test\./.test(file));
  assert.equal(strange, []);
});

test("every target of the exports map, and the command, is in the tarball", () => {
  const targets = [...targetsOf(manifest.exports), ...Object.values(manifest.bin)];
  const missing = targets.filter((target) => !existsSync(join(installed, target)));
  assert.equal(missing, []);
  for (const command of Object.values(manifest.bin)) {
    assert.match(readFileSync(join(installed, command), "utf8"), /^#!\/usr\/bin\/env node\n/);
  }
});

/** Links and paths of a page that lead to nothing in the package. A paragraph may speak of the repository, by that word. */
function unshipped(page: string, text: string, shipped: ReadonlySet<string>): string[] {
  const isThere = (path: string): boolean =>
    shipped.has(path) || [...shipped].some((file) => file.startsWith(`${path.replace(/\/$/, "")}/`));
  return text
    .split(/\n\s*\n|\n(?=- )/)
    .filter((paragraph) => !/\b(?:repository|checkout|clone)\b/i.test(paragraph))
    .flatMap((paragraph) => [
      ...[...paragraph.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)].map(([, link = ""]) => join(dirname(page), link)),
      ...[...paragraph.matchAll(/`((?:assembly|bindings|src|bench|test|docs|examples|build)\/[\w./-]*)`/g)].map(
        ([, path = ""]) => path,
      ),
    ])
    .filter((path) => !isThere(path))
    .map((path) => `${page}: ${path}`);
}

test("the pages that ship name no path that does not ship", () => {
  const shipped = new Set(packed);
  const pages = packed.filter((file) => file.endsWith(".md"));
  assert.ok(pages.length > 8, `only ${pages.length} pages`);
  const found = pages.flatMap((page) => unshipped(page, readFileSync(join(installed, page), "utf8"), shipped));
  assert.equal(found, [], found.join("\n"));
  const planted = "See [a](absent.md), [b](README.md) and `src/x.ts`.\n\nIn the repository: `src/y.ts`.";
  assert.equal(unshipped("README.md", planted, shipped), ["README.md: absent.md", "README.md: src/x.ts"]);
});

const COMPARE = `
const classes = modules.map((m) => m.ShmemError);
const found = classes.filter((c) => typeof c === "function");
console.log(JSON.stringify({ modules: modules.length, found: found.length, distinct: new Set(found).size }));
`;

function expectOneClass(result: unknown): void {
  const { modules, found, distinct } = result as { modules: number; found: number; distinct: number };
  assert.is(modules, names.length);
  assert.ok(found >= 3, `only ${found} of ${modules} entry points export ShmemError`);
  assert.is(distinct, 1);
}

test("ESM: every entry point imports, and ShmemError is one class", () => {
  const imports = names.map((name) => `await import("${name}")`).join(", ");
  expectOneClass(node("esm.mjs", `const modules = [${imports}];${COMPARE}`));
});

test("CommonJS: every entry point is required, and ShmemError is one class", () => {
  const requires = names.map((name) => `require("${name}")`).join(", ");
  expectOneClass(node("cjs.cjs", `const modules = [${requires}];${COMPARE}`));
});

const USE = `
const core = Core.openSync({ zones: [{ base: 0x100000, size: 0x10000 }] });
const address = core.allocate(1554);
const seen = { length: core.lengthOf(address), bytes: core.bytes(address, 1554).length, digest: core.digest() };
core.free(address, 1554);
let refusal = "";
try { core.free(address); } catch (error) { refusal = error instanceof ShmemError ? error.code : String(error); }
console.log(JSON.stringify({ ...seen, refusal, live: core.stats().liveBytes }));
`;

test("ESM, CommonJS, the browser's split bundle and its single file do the same", () => {
  const esm = node("use.mjs", `import { Core, ShmemError } from "ndis-shmem/core";${USE}`);
  const { length, bytes, refusal, live } = esm as Record<string, unknown>;
  assert.equal({ length, bytes, refusal, live }, { length: 1554, bytes: 1554, refusal: "ALREADY_FREED", live: 0 });
  assert.equal(node("use.cjs", `const { Core, ShmemError } = require("ndis-shmem/core");${USE}`), esm);
  for (const file of ["core.js", "core.standalone.js"]) {
    const url = `./node_modules/ndis-shmem/dist/browser/${file}`;
    assert.equal(node(`${file}.mjs`, `import { Core, ShmemError } from "${url}";${USE}`), esm, file);
  }
});

test("the browser bundles ask for no module by name", async () => {
  const files = packed.filter((path) => path.startsWith("dist/browser/") && path.endsWith(".js"));
  // A parser finds the imports: in minified text a string may look like one.
  const { metafile } = await build({
    entryPoints: files.map((file) => join(installed, file)),
    outdir: join(installed, "never-written"),
    write: false,
    bundle: true,
    packages: "external",
    format: "esm",
    metafile: true,
    logLevel: "silent",
  });
  assert.ok(files.length > 4 && Object.keys(metafile.inputs).length >= files.length);
  for (const [file, { imports }] of Object.entries(metafile.inputs)) {
    const bare = imports.filter(({ external }) => external).map(({ path }) => path);
    assert.equal(bare, [], file);
  }
});

const CONSUMER = `import { Core, ShmemError } from "ndis-shmem/core";
${names.map((name, index) => `import * as door${index} from "${name}";`).join("\n")}
export const doors: readonly object[] = [${names.map((_, index) => `door${index}`).join(", ")}];
const core = Core.openSync({ zones: [{ base: 0x100000, size: 0x10000 }] });
const address = core.allocate(1554);
export const bytes: Uint8Array = core.bytes(address, 1554);
// @ts-expect-error: a physical address is not a virtual one
core.free(core.physicalOf(address));
export const known: boolean = new ShmemError("DISPOSED", "planted").code === "DISPOSED";
`;

const consumers: readonly { readonly what: string; readonly options: object }[] = [
  { what: "the default library", options: {} },
  { what: "the default library and a target of es2020", options: { target: "es2020" } },
  { what: "es2022 alone, no dom", options: { lib: ["es2022"] } },
];

for (const { what, options } of consumers) {
  test(`TypeScript accepts the declarations, checked whole, with ${what}`, () => {
    for (const file of ["consumer.mts", "consumer.cts"]) writeFileSync(join(program, file), CONSUMER);
    const compilerOptions = {
      target: "es2022",
      module: "nodenext",
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      types: [],
    };
    const config = { compilerOptions: { ...compilerOptions, ...options }, files: ["consumer.mts", "consumer.cts"] };
    writeFileSync(join(program, "tsconfig.json"), JSON.stringify(config));
    call(process.execPath, [resolve("node_modules/typescript/bin/tsc"), "-p", program], program);
  });
}

test("the TypeScript programs of README.md compile, strictly", () => {
  const programs = programsOf(readFileSync("README.md", "utf8"), false).filter(({ language }) => language === "ts");
  const files = programs.map(({ line, code }) => {
    writeFileSync(join(program, `readme-${line}.mts`), `${code}\nexport {};\n`);
    return `readme-${line}.mts`;
  });
  assert.ok(files.length > 0, "README.md has no ts block");
  const typeRoots = [resolve("node_modules/@types")];
  const compilerOptions = {
    target: "es2022",
    module: "nodenext",
    strict: true,
    noEmit: true,
    typeRoots,
    types: ["node"],
  };
  writeFileSync(join(program, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  call(process.execPath, [resolve("node_modules/typescript/bin/tsc"), "-p", program], program);
});

test.run();
