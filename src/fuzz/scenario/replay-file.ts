/**
 * Replay files: a scenario and what was wrong in it, as JSON.
 *
 *     { "format": "ndis-shmem-replay", "version": 1, "driver": "./nic.mjs", "rule": ..., "scenario": "0000...", "events": [...] }
 *
 * `scenario` is what is played. `events` says the same for people, and must agree where it is there. A replay file comes from
 * anywhere: its size is bounded, every field is checked, and what is wrong is refused by name.
 */
import { ShmemError } from "../../../bindings/index.js";
import { decodeScenario, encodeScenario, MOST_EVENTS, type Scenario, scenarioToHex } from "./scenario.js";

const FORMAT = "ndis-shmem-replay";
const VERSION = 1;
/** Bytes of a replay file at most: 10,000 events need 1 MB. */
export const MOST_REPLAY_BYTES: number = 2 * 1024 * 1024;

/** What a replay file says. */
export interface Replay {
  /** The driver that it was found in: a path or a name, as it was given. For people. */
  readonly driver: string;
  readonly scenario: Scenario;
  /** What was wrong; empty where the file does not say. */
  readonly rule: string;
  readonly code: string;
}

/** The text of a replay file. `found`: where the scenario came from. */
export function replayText(
  driver: string,
  scenario: Scenario,
  finding: { readonly rule: string; readonly code: string; readonly call: string; readonly message: string },
  found: { readonly seed: number; readonly search: string; readonly position: number },
): string {
  const { rule, code, call, message } = finding;
  const { fails, memory, variant, events } = scenario;
  const known = { rule, code, call, message, fails, memory, variant, events };
  const replay = { format: FORMAT, version: VERSION, driver, ...found, scenario: scenarioToHex(scenario), ...known };
  return `${JSON.stringify(replay, null, 2)}\n`;
}

/** Read a replay file. `INVALID_ARGUMENT`, with the field that is wrong, for anything that is none. */
export function parseReplay(text: string): Replay {
  if (text.length > MOST_REPLAY_BYTES) refuse("length", text.length, `at most ${MOST_REPLAY_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refuse("text", text.slice(0, 40), `JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) refuse("text", value, "a JSON object");
  const fields = value as Readonly<Record<string, unknown>>;
  if (fields.format !== FORMAT) refuse("format", fields.format, `"${FORMAT}"`);
  if (fields.version !== VERSION) refuse("version", fields.version, `${VERSION}, which is all that this version reads`);
  const scenario = parseScenarioHex(fields.scenario);
  if (fields.events !== undefined && JSON.stringify(fields.events) !== JSON.stringify(scenario.events))
    refuse("events", "others", "the events that `scenario` stands for, or to be left out");
  return {
    driver: textField(fields, "driver"),
    scenario,
    rule: textField(fields, "rule"),
    code: textField(fields, "code"),
  };
}

/** A scenario from hexadecimal. `INVALID_ARGUMENT` where it is none, or has more than 10,000 events. */
export function parseScenarioHex(hex: unknown): Scenario {
  if (typeof hex !== "string" || !/^(?:[0-9a-f]{2})*$/i.test(hex))
    refuse("scenario", hex, "bytes in hexadecimal, two digits each");
  return parseScenarioBytes(Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));
}

/** A scenario from bytes that come from outside. `INVALID_ARGUMENT` where it has more than 10,000 events. */
export function parseScenarioBytes(bytes: Uint8Array): Scenario {
  const events = Math.floor(Math.max(0, bytes.length - 4) / 4);
  if (events > MOST_EVENTS) refuse("scenario", `${events} events`, `at most ${MOST_EVENTS} events`);
  return decodeScenario(bytes);
}

/** The canonical bytes of a scenario that comes from outside. */
export function canonicalScenario(bytes: Uint8Array): Uint8Array {
  return encodeScenario(parseScenarioBytes(bytes));
}

const MOST_TEXT = 4096;

function textField(fields: Readonly<Record<string, unknown>>, field: string): string {
  const value = fields[field] ?? "";
  if (typeof value !== "string" || value.length > MOST_TEXT)
    refuse(field, value, `a text of at most ${MOST_TEXT} characters`);
  return value;
}

function refuse(field: string, value: unknown, wanted: string): never {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : shownValue(value);
  throw new ShmemError("INVALID_ARGUMENT", `${field} must be ${wanted}; it is ${shown}`, { field, value });
}

function shownValue(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
