/** Job: one call of a driver's lifecycle handler, with what NDIS does before it and with its result. */
import type { AdapterRecord, NDIS_STATUS } from "../../../bindings/index.js";

/** Bug check 0x7C/25 tells a pause (0x21) from a halt (0x22). */
export type WatchdogCode = 0x21 | 0x22;

/** What a job is made of. */
export interface JobParts {
  readonly adapter: AdapterRecord | null;
  /** The handler's name, for messages: `MiniportHaltEx`. */
  readonly call: string;
  /** What NDIS does before. Throws where the call makes no sense in the state that it finds: then nothing has happened. */
  readonly begin?: () => void;
  readonly handler: () => unknown;
  /** The handler answered PENDING: true, and `completed` is told when the driver completes, inside a callback of its own. */
  readonly isPending?: (value: unknown, completed: (status: NDIS_STATUS) => void) => boolean;
  /** What NDIS does with the handler's value; `failed` where it threw or its promise rejected. */
  readonly end: (value: unknown, failed: boolean) => void;
  readonly watchdogCode?: WatchdogCode;
}

export class Job {
  readonly parts: JobParts;
  /** Simulated time at which the handler was called. */
  startedNs = 0;
  done = false;
  failed = false;
  error: unknown = undefined;
  /** Called once, when the job is through. */
  onDone: (() => void) | null = null;

  constructor(parts: JobParts) {
    this.parts = parts;
  }

  /** The handler returned, threw, or its promise settled. Without effect where the job was abandoned. */
  settle(value: unknown, error: unknown, failed: boolean): void {
    if (this.done) return;
    this.failed = failed;
    this.error = error;
    try {
      this.parts.end(value, failed);
    } catch (later) {
      // What the handler threw came first, and explains more.
      if (!this.failed) this.error = later;
      this.failed = true;
    }
    this.done = true;
    this.onDone?.();
  }

  /** Nothing will come of it: its adapter was shut down, or the machine disposed. `end` does not run. */
  abandon(error: unknown): void {
    if (this.done) return;
    this.done = true;
    this.failed = true;
    this.error = error;
    this.onDone?.();
  }
}
