/**
 * Wording: violations and bug checks as text, counts with their nouns, lists that name the first few of many.
 */
import { hex } from "../../addresses.js";
import { describeValue } from "../../values.js";
import { irqlName } from "../documented/irql.js";
import type { BugCheck, LiveBlock, Violation } from "../records/reporter.js";
import type { DroppedRequest } from "../records/requests.js";

/** Entries that a list names before it only counts. */
const NAMED = 4;

/** `1 block`, `3 blocks`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Live blocks with where each was allocated. */
export function listBlocks(blocks: readonly LiveBlock[]): string {
  return listed(blocks, ({ virtual, lengthBytes, explain }) => {
    const at = explain.allocatedAt;
    const where = at === undefined ? "" : `, allocated at step ${at.step} by ${at.call}`;
    return `0x${virtual.toString(16)} (${counted(lengthBytes, "byte")}${where})`;
  });
}

/** Requests with where each was made. */
export function listRequests(requests: readonly DroppedRequest[]): string {
  return listed(
    requests,
    ({ sequence, lengthBytes, step }) => `#${sequence} (${lengthBytes} bytes, asked at step ${step})`,
  );
}

function listed<T>(things: readonly T[], inWords: (thing: T) => string): string {
  const named = things.slice(0, NAMED).map(inWords).join(", ");
  return things.length > NAMED ? `${named} and ${things.length - NAMED} more` : named;
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [0x7c, "BUGCODE_NDIS_DRIVER"],
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
      `  ${field.field}: given ${valueWithUnit(field.given, field.unit)}, allocated ${valueWithUnit(field.expected, field.unit)}`,
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

function valueWithUnit(value: unknown, unit: string): string {
  if (typeof value !== "number") return typeof value === "string" ? value : describeValue(value);
  if (unit === "address") return hex(value);
  return unit === "bytes" ? `${value} bytes` : String(value);
}
