/**
 * `ndis-shmem run`: play a capture to a driver, and show what happened.
 *
 * With no option it plays the capture that comes with the package to e100bex. The table goes to stdout, or one JSON
 * object and nothing else; a progress bar to stderr, from the second second on, where that is a terminal. Ctrl-C ends the
 * traffic, halts the driver and shows what was done until then.
 */
import { performance } from "node:perf_hooks";
import { ShmemError } from "../../../bindings/index.js";
import { captureHeader, captureRecord } from "../../capture/index.js";
import { DRIVERS, type DriverModel } from "../../drivers/index.js";
import { NoiseDevice } from "../../fuzz/index.js";
import { type LogOptions, SCHEDULES, type ScheduleName } from "../../machine/index.js";
import { captureLine, EXIT, exitCodeOf, progressBar, reportPicture, reportTable } from "../../report/index.js";
import { type PlayedFrame, type PlayResult, play, soak } from "../../run/index.js";
import { isCompiled, loadCompiled } from "../cc/load.js";
import { type Command, type CommandIo, UsageError } from "../command.js";
import { openForWriting, STANDARD, writeWhole } from "../files.js";
import { bytes, choice, flag, integer, type OptionValues, optionsHelp, readOptions, text } from "../options.js";
import { soakTable } from "./soak-table.js";
import { type Traffic, trafficOf } from "./traffic.js";

const NAMES = DRIVERS.map((driver) => driver.name);
const PLAYABLE: readonly ScheduleName[] = SCHEDULES.filter((name) => name !== "manual");
const MIB = 1024 * 1024;
const SIZES = DRIVERS.map((driver) => `${driver.arenaBytes / MIB}M ${driver.name}`).join(", ");
const MOST_SEED = Number.MAX_SAFE_INTEGER;

const OPTIONS = {
  device: text(
    "FILE",
    { default: null },
    "with a DRIVER.wasm that `ndis-shmem cc` made: the module that exports the model of its device (docs/c-drivers.md)",
  ),
  driver: choice("NAME", NAMES, { default: "e100bex" }, `${NAMES.join(", ")} (default e100bex)`),
  traffic: text(
    "FILE",
    { default: null },
    "pcap or pcapng, in gzip or not; - is standard input; default: two hosts on one wire, 579 frames",
  ),
  "any-link-type": flag("play frames of every link type as they are (default: Ethernet, and what is converted to it)"),
  strict: flag("refuse a capture in which anything must be mended or skipped"),
  arena: bytes("BYTES", { default: null }, `shared memory, with K, M or G (default: enough for the driver: ${SIZES})`),
  seed: integer("N", { least: 0, most: MOST_SEED, default: 1 }, "0 to 2^53 - 1 (default 1); one seed, one history"),
  schedule: choice(
    "NAME",
    PLAYABLE,
    { default: null },
    `${PLAYABLE.join(", ")} (default fifo): the order in which requests complete`,
  ),
  "speed-up": integer(
    "N",
    { least: 1, most: 1_000_000, default: 1 },
    "frames come N times as fast as they were recorded (1 to 1,000,000; default 1)",
  ),
  json: flag("one JSON object on stdout and nothing else"),
  picture: text("FILE", { default: null }, "write an SVG: memory over time, and the arena at its peak; - is stdout"),
  "capture-out": text(
    "FILE",
    { default: null },
    "write the frames that the driver handed up, as pcap with nanoseconds of simulated time; - is stdout",
  ),
  record: text(
    "FILE",
    { default: null },
    "write the event log as a file; `ndis-shmem replay FILE` makes the run again and stops where it differs; - is stdout",
  ),
  soak: integer(
    "N",
    { least: 1, most: 1_000_000_000, default: null },
    "N scenarios, seeds counted from --seed, each with a schedule of its own and 5 % of its requests failing",
  ),
};

type Options = OptionValues<typeof OPTIONS>;

function help(columns: number): string {
  return `usage: ndis-shmem run [DRIVER.wasm] [OPTIONS]

Play a scenario of a NIC: a miniport driver over the simulated NDIS, a device
that reaches memory by physical address alone, and the frames of a capture.

${optionsHelp(OPTIONS, columns)}
exit codes: 0 clean, 1 findings (violations, leaks, mismatches),
            2 usage or unreadable file, 3 the driver refused to
            initialize, 130 interrupted: what was done is shown
`;
}

/** See the head of this file. */
export const runCommand: Command = {
  name: "run",
  summary: "play a capture to a driver and report what happened to its memory",
  help,
  run: async (args, io) => {
    const { values: options, given, positionals } = readOptions(OPTIONS, args, 1);
    check(options);
    const driver = await driverOf(options, given.has("driver"), positionals[0]);
    const traffic = trafficOf(options.traffic, { anyLinkType: options["any-link-type"], strict: options.strict }, io);
    return options.soak === null
      ? runOnce(driver, options, traffic, io)
      : runSoak(driver, options, options.soak, traffic, io);
  },
};

/** What the table cannot say: which options exclude each other. */
function check(options: Options): void {
  for (const file of ["picture", "capture-out", "record"] as const) {
    if (options.soak !== null && options[file] !== null) {
      throw new UsageError(`--${file} is of one scenario: not with --soak`);
    }
  }
  const onStdout = [
    ...(options.json ? ["--json"] : []),
    ...(options.picture === STANDARD ? ["--picture -"] : []),
    ...(options["capture-out"] === STANDARD ? ["--capture-out -"] : []),
    ...(options.record === STANDARD ? ["--record -"] : []),
  ];
  if (onStdout.length > 1) throw new UsageError(`${onStdout.join(" and ")} would both go to standard output`);
  if (options.soak !== null && options.seed + options.soak > MOST_SEED) {
    throw new UsageError(`--seed takes an integer from 0 to ${MOST_SEED - options.soak} with this --soak`);
  }
  if (options.soak !== null && options.soak > 1 && options.traffic === STANDARD) {
    throw new UsageError("--traffic - can be read once: not with --soak");
  }
}

/** The driver of `--driver`, or one compiled from C. `isNamed`: `--driver` was given. */
async function driverOf(options: Options, isNamed: boolean, path: string | undefined): Promise<DriverModel> {
  if (path === undefined) {
    if (options.device !== null) throw new UsageError("--device goes with a DRIVER.wasm");
    return DRIVERS.find((one) => one.name === options.driver) as DriverModel;
  }
  if (isNamed || !isCompiled(path))
    throw new UsageError(`run takes one DRIVER.wasm, or --driver NAME; not \`${path}\``);
  const driver = await loadCompiled(path, options.device ?? undefined);
  const { name, DriverEntry, explain, arenaBytes, addressing } = driver;
  return {
    name,
    DriverEntry,
    explain,
    arenaBytes,
    addressing,
    summary: path,
    memory: (lengthBytes, physicalBase) => driver.memory(lengthBytes, physicalBase),
    device: driver.device ?? (() => new NoiseDevice()),
    blockKind: () => "shared memory",
  };
}

async function runOnce(driver: DriverModel, options: Options, traffic: Traffic, io: CommandIo): Promise<number> {
  const isStdoutTaken = [options.picture, options["capture-out"], options.record].includes(STANDARD);
  const { report, history, refused } = await playing(driver, options, traffic, io);
  if (options.picture !== null) writeWhole("picture", options.picture, reportPicture(report, history, refused), io);
  if (options.json) io.out(`${JSON.stringify(report, null, 2)}\n`);
  else (isStdoutTaken ? io.err : io.out)(reportTable(report, history, refused, io.columns));
  const mended = captureLine(report.capture);
  if (options.json && mended !== "") io.err(`ndis-shmem run: ${traffic.title}: ${mended}\n`);
  if (refused !== null) {
    io.err(`ndis-shmem run: ${report.driver} refused to initialize: NDIS_STATUS_${refused}\n`);
  }
  if (await io.isInterrupted()) {
    io.err(`ndis-shmem run: interrupted after ${report.packets.offered} frames\n`);
    return EXIT.interrupted;
  }
  return exitCodeOf(report, refused);
}

async function playing(driver: DriverModel, options: Options, traffic: Traffic, io: CommandIo): Promise<PlayResult> {
  const file = options["capture-out"];
  const output = file === null ? null : openForWriting("capture-out", file, io);
  const format = { nanoseconds: true };
  output?.write(captureHeader(format));
  const recorded = options.record === null ? null : openForWriting("record", options.record, io);
  const onFrame = ({ timeNs, bytes }: PlayedFrame): void => output?.write(captureRecord({ timeNs, bytes }, format));
  try {
    return await withProgress(io, options, traffic, (progress) =>
      play({
        driver,
        arenaBytes: options.arena ?? driver.arenaBytes,
        seed: options.seed,
        capture: traffic.source,
        title: traffic.title,
        speedUp: options["speed-up"],
        schedule: options.schedule ?? "fifo",
        wallMs: () => performance.now(),
        isCancelled: () => io.isInterrupted(),
        onProgress: () => progress(traffic.readBytes, traffic.sizeBytes, "bytes"),
        ...(output === null ? {} : { onFrame }),
        ...(recorded === null ? {} : { log: { file: recorded, header: { run: runOf(driver, options) } } }),
      }),
    );
  } finally {
    output?.close();
    recorded?.close();
  }
}

/** What a recorded run was made with, so that `replay` can make it again. */
function runOf(driver: DriverModel, options: Options): NonNullable<NonNullable<LogOptions["header"]>["run"]> {
  const { seed, schedule, traffic, arena } = options;
  return {
    driver: driver.name,
    seed,
    schedule: schedule ?? "fifo",
    arenaBytes: arena ?? driver.arenaBytes,
    speedUp: options["speed-up"],
    ...(traffic === null ? {} : { traffic }),
  };
}

async function runSoak(
  driver: DriverModel,
  options: Options,
  scenarios: number,
  traffic: Traffic,
  io: CommandIo,
): Promise<number> {
  const { schedule } = options;
  const speedUp = options["speed-up"];
  const arenaBytes = options.arena ?? driver.arenaBytes;
  const report = await withProgress(io, options, traffic, (progress) =>
    soak({
      driver,
      arenaBytes,
      seed: options.seed,
      scenarios,
      capture: traffic.source,
      title: traffic.title,
      speedUp,
      wallMs: () => performance.now(),
      isCancelled: () => io.isInterrupted(),
      onProgress: (done) => progress(done, scenarios, "scenarios"),
      ...(schedule === null ? {} : { schedule }),
    }),
  );
  const given = `${schedule === null ? "" : ` --schedule ${schedule}`}${speedUp === 1 ? "" : ` --speed-up ${speedUp}`}`;
  const repeat = `ndis-shmem run --driver ${driver.name} --arena ${arenaBytes}${given}`;
  io.out(options.json ? `${JSON.stringify(report, null, 2)}\n` : soakTable(report, repeat, io.columns));
  if (report.scenarios < scenarios) {
    io.err(`ndis-shmem run: interrupted after ${report.scenarios} of ${scenarios} scenarios\n`);
    return EXIT.interrupted;
  }
  return report.clean === report.scenarios ? EXIT.clean : EXIT.findings;
}

type Progress = (done: number, whole: number, noun: string) => void;

/** Run with a progress bar from the second second on, and turn what a user's values can cause into a usage error. */
async function withProgress<T>(
  io: CommandIo,
  options: Options,
  traffic: Traffic,
  run: (progress: Progress) => Promise<T>,
): Promise<T> {
  let shownAt = performance.now() + 800;
  let isShown = false;
  const progress: Progress = (done, whole, noun) => {
    const now = performance.now();
    if (!io.progress || now - shownAt < 200) return;
    shownAt = now;
    isShown = true;
    io.err(`\r${progressBar("playing", done, whole, noun, io.columns - 1)}\u001b[K`);
  };
  try {
    return await run(progress);
  } catch (error) {
    if (error instanceof ShmemError && error.code === "BAD_CAPTURE") {
      const hint = error.unit === "link type" ? "; --any-link-type plays them as they are" : "";
      throw new UsageError(`--traffic ${options.traffic ?? traffic.title}: ${error.message}${hint}`);
    }
    if (error instanceof ShmemError && error.field === "arenaBytes") throw new UsageError(`--arena: ${error.message}`);
    if (error instanceof RangeError && /array buffer/i.test(error.message)) {
      throw new UsageError(`--arena: this host has no ${options.arena} bytes: ${error.message}`);
    }
    throw error;
  } finally {
    if (isShown) io.err("\r\u001b[K");
  }
}
