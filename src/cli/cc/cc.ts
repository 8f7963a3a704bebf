/**
 * `ndis-shmem cc`: compile a miniport driver in C to one WebAssembly module that `run` and `fuzz` take.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { EXIT } from "../../report/index.js";
import { type Command, parseBytes, UsageError } from "../command.js";
import { compile } from "./compile.js";
import { routineTable } from "./routines.js";
import { findTools, INSTALL_LINE } from "./tools.js";
import { mendHeaders } from "./wdk.js";

const HELP = `usage: ndis-shmem cc [OPTIONS] FILE.c ...

Compile a miniport driver in C, or in C++ without exceptions, for
\`ndis-shmem run\` and \`ndis-shmem fuzz\`.

  -o FILE            the module (default: the first file's name with .wasm)
  -I FOLDER          look for headers here; as often as needed
  -D NAME[=VALUE]    define; as often as needed
  -O0, -O1, -O2      what the compiler makes of the driver (default -O1)
  --wdk FOLDER       the headers of a Windows Driver Kit, mended as they are read
                     (default: this package's own ndis.h)
  --stub NAME        a routine that is nowhere becomes a stub, which ends a run
                     where it is called; as often as needed
  --no-check         leave the address checks out: a third of the code, and no
                     registers as plain accesses
  --memory BYTES     addresses that the driver can have, with K, M or G (default
                     64M; shared memory, pool and registers lie in it)
  --flag FLAG        one more flag for clang; as often as needed
  --routines         the table of routines: real, simple, refused
  --help             this text

Needs clang 14 or later, wasm-ld, and for drivers that wait Binaryen:
  ${INSTALL_LINE}

exit codes: 0 compiled, 2 usage, a missing tool, or what the compiler refused
`;

/** See the head of this file. */
export const ccCommand: Command = {
  name: "cc",
  summary: "compile a miniport driver in C for run and fuzz",
  help: () => HELP,
  run: async (args, io) => {
    const { values, positionals } = parsed(args);
    if (values.routines === true) {
      io.out(routineTable());
      return EXIT.clean;
    }
    if (positionals.length === 0) throw new UsageError("cc needs a C file; see --help");
    const memoryBytes = values.memory === undefined ? 2 ** 26 : parseBytes("--memory", values.memory);
    if (memoryBytes < 2 ** 24 || memoryBytes > 2 ** 30 || (memoryBytes & (memoryBytes - 1)) !== 0) {
      throw new UsageError("--memory takes a power of two from 16M to 1G");
    }
    const tools = findTools();
    const wdk = values.wdk === undefined ? null : mendHeaders(values.wdk, [positionals, values.I ?? []]);
    const out = values.o ?? `${basename(positionals[0] as string).replace(/\.\w+$/, "")}.wasm`;
    try {
      const compiled = await compile(tools, {
        sources: positionals,
        includes: values.I ?? [],
        defines: values.D ?? [],
        check: values["no-check"] !== true,
        optimize: values.O0 === true ? "O0" : values.O2 === true ? "O2" : "O1",
        stubs: values.stub ?? [],
        wdk: wdk?.flags ?? null,
        memoryBytes,
        flags: values.flag ?? [],
        mended: wdk?.mended ?? [],
      });
      if (compiled.warnings !== "") io.err(compiled.warnings);
      mkdirSync(dirname(resolve(out)), { recursive: true });
      writeFileSync(out, compiled.bytes);
      const { table } = compiled;
      const stubbed = compiled.stubbed.length === 0 ? "" : `, stubs: ${compiled.stubbed.join(", ")}`;
      const mended = wdk === null ? "" : `, ${wdk.mended.length} mendings of headers`;
      io.out(
        `${relative(process.cwd(), resolve(out))}: ${compiled.bytes.length} bytes, ${table.entered.length} functions, ${table.edges.length} edges (clang ${tools.clang.version}${mended}${stubbed})\n`,
      );
      return EXIT.clean;
    } finally {
      wdk?.dispose();
    }
  },
};

function parsed(args: readonly string[]): {
  readonly values: {
    readonly o?: string;
    readonly I?: string[];
    readonly D?: string[];
    readonly O0?: boolean;
    readonly O1?: boolean;
    readonly O2?: boolean;
    readonly wdk?: string;
    readonly stub?: string[];
    readonly "no-check"?: boolean;
    readonly memory?: string;
    readonly flag?: string[];
    readonly routines?: boolean;
  };
  readonly positionals: string[];
} {
  // -O2 is one word to people and two options to parseArgs.
  const words = args.map((word) => (/^-O[012]$/.test(word) ? `--${word.slice(1)}` : word));
  const list = { type: "string", multiple: true } as const;
  try {
    return parseArgs({
      args: words,
      strict: true,
      allowPositionals: true,
      options: {
        o: { type: "string", short: "o" },
        I: { ...list, short: "I" },
        D: { ...list, short: "D" },
        O0: { type: "boolean" },
        O1: { type: "boolean" },
        O2: { type: "boolean" },
        wdk: { type: "string" },
        stub: list,
        "no-check": { type: "boolean" },
        memory: { type: "string" },
        flag: list,
        routines: { type: "boolean" },
      },
    });
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`${error.message.split(". To specify")[0]}; see --help`);
    throw error;
  }
}
