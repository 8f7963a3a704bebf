/**
 * Subjects of users: a module with `allocate` and `free`, from anywhere.
 *
 *     // mine.mjs, for `ndis-shmem bench --subject ./mine.mjs`
 *     export const name = "mine";                                   // default: the file's name
 *     export function reset({ arenaBytes, frameSize }) { ... }      // optional: an empty arena of that size
 *     export function allocate(lengthBytes) { ... }                 // an address, or 0 when out of memory
 *     export function free(address, lengthBytes) { ... }            // lengthBytes as it was asked for
 *
 * It is measured across the boundary, in a process of its own. `reset` is called before a workload begins; without it
 * the module's arena has whatever size it has, and its failures say so.
 */
import { basename, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ShmemError } from "../../bindings/core/index.js";
import type { Allocator } from "../replay/index.js";
import type { Place, Subject } from "./subject.js";

type UserModule = {
  readonly name?: unknown;
  readonly reset?: unknown;
  readonly allocate?: unknown;
  readonly free?: unknown;
};

function refuse(path: string, why: string, cause?: unknown): never {
  throw new ShmemError("INVALID_ARGUMENT", `subject ${path}: ${why}`, {
    field: "subject",
    value: path,
    unit: "file",
    cause,
  });
}

/** Is this how a subject from outside is named? */
export function isSubjectFile(name: string): boolean {
  return /\.[cm]?js$/.test(name);
}

/** Load a subject. `INVALID_ARGUMENT` when the file cannot be loaded or lacks `allocate` or `free`. */
export async function userSubject(path: string): Promise<Subject> {
  let module: UserModule;
  try {
    module = (await import(pathToFileURL(resolve(path)).href)) as UserModule;
  } catch (cause) {
    return refuse(path, `cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  const { allocate, free, reset, name } = module;
  if (typeof allocate !== "function") return refuse(path, "exports no function `allocate`");
  if (typeof free !== "function") return refuse(path, "exports no function `free`");
  if (reset !== undefined && typeof reset !== "function") return refuse(path, "its `reset` is no function");
  return {
    name: typeof name === "string" && name !== "" ? name : basename(path, extname(path)),
    summary: `the module ${path}`,
    openAcross(place: Place): Allocator {
      reset?.(place);
      return { allocate: allocate as Allocator["allocate"], free: free as Allocator["free"] };
    },
  };
}
