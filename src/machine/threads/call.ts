/** A call into the driver, bracketed by the machine's callbacks; what the handler did is an outcome. */
import { type AdapterRecord, type Callbacks, type KIRQL, PASSIVE_LEVEL } from "../../../bindings/index.js";

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
  callbacks: Callbacks,
  adapter: AdapterRecord | null,
  call: string,
  level: KIRQL,
  handler: () => unknown,
): CallOutcome {
  let levelAfter: KIRQL = PASSIVE_LEVEL;
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
  levelAfter = callbacks.leave();
  return { value, error, failed, levelAfter };
}
