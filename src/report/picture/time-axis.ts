/**
 * A time axis for bursts and silence.
 *
 * A burst of a hundred frames takes 15 milliseconds of a run of 20 seconds: on a linear axis of a thousand pixels it is
 * less than one wide, and everything that needs explaining happens inside it. So the axis is stretched where things
 * happen. Events cut time into gaps; a gap of `d` gets a width of log2(1 + d / grain). Inside a gap time runs evenly.
 *
 *   d / grain      1     10    100   1,000   10,000   100,000
 *   width          1    3.5    6.7      10     13.3      16.6
 *
 * Order is kept, every event has its own place, and a silence of seconds is as wide as a dozen frames. The map is
 * monotone, so what is drawn at a place happened at that moment, and rates are taken over the true length of a stretch.
 */

/** Moments to places and back. */
export class TimeAxis {
  readonly #times: number[];
  readonly #places: number[];

  /**
   * `events`: moments in nanoseconds, in any order, at least one. `[left, right]`: where the first and the last come to
   * lie. `grainNs`: what counts as no time at all.
   */
  constructor(events: Iterable<number>, left: number, right: number, grainNs = 100_000) {
    this.#times = [...new Set(events)].sort((one, other) => one - other);
    if (this.#times.length === 0) this.#times.push(0);
    const widths = [0];
    for (let index = 1; index < this.#times.length; index += 1) {
      const gap = (this.#times[index] as number) - (this.#times[index - 1] as number);
      widths.push((widths[index - 1] as number) + Math.log2(1 + gap / grainNs));
    }
    const total = widths.at(-1) as number;
    this.#places = widths.map((width) => left + (total === 0 ? 0 : ((right - left) * width) / total));
  }

  /** Where a moment lies. Before the first event: `left`; after the last: `right`. */
  placeOf(timeNs: number): number {
    return interpolate(this.#times, this.#places, timeNs);
  }

  /** Which moment lies at a place. */
  timeAt(place: number): number {
    return interpolate(this.#places, this.#times, place);
  }
}

/** The value at `x` on the line through the points (xs[i], ys[i]), xs not decreasing. Constant outside. */
function interpolate(xs: readonly number[], ys: readonly number[], x: number): number {
  let low = 0;
  let high = xs.length - 1;
  if (x <= (xs[low] as number)) return ys[low] as number;
  if (x >= (xs[high] as number)) return ys[high] as number;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((xs[middle] as number) <= x) low = middle;
    else high = middle;
  }
  const left = xs[low] as number;
  const right = xs[high] as number;
  const share = right === left ? 0 : (x - left) / (right - left);
  return (ys[low] as number) + share * ((ys[high] as number) - (ys[low] as number));
}
