/**
 * The tools that `cc` needs and this package does not bring: clang, wasm-ld, and something that does Asyncify.
 *
 * Each is found on the PATH under its plain name and under the names that Debian gives to versions, and asked for its
 * version. What is missing or too old is told with the line that installs it.
 */
import { spawnSync } from "node:child_process";
import { UsageError } from "../command.js";

/** A tool that was found. */
export interface Tool {
  readonly path: string;
  /** Major version. */
  readonly version: number;
}

export interface Tools {
  readonly clang: Tool;
  readonly linker: Tool;
  /** Binaryen's wasm-opt; null where only the npm package `binaryen` is there, or nothing. */
  readonly optimizer: Tool | null;
}

/** The oldest clang that the rewriting was tried with. */
export const LEAST_CLANG = 14;
const NEWEST_CLANG = 22;
/** The oldest wasm-opt with `asyncify_get_state`. */
export const LEAST_WASM_OPT = 105;

/** The line that installs everything, for Debian and its children. */
export const INSTALL_LINE = "apt-get install clang lld binaryen";

/** Find the tools. `UsageError` naming what is missing and the line that installs it. */
export function findTools(environment: Readonly<Record<string, string | undefined>> = process.env): Tools {
  const clang = find("clang", environment.NDIS_SHMEM_CLANG, /clang version (\d+)/);
  if (clang === null || clang.version < LEAST_CLANG) {
    throw new UsageError(missing("clang", clang, LEAST_CLANG));
  }
  const linker = find("wasm-ld", environment.NDIS_SHMEM_WASM_LD, /LLD (\d+)/, clang.version);
  if (linker === null || linker.version < LEAST_CLANG) {
    throw new UsageError(missing("wasm-ld", linker, LEAST_CLANG));
  }
  const optimizer = find("wasm-opt", environment.NDIS_SHMEM_WASM_OPT, /version (\d+)/);
  return { clang, linker, optimizer: optimizer !== null && optimizer.version >= LEAST_WASM_OPT ? optimizer : null };
}

/** The same, or why not: for tests that skip by name. */
export function tryTools(): Tools | string {
  try {
    return findTools();
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

function missing(name: string, found: Tool | null, least: number): string {
  const what = found === null ? `there is no ${name} on the PATH` : `${found.path} is version ${found.version}`;
  return `${what}; cc needs ${name} ${least} or later. Install it:  ${INSTALL_LINE}`;
}

/** A tool by name; of several the newest, or that of the wanted version. */
function find(name: string, given: string | undefined, version: RegExp, wanted?: number): Tool | null {
  if (given !== undefined && given !== "") return ask(given, version);
  const found: Tool[] = [];
  const plain = ask(name, version);
  if (plain !== null) found.push(plain);
  if (name !== "wasm-opt") {
    for (let v = NEWEST_CLANG; v >= LEAST_CLANG; v--) {
      const tool = ask(`${name}-${v}`, version);
      if (tool !== null) found.push(tool);
    }
  }
  return found.find((one) => one.version === wanted) ?? found.sort((a, b) => b.version - a.version)[0] ?? null;
}

function ask(path: string, version: RegExp): Tool | null {
  const { status, stdout, error } = spawnSync(path, ["--version"], { encoding: "utf8" });
  if (error !== undefined || status !== 0) return null;
  const match = version.exec(stdout);
  return match === null ? null : { path, version: Number(match[1]) };
}
