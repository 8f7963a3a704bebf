/**
 * Submitting a campaign, and stopping one. Rows only: whoever submits needs no right on the queue.
 *
 * Again is harmless: what is there stays as it is, drivers that are new are added, and jobs that were set aside after too
 * many stalls are handed out again (by a worker, which sees that they are missing). A campaign of the same name with another
 * plan is refused, because its counts would mean nothing.
 */
import { ShmemError } from "../../bindings/index.js";
import { type Bundle, packManifest } from "./bundle.js";
import { encodeStates } from "./coverage.js";
import type { Database, Row } from "./database.js";
import { PACKAGE_VERSION } from "./package.js";
import { CAMPAIGN_SEARCHES, type CampaignSearch, sizeOf, totalOf } from "./plan.js";
import { NO_COVERAGE } from "./record.js";
import { SCHEMA } from "./schema.js";

/** What is to be played. */
export interface CampaignPlan {
  /** 1 to 64 letters, digits, `.`, `_` and `-`. */
  readonly name: string;
  /** Who is played: at least one. */
  readonly drivers: readonly Bundle[];
  /** Default random and sweep. */
  readonly searches?: readonly CampaignSearch[];
  /** Integers, 0 to 2^53 - 1, each once. Default 1. */
  readonly seeds?: readonly number[];
  /** Scenarios of each driver, search and seed: 1 to 1e15. Default 1,000,000. `systematic` plays its bound instead. */
  readonly scenarios?: number;
  /** systematic: events in a scenario at most, 1 to 20. Default 4. */
  readonly bound?: number;
  /** About how long a job plays, in seconds: 0.01 to 3,600. Default 10. */
  readonly jobSeconds?: number;
  /** The machine's choices, but for `policy`; JSON. */
  readonly choices?: Readonly<Record<string, unknown>>;
  /** Scenarios that one thread plays in a second, of each driver by its hash: the size of jobs follows. */
  readonly rates: ReadonlyMap<string, number>;
}

/** What `submit` did. */
export interface Submitted {
  /** Drivers that were not in the campaign before. */
  readonly added: number;
  /** Parts of the campaign: drivers x searches x seeds. */
  readonly parts: number;
  /** Jobs of all parts. */
  readonly jobs: number;
}

const NAME = /^[\w.-]{1,64}$/;
const MOST_SCENARIOS = 1e15;
/** Where a driver's rate was not measured. */
const USUAL_RATE = 10_000;

function refuse(field: string, value: unknown, wanted: string): never {
  throw new ShmemError("INVALID_ARGUMENT", `${field} cannot be ${JSON.stringify(value)}: ${wanted}`, { field, value });
}

interface CheckedPlan extends Required<Omit<CampaignPlan, "drivers" | "rates">> {}

function checked(plan: CampaignPlan): CheckedPlan {
  const {
    name,
    drivers,
    searches = ["random", "sweep"],
    seeds = [1],
    scenarios = 1_000_000,
    bound = 4,
    jobSeconds = 10,
    choices = {},
  } = plan;
  if (!NAME.test(name)) refuse("name", name, "1 to 64 letters, digits, dots, dashes and underscores");
  if (drivers.length === 0) refuse("drivers", [], "at least one");
  const unknown = searches.find((search) => !CAMPAIGN_SEARCHES.includes(search));
  if (unknown !== undefined) refuse("searches", unknown, `each is one of ${CAMPAIGN_SEARCHES.join(", ")}`);
  if (searches.length === 0) refuse("searches", [], `at least one of ${CAMPAIGN_SEARCHES.join(", ")}`);
  const wrongSeed = seeds.find((seed) => !Number.isSafeInteger(seed) || seed < 0);
  if (wrongSeed !== undefined || seeds.length === 0) refuse("seeds", wrongSeed ?? [], "integers from 0 to 2^53 - 1");
  if (!Number.isSafeInteger(scenarios) || scenarios < 1 || scenarios > MOST_SCENARIOS) {
    refuse("scenarios", scenarios, `an integer from 1 to ${MOST_SCENARIOS}`);
  }
  if (!Number.isSafeInteger(bound) || bound < 1 || bound > 20) refuse("bound", bound, "an integer from 1 to 20");
  if (!(jobSeconds >= 0.01 && jobSeconds <= 3600)) refuse("jobSeconds", jobSeconds, "0.01 to 3600 seconds");
  const once = <Value>(values: readonly Value[]): Value[] => [...new Set(values)];
  return {
    name,
    searches: once(searches),
    seeds: once(seeds).sort((a, b) => a - b),
    scenarios,
    bound,
    jobSeconds,
    choices,
  };
}

/**
 * Write a campaign. Needs the role `ndis_shmem_submit`. `version`: another one than this package's only in tests.
 *
 * @throws `INVALID_ARGUMENT` naming the field; `BAD_CAMPAIGN` for a name that another plan has; `FOREIGN_VERSION` for a
 * campaign of another version of this package.
 */
export async function submitCampaign(
  database: Database,
  given: CampaignPlan,
  version: string = PACKAGE_VERSION,
): Promise<Submitted> {
  const plan = checked(given);
  return database.transaction(async (session) => {
    const inserted = await session.query(
      `insert into ${SCHEMA}.campaign (name, version, searches, seeds, scenarios, bound, job_seconds, choices)
       values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (name) do nothing`,
      [
        plan.name,
        version,
        plan.searches,
        plan.seeds,
        plan.scenarios,
        plan.bound,
        plan.jobSeconds,
        JSON.stringify(plan.choices),
      ],
    );
    if (inserted.rowCount === 0) {
      const [row] = (await session.query(`select * from ${SCHEMA}.campaign where name = $1`, [plan.name])).rows;
      assertSamePlan(plan, row as Row, version);
    }
    let added = 0;
    for (const bundle of given.drivers) {
      await session.query(
        `insert into ${SCHEMA}.bundle (hash, name, content) values ($1, $2, $3) on conflict (hash) do nothing`,
        [bundle.hash, bundle.name, packManifest(bundle.manifest)],
      );
      const subject = await session.query(
        `insert into ${SCHEMA}.subject (campaign, hash, name) values ($1, $2, $3) on conflict do nothing`,
        [plan.name, bundle.hash, bundle.name],
      );
      if (subject.rowCount === 0) continue;
      added++;
      await session.query(
        `insert into ${SCHEMA}.coverage (campaign, hash, situations, exact) values ($1, $2, $3, $4)`,
        [plan.name, bundle.hash, Buffer.from(NO_COVERAGE.situations), Buffer.from(encodeStates([]))],
      );
      const rate = given.rates.get(bundle.hash) ?? USUAL_RATE;
      for (const search of plan.searches) {
        for (const seed of plan.seeds) {
          await session.query(
            `insert into ${SCHEMA}.part (campaign, hash, search, seed, total, size) values ($1, $2, $3, $4, $5, $6)`,
            [
              plan.name,
              bundle.hash,
              search,
              seed,
              totalOf(search, plan.scenarios),
              sizeOf(search, rate, plan.jobSeconds),
            ],
          );
        }
      }
    }
    const [counts] = (
      await session.query(
        `select count(*) as parts, coalesce(sum((total + size - 1) / size), 0) as jobs from ${SCHEMA}.part where campaign = $1`,
        [plan.name],
      )
    ).rows;
    return { added, parts: Number(counts?.parts), jobs: Number(counts?.jobs) };
  });
}

function assertSamePlan(plan: CheckedPlan, row: Row, version: string): void {
  if (row.version !== version) {
    throw new ShmemError(
      "FOREIGN_VERSION",
      `campaign ${plan.name} was submitted by version ${String(row.version)}, this is ${version}; give the new one another name`,
      { field: "name", value: String(row.version), unit: "version" },
    );
  }
  const before: Readonly<Record<string, unknown>> = {
    searches: row.searches,
    seeds: (row.seeds as string[]).map(Number),
    scenarios: Number(row.scenarios),
    bound: Number(row.bound),
    jobSeconds: Number(row.job_seconds),
    choices: row.choices,
  };
  for (const [field, value] of Object.entries(before)) {
    const wanted = plan[field as keyof CheckedPlan];
    if (JSON.stringify(value) === JSON.stringify(wanted)) continue;
    throw new ShmemError(
      "BAD_CAMPAIGN",
      `campaign ${plan.name} exists with ${field} ${JSON.stringify(value)}, not ${JSON.stringify(wanted)}; give the new one another name`,
      { field, value: wanted },
    );
  }
}

/**
 * Hand out no more jobs of a campaign, or, with `stopped` false, go on with it. Jobs in the queue end at once when a worker
 * takes them; those that are being played are played to their end.
 *
 * @throws `BAD_CAMPAIGN` where there is no such campaign.
 */
export async function stopCampaign(database: Database, name: string, stopped = true): Promise<void> {
  const { rowCount } = await database.query(
    `update ${SCHEMA}.campaign set stopped_at = ${stopped ? "coalesce(stopped_at, now())" : "null"} where name = $1`,
    [name],
  );
  if (rowCount === 1) return;
  const { rows } = await database.query(`select name from ${SCHEMA}.campaign order by name`);
  const there = rows.length === 0 ? "there is none yet" : `there is ${rows.map((row) => String(row.name)).join(", ")}`;
  throw new ShmemError("BAD_CAMPAIGN", `there is no campaign ${JSON.stringify(name)}; ${there}`, {
    field: "name",
    value: name,
  });
}
