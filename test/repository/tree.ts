/** Which files the checks of the repository look at: those that git tracks. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Every tracked file that is there, relative to the project, with `/`. */
function trackedFiles(): string[] {
  const { stdout, status, stderr } = spawnSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    {
      encoding: "utf8",
    },
  );
  if (status !== 0) throw new Error(`git ls-files: ${stderr}`);
  return stdout.split("\0").filter((file) => file !== "" && existsSync(file));
}

/** The TypeScript files of bindings, src, bench, test and examples; not those of the core, which asc compiles. */
export function sourceFiles(): string[] {
  return trackedFiles().filter(
    (file) => /^(?:bindings|src|bench|test|examples)\/.*\.ts$/.test(file) && !file.startsWith("bench/assembly/"),
  );
}

/** Code, docs and scripts: every tracked text file that people write. */
export function textFiles(): string[] {
  return trackedFiles().filter((file) => /\.(?:m?[jt]s|md|sh|c|h|yml|html)$|^\.ci\/|^package\.json$/.test(file));
}

/** Every source with comments that people read: the core, the library, the bench, the tests and the tools. */
export function codeFiles(): string[] {
  return trackedFiles().filter(
    (file) =>
      /^(?:assembly|bindings|src|bench|test|examples)\/.*\.(?:ts|mjs)$/.test(file) &&
      !file.startsWith("bindings/generated/"),
  );
}
