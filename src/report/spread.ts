/** Spread: many durations in four numbers. */

/** Smallest, middle, 99th percentile and largest, in nanoseconds. */
export interface Spread {
  readonly minNs: number;
  readonly medianNs: number;
  readonly p99Ns: number;
  readonly maxNs: number;
}

/** The spread of some durations, or null of none. Does not change the array. */
export function spreadOf(durationsNs: readonly number[]): Spread | null {
  if (durationsNs.length === 0) return null;
  const sorted = [...durationsNs].sort((left, right) => left - right);
  const at = (numerator: number, denominator: number): number =>
    sorted[Math.max(0, Math.ceil((sorted.length * numerator) / denominator) - 1)] ?? 0;
  return { minNs: at(0, 1), medianNs: at(1, 2), p99Ns: at(99, 100), maxNs: at(1, 1) };
}

/**
 * Durations as they come, in bounded memory. Up to `limit` each is kept; beyond, every second one is given up, then three of
 * four, and so on, so that those kept stay evenly spread over the run. The smallest and the largest are always exact.
 */
export class SpreadRecorder {
  readonly #limit: number;
  #kept: number[] = [];
  /** One of so many is kept. */
  #stride = 1;
  #count = 0;
  #least = Number.POSITIVE_INFINITY;
  #most = 0;

  /** `limit`: how many are kept, at least 2. Default 65,536. */
  constructor(limit = 65_536) {
    this.#limit = Math.max(2, limit);
  }

  add(ns: number): void {
    if (ns < this.#least) this.#least = ns;
    if (ns > this.#most) this.#most = ns;
    if (this.#count % this.#stride === 0) {
      if (this.#kept.length >= this.#limit) {
        this.#kept = this.#kept.filter((_, at) => at % 2 === 0);
        this.#stride *= 2;
      }
      if (this.#count % this.#stride === 0) this.#kept.push(ns);
    }
    this.#count += 1;
  }

  /** The spread so far; null of none. */
  spread(): Spread | null {
    const spread = spreadOf(this.#kept);
    return spread === null ? null : { ...spread, minNs: this.#least, maxNs: this.#most };
  }
}
