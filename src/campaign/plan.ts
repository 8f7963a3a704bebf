/**
 * How a campaign is cut into jobs.
 *
 *     campaign = drivers x searches x seeds          each of these is a part
 *     part     = scenario numbers 0 .. total - 1     cut at multiples of `size`: each piece is a job
 *
 * A number is a position of the fuzzer's search (docs/fuzzing.md). `random`: the number of the scenario of its seed. `sweep`:
 * 256 positions for each base scenario (the n-th allocation fails, once and then from n on); a part has whole base
 * scenarios, and those positions that one does not have are skipped. `systematic`: one number, because a bound is one job:
 * which scenarios it plays depends on all before.
 *
 * The cut depends on nothing but the row of the part, so whoever computes it, and however often, gets the same jobs.
 */

import { SWEEP_STRIDE } from "../fuzz/index.js";

/** A search of a campaign, in the order that decides which of two occurrences of a finding is the first. */
export type CampaignSearch = "random" | "sweep" | "systematic";
/** Every search, in that order. */
export const CAMPAIGN_SEARCHES: readonly CampaignSearch[] = ["random", "sweep", "systematic"];

/** Positions of one base scenario of a sweep. */
export const NUMBERS_PER_SWEPT: number = SWEEP_STRIDE;

/** One search of one driver from one seed. */
export interface PartKey {
  /** Name of the campaign. */
  readonly campaign: string;
  /** Hash of the driver's bundle. */
  readonly hash: string;
  /** The search. */
  readonly search: CampaignSearch;
  /** The seed, 0 to 2^53 - 1. */
  readonly seed: number;
}

/** A piece of a part: what one job plays. */
export interface Range {
  /** The first scenario number. */
  readonly first: number;
  /** How many numbers. */
  readonly count: number;
}

/** What a job carries through the queue. */
export interface JobData extends PartKey, Range {
  /** Version of this package that the campaign was submitted by. */
  readonly version: string;
}

/** The identity of a job: again is the same job. Without colons, which BullMQ keeps for itself. */
export function jobId(key: PartKey, range: Range): string {
  return `${encodeURIComponent(key.campaign)}-${key.hash.slice(0, 16)}-${key.search}-${key.seed}-${range.first}`;
}

/** How many numbers a part has, for `scenarios` wanted. */
export function totalOf(search: CampaignSearch, scenarios: number): number {
  if (search === "systematic") return 1;
  if (search === "random") return scenarios;
  return Math.max(1, Math.ceil(scenarios / NUMBERS_PER_SWEPT)) * NUMBERS_PER_SWEPT;
}

/** Numbers of a job that lasts about `seconds` where `rate` scenarios are played in a second: two significant digits. */
export function sizeOf(search: CampaignSearch, rate: number, seconds: number): number {
  if (search === "systematic") return 1;
  const wanted = Math.max(1, rate * seconds);
  if (search === "sweep") return Math.max(1, Math.round(wanted / NUMBERS_PER_SWEPT)) * NUMBERS_PER_SWEPT;
  return Number(Math.max(16, wanted).toPrecision(2));
}

/** The job that begins at `first`. */
export function rangeAt(part: { readonly total: number; readonly size: number }, first: number): Range {
  return { first, count: Math.min(part.size, part.total - first) };
}

/** First scenario numbers of the jobs of a part that `done` does not cover. `done` is in order and without overlap. */
export function missingJobs(
  part: { readonly total: number; readonly size: number },
  done: readonly (readonly [from: number, to: number])[],
  most: number,
): number[] {
  const missing: number[] = [];
  let at = 0;
  for (const [from, to] of [...done, [part.total, part.total] as const]) {
    for (; at < from && missing.length < most; at += part.size) missing.push(at);
    at = Math.max(at, to);
  }
  return missing;
}

/** `{[0,100),[300,400)}` as pairs: the text of an int8multirange. */
export function parseMultirange(text: string): [number, number][] {
  return Array.from(text.matchAll(/\[(\d+),(\d+)\)/g), ([, from, to]) => [Number(from), Number(to)]);
}
