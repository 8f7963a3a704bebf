/**
 * Prng: a seeded generator of integers (sfc32), the same on every engine. The machine, its faults and `run --soak` draw from it.
 *
 * Chris Doty-Humphrey's small fast counter generator (PractRand), 128 bits of state with a counter, so no seed falls into
 * a short cycle. Separate streams of one seed are made with `stream`, so that drawing more in one place moves nothing
 * elsewhere.
 */

export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  /** `seed`: an integer, 0 to 2^53 - 1. `stream`: which of its independent streams. */
  constructor(seed: number, stream = 0) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    this.#c = (stream ^ 0x9e3779b9) >>> 0;
    this.#counter = 1;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** An integer from 0 to 2^32 - 1. */
  next(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + result;
    this.#c |= 0;
    return result >>> 0;
  }

  /** An integer from 0 to `bound` - 1, each as likely. `bound`: 1 to 2^32. */
  below(bound: number): number {
    // Draws in the incomplete last stretch are thrown away, or small results would be likelier.
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let draw = this.next();
    while (draw >= limit) draw = this.next();
    return draw % bound;
  }

  /** An integer from `low` to `high`, both included; at most 2^32 apart. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with probability `p`, 0 to 1, in steps of 2^-32. */
  chance(p: number): boolean {
    return this.next() < p * 2 ** 32;
  }
}
