/**
 * `--replay FILE`, `--scenario HEX`: one scenario, played in a thread of its own and shown; `--stop-at` halts before a step.
 *
 * Under `--stop-at` it is played in the main thread, where a debugger is attached to, and a handler that never returns is
 * the debugger's to find.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import * as inspector from "node:inspector";
import {
  findingLines,
  MOST_REPLAY_BYTES,
  parseReplay,
  parseScenarioHex,
  type Scenario,
  scenarioToHex,
} from "../../fuzz/index.js";
import { EXIT } from "../../report/index.js";
import { type CommandIo, UsageError } from "../command.js";
import type { FuzzArguments } from "./arguments.js";
import { loadDriver } from "./driver-module.js";
import { killFinding, replayInThread } from "./search.js";

/** The scenario that was asked for; undefined where a search was. `UsageError` for a file that is none. */
export function scenarioGiven({ scenario, replay }: FuzzArguments): Scenario | undefined {
  try {
    if (scenario !== undefined) return parseScenarioHex(scenario);
  } catch (error) {
    throw new UsageError(`--scenario: ${textOf(error)}`);
  }
  return replay === undefined ? undefined : scenarioOfFile(replay);
}

function scenarioOfFile(file: string): Scenario {
  let text: string;
  try {
    const status = statSync(file);
    if (!status.isFile()) throw new Error("it is no regular file");
    if (status.size > MOST_REPLAY_BYTES) throw new Error(`it has more than ${MOST_REPLAY_BYTES} bytes`);
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`--replay is \`${file}\`, which cannot be read: ${textOf(error)}`);
  }
  try {
    return parseReplay(text).scenario;
  } catch (error) {
    throw new UsageError(`--replay is \`${file}\`, which is no replay file: ${textOf(error)}`);
  }
}

/** Play it and show it. Returns the exit code. */
export async function replay(scenario: Scenario, given: FuzzArguments, io: CommandIo): Promise<number> {
  if (given.stopAt !== undefined) return replayUnderDebugger(scenario, given.stopAt, given, io);
  const hex = scenarioToHex(scenario);
  const end = await replayInThread(given.driver ?? "", hex, given.lcov !== undefined, given);
  if (end.how !== "done") {
    const finding = killFinding(end.how, end);
    if (given.json) io.out(`${JSON.stringify({ driver: given.driver, scenario: hex, finding }, null, 2)}\n`);
    else
      io.out(
        `broken  ${finding.rule} (${finding.code})\n${findingLines(finding)
          .map((line) => `        ${line}\n`)
          .join("")}`,
      );
    return EXIT.findings;
  }
  if (end.message.type !== "replayed") throw new Error(`a replay came to ${end.message.type}`);
  const { replayed, lcov } = end.message;
  if (given.lcov !== undefined) writeFileSync(given.lcov, lcov ?? "");
  const { driver, text, finding } = replayed;
  if (given.json) io.out(`${JSON.stringify({ driver, scenario: hex, finding }, null, 2)}\n`);
  else io.out(finding === null ? `${text}nothing is wrong in this scenario\n` : text);
  return finding === null ? EXIT.clean : EXIT.findings;
}

async function replayUnderDebugger(
  scenario: Scenario,
  stopAt: number,
  given: FuzzArguments,
  io: CommandIo,
): Promise<number> {
  if (stopAt > scenario.events.length + 1)
    throw new UsageError(
      `--stop-at takes a step of this scenario: 0 (power-on) to ${scenario.events.length + 1} (the end), not \`${stopAt}\``,
    );
  const { fuzz, driver, check } = await loadDriver(given.driver ?? "", given.device);
  if (inspector.url() === undefined) {
    inspector.open();
    io.err("attach a debugger (chrome://inspect, or that of your editor); the replay begins then\n");
    inspector.waitForDebugger();
  }
  const player = new fuzz.ScenarioPlayer(driver, {
    ...(check === undefined ? {} : { check }),
    step: (step) => {
      // biome-ignore lint/suspicious/noDebugger: this is what --stop-at is for; step out of here, and the step is played.
      if (step + 1 === stopAt) debugger;
    },
  });
  const { text, finding } = await fuzz.reproduce(player, scenario);
  io.out(finding === null ? `${text}nothing is wrong in this scenario\n` : text);
  return finding === null ? EXIT.clean : EXIT.findings;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
