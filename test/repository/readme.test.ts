/** Every program in README.md, and every one marked `run` in docs/, runs against the built package as it stands. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { transform } from "esbuild";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Program, programsOf } from "./markdown.js";

/** Inside the project, so that `ndis-shmem` resolves to this checkout as it would in a user's node_modules. */
const OUT = resolve("build/readme");

async function run(program: Program, name: string): Promise<void> {
  const loader = program.language === "ts" ? "ts" : "js";
  const { code } = await transform(program.code, { loader, target: "node20", format: "esm" });
  const file = join(OUT, `${name.replace(/\W/g, "-")}-${program.line}.mjs`);
  mkdirSync(OUT, { recursive: true });
  writeFileSync(file, code);
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    cwd: OUT,
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.is(status, 0, `${name}:${program.line} ended with ${status}\n${stdout}${stderr}\n${program.code}`);
}

const documents = ["README.md", ...(existsSync("docs") ? readdirSync("docs").map((name) => `docs/${name}`) : [])];

for (const name of documents.filter((file) => file.endsWith(".md"))) {
  const programs = programsOf(readFileSync(name, "utf8"), name !== "README.md");
  for (const program of programs) {
    test(`the program at ${name}:${program.line} runs`, () => run(program, name));
  }
  if (name === "README.md") {
    test("README.md has programs", () => {
      assert.ok(programs.length > 0, "no ts, js or mjs block found");
    });
  }
}

test("programs are found with their lines, and fragments are not", () => {
  const markdown = "# x\n\n```ts\nlet a = 1;\n```\n\n```text\nno\n```\n````js run\n```ts\n````\n~~~mjs\nb\n~~~\n";
  assert.equal(programsOf(markdown, false), [
    { language: "ts", line: 3, code: "let a = 1;" },
    { language: "js", line: 10, code: "```ts" },
    { language: "mjs", line: 13, code: "b" },
  ]);
  assert.equal(
    programsOf(markdown, true).map(({ line }) => line),
    [10],
  );
});

test("a program that fails is reported", async () => {
  const failing: Program = { language: "ts", line: 1, code: 'const x: number = 1;\nthrow new Error("planted " + x);' };
  let message = "";
  try {
    await run(failing, "planted.md");
  } catch (error) {
    message = (error as Error).message;
  }
  assert.match(message, "planted 1");
});

test.run();
