/** Imports a TypeScript file of this folder from a script: bundled by esbuild, as the test runner does with tests. */
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

/** The project. Scripts work from there, wherever they are called. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** The module of `file`, a name in this folder. */
export async function importBundled(file) {
  process.chdir(ROOT);
  const outfile = join(ROOT, "build", "test", "repository", `${file}.${process.pid}.mjs`);
  mkdirSync(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [join(ROOT, "test", "repository", file)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    logLevel: "warning",
  });
  try {
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(outfile);
  }
}
