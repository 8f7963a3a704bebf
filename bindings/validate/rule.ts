/**
 * Rules for single values: what an option, a field or an argument may be.
 *
 * A rule is data with one function. `allowed` says in words what is right, for messages and for the reference; `fits` tells
 * by shape alone whether a value is of the rule's kind, for choices between several rules; `read` gives the value back,
 * or refuses it with `INVALID_ARGUMENT` that names the field, the value, its unit and what is allowed.
 *
 * No rule converts: text is no number, `1` is no `true`, an object with `valueOf` is neither. Values of another realm (a
 * worker's message, an iframe, `vm`) are judged by what they are, never by `instanceof`.
 */
import { ShmemError } from "../errors.js";
import { describeValue } from "../values.js";
import { nearest } from "./nearest.js";

/** See the head of this file. */
export interface Rule<T = unknown> {
  /** The kind of value, for tests that enumerate rules: `integer`, `boolean`, `one of`, `function`, `object`, ... */
  readonly kind: string;
  /** What is right, in words: `an integer from 1 to 64`. Follows "must be". */
  readonly allowed: string;
  /** The unit of the value, where it has one: `bytes`, `ns`, ... */
  readonly unit?: string;
  /** True where the value has the rule's type, whatever its range. */
  fits(value: unknown): boolean;
  /** The value, or `INVALID_ARGUMENT` naming `field`. */
  read(value: unknown, field: string): T;
}

/** The greatest simulated time and the longest delay, nanoseconds: 2^53 - 1, which is 104 days. */
export const MAX_NS: number = Number.MAX_SAFE_INTEGER;

/** Refuse `value` of `field`: `INVALID_ARGUMENT`, `field` + " must be " + what the rule allows + what was given. */
export function refuse(field: string, value: unknown, rule: Pick<Rule, "allowed" | "unit">, hint = ""): never {
  const unit = rule.unit === undefined ? {} : { unit: rule.unit };
  throw new ShmemError("INVALID_ARGUMENT", `${field} must be ${rule.allowed}, got ${describeValue(value)}${hint}`, {
    field,
    value,
    ...unit,
  });
}

/** An integer from `least` to `most`, both included. -0 is read as 0. */
export function integer(least: number, most: number, unit?: string): Rule<number> {
  const rule: Rule<number> = {
    kind: "integer",
    allowed: `an integer from ${least} to ${most}${unit === undefined ? "" : ` ${unit}`}`,
    ...(unit === undefined ? {} : { unit }),
    fits: (value) => typeof value === "number",
    read: (value, field) =>
      typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
        ? value + 0
        : refuse(field, value, rule),
  };
  return rule;
}

/** A number from `least` to `most`, both included, fractions too. NaN is none. */
export function number(least: number, most: number, unit?: string): Rule<number> {
  const rule: Rule<number> = {
    kind: "number",
    allowed: `a number from ${least} to ${most}${unit === undefined ? "" : ` ${unit}`}`,
    ...(unit === undefined ? {} : { unit }),
    fits: (value) => typeof value === "number",
    read: (value, field) =>
      typeof value === "number" && value >= least && value <= most ? value + 0 : refuse(field, value, rule),
  };
  return rule;
}

/** A power of two from `least` to `most`, both included and powers of two. */
export function powerOfTwo(least: number, most: number, unit?: string): Rule<number> {
  const rule: Rule<number> = {
    kind: "integer",
    allowed: `a power of two from ${least} to ${most}${unit === undefined ? "" : ` ${unit}`}`,
    ...(unit === undefined ? {} : { unit }),
    fits: (value) => typeof value === "number",
    read: (value, field) => {
      if (typeof value === "number" && value >= least && value <= most) {
        let power = least;
        while (power < value) power *= 2;
        if (power === value) return value;
      }
      return refuse(field, value, rule);
    },
  };
  return rule;
}

/** `true` or `false`. */
export function boolean(): Rule<boolean> {
  const rule: Rule<boolean> = {
    kind: "boolean",
    allowed: "true or false",
    fits: (value) => typeof value === "boolean",
    read: (value, field) => (typeof value === "boolean" ? value : refuse(field, value, rule)),
  };
  return rule;
}

/** Control characters, line ends of every kind included: they would forge lines of a log. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/** A text of 1 to `most` characters in one line. */
export function line(most = 200): Rule<string> {
  const rule: Rule<string> = {
    kind: "line",
    allowed: `a text of 1 to ${most} characters without line ends or other control characters`,
    fits: (value) => typeof value === "string",
    read: (value, field) =>
      typeof value === "string" && value.length > 0 && value.length <= most && !CONTROL.test(value)
        ? value
        : refuse(field, value, rule),
  };
  return rule;
}

/** One of several texts or other primitives. A text that is none of them is answered with the nearest. */
export function oneOf<const T extends string | number | boolean | null>(...values: readonly T[]): Rule<T> {
  const named = values.map((value) => (typeof value === "string" ? `"${value}"` : String(value)));
  const texts = values.filter((value): value is T & string => typeof value === "string");
  const rule: Rule<T> = {
    kind: "one of",
    allowed: named.length === 1 ? (named[0] as string) : `${named.slice(0, -1).join(", ")} or ${named.at(-1)}`,
    fits: (value) => typeof value === "string" || (values as readonly unknown[]).includes(value),
    read: (value, field) => {
      if ((values as readonly unknown[]).includes(value)) return value as T;
      const meant = typeof value === "string" ? nearest(value, texts) : undefined;
      return refuse(field, value, rule, meant === undefined ? "" : `: did you mean "${meant}"?`);
    },
  };
  return rule;
}

/** A function. `what` says what it is called with, for messages. */
export function func<T>(what: string): Rule<T> {
  const rule: Rule<T> = {
    kind: "function",
    allowed: `a function (${what})`,
    fits: (value) => typeof value === "function",
    read: (value, field) => (typeof value === "function" ? (value as T) : refuse(field, value, rule)),
  };
  return rule;
}

/** An object with these methods, its own or inherited, and functions or nothing under the optional names. */
export function implementing<T>(
  what: string,
  methods: readonly (keyof T & string)[],
  optional: readonly (keyof T & string)[] = [],
): Rule<T> {
  const list = methods.map((name) => `${name}()`).join(", ");
  const rule: Rule<T> = {
    kind: "implementation",
    allowed: methods.length === 0 ? what : `${what}: an object with ${list}`,
    fits: (value) => typeof value === "object" && value !== null,
    read: (value, field) => {
      if (typeof value !== "object" || value === null) return refuse(field, value, rule);
      for (const name of methods) {
        const method = propertyOf(value, name, field);
        if (typeof method !== "function")
          refuse(`${field}.${name}`, method, { allowed: `a function (${field} must be ${rule.allowed})` });
      }
      for (const name of optional) {
        const method = propertyOf(value, name, field);
        if (method !== undefined && typeof method !== "function")
          refuse(`${field}.${name}`, method, { allowed: "a function, or absent" });
      }
      return value as T;
    },
  };
  return rule;
}

/** A property, where reading it does not throw (a proxy that was revoked). */
function propertyOf(object: object, name: string, field: string): unknown {
  try {
    return (object as Record<string, unknown>)[name];
  } catch (cause) {
    throw new ShmemError("INVALID_ARGUMENT", `${field}.${name} cannot be read`, {
      field: `${field}.${name}`,
      value: object,
      cause,
    });
  }
}

/** A value that was made by a class of this package; `isOne` tells. */
export function madeBy<T>(what: string, isMade: (value: unknown) => boolean): Rule<T> {
  const isOne = (value: unknown): boolean => {
    try {
      return isMade(value);
    } catch {
      // Looking at a proxy that was revoked throws: it is nothing of ours.
      return false;
    }
  };
  const rule: Rule<T> = {
    kind: "instance",
    allowed: what,
    fits: isOne,
    read: (value, field) => (isOne(value) ? (value as T) : refuse(field, value, rule)),
  };
  return rule;
}
