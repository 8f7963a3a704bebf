/**
 * Twenty bugs, each planted in the driver by one change: what `score.mjs` and the tests look for.
 *
 * `guilty` is text of the line that a finding must name (in the changed source); null where the bug shows in the device
 * alone, which has no place in C.
 */

/** @type {readonly { name: string, file: string, from: string, to: string, rule: string, guilty: string | null }[]} */
export const BUGS = [
  {
    name: "free with another length",
    file: "hw.c",
    from: "NdisMFreeSharedMemory(nic->Handle, Buffer->Length, FALSE,",
    to: "NdisMFreeSharedMemory(nic->Handle, Buffer->Length - 18, FALSE,",
    rule: "FreeMatchesAllocation",
    guilty: "Buffer->Length - 18",
  },
  {
    name: "the receive ring is freed twice",
    file: "hw.c",
    from: "  if (Nic->RxRingVirtual != NULL)\n    NdisMFreeSharedMemory(",
    to: "  if (Nic->RxRingVirtual != NULL)\n    NdisMFreeSharedMemory(Nic->Handle, RX_RING * sizeof(NIC_DESCRIPTOR), FALSE, Nic->RxRingVirtual, Nic->RxRingPhysical);\n  if (Nic->RxRingVirtual != NULL) /* again */\n    NdisMFreeSharedMemory(",
    rule: "FreeOfLiveBlock",
    guilty:
      "    NdisMFreeSharedMemory(Nic->Handle, RX_RING * sizeof(NIC_DESCRIPTOR), FALSE, Nic->RxRingVirtual, Nic->RxRingPhysical);\n}",
  },
  {
    name: "a block that comes while halting is forgotten",
    file: "hw.c",
    from: "  if (VirtualAddress != NULL && !kept) NdisMFreeSharedMemory(",
    to: "  if (VirtualAddress != NULL && !kept && !nic->Halting) NdisMFreeSharedMemory(",
    rule: "NothingLiveAtRelease",
    guilty: "if (NdisMAllocateSharedMemoryAsyncEx(",
  },
  {
    name: "halt does not wait for the request",
    file: "hw.c",
    from: "  InterlockedIncrement(&Nic->References);\n",
    to: "",
    rule: "NothingPendingAtRelease",
    guilty: "if (NdisMAllocateSharedMemoryAsyncEx(",
  },
  {
    name: "the adapter is used after it was freed",
    file: "nic.c",
    from: "  NicFree(nic);\n}",
    to: "  NicFree(nic);\n  nic->Halting = FALSE;\n}",
    rule: "AccessIsAllowed",
    guilty: "nic->Halting = FALSE;",
  },
  {
    name: "the physical address is read before the test for NULL",
    file: "hw.c",
    from: "  BOOLEAN kept = FALSE;\n",
    to: "  BOOLEAN kept = FALSE;\n  NDIS_PHYSICAL_ADDRESS physical = *PhysicalAddress;\n  nic->Ticks += physical.LowPart;\n",
    rule: "AccessIsAllowed",
    guilty: "NDIS_PHYSICAL_ADDRESS physical = *PhysicalAddress;",
  },
  {
    name: "one descriptor too many is cleared",
    file: "hw.c",
    from: "NdisZeroMemory(Nic->RxRingVirtual, RX_RING *",
    to: "NdisZeroMemory(Nic->RxRingVirtual, (RX_RING + 1) *",
    rule: "AccessIsAllowed",
    guilty: "(RX_RING + 1) *",
  },
  {
    name: "a buffer is written when it is the device's already",
    file: "hw.c",
    from: "  Nic->Registers->RxDoorbell = Nic->RxTail;\n}",
    to: "  Nic->Registers->RxDoorbell = Nic->RxTail;\n  if (Nic->RxInRing > 0) NdisZeroMemory(Nic->RxSlots[Nic->RxHead]->Virtual, 64);\n}",
    rule: "AccessIsAllowed",
    guilty: "NdisZeroMemory(Nic->RxSlots[Nic->RxHead]->Virtual, 64);",
  },
  {
    name: "the timer is not cancelled",
    file: "nic.c",
    from: "  NdisReleaseSpinLock(&nic->Lock);\n  NdisCancelTimerObject(nic->Timer);\n  if (sent",
    to: "  NdisReleaseSpinLock(&nic->Lock);\n  if (sent",
    also: [
      [
        "  NdisReleaseSpinLock(&nic->Lock);\n  NdisCancelTimerObject(nic->Timer);\n  HwDereference",
        "  NdisReleaseSpinLock(&nic->Lock);\n  HwDereference",
      ],
    ],
    rule: "TimerIsCancelled",
    guilty: "if (Nic->Timer != NULL) NdisFreeTimerObject(Nic->Timer);",
  },
  {
    name: "the interrupt stays registered",
    file: "nic.c",
    from: "  if (Nic->Interrupt != NULL) NdisMDeregisterInterruptEx(Nic->Interrupt);\n",
    to: "",
    rule: "EverythingIsReleased",
    guilty: "status = NdisMRegisterInterruptEx(",
  },
  {
    name: "the lock is not released where the adapter does not run",
    file: "hw.c",
    from: "  if (nic->Running) HwFill(nic);\n",
    to: "  if (!nic->Running) return;\n  HwFill(nic);\n",
    rule: "SpinLock",
    guilty: "if (atDispatch) NdisDprAcquireSpinLock(&nic->Lock);",
  },
  {
    name: "the lock is taken twice",
    file: "hw.c",
    from: "  if (Nic->RxRequest || Nic->Halting",
    to: "  NdisDprAcquireSpinLock(&Nic->Lock);\n  if (Nic->RxRequest || Nic->Halting",
    rule: "SpinLock",
    guilty: "  NdisDprAcquireSpinLock(&Nic->Lock);\n  if (Nic->RxRequest",
  },
  {
    name: "sleeps at DISPATCH_LEVEL",
    file: "hw.c",
    from: "  InterlockedIncrement(&Nic->References);\n",
    to: "  InterlockedIncrement(&Nic->References);\n  NdisMSleep(100);\n",
    rule: "NoWaitAtDispatch",
    guilty: "NdisMSleep(100);",
  },
  {
    name: "the free takes the DMA handle",
    file: "hw.c",
    from: "NdisMFreeSharedMemory(nic->Handle, Length, FALSE,",
    to: "NdisMFreeSharedMemory(nic->Dma, Length, FALSE,",
    rule: "HandleKind",
    guilty: "NdisMFreeSharedMemory(nic->Dma, Length,",
  },
  {
    name: "the high half of the address is lost",
    file: "hw.c",
    from: "    ring[slot].AddressHigh = NdisGetPhysicalAddressHigh(buffer->Physical);\n",
    to: "    ring[slot].AddressHigh = 0;\n",
    rule: "DeviceReachesMappings",
    guilty: null,
  },
  {
    name: "a loop that never ends",
    file: "hw.c",
    from: "    if (!All && (ring[slot].Flags & DESCRIPTOR_OWNED) != 0) break;\n    Nic->TxLists[slot] = NULL;\n    Nic->TxHead = (slot + 1) % TX_RING;\n",
    to: "    if (!All && (ring[slot].Flags & DESCRIPTOR_OWNED) != 0) continue;\n    Nic->TxLists[slot] = NULL;\n    Nic->TxHead = (slot + 1) % TX_RING;\n",
    rule: "HandlerReturns",
    guilty: "while (Nic->TxHead != Nic->TxTail) {|continue;",
  },
  {
    name: "an MDL is not freed",
    file: "hw.c",
    from: "  NdisFreeMdl(Buffer->Mdl);\n",
    to: "",
    rule: "PoolIsFreed",
    guilty: "buffer->Mdl = NdisAllocateMdl(",
  },
  {
    name: "a packet is completed twice",
    file: "nic.c",
    from: "  if (sent != NULL) NdisMSendNetBufferListsComplete(nic->Handle, sent, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL);\n}",
    to: "  if (sent != NULL) NdisMSendNetBufferListsComplete(nic->Handle, sent, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL);\n  if (sent != NULL) NdisMSendNetBufferListsComplete(nic->Handle, sent, 0);\n}",
    rule: "SendIsCompletedOnce|AccessIsAllowed",
    guilty: "if (sent != NULL) NdisMSendNetBufferListsComplete(nic->Handle, sent, 0);\n}",
  },
  {
    name: "the completion handler is another function",
    file: "nic.c",
    from: "  dma.SharedMemAllocateCompleteHandler = HwAllocated;\n",
    to: "  dma.SharedMemAllocateCompleteHandler = (MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE *)NicTick;\n",
    rule: "FunctionHasItsType",
    guilty: "status = NdisMRegisterScatterGatherDma(",
  },
  {
    name: "the answer to a question is longer than the buffer",
    file: "nic.c",
    from: "  if (Request->DATA.QUERY_INFORMATION.InformationBufferLength < length) {",
    to: "  if (Request->DATA.QUERY_INFORMATION.InformationBufferLength < length / 2) {",
    rule: "AccessIsAllowed",
    guilty: "NdisMoveMemory(Request->DATA.QUERY_INFORMATION.InformationBuffer, from, length);",
  },
];

/** The changed text of a file. Throws where the driver has no such place any more. */
export function plant(bug, text) {
  let changed = text;
  for (const [from, to] of [[bug.from, bug.to], ...(bug.also ?? [])]) {
    if (changed.split(from).length !== 2)
      throw new Error(`${bug.name}: the text to change is there ${changed.split(from).length - 1} times`);
    changed = changed.replace(from, () => to);
  }
  return changed;
}

/** Lines (from 1) of the guilty text, in the changed files. */
export function guiltyLines(bug, texts) {
  const lines = [];
  for (const part of bug.guilty.split("|")) {
    for (const [file, text] of Object.entries(texts)) {
      for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) {
        lines.push(`${file}:${text.slice(0, at).split("\n").length}`);
      }
    }
  }
  return lines;
}
