/* hw.c: the part of the driver that knows the device: rings, buffers, growth. */
#include "nic.h"

static BOOLEAN AddRxBuffer(PNIC Nic, PVOID Virtual, NDIS_PHYSICAL_ADDRESS Physical) {
  PRX_BUFFER buffer = NdisAllocateMemoryWithTagPriority(Nic->Handle, sizeof(RX_BUFFER), NIC_TAG, NormalPoolPriority);
  if (buffer == NULL) return FALSE;
  NdisZeroMemory(buffer, sizeof(RX_BUFFER));
  buffer->Nic = Nic;
  buffer->Virtual = Virtual;
  buffer->Physical = Physical;
  buffer->Length = RX_BYTES;
  buffer->Mdl = NdisAllocateMdl(Nic->Handle, Virtual, RX_BYTES);
  if (buffer->Mdl == NULL) goto failed;
  buffer->List = NdisAllocateNetBufferAndNetBufferList(Nic->Pool, 0, 0, buffer->Mdl, 0, 0);
  if (buffer->List == NULL) goto failed;
  NET_BUFFER_LIST_MINIPORT_RESERVED(buffer->List)[0] = buffer;
  InsertTailList(&Nic->RxFree, &buffer->Link);
  Nic->RxBuffers++;
  return TRUE;
failed:
  if (buffer->Mdl != NULL) NdisFreeMdl(buffer->Mdl);
  NdisFreeMemory(buffer, 0, 0);
  return FALSE;
}

VOID HwFreeRxBuffer(PRX_BUFFER Buffer) {
  PNIC nic = Buffer->Nic;
  NdisFreeNetBufferList(Buffer->List);
  NdisFreeMdl(Buffer->Mdl);
  NdisMFreeSharedMemory(nic->Handle, Buffer->Length, FALSE, Buffer->Virtual, Buffer->Physical);
  NdisFreeMemory(Buffer, 0, 0);
  nic->RxBuffers--;
}

/* Everything that initialize takes of shared memory; FALSE where some is missing. HwRelease gives back what there is. */
BOOLEAN HwAllocate(PNIC Nic) {
  ULONG i;
  NdisMAllocateSharedMemory(Nic->Handle, RX_RING * sizeof(NIC_DESCRIPTOR), FALSE, &Nic->RxRingVirtual, &Nic->RxRingPhysical);
  if (Nic->RxRingVirtual == NULL) return FALSE;
  NdisZeroMemory(Nic->RxRingVirtual, RX_RING * sizeof(NIC_DESCRIPTOR));
  NdisMAllocateSharedMemory(Nic->Handle, TX_RING * sizeof(NIC_DESCRIPTOR), FALSE, &Nic->TxRingVirtual, &Nic->TxRingPhysical);
  if (Nic->TxRingVirtual == NULL) return FALSE;
  NdisZeroMemory(Nic->TxRingVirtual, TX_RING * sizeof(NIC_DESCRIPTOR));
  for (i = 0; i < TX_RING; i++) {
    NdisMAllocateSharedMemory(Nic->Handle, TX_BYTES, TRUE, &Nic->TxVirtual[i], &Nic->TxPhysical[i]);
    if (Nic->TxVirtual[i] == NULL) return FALSE;
  }
  for (i = 0; i < RX_START; i++) {
    PVOID virtual;
    NDIS_PHYSICAL_ADDRESS physical;
    NdisMAllocateSharedMemory(Nic->Handle, RX_BYTES, FALSE, &virtual, &physical);
    if (virtual == NULL) break;
    if (!AddRxBuffer(Nic, virtual, physical)) {
      NdisMFreeSharedMemory(Nic->Handle, RX_BYTES, FALSE, virtual, physical);
      break;
    }
  }
  return Nic->RxBuffers >= 2;
}

/* The reverse. Nothing is with the upper layer, and no request is under way. */
VOID HwRelease(PNIC Nic) {
  ULONG i;
  for (i = 0; i < RX_RING; i++) {
    if (Nic->RxSlots[i] != NULL) {
      InsertTailList(&Nic->RxFree, &Nic->RxSlots[i]->Link);
      Nic->RxSlots[i] = NULL;
    }
  }
  while (!IsListEmpty(&Nic->RxFree)) HwFreeRxBuffer(CONTAINING_RECORD(RemoveHeadList(&Nic->RxFree), RX_BUFFER, Link));
  for (i = 0; i < TX_RING; i++) {
    if (Nic->TxVirtual[i] != NULL) NdisMFreeSharedMemory(Nic->Handle, TX_BYTES, TRUE, Nic->TxVirtual[i], Nic->TxPhysical[i]);
  }
  if (Nic->TxRingVirtual != NULL)
    NdisMFreeSharedMemory(Nic->Handle, TX_RING * sizeof(NIC_DESCRIPTOR), FALSE, Nic->TxRingVirtual, Nic->TxRingPhysical);
  if (Nic->RxRingVirtual != NULL)
    NdisMFreeSharedMemory(Nic->Handle, RX_RING * sizeof(NIC_DESCRIPTOR), FALSE, Nic->RxRingVirtual, Nic->RxRingPhysical);
}

/* Give free buffers to the device. Under the lock. */
VOID HwFill(PNIC Nic) {
  PNIC_DESCRIPTOR ring = Nic->RxRingVirtual;
  while (!IsListEmpty(&Nic->RxFree) && Nic->RxInRing < RX_RING - 1) {
    PRX_BUFFER buffer = CONTAINING_RECORD(RemoveHeadList(&Nic->RxFree), RX_BUFFER, Link);
    ULONG slot = Nic->RxTail;
    Nic->RxSlots[slot] = buffer;
    ring[slot].AddressLow = NdisGetPhysicalAddressLow(buffer->Physical);
    ring[slot].AddressHigh = NdisGetPhysicalAddressHigh(buffer->Physical);
    ring[slot].Length = (USHORT)buffer->Length;
    ring[slot].Cookie = slot;
    KeMemoryBarrier();
    ring[slot].Flags = DESCRIPTOR_OWNED;
    Nic->RxTail = (slot + 1) % RX_RING;
    Nic->RxInRing++;
  }
  Nic->Registers->RxDoorbell = Nic->RxTail;
}

VOID HwStart(PNIC Nic) {
  PNIC_REGISTERS r = Nic->Registers;
  r->RxRingLow = NdisGetPhysicalAddressLow(Nic->RxRingPhysical);
  r->RxRingHigh = NdisGetPhysicalAddressHigh(Nic->RxRingPhysical);
  r->RxRingSize = RX_RING;
  r->TxRingLow = NdisGetPhysicalAddressLow(Nic->TxRingPhysical);
  r->TxRingHigh = NdisGetPhysicalAddressHigh(Nic->TxRingPhysical);
  r->TxRingSize = TX_RING;
  r->RxDoorbell = Nic->RxTail;
  r->Mask = 0;
  r->Command = NIC_COMMAND_RUN;
}

VOID HwStop(PNIC Nic) {
  Nic->Registers->Mask = 0xff;
  Nic->Registers->Command = NIC_COMMAND_STOP;
}

/* Hand up what the device has completed. Called and left under the lock, which is open while frames go up. */
VOID HwReceive(PNIC Nic) {
  PNIC_DESCRIPTOR ring = Nic->RxRingVirtual;
  while (Nic->Running && Nic->RxInRing > 0) {
    ULONG slot = Nic->RxHead;
    PRX_BUFFER buffer = Nic->RxSlots[slot];
    PNET_BUFFER netBuffer;
    if ((ring[slot].Flags & DESCRIPTOR_OWNED) != 0) break;
    Nic->RxSlots[slot] = NULL;
    Nic->RxHead = (slot + 1) % RX_RING;
    Nic->RxInRing--;
    Nic->RxFrames++;
    netBuffer = NET_BUFFER_LIST_FIRST_NB(buffer->List);
    NET_BUFFER_DATA_LENGTH(netBuffer) = ring[slot].Length;
    NET_BUFFER_LIST_STATUS(buffer->List) = NDIS_STATUS_SUCCESS;
    Nic->RxWithUpper++;
    NdisResetEvent(&Nic->Returned);
    NdisDprReleaseSpinLock(&Nic->Lock);
    NdisMIndicateReceiveNetBufferLists(Nic->Handle, buffer->List, NDIS_DEFAULT_PORT_NUMBER, 1, NDIS_RECEIVE_FLAGS_DISPATCH_LEVEL);
    NdisDprAcquireSpinLock(&Nic->Lock);
  }
  if (Nic->RxInRing < RX_LOW) HwGrow(Nic);
}

/* One more receive buffer, later. Under the lock, at DISPATCH_LEVEL. */
VOID HwGrow(PNIC Nic) {
  if (Nic->RxRequest || Nic->Halting || !Nic->Running || Nic->RxBuffers >= RX_MOST) return;
  InterlockedIncrement(&Nic->References);
  Nic->RxRequest = TRUE;
  if (NdisMAllocateSharedMemoryAsyncEx(Nic->Dma, RX_BYTES, FALSE, Nic) != NDIS_STATUS_PENDING) {
    Nic->RxRequest = FALSE;
    HwDereference(Nic);
  }
}

/* MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE, at PASSIVE_LEVEL. */
VOID HwAllocated(NDIS_HANDLE MiniportAdapterContext, PVOID VirtualAddress, PNDIS_PHYSICAL_ADDRESS PhysicalAddress, ULONG Length, PVOID Context) {
  PNIC nic = MiniportAdapterContext;
  BOOLEAN kept = FALSE;
  UNREFERENCED_PARAMETER(Context);
  NdisAcquireSpinLock(&nic->Lock);
  if (VirtualAddress != NULL) {
    if (!nic->Halting) kept = AddRxBuffer(nic, VirtualAddress, *PhysicalAddress);
    if (kept) HwFill(nic);
  }
  nic->RxRequest = FALSE;
  NdisReleaseSpinLock(&nic->Lock);
  if (VirtualAddress != NULL && !kept) NdisMFreeSharedMemory(nic->Handle, Length, FALSE, VirtualAddress, *PhysicalAddress);
  HwDereference(nic);
}

VOID HwDereference(PNIC Nic) {
  if (InterlockedDecrement(&Nic->References) == 0) NdisSetEvent(&Nic->Released);
}

/* MiniportReturnNetBufferLists. */
VOID NicReturn(NDIS_HANDLE MiniportAdapterContext, PNET_BUFFER_LIST NetBufferLists, ULONG ReturnFlags) {
  PNIC nic = MiniportAdapterContext;
  BOOLEAN atDispatch = NDIS_TEST_RETURN_AT_DISPATCH_LEVEL(ReturnFlags);
  if (atDispatch) NdisDprAcquireSpinLock(&nic->Lock);
  else NdisAcquireSpinLock(&nic->Lock);
  while (NetBufferLists != NULL) {
    PRX_BUFFER buffer = NET_BUFFER_LIST_MINIPORT_RESERVED(NetBufferLists)[0];
    NetBufferLists = NET_BUFFER_LIST_NEXT_NBL(NetBufferLists);
    InsertTailList(&nic->RxFree, &buffer->Link);
    if (--nic->RxWithUpper == 0) NdisSetEvent(&nic->Returned);
  }
  if (nic->Running) HwFill(nic);
  if (atDispatch) NdisDprReleaseSpinLock(&nic->Lock);
  else NdisReleaseSpinLock(&nic->Lock);
}

/* One packet into the transmit ring. FALSE where there is no room, or it is too long. Under the lock. */
BOOLEAN HwSend(PNIC Nic, PNET_BUFFER_LIST List) {
  PNIC_DESCRIPTOR ring = Nic->TxRingVirtual;
  PNET_BUFFER netBuffer = NET_BUFFER_LIST_FIRST_NB(List);
  ULONG length = NET_BUFFER_DATA_LENGTH(netBuffer), slot = Nic->TxTail;
  PVOID data;
  if (length > TX_BYTES || (slot + 1) % TX_RING == Nic->TxHead) return FALSE;
  data = NdisGetDataBuffer(netBuffer, length, Nic->TxVirtual[slot], 1, 0);
  if (data == NULL) return FALSE;
  if (data != Nic->TxVirtual[slot]) NdisMoveMemory(Nic->TxVirtual[slot], data, length);
  Nic->TxLists[slot] = List;
  ring[slot].AddressLow = NdisGetPhysicalAddressLow(Nic->TxPhysical[slot]);
  ring[slot].AddressHigh = NdisGetPhysicalAddressHigh(Nic->TxPhysical[slot]);
  ring[slot].Length = (USHORT)length;
  KeMemoryBarrier();
  ring[slot].Flags = DESCRIPTOR_OWNED;
  Nic->TxTail = (slot + 1) % TX_RING;
  Nic->Registers->TxDoorbell = Nic->TxTail;
  return TRUE;
}

/* Packets that the device has sent, or all of them, as a chain. Under the lock. */
PNET_BUFFER_LIST HwTakeSent(PNIC Nic, BOOLEAN All) {
  PNIC_DESCRIPTOR ring = Nic->TxRingVirtual;
  PNET_BUFFER_LIST first = NULL, *last = &first;
  while (Nic->TxHead != Nic->TxTail) {
    ULONG slot = Nic->TxHead;
    PNET_BUFFER_LIST list = Nic->TxLists[slot];
    if (!All && (ring[slot].Flags & DESCRIPTOR_OWNED) != 0) break;
    Nic->TxLists[slot] = NULL;
    Nic->TxHead = (slot + 1) % TX_RING;
    Nic->TxFrames++;
    NET_BUFFER_LIST_STATUS(list) = All ? NDIS_STATUS_PAUSED : NDIS_STATUS_SUCCESS;
    NET_BUFFER_LIST_NEXT_NBL(list) = NULL;
    *last = list;
    last = &NET_BUFFER_LIST_NEXT_NBL(list);
  }
  return first;
}
