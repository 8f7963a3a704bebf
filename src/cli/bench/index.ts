/**
 * `ndis-shmem bench`: measure the allocator against its peers, here and now.
 *
 * Everything is measured in processes of its own (bench/process/measurer.ts); this file reads the options, chooses what to run,
 * and writes the results as a table, a page or JSON.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import {
  compareReport,
  htmlReport,
  installedSubjects,
  MODE_NAMES,
  markdownReport,
  type Plan,
  parseResults,
  type Recording,
  type Results,
  readRecording,
  runBench,
  TIME_LIMITS,
  textReport,
  type Where,
  WORKLOADS,
  type WorkloadOptions,
} from "../../../bench/index.js";
import { ShmemError } from "../../../bindings/index.js";
import { EXIT } from "../../report/index.js";
import { type Command, type CommandIo, parseBytes, parseInteger, UsageError } from "../command.js";
import { inputsOf, shortName } from "../replay/inputs.js";

const QUICK: readonly string[] = ["lifo4k", "churn50", "churn90", "nic", "page50"];
const QUICK_SUBJECTS: readonly string[] = ["ndis-shmem", "typescript-twin", "as-tlsf"];
const NOT_BY_DEFAULT = ["loop"];

/** Names in lines of the help, behind its column of options. */
function listed(names: readonly string[]): string {
  const lines = [""];
  for (const name of names) {
    const last = lines[lines.length - 1] as string;
    if (last.length + name.length > 54) lines.push(`${name}, `);
    else lines[lines.length - 1] = `${last}${name}, `;
  }
  return lines
    .map((line) => line.trimEnd())
    .join("\n                     ")
    .replace(/,$/, "");
}

const HELP = `usage: ndis-shmem bench [OPTIONS]

Measure allocation latency: nanoseconds per operation, an allocation and a free
counting one each, with named peers replaying the same operations.

  --workload A,B     what to measure; default: all but recording
                     ${listed([...WORKLOADS.map((one) => one.name), "recording", ...MODE_NAMES])}
  --recording PATH   a recording of a real program, in any form that
                     \`replay\` reads, or a folder of them; implies --workload
                     recording
  --where PLACE      wasm (one call, many operations), js (one call, one
                     operation) or both (default)
  --subject NAME     an allocator, or a module of yours (./mine.mjs exporting
                     allocate, free and perhaps reset); may be given again
  --baseline NAME    the subject that ratios refer to (default as-tlsf)
  --rounds N         samples of each (default 15)
  --processes N      over how many processes (default 3)
  --seed N           of the generators (default: that of the published figures)
  --frame BYTES      frame size (default: that of the workload)
  --quick            five workloads, three subjects, under a minute
  --compare OLD.json what changed since, and whether it is more than noise
  --html FILE        one page with charts, readable without a network
  --markdown         tables for a document
  --json             one JSON object on stdout and nothing else
  --help             this text

exit codes: 0 measured, 1 subjects disagree that should not, or one gave an
            answer that no allocator gives, 2 usage
`;

interface Options {
  readonly plan: Plan;
  readonly baseline: string;
  readonly output: "text" | "markdown" | "json";
  /** Where to write the page. */
  readonly html: string | null;
  readonly earlier: Results | null;
}

/** See the head of this file. */
export const benchCommand: Command = {
  name: "bench",
  summary: "measure allocation latency against other allocators",
  help: () => HELP,
  run: async (args, io) => {
    const { plan, baseline, output, html, earlier } = await optionsFrom(args, io);
    try {
      const results = await runBench(plan, progressOn(io));
      if (html !== null) save(html, htmlReport(results, baseline));
      if (output === "json") io.out(`${JSON.stringify(results, null, 2)}\n`);
      else if (output === "markdown") io.out(markdownReport(results, baseline));
      else io.out(textReport(results, baseline));
      if (earlier !== null) (output === "text" ? io.out : io.err)(`\n${compareReport(earlier, results)}`);
      return results.disagreements.length + (results.wrong ?? []).length === 0 ? EXIT.clean : EXIT.findings;
    } catch (error) {
      if (error instanceof ShmemError) throw new UsageError(error.message);
      throw error;
    } finally {
      if (io.progress) io.err("\r\x1b[K");
    }
  },
};

function progressOn(io: CommandIo): (text: string) => void {
  if (!io.progress) return () => {};
  return (text) => io.err(`\r\x1b[K${text.slice(0, io.columns - 1)}`);
}

const TINY_RECORDING = 1000;

async function optionsFrom(args: readonly string[], io: CommandIo): Promise<Options> {
  const values = read(args);
  const quick = values.quick === true;
  const subjects = values.subject ?? (await usualSubjects(quick));
  const names = namesOf(values.workload, quick, values.recording !== undefined);
  const where = values.where ?? "both";
  if (!["wasm", "js", "both"].includes(where)) throw new UsageError(`--where takes wasm, js or both, not \`${where}\``);
  const frame = values.frame === undefined ? undefined : frameSize(values.frame);
  const workloadOptions: WorkloadOptions = {
    ...(values.seed !== undefined && { seed: parseInteger("--seed", values.seed, 1, 0xffffffff) }),
    ...(frame !== undefined && { frameSize: frame }),
  };
  const recordings = names.includes("recording") ? await recordingsIn(values.recording ?? [SHARED], frame, io) : [];
  const plan: Plan = {
    workloads: names
      .filter((name) => WORKLOADS.some((one) => one.name === name))
      .map((name) => ({ name, options: workloadOptions })),
    modes: names.filter((name) => MODE_NAMES.includes(name)),
    recordings: recordings.filter((recording) => recording.total >= TINY_RECORDING),
    spaces: recordings,
    places: where === "both" ? ["wasm", "js"] : [where as Where],
    subjects,
    rounds: parseInteger("--rounds", values.rounds ?? (quick ? "6" : "15"), 1, 10_000),
    processes: parseInteger("--processes", values.processes ?? (quick ? "2" : "3"), 1, 100),
    replays: 15,
    limits: quick ? { warmUpMs: 60, budgetMs: 200 } : TIME_LIMITS,
    command: ["ndis-shmem", "bench", ...args].join(" "),
  };
  checkBaseline(values.baseline, plan);
  if (values.json === true && values.markdown === true)
    throw new UsageError("--json and --markdown exclude each other");
  return {
    plan,
    baseline: values.baseline ?? "as-tlsf",
    output: values.json === true ? "json" : values.markdown === true ? "markdown" : "text",
    html: values.html ?? null,
    earlier: values.compare === undefined ? null : earlierResults(values.compare),
  };
}

/** The subject that ratios refer to must be among those measured, where it is named. */
function checkBaseline(given: string | undefined, { subjects }: Plan): void {
  if (given === undefined || subjects.some((name) => name === given || basename(name).startsWith(`${given}.`))) return;
  throw new UsageError(`--baseline takes one of the subjects measured, not \`${given}\`: ${subjects.join(", ")}`);
}

function earlierResults(file: string): Results {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`--compare ${file}: ${(error as NodeJS.ErrnoException).code}`);
  }
  try {
    return parseResults(text, file);
  } catch (error) {
    if (error instanceof ShmemError) throw new UsageError(error.message);
    throw error;
  }
}

function save(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new UsageError(`--html ${file}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

async function usualSubjects(quick: boolean): Promise<readonly string[]> {
  const installed = (await installedSubjects()).map((subject) => subject.name);
  return installed.filter((name) => !NOT_BY_DEFAULT.includes(name) && (!quick || QUICK_SUBJECTS.includes(name)));
}

function namesOf(given: readonly string[] | undefined, quick: boolean, recordings: boolean): readonly string[] {
  const known = [...WORKLOADS.map((one) => one.name), "recording", ...MODE_NAMES];
  if (given === undefined && recordings) return ["recording"];
  if (given === undefined) return quick ? QUICK : known.filter((name) => name !== "recording");
  const names = given.flatMap((list) => list.split(","));
  for (const name of names) {
    if (!known.includes(name)) throw new UsageError(`there is no workload \`${name}\`; there is ${known.join(", ")}`);
  }
  return recordings && !names.includes("recording") ? [...names, "recording"] : names;
}

/** Where recordings lie that come with no package, seen from the project. */
const SHARED = "../shared/traces";

/** The recordings under the paths. In a folder what is no recording is passed over; a file that is named must be one. */
async function recordingsIn(
  paths: readonly string[],
  frame: number | undefined,
  io: CommandIo,
): Promise<readonly Recording[]> {
  const found: Recording[] = [];
  for (const { name: file, fromFolder, open } of inputsOf(paths, io)) {
    try {
      found.push(
        await readRecording(open(), { name: shortName(file), ...(frame !== undefined && { frameSize: frame }) }),
      );
    } catch (error) {
      if (!(error instanceof ShmemError)) throw error;
      if (!fromFolder) throw new UsageError(`recording ${file}: ${error.message}`);
      io.err(`ndis-shmem bench: ${file} is left out: ${error.message}\n`);
    }
  }
  if (found.length === 0) throw new UsageError(`there is no recording in ${paths.join(", ")}`);
  return found;
}

function frameSize(given: string): number {
  const bytes = parseBytes("--frame", given);
  if (bytes < 64 || bytes > 2 ** 20 || (bytes & (bytes - 1)) !== 0)
    throw new UsageError(`--frame takes a power of two from 64 to 1M, not \`${given}\``);
  return bytes;
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: false,
      options: {
        recording: { type: "string", multiple: true },
        workload: { type: "string", multiple: true },
        where: { type: "string" },
        subject: { type: "string", multiple: true },
        baseline: { type: "string" },
        rounds: { type: "string" },
        processes: { type: "string" },
        seed: { type: "string" },
        frame: { type: "string" },
        quick: { type: "boolean" },
        json: { type: "boolean" },
        markdown: { type: "boolean" },
        html: { type: "string" },
        compare: { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message.split("\n")[0] ?? "wrong options");
  }
}
