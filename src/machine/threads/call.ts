/** A call into the driver, bracketed: what it returned or threw, and the level that it left behind. */
import type { AdapterRecord, KIRQL, NdisEnvironment } from "../../../bindings/index.js";

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
  adapter: AdapterRecord | null,
  call: string,
  level: KIRQL,
  handler: () => unknown,
): CallOutcome {
  const { callbacks } = environment;
  let value: unknown;
  let error: unknown;
  let failed = false;
  callbacks.enter(call, adapter, level);
  try {
    value = handler();
  } catch (thrown) {
    error = thrown;
    failed = true;
  }
  return { value, error, failed, levelAfter: callbacks.leave() };
}
