/**
 * Simulated time and what happens in it: a queue of events by (time, order of arrival).
 *
 * Time moves only when an event is taken, and never backwards: an event for the past happens now. A binary heap; ties go
 * to the event that was added first, so that one seed is one history.
 */
import type { Clock } from "../../../bindings/index.js";

/** Something that will happen. */
export interface MachineEventEntry {
  readonly timeNs: number;
  readonly order: number;
  /** Cancelled entries stay in the heap until they surface. */
  cancelled: boolean;
  run(): void;
}

export class SimulatedClock implements Clock {
  nowNs = 0;
}

export class EventQueue {
  readonly #clock: SimulatedClock;
  readonly #heap: MachineEventEntry[] = [];
  #order = 0;
  #live = 0;

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
  }

  /** Entries that will happen. */
  get length(): number {
    return this.#live;
  }

  /** Time of the next entry; infinite where there is none. */
  get nextNs(): number {
    this.#dropCancelled();
    return this.#heap[0]?.timeNs ?? Number.POSITIVE_INFINITY;
  }

  /** Add an entry `delayNs` from now; a delay below 0 counts as 0. */
  after(delayNs: number, run: () => void): MachineEventEntry {
    const timeNs = this.#clock.nowNs + Math.max(0, delayNs);
    return this.#add({ timeNs, order: this.#order++, cancelled: false, run });
  }

  #add(entry: MachineEventEntry): MachineEventEntry {
    const heap = this.#heap;
    heap.push(entry);
    this.#live++;
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as MachineEventEntry;
      if (!isBefore(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
    return entry;
  }

  /** Add an entry at `timeNs` that comes after every other one of that time, whenever the others are added. */
  lastAt(timeNs: number, run: () => void): MachineEventEntry {
    return this.#add({ timeNs, order: Number.POSITIVE_INFINITY, cancelled: false, run });
  }

  cancel(entry: MachineEventEntry): void {
    if (entry.cancelled) return;
    entry.cancelled = true;
    this.#live--;
  }

  /** Take the next entry and move the clock to it; undefined where there is none. */
  take(): MachineEventEntry | undefined {
    this.#dropCancelled();
    const entry = this.#heap[0];
    if (entry === undefined) return undefined;
    this.#pop();
    this.#live--;
    // Marked, so that a later `cancel` of what has happened does nothing.
    entry.cancelled = true;
    if (entry.timeNs > this.#clock.nowNs) this.#clock.nowNs = entry.timeNs;
    return entry;
  }

  #dropCancelled(): void {
    while (this.#heap[0]?.cancelled === true) this.#pop();
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as MachineEventEntry;
    const { length } = heap;
    if (length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && isBefore(heap[child + 1] as MachineEventEntry, heap[child] as MachineEventEntry))
        child++;
      const below = heap[child] as MachineEventEntry;
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(one: MachineEventEntry, other: MachineEventEntry): boolean {
  return one.timeNs < other.timeNs || (one.timeNs === other.timeNs && one.order < other.order);
}
