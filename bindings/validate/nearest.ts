/** The nearest of several names: what somebody meant who wrote `remap`, `devise` or `SEED`. */

/** The name of `known` that is nearest to `given`, where one is near enough to be meant; else undefined. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  // Nobody meant a name by a text this long, and the table below grows with its square.
  if (given.length === 0 || given.length > 40) return undefined;
  const wanted = given.toLowerCase();
  let best: string | undefined;
  let least = Math.max(2, Math.ceil(wanted.length / 3)) + 1;
  for (const name of known) {
    const candidate = name.toLowerCase();
    const isPrefix = wanted.length >= 3 && (candidate.startsWith(wanted) || wanted.startsWith(candidate));
    const distance = isPrefix ? 1 : distanceOf(wanted, candidate);
    if (distance < least) {
      least = distance;
      best = name;
    }
  }
  return best;
}

/** Damerau and Levenshtein's distance: insertions, deletions, substitutions, and exchanges of neighbours. */
function distanceOf(one: string, other: string): number {
  const width = other.length + 1;
  let before: number[] = [];
  let last = Array.from({ length: width }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j < width; j++) {
      const same = one[i - 1] === other[j - 1];
      let least = Math.min(
        (last[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (last[j - 1] as number) + (same ? 0 : 1),
      );
      const exchanged = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      if (exchanged) least = Math.min(least, (before[j - 2] as number) + 1);
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[width - 1] as number;
}
