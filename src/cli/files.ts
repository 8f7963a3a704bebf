/** Files of the command line: those of the package, those that a user names, and `-` for the standard streams. */
import { closeSync, createReadStream, existsSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type CommandIo, UsageError } from "./command.js";

/** How many folders above this file the package's root may be (dist/chunks: two). */
const MOST_FOLDERS_UP = 4;
const CHUNK_BYTES = 1024 * 1024;

/** The standard stream, where a file is named. */
export const STANDARD = "-";

/** Where a file of the package lies. */
export function packageFile(path: string): string {
  for (let up = 1; up <= MOST_FOLDERS_UP; up += 1) {
    const place = fileURLToPath(new URL("../".repeat(up) + path, import.meta.url));
    if (existsSync(place)) return place;
  }
  throw new UsageError(`the package has lost ${path}`);
}

/** The version of the package. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as { version: string }).version;
}

/** Why a file cannot be had, as a usage error that names the option and the file. */
export function fileError(option: string, path: string, error: unknown): UsageError {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  const why: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file or folder",
    EACCES: "it may not be opened",
    EISDIR: "it is a folder",
    ENOSPC: "the disk is full",
  };
  const reason = why[code ?? ""] ?? (error instanceof Error ? error.message : String(error));
  return new UsageError(`--${option} ${path}: ${reason}`);
}

/** A file, or standard input for `-`, in chunks. What cannot be read is a usage error, at the first chunk or later. */
export async function* chunksOf(option: string, path: string, io: CommandIo): AsyncGenerator<Uint8Array> {
  try {
    yield* path === STANDARD ? io.input() : createReadStream(path, { highWaterMark: CHUNK_BYTES });
  } catch (error) {
    throw fileError(option, path, error);
  }
}

/** Write a whole file, or to standard output for `-`. */
export function writeWhole(option: string, path: string, contents: string | Uint8Array, io: CommandIo): void {
  if (path === STANDARD) {
    io.out(contents);
    return;
  }
  try {
    writeFileSync(path, contents);
  } catch (error) {
    throw fileError(option, path, error);
  }
}

/** A file that is written piece by piece. */
export interface PieceWriter {
  write(piece: Uint8Array): void;
  close(): void;
}

/** Open a file, or standard output for `-`, for writing. */
export function openForWriting(option: string, path: string, io: CommandIo): PieceWriter {
  if (path === STANDARD) return { write: (piece) => io.out(piece), close: () => {} };
  const trying = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      throw fileError(option, path, error);
    }
  };
  const file = trying(() => openSync(path, "w"));
  return {
    write: (piece) => {
      for (let at = 0; at < piece.length; ) at += trying(() => writeSync(file, piece, at));
    },
    close: () => trying(() => closeSync(file)),
  };
}
