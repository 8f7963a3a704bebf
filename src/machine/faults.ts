/**
 * Injected failures: which allocation fails is a rule and a seed, so that every run can be repeated.
 *
 * A rule says where it may strike (at the queue: FAILURE; at the service: PENDING and then NULL; synchronously; at a
 * registration; at a scatter/gather list), and when: the n-th opportunity, from the n-th on, with a probability, the first
 * time each call site is seen, for one adapter, for a range of lengths or of simulated time. Opportunities are counted
 * for each rule, over the points it covers.
 */
import { callSite, type FaultPlan, type FaultPoint, ShmemError } from "../../bindings/index.js";
import { Prng } from "./prng.js";

/** When something fails. Every condition that is given must hold. */
export interface FaultRule {
  /** Default: every allocation ("queue", "service", "synchronous"). */
  readonly at?: FaultPoint | readonly FaultPoint[];
  /** Only the n-th opportunity, from 1. */
  readonly nth?: number;
  /** From the n-th opportunity on. */
  readonly from?: number;
  /** With this probability, 0 to 1, drawn from the seed. */
  readonly probability?: number;
  /** The first time each call site is seen. Costs a stack trace for each opportunity. */
  readonly oncePerSite?: boolean;
  /** Only this adapter, by its number. */
  readonly adapter?: number;
  /** Only lengths from here, and up to here, bytes. */
  readonly leastBytes?: number;
  readonly mostBytes?: number;
  /** Only in this stretch of simulated time, nanoseconds. */
  readonly fromNs?: number;
  readonly untilNs?: number;
}

const KEYS: readonly string[] = [
  "at",
  "nth",
  "from",
  "probability",
  "oncePerSite",
  "adapter",
  "leastBytes",
  "mostBytes",
  "fromNs",
  "untilNs",
];
const POINTS: readonly FaultPoint[] = ["synchronous", "queue", "service", "registration", "list"];
const ALLOCATIONS: readonly FaultPoint[] = ["synchronous", "queue", "service"];

/** Late in a system's life large requests find nothing: above `largestBytes`, from `fromNs` on. */
export function lowMemory(largestBytes = 4096, fromNs = 0): FaultRule {
  return { leastBytes: largestBytes + 1, fromNs };
}

/** Rules as a plan. Of several rules any may strike. */
export class Faults implements FaultPlan {
  readonly #rules: readonly {
    readonly rule: FaultRule;
    readonly points: readonly FaultPoint[];
    opportunities: number;
  }[];
  readonly #prng: Prng;
  readonly #now: () => number;
  readonly #sites: Set<string> = new Set();
  /** How often any rule struck. */
  struck = 0;
  /** Opportunities so far: with a rule `nth: n` a sweep over n ends when a run has fewer. */
  opportunities = 0;

  constructor(rules: readonly FaultRule[], seed: number, now: () => number) {
    this.#rules = rules.map((rule, index) => {
      check(rule, index);
      const points = rule.at === undefined ? ALLOCATIONS : typeof rule.at === "string" ? [rule.at] : rule.at;
      return { rule, points, opportunities: 0 };
    });
    this.#prng = new Prng(seed, 2);
    this.#now = now;
  }

  strikes(point: FaultPoint, adapter: number, lengthBytes: number): boolean {
    this.opportunities++;
    let strikes = false;
    for (const one of this.#rules) {
      // Every rule counts and draws, whatever the others say: one rule more moves nothing in the others.
      if (one.points.includes(point) && this.#holds(one, adapter, lengthBytes)) strikes = true;
    }
    if (strikes) this.struck++;
    return strikes;
  }

  #holds(one: { readonly rule: FaultRule; opportunities: number }, adapter: number, lengthBytes: number): boolean {
    const { rule } = one;
    const now = this.#now();
    if (rule.adapter !== undefined && rule.adapter !== adapter) return false;
    if (lengthBytes < (rule.leastBytes ?? 0) || lengthBytes > (rule.mostBytes ?? Number.POSITIVE_INFINITY))
      return false;
    if (now < (rule.fromNs ?? 0) || now >= (rule.untilNs ?? Number.POSITIVE_INFINITY)) return false;
    one.opportunities++;
    if (rule.nth !== undefined && one.opportunities !== rule.nth) return false;
    if (rule.from !== undefined && one.opportunities < rule.from) return false;
    if (rule.probability !== undefined && !this.#prng.chance(rule.probability)) return false;
    if (rule.oncePerSite === true) {
      const site = callSite();
      if (this.#sites.has(site)) return false;
      this.#sites.add(site);
    }
    return true;
  }
}

function check(rule: FaultRule, index: number): void {
  const refuse = (field: string, value: unknown): never => {
    throw new ShmemError("INVALID_ARGUMENT", `faults[${index}].${field} cannot be ${String(value)}`, {
      field: `faults[${index}].${field}`,
      value,
    });
  };
  for (const key of Object.keys(rule)) if (!KEYS.includes(key)) refuse(key, (rule as Record<string, unknown>)[key]);
  const points = rule.at === undefined ? [] : typeof rule.at === "string" ? [rule.at] : rule.at;
  for (const point of points) if (!POINTS.includes(point)) refuse("at", point);
  for (const key of ["nth", "adapter", "from"] as const) {
    const value = rule[key];
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 1)) refuse(key, value);
  }
  const { probability } = rule;
  if (probability !== undefined && !(probability >= 0 && probability <= 1)) refuse("probability", probability);
}
