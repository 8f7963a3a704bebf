/** What a planted bug is: changes to the text of sources, and the mistake of real scenario that they model. */

/** One replacement. `find` must occur exactly once, or the bug is refused: an anchor that is gone must be heard. */
export interface Change {
  readonly file: string;
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

/** Apply the changes of a bug that concern a file. Throws where an anchor does not occur exactly once. */
export function planted(bug: PlantedBug, file: string, text: string): string {
  let changed = text;
  for (const change of bug.changes) {
    if (change.file !== file) continue;
    const parts = changed.split(change.find);
    if (parts.length !== 2)
      throw new Error(`${bug.name}: its anchor occurs ${parts.length - 1} times in ${file}: ${change.find}`);
    changed = parts.join(change.put);
  }
  return changed;
}
