/** A call into the driver: the machine, the level and the place are marked before it and put back after it. */
import { type AdapterRecord, type KIRQL, type NdisEnvironment, PASSIVE_LEVEL } from "../../../bindings/index.js";
import type { Processors } from "./processors.js";

/** What a handler did. */
export interface CallOutcome {
  /** What it returned. */
  readonly value: unknown;
  /** What it threw, where `failed`. */
  readonly error: unknown;
  readonly failed: boolean;
  /** The level that it left behind; the processor is back at the level before the call. */
  readonly levelAfter: KIRQL;
}

/** Call a handler at a level. What it throws is in the outcome. */
export function callIntoDriver(
  environment: NdisEnvironment,
  processors: Processors,
  adapter: AdapterRecord | null,
  call: string,
  level: KIRQL,
  handler: () => unknown,
): CallOutcome {
  const insideBefore = environment.inside;
  const adapterBefore = environment.insideAdapter;
  const machineBefore = environment.enter();
  const levelBefore = processors.enter(level);
  environment.inside = call;
  environment.insideAdapter = adapter;
  let levelAfter: KIRQL = PASSIVE_LEVEL;
  let value: unknown;
  let error: unknown;
  let failed = false;
  try {
    value = handler();
  } catch (thrown) {
    error = thrown;
    failed = true;
  }
  levelAfter = processors.current;
  processors.leave(levelBefore);
  environment.inside = insideBefore;
  environment.insideAdapter = adapterBefore;
  environment.leave(machineBefore);
  return { value, error, failed, levelAfter };
}

/** True for what may be awaited. A `then` that throws when it is looked at belongs to nothing that can be awaited. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== "object" || value === null) return false;
  try {
    return typeof (value as { readonly then?: unknown }).then === "function";
  } catch {
    return false;
  }
}
