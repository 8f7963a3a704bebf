/** `ndis-shmem fuzz --target NAME`: the package's own targets, by name and seed. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { EXIT } from "../../report/index.js";
import { type CommandIo, UsageError } from "../command.js";
import type { FuzzArguments } from "./arguments.js";

/** Play one target, or all of them, each for the given time. */
export async function fuzzTargets(given: FuzzArguments, io: CommandIo): Promise<number> {
  const { playContained, playTarget, TARGETS } = await import("../../fuzz/index.js");
  if (given.target === "help") {
    for (const { name, summary } of TARGETS) io.out(`${name.padEnd(12)}${summary}\n`);
    return EXIT.clean;
  }
  const wanted = TARGETS.filter((one) => given.target === "all" || one.name === given.target);
  if (wanted.length === 0)
    throw new UsageError(
      `--target takes all, help, ${TARGETS.map((one) => one.name).join(", ")}, not \`${given.target}\``,
    );
  const results: unknown[] = [];
  let findings = 0;
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    for (const entry of wanted) {
      if (await io.isInterrupted()) break;
      const target = entry.open();
      const corpus =
        given.corpus === undefined ? [] : filesOf(join(given.corpus, given.target === "all" ? entry.name : ""));
      for (const file of corpus) {
        const found = await playContained(target, readFileSync(file));
        if (found === undefined) continue;
        findings++;
        io.err(`${entry.name}: ${file}: ${found.message}\n`);
      }
      const started = performance.now();
      const goOn = (): boolean | Promise<boolean> => {
        const isInTime = performance.now() - started < given.seconds * 1000;
        const isInterrupted = io.isInterrupted();
        // A promise now and then, and a plain answer else: there are a hundred thousand inputs a second.
        return typeof isInterrupted === "boolean"
          ? isInTime && !isInterrupted
          : isInterrupted.then((is) => isInTime && !is);
      };
      const result = await playTarget(target, given.seed, { runs: given.runs, goOn });
      const seconds = (performance.now() - started) / 1000;
      const rate = Math.round(result.operations / seconds);
      results.push({
        ...result,
        corpus: corpus.length,
        seconds: Math.round(seconds * 1000) / 1000,
        operationsPerSecond: rate,
      });
      const { finding } = result;
      if (finding !== null) findings++;
      if (given.json) continue;
      const counts = `${result.runs} inputs, ${result.operations} operations, ${rate}/s`;
      io.out(`${entry.name.padEnd(12)}${finding === null ? "nothing found" : finding.message}  (${counts})\n`);
      if (finding === null) continue;
      const hex = Buffer.from(finding.input).toString("hex");
      io.out(`            seed ${given.seed}, input ${finding.run}, shrunk to ${finding.input.length} bytes: ${hex}\n`);
      await playContained(entry.open(), finding.input, (line) => io.out(`              ${line}\n`));
    }
  } finally {
    Error.stackTraceLimit = limit;
  }
  if (given.json) {
    const text = JSON.stringify(
      { seed: given.seed, targets: results },
      (_key, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value),
      2,
    );
    io.out(`${text}\n`);
  }
  if (await io.isInterrupted()) return EXIT.interrupted;
  return findings === 0 ? EXIT.clean : EXIT.findings;
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
      .map((name) => join(folder, name))
      .filter((path) => statSync(path).isFile())
      .sort();
  } catch {
    throw new UsageError(`--corpus is \`${folder}\`, which is no folder that can be read`);
  }
}
