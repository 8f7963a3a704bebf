/** `ndis-shmem campaign work`: a worker until Ctrl-C, SIGTERM, or, with --until-done, until all is played. */
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Database, QueuePlace } from "../../campaign/index.js";
import { EXIT } from "../../report/index.js";
import type { CommandIo } from "../command.js";

type Campaign = typeof import("../../campaign/index.js");
type Values = Readonly<Record<string, string | boolean | undefined>>;
type Integer = (values: never, name: never, fallback: number, least: number, most: number) => number;

/** Exit code after Ctrl-C, as shells have it. */
const INTERRUPTED = 130;
const LOOK_MS = 500;

export async function work(
  campaign: Campaign,
  database: Database,
  place: QueuePlace,
  values: Values,
  io: CommandIo,
  integer: Integer,
): Promise<number> {
  const number = (name: string, fallback: number, least: number, most: number): number =>
    integer(values as never, name as never, fallback, least, most);
  const threads = number("jobs", availableParallelism(), 1, 256);
  const worker = await campaign.startWorker(database, {
    place,
    threads,
    limits: {
      scenarioMs: number("scenario-ms", 10_000, 250, 3_600_000),
      heapMiB: number("heap-mib", 1024, 64, 65_536),
    },
    ...lockOfEnvironment(),
    report: (line) => io.err(`${line}\n`),
  });
  io.err(`worker ${worker.id}: ${threads} player threads; Ctrl-C ends it after the jobs under way\n`);
  let interrupted: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals): void => {
    interrupted = signal;
  };
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  try {
    while (interrupted === undefined) {
      await sleep(LOOK_MS);
      if (values["until-done"] === true && (await isDone(campaign, database))) break;
    }
  } finally {
    process.removeListener("SIGINT", interrupt);
    process.removeListener("SIGTERM", interrupt);
    await worker.close();
  }
  const { jobs, repeated, scenarios } = worker.counts;
  io.out(`worker ${worker.id}: ${jobs} jobs, ${scenarios} scenarios; ${repeated} jobs had been written by others\n`);
  return interrupted === "SIGINT" ? INTERRUPTED : EXIT.clean;
}

/** A shorter lock than BullMQ's 30 s, for tests that kill workers and cannot wait. */
function lockOfEnvironment(): { readonly lockMs?: number } {
  const given = process.env.NDIS_SHMEM_LOCK_MS;
  return given !== undefined && /^\d{3,6}$/.test(given) ? { lockMs: Number(given) } : {};
}

async function isDone(campaign: Campaign, database: Database): Promise<boolean> {
  try {
    const { rows } = await database.query(
      `select 1 from ${campaign.SCHEMA}.part join ${campaign.SCHEMA}.campaign on name = campaign
       where version = $1 and stopped_at is null and done <> int8multirange(int8range(0, total)) limit 1`,
      [campaign.PACKAGE_VERSION],
    );
    return rows.length === 0;
  } catch (error) {
    if (campaign.isServerAway(error)) return false;
    throw error;
  }
}
