/**
 * Which allocation of a scenario fails, and the byte it is written as.
 *
 *     0            none
 *     1 .. 127     the n-th allocation fails, once                        n = byte
 *     128 .. 255   the n-th and every later allocation fail               n = byte - 127
 *
 * This is the one place that knows the numbers. An allocation counts at each point where it could fail: a synchronous
 * call, an asynchronous request when it is queued, and again when it is served.
 */

/** A failure that is injected by counting allocations. */
export interface AllocationFault {
  /** The allocation that fails, from 1: to 127, or to 128 where `persistent`. */
  readonly nth: number;
  /** True: every later one fails as well. */
  readonly persistent: boolean;
}

/** The largest `nth` of a failure that happens once. */
export const MOST_FAULTS = 127;
const FIRST_PERSISTENT = MOST_FAULTS + 1;

/** What a byte says; null for no failure. `byte`: 0 to 255. */
export function allocationFaultOf(byte: number): AllocationFault | null {
  if (byte === 0) return null;
  return byte < FIRST_PERSISTENT ? { nth: byte, persistent: false } : { nth: byte - MOST_FAULTS, persistent: true };
}

/** The byte of a failure. */
export function allocationFaultByte({ nth, persistent }: AllocationFault): number {
  return persistent ? nth + MOST_FAULTS : nth;
}

/** In words; empty for no failure. */
export function describeAllocationFault(byte: number): string {
  const fault = allocationFaultOf(byte);
  if (fault === null) return "";
  return fault.persistent
    ? `every allocation from number ${fault.nth} on fails`
    : `allocation number ${fault.nth} fails`;
}
