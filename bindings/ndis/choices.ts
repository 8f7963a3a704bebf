/**
 * The choices: every point that public documents about NDIS shared memory leave open, C1 to C40, with our answer.
 *
 * A choice is never a fact about Windows. Each has an id, a default and a reason; where another answer is worth having
 * it is an option of `NdisChoices` under the name given here. docs/ndis.md prints `CHOICES`, and a test compares the two.
 */
import { ShmemError } from "../errors.js";

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

/** One line of the table of choices. */
export interface ChoiceEntry {
  /** `C1` to `C40`. */
  readonly id: string;
  readonly point: string;
  /** Our answer, in words. */
  readonly answer: string;
  /** The option (of `choices`, or `schedule`), or `null` where there is one answer only. */
  readonly option: string | null;
  /** Values of the option, default first. */
  readonly values: readonly string[];
  readonly reason: string;
}

function entry(
  id: string,
  point: string,
  answer: string,
  option: string | null,
  values: readonly string[],
  reason: string,
): ChoiceEntry {
  return { id, point, answer, option, values, reason };
}

/** All choices, in order. */
export const CHOICES: readonly ChoiceEntry[] = [
  entry(
    "C1",
    "header size",
    "at least the macro of the revision",
    "headerSize",
    ["atLeast", "exact"],
    "Real drivers pass either the NDIS_SIZEOF macro or sizeof, which is larger.",
  ),
  entry(
    "C2",
    "APC_LEVEL where PASSIVE_LEVEL is required",
    "recorded under the SDV rule, the call proceeds",
    "apcWherePassive",
    ["report", "bugCheck"],
    "The header says PASSIVE, the run-time check of Windows is documented only for raised levels.",
  ),
  entry(
    "C3",
    "await at DISPATCH_LEVEL or above",
    "violation",
    null,
    [],
    "Yielding is the analogue of a blocking wait; Windows' verifier reports waits at raised level.",
  ),
  entry(
    "C4",
    "requests pending at halt or after a failing initialize",
    "completions go on while halt runs; what is left when it is through is a violation",
    "pendingAtHalt",
    ["violation", "reclaim"],
    "Every sample driver counts its requests and waits; nothing documented cancels them.",
  ),
  entry(
    "C5",
    "synchronous allocation after initialize",
    "allowed, with a warning",
    "synchronousAfterInitialize",
    ["warn", "violation"],
    "The documents allow it in initialize only; NetKVM ships doing it from its own thread.",
  ),
  entry(
    "C6",
    "second DMA registration on an adapter",
    "NDIS_STATUS_RESOURCES",
    null,
    [],
    "The one open implementation that handles it answers so.",
  ),
  entry(
    "C7",
    "unknown flags of the SG description",
    "INVALID_PARAMETER from NDIS 6.50, ignored below",
    "unknownSgFlags",
    ["refuseFrom650", "ignore"],
    "Precedent of an open implementation.",
  ),
  entry(
    "C8",
    "ScatterGatherListSize",
    "16 + 24 * ((MaximumPhysicalMapping + 8190) >> 12)",
    "sgListLayout",
    ["x64", "x86"],
    "The pages that the mapping spans in the worst case. Advisory: a smaller buffer is legal.",
  ),
  entry(
    "C9",
    "outputs of a failed DMA registration",
    "handle null, ScatterGatherListSize untouched",
    null,
    [],
    "A driver that ignores the status then fails on its next call, where it can be seen.",
  ),
  entry(
    "C10",
    "DMA deregistration with something live",
    "0xE6/07 (blocks), 0xE6/0A (lists), pending requests as C4; the registration stays; later use of a released handle 0xE6/18",
    null,
    [],
    "The verifier has these codes for the layer below; the documents do not say.",
  ),
  entry("C11", "alignment answers", "64", "dmaAlignment", ["64", "any power of two"], "A cache line of x64."),
  entry(
    "C12",
    "outputs of a failed synchronous allocation",
    "VirtualAddress null, PhysicalAddress 0",
    "physicalOnFailure",
    ["zero", "poisoned"],
    "The documents say 'returns NULL'. Other implementations leave it unwritten: `poisoned` finds who reads it.",
  ),
  entry(
    "C13",
    "placement",
    "each block starts on a page",
    "placement",
    ["page", "packed"],
    "Drivers rely on both: some align by hand, gVNIC passes PA >> 12 of a page. `packed` finds those that assume too much.",
  ),
  entry("C14", "4 GiB line", "never crossed", null, [], "ReactOS keeps bus-master buffers from crossing it."),
  entry(
    "C15",
    "initial contents",
    "0xCD in every byte, where an arena exists",
    "contents",
    ["pattern", "zero", "random", "untouched"],
    "No document promises zeros; a pattern finds drivers that expect them.",
  ),
  entry(
    "C16",
    "Length 0",
    "violation, 0xE6/21",
    "zeroLength",
    ["violation", "fail"],
    "The verifier flags mappings of no bytes.",
  ),
  entry(
    "C17",
    "PhysicalAddress of a failed completion",
    "null",
    "failedPhysical",
    ["null", "zero"],
    "The page of the request says that NULL pointers, plural, are passed.",
  ),
  entry("C18", "Length of a completion", "as asked, never rounded", null, [], "e100bex asserts it."),
  entry(
    "C19",
    "may a completion precede the return of its request",
    "no, always after the current turn",
    "schedule",
    ["fifo", "racing"],
    "`racing` delivers inside the call, as another processor would; drivers defend against it, so both must be survivable.",
  ),
  entry(
    "C20",
    "order among requests",
    "first come, first served",
    "schedule",
    ["fifo", "lifo", "random", "starved", "batched", "manual"],
    "The documents say 'later'.",
  ),
  entry(
    "C21",
    "requests pending at once",
    "4096 in the machine",
    "pendingLimit",
    ["4096", "1 to 1000000"],
    "No documented limit; a bound keeps memory bounded.",
  ),
  entry(
    "C22",
    "overlapping completions",
    "one at a time",
    "completionOverlap",
    ["serial", "acrossAdapters"],
    "The next one starts after the previous returned, or its promise settled.",
  ),
  entry(
    "C23",
    "when memory is taken",
    "when the request is served",
    "memoryTaken",
    ["served", "accepted"],
    "So PENDING followed by null is possible, as documented. `accepted` reserves in the call and answers FAILURE instead.",
  ),
  entry(
    "C24",
    "a handler that throws",
    "recorded, later completions are still delivered",
    "handlerThrows",
    ["log", "stop"],
    "A simulation must outlive the bug that it exists to find.",
  ),
  entry(
    "C25",
    "NdisMAllocateSharedMemoryAsyncEx without a handler",
    "NDIS_STATUS_FAILURE and a violation",
    null,
    [],
    "The documents want NULL when the call is unused; another implementation leaks the block.",
  ),
  entry(
    "C26",
    "frames after a free at DISPATCH_LEVEL",
    "free at once",
    "freedFrames",
    ["atOnce", "deferred"],
    "NDIS must defer the layer below to PASSIVE_LEVEL; visible only as a failing allocation.",
  ),
  entry(
    "C27",
    "a free that does not match its allocation",
    "violation naming each field, the block stays",
    "freeMismatch, cachedMismatch",
    ["refuse", "freeByAddress", "warn"],
    "The documents demand an exact match and no tool checks it.",
  ),
  entry("C28", "a handle of another kind", "violation WRONG_HANDLE", null, [], "Handles are typed here."),
  entry(
    "C29",
    "tail of the last page",
    "0x0F, checked, in guard mode",
    "guardTail",
    ["checked", "off"],
    "The verifier's documented padding. The tail is not the caller's.",
  ),
  entry(
    "C30",
    "MINIPORT_PROCESS_SG_LIST",
    "inside the call",
    "sgCallback",
    ["inCall", "nextTurn"],
    "Documented: before or after the call returns.",
  ),
  entry(
    "C31",
    "after a violation",
    "throw",
    "policy",
    ["throw", "collect", "break"],
    "Windows stops. `collect` returns the call's failure value, `break` calls the bug-check handler and ends the machine.",
  ),
  entry(
    "C32",
    "blocks live after halt",
    "violation listing them",
    "leakAtHalt",
    ["violation", "reclaim"],
    "No bug check is documented, and no tool reports it.",
  ),
  entry(
    "C33",
    "largest Length",
    "bounded by the pool only",
    "mapRegisters",
    ["null", "pages"],
    "No maximum is documented. With a number, BYTES_TO_PAGES(Length) must fit in what the adapter has left.",
  ),
  entry(
    "C34",
    "6.20 block without provider",
    "one element, SharedMemoryHandle null",
    "elementsWithoutProvider",
    ["one", "several"],
    "Real drivers assert one element although they did not ask for contiguity.",
  ),
  entry(
    "C35",
    "6.20 list buffer too small",
    "INVALID_PARAMETER, nothing allocated",
    null,
    [],
    "The only documented status that fits.",
  ),
  entry(
    "C36",
    "DMA registration after initialize",
    "allowed, with a warning",
    "registrationAfterInitialize",
    ["warn", "violation"],
    "Documented order; nothing breaks.",
  ),
  entry(
    "C37",
    "synchronous allocation while halting",
    "violation",
    "synchronousWhileHalting",
    ["violation", "allow"],
    "Halt releases.",
  ),
  entry(
    "C38",
    "DMA deregistration outside initialize and halt",
    "violation",
    "deregistrationOutside",
    ["violation", "allow"],
    "Documented: from MiniportHaltEx, or a failing initialize.",
  ),
  entry(
    "C39",
    "completions during initialize",
    "delivered",
    "completionDuringInitialize",
    ["deliver", "holdBack"],
    "Nothing forbids them once the attributes are set, and a registration needs the attributes.",
  ),
  entry(
    "C40",
    "an NDIS 6 driver calls NdisMAllocateSharedMemoryAsync",
    "the handler of its SG description, at PASSIVE_LEVEL",
    "ndis6CallsNdis5Async",
    ["passive", "dispatch"],
    "rtlnwifi does so; the level changed between the versions.",
  ),
];

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

/** Defaults with the given choices over them. `INVALID_ARGUMENT` naming an unknown key or value. */
export function resolveChoices(given: Partial<NdisChoices> = {}): NdisChoices {
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
  return Object.freeze(resolved) as unknown as NdisChoices;
}
