/**
 * Rules made of rules: tables of options, lists, alternatives.
 *
 * A table is written once for each options object, and the type checker demands a rule for every key of the object's
 * interface, so no option is forgotten. Reading one reads each own property once; a key without a rule is refused with
 * the nearest key that has one; nothing is read from a prototype, so a polluted `Object.prototype` supplies no default.
 */
import { ShmemError } from "../errors.js";
import { nearest } from "./nearest.js";
import { type Rule, refuse } from "./rule.js";

/** A rule for each key of an options interface. */
export type Rules<T> = { readonly [K in keyof T]-?: Rule<Exclude<T[K], undefined>> };

/** A rule for an object whose keys have rules of their own. */
export interface Table<T> extends Rule<T> {
  readonly rules: Rules<T>;
}

/**
 * An options object. `what` names it in messages ("a machine"); keys that are not in `required` may be absent, and
 * `undefined` counts as absent. The result is a new object without a prototype, which holds the keys that were given.
 */
export function table<T extends object>(
  what: string,
  rules: Rules<T>,
  required: readonly (keyof T & string)[] = [],
): Table<T> {
  const keys = Object.keys(rules) as (keyof T & string)[];
  const one: Table<T> = {
    kind: "object",
    allowed: `an object with the options of ${what}`,
    rules,
    fits: (value) => typeof value === "object" && value !== null && !isArray(value),
    read: (value, field) => {
      if (!one.fits(value)) return refuse(field === "" ? "options" : field, value, one);
      const read = Object.create(null) as Record<string, unknown>;
      const prefix = field === "" ? "" : `${field}.`;
      for (const key of ownKeys(value as object, field)) {
        if (typeof key !== "string" || !Object.hasOwn(rules, key)) return unknownKey(what, prefix, key, keys);
        const given = (value as Record<string, unknown>)[key];
        if (given !== undefined) read[key] = rules[key as keyof T].read(given, prefix + key);
      }
      for (const key of required) {
        if (!(key in read)) refuse(prefix + key, undefined, rules[key]);
      }
      return read as T;
    },
  };
  return one;
}

/** The keys of a proxy that was revoked, or whose trap throws, cannot be read: that is the caller's mistake too. */
function ownKeys(value: object, field: string): (string | symbol)[] {
  try {
    return Reflect.ownKeys(value);
  } catch (cause) {
    throw new ShmemError("INVALID_ARGUMENT", `the keys of ${field === "" ? "options" : field} cannot be read`, {
      field: field === "" ? "options" : field,
      value,
      cause,
    });
  }
}

function unknownKey(what: string, prefix: string, key: string | symbol, keys: readonly string[]): never {
  const name = typeof key === "string" ? key : key.toString();
  const meant = typeof key === "string" ? nearest(key, keys) : undefined;
  const hint = meant === undefined ? `; there is ${keys.join(", ")}` : `: did you mean ${meant}?`;
  throw new ShmemError("INVALID_ARGUMENT", `${prefix}${name} is no option of ${what}${hint}`, {
    field: prefix + name,
    value: name,
    unit: "key",
  });
}

/** An array of `least` to `most` entries, each by `rule`. The result is a new array. */
export function listOf<T>(rule: Rule<T>, least = 0, most = 1_000_000): Rule<readonly T[]> {
  const one: Rule<readonly T[]> = {
    kind: "list",
    allowed: `an array of ${least} to ${most} entries, each ${rule.allowed}`,
    fits: isArray,
    read: (value, field) => {
      if (!isArray(value)) return refuse(field, value, one);
      const { length } = value;
      if (length < least || length > most) return refuse(`${field}.length`, length, { allowed: `${least} to ${most}` });
      return Array.from({ length }, (_, i) => rule.read(value[i], `${field}[${i}]`));
    },
  };
  return one;
}

/** A value by the first of the rules that fits its type; refused with what all of them allow where none does. */
export function anyOf<T>(...rules: readonly Rule<T>[]): Rule<T> {
  const one: Rule<T> = {
    kind: rules.map((rule) => rule.kind).join(" | "),
    allowed: rules.map((rule) => rule.allowed).join(", or "),
    fits: (value) => rules.some((rule) => rule.fits(value)),
    read: (value, field) => {
      const fitting = rules.find((rule) => rule.fits(value));
      return fitting === undefined ? refuse(field, value, one) : fitting.read(value, field);
    },
  };
  return one;
}

/** By `rule`, or null. */
export function nullable<T>(rule: Rule<T>): Rule<T | null> {
  const one: Rule<T | null> = {
    ...rule,
    kind: `${rule.kind} | null`,
    allowed: `${rule.allowed}, or null`,
    fits: (value) => value === null || rule.fits(value),
    read: (value, field) => {
      if (value === null) return null;
      return rule.fits(value) ? rule.read(value, field) : refuse(field, value, one);
    },
  };
  return one;
}

/** An object of any keys and values (a driver's settings): copied, own enumerable properties only. */
export function record<T extends object>(what: string): Rule<T> {
  const one: Rule<T> = {
    kind: "record",
    allowed: `an object (${what})`,
    fits: (value) => typeof value === "object" && value !== null && !isArray(value),
    read: (value, field) => {
      if (!one.fits(value)) return refuse(field, value, one);
      ownKeys(value as object, field);
      return { ...(value as T) };
    },
  };
  return one;
}

/** A value that a part of its own validates later, by a rule that is no table of this kind (the zones of a core). */
export function elsewhere<T>(allowed: string): Rule<T> {
  return { kind: "elsewhere", allowed, fits: () => true, read: (value) => value as T };
}

/** What is wrong with a value, for callers that record a violation and do not throw; null where nothing is. */
export interface Problem {
  readonly field: string;
  readonly value: unknown;
  readonly unit: string | undefined;
  /** The sentence, without the code. */
  readonly message: string;
}

/**
 * Judge a value without throwing. An error of the value's own (a getter, a proxy's trap) is a problem too: `value` is
 * then that error.
 */
export function problemOf(rule: Rule, value: unknown, field: string): Problem | null {
  try {
    rule.read(value, field);
    return null;
  } catch (error) {
    if (error instanceof ShmemError && error.code === "INVALID_ARGUMENT") {
      return {
        field: error.field ?? field,
        value: error.value,
        unit: error.unit,
        message: error.message.replace(/^INVALID_ARGUMENT: /, ""),
      };
    }
    return { field, value: error, unit: undefined, message: `${field} cannot be read: reading it threw` };
  }
}

function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}
