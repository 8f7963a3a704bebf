/**
 * The machine that lives are played on: everything that decides is named by the life.
 *
 * One core and one arena serve every life: they are rewound, which costs what a few kilobytes of metadata cost to copy.
 * Nothing happens by itself: requests are served and delivered when the life says so, lifecycle calls only begin, and the
 * player lets the rest happen.
 */
import {
  Core,
  type CoreOptions,
  type FaultPlan,
  type FaultPoint,
  type NdisChoices,
  resolveChoices,
  type VirtualAddress,
} from "../../bindings/index.js";
import { type LogMode, Machine, type MiniportDriver, type ScheduleChooser } from "../machine/index.js";
import type { Life } from "./life.js";
import type { FuzzDevice } from "./noise-device.js";

/** What a device is told of its surroundings; the same as the device models of this package take. */
export interface FuzzWire {
  readonly onDrop: (reason: string) => void;
  readonly interruptLatencyNs: () => number;
}

/** A driver to fuzz. */
export interface FuzzDriver extends MiniportDriver {
  /** A fresh device. Default: one that means nothing. */
  readonly device?: (wire: FuzzWire) => FuzzDevice;
  /** Bytes of shared memory that the driver is comfortable with. Default 256 KiB. */
  readonly arenaBytes?: number;
  /** 32: all of it below 4 GiB. 64 (default): above it, so that a lost high half is found. */
  readonly addressing?: 32 | 64;
  /** What the driver reads as its settings, chosen by the life's `variant`. */
  readonly settings?: (variant: number) => Readonly<Record<string, unknown>>;
}

const FRAME_BYTES = 4096;
const DEFAULT_ARENA_BYTES = 256 * 1024;
const LOW_BASE = 2 ** 24;
const HIGH_BASE = 2 ** 33;

/** Decides for one life after another: which request, which race, which failure. */
export class Decisions implements ScheduleChooser, FaultPlan {
  next = 0;
  raceNext = false;
  /** Armed failures, by point. */
  readonly armed: Record<"synchronous" | "queue" | "service", number> = { synchronous: 0, queue: 0, service: 0 };
  /** Allocations that could have failed so far. */
  opportunities = 0;
  /** Injected so far. */
  struck = 0;
  #nth = 0;
  #from = false;

  begin(life: Life): void {
    this.calm();
    this.next = 0;
    this.opportunities = 0;
    this.struck = 0;
    this.#from = life.fails >= 128;
    this.#nth = this.#from ? life.fails - 127 : life.fails;
  }

  /** No failure any more: what is left has to end. */
  calm(): void {
    this.#nth = 0;
    this.raceNext = false;
    this.armed.synchronous = 0;
    this.armed.queue = 0;
    this.armed.service = 0;
  }

  pick(_waiting: number): number {
    return this.next;
  }

  races(): boolean {
    const race = this.raceNext;
    this.raceNext = false;
    return race;
  }

  strikes(point: FaultPoint): boolean {
    const { armed } = this;
    let strikes = false;
    // One case each: a look-up by name would cost more than all the rest, and every allocation comes by here.
    if (point === "synchronous") {
      strikes = armed.synchronous > 0;
      if (strikes) armed.synchronous--;
    } else if (point === "queue") {
      strikes = armed.queue > 0;
      if (strikes) armed.queue--;
    } else if (point === "service") {
      strikes = armed.service > 0;
      if (strikes) armed.service--;
    } else return false;
    this.opportunities++;
    const nth = this.#nth;
    if (nth > 0 && (this.opportunities === nth || (this.#from && this.opportunities > nth))) strikes = true;
    if (strikes) this.struck++;
    return strikes;
  }
}

interface Seat {
  readonly core: Core;
  readonly fresh: Uint8Array;
  readonly open: Readonly<Record<LogMode, () => Machine>>;
}

/** Cores to play lives on, one for each size of memory. */
export class LifeMachines {
  readonly #driver: FuzzDriver;
  readonly #choices: NdisChoices;
  readonly decisions: Decisions = new Decisions();
  readonly #seats: Map<number, Seat> = new Map();

  constructor(driver: FuzzDriver, choices: Partial<NdisChoices> = {}) {
    this.#driver = driver;
    this.#choices = resolveChoices({ ...choices, policy: "collect" });
  }

  /** A fresh machine for a life. The one before must not be used any more. */
  open(life: Life, log: LogMode): Machine {
    const seat = this.#seat(life.memory);
    seat.core.rewind(seat.fresh);
    this.decisions.begin(life);
    return seat.open[log]();
  }

  #seat(memory: number): Seat {
    const known = this.#seats.get(memory);
    if (known !== undefined) return known;
    const { arenaBytes = DEFAULT_ARENA_BYTES, addressing = 64 } = this.#driver;
    const frames = Math.max(2, Math.floor(arenaBytes / FRAME_BYTES) >> memory);
    const zones = [{ base: addressing === 32 ? LOW_BASE : HIGH_BASE, size: frames * FRAME_BYTES }];
    const arena = new ArrayBuffer(frames * FRAME_BYTES);
    const options: CoreOptions = { zones, arena, tags: true };
    const core = Core.openSync(options);
    const opener = (log: LogMode): (() => Machine) =>
      Machine.opener({
        zones,
        arena,
        core: () => core,
        schedule: { order: "manual", choose: this.decisions },
        lifecycle: "byHand",
        choices: this.#choices,
        batch: 1,
        faults: this.decisions,
        log,
      });
    const open = { off: opener("off"), digest: opener("digest"), lines: opener("lines") };
    const seat: Seat = { core, fresh: core.snapshot(), open };
    this.#seats.set(memory, seat);
    return seat;
  }
}

/** Memory that somebody else holds: takes single frames until `left` are free. */
export function squeeze(machine: Machine, left: number, taken: VirtualAddress[]): void {
  const { core } = machine;
  for (let free = core.stats().freeBytes; free > left * FRAME_BYTES; free -= FRAME_BYTES) {
    const address = core.allocate(FRAME_BYTES);
    if (address === 0) return;
    taken.push(address);
  }
}
