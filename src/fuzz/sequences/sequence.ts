/**
 * Allocation sequences, and the bytes they are written as.
 *
 *     byte   0          1      2      3      4          5 ...
 *            +----------+------+------+------+----------+---------
 *            | geometry | kind |   value     | modifier | next operation
 *            +----------+------+------+------+----------+---------
 *                              u16, little-endian
 *
 * Every byte string is a sequence: the geometry byte counts modulo the number of geometries, every kind byte names a kind
 * (`KIND_TABLE`), every value and modifier means something to every kind, and one to three bytes at the end that make no
 * operation are ignored. So corpora of any fuzzer work, and a mutated byte is a mutated sequence. `encodeSequence` writes
 * the canonical bytes of a sequence: decoding them gives the sequence back, and they are their own canonical form.
 *
 * The meaning of a byte does not change: what is added later gets a format of its own.
 */

/** What an operation does. `OPERATION_HELP` says what value and modifier mean to each. */
export type OperationKind =
  | "allocate"
  | "allocateLarge"
  | "allocateBatch"
  | "free"
  | "freeBatch"
  | "freeWrong"
  | "translate"
  | "translatePhysical"
  | "runs"
  | "map"
  | "unmap"
  | "snapshot"
  | "restore"
  | "flush"
  | "check";

/** One operation. */
export interface Operation {
  readonly kind: OperationKind;
  /** 0 to 65535. */
  readonly value: number;
  /** 0 to 255. */
  readonly modifier: number;
}

/** A geometry (index into `GEOMETRIES`) and what is done in it. */
export interface AllocationSequence {
  readonly geometry: number;
  readonly operations: readonly Operation[];
}

/** What value and modifier mean, kind by kind. The constraints of a modifier are in operations.ts. */
export const OPERATION_HELP: Readonly<Record<OperationKind, string>> = {
  allocate: "value + 1 bytes; modifier: constraints",
  allocateLarge: "(value + 1) * 64 bytes; modifier: constraints",
  allocateBatch: "1 + modifier % 64 requests, from value + 1 bytes on, each 7 times the one before, modulo 65536",
  free: "the live block number value, modulo their number; modifier: 0 address only, 1 with length, 2 with length and tag",
  freeBatch: "1 + modifier % 16 live blocks from number value on; from modifier 128 on the last is named twice",
  freeWrong: "an address or a field that is wrong in the way of modifier % 8, made from value",
  translate: "the virtual address that value and modifier point at",
  translatePhysical: "the physical address that value and modifier point at",
  runs: "from the virtual address that value and modifier point at, value + 1 bytes",
  map: "a foreign range of value + 1 bytes in slot modifier % 8",
  unmap: "the foreign range of slot modifier % 8, value % 4 bytes past its start",
  snapshot: "keep the state",
  restore: "back to the state kept last, if any",
  flush: "finish deferred merging",
  check: "verify, statistics and digest",
};

const SHARES: readonly (readonly [kind: OperationKind, bytes: number])[] = [
  ["allocate", 100],
  ["free", 84],
  ["allocateLarge", 14],
  ["freeWrong", 10],
  ["translate", 8],
  ["translatePhysical", 6],
  ["allocateBatch", 8],
  ["freeBatch", 8],
  ["runs", 4],
  ["map", 3],
  ["unmap", 3],
  ["snapshot", 1],
  ["restore", 2],
  ["flush", 1],
  ["check", 4],
];

/** The kind that each byte names. */
export const KIND_TABLE: readonly OperationKind[] = SHARES.flatMap(([kind, bytes]) =>
  new Array<OperationKind>(bytes).fill(kind),
);

/** Every kind, in the order of its first byte. */
export const OPERATION_KINDS: readonly OperationKind[] = SHARES.map(([kind]) => kind);

/** The least byte that names a kind. */
export function kindByte(kind: OperationKind): number {
  return KIND_TABLE.indexOf(kind);
}

/** How many geometries there are; a constant here so that decoding needs nothing else. */
export const GEOMETRY_COUNT = 8;
const HEADER_BYTES = 1;
const OPERATION_BYTES = 4;

/** Bytes to a sequence. Total: no byte string is refused. */
export function decodeSequence(bytes: Uint8Array): AllocationSequence {
  const operations: Operation[] = [];
  for (let at = HEADER_BYTES; at + OPERATION_BYTES <= bytes.length; at += OPERATION_BYTES) {
    operations.push({
      kind: KIND_TABLE[bytes[at] as number] as OperationKind,
      value: (bytes[at + 1] as number) | ((bytes[at + 2] as number) << 8),
      modifier: bytes[at + 3] as number,
    });
  }
  return { geometry: (bytes[0] ?? 0) % GEOMETRY_COUNT, operations };
}

/** A sequence to its canonical bytes. `value` and `modifier` are cut to their widths. */
export function encodeSequence(sequence: AllocationSequence): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + OPERATION_BYTES * sequence.operations.length);
  bytes[0] = sequence.geometry % GEOMETRY_COUNT;
  let at = HEADER_BYTES;
  for (const { kind, value, modifier } of sequence.operations) {
    bytes[at] = kindByte(kind);
    bytes[at + 1] = value;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = modifier;
    at += OPERATION_BYTES;
  }
  return bytes;
}
