/**
 * What lies outside the windows: scattered blocks and foreign ranges, in ascending virtual order.
 *
 * A mapping is a virtual stretch and the physical runs that appear in it one after the other. Every question is
 * answered by walking the list.
 */
import type { JudgeBlock } from "./block.js";

/** Physical bytes. */
export interface Run {
  readonly physical: number;
  readonly lengthBytes: number;
}

/** A virtual stretch outside the windows. `bytes` is what translates; a scattered block's own length may be less. */
export interface Mapping {
  readonly virtual: number;
  readonly bytes: number;
  readonly runs: readonly Run[];
  /** Undefined for a foreign range. */
  readonly block: JudgeBlock | undefined;
}

/** Runs with neighbours that touch physically made one. */
export function joined(runs: readonly Run[]): Run[] {
  const result: Run[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    if (last !== undefined && last.physical + last.lengthBytes === run.physical)
      result[result.length - 1] = { physical: last.physical, lengthBytes: last.lengthBytes + run.lengthBytes };
    else result.push({ physical: run.physical, lengthBytes: run.lengthBytes });
  }
  return result;
}

/** True when two stretches of bytes share one. */
export function meet(one: number, oneBytes: number, two: number, twoBytes: number): boolean {
  return one < two + twoBytes && two < one + oneBytes;
}

/** Mappings in ascending virtual order; none meets another. */
export class Mappings {
  readonly all: Mapping[] = [];

  add(mapping: Mapping): void {
    const behind = this.all.findIndex((other) => other.virtual > mapping.virtual);
    this.all.splice(behind < 0 ? this.all.length : behind, 0, mapping);
  }

  remove(mapping: Mapping): void {
    const at = this.all.indexOf(mapping);
    if (at < 0) throw new Error("the mapping is not in the list");
    this.all.splice(at, 1);
  }

  /** The mapping that holds a virtual byte. */
  at(address: number): Mapping | undefined {
    return this.all.find((mapping) => address >= mapping.virtual && address < mapping.virtual + mapping.bytes);
  }

  /** The first mapping that meets a virtual stretch. */
  meeting(virtual: number, bytes: number): Mapping | undefined {
    return this.all.find((mapping) => meet(virtual, bytes, mapping.virtual, mapping.bytes));
  }

  /** The first mapping one of whose runs meets a physical stretch. */
  meetingPhysical(physical: number, bytes: number): Mapping | undefined {
    return this.all.find((mapping) => mapping.runs.some((run) => meet(physical, bytes, run.physical, run.lengthBytes)));
  }

  /**
   * The least multiple of `frameSize` at or above `base` from which `bytes` are free of mappings with at least one
   * unmapped frame to each neighbour; undefined when none lies below `limit`.
   */
  gap(base: number, bytes: number, frameSize: number, limit: number): number | undefined {
    let at = base;
    for (const mapping of this.all) {
      if (mapping.virtual + mapping.bytes + frameSize <= at) continue;
      if (at + bytes + frameSize <= mapping.virtual) break;
      at = Math.ceil((mapping.virtual + mapping.bytes + frameSize) / frameSize) * frameSize;
      if (at < base) at = base;
    }
    return at + bytes <= limit ? at : undefined;
  }
}

/** The physical byte at `offset` into a list of runs, and how many bytes of its run follow from there on. */
export function physicalAt(runs: readonly Run[], offset: number): Run {
  let rest = offset;
  for (const run of runs) {
    if (rest < run.lengthBytes) return { physical: run.physical + rest, lengthBytes: run.lengthBytes - rest };
    rest -= run.lengthBytes;
  }
  throw new RangeError(`offset ${offset} lies behind the last run`);
}

/** The offset of a physical byte in a list of runs and how many bytes of its run follow, undefined when in none. */
export function offsetOf(
  runs: readonly Run[],
  physical: number,
): { readonly offset: number; readonly lengthBytes: number } | undefined {
  let before = 0;
  for (const run of runs) {
    const into = physical - run.physical;
    if (into >= 0 && into < run.lengthBytes) return { offset: before + into, lengthBytes: run.lengthBytes - into };
    before += run.lengthBytes;
  }
  return undefined;
}
