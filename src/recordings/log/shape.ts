/**
 * What a kind of line means: who, at which level, which call, and which of its numbers is which.
 *
 * The lines are those of the machine (`step time pN LEVEL adapter text`). Their wording is read here and nowhere else; a test
 * runs a machine and checks that every line about memory is understood.
 */
import { DECIMAL, HEXADECIMAL } from "./format.js";

/** What happened, as far as memory goes. */
export type LogKind =
  /** A driver asked for memory and was told PENDING. */
  | "request"
  /** A request was refused at once. */
  | "refused"
  /** A completion was delivered, with a block. */
  | "complete"
  /** A completion was delivered, without memory. */
  | "complete-null"
  /** A synchronous allocation, with a block. */
  | "allocate"
  /** A synchronous allocation, without memory. */
  | "allocate-failed"
  /** A driver gave a block back. */
  | "free"
  /** NDIS took a block back: at halt, shutdown, or a forced release. */
  | "reclaim"
  /** A pending request was dropped. */
  | "drop"
  /** So many requests were served in one call into the core. */
  | "serve"
  | "injected"
  | "violation"
  | "warning"
  /** An adapter entered a state: the text is its name. */
  | "state"
  | "other";

/** Which number of the line is what; -1 where the line has none. */
interface Fields {
  readonly length: number;
  readonly sequence: number;
  readonly virtual: number;
  readonly physical: number;
}

const NONE: Fields = { length: -1, sequence: -1, virtual: -1, physical: -1 };

interface Pattern {
  readonly kind: LogKind;
  readonly pattern: RegExp;
  readonly fields?: Partial<Fields>;
}

const D = DECIMAL;
const X = HEXADECIMAL;

const PATTERNS: readonly Pattern[] = [
  {
    kind: "request",
    pattern: new RegExp(`^\\w+ ${D} (?:un)?cached -> PENDING #${D}$`),
    fields: { length: 0, sequence: 1 },
  },
  {
    kind: "complete",
    pattern: new RegExp(`^complete #${D} ${D} -> ${X} ${X}$`),
    fields: { sequence: 0, length: 1, virtual: 2, physical: 3 },
  },
  { kind: "complete-null", pattern: new RegExp(`^complete #${D} ${D} -> null`), fields: { sequence: 0, length: 1 } },
  {
    kind: "allocate",
    pattern: new RegExp(`^\\w+ ${D} (?:un)?cached -> ${X} ${X}$`),
    fields: { length: 0, virtual: 1, physical: 2 },
  },
  { kind: "allocate", pattern: new RegExp(`^\\w+ ${D} -> SUCCESS ${X}$`), fields: { length: 0, virtual: 1 } },
  { kind: "allocate-failed", pattern: new RegExp(`^\\w+ ${D} (?:un)?cached -> null`), fields: { length: 0 } },
  {
    kind: "refused",
    pattern: new RegExp(`^Ndis\\w*AllocateSharedMemory\\w* ${D} -> \\w+`),
    fields: { length: 0 },
  },
  {
    kind: "free",
    pattern: new RegExp(`^Ndis\\w*FreeSharedMemory ${D} ${X}$`),
    fields: { length: 0, virtual: 1 },
  },
  { kind: "reclaim", pattern: new RegExp(`^reclaim ${X} ${D}$`), fields: { virtual: 0, length: 1 } },
  { kind: "drop", pattern: new RegExp(`^drop #${D} ${D}$`), fields: { sequence: 0, length: 1 } },
  { kind: "serve", pattern: new RegExp(`^serve ${D} in one call$`) },
  { kind: "injected", pattern: new RegExp(`^injected #${D}$`), fields: { sequence: 0 } },
  { kind: "violation", pattern: /^violation / },
  { kind: "warning", pattern: /^warning / },
  { kind: "state", pattern: /^(?:Halted|Initializing|Paused|Restarting|Running|Pausing|Halting|Shutdown)$/i },
];

const MARKS = new RegExp(`[${D}${X}]`);
const EACH_MARK = new RegExp(`[${D}${X}]`, "g");
const HEAD = new RegExp(`^p(\\d+) (PASSIVE|APC|DISPATCH|HIGH|D?IRQL ${DECIMAL}) (\\S+) `);

/** The words of the numbers of an event. */
export interface LineNumbers {
  readonly step: number;
  readonly timeNs: number;
  readonly values: Float64Array;
}

export class LogShape {
  readonly kind: LogKind;
  /** The processor, or -1 where the line does not say. */
  readonly processor: number;
  /** Name of the adapter; empty where it is about none. */
  readonly adapter: string;
  /** Does the text stand for the whole line, step and time included? */
  readonly isWhole: boolean;
  readonly #template: string;
  readonly #parts: readonly string[];
  readonly #isHex: readonly boolean[];
  readonly #fields: Fields;
  /** The level with a mark for its number, and the text behind the adapter's name. */
  readonly #level: string;
  readonly #body: string;
  /** How many numbers stand in the head of the line: one where the level has a number. */
  readonly #inHead: number;

  /** `literal`: the text has no numbers, whatever its characters. `isWhole`: it is a whole line. */
  constructor(
    template: string,
    { literal = false, isWhole = false }: { readonly literal?: boolean; readonly isWhole?: boolean } = {},
  ) {
    this.#template = template;
    this.isWhole = isWhole;
    this.#parts = literal ? [template] : template.split(MARKS);
    this.#isHex = literal ? [] : (template.match(EACH_MARK) ?? []).map((mark) => mark === HEXADECIMAL);
    const head = HEAD.exec(template);
    this.processor = head === null ? -1 : Number(head[1]);
    this.#level = head?.[2] ?? "";
    this.adapter = head === null || head[3] === "-" ? "" : (head[3] as string);
    this.#body = head === null ? template : template.slice(head[0].length);
    this.#inHead = this.#level.includes(DECIMAL) ? 1 : 0;
    const found = PATTERNS.find(({ pattern }) => pattern.test(this.#body));
    this.kind = found?.kind ?? "other";
    const { length, sequence, virtual, physical } = { ...NONE, ...found?.fields };
    const shifted = (k: number): number => (k < 0 ? k : k + this.#inHead);
    this.#fields = {
      length: shifted(length),
      sequence: shifted(sequence),
      virtual: shifted(virtual),
      physical: shifted(physical),
    };
  }

  /** Bytes asked for, or held by the block; NaN where the line has none. */
  lengthOf(values: Float64Array): number {
    return this.#fields.length < 0 ? Number.NaN : (values[this.#fields.length] as number);
  }

  /** Sequence number of the request; NaN where the line has none. */
  sequenceOf(values: Float64Array): number {
    return this.#fields.sequence < 0 ? Number.NaN : (values[this.#fields.sequence] as number);
  }

  /** Virtual address of the block; NaN where the line has none. */
  virtualOf(values: Float64Array): number {
    return this.#fields.virtual < 0 ? Number.NaN : (values[this.#fields.virtual] as number);
  }

  /** Its address for the device: physical, or logical behind an IOMMU; NaN where the line has none. */
  physicalOf(values: Float64Array): number {
    return this.#fields.physical < 0 ? Number.NaN : (values[this.#fields.physical] as number);
  }

  /** The level: `PASSIVE`, `DISPATCH`, `DIRQL 5`. */
  level(values: Float64Array): string {
    return this.#level.replace(DECIMAL, String(values[0]));
  }

  /** What stands behind the adapter's name, with its numbers. */
  text(values: Float64Array): string {
    return this.#parts.length === 1 ? this.#body : fill(this.#body, values, this.#inHead);
  }

  /** The line as the machine wrote it. */
  line({ step, timeNs, values }: LineNumbers): string {
    let what = this.#parts[0] as string;
    for (let k = 1; k < this.#parts.length; k++) {
      const value = values[k - 1] as number;
      what += (this.#isHex[k - 1] === true ? `0x${value.toString(16)}` : String(value)) + this.#parts[k];
    }
    return this.isWhole ? what : `${step} ${timeNs} ${what}`;
  }

  /** The line without its numbers, for lists of kinds. */
  get template(): string {
    return this.#template.replaceAll(DECIMAL, "N").replaceAll(HEXADECIMAL, "0xN");
  }
}

function fill(template: string, values: Float64Array, from: number): string {
  let k = from;
  return template.replace(EACH_MARK, (mark) => {
    const value = values[k++] as number;
    return mark === HEXADECIMAL ? `0x${value.toString(16)}` : String(value);
  });
}
