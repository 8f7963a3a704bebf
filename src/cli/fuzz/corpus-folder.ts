/**
 * A corpus of scenarios: a folder with a file for each, named by its bytes, kept between runs.
 *
 * The files come from anywhere. Only regular files that end in `.scenario` are read, of bounded size and number; the others
 * are counted and said.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalScenario, MOST_EVENTS } from "../../fuzz/index.js";
import { UsageError } from "../command.js";

const SUFFIX = ".scenario";
const MOST_FILES = 20_000;
const MOST_BYTES = 8 + 4 * MOST_EVENTS;

/** See the head of this file. */
export class CorpusFolder {
  readonly folder: string;
  /** Canonical bytes of each scenario in hexadecimal, in the order of the file names. */
  readonly scenarios: readonly string[];
  /** Files that were left out. */
  readonly skipped: number;
  readonly #known: Set<string>;
  /** Files written. */
  added = 0;

  /** Read a folder, which is made where it is missing. `UsageError` where it cannot be read. */
  constructor(folder: string) {
    this.folder = folder;
    let names: string[];
    try {
      mkdirSync(folder, { recursive: true });
      names = readdirSync(folder).sort();
    } catch (error) {
      throw new UsageError(`--corpus is \`${folder}\`, which is no folder that can be read: ${textOf(error)}`);
    }
    const scenarios = new Set<string>();
    let skipped = Math.max(0, names.length - MOST_FILES);
    for (const name of names.slice(0, MOST_FILES)) {
      const scenario = name.endsWith(SUFFIX) ? read(join(folder, name)) : null;
      if (scenario === null) skipped++;
      else scenarios.add(scenario);
    }
    this.scenarios = [...scenarios];
    this.#known = scenarios;
    this.skipped = skipped;
  }

  /** Keep a scenario, given in hexadecimal. */
  keep(hex: string): void {
    if (this.#known.has(hex)) return;
    this.#known.add(hex);
    const bytes = Buffer.from(hex, "hex");
    const name = `${createHash("sha256").update(bytes).digest("hex").slice(0, 20)}${SUFFIX}`;
    writeFileSync(join(this.folder, name), bytes);
    this.added++;
  }
}

/** The canonical bytes of a file in hexadecimal; null for what is no scenario. */
function read(path: string): string | null {
  try {
    const status = statSync(path);
    if (!status.isFile() || status.size > MOST_BYTES) return null;
    return Buffer.from(canonicalScenario(readFileSync(path))).toString("hex");
  } catch {
    return null; // Counted as skipped.
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
