/**
 * NDIS_PHYSICAL_ADDRESS and its macros.
 *
 * The documents call it physical; it is the address that the *device* uses, a logical address, equal to the host
 * physical one unless an IOMMU lies between (spec: NdisMAllocateSharedMemory). Here it is a branded number below 2^52;
 * only the byte-layout codec turns it into the signed 64-bit integer of the header.
 */

import type { LogicalAddress, VirtualAddress } from "../../addresses.js";
import { ADDRESS_LIMIT, hex } from "../../addresses.js";
import { ShmemError } from "../../errors.js";
import { describeValue } from "../../values.js";

/** The device's address of a block. An integer, 0 to 2^52 - 1. */
export type NDIS_PHYSICAL_ADDRESS = LogicalAddress;

/** A virtual address or NULL. */
export type PVOID = VirtualAddress | null;

function unsigned32(value: number, field: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new ShmemError(
      "INVALID_ARGUMENT",
      `${field} must be an integer from 0 to 2^32 - 1, got ${describeValue(value)}`,
      {
        field,
        value,
        unit: "address",
      },
    );
  }
  return value;
}

function compose(high: number, low: number): NDIS_PHYSICAL_ADDRESS {
  const address = unsigned32(high, "High") * 2 ** 32 + unsigned32(low, "Low");
  if (address >= ADDRESS_LIMIT) {
    throw new ShmemError("INVALID_ARGUMENT", `${hex(address)} needs more than 52 bits`, {
      field: "High",
      value: high,
      unit: "address",
    });
  }
  return address as NDIS_PHYSICAL_ADDRESS;
}

/** `NDIS_PHYSICAL_ADDRESS_CONST(Low, High)`: both halves, each 0 to 2^32 - 1, together below 2^52. */
export function NDIS_PHYSICAL_ADDRESS_CONST(Low: number, High: number): NDIS_PHYSICAL_ADDRESS {
  return compose(High, Low);
}

/** The low 32 bits, unsigned. */
export function NdisGetPhysicalAddressLow(PhysicalAddress: NDIS_PHYSICAL_ADDRESS): number {
  return PhysicalAddress % 2 ** 32;
}

/** The bits from 32 up. */
export function NdisGetPhysicalAddressHigh(PhysicalAddress: NDIS_PHYSICAL_ADDRESS): number {
  return Math.floor(PhysicalAddress / 2 ** 32);
}

/** The address with its low half replaced. A macro that assigns in C; returned here (deviation 1). */
export function NdisSetPhysicalAddressLow(PhysicalAddress: NDIS_PHYSICAL_ADDRESS, Low: number): NDIS_PHYSICAL_ADDRESS {
  return compose(NdisGetPhysicalAddressHigh(PhysicalAddress), Low);
}

/** The address with its high half replaced. A macro that assigns in C; returned here (deviation 1). */
export function NdisSetPhysicalAddressHigh(
  PhysicalAddress: NDIS_PHYSICAL_ADDRESS,
  High: number,
): NDIS_PHYSICAL_ADDRESS {
  return compose(High, NdisGetPhysicalAddressLow(PhysicalAddress));
}

/** The device's address `bytes` further on: what drivers write as `PhysicalAddress.QuadPart + bytes`. */
export function addToPhysical(PhysicalAddress: NDIS_PHYSICAL_ADDRESS, bytes: number): NDIS_PHYSICAL_ADDRESS {
  return (PhysicalAddress + bytes) as NDIS_PHYSICAL_ADDRESS;
}

/** The processor's address `bytes` further on. */
export function addToVirtual(VirtualAddress: VirtualAddress, bytes: number): VirtualAddress {
  return (VirtualAddress + bytes) as VirtualAddress;
}
