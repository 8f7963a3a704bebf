/**
 * Findings of a campaign: classes, and the merge that gives the same rows in whatever order jobs end.
 *
 * A class is (rule, code, call) of one driver. The shrunk text is no key: one bug shrinks to many texts (three planted bugs
 * gave 9, 60 and 28). What is kept of a class is decided by sums and least elements only, which do not depend on the order:
 * the number of scenarios that showed it; the first of them by (search, seed, scenario), never the first to arrive; and the
 * shortest reproductions, one of each job that met the class.
 */
import { CAMPAIGN_SEARCHES, type CampaignSearch } from "./plan.js";

/** Reproductions that are kept of a class. */
export const REPRODUCTIONS_KEPT = 3;

/** A scenario that shows a class, as short as it could be made. */
export interface Reproduction {
  /** Bytes of the scenario in hexadecimal: `ndis-shmem fuzz DRIVER --scenario HEX`. The lasting key. */
  readonly bytes: string;
  /** The scenario step by step. */
  readonly text: string;
}

/** One class of finding, of one driver: in a job, or of the whole campaign. */
export interface FindingClass {
  /** The rule that was broken (docs/fuzzing.md), or `DriverEndsThread`. */
  readonly rule: string;
  /** The error code of the rule, or how the thread was ended. */
  readonly code: string;
  /** The documented routine or handler in which it was seen; empty where there is none. */
  readonly call: string;
  /** Scenarios that showed it. */
  readonly count: number;
  /** The first occurrence by search, seed and scenario number. */
  readonly first: {
    readonly search: CampaignSearch;
    readonly seed: number;
    readonly scenario: number;
    /** Bytes of that scenario as it was met, in hexadecimal. */
    readonly bytes: string;
  };
  /** What was said of the first. */
  readonly message: string;
  /** Shortest first. */
  readonly reproductions: readonly Reproduction[];
}

/** The key of a class among those of its driver. */
export function classKey(finding: { readonly rule: string; readonly code: string; readonly call: string }): string {
  return JSON.stringify([finding.rule, finding.code, finding.call]);
}

/** Place of a search in the order of first occurrences. */
export function rankOf(search: CampaignSearch): number {
  return CAMPAIGN_SEARCHES.indexOf(search);
}

/** Negative where `one` comes first. */
export function compareFirst(one: FindingClass["first"], other: FindingClass["first"]): number {
  return rankOf(one.search) - rankOf(other.search) || one.seed - other.seed || one.scenario - other.scenario;
}

function compareReproductions(one: Reproduction, other: Reproduction): number {
  if (one.bytes.length !== other.bytes.length) return one.bytes.length - other.bytes.length;
  if (one.bytes !== other.bytes) return one.bytes < other.bytes ? -1 : 1;
  return one.text === other.text ? 0 : one.text < other.text ? -1 : 1;
}

/** The shortest of both, each once. */
export function mergeReproductions(one: readonly Reproduction[], other: readonly Reproduction[]): Reproduction[] {
  const sorted = [...one, ...other].sort(compareReproductions);
  return sorted.filter(({ bytes }, at) => bytes !== sorted[at - 1]?.bytes).slice(0, REPRODUCTIONS_KEPT);
}

/** Two halves of one class as one. */
export function mergeFindings(one: FindingClass, other: FindingClass): FindingClass {
  const earlier = compareFirst(one.first, other.first) <= 0 ? one : other;
  return {
    rule: one.rule,
    code: one.code,
    call: one.call,
    count: one.count + other.count,
    first: earlier.first,
    message: earlier.message,
    reproductions: mergeReproductions(one.reproductions, other.reproductions),
  };
}
