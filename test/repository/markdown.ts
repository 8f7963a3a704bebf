/**
 * The programs inside a Markdown file.
 *
 * A fenced block whose language is `ts`, `js` or `mjs` is a program and must run as it stands. In README.md that holds
 * for every such block; elsewhere for those whose fence says so (```` ```ts run ````). A fragment that cannot run takes
 * another language (`text`), so that no example is left out in silence.
 */

export interface Program {
  readonly language: "ts" | "js" | "mjs";
  /** The line of the opening fence, from 1. */
  readonly line: number;
  readonly code: string;
}

/** The programs of `markdown`, in order. `onlyMarked`: those whose fence has the word `run`. */
export function programsOf(markdown: string, onlyMarked: boolean): Program[] {
  const programs: Program[] = [];
  let open: { fence: string; language: string; marked: boolean; line: number; code: string[] } | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    const fence = /^\s*(`{3,}|~{3,})\s*(\S*)\s*(.*)$/.exec(line);
    if (open === undefined) {
      if (fence === null) continue;
      const [, marks = "", language = "", rest = ""] = fence;
      open = { fence: marks, language, marked: /\brun\b/.test(rest), line: index + 1, code: [] };
    } else if (fence !== null && fence[2] === "" && (fence[1] ?? "").startsWith(open.fence)) {
      const { language, marked, line: start, code } = open;
      const isProgram = language === "ts" || language === "js" || language === "mjs";
      if (isProgram && (marked || !onlyMarked)) programs.push({ language, line: start, code: code.join("\n") });
      open = undefined;
    } else {
      open.code.push(line);
    }
  }
  return programs;
}
