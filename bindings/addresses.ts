/**
 * Addresses: branded numbers.
 *
 * An address is an integer from 0 to 2^52 - 1. A double holds each of them exactly, and 52 bits are all that x86-64 can
 * put on its bus, so no address here is ever a bigint; only the byte-layout codec deals in signed 64-bit values. The
 * brands exist for the compiler alone: a virtual address cannot be passed where a physical one is wanted.
 */

declare const virtualBrand: unique symbol;
declare const physicalBrand: unique symbol;
declare const logicalBrand: unique symbol;

/** What the driver dereferences. An integer, 0 to 2^52 - 1; 0 is null. */
export type VirtualAddress = number & {
  /** For the compiler alone: no such property exists. */
  readonly [virtualBrand]: true;
};

/** Host physical: where the bytes are. An integer, 0 to 2^52 - 1. */
export type PhysicalAddress = number & {
  /** For the compiler alone: no such property exists. */
  readonly [physicalBrand]: true;
};

/** What the device is given. Equal to the physical address unless an IOMMU lies between. An integer, 0 to 2^52 - 1. */
export type LogicalAddress = number & {
  /** For the compiler alone: no such property exists. */
  readonly [logicalBrand]: true;
};

/** One more than the highest address: 2^52. */
export const ADDRESS_LIMIT: number = 2 ** 52;

/** True for an integer from 0 to 2^52 - 1. */
export function isAddress(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < ADDRESS_LIMIT;
}

/** The low 32 bits of an address, 0 to 2^32 - 1, as in `LARGE_INTEGER.LowPart`. */
export function LowPart(address: number): number {
  return address % 2 ** 32;
}

/** The bits from 32 up, 0 to 2^20 - 1 for an address, as in `LARGE_INTEGER.HighPart`. */
export function HighPart(address: number): number {
  return Math.floor(address / 2 ** 32);
}

/** The whole address as a 64-bit integer, as in `LARGE_INTEGER.QuadPart`; for byte layouts only. */
export function QuadPart(address: number): bigint {
  return BigInt(address);
}

/** `0x` and lower-case hexadecimal digits, for an integer from 0 to 2^53 - 1. */
export function hex(address: number): string {
  if (!(address >= 0x4000_0000)) return `0x${address.toString(16)}`;
  // Engines write small integers in hexadecimal quickly, and large ones by a general routine that takes ten times as long.
  const low = address % 0x100_0000;
  return `0x${((address - low) / 0x100_0000).toString(16)}${(0x100_0000 + low).toString(16).slice(1)}`;
}
