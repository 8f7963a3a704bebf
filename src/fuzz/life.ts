/**
 * A life: what happens to a driver in one run, from power-on to halt, and the bytes it is written as.
 *
 *     byte   0       1        2          3         4      5         6        7        8 ...
 *            +-------+--------+----------+---------+------+---------+--------+--------+-----------
 *            | fails | memory | variant  | spare   | kind | adapter | amount | detail | next event
 *            +-------+--------+----------+---------+------+---------+--------+--------+-----------
 *
 * `fails`: 0 none; 1 to 127 the n-th allocation of the life fails, once; from 128 on all from the (n - 127)-th on fail.
 * `memory`: which of `MEMORIES` the machine has. `variant`: for the driver's user, who may choose settings by it.
 * Every byte string is a life, every event means something at every moment (where it cannot happen it does nothing), and
 * one to three bytes at the end are ignored. After the last event the machine stops failing, every adapter is halted, and
 * what is due is let happen: a life always ends, so that leaks and hangs show.
 */

/** What may happen. `EVENT_HELP` says what amount and detail mean to each. */
export type LifeEventKind =
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
  | "squeeze"
  | "relax"
  | "interrupt"
  | "deviceWrite";

/** One event. The three numbers are bytes, 0 to 255. */
export interface LifeEvent {
  readonly kind: LifeEventKind;
  /** Which adapter, modulo their number. */
  readonly adapter: number;
  readonly amount: number;
  readonly detail: number;
}

/** A run of the driver fuzzer. */
export interface Life {
  /** Bytes, 0 to 255; see the head of this file. */
  readonly fails: number;
  readonly memory: number;
  readonly variant: number;
  readonly events: readonly LifeEvent[];
}

/** What amount and detail mean, kind by kind. */
export const EVENT_HELP: Readonly<Record<LifeEventKind, string>> = {
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
  squeeze: "somebody takes memory until amount % 4 frames are left",
  relax: "that memory comes back",
  interrupt: "the device interrupts for no reason",
  deviceWrite: "the device writes 1 + detail % 16 bytes into a live block of the adapter, number amount of them",
};

const SHARES: readonly (readonly [kind: LifeEventKind, bytes: number])[] = [
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
  ["squeeze", 4],
  ["relax", 3],
  ["interrupt", 3],
  ["deviceWrite", 3],
];

/** The kind that each byte names. */
export const EVENT_TABLE: readonly LifeEventKind[] = SHARES.flatMap(([kind, bytes]) =>
  new Array<LifeEventKind>(bytes).fill(kind),
);

/** Every kind, in the order of its first byte. */
export const EVENT_KINDS: readonly LifeEventKind[] = SHARES.map(([kind]) => kind);

/** The least byte that names a kind. */
export function eventByte(kind: LifeEventKind): number {
  return EVENT_TABLE.indexOf(kind);
}

/** Frames of memory that a machine may have, and where; 0 stands for the driver's own wish. */
export const MEMORIES: readonly string[] = [
  "as much as the driver wants",
  "half of that",
  "a quarter of that",
  "an eighth of that",
];

const HEADER_BYTES = 4;
const EVENT_BYTES = 4;

/** Bytes to a life. Total: no byte string is refused. */
export function decodeLife(bytes: Uint8Array): Life {
  const events: LifeEvent[] = [];
  for (let at = HEADER_BYTES; at + EVENT_BYTES <= bytes.length; at += EVENT_BYTES) {
    events.push({
      kind: EVENT_TABLE[bytes[at] as number] as LifeEventKind,
      adapter: bytes[at + 1] as number,
      amount: bytes[at + 2] as number,
      detail: bytes[at + 3] as number,
    });
  }
  return { fails: bytes[0] ?? 0, memory: (bytes[1] ?? 0) % MEMORIES.length, variant: bytes[2] ?? 0, events };
}

/** A life to its canonical bytes. */
export function encodeLife(life: Life): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + EVENT_BYTES * life.events.length);
  bytes[0] = life.fails;
  bytes[1] = life.memory % MEMORIES.length;
  bytes[2] = life.variant;
  let at = HEADER_BYTES;
  for (const event of life.events) {
    bytes[at] = eventByte(event.kind);
    bytes[at + 1] = event.adapter;
    bytes[at + 2] = event.amount;
    bytes[at + 3] = event.detail;
    at += EVENT_BYTES;
  }
  return bytes;
}
