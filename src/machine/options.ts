/**
 * Options of a machine: what they mean, what they are when absent, and the refusal of what they cannot be.
 */
import {
  type Arena,
  CHOICE_OPTIONS,
  type CoreApi,
  type CoreOptions,
  type FaultPlan,
  GUARD_OPTIONS,
  type GuardOptions,
  type NdisChoices,
  planCore,
  resolveChoices,
  type Violation,
  type ZoneOptions,
} from "../../bindings/index.js";
import {
  anyOf,
  boolean,
  elsewhere,
  func,
  hostBytes,
  integer,
  listOf,
  MAX_NS,
  nullable,
  oneOf,
  type Table,
  table,
} from "../../bindings/validate/index.js";
import { LOG_OPTIONS, type LogMode, type LogOptions } from "./event-log.js";
import { FAULTS, type FaultRule } from "./faults.js";
import { SCHEDULE_OPTIONS, SCHEDULES, type ScheduleName, type ScheduleOptions } from "./time/completion-schedule.js";

/** Options of `Machine.open`. An unknown key is `INVALID_ARGUMENT`. */
export interface MachineOptions {
  /** Physical memory for shared blocks. Default: 32 MiB at 256 MiB and 32 MiB at 4 GiB, so that high addresses occur. */
  readonly zones?: readonly ZoneOptions[];
  /** The host's bytes behind the zones; `null` for address-only. Default: a fresh buffer. */
  readonly arena?: Arena | null;
  /** Where the virtual windows begin, a multiple of the frame; or "identity": virtual addresses are physical ones. Default 2^46. */
  readonly virtualBase?: number | "identity";
  /** Another core than the WebAssembly one. It must honour `options` and be fresh. */
  readonly core?: (options: CoreOptions) => CoreApi;
  /** Everything random, an integer from 0 to 2^53 - 1. Default 1. */
  readonly seed?: number;
  /** Choices C19 and C20. Default "fifo". */
  readonly schedule?: ScheduleName | ScheduleOptions;
  /** The other choices. */
  readonly choices?: Partial<NdisChoices>;
  /** 1 to 64. Default 2. */
  readonly processors?: number;
  /**
   * Who lets things happen until a lifecycle call is through: the call itself, which `"waits"` (default), or its caller,
   * `"byHand"`, with `event`, `serve`, `deliver` and `settle`. By hand there is no watchdog.
   */
  readonly lifecycle?: "waits" | "byHand";
  /** Requests that the core serves in one call, 1 to 1024. Default 32. */
  readonly batch?: number;
  /**
   * The event log: its last 10,000 lines (`"recent"`, the default), every line, only the digest over all of them, nothing,
   * or sent somewhere.
   */
  readonly log?: LogMode | LogOptions;
  /** Keep stacks with violations and blocks. Slow. Default false. */
  readonly sites?: boolean;
  /** Injected failures: rules, or a plan of your own. Default none. */
  readonly faults?: readonly FaultRule[] | FaultPlan | null;
  /** Red zones, fill patterns, quarantine: see `GuardOptions`. Default off. */
  readonly guard?: boolean | GuardOptions;
  /** Between devices and memory: "identity" (default), or "remapped", an IOMMU with addresses of its own. */
  readonly iommu?: "identity" | "remapped";
  /** Simulated time that halt may take before the watchdog bites, nanoseconds. Default 600 s. */
  readonly watchdogNs?: number;
  /** Called once, under the policy `break`. */
  readonly onBugCheck?: (violation: Violation) => void;
}

/**
 * What each option may be. Whether zones, arena and virtual base fit together is judged by the core (`planCore`); the
 * choices have a table of their own.
 */
export const MACHINE_OPTIONS: Table<MachineOptions> = table<MachineOptions>("a machine", {
  zones: listOf(elsewhere<ZoneOptions>("a zone"), 1, 64),
  arena: nullable(hostBytes<Arena>()),
  virtualBase: anyOf<number | "identity">(integer(1, 2 ** 52 - 1, "address"), oneOf("identity")),
  core: func("makes the core from its options"),
  seed: integer(0, Number.MAX_SAFE_INTEGER),
  schedule: anyOf<ScheduleName | ScheduleOptions>(oneOf(...SCHEDULES), SCHEDULE_OPTIONS),
  choices: CHOICE_OPTIONS,
  processors: integer(1, 64, "processors"),
  lifecycle: oneOf("waits", "byHand"),
  batch: integer(1, 1024, "requests"),
  log: anyOf<LogMode | LogOptions>(oneOf("off", "digest", "recent", "lines"), LOG_OPTIONS),
  sites: boolean(),
  faults: FAULTS,
  guard: anyOf<boolean | GuardOptions>(boolean(), GUARD_OPTIONS),
  iommu: oneOf("identity", "remapped"),
  watchdogNs: integer(1, MAX_NS, "ns"),
  onBugCheck: func("called with the violation"),
});

const DEFAULT_ZONES: readonly ZoneOptions[] = [
  { base: 2 ** 28, size: 2 ** 25 },
  { base: 2 ** 32, size: 2 ** 25 },
];

/** The options given, each read once and checked; defaults are never read from `Object.prototype` (misuse A12). */
export function ownOptions(given: MachineOptions): MachineOptions {
  return MACHINE_OPTIONS.read(given, "");
}

const FOUR_GIB = 2 ** 32;

/**
 * Zones that no line of 4 GiB crosses. A block never spans zones, so no block of a machine crosses such a line either, whatever
 * its length (choice C14, and the documented rule that one block's addresses share their upper 32 bits). What is no zone stays
 * as it is, for `planCore` to refuse.
 */
export function splitAtFourGib(zones: readonly ZoneOptions[]): ZoneOptions[] {
  return zones.flatMap((zone) => {
    const { base, size, arenaOffset, virtualBase } = zone;
    if (!Number.isSafeInteger(base) || !Number.isSafeInteger(size) || base < 0 || size <= 0) return [zone];
    const parts: ZoneOptions[] = [];
    for (let at = base; at < base + size; ) {
      const end = Math.min(base + size, (Math.floor(at / FOUR_GIB) + 1) * FOUR_GIB);
      const done = at - base;
      parts.push({
        ...zone,
        base: at,
        size: end - at,
        ...(arenaOffset === undefined ? {} : { arenaOffset: arenaOffset + done }),
        ...(virtualBase === undefined ? {} : { virtualBase: virtualBase + done }),
      });
      at = end;
    }
    return parts;
  });
}

/** What the core is opened with: validated here, before anything is made. */
export function coreOptionsOf(options: MachineOptions): CoreOptions {
  const zones = splitAtFourGib(options.zones ?? DEFAULT_ZONES);
  const packed = resolveChoices(options.choices).placement === "packed";
  const sized: CoreOptions = {
    zones,
    tags: true,
    frameSize: packed ? 64 : 4096,
    ...(options.virtualBase === undefined ? {} : { virtualBase: options.virtualBase }),
  };
  const arena = options.arena === undefined ? new ArrayBuffer(planCore(sized).arenaBytes) : options.arena;
  return { ...sized, arena };
}
