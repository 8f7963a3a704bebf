#!/usr/bin/env node
/**
 * The tests under other versions of Node: `node test/repository/other-nodes.mjs 22 24`.
 *
 * Each version comes from the npm registry (the package `node`) into a scratch folder, and runs the tests of the areas below
 * from this checkout, as it is built. Last line: `N passed, N failed`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
/** What differs between versions: modules, typed arrays, WebAssembly, streams, the command line. */
const AREAS = [
  "core/arguments",
  "core/bytes",
  "core/loading",
  "ndis/conformance",
  "run/options",
  "report/",
  "capture/pcap",
  "capture/link-types",
];

const versions = process.argv.slice(2);
if (versions.length === 0) {
  process.stderr.write("which versions? for example: node test/repository/other-nodes.mjs 22 24\n");
  process.exit(2);
}
const scratch = mkdtempSync(join(tmpdir(), "ndis-shmem-nodes-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
let passed = 0;
let failed = 0;
for (const version of versions) {
  const folder = join(scratch, version);
  writeFileSync(join(scratch, "package.json"), '{ "private": true }\n');
  // The package fetches its binary, itself a package, by an install script.
  const install = ["install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", `node@${version}`];
  const installed = spawnSync("npm", install, { cwd: scratch, encoding: "utf8" });
  const node = ["bin/node", "bin/node.exe"]
    .map((path) => join(folder, "node_modules", "node", path))
    .find((path) => existsSync(path));
  if (installed.status !== 0 || node === undefined) {
    process.stdout.write(`FAIL  Node ${version} cannot be installed\n${installed.stdout}${installed.stderr}\n`);
    failed += 1;
    continue;
  }
  const { stdout } = spawnSync(node, ["--version"], { encoding: "utf8" });
  process.stdout.write(`--- Node ${stdout.trim()}\n`);
  const run = spawnSync(node, ["test/run.mjs", ...AREAS], { cwd: PROJECT, encoding: "utf8", maxBuffer: 1 << 28 });
  process.stdout.write(`${run.stdout}${run.stderr}`);
  const last = /^(\d+) passed, (\d+) failed/m.exec(run.stdout.trim().split("\n").at(-1) ?? "");
  passed += Number(last?.[1] ?? 0);
  failed += Number(last?.[2] ?? 1);
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;
