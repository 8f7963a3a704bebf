#!/usr/bin/env node
/**
 * Run an example: `node examples/run.mjs first-driver`, from a clone after `npm ci && npm run build`. Without a name: the list.
 *
 * The examples are TypeScript, which Node 20 does not run, so the file is translated first. It is put below build/, inside
 * the package, where `ndis-shmem` means this checkout. In a program of your own, copy the example and run it as you run
 * the rest of it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { transform } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const name = basename(process.argv[2] ?? "", ".ts");
const source = join(here, `${name}.ts`);

if (name === "" || !existsSync(source)) {
  const names = readdirSync(here).filter((file) => file.endsWith(".ts"));
  process.stderr.write(
    `usage: node examples/run.mjs NAME\n${names.map((file) => `  ${file.slice(0, -3)}\n`).join("")}`,
  );
  process.exit(2);
}

const out = resolve(here, "../build/examples");
const { code } = await transform(readFileSync(source, "utf8"), { loader: "ts", target: "node20", format: "esm" });
mkdirSync(out, { recursive: true });
writeFileSync(join(out, `${name}.mjs`), code);
await import(pathToFileURL(join(out, `${name}.mjs`)).href);
