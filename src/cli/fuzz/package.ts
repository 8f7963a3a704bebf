/**
 * Files of the package itself.
 *
 * The same source runs from dist/, from dist/chunks/ and bundled into a test, so that a path relative to this file would not
 * do: the package's root is looked for upwards, by its name.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the package that a file belongs to, if it is a copy of ndis-shmem; undefined otherwise. */
export function packageAbove(path: string): string | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, "utf8")) as { readonly name?: unknown };
      if (name === "ndis-shmem") return folder;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/** The folder of this copy of the package. */
export function ownPackage(): string {
  const folder = packageAbove(fileURLToPath(import.meta.url));
  if (folder === undefined) throw new Error("the package.json of ndis-shmem is not above this file");
  return folder;
}
