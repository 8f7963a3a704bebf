/** What a campaign has come to: the same rows whatever the number of workers and whatever died on the way. */
import { ShmemError } from "../../bindings/index.js";
import { type Manifest, unpackManifest } from "./bundle.js";
import { type Coverage, countSituations, countStates } from "./coverage.js";
import type { Database, Row } from "./database.js";
import { classKey, type FindingClass } from "./findings.js";
import { CAMPAIGN_SEARCHES, type CampaignSearch, parseMultirange } from "./plan.js";
import { SILENT_SECONDS } from "./produce.js";
import { coverageOfRow, findingOf } from "./record.js";
import { SCHEMA } from "./schema.js";

/** One part: a search of a driver from a seed. */
export interface PartResult {
  readonly search: CampaignSearch;
  readonly seed: number;
  /** Scenario numbers of the part, and how many of them are done. */
  readonly total: number;
  readonly done: number;
  /** Scenarios that were played, and events in them. */
  readonly scenarios: number;
  readonly events: number;
}

/** One driver of a campaign. */
export interface DriverResult {
  readonly name: string;
  readonly hash: string;
  readonly scenarios: number;
  readonly events: number;
  /** Different states: exact up to 512, an estimate with a standard error of 1.6 % beyond. */
  readonly states: number;
  readonly statesExact: boolean;
  readonly situations: number;
  readonly parts: readonly PartResult[];
  /** First by (search, seed, scenario) first. */
  readonly findings: readonly FindingClass[];
}

/** A campaign. */
export interface CampaignResult {
  readonly name: string;
  readonly version: string;
  readonly stopped: boolean;
  /** True when every scenario number of every part is done. */
  readonly complete: boolean;
  readonly scenarios: number;
  readonly events: number;
  readonly findings: number;
  readonly drivers: readonly DriverResult[];
}

/**
 * Read what a campaign has come to. Needs the role `ndis_shmem_read`.
 *
 * @throws `BAD_CAMPAIGN` where there is no such campaign.
 */
export async function readResults(database: Database, name: string): Promise<CampaignResult> {
  const [campaign] = (await database.query(`select * from ${SCHEMA}.campaign where name = $1`, [name])).rows;
  if (campaign === undefined) {
    const known = (await database.query(`select name from ${SCHEMA}.campaign order by name`)).rows.map((row) =>
      String(row.name),
    );
    const there = known.length === 0 ? "there is none yet" : `there is ${known.join(", ")}`;
    throw new ShmemError("BAD_CAMPAIGN", `there is no campaign ${JSON.stringify(name)}; ${there}`, {
      field: "name",
      value: name,
    });
  }
  const of = async (table: string): Promise<readonly Row[]> =>
    (await database.query(`select * from ${SCHEMA}.${table} where campaign = $1`, [name])).rows;
  const [subjects, parts, findings, coverages] = [
    await of("subject"),
    await of("part"),
    await of("finding"),
    await of("coverage"),
  ];
  const mine = (rows: readonly Row[], hash: unknown): Row[] => rows.filter((row) => row.hash === hash);
  const drivers = subjects
    .map((subject): DriverResult => {
      const hash = String(subject.hash);
      const own = mine(parts, hash).map(partResult).sort(byPart);
      const coverage = mine(coverages, hash).map(coverageOfRow)[0] as Coverage;
      const { states, exact } = countStates(coverage);
      return {
        name: String(subject.name),
        hash,
        scenarios: sum(own, "scenarios"),
        events: sum(own, "events"),
        states,
        statesExact: exact,
        situations: countSituations(coverage),
        parts: own,
        findings: mine(findings, hash).map(findingOf).sort(byClass),
      };
    })
    .sort((one, other) =>
      one.name === other.name ? (one.hash < other.hash ? -1 : 1) : one.name < other.name ? -1 : 1,
    );
  return {
    name,
    version: String(campaign.version),
    stopped: campaign.stopped_at !== null,
    complete: drivers.every((driver) => driver.parts.every((part) => part.done === part.total)),
    scenarios: sum(drivers, "scenarios"),
    events: sum(drivers, "events"),
    findings: drivers.reduce((count, driver) => count + driver.findings.length, 0),
    drivers,
  };
}

function sum<Key extends string>(rows: readonly Readonly<Record<Key, number>>[], key: Key): number {
  return rows.reduce((total, row) => total + row[key], 0);
}

function partResult(row: Row): PartResult {
  return {
    search: String(row.search) as CampaignSearch,
    seed: Number(row.seed),
    total: Number(row.total),
    done: parseMultirange(String(row.done)).reduce((count, [from, to]) => count + to - from, 0),
    scenarios: Number(row.scenarios),
    events: Number(row.events),
  };
}

function byPart(one: PartResult, other: PartResult): number {
  return CAMPAIGN_SEARCHES.indexOf(one.search) - CAMPAIGN_SEARCHES.indexOf(other.search) || one.seed - other.seed;
}

function byClass(one: FindingClass, other: FindingClass): number {
  return classKey(one) < classKey(other) ? -1 : 1;
}

/** The files of a driver of a campaign, to write them beside its findings. */
export async function readBundle(database: Database, hash: string): Promise<Manifest> {
  const [row] = (await database.query(`select content from ${SCHEMA}.bundle where hash = $1`, [hash])).rows;
  if (row === undefined)
    throw new ShmemError("BAD_CAMPAIGN", `there is no bundle ${hash}`, { field: "bundle", value: hash });
  return unpackManifest(row.content as Buffer, hash);
}

/** A worker, as it was last heard of. */
export interface WorkerStatus {
  readonly id: string;
  readonly host: string;
  readonly threads: number;
  readonly version: string;
  readonly jobs: number;
  readonly scenarios: number;
  readonly silentSeconds: number;
}

/** Workers that were heard of lately. */
export async function readWorkers(database: Database): Promise<readonly WorkerStatus[]> {
  const { rows } = await database.query(
    `select *, extract(epoch from now() - seen_at) as silent from ${SCHEMA}.worker
     where seen_at > now() - make_interval(secs => $1) order by id`,
    [SILENT_SECONDS],
  );
  return rows.map((row) => ({
    id: String(row.id),
    host: String(row.host),
    threads: Number(row.threads),
    version: String(row.version),
    jobs: Number(row.jobs),
    scenarios: Number(row.scenarios),
    silentSeconds: Math.round(Number(row.silent)),
  }));
}
