/*
 * shim.c: the documented routines, as far as they know the layout of a structure.
 *
 * This half is compiled with the headers that the driver was compiled with, so that it alone knows layouts; the host sees
 * numbers. Each routine reads and writes the driver's structures with checks (`R` and `W` below name who may touch), and
 * hands scalars to the host by an import of the module "nshm". What the host calls in the driver goes through an
 * `nshm_call_...` of this file where a structure has to be built for it.
 */
#include <ndis.h>
#include "check.h"

#define R(p, n) nshm_check((u32)(p), (n), 0)
#define W(p, n) nshm_check((u32)(p), (n), 1)
#define RS(p) R((p), sizeof(*(p)))
#define WS(p) W((p), sizeof(*(p)))
#define EXPORT(name) __attribute__((export_name(#name)))

static void copy(void *to, const void *from, u32 count) {
  u8 *t = to;
  const u8 *f = from;
  while (count--) *t++ = *f++;
}
static void zero(void *to, u32 count) {
  u8 *t = to;
  while (count--) *t++ = 0;
}

/* ---- processor level, locks ----------------------------------------------------------------------------------------- */
HOST(irql) u32 host_irql(void);
HOST(raiseIrql) u32 host_raise(u32 level);
HOST(lowerIrql) void host_lower(u32 level);
HOST(initializeLock) void host_lock_init(u32 lock);
HOST(freeLock) void host_lock_free(u32 lock);
HOST(acquireLock) u32 host_lock(u32 lock, u32 raise);
HOST(releaseLock) void host_unlock(u32 lock, u32 level, u32 lower);
HOST(askedIrql) void host_asked_irql(void);

KIRQL KeGetCurrentIrql(VOID) {
  host_asked_irql();
  return (KIRQL)host_irql();
}
VOID KeRaiseIrql(KIRQL NewIrql, PKIRQL OldIrql) {
  WS(OldIrql);
  *OldIrql = (KIRQL)host_raise(NewIrql);
}
VOID KeLowerIrql(KIRQL NewIrql) { host_lower(NewIrql); }
KIRQL KeRaiseIrqlToDpcLevel(VOID) { return (KIRQL)host_raise(DISPATCH_LEVEL); }
ULONG KeGetCurrentProcessorNumber(VOID) { return 0; }
ULONG KeQueryActiveProcessorCount(KAFFINITY *ActiveProcessors) {
  if (ActiveProcessors) {
    WS(ActiveProcessors);
    *ActiveProcessors = 1;
  }
  return 1;
}
CCHAR NdisSystemProcessorCount(VOID) { return 1; }
ULONG NdisGetCurrentProcessorIndex(VOID) { return 0; }

VOID KeInitializeSpinLock(PKSPIN_LOCK SpinLock) {
  WS(SpinLock);
  *SpinLock = 0;
  host_lock_init((u32)SpinLock);
}
VOID nshmAcquireSpinLock(PKSPIN_LOCK SpinLock, PKIRQL OldIrql) {
  WS(SpinLock);
  WS(OldIrql);
  *OldIrql = (KIRQL)host_lock((u32)SpinLock, 1);
  *SpinLock = 1;
}
KIRQL KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock) {
  KIRQL old;
  WS(SpinLock);
  old = (KIRQL)host_lock((u32)SpinLock, 1);
  *SpinLock = 1;
  return old;
}
VOID KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql) {
  WS(SpinLock);
  *SpinLock = 0;
  host_unlock((u32)SpinLock, NewIrql, 1);
}
VOID KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock) {
  WS(SpinLock);
  host_lock((u32)SpinLock, 0);
  *SpinLock = 1;
}
VOID KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock) {
  WS(SpinLock);
  *SpinLock = 0;
  host_unlock((u32)SpinLock, 0, 0);
}
VOID NdisAllocateSpinLock(PNDIS_SPIN_LOCK SpinLock) {
  WS(SpinLock);
  KeInitializeSpinLock(&SpinLock->SpinLock);
  SpinLock->OldIrql = 0;
}
VOID NdisFreeSpinLock(PNDIS_SPIN_LOCK SpinLock) {
  RS(SpinLock);
  host_lock_free((u32)&SpinLock->SpinLock);
}
VOID NdisAcquireSpinLock(PNDIS_SPIN_LOCK SpinLock) {
  KIRQL old;
  WS(SpinLock);
  old = KeAcquireSpinLockRaiseToDpc(&SpinLock->SpinLock);
  SpinLock->OldIrql = old;
}
VOID NdisReleaseSpinLock(PNDIS_SPIN_LOCK SpinLock) {
  WS(SpinLock);
  KeReleaseSpinLock(&SpinLock->SpinLock, SpinLock->OldIrql);
}
VOID NdisDprAcquireSpinLock(PNDIS_SPIN_LOCK SpinLock) {
  WS(SpinLock);
  KeAcquireSpinLockAtDpcLevel(&SpinLock->SpinLock);
}
VOID NdisDprReleaseSpinLock(PNDIS_SPIN_LOCK SpinLock) {
  WS(SpinLock);
  KeReleaseSpinLockFromDpcLevel(&SpinLock->SpinLock);
}

static PLIST_ENTRY list_insert(PLIST_ENTRY head, PLIST_ENTRY entry, PKSPIN_LOCK lock, int tail) {
  KIRQL old;
  PLIST_ENTRY first;
  nshmAcquireSpinLock(lock, &old);
  WS(head);
  WS(entry);
  first = tail ? head->Blink : head->Flink;
  WS(first);
  if (tail)
    InsertTailList(head, entry);
  else
    InsertHeadList(head, entry);
  KeReleaseSpinLock(lock, old);
  return first == head ? NULL : first;
}
static PLIST_ENTRY list_remove(PLIST_ENTRY head, PKSPIN_LOCK lock) {
  KIRQL old;
  PLIST_ENTRY entry = NULL;
  nshmAcquireSpinLock(lock, &old);
  WS(head);
  if (!IsListEmpty(head)) {
    WS(head->Flink);
    entry = RemoveHeadList(head);
  }
  KeReleaseSpinLock(lock, old);
  return entry;
}
PLIST_ENTRY ExInterlockedInsertTailList(PLIST_ENTRY h, PLIST_ENTRY e, PKSPIN_LOCK l) { return list_insert(h, e, l, 1); }
PLIST_ENTRY ExInterlockedInsertHeadList(PLIST_ENTRY h, PLIST_ENTRY e, PKSPIN_LOCK l) { return list_insert(h, e, l, 0); }
PLIST_ENTRY ExInterlockedRemoveHeadList(PLIST_ENTRY h, PKSPIN_LOCK l) { return list_remove(h, l); }
PLIST_ENTRY NdisInterlockedInsertTailList(PLIST_ENTRY h, PLIST_ENTRY e, PNDIS_SPIN_LOCK l) { return list_insert(h, e, &l->SpinLock, 1); }
PLIST_ENTRY NdisInterlockedInsertHeadList(PLIST_ENTRY h, PLIST_ENTRY e, PNDIS_SPIN_LOCK l) { return list_insert(h, e, &l->SpinLock, 0); }
PLIST_ENTRY NdisInterlockedRemoveHeadList(PLIST_ENTRY h, PNDIS_SPIN_LOCK l) { return list_remove(h, &l->SpinLock); }

/* ---- pool ------------------------------------------------------------------------------------------------------------- */
enum { POOL_MEMORY, POOL_MDL, POOL_NBL, POOL_NB, POOL_OTHER, POOL_LOOKASIDE, POOL_OURS };
HOST(allocatePool) u32 host_alloc(u32 bytes, u32 tag, u32 kind, u32 adapter);
HOST(freePool) void host_free(u32 address, u32 tag, u32 length, u32 kind);

PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag) {
  return (PVOID)host_alloc(NumberOfBytes, Tag, POOL_MEMORY, 0);
}
PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag) {
  PVOID p = (PVOID)host_alloc(NumberOfBytes, Tag, POOL_MEMORY, 0);
  if (p && !(Flags & POOL_FLAG_UNINITIALIZED)) zero(p, NumberOfBytes);
  return p;
}
VOID ExFreePool(PVOID P) { host_free((u32)P, 0, 0, POOL_MEMORY); }
VOID ExFreePoolWithTag(PVOID P, ULONG Tag) { host_free((u32)P, Tag, 0, POOL_MEMORY); }
PVOID NdisAllocateMemoryWithTagPriority(NDIS_HANDLE NdisHandle, UINT Length, ULONG Tag, EX_POOL_PRIORITY Priority) {
  return (PVOID)host_alloc(Length, Tag, POOL_MEMORY, (u32)NdisHandle);
}
NDIS_STATUS NdisAllocateMemoryWithTag(PVOID *VirtualAddress, UINT Length, ULONG Tag) {
  WS(VirtualAddress);
  *VirtualAddress = (PVOID)host_alloc(Length, Tag, POOL_MEMORY, 0);
  return *VirtualAddress ? NDIS_STATUS_SUCCESS : NDIS_STATUS_FAILURE;
}
VOID NdisFreeMemory(PVOID VirtualAddress, UINT Length, UINT MemoryFlags) { host_free((u32)VirtualAddress, 0, Length, POOL_MEMORY); }
VOID NdisFreeMemoryWithTagPriority(NDIS_HANDLE NdisHandle, PVOID VirtualAddress, ULONG Tag) { host_free((u32)VirtualAddress, Tag, 0, POOL_MEMORY); }

HOST(lookaside) void host_lookaside(u32 list, u32 made);
VOID ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST l, PVOID Allocate, PVOID Free, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth) {
  WS(l);
  zero(l, sizeof(*l));
  host_lookaside((u32)l, 1);
  l->Tag = Tag;
  l->Size = Size;
  l->Initialized = 1;
}
PVOID ExAllocateFromNPagedLookasideList(PNPAGED_LOOKASIDE_LIST l) {
  PVOID entry;
  WS(l);
  entry = (PVOID)host_alloc(l->Size, l->Tag, POOL_LOOKASIDE, 0);
  if (entry) l->Live++;
  return entry;
}
VOID ExFreeToNPagedLookasideList(PNPAGED_LOOKASIDE_LIST l, PVOID Entry) {
  WS(l);
  host_free((u32)Entry, l->Tag, l->Size, POOL_LOOKASIDE);
  l->Live--;
}
VOID ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST l) {
  WS(l);
  host_lookaside((u32)l, 0);
  l->Initialized = 0;
}
VOID NdisInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST l, PVOID a, PVOID f, ULONG g, ULONG s, ULONG t, USHORT d) {
  ExInitializeNPagedLookasideList(l, a, f, g, s, t, d);
}
PVOID NdisAllocateFromNPagedLookasideList(PNPAGED_LOOKASIDE_LIST l) { return ExAllocateFromNPagedLookasideList(l); }
VOID NdisFreeToNPagedLookasideList(PNPAGED_LOOKASIDE_LIST l, PVOID e) { ExFreeToNPagedLookasideList(l, e); }
VOID NdisDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST l) { ExDeleteNPagedLookasideList(l); }

struct _NDIS_RW_LOCK_EX {
  NDIS_SPIN_LOCK Lock;
};
PNDIS_RW_LOCK_EX NdisAllocateRWLock(NDIS_HANDLE NdisHandle) {
  PNDIS_RW_LOCK_EX lock = (PNDIS_RW_LOCK_EX)host_alloc(sizeof(*lock), 0x4b4c5752, POOL_OTHER, (u32)NdisHandle);
  if (lock) NdisAllocateSpinLock(&lock->Lock);
  return lock;
}
VOID NdisFreeRWLock(PNDIS_RW_LOCK_EX Lock) {
  NdisFreeSpinLock(&Lock->Lock);
  host_free((u32)Lock, 0, 0, POOL_OTHER);
}
VOID NdisAcquireRWLockWrite(PNDIS_RW_LOCK_EX Lock, PLOCK_STATE_EX LockState, UCHAR Flags) {
  WS(LockState);
  LockState->OldIrql = KeAcquireSpinLockRaiseToDpc(&Lock->Lock.SpinLock);
}
VOID NdisAcquireRWLockRead(PNDIS_RW_LOCK_EX Lock, PLOCK_STATE_EX LockState, UCHAR Flags) { NdisAcquireRWLockWrite(Lock, LockState, Flags); }
VOID NdisReleaseRWLock(PNDIS_RW_LOCK_EX Lock, PLOCK_STATE_EX LockState) {
  RS(LockState);
  KeReleaseSpinLock(&Lock->Lock.SpinLock, LockState->OldIrql);
}

/* ---- strings ------------------------------------------------------------------------------------------------------------ */
SIZE_T RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length) {
  SIZE_T i = 0;
  R(Source1, Length);
  R(Source2, Length);
  while (i < Length && ((const u8 *)Source1)[i] == ((const u8 *)Source2)[i]) i++;
  return i;
}
VOID RtlInitUnicodeString(PUNICODE_STRING d, PCWSTR s) {
  USHORT length = 0;
  WS(d);
  if (s)
    for (;; length++) {
      R(&s[length], 2);
      if (!s[length]) break;
    }
  d->Length = length * 2;
  d->MaximumLength = s ? length * 2 + 2 : 0;
  d->Buffer = (PWSTR)s;
}
VOID NdisInitUnicodeString(PNDIS_STRING d, PCWSTR s) { RtlInitUnicodeString(d, s); }
static u32 upper(u32 c) { return c >= 'a' && c <= 'z' ? c - 32 : c; }
LONG RtlCompareUnicodeString(PCUNICODE_STRING a, PCUNICODE_STRING b, BOOLEAN CaseInSensitive) {
  u32 i, n;
  RS(a);
  RS(b);
  R(a->Buffer, a->Length);
  R(b->Buffer, b->Length);
  n = (a->Length < b->Length ? a->Length : b->Length) / 2;
  for (i = 0; i < n; i++) {
    u32 x = a->Buffer[i], y = b->Buffer[i];
    if (CaseInSensitive) x = upper(x), y = upper(y);
    if (x != y) return (LONG)x - (LONG)y;
  }
  return (LONG)a->Length - (LONG)b->Length;
}
BOOLEAN RtlEqualUnicodeString(PCUNICODE_STRING a, PCUNICODE_STRING b, BOOLEAN c) { return RtlCompareUnicodeString(a, b, c) == 0; }
HOST(debugPrint) void host_debug(u32 format, u32 arguments);
ULONG DbgPrint(PCSTR Format, ...) {
  va_list list;
  va_start(list, Format);
  host_debug((u32)Format, (u32)list);
  va_end(list);
  return 0;
}
ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...) {
  va_list list;
  va_start(list, Format);
  host_debug((u32)Format, (u32)list);
  va_end(list);
  return 0;
}
HOST(bugCheck) void host_bug_check(u32 code, u32 p1, u32 p2, u32 p3, u32 p4);
HOST(assertFailed) void host_assert(u32 expression, u32 file, u32 line);
VOID KeBugCheckEx(ULONG Code, ULONG_PTR P1, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4) {
  host_bug_check(Code, P1, P2, P3, P4);
  __builtin_trap();
}
VOID nshmAssertFailed(PCSTR Expression, PCSTR File, ULONG Line) {
  host_assert((u32)Expression, (u32)File, Line);
  __builtin_trap();
}

/* ---- events and waiting ---------------------------------------------------------------------------------------------------- */
HOST(initializeEvent) void host_event_init(u32 event, u32 synchronization, u32 state);
HOST(setEvent) u32 host_event_set(u32 event);
HOST(resetEvent) u32 host_event_reset(u32 event);
HOST(readEvent) u32 host_event_read(u32 event);
HOST(wait) u32 host_wait(u32 event, u32 low, u32 high, u32 forever);

VOID KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State) {
  WS(Event);
  zero(Event, sizeof(*Event));
  host_event_init((u32)Event, Type == SynchronizationEvent, State);
}
LONG KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait) {
  WS(Event);
  return host_event_set((u32)Event);
}
LONG KeResetEvent(PRKEVENT Event) {
  WS(Event);
  return host_event_reset((u32)Event);
}
VOID KeClearEvent(PRKEVENT Event) { KeResetEvent(Event); }
LONG KeReadStateEvent(PRKEVENT Event) {
  RS(Event);
  return host_event_read((u32)Event);
}
NTSTATUS KeWaitForSingleObject(PVOID Object, KWAIT_REASON r, KPROCESSOR_MODE m, BOOLEAN a, PLARGE_INTEGER Timeout) {
  R(Object, sizeof(KEVENT));
  if (Timeout == NULL) return host_wait((u32)Object, 0, 0, 1) ? STATUS_SUCCESS : STATUS_TIMEOUT;
  RS(Timeout);
  return host_wait((u32)Object, Timeout->LowPart, Timeout->HighPart, 0) ? STATUS_SUCCESS : STATUS_TIMEOUT;
}
NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE m, BOOLEAN a, PLARGE_INTEGER Interval) {
  RS(Interval);
  host_wait(0, Interval->LowPart, Interval->HighPart, 0);
  return STATUS_SUCCESS;
}
VOID NdisInitializeEvent(PNDIS_EVENT Event) { KeInitializeEvent(&Event->Event, NotificationEvent, FALSE); }
VOID NdisSetEvent(PNDIS_EVENT Event) { KeSetEvent(&Event->Event, 0, FALSE); }
VOID NdisResetEvent(PNDIS_EVENT Event) { KeResetEvent(&Event->Event); }
BOOLEAN NdisWaitEvent(PNDIS_EVENT Event, UINT MsToWait) {
  LARGE_INTEGER due;
  R(Event, sizeof(*Event));
  if (MsToWait == 0) return (BOOLEAN)host_wait((u32)&Event->Event, 0, 0, 1);
  due.QuadPart = -(LONGLONG)MsToWait * 10000;
  return (BOOLEAN)host_wait((u32)&Event->Event, due.LowPart, due.HighPart, 0);
}
VOID NdisMSleep(ULONG MicrosecondsToSleep) {
  LARGE_INTEGER due;
  due.QuadPart = -(LONGLONG)MicrosecondsToSleep * 10;
  host_wait(0, due.LowPart, due.HighPart, 0);
}

/* ---- time, timers, deferred calls, work items ---------------------------------------------------------------------------------- */
HOST(time) void host_time(u32 where, u32 what);
HOST(stall) void host_stall(u32 microseconds);
HOST(setTimer) u32 host_timer_set(u32 timer, u32 low, u32 high, u32 period, u32 dpc, u32 function, u32 context);
HOST(cancelTimer) u32 host_timer_cancel(u32 timer);
HOST(initializeTimer) void host_timer_init(u32 timer, u32 adapter);
HOST(queueDpc) u32 host_dpc(u32 dpc, u32 routine, u32 context, u32 one, u32 two);

VOID KeQuerySystemTime(PLARGE_INTEGER CurrentTime) {
  WS(CurrentTime);
  host_time((u32)CurrentTime, 0);
}
ULONGLONG KeQueryInterruptTime(VOID) {
  LARGE_INTEGER now;
  host_time((u32)&now, 1);
  return now.QuadPart;
}
VOID KeQueryTickCount(PLARGE_INTEGER CurrentCount) {
  WS(CurrentCount);
  host_time((u32)CurrentCount, 1);
  CurrentCount->QuadPart /= 156250;
}
ULONG KeQueryTimeIncrement(VOID) { return 156250; }
LARGE_INTEGER KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency) {
  LARGE_INTEGER now;
  host_time((u32)&now, 1);
  if (PerformanceFrequency) {
    WS(PerformanceFrequency);
    PerformanceFrequency->QuadPart = 10000000;
  }
  return now;
}
VOID KeStallExecutionProcessor(ULONG MicroSeconds) { host_stall(MicroSeconds); }
VOID NdisGetCurrentSystemTime(PLARGE_INTEGER t) { KeQuerySystemTime(t); }
VOID NdisGetSystemUpTimeEx(PLARGE_INTEGER t) {
  WS(t);
  host_time((u32)t, 1);
  t->QuadPart /= 10000;
}
VOID KeInitializeDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext) {
  WS(Dpc);
  zero(Dpc, sizeof(*Dpc));
  Dpc->DeferredRoutine = DeferredRoutine;
  Dpc->DeferredContext = DeferredContext;
}
BOOLEAN KeInsertQueueDpc(PRKDPC Dpc, PVOID a, PVOID b) {
  RS(Dpc);
  return (BOOLEAN)host_dpc((u32)Dpc, (u32)Dpc->DeferredRoutine, (u32)Dpc->DeferredContext, (u32)a, (u32)b);
}
VOID KeInitializeTimer(PKTIMER Timer) {
  WS(Timer);
  zero(Timer, sizeof(*Timer));
  host_timer_init((u32)Timer, 0);
}
BOOLEAN KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc) {
  u32 routine = 0, context = 0;
  WS(Timer);
  if (Dpc) {
    RS(Dpc);
    routine = (u32)Dpc->DeferredRoutine;
    context = (u32)Dpc->DeferredContext;
  }
  return (BOOLEAN)host_timer_set((u32)Timer, DueTime.LowPart, DueTime.HighPart, Period, (u32)Dpc, routine, context);
}
BOOLEAN KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc) { return KeSetTimerEx(Timer, DueTime, 0, Dpc); }
BOOLEAN KeCancelTimer(PKTIMER Timer) {
  WS(Timer);
  return (BOOLEAN)host_timer_cancel((u32)Timer);
}
VOID NdisMInitializeTimer(PNDIS_MINIPORT_TIMER Timer, NDIS_HANDLE Adapter, PNDIS_TIMER_FUNCTION Function, PVOID Context) {
  WS(Timer);
  zero(Timer, sizeof(*Timer));
  Timer->MiniportTimerFunction = Function;
  Timer->MiniportTimerContext = Context;
  Timer->Miniport = Adapter;
  host_timer_init((u32)&Timer->Timer, (u32)Adapter);
}
static void set_ms(PNDIS_MINIPORT_TIMER Timer, u32 ms, u32 period) {
  LARGE_INTEGER due;
  WS(Timer);
  due.QuadPart = -(LONGLONG)ms * 10000;
  host_timer_set((u32)&Timer->Timer, due.LowPart, due.HighPart, period, 0, (u32)Timer->MiniportTimerFunction, (u32)Timer->MiniportTimerContext);
}
VOID NdisMSetPeriodicTimer(PNDIS_MINIPORT_TIMER Timer, UINT ms) { set_ms(Timer, ms, ms); }
VOID NdisSetTimer(PNDIS_TIMER Timer, UINT ms) { set_ms(Timer, ms, 0); }
VOID NdisMCancelTimer(PNDIS_MINIPORT_TIMER Timer, PBOOLEAN TimerCancelled) {
  WS(Timer);
  WS(TimerCancelled);
  *TimerCancelled = (BOOLEAN)host_timer_cancel((u32)&Timer->Timer);
}

HOST(makeTimerObject) u32 host_timer_make(u32 owner, u32 function, u32 context, u32 type, u32 size);
HOST(setTimerObject) u32 host_timer_object_set(u32 timer, u32 low, u32 high, u32 period, u32 context);
HOST(cancelTimerObject) u32 host_timer_object_cancel(u32 timer);
HOST(freeTimerObject) void host_timer_object_free(u32 timer);
NDIS_STATUS NdisAllocateTimerObject(NDIS_HANDLE NdisHandle, PNDIS_TIMER_CHARACTERISTICS c, PNDIS_HANDLE pTimerObject) {
  RS(c);
  WS(pTimerObject);
  *pTimerObject = (NDIS_HANDLE)host_timer_make((u32)NdisHandle, (u32)c->TimerFunction, (u32)c->FunctionContext, c->Header.Type, c->Header.Size);
  return *pTimerObject ? NDIS_STATUS_SUCCESS : NDIS_STATUS_RESOURCES;
}
BOOLEAN NdisSetTimerObject(NDIS_HANDLE TimerObject, LARGE_INTEGER DueTime, LONG Period, PVOID FunctionContext) {
  return (BOOLEAN)host_timer_object_set((u32)TimerObject, DueTime.LowPart, DueTime.HighPart, Period, (u32)FunctionContext);
}
BOOLEAN NdisCancelTimerObject(NDIS_HANDLE TimerObject) { return (BOOLEAN)host_timer_object_cancel((u32)TimerObject); }
VOID NdisFreeTimerObject(NDIS_HANDLE TimerObject) { host_timer_object_free((u32)TimerObject); }

HOST(makeWorkItem) u32 host_work_make(u32 owner);
HOST(freeWorkItem) void host_work_free(u32 item);
HOST(queueWorkItem) void host_work_queue(u32 item, u32 routine, u32 context);
NDIS_HANDLE NdisAllocateIoWorkItem(NDIS_HANDLE h) { return (NDIS_HANDLE)host_work_make((u32)h); }
VOID NdisFreeIoWorkItem(NDIS_HANDLE h) { host_work_free((u32)h); }
VOID NdisQueueIoWorkItem(NDIS_HANDLE h, NDIS_IO_WORKITEM_ROUTINE Routine, PVOID Context) { host_work_queue((u32)h, (u32)Routine, (u32)Context); }

/* ---- memory descriptor lists ---------------------------------------------------------------------------------------------------- */
static PMDL make_mdl(PVOID Va, u32 Length, u32 adapter, u32 kind) {
  PMDL mdl = (PMDL)host_alloc(sizeof(MDL), 0x206c644d, kind, adapter);
  if (!mdl) return NULL;
  zero(mdl, sizeof(*mdl));
  mdl->Size = sizeof(MDL);
  mdl->MdlFlags = MDL_SOURCE_IS_NONPAGED_POOL | MDL_MAPPED_TO_SYSTEM_VA;
  mdl->MappedSystemVa = Va;
  mdl->StartVa = PAGE_ALIGN(Va);
  mdl->ByteOffset = BYTE_OFFSET(Va);
  mdl->ByteCount = Length;
  return mdl;
}
PMDL NdisAllocateMdl(NDIS_HANDLE h, PVOID Va, UINT Length) { return make_mdl(Va, Length, (u32)h, POOL_MDL); }
VOID NdisFreeMdl(PMDL Mdl) { host_free((u32)Mdl, 0, 0, POOL_MDL); }
PMDL IoAllocateMdl(PVOID Va, ULONG Length, BOOLEAN s, BOOLEAN c, PVOID Irp) { return make_mdl(Va, Length, 0, POOL_MDL); }
VOID IoFreeMdl(PMDL Mdl) { host_free((u32)Mdl, 0, 0, POOL_MDL); }
VOID MmBuildMdlForNonPagedPool(PMDL Mdl) { RS(Mdl); }
VOID NdisQueryMdl(PMDL Mdl, PVOID *Va, PUINT Length, ULONG Priority) {
  RS(Mdl);
  if (Va) {
    WS(Va);
    *Va = Mdl->MappedSystemVa;
  }
  WS(Length);
  *Length = Mdl->ByteCount;
}
VOID NdisQueryMdlOffset(PMDL Mdl, PUINT Offset, PUINT Length) {
  RS(Mdl);
  WS(Offset);
  WS(Length);
  *Offset = Mdl->ByteOffset;
  *Length = Mdl->ByteCount;
}
VOID NdisAdjustMdlLength(PMDL Mdl, UINT Length) {
  WS(Mdl);
  Mdl->ByteCount = Length;
}

/* ---- network buffers ---------------------------------------------------------------------------------------------------------------- */
HOST(makePool) u32 host_pool_make(u32 owner, u32 kind, u32 with_buffer, u32 context_size, u32 data_size, u32 tag, u32 type, u32 size);
HOST(freeNetPool) void host_pool_free(u32 pool, u32 kind);
/* What of a pool: 0 the size of its contexts, 1 that of its data; refuses a handle that is none. */
HOST(netPool) u32 host_pool_size(u32 pool, u32 kind, u32 what);
HOST(countInPool) void host_pool_count(u32 pool, u32 more);

NDIS_HANDLE NdisAllocateNetBufferListPool(NDIS_HANDLE h, PNET_BUFFER_LIST_POOL_PARAMETERS p) {
  R(p, NDIS_SIZEOF_NET_BUFFER_LIST_POOL_PARAMETERS_REVISION_1);
  return (NDIS_HANDLE)host_pool_make((u32)h, 0, p->fAllocateNetBuffer, p->ContextSize, p->DataSize, p->PoolTag, p->Header.Type, p->Header.Size);
}
VOID NdisFreeNetBufferListPool(NDIS_HANDLE p) { host_pool_free((u32)p, 0); }
NDIS_HANDLE NdisAllocateNetBufferPool(NDIS_HANDLE h, PNET_BUFFER_POOL_PARAMETERS p) {
  R(p, NDIS_SIZEOF_NET_BUFFER_POOL_PARAMETERS_REVISION_1);
  return (NDIS_HANDLE)host_pool_make((u32)h, 1, 1, 0, p->DataSize, p->PoolTag, p->Header.Type, p->Header.Size);
}
VOID NdisFreeNetBufferPool(NDIS_HANDLE p) { host_pool_free((u32)p, 1); }

/* A list, its context and its first buffer lie in one piece: [NET_BUFFER_LIST][NET_BUFFER][context][data]. */
static void init_nb(PNET_BUFFER nb, NDIS_HANDLE pool, PMDL MdlChain, u32 DataOffset, u32 DataLength) {
  u32 left = DataOffset;
  PMDL mdl = MdlChain;
  zero(nb, sizeof(*nb));
  nb->NdisPoolHandle = pool;
  nb->MdlChain = MdlChain;
  nb->DataOffset = DataOffset;
  nb->DataLength = DataLength;
  while (mdl) {
    RS(mdl);
    if (left < mdl->ByteCount || mdl->Next == NULL) break;
    left -= mdl->ByteCount;
    mdl = mdl->Next;
  }
  nb->CurrentMdl = mdl;
  nb->CurrentMdlOffset = left;
}
static u32 up8(u32 n) { return (n + 7) & ~7u; }
static PNET_BUFFER_LIST make_nbl(NDIS_HANDLE pool, u32 context, u32 backfill, int buffer, u32 data, u32 kind) {
  u32 nbl_size = up8(sizeof(NET_BUFFER_LIST)), nb_size = buffer ? up8(sizeof(NET_BUFFER)) : 0;
  u32 context_size = context + backfill ? up8(sizeof(NET_BUFFER_LIST_CONTEXT) + context + backfill) : 0;
  u8 *block = (u8 *)host_alloc(nbl_size + nb_size + context_size + data, 0x204c424e, kind, (u32)pool);
  PNET_BUFFER_LIST nbl = (PNET_BUFFER_LIST)block;
  if (!block) return NULL;
  zero(block, nbl_size + nb_size + context_size);
  nbl->NdisPoolHandle = pool;
  if (buffer) nbl->FirstNetBuffer = (PNET_BUFFER)(block + nbl_size);
  if (context_size) {
    nbl->Context = (PNET_BUFFER_LIST_CONTEXT)(block + nbl_size + nb_size);
    nbl->Context->Size = context + backfill;
    nbl->Context->Offset = backfill;
  }
  return nbl;
}
PNET_BUFFER_LIST NdisAllocateNetBufferList(NDIS_HANDLE pool, USHORT context, USHORT backfill) {
  PNET_BUFFER_LIST nbl;
  u32 own = host_pool_size((u32)pool, 0, 0);
  nbl = make_nbl(pool, context ? context : own, backfill, 0, 0, POOL_NBL);
  if (nbl) host_pool_count((u32)pool, 1);
  return nbl;
}
PNET_BUFFER_LIST NdisAllocateNetBufferAndNetBufferList(NDIS_HANDLE pool, USHORT context, USHORT backfill, PMDL Mdl, ULONG Offset, SIZE_T Length) {
  PNET_BUFFER_LIST nbl;
  u32 own = host_pool_size((u32)pool, 0, 0);
  nbl = make_nbl(pool, context ? context : own, backfill, 1, 0, POOL_NBL);
  if (nbl) {
    init_nb(nbl->FirstNetBuffer, pool, Mdl, Offset, Length);
    host_pool_count((u32)pool, 1);
  }
  return nbl;
}
VOID NdisFreeNetBufferList(PNET_BUFFER_LIST nbl) {
  RS(nbl);
  host_pool_count((u32)nbl->NdisPoolHandle, (u32)-1);
  host_free((u32)nbl, 0, 0, POOL_NBL);
}
PNET_BUFFER NdisAllocateNetBuffer(NDIS_HANDLE pool, PMDL Mdl, ULONG Offset, SIZE_T Length) {
  PNET_BUFFER nb;
  host_pool_size((u32)pool, 1, 0);
  nb = (PNET_BUFFER)host_alloc(sizeof(NET_BUFFER), 0x2042424e, POOL_NB, (u32)pool);
  if (nb) {
    init_nb(nb, pool, Mdl, Offset, Length);
    host_pool_count((u32)pool, 1);
  }
  return nb;
}
PNET_BUFFER NdisAllocateNetBufferMdlAndData(NDIS_HANDLE pool) {
  u32 data = host_pool_size((u32)pool, 1, 1), head = up8(sizeof(NET_BUFFER)), mdl_size = up8(sizeof(MDL));
  u8 *block = (u8 *)host_alloc(head + mdl_size + data, 0x2042424e, POOL_NB, (u32)pool);
  PMDL mdl = (PMDL)(block + head);
  if (!block) return NULL;
  zero(mdl, sizeof(*mdl));
  mdl->Size = sizeof(MDL);
  mdl->MdlFlags = MDL_SOURCE_IS_NONPAGED_POOL | MDL_MAPPED_TO_SYSTEM_VA;
  mdl->MappedSystemVa = block + head + mdl_size;
  mdl->StartVa = PAGE_ALIGN(mdl->MappedSystemVa);
  mdl->ByteOffset = BYTE_OFFSET(mdl->MappedSystemVa);
  mdl->ByteCount = data;
  init_nb((PNET_BUFFER)block, pool, mdl, 0, 0);
  host_pool_count((u32)pool, 1);
  return (PNET_BUFFER)block;
}
VOID NdisFreeNetBuffer(PNET_BUFFER nb) {
  RS(nb);
  host_pool_count((u32)nb->NdisPoolHandle, (u32)-1);
  host_free((u32)nb, 0, 0, POOL_NB);
}
/* Bytes from an offset in a buffer's data to one place; how many there were. */
static u32 gather(PNET_BUFFER nb, u32 skip, u8 *to, u32 most) {
  u32 done = 0, at;
  PMDL mdl = nb->CurrentMdl;
  at = nb->CurrentMdlOffset + skip;
  while (mdl && done < most) {
    u32 part;
    RS(mdl);
    if (at >= mdl->ByteCount) {
      at -= mdl->ByteCount;
      mdl = mdl->Next;
      continue;
    }
    part = mdl->ByteCount - at;
    if (part > most - done) part = most - done;
    R((u8 *)mdl->MappedSystemVa + at, part);
    copy(to + done, (u8 *)mdl->MappedSystemVa + at, part);
    done += part;
    at = 0;
    mdl = mdl->Next;
  }
  return done;
}
PVOID NdisGetDataBuffer(PNET_BUFFER nb, ULONG BytesNeeded, PVOID Storage, ULONG AlignMultiple, ULONG AlignOffset) {
  RS(nb);
  if (nb->DataLength < BytesNeeded || !nb->CurrentMdl) return NULL;
  RS(nb->CurrentMdl);
  if (nb->CurrentMdl->ByteCount - nb->CurrentMdlOffset >= BytesNeeded) {
    u8 *at = (u8 *)nb->CurrentMdl->MappedSystemVa + nb->CurrentMdlOffset;
    if (AlignMultiple <= 1 || ((u32)at % AlignMultiple) == AlignOffset) return at;
  }
  if (!Storage) return NULL;
  W(Storage, BytesNeeded);
  return gather(nb, 0, Storage, BytesNeeded) == BytesNeeded ? Storage : NULL;
}
VOID NdisAdvanceNetBufferDataStart(PNET_BUFFER nb, ULONG Delta, BOOLEAN FreeMdl, PVOID FreeMdlHandler) {
  WS(nb);
  init_nb(nb, nb->NdisPoolHandle, nb->MdlChain, nb->DataOffset + Delta, nb->DataLength - Delta);
}
NDIS_STATUS NdisRetreatNetBufferDataStart(PNET_BUFFER nb, ULONG Delta, ULONG BackFill, PVOID AllocateMdlHandler) {
  WS(nb);
  if (nb->DataOffset < Delta) return NDIS_STATUS_RESOURCES;
  init_nb(nb, nb->NdisPoolHandle, nb->MdlChain, nb->DataOffset - Delta, nb->DataLength + Delta);
  return NDIS_STATUS_SUCCESS;
}

/* ---- receive, send, requests, status -------------------------------------------------------------------------------------------------- */
HOST(indicate) void host_indicate(u32 adapter, u32 nbl, u32 data, u32 length, u32 flags);
HOST(sendComplete) void host_send_complete(u32 adapter, u32 nbl, u32 status);

VOID NdisMIndicateReceiveNetBufferLists(NDIS_HANDLE h, PNET_BUFFER_LIST nbls, NDIS_PORT_NUMBER port, ULONG count, ULONG flags) {
  u32 seen = 0;
  PNET_BUFFER_LIST nbl = nbls, next;
  HOST(indicated) void host_indicated(u32 adapter, u32 said, u32 found, u32 flags);
  for (; nbl && seen < 4096; nbl = nbl->Next, seen++) RS(nbl);
  host_indicated((u32)h, count, seen, flags);
  for (nbl = nbls; nbl; nbl = next) {
    PNET_BUFFER nb = nbl->FirstNetBuffer;
    u32 length = 0;
    u8 *data = NULL, *bounce = NULL;
    next = nbl->Next;
    if (nb) {
      RS(nb);
      length = nb->DataLength;
      if (length > 65536) length = 65536;
      if (nb->CurrentMdl) {
        RS(nb->CurrentMdl);
        if (nb->CurrentMdl->ByteCount - nb->CurrentMdlOffset >= length) {
          data = (u8 *)nb->CurrentMdl->MappedSystemVa + nb->CurrentMdlOffset;
          R(data, length);
        } else {
          data = bounce = (u8 *)host_alloc(length, 0, POOL_OURS, 0);
          length = bounce ? gather(nb, 0, bounce, length) : 0;
        }
      }
    }
    if (!(flags & NDIS_RECEIVE_FLAGS_RESOURCES)) nbl->Next = NULL;
    host_indicate((u32)h, (u32)nbl, (u32)data, length, flags);
    if (bounce) host_free((u32)bounce, 0, 0, POOL_OURS);
  }
}
VOID NdisMSendNetBufferListsComplete(NDIS_HANDLE h, PNET_BUFFER_LIST nbls, ULONG flags) {
  PNET_BUFFER_LIST nbl, next;
  u32 seen = 0;
  for (nbl = nbls; nbl && seen < 4096; nbl = next, seen++) {
    RS(nbl);
    next = nbl->Next;
    host_send_complete((u32)h, (u32)nbl, (u32)nbl->Status);
  }
}
HOST(oidComplete) void host_oid_complete(u32 adapter, u32 request, u32 status);
VOID NdisMOidRequestComplete(NDIS_HANDLE h, PNDIS_OID_REQUEST r, NDIS_STATUS s) {
  RS(r);
  host_oid_complete((u32)h, (u32)r, (u32)s);
}
HOST(status) void host_status(u32 adapter, u32 code, u32 source, u32 buffer, u32 size);
VOID NdisMIndicateStatusEx(NDIS_HANDLE h, PNDIS_STATUS_INDICATION s) {
  RS(s);
  if (s->StatusBufferSize) R(s->StatusBuffer, s->StatusBufferSize);
  host_status((u32)h, (u32)s->StatusCode, (u32)s->SourceHandle, (u32)s->StatusBuffer, s->StatusBufferSize);
}
HOST(pauseComplete) void host_pause_complete(u32 adapter);
HOST(restartComplete) void host_restart_complete(u32 adapter, u32 status);
HOST(resetComplete) void host_reset_complete(u32 adapter, u32 status);
HOST(removeMiniport) void host_remove(u32 adapter);
VOID NdisMPauseComplete(NDIS_HANDLE h) { host_pause_complete((u32)h); }
VOID NdisMRestartComplete(NDIS_HANDLE h, NDIS_STATUS s) { host_restart_complete((u32)h, (u32)s); }
VOID NdisMResetComplete(NDIS_HANDLE h, NDIS_STATUS s, BOOLEAN a) { host_reset_complete((u32)h, (u32)s); }
VOID NdisMRemoveMiniport(NDIS_HANDLE h) { host_remove((u32)h); }

/* ---- the driver and its adapters ---------------------------------------------------------------------------------------------------------- */
HOST(registerDriver) u32 host_register_driver(u32 object, u32 context, u32 flat, u32 handle);
HOST(deregisterDriver) void host_deregister_driver(u32 driver);
NDIS_STATUS NdisMRegisterMiniportDriver(PDRIVER_OBJECT o, PUNICODE_STRING p, NDIS_HANDLE c, PNDIS_MINIPORT_DRIVER_CHARACTERISTICS t, PNDIS_HANDLE h) {
  u32 flat[24];
  R(t, NDIS_SIZEOF_MINIPORT_DRIVER_CHARACTERISTICS_REVISION_1);
  WS(h);
  flat[0] = t->Header.Type;
  flat[1] = t->Header.Revision;
  flat[2] = t->Header.Size;
  flat[3] = t->MajorNdisVersion;
  flat[4] = t->MinorNdisVersion;
  flat[5] = t->MajorDriverVersion;
  flat[6] = t->MinorDriverVersion;
  flat[7] = t->Flags;
  flat[8] = (u32)t->SetOptionsHandler;
  flat[9] = (u32)t->InitializeHandlerEx;
  flat[10] = (u32)t->HaltHandlerEx;
  flat[11] = (u32)t->UnloadHandler;
  flat[12] = (u32)t->PauseHandler;
  flat[13] = (u32)t->RestartHandler;
  flat[14] = (u32)t->OidRequestHandler;
  flat[15] = (u32)t->SendNetBufferListsHandler;
  flat[16] = (u32)t->ReturnNetBufferListsHandler;
  flat[17] = (u32)t->CancelSendHandler;
  flat[18] = (u32)t->CheckForHangHandlerEx;
  flat[19] = (u32)t->ResetHandlerEx;
  flat[20] = (u32)t->DevicePnPEventNotifyHandler;
  flat[21] = (u32)t->ShutdownHandlerEx;
  flat[22] = (u32)t->CancelOidRequestHandler;
  return (NDIS_STATUS)host_register_driver((u32)o, (u32)c, (u32)flat, (u32)h);
}
VOID NdisMDeregisterMiniportDriver(NDIS_HANDLE h) { host_deregister_driver((u32)h); }
HOST(setAttributes) u32 host_attributes(u32 adapter, u32 type, u32 revision, u32 size, u32 context, u32 flags, u32 seconds, u32 interface);
NDIS_STATUS NdisMSetMiniportAttributes(NDIS_HANDLE h, PNDIS_MINIPORT_ADAPTER_ATTRIBUTES a) {
  PNDIS_OBJECT_HEADER header = (PNDIS_OBJECT_HEADER)a;
  PNDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES r = (PNDIS_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES)a;
  RS(header);
  if (header->Type != NDIS_OBJECT_TYPE_MINIPORT_ADAPTER_REGISTRATION_ATTRIBUTES)
    return (NDIS_STATUS)host_attributes((u32)h, header->Type, header->Revision, header->Size, 0, 0, 0, 0);
  RS(r);
  return (NDIS_STATUS)host_attributes((u32)h, header->Type, header->Revision, header->Size, (u32)r->MiniportAdapterContext, r->AttributeFlags,
                                      r->CheckForHangTimeInSeconds, (u32)r->InterfaceType);
}
HOST(registerInterrupt) u32 host_interrupt(u32 adapter, u32 context, u32 flat, u32 handle);
HOST(deregisterInterrupt) void host_interrupt_off(u32 interrupt);
HOST(synchronize) u32 host_synchronize(u32 interrupt, u32 function, u32 context);
HOST(queueInterruptDpc) u32 host_queue_dpc(u32 interrupt, u32 message, u32 context);
NDIS_STATUS NdisMRegisterInterruptEx(NDIS_HANDLE a, NDIS_HANDLE c, PNDIS_MINIPORT_INTERRUPT_CHARACTERISTICS t, PNDIS_HANDLE h) {
  u32 flat[8], status;
  WS(t);
  WS(h);
  flat[0] = t->Header.Type;
  flat[1] = t->Header.Revision;
  flat[2] = t->Header.Size;
  flat[3] = (u32)t->InterruptHandler;
  flat[4] = (u32)t->InterruptDpcHandler;
  flat[5] = (u32)t->DisableInterruptHandler;
  flat[6] = (u32)t->EnableInterruptHandler;
  status = host_interrupt((u32)a, (u32)c, (u32)flat, (u32)h);
  if (status == NDIS_STATUS_SUCCESS) {
    t->InterruptType = NDIS_CONNECT_LINE_BASED;
    t->MessageInfoTable = NULL;
  }
  return (NDIS_STATUS)status;
}
VOID NdisMDeregisterInterruptEx(NDIS_HANDLE h) { host_interrupt_off((u32)h); }
BOOLEAN NdisMSynchronizeWithInterruptEx(NDIS_HANDLE h, ULONG m, MINIPORT_SYNCHRONIZE_INTERRUPT_HANDLER f, PVOID c) {
  return (BOOLEAN)host_synchronize((u32)h, (u32)f, (u32)c);
}
ULONG NdisMQueueDpc(NDIS_HANDLE h, ULONG MessageId, ULONG TargetProcessors, PVOID Context) { return host_queue_dpc((u32)h, MessageId, (u32)Context); }

/* ---- shared memory ----------------------------------------------------------------------------------------------------------------------------- */
HOST(registerDma) u32 host_dma(u32 adapter, u32 flat, u32 handle);
HOST(deregisterDma) void host_dma_off(u32 dma);
HOST(allocateShared) u32 host_shared(u32 adapter, u32 length, u32 cached, u32 physical);
HOST(allocateSharedAsync) u32 host_shared_async(u32 dma, u32 length, u32 cached, u32 context, u32 legacy);
HOST(freeShared) void host_shared_free(u32 adapter, u32 length, u32 cached, u32 virtual, u32 low, u32 high);
HOST(dmaAlignment) u32 host_dma_alignment(u32 adapter);
NDIS_STATUS NdisMRegisterScatterGatherDma(NDIS_HANDLE a, PNDIS_SG_DMA_DESCRIPTION d, PNDIS_HANDLE h) {
  u32 flat[8], status;
  W(d, NDIS_SIZEOF_SG_DMA_DESCRIPTION_REVISION_1);
  WS(h);
  flat[0] = d->Header.Type;
  flat[1] = d->Header.Revision;
  flat[2] = d->Header.Size;
  flat[3] = d->Flags;
  flat[4] = d->MaximumPhysicalMapping;
  flat[5] = (u32)d->ProcessSGListHandler;
  flat[6] = (u32)d->SharedMemAllocateCompleteHandler;
  flat[7] = 0;
  status = host_dma((u32)a, (u32)flat, (u32)h);
  if (status == NDIS_STATUS_SUCCESS) d->ScatterGatherListSize = flat[7];
  return (NDIS_STATUS)status;
}
VOID NdisMDeregisterScatterGatherDma(NDIS_HANDLE h) { host_dma_off((u32)h); }
VOID NdisMAllocateSharedMemory(NDIS_HANDLE a, ULONG Length, BOOLEAN Cached, PVOID *Va, PNDIS_PHYSICAL_ADDRESS Pa) {
  NDIS_PHYSICAL_ADDRESS pa;
  WS(Va);
  WS(Pa);
  *Va = (PVOID)host_shared((u32)a, Length, Cached, (u32)&pa);
  *Pa = pa;
}
NDIS_STATUS NdisMAllocateSharedMemoryAsyncEx(NDIS_HANDLE d, ULONG Length, BOOLEAN Cached, PVOID Context) {
  return (NDIS_STATUS)host_shared_async((u32)d, Length, Cached, (u32)Context, 0);
}
NDIS_STATUS NdisMAllocateSharedMemoryAsync(NDIS_HANDLE a, ULONG Length, BOOLEAN Cached, PVOID Context) {
  return (NDIS_STATUS)host_shared_async((u32)a, Length, Cached, (u32)Context, 1);
}
VOID NdisMFreeSharedMemory(NDIS_HANDLE a, ULONG Length, BOOLEAN Cached, PVOID Va, NDIS_PHYSICAL_ADDRESS Pa) {
  host_shared_free((u32)a, Length, Cached, (u32)Va, Pa.LowPart, (u32)Pa.HighPart);
}
ULONG NdisMGetDmaAlignment(NDIS_HANDLE a) { return host_dma_alignment((u32)a); }
ULONG NdisGetSharedDataAlignment(VOID) { return 64; }
HOST(allocateSgList) u32 host_sg_allocate(u32 dma, u32 nb, u32 flat, u32 count, u32 context, u32 flags, u32 buffer, u32 size, u32 offset, u32 length);
HOST(freeSgList) void host_sg_free(u32 dma, u32 list, u32 nb);
NDIS_STATUS NdisMAllocateNetBufferSGList(NDIS_HANDLE d, PNET_BUFFER nb, PVOID Context, ULONG Flags, PVOID Buffer, ULONG Size) {
  u32 flat[128], count = 0;
  PMDL mdl;
  RS(nb);
  for (mdl = nb->CurrentMdl; mdl && count < 64; mdl = mdl->Next, count++) {
    RS(mdl);
    flat[2 * count] = (u32)mdl->MappedSystemVa;
    flat[2 * count + 1] = mdl->ByteCount;
  }
  if (Buffer) W(Buffer, Size);
  return (NDIS_STATUS)host_sg_allocate((u32)d, (u32)nb, (u32)flat, count, (u32)Context, Flags, (u32)Buffer, Size, nb->CurrentMdlOffset, nb->DataLength);
}
VOID NdisMFreeNetBufferSGList(NDIS_HANDLE d, PSCATTER_GATHER_LIST l, PNET_BUFFER nb) { host_sg_free((u32)d, (u32)l, (u32)nb); }
HOST(allocateShared620) u32 host_shared_620(u32 owner, u32 flat, u32 handle);
HOST(freeShared620) void host_shared_620_free(u32 owner, u32 allocation);
NDIS_STATUS NdisAllocateSharedMemory(NDIS_HANDLE h, PNDIS_SHARED_MEMORY_PARAMETERS p, PNDIS_HANDLE handle) {
  u32 flat[12], status;
  W(p, NDIS_SIZEOF_SHARED_MEMORY_PARAMETERS_REVISION_1);
  WS(handle);
  flat[0] = p->Header.Type;
  flat[1] = p->Header.Revision;
  flat[2] = p->Header.Size;
  flat[3] = p->Flags;
  flat[4] = p->QueueId;
  flat[5] = p->PreferredNode;
  flat[6] = p->Usage;
  flat[7] = p->Length;
  flat[8] = p->SGListBufferLength;
  flat[9] = (u32)p->SGListBuffer;
  if (p->SGListBuffer) W(p->SGListBuffer, p->SGListBufferLength);
  status = host_shared_620((u32)h, (u32)flat, (u32)handle);
  if (status == NDIS_STATUS_SUCCESS) {
    p->VirtualAddress = (PVOID)flat[10];
    p->SharedMemoryHandle = NULL;
  }
  return (NDIS_STATUS)status;
}
VOID NdisFreeSharedMemory(NDIS_HANDLE h, NDIS_HANDLE a) { host_shared_620_free((u32)h, (u32)a); }
/* A list for the driver: at `where`, which holds it. */
EXPORT(nshm_write_list) void nshm_write_list(PSCATTER_GATHER_LIST where, u32 *flat, u32 count) {
  u32 i;
  where->NumberOfElements = count;
  where->Reserved = 0;
  for (i = 0; i < count; i++) {
    where->Elements[i].Address.LowPart = flat[3 * i];
    where->Elements[i].Address.HighPart = (LONG)flat[3 * i + 1];
    where->Elements[i].Length = flat[3 * i + 2];
    where->Elements[i].Reserved = 0;
  }
}

/* ---- registers, ports, configuration space --------------------------------------------------------------------------------------------------------- */
HOST(mapIoSpace) u32 host_map(u32 adapter, u32 low, u32 high, u32 length, u32 documented);
HOST(unmapIoSpace) void host_unmap(u32 adapter, u32 address, u32 length);
HOST(mapPorts) u32 host_ports(u32 adapter, u32 first, u32 count);
HOST(portLoad) u32 host_port_load(u32 port, u32 size);
HOST(portStore) void host_port_store(u32 port, u32 size, u32 value);
HOST(busData) u32 host_bus_data(u32 adapter, u32 space, u32 offset, u32 buffer, u32 length, u32 write);
PVOID MmMapIoSpace(PHYSICAL_ADDRESS a, SIZE_T n, MEMORY_CACHING_TYPE c) { return (PVOID)host_map(0, a.LowPart, (u32)a.HighPart, n, 1); }
PVOID MmMapIoSpaceEx(PHYSICAL_ADDRESS a, SIZE_T n, ULONG p) { return (PVOID)host_map(0, a.LowPart, (u32)a.HighPart, n, 1); }
VOID MmUnmapIoSpace(PVOID a, SIZE_T n) { host_unmap(0, (u32)a, n); }
NDIS_STATUS NdisMMapIoSpace(PVOID *Va, NDIS_HANDLE h, NDIS_PHYSICAL_ADDRESS a, UINT n) {
  WS(Va);
  *Va = (PVOID)host_map((u32)h, a.LowPart, (u32)a.HighPart, n, 1);
  return *Va ? NDIS_STATUS_SUCCESS : NDIS_STATUS_RESOURCES;
}
VOID NdisMUnmapIoSpace(NDIS_HANDLE h, PVOID a, UINT n) { host_unmap((u32)h, (u32)a, n); }
NDIS_STATUS NdisMRegisterIoPortRange(PVOID *Offset, NDIS_HANDLE h, UINT first, UINT count) {
  WS(Offset);
  *Offset = (PVOID)host_ports((u32)h, first, count);
  return *Offset ? NDIS_STATUS_SUCCESS : NDIS_STATUS_RESOURCES;
}
VOID NdisMDeregisterIoPortRange(NDIS_HANDLE h, UINT first, UINT count, PVOID Offset) { host_unmap((u32)h, (u32)Offset, count); }
PHYSICAL_ADDRESS MmGetPhysicalAddress(PVOID a) {
  HOST(physicalOf) void host_physical(u32 address, u32 where);
  PHYSICAL_ADDRESS p;
  host_physical((u32)a, (u32)&p);
  return p;
}
#define REGISTER(name, type, bytes)                                   \
  type READ_REGISTER_##name(volatile type *r) {                       \
    R(r, bytes);                                                      \
    return *r;                                                        \
  }                                                                   \
  VOID WRITE_REGISTER_##name(volatile type *r, type v) {              \
    W(r, bytes);                                                      \
    *r = v;                                                           \
    nshm_flush();                                                     \
  }                                                                   \
  type READ_PORT_##name(type *p) { return (type)host_port_load((u32)p, bytes); } \
  VOID WRITE_PORT_##name(type *p, type v) { host_port_store((u32)p, bytes, v); }
REGISTER(UCHAR, UCHAR, 1)
REGISTER(USHORT, USHORT, 2)
REGISTER(ULONG, ULONG, 4)
ULONG NdisMGetBusData(NDIS_HANDLE h, ULONG s, ULONG o, PVOID b, ULONG n) {
  W(b, n);
  return host_bus_data((u32)h, s, o, (u32)b, n, 0);
}
ULONG NdisMSetBusData(NDIS_HANDLE h, ULONG s, ULONG o, PVOID b, ULONG n) {
  R(b, n);
  return host_bus_data((u32)h, s, o, (u32)b, n, 1);
}
VOID NdisMGetDeviceProperty(NDIS_HANDLE h, PDEVICE_OBJECT *p, PDEVICE_OBJECT *f, PDEVICE_OBJECT *n, PVOID a, PVOID t) {
  if (p) {
    WS(p);
    *p = NULL;
  }
  if (f) {
    WS(f);
    *f = NULL;
  }
  if (n) {
    WS(n);
    *n = NULL;
  }
}

/* ---- configuration, error log ------------------------------------------------------------------------------------------------------------------------ */
HOST(openConfiguration) u32 host_configuration(u32 owner, u32 handle);
HOST(closeConfiguration) void host_configuration_close(u32 configuration);
HOST(readConfiguration) u32 host_configuration_read(u32 configuration, u32 keyword, u32 length, u32 flat, u32 type);
NDIS_STATUS NdisOpenConfigurationEx(PNDIS_CONFIGURATION_OBJECT o, PNDIS_HANDLE h) {
  RS(o);
  WS(h);
  return (NDIS_STATUS)host_configuration((u32)o->NdisHandle, (u32)h);
}
VOID NdisCloseConfiguration(NDIS_HANDLE h) { host_configuration_close((u32)h); }
VOID NdisReadConfiguration(PNDIS_STATUS s, PNDIS_CONFIGURATION_PARAMETER *v, NDIS_HANDLE h, PNDIS_STRING k, NDIS_PARAMETER_TYPE t) {
  u32 flat[3];
  PNDIS_CONFIGURATION_PARAMETER p;
  WS(s);
  WS(v);
  RS(k);
  R(k->Buffer, k->Length);
  *v = NULL;
  *s = (NDIS_STATUS)host_configuration_read((u32)h, (u32)k->Buffer, k->Length, (u32)flat, t);
  if (*s != NDIS_STATUS_SUCCESS) return;
  /* flat: [memory of the configuration, which it frees; integer, or bytes of the string; kind] */
  p = (PNDIS_CONFIGURATION_PARAMETER)flat[0];
  if (flat[2] == 0) {
    p->ParameterType = t;
    p->ParameterData.IntegerData = flat[1];
  } else {
    p->ParameterType = NdisParameterString;
    p->ParameterData.StringData.Buffer = (PWSTR)(p + 1);
    p->ParameterData.StringData.Length = (USHORT)flat[1];
    p->ParameterData.StringData.MaximumLength = (USHORT)(flat[1] + 2);
  }
  *v = p;
}
EXPORT(nshm_parameter_size) u32 nshm_parameter_size(void) { return sizeof(NDIS_CONFIGURATION_PARAMETER); }
VOID NdisReadNetworkAddress(PNDIS_STATUS s, PVOID *a, PUINT n, NDIS_HANDLE h) {
  HOST(networkAddress) u32 host_network_address(u32 configuration, u32 length);
  UINT length = 0;
  WS(s);
  WS(a);
  WS(n);
  *a = (PVOID)host_network_address((u32)h, (u32)&length);
  *n = length;
  *s = *a ? NDIS_STATUS_SUCCESS : NDIS_STATUS_FAILURE;
}
VOID NdisWriteErrorLogEntry(NDIS_HANDLE h, NDIS_ERROR_CODE c, ULONG n, ...) {
  HOST(errorLog) void host_error_log(u32 adapter, u32 code, u32 values, u32 count);
  va_list list;
  va_start(list, n);
  host_error_log((u32)h, c, (u32)list, n);
  va_end(list);
}
UINT NdisGetVersion(VOID) { return 0x6001e; }

/* ---- what the host calls --------------------------------------------------------------------------------------------------------------------------------- */
/* The driver object and the registry path live as long as the module. */
LONG DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);
static DRIVER_OBJECT driver_object;
static UNICODE_STRING registry_path;
EXPORT(nshm_driver_object) u32 nshm_driver_object(void) { return (u32)&driver_object; }
EXPORT(nshm_driver_entry) u32 nshm_driver_entry(u32 path, u32 bytes) {
  registry_path.Buffer = (PWSTR)path;
  registry_path.Length = (USHORT)bytes;
  registry_path.MaximumLength = (USHORT)bytes;
  driver_object.Type = 4;
  driver_object.Size = sizeof(driver_object);
  return (u32)DriverEntry(&driver_object, &registry_path);
}
/* resources: pairs of rows of four words, [type, flags, low or level, high or vector, length]. */
EXPORT(nshm_call_initialize) u32 nshm_call_initialize(MINIPORT_INITIALIZE *f, u32 handle, u32 context, u32 *rows, u32 count, u32 list) {
  NDIS_MINIPORT_INIT_PARAMETERS p;
  PNDIS_RESOURCE_LIST resources = (PNDIS_RESOURCE_LIST)list;
  u32 i;
  zero(&p, sizeof(p));
  p.Header.Type = NDIS_OBJECT_TYPE_MINIPORT_INIT_PARAMETERS;
  p.Header.Revision = 1;
  p.Header.Size = sizeof(p);
  p.IfIndex = 1;
  resources->Version = 1;
  resources->Revision = 1;
  resources->Count = count;
  for (i = 0; i < count; i++) {
    CM_PARTIAL_RESOURCE_DESCRIPTOR *d = &resources->PartialDescriptors[i];
    d->Type = (UCHAR)rows[5 * i];
    d->ShareDisposition = 3;
    d->Flags = (USHORT)rows[5 * i + 1];
    if (d->Type == CmResourceTypeInterrupt) {
      d->u.Interrupt.Level = rows[5 * i + 2];
      d->u.Interrupt.Vector = rows[5 * i + 3];
      d->u.Interrupt.Affinity = 1;
    } else {
      d->u.Generic.Start.LowPart = rows[5 * i + 2];
      d->u.Generic.Start.HighPart = (LONG)rows[5 * i + 3];
      d->u.Generic.Length = rows[5 * i + 4];
    }
  }
  p.AllocatedResources = resources;
  return (u32)f((NDIS_HANDLE)handle, (NDIS_HANDLE)context, &p);
}
EXPORT(nshm_resource_size) u32 nshm_resource_size(u32 count) {
  return sizeof(NDIS_RESOURCE_LIST) + count * sizeof(CM_PARTIAL_RESOURCE_DESCRIPTOR);
}
EXPORT(nshm_call_pause) u32 nshm_call_pause(MINIPORT_PAUSE *f, u32 context, u32 reason) {
  NDIS_MINIPORT_PAUSE_PARAMETERS p;
  zero(&p, sizeof(p));
  p.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
  p.Header.Revision = 1;
  p.Header.Size = sizeof(p);
  p.PauseReason = reason;
  return (u32)f((NDIS_HANDLE)context, &p);
}
EXPORT(nshm_call_restart) u32 nshm_call_restart(MINIPORT_RESTART *f, u32 context) {
  NDIS_MINIPORT_RESTART_PARAMETERS p;
  zero(&p, sizeof(p));
  p.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
  p.Header.Revision = 1;
  p.Header.Size = sizeof(p);
  return (u32)f((NDIS_HANDLE)context, &p);
}
EXPORT(nshm_call_complete) void nshm_call_complete(MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE *f, u32 context, u32 va, u32 low, u32 high, u32 with_pa, u32 length, u32 request) {
  NDIS_PHYSICAL_ADDRESS pa;
  pa.LowPart = low;
  pa.HighPart = (LONG)high;
  f((NDIS_HANDLE)context, (PVOID)va, with_pa ? &pa : NULL, length, (PVOID)request);
}
/* Bit 0: ours; bit 1: the deferred call is wanted. */
EXPORT(nshm_call_isr) u32 nshm_call_isr(MINIPORT_ISR *f, u32 context) {
  BOOLEAN queue = FALSE, ours;
  ULONG target = 0;
  ours = f((NDIS_HANDLE)context, &queue, &target);
  return (ours ? 1 : 0) | (queue ? 2 : 0);
}
EXPORT(nshm_call_pnp) void nshm_call_pnp(MINIPORT_DEVICE_PNP_EVENT_NOTIFY *f, u32 context, u32 event) {
  NET_DEVICE_PNP_EVENT e;
  zero(&e, sizeof(e));
  e.Header.Type = NDIS_OBJECT_TYPE_DEFAULT;
  e.Header.Revision = 1;
  e.Header.Size = sizeof(e);
  e.DevicePnPEvent = event;
  f((NDIS_HANDLE)context, &e);
}
EXPORT(nshm_call_reset) u32 nshm_call_reset(MINIPORT_RESET *f, u32 context) {
  BOOLEAN addressing = FALSE;
  return (u32)f((NDIS_HANDLE)context, &addressing);
}
/* A packet of the upper layer: one list, one buffer, one MDL, and its bytes, in one piece that the host allocated. */
EXPORT(nshm_packet_size) u32 nshm_packet_size(u32 bytes) { return up8(sizeof(NET_BUFFER_LIST)) + up8(sizeof(NET_BUFFER)) + up8(sizeof(MDL)) + bytes; }
EXPORT(nshm_make_packet) u32 nshm_make_packet(u8 *block, u32 bytes) {
  PNET_BUFFER_LIST nbl = (PNET_BUFFER_LIST)block;
  PNET_BUFFER nb = (PNET_BUFFER)(block + up8(sizeof(NET_BUFFER_LIST)));
  PMDL mdl = (PMDL)((u8 *)nb + up8(sizeof(NET_BUFFER)));
  u8 *data = (u8 *)mdl + up8(sizeof(MDL));
  zero(block, (u32)(data - block));
  mdl->Size = sizeof(MDL);
  mdl->MdlFlags = MDL_SOURCE_IS_NONPAGED_POOL | MDL_MAPPED_TO_SYSTEM_VA;
  mdl->MappedSystemVa = data;
  mdl->StartVa = PAGE_ALIGN(data);
  mdl->ByteOffset = BYTE_OFFSET(data);
  mdl->ByteCount = bytes;
  init_nb(nb, NULL, mdl, 0, bytes);
  nbl->FirstNetBuffer = nb;
  return (u32)data;
}
EXPORT(nshm_request_size) u32 nshm_request_size(void) { return sizeof(NDIS_OID_REQUEST); }
EXPORT(nshm_make_request) void nshm_make_request(PNDIS_OID_REQUEST r, u32 set, u32 oid, u32 buffer, u32 length) {
  zero(r, sizeof(*r));
  r->Header.Type = NDIS_OBJECT_TYPE_OID_REQUEST;
  r->Header.Revision = 1;
  r->Header.Size = sizeof(*r);
  r->RequestType = set ? NdisRequestSetInformation : NdisRequestQueryInformation;
  r->RequestId = (PVOID)r;
  r->RequestHandle = (NDIS_HANDLE)r;
  if (set) {
    r->DATA.SET_INFORMATION.Oid = oid;
    r->DATA.SET_INFORMATION.InformationBuffer = (PVOID)buffer;
    r->DATA.SET_INFORMATION.InformationBufferLength = length;
  } else {
    r->DATA.QUERY_INFORMATION.Oid = oid;
    r->DATA.QUERY_INFORMATION.InformationBuffer = (PVOID)buffer;
    r->DATA.QUERY_INFORMATION.InformationBufferLength = length;
  }
}
EXPORT(nshm_request_written) u32 nshm_request_written(PNDIS_OID_REQUEST r) { return r->DATA.QUERY_INFORMATION.BytesWritten; }
