/** A compiled driver with the model of its device, for `run` and `fuzz`. */
import { existsSync, readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ShmemError } from "../../../bindings/index.js";
import { type CDriver, deviceOptions, loadC } from "../../c/index.js";
import { UsageError } from "../command.js";

/** Is this the path of a module that `cc` made? */
export function isCompiled(path: string): boolean {
  return /\.wasm$/i.test(path);
}

/** Load `path`, with the model that the module `device` exports. `UsageError` for what cannot be loaded. */
export async function loadCompiled(path: string, device: string | undefined): Promise<CDriver> {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(resolve(path));
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    const options = device === undefined ? {} : deviceOptions(await imported(device));
    return loadC(bytes, { name: basename(path).replace(/\.wasm$/i, ""), ...options });
  } catch (error) {
    if (error instanceof ShmemError) throw new UsageError(`${path}: ${error.message}`);
    throw error;
  }
}

async function imported(device: string): Promise<object> {
  const path = resolve(device);
  if (!existsSync(path)) throw new UsageError(`--device: there is no file ${path}`);
  try {
    return (await import(pathToFileURL(path).href)) as object;
  } catch (error) {
    throw new UsageError(
      `--device: ${device} cannot be imported: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
