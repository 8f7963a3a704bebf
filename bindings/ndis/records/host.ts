/**
 * What the host of a machine supplies: time, order, threads, failures, the device's address map. `src/machine` does.
 */
import type { AdapterRecord } from "./adapter.js";
import type { PendingRequest, RequestRing } from "./requests.js";

/** Simulated time. */
export interface Clock {
  /** Nanoseconds since the machine started, an integer. */
  readonly nowNs: number;
}

/** Who decides when requests are served, and in which order (choices C19, C20). */
export interface Scheduler {
  /** A request entered the queue. May serve and deliver at once where the schedule is `racing`. */
  accepted(request: PendingRequest): void;
  /** Bring what is to be served now to the front of the pending requests, in that order; at most `limit`. Returns how many. */
  select(ring: RequestRing, limit: number): number;
  /** Run `turn` as a deferred call at DISPATCH_LEVEL (choice C30), or at PASSIVE_LEVEL (choice C26). */
  later(level: "dispatch" | "passive", turn: () => void): void;
}

/** Asynchronous driver code: threads that only wait on machine events. */
export interface Threads {
  /** A thread can go on without anything else happening first. */
  readonly runnable: boolean;
  /** A callback returned a promise: follow it as a thread; `settled` runs when it is through, with the error if it failed. */
  adopt(
    adapter: AdapterRecord | null,
    call: string,
    promise: PromiseLike<unknown>,
    settled: (error: unknown, failed: boolean) => void,
  ): void;
}

/** Where a fault plan may strike. */
export type FaultPoint = "synchronous" | "queue" | "service" | "registration" | "list";

/** Injected failures. Asked once per opportunity, in the order of the log. */
export interface FaultPlan {
  /** True: this one fails. */
  strikes(point: FaultPoint, adapter: number, lengthBytes: number): boolean;
}

/** The map between the device's addresses and host physical ones, where they differ (an IOMMU). */
export interface LogicalMap {
  /** Make `lengthBytes` from `physical` reachable in a direction of the device's; returns the logical address. */
  map(adapter: number, physical: number, lengthBytes: number, direction: "read" | "write" | "both"): number;
  unmap(logical: number): void;
  /** The logical address of the block whose first byte lies at `physical`, 0 where none. */
  logicalOf(physical: number): number;
}
