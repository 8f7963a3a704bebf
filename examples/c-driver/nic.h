/*
 * nic.h: a small network controller ("ring NIC") and its driver.
 *
 * The device (nic-device.mjs) has one receive ring and one transmit ring of sixteen-byte descriptors in shared memory:
 *
 *     0  address u64      4-aligned, of the buffer       8  length u16     10  flags u16: 0x8000 the device's
 *     12 cookie u32       the driver's own               of a received frame the device writes length and clears 0x8000
 *
 * Registers: CAUSES and MASK (byte wide), COMMAND, the rings' addresses and sizes, a doorbell for transmit.
 */
#ifndef NIC_H
#define NIC_H
#include <ndis.h>

#define NIC_TAG 'ciNx'
#define RX_RING 32
#define TX_RING 8
#define RX_START 8   /* buffers taken in initialize */
#define RX_LOW 6     /* fewer free ones than this: ask for more */
#define RX_MOST 24
#define RX_BYTES 1554
#define TX_BYTES 1514
#define HALT_ROUND_MS 2000
#define WATCHDOG_MS 2000

#define NIC_CAUSE_RX 0x01
#define NIC_CAUSE_TX 0x02
#define NIC_CAUSE_STARVED 0x04
#define NIC_COMMAND_RESET 0
#define NIC_COMMAND_RUN 1
#define NIC_COMMAND_STOP 2

/* The registers, as they lie in the first base address register. */
typedef struct _NIC_REGISTERS {
  volatile UCHAR Causes; /* writing ones clears */
  volatile UCHAR Mask;   /* ones keep back */
  volatile USHORT Command;
  volatile ULONG RxRingLow, RxRingHigh;
  volatile ULONG RxRingSize;
  volatile ULONG TxRingLow, TxRingHigh;
  volatile ULONG TxRingSize;
  volatile ULONG TxDoorbell; /* up to which descriptor there is something to send */
  volatile ULONG RxDoorbell; /* up to which descriptor there are buffers */
} NIC_REGISTERS, *PNIC_REGISTERS;

#define DESCRIPTOR_OWNED 0x8000
typedef struct _NIC_DESCRIPTOR {
  ULONG AddressLow, AddressHigh;
  volatile USHORT Length;
  volatile USHORT Flags;
  ULONG Cookie;
} NIC_DESCRIPTOR, *PNIC_DESCRIPTOR;

/* One receive buffer: shared memory, and the list that takes it to the upper layer. */
typedef struct _RX_BUFFER {
  LIST_ENTRY Link;
  PVOID Virtual;
  NDIS_PHYSICAL_ADDRESS Physical;
  ULONG Length;
  PMDL Mdl;
  PNET_BUFFER_LIST List;
  struct _NIC *Nic;
} RX_BUFFER, *PRX_BUFFER;

typedef struct _NIC {
  NDIS_HANDLE Handle;
  NDIS_HANDLE Dma;
  NDIS_HANDLE Interrupt;
  NDIS_HANDLE Pool;
  NDIS_HANDLE Timer;
  PNIC_REGISTERS Registers;
  ULONG RegisterBytes;
  NDIS_SPIN_LOCK Lock;

  /* Receive: a ring of descriptors, the buffers in it, those that wait for a place. */
  PVOID RxRingVirtual;
  NDIS_PHYSICAL_ADDRESS RxRingPhysical;
  PRX_BUFFER RxSlots[RX_RING];
  ULONG RxHead, RxTail; /* the next that the device completes; the next free slot */
  LIST_ENTRY RxFree;
  ULONG RxBuffers;  /* all of them */
  ULONG RxInRing;
  ULONG RxWithUpper;
  BOOLEAN RxRequest; /* one asynchronous request is under way */

  /* Transmit: one shared buffer for each descriptor. */
  PVOID TxRingVirtual;
  NDIS_PHYSICAL_ADDRESS TxRingPhysical;
  PVOID TxVirtual[TX_RING];
  NDIS_PHYSICAL_ADDRESS TxPhysical[TX_RING];
  PNET_BUFFER_LIST TxLists[TX_RING];
  ULONG TxHead, TxTail;

  LONG References; /* one for the adapter, one for each request under way */
  NDIS_EVENT Released;
  NDIS_EVENT Returned; /* nothing is with the upper layer */
  BOOLEAN Running;
  BOOLEAN Halting;
  UCHAR Address[6];
  ULONG64 RxFrames, TxFrames;
  ULONG Filter;
  ULONG Ticks;
} NIC, *PNIC;

/* hw.c */
BOOLEAN HwAllocate(PNIC Nic);
VOID HwRelease(PNIC Nic);
VOID HwStart(PNIC Nic);
VOID HwStop(PNIC Nic);
VOID HwReceive(PNIC Nic);
VOID HwFill(PNIC Nic);
VOID HwGrow(PNIC Nic);
PNET_BUFFER_LIST HwTakeSent(PNIC Nic, BOOLEAN All);
VOID HwDereference(PNIC Nic);
BOOLEAN HwSend(PNIC Nic, PNET_BUFFER_LIST List);
VOID HwFreeRxBuffer(PRX_BUFFER Buffer);
MINIPORT_ALLOCATE_SHARED_MEM_COMPLETE HwAllocated;
MINIPORT_RETURN_NET_BUFFER_LISTS NicReturn;

#endif
