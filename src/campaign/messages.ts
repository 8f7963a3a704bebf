/** What a worker's process and its player threads say to each other: see player-thread.ts. */
import type { Manifest } from "./bundle.js";
import type { FindingClass } from "./findings.js";
import type { JobData } from "./plan.js";

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
