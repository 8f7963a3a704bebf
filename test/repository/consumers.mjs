#!/usr/bin/env node
/**
 * What users' tools make of the package: publint, attw, and the declarations under every compiler back to TypeScript 5.0.
 *
 *     node test/repository/consumers.mjs
 *
 * The package is packed, unpacked into a program of its own, and used from there. The tools are installed for the occasion,
 * in versions that are written here: they would be a hundred packages in every checkout. Needs the npm registry; .ci/run
 * runs it. Last line: `N passed, N failed`.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const TOOLS = { publint: "0.3.25", "@arethetypeswrong/cli": "0.18.5" };
const COMPILERS = ["5.0", "5.1", "5.2", "5.4", "5.6", "5.7", "5.9"];
/** ESM alone: they find the programs that they start by the addresses of their own modules. */
const ESM_ONLY = ["./bench", "./campaign"];
/** Its types need fast-check's, which have no form for the resolution of Node 10. */
const NO_NODE_10 = ["./fuzz/arbitraries"];

const scratch = mkdtempSync(join(tmpdir(), "ndis-shmem-consumers-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
let passed = 0;
let failed = 0;

function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  return { ok: status === 0, output: `${error ?? ""}${stdout ?? ""}${stderr ?? ""}`, stdout };
}

function report(name, { ok, output }) {
  process.stdout.write(`${ok ? "ok  " : "FAIL"}  ${name}\n`);
  if (!ok) process.stdout.write(`${output.trim().split("\n").slice(0, 30).join("\n")}\n`);
  if (ok) passed += 1;
  else failed += 1;
}

function must(result) {
  if (!result.ok) throw new Error(result.output);
  return result;
}

const manifest = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8"));
const entries = Object.keys(manifest.exports).filter((entry) => entry !== "./package.json");

writeFileSync(join(scratch, "package.json"), '{ "private": true, "type": "module" }\n');
const packages = [
  ...Object.entries(TOOLS).map(([name, version]) => `${name}@${version}`),
  ...COMPILERS.map((version) => `typescript-${version}@npm:typescript@~${version}.0`),
];
must(run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", ...packages], scratch));
const packing = ["pack", "--json", "--ignore-scripts", "--pack-destination", scratch];
const [{ filename }] = JSON.parse(must(run("npm", packing, PROJECT)).stdout);
const installed = join(scratch, "node_modules", manifest.name);
mkdirSync(installed, { recursive: true });
must(run("tar", ["-xzf", join(scratch, filename), "-C", installed, "--strip-components=1"], scratch));
for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
  const link = join(scratch, "node_modules", name);
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(join(PROJECT, "node_modules", name), link, "dir");
}

// A program that installs the package is told nothing: no script of it runs, and npm has nothing to warn of.
const user = join(scratch, "user");
mkdirSync(user);
writeFileSync(join(user, "package.json"), '{ "private": true }\n');
const install = run("npm", ["install", "--no-audit", "--no-fund", join(scratch, filename)], user);
report("npm installs it without a warning", { ...install, ok: install.ok && !/warn|deprecated/i.test(install.output) });

report("publint", run("npx", ["publint", "--strict", join(scratch, filename)], scratch));
const attw = ["attw", join(scratch, filename), "--format", "ascii", "--exclude-entrypoints", ...ESM_ONLY];
report("attw", run("npx", attw, scratch));
const attwEsm = ["attw", join(scratch, filename), "--format", "ascii", "--profile", "esm-only"];
report(`attw, of ${ESM_ONLY.join(", ")}`, run("npx", [...attwEsm, "--entrypoints", ...ESM_ONLY], scratch));

/** A program that imports the entries, and uses one. */
function consumer(names) {
  const imports = names.map((entry, at) => `import * as entry${at} from "${manifest.name}${entry.slice(1)}";`);
  const all = names.map((_, at) => `entry${at}`).join(", ");
  return `${imports.join("\n")}
import { Core } from "${manifest.name}/core";
export const entries: readonly object[] = [${all}];
const core = Core.openSync({ zones: [{ base: 0x100000, size: 0x10000 }] });
export const bytes: Uint8Array = core.bytes(core.allocate(1554), 1554);
`;
}

const MODES = [
  { module: "nodenext", moduleResolution: "nodenext", file: "esm.mts", leftOut: [] },
  { module: "nodenext", moduleResolution: "nodenext", file: "cjs.cts", leftOut: ESM_ONLY },
  { module: "esnext", moduleResolution: "bundler", file: "bundled.ts", leftOut: [] },
  { module: "esnext", moduleResolution: "node10", file: "old.ts", leftOut: NO_NODE_10 },
];
for (const version of COMPILERS) {
  for (const { module, moduleResolution, file, leftOut } of MODES) {
    writeFileSync(join(scratch, file), consumer(entries.filter((entry) => !leftOut.includes(entry))));
    for (const lib of [undefined, ["es2022"]]) {
      const options = { target: "es2022", module, moduleResolution, strict: true, noEmit: true, skipLibCheck: false };
      const config = { compilerOptions: { ...options, types: [], ...(lib && { lib }) }, files: [file] };
      writeFileSync(join(scratch, "tsconfig.json"), JSON.stringify(config));
      const tsc = join(scratch, "node_modules", `typescript-${version}`, "bin", "tsc");
      const what = `TypeScript ${version}, ${moduleResolution}, ${file}${lib ? ", es2022 alone" : ""}`;
      report(what, run(process.execPath, [tsc, "-p", scratch], scratch));
    }
  }
}

process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;
