/** The wrong values that every option, field and argument is fed: types, ranges, fractions, texts, and values of another realm. */
import { runInNewContext } from "node:vm";

/** A value, and which kinds of rule it is right for. `kind` is that of a rule: "integer", "boolean", "one of", ... */
export interface WrongValue {
  readonly name: string;
  readonly value: unknown;
  /** Kinds of which the value is a member: there it may be accepted. */
  readonly member: readonly string[];
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const value = (name: string, given: unknown, ...member: string[]): WrongValue => ({ name, value: given, member });

/** None of them is right for an option whose kind is not in its list; those in a list may still be out of range. */
export const WRONG_VALUES: readonly WrongValue[] = [
  value("NaN", Number.NaN),
  value("Infinity", Number.POSITIVE_INFINITY),
  value("-Infinity", Number.NEGATIVE_INFINITY),
  value("-1", -1),
  value("-0.5", -0.5),
  value("half", 0.5, "number"),
  value("a fraction above one", 1.5),
  value("2^53", 2 ** 53),
  value("1e300", 1e300),
  value("2^32", 2 ** 32, "integer"),
  value("true", true, "boolean"),
  value("false", false, "boolean"),
  value("null", null, "null"),
  value("a bigint", 1n),
  value("a symbol", Symbol("wrong")),
  value("the empty text", ""),
  value("a number as text", "64", "line"),
  value("hexadecimal text", "0x40", "line"),
  value("text", "banana", "line"),
  value("text with a line end", "one\ntwo"),
  value("text with a line separator", "one\u2028two"),
  value("text with a zero byte", "one\0two"),
  value("long text", "x".repeat(10_000)),
  value("an array", [], "list"),
  value("an array of a number", [1], "list"),
  value("an array with a hole", new Array(3), "list"),
  value("an object", {}, "object", "record"),
  value("an object with an unknown key", { banana: 1 }, "record"),
  value("an object without a prototype", Object.create(null), "object", "record"),
  value("an object that converts to 5", { valueOf: () => 5, toString: () => "5" }, "record"),
  value("a boxed number", new Number(5), "object", "record"),
  value("a boxed text", new String("fifo"), "record"),
  value("a boxed boolean", new Boolean(true), "object", "record"),
  value("a date", new Date(0), "object", "record"),
  value("a pattern", /x/, "object", "record"),
  value("a map", new Map(), "object", "record"),
  value("a promise", Promise.resolve(5), "object", "record"),
  value("an error", new RangeError("wrong"), "record"),
  value("bytes", new Uint8Array(8), "record"),
  value("a buffer", new ArrayBuffer(8), "object", "record"),
  value("a proxy of an object", new Proxy({}, {}), "object", "record"),
  value("a proxy that was revoked", revoked()),
  value("a function", () => 5, "function"),
  value("a class", class {}, "function"),
  value("an array of another realm", runInNewContext("[]"), "list"),
  value("an object of another realm", runInNewContext("({})"), "object", "record"),
  value("a function of another realm", runInNewContext("(() => 5)"), "function"),
  value("a boxed number of another realm", runInNewContext("new Number(5)"), "object", "record"),
];
