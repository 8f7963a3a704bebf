/**
 * A compiled driver, read: what it imports, which function each entry of its table is and of which type, and the table of
 * sites that `cc` put beside it. Bytes from outside: every length is compared with what is there before it is believed.
 */
import { ShmemError } from "../../bindings/index.js";

/** Name of the custom section with the sites. */
export const SITES_SECTION = "nshm.sites";

type PlaceRow = readonly [functionIndex: number, fileIndex: number, line: number];

/** What `cc` wrote beside the code. */
export interface Sites {
  readonly files: readonly string[];
  readonly functions: readonly string[];
  readonly sites: readonly (readonly PlaceRow[])[];
  readonly entered: readonly number[];
  readonly edges: readonly PlaceRow[];
  /** Compiled with address checks. */
  readonly check: boolean;
  /** Address space that the shadow covers, bytes. */
  readonly memoryBytes: number;
  readonly mended: readonly string[];
  readonly stubbed: readonly string[];
}

/** A function of the table. */
export interface TableEntry {
  readonly name: string;
  /** `iii>i`: a letter for each parameter, and the result (`v` for none); i, l, f, d. */
  readonly signature: string;
}

export interface CModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** @internal */
  readonly module: WebAssembly.Module;
  readonly imports: readonly string[];
  readonly table: ReadonlyMap<number, TableEntry>;
  readonly sites: Sites;
}

const TYPE_LETTERS: Readonly<Record<number, string>> = { 127: "i", 126: "l", 125: "f", 124: "d" };

class Reader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  at: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.at;
  }

  byte(): number {
    if (this.at >= this.#end) bad("it ends in the middle of a section", this.at);
    return this.#bytes[this.at++] as number;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return bad("a number has more than 32 bits", this.at);
  }

  /** A count of things that have at least a byte each. */
  count(): number {
    const value = this.u32();
    if (value > this.left) bad(`a list says that it has ${value} entries`, this.at);
    return value;
  }

  take(lengthBytes: number): Uint8Array {
    if (lengthBytes > this.left) bad(`a part says that it has ${lengthBytes} bytes`, this.at);
    const part = this.#bytes.subarray(this.at, this.at + lengthBytes);
    this.at += lengthBytes;
    return part;
  }

  name(): string {
    return textOf(this.take(this.u32()));
  }

  sub(lengthBytes: number): Reader {
    if (lengthBytes > this.left) bad(`a section says that it has ${lengthBytes} bytes`, this.at);
    const reader = new Reader(this.#bytes, this.at, this.at + lengthBytes);
    this.at += lengthBytes;
    return reader;
  }
}

function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte < 0x80) {
      text += String.fromCharCode(byte);
      continue;
    }
    const more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    let code = byte & (0x3f >> more);
    for (let k = 0; k < more; k++) code = (code << 6) | ((bytes[++i] ?? 0) & 0x3f);
    text += String.fromCodePoint(code > 0x10ffff ? 0xfffd : code);
  }
  return text;
}

function bad(what: string, value: unknown): never {
  throw new ShmemError("INVALID_ARGUMENT", `this is no driver made by ndis-shmem cc: ${what}`, {
    field: "module",
    value,
    unit: "offset",
  });
}

/** Read a compiled driver. `INVALID_ARGUMENT` for what is none. */
export function readModule(given: Uint8Array): CModule {
  const bytes = new Uint8Array(given);
  let module: WebAssembly.Module;
  try {
    module = new WebAssembly.Module(bytes);
  } catch (cause) {
    throw new ShmemError("INVALID_ARGUMENT", `this is no WebAssembly module: ${String(cause)}`, {
      field: "module",
      value: bytes.length,
      unit: "bytes",
      cause,
    });
  }
  const types: string[] = [];
  const functions: number[] = [];
  const imports: string[] = [];
  const elements: { readonly at: number; readonly functions: number[] }[] = [];
  const names = new Map<number, string>();
  let sites: Sites | null = null;
  const whole = new Reader(bytes, 8, bytes.length);
  while (whole.left > 0) {
    const id = whole.byte();
    const section = whole.sub(whole.u32());
    if (id === 1) readTypes(section, types);
    else if (id === 2) readImports(section, imports, functions);
    else if (id === 3) for (let left = section.count(); left > 0; left--) functions.push(section.u32());
    else if (id === 9) readElements(section, elements);
    else if (id === 0) {
      const name = section.name();
      if (name === SITES_SECTION) sites = sitesOf(textOf(section.take(section.left)));
      else if (name === "name") readNames(section, names);
    }
  }
  if (sites === null) return bad(`it has no section ${SITES_SECTION}`, 0);
  const table = new Map<number, TableEntry>();
  for (const { at, functions: list } of elements) {
    list.forEach((index, k) => {
      const signature = types[functions[index] ?? -1] ?? "?";
      table.set(at + k, { name: names.get(index) ?? `function ${index}`, signature });
    });
  }
  return { bytes, module, imports, table, sites };
}

function readTypes(section: Reader, types: string[]): void {
  for (let left = section.count(); left > 0; left--) {
    if (section.byte() !== 0x60) bad("it has types other than functions", section.at);
    let text = "";
    for (let k = section.count(); k > 0; k--) text += TYPE_LETTERS[section.byte()] ?? "?";
    const results = section.count();
    let result = results === 0 ? "v" : "";
    for (let k = results; k > 0; k--) result += TYPE_LETTERS[section.byte()] ?? "?";
    types.push(`${text}>${result}`);
  }
}

function readImports(section: Reader, imports: string[], functions: number[]): void {
  for (let left = section.count(); left > 0; left--) {
    const from = section.name();
    const name = section.name();
    if (section.byte() !== 0) bad(`it imports ${from}.${name}, which is no function`, section.at);
    functions.push(section.u32());
    imports.push(`${from}.${name}`);
  }
}

function readElements(section: Reader, elements: { readonly at: number; readonly functions: number[] }[]): void {
  for (let left = section.count(); left > 0; left--) {
    if (section.u32() !== 0 || section.byte() !== 0x41)
      bad("its table is filled in a way that cc does not write", section.at);
    const at = section.u32();
    if (section.byte() !== 0x0b) bad("its table is filled in a way that cc does not write", section.at);
    const list: number[] = [];
    for (let k = section.count(); k > 0; k--) list.push(section.u32());
    elements.push({ at, functions: list });
  }
}

function readNames(section: Reader, names: Map<number, string>): void {
  while (section.left > 0) {
    const id = section.byte();
    const part = section.sub(section.u32());
    if (id !== 1) continue;
    for (let left = part.count(); left > 0; left--) names.set(part.u32(), part.name());
  }
}

function sitesOf(text: string): Sites {
  let read: Partial<Sites>;
  try {
    read = JSON.parse(text) as Partial<Sites>;
  } catch {
    return bad("its sites are damaged", text.length);
  }
  const { files, functions, sites, entered, edges, check, memoryBytes, mended = [], stubbed = [] } = read;
  if (
    !isStrings(files) ||
    !isStrings(functions) ||
    !Array.isArray(sites) ||
    !sites.every((row) => isPlaces(row, files.length, functions.length)) ||
    !isPlaces(edges, Math.max(1, files.length), Math.max(1, functions.length)) ||
    !Array.isArray(entered) ||
    !entered.every((index) => Number.isInteger(index) && index >= 0 && index < functions.length) ||
    typeof memoryBytes !== "number" ||
    !Number.isInteger(memoryBytes) ||
    memoryBytes < 2 ** 20 ||
    memoryBytes > 2 ** 30
  )
    return bad("its sites are damaged", text.length);
  return { files, functions, sites, entered, edges, check: check === true, memoryBytes, mended, stubbed };
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function isPlaces(value: unknown, files: number, functions: number): value is PlaceRow[] {
  return (
    Array.isArray(value) &&
    value.every(
      (row) =>
        Array.isArray(row) &&
        row.length === 3 &&
        row.every((number) => Number.isInteger(number) && number >= 0) &&
        row[0] < functions &&
        row[1] < files,
    )
  );
}

/** The same module with one more custom section at its end. */
export function withCustomSection(bytes: Uint8Array, name: string, content: Uint8Array): Uint8Array {
  const title = Uint8Array.from(name, (letter) => letter.charCodeAt(0));
  const size = leb(title.length);
  const body = size.length + title.length + content.length;
  const length = leb(body);
  const whole = new Uint8Array(bytes.length + 1 + length.length + body);
  whole.set(bytes);
  let at = bytes.length + 1; // the id of a custom section is 0
  for (const part of [length, size, title, content]) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function leb(value: number): Uint8Array {
  const out: number[] = [];
  let left = value;
  do {
    const low = left & 0x7f;
    left = Math.floor(left / 128);
    out.push(left > 0 ? low | 0x80 : low);
  } while (left > 0);
  return Uint8Array.from(out);
}
