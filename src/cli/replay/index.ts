/**
 * `ndis-shmem replay`: what real programs allocated and freed, done again by the core or through the NDIS face; and recorded
 * runs made again.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { ShmemError } from "../../../bindings/index.js";
import { drawProfile, FORMAT_NAMES, isProfile, type OperationSink, readProfile } from "../../recordings/index.js";
import {
  EXPORT_NAMES,
  type Export,
  exportTo,
  firstDifference,
  REPLAY_MODES,
  type ReplayMode,
  type ReplayOptions,
  type ReplayReport,
  replayRecording,
} from "../../replay/index.js";
import { EXIT } from "../../report/index.js";
import { type Command, type CommandIo, parseBytes, parseInteger, UsageError } from "../command.js";
import { openForWriting } from "../files.js";
import { type Input, inputsOf } from "./inputs.js";
import { comparison, fullReport, table } from "./report.js";
import { type Rerun, rerun } from "./rerun.js";

const HELP = `usage: ndis-shmem replay [OPTIONS] FILE|FOLDER...

Replay what real programs allocated and freed. The form is told by the content:
Android memory_replay, heaptrack (raw or interpreted), wee_alloc, .rep of the
malloc lab, minimalloc csv, VulkanMemoryAllocator csv, malloc-bench, valgrind
--trace-malloc, event logs of this package, and the plain form; as they are or
in gzip, zstd or zip. \`-\` is standard input. docs/recordings.md has all forms.

An event log of \`ndis-shmem run --record\` is run again, and the run stops at the
first event that differs; with --mode it is replayed like any recording.

  --mode MODE        core: each operation a call of the core (default);
                     sync, async: through NDIS, as a driver allocates;
                     chaos: async, in random order, with failures
  --format NAME      read as this form: ${FORMAT_NAMES.slice(0, 3).join(", ")},
                     ${FORMAT_NAMES.slice(3, 7).join(", ")},
                     ${FORMAT_NAMES.slice(7).join(", ")}
  --strict           refuse what is otherwise skipped, mended or invented
  --arena BYTES      with K, M or G (default: four times the peak)
  --frame BYTES      frame size (default 64; with a machine 64 or 4096)
  --seed N           of chaos and of profiles (default 1)
  --failing P        chaos: probability that an allocation fails (default 0.01)
  --on-failure WHAT  chaos: retry (default) or drop
  --no-least-arena   do not look for the least arena
  --compare          two files: side by side, and the first event that differs
  --chrome FILE      write the blocks as trace events, for Perfetto
  --csv FILE         write one line for each operation
  --collapsed FILE   write bytes by owner and size, for flame graphs
  --record FILE      sync, async, chaos: write the machine's event log
  --profile          FILE is a size profile (size, rate, live): draw from it
  --allocations N    how many to draw from a profile (default 100000)
  --json             one JSON object on stdout (an array for several files)
  --help             this text

exit codes: 0 replayed, 1 something is wrong (broken invariants, violations,
            counts that disagree, a run that differs), 2 usage or a file that
            cannot be read
`;

interface Options {
  readonly inputs: readonly Input[];
  readonly replay: ReplayOptions;
  /** Was the mode given? Then event logs are recordings. */
  readonly modeGiven: boolean;
  readonly compare: boolean;
  readonly exports: readonly { readonly name: (typeof EXPORT_NAMES)[number]; readonly file: string }[];
  readonly record: string | null;
  readonly profile: boolean;
  readonly allocations: number;
  readonly json: boolean;
}

/** See the head of this file. */
export const replayCommand: Command = {
  name: "replay",
  summary: "replay recordings of programs, and recorded runs",
  help: () => HELP,
  run: async (args, io) => {
    const options = optionsFrom(args, io);
    if (options.compare) return compare(options, io);
    const reports: ReplayReport[] = [];
    const passedOver: string[] = [];
    let wrong = false;
    let unreadable = 0;
    for (const input of options.inputs) {
      if (io.progress) io.err(`\r\x1b[K${input.name.slice(-(io.columns - 1))}`);
      try {
        const again = options.modeGiven || options.profile ? undefined : await asRun(input, io);
        if (again !== undefined) {
          wrong ||= again.divergence !== null;
          sayRerun(input, again, options.json, io);
          continue;
        }
        const report = await one(input, options, io);
        wrong ||= report.findings.length > 0;
        reports.push(report);
        if (await io.isInterrupted()) break;
      } catch (error) {
        if (!(error instanceof ShmemError) && !isSystemError(error)) throw error;
        const message = error instanceof Error ? error.message : String(error);
        if (input.fromFolder && /no known format|this is |an empty recording/.test(message))
          passedOver.push(input.name);
        else {
          unreadable++;
          io.err(`${io.progress ? "\r\x1b[K" : ""}ndis-shmem replay: ${input.name}: ${message}\n`);
        }
      }
    }
    if (io.progress) io.err("\r\x1b[K");
    if (passedOver.length > 0) {
      const which = passedOver.slice(0, 3).join(", ");
      io.err(
        `ndis-shmem replay: ${passedOver.length} files are no recordings: ${which}${passedOver.length > 3 ? ", ..." : ""}\n`,
      );
    }
    if (passedOver.length === options.inputs.length) throw new UsageError("there is no recording among these files");
    say(reports, options, io);
    if (await io.isInterrupted()) {
      io.err(`ndis-shmem replay: interrupted after ${reports.length} recordings\n`);
      return EXIT.interrupted;
    }
    if (unreadable > 0) return EXIT.usage;
    return wrong ? EXIT.findings : EXIT.clean;
  },
};

function isSystemError(error: unknown): boolean {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === "string";
}

function say(reports: readonly ReplayReport[], options: Options, io: CommandIo): void {
  const [only] = reports;
  if (only === undefined) return;
  const isOne = options.inputs.length === 1;
  if (options.json) io.out(`${JSON.stringify(isOne ? only : reports, null, 2)}\n`);
  else io.out(isOne ? fullReport(only) : table(reports));
}

const LOG_MAGIC = "NDISLOG";

/** A recorded run, made again; undefined where the file is none, or does not say how it was made. */
async function asRun(input: Input, io: CommandIo): Promise<Rerun | undefined> {
  if (input.path === "-") return undefined;
  const head = new Uint8Array(LOG_MAGIC.length);
  const file = openSync(input.path, "r");
  try {
    readSync(file, head);
  } finally {
    closeSync(file);
  }
  return Buffer.from(head).toString("latin1") === LOG_MAGIC ? rerun(input.path, io) : undefined;
}

function sayRerun(input: Input, { run, events, complete, divergence }: Rerun, json: boolean, io: CommandIo): void {
  if (json) {
    io.out(`${JSON.stringify({ file: input.name, run, events, complete, divergence }, null, 2)}\n`);
    return;
  }
  const how = `${run.driver}, seed ${run.seed}, schedule ${run.schedule}`;
  if (divergence === null) {
    const end = complete ? "" : " (the log was cut off there)";
    io.out(`${input.name}: the same run, ${events.toLocaleString("en")} events${end} (${how})\n`);
    return;
  }
  const lines = [
    `${input.name}: another run from event ${divergence.event.toLocaleString("en")} on (${how})`,
    "before it",
  ];
  for (const line of divergence.before) lines.push(`           ${line}`);
  lines.push(`expected   ${divergence.expected ?? "(the end)"}`, `got        ${divergence.got ?? "(the end)"}`);
  io.out(`${lines.join("\n")}\n`);
}

function together(exports: readonly Export[]): OperationSink {
  return {
    allocate: (slot, bytes, alignment, event) => {
      for (const one of exports) one.allocate(slot, bytes, alignment, event);
    },
    free: (slot, event) => {
      for (const one of exports) one.free(slot, event);
    },
  };
}

async function one(input: Input, options: Options, io: CommandIo): Promise<ReplayReport> {
  const files = options.exports.map(({ name, file }) => ({ name, out: openForWriting(name, file, io) }));
  const exports = files.map(({ name, out }) => exportTo(name, (text) => out.write(Buffer.from(text))));
  const log = options.record === null ? undefined : openForWriting("record", options.record, io);
  try {
    const open = options.profile ? await drawn(input, options) : () => input.open();
    const report = await replayRecording(input.name, open, {
      ...options.replay,
      wallMs: () => performance.now(),
      ...(exports.length > 0 && { alsoTo: together(exports) }),
      ...(log !== undefined && { log: { file: { write: (bytes: Uint8Array) => log.write(bytes) } } }),
    });
    for (const each of exports) each.end();
    return report;
  } finally {
    for (const { out } of files) out.close();
    log?.close();
  }
}

const LARGEST_PROFILE = 2 ** 24;

/** A sequence drawn from a profile, in the plain form. */
async function drawn(input: Input, { allocations, replay }: Options): Promise<() => Iterable<Uint8Array>> {
  let text = "";
  for await (const piece of input.open() as AsyncIterable<Uint8Array>) {
    text += Buffer.from(piece).toString("latin1");
    if (text.length > LARGEST_PROFILE) throw new UsageError(`${input.name}: a profile of more than 16 MiB`);
  }
  if (!isProfile(text)) throw new UsageError(`${input.name}: no size profile (lines of size, rate, live)`);
  const sizes = readProfile(text);
  return () => {
    const pieces: Uint8Array[] = [];
    let lines = "# drawn from a profile\n";
    const names: number[] = [];
    let blocks = 0;
    const keep = (line: string): void => {
      lines += line;
      if (lines.length < 65536) return;
      pieces.push(Buffer.from(lines));
      lines = "";
    };
    drawProfile(
      sizes,
      {
        allocate(slot, bytes) {
          names[slot] = ++blocks;
          keep(`a,${blocks},${bytes}\n`);
        },
        free: (slot) => keep(`f,${names[slot]}\n`),
      },
      { allocations, seed: replay.seed ?? 1 },
    );
    pieces.push(Buffer.from(lines));
    return pieces;
  };
}

async function compare(options: Options, io: CommandIo): Promise<number> {
  const [first, second, ...more] = options.inputs;
  if (first === undefined || second === undefined || more.length > 0) throw new UsageError("--compare takes two files");
  try {
    const reports = [await one(first, options, io), await one(second, options, io)] as const;
    const as = reports.every(({ format }) => format === "event-log") ? "lines" : "operations";
    const difference = await firstDifference(first.open(), second.open(), as, options.replay);
    if (options.json) io.out(`${JSON.stringify({ reports, difference }, null, 2)}\n`);
    else io.out(comparison(reports[0], reports[1], difference));
    return difference.at === null ? EXIT.clean : EXIT.findings;
  } catch (error) {
    if (error instanceof ShmemError) throw new UsageError(error.message);
    throw error;
  }
}

function optionsFrom(args: readonly string[], io: CommandIo): Options {
  const { values, positionals } = read(args);
  if (positionals.length === 0) throw new UsageError("which recording? give a file or a folder, see --help");
  const mode = REPLAY_MODES.find((name) => name === values.mode);
  if (values.mode !== undefined && mode === undefined) {
    throw new UsageError(`--mode takes ${REPLAY_MODES.join(", ")}, not \`${values.mode}\``);
  }
  if (values.format !== undefined && !FORMAT_NAMES.includes(values.format)) {
    throw new UsageError(`--format takes ${FORMAT_NAMES.join(", ")}, not \`${values.format}\``);
  }
  const onFailure = values["on-failure"];
  if (onFailure !== undefined && onFailure !== "retry" && onFailure !== "drop") {
    throw new UsageError(`--on-failure takes retry or drop, not \`${onFailure}\``);
  }
  const inputs = inputsOf(positionals, io);
  const exports = EXPORT_NAMES.flatMap((name) => (values[name] === undefined ? [] : [{ name, file: values[name] }]));
  if (inputs.length > 1 && (exports.length > 0 || values.record !== undefined)) {
    throw new UsageError("an export or --record takes one recording");
  }
  if (values.record !== undefined && (mode ?? "core") === "core") {
    throw new UsageError("--record keeps the log of a machine: with --mode sync, async or chaos");
  }
  return {
    inputs,
    modeGiven: mode !== undefined || exports.length > 0,
    compare: values.compare === true,
    exports,
    record: values.record ?? null,
    profile: values.profile === true,
    allocations: parseInteger("--allocations", values.allocations ?? "100000", 1, 100_000_000),
    json: values.json === true,
    replay: {
      ...(mode !== undefined && { mode: mode as ReplayMode }),
      ...(values.format !== undefined && { format: values.format }),
      strict: values.strict === true,
      ...(values.arena !== undefined && { arenaBytes: positive("--arena", parseBytes("--arena", values.arena)) }),
      ...(values.frame !== undefined && { frameSize: frameSize(values.frame, mode ?? "core") }),
      seed: parseInteger("--seed", values.seed ?? "1", 0, 0xffffffff),
      ...(values.failing !== undefined && { failing: probability(values.failing) }),
      ...(onFailure !== undefined && { onFailure }),
      leastArena: values["no-least-arena"] !== true,
    },
  };
}

function positive(option: string, bytes: number): number {
  if (bytes < 1) throw new UsageError(`${option} takes at least 1 byte`);
  return bytes;
}

function frameSize(given: string, mode: ReplayMode): number {
  const bytes = parseBytes("--frame", given);
  const isPower = bytes >= 64 && bytes <= 2 ** 20 && (bytes & (bytes - 1)) === 0;
  if (!isPower) throw new UsageError(`--frame takes a power of two from 64 to 1M, not \`${given}\``);
  if (mode !== "core" && bytes !== 64 && bytes !== 4096) {
    throw new UsageError(`--frame takes 64 or 4096 with --mode ${mode}, not \`${given}\``);
  }
  return bytes;
}

function probability(given: string): number {
  const value = /^\d*\.?\d+$/.test(given) ? Number(given) : Number.NaN;
  if (!(value >= 0 && value <= 1)) throw new UsageError(`--failing takes a probability from 0 to 1, not \`${given}\``);
  return value;
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        mode: { type: "string" },
        format: { type: "string" },
        strict: { type: "boolean" },
        arena: { type: "string" },
        frame: { type: "string" },
        seed: { type: "string" },
        failing: { type: "string" },
        "on-failure": { type: "string" },
        "no-least-arena": { type: "boolean" },
        compare: { type: "boolean" },
        chrome: { type: "string" },
        csv: { type: "string" },
        collapsed: { type: "string" },
        record: { type: "string" },
        profile: { type: "boolean" },
        allocations: { type: "string" },
        json: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split(". To specify")[0]}; see --help`);
  }
}
