/**
 * What is found, as a record, and the interface through which every part of the face reports it.
 *
 * A violation names the rule that was broken, the stable code, and the bug check that Windows would raise where there is
 * one; `basis` says whether documents fix that, or one of our choices (see `choices/choices.ts`). The reporter itself is
 * `verifier/reporter.ts`; records hold it by this interface, so that they need not know the verifier.
 */
import type { Explanation } from "../../core/api.js";
import type { ErrorCode, Mismatch } from "../../errors.js";
import type { NdisChoices } from "../choices/choices.js";
import type { Irql } from "../documented/irql.js";

/** A bug check with its four documented parameters. Blocks and pages are given as addresses, a miniport block as its adapter's number. */
export interface BugCheck {
  /** The stop code, for example 0x7C. */
  readonly code: number;
  /** The four parameters, in order. */
  readonly parameters: readonly [number, number, number, number];
}

/** What lies next to a block. */
export interface Neighbour {
  readonly state: Explanation["state"];
  readonly virtual?: number;
  readonly lengthBytes?: number;
  readonly adapter?: string;
}

/** What lies right before and right behind a block. */
export interface Neighbours {
  readonly before: Neighbour;
  readonly after: Neighbour;
}

/** An explanation of an address with what NDIS adds to the core's: see `verifier/explain.ts`. */
export interface BlockExplanation extends Explanation {
  /** Name of the adapter that owns the block, where it is one of NDIS. */
  readonly adapter?: string;
  /** The Cached flag of the block's allocation. */
  readonly cached?: boolean;
  /** Where it was allocated, where the history is kept. */
  readonly allocatedAt?: Provenance;
  /** Where it was freed, where the history is kept and it was. */
  readonly freedAt?: Provenance;
  /** Of a live, contiguous block. */
  readonly neighbours?: Neighbours;
}

/** Where something happened: the step of the event log, the routine, and the caller's stack with `sites: true`. */
export interface Provenance {
  /** Step of the event log, from 1. */
  readonly step: number;
  /** The routine that was called. */
  readonly call: string;
  /** The caller's stack, with `sites: true`. */
  readonly site?: string;
}

/** One live block, as reports name it. */
export interface LiveBlock {
  readonly virtual: number;
  readonly lengthBytes: number;
  readonly explain: BlockExplanation;
}

/** One violation. */
export interface Violation {
  /** Rule: an SDV rule under its own name, or one of ours (`FreeMatchesAllocation`, ...). */
  readonly rule: string;
  /** Stable code of the refusal. */
  readonly code: ErrorCode;
  /** What Windows would stop with; absent where nothing is documented and nothing borrowed. */
  readonly bugCheck?: BugCheck;
  /** `documented`: the bug check, or the rule, is Microsoft's. `choice`: it is ours. */
  readonly basis: "documented" | "choice";
  /** `warning`: allowed, and worth knowing. `rule`: a static rule is broken, the call went on (choice C2). */
  readonly severity: "violation" | "rule" | "warning";
  /** Name of the adapter, empty where there is none. */
  readonly adapter: string;
  /** The routine that was called, or the callback that returned. */
  readonly call: string;
  /** The step of the event log. */
  readonly step: number;
  /** Level at which it happened, 0 to 15. */
  readonly irql: number;
  /** What was wrong, in a sentence. May change between versions. */
  readonly message: string;
  /** Of a free: every field that is not that of the allocation, in the order of the parameters. */
  readonly mismatches?: readonly Mismatch[];
  /** The offending value, as it was given. */
  readonly value?: unknown;
  /** Unit of `value`: `bytes`, `address`, `IRQL`, `handle`, ... */
  readonly unit?: string;
  /** The parameter or field that was wrong. */
  readonly field?: string;
  /** What is known of the address, where the violation is about one. */
  readonly explain?: BlockExplanation;
  /** The caller's stack, with `sites: true`. */
  readonly site?: string;
}

/** What a rule reports; the reporter adds where and when. */
export interface Finding {
  readonly rule: string;
  readonly code: ErrorCode;
  readonly call: string;
  readonly message: string;
  readonly basis?: "documented" | "choice";
  readonly severity?: "violation" | "rule" | "warning";
  readonly bugCheck?: BugCheck;
  readonly value?: unknown;
  readonly unit?: string;
  readonly field?: string;
  readonly mismatches?: readonly Mismatch[];
  /** A virtual address to explain. */
  readonly address?: number;
}

/** An error that a handler threw, contained (choice C24). */
export interface HandlerError {
  readonly step: number;
  readonly adapter: string;
  readonly call: string;
  readonly error: unknown;
}

/** The event log. */
export interface EventLog {
  /** Append one line, without its line end. */
  line(text: string): void;
}

/** Whom a finding is about: an adapter, by its name. */
export interface Named {
  readonly name: string;
}

/** What every part of the face may ask and report. */
export interface Reporter {
  readonly choices: NdisChoices;
  readonly irql: Irql;
  /** Null when nobody looks: then no line is made, and `note` is not called. */
  readonly log: EventLog | null;
  /** Counts every call and delivery. */
  step: number;
  /** Why the machine refuses everything, after a bug check under the policy `break`. */
  readonly poisoned: Violation | null;
  /** Write a line of the log. Call only where `log` is not null. */
  note(adapter: Named | null, text: string): void;
  /** Record a finding; raise it as the policy says. Returns only where the call is to return its failure value, or go on. */
  violate(adapter: Named | null, finding: Finding): void;
  /** Record a finding and nothing more, for places that find several before they raise one. */
  record(adapter: Named | null, finding: Finding): Violation;
  /** What the policy does about a recorded violation (choice C31). Warnings and static rules are only records. */
  raise(violation: Violation): void;
  /** A handler threw, or its promise failed: contained and remembered (choice C24). */
  contain(adapter: Named | null, call: string, error: unknown): void;
  /** Refuse everything after a bug check: throws `STATE_CORRUPT`. */
  assertAlive(): void;
}

/** One simulated machine, as the records that hang off it know it. `dispatch/environment.ts` is the whole. */
export interface Machine {
  readonly reporter: Reporter;
}
