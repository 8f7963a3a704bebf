/**
 * The queue: BullMQ over the same PostgreSQL database, or over Redis where asked. It hands out jobs, renews their locks,
 * takes them back from workers that went silent, and lists those that failed. Nothing of that is done here.
 *
 * A version of this package has a queue of its own, so a worker is never handed a job of another version.
 */
import { loadPeer } from "./database.js";
import type { JobData } from "./plan.js";
import { QUEUE_SCHEMA } from "./schema.js";

/** A job as BullMQ hands it to a worker. */
export interface QueuedJob {
  readonly id?: string;
  readonly name: string;
  readonly data: JobData;
  readonly failedReason?: string;
  readonly stalledCounter?: number;
  remove(): Promise<void>;
  retry(state?: "failed"): Promise<void>;
}

/** The part of BullMQ's Queue that this folder uses. */
export interface Queue {
  /** Add a job; one with the same `jobId` that is there already stays as it is. */
  add(name: string, data: JobData, options: object): Promise<unknown>;
  /** How many jobs are in each of these states: `waiting`, `active`, `failed`, ... */
  getJobCounts(...states: string[]): Promise<Readonly<Record<string, number>>>;
  /** The job of an identity, in whatever state. */
  getJob(id: string): Promise<QueuedJob | undefined>;
  /** Jobs of some states, from index `start` to `end`. */
  getJobs(states: readonly string[], start: number, end: number): Promise<readonly QueuedJob[]>;
  /** Resolves when the server has answered. */
  waitUntilReady(): Promise<unknown>;
  /** End its connections. */
  close(): Promise<void>;
  /** Called for errors of connections, which calls report themselves. */
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** The part of BullMQ's Worker that this folder uses. */
export interface QueueWorker {
  close(force?: boolean): Promise<void>;
  waitUntilReady(): Promise<unknown>;
  on(event: string, listener: (...given: never[]) => void): unknown;
}

interface Constructors {
  readonly Queue: new (name: string, options: object) => Queue;
  readonly Worker: new (name: string, process: (job: QueuedJob) => Promise<unknown>, options: object) => QueueWorker;
}

interface BullModule extends Constructors {
  readonly withBackend: (factory: unknown) => Constructors;
  readonly createPostgresBackend: unknown;
  readonly UnrecoverableError: new (message: string) => Error;
}

/** Where the queue lies. */
export interface QueuePlace {
  /** URL of the database. */
  readonly db: string;
  /** `redis://HOST:PORT`: the queue lies there instead; results stay in the database. */
  readonly redis?: string;
}

/** Options of every job: one try, since a job fails only where its worker does; failed ones stay, and are listed. */
export const JOB_OPTIONS: object = { removeOnComplete: true, removeOnFail: false, attempts: 1 };

/** A lock that is not renewed for this long is taken for a worker's death. */
const LOCK_MS = 30_000;
/**
 * How often a job may lose its worker before it is set aside. A machine that is switched off takes all its jobs along, and
 * a server that restarts stalls every job at once, so the usual 1 would set jobs aside that are innocent.
 */
const MOST_STALLS = 8;

/** Name of the queue of a version. BullMQ keeps colons for itself. */
function queueName(version: string): string {
  return `scenarios-${version.replaceAll(":", "-")}`;
}

async function constructors(
  place: QueuePlace,
): Promise<{ module: BullModule; made: Constructors; connection: object }> {
  const module = await loadPeer<BullModule>("bullmq");
  if (place.redis !== undefined) {
    const url = new URL(place.redis);
    const connection = {
      host: url.hostname,
      port: Number(url.port || 6379),
      ...(url.username === "" ? {} : { username: decodeURIComponent(url.username) }),
      ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
      ...(url.protocol === "rediss:" ? { tls: {} } : {}),
      maxRetriesPerRequest: null,
    };
    return { module, made: module, connection };
  }
  const connection = { connectionString: place.db, schema: QUEUE_SCHEMA, max: 3, keepAlive: true };
  return { module, made: module.withBackend(module.createPostgresBackend), connection };
}

/** The queue of a version, to look at and to fill. */
export async function openQueue(place: QueuePlace, version: string): Promise<Queue> {
  const { made, connection } = await constructors(place);
  const queue = new made.Queue(queueName(version), { connection, streams: { events: { maxLen: 1000 } } });
  queue.on("error", () => undefined); // Each call reports its own failure; this event repeats them.
  await queue.waitUntilReady();
  return queue;
}

/** Take jobs of a version, `concurrency` at a time. What `play` throws fails the job. */
export async function takeJobs(
  place: QueuePlace,
  version: string,
  options: {
    readonly concurrency: number;
    readonly name: string;
    readonly lockMs?: number;
    readonly stalledMs?: number;
  },
  play: (job: QueuedJob) => Promise<unknown>,
): Promise<QueueWorker> {
  const { made, connection } = await constructors(place);
  const lockDuration = options.lockMs ?? LOCK_MS;
  const worker = new made.Worker(queueName(version), play, {
    connection,
    concurrency: options.concurrency,
    name: options.name,
    lockDuration,
    stalledInterval: options.stalledMs ?? lockDuration,
    maxStalledCount: MOST_STALLS,
    runRetryDelay: 2000,
    drainDelay: 2,
    removeOnComplete: { count: 0 },
  });
  worker.on("error", () => undefined); // The connection is rebuilt by BullMQ; a lost job is taken back by its lock.
  return worker;
}
