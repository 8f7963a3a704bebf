/** Spreads: what is told of many samples of one thing. */

/** The ends and the middle. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** The same with the ends of the middle half. */
export interface Quartiles extends Spread {
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
}

/** The middle of some numbers; the lower of two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1] ?? Number.NaN;
}

/** The middle, the quarters and the ends of some samples. */
export function spreadOf(values: readonly number[]): Quartiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
  return { min: at(0), lowerQuartile: at(0.25), median: median(values), upperQuartile: at(0.75), max: at(1) };
}
