/* nic.c: DriverEntry, the life of an adapter, interrupts, sends and requests. */
#include "nic.h"

static MINIPORT_INITIALIZE NicInitialize;
static MINIPORT_HALT NicHalt;
static MINIPORT_PAUSE NicPause;
static MINIPORT_RESTART NicRestart;
static MINIPORT_SHUTDOWN NicShutdown;
static MINIPORT_OID_REQUEST NicOidRequest;
static MINIPORT_SEND_NET_BUFFER_LISTS NicSend;
static MINIPORT_CANCEL_SEND NicCancelSend;
static MINIPORT_CHECK_FOR_HANG NicCheckForHang;
static MINIPORT_RESET NicReset;
static MINIPORT_DEVICE_PNP_EVENT_NOTIFY NicPnPEvent;
static MINIPORT_UNLOAD NicUnload;
static MINIPORT_ISR NicIsr;
static MINIPORT_INTERRUPT_DPC NicDpc;
static NDIS_TIMER_FUNCTION NicTick;

static NDIS_HANDLE DriverHandle;

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
  NDIS_MINIPORT_DRIVER_CHARACTERISTICS table;
  NdisZeroMemory(&table, sizeof(table));
  table.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_DRIVER_CHARACTERISTICS;
  table.Header.Revision = NDIS_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1;
  table.Header.Size = NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1;
  table.MajorNdisVersion = NDIS_MINIPORT_MAJOR_VERSION;
  table.MinorNdisVersion = NDIS_MINIPORT_MINOR_VERSION;
  table.MajorDriverVersion = 1;
  table.InitializeHandlerEx = NicInitialize;
  table.HaltHandlerEx = NicHalt;
  table.UnloadHandler = NicUnload;
  table.PauseHandler = NicPause;
  table.RestartHandler = NicRestart;
  table.OidRequestHandler = NicOidRequest;
  table.SendNetBufferListsHandler = NicSend;
  table.ReturnNetBufferListsHandler = NicReturn;
  table.CancelSendHandler = NicCancelSend;
  table.CheckForHangHandlerEx = NicCheckForHang;
  table.ResetHandlerEx = NicReset;
  table.DevicePnPEventNotifyHandler = NicPnPEvent;
  table.ShutdownHandlerEx = NicShutdown;
  return NdisMRegisterMiniportDriver(DriverObject, RegistryPath, NULL, &table, &DriverHandle);
}

static VOID NicUnload(PDRIVER_OBJECT DriverObject) {
  UNREFERENCED_PARAMETER(DriverObject);
  NdisMDeregisterMiniportDriver(DriverHandle);
}

/* The registers' range among the resources. */
static BOOLEAN MapRegisters(PNIC Nic, PNDIS_RESOURCE_LIST Resources) {
  ULONG i;
  if (Resources == NULL) return FALSE;
  for (i = 0; i < Resources->Count; i++) {
    PCM_PARTIAL_RESOURCE_DESCRIPTOR d = &Resources->PartialDescriptors[i];
    if (d->Type != CmResourceTypeMemory || d->u.Memory.Length < sizeof(NIC_REGISTERS)) continue;
    Nic->RegisterBytes = d->u.Memory.Length;
    return NdisMMapIoSpace((PVOID *)&Nic->Registers, Nic->Handle, d->u.Memory.Start, Nic->RegisterBytes) == NDIS_STATUS_SUCCESS;
  }
  return FALSE;
}

static VOID ReadSettings(PNIC Nic) {
  NDIS_CONFIGURATION_OBJECT object = {{NDIS_OBJECT_TYPE_CONFIGURATION_OBJECT, NDIS_CONFIGURATION_OBJECT_REVISION_1,
                                       NDIS_SIZEOF_CONFIGURATION_OBJECT_REVISION_1}, Nic->Handle, 0};
  NDIS_HANDLE configuration;
  NDIS_STATUS status;
  PVOID address;
  UINT length;
  static const UCHAR ours[6] = {0x02, 0x00, 0x5e, 0x10, 0x20, 0x30};
  NdisMoveMemory(Nic->Address, ours, sizeof(ours));
  if (NdisOpenConfigurationEx(&object, &configuration) != NDIS_STATUS_SUCCESS) return;
  NdisReadNetworkAddress(&status, &address, &length, configuration);
  if (status == NDIS_STATUS_SUCCESS && length == sizeof(Nic->Address)) NdisMoveMemory(Nic->Address, address, sizeof(Nic->Address));
  NdisCloseConfiguration(configuration);
}

/* What initialize took, in the reverse order; it may be any part of it. */
static VOID NicFree(PNIC Nic) {
  if (Nic->Interrupt != NULL) NdisMDeregisterInterruptEx(Nic->Interrupt);
  if (Nic->Dma != NULL) {
    HwRelease(Nic);
    NdisMDeregisterScatterGatherDma(Nic->Dma);
  }
  if (Nic->Pool != NULL) NdisFreeNetBufferListPool(Nic->Pool);
  if (Nic->Timer != NULL) NdisFreeTimerObject(Nic->Timer);
  if (Nic->Registers != NULL) NdisMUnmapIoSpace(Nic->Handle, Nic->Registers, Nic->RegisterBytes);
  NdisFreeSpinLock(&Nic->Lock);
  NdisFreeMemory(Nic, 0, 0);
}

static NDIS_STATUS NicInitialize(NDIS_HANDLE Handle, NDIS_HANDLE DriverContext, PNDIS_MINIPORT_INIT_PARAMETERS Parameters) {
  NDIS_MINIPORT_ADAPTER_ATTRIBUTES attributes;
  NDIS_SG_DMA_DESCRIPTION dma;
  NDIS_MINIPORT_INTERRUPT_CHARACTERISTICS interrupt;
  NET_BUFFER_LIST_POOL_PARAMETERS pool;
  NDIS_TIMER_CHARACTERISTICS timer;
  NDIS_STATUS status = NDIS_STATUS_RESOURCES;
  PNIC nic = NdisAllocateMemoryWithTagPriority(Handle, sizeof(NIC), NIC_TAG, NormalPoolPriority);
  UNREFERENCED_PARAMETER(DriverContext);
  if (nic == NULL) return NDIS_STATUS_RESOURCES;
  NdisZeroMemory(nic, sizeof(NIC));
  nic->Handle = Handle;
  nic->References = 1;
  InitializeListHead(&nic->RxFree);
  NdisAllocateSpinLock(&nic->Lock);
  NdisInitializeEvent(&nic->Released);
  NdisInitializeEvent(&nic->Returned);
  NdisSetEvent(&nic->Returned);

  NdisZeroMemory(&attributes, sizeof(attributes));
  attributes.RegistrationAttributes.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES;
  attributes.RegistrationAttributes.Header.Revision = NDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
  attributes.RegistrationAttributes.Header.Size = NDIS_SIZEOF_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES_REVISION_1;
  attributes.RegistrationAttributes.MiniportAdapterContext = nic;
  attributes.RegistrationAttributes.AttributeFlags = NDIS_MINIPORT_ATTRIBUTES_HARDWARE_DEVICE | NDIS_MINIPORT_ATTRIBUTES_BUS_MASTER;
  attributes.RegistrationAttributes.InterfaceType = NdisInterfacePci;
  status = NdisMSetMiniportAttributes(Handle, &attributes);
  if (status != NDIS_STATUS_SUCCESS) goto failed;

  ReadSettings(nic);
  status = NDIS_STATUS_RESOURCES;
  if (!MapRegisters(nic, Parameters->AllocatedResources)) goto failed;
  nic->Registers->Command = NIC_COMMAND_RESET;

  NdisZeroMemory(&pool, sizeof(pool));
  pool.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
  pool.Header.Revision = NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
  pool.Header.Size = NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1;
  pool.fAllocateNetBuffer = TRUE;
  pool.PoolTag = NIC_TAG;
  nic->Pool = NdisAllocateNetBufferListPool(Handle, &pool);
  if (nic->Pool == NULL) goto failed;

  NdisZeroMemory(&timer, sizeof(timer));
  timer.Header.Type = NDIS_OBJECT_TYPE_TIMER_CHARACTERISTICS;
  timer.Header.Revision = NDIS_TIMER_CHARACTERISTICS_REVISION_1;
  timer.Header.Size = NDIS_SIZEOF_TIMER_CHARACTERISTICS_REVISION_1;
  timer.AllocationTag = NIC_TAG;
  timer.TimerFunction = NicTick;
  timer.FunctionContext = nic;
  if (NdisAllocateTimerObject(Handle, &timer, &nic->Timer) != NDIS_STATUS_SUCCESS) {
    nic->Timer = NULL;
    goto failed;
  }

  NdisZeroMemory(&dma, sizeof(dma));
  dma.Header.Type = NDIS_OBJECT_TYPE_SG_DMA_DESCRIPTION;
  dma.Header.Revision = NDIS_SG_DMA_DESCRIPTION_REVISION_1;
  dma.Header.Size = NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1;
  dma.Flags = NDIS_SG_DMA_64_BIT_ADDRESS;
  dma.MaximumPhysicalMapping = TX_BYTES;
  dma.SharedMemAllocateCompleteHandler = HwAllocated;
  status = NdisMRegisterScatterGatherDma(Handle, &dma, &nic->Dma);
  if (status != NDIS_STATUS_SUCCESS) {
    nic->Dma = NULL;
    goto failed;
  }
  if (!HwAllocate(nic)) {
    NdisWriteErrorLogEntry(Handle, NDIS_ERROR_CODE_OUT_OF_RESOURCES, 0);
    status = NDIS_STATUS_RESOURCES;
    goto failed;
  }

  NdisZeroMemory(&interrupt, sizeof(interrupt));
  interrupt.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_INTERRUPT;
  interrupt.Header.Revision = NDIS_MINIPORT_INTERRUPT_REVISION_1;
  interrupt.Header.Size = NDIS_SIZEOF_MINIPORT_INTERRUPT_CHARACTERISTICS_REVISION_1;
  interrupt.InterruptHandler = NicIsr;
  interrupt.InterruptDpcHandler = NicDpc;
  status = NdisMRegisterInterruptEx(Handle, nic, &interrupt, &nic->Interrupt);
  if (status != NDIS_STATUS_SUCCESS) {
    nic->Interrupt = NULL;
    goto failed;
  }
  return NDIS_STATUS_SUCCESS;

failed:
  NicFree(nic);
  return status;
}

static NDIS_STATUS NicRestart(NDIS_HANDLE Context, PNDIS_MINIPORT_RESTART_PARAMETERS Parameters) {
  PNIC nic = Context;
  LARGE_INTEGER due;
  UNREFERENCED_PARAMETER(Parameters);
  NdisAcquireSpinLock(&nic->Lock);
  nic->Running = TRUE;
  HwFill(nic);
  HwStart(nic);
  NdisReleaseSpinLock(&nic->Lock);
  due.QuadPart = -WATCHDOG_MS * 10000LL;
  NdisSetTimerObject(nic->Timer, due, 0, NULL);
  return NDIS_STATUS_SUCCESS;
}

/* No frame comes, those that went up have come back, and no packet is under way. */
static NDIS_STATUS NicPause(NDIS_HANDLE Context, PNDIS_MINIPORT_PAUSE_PARAMETERS Parameters) {
  PNIC nic = Context;
  PNET_BUFFER_LIST sent;
  UNREFERENCED_PARAMETER(Parameters);
  NdisAcquireSpinLock(&nic->Lock);
  nic->Running = FALSE;
  HwStop(nic);
  sent = HwTakeSent(nic, TRUE);
  NdisReleaseSpinLock(&nic->Lock);
  NdisCancelTimerObject(nic->Timer);
  if (sent != NULL) NdisMSendNetBufferListsComplete(nic->Handle, sent, 0);
  while (nic->RxWithUpper > 0) NdisWaitEvent(&nic->Returned, HALT_ROUND_MS);
  return NDIS_STATUS_SUCCESS;
}

static VOID NicHalt(NDIS_HANDLE Context, NDIS_HALT_ACTION HaltAction) {
  PNIC nic = Context;
  UNREFERENCED_PARAMETER(HaltAction);
  NdisAcquireSpinLock(&nic->Lock);
  nic->Halting = TRUE;
  NdisReleaseSpinLock(&nic->Lock);
  NdisCancelTimerObject(nic->Timer);
  HwDereference(nic);
  while (!NdisWaitEvent(&nic->Released, HALT_ROUND_MS)) {
  }
  nic->Registers->Command = NIC_COMMAND_RESET;
  NicFree(nic);
}

static VOID NicShutdown(NDIS_HANDLE Context, NDIS_SHUTDOWN_ACTION Action) {
  PNIC nic = Context;
  UNREFERENCED_PARAMETER(Action);
  nic->Registers->Command = NIC_COMMAND_RESET;
}

static VOID NicPnPEvent(NDIS_HANDLE Context, PNET_DEVICE_PNP_EVENT Event) {
  UNREFERENCED_PARAMETER(Context);
  UNREFERENCED_PARAMETER(Event);
}

static BOOLEAN NicIsr(NDIS_HANDLE Context, PBOOLEAN QueueDpc, PULONG TargetProcessors) {
  PNIC nic = Context;
  UCHAR causes = nic->Registers->Causes;
  UNREFERENCED_PARAMETER(TargetProcessors);
  *QueueDpc = FALSE;
  if (causes == 0 || causes == 0xff) return FALSE;
  nic->Registers->Mask = 0xff;
  nic->Registers->Causes = causes;
  *QueueDpc = TRUE;
  return TRUE;
}

static VOID NicDpc(NDIS_HANDLE Context, PVOID DpcContext, PVOID Throttle, PVOID Reserved) {
  PNIC nic = Context;
  PNET_BUFFER_LIST sent;
  UNREFERENCED_PARAMETER(DpcContext);
  UNREFERENCED_PARAMETER(Throttle);
  UNREFERENCED_PARAMETER(Reserved);
  NdisDprAcquireSpinLock(&nic->Lock);
  HwReceive(nic);
  HwFill(nic);
  sent = HwTakeSent(nic, FALSE);
  if (nic->Running) nic->Registers->Mask = 0;
  NdisDprReleaseSpinLock(&nic->Lock);
  if (sent != NULL) NdisMSendNetBufferListsComplete(nic->Handle, sent, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL);
}

/* Every two seconds while the adapter runs: ask for buffers if an earlier request failed. */
static VOID NicTick(PVOID Specific1, PVOID Context, PVOID Specific2, PVOID Specific3) {
  PNIC nic = Context;
  LARGE_INTEGER due;
  BOOLEAN again;
  UNREFERENCED_PARAMETER(Specific1);
  UNREFERENCED_PARAMETER(Specific2);
  UNREFERENCED_PARAMETER(Specific3);
  NdisDprAcquireSpinLock(&nic->Lock);
  nic->Ticks++;
  if (nic->RxInRing < RX_LOW) HwGrow(nic);
  again = nic->Running;
  NdisDprReleaseSpinLock(&nic->Lock);
  due.QuadPart = -WATCHDOG_MS * 10000LL;
  if (again) NdisSetTimerObject(nic->Timer, due, 0, NULL);
}

static VOID NicSend(NDIS_HANDLE Context, PNET_BUFFER_LIST Lists, NDIS_PORT_NUMBER Port, ULONG Flags) {
  PNIC nic = Context;
  PNET_BUFFER_LIST list, next;
  BOOLEAN atDispatch = NDIS_TEST_SEND_AT_DISPATCH_LEVEL(Flags);
  UNREFERENCED_PARAMETER(Port);
  for (list = Lists; list != NULL; list = next) {
    BOOLEAN taken = FALSE, running;
    next = NET_BUFFER_LIST_NEXT_NBL(list);
    NET_BUFFER_LIST_NEXT_NBL(list) = NULL;
    if (atDispatch) NdisDprAcquireSpinLock(&nic->Lock);
    else NdisAcquireSpinLock(&nic->Lock);
    running = nic->Running;
    if (running) taken = HwSend(nic, list);
    if (atDispatch) NdisDprReleaseSpinLock(&nic->Lock);
    else NdisReleaseSpinLock(&nic->Lock);
    if (taken) continue;
    NET_BUFFER_LIST_STATUS(list) = running ? NDIS_STATUS_RESOURCES : NDIS_STATUS_PAUSED;
    NdisMSendNetBufferListsComplete(nic->Handle, list, atDispatch ? NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL : 0);
  }
}

static VOID NicCancelSend(NDIS_HANDLE Context, PVOID CancelId) {
  UNREFERENCED_PARAMETER(Context);
  UNREFERENCED_PARAMETER(CancelId);
}

static BOOLEAN NicCheckForHang(NDIS_HANDLE Context) {
  UNREFERENCED_PARAMETER(Context);
  return FALSE;
}

static NDIS_STATUS NicReset(NDIS_HANDLE Context, PBOOLEAN AddressingReset) {
  UNREFERENCED_PARAMETER(Context);
  *AddressingReset = FALSE;
  return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS NicQuery(PNIC Nic, PNDIS_OID_REQUEST Request) {
  ULONG value = 0, length = sizeof(ULONG);
  const VOID *from = &value;
  switch (Request->DATA.QUERY_INFORMATION.Oid) {
    case OID_GEN_MEDIA_CONNECT_STATUS: value = 0; break;
    case OID_GEN_CURRENT_PACKET_FILTER: value = Nic->Filter; break;
    case OID_802_3_MAXIMUM_LIST_SIZE: value = 32; break;
    case OID_GEN_XMIT_OK: from = &Nic->TxFrames; length = sizeof(ULONG64); break;
    case OID_GEN_RCV_OK: from = &Nic->RxFrames; length = sizeof(ULONG64); break;
    case OID_802_3_CURRENT_ADDRESS: from = Nic->Address; length = sizeof(Nic->Address); break;
    default: return NDIS_STATUS_NOT_SUPPORTED;
  }
  if (Request->DATA.QUERY_INFORMATION.InformationBufferLength < length) {
    Request->DATA.QUERY_INFORMATION.BytesNeeded = length;
    return NDIS_STATUS_BUFFER_TOO_SHORT;
  }
  NdisMoveMemory(Request->DATA.QUERY_INFORMATION.InformationBuffer, from, length);
  Request->DATA.QUERY_INFORMATION.BytesWritten = length;
  return NDIS_STATUS_SUCCESS;
}

static NDIS_STATUS NicOidRequest(NDIS_HANDLE Context, PNDIS_OID_REQUEST Request) {
  PNIC nic = Context;
  if (Request->RequestType == NdisRequestQueryInformation || Request->RequestType == NdisRequestQueryStatistics) return NicQuery(nic, Request);
  if (Request->RequestType != NdisRequestSetInformation || Request->DATA.SET_INFORMATION.Oid != OID_GEN_CURRENT_PACKET_FILTER)
    return NDIS_STATUS_NOT_SUPPORTED;
  if (Request->DATA.SET_INFORMATION.InformationBufferLength < sizeof(ULONG)) return NDIS_STATUS_INVALID_LENGTH;
  nic->Filter = *(PULONG)Request->DATA.SET_INFORMATION.InformationBuffer;
  Request->DATA.SET_INFORMATION.BytesRead = sizeof(ULONG);
  return NDIS_STATUS_SUCCESS;
}
