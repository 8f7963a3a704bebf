#!/usr/bin/env node
/**
 * `npm run check`: every check of test/repository/checks.ts, or those whose names are given.
 *
 *     npm run check                    each check's number and findings
 *     npm run check -- cycles          one of them
 *     npm run check -- --brief         the numbers alone
 *
 * Exit code 0 when nothing is found, 1 otherwise, 2 for a name that is none.
 */
import { importBundled } from "./bundled.mjs";

const { CHECKS } = await importBundled("checks.ts");

const args = process.argv.slice(2);
const brief = args.includes("--brief");
const names = args.filter((arg) => arg !== "--brief");
const unknown = names.filter((name) => !CHECKS.some((check) => check.name === name));
if (unknown.length > 0) {
  process.stderr.write(`no check ${unknown.join(", ")}; there is ${CHECKS.map(({ name }) => name).join(", ")}\n`);
  process.exit(2);
}
let total = 0;
for (const check of CHECKS) {
  if (names.length > 0 && !names.includes(check.name)) continue;
  const findings = check.findings();
  total += findings.length;
  process.stdout.write(`${String(findings.length).padStart(5)}  ${check.name.padEnd(10)}${check.counts}\n`);
  if (!brief) for (const finding of findings) process.stdout.write(`       ${finding}\n`);
}
process.exitCode = total === 0 ? 0 : 1;
