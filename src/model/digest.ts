/**
 * The digest: 64 bits over a sequence of 32-bit words.
 *
 * Two lanes take every word, the second mixed with the first, and murmur3's finalizer closes each. Word for word what
 * the core computes, so that a core and its judge agree bit for bit on the same logical state.
 */
import { HighPart, LowPart } from "../../bindings/index.js";

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function finalize(word: number): number {
  let hash = word;
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function hex8(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}

/** Words in, 16 hex digits out. */
export class DigestWords {
  #a = 0x243f6a88;
  #b = 0x85a308d3;

  /** One word, 0 to 2^32 - 1. */
  word(value: number): this {
    const word = value >>> 0;
    this.#a = Math.imul(rotateLeft(this.#a ^ word, 13), 0x9e3779b1) >>> 0;
    this.#b = Math.imul(rotateLeft(((this.#b + word) >>> 0) ^ this.#a, 15), 0x85ebca77) >>> 0;
    return this;
  }

  /** An address or a size: the low word, then the high one. */
  pair(value: number): this {
    return this.word(LowPart(value)).word(HighPart(value));
  }

  /** 16 lower-case hex digits over all words so far. */
  text(): string {
    const first = finalize(this.#a);
    return hex8(first) + hex8(finalize((this.#b ^ first) >>> 0));
  }
}
