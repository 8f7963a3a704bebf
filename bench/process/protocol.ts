/**
 * What the bench and its measuring processes say to each other.
 *
 * A process is started for one subject, is told what to do, and answers each message with one. Everything that crosses
 * is plain data: a process makes a generated workload itself, from the same description, and reports its hash.
 */
import type { Tasks } from "../measurements/index.js";
import type { Where } from "../subjects/index.js";
import type { Sample, TimeLimits } from "../timing/index.js";
import type { WorkloadSource } from "../workloads/index.js";
import type { Opened } from "./session.js";

/** What to measure. */
export interface Job {
  readonly subject: string;
  readonly where: Where;
  readonly workload: WorkloadSource;
  readonly limits: TimeLimits;
}

/** To the process. */
export type Request =
  | { readonly do: "open"; readonly job: Job }
  | { readonly do: "sample" }
  | { readonly do: "task"; readonly task: keyof Tasks; readonly argument: unknown };

/** From the process. */
export type Response =
  | { readonly kind: "opened"; readonly opened: Opened }
  | { readonly kind: "sample"; readonly sample: Sample; readonly sink: number }
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "error"; readonly message: string };
