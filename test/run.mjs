#!/usr/bin/env node
/**
 * The test runner.
 *
 *     node test/run.mjs [name part ...]       the files of test/ whose path contains one of the parts; all without
 *     node test/run.mjs --files a.ts b.ts     exactly these files
 *     node test/run.mjs [part ...] --test NAME   of those files the tests whose name contains NAME
 *
 * Each `*.test.ts` is bundled by esbuild to build/test/*.mjs (packages stay external, lines stay mapped) and runs in a
 * Node process of its own, two at a time, with the project's root as its working directory.
 *
 * What it promises: a file counts as passed only if all of this holds, and each line is there because uvu alone lets
 * its opposite pass:
 *   - the process ended by itself, with exit code 0, inside its time-out (120 s, or what a line `// timeout: 300 s` says);
 *   - it reported through test/repository/uvu.ts, which counts registrations itself;
 *   - registered = passed + failed + skipped, at least one test, every suite with tests was run, no `only` was left in
 *     (a name part on the command line allows it, for work in progress);
 *   - uvu's own total names the same numbers;
 *   - there was no unhandled rejection, no uncaught exception and no throw in a hook;
 *   - every skip says why: its name ends in `skipped: <reason>`.
 *
 * Output: one line per file, failures in full, skips with their reasons, and as the last line
 * `N passed, N failed` (plus `, N skipped`). A file that breaks a promise counts as one failure. Exit code 1 on any failure.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const OUT = join(ROOT, "build", "test");
const WRAPPER = join(ROOT, "test", "repository", "uvu.ts");
const AT_ONCE = 2;
const DEFAULT_TIMEOUT_S = 120;

function testFiles(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return entry.name === "fixtures" ? [] : testFiles(path);
      return entry.name.endsWith(".test.ts") ? [path] : [];
    })
    .sort();
}

/** Tests see the counting wrapper; only the wrapper sees uvu. */
const countUvu = {
  name: "count-uvu",
  setup(builder) {
    builder.onResolve({ filter: /^uvu$/ }, ({ importer }) =>
      resolve(importer) === WRAPPER ? { path: "uvu", external: true } : { path: WRAPPER },
    );
  },
};

/** Bundles one file; the outputs appear whole, by renaming, because several runners may share the folder. */
async function bundle(file, options = {}) {
  const outfile = join(
    OUT,
    relative(ROOT, file)
      .split(sep)
      .join("/")
      .replace(/^test\//, "")
      .replace(/\.ts$/, ".mjs"),
  );
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: [file],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    sourcemap: "linked",
    sourcesContent: false,
    write: false,
    logLevel: "silent",
    plugins: [countUvu],
    ...options,
  });
  for (const output of result.outputFiles) {
    mkdirSync(dirname(output.path), { recursive: true });
    const temporary = `${output.path}.${process.pid}`;
    writeFileSync(temporary, output.contents);
    renameSync(temporary, output.path);
  }
  return outfile;
}

function runProcess(args, timeoutMs, environment) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let timedOut = false;
    const take = (chunk) => {
      output += chunk;
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
      child.stdout.destroy(); // A grandchild may still hold the pipes open.
      child.stderr.destroy();
    }, timeoutMs);
    child.on("error", (error) => {
      output += String(error);
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      done({ code, signal, output, timedOut });
    });
  });
}

function readReport(path) {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined; // A report cut short is as good as none, and none is a failure of the file.
  } finally {
    rmSync(path, { force: true });
  }
}

/** uvu's own last words, the second opinion. */
function uvuTotals(output) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
  const plain = output.replace(/\x1b\[[0-9;]*m/g, "");
  const last = (label) => {
    const all = [...plain.matchAll(new RegExp(`^ {2}${label}: +(\\d+)$`, "gm"))];
    return all.length === 0 ? undefined : Number(all[all.length - 1][1]);
  };
  return { total: last("Total"), passed: last("Passed"), skipped: last("Skipped") };
}

/** Every promise of the head of this file that the run broke, in words. */
function judge(run, report, timeoutS, allowOnly) {
  const broken = [];
  if (run.timedOut) broken.push(`time-out after ${timeoutS} s`);
  else if (run.signal !== null) broken.push(`ended by ${run.signal}`);
  if (report === undefined) {
    if (!run.timedOut)
      broken.push(`no report: the file did not import uvu, or died before its end (exit code ${run.code})`);
    return broken;
  }
  const { registered, passed, failed, only, skips, unfinished, problems } = report;
  broken.push(...problems);
  if (registered === 0) broken.push("0 tests");
  if (report.suitesRun < report.suites) broken.push("tests were registered and never run: is test.run() missing?");
  if (only > 0 && !allowOnly) broken.push(`${only} test.only left in: the other tests of the file do not run`);
  const leftOut = only > 0 && allowOnly ? registered - only - skips.length : 0;
  const settled = passed + failed + skips.length + leftOut;
  if (settled !== registered) {
    const names = unfinished.map((name) => `\n      ${name}`).join("");
    broken.push(`${registered} tests registered, ${settled} reported; without a result:${names}`);
  }
  for (const name of skips) {
    if (!/skipped: \S/.test(name))
      broken.push(`"${name}" is skipped without a reason: end its name in "skipped: <why>"`);
  }
  const uvu = uvuTotals(run.output);
  if (!run.timedOut && (uvu.passed !== passed || uvu.skipped !== skips.length + leftOut)) {
    broken.push(
      `uvu reports ${uvu.passed} passed, ${uvu.skipped} skipped; counted ${passed}, ${skips.length + leftOut}`,
    );
  }
  if (run.code !== 0 && failed === 0 && !run.timedOut && broken.length === 0) broken.push(`exit code ${run.code}`);
  return broken;
}

async function runFile(file, allowOnly, testName) {
  const name = relative(ROOT, file).split(sep).join("/");
  const started = process.hrtime.bigint();
  const timeoutS = Number(
    /^\s*(?:\/\/|\*) timeout: (\d+) s/m.exec(readFileSync(file, "utf8"))?.[1] ?? DEFAULT_TIMEOUT_S,
  );
  const result = { name, passed: 0, failed: 0, skips: [], text: "" };
  let outfile;
  try {
    outfile = await bundle(file);
  } catch (error) {
    const messages = (error.errors ?? []).map((e) => `${e.location?.file}:${e.location?.line}: ${e.text}`);
    result.failed = 1;
    result.text = `FAIL  ${name}  does not bundle\n${messages.length > 0 ? messages.join("\n") : String(error)}\n`;
    return result;
  }
  const reportFile = join(tmpdir(), `ndis-shmem-test-${process.pid}-${basename(outfile)}-${started}.json`);
  const environment = { ...process.env, TEST_REPORT: reportFile, FORCE_COLOR: "0", NO_COLOR: "1" };
  if (testName !== undefined) environment.TEST_NAME = testName;
  const run = await runProcess(["--enable-source-maps", outfile], timeoutS * 1000, environment);
  const report = readReport(reportFile);
  // A file without a test of that name has nothing to say.
  if (testName !== undefined && report?.registered === 0) return result;
  const broken = judge(run, report, timeoutS, allowOnly);
  const ms = Math.round(Number(process.hrtime.bigint() - started) / 1e6);
  result.passed = report?.passed ?? 0;
  result.failed = (report?.failed ?? 0) + (broken.length > 0 ? 1 : 0);
  result.skips = report?.skips ?? [];
  if (result.failed === 0) {
    const skipped = result.skips.length > 0 ? `, ${result.skips.length} skipped` : "";
    const lines = result.skips.map((skip) => `      skip  ${skip}\n`).join("");
    result.text = `ok    ${name}  ${result.passed} passed${skipped}  ${ms} ms\n${lines}`;
  } else {
    const reasons = broken.map((line) => `  ! ${line}\n`).join("");
    result.text = `FAIL  ${name}  ${result.passed} passed, ${result.failed} failed  ${ms} ms\n${reasons}${run.output}\n`;
  }
  return result;
}

/** The tests of the core read build/*.wasm; old ones would be judged in place of what was just written. */
function noticeStaleWasm() {
  const release = join(ROOT, "build", "release.wasm");
  const built = existsSync(release) ? statSync(release).mtimeMs : 0;
  const assembly = readdirSync(join(ROOT, "assembly"), { recursive: true }).filter((file) => file.endsWith(".ts"));
  if (assembly.some((file) => statSync(join(ROOT, "assembly", file)).mtimeMs > built)) {
    process.stdout.write("note: assembly/ is younger than build/release.wasm; run `node src/build.mjs --if-stale`\n");
  }
}

async function main(given) {
  noticeStaleWasm();
  const args = [...given];
  const at = args.indexOf("--test");
  const name = at < 0 ? undefined : args.splice(at, 2)[1];
  if (at >= 0 && (name === undefined || name === "")) {
    process.stderr.write("--test needs a part of a test's name\n");
    process.exitCode = 2;
    return;
  }
  let files;
  let allowOnly = false;
  if (args[0] === "--files") {
    files = args.slice(1).map((path) => resolve(path));
  } else {
    const parts = args.filter((arg) => !arg.startsWith("-"));
    allowOnly = parts.length > 0;
    files = testFiles(join(ROOT, "test")).filter(
      (file) => parts.length === 0 || parts.some((part) => relative(ROOT, file).split(sep).join("/").includes(part)),
    );
  }
  const total = { passed: 0, failed: 0, skipped: 0 };
  if (files.length === 0) {
    process.stdout.write("no test file matches\n");
    total.failed = 1;
  }
  const queue = [...files];
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const result = await runFile(file, allowOnly, name);
      process.stdout.write(result.text);
      total.passed += result.passed;
      total.failed += result.failed;
      total.skipped += result.skips.length;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (name !== undefined && total.passed + total.failed + total.skipped === 0) {
    process.stdout.write(`no test's name contains "${name}"\n`);
    total.failed = 1;
  }
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
  process.stdout.write(`${total.passed} passed, ${total.failed} failed${skipped}\n`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

await main(process.argv.slice(2));
