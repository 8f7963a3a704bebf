/**
 * Options of a machine: what they mean, what they are when absent, and the refusal of what they cannot be.
 */
import {
  type Arena,
  type CoreApi,
  type CoreOptions,
  type FaultPlan,
  type GuardOptions,
  type NdisChoices,
  planCore,
  resolveChoices,
  ShmemError,
  type Violation,
  type ZoneOptions,
} from "../../bindings/index.js";
import type { LogMode } from "./event-log.js";
import type { FaultRule } from "./faults.js";
import type { ScheduleName, ScheduleOptions } from "./time/completion-schedule.js";

/** Options of `Machine.open`. An unknown key is `INVALID_ARGUMENT`. */
export interface MachineOptions {
  /** Physical memory for shared blocks. Default: 32 MiB at 256 MiB and 32 MiB at 4 GiB, so that high addresses occur. */
  readonly zones?: readonly ZoneOptions[];
  /** The host's bytes behind the zones; `null` for address-only. Default: a fresh buffer. */
  readonly arena?: Arena | null;
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
  /** The event log. Default "lines". */
  readonly log?: LogMode;
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

const OPTION_KEYS: readonly string[] = [
  "zones",
  "arena",
  "virtualBase",
  "core",
  "seed",
  "schedule",
  "choices",
  "processors",
  "lifecycle",
  "batch",
  "log",
  "sites",
  "faults",
  "guard",
  "iommu",
  "watchdogNs",
  "onBugCheck",
];

const DEFAULT_ZONES: readonly ZoneOptions[] = [
  { base: 2 ** 28, size: 2 ** 25 },
  { base: 2 ** 32, size: 2 ** 25 },
];

/** The options given, each read once; defaults are never read from `Object.prototype` (misuse A12). */
export function ownOptions(given: MachineOptions): MachineOptions {
  const options = Object.assign(Object.create(null), given) as MachineOptions;
  for (const key of Object.keys(options)) {
    if (!OPTION_KEYS.includes(key)) {
      throw new ShmemError("INVALID_ARGUMENT", `${key} is no option of a machine`, { field: key, value: key });
    }
  }
  return options;
}

/** What the core is opened with: validated here, before anything is made. */
export function coreOptionsOf(options: MachineOptions): CoreOptions {
  const { seed = 1, zones = DEFAULT_ZONES } = options;
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new ShmemError("INVALID_ARGUMENT", `seed must be an integer from 0, got ${String(seed)}`, {
      field: "seed",
      value: seed,
    });
  }
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
