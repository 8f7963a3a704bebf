/**
 * Injected failures: which allocation fails is a rule and a seed, so that every run can be repeated.
 *
 * A rule says where it may strike (at the queue: FAILURE; at the service: PENDING and then NULL; synchronously; at a
 * registration; at a scatter/gather list), and when: the n-th opportunity, from the n-th on, with a probability, the first
 * time each call site is seen, for one adapter, for a range of lengths or of simulated time. Opportunities are counted
 * for each rule, over the points it covers.
 */
import { callSite, type FaultPlan, type FaultPoint } from "../../bindings/index.js";
import {
  anyOf,
  boolean,
  implementing,
  integer,
  listOf,
  MAX_NS,
  nullable,
  number,
  oneOf,
  type Rule,
  type Table,
  table,
} from "../../bindings/validate/index.js";
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
  /** Only lengths from here, bytes. */
  readonly leastBytes?: number;
  /** Only lengths up to here, bytes. */
  readonly mostBytes?: number;
  /** Only from this simulated time on, nanoseconds. */
  readonly fromNs?: number;
  /** Only before this simulated time, nanoseconds. */
  readonly untilNs?: number;
}

const POINTS = ["synchronous", "queue", "service", "registration", "list"] as const;
const ALLOCATIONS: readonly FaultPoint[] = ["synchronous", "queue", "service"];

/** What each condition of a rule may be. */
export const FAULT_RULE: Table<FaultRule> = table<FaultRule>("a fault rule", {
  at: anyOf<FaultPoint | readonly FaultPoint[]>(oneOf(...POINTS), listOf(oneOf(...POINTS), 1, POINTS.length)),
  nth: integer(1, Number.MAX_SAFE_INTEGER),
  from: integer(1, Number.MAX_SAFE_INTEGER),
  probability: number(0, 1),
  oncePerSite: boolean(),
  adapter: integer(1, Number.MAX_SAFE_INTEGER),
  leastBytes: integer(0, Number.MAX_SAFE_INTEGER, "bytes"),
  mostBytes: integer(0, Number.MAX_SAFE_INTEGER, "bytes"),
  fromNs: integer(0, MAX_NS, "ns"),
  untilNs: integer(0, MAX_NS, "ns"),
});

/** What `faults` may be: rules, a plan, or null for none. */
export const FAULTS: Rule<readonly FaultRule[] | FaultPlan | null> = nullable(
  anyOf<readonly FaultRule[] | FaultPlan>(listOf(FAULT_RULE), implementing<FaultPlan>("a fault plan", ["strikes"])),
);

/** Late in a system's uptime large requests find nothing: above `largestBytes`, from `fromNs` on. */
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
    this.#rules = rules.map((rule) => {
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
