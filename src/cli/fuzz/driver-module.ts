/**
 * The driver that a command names: one of this package, or a module of the user's, in ESM, CommonJS or TypeScript.
 *
 * A driver imports `ndis-shmem/ndis` itself, and may get another copy of the package than this command is: its project's
 * own, or, where it is CommonJS, the CommonJS build. Handles are objects of one copy, which every other refuses. So the
 * library that plays the driver is taken from the copy whose handles the driver accepts.
 */
import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { FuzzDriver, ScenarioCheck } from "../../fuzz/index.js";
import { isCompiled, loadCompiled } from "../cc/load.js";
import { UsageError } from "../command.js";
import { ownPackage, packageAbove } from "./package.js";

/** The library of a copy of the package. */
export type Fuzz = typeof import("../../fuzz/index.js");

/** A driver, and the library that plays it. */
export interface LoadedDriver {
  readonly fuzz: Fuzz;
  readonly driver: FuzzDriver;
  readonly check: ScenarioCheck | undefined;
  /** The module's path; null for a driver of this package. */
  readonly path: string | null;
}

/** See the head of this file. `device`: of a driver compiled from C, the module with its device. `UsageError` where there is no such driver, or the module cannot be imported. */
export async function loadDriver(name: string, device?: string): Promise<LoadedDriver> {
  const fuzz: Fuzz = await import("../../fuzz/index.js");
  const builtIn = fuzz.BUILT_IN_DRIVERS.find((one) => one.name === name);
  if (builtIn !== undefined) return { fuzz, driver: builtIn, check: undefined, path: null };
  if (isCompiled(name)) {
    const driver = (await loadCompiled(name, device)) as FuzzDriver;
    return { fuzz, driver, check: undefined, path: resolve(name) };
  }
  if (device !== undefined) throw new UsageError(`--device is for a DRIVER.wasm, and DRIVER is \`${name}\``);
  const path = resolve(name);
  if (!existsSync(path) || !statSync(path).isFile()) {
    const names = fuzz.BUILT_IN_DRIVERS.map((one) => one.name).join(", ");
    throw new UsageError(
      `DRIVER is \`${name}\`: there is no file ${path}, and the drivers of this package are ${names}`,
    );
  }
  const module = await imported(path);
  let exported: ReturnType<Fuzz["driverOf"]>;
  try {
    exported = fuzz.driverOf(module);
  } catch (error) {
    throw new UsageError(`DRIVER is \`${name}\`: ${textOf(error)}`);
  }
  const { driver, check } = exported;
  return { fuzz: await copyFor(driver, path, fuzz), driver, check, path };
}

/** The copy whose handles the driver accepts; this one where none is, so that its own error is seen. */
async function copyFor(driver: FuzzDriver, path: string, own: Fuzz): Promise<Fuzz> {
  if (await own.acceptsHandles(driver)) return own;
  for (const load of otherCopies(path)) {
    const copy = await load();
    if (typeof copy.acceptsHandles === "function" && (await copy.acceptsHandles(driver))) return copy;
  }
  return own;
}

/** The CommonJS build of this copy, and both builds of the copy that the driver's folder resolves. */
function otherCopies(path: string): (() => Promise<Fuzz>)[] {
  const folders = [ownPackage()];
  try {
    const resolved = packageAbove(createRequire(path).resolve("ndis-shmem/fuzz"));
    if (resolved !== undefined && resolved !== folders[0]) folders.push(resolved);
  } catch {
    // The driver's folder resolves no ndis-shmem: then its own import has failed, or it brings none.
  }
  return folders.flatMap((folder) => {
    const require = createRequire(join(folder, "package.json"));
    const files = [join(folder, "dist", "fuzz.js"), join(folder, "dist", "cjs", "fuzz.js")].filter(existsSync);
    return files.map((file) => async () => {
      if (file.includes(join("dist", "cjs"))) return require(file) as Fuzz;
      return (await import(pathToFileURL(file).href)) as Fuzz;
    });
  });
}

async function imported(path: string): Promise<object> {
  try {
    const isTypeScript = /^\.[mc]?ts$/.test(extname(path));
    return isTypeScript ? await importTypeScript(path) : ((await import(pathToFileURL(path).href)) as object);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`DRIVER is \`${path}\`, which cannot be imported: ${textOf(error)}`);
  }
}

/** TypeScript is stripped by Node where it can, and otherwise translated by esbuild, where that is installed. */
async function importTypeScript(path: string): Promise<object> {
  const { typescript } = process.features as { readonly typescript?: unknown };
  if (typescript !== undefined && typescript !== false) return (await import(pathToFileURL(path).href)) as object;
  const esbuild = await esbuildFor(path);
  const out = join(dirname(path), `.${basename(path)}.${process.pid}.${Math.random().toString(36).slice(2)}.mjs`);
  process.setSourceMapsEnabled(true);
  try {
    const { outputFiles } = await esbuild.build({
      entryPoints: [path],
      outfile: out,
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
      sourcemap: "inline",
      write: false,
      logLevel: "silent",
    });
    // Beside the driver, because its imports are resolved from there.
    writeFileSync(out, outputFiles[0]?.contents ?? "");
    return (await import(pathToFileURL(out).href)) as object;
  } finally {
    rmSync(out, { force: true });
  }
}

async function esbuildFor(path: string): Promise<typeof import("esbuild")> {
  for (const from of [path, join(ownPackage(), "package.json")]) {
    try {
      return (await import(pathToFileURL(createRequire(from).resolve("esbuild")).href)) as typeof import("esbuild");
    } catch {
      // Not installed there.
    }
  }
  throw new UsageError(
    `DRIVER is \`${path}\`, which is TypeScript: Node ${process.versions.node} needs esbuild for it (npm install --save-dev esbuild); Node 22.18 and later need nothing`,
  );
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
