/**
 * The choices: every point that public documents about NDIS shared memory leave open, C1 to C40, with our answer.
 *
 * A choice is never a fact about Windows. Each has an id, a default and a reason; where another answer is worth having
 * it is an option of `NdisChoices`. The table with points, answers and reasons is in `choice-table.ts`.
 */
import { ShmemError } from "../../errors.js";

/** The choices that can be set. Values of an option are listed with the default first. */
export interface NdisChoices {
  /** C1: how `Header.Size` is judged. */
  readonly headerSize: "atLeast" | "exact";
  /** C2: APC_LEVEL where PASSIVE_LEVEL is required. */
  readonly apcWherePassive: "report" | "bugCheck";
  /** C4: requests pending when MiniportHaltEx, or a failing MiniportInitializeEx, is through. */
  readonly pendingAtHalt: "violation" | "reclaim";
  /** C5: NdisMAllocateSharedMemory after initialize. */
  readonly synchronousAfterInitialize: "warn" | "violation";
  /** C7: flag bits of the SG description that are not defined. */
  readonly unknownSgFlags: "refuseFrom650" | "ignore";
  /** C8: layout that ScatterGatherListSize is computed for. */
  readonly sgListLayout: "x64" | "x86";
  /** C11: answer of NdisMGetDmaAlignment and NdisGetSharedDataAlignment, bytes: a power of two, 1 to 4096. */
  readonly dmaAlignment: number;
  /** C12: PhysicalAddress of a failed synchronous allocation. */
  readonly physicalOnFailure: "zero" | "poisoned";
  /** C13: whether small requests may share a page. Decides the frame size of the machine's core. */
  readonly placement: "page" | "packed";
  /** C15: what a fresh block holds, where an arena exists. */
  readonly contents: "pattern" | "zero" | "random" | "untouched";
  /** C16: Length 0. */
  readonly zeroLength: "violation" | "fail";
  /** C17: PhysicalAddress of a failed completion. */
  readonly failedPhysical: "null" | "zero";
  /** C21: requests that may be pending at once in the whole machine, 1 to 1,000,000; one more is NDIS_STATUS_FAILURE. */
  readonly pendingLimit: number;
  /** C22: whether completions of different adapters may overlap. */
  readonly completionOverlap: "serial" | "acrossAdapters";
  /** C23: when the memory of an asynchronous request is taken. */
  readonly memoryTaken: "served" | "accepted";
  /** C24: a handler that throws. */
  readonly handlerThrows: "log" | "stop";
  /** C26: when the frames of a block freed at DISPATCH_LEVEL can be handed out again. */
  readonly freedFrames: "atOnce" | "deferred";
  /** C27: a free whose Length, Cached, PhysicalAddress or adapter is not that of the allocation. */
  readonly freeMismatch: "refuse" | "freeByAddress";
  /** C27, for the cached flag alone, which has no effect on x86 and x64. */
  readonly cachedMismatch: "refuse" | "warn";
  /** C29: bytes from Length to the end of the last page hold 0x0F and are checked, in guard mode. */
  readonly guardTail: "checked" | "off";
  /** C30: when MINIPORT_PROCESS_SG_LIST runs. */
  readonly sgCallback: "inCall" | "nextTurn";
  /** C31: what happens after a violation is recorded. */
  readonly policy: "throw" | "collect" | "break";
  /** C32: blocks live when MiniportHaltEx is through. */
  readonly leakAtHalt: "violation" | "reclaim";
  /** C33: map registers of each adapter, 1 to 2^31; `null`: bounded by the pool only. */
  readonly mapRegisters: number | null;
  /** C34: elements of a 6.20 block without the CONTIGUOUS flag and without a provider. */
  readonly elementsWithoutProvider: "one" | "several";
  /** C36: NdisMRegisterScatterGatherDma after initialize. */
  readonly registrationAfterInitialize: "warn" | "violation";
  /** C37: NdisMAllocateSharedMemory while halting. */
  readonly synchronousWhileHalting: "violation" | "allow";
  /** C38: NdisMDeregisterScatterGatherDma outside initialize and halt. */
  readonly deregistrationOutside: "violation" | "allow";
  /** C39: completions while MiniportInitializeEx runs. */
  readonly completionDuringInitialize: "deliver" | "holdBack";
  /** C40: an NDIS 6 driver calls NdisMAllocateSharedMemoryAsync; its completion comes at this level. */
  readonly ndis6CallsNdis5Async: "passive" | "dispatch";
}

/** What holds where nothing is set. */
export const DEFAULT_CHOICES: NdisChoices = Object.freeze({
  headerSize: "atLeast",
  apcWherePassive: "report",
  pendingAtHalt: "violation",
  synchronousAfterInitialize: "warn",
  unknownSgFlags: "refuseFrom650",
  sgListLayout: "x64",
  dmaAlignment: 64,
  physicalOnFailure: "zero",
  placement: "page",
  contents: "pattern",
  zeroLength: "violation",
  failedPhysical: "null",
  pendingLimit: 4096,
  completionOverlap: "serial",
  memoryTaken: "served",
  handlerThrows: "log",
  freedFrames: "atOnce",
  freeMismatch: "refuse",
  cachedMismatch: "refuse",
  guardTail: "checked",
  sgCallback: "inCall",
  policy: "throw",
  leakAtHalt: "violation",
  mapRegisters: null,
  elementsWithoutProvider: "one",
  registrationAfterInitialize: "warn",
  synchronousWhileHalting: "violation",
  deregistrationOutside: "violation",
  completionDuringInitialize: "deliver",
  ndis6CallsNdis5Async: "passive",
});

const VALUES: { readonly [name in keyof NdisChoices]: readonly string[] | ((value: unknown) => boolean) } = {
  headerSize: ["atLeast", "exact"],
  apcWherePassive: ["report", "bugCheck"],
  pendingAtHalt: ["violation", "reclaim"],
  synchronousAfterInitialize: ["warn", "violation"],
  unknownSgFlags: ["refuseFrom650", "ignore"],
  sgListLayout: ["x64", "x86"],
  dmaAlignment: (value) => isPowerOfTwo(value, 4096),
  physicalOnFailure: ["zero", "poisoned"],
  placement: ["page", "packed"],
  contents: ["pattern", "zero", "random", "untouched"],
  zeroLength: ["violation", "fail"],
  failedPhysical: ["null", "zero"],
  pendingLimit: (value) => isInteger(value, 1, 1_000_000),
  completionOverlap: ["serial", "acrossAdapters"],
  memoryTaken: ["served", "accepted"],
  handlerThrows: ["log", "stop"],
  freedFrames: ["atOnce", "deferred"],
  freeMismatch: ["refuse", "freeByAddress"],
  cachedMismatch: ["refuse", "warn"],
  guardTail: ["checked", "off"],
  sgCallback: ["inCall", "nextTurn"],
  policy: ["throw", "collect", "break"],
  leakAtHalt: ["violation", "reclaim"],
  mapRegisters: (value) => value === null || isInteger(value, 1, 2 ** 31),
  elementsWithoutProvider: ["one", "several"],
  registrationAfterInitialize: ["warn", "violation"],
  synchronousWhileHalting: ["violation", "allow"],
  deregistrationOutside: ["violation", "allow"],
  completionDuringInitialize: ["deliver", "holdBack"],
  ndis6CallsNdis5Async: ["passive", "dispatch"],
};

function isInteger(value: unknown, low: number, high: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= low && value <= high;
}

function isPowerOfTwo(value: unknown, high: number): boolean {
  return isInteger(value, 1, high) && ((value as number) & ((value as number) - 1)) === 0;
}

/** What `resolveChoices` made last: choices that went through it once go through it again unread. */
let resolvedLast: NdisChoices = DEFAULT_CHOICES;

/** Defaults with the given choices over them. `INVALID_ARGUMENT` naming an unknown key or value. */
export function resolveChoices(given: Partial<NdisChoices> = {}): NdisChoices {
  if (given === resolvedLast) return resolvedLast;
  const resolved: Record<string, unknown> = { ...DEFAULT_CHOICES };
  for (const name of Object.keys(given)) {
    const value = (given as Record<string, unknown>)[name];
    const allowed = Object.hasOwn(VALUES, name) ? VALUES[name as keyof NdisChoices] : undefined;
    const legal =
      allowed !== undefined &&
      (typeof allowed === "function" ? allowed(value) : typeof value === "string" && allowed.includes(value));
    if (!legal) {
      const what = allowed === undefined ? "is no choice" : `cannot be ${String(value)}`;
      throw new ShmemError("INVALID_ARGUMENT", `choices.${name} ${what}`, { field: `choices.${name}`, value });
    }
    resolved[name] = value;
  }
  resolvedLast = Object.freeze(resolved) as unknown as NdisChoices;
  return resolvedLast;
}
