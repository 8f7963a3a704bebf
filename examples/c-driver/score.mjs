#!/usr/bin/env node
/**
 * Plants each bug of bugs.mjs in a copy of the driver, compiles it, and runs the default search on it.
 *
 *     node score.mjs [--seconds N] [part of a name]      prints a table; exit code 1 where a bug is not found
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { BUGS, guiltyLines, plant } from "./bugs.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const cli = join(here, "../../dist/cli.js");
const args = process.argv.slice(2);
const at = args.indexOf("--seconds");
const seconds = at >= 0 ? args.splice(at, 2)[1] : "30";
const part = args[0] ?? "";
const sources = ["nic.h", "nic.c", "hw.c"];

let found = 0;
let named = 0;
const wanted = BUGS.filter((bug) => bug.name.includes(part));
for (const bug of wanted) {
  const folder = mkdtempSync(join(tmpdir(), "c-driver-bug-"));
  const texts = {};
  for (const name of sources) {
    const text = readFileSync(join(here, name), "utf8");
    texts[name] = name === bug.file ? plant(bug, text) : text;
    writeFileSync(join(folder, name), texts[name]);
  }
  const wasm = join(folder, "nic.wasm");
  const run = (...words) => spawnSync(process.execPath, [cli, ...words], { encoding: "utf8", maxBuffer: 1 << 26 });
  const cc = run("cc", "-o", wasm, join(folder, "nic.c"), join(folder, "hw.c"));
  if (cc.status !== 0) throw new Error(`${bug.name}: ${cc.stderr}`);
  const began = performance.now();
  const fuzz = run("fuzz", wasm, "--device", join(here, "nic-device.mjs"), "--seconds", seconds, "--json");
  const took = (performance.now() - began) / 1000;
  if (fuzz.status !== 0 && fuzz.status !== 1) throw new Error(`${bug.name}: ${fuzz.stderr}`);
  const report = JSON.parse(fuzz.stdout);
  const finding = report.found?.finding;
  const right = finding !== undefined && bug.rule.split("|").includes(finding.rule);
  const line =
    bug.guilty === null || !right
      ? ""
      : (guiltyLines(bug, texts).find((one) => new RegExp(`${one.replace(".", "\\.")}\\b`).test(finding.message)) ??
        "");
  if (right) found++;
  if (line !== "") named++;
  console.log(
    `${right ? "found " : "MISSED"}  ${took.toFixed(1).padStart(5)} s  ${String(report.runs).padStart(6)}  ${bug.name}: ${finding === undefined ? "nothing" : `${finding.rule}, ${line === "" ? "no line" : line}`}`,
  );
  if (!right || (line === "" && bug.guilty !== null))
    console.log(
      `        expected ${bug.rule} at ${bug.guilty === null ? "no line" : guiltyLines(bug, texts).join(", ")}\n${(finding?.message ?? "").replace(/^/gm, "        ")}`,
    );
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${found} of ${wanted.length} found, ${named} with the guilty line named`);
if (found < wanted.length) process.exitCode = 1;
