/**
 * `ndis-shmem bench`: measure the allocator against its rivals, here and now.
 *
 * Everything is measured in processes of its own (bench/measurer.ts); this file reads the options, chooses what to run,
 * and writes the results as a table or as JSON.
 */
import { parseArgs } from "node:util";
import {
  installedSubjects,
  PATIENCE,
  type Plan,
  runBench,
  textReport,
  type Where,
  WORKLOADS,
  type WorkloadOptions,
} from "../../bench/index.js";
import { ShmemError } from "../../bindings/index.js";
import { EXIT } from "../report/index.js";
import { type Command, type CommandIo, parseBytes, parseInteger, UsageError } from "./command.js";

const QUICK = ["lifo4k", "churn50", "churn90", "nic", "page50"] as const;
const QUICK_SUBJECTS = ["ndis-shmem", "typescript-twin", "as-tlsf"] as const;
const NOT_BY_DEFAULT = ["loop"];

const HELP = `usage: ndis-shmem bench [OPTIONS]

Measure allocation latency: nanoseconds per operation, an allocation and a free
counting one each, with named rivals replaying the same operations.

  --workload A,B     which workloads; all by default:
                     ${WORKLOADS.map((one) => one.name)
                       .join(", ")
                       .replace(/(.{1,56})(?:, |$)/g, "$1,\n                     ")
                       .trim()
                       .replace(/,$/, "")}
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
  --json             one JSON object on stdout and nothing else
  --help             this text

exit codes: 0 measured, 1 subjects disagree that should not, 2 usage
`;

interface Options {
  readonly plan: Plan;
  readonly baseline: string;
  readonly json: boolean;
}

/** See the head of this file. */
export const benchCommand: Command = {
  name: "bench",
  summary: "measure allocation latency against other allocators",
  help: HELP,
  run: async (args, io) => {
    const { plan, baseline, json } = await optionsFrom(args);
    try {
      const results = await runBench(plan, progressOn(io));
      io.out(json ? `${JSON.stringify(results, null, 2)}\n` : textReport(results, baseline));
      return results.disagreements.length === 0 ? EXIT.clean : EXIT.findings;
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

async function optionsFrom(args: readonly string[]): Promise<Options> {
  const values = read(args);
  const quick = values.quick === true;
  const installed = (await installedSubjects()).map((subject) => subject.name);
  const usual = quick ? QUICK_SUBJECTS.filter((name) => installed.includes(name)) : installed;
  const subjects = values.subject ?? usual.filter((name) => !NOT_BY_DEFAULT.includes(name));
  const names =
    values.workload?.flatMap((list) => list.split(",")) ?? (quick ? QUICK : WORKLOADS.map((one) => one.name));
  for (const name of names) {
    if (!WORKLOADS.some((one) => one.name === name)) throw new UsageError(`there is no workload \`${name}\``);
  }
  const where = values.where ?? "both";
  if (!["wasm", "js", "both"].includes(where)) throw new UsageError(`--where takes wasm, js or both, not \`${where}\``);
  const workloadOptions: WorkloadOptions = {
    ...(values.seed !== undefined && { seed: parseInteger("--seed", values.seed, 1, 0xffffffff) }),
    ...(values.frame !== undefined && { frameSize: frameSize(values.frame) }),
  };
  const plan: Plan = {
    workloads: names.map((name) => ({ name, options: workloadOptions })),
    places: where === "both" ? ["wasm", "js"] : [where as Where],
    subjects,
    rounds: parseInteger("--rounds", values.rounds ?? (quick ? "6" : "15"), 1, 10_000),
    processes: parseInteger("--processes", values.processes ?? (quick ? "2" : "3"), 1, 100),
    patience: quick ? { warmUpMs: 60, budgetMs: 200 } : PATIENCE,
    skip: (workload, _where, subject) => workload.startsWith("gib") && subject === "thing-malloc",
    command: ["ndis-shmem", "bench", ...args].join(" "),
  };
  return { plan, baseline: values.baseline ?? "as-tlsf", json: values.json === true };
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
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message.split("\n")[0] ?? "wrong options");
  }
}
