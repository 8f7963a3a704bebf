/**
 * `ndis-shmem campaign`: init, submit, work, watch, results, stop, board. Each is one call into src/campaign, with the
 * terminal around it.
 */
import { parseArgs } from "node:util";
import { ShmemError } from "../../../bindings/index.js";
import type { CampaignSearch, Database } from "../../campaign/index.js";
import { EXIT } from "../../report/index.js";
import { type Command, type CommandIo, parseInteger, UsageError } from "../command.js";
import { CAMPAIGN_HELP } from "./help.js";

type Campaign = typeof import("../../campaign/index.js");

const OPTIONS = {
  db: { type: "string" },
  redis: { type: "string" },
  name: { type: "string" },
  device: { type: "string" },
  searches: { type: "string" },
  seeds: { type: "string" },
  scenarios: { type: "string" },
  bound: { type: "string" },
  "job-seconds": { type: "string" },
  jobs: { type: "string" },
  "until-done": { type: "boolean" },
  "scenario-ms": { type: "string" },
  "heap-mib": { type: "string" },
  once: { type: "boolean" },
  json: { type: "boolean" },
  out: { type: "string" },
  resume: { type: "boolean" },
  port: { type: "string" },
} as const;

type OptionName = keyof typeof OPTIONS;
type Values = { readonly [Name in OptionName]?: string | boolean | undefined };

/** Options of every action, and of each. */
const OF_ALL: readonly OptionName[] = ["db", "redis"];
const ACTIONS: Readonly<Record<string, readonly OptionName[]>> = {
  init: [],
  submit: ["name", "device", "searches", "seeds", "scenarios", "bound", "job-seconds"],
  work: ["jobs", "until-done", "scenario-ms", "heap-mib"],
  watch: ["name", "once"],
  results: ["name", "json", "out"],
  stop: ["name", "resume"],
  board: ["port"],
};

/** See the head of this file. */
export const campaignCommand: Command = {
  name: "campaign",
  summary: "fuzz many drivers on many machines",
  help: () => CAMPAIGN_HELP,
  run: async (args, io) => {
    const [action, ...rest] = args;
    const allowed = action === undefined ? undefined : ACTIONS[action];
    if (action === undefined || allowed === undefined) {
      throw new UsageError(
        `campaign takes an action, not ${action === undefined ? "nothing" : `\`${action}\``}: ${Object.keys(ACTIONS).join(", ")}`,
      );
    }
    const { values, positionals } = parse(action, allowed, rest);
    const campaign = await import("../../campaign/index.js");
    try {
      return await act(campaign, action, values, positionals, io);
    } catch (error) {
      if (error instanceof ShmemError) throw new UsageError(error.message);
      if (campaign.isServerAway(error) || typeof (error as { code?: unknown }).code === "string") {
        throw new UsageError(`the database: ${messageOf(error)}`);
      }
      throw error;
    }
  },
};

function messageOf(error: unknown): string {
  const inner = (error as { readonly errors?: readonly Error[] }).errors?.[0];
  return inner?.message ?? (error instanceof Error ? error.message : String(error));
}

function parse(
  action: string,
  allowed: readonly OptionName[],
  args: readonly string[],
): { readonly values: Values; readonly positionals: readonly string[] } {
  let parsed: { readonly values: Values; readonly positionals: readonly string[] };
  try {
    parsed = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
  const foreign = (Object.keys(parsed.values) as OptionName[]).find(
    (name) => !OF_ALL.includes(name) && !allowed.includes(name),
  );
  if (foreign !== undefined) {
    const own = [...OF_ALL, ...allowed].map((name) => `--${name}`).join(", ");
    throw new UsageError(`campaign ${action} has no option --${foreign}; it has ${own}`);
  }
  if (parsed.positionals.length > 0 && action !== "submit") {
    throw new UsageError(`campaign ${action} takes no \`${parsed.positionals[0]}\``);
  }
  return parsed;
}

function text(values: Values, name: OptionName): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

function required(values: Values, name: OptionName): string {
  const value = text(values, name);
  if (value === undefined) throw new UsageError(`--${name} is needed`);
  return value;
}

function integer(values: Values, name: OptionName, fallback: number, least: number, most: number): number {
  const value = text(values, name);
  return value === undefined ? fallback : parseInteger(`--${name}`, value, least, most);
}

/** `1000`, `1e9`, `2.5e6`. */
function count(values: Values, name: OptionName, fallback: number, most: number): number {
  const given = text(values, name);
  if (given === undefined) return fallback;
  const value = /^\d+(?:\.\d+)?(?:e\d{1,2})?$/i.test(given) ? Number(given) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < 1 || value > most) {
    throw new UsageError(`--${name} takes a whole number from 1 to ${most}, such as 50000 or 1e9, not \`${given}\``);
  }
  return value;
}

/** `1-8`, `1,3,5`, `1-3,7`. */
export function parseSeeds(given: string): number[] {
  const seeds: number[] = [];
  for (const part of given.split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    const from = Number(match?.[1] ?? Number.NaN);
    const to = Number(match?.[2] ?? match?.[1] ?? Number.NaN);
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || to < from || to - from >= 10_000) {
      throw new UsageError(`--seeds takes numbers and ranges such as 1-8 or 1,3,5, not \`${given}\``);
    }
    for (let seed = from; seed <= to; seed++) seeds.push(seed);
  }
  return seeds;
}

function urlOf(campaign: Campaign, values: Values): string {
  const given = text(values, "db");
  if (given !== undefined) return campaign.checkedUrl(given, true);
  const fromEnvironment = process.env.NDIS_SHMEM_DB;
  if (fromEnvironment === undefined || fromEnvironment === "") {
    throw new UsageError("which database? Give --db postgres://USER@HOST:PORT/DATABASE or set NDIS_SHMEM_DB");
  }
  return campaign.checkedUrl(fromEnvironment, false);
}

async function act(
  campaign: Campaign,
  action: string,
  values: Values,
  drivers: readonly string[],
  io: CommandIo,
): Promise<number> {
  const url = urlOf(campaign, values);
  const redis = text(values, "redis") ?? process.env.NDIS_SHMEM_REDIS;
  const place = { db: url, ...(redis === undefined ? {} : { redis }) };
  if (action === "init") {
    const { roles } = await campaign.initialise(url);
    io.out(`the database is ready: tables in the schemas ndis_shmem and bullmq\n`);
    const names = Object.values(campaign.ROLES).join(", ");
    io.out(
      roles
        ? `roles: ${names}; grant them to the users who submit, work and look\n`
        : `no roles were made: this user may not. Made by one who may, ${names} would be granted their rights by running init again\n`,
    );
    return EXIT.clean;
  }
  const database = await campaign.Database.open(url);
  try {
    if (action === "submit") return await submit(campaign, database, values, drivers, io);
    if (action === "stop") {
      const name = required(values, "name");
      await campaign.stopCampaign(database, name, values.resume !== true);
      io.out(
        `${name} ${values.resume === true ? "goes on" : "is stopped; jobs that are being played are played to their end"}\n`,
      );
      return EXIT.clean;
    }
    if (action === "work") {
      const { work } = await import("./work.js");
      return await work(campaign, database, place, values, io, integer);
    }
    if (action === "watch") {
      const { watch } = await import("./watch.js");
      return await watch(campaign, database, place, text(values, "name"), values.once === true, io);
    }
    if (action === "board") {
      const { board } = await import("./board.js");
      return await board(campaign, place, integer(values, "port", 3000, 1, 65_535), io);
    }
    const { results } = await import("./results.js");
    return await results(campaign, database, required(values, "name"), values.json === true, text(values, "out"), io);
  } finally {
    await database.close();
  }
}

async function submit(
  campaign: Campaign,
  database: Database,
  values: Values,
  names: readonly string[],
  io: CommandIo,
): Promise<number> {
  const name = required(values, "name");
  if (names.length === 0) throw new UsageError("which drivers? Give modules, or names of drivers of this package");
  const fuzz = await import("../../fuzz/index.js");
  const device = text(values, "device");
  const builtIn = fuzz.BUILT_IN_DRIVERS.map((driver) => driver.name);
  const drivers = await Promise.all(
    names.map((driver) => campaign.bundleDriver(driver, { builtIn, ...(device === undefined ? {} : { device }) })),
  );
  const jobSeconds = Number(text(values, "job-seconds") ?? 10);
  const { measureRates } = await import("./rates.js");
  const rates = await measureRates(campaign, drivers, io);
  const searches = text(values, "searches");
  const seeds = text(values, "seeds");
  const submitted = await campaign.submitCampaign(database, {
    name,
    drivers,
    ...(searches === undefined ? {} : { searches: searches.split(",").map((one) => one.trim()) as CampaignSearch[] }),
    ...(seeds === undefined ? {} : { seeds: parseSeeds(seeds) }),
    scenarios: count(values, "scenarios", 1e6, 1e15),
    bound: integer(values, "bound", 4, 1, 20),
    jobSeconds,
    rates,
  });
  io.out(
    submitted.added === 0
      ? `${name} was there already: ${submitted.parts} parts, ${submitted.jobs} jobs\n`
      : `${name}: ${submitted.added} drivers added; ${submitted.parts} parts, ${submitted.jobs} jobs of about ${jobSeconds} s\n`,
  );
  return EXIT.clean;
}
