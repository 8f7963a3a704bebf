/**
 * Exports that nobody imports, found by knip, which parses by itself and so needs no programming interface of the compiler.
 *
 * What the entry points of package.json export is used by definition. A type that only its own file names may be exported:
 * it is part of the signature of something that is.
 */
import { spawnSync } from "node:child_process";

interface Issue {
  readonly name: string;
  readonly line?: number;
}

/** One file of knip's report. */
interface Row {
  readonly file: string;
  readonly exports?: readonly Issue[];
  readonly types?: readonly Issue[];
  readonly duplicates?: readonly (readonly Issue[])[];
  readonly files?: readonly Issue[];
}

/** `file:line: what` for each export, and each file, that nothing reaches. */
export function deadExports(): string[] {
  const args = ["node_modules/knip/bin/knip.js", "--config", "test/repository/knip.json", "--reporter", "json"];
  const { stdout, stderr, status } = spawnSync(process.execPath, [...args, "--no-progress"], { encoding: "utf8" });
  if (status !== 0 && status !== 1) throw new Error(`knip ended with ${status}: ${stderr}`);
  const { issues } = JSON.parse(stdout) as { issues: readonly Row[] };
  return issues
    .flatMap(({ file, exports = [], types = [], files = [] }) => [
      ...files.map(() => `${file}: no other file imports it`),
      ...exports.map(({ name, line }) => `${file}:${line}: ${name}`),
      ...types.map(({ name, line }) => `${file}:${line}: type ${name}`),
    ])
    .sort();
}
