/**
 * Space: how much memory a subject needs for a sequence that a real program made.
 *
 *     payload         bytes asked for and live
 *     held            bytes of the frames that hold them (for subjects with frames)
 *     reach           from the lowest to the highest byte of any block so far
 *     least arena     the smallest arena in which no allocation fails, found by halving
 *
 * That a larger arena never fails where a smaller one succeeds is not certain for any allocator, so the least arena is
 * the end of one search, not a proof.
 */
import { Core, type VirtualAddress } from "../../bindings/core/index.js";
import { failuresIn } from "../replay/index.js";
import { openReplayer, type Subject, subjectNamed } from "../subjects/index.js";
import { FREE, makeWorkload, SLOT, type Workload, type WorkloadSource } from "../workloads/index.js";

export interface SpaceTask {
  readonly subject: string;
  readonly workload: WorkloadSource;
  /** How near the least arena is looked for: a share of it. */
  readonly tolerance: number;
}

/** What a subject needs for a recording. */
export interface Space {
  readonly workload: string;
  readonly subject: string;
  readonly peakPayloadBytes: number;
  /** Most bytes of whole frames that the payload could do with: every block rounded up to frames, nothing more. */
  readonly peakRoundedBytes: number;
  /** Most bytes of frames held; absent for a subject that has no frames to count. */
  readonly peakHeldBytes?: number;
  /** Absent where the subject never got through. */
  readonly leastArenaBytes?: number;
  /** Over the recording, evenly: operations done, payload, bytes of frames held or 0, reach. */
  readonly curve: readonly (readonly [number, number, number, number])[];
}

const CURVE_POINTS = 240;
const ZONE_BASE = 2 ** 32;
const MOST_ARENA = 2 ** 31;

/** Payload and rounded payload at their highest, whoever allocates. */
function peaks({ ops, end, slots, frameSize }: Workload): { readonly payload: number; readonly rounded: number } {
  const held = new Uint32Array(slots);
  let bytes = 0;
  let frames = 0;
  let payload = 0;
  let rounded = 0;
  for (let i = 0; i < end; i += 1) {
    const word = ops[2 * i] as number;
    const slot = word & SLOT;
    bytes += (ops[2 * i + 1] as number) - (held[slot] as number);
    frames += Math.ceil((ops[2 * i + 1] as number) / frameSize) - Math.ceil((held[slot] as number) / frameSize);
    held[slot] = (word & FREE) !== 0 ? 0 : (ops[2 * i + 1] as number);
    payload = Math.max(payload, bytes);
    rounded = Math.max(rounded, frames * frameSize);
  }
  return { payload, rounded };
}

/** Does the workload run without a failure in an arena of so many bytes? */
function fits(subject: Subject, workload: Workload, arenaBytes: number): boolean {
  const held = { ...workload, arenaBytes };
  const replayer = subject.openStrict?.(held) ?? openReplayer(subject, subject.openInside ? "wasm" : "js", held);
  if (replayer === undefined) throw new Error(`${subject.name} cannot be opened`);
  return failuresIn(replayer, held) === 0;
}

/** The least arena, a multiple of the frame. */
export function leastArena(subject: Subject, workload: Workload, tolerance: number): number | undefined {
  const { frameSize } = workload;
  const { payload } = peaks(workload);
  let low = Math.max(0, Math.floor(payload / frameSize) - 1); // too little, or as good as
  let high = Math.ceil(payload / frameSize);
  while (!fits(subject, workload, high * frameSize)) {
    low = high;
    high = Math.ceil(high * 1.25);
    if (high * frameSize > MOST_ARENA) return undefined;
  }
  while (high - low > Math.max(1, tolerance * high)) {
    const middle = Math.ceil((low + high) / 2);
    if (middle === high) break;
    if (fits(subject, workload, middle * frameSize)) high = middle;
    else low = middle;
  }
  return high * frameSize;
}

type Point = readonly [number, number, number, number];

interface Course {
  readonly curve: readonly Point[];
  readonly peakHeldBytes?: number;
}

/** Replay across the boundary in an ample arena, and look at the memory now and then. */
function course(subject: Subject, workload: Workload): Course {
  const { ops, end, slots } = workload;
  const core =
    subject.name === "ndis-shmem"
      ? Core.openSync({
          zones: [{ base: ZONE_BASE, size: workload.arenaBytes }],
          frameSize: workload.frameSize,
          arena: null,
        })
      : undefined;
  const allocator = core ?? subject.openAcross?.(workload);
  if (allocator === undefined) return { curve: [] };
  const at = new Float64Array(slots);
  const held = new Uint32Array(slots);
  const step = Math.max(1, Math.floor(end / CURVE_POINTS));
  const curve: Point[] = [];
  let lowest = Number.POSITIVE_INFINITY;
  let highest = 0;
  let payload = 0;
  for (let i = 0; i < end; i += 1) {
    const word = ops[2 * i] as number;
    const slot = word & SLOT;
    if ((word & FREE) !== 0) {
      const address = at[slot] as number;
      if (address !== 0) allocator.free(address as VirtualAddress, held[slot] as number);
      payload -= held[slot] as number;
      held[slot] = 0;
      at[slot] = 0;
    } else {
      const bytes = ops[2 * i + 1] as number;
      const address = allocator.allocate(bytes);
      at[slot] = address;
      if (address === 0) continue;
      held[slot] = bytes;
      payload += bytes;
      lowest = Math.min(lowest, address);
      highest = Math.max(highest, address + bytes);
    }
    if (i % step === 0) curve.push([i + 1, payload, core?.stats().liveBytes ?? 0, Math.max(0, highest - lowest)]);
  }
  const peakHeldBytes = core?.stats().peakLiveBytes;
  return { curve, ...(peakHeldBytes !== undefined && { peakHeldBytes }) };
}

/** The task `space`. */
export async function measureSpace({ subject, workload, tolerance }: SpaceTask): Promise<Space> {
  const made = makeWorkload(workload);
  const chosen = await subjectNamed(subject);
  const { payload, rounded } = peaks(made);
  const least = leastArena(chosen, made, tolerance);
  return {
    workload: made.name,
    subject: chosen.name,
    peakPayloadBytes: payload,
    peakRoundedBytes: rounded,
    ...course(chosen, made),
    ...(least !== undefined && { leastArenaBytes: least }),
  };
}
