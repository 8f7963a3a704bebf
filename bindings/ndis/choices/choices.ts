/**
 * The choices: every point that public documents about NDIS shared memory leave open, C1 to C40, with our answer.
 *
 * A choice is never a fact about Windows. Each has an id, a default and a reason; where another answer is worth having
 * it is an option of `NdisChoices`. The table with points, answers and reasons is in `choice-table.ts`.
 */
import { integer, nullable, oneOf, powerOfTwo, type Table, table } from "../../validate/index.js";

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

/** What each choice may be. */
export const CHOICE_OPTIONS: Table<NdisChoices> = table<NdisChoices>("`choices`", {
  headerSize: oneOf("atLeast", "exact"),
  apcWherePassive: oneOf("report", "bugCheck"),
  pendingAtHalt: oneOf("violation", "reclaim"),
  synchronousAfterInitialize: oneOf("warn", "violation"),
  unknownSgFlags: oneOf("refuseFrom650", "ignore"),
  sgListLayout: oneOf("x64", "x86"),
  dmaAlignment: powerOfTwo(1, 4096, "bytes"),
  physicalOnFailure: oneOf("zero", "poisoned"),
  placement: oneOf("page", "packed"),
  contents: oneOf("pattern", "zero", "random", "untouched"),
  zeroLength: oneOf("violation", "fail"),
  failedPhysical: oneOf("null", "zero"),
  pendingLimit: integer(1, 1_000_000, "requests"),
  completionOverlap: oneOf("serial", "acrossAdapters"),
  memoryTaken: oneOf("served", "accepted"),
  handlerThrows: oneOf("log", "stop"),
  freedFrames: oneOf("atOnce", "deferred"),
  freeMismatch: oneOf("refuse", "freeByAddress"),
  cachedMismatch: oneOf("refuse", "warn"),
  guardTail: oneOf("checked", "off"),
  sgCallback: oneOf("inCall", "nextTurn"),
  policy: oneOf("throw", "collect", "break"),
  leakAtHalt: oneOf("violation", "reclaim"),
  mapRegisters: nullable(integer(1, 2 ** 31, "map registers")),
  elementsWithoutProvider: oneOf("one", "several"),
  registrationAfterInitialize: oneOf("warn", "violation"),
  synchronousWhileHalting: oneOf("violation", "allow"),
  deregistrationOutside: oneOf("violation", "allow"),
  completionDuringInitialize: oneOf("deliver", "holdBack"),
  ndis6CallsNdis5Async: oneOf("passive", "dispatch"),
});

/** What `resolveChoices` made last: choices that went through it once go through it again unread. */
let resolvedLast: NdisChoices = DEFAULT_CHOICES;

/** Defaults with the given choices over them. `INVALID_ARGUMENT` naming an unknown key or value. */
export function resolveChoices(given: Partial<NdisChoices> = {}): NdisChoices {
  if (given === resolvedLast) return resolvedLast;
  const resolved = { ...DEFAULT_CHOICES, ...CHOICE_OPTIONS.read(given, "choices") };
  resolvedLast = Object.freeze(resolved);
  return resolvedLast;
}
