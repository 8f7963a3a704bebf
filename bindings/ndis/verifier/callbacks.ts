/**
 * The bracket around a driver's callback: which callback of which adapter is on the stack, at which level.
 *
 *     enter(call, adapter, level)     what was there before goes on a stack, the level is set
 *     ... the driver's handler ...    rules about places ask `call`; checks ask which machine's code runs
 *     leave() -> the level it left    everything is as before `enter`; `checkLevel` judges the level
 *
 * Dispatcher, list callbacks, services, lifecycle and threads all come this way. Brackets nest, and each `enter` has its
 * `leave` in a `finally`.
 */
import { type Irql, irqlName, type KIRQL, PASSIVE_LEVEL } from "../documented/irql.js";
import type { AdapterRecord } from "../records/adapter.js";
import type { Reporter } from "../records/reporter.js";
import { waitAtHighIrql } from "./bug-checks.js";

/** True for what may be awaited. A `then` that throws when it is looked at belongs to nothing that can be awaited. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== "object" || value === null) return false;
  try {
    return typeof (value as { readonly then?: unknown }).then === "function";
  } catch {
    return false;
  }
}

/** The callbacks of the machine whose synchronous code runs now: tells handles of another machine apart (misuse B17). */
let running: Callbacks | undefined;

/** The machine whose callback is on the stack, by its callbacks; undefined outside of all machines. */
export function runningCallbacks(): Callbacks | undefined {
  return running;
}

export class Callbacks {
  readonly reporter: Reporter;
  /** The callback on the stack, for rules about places: `MiniportShutdownEx`; `""` outside. */
  call = "";
  /** The adapter whose callback is on the stack; null outside, and for a driver's own. */
  adapter: AdapterRecord | null = null;
  readonly #irql: Irql;
  readonly #calls: string[] = [];
  readonly #adapters: (AdapterRecord | null)[] = [];
  readonly #levels: KIRQL[] = [];
  readonly #machines: (Callbacks | undefined)[] = [];

  constructor(reporter: Reporter) {
    this.reporter = reporter;
    this.#irql = reporter.irql;
  }

  /** A callback begins at `level`. */
  enter(call: string, adapter: AdapterRecord | null, level: KIRQL): void {
    this.#calls.push(this.call);
    this.#adapters.push(this.adapter);
    this.#machines.push(running);
    this.#levels.push(this.#irql.setLevel(level));
    this.call = call;
    this.adapter = adapter;
    running = this;
  }

  /** The callback that was entered last is through. Returns the level that it left behind. */
  leave(): KIRQL {
    const left = this.#irql.current;
    this.#irql.restoreLevel(this.#levels.pop() as KIRQL);
    running = this.#machines.pop();
    this.leaveThread();
    return left;
  }

  /**
   * A suspended thread goes on. Its level is that of the processor, and other machines may run while it awaits: only the
   * place is set.
   */
  enterThread(call: string, adapter: AdapterRecord | null): void {
    this.#calls.push(this.call);
    this.#adapters.push(this.adapter);
    this.call = call;
    this.adapter = adapter;
  }

  /** The thread that was resumed last waits again, or has ended. */
  leaveThread(): void {
    this.call = this.#calls.pop() as string;
    this.adapter = this.#adapters.pop() as AdapterRecord | null;
  }

  /** Mark this machine as the one whose code runs, where the place and the level are kept elsewhere. */
  markRunning(): Callbacks | undefined {
    const previous = running;
    running = this;
    return previous;
  }

  /** Take back what `markRunning` did, with what it returned. */
  restoreRunning(previous: Callbacks | undefined): void {
    running = previous;
  }

  /** A callback must come back at the level that it was entered at, and may suspend itself only at PASSIVE_LEVEL (choice C3). */
  checkLevel(adapter: AdapterRecord | null, call: string, entered: KIRQL, left: KIRQL, suspended = false): void {
    if (left === entered && (!suspended || left === PASSIVE_LEVEL)) return;
    this.reporter.violate(adapter, {
      rule: suspended ? "NoWaitAtDispatch" : "LevelIsRestored",
      code: "WRONG_IRQL",
      call,
      message: suspended
        ? `${call} suspended itself at ${irqlName(left)}: only PASSIVE_LEVEL may wait`
        : `${call} was entered at ${irqlName(entered)} and returned at ${irqlName(left)}`,
      value: left,
      unit: "IRQL",
      ...(suspended ? { bugCheck: waitAtHighIrql(left), basis: "documented" as const } : {}),
    });
  }
}
