/**
 * RunHistory: how a run went, in enough detail to draw it.
 *
 * A history is four lists over simulated time and the state of the arena at its peak. The lists only ever grow at the end, and their times
 * never go backwards. They are kept whole up to `limit` entries; after that every second entry is given up, the one that
 * says less (the lower of two memory levels), so that a capture of a million frames still draws, and its peak with it.
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
  #memory: MemorySample[] = [];
  #traffic: TrafficSample[] = [];
  readonly #markers: Marker[] = [];
  #dropsLeftOut = 0;

  /** `limit`: the most entries of each list, at least 2. Default 65,536. */
  constructor(limit = 65_536) {
    this.#limit = Math.max(2, limit);
  }

  memory(sample: MemorySample): void {
    if (this.#memory.length >= this.#limit) {
      this.#memory = thinned(this.#memory, (left, right) => (left.liveBytes >= right.liveBytes ? left : right));
    }
    this.#memory.push(sample);
  }

  traffic(sample: TrafficSample): void {
    if (this.#traffic.length >= this.#limit) {
      // The sum of bytes stays true: two frames become one entry at the moment of the later one.
      this.#traffic = thinned(this.#traffic, (left, right) => ({
        timeNs: right.timeNs,
        bytes: left.bytes + right.bytes,
      }));
    }
    this.#traffic.push(sample);
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
    return { ...rest, memory: this.#memory, traffic: this.#traffic, markers: this.#markers };
  }
}

function thinned<T>(list: readonly T[], merge: (left: T, right: T) => T): T[] {
  const half: T[] = [];
  for (let index = 0; index < list.length; index += 2) {
    const left = list[index] as T;
    const right = list[index + 1];
    half.push(right === undefined ? left : merge(left, right));
  }
  return half;
}
