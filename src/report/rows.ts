/**
 * Rows of a table for a terminal: group, label, value flush right, and a remark that takes what is left of the line.
 *
 * Nothing is broken inside a word or a number: the columns of a narrow terminal shrink to what their words need, and a
 * remark that does not fit goes on under itself.
 */

/** What stands in a row beside the name of its group. */
export type Row = readonly [label: string, value: string, remark?: string | undefined];

/** Rows under one name. */
export type RowGroup = readonly [group: string, rows: readonly Row[]];

const WIDE = { group: 12, label: 20, value: 18 } as const;
/** Least room for a remark beside its row. */
const LEAST_REMARK = 12;

/** Lines of the groups, each at most `columns` wide where words allow, with an empty line behind each group. */
export function rowLines(groups: readonly RowGroup[], columns: number): string[] {
  const rows = groups.flatMap(([, list]) => list);
  const longest = (texts: readonly string[]): number => Math.max(0, ...texts.map((text) => text.length));
  const needed = {
    group: longest(groups.map(([group]) => group)) + 2,
    label: longest(rows.map(([label]) => label)) + 1,
    value: longest(rows.map(([, value]) => value)),
  };
  const wideRemark = columns - WIDE.group - WIDE.label - WIDE.value - 2;
  const isWide = wideRemark >= longest(rows.map(([, , remark]) => remark ?? ""));
  const width = {
    group: Math.max(needed.group, isWide ? WIDE.group : 0),
    label: Math.max(needed.label, isWide ? WIDE.label : 0),
    value: Math.max(needed.value, isWide ? WIDE.value : 0),
  };
  const before = width.group + width.label + width.value + 2;
  const indent = " ".repeat(columns - before >= LEAST_REMARK ? before : width.group + 2);
  const lines: string[] = [];
  for (const [group, list] of groups) {
    for (const [index, [label, value, remark]] of list.entries()) {
      const name = index === 0 ? group : "";
      const head = `${name.padEnd(width.group)}${label.padEnd(width.label)}${value.padStart(width.value)}`;
      const [first, ...others] = wrapped(remark ?? "", columns - indent.length);
      const fits = first !== undefined && indent.length === before;
      lines.push((fits ? `${head}  ${first}` : head).trimEnd());
      for (const line of fits || first === undefined ? others : [first, ...others]) lines.push(indent + line);
    }
    lines.push("");
  }
  return lines;
}

/** Lines of at most `columns`, broken between words; a longer word has a line of its own. */
export function wrapped(sentences: string, columns: number, indent = ""): string[] {
  const lines: string[] = [];
  for (const word of sentences.split(/\s+/).filter((one) => one !== "")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(indent + word);
  }
  return lines;
}
