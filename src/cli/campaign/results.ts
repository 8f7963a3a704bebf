/** `ndis-shmem campaign results`: a table, JSON, and the files of each finding that `fuzz` writes. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { CampaignResult, Database, FindingClass } from "../../campaign/index.js";
import { EXIT } from "../../report/index.js";
import { type CommandIo, UsageError } from "../command.js";

type Campaign = typeof import("../../campaign/index.js");
type Fuzz = typeof import("../../fuzz/index.js");

export async function results(
  campaign: Campaign,
  database: Database,
  name: string,
  json: boolean,
  out: string | undefined,
  io: CommandIo,
): Promise<number> {
  const result = await campaign.readResults(database, name);
  const written = out === undefined ? [] : await writeResults(campaign, database, result, out);
  const entries = new Map<string, string>();
  for (const { hash } of result.drivers) {
    const { entry, files } = await campaign.readBundle(database, hash);
    entries.set(hash, Object.keys(files).length === 0 ? entry : `./${entry}`);
  }
  if (json) io.out(`${JSON.stringify(result, null, 2)}\n`);
  else io.out(`${[...resultLines(result, entries), ...written.map((path) => `wrote ${path}`)].join("\n")}\n`);
  return result.findings === 0 ? EXIT.clean : EXIT.findings;
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** The result for people: each driver, and under it each class with its first occurrence and the call that repeats it. */
export function resultLines(result: CampaignResult, entries: ReadonlyMap<string, string>): string[] {
  const state = result.complete ? "complete" : result.stopped ? "stopped" : "under way";
  const lines = [
    `${result.name} (version ${result.version}), ${state}: ${grouped(result.scenarios)} scenarios, ${result.findings} classes of finding`,
  ];
  for (const driver of result.drivers) {
    const states = `${driver.statesExact ? "" : "about "}${grouped(driver.states)} states`;
    lines.push(
      "",
      `${driver.name} (${driver.hash.slice(0, 12)}): ${grouped(driver.scenarios)} scenarios, ${states}, ${driver.situations} situations`,
    );
    if (driver.findings.length === 0) lines.push("  nothing found");
    for (const finding of driver.findings)
      lines.push(...findingLines(entries.get(driver.hash) ?? driver.name, finding));
  }
  return lines;
}

function findingLines(driver: string, finding: FindingClass): string[] {
  const { rule, code, call, count, first, message, reproductions } = finding;
  const where = call === "" ? "" : ` in ${call}`;
  const [shortest] = reproductions;
  return [
    `  ${rule} (${code})${where}: ${grouped(count)} scenarios`,
    ...message.split("\n").map((line) => `    ${line}`),
    `    first in scenario ${grouped(first.scenario)} of ${first.search}, seed ${first.seed}`,
    ...(shortest === undefined ? [] : [`    again:  ndis-shmem fuzz ${driver} --scenario ${shortest.bytes}`]),
  ];
}

/** Each driver's files in a folder of its own, and beside them what `fuzz` writes of each class. */
async function writeResults(
  campaign: Campaign,
  database: Database,
  result: CampaignResult,
  out: string,
): Promise<string[]> {
  const fuzz: Fuzz = await import("../../fuzz/index.js");
  const written: string[] = [];
  for (const driver of result.drivers) {
    const folder = resolve(out, `${fileName(driver.name)}-${driver.hash.slice(0, 12)}`);
    try {
      mkdirSync(folder, { recursive: true });
    } catch (error) {
      throw new UsageError(`--out ${out} cannot be made: ${error instanceof Error ? error.message : String(error)}`);
    }
    const put = (name: string, content: string | Uint8Array): void => {
      writeFileSync(join(folder, name), content);
      written.push(relative(process.cwd(), join(folder, name)));
    };
    const manifest = await campaign.readBundle(database, driver.hash);
    for (const [name, content] of Object.entries(manifest.files)) put(fileName(name), Buffer.from(content, "base64"));
    const isModule = /\.[mc]js$/.test(manifest.entry) && Object.keys(manifest.files).length > 0;
    for (const finding of driver.findings) {
      const [shortest] = finding.reproductions;
      if (shortest === undefined) continue;
      const base = fileName([finding.rule, finding.code, finding.call].filter((part) => part !== "").join("-"));
      const scenario = fuzz.decodeScenario(Uint8Array.from(Buffer.from(shortest.bytes, "hex")));
      const subject = Object.keys(manifest.files).length === 0 ? manifest.entry : `./${manifest.entry}`;
      const again = `ndis-shmem fuzz ${subject} --scenario ${shortest.bytes}`;
      const { search, seed, scenario: position } = finding.first;
      put(`${base}.replay.json`, fuzz.replayText(subject, scenario, finding, { seed, search, position }));
      put(`${base}.txt`, `${shortest.text}\nagain:  ${again}\n`);
      if (!isModule) continue;
      const { rule, code, call, message } = finding;
      const told = { rule, code, call, message, step: 0 };
      put(`${base}.test.mjs`, fuzz.testSource(scenario, told, subject, "node:test", again));
      put(`${base}.uvu.mjs`, fuzz.testSource(scenario, told, subject, "uvu", again));
    }
  }
  return written;
}

function fileName(text: string): string {
  return text.replace(/[^\w.-]+/g, "-");
}
