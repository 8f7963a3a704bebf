/**
 * The checks of the repository as one command: `npm run check [NAME...]`.
 *
 * Each looks at the whole tree and gives its findings, one a line. `npm run check` prints how many each has, and what they
 * are; it ends with 0 when nothing is found. The tests beside this file hold the same numbers at 0, and hold each check
 * itself by findings that are planted.
 */
import { readFileSync } from "node:fs";
import { publicInterface, undocumented } from "./api.js";
import { cyclesOf } from "./cycles.js";
import { deadExports } from "./dead-exports.js";
import { retiredWords, uses } from "./glossary.js";
import { blanked } from "./imports.js";
import { danglingReferences, type Known } from "./references.js";
import { codeFiles, sourceFiles, textFiles } from "./tree.js";

/** One check. */
export interface Check {
  readonly name: string;
  /** What it counts. */
  readonly counts: string;
  findings(): string[];
}

/** What the comments of this tree may refer to. */
function known(): Known {
  const files = new Set(textFiles());
  const texts = new Map<string, string>();
  const text = (file: string): string => {
    const found = texts.get(file) ?? readFileSync(file, "utf8");
    texts.set(file, found);
    return found;
  };
  const names = new Set<string>();
  for (const file of codeFiles()) {
    for (const [name] of blanked(text(file), true).matchAll(/[A-Za-z_$][\w$]*/g)) names.add(name);
  }
  const ids = (file: string, pattern: RegExp): ReadonlySet<string> =>
    new Set([...text(file).matchAll(pattern)].map(([, id = ""]) => id));
  return {
    names,
    files,
    text,
    choices: ids("docs/ndis.md", /^\| (C\d+) \|/gm),
    misuse: ids("docs/misuse.md", /^\| ([A-Z]\d\d) \|/gm),
    deviations: ids("bindings/ndis/index.ts", /^ \* +(\d+)\. /gm),
  };
}

export const CHECKS: readonly Check[] = [
  {
    name: "cycles",
    counts: "import cycles, type imports counted",
    findings: () => {
      const texts = new Map(sourceFiles().map((file) => [file, readFileSync(file, "utf8")]));
      return cyclesOf(texts).map(({ files, round }) => `${files.length} files: ${round.join(" > ")}`);
    },
  },
  { name: "dead", counts: "exports that nothing imports", findings: deadExports },
  {
    name: "texts",
    counts: "exported names and members without a text",
    findings: () => undocumented(publicInterface()),
  },
  {
    name: "references",
    counts: "comments that refer to what is not there",
    findings: () => {
      const there = known();
      return codeFiles().flatMap((file) => danglingReferences(file, there.text(file), there));
    },
  },
  {
    name: "words",
    counts: "uses of retired words",
    findings: () => {
      const words = retiredWords(readFileSync("docs/glossary.md", "utf8"));
      return textFiles()
        .filter((file) => file !== "docs/glossary.md")
        .flatMap((file) => uses(file, readFileSync(file, "utf8"), words));
    },
  },
];
