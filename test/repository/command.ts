/** The command as a user types it, in this process: what it prints on each stream, and the exit code. */
import { main } from "../../src/cli/main.js";

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Run `ndis-shmem` with these arguments, on a terminal of 80 columns without progress. */
export async function ndisShmem(...args: string[]): Promise<Outcome> {
  let out = "";
  let err = "";
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    progress: false,
    columns: 80,
  };
  return { code: await main(args, io), out, err };
}
