/**
 * What a reader could not take as it stood: skipped, mended or invented, counted by reason.
 *
 * Real recordings begin in the middle of a program's life, lose lines and are cut off. Lenient reading goes on and counts;
 * strict reading refuses the first of them with `BAD_TRACE`, its line and its column.
 */
import { ShmemError } from "../../bindings/index.js";

/** Left out; read as something near it; added because it must have happened. */
export type NoteKind = "skipped" | "mended" | "invented";

/** One reason, and how often it occurred. */
export interface Note {
  readonly kind: NoteKind;
  readonly why: string;
  readonly count: number;
  /** Line of the first occurrence, from 1; for a binary form the number of the record. */
  readonly firstLine: number;
}

/** Where in a recording: counted from 1, in bytes. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

const SHOWN = 40;
/** More reasons than this are counted together. */
const MOST_REASONS = 64;

/** Refuse a recording. `value` is what stands there. */
export function badTrace({ line, column }: Place, why: string, value?: unknown, cause?: unknown): never {
  const shown = typeof value === "string" && value.length > SHOWN ? `${value.slice(0, SHOWN)}...` : value;
  const said = shown === undefined ? "" : `, got ${typeof shown === "string" ? JSON.stringify(shown) : String(shown)}`;
  throw new ShmemError("BAD_TRACE", `line ${line}, column ${column}: ${why}${said}`, {
    value: shown,
    unit: "text",
    field: `${line}:${column}`,
    ...(cause !== undefined && { cause }),
  });
}

export class Notes {
  readonly strict: boolean;
  readonly #notes = new Map<string, { kind: NoteKind; why: string; count: number; firstLine: number }>();
  skipped = 0;
  mended = 0;
  invented = 0;

  constructor(strict: boolean) {
    this.strict = strict;
  }

  /** Count one; in strict reading refuse it. */
  add(kind: NoteKind, why: string, place: Place, value?: unknown): void {
    if (this.strict) badTrace(place, why, value);
    this[kind] += 1;
    const found = this.#notes.get(`${kind} ${why}`);
    if (found !== undefined) found.count += 1;
    else if (this.#notes.size < MOST_REASONS) {
      this.#notes.set(`${kind} ${why}`, { kind, why, count: 1, firstLine: place.line });
    }
  }

  /** All reasons, in the order in which they first occurred. */
  get list(): readonly Note[] {
    return [...this.#notes.values()].map((note) => ({ ...note }));
  }
}
