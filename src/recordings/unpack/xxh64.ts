/**
 * XXH64 with seed 0, as zstd frames are checked with (the specification of xxHash).
 *
 * 64-bit words are kept as two 32-bit halves: a BigInt for each word would cost thirty times as much.
 */

/** The five primes of the specification, high and low half. */
const P1 = [0x9e3779b1, 0x85ebca87] as const;
const P2 = [0xc2b2ae3d, 0x27d4eb4f] as const;
const P3 = [0x165667b1, 0x9e3779f9] as const;
const P4 = [0x85ebca77, 0xc2b2ae63] as const;
const P5 = [0x27d4eb2f, 0x165667c5] as const;

const STRIPE = 32;

/** Results of `multiply` and of the other arithmetic: the high half is left here, the low half returned. */
let high = 0;

function multiply(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  const a0 = aLow & 0xffff;
  const a1 = aLow >>> 16;
  const b0 = bLow & 0xffff;
  const b1 = bLow >>> 16;
  const p00 = Math.imul(a0, b0) >>> 0;
  const p01 = Math.imul(a0, b1) >>> 0;
  const p10 = Math.imul(a1, b0) >>> 0;
  const p11 = Math.imul(a1, b1) >>> 0;
  const middle = (p00 >>> 16) + (p01 & 0xffff) + (p10 & 0xffff);
  high = (p11 + (p01 >>> 16) + (p10 >>> 16) + (middle >>> 16) + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) >>> 0;
  return ((middle << 16) | (p00 & 0xffff)) >>> 0;
}

function add(aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  const low = aLow + bLow;
  high = (aHigh + bHigh + (low > 0xffffffff ? 1 : 0)) >>> 0;
  return low >>> 0;
}

function rotate(aHigh: number, aLow: number, by: number): number {
  if (by >= 32) return rotate(aLow, aHigh, by - 32);
  if (by === 0) {
    high = aHigh;
    return aLow;
  }
  high = ((aHigh << by) | (aLow >>> (32 - by))) >>> 0;
  return ((aLow << by) | (aHigh >>> (32 - by))) >>> 0;
}

/** A running hash. */
export class Xxh64 {
  /** Four lanes, high and low half each. */
  readonly #lanes: Uint32Array;
  readonly #rest = new Uint8Array(STRIPE);
  #held = 0;
  #length = 0;

  constructor() {
    let low = add(P1[0], P1[1], P2[0], P2[1]);
    const first = [high, low];
    low = add(0, 0, ~P1[0] >>> 0, (~P1[1] + 1) >>> 0);
    this.#lanes = Uint32Array.of(...first, P2[0], P2[1], 0, 0, high, low);
  }

  update(bytes: Uint8Array): void {
    let at = 0;
    this.#length += bytes.length;
    if (this.#held > 0) {
      at = Math.min(STRIPE - this.#held, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#held);
      this.#held += at;
      if (this.#held < STRIPE) return;
      this.#stripe(this.#rest, 0);
      this.#held = 0;
    }
    for (; at + STRIPE <= bytes.length; at += STRIPE) this.#stripe(bytes, at);
    this.#rest.set(bytes.subarray(at));
    this.#held = bytes.length - at;
  }

  #stripe(bytes: Uint8Array, from: number): void {
    const lanes = this.#lanes;
    for (let lane = 0; lane < 8; lane += 2) {
      const low = round(
        lanes[lane] as number,
        lanes[lane + 1] as number,
        word(bytes, from + 4 * lane + 4),
        word(bytes, from + 4 * lane),
      );
      lanes[lane] = high;
      lanes[lane + 1] = low;
    }
  }

  /** High and low half of the hash of all bytes so far. */
  digest(): readonly [high: number, low: number] {
    const lanes = this.#lanes;
    let h = 0;
    let l = 0;
    if (this.#length >= STRIPE) {
      for (const [lane, by] of [1, 7, 12, 18].entries()) {
        const low = rotate(lanes[2 * lane] as number, lanes[2 * lane + 1] as number, by);
        l = add(h, l, high, low);
        h = high;
      }
      for (let lane = 0; lane < 4; lane++) {
        const low = round(0, 0, lanes[2 * lane] as number, lanes[2 * lane + 1] as number);
        l = multiply(h ^ high, l ^ low, P1[0], P1[1]);
        l = add(high, l, P4[0], P4[1]);
        h = high;
      }
    } else [h, l] = P5;
    l = add(h, l, Math.floor(this.#length / 2 ** 32), this.#length >>> 0);
    h = high;
    let at = 0;
    for (; at + 8 <= this.#held; at += 8) {
      const low = round(0, 0, word(this.#rest, at + 4), word(this.#rest, at));
      l = rotate(h ^ high, l ^ low, 27);
      l = multiply(high, l, P1[0], P1[1]);
      l = add(high, l, P4[0], P4[1]);
      h = high;
    }
    if (at + 4 <= this.#held) {
      const low = multiply(0, word(this.#rest, at), P1[0], P1[1]);
      l = rotate(h ^ high, l ^ low, 23);
      l = multiply(high, l, P2[0], P2[1]);
      l = add(high, l, P3[0], P3[1]);
      h = high;
      at += 4;
    }
    for (; at < this.#held; at++) {
      const low = multiply(0, this.#rest[at] as number, P5[0], P5[1]);
      l = rotate(h ^ high, l ^ low, 11);
      l = multiply(high, l, P1[0], P1[1]);
      h = high;
    }
    // Shifts to the right by 33, 29 and 32 bits.
    l = (l ^ (h >>> 1)) >>> 0;
    l = multiply(h, l, P2[0], P2[1]);
    h = high;
    l = (l ^ ((l >>> 29) | (h << 3))) >>> 0;
    h = (h ^ (h >>> 29)) >>> 0;
    l = multiply(h, l, P3[0], P3[1]);
    h = high;
    return [h, (l ^ h) >>> 0];
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

/** acc + input * P2, rotated by 31, times P1. */
function round(accHigh: number, accLow: number, inHigh: number, inLow: number): number {
  let low = multiply(inHigh, inLow, P2[0], P2[1]);
  low = add(accHigh, accLow, high, low);
  low = rotate(high, low, 31);
  return multiply(high, low, P1[0], P1[1]);
}
