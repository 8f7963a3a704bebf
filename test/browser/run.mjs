#!/usr/bin/env node
/**
 * The core in a real browser: headless Chromium loads dist/browser from a local server and must come to the same digests
 * as Node. The page is served with a content security policy that allows Wasm and nothing else, and isolated, so that
 * SharedArrayBuffer exists.
 *
 *     node test/browser/run.mjs          CHROMIUM=/path/to/chromium where it has an unusual name
 *
 * Last line: `N passed, N failed`.
 */
import { deepStrictEqual } from "node:assert";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { delimiter, dirname, extname, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { lives } from "./machine.mjs";
import { OPTIONS, smoke } from "./smoke.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const SEED = 20_251_123;

function chromiumPath() {
  const candidates = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const folders = (process.env.PATH ?? "").split(delimiter);
  const paths = [
    process.env.CHROMIUM ?? "",
    ...candidates.flatMap((name) => folders.map((folder) => join(folder, name))),
  ];
  return paths.find((path) => path !== "" && existsSync(path));
}

const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".html": "text/html" };

function serve() {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const headers = {
      "Content-Type": TYPES[extname(path)] ?? "text/html",
      "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'",
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    };
    const file = path === "/" ? undefined : join(ROOT, normalize(path));
    const isOpen = /^\/(?:dist\/browser|test\/browser)\//.test(path);
    if (path === "/") response.writeHead(200, headers).end("<!doctype html><title>ndis-shmem</title>");
    else if (isOpen && existsSync(file)) response.writeHead(200, headers).end(readFileSync(file));
    else response.writeHead(404).end();
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server)));
}

/** Runs in the page. */
async function inPage({ bundle, seed, how }) {
  const { Core } = await import(bundle);
  const { OPTIONS, smoke } = await import("/test/browser/smoke.mjs");
  const arena = how === "shared" ? { arena: new SharedArrayBuffer(0x700000) } : {};
  const core = how === "sync" ? Core.openSync(OPTIONS) : await Core.open({ ...OPTIONS, ...arena });
  return smoke(core, seed);
}

/** Runs in the page: a machine's life. */
async function machineInPage({ seed }) {
  const [library, ndis, { lives }] = await Promise.all(
    ["/dist/browser/index.js", "/dist/browser/ndis.js", "/test/browser/machine.mjs"].map((path) => import(path)),
  );
  return lives(library, ndis, seed);
}

/** Runs in the page: the same in a worker. */
function inWorker({ seed, machine = false }) {
  return new Promise((done, fail) => {
    const worker = new Worker("/test/browser/worker.mjs", { type: "module" });
    worker.onmessage = ({ data }) => done(data);
    worker.onerror = (event) => fail(new Error(event.message));
    worker.postMessage({ seed, machine });
  });
}

async function main() {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new Error("no Chromium found in PATH; set CHROMIUM");
  const { Core } = await import("../../dist/core.js");
  const expected = smoke(Core.openSync(OPTIONS), SEED);
  const logs = await lives(await import("../../dist/index.js"), await import("../../dist/ndis.js"), SEED);
  if (logs.length < 100) throw new Error(`the machine logged ${logs.length} lines, which is no life`);
  const server = await serve();
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  let passed = 0;
  let failed = 0;
  try {
    const page = await browser.newPage();
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const check = async (name, work) => {
      try {
        await work();
        passed += 1;
        process.stdout.write(`ok    ${name}\n`);
      } catch (error) {
        failed += 1;
        process.stdout.write(`FAIL  ${name}\n${error.stack}\n`);
      }
    };
    await check("Node: all freed, nothing broken, several blocks lived", () => {
      deepStrictEqual([expected.liveBytes, expected.middle.broken, expected.middle.live > 10], [0, 0, true]);
    });
    const alone = "/dist/browser/core.standalone.js";
    for (const [how, bundle] of [
      ["open", alone],
      ["sync", alone],
      ["shared", alone],
      ["open", "/dist/browser/core.js"],
    ]) {
      await check(`Chromium, ${bundle}, ${how}: the same as Node`, async () => {
        deepStrictEqual(await page.evaluate(inPage, { bundle, seed: SEED, how }), expected);
      });
    }
    await check("Chromium, a worker: the same as Node", async () => {
      deepStrictEqual(await page.evaluate(inWorker, { seed: SEED }), expected);
    });
    await check("Chromium, the machine: every line of the event logs as in Node", async () => {
      deepStrictEqual(await page.evaluate(machineInPage, { seed: SEED }), logs);
    });
    await check("Chromium, the machine in a worker: every line of the event logs as in Node", async () => {
      deepStrictEqual(await page.evaluate(inWorker, { seed: SEED, machine: true }), logs);
    });
    await check("the page raised no error", () => deepStrictEqual(complaints, []));
  } finally {
    await browser.close();
    server.close();
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exitCode = failed > 0 ? 1 : 0;
}

main().catch((error) => {
  process.stdout.write(`${error.stack}\n0 passed, 1 failed\n`);
  process.exitCode = 1;
});
