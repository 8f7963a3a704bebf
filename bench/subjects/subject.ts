/**
 * Subjects: the allocators that are compared.
 *
 * A subject can be measured inside its own language (`openInside`: the loop is linked to it) and across the boundary
 * (`openAcross`: JavaScript calls it once per operation), or in one of the two. Each opening is a fresh allocator with an
 * empty arena.
 */
import type { Allocator, Replayer } from "../replay/index.js";
import type { Workload } from "../workloads/index.js";

/** What an allocator is to manage. */
export type Place = Pick<Workload, "arenaBytes" | "frameSize">;

export interface Subject {
  /** Stable: reports are compared by it. */
  readonly name: string;
  /** It is no allocator: what it answers is not looked at. */
  readonly isEmpty?: boolean;
  /** One line for people. */
  readonly summary: string;
  /** The allocator, the workload's operations and the loop. */
  openInside?(workload: Workload): Replayer;
  /** For a subject that is timed with more arena than the workload gives: the same held to it, for counting failures. */
  openStrict?(workload: Workload): Replayer;
  /** The allocator alone. */
  openAcross?(place: Place): Allocator;
}

/** Where an operation is called from. */
export type Where = "wasm" | "js";
