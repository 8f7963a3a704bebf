/**
 * Replaying a recording: read it, choose an arena, play it, and compare two counts of what is live.
 *
 *     file ─ read ─► spool ─ play ─► core, or driver and machine ─► report
 *                      └──── play, for each arena that is tried ─► least arena
 *
 * The recording is read once for its facts and its spool; a recording too long for a spool is read again to be played. The first
 * count of peak and left-over bytes is the reader's, over the names in the recording; the second is the player's, over what it
 * was given and gave back. They have to agree wherever nothing failed.
 */
import { ShmemError } from "../../bindings/index.js";
import type { LogOptions } from "../machine/index.js";
import {
  type ByteSource,
  type LeftBlock,
  type Note,
  type OperationSink,
  type ReadOptions,
  type ReadResult,
  readOperations,
} from "../recordings/index.js";
import { CorePlayer, type Failure } from "./core-player.js";
import { type ArenaScore, arenaScore } from "./least-arena.js";
import { type Drop, type MachineMode, MachinePlayer } from "./machine-player.js";
import { type Player, Spool } from "./spool.js";
import type { Moment, PowerHistogram, Statistics } from "./statistics.js";

export type ReplayMode = "core" | MachineMode;
export const REPLAY_MODES: readonly ReplayMode[] = ["core", "sync", "async", "chaos"];

export interface ReplayOptions extends ReadOptions {
  /** Default "core". */
  readonly mode?: ReplayMode;
  /** Bytes of arena. Default: the power of two from four times the peak in whole frames on, at least 1 MiB. */
  readonly arenaBytes?: number;
  /** Bytes in a frame: a power of two from 64; in the modes of a machine 64 or 4096. Default 64. */
  readonly frameSize?: number;
  /** Of the schedule and of the failures of `chaos`. Default 1. */
  readonly seed?: number;
  /** Probability that an allocation fails, in `chaos`. Default 0.01. */
  readonly failing?: number;
  /** What becomes of an allocation that failed, in `chaos`. Default "retry". */
  readonly onFailure?: "retry" | "drop";
  /** Look for the least arena too. Default true. */
  readonly leastArena?: boolean;
  /** `verify` after every so many of the moments kept; 0 for never. Default 32. */
  readonly verifyEvery?: number;
  /** Bytes of spool; a longer recording is read again. Default 96 MiB. */
  readonly spoolBytes?: number;
  /** Hears every operation of the recording too, while it is read: an export, for example. */
  readonly alsoTo?: OperationSink;
  /** Where the machine's event log goes, in the modes of a machine. */
  readonly log?: LogOptions;
  /** Wall time in milliseconds; the library itself has no clock. Default: none, and every time is 0. */
  readonly wallMs?: () => number;
}

/** What a replay found. */
export interface ReplayReport {
  readonly file: string;
  readonly format: string;
  readonly mode: ReplayMode;
  /** Allocations, frees and reallocations of the recording. */
  readonly operations: number;
  readonly allocations: number;
  readonly frees: number;
  readonly reallocations: number;
  /** Calls of the recording that changed nothing. */
  readonly ignored: number;
  readonly skipped: number;
  readonly mended: number;
  readonly invented: number;
  readonly notes: readonly Note[];
  /** Most bytes asked for and live at once, and most blocks. */
  readonly peakLiveBytes: number;
  readonly peakLiveBlocks: number;
  /** What is never freed. */
  readonly finalLiveBlocks: number;
  readonly finalLiveBytes: number;
  readonly left: readonly LeftBlock[];
  readonly arenaBytes: number;
  readonly frameSize: number;
  /** From the beginning of the arena to the highest byte of any block. */
  readonly highWaterBytes: number;
  /** The least of the arenas tried in which nothing failed; null where it was not looked for or none was enough. */
  readonly leastArenaBytes: number | null;
  /** 1 plus 0.02 for each arena, of 1.00, 1.02 ... times the peak, in which a request failed. */
  readonly arenaScore: number | null;
  /** Peak payload over high water, 0 to 1. */
  readonly utilization: number;
  /** The largest external fragmentation (1 - largest free block / free bytes) of the moments with 5 % of the arena free. */
  readonly fragmentation: number;
  /** Allocations that found no memory. */
  readonly failures: number;
  readonly failureReasons: Readonly<Record<string, number>>;
  readonly firstFailures: readonly Failure[];
  /** Allocations given up and asked for again, in `chaos`. */
  readonly dropped: number;
  readonly drops: readonly Drop[];
  readonly retried: number;
  readonly sizes: PowerHistogram;
  readonly lifetimes: PowerHistogram;
  readonly moments: readonly Moment[];
  /** What was found wrong: broken invariants, violations, counts that disagree. */
  readonly findings: readonly string[];
  readonly opsPerSecond: number;
  readonly readMs: number;
  readonly replayMs: number;
  /** Digest of the core at the end. */
  readonly digest: string;
}

const LEAST_ARENA = 2 ** 20;
/** An arena in which nothing is expected to fail: the worst recording tried needs 3 times its peak. */
const AMPLE = 4;
const SPOOL_BYTES = 96 * 2 ** 20;
const MOST_ZONE = 2 ** 40;

/** A power of two: at the end of any other arena lie shorter runs, which small blocks go to first. */
function ampleArena(peakBytes: number): number {
  let arena = LEAST_ARENA;
  while (arena < AMPLE * peakBytes) arena *= 2;
  return arena;
}

interface AnyPlayer extends Player {
  readonly statistics: Statistics;
  readonly failures: {
    readonly count: number;
    readonly reasons: ReadonlyMap<string, number>;
    readonly first: readonly Failure[];
  };
  readonly findings: string[];
  readonly highWaterBytes: number;
  readonly liveBlocks: number;
  readonly digest: string;
  finish(): void;
}

function refuse(field: string, value: unknown, why: string): never {
  throw new ShmemError("INVALID_ARGUMENT", `${field} ${why}`, { field, value });
}

/** Options with their defaults, checked. */
function checked(options: ReplayOptions) {
  const { mode = "core", frameSize = 64, seed = 1, failing = 0.01, onFailure = "retry", verifyEvery = 32 } = options;
  if (!REPLAY_MODES.includes(mode)) refuse("mode", mode, `must be one of ${REPLAY_MODES.join(", ")}`);
  if (!Number.isInteger(frameSize) || frameSize < 64 || frameSize > 2 ** 20 || (frameSize & (frameSize - 1)) !== 0) {
    refuse("frameSize", frameSize, "must be a power of two from 64 to 1048576");
  }
  if (mode !== "core" && frameSize !== 64 && frameSize !== 4096) {
    refuse("frameSize", frameSize, "must be 64 or 4096 where a machine replays");
  }
  if (!Number.isSafeInteger(seed) || seed < 0) refuse("seed", seed, "must be an integer from 0");
  if (!(failing >= 0 && failing <= 1)) refuse("failing", failing, "must be a probability from 0 to 1");
  if (onFailure !== "retry" && onFailure !== "drop") refuse("onFailure", onFailure, "must be retry or drop");
  if (!Number.isInteger(verifyEvery) || verifyEvery < 0)
    refuse("verifyEvery", verifyEvery, "must be an integer from 0");
  return { mode, frameSize, seed, failing, onFailure, verifyEvery };
}

/** Frames that the blocks need at once, for choosing an arena. */
class FrameCount {
  readonly #frameSize: number;
  #held = new Float64Array(1024);
  #frames = 0;
  peak = 0;

  constructor(frameSize: number) {
    this.#frameSize = frameSize;
  }

  allocate(slot: number, bytes: number): void {
    if (slot >= this.#held.length) {
      const more = new Float64Array(2 * Math.max(slot, this.#held.length));
      more.set(this.#held);
      this.#held = more;
    }
    this.#held[slot] = Math.ceil(bytes / this.#frameSize);
    this.#frames += this.#held[slot] as number;
    if (this.#frames > this.peak) this.peak = this.#frames;
  }

  free(slot: number): void {
    this.#frames -= this.#held[slot] as number;
  }
}

/**
 * Replay one recording. `open` gives its bytes, anew at each call: once to read it, and once more where its spool is too long.
 *
 * Throws `INVALID_ARGUMENT` for an option, `BAD_TRACE` for a recording that cannot be read, and the core's refusals
 * for an arena that it cannot manage. What `open` throws passes through.
 */
export async function replayRecording(
  file: string,
  open: () => ByteSource,
  options: ReplayOptions = {},
): Promise<ReplayReport> {
  const { mode, frameSize, seed, failing, onFailure, verifyEvery } = checked(options);
  const wallMs = options.wallMs ?? (() => 0);
  const began = wallMs();
  const spool = new Spool(options.spoolBytes ?? SPOOL_BYTES);
  const frames = new FrameCount(frameSize);
  const read = await readOperations(
    open(),
    {
      allocate(slot, bytes, alignment, event) {
        spool.allocate(slot, bytes, alignment, event);
        frames.allocate(slot, bytes);
        options.alsoTo?.allocate(slot, bytes, alignment, event);
      },
      free(slot, event) {
        spool.free(slot);
        frames.free(slot);
        options.alsoTo?.free(slot, event);
      },
    },
    options,
  );
  const readMs = wallMs() - began;
  const arenaBytes = frameSize * Math.ceil((options.arenaBytes ?? ampleArena(frames.peak * frameSize)) / frameSize);
  if (arenaBytes > MOST_ZONE)
    refuse("arenaBytes", arenaBytes, `above ${MOST_ZONE}: the recording holds too much at once`);
  const player: AnyPlayer =
    mode === "core"
      ? new CorePlayer({ arenaBytes, frameSize, verifyEvery })
      : await MachinePlayer.open({
          arenaBytes,
          frameSize,
          verifyEvery,
          mode,
          seed,
          failing,
          onFailure,
          ...(options.log !== undefined && { log: options.log }),
        });
  const started = wallMs();
  if (spool.isWhole) spool.play(player);
  else {
    await readOperations(
      open(),
      {
        allocate: (slot, bytes, alignment, { kind }) => player.allocate(slot, bytes, alignment, kind === 2),
        free: (slot) => player.free(slot),
      },
      options,
    );
  }
  const replayMs = wallMs() - started;
  player.finish();
  const { liveBlocks, digest } = player;
  const findings = disagreements(read, player, liveBlocks);
  if (player instanceof MachinePlayer) await player.close();
  const looksForArena = (options.leastArena ?? true) && spool.isWhole && read.facts.longestBytes < 2 ** 32;
  const space = looksForArena ? arenaScore(spool, read.facts.peakBytes, frameSize) : undefined;
  return reportOf({
    file,
    mode,
    read,
    player,
    liveBlocks,
    digest,
    findings,
    space,
    arenaBytes,
    frameSize,
    readMs,
    replayMs,
  });
}

/** Where the second count differs from the first, with no failure to explain it. */
function disagreements({ facts }: ReadResult, { statistics, failures }: AnyPlayer, liveBlocks: number): string[] {
  const found: string[] = [];
  if (statistics.liveBlocks !== liveBlocks) {
    found.push(`the core counts ${liveBlocks} live blocks, the replay ${statistics.liveBlocks}`);
  }
  if (failures.count > 0) return found;
  for (const [what, implied, counted] of [
    ["peak live bytes", facts.peakBytes, statistics.peakLiveBytes],
    ["left-over blocks", facts.leftLive, statistics.liveBlocks],
    ["left-over bytes", facts.leftBytes, statistics.liveBytes],
  ] as const) {
    if (implied !== counted) found.push(`${what}: the recording implies ${implied}, the replay counts ${counted}`);
  }
  return found;
}

/** Less free memory than this share of the arena says nothing: the last few frames are never in one piece. */
const LEAST_FREE = 0.05;

function fragmentationOf(moments: readonly Moment[], arenaBytes: number): number {
  return moments
    .filter(({ freeBytes }) => freeBytes >= LEAST_FREE * arenaBytes)
    .reduce((most, { freeBytes, largestFreeBytes }) => Math.max(most, 1 - largestFreeBytes / freeBytes), 0);
}

interface Parts {
  readonly file: string;
  readonly mode: ReplayMode;
  readonly read: ReadResult;
  readonly player: AnyPlayer;
  readonly liveBlocks: number;
  readonly digest: string;
  readonly findings: readonly string[];
  readonly space: ArenaScore | undefined;
  readonly arenaBytes: number;
  readonly frameSize: number;
  readonly readMs: number;
  readonly replayMs: number;
}

function reportOf(parts: Parts): ReplayReport {
  const { file, mode, read, player, liveBlocks, space, arenaBytes, frameSize, readMs, replayMs } = parts;
  const { facts, format, skipped, mended, invented, notes, left } = read;
  const { statistics, failures } = player;
  const { moments } = statistics;
  const machine = player instanceof MachinePlayer ? player : undefined;
  const operations = facts.allocations + facts.frees + facts.reallocations;
  return {
    file,
    format,
    mode,
    operations,
    allocations: facts.allocations,
    frees: facts.frees,
    reallocations: facts.reallocations,
    ignored: facts.ignored,
    skipped,
    mended,
    invented,
    notes,
    peakLiveBytes: statistics.peakLiveBytes,
    peakLiveBlocks: statistics.peakBlocks,
    finalLiveBlocks: liveBlocks,
    finalLiveBytes: statistics.liveBytes,
    left,
    arenaBytes,
    frameSize,
    highWaterBytes: player.highWaterBytes,
    leastArenaBytes: space?.leastArenaBytes ?? null,
    arenaScore: space?.score ?? null,
    utilization: player.highWaterBytes === 0 ? 0 : statistics.peakLiveBytes / player.highWaterBytes,
    fragmentation: fragmentationOf(moments, arenaBytes),
    failures: failures.count,
    failureReasons: Object.fromEntries(failures.reasons),
    firstFailures: failures.first,
    dropped: machine?.dropped ?? 0,
    drops: machine?.drops ?? [],
    retried: machine?.retried ?? 0,
    sizes: statistics.sizes,
    lifetimes: statistics.lifetimes,
    moments,
    findings: [...parts.findings, ...player.findings],
    opsPerSecond: replayMs > 0 ? Math.round((operations * 1000) / replayMs) : 0,
    readMs,
    replayMs,
    digest: parts.digest,
  };
}
