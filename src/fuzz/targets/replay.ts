/**
 * What a replay command reads: replay files and scenario bytes, hostile ones.
 *
 *     byte 0    the rest
 *     how       the text of a file as it is, or what damages a sound replay file, or bytes of a scenario
 *
 * A file is a scenario that is written and read again alike, or `INVALID_ARGUMENT` that names a field. Bytes are a scenario
 * whose canonical bytes are their own canonical form. Nothing else may be thrown, and nothing may be believed that
 * contradicts itself: the events of a file must be those of its bytes.
 */
import { canonicalScenario, parseReplay, parseScenarioHex, type Replay, replayText } from "../scenario/replay-file.js";
import { decodeScenario, encodeScenario, MOST_EVENTS, type Scenario, scenarioToHex } from "../scenario/scenario.js";
import { isRefusal, subjectCall } from "../sequences/subject-fault.js";
import type { FuzzTarget, TargetEntry, TargetFinding } from "./target.js";

type Parse = (text: string) => Replay;

const FINDING = { rule: "R", code: "C", call: "", message: "m" } as const;
const FOUND = { seed: 1, search: "random", position: 2 } as const;
/** Texts that a damage may put in place of a value. */
const VALUES: readonly string[] = [
  ...['""', '"zz"', '"0"', "null", "1e999", "-1", "[]", "{}", "true", '"\\u0000"', '"__proto__"', "2", '"Infinity"'],
  `"${"00".repeat(4 * MOST_EVENTS + 8)}"`,
];

/** The text that an input stands for. */
function textOf(bytes: Uint8Array): string {
  const how = (bytes[0] ?? 0) & 3;
  const rest = bytes.subarray(1);
  if (how === 0) return String.fromCharCode(...rest);
  const sound = replayText("./d.mjs", decodeScenario(rest.subarray(3)), FINDING, FOUND);
  const [place = 0, what = 0, amount = 0] = rest;
  if (how === 1) return sound;
  if (how === 2) {
    const at = Math.floor((place / 256) * sound.length);
    return sound.slice(0, at) + String.fromCharCode(what) + sound.slice(at + (amount & 7));
  }
  // One field has another value.
  const fields = JSON.parse(sound) as Record<string, unknown>;
  const names = Object.keys(fields);
  const name = names[place % names.length] as string;
  const values = VALUES[what % VALUES.length] as string;
  return sound.replace(
    `${JSON.stringify(name)}: ${JSON.stringify(fields[name])}`,
    `${JSON.stringify(name)}: ${values}`,
  );
}

function equal(one: Scenario, other: Scenario): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function wrongFile(text: string, parse: Parse): string | undefined {
  let replay: Replay;
  try {
    replay = parse(text);
  } catch (error) {
    if (!isRefusal(error) || error.code !== "INVALID_ARGUMENT") throw error;
    return error.field === undefined ? "a refusal names no field" : undefined;
  }
  const { scenario, driver } = replay;
  if (scenario.events.length > MOST_EVENTS) return `${scenario.events.length} events were let in`;
  const said = JSON.parse(text) as {
    readonly scenario?: unknown;
    readonly events?: unknown;
    readonly version?: unknown;
  };
  if (said.version !== 1) return `version ${String(said.version)} was let in`;
  if (said.events !== undefined && JSON.stringify(said.events) !== JSON.stringify(scenario.events))
    return "events were let in that contradict the bytes";
  if (!equal(parse(replayText(driver, scenario, FINDING, FOUND)).scenario, scenario))
    return "writing and reading does not give the scenario back";
  return undefined;
}

function wrongBytes(bytes: Uint8Array): string | undefined {
  const canonical = canonicalScenario(bytes);
  const scenario = decodeScenario(canonical);
  if (!equal(scenario, decodeScenario(bytes))) return "the canonical bytes are another scenario";
  if (scenarioToHex(decodeScenario(encodeScenario(scenario))) !== scenarioToHex(scenario))
    return "the canonical bytes are not their own canonical form";
  return equal(parseScenarioHex(scenarioToHex(scenario)), scenario) ? undefined : "hexadecimal loses something";
}

function openReplay(parse: Parse): FuzzTarget {
  let operations = 0;
  return {
    name: replayTarget.name,
    summary: replayTarget.summary,
    maxBytes: 200,
    unitBytes: 1,
    play(bytes, log): TargetFinding | undefined {
      operations++;
      const text = textOf(bytes);
      log?.(`${text.length} characters: ${JSON.stringify(text.slice(0, 60))}`);
      const message = subjectCall(() => wrongFile(text, parse) ?? wrongBytes(bytes));
      return message === undefined ? undefined : { step: 0, message };
    },
    get operations() {
      return operations;
    },
  };
}

export const replayTarget: TargetEntry = {
  name: "replay",
  summary: "replay files and scenario bytes, damaged ones",
  open: () => openReplay(parseReplay),
  canary: {
    bug: "the version of a replay file is not looked at",
    open: () => openReplay((text) => parseReplay(text.replace(/"version": [^,\n]*/, '"version": 1'))),
  },
};
