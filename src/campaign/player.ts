/**
 * Playing a job, whatever the driver does.
 *
 *     assignment ─► thread ─► pieces ─► merged
 *                     │ exit, heap, no return, late exception
 *                     ▼
 *     the position it was at ─► those before it again, in a new thread ─► a finding of class EXIT, MEMORY, SPIN or THROW
 *                                                                       ─► the rest of the range in a new thread
 *
 * The thread plays; this process watches, renews locks and talks to the database, so a scenario that never ends blocks none
 * of that. Whether a thread is stuck is counted in looks at it, not in time: a process that was stopped for a while by the
 * system has looked as seldom as its thread has run.
 */
import { findingClass } from "../fuzz/index.js";
import type { BundleFolder, Manifest } from "./bundle.js";
import { type Coverage, coverageOf } from "./coverage.js";
import { classKey, type FindingClass, mergeFindings, type Reproduction } from "./findings.js";
import type { Assignment, Piece } from "./messages.js";
import type { JobData } from "./plan.js";
import type { JobResult } from "./record.js";
import { PlayerThread, type ThreadEnded } from "./thread.js";

/** Limits on one scenario and one job. */
export interface PlayerLimits {
  /** Longest that one scenario may take, in milliseconds of a thread that runs. Default 10,000. */
  readonly scenarioMs?: number;
  /** Heap of a thread in MiB. Default 1,024. */
  readonly heapMiB?: number;
}

const SCENARIO_MS = 10_000;
const HEAP_MIB = 1024;
/**
 * A job in which the driver ended its thread so often is played no further: each end costs a new thread, and a driver that
 * does so in every scenario would keep a machine busy for hours with one finding. What was not played is not counted.
 */
export const MOST_ENDS = 8;
/** A thread is replaced after so many jobs: each imports the driver anew, and what Node keeps of a module stays. */
const JOBS_PER_THREAD = 64;

interface Ended extends ThreadEnded {
  /** Bytes of the scenario in hexadecimal, where they were told. */
  readonly bytes: string;
}

/** One player: a thread that is replaced when it is lost. Plays one job at a time. */
export class Player {
  readonly #folder: BundleFolder;
  readonly #limits: Required<PlayerLimits>;
  #thread: PlayerThread | undefined;
  #jobs = 0;
  #fresh = 0;

  /** `folder`: where bundles are laid. The thread is started by the first job. */
  constructor(folder: BundleFolder, limits: PlayerLimits = {}) {
    this.#folder = folder;
    this.#limits = { scenarioMs: limits.scenarioMs ?? SCENARIO_MS, heapMiB: limits.heapMiB ?? HEAP_MIB };
  }

  /** Play a job to its end and tell what it came to. Throws only where its bundle is no driver. */
  async play(
    job: JobData,
    manifest: Manifest,
    campaign: { readonly choices: Readonly<Record<string, unknown>>; readonly bound: number },
  ): Promise<JobResult> {
    if (++this.#jobs % JOBS_PER_THREAD === 0) await this.#drop();
    const began = performance.now();
    const folder = this.#folder.lay(job.hash, manifest);
    const sum = new Sum();
    // How many scenarios a systematic search has shows at its end.
    const end = job.search === "systematic" ? Number.MAX_SAFE_INTEGER : job.first + job.count;
    const skip: number[] = [];
    let from = job.first;
    while (from < end && skip.length < MOST_ENDS) {
      const assign = (first: number, to: number, tell = false): Assignment => ({
        job,
        manifest,
        folder,
        fresh: ++this.#fresh,
        choices: campaign.choices,
        bound: campaign.bound,
        from: first,
        to,
        skip,
        tell,
        known: sum.shrunk,
      });
      const ended = await this.#run(assign(from, end), sum);
      if (ended === undefined) break;
      // Those before it were told of up to the last piece; the others are played again, to just before it.
      await this.#run(assign(Math.max(from, sum.upTo), ended.at), sum);
      await this.#drop();
      const alone = await this.#run(assign(ended.at, ended.at + 1, true), sum);
      await this.#drop();
      // Slow or fat by what it inherited from those before it is not the scenario's fault; an exit or a late exception is,
      // or is that of one before it, and is told either way.
      if (alone !== undefined) sum.add(endFinding(job, alone));
      else if (ended.end === "EXIT" || ended.end === "THROW") {
        const message = `${ended.message}\n(not where this scenario is played by itself: it comes of one before it)`;
        sum.add(endFinding(job, { ...ended, message, bytes: sum.told }));
      }
      if (alone !== undefined) sum.scenarios++;
      skip.push(ended.at);
      from = ended.at + 1;
      sum.upTo = from;
    }
    return { ...sum.result(), elapsedMs: performance.now() - began };
  }

  /** Play a range in the thread. Undefined where it came to its end. */
  async #run(assignment: Assignment, sum: Sum): Promise<Ended | undefined> {
    if (assignment.from >= assignment.to) return undefined;
    if (this.#thread?.isOver !== false) this.#thread = new PlayerThread(this.#limits);
    sum.told = "";
    const ended = await this.#thread.run(assignment, (message) => {
      if (message.type === "told") sum.told = message.bytes;
      else sum.take(message);
    });
    if (ended === undefined) return undefined;
    await this.#drop();
    return { ...ended, bytes: sum.told };
  }

  async #drop(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.end();
  }

  /** End the thread. */
  close(): Promise<void> {
    return this.#drop();
  }
}

/** What a job has come to so far. */
class Sum {
  scenarios = 0;
  #events = 0;
  upTo = 0;
  /** Bytes of the scenario that a thread was about to play. */
  told = "";
  readonly #states = new Set<number>();
  #situations: Uint8Array = new Uint8Array(0);
  readonly #findings = new Map<string, FindingClass>();

  /** Classes of which this job has a reproduction. */
  get shrunk(): string[] {
    return [...this.#findings.values()].filter((one) => one.reproductions.length > 0).map(findingClass);
  }

  take(piece: Piece): void {
    this.upTo = Math.max(this.upTo, piece.upTo);
    this.scenarios += piece.scenarios;
    this.#events += piece.events;
    for (const state of piece.states) this.#states.add(state);
    if (this.#situations.length < piece.situations.length) this.#situations = new Uint8Array(piece.situations.length);
    for (const [at, byte] of piece.situations.entries()) this.#situations[at] = (this.#situations[at] as number) | byte;
    for (const finding of piece.findings) this.add(finding);
  }

  add(finding: FindingClass): void {
    const key = classKey(finding);
    const before = this.#findings.get(key);
    this.#findings.set(key, before === undefined ? finding : mergeFindings(before, finding));
  }

  result(): Omit<JobResult, "elapsedMs"> {
    const coverage: Coverage = coverageOf(this.#states, this.#situations);
    return { scenarios: this.scenarios, events: this.#events, findings: [...this.#findings.values()], coverage };
  }
}

/** A driver that ended its thread. */
function endFinding(job: JobData, ended: Ended): FindingClass {
  // It cannot be shrunk, since each try would end a thread; the scenario as it was met repeats it.
  const text = `ends its thread: ${ended.end}\n`;
  const reproductions: Reproduction[] = ended.bytes === "" ? [] : [{ bytes: ended.bytes, text }];
  return {
    rule: "DriverEndsThread",
    code: ended.end,
    call: "",
    count: 1,
    first: { search: job.search, seed: job.seed, scenario: ended.at, bytes: ended.bytes },
    message: ended.message,
    reproductions,
  };
}
