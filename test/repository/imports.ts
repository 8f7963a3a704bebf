/**
 * The import rules, as a function from a file's text to what it breaks.
 *
 *     assembly → (wasm bytes) → bindings → src → bench, examples, src/cli         test sees all, nothing sees test
 *
 * It works on text, not on a syntax tree: the TypeScript compiler in use has no programming interface. Comments, strings
 * and regular expressions are blanked first, so that a word in a sentence is not taken for a use.
 */
import { posix } from "node:path";

/** Names are stable: the tests and the messages use them. */
export type Rule =
  | "one-way"
  | "front-door"
  | "subfolder-order"
  | "nothing-imports-test"
  | "no-node-modules"
  | "no-dependencies"
  | "one-file-touches-the-core"
  | "one-file-makes-views"
  | "deterministic";

export interface Violation {
  readonly rule: Rule;
  readonly file: string;
  readonly line: number;
  readonly detail: string;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
}

const WASM = "bindings/core/wasm.ts";
/** What the browser bundles have in place of the loader; only the build names it. */
const LOADER = "bindings/core/loader.browser.ts";
const VIEWS = "bindings/core/views.ts";
/** A door of its own for those who have fast-check installed; nothing else of the library may need it, or this file. */
const ARBITRARIES = "src/fuzz/arbitraries.ts";
/** Decodes zstd by a package; nothing else of the library needs it. */
const ZSTD = "src/recordings/unpack/zstd.ts";

/** What programs outside may import, and so may bench and examples. */
const PUBLIC_DOORS: ReadonlySet<string> = new Set([
  "src/index.ts",
  "src/fuzz/index.ts",
  "src/recordings/index.ts",
  "bindings/core/index.ts",
  "bindings/ndis/index.ts",
  "bindings/validate/index.ts",
]);
/** The validator: it stands beside `bindings/index.ts`, because its names (`integer`, `number`, `table`) are common words. */
const VALIDATOR = "bindings/validate/index.ts";

/** What changes from run to run, or from engine to engine. `Math.sqrt` and `**` on small integers are exact. */
const NONDETERMINISTIC: readonly RegExp[] = [
  /\bDate\b/g,
  /\bperformance\b/g,
  /\bcrypto\b/g,
  /\bMath\s*\.\s*random\b/g,
  /\bMath\s*\.\s*(?:a?(?:sin|cos|tan)h?|atan2|exp(?:m1)?|log(?:2|10|1p)?|pow|cbrt|hypot)\b/g,
];

/** `text` with comments, string contents and regular expressions as spaces; lines stay where they were. */
export function blanked(text: string, keepStrings: boolean): string {
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`|(?<=(?:^|[(,=:[!&|?{};]|\breturn)\s*)\/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g;
  return text.replace(token, (found) => {
    const isString = found.startsWith('"') || found.startsWith("'");
    if (isString && keepStrings) return found;
    if (found.startsWith("`")) {
      // The expressions inside a template are code.
      return found.replace(/(\$\{[^}]*\})|[^\n]/g, (_all, code: string | undefined) => code ?? " ");
    }
    return found.replace(/[^\n]/g, " ");
  });
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** Every module specifier: static, re-exporting, for side effects, dynamic, `import("x").Type`, `require`. */
export function importsOf(text: string): Import[] {
  const code = blanked(text, true);
  const found: Import[] = [];
  // The words are looked for where strings are blank, because a string may hold them too; the specifier is one.
  for (const match of blanked(text, false).matchAll(/\b(?:from|import\s*\(?|require\s*\()\s*/g)) {
    const specifier = /^(["'])([^"'\n]+)\1/.exec(code.slice(match.index + match[0].trimEnd().length).trimStart());
    if (specifier !== null) found.push({ specifier: specifier[2] ?? "", line: lineAt(code, match.index) });
  }
  return found;
}

/** The file that a relative specifier in `file` means. */
export function resolvedImport(file: string, specifier: string): string {
  return posix.join(posix.dirname(file), specifier).replace(/\.js$/, ".ts");
}

/** `bench/assembly` is compiled with the core's sources by asc: like `assembly`, it is no room of this list. */
function room(path: string): string {
  const apart = ["src/cli", "src/campaign", "bench/assembly"].find((folder) => path.startsWith(`${folder}/`));
  return apart ?? path.split("/")[0] ?? "";
}

/** Rooms that each room may reach into, itself aside. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  bindings: [],
  src: ["bindings"],
  "src/cli": ["src", "src/campaign", "bindings", "bench"],
  // Knows Node, as the commands do: threads, files, a database.
  "src/campaign": ["src", "bindings"],
  bench: ["src", "bindings"],
  examples: ["src", "bindings"],
};

/**
 * Folders whose subfolders stand one on the other, from the ground up: each may import from those in lines before its own,
 * and not from one beside it. Files that lie in the folder itself are its entry points, or what all may use (options,
 * parts): these are left to the check of cycles. A new subfolder has to be given its place here.
 */
const SUBFOLDERS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  bindings: [["types", "generated", "validate"], ["core"], ["ndis"]],
  "bindings/ndis": [["documented", "choices"], ["records"], ["verifier"], ["memory"], ["dispatch"], ["routines"]],
  "src/fuzz": [["scenario", "sequences", "subjects"], ["player"], ["searches", "targets", "reports"]],
  bench: [
    ["assembly", "workloads"],
    ["replay"],
    ["subjects", "timing"],
    ["measurements"],
    ["process"],
    ["run"],
    ["report"],
  ],
};

/** Where `path` stands among the subfolders of `folder`: undefined for a file that lies in the folder itself. */
function heightIn(folder: string, path: string): number | undefined {
  const [name, ...deeper] = path.slice(folder.length + 1).split("/");
  if (deeper.length === 0) return undefined;
  return SUBFOLDERS[folder]?.findIndex((line) => line.includes(name ?? ""));
}

/** What an import between the subfolders of one folder breaks. */
function subfolderImport(file: string, target: string): { rule: Rule; detail: string } | undefined {
  for (const folder of Object.keys(SUBFOLDERS)) {
    if (!file.startsWith(`${folder}/`) || !target.startsWith(`${folder}/`)) continue;
    const from = heightIn(folder, file);
    const to = heightIn(folder, target);
    if (from === undefined || to === undefined) continue;
    const [fromName, toName] = [file, target].map((path) => path.slice(folder.length + 1).split("/")[0]);
    if (fromName === toName) continue;
    const named = `${folder}/${fromName} imports ${target}`;
    if (from < 0 || to < 0) return { rule: "subfolder-order", detail: `${named}: a subfolder without a place` };
    if (to >= from) return { rule: "subfolder-order", detail: named };
  }
  return undefined;
}

function isLibrary(file: string): boolean {
  return ["bindings", "src"].includes(room(file));
}

function relativeImport(file: string, target: string): { rule: Rule; detail: string } | undefined {
  const from = room(file);
  const to = room(target);
  if (to === "test") return { rule: "nothing-imports-test", detail: target };
  if (target === ARBITRARIES) return { rule: "no-dependencies", detail: target };
  if (from === to) {
    const inside = target === "bindings/generated/wasm.ts" && file !== WASM;
    return inside ? { rule: "one-file-touches-the-core", detail: target } : subfolderImport(file, target);
  }
  if (!(MAY_IMPORT[from] ?? []).includes(to)) return { rule: "one-way", detail: `${from} imports ${target}` };
  const doorOfRoom = target === `${to}/index.ts` || target === VALIDATOR;
  const isOpen =
    from === "src" || from === "src/cli" || from === "src/campaign"
      ? doorOfRoom || (from !== "src" && to === "src")
      : PUBLIC_DOORS.has(target);
  return isOpen ? undefined : { rule: "front-door", detail: target };
}

function bareImport(file: string, specifier: string): { rule: Rule; detail: string } | undefined {
  if (!isLibrary(file)) return undefined;
  if (specifier.startsWith("node:")) return { rule: "no-node-modules", detail: specifier };
  if (specifier === "@assemblyscript/loader") {
    return file === WASM ? undefined : { rule: "one-file-touches-the-core", detail: specifier };
  }
  if (specifier === "fast-check" && file === ARBITRARIES) return undefined;
  if (specifier === "fzstd" && file === ZSTD) return undefined;
  return { rule: "no-dependencies", detail: specifier };
}

/** Reports may draw with logarithms; the judge takes one of an exact power of two. Everything else replays byte for byte. */
function isSimulation(file: string): boolean {
  return isLibrary(file) && !/^src\/(?:report|model)\//.test(file);
}

/** What the file `file` (relative to the project, with `/`) breaks. Empty for `test/` and for what is not a room. */
export function violations(file: string, text: string): Violation[] {
  if (MAY_IMPORT[room(file)] === undefined || file.startsWith("bindings/generated/")) return [];
  const found: Violation[] = [];
  for (const { specifier, line } of importsOf(text)) {
    const broken = specifier.startsWith(".")
      ? relativeImport(file, resolvedImport(file, specifier))
      : bareImport(file, specifier);
    if (broken !== undefined) found.push({ ...broken, file, line });
  }
  const code = blanked(text, false);
  const scan = (rule: Rule, pattern: RegExp): void => {
    for (const match of code.matchAll(pattern))
      found.push({ rule, file, line: lineAt(code, match.index), detail: match[0] });
  };
  if (isLibrary(file)) {
    // Compiled drivers are modules of their own, with memories of their own: the core's is not among them.
    if (file !== WASM && file !== LOADER && !file.startsWith("src/c/"))
      scan("one-file-touches-the-core", /\bWebAssembly\s*\.\s*(?:Module|Instance|instantiate\w*|compile\w*)/g);
    if (file !== VIEWS && file !== "src/c/instance.ts") scan("one-file-makes-views", /\bmemory\s*[?!]?\.\s*buffer\b/g);
  }
  if (isSimulation(file)) for (const pattern of NONDETERMINISTIC) scan("deterministic", pattern);
  return found;
}
