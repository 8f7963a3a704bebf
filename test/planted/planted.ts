/** What a planted bug is: changes to the text of sources, and the mistake of real life that they model. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bodiesOf, type Match, matchesOf, replacementOf, tokensOf } from "./match.js";

/** One replacement (match.ts). Its pattern must lead to exactly one place. */
export interface Change {
  /** The folder in whose files the pattern is looked for. */
  readonly folder: string;
  /** The function or method that the place is in: asked where the pattern matches more than once in the folder. */
  readonly within?: string;
  readonly find: string;
  readonly put: string;
}

/** One bug. */
export interface PlantedBug {
  readonly name: string;
  /** A driver's name, or "core". */
  readonly where: string;
  /** The kind of mistake. */
  readonly kind: string;
  /** The mistake that real code makes, in one line. */
  readonly pattern: string;
  readonly changes: readonly Change[];
}

/** A change of a driver: the function that it is in, the pattern, and what stands in its place. */
export type DriverHunk = readonly [within: string, find: string, put: string];

/** Hunks as changes in the drivers' folder. */
export function driverChanges(hunks: readonly DriverHunk[]): Change[] {
  return hunks.map(([within, find, put]) => ({ folder: "src/drivers", within, find, put }));
}

/** Reads the `.ts` files of a folder: path with `/`, text. */
export type ReadSources = (folder: string) => ReadonlyMap<string, string>;

const read: Map<string, ReadonlyMap<string, string>> = new Map();

/** The sources of this checkout; each folder is read once. */
export const sourcesOf: ReadSources = (folder) => {
  const known = read.get(folder);
  if (known !== undefined) return known;
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const sources = new Map(
    files.sort().map((name) => {
      const path = join(folder, name);
      return [path.replaceAll("\\", "/"), readFileSync(path, "utf8")] as const;
    }),
  );
  read.set(folder, sources);
  return sources;
};

/** The files that a bug changes, with their changed text. Throws where a pattern leads to no place or to several. */
export function plant(bug: PlantedBug, sources: ReadSources = sourcesOf): ReadonlyMap<string, string> {
  const edits = new Map<string, { readonly match: Match; readonly put: string }[]>();
  for (const change of bug.changes) {
    const { file, match } = placeOf(bug, change, sources);
    const list = edits.get(file) ?? [];
    list.push({ match, put: replacementOf(change.put, match) });
    edits.set(file, list);
  }
  const changed = new Map<string, string>();
  for (const [file, list] of edits) {
    let text = textOf(bug, file, sources);
    // From the end, so that the places before stay where they are.
    for (const { match, put } of list.sort((one, two) => two.match.start - one.match.start))
      text = text.slice(0, match.start) + put + text.slice(match.end);
    changed.set(file, text);
  }
  return changed;
}

function textOf(bug: PlantedBug, file: string, sources: ReadSources): string {
  for (const { folder } of bug.changes) {
    const text = sources(folder).get(file);
    if (text !== undefined) return text;
  }
  throw new Error(`${bug.name}: ${file} was not read`);
}

function placeOf(bug: PlantedBug, change: Change, sources: ReadSources): { file: string; match: Match } {
  const everywhere: { file: string; match: Match }[] = [];
  const inside: { file: string; match: Match }[] = [];
  for (const [file, text] of sources(change.folder)) {
    const tokens = tokensOf(text);
    for (const match of matchesOf(change.find, tokens)) everywhere.push({ file, match });
    for (const [from, to] of change.within === undefined ? [] : bodiesOf(change.within, tokens))
      for (const match of matchesOf(change.find, tokens, from, to)) inside.push({ file, match });
  }
  const [place, second] = everywhere.length === 1 ? everywhere : inside;
  if (place !== undefined && second === undefined) return place;
  const where = change.within === undefined ? "" : `, ${inside.length} times in ${change.within}`;
  throw new Error(
    `${bug.name}: its pattern matches ${everywhere.length} times in ${change.folder}${where}: ${change.find}`,
  );
}
