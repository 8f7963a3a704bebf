/** Values from outside, worded for messages: none of their code runs, no `toString`, no getter, no proxy trap. */
import { hex } from "./addresses.js";

/** Strings longer than this are cut in a message. */
const LONGEST = 60;

/** `"fifo"`, `64 (0x40)`, `NaN`, `5n`, `null`, `an array`, `a function`, `an object`. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case "number":
      return Number.isSafeInteger(value) && value > 9 ? `${value} (${hex(value)})` : String(value);
    case "bigint":
      return `${value}n`;
    case "string":
      return JSON.stringify(value.length > LONGEST ? `${value.slice(0, LONGEST)}...` : value);
    case "boolean":
    case "undefined":
      return String(value);
    case "object":
      return value === null ? "null" : isArray(value) ? "an array" : "an object";
    default:
      return `a ${typeof value}`;
  }
}

/** `Array.isArray` throws for a proxy that was revoked. */
function isArray(value: object): boolean {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}
