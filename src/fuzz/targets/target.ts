/**
 * Targets: what bytes can be played on, by name.
 *
 * A target takes any byte string and says what was wrong with what it fuzzes, or nothing. Each brings a canary: the same
 * target with a bug planted in what it fuzzes, which must be found, or the target hears nothing.
 */
import { Prng } from "../../machine/index.js";
import { findingOf } from "../sequences/subject-fault.js";

/** What a play of bytes found. */
export interface TargetFinding {
  /** Where in the input: an operation, a byte, a step. */
  readonly step: number;
  readonly message: string;
}

/** A played input: nothing, or what was wrong, now or (where the machine has to wait) later. */
export type Played = TargetFinding | undefined | Promise<TargetFinding | undefined>;

/** One thing to fuzz. Keeps what it opened, so that a play costs what its input does. */
export interface FuzzTarget {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  /** The longest input that a generator should make, bytes. */
  readonly maxBytes: number;
  /** Bytes that are removed and added together; 1 where there is no structure. */
  readonly unitBytes: number;
  /** Play an input; `tell` gets a line for each operation. */
  play(bytes: Uint8Array, log?: (line: string) => void): Played;
  /** Operations played so far, in the target's own sense. */
  readonly operations: number;
}

/** A target and its canary, not opened yet. */
export interface TargetEntry {
  readonly name: string;
  readonly summary: string;
  open(): FuzzTarget;
  /** The target with a bug planted, and what the bug is. */
  readonly canary: { readonly bug: string; open(): FuzzTarget };
}

/** How long to play. Either limit ends it. */
export interface PlayLimits {
  readonly runs: number;
  /** Asked after each run; false ends it. */
  readonly goOn?: () => boolean | Promise<boolean>;
}

/** What a target came to. */
export interface TargetResult {
  readonly target: string;
  readonly seed: number;
  readonly runs: number;
  readonly operations: number;
  readonly finding: (TargetFinding & { readonly run: number; readonly input: Uint8Array }) | null;
}

/** Bytes of which numbers at the ends of ranges are made: 4095, 16383, 65535, 0, 1. */
const EDGES: readonly number[] = [0, 1, 0x0f, 0x3f, 0x7f, 0xff];

/** Input number `run` of a seed: its own generator, so that one run can be repeated without those before it. */
export function inputOf(seed: number, run: number, target: FuzzTarget): Uint8Array {
  const draw = new Prng(seed, run);
  const units = Math.floor(target.maxBytes / target.unitBytes);
  // Short inputs find most and cost least; long ones reach what only a full zone shows.
  const length = draw.below(4) === 0 ? draw.below(units + 1) : draw.below(Math.min(units, 64) + 1);
  const bytes = new Uint8Array(1 + length * target.unitBytes);
  // Swarm: a few values stand in for all others at some positions of a unit, so that whole kinds are missing in a run.
  const palette = draw.below(3) === 0 ? Uint8Array.from({ length: 1 + draw.below(6) }, () => draw.below(256)) : null;
  const edges = draw.below(3) === 0;
  // Echoes: what a unit says is said again by later ones of any kind, because caches wait for the same size twice.
  const echoes = target.unitBytes > 1 && draw.below(2) === 0;
  for (let at = 0; at < bytes.length; at++) {
    const first = (at - 1) % target.unitBytes === 0;
    if (echoes && at > target.unitBytes && !first && (at - 1) % target.unitBytes === 1 && draw.below(2) === 0) {
      const earlier = draw.below((at - 2) / target.unitBytes) * target.unitBytes + 2;
      bytes.copyWithin(at, earlier, earlier + target.unitBytes - 1);
      at += target.unitBytes - 2;
      continue;
    }
    // The first byte says where an input is played, and most is to be seen in the place of number 0.
    if (at === 0 && target.unitBytes > 1 && draw.below(3) === 0) continue;
    if (palette !== null && first) bytes[at] = palette[draw.below(palette.length)] as number;
    else if (edges && !first && draw.below(2) === 0) bytes[at] = EDGES[draw.below(EDGES.length)] as number;
    else bytes[at] = draw.below(256);
  }
  return bytes;
}

/**
 * Play an input. What the subject throws, a trap of the core say, is a finding like any other; an error of the harness is
 * thrown on, because it says nothing about the subject.
 */
export function playContained(target: FuzzTarget, bytes: Uint8Array, log?: (line: string) => void): Played {
  try {
    const played = target.play(bytes, log);
    return played instanceof Promise ? played.catch((error: unknown) => findingOf(error, 0)) : played;
  } catch (error) {
    return findingOf(error, 0);
  }
}

/** Play inputs of a seed until a limit, or until something is wrong; then the input is shrunk. */
export async function playTarget(target: FuzzTarget, seed: number, limits: PlayLimits): Promise<TargetResult> {
  const began = target.operations;
  const result = (runs: number, finding: TargetResult["finding"]): TargetResult => ({
    target: target.name,
    seed,
    runs,
    operations: target.operations - began,
    finding,
  });
  for (let run = 0; run < limits.runs; run++) {
    const input = inputOf(seed, run, target);
    const played = playContained(target, input);
    const found = played instanceof Promise ? await played : played;
    if (found !== undefined) {
      const small = await shrinkInput(target, input);
      const again = (await playContained(target, small)) ?? found;
      return result(run + 1, { ...again, run, input: small });
    }
    const goesOn = limits.goOn?.() ?? true;
    if (!(typeof goesOn === "boolean" ? goesOn : await goesOn)) return result(run + 1, null);
  }
  return result(limits.runs, null);
}

/** The shortest input that is still wrong: units are cut out, halves first, then bytes lowered, until neither helps. */
export async function shrinkInput(target: FuzzTarget, input: Uint8Array, tries = 6000): Promise<Uint8Array> {
  let best = input;
  let left = tries;
  const fails = async (bytes: Uint8Array): Promise<boolean> => {
    left--;
    return left > 0 && (await playContained(target, bytes)) !== undefined;
  };
  const unit = target.unitBytes;
  for (let before: Uint8Array = new Uint8Array(0); !sameBytes(before, best) && left > 0; ) {
    before = best;
    for (let size = Math.floor((best.length - 1) / unit); size >= 1; size = size > 1 ? Math.floor(size / 2) : 0) {
      for (let from = 1; from + size * unit <= best.length && left > 0; ) {
        const shorter = new Uint8Array(best.length - size * unit);
        shorter.set(best.subarray(0, from));
        shorter.set(best.subarray(from + size * unit), from);
        if (await fails(shorter)) best = shorter;
        else from += size * unit;
      }
    }
    for (let at = 0; at < best.length && left > 0; at++) {
      // The least value that still fails, by halving; where failing is not monotonous, some lower one.
      let passes = -1;
      while (passes + 1 < (best[at] as number) && left > 0) {
        const value = passes < 0 ? 0 : (passes + (best[at] as number)) >> 1;
        const lower = best.slice();
        lower[at] = value;
        if (await fails(lower)) best = lower;
        else passes = value;
      }
    }
  }
  return best;
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
