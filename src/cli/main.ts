/**
 * Which command, and what its exit code is.
 *
 * Each command is a folder here with a `Command`. All of them end with one of five exit codes: 0 clean, 1 findings, 2 wrong
 * usage or an unreadable file, 3 the driver refused to initialize, 130 interrupted. Reasons go to stderr, results to
 * stdout. Nothing that a user can type throws.
 */
import { EXIT } from "../report/index.js";
import { benchCommand } from "./bench/index.js";
import { campaignCommand } from "./campaign/campaign.js";
import { ccCommand } from "./cc/cc.js";
import { type Command, type CommandIo, UsageError } from "./command.js";
import { packageVersion } from "./files.js";
import { fuzzCommand } from "./fuzz/fuzz.js";
import { didYouMean } from "./options.js";
import { replayCommand } from "./replay/index.js";
import { runCommand } from "./run/run.js";

const COMMANDS: readonly Command[] = [runCommand, benchCommand, fuzzCommand, replayCommand, campaignCommand, ccCommand];
const NAMES: readonly string[] = COMMANDS.map((command) => command.name);

function help(): string {
  const names = COMMANDS.map((command) => `  ${command.name.padEnd(10)}${command.summary}`);
  return [
    "ndis-shmem: the NDIS shared-memory path in user mode",
    "",
    "usage: ndis-shmem COMMAND [OPTIONS]",
    "",
    ...names,
    "",
    "`ndis-shmem COMMAND --help` shows the options of a command.",
    "`ndis-shmem --version` shows the version.",
    "",
    "exit codes: 0 clean, 1 findings (violations, leaks, mismatches),",
    "            2 usage or unreadable file, 3 the driver refused to",
    "            initialize, 130 interrupted: what was done is shown",
    "",
  ].join("\n");
}

/** Run a command line without the program's name; returns the exit code. */
export async function main(args: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--help" || name === "-h" || name === "help") {
    io.out(help());
    return EXIT.clean;
  }
  if (name === "--version" || name === "-V" || name === "version") {
    io.out(`${packageVersion()}\n`);
    return EXIT.clean;
  }
  if (name === undefined) {
    io.err(help());
    return EXIT.usage;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) {
    const kind = name.startsWith("-") ? "option" : "command";
    const there = NAMES.map((one) => `\`${one}\``).join(", ");
    io.err(`ndis-shmem: no ${kind} \`${name}\`; there is ${there}${didYouMean(name, NAMES)}\n`);
    return EXIT.usage;
  }
  if (rest.includes("--help") || rest.includes("-h")) {
    io.out(command.help(io.columns));
    return EXIT.clean;
  }
  try {
    return await command.run(rest, io);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.err(`ndis-shmem ${name}: ${error.message}\n`);
    return EXIT.usage;
  }
}
