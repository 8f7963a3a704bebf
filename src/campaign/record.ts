/**
 * What a job's result becomes in the database: one transaction, whose first statement claims the job's range.
 *
 *     update part set done = done + range where not done && range        nothing to update: somebody has it. The end.
 *     finding   insert, or merge into the row that is there, class by class in the order of their keys
 *     coverage  merge
 *     commit
 *
 * The queue hands a job out at least once. A job that is played twice, by a worker that was taken for dead and is not, or
 * because the server went away between the commit and its answer, finds its range in `done` and changes nothing. So counts
 * and rows equal those of one sequential run, whatever ended in the middle.
 *
 * Rows are locked in one order everywhere (the part, findings by key, the coverage), so no two results wait for each other.
 */
import { ShmemError } from "../../bindings/index.js";
import { type Coverage, coverageOf, decodeStates, encodeStates, mergeCoverage } from "./coverage.js";
import type { Database, Row, Session } from "./database.js";
import { classKey, type FindingClass, mergeFindings, type Reproduction, rankOf } from "./findings.js";
import type { CampaignSearch, JobData } from "./plan.js";
import { SCHEMA } from "./schema.js";

/** What playing a range came to. */
export interface JobResult {
  /** Scenarios that were played. */
  readonly scenarios: number;
  /** Events in them. */
  readonly events: number;
  /** Classes that were met, each once. */
  readonly findings: readonly FindingClass[];
  /** States and situations that were seen. */
  readonly coverage: Coverage;
  /** Host time of the playing, for rates only: no result depends on it. */
  readonly elapsedMs: number;
}

/** Write a result. False where its range was written before, and nothing was changed. */
export async function recordResult(
  database: Database,
  job: JobData,
  result: JobResult,
  worker: string,
): Promise<boolean> {
  return database.transaction(async (session) => {
    const claimed = await session.query(
      `update ${SCHEMA}.part set done = done + int8multirange(int8range($5, $6)),
         scenarios = scenarios + $7, events = events + $8, elapsed_ms = elapsed_ms + $9
       where campaign = $1 and hash = $2 and search = $3 and seed = $4 and not done && int8range($5, $6)`,
      [
        job.campaign,
        job.hash,
        job.search,
        job.seed,
        job.first,
        job.first + job.count,
        result.scenarios,
        result.events,
        result.elapsedMs,
      ],
    );
    if (claimed.rowCount !== 1) return false;
    const ordered = [...result.findings].sort((one, other) => (classKey(one) < classKey(other) ? -1 : 1));
    for (const finding of ordered) await recordFinding(session, job, finding, worker);
    await recordCoverage(session, job, result.coverage);
    return true;
  });
}

async function recordFinding(session: Session, job: JobData, finding: FindingClass, worker: string): Promise<void> {
  const key = [job.campaign, job.hash, finding.rule, finding.code, finding.call];
  const inserted = await session.query(
    `insert into ${SCHEMA}.finding (campaign, hash, rule, code, call, count, first_rank, first_search, first_seed,
       first_scenario, first_bytes, message, reproductions, version, worker)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, decode($11, 'hex'), $12, $13, $14, $15)
     on conflict (campaign, hash, rule, code, call) do nothing`,
    [...key, ...valuesOf(finding), job.version, worker],
  );
  if (inserted.rowCount === 1) return;
  const { rows } = await session.query(
    `select * from ${SCHEMA}.finding
     where campaign = $1 and hash = $2 and rule = $3 and code = $4 and call = $5 for update`,
    key,
  );
  const before = findingOf(rows[0] as Row);
  const merged = mergeFindings(before, finding);
  await session.query(
    `update ${SCHEMA}.finding set count = $6, first_rank = $7, first_search = $8, first_seed = $9, first_scenario = $10,
       first_bytes = decode($11, 'hex'), message = $12, reproductions = $13, worker = case when $14 then $15 else worker end
     where campaign = $1 and hash = $2 and rule = $3 and code = $4 and call = $5`,
    [...key, ...valuesOf(merged), merged.first !== before.first, worker],
  );
}

function valuesOf(finding: FindingClass): unknown[] {
  const { first } = finding;
  return [
    finding.count,
    rankOf(first.search),
    first.search,
    first.seed,
    first.scenario,
    first.bytes,
    withoutNul(finding.message),
    JSON.stringify(finding.reproductions.map(({ bytes, text }) => ({ bytes, text: withoutNul(text) }))),
  ];
}

/** PostgreSQL's text holds every character but U+0000, which a driver's exception may contain. */
function withoutNul(text: string): string {
  return text.replaceAll("\0", "\u2400");
}

/** A row of the table of findings. */
export function findingOf(row: Row): FindingClass {
  return {
    rule: String(row.rule),
    code: String(row.code),
    call: String(row.call),
    count: Number(row.count),
    first: {
      search: String(row.first_search) as CampaignSearch,
      seed: Number(row.first_seed),
      scenario: Number(row.first_scenario),
      bytes: (row.first_bytes as Buffer).toString("hex"),
    },
    message: String(row.message),
    reproductions: row.reproductions as Reproduction[],
  };
}

async function recordCoverage(session: Session, job: JobData, coverage: Coverage): Promise<void> {
  const key = [job.campaign, job.hash];
  const { rows } = await session.query(
    `select situations, exact, registers from ${SCHEMA}.coverage where campaign = $1 and hash = $2 for update`,
    key,
  );
  const [row] = rows;
  if (row === undefined) {
    throw new ShmemError("BAD_CAMPAIGN", `campaign ${job.campaign} has no coverage row for its driver ${job.hash}`, {
      field: "campaign",
      value: job.campaign,
    });
  }
  const merged = mergeCoverage(coverageOfRow(row), coverage);
  await session.query(
    `update ${SCHEMA}.coverage set situations = $3, exact = $4, registers = $5 where campaign = $1 and hash = $2`,
    [
      ...key,
      Buffer.from(merged.situations),
      merged.exact === null ? null : Buffer.from(encodeStates(merged.exact)),
      merged.registers === null ? null : Buffer.from(merged.registers),
    ],
  );
}

/** A row of the table of coverage. */
export function coverageOfRow(row: Row): Coverage {
  const registers = row.registers as Buffer | null;
  const exact = row.exact as Buffer | null;
  return {
    situations: new Uint8Array(row.situations as Buffer),
    exact: registers === null ? decodeStates(exact ?? new Uint8Array(0)) : null,
    registers: registers === null ? null : new Uint8Array(registers),
  };
}

/** The coverage of a driver that was not played yet. */
export const NO_COVERAGE: Coverage = coverageOf([], new Uint8Array(0));
