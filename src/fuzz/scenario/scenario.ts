/**
 * A scenario: what happens to a driver in one run, from power-on to halt, and the bytes it is written as.
 *
 *     byte   0       1        2          3         4      5         6        7        8 ...
 *            +-------+--------+----------+---------+------+---------+--------+--------+-----------
 *            | fails | memory | variant  | spare   | kind | adapter | amount | detail | next event
 *            +-------+--------+----------+---------+------+---------+--------+--------+-----------
 *
 * `fails` is the byte of an allocation failure (allocation-fault.ts). `memory` chooses one of `MEMORIES`. `variant` chooses
 * the driver's settings. Every byte string is a scenario. Every event has a meaning at every moment: where it cannot happen
 * it does nothing. One to three bytes at the end are ignored. After the last event no more failures are injected, everything
 * that is due happens, and every adapter is halted, so that leaks and hangs show.
 *
 * The meaning of a byte does not change. What is added later gets a format of its own.
 */

/** What may happen. `EVENT_HELP` says what amount and detail mean to each. */
export type ScenarioEventKind =
  | "frames"
  | "serve"
  | "deliver"
  | "event"
  | "time"
  | "failQueue"
  | "failService"
  | "failSynchronous"
  | "race"
  | "pause"
  | "restart"
  | "halt"
  | "remove"
  | "shutdown"
  | "add"
  | "memoryPressure"
  | "memoryRelief"
  | "interrupt"
  | "deviceWrite";

/** One event. The three numbers are bytes, 0 to 255. */
export interface ScenarioEvent {
  /** What happens. */
  readonly kind: ScenarioEventKind;
  /** Which adapter, modulo their number. */
  readonly adapter: number;
  /** How much or which; see `EVENT_HELP`. */
  readonly amount: number;
  /** The rest; see `EVENT_HELP`. */
  readonly detail: number;
}

/** One run of the driver fuzzer. */
export interface Scenario {
  /** The allocation that fails: a byte, 0 to 255, 0 for none (docs/fuzzing.md, "Bytes"). */
  readonly fails: number;
  /** How much memory the machine has: an index into `MEMORIES`. */
  readonly memory: number;
  /** Chooses the driver's settings and how long the upper layer keeps frames: a byte, 0 to 255. */
  readonly variant: number;
  /** What happens, in order. */
  readonly events: readonly ScenarioEvent[];
}

/** What amount and detail mean, kind by kind. */
export const EVENT_HELP: Readonly<Record<ScenarioEventKind, string>> = {
  frames: "1 + amount % 8 frames arrive at the device, 60 + detail * 6 bytes long",
  serve: "the request number amount, of those that wait, is served",
  deliver: "the next completion is delivered; amount % 4 more if there are",
  event: "1 + amount % 8 events of the machine happen: interrupts, timers, work items, frames that come back",
  time: "simulated time passes: 10 µs to 100 s, ten times more for each of amount % 8",
  failQueue: "the next 1 + amount % 3 asynchronous requests are refused",
  failService: "the next 1 + amount % 3 requests that are served get no memory",
  failSynchronous: "the next 1 + amount % 3 synchronous allocations fail",
  race: "the next asynchronous request is answered before its call returns, where no lock is held",
  pause: "the adapter is paused",
  restart: "the adapter is restarted",
  halt: "the adapter is paused if need be, and halted",
  remove: "the device is pulled out",
  shutdown: "the machine shuts the adapter down: power off, or (detail odd) a bug check",
  add: "another device of the same kind is plugged in, four at most",
  memoryPressure: "memory is taken until amount % 4 frames are left",
  memoryRelief: "that memory is given back",
  interrupt: "the device interrupts for no reason",
  deviceWrite: "the device writes 1 + detail % 16 bytes into a live block of the adapter, number amount of them",
};

const SHARES: readonly (readonly [kind: ScenarioEventKind, bytes: number])[] = [
  ["frames", 64],
  ["serve", 36],
  ["deliver", 36],
  ["event", 36],
  ["time", 16],
  ["failQueue", 6],
  ["failService", 6],
  ["failSynchronous", 4],
  ["race", 8],
  ["pause", 8],
  ["restart", 10],
  ["halt", 4],
  ["remove", 3],
  ["shutdown", 2],
  ["add", 4],
  ["memoryPressure", 4],
  ["memoryRelief", 3],
  ["interrupt", 3],
  ["deviceWrite", 3],
];

/** The kind that each byte names. */
export const EVENT_TABLE: readonly ScenarioEventKind[] = SHARES.flatMap(([kind, bytes]) =>
  new Array<ScenarioEventKind>(bytes).fill(kind),
);

/** Every kind, in the order of its first byte. */
export const EVENT_KINDS: readonly ScenarioEventKind[] = SHARES.map(([kind]) => kind);

/** The least byte that names a kind. */
export function eventByte(kind: ScenarioEventKind): number {
  return EVENT_TABLE.indexOf(kind);
}

/** Frames of memory that a machine may have, and where; 0 stands for the driver's own wish. */
export const MEMORIES: readonly string[] = [
  "as much as the driver wants",
  "half of that",
  "a quarter of that",
  "an eighth of that",
];

/** Events of a scenario that comes from outside: a hundred times as many as the longest one that is drawn. */
export const MOST_EVENTS = 10_000;

const HEADER_BYTES = 4;
const EVENT_BYTES = 4;

/** Bytes to a scenario. Total: no byte string is refused. */
export function decodeScenario(bytes: Uint8Array): Scenario {
  const events: ScenarioEvent[] = [];
  for (let at = HEADER_BYTES; at + EVENT_BYTES <= bytes.length; at += EVENT_BYTES) {
    events.push({
      kind: EVENT_TABLE[bytes[at] as number] as ScenarioEventKind,
      adapter: bytes[at + 1] as number,
      amount: bytes[at + 2] as number,
      detail: bytes[at + 3] as number,
    });
  }
  return { fails: bytes[0] ?? 0, memory: (bytes[1] ?? 0) % MEMORIES.length, variant: bytes[2] ?? 0, events };
}

/** A scenario to its canonical bytes. */
export function encodeScenario(scenario: Scenario): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + EVENT_BYTES * scenario.events.length);
  bytes[0] = scenario.fails;
  bytes[1] = scenario.memory % MEMORIES.length;
  bytes[2] = scenario.variant;
  let at = HEADER_BYTES;
  for (const event of scenario.events) {
    bytes[at] = eventByte(event.kind);
    bytes[at + 1] = event.adapter;
    bytes[at + 2] = event.amount;
    bytes[at + 3] = event.detail;
    at += EVENT_BYTES;
  }
  return bytes;
}

/** The canonical bytes of a scenario in hexadecimal: the key that names it in reports, and what `--scenario` takes. */
export function scenarioToHex(scenario: Scenario): string {
  return Array.from(encodeScenario(scenario), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
