/**
 * The options of a command as a table: one line for each says what it takes, and from it come the reading of the command
 * line, every refusal, and the help.
 *
 *     const OPTIONS = {
 *       seed: integer("N", { least: 0, most: 100, default: 1 }, "one seed, one history"),
 *       schedule: choice("NAME", ["fifo", "lifo"], { default: "fifo" }, "the order in which requests complete"),
 *       json: flag("one JSON object on stdout and nothing else"),
 *     };
 *     const { seed, schedule, json } = readOptions(OPTIONS, args).values;
 *
 * `--name value` and `--name=value` are the same; `--` ends the options. A refusal names the option, what was given, and what
 * it takes; an unknown option or choice is answered with the nearest known one.
 */
import { nearest } from "../../bindings/validate/index.js";
import { wrapped } from "../report/index.js";
import { UsageError } from "./command.js";

/** One option. `T` is what a command gets. */
export interface Option<T> {
  /** What stands for the value in the help; empty for a flag. */
  readonly placeholder: string;
  /** Sentences for the help. */
  readonly text: string;
  /** May be given several times. */
  readonly isList: boolean;
  /** What the value may be, for refusals: `an integer from 0 to 9`. */
  readonly takes: string;
  /** The value of the texts that were given, none if it was not; throws `UsageError`. */
  read(name: string, given: readonly string[]): T;
}

/** The options of a command by their names, without the dashes. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** What a command gets from its table. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer T> ? T : never;
};

/** What a command line came to. */
export interface ReadOptions<Table extends OptionTable> {
  readonly values: OptionValues<Table>;
  /** Names of the options that were given. */
  readonly given: ReadonlySet<keyof Table>;
  /** Arguments that belong to no option. */
  readonly positionals: readonly string[];
}

type Parse<T> = (name: string, given: string) => T;

function single<T, D>(placeholder: string, takes: string, text: string, parse: Parse<T>, fallback: D): Option<T | D> {
  const read = (name: string, given: readonly string[]): T | D => {
    const last = given.at(-1);
    return last === undefined ? fallback : parse(name, last);
  };
  return { placeholder, text, isList: false, takes, read };
}

function refuse(name: string, takes: string, given: string, hint = ""): never {
  throw new UsageError(`--${name} takes ${takes}, not \`${given}\`${hint}`);
}

/** True or false: given or not. */
export function flag(text: string): Option<boolean> {
  return { placeholder: "", text, isList: false, takes: "no value", read: (_name, given) => given.length > 0 };
}

/** Any text that is not empty. */
export function text<D>(placeholder: string, rest: { readonly default: D }, help: string): Option<string | D> {
  const takes = `a ${placeholder.toLowerCase()}`;
  const parse: Parse<string> = (name, given) => (given === "" ? refuse(name, takes, given) : given);
  return single(placeholder, takes, help, parse, rest.default);
}

/** Texts, as often as the option is given. */
export function texts(placeholder: string, help: string): Option<readonly string[]> {
  const takes = `a ${placeholder.toLowerCase()}`;
  const read = (name: string, given: readonly string[]): readonly string[] => {
    for (const one of given) if (one === "") refuse(name, takes, one);
    return given;
  };
  return { placeholder, text: help, isList: true, takes, read };
}

/** A decimal integer from `least` to `most`. */
export function integer<D>(
  placeholder: string,
  limits: { readonly least: number; readonly most: number; readonly default: D },
  help: string,
): Option<number | D> {
  const { least, most } = limits;
  const takes = `an integer from ${least} to ${most}`;
  const parse: Parse<number> = (name, given) => {
    const value = /^\d+$/.test(given) ? Number(given) : Number.NaN;
    return Number.isSafeInteger(value) && value >= least && value <= most ? value : refuse(name, takes, given);
  };
  return single(placeholder, takes, help, parse, limits.default);
}

/** `4096`, `64K`, `1M`, `2G` (also `KiB`, `MB`; always powers of 1024) as bytes. */
export function bytes<D>(placeholder: string, rest: { readonly default: D }, help: string): Option<number | D> {
  const takes = "a number of bytes such as 1048576, 512K or 4M";
  const parse: Parse<number> = (name, given) => {
    const match = /^(\d+)(?:([KMG])(?:i?B)?)?$/i.exec(given);
    const factor = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[(match?.[2] ?? "").toUpperCase()] ?? Number.NaN;
    const value = Number(match?.[1] ?? Number.NaN) * factor;
    return Number.isSafeInteger(value) ? value : refuse(name, takes, given);
  };
  return single(placeholder, takes, help, parse, rest.default);
}

/** One of some names. */
export function choice<const T extends string, D>(
  placeholder: string,
  choices: readonly T[],
  rest: { readonly default: D },
  help: string,
): Option<T | D> {
  const takes = choices.length === 1 ? `${choices[0]}` : `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  const parse: Parse<T> = (name, given) =>
    choices.find((one) => one === given) ?? refuse(name, takes, given, didYouMean(given, choices));
  return single(placeholder, takes, help, parse, rest.default);
}

/** Reads a command line by its table. `mostPositionals`: how many arguments beside the options it may have, default none. */
export function readOptions<Table extends OptionTable>(
  table: Table,
  args: readonly string[],
  mostPositionals = 0,
): ReadOptions<Table> {
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at] as string;
    if (arg === "--") {
      positionals.push(...args.slice(at + 1));
      break;
    }
    // A dash alone is a file: standard input or output.
    if (!arg.startsWith("-") || arg === "-") {
      positionals.push(arg);
      continue;
    }
    const [, name = arg, , inline] = /^--([^=]+)(=([\s\S]*))?$/.exec(arg) ?? [];
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (option === undefined) {
      const meant = nearest(name.replace(/^-+/, ""), Object.keys(table));
      const hint = meant === undefined ? "; see --help" : `; did you mean \`--${meant}\`?`;
      throw new UsageError(`there is no option \`${arg.startsWith("--") ? `--${name}` : arg}\`${hint}`);
    }
    const before = given.get(name) ?? [];
    if (before.length > 0 && !option.isList && option.placeholder !== "") {
      throw new UsageError(`--${name} was given twice`);
    }
    let value = inline;
    if (option.placeholder === "") {
      if (inline !== undefined) throw new UsageError(`--${name} takes no value, not \`${inline}\``);
    } else if (value === undefined) {
      const next = args[at + 1];
      if (next === undefined || next.startsWith("--")) throw new UsageError(`--${name} needs a value: ${option.takes}`);
      value = next;
      at += 1;
    }
    given.set(name, [...before, value ?? ""]);
  }
  if (positionals.length > mostPositionals) {
    throw new UsageError(`\`${positionals[mostPositionals]}\` belongs to no option; see --help`);
  }
  const values = Object.fromEntries(
    Object.entries(table).map(([name, option]) => [name, option.read(name, given.get(name) ?? [])]),
  );
  return { values: values as OptionValues<Table>, given: new Set(given.keys()), positionals };
}

/** Width of the help's column of options. */
const OPTION_COLUMNS = 21;

/** The help's lines on its options, in the table's order, at most `columns` wide. */
export function optionsHelp(table: OptionTable, columns: number): string {
  const all = [...Object.entries(table), ["help", flag("this text")] as const];
  return all
    .map(([name, { placeholder, text: sentences }]) => {
      const head = `  --${name}${placeholder === "" ? "" : ` ${placeholder}`}`;
      const [first = "", ...others] = wrapped(sentences, columns - OPTION_COLUMNS);
      const indent = " ".repeat(OPTION_COLUMNS);
      const begins = head.length < OPTION_COLUMNS - 1 ? [head.padEnd(OPTION_COLUMNS) + first] : [head, indent + first];
      return [...begins, ...others.map((line) => indent + line)].map((line) => `${line.trimEnd()}\n`).join("");
    })
    .join("");
}

/** `; did you mean \`x\`?` where one of the names is near to what was given. */
export function didYouMean(given: string, names: readonly string[]): string {
  const meant = nearest(given, names);
  return meant === undefined ? "" : `; did you mean \`${meant}\`?`;
}
