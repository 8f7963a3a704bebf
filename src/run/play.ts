/**
 * play: one scenario of one NIC.
 *
 *   power on -- DriverEntry, MiniportInitializeEx, restart
 *   traffic  -- each frame of the capture reaches the device at its own moment of simulated time
 *   quiet    -- what is on its way arrives, what the upper layer holds comes back
 *   halt     -- pause, MiniportHaltEx; then nothing may be left
 *
 * Everything random (how long the upper layer keeps a frame, how long a request waits) comes from the seed, and time is
 * the machine's, so one capture, one seed and one set of options are one history: everything in the report but `timing`
 * repeats byte for byte. Violations are collected and reported, not thrown: a run goes on to its end where it can.
 */
import {
  type CoreApi,
  type CoreOptions,
  type FaultPlan,
  hex,
  type NDIS_STATUS,
  NDIS_STATUS_SUCCESS,
  ShmemError,
  statusName,
  type Violation,
} from "../../bindings/index.js";
import type { CaptureFrame, CaptureSource } from "../capture/index.js";
import type { DriverModel } from "../drivers/index.js";
import {
  type Adapter,
  type LogOptions,
  Machine,
  type MachineReport,
  Prng,
  type ScheduleName,
} from "../machine/index.js";
import { LOST, type ReportedViolation, type RunHistory, type RunReport } from "../report/index.js";
import { Observer } from "./observer.js";
import { UpperLayer } from "./upper-layer.js";

/** Where the arena lies in physical memory: at 16 MiB, where a PC's memory for devices begins. */
export const ARENA_BASE = 0x100_0000;
/** Where it lies for a driver of 64-bit addresses: above 4 GiB, so that one that drops the high half is found out. */
export const HIGH_ARENA_BASE: number = 2 ** 32 + ARENA_BASE;
const FRAME_BYTES = 4096;
/** The upper layer keeps a frame this long, nanoseconds: a reader that is scheduled soon, or late. */
const HOLD_NS = { least: 500_000, most: 5_000_000 } as const;
/** After the last frame, before the halt: longer than any frame is held. */
const QUIET_NS = 500_000_000;
/** An interrupt is noticed soon, and now and then late, when another driver keeps the processor at DISPATCH_LEVEL. */
const PROMPT = { least: 5_000, most: 40_000 } as const;
const BUSY = { chance: 0.05, least: 100_000, most: 600_000 } as const;
const HOLD_STREAM = 11;
const INTERRUPT_STREAM = 12;

/** Options of `play`. */
export interface PlayOptions {
  readonly driver: DriverModel;
  /** Opened once, read as the machine's time goes on, and closed. */
  readonly capture: CaptureSource;
  /** What was played, for people: a file's name. */
  readonly title: string;
  /** An integer, 0 to 2^53 - 1. */
  readonly seed: number;
  /** Bytes of shared memory, rounded down to whole frames; at least one frame. Default: the driver's. */
  readonly arenaBytes?: number;
  /** Default "fifo". */
  readonly schedule?: ScheduleName;
  readonly faults?: FaultPlan;
  /** Frames come so many times as fast as they were recorded; at least 1, the default. */
  readonly speedUp?: number;
  /** Another core than the WebAssembly one. */
  readonly core?: (options: CoreOptions) => CoreApi;
  /** What the driver reads as its settings. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** The history lists the blocks at the peak. Default true; without a picture to draw it is time lost. */
  readonly recordsPeak?: boolean;
  /** Wall time in milliseconds, for `timing`; the library itself has no clock. */
  readonly wallMs: () => number;
  /** Where the event log goes besides its digest, for example into a file. */
  readonly log?: LogOptions;
  /** Asked after each turn of the machine: end the traffic here? The halt follows. */
  readonly endsEarly?: () => boolean;
  /** Called now and then with how many frames have been played. */
  readonly onProgress?: (played: number) => void;
  /** Called for each frame that the driver hands up. */
  readonly onFrame?: (frame: PlayedFrame) => void;
  /** Asked after each batch of frames: true ends the traffic here, and the driver is halted as at the end of the capture. */
  readonly isCancelled?: () => boolean | Promise<boolean>;
}

/** A frame as the driver handed it up. */
export interface PlayedFrame {
  /** Nanoseconds of simulated time since the first frame of the capture arrived. */
  readonly timeNs: number;
  /** A view of the driver's memory: good until the call returns. */
  readonly bytes: Uint8Array;
}

/** How a run ended. */
export interface PlayResult {
  readonly report: RunReport;
  readonly history: RunHistory;
  /** The driver refused to initialize: with this status. */
  readonly refused: string | null;
}

/**
 * Play a capture to a driver. Refuses, before anything happens, with `INVALID_ARGUMENT`: an arena below one frame or above
 * what lies between 16 MiB and 4 GiB (as much above 4 GiB), a bad seed.
 */
export async function play(options: PlayOptions): Promise<PlayResult> {
  const { driver, seed } = options;
  const started = options.wallMs();
  const capture = options.capture.open();
  let frames: readonly CaptureFrame[] = await capture.next();
  const base = driver.addressing === 32 ? ARENA_BASE : HIGH_ARENA_BASE;
  const size = arenaSize(options.arenaBytes ?? driver.arenaBytes);
  const own = driver.memory?.(size, base);
  const zones = own?.zones ?? [{ base, size }];
  const machine = await Machine.open({
    zones,
    ...(own === undefined ? {} : { arena: own.arena }),
    seed,
    schedule: options.schedule ?? "fifo",
    choices: { policy: "collect" },
    log: options.log ?? "digest",
    ...(options.faults === undefined ? {} : { faults: options.faults }),
    ...(options.core === undefined ? {} : { core: options.core }),
  });
  const observer = new Observer(machine, driver.blockKind, options.recordsPeak ?? true);
  const upper = new UpperLayer();
  let first = 0;
  const reasons = new Map<string, number>();
  let lostOnWire = 0;
  const drop = (reason: string): void => {
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    observer.drop(reason);
  };
  const interrupts = new Prng(seed, INTERRUPT_STREAM);
  const device = driver.device({
    onDrop: (reason) => {
      lostOnWire += 1;
      drop(reason);
    },
    interruptLatencyNs: () => {
      const { least, most } = interrupts.chance(BUSY.chance) ? BUSY : PROMPT;
      return interrupts.between(least, most);
    },
  });
  const hold = new Prng(seed, HOLD_STREAM);
  observer.look();
  let status: NDIS_STATUS = NDIS_STATUS_SUCCESS;
  const { value: adapter, failure } = await tryTo(async () => {
    const loaded = await machine.load(driver);
    status = loaded.status;
    if (status !== NDIS_STATUS_SUCCESS) return undefined;
    const added = await machine.add(loaded, {
      device,
      settings: options.settings ?? {},
      onFrame: (bytes) => {
        upper.indicated(bytes);
        options.onFrame?.({ timeNs: machine.nowNs - first, bytes });
      },
      onDrop: (reason) => {
        upper.givenUp();
        drop(reason);
      },
      holdNs: () => hold.between(HOLD_NS.least, HOLD_NS.most),
    });
    status = added.status;
    return added;
  });
  const one: Adapter | undefined = adapter ?? machine.adapters[0];
  if (one !== undefined) observer.watch(one);
  observer.look();
  let refused: string | null = null;
  let offered = 0;
  const failures: unknown[] = failure === undefined ? [] : [failure];
  if (adapter === undefined || status !== NDIS_STATUS_SUCCESS) {
    refused = failure === undefined ? statusName(status) : null;
  } else {
    observer.mark("initialized", "initialized");
    first = machine.nowNs;
    const { speedUp = 1 } = options;
    const dueNs = (frame: { readonly timeNs: number }): number => Math.round(frame.timeNs / speedUp);
    let at = 0;
    /** The batch is used up, and whether there is another is not known yet: the machine's time stands still meanwhile. */
    let isWaiting = false;
    let isQuiet = false;
    const quieten = (): void => {
      machine.after(QUIET_NS, () => {
        isQuiet = true;
      });
    };
    const next = (): void => {
      const frame = frames[at] as CaptureFrame;
      at += 1;
      offered += 1;
      observer.traffic(frame.bytes.length);
      const before = lostOnWire;
      device.receive(frame.bytes, frame.originalLengthBytes);
      if (lostOnWire === before) upper.expect(frame.bytes);
      if (at < frames.length) arrive();
      else isWaiting = true;
    };
    const arrive = (): void => {
      machine.after(first + dueNs(frames[at] as CaptureFrame) - machine.nowNs, next);
    };
    if (frames.length === 0) isQuiet = true;
    else machine.after(0, next);
    while (!isQuiet) {
      await machine.run(() => {
        observer.look();
        if (options.endsEarly?.() === true) isQuiet = true;
        return isQuiet || isWaiting;
      });
      if (!isWaiting) break;
      isWaiting = false;
      options.onProgress?.(offered);
      frames = (await options.isCancelled?.()) ? [] : await capture.next();
      at = 0;
      if (frames.length === 0) quieten();
      else arrive();
    }
    observer.mark("halt", "halt");
    const halted = await tryTo(() => machine.halt(adapter));
    if (halted.failure !== undefined) failures.push(halted.failure);
  }
  await capture.close();
  observer.look();
  upper.close();
  for (let count = 0; count < upper.lost; count += 1) drop(LOST);
  machine.endLog();
  const result = machine.report();
  const wallMs = options.wallMs() - started;
  const report: RunReport = {
    driver: driver.name,
    seed,
    capture: capture.summary,
    packets: {
      offered,
      delivered: upper.delivered,
      dropped: [...reasons.values()].reduce((sum, count) => sum + count, 0),
      mismatched: upper.mismatched,
      bytes: upper.deliveredBytes,
      reasons: Object.fromEntries([...reasons].sort(([left], [right]) => (left < right ? -1 : 1))),
    },
    requests: {
      synchronous: result.requests.synchronous,
      asynchronous: result.requests.asynchronous,
      completed: result.requests.completed,
      completedNull: result.requests.completedNull,
      failedAtOnce: result.requests.failedAtOnce,
      freed: result.requests.freed,
    },
    memory: {
      arenaBytes: result.memory.totalBytes,
      peakLiveBytes: result.memory.peakLiveBytes,
      finalLiveBytes: result.memory.liveBytes,
      largestFreeBytes: result.memory.largestFreeBytes,
    },
    leaks: result.leaks.length,
    // What the driver threw comes before what follows from it.
    violations: [...reportedFailures(failures, result), ...reportedViolations(result, driver.explain)],
    digest: result.logDigest,
    timing: {
      wallMs: Math.round(wallMs * 1000) / 1000,
      framesPerSecond: wallMs > 0 ? Math.round((offered * 1000) / wallMs) : 0,
      simulatedNs: result.nowNs,
      completionLatency: observer.latencies.spread(),
    },
  };
  const history = observer.finish(options.title, zones);
  machine.dispose();
  return { report, history, refused };
}

/** Whole frames, between the base and the next multiple of 4 GiB. */
function arenaSize(bytes: number): number {
  const most = 2 ** 32 - ARENA_BASE;
  if (!Number.isSafeInteger(bytes) || bytes < FRAME_BYTES || bytes > most) {
    throw new ShmemError("INVALID_ARGUMENT", `an arena has ${FRAME_BYTES} to ${most} bytes, not ${String(bytes)}`, {
      field: "arenaBytes",
      value: bytes,
      unit: "bytes",
    });
  }
  return bytes - (bytes % FRAME_BYTES);
}

async function tryTo<T>(action: () => Promise<T>): Promise<{ value?: T; failure?: unknown }> {
  try {
    return { value: await action() };
  } catch (failure) {
    return { failure };
  }
}

function reportedViolations(result: MachineReport, explain?: (violation: Violation) => string): ReportedViolation[] {
  return result.violations.map((violation) => ({
    rule: violation.rule,
    code: violation.code,
    bugCheck:
      violation.bugCheck === undefined
        ? null
        : `${bugText(violation.bugCheck.code)}/${bugText(violation.bugCheck.parameters[0])}`,
    call: violation.call,
    message: explain === undefined ? violation.message : explain(violation),
  }));
}

/** `0x7C`, `0x03`. */
function bugText(value: number): string {
  return `0x${value.toString(16).toUpperCase().padStart(2, "0")}`;
}

/** What the driver threw, and what a lifecycle call threw that is not among the violations already. */
function reportedFailures(failures: readonly unknown[], result: MachineReport): ReportedViolation[] {
  const known = new Set(result.violations.map((violation) => violation.message));
  const thrown = [
    ...result.handlerErrors.map(({ call, error }) => ({ call, error })),
    ...failures.map((error) => ({ call: "the machine", error })),
  ];
  return thrown
    .map(({ call, error }): ReportedViolation => {
      const code = error instanceof ShmemError ? error.code : null;
      const at = error instanceof ShmemError && error.unit === "address" ? ` (${hex(Number(error.value))})` : "";
      const message = error instanceof Error ? `${error.message}${at}` : `threw ${String(error)}`;
      return { rule: "HandlerDoesNotThrow", code, bugCheck: null, call, message };
    })
    .filter((one) => ![...known].some((message) => one.message.includes(message)));
}
