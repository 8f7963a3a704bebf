/**
 * `ndis-shmem fuzz --score`: whether the fuzzer finds the planted bugs.
 *
 * The bugs and the program that scores them lie with the tests (test/planted), because they are about the sources of this
 * project. This file bundles that program and runs it: a command of a checkout, not of the package.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { SearchName } from "../../fuzz/index.js";
import { type CommandIo, UsageError } from "../command.js";

/** What `--score` reads of the command line. */
export interface ScoreArguments {
  readonly seconds: number;
  readonly search: SearchName | "all";
  /** Every search, not only the default one. */
  readonly all: boolean;
  /** Only bugs whose name contains it. */
  readonly only: string | undefined;
  readonly json: boolean;
}

const PROGRAM = "test/planted/score.ts";

/** Bundle the scoring program and run it. Returns the exit code: 0 where every bug is found. */
export async function score(given: ScoreArguments, io: CommandIo): Promise<number> {
  if (!existsSync("assembly/index.ts") || !existsSync(PROGRAM))
    throw new UsageError("--score works in a checkout of ndis-shmem, from its root");
  const { build } = await import("esbuild");
  // Inside of the checkout, so that what stays external (esbuild, assemblyscript) is found from there.
  const folder = mkdtempSync(resolve("build", "score-"));
  const outfile = join(folder, "score.mjs");
  try {
    const external = ["esbuild", "assemblyscript", "@assemblyscript/loader"];
    await build({ entryPoints: [PROGRAM], outfile, bundle: true, platform: "node", format: "esm", external });
    const program = (await import(pathToFileURL(outfile).href)) as {
      readonly score: (given: ScoreArguments, io: CommandIo) => Promise<number>;
    };
    return await program.score(given, io);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
