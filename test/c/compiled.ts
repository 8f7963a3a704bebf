/** C for tests: compiled once, or a reason why not. Each test that needs it skips by name where clang is absent. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import { type CDriver, type CDriverOptions, loadC } from "../../src/c/index.js";
import { type CompileOptions, compile } from "../../src/cli/cc/compile.js";
import { type Tools, tryTools } from "../../src/cli/cc/tools.js";

export const tools: Tools | string = tryTools();

/** A test that needs clang. */
export function testC(name: string, run: (tools: Tools) => unknown): void {
  if (typeof tools === "string") test.skip(`${name}, skipped: ${tools.split("\n")[0]}`);
  else test(name, async () => void (await run(tools)));
}

export const PLAIN: Omit<CompileOptions, "sources"> = {
  includes: [],
  defines: [],
  check: true,
  optimize: "O1",
  stubs: [],
  wdk: null,
  memoryBytes: 2 ** 25,
  flags: [],
  mended: [],
};

/** The bytes of a module made of these files. */
export async function compiled(sources: readonly string[], more: Partial<CompileOptions> = {}): Promise<Uint8Array> {
  if (typeof tools === "string") throw new Error(tools);
  return (await compile(tools, { ...PLAIN, ...more, sources })).bytes;
}

/** The same, of texts. */
export async function compiledText(
  texts: Readonly<Record<string, string>>,
  more: Partial<CompileOptions> = {},
): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), "ndis-shmem-test-c-"));
  try {
    const sources = Object.entries(texts).map(([name, text]) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    });
    return await compiled(
      sources.filter((name) => !name.endsWith(".h")),
      more,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function driverOfText(text: string, options: CDriverOptions = {}): Promise<CDriver> {
  return loadC(await compiledText({ "driver.c": text }), { name: "driver", ...options });
}
