/**
 * Bug checks: the codes and parameters that Windows documents for this family, and where we borrow one.
 *
 * Each function builds one row of the table in docs/ndis.md. A miniport block has no address here; its place among the
 * parameters is taken by the number of the adapter, a driver block's by that of the driver, and an object of JavaScript has
 * 0: `value` of the violation is the object. 0xD2, the older code of three of the cases, is documented for Windows 2000 and
 * XP alone; what runs NDIS 6 drivers gives 0x7C to drivers of NDIS 5 too.
 */
import type { AdapterRecord } from "../records/adapter.js";
import type { DriverRecord } from "../records/driver.js";
import type { BugCheck } from "../records/reporter.js";

const BUGCODE_NDIS_DRIVER = 0x7c;
const DRIVER_VERIFIER_DMA_VIOLATION = 0xe6;

function bugCheck(code: number, p1: number, p2 = 0, p3 = 0, p4 = 0): BugCheck {
  return { code, parameters: [p1, p2, p3, p4] };
}

function pageOf(address: number): number {
  return address - (address % 4096);
}

/** Synchronous allocation at raised level. Documented. */
export function allocateAtHighIrql(adapter: AdapterRecord, lengthBytes: number, irql: number): BugCheck {
  return bugCheck(BUGCODE_NDIS_DRIVER, 0x01, adapter.number, lengthBytes, irql);
}

/** A damaged page found during a later allocation. Documented. */
export function sharedMemoryCorrupt(adapter: AdapterRecord, damaged: number): BugCheck {
  return bugCheck(BUGCODE_NDIS_DRIVER, 0x02, adapter.number, pageOf(damaged), 0);
}

/** Freeing what is not an allocation, or no longer. Documented. */
export function freeInvalid(adapter: AdapterRecord, address: number): BugCheck {
  return bugCheck(BUGCODE_NDIS_DRIVER, 0x03, adapter.number, pageOf(address), address);
}

/** An object header that NDIS cannot take. Documented: the driver, the object, 0. */
export function badObjectHeader(driver: DriverRecord): BugCheck {
  return bugCheck(BUGCODE_NDIS_DRIVER, 0x21, driver.number);
}

/** A call that is reserved for drivers of NDIS 5, from one of NDIS 6. Documented. */
export function ndis5Call(adapter: AdapterRecord): BugCheck {
  return bugCheck(BUGCODE_NDIS_DRIVER, 0x15, adapter.number);
}

/** What an adapter left connected or armed when it went. Documented: at halt 0x08 and 0x09, after a failed initialize 0x0B and 0x0C. */
export function leftArmed(adapter: AdapterRecord, what: "interrupt" | "timer", when: "halt" | "initialize"): BugCheck {
  const base = when === "halt" ? 0x08 : 0x0b;
  return bugCheck(BUGCODE_NDIS_DRIVER, base + (what === "timer" ? 1 : 0), adapter.number);
}

/** A driver goes while NDIS still has it registered. Documented: driver block, driver object, references. */
export function unloadedEarly(driver: DriverRecord, references: number): BugCheck {
  return bugCheck(BUGCODE_NDIS_DRIVER, 0x0a, driver.number, driver.number, references);
}

/** NdisMPauseComplete (1) or NdisMRestartComplete (2) with nothing to complete. Documented. */
export function illegalTransition(adapter: AdapterRecord, what: 1 | 2): BugCheck {
  return bugCheck(BUGCODE_NDIS_DRIVER, 0x1f, what, adapter.number);
}

/** The watchdog of pause (0x21) and halt (0x22). Documented; its moment is a choice. */
export function watchdog(adapter: AdapterRecord, what: 0x21 | 0x22): BugCheck {
  return bugCheck(BUGCODE_NDIS_DRIVER, 0x25, what, adapter.number);
}

/** A call above the highest level it allows. Our use of the verifier's code. */
export function aboveMaximum(maximum: number, irql: number): BugCheck {
  return bugCheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x13, 2, maximum, irql);
}

/** A call at another level than the one it demands. Our use of the verifier's code. */
export function differsFromExpected(expected: number, irql: number): BugCheck {
  return bugCheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x13, 1, expected, irql);
}

/** Too many common buffers freed: only with DMA verification (guard mode). */
export function freedTooMany(extra: number): BugCheck {
  return bugCheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x03, extra);
}

/** A free of a scatter/gather list that is not one. */
export function listFreedTooOften(allocated: number, freed: number): BugCheck {
  return bugCheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x06, allocated, freed);
}

/** Deregistered with blocks outstanding. */
export function blocksOutstanding(adapter: AdapterRecord, count: number): BugCheck {
  return bugCheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x07, adapter.number, count);
}

/** Deregistered with scatter/gather lists outstanding. */
export function listsOutstanding(adapter: AdapterRecord, count: number): BugCheck {
  return bugCheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x0a, adapter.number, count);
}

/** Bytes outside a buffer were written: 4 padding before, 5 padding after. */
export function writtenOutside(where: 4 | 5, start: number, damaged: number): BugCheck {
  return bugCheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x0f, where, start, damaged);
}

/** Use of a released adapter or DMA handle. */
export function releasedHandle(adapter: AdapterRecord): BugCheck {
  return bugCheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x18, adapter.number);
}

/** A NULL handle. */
export function nullHandle(): BugCheck {
  return bugCheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x19);
}

/** A mapping of no bytes. */
export function zeroLength(): BugCheck {
  return bugCheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x21);
}

/** The device reached an address that no mapping holds. Documented for systems with an IOMMU. */
export function deviceFault(adapter: AdapterRecord, address: number, write: boolean): BugCheck {
  return bugCheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x26, adapter.number, address, write ? 1 : 0);
}

/** A wait at raised level. Documented for NdisWaitEvent: the level. */
export function waitAtHighIrql(irql: number): BugCheck {
  return bugCheck(BUGCODE_NDIS_DRIVER, 0x14, irql);
}
