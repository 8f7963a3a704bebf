/** What a command of the command line is, and what it may touch. */

/** The terminal, as a command sees it. Tests bring their own. */
export interface CommandIo {
  /** Results. */
  out(text: string | Uint8Array): void;
  /** Reasons and progress. */
  err(text: string): void;
  /** True when stderr is a terminal that can write over its last line. */
  readonly progress: boolean;
  /** Columns of the terminal: of stdout, or of stderr where that is none, or 80. At least 60. */
  readonly columns: number;
  /** Standard input. */
  input(): AsyncIterable<Uint8Array>;
  /**
   * True after Ctrl-C: the command ends what it is at, prints what was done so far and returns `EXIT.interrupted`. Asked
   * between two pieces of work; the answer is a promise now and then, so that the process hears of signals at all.
   */
  isInterrupted(): boolean | Promise<boolean>;
}

/** Width of what is printed: what the terminal has, between 60 and 100. */
export const LEAST_COLUMNS = 60;

/** One command. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The whole of `--help`, for a terminal of so many columns. */
  help(columns: number): string;
  /** Returns the exit code. Throws `UsageError` for what the user got wrong. */
  run(args: readonly string[], io: CommandIo): Promise<number>;
}

/** Wrong usage, or a file that cannot be read: exit code 2, with the message on stderr. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

/** `4096`, `64K`, `1M`, `2G` (also `KiB`, `MB`; always powers of 1024) as bytes. */
export function parseBytes(option: string, given: string): number {
  const match = /^(\d+)(?:([KMG])(?:i?B)?)?$/i.exec(given);
  const factor = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[(match?.[2] ?? "").toUpperCase()];
  const bytes = match === null || factor === undefined ? Number.NaN : Number(match[1]) * factor;
  if (!Number.isSafeInteger(bytes))
    throw new UsageError(`${option} takes a number of bytes such as 1048576, 512K or 4M, not \`${given}\``);
  return bytes;
}

/** A decimal integer from `least` to `most`. */
export function parseInteger(option: string, given: string, least: number, most: number): number {
  const value = /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    throw new UsageError(`${option} takes an integer from ${least} to ${most}, not \`${given}\``);
  }
  return value;
}
