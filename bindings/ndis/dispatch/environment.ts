/**
 * The environment: what one simulated machine gives the NDIS face, reached through every handle.
 *
 *   host (src/machine) --EnvironmentParts--> NdisEnvironment
 *                                               |-- reporter, callbacks     verifier: what is wrong, and which callback runs
 *                                               |-- ring, drivers, adapters records
 *                                               |-- blocks, allocationService          memory
 *                                               +-- dispatcher              dispatch
 *
 * This is the only place that knows all parts, and it makes them. Each part has an interface of its own for what it needs
 * of the others. All state of the face lies here or in the records that hang off it, so machines do not see one another.
 * The core holds the only truth about live blocks; the face keeps counters beside it, and a history for explanations,
 * never a second list.
 */
import type { Arena, CoreApi } from "../../core/api.js";
import type { ZonePlan } from "../../core/options.js";
import type { NdisChoices } from "../choices/choices.js";
import type { Irql } from "../documented/irql.js";
import { AllocationService } from "../memory/allocation-service.js";
import { ZoneBytes } from "../memory/arena-bytes.js";
import { Blocks } from "../memory/blocks.js";
import type { GuardOptions } from "../memory/guard.js";
import { Zones } from "../memory/zones.js";
import type { AdapterRecord } from "../records/adapter.js";
import type { DriverRecord } from "../records/driver.js";
import type { BlockHistory } from "../records/history.js";
import type { Clock, FaultPlan, LogicalMap, Scheduler, Threads } from "../records/host.js";
import type { BlockExplanation, EventLog, Machine, Violation } from "../records/reporter.js";
import { RequestRing } from "../records/requests.js";
import { Callbacks } from "../verifier/callbacks.js";
import { explainAddress } from "../verifier/explain.js";
import { ViolationReporter } from "../verifier/reporter.js";
import { Dispatcher } from "./dispatcher.js";

/** Everything that the machine hands over. */
export interface EnvironmentParts {
  readonly core: CoreApi;
  readonly zones: readonly ZonePlan[];
  readonly arena: Arena | null;
  readonly choices: NdisChoices;
  readonly irql: Irql;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly threads: Threads;
  /** Null when nobody looks: then no line is made. */
  readonly log: EventLog | null;
  readonly faults: FaultPlan | null;
  readonly iommu: LogicalMap | null;
  readonly history: BlockHistory | null;
  readonly guard: GuardOptions | null;
  /** Requests that the core serves in one call, 1 to 1024. */
  readonly batch: number;
  /** Keep the caller's stack with each violation and block. */
  readonly sites: boolean;
  /** Seed of what the face itself draws (contents `random`). */
  readonly seed: number;
  readonly onBugCheck: ((violation: Violation) => void) | null;
}

/** State of one machine's NDIS. */
export class NdisEnvironment implements Machine {
  readonly core: CoreApi;
  readonly zones: readonly ZonePlan[];
  readonly choices: NdisChoices;
  readonly irql: Irql;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly threads: Threads;
  readonly iommu: LogicalMap | null;
  readonly history: BlockHistory | null;
  readonly sites: boolean;
  readonly reporter: ViolationReporter;
  readonly callbacks: Callbacks;
  readonly ring: RequestRing;
  readonly blocks: Blocks;
  readonly allocationService: AllocationService;
  readonly dispatcher: Dispatcher;
  /** May be replaced between calls. */
  faults: FaultPlan | null;
  readonly drivers: DriverRecord[] = [];
  /** Every adapter ever added; its number is its index plus one. */
  readonly adapters: AdapterRecord[] = [];

  constructor(parts: EnvironmentParts) {
    this.core = parts.core;
    this.zones = parts.zones;
    this.choices = parts.choices;
    this.irql = parts.irql;
    this.clock = parts.clock;
    this.scheduler = parts.scheduler;
    this.threads = parts.threads;
    this.faults = parts.faults;
    this.iommu = parts.iommu;
    this.history = parts.history;
    this.sites = parts.sites;
    this.reporter = new ViolationReporter({
      choices: parts.choices,
      irql: parts.irql,
      clock: parts.clock,
      log: parts.log,
      sites: parts.sites,
      explain: (address) => this.explain(address),
      onBugCheck: parts.onBugCheck,
    });
    this.callbacks = new Callbacks(this.reporter);
    this.ring = new RequestRing(parts.choices.memoryTaken === "accepted");
    this.blocks = new Blocks(this, new ZoneBytes(parts.arena, new Zones(parts.zones)), parts.seed, parts.guard);
    this.allocationService = new AllocationService(this);
    this.dispatcher = new Dispatcher(this, parts.batch);
  }

  /** What is known of a virtual address. Never throws. */
  explain(address: number): BlockExplanation {
    return explainAddress(this, address);
  }
}

/** The environment of a record's machine. Environments alone make drivers and adapters, so every `Machine` is one. */
export function environmentOf(machine: Machine): NdisEnvironment {
  return machine as NdisEnvironment;
}
