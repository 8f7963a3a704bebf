/** Crossing: what a call from JavaScript into Wasm costs when nothing is done there. The floor of every `js` row. */
import { instantiateSubject } from "../subjects/index.js";
import { type Probe, probe } from "../timing/index.js";

type Empty = {
  allocate(bytes: number): number;
  free(address: number, bytes: number): number;
};

const CALLS = 200_000;

function empty(): Empty {
  return instantiateSubject<Empty>("loop");
}

function loopAlone(count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i += 1) sum = (sum + i) | 0;
  return sum;
}

function oneArgument(call: Empty["allocate"]): (count: number) => number {
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i += 1) sum = (sum + call(i)) | 0;
    return sum;
  };
}

function twoArguments(call: Empty["free"]): (count: number) => number {
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i += 1) sum = (sum + call(i, 64)) | 0;
    return sum;
  };
}

/** One call site that sees two instances by turns. */
function twoInstances(calls: readonly [Empty["allocate"], Empty["allocate"]]): (count: number) => number {
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i += 1) sum = (sum + (calls[i & 1] as Empty["allocate"])(i)) | 0;
    return sum;
  };
}

const VARIANTS: Readonly<Record<string, () => (count: number) => number>> = {
  "loop alone": () => loopAlone,
  "1 argument": () => oneArgument(empty().allocate),
  "2 arguments": () => twoArguments(empty().free),
  "2 instances": () => twoInstances([empty().allocate, empty().allocate]),
};

/** What can be measured; each wants a process of its own. */
export const CROSSINGS: readonly string[] = Object.keys(VARIANTS);

/** The task `crossing`. */
export function measureCrossing({ variant, rounds }: { readonly variant: string; readonly rounds: number }): Probe {
  const make = VARIANTS[variant];
  if (make === undefined) throw new Error(`there is no crossing ${variant}`);
  return probe("crossing", variant, CALLS, rounds, make());
}
