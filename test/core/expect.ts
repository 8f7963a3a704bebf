/**
 * Expectations that the core's tests share.
 */
import * as assert from "uvu/assert";
import { type CoreApi, type CoreOptions, type ErrorCode, isAddress, ShmemError } from "../../bindings/index.js";

export const FRAME = 4096;
export const MIB: number = 2 ** 20;
export const GIB: number = 2 ** 30;

/** One zone of 64 frames of 4 KiB at 1 MiB. */
export const SMALL: CoreOptions = { zones: [{ base: MIB, size: 64 * FRAME }], arena: null };

/** `call` refuses with `code`. Answers the error. */
export function refuses(call: () => unknown, code: ErrorCode, context = ""): ShmemError {
  let returned: unknown;
  try {
    returned = call();
  } catch (error) {
    if (!(error instanceof ShmemError)) throw error;
    assert.is(error.code, code, `${context} ${error.message}`);
    assert.ok(error.message.startsWith(`${code}: `), error.message);
    return error;
  }
  throw new Error(`${context} should be refused with ${code}, returned ${String(returned)}`);
}

/** `call` refuses with `code` and both digests, the stats and `lastFailure` are as before: *untouched* (misuse L06). */
export function untouched(core: CoreApi, call: () => unknown, code: ErrorCode, context = ""): ShmemError {
  const before = [core.digest(), core.imageDigest(), core.stats(), core.lastFailure];
  const error = refuses(call, code, context);
  assert.equal(
    [core.digest(), core.imageDigest(), core.stats(), core.lastFailure],
    before,
    `${context} ${code} left a trace`,
  );
  return error;
}

/** The core's own walk finds nothing. */
export function sound(core: CoreApi): void {
  assert.equal(core.verify(), []);
}

/** Allocate, and fail when out of memory. */
export function take(core: CoreApi, ...args: Parameters<CoreApi["allocate"]>): ReturnType<CoreApi["allocate"]> {
  const address = core.allocate(...args);
  assert.ok(isAddress(address), `an address, not ${address}`);
  assert.is.not(address, 0, `out of memory: ${JSON.stringify(core.lastFailure)}`);
  return address;
}

/** Call with arguments that the types forbid. */
export function loosely(core: CoreApi, method: keyof CoreApi, ...args: readonly unknown[]): unknown {
  return (core[method] as (...list: unknown[]) => unknown).call(core, ...args);
}

/** A seeded generator of integers below `limit`: xorshift32, the same on every engine. */
export function generator(seed: number): (limit: number) => number {
  let state = seed >>> 0 || 0x9e3779b9;
  return (limit) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Fisher and Yates. */
export function shuffled<T>(list: readonly T[], below: (limit: number) => number): T[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = below(i + 1);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

/**
 * Frames between two starts that a block of so many may have, without constraints: the largest power of two that divides
 * them, at most a group of 64 frames; a larger block starts at a group.
 */
export function naturalStep(frames: number): number {
  if (frames >= 64) return 64;
  let step = 1;
  while (frames % (2 * step) === 0) step *= 2;
  return step;
}

/** May a block of so many frames start at a physical frame number? */
export function mayStart(first: number, frames: number): boolean {
  return first % naturalStep(frames) === 0 && (frames >= 64 || (first % 64) + frames <= 64);
}
