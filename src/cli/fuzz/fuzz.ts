/**
 * `ndis-shmem fuzz`: search for a scenario in which a driver goes wrong, and show the shortest one.
 *
 * A driver is a module of the user's or the name of one of this package, and is played in player threads. On a finding the
 * reproduction goes to stdout; two test files (for uvu and for node:test) and a replay file are written. `--target`,
 * `--score` and `--speed` are about the package itself.
 */
import { performance } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { EXIT } from "../../report/index.js";
import { type Command, type CommandIo, UsageError } from "../command.js";
import { type FuzzArguments, HELP, parseFuzzArguments } from "./arguments.js";
import { CorpusFolder } from "./corpus-folder.js";
import { progressLine, showOutcome } from "./output.js";
import { replay, scenarioGiven } from "./replay.js";
import { HarnessFault, searchInThreads } from "./search.js";

/** The fuzzer itself is at fault (EX_SOFTWARE of sysexits.h); interrupted by Ctrl-C (128 + SIGINT). */
const EXIT_HARNESS_FAULT = 70;
const EXIT_INTERRUPTED = 130;

/** See the head of this file. */
export const fuzzCommand: Command = {
  name: "fuzz",
  summary: "find the bug in a driver, and show the shortest way to it",
  help: () => HELP,
  run: async (args, io) => {
    const given = parseFuzzArguments(args);
    // A scenario is garbage when it is over. An engine that has once seen a few of them survive puts such objects into its
    // old space from then on, where they hold whole machines until a full collection: a quarter of the speed.
    setFlagsFromString("--no-allocation-site-pretenuring");
    try {
      return await dispatch(given, io);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      const what = error instanceof HarnessFault ? error.message : error instanceof Error ? error.stack : String(error);
      io.err(`ndis-shmem fuzz: the fuzzer itself is at fault, which says nothing about what is fuzzed:\n${what}\n`);
      return EXIT_HARNESS_FAULT;
    }
  },
};

async function dispatch(given: FuzzArguments, io: CommandIo): Promise<number> {
  if (given.speed) return (await import("./speed.js")).speed(given, io);
  if (given.score) return (await import("./score.js")).score(given, io);
  if (given.target !== undefined) return (await import("./targets.js")).fuzzTargets(given, io);
  const scenario = scenarioGiven(given);
  return scenario === undefined ? search(given, io) : replay(scenario, given, io);
}

async function search(given: FuzzArguments, io: CommandIo): Promise<number> {
  const corpus = given.corpus === undefined ? null : new CorpusFolder(given.corpus);
  const began = performance.now();
  const isProgressShown = io.progress && !given.json;
  let interrupted = false;
  let stop = (): void => {};
  // Ctrl-C ends the search after the scenario that is played; what was done so far is shown.
  const interrupt = (): void => {
    interrupted = true;
    stop();
  };
  process.once("SIGINT", interrupt);
  try {
    const outcome = await searchInThreads(given.driver ?? "", given, corpus?.scenarios ?? [], {
      onStop: (how) => {
        stop = how;
      },
      onNew: (hex) => corpus?.keep(hex),
      onProgress: (progress, threads) => {
        if (!isProgressShown) return;
        const line = progressLine(progress, threads, performance.now() - began);
        io.err(`\r${line.slice(0, io.columns - 1).padEnd(io.columns - 1)}`);
      },
    });
    if (isProgressShown) io.err(`\r${" ".repeat(io.columns - 1)}\r`);
    showOutcome(outcome, given, io, corpus);
    if (outcome.findings.length > 0) return EXIT.findings;
    return interrupted ? EXIT_INTERRUPTED : EXIT.clean;
  } finally {
    process.removeListener("SIGINT", interrupt);
  }
}
