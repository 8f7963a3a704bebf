/**
 * What the bench and its measuring processes say to each other.
 *
 * A process is started for one subject, is told what to do, and answers each message with one. Everything that crosses
 * is plain data: a process makes its workload itself, from the same description, and reports its hash.
 */

import type { Patience, Sample } from "./sample.js";
import type { Opened } from "./session.js";
import type { Where } from "./subject.js";
import type { WorkloadOptions } from "./workloads.js";

/** How to make a workload. */
export interface WorkloadSpec {
  /** A name of `WORKLOADS`, or what a recording shall be called. */
  readonly name: string;
  /** The file of a recording. */
  readonly file?: string;
  readonly options: WorkloadOptions;
}

/** What to measure. */
export interface Job {
  readonly subject: string;
  readonly where: Where;
  readonly workload: WorkloadSpec;
  readonly patience: Patience;
}

/** To the process. */
export type Request =
  | { readonly do: "open"; readonly job: Job }
  | { readonly do: "sample" }
  | { readonly do: "task"; readonly task: string; readonly argument: unknown };

/** From the process. */
export type Response =
  | { readonly kind: "opened"; readonly opened: Opened }
  | { readonly kind: "sample"; readonly sample: Sample; readonly sink: number }
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "error"; readonly message: string };
