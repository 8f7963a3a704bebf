/** The files that a user names: files as they are, folders with all that is in them, `-` for standard input. */
import { createReadStream, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { ByteSource } from "../../recordings/index.js";
import { type CommandIo, UsageError } from "../command.js";

/** One file to be read. */
export interface Input {
  /** As it is shown. */
  readonly name: string;
  /** The path; `-` for standard input. */
  readonly path: string;
  /** Found in a folder: what is no recording is passed over there. */
  readonly fromFolder: boolean;
  /** Its bytes, from the beginning at each call. */
  open(): ByteSource;
}

const PIECE = 262144;

function fileInput(path: string, fromFolder: boolean): Input {
  return { name: path, path, fromFolder, open: () => createReadStream(path, { highWaterMark: PIECE }) };
}

/** Standard input is there once: what was read is kept for the second time. */
function standardInput(io: CommandIo): Input {
  const kept: Uint8Array[] = [];
  let isWhole = false;
  return {
    name: "-",
    path: "-",
    fromFolder: false,
    async *open() {
      if (isWhole) {
        yield* kept;
        return;
      }
      for await (const piece of io.input()) {
        kept.push(piece);
        yield piece;
      }
      isWhole = true;
    },
  };
}

function reason(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}

/** Every file under the paths, sorted within each folder. A path that is not there is wrong usage, and so is an empty folder. */
export function inputsOf(paths: readonly string[], io: CommandIo): readonly Input[] {
  return paths.flatMap((path): readonly Input[] => {
    if (path === "-") return [standardInput(io)];
    let isFolder: boolean;
    try {
      isFolder = statSync(path).isDirectory();
    } catch (error) {
      throw new UsageError(`recording ${path}: ${reason(error)}`);
    }
    if (!isFolder) return [fileInput(path, false)];
    const files = readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !basename(entry.name).startsWith("."))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
    if (files.length === 0) throw new UsageError(`recording ${path}: the folder holds no file`);
    return files.map((file) => fileInput(file, true));
  });
}

/** The name of a recording in tables: the file's without its endings. */
export function shortName(path: string): string {
  return path === "-" ? "stdin" : basename(path).replace(/\..*$/, "") || basename(path);
}
