/**
 * `ndis-shmem run`: play a capture to a driver, and show what happened.
 *
 * With no option it plays the capture that comes with the package to e100bex. The table goes to stdout, or one JSON
 * object and nothing else; a progress bar to stderr, from the second second on, where that is a terminal.
 */
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { basename } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ShmemError } from "../../../bindings/index.js";
import { type Capture, readCapture } from "../../capture/index.js";
import { DRIVERS, type DriverModel } from "../../drivers/index.js";
import { type LogOptions, SCHEDULES, type ScheduleName } from "../../machine/index.js";
import { EXIT, exitCodeOf, progressBar, reportPicture, reportTable } from "../../report/index.js";
import { type PlayResult, play, soak } from "../../run/index.js";
import { type Command, type CommandIo, parseBytes, parseInteger, UsageError } from "../command.js";
import { soakTable } from "./soak-table.js";

const PLAYABLE: readonly ScheduleName[] = SCHEDULES.filter((name) => name !== "manual");

/** The capture that comes with the package, and how many folders above this file its root may be (dist/chunks: two). */
const DEFAULT_CAPTURE = "examples/traffic/two-hosts.pcap";
const MOST_FOLDERS_UP = 4;

const MIB = 1024 * 1024;
const sizes = DRIVERS.map((driver) => `${driver.arenaBytes / MIB}M ${driver.name}`).join(", ");

const HELP = `usage: ndis-shmem run [OPTIONS]

Run one scenario, from power-on to halt: a miniport driver over the simulated
NDIS, a device that reaches memory by physical address alone, and the frames of
a capture file.

  --driver NAME      ${DRIVERS.map((driver) => driver.name).join(", ")} (default e100bex)
  --traffic FILE     classic pcap; default: two hosts on one wire, 579 frames
  --arena BYTES      shared memory, with K, M or G (default: enough for the
                     driver: ${sizes})
  --seed N           0 to 2^53 - 1 (default 1); one seed, one history
  --schedule NAME    ${PLAYABLE.join(", ")}
                     (default fifo): the order in which requests complete
  --speed-up N       frames come N times as fast as they were recorded (1 to
                     1,000,000; default 1)
  --json             one JSON object on stdout and nothing else
  --picture FILE     write an SVG: memory over time, and the arena at its peak
  --record FILE      write the event log as a file: \`ndis-shmem replay FILE\`
                     makes the run again and stops where it differs
  --soak N           N scenarios, seeds counted from --seed, each with its own
                     schedule and 5 % of its requests failing
  --help             this text

exit codes: 0 clean, 1 findings (violations, leaks, mismatches),
            2 usage or unreadable file, 3 the driver refused to initialize
`;

interface RunOptions {
  readonly driver: DriverModel;
  readonly traffic: string | null;
  readonly arenaBytes: number;
  readonly seed: number;
  /** Null: fifo, or with --soak drawn for each scenario. */
  readonly schedule: ScheduleName | null;
  /** Scenarios to soak, or null for one plain scenario. */
  readonly soak: number | null;
  readonly speedUp: number;
  readonly json: boolean;
  readonly picture: string | null;
  /** Where the event log goes, or null. */
  readonly record: string | null;
}

/** See the head of this file. */
export const runCommand: Command = {
  name: "run",
  summary: "play a capture to a driver and report what happened to its memory",
  help: HELP,
  run: async (args, io) => {
    const options = parse(args);
    const { capture, title } = load(options.traffic);
    if (options.soak !== null) return soaking(options, options.soak, capture, title, io);
    const recorder = options.record === null ? undefined : recordTo(options.record);
    const result = await playing(options, capture, title, io, recorder?.log(options));
    recorder?.close();
    const { report, history, refused } = result;
    if (options.picture !== null) save(options.picture, reportPicture(report, history, refused));
    if (options.json) io.out(`${JSON.stringify(report, null, 2)}\n`);
    else io.out(reportTable(report, history, refused));
    if (capture.clampedStamps > 0) {
      const who =
        capture.clampedStamps === 1
          ? "1 frame had a stamp before its"
          : `${capture.clampedStamps} frames had a stamp before their`;
      io.err(`ndis-shmem run: ${who} predecessor's; moved to it\n`);
    }
    if (refused !== null) {
      io.err(`ndis-shmem run: ${report.driver} refused to initialize: NDIS_STATUS_${refused}\n`);
    }
    return exitCodeOf(report, refused);
  },
};

function parse(args: readonly string[]): RunOptions {
  const { values } = parsed(args);
  const driver = DRIVERS.find((one) => one.name === (values.driver ?? "e100bex"));
  if (driver === undefined) {
    throw new UsageError(`--driver takes ${DRIVERS.map((one) => one.name).join(", ")}, not \`${values.driver}\``);
  }
  const schedule = PLAYABLE.find((name) => name === values.schedule) ?? null;
  if (schedule === null && values.schedule !== undefined) {
    throw new UsageError(`--schedule takes ${PLAYABLE.join(", ")}, not \`${values.schedule}\``);
  }
  const soak = values.soak === undefined ? null : parseInteger("--soak", values.soak, 1, 1_000_000_000);
  if (soak !== null && values.picture !== undefined)
    throw new UsageError("--picture shows one scenario: not with --soak");
  if (soak !== null && values.record !== undefined)
    throw new UsageError("--record keeps one scenario: not with --soak");
  return {
    driver,
    schedule,
    traffic: values.traffic ?? null,
    arenaBytes: values.arena === undefined ? driver.arenaBytes : parseBytes("--arena", values.arena),
    seed: values.seed === undefined ? 1 : parseInteger("--seed", values.seed, 0, Number.MAX_SAFE_INTEGER - (soak ?? 0)),
    soak,
    speedUp: values["speed-up"] === undefined ? 1 : parseInteger("--speed-up", values["speed-up"], 1, 1_000_000),
    json: values.json ?? false,
    picture: values.picture ?? null,
    record: values.record ?? null,
  };
}

function parsed(args: readonly string[]): {
  readonly values: {
    driver?: string;
    traffic?: string;
    arena?: string;
    seed?: string;
    schedule?: string;
    json?: boolean;
    picture?: string;
    record?: string;
    soak?: string;
    "speed-up"?: string;
  };
} {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        driver: { type: "string" },
        traffic: { type: "string" },
        arena: { type: "string" },
        seed: { type: "string" },
        schedule: { type: "string" },
        json: { type: "boolean" },
        picture: { type: "string" },
        record: { type: "string" },
        soak: { type: "string" },
        "speed-up": { type: "string" },
      },
    });
  } catch (error) {
    // parseArgs throws a TypeError with a message for people, and nothing else, for what a user typed.
    if (error instanceof TypeError) throw new UsageError(`${error.message.split(". To specify")[0]}; see --help`);
    throw error;
  }
}

/** The capture of `--traffic`, or the one that comes with the package. */
export function load(traffic: string | null): { capture: Capture; title: string } {
  const path = traffic ?? defaultCapture();
  let file: Uint8Array;
  try {
    file = readFileSync(path);
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    return { capture: readCapture(file), title: basename(path) };
  } catch (error) {
    if (error instanceof ShmemError && error.code === "BAD_CAPTURE") throw new UsageError(`${path}: ${error.message}`);
    throw error;
  }
}

function defaultCapture(): string {
  for (let up = 1; up <= MOST_FOLDERS_UP; up += 1) {
    const place = fileURLToPath(new URL("../".repeat(up) + DEFAULT_CAPTURE, import.meta.url));
    if (existsSync(place)) return place;
  }
  throw new UsageError(`the package has lost ${DEFAULT_CAPTURE}; give a capture with --traffic`);
}

function save(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`cannot write ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The event log into a file. What a disk does not take is wrong usage, as everywhere. */
function recordTo(path: string): { log(options: RunOptions): LogOptions; close(): void } {
  const tried = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw new UsageError(`cannot write ${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const file = tried(() => openSync(path, "w"));
  return {
    log({ driver, traffic, seed, schedule, arenaBytes, speedUp }) {
      const run = { driver: driver.name, seed, schedule: schedule ?? "fifo", arenaBytes, speedUp };
      return {
        file: { write: (bytes) => tried(() => writeSync(file, bytes)) },
        header: { run: { ...run, ...(traffic !== null && { traffic }) } },
      };
    },
    close: () => closeSync(file),
  };
}

async function playing(
  options: RunOptions,
  capture: Capture,
  title: string,
  io: CommandIo,
  log: LogOptions | undefined,
): Promise<PlayResult> {
  const { driver, arenaBytes, seed, schedule, speedUp } = options;
  return withProgress("frames", io, options, (onProgress) =>
    play({
      driver,
      arenaBytes,
      seed,
      capture,
      title,
      speedUp,
      schedule: schedule ?? "fifo",
      wallMs: () => performance.now(),
      ...(log !== undefined && { log }),
      ...(io.progress ? { onProgress } : {}),
    }),
  );
}

async function soaking(
  options: RunOptions,
  scenarios: number,
  capture: Capture,
  title: string,
  io: CommandIo,
): Promise<number> {
  const { driver, arenaBytes, seed, schedule, speedUp } = options;
  const report = await withProgress("scenarios", io, options, (onProgress) =>
    soak({
      driver,
      arenaBytes,
      seed,
      scenarios,
      capture,
      title,
      speedUp,
      wallMs: () => performance.now(),
      ...(schedule === null ? {} : { schedule }),
      ...(io.progress ? { onProgress } : {}),
    }),
  );
  const given = `${schedule === null ? "" : ` --schedule ${schedule}`}${speedUp === 1 ? "" : ` --speed-up ${speedUp}`}`;
  const repeat = `ndis-shmem run --driver ${driver.name} --arena ${arenaBytes}${given}`;
  io.out(options.json ? `${JSON.stringify(report, null, 2)}\n` : soakTable(report, repeat));
  return report.clean === report.scenarios ? EXIT.clean : EXIT.findings;
}

/** Run with a progress bar from the second second on, and turn what the arena's size can cause into a usage error. */
async function withProgress<T>(
  noun: string,
  io: CommandIo,
  options: RunOptions,
  run: (onProgress: (done: number, whole: number) => void) => Promise<T>,
): Promise<T> {
  let shownAt = performance.now() + 800;
  let shown = false;
  const onProgress = (done: number, whole: number): void => {
    const now = performance.now();
    if (now - shownAt < 200) return;
    shownAt = now;
    shown = true;
    io.err(`\r${progressBar("playing", done, whole, noun, io.columns - 1)}\u001b[K`);
  };
  try {
    return await run(onProgress);
  } catch (error) {
    if (error instanceof ShmemError && error.field === "arenaBytes") throw new UsageError(`--arena: ${error.message}`);
    if (error instanceof RangeError && /array buffer/i.test(error.message)) {
      throw new UsageError(`--arena: this host has no ${options.arenaBytes} bytes: ${error.message}`);
    }
    throw error;
  } finally {
    if (shown) io.err("\r\u001b[K");
  }
}
