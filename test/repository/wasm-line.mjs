#!/usr/bin/env node
/**
 * Which line of assembly/ a place in the debug module is: `node test/repository/wasm-line.mjs 0x1a2b` (or several).
 *
 * A trap's stack names places as `wasm://wasm/...:wasm-function[12]:0x1a2b`; Node maps the stacks of scripts and not those
 * of modules. The stack itself can be piped in: every such place on a line of standard input is answered behind it.
 */
import { existsSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const MAP = join(resolve(dirname(fileURLToPath(import.meta.url)), "../.."), "build", "debug.wasm.map");
if (!existsSync(MAP)) {
  process.stderr.write("there is no build/debug.wasm.map; run `npm run build`\n");
  process.exit(2);
}
const map = new SourceMap(JSON.parse(readFileSync(MAP, "utf8")));

/** A module has one line, and its columns are bytes. */
function lineOf(offset) {
  const { originalSource, originalLine, originalColumn } = map.findEntry(0, offset);
  return originalSource === undefined
    ? "no line"
    : `${originalSource.replace(/^.*?(?=assembly\/|~lib\/)/, "")}:${originalLine + 1}:${originalColumn + 1}`;
}

const given = process.argv.slice(2);
if (given.length > 0) {
  for (const offset of given) process.stdout.write(`${offset}  ${lineOf(Number(offset))}\n`);
} else {
  for (const line of readFileSync(0, "utf8").split("\n")) {
    const place = /wasm-function\[\d+\]:(0x[0-9a-f]+)/.exec(line);
    process.stdout.write(`${line}${place === null ? "" : `  ${lineOf(Number(place[1]))}`}\n`);
  }
}
