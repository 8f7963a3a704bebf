/**
 * From C files to one module: compile to LLVM's text, rewrite it (rewrite.ts), compile that, link with the C half,
 * Asyncify, and add the table of sites.
 *
 *     nic.c ─clang─► nic.ll ─rewrite─► nic.ll ─clang─► nic.o ┐
 *     check.c, shim.c ─clang─► *.o (not instrumented) ───────┴─wasm-ld─► wasm ─wasm-opt─► wasm + sites
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { SITES_SECTION, withCustomSection } from "../../c/index.js";
import { UsageError } from "../command.js";
import { emptyTable, type Place, rewrite, type SiteTable } from "./rewrite.js";
import type { Tools } from "./tools.js";

export interface CompileOptions {
  readonly sources: readonly string[];
  readonly includes: readonly string[];
  readonly defines: readonly string[];
  /** Address checks. Edges, calls and lines are always counted. */
  readonly check: boolean;
  readonly optimize: string;
  /** Routines that become stubs. */
  readonly stubs: readonly string[];
  /** Flags for a WDK's headers, which come before ours. Null: our own headers. */
  readonly wdk: readonly string[] | null;
  /** Bytes of address space that the shadow covers: a power of two, 16 MiB to 1 GiB. */
  readonly memoryBytes: number;
  readonly flags: readonly string[];
  /** What was mended in the user's headers, for the module's notes. */
  readonly mended: readonly string[];
}

export interface Compiled {
  readonly bytes: Uint8Array;
  readonly table: SiteTable;
  readonly warnings: string;
  readonly stubbed: readonly string[];
}

/** The C half, in the package or in the source tree. */
export function cHalf(): string {
  for (const up of ["./c/", "../c/", "../../c/", "../../src/c/", "../../../src/c/"]) {
    const folder = fileURLToPath(new URL(up, import.meta.url));
    if (existsSync(join(folder, "include", "ndis.h"))) return folder;
  }
  throw new UsageError("the package has lost its folder c/ with ndis.h");
}

const STACK_BYTES = 131_072;
/** What of the C half the host calls or reads by name. */
const EXPORTS = [
  "nshm_site",
  "nshm_frames",
  "nshm_depth",
  "nshm_fuel",
  "nshm_stack_end",
  "nshm_edges",
  "nshm_limit",
  "nshm_shadow",
  "nshm_flush",
  "__stack_pointer",
  "__heap_base",
  "__data_end",
  "__global_base",
  "__wasm_call_ctors",
];
/** Imports that may suspend the driver's thread. */
const WAITING = "nshm.wait";

/** Compile. `UsageError` with the compiler's words, or naming routine, file and line of what is nowhere. */
export async function compile(tools: Tools, options: CompileOptions): Promise<Compiled> {
  const folder = mkdtempSync(join(tmpdir(), "ndis-shmem-cc-"));
  try {
    return await compileIn(folder, tools, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compileIn(folder: string, tools: Tools, options: CompileOptions): Promise<Compiled> {
  const half = cHalf();
  const table = emptyTable();
  const calls = new Map<string, Place>();
  const declares = new Map<string, string>();
  const objects: string[] = [];
  let warnings = "";
  const opaque = tools.clang.version >= 15;
  const headers = [
    ...options.includes.flatMap((one) => ["-I", one]),
    ...(options.wdk ?? []),
    "-isystem",
    join(half, "include"),
  ];
  const language = [
    "--target=wasm32-unknown-unknown",
    "-ffreestanding",
    "-nostdlibinc",
    "-fshort-wchar",
    "-fms-extensions",
    "-fno-strict-aliasing",
    "-fno-stack-protector",
    "-mmutable-globals",
    "-Wno-microsoft-anon-tag",
    "-Wno-pragma-pack",
    // MSVC takes handlers whose parameters are other pointers; what matters, their number, the loader compares.
    "-Wno-error=incompatible-function-pointer-types",
    ...options.defines.map((one) => `-D${one}`),
  ];
  const instrument = [
    ...(options.check
      ? [
          "-Xclang",
          "-fsanitize=kernel-address",
          ...llvm("-asan-instrumentation-with-call-threshold=0"),
          ...llvm("-asan-stack=0"),
          // A store after a load of the same place must be seen too: it may be a register, or memory of the device.
          ...llvm("-asan-opt-same-temp=0"),
        ]
      : []),
    "-Xclang",
    "-fsanitize-coverage-trace-pc-guard",
    "-Xclang",
    "-fsanitize-coverage-type=3",
    // Without pruning: a loop that has no way out has no edge otherwise, and would never be ended.
    "-Xclang",
    "-fsanitize-coverage-no-prune",
  ];
  options.sources.forEach((source, index) => {
    if (!existsSync(source)) throw new UsageError(`there is no file ${source}`);
    const text = join(folder, `${index}-${basename(source)}.ll`);
    const cpp = /\.(?:cc|cpp|cxx)$/i.test(source);
    warnings += run(tools.clang.path, [
      ...language,
      ...headers,
      ...(cpp
        ? ["-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-std=gnu++17"]
        : ["-std=gnu11", "-Wno-implicit-function-declaration"]),
      `-${options.optimize}`,
      "-g",
      ...instrument,
      ...options.flags,
      "-S",
      "-emit-llvm",
      "-o",
      text,
      resolve(source),
    ]);
    const done = rewrite(readFileSync(text, "utf8"), table, opaque);
    for (const [name, place] of done.calls) if (!calls.has(name)) calls.set(name, place);
    for (const [name, line] of done.declares) declares.set(name, line);
    writeFileSync(text, done.text);
    objects.push(assemble(tools, text));
  });
  for (const part of ["check", "shim"]) {
    const object = join(folder, `${part}.o`);
    run(tools.clang.path, [
      ...language,
      ...headers,
      `-DNSHM_MEMORY=${options.memoryBytes}u`,
      "-fno-builtin",
      "-std=gnu11",
      "-O2",
      "-w",
      "-c",
      "-o",
      object,
      join(half, "shim", `${part}.c`),
    ]);
    objects.push(object);
  }
  const stubbed = options.stubs.filter((name) => declares.has(name));
  if (stubbed.length > 0) objects.push(stubs(folder, tools, stubbed, declares, opaque));
  const linked = join(folder, "linked.wasm");
  link(tools, objects, linked, table, calls);
  const bytes = await asyncify(folder, tools, linked);
  const notes = {
    ...table,
    check: options.check,
    memoryBytes: options.memoryBytes,
    mended: options.mended,
    stubbed,
    tools: { clang: tools.clang.version, linker: tools.linker.version },
  };
  return {
    bytes: withCustomSection(bytes, SITES_SECTION, new TextEncoder().encode(JSON.stringify(notes))),
    table,
    warnings,
    stubbed,
  };
}

function llvm(flag: string): string[] {
  return ["-Xclang", "-mllvm", "-Xclang", flag];
}

function assemble(tools: Tools, text: string): string {
  const object = text.replace(/\.ll$/, ".o");
  run(tools.clang.path, [
    "--target=wasm32-unknown-unknown",
    "-mmutable-globals",
    "-O1",
    "-w",
    "-Xclang",
    "-disable-llvm-passes",
    "-x",
    "ir",
    "-c",
    "-o",
    object,
    text,
  ]);
  return object;
}

/** A stub stops the run when it is called, and says its name. */
function stubs(
  folder: string,
  tools: Tools,
  names: readonly string[],
  declares: ReadonlyMap<string, string>,
  opaque: boolean,
): string {
  const pointer = opaque ? "ptr" : "i8*";
  const lines = ['target triple = "wasm32-unknown-unknown"', `declare void @nshm_stub_called(${pointer}) #0`];
  names.forEach((name, index) => {
    const declare = (declares.get(name) as string)
      .replace(/^declare (?:!dbg !\d+ )?/, "")
      .replace(/ local_unnamed_addr.*$/, "")
      .replace(/ #\d+.*$/, "");
    const returns = declare.replace(/^(?:(?:signext|zeroext|noundef|dso_local|hidden) )*/, "").split(" @")[0] as string;
    const text = `${name}\\00`;
    const size = name.length + 1;
    lines.push(`@name${index} = private constant [${size} x i8] c"${text}"`);
    const address = opaque
      ? `ptr @name${index}`
      : `i8* getelementptr ([${size} x i8], [${size} x i8]* @name${index}, i32 0, i32 0)`;
    const answer = returns === "void" ? "ret void" : `ret ${returns} zeroinitializer`;
    lines.push(`define ${declare} {`, `  call void @nshm_stub_called(${address})`, `  ${answer}`, "}");
  });
  lines.push('attributes #0 = { "wasm-import-module"="nshm" "wasm-import-name"="stubCalled" }', "");
  const text = join(folder, "stubs.ll");
  writeFileSync(text, lines.join("\n"));
  return assemble(tools, text);
}

function link(
  tools: Tools,
  objects: readonly string[],
  out: string,
  table: SiteTable,
  calls: ReadonlyMap<string, Place>,
): void {
  const { status, stderr } = spawnSync(
    tools.linker.path,
    [
      "--no-entry",
      "--stack-first",
      "-z",
      `stack-size=${STACK_BYTES}`,
      "--export-table",
      "--strip-debug",
      ...EXPORTS.map((name) => `--export=${name}`),
      "--error-limit=0",
      "-o",
      out,
      ...objects,
    ],
    { encoding: "utf8" },
  );
  if (status === 0) return;
  const names = [...new Set([...stderr.matchAll(/undefined symbol: ([\w$]+)/g)].map((match) => match[1] as string))];
  if (names.length === 0) throw new UsageError(`wasm-ld refused the objects:\n${stderr}`);
  const lines = names.map((name) => {
    const place = calls.get(name);
    const where = place === undefined ? "" : ` (${table.files[place[1]]}:${place[2]}, in ${table.functions[place[0]]})`;
    return `  ${name}${where}`;
  });
  throw new UsageError(
    `${names.length === 1 ? "a routine is" : `${names.length} routines are`} called and nowhere:\n${lines.join("\n")}\n` +
      "Add the file that has it, or make it a stub that stops the run where it is called: --stub NAME",
  );
}

/** Functions that wait are cut at their waits. With wasm-opt, or with the npm package binaryen. */
async function asyncify(folder: string, tools: Tools, linked: string): Promise<Uint8Array> {
  const bytes = readFileSync(linked);
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes));
  if (!imports.some(({ module, name }) => `${module}.${name}` === WAITING)) return bytes;
  if (tools.optimizer !== null) {
    const out = join(folder, "asyncified.wasm");
    run(tools.optimizer.path, ["-g", "-O1", "--asyncify", `--pass-arg=asyncify-imports@${WAITING}`, linked, "-o", out]);
    return readFileSync(out);
  }
  let binaryen: typeof import("binaryen").default;
  try {
    binaryen = (await import("binaryen")).default;
  } catch {
    throw new UsageError(
      `the driver waits (NdisWaitEvent or one of its kin), which needs Binaryen. Install it:  apt-get install binaryen  or  npm install binaryen`,
    );
  }
  const module = binaryen.readBinary(new Uint8Array(bytes));
  binaryen.setDebugInfo(true);
  binaryen.setOptimizeLevel(1);
  binaryen.setPassArgument("asyncify-imports", WAITING);
  module.runPasses(["asyncify"]);
  module.optimize();
  const made = module.emitBinary();
  module.dispose();
  return made;
}

/** Run a tool. Its words on success (warnings); `UsageError` with them where it failed. */
function run(tool: string, args: readonly string[]): string {
  const { status, stderr, error } = spawnSync(tool, args, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (error !== undefined) throw new UsageError(`${tool} cannot be run: ${error.message}`);
  if (status !== 0) throw new UsageError(`${tool} refused:\n${stderr.trimEnd()}`);
  return stderr;
}
