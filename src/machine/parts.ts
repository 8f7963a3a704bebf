/**
 * The parts of a machine, put together: clock, events, processors, threads, scheduler, log, and NDIS over them.
 *
 * Everything random comes from the one seed, each user of it with a stream of its own.
 */
import {
  BlockHistory,
  type CoreApi,
  type CoreOptions,
  type FaultPlan,
  type KIRQL,
  NdisEnvironment,
  resolveChoices,
  type ZonePlan,
} from "../../bindings/index.js";
import { Iommu } from "./devices/iommu.js";
import { RunLog } from "./event-log.js";
import { type FaultRule, Faults } from "./faults.js";
import type { MachineOptions } from "./options.js";
import { Prng } from "./prng.js";
import { Processors } from "./threads/processors.js";
import { MachineThreads } from "./threads/threads.js";
import { EventQueue, SimulatedClock } from "./time/clock.js";
import { MachineScheduler } from "./time/completion-schedule.js";

/** What the parts of a machine share. */
export interface MachineParts {
  readonly seed: number;
  readonly clock: SimulatedClock;
  readonly events: EventQueue;
  readonly processors: Processors;
  readonly threads: MachineThreads;
  readonly scheduler: MachineScheduler;
  readonly log: RunLog | null;
  readonly iommu: Iommu | null;
  readonly environment: NdisEnvironment;
}

/** Rules as a plan; a plan, or none, as it is. */
export function faultPlan(
  given: readonly FaultRule[] | FaultPlan | null,
  seed: number,
  clock: SimulatedClock,
): FaultPlan | null {
  return Array.isArray(given) ? new Faults(given, seed, () => clock.nowNs) : (given as FaultPlan | null);
}

/** Put a machine together over a core that was opened with `coreOptions`. */
export function assemble(
  options: MachineOptions,
  core: CoreApi,
  coreOptions: CoreOptions,
  zones: readonly ZonePlan[],
): MachineParts {
  const { seed = 1, batch = 32, log: mode = "recent", sites = false } = options;
  const order = typeof options.schedule === "object" ? options.schedule : { order: options.schedule ?? "fifo" };
  const clock = new SimulatedClock();
  const events = new EventQueue(clock);
  const processors = new Processors(options.processors ?? 2);
  const threads = new MachineThreads(events, processors);
  const scheduler = new MachineScheduler(order, events, new Prng(seed, 1), processors);
  const header = {
    seed,
    frameSize: coreOptions.frameSize ?? 4096,
    zones: zones.map(({ base, size, window }) => ({ base, size, virtual: window })),
  };
  const log = mode === "off" ? null : new RunLog(mode, header);
  const keepsLines = mode === "lines" || mode === "recent" || (typeof mode === "object" && mode.lines === true);
  const iommu = options.iommu === "remapped" ? new Iommu() : null;
  const guard = options.guard === true ? {} : options.guard === false ? null : (options.guard ?? null);
  const environment = new NdisEnvironment({
    core,
    zones,
    arena: coreOptions.arena ?? null,
    choices: resolveChoices(options.choices),
    irql: processors,
    clock,
    scheduler,
    threads,
    log,
    faults: faultPlan(options.faults ?? null, seed, clock),
    iommu,
    history: keepsLines || sites || guard !== null ? new BlockHistory() : null,
    guard,
    batch,
    sites,
    seed,
    onBugCheck: options.onBugCheck ?? null,
  });
  scheduler.bind(environment.dispatcher);
  threads.bind(environment);
  scheduler.onLater = (level, turn) => {
    events.after(0, () => atLevel(processors, (level === "dispatch" ? 2 : 0) as KIRQL, turn));
  };
  return { seed, clock, events, processors, threads, scheduler, log, iommu, environment };
}

function atLevel(processors: Processors, level: KIRQL, turn: () => void): void {
  const before = processors.setLevel(level);
  try {
    turn();
  } finally {
    processors.restoreLevel(before);
  }
}
