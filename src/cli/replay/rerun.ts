/**
 * Running a recorded run again: the log's header says how it was made, and each line of the new run is held against the line
 * of the old one. The run stops behind the first that differs.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { DRIVERS } from "../../drivers/index.js";
import { SCHEDULES } from "../../machine/index.js";
import { type LogHeader, LogReader, type RunOfLog } from "../../recordings/index.js";
import { play } from "../../run/index.js";
import { type CommandIo, UsageError } from "../command.js";
import { trafficOf } from "../run/traffic.js";

const PIECE = 65536;

/** The lines of a log file, read as they are asked for. */
class ExpectedLines {
  readonly #file: number;
  readonly #reader: LogReader;
  #lines: string[] = [];
  #at = 0;
  #ended = false;
  header: LogHeader = {};
  complete = false;

  constructor(path: string) {
    this.#file = openSync(path, "r");
    this.#reader = new LogReader(
      (header) => {
        this.header = header;
      },
      (event) => this.#lines.push(event.shape.line(event)),
    );
    this.#read();
  }

  #read(): void {
    this.#lines = [];
    this.#at = 0;
    while (this.#lines.length === 0 && !this.#ended) {
      const piece = new Uint8Array(PIECE);
      const length = readSync(this.#file, piece);
      if (length > 0) this.#reader.push(piece.subarray(0, length));
      else {
        this.#ended = true;
        this.complete = this.#reader.end().complete;
      }
    }
  }

  /** The next line; undefined at the end. */
  next(): string | undefined {
    if (this.#at === this.#lines.length) this.#read();
    return this.#lines[this.#at++];
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** The first line of a run that is another than the recorded one. */
export interface Divergence {
  /** Number of the event, from 1. */
  readonly event: number;
  readonly expected: string | undefined;
  readonly got: string | undefined;
  /** The lines before it. */
  readonly before: readonly string[];
}

export interface Rerun {
  readonly run: RunOfLog;
  readonly events: number;
  /** False: the log was cut off; the run was compared as far as it goes. */
  readonly complete: boolean;
  readonly divergence: Divergence | null;
}

const KEPT_BEFORE = 5;

/** Make the run of a log again; undefined where the log does not say how. Wrong usage for a run that cannot be made here. */
export async function rerun(path: string, io: CommandIo): Promise<Rerun | undefined> {
  const expected = new ExpectedLines(path);
  try {
    const { run } = expected.header;
    return run === undefined ? undefined : await replayRun(path, run, expected, io);
  } finally {
    expected.close();
  }
}

async function replayRun(path: string, run: RunOfLog, expected: ExpectedLines, io: CommandIo): Promise<Rerun> {
  const driver = DRIVERS.find(({ name }) => name === run.driver);
  if (driver === undefined) throw new UsageError(`${path}: there is no driver ${JSON.stringify(run.driver)} here`);
  const schedule = SCHEDULES.find((name) => name === run.schedule);
  if (schedule === undefined || schedule === "manual") {
    throw new UsageError(`${path}: there is no schedule ${JSON.stringify(run.schedule)}`);
  }
  const { source, title } = trafficOf(run.traffic ?? null, {}, io);
  let events = 0;
  let divergence: Divergence | null = null;
  let before: string[] = [];
  const differs = (wanted: string | undefined, got: string | undefined): void => {
    divergence = { event: events, expected: wanted, got, before };
    before = [];
  };
  let isCut = false;
  await play({
    driver,
    capture: source,
    title,
    seed: run.seed,
    schedule,
    recordsPeak: false,
    wallMs: () => performance.now(),
    ...(run.arenaBytes !== undefined && { arenaBytes: run.arenaBytes }),
    ...(run.speedUp !== undefined && { speedUp: run.speedUp }),
    endsEarly: () => divergence !== null || isCut,
    log: {
      onLine: (line) => {
        if (divergence !== null || isCut) return;
        events++;
        const wanted = expected.next();
        if (wanted === undefined && !expected.complete) {
          isCut = true;
          events--;
        } else if (wanted !== line) differs(wanted, line);
        else {
          before.push(line);
          if (before.length > KEPT_BEFORE) before.shift();
        }
      },
    },
  });
  if (divergence === null && !isCut) {
    const missing = expected.next();
    if (missing !== undefined) {
      events++;
      differs(missing, undefined);
    }
  }
  return { run, events, complete: expected.complete && !isCut, divergence };
}
