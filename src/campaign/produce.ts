/**
 * Filling the queue: about two jobs for each player thread lie in it, never the whole campaign.
 *
 * Whoever works also fills; one at a time, by a lock of the transaction, so that a producer that dies frees it. Jobs go into
 * the queue first and `part.handed` moves on afterwards, in one transaction: a death in between hands the same jobs out
 * again, under the same identities, which is harmless (record.ts). When everything is handed out and the queue is empty,
 * what `done` does not cover was lost with a queue that was wiped, and is handed out again; jobs that were set aside after
 * too many stalls stay aside, and are listed.
 */
import type { Database, Row, Session } from "./database.js";
import { type CampaignSearch, jobId, missingJobs, type PartKey, parseMultirange, rangeAt } from "./plan.js";
import { JOB_OPTIONS, type Queue } from "./queue.js";
import { SCHEMA } from "./schema.js";

/** Jobs that lie in the queue for each player thread of all workers that were heard of lately. */
const JOBS_PER_THREAD = 2;
/** A worker that was not heard of for this long does not count. */
export const SILENT_SECONDS = 60;
/** `NDIS`: the advisory lock of those who fill the queue. */
const PRODUCER_LOCK = 0x4e444953;

interface Part extends PartKey {
  readonly version: string;
  readonly total: number;
  readonly size: number;
  readonly handed: number;
}

function partOf(row: Row): Part {
  return {
    campaign: String(row.campaign),
    hash: String(row.hash),
    search: String(row.search) as CampaignSearch,
    seed: Number(row.seed),
    version: String(row.version),
    total: Number(row.total),
    size: Number(row.size),
    handed: Number(row.handed),
  };
}

/** Fill the queue of `version` up to its level. Returns how many jobs were added; 0 where another worker is at it. */
export async function fillQueue(database: Database, queue: Queue, version: string): Promise<number> {
  const counts = await queue.getJobCounts("waiting", "active", "delayed", "prioritized");
  const waiting = (counts.waiting ?? 0) + (counts.delayed ?? 0) + (counts.prioritized ?? 0);
  return database.transaction(async (session) => {
    const locked = await session.query("select pg_try_advisory_xact_lock($1) as mine", [PRODUCER_LOCK]);
    if (locked.rows[0]?.mine !== true) return 0;
    const threads = await session.query(
      `select coalesce(sum(threads), 0) as threads from ${SCHEMA}.worker
       where version = $1 and seen_at > now() - make_interval(secs => $2)`,
      [version, SILENT_SECONDS],
    );
    const missing = Math.max(1, Number(threads.rows[0]?.threads)) * JOBS_PER_THREAD - waiting;
    if (missing <= 0) return 0;
    const added = await handOut(session, queue, version, missing);
    if (added > 0 || waiting > 0 || (counts.active ?? 0) > 0) return added;
    return handOutAgain(session, queue, version, missing);
  });
}

async function add(queue: Queue, part: Part, first: number): Promise<void> {
  const { campaign, hash, search, seed, version } = part;
  const range = rangeAt(part, first);
  await queue.add(
    search,
    { campaign, hash, search, seed, version, ...range },
    { ...JOB_OPTIONS, jobId: jobId(part, range) },
  );
}

/** The next jobs of the parts that are least far, so that every driver is played from the start. */
async function handOut(session: Session, queue: Queue, version: string, missing: number): Promise<number> {
  const { rows } = await session.query(
    `select part.*, campaign.version from ${SCHEMA}.part join ${SCHEMA}.campaign on campaign.name = part.campaign
     where campaign.version = $1 and campaign.stopped_at is null and part.handed < part.total
     order by part.handed / part.size, part.campaign, part.hash, part.search, part.seed limit $2`,
    [version, missing],
  );
  const parts = rows.map(partOf);
  if (parts.length === 0) return 0;
  const share = Math.ceil(missing / parts.length);
  let added = 0;
  for (const part of parts) {
    let { handed } = part;
    for (let job = 0; job < share && handed < part.total && added < missing; job++, added++) {
      await add(queue, part, handed);
      handed += rangeAt(part, handed).count;
    }
    await session.query(
      `update ${SCHEMA}.part set handed = $5 where campaign = $1 and hash = $2 and search = $3 and seed = $4`,
      [part.campaign, part.hash, part.search, part.seed, handed],
    );
  }
  return added;
}

async function handOutAgain(session: Session, queue: Queue, version: string, missing: number): Promise<number> {
  const { rows } = await session.query(
    `select part.*, part.done::text as done_text, campaign.version
     from ${SCHEMA}.part join ${SCHEMA}.campaign on campaign.name = part.campaign
     where campaign.version = $1 and campaign.stopped_at is null and part.handed >= part.total
       and part.done <> int8multirange(int8range(0, part.total))
     order by part.campaign, part.hash, part.search, part.seed`,
    [version],
  );
  let added = 0;
  for (const row of rows) {
    const part = partOf(row);
    for (const first of missingJobs(part, parseMultirange(String(row.done_text)), missing)) {
      if (added >= missing) return added;
      // A job that is still known was set aside; it is listed, and `submit` hands it out again when asked.
      if ((await queue.getJob(jobId(part, rangeAt(part, first)))) !== undefined) continue;
      await add(queue, part, first);
      added++;
    }
  }
  return added;
}
