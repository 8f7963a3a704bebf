/**
 * One subject at one place with one workload, in one process: opened, checked, warmed up, and then sampled on demand.
 */
import { allocationsOf, failuresIn, firstWrongAnswer, outcomeOf, type WrongAnswer } from "../replay/index.js";
import { openReplayer, type Subject, type Where } from "../subjects/index.js";
import { type Sample, Sampler, type TimeLimits } from "../timing/index.js";
import { hashWords, type Workload } from "../workloads/index.js";

/** What a session found before it measured. */
export interface Opened {
  /** The first answer that no allocator gives; then nothing else of this is of use, and nothing is measured. */
  readonly wrong?: WrongAnswer;
  /** `hashWords` of the operations. */
  readonly workloadHash: string;
  /** What was live when the timed part ended: equal for all subjects. Absent with failures, and where too slow. */
  readonly outcome?: string;
  /** Allocations that failed while filling and in the timed part, in the arena that the workload gives. */
  readonly failures: number;
  /** Allocations that were tried. */
  readonly allocations: number;
}

const PROOF_MS = 2000;

/** The state of one measurement. */
export class Session {
  readonly #subject: Subject;
  readonly #workload: Workload;
  readonly #where: Where;
  #sampler: Sampler;

  constructor(subject: Subject, where: Where, workload: Workload) {
    const replayer = openReplayer(subject, where, workload);
    if (replayer === undefined) throw new Error(`${subject.name} cannot be measured at ${where}`);
    this.#subject = subject;
    this.#where = where;
    this.#workload = workload;
    this.#sampler = new Sampler(replayer, workload);
  }

  /** Warm up. The first replay is the one for the record: its allocator is fresh. */
  prepare(limits: TimeLimits): Opened {
    const workload = this.#workload;
    const wrong = this.#prove();
    if (wrong !== undefined) return { wrong, workloadHash: "", failures: 0, allocations: 0 };
    const sampler = this.#sampler;
    const strict = this.#subject.openStrict?.(workload);
    sampler.warmUp(limits);
    const { firstFailures, firstSlots } = sampler;
    return {
      workloadHash: hashWords(workload.ops),
      failures: strict === undefined ? firstFailures : failuresIn(strict, workload),
      allocations: allocationsOf(workload),
      ...(firstSlots !== undefined && firstFailures === 0 && { outcome: outcomeOf(firstSlots) }),
    };
  }

  /** Across the boundary the subject is held against a map of what is live, for as long as that takes at most 2 s. */
  #prove(): WrongAnswer | undefined {
    if (this.#where !== "js" || this.#subject.isEmpty === true) return undefined;
    const proof = this.#subject.openAcross?.(this.#workload);
    const found = proof && firstWrongAnswer(proof, this.#workload, PROOF_MS);
    // A subject of a user's is one module: it begins anew for what is measured.
    const fresh = openReplayer(this.#subject, this.#where, this.#workload);
    if (fresh !== undefined) this.#sampler = new Sampler(fresh, this.#workload);
    return found;
  }

  sample(): Sample {
    return this.#sampler.sample();
  }

  /** Depends on everything that was done. */
  get sink(): number {
    return this.#sampler.sink;
  }
}
