/**
 * What is legal for another implementation.
 *
 * A placement is legal when its frames are free and exactly as many as the length needs, when every constraint holds,
 * when no zone that should have been tried before could have served, and when the virtual address is where it must be.
 * A failure is legal when the judge finds no place either, and says the same reason and numbers.
 *
 * Verdicts are sentences: undefined means legal. Misuse L01 and L04.
 */
import type { Constraints, Failure } from "../../bindings/index.js";
import { meet, type Run } from "./mappings.js";
import {
  candidate,
  failureReason,
  framesOf,
  leavesGroup,
  type Piece,
  type Placement,
  place,
  stepOf,
  zonesInOrder,
} from "./placement.js";
import type { JudgeState } from "./state.js";

/** Why an answer is wrong, in one sentence; undefined when it is legal. */
export type Verdict = string | undefined;

/** Is it legal to serve `lengthBytes` at `address` with these runs? Changes nothing. */
export function judgePlacement(
  state: JudgeState,
  address: number,
  runs: readonly Run[],
  lengthBytes: number,
  constraints: Constraints,
): Placement | string {
  if (constraints.boundary < lengthBytes) return "the boundary is smaller than the length";
  const total = runs.reduce((sum, run) => sum + run.lengthBytes, 0);
  if (total !== lengthBytes) return `the runs cover ${total} bytes, ${lengthBytes} were asked for`;
  const pieces: Piece[] = [];
  for (const [i, run] of runs.entries()) {
    const piece = pieceOf(state, run, constraints, i === runs.length - 1);
    if (typeof piece === "string") return `run ${i}: ${piece}`;
    if (pieces.some((one) => one.zone === piece.zone && meet(one.start, one.count, piece.start, piece.count)))
      return `run ${i}: its frames are in an earlier run too`;
    pieces.push(piece);
  }
  const [first] = pieces;
  if (first === undefined) return "there are no runs";
  const window = state.inWindow(address);
  return window === undefined
    ? judgeScattered(state, address, pieces, lengthBytes, constraints)
    : judgeSingle(state, address, first, pieces.length, lengthBytes, constraints);
}

/** The frames of one run, when they are free and inside the constraints that hold for every piece. */
function pieceOf(state: JudgeState, run: Run, constraints: Constraints, last: boolean): Piece | string {
  const { frameSize } = state.plan;
  const place = state.inZone(run.physical);
  if (place === undefined) return `physical ${run.physical} is in no zone`;
  const { zone, frame } = place;
  const count = framesOf(run.lengthBytes, frameSize);
  if (run.physical % frameSize !== 0) return `physical ${run.physical} is not the start of a frame`;
  if (!last && run.lengthBytes % Math.max(frameSize, constraints.alignment) !== 0)
    return `its ${run.lengthBytes} bytes are no multiple of the frame and the alignment, and it is not the last`;
  if (frame + count > zone.frames) return "it spans zones";
  if (!zone.isFree(frame, count)) return `frames ${frame} to ${frame + count} are not all free`;
  if (run.physical % constraints.alignment !== 0)
    return `physical ${run.physical} misses alignment ${constraints.alignment}`;
  const lastByte = run.physical + count * frameSize - 1;
  if (lastByte > constraints.highest) return `its last byte ${lastByte} is above ${constraints.highest}`;
  if (constraints.node >= 0 && zone.node !== constraints.node) return `node ${zone.node} is not ${constraints.node}`;
  return { zone, start: frame, count };
}

function judgeSingle(
  state: JudgeState,
  address: number,
  piece: Piece,
  pieces: number,
  lengthBytes: number,
  constraints: Constraints,
): Placement | string {
  const { zone, start, count } = piece;
  const { frameSize } = state.plan;
  if (pieces !== 1) return "a block in a window is one run";
  if (address !== zone.window + start * frameSize) return `virtual ${address} is not where frame ${start} is seen`;
  const step = stepOf(count, constraints, frameSize);
  const physicalFrame = zone.base / frameSize + start;
  if (physicalFrame % step !== 0) return `physical frame ${physicalFrame} is no multiple of ${step}`;
  if (leavesGroup(physicalFrame, count)) return `frames ${physicalFrame} to ${physicalFrame + count} are in two groups`;
  const lastByte = (physicalFrame + count) * frameSize - 1;
  const firstByte = physicalFrame * frameSize;
  if (Math.floor(firstByte / constraints.boundary) !== Math.floor((firstByte + lengthBytes - 1) / constraints.boundary))
    return `bytes ${firstByte} to ${lastByte} cross a boundary of ${constraints.boundary}`;
  for (const earlier of zonesInOrder(state.zones, constraints)) {
    if (earlier === zone) break;
    if (candidate(earlier, count, constraints) >= 0)
      return `the zone at ${earlier.base} comes before the one at ${zone.base} and has room`;
  }
  return { pieces: [piece], contiguous: true };
}

function judgeScattered(
  state: JudgeState,
  address: number,
  pieces: readonly Piece[],
  lengthBytes: number,
  constraints: Constraints,
): Placement | string {
  const { frameSize, scatterBase } = state.plan;
  if (constraints.contiguous) return `virtual ${address} is outside the windows, and the request was for one run`;
  const single = place(state.zones, lengthBytes, { ...constraints, contiguous: true }, frameSize);
  if (single !== undefined) return "it is scattered although a single run would serve";
  const bytes = framesOf(lengthBytes, frameSize) * frameSize;
  if (address < scatterBase || address % frameSize !== 0) return `virtual ${address} is no place for a scattered block`;
  const near = state.mappings.meeting(address - frameSize, bytes + 2 * frameSize);
  if (near !== undefined) return `virtual ${address} is not one frame away from the mapping at ${near.virtual}`;
  if (state.mappings.gap(scatterBase, bytes, frameSize, 2 ** 52) !== address)
    return `virtual ${address} is not the first gap`;
  return { pieces, contiguous: false };
}

/** Was it right to answer "out of memory", and for this reason? Changes nothing. */
export function judgeFailure(
  state: JudgeState,
  lengthBytes: number,
  constraints: Constraints,
  failure: Failure | undefined,
): Verdict {
  const { frameSize } = state.plan;
  const placement = place(state.zones, lengthBytes, constraints, frameSize);
  const [first] = placement?.pieces ?? [];
  if (placement !== undefined && first !== undefined) {
    const bytes = framesOf(lengthBytes, frameSize) * frameSize;
    const where = `frame ${first.start} of the zone at ${first.zone.base}`;
    if (placement.contiguous) return `out of memory, but ${where} serves ${lengthBytes} bytes`;
    if (state.mappings.gap(state.plan.scatterBase, bytes, frameSize, 2 ** 52) !== undefined)
      return `out of memory, but ${placement.pieces.length} pieces from ${where} on serve ${lengthBytes} bytes`;
  }
  if (failure === undefined) return undefined;
  const reason = failureReason(state.zones, lengthBytes, constraints, frameSize);
  if (failure.reason !== reason) return `the reason is ${reason}, not ${failure.reason}`;
  const { freeBytes, largestFreeBytes } = state;
  if (failure.freeBytes !== freeBytes) return `${freeBytes} bytes are free, not ${failure.freeBytes}`;
  if (failure.largestFreeBytes !== largestFreeBytes)
    return `${largestFreeBytes} bytes are the longest run, not ${failure.largestFreeBytes}`;
  return undefined;
}
