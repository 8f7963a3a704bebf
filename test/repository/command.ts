/** The command as a user types it, in this process: what it prints on each stream, and the exit code. */
import type { CommandIo } from "../../src/cli/command.js";
import { main } from "../../src/cli/main.js";

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A terminal of 80 columns without progress, whose output is kept. */
export class KeptIo implements CommandIo {
  readonly progress: boolean;
  readonly columns: number;
  readonly written: Uint8Array[] = [];
  out = (text: string | Uint8Array): void => {
    this.written.push(typeof text === "string" ? Buffer.from(text) : Uint8Array.from(text));
  };
  errors: string[] = [];
  err = (text: string): void => {
    this.errors.push(text);
  };
  /** How often it is asked before the answer is that the user pressed Ctrl-C. */
  interruptAfter: number = Number.POSITIVE_INFINITY;
  standardInput: Uint8Array = new Uint8Array(0);

  constructor({ columns = 80, progress = false }: { columns?: number; progress?: boolean } = {}) {
    this.columns = columns;
    this.progress = progress;
  }

  isInterrupted(): boolean {
    this.interruptAfter -= 1;
    return this.interruptAfter < 0;
  }

  async *input(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < this.standardInput.length; at += 1000) yield this.standardInput.subarray(at, at + 1000);
  }

  /** What went to standard output. */
  get bytes(): Uint8Array {
    return Buffer.concat(this.written);
  }
}

/** Run `ndis-shmem` with these arguments, on a terminal of 80 columns without progress. */
export async function ndisShmem(...args: string[]): Promise<Outcome> {
  return ndisShmemOn(new KeptIo(), ...args);
}

/** Run `ndis-shmem` with these arguments on a terminal of one's own. */
export async function ndisShmemOn(io: KeptIo, ...args: string[]): Promise<Outcome> {
  const code = await main(args, io);
  return { code, out: new TextDecoder().decode(io.bytes), err: io.errors.join("") };
}
