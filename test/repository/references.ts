/**
 * What comments refer to exists: files, names in code, choices, rows of the misuse catalogue, deviations.
 *
 * A comment that cites a rule outlives the rule; nothing else notices. So every comment of the sources is read for
 *
 *   `commentsOf`, `ELSEWHERE`          a name that stands in code somewhere in the project
 *   tree.ts, docs/glossary.md          a file of the project, by its path or by its name alone
 *   choice C10, choices C5 and C6      a line of the table of choices
 *   misuse B07                         a row of docs/misuse.md
 *   deviation 3                        a number at the head of bindings/ndis/index.ts
 *   an id of a file                    as in "rule Z9 of that file": the id stands in the file
 *
 * Words in back quotes that are no names (a command line, a value, an expression) are not judged, nor are samples, which
 * are indented by four spaces or more behind the star.
 */

/** What there is to refer to. */
export interface Known {
  /** Every word of code, strings included. */
  readonly names: ReadonlySet<string>;
  /** Every file, relative to the project. */
  readonly files: ReadonlySet<string>;
  readonly choices: ReadonlySet<string>;
  readonly misuse: ReadonlySet<string>;
  readonly deviations: ReadonlySet<string>;
  /** The text of a file. */
  text(file: string): string;
}

/** The comments of a source, everything else blank, so that lines and columns stay. */
export function commentsOf(text: string): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`|(?<=(?:^|[(,=:[!&|?{};]|\breturn)\s*)\/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g;
  let out = "";
  let last = 0;
  for (const match of text.matchAll(token)) {
    out += text.slice(last, match.index).replace(/[^\n]/g, " ");
    last = match.index + match[0].length;
    const isComment = /^\/[/*]/.test(match[0]) && !/^\/\/ ?(?:@|biome-ignore)/.test(match[0]);
    out += isComment ? match[0] : match[0].replace(/[^\n]/g, " ");
  }
  return out + text.slice(last).replace(/[^\n]/g, " ");
}

/** Made by the build, or of the AssemblyScript library. */
const ELSEWHERE = /^(?:build|dist|coverage|node_modules|bindings\/generated|std\/assembly)\//;
/** Names of Windows that comments may speak of whether or not the project has them. */
const FOREIGN =
  /^(?:Ndis|NDIS_|Miniport|Ke[A-Z]|Mm[A-Z]|Io[A-Z]|Rtl[A-Z]|Ex[A-Z]|Hal[A-Z]|Protocol[A-Z]|STATUS_|DRIVER_|LARGE_INTEGER)/;

/** Lines that are indented as a sample, blank. */
function withoutSamples(comments: string): string {
  return comments.replace(
    /^( *\*)( {4,}\S[^\n]*)$/gm,
    (_all, star: string, sample: string) => star + " ".repeat(sample.length),
  );
}

/** `file:line: what is referred to and is not there` for the comments of one source. */
export function danglingReferences(file: string, text: string, known: Known): string[] {
  const comments = withoutSamples(commentsOf(text));
  const found: string[] = [];
  const tell = (index: number, what: string): void => {
    found.push(`${file}:${comments.slice(0, index).split("\n").length}: ${what}`);
  };
  for (const match of comments.matchAll(/`([A-Za-z_$][\w$]*)(?:\.([A-Za-z_$][\w$]*))*(?:\(\))?`/g)) {
    for (const name of match[0].slice(1, -1).replace("()", "").split(".")) {
      const isName = /[a-z][A-Z]|_[A-Z]/.test(name) && !FOREIGN.test(name);
      if (isName && !known.names.has(name)) tell(match.index, `\`${name}\` stands nowhere in code`);
    }
  }
  const base = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
  const names = new Set([...known.files].map(base));
  const targets = (path: string): string[] =>
    [...known.files].filter((each) => each === path || each.endsWith(`/${path}`));
  for (const match of comments.matchAll(
    /(?<![\w:/.<*-])([A-Za-z][\w-]*(?:\/[\w.-]+)*\.(?:d\.ts|ts|mjs|md|sh))(?::\d+)?\b/g,
  )) {
    const path = match[1] ?? "";
    if (ELSEWHERE.test(path)) continue;
    if (path.includes("/") ? targets(path).length === 0 : !names.has(path)) tell(match.index, `no file ${path}`);
  }
  const ids = (pattern: RegExp, valid: ReadonlySet<string>, what: string): void => {
    for (const match of comments.matchAll(pattern)) {
      for (const [id] of match[0].matchAll(/\b[A-Z]?\d+\b/g)) if (!valid.has(id)) tell(match.index, `no ${what} ${id}`);
    }
  };
  ids(/\bchoices? C\d+(?:(?:,| and| to|, and) C\d+)*/g, known.choices, "choice");
  ids(/\bmisuse [A-Z]\d\d(?:(?:,| and| to|, and) [A-Z]\d\d)*/g, known.misuse, "row of the misuse catalogue");
  ids(/\bdeviations? \d+(?:(?:,| and| to|, and) \d+)*/g, known.deviations, "deviation");
  for (const match of comments.matchAll(/\b([A-Z]\d+)(?: to ([A-Z]\d+))? of `?([\w./-]+\.ts)/g)) {
    const [, first = "", last, path = ""] = match;
    for (const target of targets(path)) {
      for (const id of [first, last ?? first]) {
        if (!new RegExp(`\\b${id}\\b`).test(known.text(target))) tell(match.index, `no ${id} in ${target}`);
      }
    }
  }
  return found;
}
