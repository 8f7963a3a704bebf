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
  /** The search. */
  readonly search: CampaignSearch;
  /** The seed. */
  readonly seed: number;
  /** Scenario numbers of the part. */
  readonly total: number;
  /** How many of them are done. */
  readonly done: number;
  /** Scenarios that were played: fewer than `done` where a sweep skips numbers, or a driver ended its threads. */
  readonly scenarios: number;
  /** Events in those scenarios, the machine's own included. */
  readonly events: number;
}

/** One driver of a campaign. */
export interface DriverResult {
  /** Name of the driver's file without its ending. */
  readonly name: string;
  /** Hash of its bundle, 64 hexadecimal digits. */
  readonly hash: string;
  /** Scenarios that were played of all parts. */
  readonly scenarios: number;
  /** Events in them. */
  readonly events: number;
  /** Different states: exact up to 512, an estimate with a standard error of 1.6 % beyond. */
  readonly states: number;
  /** Whether `states` is exact. */
  readonly statesExact: boolean;
  /** Different situations (docs/fuzzing.md). */
  readonly situations: number;
  /** By search and seed. */
  readonly parts: readonly PartResult[];
  /** By rule, code and call. */
  readonly findings: readonly FindingClass[];
}

/** A campaign. */
export interface CampaignResult {
  /** Its name. */
  readonly name: string;
  /** Version of this package that it was submitted by. */
  readonly version: string;
  /** Whether it was stopped and not resumed. */
  readonly stopped: boolean;
  /** True when every scenario number of every part is done. */
  readonly complete: boolean;
  /** Scenarios that were played of all drivers. */
  readonly scenarios: number;
  /** Events in them. */
  readonly events: number;
  /** Classes of finding of all drivers. */
  readonly findings: number;
  /** By name. */
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
  /** Host, process and a random part. */
  readonly id: string;
  /** Name of its machine. */
  readonly host: string;
  /** Player threads. */
  readonly threads: number;
  /** Version of this package. */
  readonly version: string;
  /** Jobs whose results it has written. */
  readonly jobs: number;
  /** Scenarios in them. */
  readonly scenarios: number;
  /** Seconds since it was heard of. */
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
