/**
 * What the bench and its measuring processes say to each other.
 *
 * A process is started for one subject, is told what to do, and answers each message with one. Everything that crosses
 * is plain data: a process makes a generated workload itself, from the same description, and reports its hash.
 */

import type { Patience, Sample } from "./sample.js";
import type { Opened } from "./session.js";
import type { Where } from "./subject.js";
import type { Tasks } from "./tasks.js";
import type { Workload, WorkloadOptions } from "./workloads.js";

/** How to make a workload of the bench's own. */
export interface WorkloadSpec {
  /** A name of `WORKLOADS`. */
  readonly name: string;
  readonly options: WorkloadOptions;
}

/** A workload, or how to make it. A recording is read once and then sent as it is. */
export type WorkloadSource = WorkloadSpec | Workload;

/** What to measure. */
export interface Job {
  readonly subject: string;
  readonly where: Where;
  readonly workload: WorkloadSource;
  readonly patience: Patience;
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
