/**
 * Retired words: what docs/glossary.md lists under "Retired", looked for in code, docs and output.
 *
 * The page's table is the list; nothing is listed here. A row has words in back quotes, one kind for all of them, and the
 * term that stands now:
 *
 *   identifier   a word, or several in a row, inside a name in code or of a file: `life` is found in play-life and in
 *                LIFE_BYTES, not in lifetime
 *   option       an option of the command line, found in any text
 *   phrase       words in a row in any text, whatever the case and the line ends; not inside a longer word
 */
import { blanked } from "./imports.js";

export type RetiredKind = "identifier" | "option" | "phrase";

/** One word that is not used any more. */
export interface Retired {
  readonly word: string;
  readonly kind: RetiredKind;
  /** What is said now. */
  readonly instead: string;
}

const KINDS: ReadonlySet<string> = new Set<RetiredKind>(["identifier", "option", "phrase"]);

/** The rows of the table under "## Retired" of the page. Throws for a row of an unknown kind. */
export function retiredWords(page: string): Retired[] {
  const section = page.split(/^## Retired$/m)[1]?.split(/^## /m)[0] ?? "";
  const rows = [...section.matchAll(/^\| (`.+`) \| (\w+) \| (.+) \|$/gm)];
  return rows.flatMap(([, words = "", kind = "", instead = ""]) => {
    if (!KINDS.has(kind)) throw new Error(`docs/glossary.md: no kind \`${kind}\` of retired words: ${words}`);
    return [...words.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => ({ word, kind: kind as RetiredKind, instead }));
  });
}

/** The words of a name: playLifeNow, PLAY_LIFE_NOW and play-life-now have the same three. */
function partsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((part) => part !== "");
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Where `words` are used in `text`, the text of `file`: `file:line: word, say instead`. */
export function uses(file: string, text: string, words: readonly Retired[]): string[] {
  const found = new Set<string>();
  const tell = (index: number, { word, instead }: Retired): void => {
    found.add(`${file}:${text.slice(0, index).split("\n").length}: \`${word}\`; now: ${instead}`);
  };
  const identifiers = words.filter(({ kind }) => kind === "identifier");
  const sought = identifiers.map((one) => ({ one, parts: ` ${partsOf(one.word).join(" ")} ` }));
  const look = (name: string, index: number): void => {
    const parts = ` ${partsOf(name).join(" ")} `;
    for (const each of sought) if (parts.includes(each.parts)) tell(index, each.one);
  };
  for (const part of file.split("/")) look(part.replace(/\.[a-z.]+$/, ""), 0);
  if (/\.m?[jt]s$/.test(file)) {
    for (const match of blanked(text, false).matchAll(/[A-Za-z_$][\w$]*/g)) look(match[0], match.index);
  } else {
    for (const match of text.matchAll(/`([A-Za-z_$][\w$.]*)`/g)) look(match[1] ?? "", match.index);
  }
  for (const one of words) {
    if (one.kind === "identifier") continue;
    // A comment's line break is a space, with the star and the slashes of the next line.
    const gap = "[ \\t]*(?:\\r?\\n[ \\t]*(?:\\*|//)?)?[ \\t]+|\\n[ \\t]*(?:\\*|//|>)?[ \\t]*";
    const body = one.word.split(" ").map(escaped).join(`(?:${gap})`);
    for (const match of text.matchAll(new RegExp(`(?<![\\w-])${body}(?![\\w-])`, "gi"))) tell(match.index, one);
  }
  return [...found];
}
