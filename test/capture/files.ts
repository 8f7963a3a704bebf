/** Captures for tests, made byte by byte: classic records and pcapng blocks, sound or not. */
import { gzipSync } from "node:zlib";
import { ShmemError } from "../../bindings/index.js";
import { type Capture, type CaptureOptions, openCapture, readCapture } from "../../src/capture/index.js";

export const filled = (length: number, value: number): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(value);

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const gzipped = (bytes: Uint8Array): Uint8Array => new Uint8Array(gzipSync(bytes));

/** Writes numbers in one byte order. */
export class Fields {
  readonly #parts: Uint8Array[] = [];

  constructor(readonly little: boolean) {}

  u16(...values: readonly number[]): this {
    for (const value of values) this.#number(2, (view) => view.setUint16(0, value, this.little));
    return this;
  }

  u32(...values: readonly number[]): this {
    for (const value of values) this.#number(4, (view) => view.setUint32(0, value, this.little));
    return this;
  }

  i64(value: bigint): this {
    this.#number(8, (view) => view.setBigInt64(0, value, this.little));
    return this;
  }

  /** The bytes, and zeros up to a multiple of four. */
  padded(bytes: Uint8Array): this {
    this.#parts.push(bytes, filled((4 - (bytes.length % 4)) % 4, 0));
    return this;
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    return joined(...this.#parts);
  }

  #number(size: number, write: (view: DataView) => void): void {
    const part = new Uint8Array(size);
    write(new DataView(part.buffer));
    this.#parts.push(part);
  }
}

/** Blocks of one section. */
export class Pcapng {
  constructor(readonly little: boolean) {}

  get #fields(): Fields {
    return new Fields(this.little);
  }

  block(type: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
    const length = 12 + body.length;
    return joined(this.#fields.u32(type, length).bytes, body, this.#fields.u32(length).bytes);
  }

  section(major = 1): Uint8Array<ArrayBuffer> {
    return this.block(0x0a0d0d0a, this.#fields.u32(0x1a2b3c4d).u16(major, 0).i64(-1n).bytes);
  }

  /** `options`: pairs of code and value. */
  interface(
    linkType: number,
    snapLength = 0,
    options: readonly (readonly [number, Uint8Array])[] = [],
  ): Uint8Array<ArrayBuffer> {
    const body = this.#fields.u16(linkType, 0).u32(snapLength);
    for (const [code, value] of options) body.u16(code, value.length).padded(value);
    if (options.length > 0) body.u16(0, 0);
    return this.block(1, body.bytes);
  }

  offset(seconds: bigint): readonly [number, Uint8Array] {
    return [14, this.#fields.i64(seconds).bytes];
  }

  enhanced(one: number, stamp: bigint, bytes: Uint8Array, original: number = bytes.length): Uint8Array<ArrayBuffer> {
    const upper = Number(stamp >> 32n);
    const lower = Number(stamp & 0xffff_ffffn);
    return this.block(6, this.#fields.u32(one, upper, lower, bytes.length, original).padded(bytes).bytes);
  }

  obsolete(one: number, stamp: bigint, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const upper = Number(stamp >> 32n);
    const lower = Number(stamp & 0xffff_ffffn);
    const head = this.#fields.u16(one, 0).u32(upper, lower, bytes.length, bytes.length);
    return this.block(2, head.padded(bytes).bytes);
  }

  simple(bytes: Uint8Array, original: number = bytes.length): Uint8Array<ArrayBuffer> {
    return this.block(3, this.#fields.u32(original).padded(bytes).bytes);
  }
}

/** What a capture comes to: time, recorded bytes and original length of each frame. */
export function framesOf({ frames }: Pick<Capture, "frames">): [number, number[], number][] {
  return frames.map(({ timeNs, bytes, originalLengthBytes }) => [timeNs, [...bytes], originalLengthBytes]);
}

/** The same with the bytes as text, which large captures are compared by. */
export function contentOf({ frames }: Pick<Capture, "frames">): string[] {
  return frames.map(
    ({ timeNs, bytes, originalLengthBytes }) =>
      `${timeNs} ${originalLengthBytes} ${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")}`,
  );
}

/** Read through `openCapture` in chunks of `size` bytes. */
export async function streamed(
  file: Uint8Array,
  size: number,
  options: CaptureOptions = {},
): Promise<Pick<Capture, "frames" | "summary">> {
  const chunks = function* (): Generator<Uint8Array> {
    for (let at = 0; at < file.length; at += size) yield file.slice(at, at + size);
  };
  const reader = openCapture(chunks(), options);
  const frames: Capture["frames"][number][] = [];
  for (let batch = await reader.next(); batch.length > 0; batch = await reader.next()) frames.push(...batch);
  return { frames, summary: reader.summary };
}

/** The refusal of a file; throws when there is none, or another error. */
export function refusalOf(file: Uint8Array, options?: CaptureOptions): ShmemError {
  try {
    readCapture(file, options);
  } catch (error) {
    if (error instanceof ShmemError && error.code === "BAD_CAPTURE") return error;
    throw error;
  }
  throw new Error("the file is read");
}
