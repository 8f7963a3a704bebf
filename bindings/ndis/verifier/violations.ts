/**
 * Violations: what a driver did that it must not do, as a record.
 *
 * A record names the rule that was broken, the stable code, and the bug check that Windows would raise where there is
 * one; `basis` says whether documents fix that, or one of our choices (see `choices.ts`). What follows is policy
 * (choice C31): `throw` raises `ViolationError` and the call has no other effect; `collect` lets the call return its
 * failure value; `break` calls the bug-check handler and poisons the machine.
 */
import type { Explanation } from "../../core/api.js";
import { type ErrorCode, type Mismatch, ShmemError } from "../../errors.js";
import { irqlName } from "../documented/irql.js";

/** A bug check with its four documented parameters. Blocks and pages are given as addresses, a miniport block as its adapter's number. */
export interface BugCheck {
  readonly code: number;
  readonly parameters: readonly [number, number, number, number];
}

/** What lies next to a block. */
export interface Neighbour {
  readonly state: Explanation["state"];
  readonly virtual?: number;
  readonly lengthBytes?: number;
  readonly adapter?: string;
}

export interface Neighbours {
  readonly before: Neighbour;
  readonly after: Neighbour;
}

/** An explanation of an address with what NDIS adds to the core's: see `explain.ts`. */
export interface BlockExplanation extends Explanation {
  /** Name of the adapter that owns the block, where it is one of NDIS. */
  readonly adapter?: string;
  readonly cached?: boolean;
  /** Step at which it was allocated, and freed, where the history is kept. */
  readonly allocatedAt?: Provenance;
  readonly freedAt?: Provenance;
  /** Of a live, contiguous block. */
  readonly neighbours?: Neighbours;
}

/** Where something happened: the step of the event log, the routine, and the caller's stack with `sites: true`. */
export interface Provenance {
  readonly step: number;
  readonly call: string;
  readonly site?: string;
}

/** One violation. */
export interface Violation {
  /** Rule: an SDV rule under its own name, or one of ours (`FreeMatchesAllocation`, ...). */
  readonly rule: string;
  readonly code: ErrorCode;
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
  readonly irql: number;
  readonly message: string;
  readonly mismatches?: readonly Mismatch[];
  readonly value?: unknown;
  readonly unit?: string;
  readonly field?: string;
  readonly explain?: BlockExplanation;
  /** The caller's stack, with `sites: true`. */
  readonly site?: string;
}

/** Thrown for a violation under the policies `throw` and `break`. */
export class ViolationError extends ShmemError {
  override readonly name: string = "ViolationError";
  readonly violation: Violation;
  readonly bugCheck: BugCheck | undefined;

  constructor(violation: Violation) {
    super(violation.code, describeViolation(violation), {
      value: violation.value,
      ...(violation.unit === undefined ? {} : { unit: violation.unit }),
      ...(violation.field === undefined ? {} : { field: violation.field }),
      ...(violation.mismatches === undefined ? {} : { mismatches: violation.mismatches }),
      ...(violation.explain === undefined ? {} : { explain: violation.explain }),
    });
    this.violation = violation;
    this.bugCheck = violation.bugCheck;
  }
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [0x7c, "BUGCODE_NDIS_DRIVER"],
  [0xd2, "BUGCODE_ID_DRIVER"],
  [0xc4, "DRIVER_VERIFIER_DETECTED_VIOLATION"],
  [0xe6, "DRIVER_VERIFIER_DMA_VIOLATION"],
]);

/** `0x7C BUGCODE_NDIS_DRIVER (0x3, 0x1, 0x400000001000, 0x400000001000)`. */
export function describeBugCheck(bugCheck: BugCheck): string {
  const name = NAMES.get(bugCheck.code);
  const parameters = bugCheck.parameters.map((value) => `0x${value.toString(16)}`).join(", ");
  return `0x${bugCheck.code.toString(16).toUpperCase()}${name === undefined ? "" : ` ${name}`} (${parameters})`;
}

/** What was done, by whom and where, which rule, and what is known of the address: the text of the error. */
export function describeViolation(violation: Violation): string {
  const where = violation.adapter === "" ? "" : ` on ${violation.adapter}`;
  const parts = [
    `${violation.call}${where} at ${irqlName(violation.irql)} (step ${violation.step}): ${violation.message}`,
  ];
  for (const field of violation.mismatches ?? []) {
    parts.push(
      `  ${field.field}: given ${show(field.given, field.unit)}, allocated ${show(field.expected, field.unit)}`,
    );
  }
  if (violation.explain !== undefined) parts.push(`  ${violation.explain.text}`);
  if (violation.bugCheck !== undefined) {
    parts.push(
      `  ${describeBugCheck(violation.bugCheck)}, ${violation.basis === "documented" ? "as documented" : "our choice"}`,
    );
  }
  parts.push(`  rule ${violation.rule}`);
  return parts.join("\n");
}

function show(value: unknown, unit: string): string {
  if (unit === "address" && typeof value === "number") return `0x${value.toString(16)}`;
  return unit === "bytes" ? `${String(value)} bytes` : String(value);
}
