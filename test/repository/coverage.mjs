#!/usr/bin/env node
/**
 * Coverage of the Wasm side.
 *
 *     npm run coverage                   all tests
 *     npm run coverage -- core           the files of test/ whose path contains "core"
 *
 * The AssemblyScript sources are parsed with asc's own parser, and a call of an imported function `hit(n)` is put at the
 * start of every function and of every arm of an `if` (a missing `else` is an arm), loop and switch. The module so
 * compiled is read by the tests in place of build/debug.wasm: test/repository/coverage-hook.mjs, preloaded into every test
 * process, redirects the read, supplies the import and notes which n were hit. Nothing in the tests or in the library
 * knows of it, and no line moves.
 *
 * Arms that asc removed (a condition that is constant, a function nobody calls) cannot be hit and are not counted.
 * Prints a table, then every arm never taken as `file:line`. Exit code: that of the tests.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { NodeKind, newOptions, newProgram, parse } from "assemblyscript";
import asc from "assemblyscript/asc";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const OUT = join(ROOT, "build", "coverage");

/** Every place that is counted: `{ file, line, kind }`; its index is the argument of `hit`. */
const places = [];

/** Statements of `source` with insertions `{ at, text }` collected by one walk over its functions. */
function insertionsOf(source, file) {
  const insertions = [];
  const text = source.text;
  const place = (kind, position) => {
    places.push({ file, line: text.slice(0, position).split("\n").length, kind });
    return `__hit(${places.length - 1});`;
  };
  const arm = (kind, statement) => {
    if (statement.kind === NodeKind.Block) {
      insertions.push({ at: statement.range.start + 1, text: place(kind, statement.range.start) });
      walk(statement);
    } else {
      insertions.push({ at: statement.range.start, text: `{${place(kind, statement.range.start)}` });
      walk(statement); // Before its own end, so that of two ends at one position the inner comes first.
      const end = text[statement.range.end] === ";" ? statement.range.end + 1 : statement.range.end;
      insertions.push({ at: end, text: "}" });
    }
  };
  const walk = (node) => {
    switch (node.kind) {
      case NodeKind.FunctionDeclaration:
      case NodeKind.MethodDeclaration:
        if (node.body !== null) arm("function", node.body);
        break;
      case NodeKind.ClassDeclaration:
      case NodeKind.NamespaceDeclaration:
        for (const member of node.members) walk(member);
        break;
      case NodeKind.Block:
        for (const statement of node.statements) walk(statement);
        break;
      case NodeKind.If:
        arm("then", node.ifTrue);
        if (node.ifFalse !== null) arm("else", node.ifFalse);
        else insertions.push({ at: endOf(node), text: ` else {${place("else", node.range.start)}}` });
        break;
      case NodeKind.While:
      case NodeKind.Do:
      case NodeKind.For:
        arm("loop", node.body);
        break;
      case NodeKind.Switch:
        for (const branch of node.cases) {
          const [first] = branch.statements;
          if (first !== undefined) insertions.push({ at: first.range.start, text: place("case", first.range.start) });
          for (const statement of branch.statements) walk(statement);
        }
        break;
    }
  };
  const endOf = (node) => {
    const { end } = node.ifTrue.range;
    return text[end] === ";" ? end + 1 : end;
  };
  for (const statement of source.statements) walk(statement);
  return insertions;
}

/** At one position what ends comes before what starts; among ends the inner is first, among starts the outer. */
function apply(text, insertions) {
  const at = new Map();
  for (const { at: position, text: piece } of insertions) {
    const pieces = at.get(position) ?? { opening: "", closing: "" };
    if (piece === "}" || piece.startsWith(" else")) pieces.closing += piece;
    else pieces.opening += piece;
    at.set(position, pieces);
  }
  let out = "";
  let from = 0;
  for (const position of [...at.keys()].sort((a, b) => a - b)) {
    const { opening, closing } = at.get(position);
    out += text.slice(from, position) + closing + opening;
    from = position;
  }
  return out + text.slice(from);
}

function instrumented(path, text) {
  const program = newProgram(newOptions());
  parse(program, text, path, true);
  const source = program.sources.find((candidate) => candidate.normalizedPath === path);
  if (source === undefined) throw new Error(`asc did not parse ${path}`);
  const counted = apply(text, insertionsOf(source, path));
  return `${counted}\n@external("coverage", "hit") declare function __hit(place: u32): void;\n`;
}

/** Compiles and returns the places that are in the module. */
async function compile() {
  const sources = new Map();
  const readFile = (name, base) => {
    const path = join(base, name);
    if (!existsSync(path)) return null;
    const text = readFileSync(path, "utf8");
    if (!/^assembly\/.*\.ts$/.test(name)) return text;
    if (!sources.has(name)) sources.set(name, instrumented(name, text));
    return sources.get(name);
  };
  const args = ["assembly/index.ts", "--config", "none", "--runtime", "stub", "--initialMemory", "1", "--debug"];
  const outputs = ["-o", "build/coverage/debug.wasm", "-t", "build/coverage/debug.wat"];
  const { error, stderr } = await asc.main([...args, ...outputs, "--baseDir", ROOT], { readFile });
  if (error !== null) throw new Error(`asc refused the instrumented sources: ${error.message}\n${stderr.toString()}`);
  const wat = readFileSync(join(OUT, "debug.wat"), "utf8");
  return new Set([...wat.matchAll(/i32\.const (\d+)\s+call \$[^\s]*__hit\b/g)].map((match) => Number(match[1])));
}

function table(compiled, hit) {
  const files = new Map();
  for (const number of compiled) {
    const { file, kind } = places[number];
    const row = files.get(file) ?? { functions: [0, 0], arms: [0, 0] };
    const cell = kind === "function" ? row.functions : row.arms;
    cell[1] += 1;
    if (hit.has(number)) cell[0] += 1;
    files.set(file, row);
  }
  const share = ([some, all]) =>
    `${String(some).padStart(4)}/${String(all).padEnd(4)} ${all === 0 ? "  -" : `${Math.floor((100 * some) / all)}%`}`;
  const total = { functions: [0, 0], arms: [0, 0] };
  const lines = [...files].sort().map(([file, row]) => {
    for (const key of ["functions", "arms"]) for (const i of [0, 1]) total[key][i] += row[key][i];
    return `${file.padEnd(28)} ${share(row.functions).padEnd(16)} ${share(row.arms)}`;
  });
  return [
    `${"".padEnd(28)} ${"functions".padEnd(16)} arms`,
    ...lines,
    `${"all".padEnd(28)} ${share(total.functions).padEnd(16)} ${share(total.arms)}`,
  ].join("\n");
}

rmSync(OUT, { recursive: true, force: true });
mkdirSync(join(OUT, "hits"), { recursive: true });
const compiled = await compile();
const hook = new URL("./coverage-hook.mjs", import.meta.url).href;
const { status } = spawnSync(process.execPath, [join(ROOT, "test/run.mjs"), ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: "inherit",
  env: {
    ...process.env,
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --import=${hook}`.trim(),
    HOUSE_COVERAGE: OUT,
  },
});
const hit = new Set(
  readdirSync(join(OUT, "hits")).flatMap((name) => JSON.parse(readFileSync(join(OUT, "hits", name), "utf8"))),
);
const missed = [...compiled].filter((number) => !hit.has(number)).sort((a, b) => a - b);
process.stdout.write(`\n${table(compiled, hit)}\n\nnever taken:\n`);
for (const number of missed)
  process.stdout.write(`  ${places[number].file}:${places[number].line} ${places[number].kind}\n`);
writeFileSync(join(OUT, "missed.json"), JSON.stringify(missed.map((number) => places[number])));
process.exitCode = status ?? 1;
