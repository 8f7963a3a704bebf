/**
 * What a campaign has seen of one driver: its situations and its states, in a form that is the same whatever order the
 * jobs end in.
 *
 * Situations are bits and merge by or. States are numbers; up to `EXACT_STATES` they are kept as they are, in order, beyond
 * it as a HyperLogLog sketch. A union only grows, so it passes the limit in every order or in none, and what the sketch
 * holds is decided by the set alone: two campaigns over the same jobs end with the same bytes.
 */
import { addState, estimateStates, mergeRegisters, REGISTERS } from "./hyperloglog.js";

/** States that are kept one by one: as many bytes as a sketch has. */
export const EXACT_STATES: number = REGISTERS / 8;

/** See the head of this file. Exactly one of `exact` and `registers` is not null. */
export interface Coverage {
  /** A bit for each situation (docs/fuzzing.md). */
  readonly situations: Uint8Array;
  /** Different state numbers in ascending order. */
  readonly exact: readonly number[] | null;
  /** A sketch, where there are more than `EXACT_STATES`. */
  readonly registers: Uint8Array | null;
}

/** The coverage of some state numbers. */
export function coverageOf(states: Iterable<number>, situations: Uint8Array): Coverage {
  const different = new Set(states);
  if (different.size <= EXACT_STATES) {
    return { situations, exact: [...different].sort((a, b) => a - b), registers: null };
  }
  const registers = new Uint8Array(REGISTERS);
  for (const state of different) addState(registers, state);
  return { situations, exact: null, registers };
}

/** What either has seen. Neither is changed. */
export function mergeCoverage(one: Coverage, other: Coverage): Coverage {
  const situations = new Uint8Array(Math.max(one.situations.length, other.situations.length));
  for (let at = 0; at < situations.length; at++) {
    situations[at] = (one.situations[at] ?? 0) | (other.situations[at] ?? 0);
  }
  if (one.exact !== null && other.exact !== null) return coverageOf([...one.exact, ...other.exact], situations);
  const registers = new Uint8Array(REGISTERS);
  for (const { exact, registers: sketch } of [one, other]) {
    if (sketch !== null) mergeRegisters(registers, sketch);
    for (const state of exact ?? []) addState(registers, state);
  }
  return { situations, exact: null, registers };
}

/** How many different states: exact, or the estimate of the sketch. */
export function countStates(coverage: Coverage): { readonly states: number; readonly exact: boolean } {
  if (coverage.registers !== null) return { states: estimateStates(coverage.registers), exact: false };
  return { states: coverage.exact?.length ?? 0, exact: true };
}

/** How many different situations. */
export function countSituations(coverage: Coverage): number {
  let count = 0;
  for (let byte of coverage.situations) for (; byte !== 0; byte &= byte - 1) count++;
  return count;
}

/** State numbers as bytes for a column: 8 each, little-endian doubles, which hold every one exactly. */
export function encodeStates(states: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(states.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, state] of states.entries()) view.setFloat64(index * 8, state, true);
  return bytes;
}

/** The reverse of `encodeStates`. */
export function decodeStates(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length >>> 3 }, (_, index) => view.getFloat64(index * 8, true));
}
