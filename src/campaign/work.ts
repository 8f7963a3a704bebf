/**
 * A worker: one process with some player threads, which takes jobs until it is told to end.
 *
 *     queue ── job ──► player ── result ──► one transaction (record.ts)
 *       ▲                                        │
 *       └───────── fillQueue ◄───────────────────┘     and every few seconds
 *
 * A server that goes away is waited for: the result of a job that was played is written when it is back.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { ShmemError } from "../../bindings/index.js";
import { BundleFolder, type Manifest, unpackManifest } from "./bundle.js";
import type { Database } from "./database.js";
import { PACKAGE_VERSION } from "./package.js";
import type { JobData } from "./plan.js";
import { Player, type PlayerLimits } from "./player.js";
import { fillQueue, SILENT_SECONDS } from "./produce.js";
import { openQueue, type QueuedJob, type QueuePlace, takeJobs } from "./queue.js";
import { type JobResult, recordResult } from "./record.js";
import { SCHEMA } from "./schema.js";

/** Options of `startWorker`. */
export interface WorkerOptions {
  /** Where the queue lies. */
  readonly place: QueuePlace;
  /** Player threads: 1 to 256. */
  readonly threads: number;
  /** Jobs of another version are refused. Default: the version of this package; another one only for tests. */
  readonly version?: string;
  /** Limits on one scenario. */
  readonly limits?: PlayerLimits;
  /** A lock that is not renewed for so long is taken for this worker's death, in milliseconds. Default 30,000. */
  readonly lockMs?: number;
  /** Told of each job, and of what is wrong with the server. */
  readonly report?: (line: string) => void;
}

/** A worker that is running. */
export interface RunningWorker {
  /** Host, process and a random part: its row in the table of workers. */
  readonly id: string;
  /** Jobs whose results were written, and those that somebody had written before. */
  readonly counts: { jobs: number; repeated: number; scenarios: number };
  /** Take no more jobs, play those that are under way to their end, write them, and end. */
  close(): Promise<void>;
}

interface CampaignRow {
  readonly version: string;
  readonly choices: Readonly<Record<string, unknown>>;
  readonly bound: number;
  readonly stopped: boolean;
}

const FILL_MS = 1000;
const BEAT_MS = 5000;
/** How long a result waits for a server that is away, in steps of at most this; it waits as long as the worker lives. */
const RETRY_MS = 2000;

/**
 * Begin to work.
 *
 * @throws `FOREIGN_VERSION` where every campaign that is under way is of another version; `MISSING_PEER`.
 */
export async function startWorker(database: Database, options: WorkerOptions): Promise<RunningWorker> {
  const { version = PACKAGE_VERSION, report = () => undefined } = options;
  await refuseForeignVersions(database, version, report);
  const id = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const folder = new BundleFolder();
  const idle = Array.from({ length: options.threads }, () => new Player(folder, options.limits));
  const players = [...idle];
  const manifests = new Map<string, Manifest>();
  const counts = { jobs: 0, repeated: 0, scenarios: 0 };
  let closing = false;

  const beat = async (): Promise<void> => {
    await database.query(
      `insert into ${SCHEMA}.worker (id, host, pid, threads, version) values ($1, $2, $3, $4, $5)
       on conflict (id) do update set seen_at = now(), jobs = $6, repeated = $7, scenarios = $8`,
      [id, hostname(), process.pid, options.threads, version, counts.jobs, counts.repeated, counts.scenarios],
    );
  };
  await beat();
  const queue = await openQueue(options.place, version);

  const manifestOf = async (hash: string): Promise<Manifest> => {
    const known = manifests.get(hash);
    if (known !== undefined) return known;
    const [row] = (await database.query(`select content from ${SCHEMA}.bundle where hash = $1`, [hash])).rows;
    if (row === undefined)
      throw new ShmemError("BAD_CAMPAIGN", `there is no bundle ${hash}`, { field: "bundle", value: hash });
    const manifest = unpackManifest(row.content as Buffer, hash);
    manifests.set(hash, manifest);
    return manifest;
  };

  const work = async (queued: QueuedJob): Promise<void> => {
    const job = queued.data;
    if (job.version !== version) {
      throw new ShmemError("FOREIGN_VERSION", `the job is of version ${job.version}, this worker of ${version}`, {
        field: "version",
        value: job.version,
      });
    }
    const campaign = await patiently(() => campaignOf(database, job.campaign), report);
    if (campaign.stopped) return;
    const player = idle.pop();
    if (player === undefined) throw new Error("the queue handed out more jobs than there are players");
    try {
      const manifest = await patiently(() => manifestOf(job.hash), report);
      const result = await player.play(job, manifest, campaign);
      const written = await patiently(() => recordResult(database, job, result, id), report);
      note(job, result, written);
    } finally {
      idle.push(player);
    }
    if (!closing) await fill();
  };
  const note = (job: JobData, result: JobResult, written: boolean): void => {
    if (written) {
      counts.jobs++;
      counts.scenarios += result.scenarios;
    } else counts.repeated++;
    report(
      `${job.campaign} ${job.hash.slice(0, 8)} ${job.search} seed ${job.seed} from ${job.first}: ${result.scenarios} scenarios, ` +
        `${result.findings.length} classes, ${Math.round(result.elapsedMs)} ms${written ? "" : " (was written before)"}`,
    );
  };
  const fill = async (): Promise<void> => {
    try {
      await fillQueue(database, queue, version);
    } catch (error) {
      // The next look fills it. A server that stays away shows in every result that waits for it.
      if (!isServerAway(error)) report(`the queue could not be filled: ${messageOf(error)}`);
    }
  };

  const worker = await takeJobs(
    options.place,
    version,
    {
      concurrency: options.threads,
      name: id,
      ...(options.lockMs === undefined ? {} : { lockMs: options.lockMs, stalledMs: options.lockMs }),
    },
    work,
  );
  await fill();
  const filling = setInterval(() => void fill(), FILL_MS);
  const beating = setInterval(
    () => {
      beat().catch((error: unknown) => {
        if (!isServerAway(error)) report(`this worker's row could not be written: ${messageOf(error)}`);
      });
    },
    Math.min(BEAT_MS, (SILENT_SECONDS * 1000) / 4),
  );

  return {
    id,
    counts,
    async close() {
      closing = true;
      clearInterval(filling);
      clearInterval(beating);
      await worker.close();
      await queue.close();
      await Promise.all(players.map((player) => player.close()));
      await patiently(beat, report);
      // Of a worker that has ended `watch` says nothing; what it did stands in the results.
      await patiently(
        () => database.query(`update ${SCHEMA}.worker set seen_at = 'epoch' where id = $1`, [id]),
        report,
      );
      folder.remove();
    },
  };
}

async function refuseForeignVersions(
  database: Database,
  version: string,
  report: (line: string) => void,
): Promise<void> {
  const { rows } = await database.query(
    `select name, version from ${SCHEMA}.campaign
     where stopped_at is null and exists (
       select from ${SCHEMA}.part where campaign = name and done <> int8multirange(int8range(0, total)))
     order by name`,
  );
  const foreign = rows.filter((row) => row.version !== version);
  if (foreign.length === 0) return;
  const named = foreign.map((row) => `${String(row.name)} (${String(row.version)})`).join(", ");
  if (foreign.length === rows.length) {
    throw new ShmemError(
      "FOREIGN_VERSION",
      `this is version ${version}, and every campaign under way is of another: ${named}`,
      {
        field: "version",
        value: version,
      },
    );
  }
  report(`campaigns of other versions are left to other workers: ${named}`);
}

async function campaignOf(database: Database, name: string): Promise<CampaignRow> {
  const [row] = (
    await database.query(
      `select version, choices, bound, stopped_at is not null as stopped from ${SCHEMA}.campaign where name = $1`,
      [name],
    )
  ).rows;
  if (row === undefined)
    throw new ShmemError("BAD_CAMPAIGN", `there is no campaign ${name}`, { field: "campaign", value: name });
  return row as unknown as CampaignRow;
}

/** Codes with which a server says that it goes away, or comes: PostgreSQL's classes 08 and 57P, and Node's own. */
const AWAY =
  /^(?:08\w{3}|57P\w{2}|53300|40001|40P01|ECONN\w+|EPIPE|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|EAI_AGAIN|ENOENT)$/;

/** Whether an error means that the server cannot be reached now, rather than that something is wrong. */
export function isServerAway(error: unknown): boolean {
  const { code, message, errors } = error as {
    readonly code?: unknown;
    readonly message?: unknown;
    readonly errors?: unknown;
  };
  if (typeof code === "string" && AWAY.test(code)) return true;
  if (Array.isArray(errors) && errors.length > 0) return errors.every(isServerAway);
  return (
    typeof message === "string" &&
    /^Connection terminated|^timeout exceeded when trying to connect|^Client has encountered/.test(message)
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `ask` until the server answers. */
async function patiently<Answer>(ask: () => Promise<Answer>, report: (line: string) => void): Promise<Answer> {
  for (let tries = 0; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (!isServerAway(error)) throw error;
      if (tries === 0) report(`the server is away (${messageOf(error)}); waiting for it`);
      await sleep(Math.min(RETRY_MS, 100 * 2 ** Math.min(tries, 10)));
    }
  }
}
