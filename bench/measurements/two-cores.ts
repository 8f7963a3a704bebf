/**
 * Two cores: does a second core in the same process make the first one slower?
 *
 * A call site that sees two Wasm instances costs several nanoseconds more, so a library that calls its exports through
 * one shared site would be slow as soon as a program opens two cores. Calls alternate between the cores here, operation
 * by operation; with one core the same loop plays both parts.
 */
import { Core, type VirtualAddress } from "../../bindings/core/index.js";
import { type Probe, probe } from "../timing/index.js";
import { FREE, MIB, SLOT, workload } from "../workloads/index.js";

export const CORES: readonly number[] = [1, 2];

const ZONE_BASE = 2 ** 32;

function open(): Core {
  return Core.openSync({ zones: [{ base: ZONE_BASE, size: 64 * MIB }], frameSize: 64, arena: null });
}

/** The task `two-cores`: the nic workload on `cores` cores, two operations at a time. */
export function measureCores({ cores, rounds }: { readonly cores: number; readonly rounds: number }): Probe {
  const { ops, total, slots } = workload("nic", { steps: 5000 });
  const first = open();
  const second = cores === 2 ? open() : first;
  const sides = [first, second].map((core) => ({ core, at: new Float64Array(slots), bytes: new Uint32Array(slots) }));
  const one = (side: (typeof sides)[0], i: number): number => {
    const word = ops[2 * i] as number;
    const slot = word & SLOT;
    if ((word & FREE) !== 0) {
      side.core.free(side.at[slot] as VirtualAddress, side.bytes[slot] as number);
      return 0;
    }
    const length = ops[2 * i + 1] as number;
    side.bytes[slot] = length;
    const address = side.core.allocate(length);
    side.at[slot] = address;
    return address;
  };
  const [left, right] = sides as [(typeof sides)[0], (typeof sides)[0]];
  const play = (from: number, to: number): number => {
    let sum = 0;
    for (let i = from; i < to; i += 1) {
      sum += one(left, i);
      sum += one(right, i);
    }
    return sum;
  };
  const subject = cores === 1 ? "one core" : "two cores";
  return probe("two-cores", subject, 2 * total, rounds, () => play(0, total));
}
