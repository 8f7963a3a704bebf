/**
 * The table of choices, C1 to C40: the point that public documents leave open, our answer, its option and its reason.
 *
 * docs/ndis.md prints it, and a test compares the two word for word.
 */

/** One line of the table of choices. */
export interface ChoiceEntry {
  /** `C1` to `C40`. */
  readonly id: string;
  /** What the documents leave open. */
  readonly point: string;
  /** Our answer, in words. */
  readonly answer: string;
  /** The option (of `choices`, or `schedule`), or `null` where there is one answer only. */
  readonly option: string | null;
  /** Values of the option, default first. */
  readonly values: readonly string[];
  /** Why this answer. */
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
    "violation, 0x7C/14",
    null,
    [],
    "Yielding is the analogue of NdisWaitEvent, which is documented to stop at a raised level.",
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
