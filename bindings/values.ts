/** Values from outside, worded for messages: nothing of the value is called, so a hostile `toString` never runs. */
import { hex } from "./addresses.js";

/** A value for a message: primitives as they are written in source, large integers in hexadecimal too, objects by type. */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case "number":
      return Number.isSafeInteger(value) && value > 9 ? `${value} (${hex(value)})` : String(value);
    case "bigint":
      return `${value}n`;
    case "string":
      return JSON.stringify(value);
    case "boolean":
    case "undefined":
      return String(value);
    default:
      return value === null ? "null" : `a value of type ${typeof value}`;
  }
}
