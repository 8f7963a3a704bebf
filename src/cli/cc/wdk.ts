/**
 * The headers of a user's own Windows Driver Kit, mended while they are read.
 *
 * Nothing of a WDK is in this package. The user's files are copied into a scratch folder, changed there by the rules below,
 * and seen by clang through an overlay that knows no case, as Windows' file system does. Every change is listed.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative, resolve } from "node:path";
import { UsageError } from "../command.js";

export interface MendedHeaders {
  /** Flags for clang. */
  readonly flags: readonly string[];
  /** One line for each change: file, rule, how often. */
  readonly mended: readonly string[];
  dispose(): void;
}

interface Rule {
  readonly name: string;
  readonly pattern: RegExp;
  readonly by: string | ((match: string) => string);
}

/** What MSVC takes and clang for wasm32 does not. */
export const MENDING_RULES: readonly Rule[] = [
  { name: "inline assembler dropped", pattern: /__asm\s*\{[^}]*\}/g, by: ";" },
  { name: "inline assembler dropped", pattern: /^[ \t]*_?_asm\s+[^\n{]*$/gm, by: "" },
  {
    name: "enums of 32 bits",
    pattern: /\benum(\s+\w+)?\s*:\s*(?:unsigned\s+)?(?:long|int)\b/g,
    by: (match) => match.replace(/\s*:.*$/, ""),
  },
  {
    name: "#pragma intrinsic dropped",
    pattern: /^[ \t]*#[ \t]*pragma[ \t]+(?:intrinsic|function|comment|deprecated)\b.*$/gm,
    by: "",
  },
  {
    name: "__declspec(noreturn) as an attribute",
    pattern: /__declspec\(\s*noreturn\s*\)/g,
    by: "__attribute__((noreturn))",
  },
];

const HEADER = /\.(?:h|hpp|inl|hxx)$/i;
/** Headers of the C runtime and of intrinsics: ours are used. */
const OURS: ReadonlySet<string> = new Set([
  "string.h",
  "stdio.h",
  "stdlib.h",
  "wchar.h",
  "intrin.h",
  "stdarg.h",
  "stddef.h",
  "stdint.h",
  "limits.h",
  "vadefs.h",
  "crtdefs.h",
  "vcruntime.h",
  "emmintrin.h",
  "xmmintrin.h",
  "mmintrin.h",
  "ctype.h",
  "memory.h",
]);

/** Prepare a kit's headers. `UsageError` where there are none. */
export function mendHeaders(folder: string, _more: readonly (readonly string[])[]): MendedHeaders {
  const root = resolve(folder);
  if (!existsSync(root)) throw new UsageError(`--wdk: there is no folder ${root}`);
  const files = headersUnder(root);
  if (!files.some((path) => basename(path).toLowerCase() === "ndis.h")) {
    throw new UsageError(`--wdk: there is no ndis.h under ${root}`);
  }
  const scratch = mkdtempSync(join(tmpdir(), "ndis-shmem-wdk-"));
  const mended: string[] = [];
  const folders = new Map<string, { name: string; real: string }[]>();
  files.forEach((path, index) => {
    const name = basename(path).toLowerCase();
    if (OURS.has(name)) {
      mended.push(`${relative(root, path)}: left out, this package's own is used`);
      return;
    }
    const before = readFileSync(path, "latin1");
    let text = before;
    for (const { name: rule, pattern, by } of MENDING_RULES) {
      let count = 0;
      text = text.replace(pattern, (match) => {
        count++;
        return typeof by === "string" ? by : by(match);
      });
      if (count > 0) mended.push(`${relative(root, path)}: ${rule}, ${count} times`);
    }
    let real = path;
    if (text !== before) {
      real = join(scratch, `${index}-${name}`);
      writeFileSync(real, text, "latin1");
    }
    const at = join("/wdk", relative(root, resolve(path, "..")));
    const list = folders.get(at) ?? [];
    list.push({ name: basename(path), real });
    folders.set(at, list);
  });
  const overlay = join(scratch, "overlay.yaml");
  const roots = [...folders].map(([name, list]) => ({
    name,
    type: "directory",
    contents: list.map((file) => ({ name: file.name, type: "file", "external-contents": file.real })),
  }));
  writeFileSync(overlay, JSON.stringify({ version: 0, "case-sensitive": "false", roots }));
  const flags = [
    "-ivfsoverlay",
    overlay,
    ...[...folders.keys()].flatMap((name) => ["-isystem", name]),
    "-fms-compatibility",
    "-include",
    "specstrings.h",
    "-D_MSC_VER=1500",
    "-D_INTEGRAL_MAX_BITS=64",
    "-D_X86_=1",
    "-D_M_IX86=600",
    "-D__stdcall=",
    "-D__cdecl=",
    "-D__fastcall=",
    "-w",
  ];
  return { flags, mended, dispose: () => rmSync(scratch, { recursive: true, force: true }) };
}

function headersUnder(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return headersUnder(path);
    return HEADER.test(name) ? [path] : [];
  });
}
