/**
 * Drivers with a planted bug: those in TypeScript as modules that a user could have written, which import this package alone;
 * those in C of examples/c-driver, compiled.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildOptions, build } from "esbuild";
import { PLANTED_BUGS, type PlantedBug, plant } from "../planted/index.js";

/** Bugs of drivers; those of the core have no module of a driver's. */
export const DRIVER_BUGS: readonly PlantedBug[] = PLANTED_BUGS.filter((bug) => bug.where !== "core");

/** One module for each bug, in `folder`; returns their paths. */
export async function plantedModules(folder: string, bugs: readonly PlantedBug[] = DRIVER_BUGS): Promise<string[]> {
  const paths: string[] = [];
  for (const bug of bugs) {
    const file = join(folder, `${bug.name.replace(/\W+/g, "-")}.mjs`);
    writeFileSync(file, await moduleOf(bug));
    paths.push(file);
  }
  return paths;
}

/** What stands for `bindings/` and the other folders of the library: the package itself. */
const PACKAGE = 'export * from "ndis-shmem/ndis"; export * from "ndis-shmem/core"; export * from "ndis-shmem";';

async function moduleOf(bug: PlantedBug): Promise<string> {
  const changed = plant(bug);
  const seen = new Set<string>();
  const options: BuildOptions = {
    stdin: {
      contents: `import { subjectOf } from "ndis-shmem/fuzz";
import { DRIVERS } from "./src/drivers/index.ts";
export const driver = subjectOf(DRIVERS.find((one) => one.name === ${JSON.stringify(bug.where)}));
`,
      resolveDir: process.cwd(),
      loader: "ts",
    },
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "silent",
    external: ["ndis-shmem", "ndis-shmem/*"],
    plugins: [
      {
        name: "plant",
        setup(builder) {
          builder.onResolve({ filter: /bindings\/index\.js$|machine\/index\.js$/ }, () => ({
            path: "package",
            namespace: "package",
          }));
          builder.onLoad({ filter: /.*/, namespace: "package" }, () => ({ contents: PACKAGE, loader: "js" }));
          builder.onLoad({ filter: /\.ts$/ }, ({ path }) => {
            const file = path.slice(process.cwd().length + 1).replaceAll("\\", "/");
            const contents = changed.get(file);
            if (contents === undefined) return undefined;
            seen.add(file);
            return { contents, loader: "ts" };
          });
        },
      },
    ],
  };
  const { outputFiles } = await build(options);
  const missing = [...changed.keys()].find((file) => !seen.has(file));
  if (missing !== undefined) throw new Error(`${bug.name}: ${missing} is not part of the module`);
  return outputFiles?.[0]?.text ?? "";
}

interface CBug {
  readonly name: string;
  readonly file: string;
}

/** The device of the drivers in C. */
export const C_DEVICE = "examples/c-driver/nic-device.mjs";

/** One module for each bug of examples/c-driver, in `folder`; returns their paths, none where no C compiler is there. */
export async function plantedInC(folder: string): Promise<string[]> {
  const source = "examples/c-driver";
  const { BUGS, plant: plantInC } = (await import(pathToFileURL(resolve(source, "bugs.mjs")).href)) as {
    readonly BUGS: readonly CBug[];
    readonly plant: (bug: CBug, text: string) => string;
  };
  const paths: string[] = [];
  for (const bug of BUGS) {
    const place = join(folder, `c-${bug.name.replace(/\W+/g, "-")}`);
    mkdirSync(place);
    for (const name of ["nic.h", "nic.c", "hw.c"]) {
      const text = readFileSync(join(source, name), "utf8");
      writeFileSync(join(place, name), name === bug.file ? plantInC(bug, text) : text);
    }
    const path = join(folder, `c-${bug.name.replace(/\W+/g, "-")}.wasm`);
    const { status, stderr } = spawnSync(
      process.execPath,
      ["dist/cli.js", "cc", "-o", path, join(place, "nic.c"), join(place, "hw.c")],
      { encoding: "utf8" },
    );
    if (status !== 0) throw new Error(`${bug.name}: ${stderr}`);
    paths.push(path);
  }
  return paths;
}
