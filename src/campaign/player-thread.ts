/**
 * A player thread: plays ranges of scenarios that its process sends, and tells what they came to, piece by piece.
 *
 *     process ── Assignment ──►  thread          one range of one job
 *     process ◄── Piece ───────  thread          what has happened since the last piece; the last one says `ended`
 *     cell[0]: position of the scenario that is being played, -1 between ranges        shared, read when the thread is lost
 *
 * A driver may end this thread (process.exit), exhaust its heap or never return. Then what it played since its last piece is
 * lost, and the process plays that again in another thread, up to the position in `cell` (player.ts).
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Manifest } from "./bundle.js";
import type { FindingClass } from "./findings.js";
import type { JobData } from "./plan.js";
import { loadSubject, playRange } from "./play-range.js";

/** What a thread is started with. */
export interface ThreadData {
  /** One float64: see above. */
  readonly cell: SharedArrayBuffer;
}

/** A range to play. */
export interface Assignment {
  readonly job: JobData;
  readonly manifest: Manifest;
  /** Folder with the bundle's files. */
  readonly folder: string;
  /** Makes the module new: each job and each retry imports the driver once more. */
  readonly fresh: number;
  readonly choices: Readonly<Record<string, unknown>>;
  readonly bound: number;
  /** Positions from `from` to below `to` are played and counted. */
  readonly from: number;
  readonly to: number;
  /** Positions that end their thread, and are not played again. */
  readonly skip: readonly number[];
  /** Tell the bytes of each scenario before it is played. */
  readonly tell: boolean;
  /** Keys (`findingClass`) of classes that were shrunk in this job already. */
  readonly known: readonly string[];
}

/** What came of some scenarios. */
export interface Piece {
  readonly type: "piece";
  /** Every position below this one is told of. */
  readonly upTo: number;
  readonly scenarios: number;
  readonly events: number;
  /** State numbers that this thread has not told of in this range. */
  readonly states: Float64Array;
  /** The situations that this thread has reached in this range so far, as bits. */
  readonly situations: Uint8Array;
  /** Classes met in this range since the last piece; with a reproduction where the job met the class first. */
  readonly findings: readonly FindingClass[];
  readonly ended: boolean;
}

/** The scenario that is played next, where that was asked for. */
export interface Told {
  readonly type: "told";
  /** In hexadecimal. */
  readonly bytes: string;
}

/** The thread cannot play: what was sent is no driver. */
export interface Refusal {
  readonly type: "refusal";
  readonly message: string;
  readonly stack: string;
}

const { cell } = workerData as ThreadData;
const position = new Float64Array(cell);
const port = parentPort;
if (port === null) throw new Error("player-thread is started by a campaign worker, as a thread");

// Refusals are ordinary in a scenario, and a stack costs more than one.
Error.stackTraceLimit = 0;
position[0] = -1;
port.on("message", (assignment: Assignment) => {
  void play(assignment).then(
    () => undefined,
    (error: unknown) => {
      const { message, stack } = error instanceof Error ? error : new Error(String(error));
      port.postMessage({ type: "refusal", message, stack: stack ?? message } satisfies Refusal);
    },
  );
});

async function play(assignment: Assignment): Promise<void> {
  position[0] = assignment.from;
  const subject = await loadSubject(assignment);
  await playRange(subject, assignment, {
    playing(at) {
      position[0] = at;
    },
    piece(piece) {
      port?.postMessage(piece);
    },
    tell(bytes) {
      port?.postMessage({ type: "told", bytes } satisfies Told);
    },
  });
  position[0] = -1;
}
