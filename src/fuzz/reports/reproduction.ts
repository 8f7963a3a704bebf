/**
 * The reproduction of a scenario: what happened to the driver, step by step, and what the machine logged meanwhile.
 *
 *     step 2  request 0 is served
 *             step 31 at 20 µs, PASSIVE_LEVEL: serve 1 in one call
 *     ...
 *     broken  FreeOfLiveBlock (ALREADY_FREED): ...
 */
import type { DriverFinding } from "../player/checks.js";
import type { ScenarioPlayer } from "../player/player.js";
import { describeEvent, describeSetup } from "../scenario/describe.js";
import type { Scenario, ScenarioEvent } from "../scenario/scenario.js";

/** Play a scenario once more and write down what happens. */
export async function reproduce(
  player: ScenarioPlayer,
  scenario: Scenario,
): Promise<{ text: string; finding: DriverFinding | null }> {
  const lines: string[] = describeSetup(scenario).map((line) => `setup   ${line}`);
  let told = 0;
  const { finding } = await player.play(
    scenario,
    {
      event(index, event, machine) {
        const title =
          index < 0
            ? "start   power-on: DriverEntry, MiniportInitializeEx, restart"
            : index < scenario.events.length
              ? `${`step ${index + 1}`.padEnd(8)}${describeEvent(event as ScenarioEvent)}`
              : "end     quiesce: nothing fails any more; then every adapter is halted";
        const logged = machine.log.slice(told);
        told = machine.log.length;
        if (index >= scenario.events.length && logged.length === 0) return;
        lines.push(title);
        const shown =
          logged.length > 14
            ? [...logged.slice(0, 6), `... ${logged.length - 12} lines ...`, ...logged.slice(-6)]
            : logged;
        for (const line of shown) lines.push(`          ${readable(line)}`);
      },
    },
    "lines",
  );
  if (finding !== null) {
    const [first, ...rest] = finding.message.split("\n");
    lines.push(
      `broken  ${finding.rule} (${finding.code})`,
      `        ${first}`,
      ...rest.map((line) => `        ${line}`),
    );
  }
  return { text: `${lines.join("\n")}\n`, finding };
}

/** `12 40000 p0 DISPATCH_LEVEL e100bex complete ...` in the order in which people ask. */
function readable(line: string): string {
  const match = /^(\d+) (\d+) p(\d+) (\S+) (\S+) (.*)$/.exec(line);
  if (match === null) return line;
  const [, step, timeNs, processor, level, who, what] = match;
  const where = `${level} on processor ${processor}`;
  return `${who === "-" ? "" : `${who}: `}${what}   [step ${step}, ${shortTime(Number(timeNs))}, ${where}]`;
}

function shortTime(ns: number): string {
  if (ns === 0) return "time 0";
  if (ns < 1e6) return `${ns / 1000} µs`;
  return ns < 1e9 ? `${ns / 1e6} ms` : `${ns / 1e9} s`;
}
