/**
 * Which package this code belongs to: its folder and its version. The same source runs from dist/ and bundled into a test, so
 * the folder is looked for upwards, by its name.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The nearest folder above this file whose package.json is of ndis-shmem. */
export const PACKAGE_ROOT: string = rootAbove(dirname(fileURLToPath(import.meta.url)));

/** `version` of its package.json. */
export const PACKAGE_VERSION: string = packageOf(PACKAGE_ROOT).version ?? "0.0.0";

function packageOf(folder: string): { readonly name?: string; readonly version?: string } {
  const path = join(folder, "package.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as { name?: string; version?: string }) : {};
}

function rootAbove(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (packageOf(at).name === "ndis-shmem") return at;
    if (dirname(at) === at) throw new Error(`no package.json of ndis-shmem above ${folder}`);
  }
}
