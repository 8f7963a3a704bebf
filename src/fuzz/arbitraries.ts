/**
 * `ndis-shmem/fuzz/arbitraries`: what fast-check needs to draw our inputs, for a user's own properties.
 *
 *     fc.assert(fc.property(allocationSequence(), (sequence) => ...))          calls of the core
 *     fc.assert(fc.asyncProperty(schedule(), faultPlan(), async (schedule, faults) => {
 *       const machine = await Machine.open({ schedule, faults }); ...           when completions come, what fails
 *     }))
 *     fc.assert(fc.asyncProperty(scenario(), async (scenario) => ...))                  everything that may happen to a driver
 *
 * fast-check draws and shrinks them like its own. It is the only file of the library that imports it, and its door is the
 * only one that needs it installed: an optional peer dependency (docs/architecture.md). Every option has a range; a value
 * out of it is `INVALID_ARGUMENT`, which names the field.
 */
import fc from "fast-check";
import { ShmemError } from "../../bindings/index.js";
import type { FaultRule, ScheduleName, ScheduleOptions } from "../machine/index.js";
import { allocationFaultByte } from "./scenario/allocation-fault.js";
import { EVENT_KINDS, EVENT_TABLE, MEMORIES, type Scenario, type ScenarioEventKind } from "./scenario/scenario.js";
import { type AllocationSequence, GEOMETRY_COUNT, KIND_TABLE, OPERATION_KINDS } from "./sequences/sequence.js";

type OperationKind = (typeof OPERATION_KINDS)[number];

/** Options of `allocationSequence`. */
export interface SequenceLimits {
  /** Operations at most, 0 to 10,000. Default 60. */
  readonly maxOperations?: number;
  /** Only this geometry, an index into `GEOMETRIES`. Default: any. */
  readonly geometry?: number;
  /** Only these kinds. Default: all, as often as bytes name them. */
  readonly kinds?: readonly OperationKind[];
}

/** Allocations, frees, translations and refusals on a small core. `encodeSequence` gives the bytes of one. */
export function allocationSequence(limits: SequenceLimits = {}): fc.Arbitrary<AllocationSequence> {
  const { maxOperations = 60, geometry, kinds = OPERATION_KINDS } = known(limits, SEQUENCE_KEYS);
  inRange("maxOperations", maxOperations, 0, 10_000);
  if (geometry !== undefined) inRange("geometry", geometry, 0, GEOMETRY_COUNT - 1);
  return plain({
    geometry: geometry === undefined ? fc.nat(GEOMETRY_COUNT - 1) : fc.constant(geometry),
    operations: fc.array(
      plain({
        kind: weighted("kinds", kinds, OPERATION_KINDS, KIND_TABLE),
        value: fc.nat(0xffff),
        modifier: fc.nat(0xff),
      }),
      { maxLength: maxOperations },
    ),
  });
}

/** Options of `scenario`. */
export interface ScenarioLimits {
  /** Events at most, 0 to 1,000. Default 40. */
  readonly maxEvents?: number;
  /** Only these kinds. Default: all, as often as bytes name them. */
  readonly kinds?: readonly ScenarioEventKind[];
  /** Adapters that events speak of, 1 to 4. Default 2. */
  readonly adapters?: number;
}

/** What happens to a driver in one run: for `replayScenario`. `encodeScenario` gives the bytes of one. */
export function scenario(limits: ScenarioLimits = {}): fc.Arbitrary<Scenario> {
  const { maxEvents = 40, kinds = EVENT_KINDS, adapters = 2 } = known(limits, SCENARIO_KEYS);
  inRange("maxEvents", maxEvents, 0, 1000);
  inRange("adapters", adapters, 1, 4);
  return plain({
    // Most scenarios fail nowhere; where they do, early failures are likelier to be reached.
    fails: fc.oneof(
      { weight: 4, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: allocationFault(40, false) },
      { weight: 1, arbitrary: allocationFault(23, true) },
    ),
    memory: fc.nat(MEMORIES.length - 1),
    variant: fc.nat(255),
    events: fc.array(
      plain({
        kind: weighted("kinds", kinds, EVENT_KINDS, EVENT_TABLE),
        adapter: fc.nat(adapters - 1),
        amount: fc.nat(255),
        detail: fc.nat(255),
      }),
      { maxLength: maxEvents },
    ),
  });
}

function allocationFault(most: number, persistent: boolean): fc.Arbitrary<number> {
  return fc.integer({ min: 1, max: most }).map((nth) => allocationFaultByte({ nth, persistent }));
}

const ORDERS: readonly ScheduleName[] = ["fifo", "lifo", "random", "starved", "batched", "racing"];

/** Options of `schedule`. */
export interface ScheduleLimits {
  /** Only these orders; `manual` is for callers that serve by hand, and is not drawn. Default: the six others. */
  readonly orders?: readonly ScheduleName[];
  /** The longest latency of a turn, nanoseconds, 0 to 1e9. Default 1,000,000. */
  readonly mostNs?: number;
}

/** When asynchronous requests are served, and in which order: for `Machine.open({ schedule })`. Shrinks towards `fifo` at once. */
export function schedule(limits: ScheduleLimits = {}): fc.Arbitrary<ScheduleOptions> {
  const { orders = ORDERS, mostNs = 1_000_000 } = known(limits, SCHEDULE_KEYS);
  inRange("mostNs", mostNs, 0, 1e9);
  if (orders.length === 0) refuse("orders", orders);
  for (const order of orders) if (!ORDERS.includes(order)) refuse("orders", order);
  return plain({
    order: fc.constantFrom(...orders),
    one: fc.nat(mostNs),
    other: fc.nat(mostNs),
    batchedAt: fc.integer({ min: 1, max: 32 }),
  }).map(({ order, one, other, batchedAt }) => ({
    order,
    minNs: Math.min(one, other),
    maxNs: Math.max(one, other),
    batchedAt,
  }));
}

/** Options of `faultPlan`. */
export interface FaultLimits {
  /** Rules at most, 0 to 20. Default 3. */
  readonly maxRules?: number;
  /** The latest opportunity that a rule names, 1 to 10,000. Default 40. */
  readonly mostNth?: number;
  /** Adapters that a rule may be for, 1 to 4. Default 2. */
  readonly adapters?: number;
}

/** Which allocations fail: for `Machine.open({ faults })`. Shrinks towards no failure at all. */
export function faultPlan(limits: FaultLimits = {}): fc.Arbitrary<readonly FaultRule[]> {
  const { maxRules = 3, mostNth = 40, adapters = 2 } = known(limits, FAULT_KEYS);
  inRange("maxRules", maxRules, 0, 20);
  inRange("mostNth", mostNth, 1, 10_000);
  inRange("adapters", adapters, 1, 4);
  const nth = fc.integer({ min: 1, max: mostNth });
  const when: fc.Arbitrary<FaultRule> = fc.oneof(
    { weight: 3, arbitrary: nth.map((value) => ({ nth: value })) },
    { weight: 2, arbitrary: nth.map((value) => ({ from: value })) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 9 }).map((tenths) => ({ probability: tenths / 10 })) },
    { weight: 1, arbitrary: fc.nat(16).map((frames) => ({ leastBytes: frames * 4096 + 1 })) },
  );
  const where: fc.Arbitrary<FaultRule> = fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    { weight: 2, arbitrary: fc.constantFrom("synchronous", "queue", "service").map((at) => ({ at }) as FaultRule) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: adapters }).map((adapter) => ({ adapter })) },
  );
  return fc.array(
    fc.tuple(when, where).map(([one, two]) => ({ ...one, ...two })),
    { maxLength: maxRules },
  );
}

const SEQUENCE_KEYS: readonly (keyof SequenceLimits)[] = ["maxOperations", "geometry", "kinds"];
const SCENARIO_KEYS: readonly (keyof ScenarioLimits)[] = ["maxEvents", "kinds", "adapters"];
const SCHEDULE_KEYS: readonly (keyof ScheduleLimits)[] = ["orders", "mostNs"];
const FAULT_KEYS: readonly (keyof FaultLimits)[] = ["maxRules", "mostNth", "adapters"];

/** A record with the usual prototype: equal to what a decoder makes. */
function plain<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

/** Kinds as often as bytes name them; shrinks towards the first. */
function weighted<K extends string>(
  field: string,
  wanted: readonly K[],
  all: readonly K[],
  table: readonly K[],
): fc.Arbitrary<K> {
  if (wanted.length === 0) refuse(field, wanted);
  for (const kind of wanted) if (!all.includes(kind)) refuse(field, kind);
  return fc.constantFrom(...table.filter((kind) => wanted.includes(kind)));
}

function known<L extends object>(limits: L, keys: readonly (keyof L)[]): L {
  for (const key of Object.keys(limits)) if (!(keys as readonly string[]).includes(key)) refuse(key, key);
  return limits;
}

function inRange(field: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) refuse(field, value);
}

function refuse(field: string, value: unknown): never {
  throw new ShmemError("INVALID_ARGUMENT", `${field} cannot be ${String(value)}`, { field, value });
}
