/**
 * Files that the bench needs beside its code: the subjects' Wasm, and the program of the measuring processes.
 *
 * The same source runs from dist/, from dist/chunks/ and bundled into a test, so a path relative to this file would not
 * do: the package's root is looked for upwards, by its name.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest)) {
      const { name } = JSON.parse(readFileSync(manifest, "utf8")) as { name?: string };
      if (name === "ndis-shmem") return folder;
    }
    if (folder === dirname(folder)) throw new Error("the package.json of ndis-shmem is not above this file");
  }
}

let root: string | undefined;

/** The path of a file of the package; `parts` from its root. */
export function assetPath(...parts: readonly string[]): string {
  root ??= packageRoot();
  return join(root, ...parts);
}

const modules = new Map<string, WebAssembly.Module>();

/** The exports of a fresh instance of dist/bench/`name`.wasm. One compilation per process. Without `imports` it gets a memory of one page. */
export function instantiateSubject<Exports>(
  name: string,
  imports: Record<string, Record<string, unknown>> = { env: { memory: new WebAssembly.Memory({ initial: 1 }) } },
): Exports {
  let module = modules.get(name);
  if (module === undefined) {
    module = new WebAssembly.Module(readFileSync(assetPath("dist", "bench", `${name}.wasm`)));
    modules.set(name, module);
  }
  return new WebAssembly.Instance(module, imports as WebAssembly.Imports).exports as Exports;
}
