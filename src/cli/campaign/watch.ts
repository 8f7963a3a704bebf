/** `ndis-shmem campaign watch`: a table that is written again every two seconds, or once. */
import { setTimeout as sleep } from "node:timers/promises";
import type { CampaignResult, Database, Queue, QueuePlace, WorkerStatus } from "../../campaign/index.js";
import { EXIT } from "../../report/index.js";
import type { CommandIo } from "../command.js";

type Campaign = typeof import("../../campaign/index.js");

const EVERY_MS = 2000;
const INTERRUPTED = 130;
const NAME_COLUMNS = 18;

interface Look {
  readonly campaigns: readonly CampaignResult[];
  readonly workers: readonly WorkerStatus[];
  readonly queue: Readonly<Record<string, number>>;
  readonly aside: readonly string[];
}

async function lookAt(campaign: Campaign, database: Database, queue: Queue, name: string | undefined): Promise<Look> {
  const { rows } = await database.query(`select name from ${campaign.SCHEMA}.campaign order by created_at`);
  const names = name === undefined ? rows.map((row) => String(row.name)) : [name];
  const campaigns = await Promise.all(names.map((one) => campaign.readResults(database, one)));
  const failed = await queue.getJobs(["failed"], 0, 19);
  return {
    campaigns,
    workers: await campaign.readWorkers(database),
    queue: await queue.getJobCounts("waiting", "active", "failed"),
    aside: failed.map(
      ({ data, failedReason }) =>
        `${data.campaign} ${data.search} seed ${data.seed} from ${data.first}: ${failedReason ?? "no reason was kept"}`,
    ),
  };
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** The table as lines of at most `columns`. `before`: scenarios of the look before, and how long ago. */
export function watchTable(
  look: Look,
  columns: number,
  before?: { readonly scenarios: number; readonly elapsedMs: number },
): string[] {
  const lines: string[] = [];
  for (const one of look.campaigns) {
    const total = one.drivers.reduce((sum, driver) => sum + driver.parts.reduce((all, part) => all + part.total, 0), 0);
    const done = one.drivers.reduce((sum, driver) => sum + driver.parts.reduce((all, part) => all + part.done, 0), 0);
    const state = one.stopped
      ? "stopped"
      : one.complete
        ? "complete"
        : `${((100 * done) / Math.max(1, total)).toFixed(1)} %`;
    lines.push(`${one.name}  ${state}, ${grouped(one.scenarios)} scenarios, ${one.findings} classes of finding`);
    lines.push(
      `  ${"driver".padEnd(NAME_COLUMNS)}${"done".padStart(8)}${"scenarios".padStart(16)}${"states".padStart(12)}${"findings".padStart(10)}`,
    );
    for (const driver of one.drivers) {
      const all = driver.parts.reduce((sum, part) => sum + part.total, 0);
      const share = (100 * driver.parts.reduce((sum, part) => sum + part.done, 0)) / Math.max(1, all);
      const states = `${driver.statesExact ? "" : "~"}${grouped(driver.states)}`;
      const name = driver.name.length < NAME_COLUMNS ? driver.name : `${driver.name.slice(0, NAME_COLUMNS - 2)}…`;
      lines.push(
        `  ${name.padEnd(NAME_COLUMNS)}${`${share.toFixed(1)} %`.padStart(8)}${grouped(driver.scenarios).padStart(16)}${states.padStart(12)}${String(driver.findings.length).padStart(10)}`,
      );
    }
  }
  if (look.campaigns.length === 0) lines.push("there is no campaign yet");
  const scenarios = look.workers.reduce((sum, worker) => sum + worker.scenarios, 0);
  const rate =
    before === undefined || before.elapsedMs <= 0
      ? ""
      : `, ${grouped(Math.max(0, Math.round(((scenarios - before.scenarios) * 1000) / before.elapsedMs)))} scenarios/s`;
  const threads = look.workers.reduce((sum, worker) => sum + worker.threads, 0);
  lines.push(
    `workers ${look.workers.length} with ${threads} threads${rate}; queue ${look.queue.waiting ?? 0} waiting, ${look.queue.active ?? 0} played, ${look.queue.failed ?? 0} set aside`,
  );
  for (const worker of look.workers) {
    const silent = worker.silentSeconds > 15 ? `, silent for ${worker.silentSeconds} s` : "";
    lines.push(
      `  ${worker.host} (${worker.id.split("-").at(-1)})  ${worker.threads} threads, ${worker.jobs} jobs, version ${worker.version}${silent}`,
    );
  }
  if (look.aside.length > 0)
    lines.push(
      "set aside after too many stalls (submit again hands them out):",
      ...look.aside.map((line) => `  ${line}`),
    );
  return lines.map((line) => line.slice(0, Math.max(40, columns)));
}

export async function watch(
  campaign: Campaign,
  database: Database,
  place: QueuePlace,
  name: string | undefined,
  once: boolean,
  io: CommandIo,
): Promise<number> {
  const queue = await campaign.openQueue(place, campaign.PACKAGE_VERSION);
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
  };
  process.once("SIGINT", interrupt);
  let before: { scenarios: number; at: number } | undefined;
  try {
    for (;;) {
      const look = await lookAt(campaign, database, queue, name);
      const scenarios = look.workers.reduce((sum, worker) => sum + worker.scenarios, 0);
      const now = performance.now();
      const lines = watchTable(
        look,
        io.columns,
        before === undefined ? undefined : { scenarios: before.scenarios, elapsedMs: now - before.at },
      );
      before = { scenarios, at: now };
      const isTerminal = process.stdout.isTTY === true;
      io.out(`${isTerminal && !once ? "\x1b[H\x1b[2J" : ""}${lines.join("\n")}\n`);
      if (once || interrupted) break;
      await sleep(EVERY_MS);
      if (interrupted) break;
    }
  } finally {
    process.removeListener("SIGINT", interrupt);
    await queue.close();
  }
  return interrupted ? INTERRUPTED : EXIT.clean;
}
