/**
 * RunHistory: how a run went, in enough detail to draw it.
 *
 * A history is four lists over simulated time and the state of the arena at its peak. The lists only ever grow at the end, and their times
 * never go backwards. They are kept whole up to `limit` entries; after that neighbours become one entry, all over the list
 * alike, so that a capture of a million frames still draws, and its peak with it.
 */
import type { PhysicalAddress } from "../../bindings/index.js";

/** The allocator at one moment. Bytes in whole frames. */
export interface MemorySample {
  readonly timeNs: number;
  readonly liveBytes: number;
  readonly freeBytes: number;
  readonly largestFreeBytes: number;
  /** Asynchronous requests accepted and not yet completed. */
  readonly pending: number;
}

/** A frame that arrived at the device. */
export interface TrafficSample {
  readonly timeNs: number;
  readonly bytes: number;
}

/** Something worth a mark in the picture. */
export interface Marker {
  readonly timeNs: number;
  readonly kind: "initialized" | "allocation-failed" | "drop" | "halt" | "violation";
  /** A few words. For a drop: the reason. */
  readonly label: string;
}

/** A live block, for the arena map. */
export interface ArenaBlock {
  readonly physical: PhysicalAddress;
  /** Exactly as asked for. */
  readonly lengthBytes: number;
  /** What the driver keeps in it, for example `transmit descriptors`. */
  readonly kind: string;
}

/** The arena at the moment when most of it was live. */
export interface ArenaState {
  readonly timeNs: number;
  readonly liveBytes: number;
  readonly freeBytes: number;
  readonly largestFreeBytes: number;
  readonly blocks: readonly ArenaBlock[];
}

/** See the head of this file. */
export interface RunHistory {
  /** What was played: the name of the capture file without its folder. */
  readonly title: string;
  readonly frameSize: number;
  readonly zones: readonly { readonly base: number; readonly size: number }[];
  readonly memory: readonly MemorySample[];
  readonly traffic: readonly TrafficSample[];
  readonly markers: readonly Marker[];
  readonly peak: ArenaState;
}

/** Lists that thin themselves out. */
export class HistoryRecorder {
  readonly #limit: number;
  readonly #memory: ThinnedList<MemorySample>;
  readonly #traffic: ThinnedList<TrafficSample>;
  readonly #markers: Marker[] = [];
  #dropsLeftOut = 0;

  /** `limit`: the most entries of each list, at least 2. Default 65,536. */
  constructor(limit = 65_536) {
    this.#limit = Math.max(2, limit);
    // Of several moments, the one at which most was live.
    this.#memory = new ThinnedList(this.#limit, (left, right) => (left.liveBytes >= right.liveBytes ? left : right));
    // The sum of bytes stays true: several frames become one entry at the moment of the last.
    this.#traffic = new ThinnedList(this.#limit, (left, right) => ({
      timeNs: right.timeNs,
      bytes: left.bytes + right.bytes,
    }));
  }

  memory(sample: MemorySample): void {
    this.#memory.add(sample);
  }

  traffic(sample: TrafficSample): void {
    this.#traffic.add(sample);
  }

  /** Markers are not thinned; from `limit` on further ones are left out and counted. */
  mark(marker: Marker): void {
    if (this.#markers.length < this.#limit) {
      this.#markers.push(marker);
    } else {
      this.#dropsLeftOut += 1;
    }
  }

  /** Markers that did not fit. */
  get markersLeftOut(): number {
    return this.#dropsLeftOut;
  }

  finish(rest: Pick<RunHistory, "title" | "frameSize" | "zones" | "peak">): RunHistory {
    return { ...rest, memory: this.#memory.entries(), traffic: this.#traffic.entries(), markers: this.#markers };
  }
}

/**
 * A list of at most `limit` entries, each standing for as many samples as every other (the last for those since): where it
 * is full, neighbours are merged, and from then on twice as many samples make an entry.
 */
class ThinnedList<T> {
  readonly #limit: number;
  readonly #merge: (left: T, right: T) => T;
  #entries: T[] = [];
  /** Samples in an entry. */
  #stride = 1;
  #open: T | undefined;
  #openSamples = 0;

  constructor(limit: number, merge: (left: T, right: T) => T) {
    this.#limit = limit;
    this.#merge = merge;
  }

  add(sample: T): void {
    this.#open = this.#open === undefined ? sample : this.#merge(this.#open, sample);
    this.#openSamples += 1;
    if (this.#openSamples < this.#stride) return;
    this.#entries.push(this.#open);
    this.#open = undefined;
    this.#openSamples = 0;
    // One place is kept for what is open.
    if (this.#entries.length < this.#limit - 1) return;
    const half: T[] = [];
    for (let at = 0; at + 1 < this.#entries.length; at += 2) {
      half.push(this.#merge(this.#entries[at] as T, this.#entries[at + 1] as T));
    }
    if (this.#entries.length % 2 === 1) {
      this.#open = this.#entries.at(-1);
      this.#openSamples = this.#stride;
    }
    this.#entries = half;
    this.#stride *= 2;
  }

  entries(): readonly T[] {
    return this.#open === undefined ? this.#entries : [...this.#entries, this.#open];
  }
}
