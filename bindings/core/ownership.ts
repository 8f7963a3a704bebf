/**
 * Whose a core is. A machine keeps counters, handles and requests beside its core; `restore` would change the core alone and
 * leave the machine with another truth, so it is refused by name while the core is a machine's.
 */
import { ShmemError } from "../errors.js";

const owned: WeakSet<object> = new WeakSet();

/** From now on the core is a machine's. */
export function claimCore(core: object): void {
  owned.add(core);
}

/** Refuse a change of the whole core where it is a machine's: `WRONG_CONTEXT`. */
export function refuseIfClaimed(core: object, call: string): void {
  if (!owned.has(core)) return;
  throw new ShmemError(
    "WRONG_CONTEXT",
    `${call}: this core is a machine's, which keeps adapters, blocks and requests beside it; a core of your own can be restored`,
    { value: call },
  );
}
